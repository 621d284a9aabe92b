/* file/model_load.c: a model from a safetensors file that may be hostile.

   Two walks over the nodes. The first reads every leaf and holds the wanted tensors against those of the
   file, so that nothing is allocated for a shape that the file has no data for. The second builds the nodes,
   each op checked by its own shape function. */
#include "file/graph_json.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    pith_ctx *c;
    const pithp_st_file *f;
    json_t *nodes;
    size_t n, at;      /* nodes; the one being read */
    pithp_want *wants; /* [n_wants], leaves in order */
    size_t n_wants;
    pith_tensor **made; /* [n] */
    pith_model *m;
} loader;

/* ---- Fields -------------------------------------------------------------------------------------------- */
/* A complaint about the node being read. */
static pith_status PITH_PRINTF(2, 3) bad(const loader *l, const char *fmt, ...)
{
    char text[800], show[PITHP_SHOW];
    const char *name = json_string_value(json_object_get(json_array_get(l->nodes, l->at), "name"));
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pithp_error(l->c, PITH_EFORMAT, "%s: graph node %zu%s%s%s: %s", l->f->path, l->at,
                       name ? " ('" : "", name ? pithp_show(name, show) : "", name ? "')" : "", text);
}

/* The node has exactly these fields (NULL ends them), and maybe "stored", which leaves with a tensor may have. */
static pith_status exactly(const loader *l, json_t *node, const char *const *fields)
{
    const char *key;
    char show[PITHP_SHOW];
    json_t *value;
    size_t n = 0;
    for (; fields[n]; n++)
        if (!json_object_get(node, fields[n]))
            return bad(l, "field \"%s\" is missing", fields[n]);
    json_object_foreach(node, key, value)
    {
        size_t i = 0;
        while (fields[i] && strcmp(fields[i], key))
            i++;
        bool brief = !strcmp(key, "stored") && json_object_get(node, "tensor");
        if (!fields[i] && !brief)
            return bad(l, "field \"%s\" is not known for this kind of node", pithp_show(key, show));
    }
    return PITH_OK;
}

static bool name_ok(const json_t *j) { return json_is_string(j) && json_string_length(j) <= PITHP_MAX_NAME; }

typedef struct {
    const char *name;
    pithp_node_kind kind;
    const char *const *fields;
} node_kind;

#define FIELDS(...) \
    (const char *const[]) { "id", "kind", "name", "shape", __VA_ARGS__, NULL }
static const node_kind kinds[] = {
    { "op", PITHP_NODE_OP, FIELDS("op", "inputs", "attrs") },
    { "input", PITHP_NODE_INPUT, FIELDS("dtype") },
    { "param", PITHP_NODE_PARAM, FIELDS("tensor", "decay", "frozen") },
    { "state", PITHP_NODE_STATE, FIELDS("tensor") },
    { "data", PITHP_NODE_DATA, FIELDS("tensor", "dtype") },
};

/* Checks what all nodes have in common; gives the kind and the shape. */
static pith_status read_common(const loader *l, json_t *node, pithp_node_kind *kind, pith_shape *shape)
{
    char show[PITHP_SHOW];
    const char *word = json_string_value(json_object_get(node, "kind"));
    const node_kind *k = NULL;
    for (size_t i = 0; word && i < PITHP_LEN(kinds); i++)
        if (!strcmp(kinds[i].name, word))
            k = &kinds[i];
    if (!k)
        return bad(l, "kind '%s' is not known; expected op, input, param, state or data",
                   word ? pithp_show(word, show) : "(no string)");
    pith_status s = exactly(l, node, k->fields);
    if (s)
        return s;
    const json_t *id = json_object_get(node, "id"), *name = json_object_get(node, "name");
    if (!json_is_integer(id) || (uint64_t)json_integer_value(id) != l->at)
        return bad(l, "\"id\" is not its place in the list, %zu", l->at);
    if (!json_is_null(name) && !name_ok(name))
        return bad(l, "\"name\" is neither null nor a string of at most %d bytes", PITHP_MAX_NAME);
    int64_t count;
    if (!pithp_shape_from_json(json_object_get(node, "shape"), shape) || !pithp_count_ok(*shape, &count))
        return bad(
            l, "\"shape\" is not a list of at most %d sizes of at least 1, with a product of at most 2^40",
            PITH_MAX_DIMS);
    *kind = k->kind;
    return PITH_OK;
}

