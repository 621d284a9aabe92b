/* batch_norm: y = gamma*(x - mean)/sqrt(var + eps) + beta over all dimensions but the last.

   x [...,C], gamma beta running_mean running_var [C]. In a training plan mean and var are the batch's (biased) and the
   running ones move towards them; otherwise, or when frozen, they are the running ones. A batch norm that follows a
   convolution is fused with it by the planner (conv_bn_act.c). Source: arXiv:1502.03167. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/norm.h"
#include "ops/integer.h"
#include <pith/ops.h>

static const pith_attr_field fields[] = { { "momentum", PITH_ATTR_REAL, offsetof(pithp_bn_attr, momentum) },
                                          { "eps", PITH_ATTR_REAL, offsetof(pithp_bn_attr, eps) },
                                          { "frozen", PITH_ATTR_BOOL, offsetof(pithp_bn_attr, frozen) },
                                          PITH_ATTR_END };

static bool bn_shape(pith_infer *q)
{
    if (q->in[0].ndim < 2 || q->in_dtype[0] != PITH_F32)
        return pith_op_fail(q, "a float32 [N,...,C] is expected");
    int64_t c = q->in[0].d[q->in[0].ndim - 1];
    if (!pithp_bn_check(q, 1, c, q->attr))
        return false;
    int64_t rows = pithp_count(q->in[0]) / c;
    q->out = q->in[0];
    q->out_dtype = PITH_F32;
    q->aux = (PITHP_BN_VECTORS + 1) * (size_t)c * sizeof(pith_real);
    q->scratch = q->scratch_back = pithp_bn_scratch(rows, c);
    return true;
}

static void bn_forward(const pith_call *k)
{
    const pithp_bn_attr *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    int64_t c = k->in[1].shape.d[0], rows = pithp_count(k->in[0].shape) / c;
    pithp_bn_vec v = pithp_bn_vectors(k->aux, c);
    pith_real *var = v.d + c, *running_mean = k->in[3].data, *running_var = k->in[4].data;
    if (k->train && !a->frozen) {
        pithp_bn_stats(e, k->in[0].data, rows, c, v.mean, var, k->scratch);
        pithp_bn_running(a, v.mean, var, rows, c, running_mean, running_var);
    } else {
        for (int64_t i = 0; i < c; i++)
            v.mean[i] = running_mean[i];
        var = running_var;
    }
    pithp_bn_coef(&v, var, k->in[1].data, k->in[2].data, a->eps, c);
    pithp_affine_act(e, k->in[0].data, v.scale, v.shift, NULL, false, PITHP_ACT_NONE, rows, c, k->out.data);
}

static void bn_backward(const pith_call *k)
{
    const pithp_bn_attr *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    int64_t c = k->in[1].shape.d[0], rows = pithp_count(k->in[0].shape) / c;
    pithp_bn_vec v = pithp_bn_vectors(k->aux, c);
    pithp_bn_reduce(e, k->out.grad, k->in[0].data, v.scale, v.shift, v.mean, PITHP_ACT_NONE, rows, c, v.s1,
                    v.s2, NULL, k->scratch);
    pithp_clear_grad(&k->in[1]);
    pithp_clear_grad(&k->in[2]);
    pithp_bn_back_coef(&v, k->train && !a->frozen, rows, c, k->in[1].grad, k->in[2].grad);
    if (k->in[0].grad != NULL)
        pithp_bn_dy(e, k->out.grad, k->in[0].data, v.scale, v.shift, v.a, v.b, v.d, PITHP_ACT_NONE, rows, c,
                    k->in[0].grad, k->in[0].grad_add);
}

static const pithp_integer integer = { .instead = "a convolution right before it, which takes it in" };

static void ties(pithp_ties *k)
{
    pithp_tie_all(k, 0);
    pithp_tie_vectors(k, 1, 4);
}

static const pithp_channels channels = { .ties = ties, .scale = 1 };

const pith_op pithp_op_batch_norm = { .name = "batch_norm",
                                      .min_in = 5,
                                      .max_in = 5,
                                      .by_sample = 1,
                                      .channels = &channels,
                                      .attr_size = sizeof(pithp_bn_attr),
                                      .fields = fields,
                                      .shape = bn_shape,
                                      .forward = bn_forward,
                                      .backward = bn_backward,
                                      .reads = PITH_READS_IN(0),
                                      .no_grad = 3u << 3,
                                      .state = 3u << 3,
                                      .integer = &integer };

pith_tensor *pith_batch_norm(pith_tensor *x, pith_tensor *gamma, pith_tensor *beta, pith_tensor *running_mean,
                             pith_tensor *running_var, pith_batch_norm_cfg cfg)
{
    pithp_bn_attr a = { .momentum = PITH_OR(cfg.momentum, 0.1),
                        .eps = PITH_OR(cfg.eps, 1e-3),
                        .frozen = cfg.frozen };
    return pith_op_apply(&pithp_op_batch_norm, &a, NULL, 5,
                         (pith_tensor *[]){ x, gamma, beta, running_mean, running_var });
}
