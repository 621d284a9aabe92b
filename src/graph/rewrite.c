/* Passes: a graph recorded again, node by node. */
#include "graph/rewrite.h"

#include <string.h>

typedef struct pithp_rewrite_value {
    pith_tensor *leaf;
    pith_real *values; /* NULL: a mask alone */
    uint8_t *mask;     /* NULL: none */
} value;

pith_tensor *pithp_rewrite_in(const pithp_rewrite *r, const pith_tensor *t, int i)
{
    return i >= t->n_in || t->in[i] == NULL ? NULL : r->map[t->in[i]->id];
}

/* The leaf with another shape; values: of a DATA leaf. */
static pith_tensor *copy_leaf(pithp_graph *to, const pith_tensor *t, pith_shape shape, const void *values)
{
    pith_tensor *n = pithp_node_new(to, t->kind, t->dtype, shape, t->name);
    if (n == NULL)
        return NULL;
    n->init = t->init;
    n->init_scale = t->init_scale;
    n->decay = t->decay;
    n->frozen = t->frozen;
    if (t->kind != PITHP_NODE_DATA)
        return n;
    n->value = pithp_alloc(to->ctx, (size_t)pithp_count(shape), pithp_dtype_size(t->dtype));
    if (n->value == NULL)
        return NULL;
    n->owns_value = true;
    memcpy(n->value, values, (size_t)pithp_count(shape) * pithp_dtype_size(t->dtype));
    return n;
}

pith_tensor *pithp_rewrite_copy(pithp_rewrite *r, const pith_tensor *t)
{
    if (t->kind != PITHP_NODE_OP)
        return copy_leaf(r->to->g, t, t->shape, t->value);
    pith_tensor *in[PITH_OP_MAX_IN];
    for (int i = 0; i < t->n_in; i++)
        in[i] = pithp_rewrite_in(r, t, i);
    return pith_op_apply(t->op, t->attr, t->name, t->n_in, in);
}

/* A copy of n bytes; NULL for none. */
static bool copy_bytes(pith_ctx *c, const void *from, size_t n, void *to)
{
    void *copy = from == NULL ? NULL : pithp_alloc(c, n, 1);
    if (copy != NULL)
        memcpy(copy, from, n);
    *(void **)to = copy;
    return from == NULL || copy != NULL;
}

static bool later(pithp_rewrite *r, const pith_tensor *leaf, const pith_real *values, const uint8_t *mask)
{
    pith_ctx *c = r->to->ctx;
    size_t n = (size_t)pithp_count(leaf->shape);
    if (!pithp_grow(c, &r->values, &r->cap_values, r->n_values, sizeof *r->values))
        return false;
    value *v = &r->values[r->n_values];
    *v = (value){ .leaf = (pith_tensor *)(uintptr_t)leaf };
    r->n_values++; /* end() frees what was copied */
    return copy_bytes(c, values, n * sizeof *values, &v->values) && copy_bytes(c, mask, n, &v->mask);
}

bool pithp_rewrite_fill(pithp_rewrite *r, const pith_tensor *leaf, const pith_real *values)
{
    return later(r, leaf, values, NULL);
}

pith_tensor *pithp_rewrite_leaf(pithp_rewrite *r, const pith_tensor *t, pith_shape shape, const void *values,
                                const uint8_t *mask)
{
    pith_tensor *n = copy_leaf(r->to->g, t, shape, values);
    if (n == NULL || t->kind == PITHP_NODE_DATA)
        return n;
    return later(r, n, values, mask) ? n : NULL;
}

/* The name, or the name with a number where another node of either graph has it. */
static char *unique_name(const pithp_rewrite *r, const char *name)
{
    pith_ctx *c = r->to->ctx;
    char *text = pithp_strdup(c, name);
    for (int i = 2; text != NULL &&
                    (pithp_graph_find(r->to->g, text) != NULL || pithp_graph_find(r->from->g, text) != NULL);
         i++) {
        pithp_free(c, text);
        text = pithp_sprintf(c, "%s.%d", name, i);
    }
    return text;
}

