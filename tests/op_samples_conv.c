/* tests/op_samples_conv.c: samples of convolutions, batch normalisation, and the two fused. */
#include "op_sample.h"
#include "ops/fake_quant.h"
#include "ops/table.h"
#include <math.h>
#include <stdlib.h>

enum { X, W, GAMMA, BETA, RUN_MEAN, RUN_VAR, RES, BIAS };

static int or_one(int64_t v) { return v ? (int)v : 1; }

static pith_conv2d_cfg geometry(op_case *k)
{
    pith_conv2d_cfg g = { .pad_mode = (pith_pad_mode)(k->index % 3) };
    g.stride = (int)op_int(k, 0, 2);
    g.stride_w = op_int(k, 0, 2) ? 0 : (int)op_int(k, 1, 3);
    g.dilation = op_int(k, 0, 2) ? 0 : 2;
    g.dilation_w = op_int(k, 0, 3) ? 0 : 1;
    for (int i = 0; i < 4 && g.pad_mode == PITH_EXPLICIT; i++)
        g.pad[i] = (int)op_int(k, 0, 3);
    return g;
}

/* x, w of a convolution; its other operands are the caller's. */
static void operands(op_case *k, bool depthwise)
{
    static const int64_t groups_of[] = { 0, 1, 2, 3 };
    k->conv = geometry(k);
    int64_t groups = depthwise ? 1 : groups_of[op_int(k, 0, 3)], per = op_dim(k, 1, 3, 24),
            out = op_dim(k, 1, 4, 24);
    k->conv.groups = groups;
    k->n[0] = depthwise;
    int64_t c = PITHP_MAX(groups, 1) * per, n_k = PITHP_MAX(groups, 1) * out;
    int64_t n = op_dim(k, 1, 3, 5), h = op_dim(k, 5, 8, 20), w = op_dim(k, 5, 8, 20), r = op_int(k, 1, 3);
    int64_t s = op_int(k, 1, 3);
    if (k->index % 6 == 0)
        r = s = k->conv.pad_mode == PITH_SAME ? 5 : 1;
    if (depthwise && k->index % 4 == 1)
        c = op_dim(k, 14, 35, 70); /* beside and beyond a vector's width */
    op_input(k, X, PITH_SHAPE(n, h, w, c), -1, 1, true);
    op_input(k, W, depthwise ? PITH_SHAPE(1, r, s, c) : PITH_SHAPE(n_k, r, s, per), -1, 1, true);
    k->n[1] = depthwise ? c : n_k;
}

static pith_tensor *conv_of(op_case *k, pith_tensor *bias)
{
    return k->n[0] ? pith_depthwise_conv2d(k->fed[X], k->fed[W], bias, k->conv)
                   : pith_conv2d(k->fed[X], k->fed[W], bias, k->conv);
}

/* Padding above (or left), by the definition of each mode. */
static int64_t lead(pith_pad_mode mode, int64_t size, int64_t out, int64_t kernel, int stride, int dil,
                    int explicit)
{
    int64_t total = (out - 1) * stride + (kernel - 1) * dil + 1 - size;
    return mode == PITH_EXPLICIT ? explicit : mode == PITH_SAME && total > 0 ? total / 2 : 0;
}

typedef struct {
    pith_shape x, w, y;
    int64_t groups, top, left;
    int sh, sw, dh, dw;
} conv_def;

static conv_def define(const op_case *k, pith_shape y)
{
    const pith_conv2d_cfg *g = &k->conv;
    conv_def d = { .x = op_in_shape(k, X), .w = op_in_shape(k, W), .y = y };
    d.sh = or_one(g->stride);
    d.sw = g->stride_w ? g->stride_w : d.sh;
    d.dh = or_one(g->dilation);
    d.dw = g->dilation_w ? g->dilation_w : d.dh;
    d.groups = k->n[0] ? d.x.d[3] : or_one(g->groups);
    d.top = lead(g->pad_mode, d.x.d[1], y.d[1], d.w.d[1], d.sh, d.dh, g->pad[0]);
    d.left = lead(g->pad_mode, d.x.d[2], y.d[2], d.w.d[2], d.sw, d.dw, g->pad[2]);
    return d;
}

