/* tests/op_samples_quant.c: samples of the ops of quantization-aware training. */
#include "op_sample.h"
#include "ops/fake_quant.h"
#include "ops/table.h"
#include <math.h>

/* ---- fake_quant ---- */
static pith_tensor *fq_operands(op_case *k, int64_t c)
{
    pith_tensor *s = op_input(k, 1, PITH_SHAPE(c), 0.01, 0.3, k->index % 3 != 2);
    pith_tensor *z = op_input(k, 2, PITH_SHAPE(c), 0, 0, false);
    if (z && !z->poison && k->n[3] == 0)
        for (int64_t i = 0; i < c; i++)
            ((pith_real *)pith_values(k->in[2]))[i] =
                (pith_real)op_int(k, -(1 << (k->n[0] - 1)), (1 << (k->n[0] - 1)) - 1);
    return s;
}

static pith_tensor *fq_build(op_case *k)
{
    pith_shape s = op_shape(k, 1, 4);
    k->n[0] = op_int(k, 2, 8);                                 /* bits */
    k->n[1] = op_int(k, 0, 1) ? op_int(k, 0, s.ndim - 1) : -1; /* axis */
    k->n[2] = op_int(k, 0, 1);                                 /* narrow */
    k->n[3] = op_int(k, 0, 1);                                 /* symmetric */
    k->n[4] = k->n[1] < 0 && op_int(k, 0, 1);                  /* samples */
    pith_tensor *x = op_input(k, 0, s, -3, 3, true);
    pith_tensor *scale = fq_operands(k, k->n[1] < 0 ? 1 : s.d[k->n[1]]);
    return pith_fake_quant(x, scale, k->fed[2],
                           (pith_fake_quant_cfg){ .bits = (int)k->n[0],
                                                  .narrow = k->n[2],
                                                  .symmetric = k->n[3],
                                                  .per_channel = k->n[1] >= 0,
                                                  .axis = (int)k->n[1],
                                                  .samples = k->n[4] });
}

typedef struct {
    int64_t channel;
    double v, q, lo, hi, scale; /* x/S, its rounded value, the bounds less the zero point */
} fq_element;

static fq_element fq_at(const op_case *k, int64_t i)
{
    pith_shape s = op_in_shape(k, 0);
    int64_t inner = 1;
    fq_element e = { 0 };
    for (int j = (int)k->n[1] + 1; j < s.ndim && k->n[1] >= 0; j++)
        inner *= s.d[j];
    if (k->n[1] >= 0)
        e.channel = i / inner % s.d[k->n[1]];
    pith_real scale = op_val(k, 1)[e.channel];
    double zero = (double)op_val(k, 2)[e.channel], top = (double)(1 << (k->n[0] - 1));
    e.scale = (double)scale;
    e.v = (double)(pith_real)(op_val(k, 0)[i] / scale);
    e.q = round(e.v);
    double low = -top + (double)k->n[2]; /* a zero point below the narrow range counts as its end */
    zero = zero < low ? low : zero;
    e.lo = low - zero;
    e.hi = top - 1 - zero;
    return e;
}

static bool fq_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    for (int64_t i = 0; i < pith_size(k->in[0]); i++) {
        fq_element e = fq_at(k, i);
        y[i] = e.scale * fmin(fmax(e.q, e.lo), e.hi);
        terms[i] = fabs(y[i]);
    }
    return true;
}

static void fq_surrogate(const op_case *k, int operand, double *grad)
{
    pith_shape s = op_in_shape(k, 0);
    int64_t n = pith_size(k->in[0]);
    double each = (double)n / (double)pith_size(k->in[1]) / (k->n[4] ? (double)s.d[0] : 1);
    double g = 1 / sqrt(each * ((1 << (k->n[0] - 1)) - 1));
    for (int64_t i = 0; i < n; i++) {
        fq_element e = fq_at(k, i);
        double dy = (double)((const pith_real *)pith_values(k->w[0]))[i];
        bool in = e.q >= e.lo && e.q <= e.hi;
        if (operand == 0)
            grad[i] = in ? dy : 0;
        else
            grad[e.channel] += g * dy * (in ? e.q - e.v : e.q < e.lo ? e.lo : e.hi);
    }
    for (int64_t i = 0; k->via == OP_VIA_SHARED && i < pith_size(k->in[operand]); i++)
        grad[i] += (double)((const pith_real *)pith_values(k->w[1 + operand]))[i];
}

