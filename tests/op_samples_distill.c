/* tests/op_samples_distill.c: samples of the losses of distillation. The twins follow the papers' definitions, vectors and all. */
#include "op_sample.h"
#include <math.h>
#include <stdlib.h>

/* ---- decoupled_kl: f[0] the temperature, f[1] and f[2] the weights ---- */
static pith_tensor *decoupled_kl_build(op_case *k)
{
    int64_t n = op_dim(k, 1, 6, 3000), c = op_dim(k, 2, 6, 20);
    double far = k->index % 4 ? 0 : 90; /* exp of it overflows a float */
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(n, c), far - 3, far + 3, true);
    pith_tensor *t = op_input(k, 1, PITH_SHAPE(n, c), -3, 3, false);
    pith_tensor *y = op_indices(k, 2, PITH_SHAPE(n), k->index % 3 ? 0 : -1, k->index % 3 ? c - 1 : c);
    k->f[0] = k->index % 5 ? op_real(k, 0.5, 8) : 1;
    k->f[1] = k->index % 6 ? op_real(k, 0.1, 2) : 0;
    k->f[2] = op_real(k, 0.1, 8);
    return pith_decoupled_kl(
        x, t, y,
        (pith_decoupled_kl_cfg){ k->index % 5 ? k->f[0] : 0, k->index % 6 ? k->f[1] : PITH_ZERO, k->f[2] });
}

/* softmax(v/t)[i] among the classes other than `but` */
static double share(const pith_real *v, int64_t c, double t, int64_t i, int64_t but)
{
    long double sum = 0;
    for (int64_t j = 0; j < c; j++)
        if (j != but)
            sum += expl(((long double)v[j] - (long double)v[i]) / (long double)t);
    return (double)(1 / sum);
}

static double term(double q, double p, double by, double *terms)
{
    *terms += by * q * (fabs(log(q)) + fabs(log(p)) + 1);
    return by * q * log(q / p);
}

static bool decoupled_kl_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n_n = op_in_shape(k, 0).d[0], c = op_in_shape(k, 0).d[1];
    const int32_t *label = pith_values(k->in[2]);
    double t = k->f[0], counted = 0;
    *y = *terms = 0;
    for (int64_t n = 0; n < n_n; n++) {
        const pith_real *x = op_val(k, 0) + n * c, *q = op_val(k, 1) + n * c;
        if (label[n] < 0 || label[n] >= c)
            continue;
        double py = share(x, c, t, label[n], -1), qy = share(q, c, t, label[n], -1);
        double rest_p = 0, rest_q = 0; /* 1 - py loses its digits */
        for (int64_t i = 0; i < c; i++)
            if (i != label[n]) {
                rest_p += share(x, c, t, i, -1);
                rest_q += share(q, c, t, i, -1);
                *y += term(share(q, c, t, i, label[n]), share(x, c, t, i, label[n]), t * t * k->f[2], terms);
            }
        *y += term(qy, py, t * t * k->f[1], terms) + term(rest_q, rest_p, t * t * k->f[1], terms);
        counted++;
    }
    *y /= counted > 0 ? counted : 1;
    *terms /= counted > 0 ? counted : 1;
    return true;
}
static pith_tensor *decoupled_kl_bad(op_case *k, int i)
{
    static const pith_decoupled_kl_cfg cfg[] = {
        [5] = { -1, 1, 1 }, [6] = { 1, -1, 1 }, [7] = { 1, 1, (double)NAN }
    };
    int64_t c = i == 4 ? 1 : 4;
    pith_tensor *x = op_input(k, 0, i == 0 ? PITH_SHAPE(3) : PITH_SHAPE(3, c), -1, 1, true);
    pith_tensor *t = op_input(k, 1, i == 1 ? PITH_SHAPE(4, 3) : PITH_SHAPE(3, c), -1, 1, false);
    pith_tensor *y = i == 2 ? op_input(k, 2, PITH_SHAPE(3), 0, 1, false)
                            : op_indices(k, 2, i == 3 ? PITH_SHAPE(4) : PITH_SHAPE(3), 0, 0);
    return pith_decoupled_kl(x, t, y, i > 4 ? cfg[i] : (pith_decoupled_kl_cfg){ 0 });
}
const op_sample op_sample_decoupled_kl = { .name = "decoupled_kl",
                                           .build = decoupled_kl_build,
                                           .twin = decoupled_kl_twin,
                                           .bads = 8,
                                           .bad = decoupled_kl_bad };

/* ---- attention_map ---- */
static pith_tensor *attention_map_build(op_case *k)
{
    pith_shape s =
        PITH_SHAPE(op_dim(k, 1, 4, 50), op_dim(k, 1, 4, 12), op_dim(k, 1, 4, 9), op_dim(k, 1, 5, 20));
    pith_tensor *x = op_input(k, 0, s, -2, 2, true);
    return pith_attention_map(x);
}
static bool attention_map_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    pith_shape s = op_in_shape(k, 0);
    int64_t places = s.d[1] * s.d[2], c = s.d[3];
    for (int64_t n = 0; n < s.d[0]; n++) {
        double square = 0;
        for (int64_t p = n * places; p < (n + 1) * places; p++) {
            y[p] = 0;
            for (int64_t i = 0; i < c; i++)
                y[p] += (double)op_val(k, 0)[p * c + i] * (double)op_val(k, 0)[p * c + i] / (double)c;
            square += y[p] * y[p];
        }
        for (int64_t p = n * places; p < (n + 1) * places; p++)
            terms[p] = y[p] = square > 0 ? y[p] / sqrt(square) : 0;
    }
    return true;
}
static pith_tensor *attention_map_bad(op_case *k, int i)
{
    return pith_attention_map(i ? op_indices(k, 0, PITH_SHAPE(1, 2, 3, 4), 0, 1)
                                : op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true));
}
const op_sample op_sample_attention_map = { .name = "attention_map",
                                            .build = attention_map_build,
                                            .twin = attention_map_twin,
                                            .bads = 2,
                                            .bad = attention_map_bad };