/* One result, at n, p, q, channel. */
static void conv_one(const op_case *k, const conv_def *d, const int64_t at[4], double *y, double *terms)
{
    const pith_real *x = op_val(k, X), *w = op_val(k, W);
    int64_t per = d->x.d[3] / d->groups, first = at[3] / (d->y.d[3] / d->groups) * per;
    *y = k->in[BIAS] ? (double)op_val(k, BIAS)[at[3]] : 0;
    *terms = fabs(*y);
    for (int64_t r = 0; r < d->w.d[1]; r++)
        for (int64_t s = 0; s < d->w.d[2]; s++) {
            int64_t h = at[1] * d->sh + r * d->dh - d->top, col = at[2] * d->sw + s * d->dw - d->left;
            if (h < 0 || col < 0 || h >= d->x.d[1] || col >= d->x.d[2])
                continue;
            for (int64_t c = 0; c < per; c++) {
                int64_t tap = k->n[0] ? (r * d->w.d[2] + s) * d->w.d[3] + at[3]
                                      : ((at[3] * d->w.d[1] + r) * d->w.d[2] + s) * per + c;
                double t = (double)w[tap] *
                           (double)x[((at[0] * d->x.d[1] + h) * d->x.d[2] + col) * d->x.d[3] + first + c];
                *y += t;
                *terms += fabs(t);
            }
        }
}

static bool conv_twin_of(const op_case *k, double *y, double *terms)
{
    conv_def d = define(k, pith_shape_of(k->out));
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        int64_t c = i % d.y.d[3], q = i / d.y.d[3] % d.y.d[2], p = i / d.y.d[3] / d.y.d[2] % d.y.d[1];
        int64_t at[4] = { i / d.y.d[3] / d.y.d[2] / d.y.d[1], p, q, c };
        conv_one(k, &d, at, &y[i], &terms[i]);
    }
    return true;
}

static pith_tensor *bias_of(op_case *k) { return op_input(k, BIAS, PITH_SHAPE(k->n[1]), -1, 1, true); }

static pith_tensor *conv2d_build(op_case *k)
{
    operands(k, false);
    return conv_of(k, k->index % 2 ? bias_of(k) : NULL);
}
static bool conv2d_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    return conv_twin_of(k, y, terms);
}

static pith_tensor *conv_bad(op_case *k,
                             pith_tensor *(*op)(pith_tensor *, pith_tensor *, pith_tensor *, pith_conv2d_cfg),
                             pith_shape w_ok, int i)
{
    static const pith_conv2d_cfg cfg[] = {
        { .stride = -1 },
        { .dilation = -2 },
        { .stride = 1 << 30 },
        { .pad_mode = PITH_EXPLICIT, .pad = { -1, 0, 0, 0 } },
        { .pad_mode = (pith_pad_mode)9 },
        { .pad_mode = PITH_VALID, .dilation = 4 },
    };
    pith_shape w = w_ok;
    pith_tensor *x = op_input(k, 0, i == 6 ? PITH_SHAPE(5, 5, 4) : PITH_SHAPE(2, 5, 5, 4), -1, 1, true);
    if (i == 7)
        w.ndim = 3;
    if (i == 8)
        w.d[3]++;
    pith_tensor *bias = op_input(k, 3, i == 9 ? PITH_SHAPE(5) : PITH_SHAPE(1, 4), -1, 1, true);
    pith_tensor *f = op_input(k, 1, w, -1, 1, true);
    if (i == 10)
        return op(op_indices(k, 2, PITH_SHAPE(2, 5, 5, 4), 0, 1), f, NULL, (pith_conv2d_cfg){ 0 });
    return op(x, f, i == 9 || i == 11 ? bias : NULL, i < 6 ? cfg[i] : (pith_conv2d_cfg){ 0 });
}
static pith_tensor *conv2d_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 4, PITH_SHAPE(2, 5, 5, 4), -1, 1, true);
    pith_tensor *w = op_input(k, 5, PITH_SHAPE(4, 3, 3, 4), -1, 1, true);
    if (i == 12)
        return pith_conv2d(x, w, NULL, (pith_conv2d_cfg){ .groups = 3 });
    if (i == 13)
        return pith_conv2d(x, w, NULL, (pith_conv2d_cfg){ .groups = -2 });
    if (i == 14)
        return pith_conv2d(x, w, op_indices(k, 6, PITH_SHAPE(4), 0, 1), (pith_conv2d_cfg){ 0 });
    return conv_bad(k, pith_conv2d, PITH_SHAPE(4, 3, 3, 4), i);
}
const op_sample op_sample_conv2d = {
    .name = "conv2d", .cases = 60, .build = conv2d_build, .twin = conv2d_twin, .bads = 15, .bad = conv2d_bad
};

