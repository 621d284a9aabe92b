/* tests/op_samples_elem.c: samples of the elementwise ops. */
#include "op_sample.h"
#include <math.h>

/* ---- One operand ---- */
static bool unary_twin(const op_case *k, double (*f)(const op_case *k, double x), double *y, double *terms)
{
    const pith_real *x = op_val(k, 0);
    for (int64_t i = 0; i < pith_size(k->in[0]); i++) {
        y[i] = f(k, (double)x[i]);
        terms[i] = fabs(y[i]);
    }
    return true;
}

static pith_tensor *int_operand(op_case *k) { return op_indices(k, 0, PITH_SHAPE(3, 2), 0, 5); }

/* Values stay away from the n_kinks first of kink0, kink1. */
#define UNARY_PARTS(op, lo, hi, call, n_kinks, kink0, kink1, value)               \
    static double op##_value(const op_case *k, double x)                          \
    {                                                                             \
        (void)k;                                                                  \
        return value;                                                             \
    }                                                                             \
    static pith_tensor *op##_build(op_case *k)                                    \
    {                                                                             \
        pith_tensor *x = op_input(k, 0, op_shape(k, 0, 5), lo, hi, true);         \
        k->f[0] = op_real(k, -1, 0.5);                                            \
        k->f[1] = k->f[0] + op_real(k, 0.1, 1);                                   \
        const double at[2] = { kink0, kink1 };                                    \
        for (int i = 0; i < (n_kinks); i++)                                       \
            op_avoid(k, 0, at[i]);                                                \
        return call;                                                              \
    }                                                                             \
    static bool op##_twin(const op_case *k, bool train, double *y, double *terms) \
    {                                                                             \
        (void)train;                                                              \
        return unary_twin(k, op##_value, y, terms);                               \
    }

#define UNARY(op, lo, hi, n_kinks, kink0, kink1, value)                                 \
    UNARY_PARTS(op, lo, hi, pith_##op(x), n_kinks, kink0, kink1, value)                 \
    static pith_tensor *op##_bad(op_case *k, int i)                                     \
    {                                                                                   \
        (void)i;                                                                        \
        return pith_##op(int_operand(k));                                               \
    }                                                                                   \
    const op_sample op_sample_##op = {                                                  \
        .name = #op, .build = op##_build, .twin = op##_twin, .bads = 1, .bad = op##_bad \
    };

static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }

UNARY(relu, -2, 2, 1, 0, 0, x > 0 ? x : 0)
UNARY(relu6, -3, 9, 2, 0, 6, x<0 ? 0 : x> 6 ? 6 : x)
UNARY(silu, -6, 6, 0, 0, 0, x *sigmoid_of(x))
UNARY(sigmoid, -8, 8, 0, 0, 0, sigmoid_of(x))
UNARY(hard_swish, -6, 6, 2, -3, 3, x *fmin(fmax(x + 3, 0), 6) / 6)
UNARY(hard_sigmoid, -6, 6, 2, -3, 3, fmin(fmax(x + 3, 0), 6) / 6)
UNARY(tanh, -4, 4, 0, 0, 0, tanh(x))
UNARY(square, -3, 3, 0, 0, 0, x *x)
UNARY(sqrt, 0.1, 9, 0, 0, 0, sqrt(x))
UNARY(exp, -6, 6, 0, 0, 0, exp(x))
UNARY(log, 0.05, 6, 0, 0, 0, log(x))
UNARY(abs, -2, 2, 1, 0, 0, fabs(x))

/* What clip compares with, it holds in pith_real. */
#define AT(i) ((double)(pith_real)k->f[i])
UNARY_PARTS(clip, -2, 2, pith_clip(x, k->f[0], k->f[1]), 2, AT(0), AT(1),
            x<AT(0) ? AT(0) : x> AT(1) ? AT(1) : x)
static pith_tensor *clip_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return i == 0   ? pith_clip(int_operand(k), 0, 1)
           : i == 1 ? pith_clip(x, 2, 1)
                    : pith_clip(x, (double)NAN, 1);
}
const op_sample op_sample_clip = {
    .name = "clip", .build = clip_build, .twin = clip_twin, .bads = 3, .bad = clip_bad
};

UNARY_PARTS(leaky_relu, -2, 2, pith_leaky_relu(x, k->f[0]), 1, 0, 0, x > 0 ? x : AT(0) * x)
static pith_tensor *leaky_relu_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return i == 0 ? pith_leaky_relu(int_operand(k), 0.1)
                  : pith_leaky_relu(x, i == 1 ? (double)INFINITY : (double)NAN);
}
const op_sample op_sample_leaky_relu = {
    .name = "leaky_relu", .build = leaky_relu_build, .twin = leaky_relu_twin, .bads = 3, .bad = leaky_relu_bad
};

/* Whole exponents on either side of zero, and any exponent above it. */
static double pow_exponent(const op_case *k)
{
    static const double whole[] = { 0, 1, 2, 3 };
    return k->index % 2 ? whole[k->index / 2 % 4] : 3 * k->f[0];
}
static pith_tensor *pow_build(op_case *k)
{
    pith_tensor *x = op_input(k, 0, op_shape(k, 0, 5), k->index % 2 ? -2 : 0.2, 2, true);
    k->f[0] = op_real(k, -1, 1);
    return pith_pow(x, pow_exponent(k));
}
static double pow_value(const op_case *k, double x) { return pow(x, pow_exponent(k)); }
static bool pow_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    return unary_twin(k, pow_value, y, terms);
}
static pith_tensor *pow_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return i == 0 ? pith_pow(int_operand(k), 2) : pith_pow(x, i == 1 ? (double)INFINITY : (double)NAN);
}
const op_sample op_sample_pow = {
    .name = "pow", .build = pow_build, .twin = pow_twin, .bads = 3, .bad = pow_bad
};