static pith_status read_dtype(const loader *l, const json_t *node, pith_dtype *dtype)
{
    static const pith_dtype all[] = { PITH_F32, PITH_I32, PITH_U8, PITH_I8 };
    static const char *const names[] = { "f32", "i32", "u8", "i8" };
    const char *word = json_string_value(json_object_get(node, "dtype"));
    for (size_t i = 0; word && i < PITHP_LEN(all); i++)
        if (!strcmp(word, names[i])) {
            *dtype = all[i];
            return PITH_OK;
        }
    return bad(l, "\"dtype\" is not f32, i32, u8 or i8");
}

/* ---- Brief storage: "stored" of a leaf ------------------------------------------------------------------ */
static int by_node(const void *key, const void *w)
{
    size_t a = *(const size_t *)key, b = ((const pithp_want *)w)->node;
    return (a > b) - (a < b);
}

static pith_status read_stored(const loader *l, pithp_want *w)
{
    const json_t *j = json_object_get(json_array_get(l->nodes, l->at), "stored");
    if (!j)
        return PITH_OK;
    const json_t *bits = json_object_get(j, "bits"), *axis = json_object_get(j, "axis"),
                 *scale = json_object_get(j, "scale");
    if (json_object_size(j) != 3 || !json_is_integer(bits) || !json_is_integer(axis) ||
        !(json_is_integer(scale) || json_is_null(scale)) || json_integer_value(bits) < 1 ||
        json_integer_value(bits) > 8 || json_integer_value(axis) < -1 ||
        json_integer_value(axis) >= w->shape.ndim)
        return bad(
            l,
            "\"stored\" is not { \"bits\": 1 to 8, \"axis\": -1 or a dimension, \"scale\": a node or null }");
    w->stored.bits = (int)json_integer_value(bits);
    w->stored.axis = (int)json_integer_value(axis);
    if (json_is_null(scale))
        return w->dtype == PITH_I32 ? PITH_OK : bad(l, "codes without a scale are for i32 leaves");
    size_t node = (size_t)json_integer_value(scale);
    w->scale = bsearch(&node, l->wants, l->n_wants, sizeof *l->wants, by_node);
    int64_t channels = w->stored.axis < 0 ? 1 : w->shape.d[w->stored.axis];
    if (w->dtype != PITH_F32 || w->stored.bits < 2 || !w->scale || w->scale->dtype != PITH_F32 ||
        json_object_get(json_array_get(l->nodes, node), "stored") || w->scale->shape.ndim != 1 ||
        w->scale->shape.d[0] != channels)
        return bad(
            l, "\"scale\" is not an f32 leaf [%lld] with values of its own, for f32 codes of 2 bits and more",
            (long long)channels);
    return PITH_OK;
}

/* ---- First walk: leaves -------------------------------------------------------------------------------- */
static pith_status read_leaf(loader *l, json_t *node)
{
    pithp_node_kind kind;
    pithp_want w = { .dtype = PITH_F32, .node = l->at };
    pith_status s = read_common(l, node, &kind, &w.shape);
    if (!s && !l->at && kind != PITHP_NODE_INPUT)
        return bad(l, "node 0 is not the input; expected kind \"input\"");
    if (s || kind == PITHP_NODE_OP)
        return s;
    if (kind == PITHP_NODE_INPUT || kind == PITHP_NODE_DATA)
        s = read_dtype(l, node, &w.dtype);
    if (s || kind == PITHP_NODE_INPUT)
        return s ? s : l->at ? bad(l, "only node 0 can be the input") : PITH_OK;
    const json_t *tensor = json_object_get(node, "tensor");
    if (!name_ok(tensor) || !json_string_length(tensor) ||
        !strncmp(json_string_value(tensor), PITHP_ST_TRAIN, strlen(PITHP_ST_TRAIN)))
        return bad(l, "\"tensor\" is not the name of a tensor of a model");
    w.tensor = json_string_value(tensor);
    w.param = kind == PITHP_NODE_PARAM;
    l->wants[l->n_wants++] = w;
    return PITH_OK;
}