static pith_tensor *dw_build(op_case *k)
{
    operands(k, true);
    return conv_of(k, k->index % 2 ? bias_of(k) : NULL);
}
static pith_tensor *dw_bad(op_case *k, int i)
{
    return conv_bad(k, pith_depthwise_conv2d, PITH_SHAPE(1, 3, 3, 4), i);
}
const op_sample op_sample_depthwise_conv2d = {
    .name = "depthwise_conv2d", .cases = 60, .build = dw_build, .twin = conv2d_twin, .bads = 12, .bad = dw_bad
};

/* ---- Batch normalisation ---- */
static pith_tensor *norm_of(op_case *k, pith_tensor *x, int64_t c)
{
    k->bn = (pith_batch_norm_cfg){ .momentum = op_real(k, 0.05, 0.5),
                                   .eps = k->index % 2 ? 0 : 0.01,
                                   .frozen = k->index % 4 == 3 };
    pith_tensor *gamma = op_input(k, GAMMA, PITH_SHAPE(c), 0.5, 1.5, true);
    pith_tensor *beta = op_input(k, BETA, PITH_SHAPE(c), -1, 1, true);
    pith_tensor *mean = op_input(k, RUN_MEAN, PITH_SHAPE(c), -0.5, 0.5, false);
    return pith_batch_norm(x, gamma, beta, mean, op_input(k, RUN_VAR, PITH_SHAPE(c), 0.5, 2, false), k->bn);
}

/* y holds x on entry and terms its terms. */
static void norm_twin_of(const op_case *k, bool train, int64_t n, int64_t c, double *y, double *terms)
{
    double eps = k->bn.eps != 0 ? k->bn.eps : 1e-3;
    for (int64_t j = 0; j < c; j++) {
        double mean = (double)op_val(k, RUN_MEAN)[j], var = (double)op_val(k, RUN_VAR)[j],
               rows = (double)(n / c);
        double gamma = (double)op_val(k, GAMMA)[j], beta = (double)op_val(k, BETA)[j];
        if (train && !k->bn.frozen) {
            mean = var = 0;
            for (int64_t i = j; i < n; i += c)
                mean += y[i] / rows;
            for (int64_t i = j; i < n; i += c)
                var += (y[i] - mean) * (y[i] - mean) / rows;
        }
        double scale = gamma / sqrt(var + eps);
        for (int64_t i = j; i < n; i += c) {
            y[i] = (y[i] - mean) * scale + beta;
            terms[i] = (terms[i] + fabs(mean)) * fabs(scale) + fabs(beta);
        }
    }
}

static pith_tensor *bn_build(op_case *k)
{
    pith_shape s = op_shape(k, 2, 4);
    int64_t c = s.d[s.ndim - 1];
    s.d[0] = op_dim(k, 4, 9, s.d[0]); /* enough rows for a variance */
    double centre = k->index % 5 == 2 ? 30 : 0;
    return norm_of(k, op_input(k, X, s, centre - 1, centre + 1, true), c);
}
static bool bn_twin(const op_case *k, bool train, double *y, double *terms)
{
    int64_t n = pith_size(k->out);
    for (int64_t i = 0; i < n; i++) {
        y[i] = (double)op_val(k, X)[i];
        terms[i] = fabs(y[i]);
    }
    norm_twin_of(k, train, n, pith_size(k->in[GAMMA]), y, terms);
    return true;
}
static pith_tensor *bn_bad(op_case *k, int i)
{
    pith_tensor *v[5];
    for (int j = 0; j < 5; j++)
        v[j] = op_input(k, j,
                        j == 0   ? (i == 0 ? PITH_SHAPE(4) : PITH_SHAPE(6, 4))
                        : i == j ? PITH_SHAPE(3)
                                 : PITH_SHAPE(4),
                        0, 1, true);
    return pith_batch_norm(v[0], v[1], v[2], v[3], v[4],
                           (pith_batch_norm_cfg){ .momentum = i == 5 ? 2 : 0,
                                                  .eps = i == 6   ? -1
                                                         : i == 7 ? (double)NAN
                                                                  : 0 });
}
const op_sample op_sample_batch_norm = {
    .name = "batch_norm", .cases = 40, .build = bn_build, .twin = bn_twin, .bads = 8, .bad = bn_bad
};