/* ---- Relations ---- */
static pith_tensor *relation_build(op_case *k, pith_tensor *(*op)(pith_tensor *, pith_tensor *))
{
    int64_t n = op_dim(k, 1, 6, 40);
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(n, op_dim(k, 2, 7, 100)), -2, 2, true);
    pith_tensor *t = op_input(k, 1, PITH_SHAPE(n, op_dim(k, 2, 7, 90)), -1, 3, false);
    return op(x, t);
}
static pith_tensor *relation_bad(op_case *k, int i, pith_tensor *(*op)(pith_tensor *, pith_tensor *))
{
    static const int64_t samples[] = { 3, 3, 3, 2, 2049 };
    pith_tensor *x = op_input(k, 0, i == 0 ? PITH_SHAPE(3) : PITH_SHAPE(samples[i], 2), -1, 1, true);
    pith_tensor *t =
        i == 1 ? op_indices(k, 1, PITH_SHAPE(3, 2), 0, 1)
               : op_input(k, 1, i == 2 ? PITH_SHAPE(3) : PITH_SHAPE(i == 4 ? 2049 : 3, 2), -1, 1, false);
    return op(x, t);
}
#define RELATION(op)                                                                          \
    static pith_tensor *op##_build(op_case *k) { return relation_build(k, pith_##op); }       \
    static pith_tensor *op##_bad(op_case *k, int i) { return relation_bad(k, i, pith_##op); } \
    const op_sample op_sample_##op = {                                                        \
        .name = #op, .build = op##_build, .twin = op##_twin, .bads = 5, .bad = op##_bad       \
    };

static double huber(double e) { return fabs(e) < 1 ? e * e / 2 : fabs(e) - 0.5; }

static double distance(const op_case *k, int operand, int64_t i, int64_t j)
{
    int64_t d = op_in_shape(k, operand).d[1];
    double sum = 0;
    for (int64_t c = 0; c < d; c++) {
        double e = (double)op_val(k, operand)[i * d + c] - (double)op_val(k, operand)[j * d + c];
        sum += e * e;
    }
    return sqrt(sum);
}

static double mean_distance(const op_case *k, int operand)
{
    int64_t n = op_in_shape(k, operand).d[0], count = 0;
    double sum = 0;
    for (int64_t i = 0; i < n * n; i++) {
        double d = distance(k, operand, i / n, i % n);
        sum += d;
        count += d > 0;
    }
    return count > 0 ? sum / (double)count : 1;
}

static bool relation_distance_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n = op_in_shape(k, 0).d[0];
    double m = mean_distance(k, 0), u = mean_distance(k, 1);
    *y = 0;
    for (int64_t i = 0; i < n * n; i++) {
        double a = distance(k, 0, i / n, i % n) / m, b = distance(k, 1, i / n, i % n) / u;
        *y += huber(a - b) / (double)(n * n);
    }
    *terms = *y; /* no cancellation: a sum of squares of what is computed in double */
    return true;
}
RELATION(relation_distance)

static double cosine(const op_case *k, int operand, int64_t i, int64_t j, int64_t l)
{
    int64_t d = op_in_shape(k, operand).d[1];
    const pith_real *x = op_val(k, operand);
    double a = distance(k, operand, i, j), b = distance(k, operand, l, j), sum = 0;
    for (int64_t c = 0; c < d; c++)
        sum += ((double)x[i * d + c] - (double)x[j * d + c]) * ((double)x[l * d + c] - (double)x[j * d + c]);
    return a > 0 && b > 0 ? sum / a / b : 0;
}

static bool relation_angle_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n = op_in_shape(k, 0).d[0];
    *y = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = 0; l < n; l++)
                *y += huber(cosine(k, 0, i, j, l) - cosine(k, 1, i, j, l)) / (double)(n * n * n);
    *terms = *y + 1e-20; /* rounding of a cosine of 1 */
    return true;
}
RELATION(relation_angle)

/* <x_i, x_j> over the length of row i */
static double similar(const op_case *k, int operand, int64_t i, int64_t j)
{
    pith_shape s = op_in_shape(k, operand);
    const pith_real *x = op_val(k, operand);
    double square = 0, mine = 0;
    for (int64_t l = 0; l < s.d[0]; l++) {
        double sum = 0;
        for (int64_t c = 0; c < s.d[1]; c++)
            sum += (double)x[i * s.d[1] + c] * (double)x[l * s.d[1] + c];
        square += sum * sum;
        mine = l == j ? sum : mine;
    }
    return square > 0 ? mine / sqrt(square) : 0;
}

static bool similarity_preserving_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    int64_t n = op_in_shape(k, 0).d[0];
    *y = 0;
    for (int64_t i = 0; i < n * n; i++) {
        double e = similar(k, 0, i / n, i % n) - similar(k, 1, i / n, i % n);
        *y += e * e / (double)(n * n);
    }
    *terms = *y;
    return true;
}
RELATION(similarity_preserving)