static pith_tensor *scale_build(op_case *k)
{
    k->f[0] = op_real(k, -2, 2);
    k->f[1] = op_real(k, -2, 2);
    return pith_scale(op_input(k, 0, op_shape(k, 0, 5), -2, 2, true), k->f[0], k->f[1]);
}
static bool scale_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    const pith_real *x = op_val(k, 0);
    for (int64_t i = 0; i < pith_size(k->in[0]); i++) {
        y[i] = k->f[0] * (double)x[i] + k->f[1];
        terms[i] = fabs(k->f[0] * (double)x[i]) + fabs(k->f[1]);
    }
    return true;
}
static pith_tensor *scale_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return i == 0 ? pith_scale(int_operand(k), 1, 0)
                  : pith_scale(x, i == 1 ? (double)INFINITY : (double)NAN, 0);
}
const op_sample op_sample_scale = {
    .name = "scale", .build = scale_build, .twin = scale_twin, .bads = 3, .bad = scale_bad
};

/* x itself, or x times x of which only the first factor counts for the gradient. */
static pith_tensor *stop_build(op_case *k)
{
    pith_tensor *x = op_input(k, 0, op_shape(k, 0, 4), -2, 2, true);
    pith_tensor *y = pith_stop_gradient(x);
    return k->index % 2 ? y : pith_mul(x, y);
}
static bool stop_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    const pith_real *x = op_val(k, 0);
    for (int64_t i = 0; i < pith_size(k->in[0]); i++) {
        y[i] = k->index % 2 ? (double)x[i] : (double)x[i] * (double)x[i];
        terms[i] = fabs(y[i]);
    }
    return true;
}
static void stop_surrogate(const op_case *k, int i, double *grad)
{
    const pith_real *w = pith_values(k->w[0]),
                    *shared = k->via == OP_VIA_SHARED ? pith_values(k->w[1 + i]) : NULL;
    for (int64_t j = 0; j < pith_size(k->in[i]); j++) {
        grad[j] = k->index % 2 ? 0 : (double)w[j] * (double)op_val(k, i)[j];
        grad[j] += shared ? (double)shared[j] : 0;
    }
}
const op_sample op_sample_stop_gradient = {
    .name = "stop_gradient", .build = stop_build, .twin = stop_twin, .surrogate = stop_surrogate
};

/* ---- Two operands ---- */
/* A result's shape in n[0..ndim), then the operands': some sizes stretched, some leading ones missing. */
static void pair(op_case *k, pith_shape s[2])
{
    pith_shape out = op_shape(k, 0, 5);
    for (int side = 0; side < 2; side++) {
        s[side] = out;
        for (int i = 0; i < out.ndim && k->index % 3 != 0; i++)
            if (op_int(k, 0, 2) == 0)
                s[side].d[i] = 1;
        while (s[side].ndim > 0 && k->index % 3 == 2 && op_int(k, 0, 1)) {
            for (int i = 1; i < s[side].ndim; i++)
                s[side].d[i - 1] = s[side].d[i];
            s[side].ndim--;
        }
    }
}

static int64_t place(pith_shape x, pith_shape out, int64_t at)
{
    int64_t idx[PITH_MAX_DIMS], o = 0;
    for (int i = out.ndim - 1; i >= 0; i--) {
        idx[i] = at % out.d[i];
        at /= out.d[i];
    }
    for (int i = 0; i < x.ndim; i++)
        o = o * x.d[i] + (x.d[i] == 1 ? 0 : idx[i + out.ndim - x.ndim]);
    return o;
}

static bool binary_twin(const op_case *k, char op, double *y, double *terms)
{
    pith_shape out = pith_shape_of(k->out);
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        double a = (double)op_val(k, 0)[place(op_in_shape(k, 0), out, i)];
        double b = (double)op_val(k, 1)[place(op_in_shape(k, 1), out, i)];
        y[i] = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
        terms[i] = op == '+' || op == '-' ? fabs(a) + fabs(b) : fabs(y[i]);
    }
    return true;
}

static pith_tensor *binary_bad(op_case *k, pith_tensor *(*op)(pith_tensor *, pith_tensor *), int i)
{
    pith_tensor *a = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    pith_tensor *b = op_input(k, 1, i ? PITH_SHAPE(2, 3, 2) : PITH_SHAPE(4, 3), -1, 1, true);
    return i == 2 ? op(a, int_operand(k)) : op(a, b);
}

#define BINARY(op, sign, lo, hi)                                                                     \
    static pith_tensor *op##_build(op_case *k)                                                       \
    {                                                                                                \
        pith_shape s[2];                                                                             \
        pair(k, s);                                                                                  \
        pith_tensor *a = op_input(k, 0, s[0], -2, 2, true), *b = op_input(k, 1, s[1], lo, hi, true); \
        return pith_##op(a, b);                                                                      \
    }                                                                                                \
    static bool op##_twin(const op_case *k, bool train, double *y, double *terms)                    \
    {                                                                                                \
        (void)train;                                                                                 \
        return binary_twin(k, sign, y, terms);                                                       \
    }                                                                                                \
    static pith_tensor *op##_bad(op_case *k, int i) { return binary_bad(k, pith_##op, i); }          \
    const op_sample op_sample_##op = {                                                               \
        .name = #op, .build = op##_build, .twin = op##_twin, .bads = 3, .cases = 40, .bad = op##_bad \
    };

BINARY(add, '+', -2, 2)
BINARY(sub, '-', -2, 2)
BINARY(mul, '*', -2, 2)
BINARY(div, '/', 0.5, 2)