static pith_tensor *new_leaf(pithp_rewrite *r, const char *name, pith_shape shape, const pith_real *values,
                             bool param, bool decay)
{
    pithp_graph *g = r->to->g;
    char *text = unique_name(r, name);
    if (text == NULL)
        return &g->poison;
    pith_tensor *t = param ? pithp_node_param(g, text, shape, PITHP_INIT_ZERO, 0, decay)
                           : pithp_node_state(g, text, shape, PITHP_INIT_ZERO);
    pithp_free(r->to->ctx, text);
    return t->poison || values == NULL || pithp_rewrite_fill(r, t, values) ? t : &g->poison;
}

pith_tensor *pithp_rewrite_param(pithp_rewrite *r, const char *name, pith_shape shape,
                                 const pith_real *values, bool decay)
{
    return new_leaf(r, name, shape, values, true, decay);
}

pith_tensor *pithp_rewrite_state(pithp_rewrite *r, const char *name, pith_shape shape,
                                 const pith_real *values)
{
    return new_leaf(r, name, shape, values, false, false);
}

/* ---- The walk ---- */
static bool begin(pithp_rewrite *r, const pith_model *m)
{
    pith_ctx *c = m->ctx;
    pith_shape one = { m->input->shape.ndim - 1, { 0 } };
    for (int i = 0; i < one.ndim; i++)
        one.d[i] = m->input->shape.d[i + 1];
    *r = (pithp_rewrite){ .from = m };
    r->to = pithp_model_begin(c, m->name, one, m->input->name);
    r->map = PITHP_NEW_N(c, pith_tensor *, m->g->n);
    r->uses = PITHP_NEW_N(c, int, m->g->n);
    return r->to != NULL && r->map != NULL && r->uses != NULL;
}

static void count_uses(pithp_rewrite *r, const uint8_t *marks)
{
    const pithp_graph *g = r->from->g;
    for (size_t id = 0; id < g->n; id++)
        for (int i = 0; marks[id] && i < g->nodes[id]->n_in; i++)
            if (g->nodes[id]->in[i] != NULL)
                r->uses[g->nodes[id]->in[i]->id]++;
    r->uses[r->from->output->id]++;
}

static bool walk(pithp_rewrite *r, const uint8_t *marks, pithp_rewrite_fn fn, void *user)
{
    const pithp_graph *g = r->from->g;
    r->map[r->from->input->id] = r->to->input;
    for (size_t id = 0; id < g->n; id++) {
        const pith_tensor *t = g->nodes[id];
        if (!marks[id] || t == r->from->input)
            continue;
        pith_tensor *n = fn != NULL ? fn(r, t, user) : pithp_rewrite_copy(r, t);
        if (n == NULL || n->poison) {
            if (r->to->ctx->status == PITH_OK)
                pithp_error(r->to->ctx, PITH_EBUG, "a pass put nothing in place of '%s'", pith_name(t));
            return false;
        }
        r->map[id] = n;
        n->keep = n->keep || t->keep;
    }
    return true;
}

static pith_status copy_masks(const pithp_rewrite *r)
{
    pith_status s = PITH_OK;
    for (int i = 0; i < r->from->n_param_nodes && s == PITH_OK; i++) {
        const pith_tensor *t = r->from->params[i];
        pith_tensor *n = r->map[t->id];
        if (t->mask != NULL && n != NULL && n->kind == t->kind && n->value != NULL &&
            pithp_shape_eq(n->shape, t->shape))
            s = pithp_model_mask_param(r->to, n, t->mask);
    }
    for (size_t i = 0; i < r->n_values && s == PITH_OK; i++)
        if (r->values[i].mask != NULL)
            s = pithp_model_mask_param(r->to, r->values[i].leaf, r->values[i].mask);
    return s;
}