static pith_status read_leaves(loader *l)
{
    pith_status s = PITH_OK;
    for (l->at = 0; l->at < l->n && !s; l->at++) {
        json_t *node = json_array_get(l->nodes, l->at);
        s = json_is_object(node) ? read_leaf(l, node) : bad(l, "is not an object");
    }
    for (size_t i = 0; i < l->n_wants && !s; i++) {
        l->at = l->wants[i].node;
        s = read_stored(l, &l->wants[i]);
    }
    return s ? s : pithp_want_fit(l->f, l->wants, l->n_wants);
}

/* ---- Second walk: building ----------------------------------------------------------------------------- */
/* What the engine said about the node being built becomes a statement about the file. */
static pith_status blame(const loader *l, bool clean)
{
    char said[sizeof l->c->error];
    pith_status status = l->c->status;
    if (!clean || !status) /* an older error sticks, or nothing was said */
        return bad(l, "cannot be built");
    if (status == PITH_ENOMEM)
        return status;
    memcpy(said, l->c->error, sizeof said);
    said[sizeof said - 1] = 0;
    l->c->status = PITH_OK;
    return bad(l, "%s", said);
}

static pith_status read_inputs(const loader *l, const json_t *list, int *n, pith_tensor **in)
{
    bool any = false;
    if (!json_is_array(list) || json_array_size(list) > PITH_OP_MAX_IN)
        return bad(l, "\"inputs\" is not a list of at most %d nodes", PITH_OP_MAX_IN);
    *n = (int)json_array_size(list);
    for (int i = 0; i < *n; i++) {
        const json_t *j = json_array_get(list, (size_t)i);
        json_int_t id = json_integer_value(j);
        in[i] = NULL;
        if (json_is_null(j))
            continue;
        if (!json_is_integer(j) || id < 0 || (uint64_t)id >= l->at)
            return bad(l, "operand %d is not null or the number of a node before this one", i);
        in[i] = l->made[id];
        any = true;
    }
    return any ? PITH_OK : bad(l, "has no operand; expected at least one");
}

static pith_status build_op(loader *l, json_t *node, pith_shape shape, pith_tensor **made)
{
    char why[200], show[PITHP_SHOW], want[96], have[96];
    const char *word = json_string_value(json_object_get(node, "op"));
    const json_t *attrs = json_object_get(node, "attrs");
    pith_tensor *in[PITH_OP_MAX_IN];
    int n_in = 0;
    pith_status s = read_inputs(l, json_object_get(node, "inputs"), &n_in, in);
    if (s)
        return s;
    if (!word || !json_is_object(attrs))
        return bad(l, "\"op\" is not a string or \"attrs\" not an object");
    const pith_op *op = pith_op_find(l->c, word);
    if (!op)
        return bad(l,
                   "op '%s' is not known: register it (pith_op_register) before loading, or load with the "
                   "pith that wrote "
                   "the file",
                   pithp_show(word, show));
    if (!pithp_attr_table_ok(op))
        return bad(l, "op '%s' cannot be loaded: its attributes have no proper table of fields", op->name);
    void *attr = pithp_alloc(l->c, 1, op->attr_size + 1);
    if (!attr)
        return PITH_ENOMEM;
    bool clean = l->c->status == PITH_OK;
    if (!pithp_attr_from_json(op, attrs, attr, why))
        s = bad(l, "%s", why);
    else if (*made = pith_op_apply(op, attr, json_string_value(json_object_get(node, "name")), n_in, in),
             !*made || (*made)->poison)
        s = blame(l, clean);
    else if (!pithp_shape_eq((*made)->shape, shape))
        s = bad(l, "op '%s' makes %s of its operands; the file says %s", op->name,
                pithp_shape_text((*made)->shape, have), pithp_shape_text(shape, want));
    pithp_free(l->c, attr);
    return s;
}

