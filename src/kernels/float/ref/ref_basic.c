/* kernels/float/ref/ref_basic.c: the definitions of the functions, products and statistics, in double. */
#include "kernels/float/kernels.h"
#include <math.h>

double pithp_ref_act(pithp_act act, double u)
{
    switch (act) {
    case PITHP_ACT_RELU: return u < 0 ? 0 : u;
    case PITHP_ACT_RELU6: return u < 0 ? 0 : u > 6 ? 6 : u;
    case PITHP_ACT_SILU: return u / (1 + exp(-u));
    case PITHP_ACT_SIGMOID: return 1 / (1 + exp(-u));
    case PITHP_ACT_HARD_SWISH: return u * fmin(fmax(u + 3, 0), 6) / 6;
    case PITHP_ACT_HARD_SIGMOID: return fmin(fmax(u + 3, 0), 6) / 6;
    default: return u;
    }
}

double pithp_ref_act_grad(pithp_act act, double u)
{
    double s = 1 / (1 + exp(-u));
    switch (act) {
    case PITHP_ACT_RELU: return u > 0;
    case PITHP_ACT_RELU6: return u > 0 && u < 6;
    case PITHP_ACT_SILU: return s * (1 + u * (1 - s));
    case PITHP_ACT_SIGMOID: return s * (1 - s);
    case PITHP_ACT_HARD_SWISH: return u < -3 ? 0 : u > 3 ? 1 : u / 3 + 0.5;
    case PITHP_ACT_HARD_SIGMOID: return u > -3 && u < 3 ? 1.0 / 6 : 0;
    default: return 1;
    }
}

double pithp_ref_unary(pithp_unary f, double x, double p0, double p1)
{
    switch (f) {
    case PITHP_U_RELU: return pithp_ref_act(PITHP_ACT_RELU, x);
    case PITHP_U_RELU6: return pithp_ref_act(PITHP_ACT_RELU6, x);
    case PITHP_U_SILU: return pithp_ref_act(PITHP_ACT_SILU, x);
    case PITHP_U_SIGMOID: return pithp_ref_act(PITHP_ACT_SIGMOID, x);
    case PITHP_U_TANH: return tanh(x);
    case PITHP_U_HARD_SWISH: return pithp_ref_act(PITHP_ACT_HARD_SWISH, x);
    case PITHP_U_HARD_SIGMOID: return pithp_ref_act(PITHP_ACT_HARD_SIGMOID, x);
    case PITHP_U_LEAKY_RELU: return x > 0 ? x : p0 * x;
    case PITHP_U_SQUARE: return x * x;
    case PITHP_U_SQRT: return sqrt(x);
    case PITHP_U_EXP: return exp(x);
    case PITHP_U_LOG: return log(x);
    case PITHP_U_ABS: return fabs(x);
    case PITHP_U_CLIP: return x < p0 ? p0 : x > p1 ? p1 : x;
    default: return p0 * x + p1;
    }
}

double pithp_ref_unary_grad(pithp_unary f, double x, double p0, double p1)
{
    double t;
    switch (f) {
    case PITHP_U_RELU: return pithp_ref_act_grad(PITHP_ACT_RELU, x);
    case PITHP_U_RELU6: return pithp_ref_act_grad(PITHP_ACT_RELU6, x);
    case PITHP_U_SILU: return pithp_ref_act_grad(PITHP_ACT_SILU, x);
    case PITHP_U_SIGMOID: return pithp_ref_act_grad(PITHP_ACT_SIGMOID, x);
    case PITHP_U_TANH: t = tanh(x); return 1 - t * t;
    case PITHP_U_HARD_SWISH: return pithp_ref_act_grad(PITHP_ACT_HARD_SWISH, x);
    case PITHP_U_HARD_SIGMOID: return pithp_ref_act_grad(PITHP_ACT_HARD_SIGMOID, x);
    case PITHP_U_LEAKY_RELU: return x > 0 ? 1 : p0;
    case PITHP_U_SQUARE: return 2 * x;
    case PITHP_U_SQRT: return 0.5 / sqrt(x);
    case PITHP_U_EXP: return exp(x);
    case PITHP_U_LOG: return 1 / x;
    case PITHP_U_ABS: return x > 0 ? 1 : x < 0 ? -1 : 0;
    case PITHP_U_CLIP: return x >= p0 && x <= p1;
    default: return p0;
    }
}

void pithp_ref_bn_stats(const pith_real *x, int64_t rows, int64_t c, pith_real *mean, pith_real *var)
{
    for (int64_t j = 0; j < c; j++) {
        double m = 0, v = 0;
        for (int64_t i = 0; i < rows; i++)
            m += (double)x[i * c + j];
        m /= (double)rows;
        for (int64_t i = 0; i < rows; i++)
            v += ((double)x[i * c + j] - m) * ((double)x[i * c + j] - m);
        mean[j] = (pith_real)m;
        var[j] = (pith_real)(v / (double)rows);
    }
}

void pithp_ref_bn_reduce(const pith_real *dz, const pith_real *y, const pith_real *scale,
                         const pith_real *shift, const pith_real *mean, pithp_act act, int64_t rows,
                         int64_t c, pith_real *s1, pith_real *s2)
{
    for (int64_t j = 0; j < c; j++) {
        double a = 0, b = 0;
        for (int64_t i = 0; i < rows; i++) {
            double v = (double)y[i * c + j];
            double u =
                (double)dz[i * c + j] * pithp_ref_act_grad(act, (double)scale[j] * v + (double)shift[j]);
            a += u;
            b += u * (v - (double)mean[j]);
        }
        s1[j] = (pith_real)a;
        s2[j] = (pith_real)b;
    }
}

void pithp_ref_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const pith_real *a, const pith_real *b,
                    pith_real beta, pith_real *c)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = beta != 0 ? (double)beta * (double)c[i * n + j] : 0;
            for (int64_t l = 0; l < k; l++)
                sum +=
                    (double)(ta ? a[l * m + i] : a[i * k + l]) * (double)(tb ? b[j * k + l] : b[l * n + j]);
            c[i * n + j] = (pith_real)sum;
        }
}
