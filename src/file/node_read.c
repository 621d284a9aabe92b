/* file/node_read.c: fields of a graph's nodes, every one hostile until checked, and the first walk over them. */
#include "file/node_read.h"

#include <stdlib.h>
#include <string.h>

/* ---- Fields -------------------------------------------------------------------------------------------- */
pith_status pithp_node_bad(const pithp_node_reader *l, const char *fmt, ...)
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
static pith_status exactly(const pithp_node_reader *l, json_t *node, const char *const *fields)
{
    const char *key;
    char show[PITHP_SHOW];
    json_t *value;
    size_t n = 0;
    for (; fields[n]; n++)
        if (!json_object_get(node, fields[n]))
            return pithp_node_bad(l, "field \"%s\" is missing", fields[n]);
    json_object_foreach(node, key, value)
    {
        size_t i = 0;
        while (fields[i] && strcmp(fields[i], key))
            i++;
        bool brief = !strcmp(key, "stored") && json_object_get(node, "tensor");
        if (!fields[i] && !brief)
            return pithp_node_bad(l, "field \"%s\" is not known for this kind of node",
                                  pithp_show(key, show));
    }
    return PITH_OK;
}

bool pithp_node_name_ok(const json_t *j)
{
    return json_is_string(j) && json_string_length(j) <= PITHP_MAX_NAME;
}

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

pith_status pithp_node_common(const pithp_node_reader *l, json_t *node, pithp_node_kind *kind,
                              pith_shape *shape)
{
    char show[PITHP_SHOW];
    const char *word = json_string_value(json_object_get(node, "kind"));
    const node_kind *k = NULL;
    for (size_t i = 0; word && i < PITHP_LEN(kinds); i++)
        if (!strcmp(kinds[i].name, word))
            k = &kinds[i];
    if (!k)
        return pithp_node_bad(l, "kind '%s' is not known; expected op, input, param, state or data",
                              word ? pithp_show(word, show) : "(no string)");
    pith_status s = exactly(l, node, k->fields);
    if (s)
        return s;
    const json_t *id = json_object_get(node, "id"), *name = json_object_get(node, "name");
    if (!json_is_integer(id) || (uint64_t)json_integer_value(id) != l->at)
        return pithp_node_bad(l, "\"id\" is not its place in the list, %zu", l->at);
    if (!json_is_null(name) && !pithp_node_name_ok(name))
        return pithp_node_bad(l, "\"name\" is neither null nor a string of at most %d bytes", PITHP_MAX_NAME);
    int64_t count;
    if (!pithp_shape_from_json(json_object_get(node, "shape"), shape) || !pithp_count_ok(*shape, &count))
        return pithp_node_bad(
            l, "\"shape\" is not a list of at most %d sizes of at least 1, with a product of at most 2^40",
            PITH_MAX_DIMS);
    *kind = k->kind;
    return PITH_OK;
}

pith_status pithp_node_dtype(const pithp_node_reader *l, const json_t *node, pith_dtype *dtype)
{
    static const pith_dtype all[] = { PITH_F32, PITH_I32, PITH_U8, PITH_I8 };
    static const char *const names[] = { "f32", "i32", "u8", "i8" };
    const char *word = json_string_value(json_object_get(node, "dtype"));
    for (size_t i = 0; word && i < PITHP_LEN(all); i++)
        if (!strcmp(word, names[i])) {
            *dtype = all[i];
            return PITH_OK;
        }
    return pithp_node_bad(l, "\"dtype\" is not f32, i32, u8 or i8");
}

/* ---- Brief storage: "stored" of a leaf ------------------------------------------------------------------ */
static int by_node(const void *key, const void *w)
{
    size_t a = *(const size_t *)key, b = ((const pithp_want *)w)->node;
    return (a > b) - (a < b);
}

static pith_status read_stored(const pithp_node_reader *l, pithp_want *w)
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
        return pithp_node_bad(
            l,
            "\"stored\" is not { \"bits\": 1 to 8, \"axis\": -1 or a dimension, \"scale\": a node or null }");
    w->stored.bits = (int)json_integer_value(bits);
    w->stored.axis = (int)json_integer_value(axis);
    if (json_is_null(scale))
        return w->dtype == PITH_I32 ? PITH_OK : pithp_node_bad(l, "codes without a scale are for i32 leaves");
    size_t node = (size_t)json_integer_value(scale);
    w->scale = bsearch(&node, l->wants, l->n_wants, sizeof *l->wants, by_node);
    int64_t channels = w->stored.axis < 0 ? 1 : w->shape.d[w->stored.axis];
    if (w->dtype != PITH_F32 || w->stored.bits < 2 || !w->scale || w->scale->dtype != PITH_F32 ||
        json_object_get(json_array_get(l->nodes, node), "stored") || w->scale->shape.ndim != 1 ||
        w->scale->shape.d[0] != channels)
        return pithp_node_bad(
            l, "\"scale\" is not an f32 leaf [%lld] with values of its own, for f32 codes of 2 bits and more",
            (long long)channels);
    return PITH_OK;
}

/* ---- First walk: leaves -------------------------------------------------------------------------------- */
static pith_status read_leaf(pithp_node_reader *l, json_t *node)
{
    pithp_node_kind kind;
    pithp_want w = { .dtype = PITH_F32, .node = l->at };
    pith_status s = pithp_node_common(l, node, &kind, &w.shape);
    if (!s && !l->at && kind != PITHP_NODE_INPUT)
        return pithp_node_bad(l, "node 0 is not the input; expected kind \"input\"");
    if (s || kind == PITHP_NODE_OP)
        return s;
    if (kind == PITHP_NODE_INPUT || kind == PITHP_NODE_DATA)
        s = pithp_node_dtype(l, node, &w.dtype);
    if (s || kind == PITHP_NODE_INPUT)
        return s ? s : l->at ? pithp_node_bad(l, "only node 0 can be the input") : PITH_OK;
    const json_t *tensor = json_object_get(node, "tensor");
    if (!pithp_node_name_ok(tensor) || !json_string_length(tensor) ||
        !strncmp(json_string_value(tensor), PITHP_ST_TRAIN, strlen(PITHP_ST_TRAIN)))
        return pithp_node_bad(l, "\"tensor\" is not the name of a tensor of a model");
    w.tensor = json_string_value(tensor);
    w.param = kind == PITHP_NODE_PARAM;
    l->wants[l->n_wants++] = w;
    return PITH_OK;
}

pith_status pithp_read_leaves(pithp_node_reader *l)
{
    pith_status s = PITH_OK;
    for (l->at = 0; l->at < l->n && !s; l->at++) {
        json_t *node = json_array_get(l->nodes, l->at);
        s = json_is_object(node) ? read_leaf(l, node) : pithp_node_bad(l, "is not an object");
    }
    for (size_t i = 0; i < l->n_wants && !s; i++) {
        l->at = l->wants[i].node;
        s = read_stored(l, &l->wants[i]);
    }
    return s ? s : pithp_want_fit(l->f, l->wants, l->n_wants);
}