static pith_status build_leaf(loader *l, json_t *node, pithp_node_kind kind, pithp_want *w,
                              pith_tensor **made)
{
    pith_tensor *t =
        pithp_node_new(l->m->g, kind, w->dtype, w->shape, json_string_value(json_object_get(node, "name")));
    if (!t)
        return PITH_ENOMEM;
    if (kind == PITHP_NODE_DATA) {
        t->value = pithp_alloc(l->c, (size_t)pithp_count(w->shape), pithp_dtype_size(w->dtype));
        t->owns_value = true;
        if (!t->value)
            return PITH_ENOMEM;
    }
    const json_t *decay = json_object_get(node, "decay"), *frozen = json_object_get(node, "frozen");
    if (kind == PITHP_NODE_PARAM && (!json_is_boolean(decay) || !json_is_boolean(frozen)))
        return bad(l, "\"decay\" and \"frozen\" are not both true or false");
    t->decay = json_is_true(decay);
    t->frozen = json_is_true(frozen);
    w->to = *made = t;
    return PITH_OK;
}

/* Node 0, with the model around it. */
static pith_status begin(loader *l, const char *name)
{
    json_t *node = json_array_get(l->nodes, 0);
    pithp_node_kind kind;
    pith_shape shape, one;
    pith_dtype dtype;
    l->at = 0;
    pith_status s = read_common(l, node, &kind, &shape);
    if (!s)
        s = read_dtype(l, node, &dtype);
    if (s)
        return s;
    if (dtype != PITH_F32 || shape.ndim < 2 || shape.d[0] != 1)
        return bad(l, "the input is not f32 of shape [1,...]");
    one = (pith_shape){ .ndim = shape.ndim - 1 };
    memcpy(one.d, shape.d + 1, (size_t)one.ndim * sizeof one.d[0]);
    const char *input = json_string_value(json_object_get(node, "name"));
    bool clean = l->c->status == PITH_OK;
    l->m = pithp_model_begin(l->c, name, one, input ? input : "input");
    if (!l->m)
        return blame(l, clean);
    l->made[0] = l->m->input;
    return PITH_OK;
}

static pith_status build(loader *l, const char *name, size_t output)
{
    size_t leaf = 0;
    pith_status s = begin(l, name);
    for (l->at = 1; l->at < l->n && !s; l->at++) {
        json_t *node = json_array_get(l->nodes, l->at);
        pithp_node_kind kind;
        pith_shape shape;
        s = read_common(l, node, &kind, &shape);
        if (!s)
            s = kind == PITHP_NODE_OP ? build_op(l, node, shape, &l->made[l->at])
                                      : build_leaf(l, node, kind, &l->wants[leaf++], &l->made[l->at]);
    }
    if (s)
        return s;
    l->at = output;
    bool clean = l->c->status == PITH_OK;
    s = pithp_model_finish(l->m, l->made[output], false);
    if (s)
        return s == PITH_ENOMEM ? s : blame(l, clean);
    s = pithp_want_fill(l->f, l->wants, l->n_wants);
    return s ? s : pithp_masks_get(l->m, l->f, l->wants, l->n_wants);
}

/* ---- The whole ----------------------------------------------------------------------------------------- */
static pith_status whole(const pithp_st_file *f, const char *what)
{
    return pithp_error(f->c, PITH_EFORMAT, "%s: graph: %s", f->path, what);
}