static void copy_weights(const pithp_rewrite *r)
{
    for (size_t id = 0; id < r->from->g->n; id++) {
        const pith_tensor *t = r->from->g->nodes[id], *n = r->map[id];
        if (n != NULL && n->kind == t->kind && n->value != NULL && pithp_shape_eq(n->shape, t->shape) &&
            (t->kind == PITHP_NODE_PARAM || t->kind == PITHP_NODE_STATE))
            memcpy(n->value, t->value, (size_t)pithp_count(t->shape) * sizeof(pith_real));
    }
    for (size_t i = 0; i < r->n_values; i++) {
        const value *v = &r->values[i];
        memcpy(v->leaf->value, v->values, (size_t)pithp_count(v->leaf->shape) * sizeof(pith_real));
    }
}

static void end(pithp_rewrite *r, pith_ctx *c)
{
    for (size_t i = 0; i < r->n_values; i++) {
        pithp_free(c, r->values[i].values);
        pithp_free(c, r->values[i].mask);
    }
    pithp_free(c, r->values);
    pithp_free(c, r->map);
    pithp_free(c, r->uses);
}

pith_model *pithp_model_map(const pith_model *m, pithp_rewrite_fn fn, void *user)
{
    pith_ctx *c = m->ctx;
    pithp_rewrite r;
    uint8_t *marks = NULL;
    bool ok = begin(&r, m) && (marks = PITHP_NEW_N(c, uint8_t, m->g->n)) != NULL;
    if (ok) {
        pithp_model_mark(m, marks);
        count_uses(&r, marks);
        ok = walk(&r, marks, fn, user) &&
             pithp_model_finish(r.to, r.map[m->output->id], fn != NULL) == PITH_OK;
    }
    if (ok) {
        copy_weights(&r);
        ok = copy_masks(&r) == PITH_OK;
    }
    for (size_t i = 0; ok && i < m->n_meta; i++)
        ok = pith_model_set_meta(r.to, m->meta[i].key, m->meta[i].value) == PITH_OK;
    pithp_free(c, marks);
    end(&r, c);
    if (ok)
        return r.to;
    pith_model_free(r.to);
    return NULL;
}

pith_model *pith_model_clone(const pith_model *m) { return pithp_model_map(m, NULL, NULL); }

/* ---- In place ---- */
/* The old graph stays, for plans and tensors that the program holds, but is stale and without weights. */
static void retire(pithp_graph *old)
{
    pithp_destroy(old->ctx, old->cache); /* it clears the field */
    old->version++;
    for (size_t i = 0; i < old->n; i++)
        if (!old->nodes[i]->owns_value) {
            old->nodes[i]->value = NULL;
            old->nodes[i]->grad = NULL;
            old->nodes[i]->mask = NULL;
        }
}

void pithp_model_adopt(pith_model *m, pith_model *n)
{
    pith_model old = *m;
    retire(old.g);
    pithp_destroy(m->ctx, n->g->cache);
    m->g = n->g;
    m->g->older = old.g;
    m->input = n->input;
    m->output = n->output;
    m->weights = n->weights;
    m->grads = n->grads;
    m->masks = n->masks;
    m->n_params = n->n_params;
    m->n_weights = n->n_weights;
    m->params = n->params;
    m->n_param_nodes = n->n_param_nodes;
    m->meta = n->meta;
    m->n_meta = n->n_meta;
    m->cap_meta = n->cap_meta;
    n->g = NULL;
    n->weights = old.weights;
    n->grads = old.grads;
    n->masks = old.masks;
    n->params = old.params;
    n->meta = old.meta;
    n->n_meta = old.n_meta;
    n->cap_meta = old.cap_meta;
    pith_model_free(n);
    pithp_disown(m->ctx, &m->obj); /* a model is destroyed before its graph: newest first */
    pithp_own(m->ctx, &m->obj, old.obj.destroy);
}

pith_status pithp_model_rewrite(pith_model *m, pithp_rewrite_fn fn, void *user)
{
    pith_model *n = pithp_model_map(m, fn, user);
    if (n == NULL)
        return m->ctx->status ? m->ctx->status : PITH_ENOMEM;
    pithp_model_adopt(m, n);
    return PITH_OK;
}
