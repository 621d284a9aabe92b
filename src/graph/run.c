/* Running a plan: two loops over its steps. Nothing is allocated here. */
#include "graph/graph.h"

#include <math.h>

static pith_status usable(pith_plan *p)
{
    if (p->version == p->g->version)
        return PITH_OK;
    return pithp_error(p->g->ctx, PITH_ESTALE,
                       "the plan is older than its graph (a parameter was frozen, a tensor kept, or a pass "
                       "ran): make it again");
}

static pith_status rebind(pith_plan *p, int64_t n)
{
    if (n == 0)
        n = p->batch;
    if (n < 1 || n > p->batch)
        return pithp_error(p->g->ctx, PITH_EINVAL, "the plan holds 1 to %lld samples, not %lld",
                           (long long)p->batch, (long long)n);
    if (n == p->bound)
        return PITH_OK;
    if (p->n_lanes > 0) {
        p->bound = n;
        return PITH_OK;
    }
    pith_status s = pithp_plan_infer(p, n);
    return s ? s : pithp_plan_bind(p, n);
}

static void run(void (*fn)(const pith_call *), const pith_call *k, double *best, int at)
{
    if (best == NULL)
        fn(k);
    else
        pithp_run_timed(fn, k, best + at);
}

void pithp_steps_forward(pith_plan *p, uint64_t step)
{
    for (int i = 0; i < p->n_steps; i++) {
        if (p->ran && p->values[p->steps[i].out].constant)
            continue;
        p->steps[i].fwd.step = p->steps[i].bwd.step = step;
        run(p->steps[i].op->forward, &p->steps[i].fwd, p->best_ms, 2 * i);
        p->steps[i].fwd.kept = p->steps[i].fwd.keep != NULL;
    }
    p->ran = true;
}

pith_status pith_plan_forward(pith_plan *p, int64_t n, uint64_t step)
{
    pith_status s = usable(p);
    if (s == PITH_OK)
        s = rebind(p, n);
    if (s != PITH_OK)
        return s;
    if (p->n_lanes > 0)
        pithp_lanes_forward(p, p->bound, step);
    else
        pithp_steps_forward(p, step);
    p->ran = true;
    for (int v = 0; v < p->n_values; v++)
        if (p->values[v].target)
            p->values[v].t->last_plan = p;
    return PITH_OK;
}

pith_status pith_plan_backward(pith_plan *p)
{
    pith_status s = usable(p);
    if (s != PITH_OK)
        return s;
    if (p->loss < 0 || !p->ran)
        return pithp_error(
            p->g->ctx, PITH_EINVAL,
            p->loss < 0 ? "this plan has no backward pass: it is for inference, or its first target is "
                          "not one float"
                        : "backward before forward");
    if (p->values[p->loss].grad_block >= 0)
        *(pith_real *)(void *)(p->arena + p->blocks[p->values[p->loss].grad_block].offset) = 1;
    for (int i = p->n_steps; i-- > 0;)
        if (p->steps[i].back)
            run(p->steps[i].op->backward, &p->steps[i].bwd, p->best_ms, 2 * i + 1);
    p->ran = false; /* the gradients may lie where the values were */
    return PITH_OK;
}

static bool all_finite(const pith_real *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

const char *pith_plan_find_nonfinite(pith_plan *p)
{
    if (usable(p) != PITH_OK)
        return NULL;
    if (p->n_lanes > 0)
        return pithp_lanes_nonfinite(p);
    for (int v = 0; v < p->n_values; v++) {
        const pithp_value *x = &p->values[v];
        if (x->step >= 0 || x->dtype != PITH_F32)
            continue;
        const void *d = x->mem == PITHP_MEM_LEAF ? x->t->value : p->arena + p->blocks[x->block].offset;
        if (!all_finite(d, pithp_count(x->shape)))
            return x->t->name ? x->t->name : "an unnamed leaf";
    }
    for (int i = 0; i < p->n_steps; i++) {
        const pithp_step *s = &p->steps[i];
        s->op->forward(&s->fwd);
        if (s->fwd.out.dtype == PITH_F32 && !all_finite(s->fwd.out.data, pithp_count(s->fwd.out.shape)))
            return s->t->name ? s->t->name : s->op->name;
    }
    return NULL;
}
