/* tests/op_samples_dense.c: samples of products, dropout, softmax and losses. */
#include "op_sample.h"
#include <math.h>
#include <stdlib.h>

/* ---- dense, matmul ---- */
static pith_tensor *dense_build(op_case *k)
{
    int64_t n = op_dim(k, 1, 7, 300), i = op_dim(k, 1, 9, 300), o = op_dim(k, 1, 9, 150);
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(n, i), -1, 1, true),
                *w = op_input(k, 1, PITH_SHAPE(o, i), -1, 1, true);
    return pith_dense(x, w, k->index % 3 ? op_input(k, 2, PITH_SHAPE(o), -1, 1, true) : NULL);
}
static bool dense_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t i_n = op_in_shape(k, 0).d[1], o_n = op_in_shape(k, 1).d[0];
    for (int64_t at = 0; at < pith_size(k->out); at++) {
        int64_t n = at / o_n, o = at % o_n;
        y[at] = k->in[2] ? (double)op_val(k, 2)[o] : 0;
        terms[at] = fabs(y[at]);
        for (int64_t i = 0; i < i_n; i++) {
            double t = (double)op_val(k, 0)[n * i_n + i] * (double)op_val(k, 1)[o * i_n + i];
            y[at] += t;
            terms[at] += fabs(t);
        }
    }
    return true;
}
static pith_tensor *dense_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, i == 0 ? PITH_SHAPE(2, 3, 1) : PITH_SHAPE(2, 3), -1, 1, true);
    pith_tensor *w = op_input(k, 1, i == 1 ? PITH_SHAPE(4, 2) : PITH_SHAPE(4, 3), -1, 1, true);
    pith_tensor *b = op_input(k, 2, i == 2 ? PITH_SHAPE(3) : PITH_SHAPE(4), -1, 1, true);
    return pith_dense(x, i == 3 ? op_indices(k, 1, PITH_SHAPE(4, 3), 0, 1) : i == 4 ? NULL : w, b);
}
const op_sample op_sample_dense = {
    .name = "dense", .build = dense_build, .twin = dense_twin, .bads = 5, .bad = dense_bad
};

static pith_tensor *matmul_build(op_case *k)
{
    int64_t m = op_dim(k, 1, 7, 300), n = op_dim(k, 1, 9, 150), inner = op_dim(k, 1, 9, 300);
    pith_tensor *a = op_input(k, 0, PITH_SHAPE(m, inner), -1, 1, true);
    return pith_matmul(a, op_input(k, 1, PITH_SHAPE(inner, n), -1, 1, true));
}
static bool matmul_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t inner = op_in_shape(k, 0).d[1], n_n = op_in_shape(k, 1).d[1];
    for (int64_t at = 0; at < pith_size(k->out); at++) {
        y[at] = terms[at] = 0;
        for (int64_t i = 0; i < inner; i++) {
            double t = (double)op_val(k, 0)[at / n_n * inner + i] * (double)op_val(k, 1)[i * n_n + at % n_n];
            y[at] += t;
            terms[at] += fabs(t);
        }
    }
    return true;
}
static pith_tensor *matmul_bad(op_case *k, int i)
{
    pith_tensor *a = op_input(k, 0, i == 0 ? PITH_SHAPE(3) : PITH_SHAPE(2, 3), -1, 1, true);
    return pith_matmul(a, op_input(k, 1, i == 1 ? PITH_SHAPE(2, 3) : PITH_SHAPE(3, 1, 2), -1, 1, true));
}
const op_sample op_sample_matmul = {
    .name = "matmul", .build = matmul_build, .twin = matmul_twin, .bads = 3, .bad = matmul_bad
};

/* ---- dropout, drop_connect: f[0] the probability; test_op_rules.c looks at the mask ---- */
static bool drop_twin(const op_case *k, bool train, double *y, double *terms)
{
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        y[i] = (double)op_val(k, 0)[i];
        terms[i] = fabs(y[i]);
    }
    return !train || k->f[0] == 0;
}
static const double drop_bads[] = { 1, -0.1, (double)NAN };
#define DROP(op)                                                                        \
    static pith_tensor *op##_build(op_case *k)                                          \
    {                                                                                   \
        k->f[0] = k->index % 6 ? op_real(k, 0.05, 0.9) : 0;                             \
        return pith_##op(op_input(k, 0, op_shape(k, 1, 4), -2, 2, true), k->f[0]);      \
    }                                                                                   \
    static pith_tensor *op##_bad(op_case *k, int i)                                     \
    {                                                                                   \
        return pith_##op(op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true), drop_bads[i]);  \
    }                                                                                   \
    const op_sample op_sample_##op = {                                                  \
        .name = #op, .build = op##_build, .twin = drop_twin, .bads = 3, .bad = op##_bad \
    };
