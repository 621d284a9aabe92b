/* Where a plan's time goes: the fastest run of each step, and what it has to compute and to move at least. */
#include "graph/graph.h"

#include <time.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void pithp_run_timed(void (*fn)(const pith_call *), const pith_call *k, double *best)
{
    double t = now_ms();
    fn(k);
    t = now_ms() - t;
    if (*best == 0 || t < *best)
        *best = t;
}

pith_status pith_plan_profile(pith_plan *p, bool on)
{
    if (p->n_lanes > 0) /* one of them speaks for all */
        return pith_plan_profile(p->lanes[0], on);
    pithp_free(p->g->ctx, p->best_ms);
    p->best_ms = NULL;
    if (!on)
        return PITH_OK;
    p->best_ms = PITHP_NEW_N(p->g->ctx, double, 2 * (size_t)p->n_steps + 1);
    return p->best_ms == NULL ? p->g->ctx->status : PITH_OK;
}

static int64_t bytes_of(const pith_val *v)
{
    return v->shape.ndim < 0 ? 0 : pithp_count(v->shape) * (int64_t)pithp_dtype_size(v->dtype);
}

/* A value is read or written once; a gradient that is added to is read and written. */
static void count_bytes(const pithp_step *s, pith_step_facts *f)
{
    f->bytes_forward = bytes_of(&s->fwd.out);
    for (int i = 0; i < s->n_in; i++) {
        if (s->in[i] < 0)
            continue;
        f->bytes_forward += bytes_of(&s->fwd_in[i]);
        if (!s->back)
            continue;
        if (s->bwd_in[i].data != NULL)
            f->bytes_backward += bytes_of(&s->bwd_in[i]);
        if (s->bwd_in[i].grad != NULL)
            f->bytes_backward += bytes_of(&s->bwd_in[i]) * (s->bwd_in[i].grad_add ? 2 : 1);
    }
    if (s->back)
        f->bytes_backward += bytes_of(&s->bwd.out) * (s->bwd.out.data != NULL ? 2 : 1);
    if (s->aux * 2 > (size_t)bytes_of(&s->fwd.out)) { /* a saved activation: written, read again */
        f->bytes_forward += 2 * (int64_t)s->aux;
        f->bytes_backward += s->back ? 2 * (int64_t)s->aux : 0;
    }
}

/* Of a step that the lanes do for all samples together. */
static bool step_of_lanes(const pith_plan *p, int i, pith_step_facts *f)
{
    if (!pith_plan_step(p->lanes[0], i, f))
        return false;
    if (!p->values[p->steps[i].out].batched) /* constant: once, not for each sample */
        return true;
    f->out.d[0] = p->bound;
    f->forward_ms *= (double)p->bound / p->n_lanes;
    f->macs *= p->bound;
    f->bytes_forward *= p->bound;
    return true;
}

bool pith_plan_step(const pith_plan *p, int i, pith_step_facts *f)
{
    if (p->n_lanes > 0)
        return step_of_lanes(p, i, f);
    if (i < 0 || i >= p->n_steps)
        return false;
    const pithp_step *s = &p->steps[i];
    *f =
        (pith_step_facts){ .name = s->t->name ? s->t->name : "", .op = s->op->name, .out = s->fwd.out.shape };
    if (p->best_ms != NULL) {
        f->forward_ms = p->best_ms[2 * i];
        f->backward_ms = p->best_ms[2 * i + 1];
    }
    count_bytes(s, f);
    if (s->op->macs == NULL)
        return true;
    pith_shape shapes[PITH_OP_MAX_IN];
    for (int j = 0; j < s->n_in; j++)
        shapes[j] = s->fwd_in[j].shape;
    pith_infer q = {
        .ctx = p->g->ctx, .op = s->op, .attr = s->attr, .n_in = s->n_in, .in = shapes, .out = s->fwd.out.shape
    };
    f->macs = s->op->macs(&q);
    for (int j = 0; j < s->n_in;
         j++) /* the gradients of the input and of the weights cost as much as the result */
        if (s->back && j < 2 && s->in[j] >= 0 && s->bwd_in[j].grad != NULL)
            f->macs_backward += f->macs;
    return true;
}