static pith_tensor *fq_bad(op_case *k, int i)
{
    pith_tensor *x =
        i == 0 ? op_indices(k, 0, PITH_SHAPE(3, 2), 0, 5) : op_input(k, 0, PITH_SHAPE(3, 2), -1, 1, true);
    pith_tensor *s = op_input(k, 1, PITH_SHAPE(i == 1 ? 2 : 1), 0.1, 1, false);
    pith_tensor *z = op_input(k, 2, PITH_SHAPE(1), 0, 0, false);
    pith_fake_quant_cfg cfg = { .bits = i == 2   ? 9
                                        : i == 3 ? 1
                                                 : 8,
                                .per_channel = i >= 4,
                                .axis = i == 4 ? 2 : -2 };
    return pith_fake_quant(x, s, z, cfg);
}

const op_sample op_sample_fake_quant = { .name = "fake_quant",
                                         .build = fq_build,
                                         .twin = fq_twin,
                                         .surrogate = fq_surrogate,
                                         .bads = 6,
                                         .bad = fq_bad };

/* ---- fold_weight ---- */
static pith_tensor *fold_build(op_case *k)
{
    bool dw = k->index % 2;
    int64_t c = op_dim(k, 1, 9, 300);
    pith_shape s = PITH_SHAPE(dw ? 1 : c, op_int(k, 1, 3), op_int(k, 1, 3), dw ? c : op_dim(k, 1, 7, 100));
    k->n[0] = dw;
    k->f[0] = 1e-3;
    pith_tensor *w = op_input(k, 0, s, -2, 2, true), *gamma = op_input(k, 1, PITH_SHAPE(c), -1.5, 1.5, true);
    pith_tensor *var = op_input(k, 2, PITH_SHAPE(c), 0.05, 2, false);
    pithp_fold_attr a = { .eps = k->f[0], .depthwise = dw };
    return pith_op_apply(&pithp_op_fold_weight, &a, NULL, 3, (pith_tensor *[]){ w, gamma, var });
}

static bool fold_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    pith_shape s = op_in_shape(k, 0);
    int64_t n = pithp_count(s), c = pith_size(k->in[1]);
    for (int64_t i = 0; i < n; i++) {
        int64_t ch = k->n[0] ? i % c : i / (n / c);
        y[i] = (double)op_val(k, 0)[i] * (double)op_val(k, 1)[ch] / sqrt((double)op_val(k, 2)[ch] + k->f[0]);
        terms[i] = fabs(y[i]);
    }
    return true;
}

static pith_tensor *fold_bad(op_case *k, int i)
{
    pith_tensor *w = op_input(k, 0, PITH_SHAPE(3, 1, 1, 2), -1, 1, true),
                *gamma = op_input(k, 1, PITH_SHAPE(i == 0 ? 2 : 3), 0.5, 1, true),
                *var = op_input(k, 2, PITH_SHAPE(3), 0.5, 1, false);
    pithp_fold_attr a = { .eps = i == 1 ? 0 : 1e-3, .depthwise = i == 2 };
    return pith_op_apply(&pithp_op_fold_weight, &a, NULL, 3, (pith_tensor *[]){ w, gamma, var });
}

const op_sample op_sample_fold_weight = {
    .name = "fold_weight", .build = fold_build, .twin = fold_twin, .bads = 3, .bad = fold_bad
};

/* ---- folded_batch_norm ---- */
static pith_tensor *folded_build(op_case *k)
{
    int64_t c = op_dim(k, 1, 7, 200);
    pith_shape s = op_int(k, 0, 1) ? PITH_SHAPE(op_dim(k, 3, 6, 40), op_int(k, 2, 4), op_int(k, 2, 4), c)
                                   : PITH_SHAPE(op_dim(k, 4, 12, 3000), c);
    k->n[0] = op_int(k, 0, 3); /* 0: frozen by attribute, 1: by the number of runs, else by the batch */
    pith_tensor *in[6] = { op_input(k, 0, s, -2, 2, true) };
    in[1] = op_input(k, 1, PITH_SHAPE(c), 0.3, 1.5, true);
    in[2] = op_input(k, 2, PITH_SHAPE(c), -1, 1, true);
    in[3] = op_input(k, 3, PITH_SHAPE(c), -0.5, 0.5, false);
    in[4] = op_input(k, 4, PITH_SHAPE(c), 0.2, 2, false);
    if (k->n[0] == 1)
        in[5] = op_input(k, 5, PITH_SHAPE(1), 5, 5, false);
    /* momentum 0: the running statistics must not move between the forwards of a gradient check */
    pithp_folded_attr a = {
        .momentum = 0, .eps = 1e-3, .frozen = k->n[0] == 0, .freeze = k->n[0] == 1 ? 5 : 0
    };
    return pith_op_apply(&pithp_op_folded_batch_norm, &a, NULL, k->n[0] == 1 ? 6 : 5, in);
}

