/* file/model_load.c: a model from a safetensors file that may be hostile.

   Two walks over the nodes. The first reads every leaf and holds the wanted tensors against those of the
   file, so that nothing is allocated for a shape that the file has no data for. The second builds the nodes,
   each op checked by its own shape function. */
#include "file/node_read.h"

#include <string.h>

/* ---- Second walk: building ----------------------------------------------------------------------------- */
/* What the engine said about the node being built becomes a statement about the file. */
static pith_status blame(const pithp_node_reader *l, bool clean)
{
    char said[sizeof l->c->error];
    pith_status status = l->c->status;
    if (!clean || !status) /* an older error sticks, or nothing was said */
        return pithp_node_bad(l, "cannot be built");
    if (status == PITH_ENOMEM)
        return status;
    memcpy(said, l->c->error, sizeof said);
    said[sizeof said - 1] = 0;
    l->c->status = PITH_OK;
    return pithp_node_bad(l, "%s", said);
}

static pith_status read_inputs(const pithp_node_reader *l, const json_t *list, int *n, pith_tensor **in)
{
    bool any = false;
    if (!json_is_array(list) || json_array_size(list) > PITH_OP_MAX_IN)
        return pithp_node_bad(l, "\"inputs\" is not a list of at most %d nodes", PITH_OP_MAX_IN);
    *n = (int)json_array_size(list);
    for (int i = 0; i < *n; i++) {
        const json_t *j = json_array_get(list, (size_t)i);
        json_int_t id = json_integer_value(j);
        in[i] = NULL;
        if (json_is_null(j))
            continue;
        if (!json_is_integer(j) || id < 0 || (uint64_t)id >= l->at)
            return pithp_node_bad(l, "operand %d is not null or the number of a node before this one", i);
        in[i] = l->made[id];
        any = true;
    }
    return any ? PITH_OK : pithp_node_bad(l, "has no operand; expected at least one");
}

static pith_status build_op(pithp_node_reader *l, json_t *node, pith_shape shape, pith_tensor **made)
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
        return pithp_node_bad(l, "\"op\" is not a string or \"attrs\" not an object");
    const pith_op *op = pith_op_find(l->c, word);
    if (!op)
        return pithp_node_bad(
            l,
            "op '%s' is not known: register it (pith_op_register) before loading, or load with the "
            "pith that wrote "
            "the file",
            pithp_show(word, show));
    if (!pithp_attr_table_ok(op))
        return pithp_node_bad(l, "op '%s' cannot be loaded: its attributes have no proper table of fields",
                              op->name);
    void *attr = pithp_alloc(l->c, 1, op->attr_size + 1);
    if (!attr)
        return PITH_ENOMEM;
    bool clean = l->c->status == PITH_OK;
    if (!pithp_attr_from_json(op, attrs, attr, why))
        s = pithp_node_bad(l, "%s", why);
    else if (*made = pith_op_apply(op, attr, json_string_value(json_object_get(node, "name")), n_in, in),
             !*made || (*made)->poison)
        s = blame(l, clean);
    else if (!pithp_shape_eq((*made)->shape, shape))
        s = pithp_node_bad(l, "op '%s' makes %s of its operands; the file says %s", op->name,
                           pithp_shape_text((*made)->shape, have), pithp_shape_text(shape, want));
    pithp_free(l->c, attr);
    return s;
}

static pith_status build_leaf(pithp_node_reader *l, json_t *node, pithp_node_kind kind, pithp_want *w,
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
        return pithp_node_bad(l, "\"decay\" and \"frozen\" are not both true or false");
    t->decay = json_is_true(decay);
    t->frozen = json_is_true(frozen);
    w->to = *made = t;
    return PITH_OK;
}

/* Node 0, with the model around it. */
static pith_status begin(pithp_node_reader *l, const char *name)
{
    json_t *node = json_array_get(l->nodes, 0);
    pithp_node_kind kind;
    pith_shape shape, one;
    pith_dtype dtype;
    l->at = 0;
    pith_status s = pithp_node_common(l, node, &kind, &shape);
    if (!s)
        s = pithp_node_dtype(l, node, &dtype);
    if (s)
        return s;
    if (dtype != PITH_F32 || shape.ndim < 2 || shape.d[0] != 1)
        return pithp_node_bad(l, "the input is not f32 of shape [1,...]");
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

static pith_status build(pithp_node_reader *l, const char *name, size_t output)
{
    size_t leaf = 0;
    pith_status s = begin(l, name);
    for (l->at = 1; l->at < l->n && !s; l->at++) {
        json_t *node = json_array_get(l->nodes, l->at);
        pithp_node_kind kind;
        pith_shape shape;
        s = pithp_node_common(l, node, &kind, &shape);
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

static pith_status read_graph(pithp_node_reader *l, json_t *root)
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
    if (json_object_size(root) != 5 || !pithp_node_name_ok(name) || !json_is_integer(output) ||
        !json_is_integer(input))
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
    pith_status s = pithp_read_leaves(l);
    return s ? s : build(l, json_string_value(name), (size_t)out);
}

static pith_status read_meta(const pithp_node_reader *l)
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
    pithp_node_reader l = { .c = f->c, .f = f };
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
