/* ops/folded_batch_norm.c: what is left of batch norm when its scale stands in the weights already (fold_weight), so that
   y = gamma/sigma_run * u, u being the plain convolution: z = (y - mean(y)) * sigma_run/sigma_batch + beta.

   A training run estimates u's statistics from y's: mean(u) = mean(y) t, var(u) = var(y) t^2, t = sigma_run/gamma; nothing of
   the activations' size is divided. Once frozen (or from training run `freeze` on, and in inference), the running statistics
   alone count: z = y + beta - running_mean*gamma/sigma_run, as deployed. A channel with gamma 0 has y = 0, z = beta.
   y [...,C]; gamma, beta, running_mean, running_var [C]; runs [1], the number of training runs so far, or absent.
   With R = sigma_run/sigma_batch, s1 = sum dz, s2 = sum dz (y - mean), M rows, v = var(u):
   dy = R dz - R s1/M - R (t/sigma_batch)^2 (y - mean) s2/M; dbeta = s1; dgamma = s2 R/gamma v/(v + eps).
   (The rest of gamma's gradient comes through fold_weight.) Frozen: dy = dz, dgamma = -s1 running_mean/sigma_run.
   Source: Krishnamoorthi, arXiv:1806.08342, section 3.2.2. */
#include "ops/fake_quant.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/folded.h"

#include <math.h>

static const pith_attr_field fields[] = { { "momentum", PITH_ATTR_REAL,
                                            offsetof(pithp_folded_attr, momentum) },
                                          { "eps", PITH_ATTR_REAL, offsetof(pithp_folded_attr, eps) },
                                          { "frozen", PITH_ATTR_BOOL, offsetof(pithp_folded_attr, frozen) },
                                          { "freeze", PITH_ATTR_INT64, offsetof(pithp_folded_attr, freeze) },
                                          PITH_ATTR_END };

/* ---- On vectors ---- */
void pithp_folded_bias(double eps, const pith_real *gamma, const pith_real *beta, const pith_real *mean,
                       const pith_real *var, int64_t c, pith_real *bias)
{
    for (int64_t i = 0; i < c; i++)
        bias[i] =
            (pith_real)((double)beta[i] - (double)mean[i] * (double)gamma[i] / sqrt((double)var[i] + eps));
}

bool pithp_folded_batch(const pith_call *k, const pithp_folded_attr *a, const pith_real *runs)
{
    return k->train && !a->frozen && !(a->freeze > 0 && runs != NULL && runs[0] >= (pith_real)a->freeze);
}

void pithp_folded_count(const pith_call *k, pith_real *runs)
{
    if (k->train && runs != NULL && runs[0] < (pith_real)0x1p24)
        runs[0] += 1;
}

void pithp_folded_frozen_coef(const pithp_bn_vec *v, pith_real *dg, const pithp_folded_attr *a,
                              const pithp_folded_stats *s, int64_t c)
{
    pithp_folded_bias(a->eps, s->gamma, s->beta, s->mean, s->var, c, v->shift);
    for (int64_t i = 0; i < c; i++) {
        double sigma = sqrt((double)s->var[i] + a->eps);
        v->scale[i] = 1;
        v->invstd[i] = 0;
        v->mean[i] = s->beta[i] - v->shift[i];
        dg[i] = (pith_real)(-(double)s->mean[i] / sigma);
    }
}

/* gamma so small that y says nothing about u. */
static bool dead(double gamma) { return fabs(gamma) < 1e-12; }

void pithp_folded_batch_coef(const pithp_bn_vec *v, pith_real *dg, const pithp_folded_attr *a,
                             const pith_real *var_y, int64_t rows, const pithp_folded_stats *s, int64_t c)
{
    double m = a->momentum, unbias = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    for (int64_t i = 0; i < c; i++) {
        double gamma = (double)s->gamma[i], run = sqrt((double)s->var[i] + a->eps);
        double t = dead(gamma) ? 0 : run / gamma, u = (double)var_y[i] * t * t;
        double sigma = dead(gamma) ? run : sqrt(u + a->eps), r = run / sigma;
        v->scale[i] = (pith_real)r;
        v->shift[i] = (pith_real)((double)s->beta[i] - (double)v->mean[i] * r);
        v->invstd[i] = (pith_real)(t / sigma);
        dg[i] = (pith_real)(t / sigma * u / (sigma * sigma));
        if (dead(gamma))
            continue;
        s->mean[i] = (pith_real)((1 - m) * (double)s->mean[i] + m * (double)v->mean[i] * t);
        s->var[i] = (pith_real)((1 - m) * (double)s->var[i] + m * unbias * u);
    }
}