static bool folded_twin(const op_case *k, bool train, double *y, double *terms)
{
    int64_t c = pith_size(k->in[1]), rows = pith_size(k->in[0]) / c;
    bool batch = train && k->n[0] > 1;
    for (int64_t j = 0; j < c; j++) {
        double gamma = (double)op_val(k, 1)[j], run = sqrt((double)op_val(k, 4)[j] + 1e-3), mean = 0, var = 0;
        for (int64_t i = 0; i < rows; i++)
            mean += (double)op_val(k, 0)[i * c + j] / (double)rows;
        for (int64_t i = 0; i < rows; i++)
            var += pow((double)op_val(k, 0)[i * c + j] - mean, 2) / (double)rows;
        double r = batch ? run / sqrt(var * run * run / (gamma * gamma) + 1e-3) : 1;
        if (!batch)
            mean = (double)op_val(k, 3)[j] * gamma / run;
        for (int64_t i = 0; i < rows; i++) {
            double x = (double)op_val(k, 0)[i * c + j];
            y[i * c + j] = (x - mean) * r + (double)op_val(k, 2)[j];
            terms[i * c + j] = (fabs(x) + fabs(mean)) * r + fabs((double)op_val(k, 2)[j]);
        }
    }
    return true;
}

static pith_tensor *folded_bad(op_case *k, int i)
{
    pith_tensor *in[6] = { op_input(k, 0, i == 0 ? PITH_SHAPE(3) : PITH_SHAPE(3, 3), -1, 1, true) };
    for (int j = 1; j < 5; j++)
        in[j] = op_input(k, j, PITH_SHAPE(i == j ? 2 : 3), 0.5, 1, false);
    in[5] = op_input(k, 5, PITH_SHAPE(i == 5 ? 2 : 1), 0, 0, false);
    pithp_folded_attr a = { .eps = i == 6 ? 0 : 1e-3, .freeze = i == 7 ? -1 : 0 };
    return pith_op_apply(&pithp_op_folded_batch_norm, &a, NULL, 6, in);
}

const op_sample op_sample_folded_batch_norm = {
    .name = "folded_batch_norm", .build = folded_build, .twin = folded_twin, .bads = 8, .bad = folded_bad
};

/* ---- codebook ---- */
static pith_tensor *codebook_build(op_case *k)
{
    k->n[0] = op_int(k, 1, 8);                              /* bits */
    k->n[1] = op_int(k, 1, 1 << k->n[0]);                   /* centroids */
    k->n[2] = k->index % 3 ? 0 : op_int(k, 0, k->n[1] - 1); /* the one that stays */
    pith_shape s = op_shape(k, 1, 4);
    if (k->big)
        s = PITH_SHAPE(3, 50, 257);
    pith_tensor *c = op_input(k, 0, PITH_SHAPE(k->n[1]), -2, 2, true);
    pith_tensor *i = op_indices(k, 1, s, -1, k->n[1]); /* one too few and one too many, too */
    return pith_codebook_weights(c, i,
                                 (pith_codebook_weights_cfg){ .bits = (int)k->n[0],
                                                              .zero = (int)k->n[2],
                                                              .keep_zero = k->index % 3 == 0 });
}

static int64_t codebook_index(const op_case *k, int64_t i)
{
    int32_t at = ((const int32_t *)pith_values(k->in[1]))[i];
    return at < 0 ? 0 : at >= k->n[1] ? k->n[1] - 1 : at;
}

static bool codebook_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    for (int64_t i = 0; i < pithp_count(op_in_shape(k, 1)); i++)
        terms[i] = fabs(y[i] = (double)op_val(k, 0)[codebook_index(k, i)]);
    return true;
}

