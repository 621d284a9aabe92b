/* ops/global_avgpool.c: y[n,c] = 1/(H W) sum over h, w of x[n,h,w,c]; dx = dy / (H W).
   Lin, Chen, Yan: "Network in network", ICLR 2014. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/reduce.h"
#include "ops/axes.h"
#include "ops/integer.h"

#define ROWS_COLUMNS (1u << 1 | 1u << 2)

static bool shape(pith_infer *q)
{
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 4, "x [N,H,W,C]"))
        return false;
    pithp_nest n = pithp_reduce_nest(q->in[0], ROWS_COLUMNS);
    q->scratch = pithp_reduce_scratch(&n, 0);
    return pithp_result(q, PITH_SHAPE(q->in[0].d[0], q->in[0].d[3]));
}

static double factor_of(const pith_call *k)
{
    return 1.0 / (double)(k->in[0].shape.d[1] * k->in[0].shape.d[2]);
}

static void forward(const pith_call *k)
{
    pithp_reduce r = { .nest = pithp_reduce_nest(k->in[0].shape, ROWS_COLUMNS),
                       .arg = k->in[0].data,
                       .factor = factor_of(k),
                       .out = k->out.data,
                       .scratch = k->scratch };
    pithp_reduce_run(k, &r);
}

static void backward(const pith_call *k)
{
    pithp_nest n = pithp_reduce_nest(k->in[0].shape, ROWS_COLUMNS);
    if (k->in[0].grad)
        pithp_reduce_back(k, &n, factor_of(k), k->out.grad, k->in[0].grad, k->in[0].grad_add);
}

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_mean, (pithp_qattr){ 0 });
}

void pithp_mean_exact(const pithp_point *p)
{
    pith_shape x = p->shape[0];
    pithp_imean g = { .count = x.d[1] * x.d[2],
                      .c = x.d[3],
                      .zero_in = p->zero[0],
                      .zero_out = p->zero_out,
                      .lo = p->lo,
                      .hi = p->hi };
    g.scale = pithp_imean_factor(pithp_fixed_from((double)p->scale[0] / (double)p->scale_out), g.count);
    for (int64_t i = 0; i < x.d[0]; i++)
        pithp_ref_imean(&g, p->in[0] + i * g.count * g.c, 0, g.c, false, p->out + i * g.c);
}

static const pithp_integer integer = { .kind = PITHP_INT_OWN, .lower = lower, .exact = pithp_mean_exact };

const pith_op pithp_op_global_avgpool = {
    .name = "global_avgpool",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_last,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_global_avgpool(pith_tensor *x) { return pithp_apply1(&pithp_op_global_avgpool, NULL, x); }