void pithp_folded_back_coef(const pithp_bn_vec *v, const pith_real *dg, bool batch, int64_t rows, int64_t c,
                            pith_real *dgamma, pith_real *dbeta)
{
    pithp_bn_back_coef(v, batch, rows, c, NULL, dbeta);
    for (int64_t i = 0; i < c && dgamma != NULL; i++)
        dgamma[i] += dg[i] * (batch ? v->s2[i] : v->s1[i]);
}

bool pithp_folded_check(pith_infer *q, int first, int64_t c, const pithp_folded_attr *a)
{
    pithp_bn_attr bn = { a->momentum, a->eps, a->frozen };
    if (!pithp_bn_check(q, first, c, &bn))
        return false;
    if (a->freeze < 0)
        return pith_op_fail(q, "freeze %lld must not be negative", (long long)a->freeze);
    if (pithp_here(q, first + 4) && (q->in[first + 4].ndim != 1 || q->in[first + 4].d[0] != 1))
        return pith_op_fail(q, "the number of training runs must be [1]");
    return true;
}

/* ---- The op ---- */
enum { Y, GAMMA, BETA, RUN_MEAN, RUN_VAR, RUNS, N_IN };

static bool shape(pith_infer *q)
{
    if (!pithp_want_f32(q))
        return false;
    if (q->in[Y].ndim < 2)
        return pith_op_fail(q, "y [N,...,C] is expected");
    int64_t c = q->in[Y].d[q->in[Y].ndim - 1];
    if (!pithp_folded_check(q, GAMMA, c, q->attr))
        return false;
    q->aux = PITHP_FOLDED_VECTORS * (size_t)c * sizeof(pith_real);
    q->scratch = q->scratch_back = pithp_bn_scratch(pithp_count(q->in[Y]) / c, c);
    return pithp_result(q, q->in[Y]);
}

static void forward(const pith_call *k)
{
    const pithp_folded_attr *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    int64_t c = k->in[GAMMA].shape.d[0], rows = pithp_count(k->in[Y].shape) / c;
    pithp_folded_vec v = pithp_folded_vectors(k->aux, c);
    pithp_folded_stats s = { k->in[GAMMA].data, k->in[BETA].data, k->in[RUN_MEAN].data, k->in[RUN_VAR].data };
    pith_real *runs = k->n_in > RUNS ? k->in[RUNS].data : NULL;
    bool batch = pithp_folded_batch(k, a, runs);
    if (batch) {
        pithp_bn_stats(e, k->in[Y].data, rows, c, v.bn.mean, v.var, k->scratch);
        pithp_folded_batch_coef(&v.bn, v.dg, a, v.var, rows, &s, c);
    } else {
        pithp_folded_frozen_coef(&v.bn, v.dg, a, &s, c);
    }
    v.batch[0] = batch;
    pithp_folded_count(k, runs);
    pithp_affine_act(e, k->in[Y].data, v.bn.scale, v.bn.shift, NULL, false, PITHP_ACT_NONE, rows, c,
                     k->out.data);
}

static void backward(const pith_call *k)
{
    const pithp_env *e = pithp_call_env(k);
    int64_t c = k->in[GAMMA].shape.d[0], rows = pithp_count(k->in[Y].shape) / c;
    pithp_folded_vec v = pithp_folded_vectors(k->aux, c);
    pithp_bn_reduce(e, k->out.grad, k->in[Y].data, v.bn.scale, v.bn.shift, v.bn.mean, PITHP_ACT_NONE, rows, c,
                    v.bn.s1, v.bn.s2, NULL, k->scratch);
    pithp_clear_grad(&k->in[GAMMA]);
    pithp_clear_grad(&k->in[BETA]);
    pithp_folded_back_coef(&v.bn, v.dg, v.batch[0] != 0, rows, c, k->in[GAMMA].grad, k->in[BETA].grad);
    if (k->in[Y].grad != NULL)
        pithp_bn_dy(e, k->out.grad, k->in[Y].data, v.bn.scale, v.bn.shift, v.bn.a, v.bn.b, v.bn.d,
                    PITHP_ACT_NONE, rows, c, k->in[Y].grad, k->in[Y].grad_add);
}

static void ties(pithp_ties *k)
{
    pithp_tie_all(k, Y);
    pithp_tie_vectors(k, GAMMA, RUN_VAR);
}

static const pithp_channels channels = { .ties = ties, .scale = GAMMA };

const pith_op pithp_op_folded_batch_norm = { .name = "folded_batch_norm",
                                             .min_in = RUNS,
                                             .max_in = N_IN,
                                             .channels = &channels,
                                             .attr_size = sizeof(pithp_folded_attr),
                                             .fields = fields,
                                             .shape = shape,
                                             .forward = forward,
                                             .backward = backward,
                                             .reads = PITH_READS_IN(Y),
                                             .no_grad = 7u << RUN_MEAN,
                                             .state = 7u << RUN_MEAN };
