/* Masks: which elements of a model's parameters are held at zero. One byte an element, in a block laid out as the
   parameters are. */
#include "graph/model.h"

#include <string.h>

pith_status pithp_model_mask_room(pith_model *m)
{
    if (m->masks == NULL)
        m->masks = PITHP_NEW_N(m->ctx, uint8_t, m->n_params + 1);
    return m->masks != NULL ? PITH_OK : PITH_ENOMEM;
}

void pithp_mask_apply(const pith_tensor *t, pith_real *x)
{
    const int64_t n = t->mask != NULL ? pithp_count(t->shape) : 0;
    for (int64_t i = 0; i < n; i++)
        if (!t->mask[i])
            x[i] = 0;
}

pith_status pithp_model_mask_param(pith_model *m, pith_tensor *t, const uint8_t *keep)
{
    if (t->kind != PITHP_NODE_PARAM || t->g != m->g || t->value == NULL)
        return pithp_error(m->ctx, PITH_EINVAL, "mask: '%s' is no parameter of model '%s'", pith_name(t),
                           m->name);
    pith_status s = pithp_model_mask_room(m);
    if (s != PITH_OK)
        return s;
    const size_t n = (size_t)pithp_count(t->shape);
    if (t->mask == NULL) {
        t->mask = m->masks + ((pith_real *)t->value - m->weights);
        memset(t->mask, 1, n);
    }
    if (keep != NULL)
        for (size_t i = 0; i < n; i++)
            t->mask[i] = keep[i] != 0;
    pithp_mask_apply(t, t->value);
    return PITH_OK;
}

int64_t pithp_mask_zeros(const pith_tensor *t)
{
    const int64_t n = t->mask != NULL ? pithp_count(t->shape) : 0;
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; i++)
        zeros += t->mask[i] == 0;
    return zeros;
}

int64_t pithp_mask_broken(const pith_tensor *t)
{
    const int64_t n = t->mask != NULL ? pithp_count(t->shape) : 0;
    for (int64_t i = 0; i < n; i++)
        if (!t->mask[i] && ((const pith_real *)t->value)[i] != 0)
            return i;
    return -1;
}

void pithp_model_mask_clear(pith_model *m)
{
    for (int i = 0; i < m->n_param_nodes; i++)
        m->params[i]->mask = NULL;
    pithp_free(m->ctx, m->masks);
    m->masks = NULL;
}

void pithp_model_mask_apply(const pith_model *m)
{
    for (int i = 0; i < m->n_param_nodes; i++)
        pithp_mask_apply(m->params[i], m->params[i]->value);
}
