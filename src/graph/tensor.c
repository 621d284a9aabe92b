/* The bare tensor engine's public face: looking at tensors, running them, reading values and gradients. */
#include "graph/graph.h"

#include <math.h>
#include <string.h>

pith_shape pith_shape_of(const pith_tensor *t) { return t->shape; }
pith_dtype pith_dtype_of(const pith_tensor *t) { return t->dtype; }
int64_t pith_size(const pith_tensor *t) { return pithp_count(t->shape); }
pith_ctx *pith_ctx_of(const pith_tensor *t) { return t->g->ctx; }
const char *pith_name(const pith_tensor *t) { return t->name ? t->name : ""; }

pith_tensor *pith_named(pith_tensor *t, const char *name)
{
    if (t == NULL || t->poison)
        return t;
    char *copy = pithp_strdup(t->g->ctx, name);
    if (copy == NULL)
        return &t->g->poison;
    pithp_free(t->g->ctx, t->name);
    t->name = copy;
    return t;
}

pith_tensor *pith_keep(pith_tensor *t)
{
    if (t != NULL && !t->poison && !t->keep) {
        t->keep = true;
        t->g->version++;
    }
    return t;
}

void pith_freeze(pith_tensor *t, bool frozen)
{
    if (t == NULL || t->poison || t->frozen == frozen)
        return;
    t->frozen = frozen;
    t->g->version++;
}

void pith_require_grad(pith_tensor *t)
{
    if (t == NULL || t->poison || t->require_grad)
        return;
    pith_ctx *c = t->g->ctx;
    if (t->kind != PITHP_NODE_DATA || t->dtype != PITH_F32) {
        pithp_error(c, PITH_EINVAL, "pith_require_grad: '%s' is not a float leaf; use pith_keep for results",
                    pith_name(t));
        return;
    }
    t->grad = PITHP_NEW_N(c, pith_real, pithp_count(t->shape));
    if (t->grad == NULL)
        return;
    t->require_grad = true;
    t->g->version++;
}

pith_status pith_set(pith_tensor *t, const void *data)
{
    if (t == NULL)
        return PITH_EINVAL;
    if (t->poison || t->value == NULL)
        return pithp_error(t->g->ctx, PITH_EINVAL, "pith_set: '%s' holds no values of its own", pith_name(t));
    memcpy(t->value, data, (size_t)pithp_count(t->shape) * pithp_dtype_size(t->dtype));
    return PITH_OK;
}

void pith_zero_grad(pith_ctx *c)
{
    const pithp_graph *g = c->graph;
    for (size_t i = 0; g != NULL && i < g->n; i++) {
        pith_tensor *t = g->nodes[i];
        if (t->grad != NULL)
            memset(t->grad, 0, (size_t)pithp_count(t->shape) * sizeof *t->grad);
    }
}

/* Makes the plan for t again when there is none or the graph changed under it. */
static pith_plan *current_plan(pith_tensor *t, pith_plan **slot, bool train)
{
    if (*slot != NULL && (*slot)->version == t->g->version)
        return *slot;
    if (*slot != NULL)
        pith_plan_free(*slot);
    *slot = pith_plan_new(&t, 1, (pith_plan_cfg){ .train = train });
    return *slot;
}

pith_status pith_run(pith_tensor *t)
{
    if (t == NULL)
        return PITH_EINVAL;
    pith_ctx *c = t->g->ctx;
    if (t->poison)
        return c->status ? c->status : pithp_error(c, PITH_EINVAL, "pith_run: the tensor is poison");
    if (t->kind != PITHP_NODE_OP)
        return PITH_OK;
    pith_plan *p = current_plan(t, &t->run_plan, false);
    return p == NULL ? c->status : pith_plan_forward(p, 0, 0);
}

pith_status pith_backward(pith_tensor *loss)
{
    if (loss == NULL)
        return PITH_EINVAL;
    pith_ctx *c = loss->g->ctx;
    if (loss->poison)
        return c->status ? c->status : pithp_error(c, PITH_EINVAL, "pith_backward: the loss is poison");
    if (loss->kind != PITHP_NODE_OP || loss->dtype != PITH_F32 || pithp_count(loss->shape) != 1) {
        char text[96];
        return pithp_error(c, PITH_ESHAPE,
                           "pith_backward: the loss must be one float made by an op, not %s %s",
                           pithp_dtype_name(loss->dtype), pithp_shape_text(loss->shape, text));
    }
    pith_plan *p = current_plan(loss, &loss->back_plan, true);
    if (p == NULL)
        return c->status;
    uint64_t step = p->fwd_count++;
    pith_status s = pith_plan_forward(p, 0, step);
    return s ? s : pith_plan_backward(p);
}

void *pith_values(const pith_tensor *t)
{
    if (t == NULL)
        return NULL;
    if (t->value != NULL)
        return t->value;
    const void *v = t->poison || t->last_plan == NULL ? NULL : pith_plan_value(t->last_plan, t);
    if (v == NULL && !t->poison)
        pithp_error(t->g->ctx, PITH_EINVAL,
                    "'%s' has no value to read: run it, or mark it with pith_keep before the first run",
                    pith_name(t));
    return (void *)(uintptr_t)v;
}

double pith_item(const pith_tensor *t)
{
    if (t == NULL)
        return NAN;
    if (t->poison || t->dtype != PITH_F32 || pithp_count(t->shape) != 1) {
        char text[96];
        pithp_error(t->g->ctx, PITH_ESHAPE, "pith_item: one float is expected, not %s",
                    pithp_shape_text(t->shape, text));
        return NAN;
    }
    const pith_real *v = pith_values(t);
    return v == NULL ? (double)NAN : (double)v[0];
}

pith_real *pith_grad(const pith_tensor *t)
{
    if (t == NULL || t->poison)
        return NULL;
    if (t->grad != NULL)
        return t->grad;
    return t->last_plan == NULL ? NULL : (pith_real *)(uintptr_t)pith_plan_grad(t->last_plan, t);
}
