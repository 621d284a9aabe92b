/* quant_point: fake_quant(op) for an op without weights whose operands are quantized already, as one step of an inference plan:
   operands become the integers that they stand for, the contract's reference computes, the result becomes float again. So a
   plan of the float graph gives the integer engine's numbers. Training plans never hold it. */
#include "ops/quant_point.h"
#include "ops/common.h"
#include "ops/fused.h"
#include "ops/integer.h"

#include <string.h>

typedef struct {
    const pith_tensor *out, *base, *grid[2];
    pithp_qact act;
} attr_t;

static size_t piece(pith_shape s) { return ((size_t)pithp_count(s) + 63) / 64 * 64; }

static bool shape(pith_infer *q)
{
    const attr_t *a = q->attr;
    pith_infer base = *q;
    base.op = a->base->op;
    base.attr = a->base->attr;
    if (!base.op->shape(&base))
        return false;
    q->scratch = piece(base.out);
    for (int i = 0; i < q->n_in; i++)
        q->scratch += piece(q->in[i]);
    return pithp_result(q, base.out);
}

typedef struct {
    const pith_call *k;
    const pith_real *x;
    int8_t *q;
    pith_real *y;
    float scale;
    int zero;
    int64_t n;
} convert;

enum { BLOCK = 16384 };

static void to_int8(void *arg, int64_t t, int thread)
{
    const convert *c = arg;
    (void)thread;
    for (int64_t i = t * BLOCK; i < PITHP_MIN((t + 1) * BLOCK, c->n); i++)
        c->q[i] = pithp_quantize_i8((float)c->x[i], c->scale, c->zero);
}

static void to_float(void *arg, int64_t t, int thread)
{
    const convert *c = arg;
    (void)thread;
    for (int64_t i = t * BLOCK; i < PITHP_MIN((t + 1) * BLOCK, c->n); i++)
        c->y[i] = (pith_real)(c->scale * (float)(c->q[i] - c->zero));
}

static void bounds(pithp_point *p, const pithp_fq_attr *a, pithp_qact act)
{
    p->lo = pithp_fq_qmin(a);
    p->hi = pithp_fq_qmax(a);
    if (act != PITHP_QLINEAR)
        p->lo = PITHP_MAX(p->lo, p->zero_out);
    if (act == PITHP_QRELU6)
        p->hi = PITHP_MIN(p->hi, pithp_quantize_i8(6, p->scale_out, p->zero_out));
}

static void numbers(const pith_tensor *f, float *scale, int *zero)
{
    *scale = (float)*(const pith_real *)f->in[PITHP_FQ_SCALE]->value;
    *zero = pithp_fq_zero(f->attr, *(const pith_real *)f->in[PITHP_FQ_ZERO]->value);
}

static void forward(const pith_call *k)
{
    const attr_t *a = k->attr;
    pithp_point p = { .k = k, .n_in = k->n_in };
    int8_t *at = k->scratch;
    for (int i = 0; i < k->n_in; i++) {
        numbers(a->grid[i], &p.scale[i], &p.zero[i]);
        convert c = { .k = k,
                      .x = k->in[i].data,
                      .q = at,
                      .scale = p.scale[i],
                      .zero = p.zero[i],
                      .n = pithp_count(k->in[i].shape) };
        pith_op_parallel(k, (c.n + BLOCK - 1) / BLOCK, to_int8, &c);
        p.in[i] = at;
        p.shape[i] = k->in[i].shape;
        at += piece(k->in[i].shape);
    }
    p.out = at;
    numbers(a->out, &p.scale_out, &p.zero_out);
    bounds(&p, a->out->attr, a->act);
    a->base->op->integer->exact(&p);
    convert c = { .k = k,
                  .q = p.out,
                  .y = k->out.data,
                  .scale = p.scale_out,
                  .zero = p.zero_out,
                  .n = pithp_count(k->out.shape) };
    pith_op_parallel(k, (c.n + BLOCK - 1) / BLOCK, to_float, &c);
}

static const pith_op quant_point = { .name = "quant_point",
                                     .min_in = 1,
                                     .max_in = 2,
                                     .attr_size = sizeof(attr_t),
                                     .shape = shape,
                                     .forward = forward };

/* ---- The rule ---- */
/* A scale that an op computes has no value to look at. */
static bool ready(const pith_tensor *f)
{
    const pith_real *scale = f->in[PITHP_FQ_SCALE]->value;
    return scale != NULL && *scale > 0;
}

bool pithp_fuse_quant_point(const pith_tensor *t, bool (*single)(void *arg, const pith_tensor *x), void *arg,
                            pithp_fused *f)
{
    if (f->train || !pithp_fq_of_activation(t) || !ready(t))
        return false;
    attr_t a = { .out = t, .base = t->in[0] };
    const pith_tensor *clamp = NULL;
    if (a.base->op != NULL && a.base->op->integer != NULL && a.base->op->integer->kind == PITHP_INT_CLAMP) {
        clamp = a.base;
        a.act = clamp->op->integer->act;
        a.base = clamp->in[0];
    }
    if (a.base->op == NULL || a.base->op->integer == NULL || a.base->op->integer->exact == NULL ||
        (a.base->op->integer->fits != NULL && !a.base->op->integer->fits(a.base)) || !single(arg, a.base) ||
        (clamp != NULL && !single(arg, clamp)) || a.base->n_in > 2)
        return false;
    for (int i = 0; i < a.base->n_in; i++) {
        a.grid[i] = pithp_grid_of(a.base->in[i]);
        if (a.grid[i] == NULL || !ready(a.grid[i]))
            return false;
        f->in[i] = a.base->in[i];
    }
    f->n_in = a.base->n_in;
    f->op = &quant_point;
    f->absorbed[f->n_absorbed++] = (pith_tensor *)(uintptr_t)a.base;
    if (clamp != NULL)
        f->absorbed[f->n_absorbed++] = (pith_tensor *)(uintptr_t)clamp;
    memcpy(f->attr.bytes, &a, sizeof a);
    return true;
}