DROP(dropout)
DROP(drop_connect)

/* ---- softmax, log_softmax ---- */
static pith_tensor *rows(op_case *k)
{
    double far = k->index % 4 ? 0 : 80; /* exp of it overflows a float */
    pith_tensor *x = op_input(k, 0, op_shape(k, 1, 4), far - 3, far + 3, true);
    return x;
}

static double log_sum_exp(const pith_real *x, int64_t n)
{
    long double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += expl((long double)x[i]);
    return (double)logl(sum);
}

static bool softmax_twin_of(const op_case *k, bool log_of, double *y, double *terms)
{
    pith_shape s = op_in_shape(k, 0);
    int64_t n = s.d[s.ndim - 1];
    double lse = 0;
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        double x = (double)op_val(k, 0)[i];
        if (i % n == 0)
            lse = log_sum_exp(op_val(k, 0) + i, n);
        y[i] = log_of ? x - lse : exp(x - lse);
        terms[i] = log_of ? fabs(x) + fabs(lse) : y[i];
    }
    return true;
}

static pith_tensor *softmax_build(op_case *k) { return pith_softmax(rows(k)); }
static bool softmax_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    return softmax_twin_of(k, false, y, terms);
}
static pith_tensor *softmax_bad(op_case *k, int i)
{
    return pith_softmax(i ? op_indices(k, 0, PITH_SHAPE(3), 0, 1) : op_input(k, 0, PITH_SCALAR, -1, 1, true));
}
const op_sample op_sample_softmax = {
    .name = "softmax", .build = softmax_build, .twin = softmax_twin, .bads = 2, .bad = softmax_bad
};

static pith_tensor *log_softmax_build(op_case *k) { return pith_log_softmax(rows(k)); }
static bool log_softmax_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    return softmax_twin_of(k, true, y, terms);
}
static pith_tensor *log_softmax_bad(op_case *k, int i)
{
    return pith_log_softmax(i ? op_indices(k, 0, PITH_SHAPE(3), 0, 1)
                              : op_input(k, 0, PITH_SCALAR, -1, 1, true));
}
const op_sample op_sample_log_softmax = { .name = "log_softmax",
                                          .build = log_softmax_build,
                                          .twin = log_softmax_twin,
                                          .bads = 2,
                                          .bad = log_softmax_bad };

/* ---- cross_entropy: f[0] the smoothing ---- */
static pith_tensor *ce_build(op_case *k)
{
    int64_t n = op_dim(k, 1, 6, 3000), c = op_dim(k, 1, 6, 20);
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(n, c), -3, 3, true), *t, *w = NULL;
    if (k->index % 2) /* some samples left out, on either side */
        t = op_indices(k, 1, PITH_SHAPE(n), k->index % 3 ? 0 : -2, k->index % 3 ? c - 1 : c);
    else
        t = op_input(k, 1, PITH_SHAPE(n, c), 0, 1, false);
    if (k->index % 8 > 3) /* some classes weigh nothing */
        w = op_input(k, 2, PITH_SHAPE(c), k->index % 16 > 7 ? -1 : 0, 2, false);
    k->f[0] = k->index % 5 ? op_real(k, 0.01, 0.5) : 0;
    return pith_cross_entropy(x, t, (pith_cross_entropy_cfg){ .smoothing = k->f[0], .class_weights = w });
}
static bool ce_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n_n = op_in_shape(k, 0).d[0], c = op_in_shape(k, 0).d[1];
    double counted = 0;
    const int32_t *index = pith_dtype_of(k->in[1]) == PITH_I32 ? pith_values(k->in[1]) : NULL;
    *y = *terms = 0;
    for (int64_t n = 0; n < n_n; n++) {
        if (index && (index[n] < 0 || index[n] >= c))
            continue;
        counted += index && k->in[2] ? fmax((double)op_val(k, 2)[index[n]], 0) : 1;
        const pith_real *x = op_val(k, 0) + n * c;
        double lse = log_sum_exp(x, c);
        for (int64_t i = 0; i < c; i++) {
            double t = index ? (double)(index[n] == i) : (double)op_val(k, 1)[n * c + i];
            double q = (1 - k->f[0]) * t + k->f[0] / (double)c;
            q *= k->in[2] ? fmax((double)op_val(k, 2)[i], 0) : 1;
            *y -= q * ((double)x[i] - lse);
            *terms += q * (fabs((double)x[i]) + fabs(lse));
        }
    }
    *y = counted > 0 ? *y / counted : 0;
    *terms = counted > 0 ? *terms / counted : 0;
    return true;
}
static pith_tensor *ce_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, i == 0 ? PITH_SHAPE(3) : PITH_SHAPE(3, 4), -1, 1, true);
    pith_tensor *t = i == 1   ? op_indices(k, 1, PITH_SHAPE(4), 0, 1)
                     : i == 2 ? op_input(k, 1, PITH_SHAPE(3), 0, 1, false)
                     : i == 3 ? op_input(k, 1, PITH_SHAPE(4, 3), 0, 1, false)
                              : op_indices(k, 1, PITH_SHAPE(3), 0, 1);
    static const double smoothing[] = { 0, 0, 0, 0, 1, -0.5, (double)NAN, 0, 0 };
    pith_tensor *w = i == 7   ? op_input(k, 2, PITH_SHAPE(3), 0, 1, false)
                     : i == 8 ? op_indices(k, 2, PITH_SHAPE(4), 0, 1)
                              : NULL;
    return pith_cross_entropy(x, t,
                              (pith_cross_entropy_cfg){ .smoothing = smoothing[i], .class_weights = w });
}
const op_sample op_sample_cross_entropy = {
    .name = "cross_entropy", .build = ce_build, .twin = ce_twin, .bads = 9, .cases = 40, .bad = ce_bad
};

