/* The arithmetic of batch normalisation on [C] vectors.
   Source: Ioffe and Szegedy, "Batch Normalization", arXiv:1502.03167, section 3. */
#include "ops/norm.h"

#include <math.h>

pithp_bn_vec pithp_bn_vectors(void *memory, int64_t c)
{
    pith_real *p = memory;
    return (pithp_bn_vec){ .mean = p,
                           .invstd = p + c,
                           .scale = p + 2 * c,
                           .shift = p + 3 * c,
                           .s1 = p + 4 * c,
                           .s2 = p + 5 * c,
                           .a = p + 6 * c,
                           .b = p + 7 * c,
                           .d = p + 8 * c };
}

void pithp_bn_coef(const pithp_bn_vec *v, const pith_real *var, const pith_real *gamma, const pith_real *beta,
                   double eps, int64_t c)
{
    for (int64_t i = 0; i < c; i++) {
        double invstd = 1 / sqrt((double)var[i] + eps), scale = (double)gamma[i] * invstd;
        v->invstd[i] = (pith_real)invstd;
        v->scale[i] = (pith_real)scale;
        v->shift[i] = (pith_real)((double)beta[i] - (double)v->mean[i] * scale);
    }
}

void pithp_bn_running(const pithp_bn_attr *a, const pith_real *mean, const pith_real *var, int64_t rows,
                      int64_t c, pith_real *running_mean, pith_real *running_var)
{
    double m = a->momentum, unbias = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    for (int64_t i = 0; i < c; i++) {
        running_mean[i] = (pith_real)((1 - m) * (double)running_mean[i] + m * (double)mean[i]);
        running_var[i] = (pith_real)((1 - m) * (double)running_var[i] + m * unbias * (double)var[i]);
    }
}

/* With xhat = (x - mean)*invstd, u = dL/dy, M rows, batch statistics:
   dx = gamma*invstd*(u - sum(u)/M - xhat*sum(u*xhat)/M); s2 = sum(u*(x - mean)) = sum(u*xhat)/invstd. */
void pithp_bn_back_coef(const pithp_bn_vec *v, bool batch, int64_t rows, int64_t c, pith_real *dgamma,
                        pith_real *dbeta)
{
    for (int64_t i = 0; i < c; i++) {
        double invstd = (double)v->invstd[i], s1 = (double)v->s1[i], s2 = (double)v->s2[i];
        double scale = (double)v->scale[i], m = (double)rows;
        if (dgamma != NULL)
            dgamma[i] += (pith_real)(s2 * invstd);
        if (dbeta != NULL)
            dbeta[i] += (pith_real)s1;
        double b = batch ? -scale * invstd * invstd * s2 / m : 0;
        v->a[i] = v->scale[i];
        v->b[i] = (pith_real)b;
        v->d[i] = (pith_real)(batch ? -scale * s1 / m - b * (double)v->mean[i] : 0);
    }
}

bool pithp_bn_check(pith_infer *q, int first, int64_t c, const pithp_bn_attr *a)
{
    static const char *const what[] = { "gamma", "beta", "running mean", "running variance" };
    for (int i = 0; i < 4; i++) {
        pith_shape s = q->in[first + i];
        if (s.ndim != 1 || s.d[0] != c || q->in_dtype[first + i] != PITH_F32)
            return pith_op_fail(q, "the %s must be float32 [%lld]", what[i], (long long)c);
    }
    if (!(a->momentum >= 0 && a->momentum <= 1))
        return pith_op_fail(q, "momentum %g must lie in 0..1", a->momentum);
    if (!(a->eps > 0 && a->eps < 1))
        return pith_op_fail(q, "eps %g must lie between 0 and 1", a->eps);
    return true;
}
