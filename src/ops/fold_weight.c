/* ops/fold_weight.c: y[k,...] = w[k,...] * s[k], s = gamma / sqrt(running_var + eps): the weights of a convolution with the
   batch norm behind it multiplied into them. w [K,R,S,C], or depthwise [1,R,S,K]; gamma, running_var [K].
   dw = dy s; dgamma[k] = sum of dy w / sqrt(running_var + eps).
   Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
   CVPR 2018, section 3.2. */
#include "ops/fake_quant.h"
#include "ops/channels.h"
#include "ops/common.h"

#include <math.h>

static const pith_attr_field fields[] = { { "eps", PITH_ATTR_REAL, offsetof(pithp_fold_attr, eps) },
                                          { "depthwise", PITH_ATTR_BOOL,
                                            offsetof(pithp_fold_attr, depthwise) },
                                          PITH_ATTR_END };

static bool shape(pith_infer *q)
{
    const pithp_fold_attr *a = q->attr;
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 4, "w [K,R,S,C]"))
        return false;
    int64_t c = q->in[0].d[a->depthwise ? 3 : 0];
    for (int i = 1; i < 3; i++)
        if (q->in[i].ndim != 1 || q->in[i].d[0] != c)
            return pith_op_fail(q, "gamma and running variance must be [%lld]", (long long)c);
    if (!(a->eps > 0 && a->eps < 1))
        return pith_op_fail(q, "eps %g must lie between 0 and 1", a->eps);
    q->aux = (size_t)c * sizeof(double);
    return pithp_result(q, q->in[0]);
}

/* Element (channel, i) of [K, per] stands at channel * step + i * stride. */
typedef struct {
    const pith_call *k;
    const double *invstd; /* [K] as the forward pass found it: the running variance moves meanwhile */
    int64_t per, step, stride;
} job;

static job layout(const pith_call *k)
{
    const pithp_fold_attr *a = k->attr;
    pith_shape s = k->in[0].shape;
    int64_t c = s.d[a->depthwise ? 3 : 0], per = pithp_count(s) / c;
    return (job){ k, k->aux, per, a->depthwise ? 1 : per, a->depthwise ? c : 1 };
}

static void forward_channel(void *arg, int64_t c, int thread)
{
    const job *g = arg;
    const pith_real *w = g->k->in[0].data, *gamma = g->k->in[1].data;
    pith_real *y = g->k->out.data, s = (pith_real)((double)gamma[c] * g->invstd[c]);
    (void)thread;
    for (int64_t i = 0; i < g->per; i++)
        y[c * g->step + i * g->stride] = w[c * g->step + i * g->stride] * s;
}

static void forward(const pith_call *k)
{
    const pithp_fold_attr *a = k->attr;
    const pith_real *var = k->in[2].data;
    job g = layout(k);
    for (int64_t c = 0; c < k->in[1].shape.d[0]; c++)
        ((double *)k->aux)[c] = 1 / sqrt((double)var[c] + a->eps);
    pith_op_parallel(k, k->in[1].shape.d[0], forward_channel, &g);
}

static void backward_channel(void *arg, int64_t c, int thread)
{
    const job *g = arg;
    const pith_val *w = &g->k->in[0], *gamma = &g->k->in[1];
    const pith_real *dy = g->k->out.grad, *wv = w->data, *gv = gamma->data;
    pith_real s = (pith_real)((double)gv[c] * g->invstd[c]);
    double sum = 0;
    (void)thread;
    for (int64_t i = 0; i < g->per; i++) {
        int64_t at = c * g->step + i * g->stride;
        sum += (double)dy[at] * (double)wv[at];
        if (w->grad != NULL)
            w->grad[at] = (w->grad_add ? w->grad[at] : 0) + dy[at] * s;
    }
    if (gamma->grad != NULL)
        gamma->grad[c] = (gamma->grad_add ? gamma->grad[c] : 0) + (pith_real)(sum * g->invstd[c]);
}

static void backward(const pith_call *k)
{
    job g = layout(k);
    pith_op_parallel(k, k->in[1].shape.d[0], backward_channel, &g);
}

static void ties(pithp_ties *k)
{
    int dim = ((const pithp_fold_attr *)k->t->attr)->depthwise ? 3 : 0;
    pithp_tie_all(k, 0);
    for (int i = 1; i < 3; i++)
        pithp_tie(k, i, 0, PITHP_OUT, dim);
}

static const pithp_channels channels = { .ties = ties, .scale = 1 };

const pith_op pithp_op_fold_weight = { .name = "fold_weight",
                                       .min_in = 3,
                                       .max_in = 3,
                                       .channels = &channels,
                                       .attr_size = sizeof(pithp_fold_attr),
                                       .fields = fields,
                                       .shape = shape,
                                       .forward = forward,
                                       .backward = backward,
                                       .reads = PITH_READS_IN(0) | PITH_READS_IN(1),
                                       .no_grad = 1u << 2 };
