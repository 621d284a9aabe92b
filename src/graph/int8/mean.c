/* graph/int8/mean.c: mean over rows and columns; 1/(H*W) is folded into the rescaling. Source: TFLite Micro, MEAN
   (QuantizedMeanOrSum). */
#include "graph/qgraph.h"

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 4);
    if (st)
        return st;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    pithp_imean *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    *v = (pithp_imean){ .count = x->shape.d[1] * x->shape.d[2],
                        .c = x->shape.d[3],
                        .zero_in = x->zero,
                        .zero_out = out->zero,
                        .lo = n->lo,
                        .hi = n->hi };
    if (v->count > INT32_MAX / 256)
        return pithp_q_error(g, n, PITH_EINVAL, "%lld positions overflow 32-bit sums", (long long)v->count);
    pithp_fixed f = { 0 };
    st = pithp_q_fixed(g, n, 0, (double)x->scale[0] / (double)out->scale[0], 255 * v->count, &f);
    v->scale = pithp_imean_factor(f, v->count);
    int64_t c = v->c;
    out->shape = n->attr.keep_dims ? PITH_SHAPE(1, 1, 1, c) : PITH_SHAPE(1, c);
    return st;
}

static int64_t one(const pithp_qgraph *g, const pithp_qnode *n)
{
    (void)g, (void)n;
    return 1;
}

static void run(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const pithp_imean *v = k->node->prep;
    if (r0 >= r1)
        return;
    if (k->kern && v->count < 1 << 22)
        k->kern->mean(v, k->in[0], k->out);
    else
        pithp_ref_imean(v, k->in[0], 0, v->c, k->single, k->out);
}

const pithp_qop pithp_qop_mean = {
    .name = "MEAN", .min_in = 1, .max_in = 1, .prepare = prepare, .rows = one, .run = run
};
