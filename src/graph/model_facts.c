/* What a model is: counts, layers, and the strings that travel with it. */
#include "graph/model.h"

#include <string.h>

/* Multiply-adds of one node for one sample: its op says. */
static int64_t node_macs(const pith_tensor *t)
{
    pith_shape shapes[PITH_OP_MAX_IN];
    pith_dtype types[PITH_OP_MAX_IN];
    if (t->kind != PITHP_NODE_OP || t->op->macs == NULL)
        return 0;
    for (int i = 0; i < t->n_in; i++) {
        shapes[i] = t->in[i] ? t->in[i]->shape : (pith_shape){ -1, { 0 } };
        types[i] = t->in[i] ? t->in[i]->dtype : PITH_F32;
    }
    pith_infer q = { .ctx = t->g->ctx,
                     .op = t->op,
                     .attr = t->attr,
                     .name = t->name,
                     .n_in = t->n_in,
                     .in = shapes,
                     .in_dtype = types,
                     .out = t->shape,
                     .out_dtype = t->dtype,
                     .threads = 1 };
    return t->op->macs(&q);
}

/* Elements of the parameters (or state) that are t's operands and no earlier node's. */
static int64_t node_weights(const pith_tensor *t, pithp_node_kind kind)
{
    int64_t n = 0;
    for (int i = 0; i < t->n_in; i++)
        if (t->in[i] != NULL && t->in[i]->kind == kind)
            n += pithp_count(t->in[i]->shape);
    return n;
}

/* Adds to both: elements of t's own parameters that are zero, and those that a mask holds there. */
static void count_zeros(const pith_tensor *t, int64_t *zeros, int64_t *held)
{
    for (int i = 0; i < t->n_in; i++) {
        const pith_tensor *p = t->in[i];
        if (p == NULL || p->kind != PITHP_NODE_PARAM || p->value == NULL)
            continue;
        const pith_real *v = p->value;
        for (int64_t k = 0, n = pithp_count(p->shape); k < n; k++)
            *zeros += v[k] == 0;
        *held += pithp_mask_zeros(p);
    }
}

/* Whether node id belongs to what is saved: the output can be reached from it. */
static bool in_model(const pith_model *m, size_t id)
{
    if (id == m->output->id)
        return true;
    for (size_t later = id + 1; later <= m->output->id; later++) {
        const pith_tensor *t = m->g->nodes[later];
        for (int i = 0; i < t->n_in; i++)
            if (t->in[i] != NULL && t->in[i]->id == id)
                return true;
    }
    return false;
}

pith_model_facts pith_model_info(const pith_model *m)
{
    pith_model_facts f = { 0 };
    for (size_t id = 0; id <= m->output->id; id++) {
        const pith_tensor *t = m->g->nodes[id];
        if (!in_model(m, id))
            continue;
        if (t->kind == PITHP_NODE_PARAM)
            f.parameters += pithp_count(t->shape);
        if (t->kind == PITHP_NODE_STATE)
            f.state += pithp_count(t->shape);
        f.macs += node_macs(t);
        f.layers += t->kind == PITHP_NODE_OP && node_weights(t, PITHP_NODE_PARAM) > 0;
    }
    f.bytes = (f.parameters + f.state) * 4; /* float32, also in the double build */
    return f;
}

bool pith_model_layer(const pith_model *m, int i, pith_layer_facts *facts)
{
    int seen = 0;
    for (size_t id = 0; id <= m->output->id; id++) {
        const pith_tensor *t = m->g->nodes[id];
        if (t->kind != PITHP_NODE_OP || !in_model(m, id))
            continue;
        int64_t params = node_weights(t, PITHP_NODE_PARAM), macs = node_macs(t);
        if (params == 0 && macs == 0)
            continue;
        if (seen++ != i)
            continue;
        *facts = (pith_layer_facts){ .name = t->name ? t->name : "",
                                     .op = t->op->name,
                                     .out = t->shape,
                                     .parameters = params,
                                     .macs = macs };
        count_zeros(t, &facts->zeros, &facts->held);
        return true;
    }
    return false;
}

/* ---- Strings ---- */
static pithp_meta *find_meta(const pith_model *m, const char *key)
{
    for (size_t i = 0; i < m->n_meta; i++)
        if (strcmp(m->meta[i].key, key) == 0)
            return &m->meta[i];
    return NULL;
}

static void remove_meta(pith_model *m, pithp_meta *e)
{
    pithp_free(m->ctx, e->key);
    pithp_free(m->ctx, e->value);
    *e = m->meta[--m->n_meta];
}

pith_status pith_model_set_meta(pith_model *m, const char *key, const char *value)
{
    pithp_meta *e = find_meta(m, key);
    if (value == NULL) {
        if (e != NULL)
            remove_meta(m, e);
        return PITH_OK;
    }
    char *copy = pithp_strdup(m->ctx, value);
    if (copy == NULL)
        return PITH_ENOMEM;
    if (e != NULL) {
        pithp_free(m->ctx, e->value);
        e->value = copy;
        return PITH_OK;
    }
    char *name = pithp_strdup(m->ctx, key);
    if (name == NULL || !pithp_grow(m->ctx, &m->meta, &m->cap_meta, m->n_meta, sizeof *m->meta)) {
        pithp_free(m->ctx, copy);
        pithp_free(m->ctx, name);
        return PITH_ENOMEM;
    }
    m->meta[m->n_meta++] = (pithp_meta){ name, copy };
    return PITH_OK;
}

const char *pith_model_meta(const pith_model *m, const char *key)
{
    const pithp_meta *e = find_meta(m, key);
    return e == NULL ? NULL : e->value;
}

const char *pith_model_meta_key(const pith_model *m, int i)
{
    return i < 0 || (size_t)i >= m->n_meta ? NULL : m->meta[i].key;
}