/* The derivative, but for the centroid that stays. */
static void codebook_surrogate(const op_case *k, int i, double *grad)
{
    const pith_real *w = pith_values(k->w[0]);
    if (i != 0)
        return;
    for (int64_t j = 0; j < k->n[1]; j++)
        grad[j] = 0;
    for (int64_t j = 0; j < pithp_count(op_in_shape(k, 1)); j++)
        if (k->index % 3 || codebook_index(k, j) != k->n[2])
            grad[codebook_index(k, j)] += (double)w[j];
    for (int64_t j = 0; k->via == OP_VIA_SHARED && j < k->n[1]; j++)
        grad[j] += (double)((const pith_real *)pith_values(k->w[1]))[j];
}

static pith_tensor *codebook_bad(op_case *k, int i)
{
    pith_tensor *c = i == 0 ? op_indices(k, 0, PITH_SHAPE(4), 0, 3)
                            : op_input(k, 0, i == 1 ? PITH_SHAPE(2, 2) : PITH_SHAPE(4), -1, 1, true);
    pith_tensor *x =
        i == 2 ? op_input(k, 1, PITH_SHAPE(3), 0, 1, true) : op_indices(k, 1, PITH_SHAPE(3), 0, 3);
    return pith_codebook_weights(c, x,
                                 (pith_codebook_weights_cfg){ .bits = i == 3   ? 1
                                                                      : i == 4 ? 9
                                                                               : 2,
                                                              .keep_zero = i >= 5,
                                                              .zero = i == 5 ? 4 : -2 });
}

const op_sample op_sample_codebook = { .name = "codebook",
                                       .build = codebook_build,
                                       .twin = codebook_twin,
                                       .surrogate = codebook_surrogate,
                                       .bads = 7,
                                       .bad = codebook_bad };

/* ---- dynamic_quant ---- */
static pith_tensor *dynamic_build(op_case *k)
{
    pith_shape s = op_shape(k, 1, 4);
    /* also samples on one side of zero, or all zero */
    double lo = k->index % 4 == 0 ? 1 : k->index % 4 == 1 ? -3 : k->index % 4 == 2 ? 0 : -1;
    double hi = k->index % 4 == 0 ? 3 : k->index % 4 == 1 ? -1 : k->index % 4 == 2 ? 0 : 4;
    return pith_dynamic_quant(op_input(k, 0, s, lo, hi, true));
}

static bool dynamic_twin(const op_case *k, bool train, double *y, double *terms)
{
    pith_shape s = op_in_shape(k, 0);
    int64_t n = pithp_count(s) / s.d[0];
    (void)train;
    for (int64_t b = 0; b < s.d[0]; b++) {
        const pith_real *x = op_val(k, 0) + b * n;
        double lo = 0, hi = 0;
        for (int64_t i = 0; i < n; i++)
            lo = fmin(lo, (double)x[i]), hi = fmax(hi, (double)x[i]);
        double step = (double)((float)hi - (float)lo) / 255, low = lo / step, high = hi / step;
        double zero = 128 + fabs(low) < 127 + fabs(high) ? -128 - low : 127 - high;
        zero = fmax(-128, fmin(127, round(zero)));
        for (int64_t i = 0; i < n; i++) {
            float inverse = (float)(1 / (double)(float)step);
            double q = zero + (double)roundf((float)x[i] * inverse);
            y[b * n + i] = step > 0 ? (double)(float)step * (fmax(-128, fmin(127, q)) - zero) : (double)x[i];
            terms[b * n + i] = fabs(y[b * n + i]);
        }
    }
    return true;
}

static void dynamic_surrogate(const op_case *k, int i, double *grad)
{
    for (int64_t j = 0; j < pith_size(k->in[0]); j++)
        grad[j] = (double)((const pith_real *)pith_values(k->w[0]))[j] +
                  (k->via == OP_VIA_SHARED ? (double)((const pith_real *)pith_values(k->w[1]))[j] : 0);
    (void)i;
}

static pith_tensor *dynamic_bad(op_case *k, int i)
{
    return pith_dynamic_quant(i == 0 ? op_indices(k, 0, PITH_SHAPE(3), 0, 3)
                                     : op_input(k, 0, PITH_SCALAR, -1, 1, true));
}

const op_sample op_sample_dynamic_quant = { .name = "dynamic_quant",
                                            .build = dynamic_build,
                                            .twin = dynamic_twin,
                                            .surrogate = dynamic_surrogate,
                                            .bads = 2,
                                            .bad = dynamic_bad };