/* ---- act(batch_norm(conv)) [+ res], which the planner fuses: n[2] the activation, n[3] with a residual ---- */
static pith_tensor *fused_build(op_case *k)
{
    operands(k, k->index % 3 == 2);
    k->n[2] = k->index % 5;
    k->n[3] = k->index / 5 % 2;
    pith_tensor *conv = conv_of(k, NULL);
    if (!conv || conv->poison)
        return conv;
    pith_shape y = pith_shape_of(conv);
    bool res_first = k->index % 4 >= 2; /* recorded before the branch, or after it */
    pith_tensor *res = k->n[3] && res_first ? op_input(k, RES, y, -1, 1, true) : NULL;
    pith_tensor *z = pith_activation(norm_of(k, conv, k->n[1]), (pith_act)k->n[2]);
    if (!k->n[3])
        return z;
    if (!res_first)
        res = op_input(k, RES, y, -1, 1, true);
    return k->index % 2 ? pith_add(z, res) : pith_add(res, z);
}

static double activate(int64_t act, double u)
{
    switch (act) {
    case PITH_RELU: return fmax(u, 0);
    case PITH_RELU6: return fmin(fmax(u, 0), 6);
    case PITH_SILU: return u / (1 + exp(-u));
    case PITH_SIGMOID: return 1 / (1 + exp(-u));
    default: return u;
    }
}

static bool fused_twin(const op_case *k, bool train, double *y, double *terms)
{
    int64_t n = pith_size(k->out);
    conv_twin_of(k, y, terms);
    norm_twin_of(k, train, n, k->n[1], y, terms);
    for (int64_t i = 0; i < n; i++) {
        double res = k->n[3] ? (double)op_val(k, RES)[i] : 0;
        y[i] = activate(k->n[2], y[i]) + res;
        terms[i] += fabs(res) + fabs(y[i]);
    }
    return true;
}
const op_sample op_sample_conv_bn_act = { .name = "conv_bn_act",
                                          .cases = 60,
                                          .build = fused_build,
                                          .twin = fused_twin,
                                          .fused = &pithp_op_conv_bn_act };

/* ---- The same, followed by another that loads the first one's result raw: n[4] its kernel, 0: 1x1 ---- */
static pith_tensor *constant(op_case *k, pith_shape s, double lo, double hi)
{
    pith_tensor *t = pith_leaf(k->c, PITH_F32, s, NULL);
    for (int64_t i = 0; t && !t->poison && i < pith_size(t); i++)
        ((pith_real *)pith_values(t))[i] = (pith_real)op_real(k, lo, hi);
    return t;
}

static pith_tensor *raw_build(op_case *k)
{
    enum { W2 = 7 };
    operands(k, k->index % 3 == 2);
    k->n[2] = k->index % 5;
    pith_tensor *conv = conv_of(k, NULL);
    if (!conv || conv->poison)
        return conv;
    pith_tensor *z = pith_activation(norm_of(k, conv, k->n[1]), (pith_act)k->n[2]);
    int64_t c = k->n[1], out = c;
    bool depthwise = k->index % 2;
    pith_conv2d_cfg cfg = { 0 };
    if (depthwise) {
        int64_t r = op_int(k, 1, 5), s = op_int(k, 1, 5);
        cfg.stride = (int)op_int(k, 1, 2);
        cfg.stride_w = (int)op_int(k, 1, 3);
        conv = pith_depthwise_conv2d(z, op_input(k, W2, PITH_SHAPE(1, r, s, c), -1, 1, true), NULL, cfg);
    } else {
        out = op_dim(k, 1, 9, 40);
        conv = pith_conv2d(z, op_input(k, W2, PITH_SHAPE(out, 1, 1, c), -1, 1, true), NULL, cfg);
    }
    pith_shape v = PITH_SHAPE(out);
    pith_tensor *gamma = constant(k, v, 0.5, 1.5), *beta = constant(k, v, -1, 1),
                *mean = constant(k, v, 0, 1);
    return pith_relu6(pith_batch_norm(conv, gamma, beta, mean, constant(k, v, 0.5, 2),
                                      (pith_batch_norm_cfg){ .eps = 0.1, .frozen = k->index % 7 == 3 }));
}