static pith_status read_graph(loader *l, json_t *root)
{
    const json_t *format = json_object_get(root, "format"), *name = json_object_get(root, "name"),
                 *input = json_object_get(root, "input"), *output = json_object_get(root, "output");
    l->nodes = json_object_get(root, "nodes");
    l->n = json_array_size(l->nodes);
    if (!json_is_integer(format))
        return whole(l->f, "\"format\" is not a whole number");
    if (json_integer_value(format) != PITHP_GRAPH_VERSION)
        return pithp_error(l->c, PITH_EFORMAT,
                           "%s: graph: format %lld; this version of pith reads %d: use the one that wrote it",
                           l->f->path, (long long)json_integer_value(format), PITHP_GRAPH_VERSION);
    if (json_object_size(root) != 5 || !name_ok(name) || !json_is_integer(output) || !json_is_integer(input))
        return whole(l->f, "expected exactly \"format\", \"name\" (at most 1000 bytes), \"input\", "
                           "\"output\" and \"nodes\"");
    if (l->n < 2 || l->n > PITHP_MAX_NODES)
        return whole(l->f, "\"nodes\" is not a list of 2 to 65536 nodes");
    json_int_t out = json_integer_value(output);
    if (json_integer_value(input) || out < 1 || (uint64_t)out >= l->n)
        return whole(l->f, "\"input\" is not 0, or \"output\" not the number of another node");
    if (!(l->wants = PITHP_NEW_N(l->c, pithp_want, l->n)) ||
        !(l->made = PITHP_NEW_N(l->c, pith_tensor *, l->n)))
        return PITH_ENOMEM;
    pith_status s = read_leaves(l);
    return s ? s : build(l, json_string_value(name), (size_t)out);
}

static pith_status read_meta(const loader *l)
{
    const size_t prefix = strlen(PITHP_META_PREFIX);
    pith_status s = PITH_OK;
    for (size_t i = 0; i < l->f->n_meta && !s; i++)
        if (!strncmp(l->f->meta[i].key, PITHP_META_PREFIX, prefix))
            s = pith_model_set_meta(l->m, l->f->meta[i].key + prefix, l->f->meta[i].value);
    return s;
}

pith_model *pithp_model_get(const pithp_st_file *f)
{
    loader l = { .c = f->c, .f = f };
    json_t *root = NULL;
    const char *text = pithp_st_meta(f, PITHP_GRAPH_KEY);
    if (!text) {
        pithp_error(f->c, PITH_EFORMAT,
                    "%s: holds tensors, but no model of pith's (no \"" PITHP_GRAPH_KEY
                    "\" in its metadata); expected a file that pith_model_save wrote",
                    f->path);
        return NULL;
    }
    char *where = pithp_sprintf(f->c, "%s: graph", f->path);
    pith_status s = where ? pithp_json_parse(f->c, where, text, strlen(text), &root) : PITH_ENOMEM;
    if (!s)
        s = json_is_object(root) ? read_graph(&l, root) : whole(f, "is not a JSON object");
    if (!s)
        s = read_meta(&l);
    if (s) {
        pith_model_free(l.m);
        l.m = NULL;
    }
    pithp_free(f->c, where);
    pithp_free(f->c, l.wants);
    pithp_free(f->c, l.made);
    json_decref(root);
    return l.m;
}

pith_model *pith_model_load(pith_ctx *c, const char *path)
{
    pithp_st_file f;
    if (pithp_st_open(c, &f, path))
        return NULL;
    pith_model *m = pithp_model_get(&f);
    pithp_st_close(&f);
    return m;
}

pith_status pithp_model_get_weights(pith_model *m, const pithp_st_file *f)
{
    pithp_saved saved;
    pithp_want *w = NULL;
    size_t n = 0;
    pith_status s = pithp_saved_init(&saved, m);
    if (!s && !(w = PITHP_NEW_N(m->ctx, pithp_want, saved.n)))
        s = PITH_ENOMEM;
    for (size_t i = 0; i < saved.n && !s; i++)
        if (saved.tensor[i])
            w[n++] = (pithp_want){ .tensor = saved.tensor[i],
                                   .shape = saved.nodes[i]->shape,
                                   .dtype = saved.nodes[i]->dtype,
                                   .to = saved.nodes[i],
                                   .node = i,
                                   .param = saved.nodes[i]->kind == PITHP_NODE_PARAM };
    if (!s)
        s = pithp_want_fit(f, w, n);
    if (!s)
        s = pithp_want_fill(f, w, n);
    if (!s)
        s = pithp_masks_get(m, f, w, n);
    pithp_free(m->ctx, w);
    pithp_saved_free(&saved);
    return s;
}