/* ---- kl_divergence: f[0] the temperature ---- */
static pith_tensor *kl_build(op_case *k)
{
    pith_shape s = PITH_SHAPE(op_dim(k, 1, 6, 3000), op_dim(k, 1, 6, 20));
    double far = k->index % 4 ? 0 : 90; /* exp of it overflows a float */
    pith_tensor *x = op_input(k, 0, s, far - 3, far + 3, true), *t = op_input(k, 1, s, -3, 3, false);
    k->f[0] = k->index % 3 ? op_real(k, 0.5, 8) : 1;
    return pith_kl_divergence(x, t, (pith_kl_divergence_cfg){ k->index % 3 ? k->f[0] : 0 });
}
static bool kl_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n_n = op_in_shape(k, 0).d[0], c = op_in_shape(k, 0).d[1];
    double t = k->f[0], by = t * t / (double)n_n;
    *y = *terms = 0;
    for (int64_t n = 0; n < n_n; n++) {
        long double sum[2] = { 0, 0 };
        for (int64_t i = 0; i < 2 * c; i++)
            sum[i / c] += expl((long double)op_val(k, (int)(i / c))[n * c + i % c] / (long double)t);
        for (int64_t i = 0; i < c; i++) {
            double x = (double)op_val(k, 0)[n * c + i] / t - (double)logl(sum[0]);
            double q = (double)op_val(k, 1)[n * c + i] / t - (double)logl(sum[1]);
            *y += by * exp(q) * (q - x);
            *terms += by * exp(q) * (fabs(q) + fabs(x));
        }
    }
    return true;
}
static pith_tensor *kl_bad(op_case *k, int i)
{
    static const double temperature[] = { 1, 1, 1, -1, (double)NAN, (double)INFINITY };
    pith_tensor *x = op_input(k, 0, i == 0 ? PITH_SHAPE(3) : PITH_SHAPE(3, 4), -1, 1, true);
    pith_tensor *t = i == 1   ? op_input(k, 1, PITH_SHAPE(4, 3), -1, 1, false)
                     : i == 2 ? op_indices(k, 1, PITH_SHAPE(3, 4), 0, 1)
                              : op_input(k, 1, pith_shape_of(x), -1, 1, false);
    return pith_kl_divergence(x, t, (pith_kl_divergence_cfg){ temperature[i] });
}
const op_sample op_sample_kl_divergence = {
    .name = "kl_divergence", .build = kl_build, .twin = kl_twin, .bads = 6, .bad = kl_bad
};

/* ---- mse ---- */
static pith_tensor *mse_build(op_case *k)
{
    pith_shape s = op_shape(k, 0, 4);
    pith_tensor *a = op_input(k, 0, s, -2, 2, true);
    return pith_mse(a, op_input(k, 1, s, -2, 2, k->index % 3 != 2));
}
static bool mse_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n = pith_size(k->in[0]);
    *y = *terms = 0;
    for (int64_t i = 0; i < n; i++) {
        double a = (double)op_val(k, 0)[i], b = (double)op_val(k, 1)[i];
        *y += (a - b) * (a - b) / (double)n;
        *terms += (fabs(a) + fabs(b)) * (fabs(a) + fabs(b)) / (double)n;
    }
    return true;
}
static pith_tensor *mse_bad(op_case *k, int i)
{
    pith_tensor *a = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return pith_mse(a, i ? op_indices(k, 1, PITH_SHAPE(2, 3), 0, 1)
                         : op_input(k, 1, PITH_SHAPE(3, 2), -1, 1, true));
}
const op_sample op_sample_mse = {
    .name = "mse", .build = mse_build, .twin = mse_twin, .bads = 2, .bad = mse_bad
};