/* Its twin is the unfused plan, which every case is held against. */
static bool raw_twin(const op_case *k, bool train, double *y, double *terms) { return false; }

const op_sample op_sample_conv_bn_raw = { .name = "conv_bn_raw",
                                          .cases = 60,
                                          .build = raw_build,
                                          .twin = raw_twin,
                                          .fused = &pithp_op_conv_bn_raw,
                                          .train_only = true };

/* ---- fake_quant(act(folded_batch_norm(conv))): n[2] the activation, n[3] a fake_quant that has seen nothing yet, n[4] a bias
   instead of the norm ---- */
static pith_tensor *quant_build(op_case *k)
{
    static const int64_t acts[] = { PITH_LINEAR, PITH_RELU, PITH_RELU6 };
    operands(k, k->index % 3 == 2);
    k->n[2] = acts[k->index % 3];
    k->n[4] = k->index % 5 == 4;
    k->n[3] = k->index % 2 || k->n[4];
    pith_tensor *z = conv_of(k, k->n[4] ? bias_of(k) : NULL);
    if (!k->n[4]) {
        pithp_folded_attr a = { .momentum = 0, .eps = 1e-3, .frozen = k->index % 4 == 3 };
        k->bn.frozen = a.frozen;
        pith_shape c = PITH_SHAPE(k->n[1]);
        pith_tensor *in[5] = { z, op_input(k, GAMMA, c, 0.5, 1.5, true), op_input(k, BETA, c, -1, 1, true),
                               op_input(k, RUN_MEAN, c, -0.5, 0.5, false),
                               op_input(k, RUN_VAR, c, 0.5, 2, false) };
        z = pith_op_apply(&pithp_op_folded_batch_norm, &a, NULL, 5, in);
    }
    z = pith_activation(z, (pith_act)k->n[2]);
    if (!k->n[3] || !z || z->poison)
        return z;
    pithp_fq_attr q = { .bits = 8, .axis = -1, .samples = true };
    pith_tensor *none = pith_leaf(k->c, PITH_F32, PITH_SHAPE(1), NULL);
    return pith_op_apply(&pithp_op_fake_quant, &q, NULL, 3, (pith_tensor *[]){ z, none, none });
}

static void folded_twin_of(const op_case *k, bool train, int64_t n, int64_t c, double *y, double *terms)
{
    for (int64_t j = 0; j < c; j++) {
        double gamma = (double)op_val(k, GAMMA)[j], run = sqrt((double)op_val(k, RUN_VAR)[j] + 1e-3), r = 1;
        double mean = (double)op_val(k, RUN_MEAN)[j] * gamma / run, var = 0,
               beta = (double)op_val(k, BETA)[j];
        if (train && !k->bn.frozen) {
            mean = 0;
            for (int64_t i = j; i < n; i += c)
                mean += y[i] * (double)c / (double)n;
            for (int64_t i = j; i < n; i += c)
                var += (y[i] - mean) * (y[i] - mean) * (double)c / (double)n;
            r = run / sqrt(var * run * run / (gamma * gamma) + 1e-3);
        }
        for (int64_t i = j; i < n; i += c) {
            y[i] = (y[i] - mean) * r + beta;
            terms[i] = (terms[i] + fabs(mean)) * r + fabs(beta);
        }
    }
}

static bool quant_twin(const op_case *k, bool train, double *y, double *terms)
{
    conv_twin_of(k, y, terms);
    if (!k->n[4])
        folded_twin_of(k, train, pith_size(k->out), k->n[1], y, terms);
    for (int64_t i = 0; i < pith_size(k->out); i++)
        y[i] = activate(k->n[2], y[i]);
    return true;
}
const op_sample op_sample_quant_conv = {
    .name = "quant_conv", .cases = 60, .build = quant_build, .twin = quant_twin, .fused = &pithp_op_quant_conv
};
