/* Graphs and their nodes: the append-only record that everything else walks. */
#include "graph/graph.h"

#include <string.h>

static void node_free(pith_ctx *c, pith_tensor *t)
{
    if (t == NULL)
        return;
    if (t->owns_value) {
        pithp_free(c, t->value);
        pithp_free(c, t->grad);
    }
    pithp_free(c, t->attr);
    pithp_free(c, t->name);
    pithp_free(c, t);
}

static void graph_destroy(pith_ctx *c, pithp_obj *o)
{
    pithp_graph *g = (pithp_graph *)o;
    if (c->graph == g)
        c->graph = NULL;
    for (size_t i = 0; i < g->n; i++)
        node_free(c, g->nodes[i]);
    pithp_free(c, g->nodes);
    pithp_free(c, g);
}

pithp_graph *pithp_graph_new(pith_ctx *c)
{
    pithp_graph *g = PITHP_NEW(c, pithp_graph);
    if (g == NULL)
        return NULL;
    g->ctx = c;
    g->poison.g = g;
    g->poison.poison = true;
    g->poison.kind = PITHP_NODE_DATA;
    pithp_own(c, &g->obj, graph_destroy);
    return g;
}

pithp_graph *pithp_ctx_graph(pith_ctx *c)
{
    if (c->graph == NULL)
        c->graph = pithp_graph_new(c);
    return c->graph;
}

pith_tensor *pithp_poison(pith_ctx *c)
{
    pithp_graph *g = pithp_ctx_graph(c);
    return g == NULL ? NULL : &g->poison;
}

pith_tensor *pithp_graph_find(const pithp_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->nodes[i]->name != NULL && strcmp(g->nodes[i]->name, name) == 0)
            return g->nodes[i];
    return NULL;
}

/* Adds an empty node; NULL after PITH_ENOMEM. */
pith_tensor *pithp_node_new(pithp_graph *g, pithp_node_kind kind, pith_dtype dtype, pith_shape shape,
                            const char *name)
{
    pith_ctx *c = g->ctx;
    if (g->n >= UINT32_MAX - 1 || !pithp_grow(c, &g->nodes, &g->cap, g->n, sizeof *g->nodes))
        return NULL;
    pith_tensor *t = PITHP_NEW(c, pith_tensor);
    if (t == NULL)
        return NULL;
    t->g = g;
    t->id = (uint32_t)g->n;
    t->kind = kind;
    t->dtype = dtype;
    t->shape = shape;
    if (name != NULL && (t->name = pithp_strdup(c, name)) == NULL) {
        pithp_free(c, t);
        return NULL;
    }
    g->nodes[g->n++] = t;
    return t;
}

static bool leaf_shape_ok(pith_ctx *c, pith_shape s, const char *what)
{
    int64_t count;
    char text[96];
    if (s.ndim >= 0 && s.ndim <= PITH_MAX_DIMS && pithp_count_ok(s, &count))
        return true;
    pithp_error(c, PITH_EINVAL, "%s: shape %s is not usable: up to %d sizes of at least 1 are expected", what,
                s.ndim >= 0 && s.ndim <= PITH_MAX_DIMS ? pithp_shape_text(s, text) : "with a wild ndim",
                PITH_MAX_DIMS);
    return false;
}

/* Gives a leaf memory of its own. */
static bool leaf_store(pith_tensor *t, bool grad)
{
    pith_ctx *c = t->g->ctx;
    size_t n = (size_t)pithp_count(t->shape);
    t->value = pithp_alloc(c, n, pithp_dtype_size(t->dtype));
    if (t->value == NULL)
        return false;
    t->owns_value = true;
    if (grad && (t->grad = PITHP_NEW_N(c, pith_real, n)) == NULL)
        return false;
    return true;
}

pith_tensor *pithp_node_data(pithp_graph *g, pith_dtype dtype, pith_shape shape, const void *data)
{
    pith_tensor *t = pithp_node_new(g, PITHP_NODE_DATA, dtype, shape, NULL);
    if (t == NULL || !leaf_store(t, false))
        return &g->poison;
    if (data != NULL)
        memcpy(t->value, data, (size_t)pithp_count(shape) * pithp_dtype_size(dtype));
    return t;
}

pith_tensor *pith_leaf(pith_ctx *c, pith_dtype dtype, pith_shape shape, const void *data)
{
    pithp_graph *g = pithp_ctx_graph(c);
    if (g == NULL)
        return NULL;
    if (!leaf_shape_ok(c, shape, "pith_leaf"))
        return &g->poison;
    return pithp_node_data(g, dtype, shape, data);
}

pith_tensor *pith_scalar(pith_ctx *c, double value)
{
    pith_real v = (pith_real)value;
    return pith_leaf(c, PITH_F32, PITH_SCALAR, &v);
}

pith_tensor *pith_param(pith_ctx *c, pith_shape shape)
{
    pithp_graph *g = pithp_ctx_graph(c);
    return g == NULL ? NULL : pithp_node_param(g, NULL, shape, PITHP_INIT_ZERO, 0, true);
}

pith_tensor *pithp_node_param(pithp_graph *g, const char *name, pith_shape shape, pithp_init init,
                              double scale, bool decay)
{
    if (!leaf_shape_ok(g->ctx, shape, name ? name : "pith_param"))
        return &g->poison;
    pith_tensor *t = pithp_node_new(g, PITHP_NODE_PARAM, PITH_F32, shape, name);
    if (t == NULL)
        return &g->poison;
    t->init = init;
    t->init_scale = scale;
    t->decay = decay;
    if (!g->defer && (!leaf_store(t, true) || pithp_node_fill(t)))
        return &g->poison;
    return t;
}

pith_tensor *pithp_node_state(pithp_graph *g, const char *name, pith_shape shape, pithp_init init)
{
    if (!leaf_shape_ok(g->ctx, shape, name ? name : "state"))
        return &g->poison;
    pith_tensor *t = pithp_node_new(g, PITHP_NODE_STATE, PITH_F32, shape, name);
    if (t == NULL)
        return &g->poison;
    t->init = init;
    if (!g->defer && (!leaf_store(t, false) || pithp_node_fill(t)))
        return &g->poison;
    return t;
}

pith_tensor *pithp_node_input(pithp_graph *g, const char *name, pith_dtype dtype, pith_shape shape)
{
    if (!leaf_shape_ok(g->ctx, shape, name))
        return &g->poison;
    pith_tensor *t = pithp_node_new(g, PITHP_NODE_INPUT, dtype, shape, name);
    return t == NULL ? &g->poison : t;
}

/* Every parameter has a stream of its own, keyed by its name (its id where it has none), so that adding a layer does
   not change how the others start. */
pith_status pithp_node_fill(pith_tensor *t)
{
    pith_real *v = t->value;
    int64_t n = pithp_count(t->shape);
    uint64_t key = t->name ? pithp_hash64(t->name, strlen(t->name)) : t->id;
    pithp_rand r = pithp_rand_at(t->g->ctx->cfg.seed, 0, key, PITHP_USE_INIT);
    for (int64_t i = 0; i < n; i++)
        switch (t->init) {
        case PITHP_INIT_ZERO: v[i] = 0; break;
        case PITHP_INIT_ONE: v[i] = 1; break;
        case PITHP_INIT_NORMAL: v[i] = (pith_real)(t->init_scale * pithp_rand_normal(&r)); break;
        case PITHP_INIT_UNIFORM: v[i] = (pith_real)(t->init_scale * (2 * pithp_rand_uniform(&r) - 1)); break;
        }
    return PITH_OK;
}
