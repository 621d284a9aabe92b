/* Random graphs of one integer op: tests/int8_cases.h. */
#include "int8_cases.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    pithp_rand r;
    pithp_qgraph *g;
    pithp_qattr a;
    int8_t codes[256];
    int64_t n; /* samples wanted */
} draw;

static int64_t pick(draw *d, int64_t lo, int64_t hi)
{
    return lo + (int64_t)pithp_rand_below(&d->r, (uint64_t)(hi - lo + 1));
}
static bool one_in(draw *d, int64_t n) { return pick(d, 1, n) == 1; }
static float scale(draw *d, double lo, double hi)
{
    return (float)exp2(lo + (hi - lo) * pithp_rand_uniform(&d->r));
}

static int32_t zero(draw *d)
{
    int64_t w = pick(d, 0, 5);
    return w == 0 ? -128 : w == 1 ? 127 : w == 2 ? 0 : (int32_t)pick(d, -128, 127);
}

static pithp_qparam param(draw *d, double lo, double hi)
{
    float s = scale(d, lo, hi);
    return (pithp_qparam){ s, zero(d) };
}

static int input(draw *d, const char *name, pith_shape s)
{
    return pithp_q_input(d->g, name, PITH_I8, s, param(d, -10, 1));
}

static const pithp_qtensor *tensor(draw *d, int t) { return d->g->failed ? NULL : pithp_q_tensor(d->g, t); }

/* A scale for results of about `size` times `from`, or one at an edge of what factors there are. */
static pithp_qparam result(draw *d, double from, double size)
{
    double s = from * size / 64 * exp2(pithp_rand_uniform(&d->r) * 6 - 3);
    switch (pick(d, 0, 11)) {
    case 0: s = from * exp2(31.5); break;                  /* factor below 2^-31 */
    case 1: s = from * exp2(pick(d, 26, 31) - 0.3); break; /* just above it */
    case 2: s = from * exp2(-pick(d, 0, 5) - 0.4); break;  /* factor above 1: saturates */
    case 3: s = from; break;                               /* exactly 1 */
    default: break;
    }
    float f = (float)fmin(fmax(s, 1e-30), 1e30);
    return (pithp_qparam){ f, zero(d) };
}

static pithp_qact act(draw *d) { return one_in(d, 2) ? PITHP_QLINEAR : (pithp_qact)pick(d, 1, 3); }

static void fill(draw *d, int8_t *p, int64_t n, int lo)
{
    int64_t how = pick(d, 0, 15);
    for (int64_t i = 0; i < n; i++)
        p[i] = (int8_t)(how == 0   ? 127
                        : how == 1 ? lo
                        : how == 2 ? (pick(d, 0, 1) ? lo : 127)
                                   : pick(d, lo, 127));
}

/* TFLite knows two paddings; the others are tested between our own kernels. */
static void same_or_valid(draw *d, const pith_shape *x, const int64_t k[2], bool any)
{
    for (int i = 0; i < 2; i++) {
        int64_t in = x->d[1 + i], s = d->a.stride[i],
                span = (k[i] - 1) * (d->a.dilation[i] ? d->a.dilation[i] : 1) + 1;
        int64_t out = (in + s - 1) / s, total = PITHP_MAX((out - 1) * s + span - in, 0);
        d->a.pad[2 * i] = total / 2, d->a.pad[2 * i + 1] = total - total / 2;
    }
    if (any)
        for (int i = 0; i < 4; i++)
            d->a.pad[i] = pick(d, 0, k[i / 2] - 1);
}

/* Weights [shape] with channels along `axis`, and a bias; both quantized per channel or as a whole. in[1], in[2]. */
static int weights(draw *d, int x, pith_shape s, int axis, int in[3], double *size, double *from)
{
    int64_t k = s.d[axis], count = pithp_count(s), per = count / k;
    const pithp_qtensor *t = tensor(d, x);
    if (!t)
        return 0;
    int ns = one_in(d, 3) ? 1 : (int)k;
    float *sw = calloc((size_t)k, sizeof *sw), *sb = calloc((size_t)k, sizeof *sb), low = scale(d, -12, -4);
    int8_t *w = malloc((size_t)count);
    int32_t *b = calloc((size_t)k, sizeof *b);
    bool biased = !one_in(d, 5), huge = one_in(d, 8);
    fill(d, w, count, -127);
    *size = sqrt((double)per) * 50 * 80;
    for (int64_t i = 0; i < k; i++) {
        sw[i] = low * (float)exp2(pithp_rand_uniform(&d->r) * 3);
        sb[i] = (float)((double)t->scale[0] * (double)sw[i]);
        b[i] = (int32_t)((pithp_rand_uniform(&d->r) * 2 - 1) * (huge ? 2e9 : *size));
        if (one_in(d, 12))
            for (int64_t j = 0; j < per; j++)
                w[axis == 0 ? i * per + j : j * k + i] = 0;
    }
    *from = (double)t->scale[0] * (double)sw[0];
    in[0] = x;
    in[1] = pithp_q_const(d->g, "w", PITH_I8, s, sw, ns, axis, 0, w);
    if (biased)
        in[2] = pithp_q_const(d->g, "b", PITH_I32, PITH_SHAPE(k), sb, ns, 0, 0, b);
    free(sw), free(sb), free(w), free(b);
    return biased ? 3 : 2;
}

static void window(draw *d, int64_t most)
{
    for (int i = 0; i < 2; i++) {
        d->a.stride[i] = pick(d, 1, 3);
        d->a.kernel[i] = pick(d, 1, most);
    }
}

static int conv(draw *d, bool any)
{
    int64_t groups = one_in(d, 4) ? pick(d, 2, 4) : 1, big = one_in(d, 3) ? 96 : 20;
    int64_t c = groups * pick(d, 1, big / groups), k = groups * pick(d, 1, 48 / groups);
    bool point = one_in(d, 2);
    window(d, point ? 1 : 5);
    if (point && one_in(d, 2))
        d->a.stride[0] = d->a.stride[1] = 1;
    if (!point && one_in(d, 4))
        d->a.dilation[0] = pick(d, 1, 2), d->a.dilation[1] = pick(d, 1, 2);
    pith_shape s = PITH_SHAPE(1, pick(d, 9, 30), pick(d, 9, 30), c);
    int in[3], x = input(d, "x", s);
    double size, from;
    if (any || one_in(d, 2))
        same_or_valid(d, &s, d->a.kernel, any);
    int n = weights(d, x, PITH_SHAPE(k, d->a.kernel[0], d->a.kernel[1], c / groups), 0, in, &size, &from);
    d->a.groups = groups;
    d->a.act = act(d);
    return pithp_q_op(d->g, &pithp_qop_conv2d, "y", in, n, &d->a, result(d, from, size));
}

static int conv_tflite(draw *d) { return conv(d, false); }
static int conv_any(draw *d) { return conv(d, true); }

static int depthwise(draw *d, bool any)
{
    int64_t c = pick(d, 1, one_in(d, 3) ? 130 : 40), m = one_in(d, 4) ? pick(d, 2, 3) : 1;
    window(d, 5);
    if (one_in(d, 2))
        d->a.kernel[0] = d->a.kernel[1] = one_in(d, 2) ? 3 : 5;
    if (one_in(d, 2))
        d->a.stride[0] = d->a.stride[1] = pick(d, 1, 2);
    pith_shape s = PITH_SHAPE(1, pick(d, 6, 30), pick(d, 6, 30), c);
    if (any || one_in(d, 2))
        same_or_valid(d, &s, d->a.kernel, any);
    int in[3], x = input(d, "x", s);
    double size, from;
    int n = weights(d, x, PITH_SHAPE(1, d->a.kernel[0], d->a.kernel[1], c * m), 3, in, &size, &from);
    d->a.act = act(d);
    return pithp_q_op(d->g, &pithp_qop_depthwise, "y", in, n, &d->a, result(d, from, size));
}

static int depthwise_tflite(draw *d) { return depthwise(d, false); }
static int depthwise_any(draw *d) { return depthwise(d, true); }

static int dense(draw *d)
{
    int in[3], x = input(d, "x", PITH_SHAPE(1, pick(d, 1, 300)));
    double size, from;
    int64_t i = d->g->failed ? 1 : tensor(d, x)->shape.d[1];
    int n = weights(d, x, PITH_SHAPE(pick(d, 1, 200), i), 0, in, &size, &from);
    d->a.act = act(d);
    d->n = 100;
    return pithp_q_op(d->g, &pithp_qop_dense, "y", in, n, &d->a, result(d, from, size));
}

static pith_shape image(draw *d) { return PITH_SHAPE(1, pick(d, 1, 24), pick(d, 1, 24), pick(d, 1, 70)); }

static int arith(draw *d, const pithp_qop *op)
{
    pith_shape s = image(d), like[] = { s, s, PITH_SHAPE(1, 1, 1, s.d[3]), PITH_SHAPE(1, 1, 1, 1) };
    int a = input(d, "a", s), b = input(d, "b", like[pick(d, 0, 3)]);
    if (d->g->failed)
        return PITHP_QNONE;
    double sa = (double)tensor(d, a)->scale[0], sb = (double)tensor(d, b)->scale[0];
    d->a.act = act(d);
    pithp_qparam out = op == &pithp_qop_mul ? result(d, sa * sb, 5000) : result(d, fmax(sa, sb), 80);
    return pithp_q_op(d->g, op, "y", (int[]){ a, b }, 2, &d->a, out);
}

static int add(draw *d) { return arith(d, &pithp_qop_add); }
static int sub(draw *d) { return arith(d, &pithp_qop_sub); }
static int mul(draw *d) { return arith(d, &pithp_qop_mul); }

static int mean(draw *d)
{
    int x = input(d, "x", image(d));
    d->a.keep_dims = one_in(d, 2);
    d->n = 300;
    return x < 0 ? x
                 : pithp_q_op(d->g, &pithp_qop_mean, "y", &x, 1, &d->a,
                              result(d, (double)tensor(d, x)->scale[0], 64));
}

static int pool(draw *d, const pithp_qop *op)
{
    pith_shape s = PITH_SHAPE(1, pick(d, 6, 30), pick(d, 6, 30), pick(d, 1, 70));
    int x = input(d, "x", s);
    window(d, 6);
    if (one_in(d, 2))
        same_or_valid(d, &s, d->a.kernel, false);
    d->a.act = act(d);
    d->n = 3;
    return pithp_q_op(d->g, op, "y", &x, 1, &d->a, (pithp_qparam){ 0 });
}

static int avgpool(draw *d) { return pool(d, &pithp_qop_avgpool); }
static int maxpool(draw *d) { return pool(d, &pithp_qop_maxpool); }

static int pad(draw *d)
{
    int x = input(d, "x", image(d));
    for (int i = 0; i < 6; i++)
        d->a.pad[i] = one_in(d, 2) ? 0 : pick(d, 0, 4);
    return pithp_q_op(d->g, &pithp_qop_pad, "y", &x, 1, &d->a, (pithp_qparam){ 0 });
}

static int concat(draw *d)
{
    pith_shape s = image(d), t = s;
    d->a.axis = (int)pick(d, 1, 3);
    t.d[d->a.axis] = pick(d, 1, 20);
    pithp_qparam q = param(d, -10, 1);
    int in[] = { pithp_q_input(d->g, "x", PITH_I8, s, q), pithp_q_input(d->g, "z", PITH_I8, t, q) };
    return pithp_q_op(d->g, &pithp_qop_concat, "y", in, 2, &d->a, q);
}

static int reshape(draw *d)
{
    pith_shape s = image(d);
    int x = input(d, "x", s);
    d->a.shape = one_in(d, 2) ? PITH_SHAPE(1, s.d[1] * s.d[2], s.d[3]) : PITH_SHAPE(1, pithp_count(s));
    return pithp_q_op(d->g, &pithp_qop_reshape, "y", &x, 1, &d->a, (pithp_qparam){ 0 });
}

static int unary(draw *d, const pithp_qop *op, pithp_qparam out)
{
    int x = input(d, "x", image(d));
    if (x >= 0 && !out.scale)
        out = result(d, (double)tensor(d, x)->scale[0], 64);
    for (int i = 0; i < 256; i++)
        d->codes[i] = (int8_t)pick(d, -128, 127);
    d->a.table = d->codes;
    return pithp_q_op(d->g, op, "y", &x, 1, &d->a, out);
}

static int relu(draw *d) { return unary(d, &pithp_qop_relu, (pithp_qparam){ 0 }); }
static int relu6(draw *d) { return unary(d, &pithp_qop_relu6, (pithp_qparam){ 0 }); }
static int logistic(draw *d) { return unary(d, &pithp_qop_logistic, (pithp_qparam){ 1.0f / 256, -128 }); }
static int tanhs(draw *d) { return unary(d, &pithp_qop_tanh, (pithp_qparam){ 1.0f / 128, 0 }); }
static int hard_swish(draw *d) { return unary(d, &pithp_qop_hard_swish, (pithp_qparam){ 0 }); }
static int requantize(draw *d) { return unary(d, &pithp_qop_quantize, (pithp_qparam){ 0 }); }
static int table(draw *d) { return unary(d, &pithp_qop_table, (pithp_qparam){ 0 }); }

static int softmax(draw *d)
{
    int x = pithp_q_input(d->g, "x", PITH_I8, PITH_SHAPE(1, pick(d, 2, 300)), param(d, -14, 3));
    d->a.beta = one_in(d, 2) ? 1 : 0.5;
    d->n = 300;
    return pithp_q_op(d->g, &pithp_qop_softmax, "y", &x, 1, &d->a, (pithp_qparam){ 1.0f / 256, -128 });
}

static int quantize(draw *d)
{
    int x = pithp_q_input(d->g, "x", PITH_F32, image(d), (pithp_qparam){ 0 });
    return pithp_q_op(d->g, &pithp_qop_quantize, "y", &x, 1, NULL, param(d, -8, -4));
}

static int dequantize(draw *d)
{
    int x = input(d, "x", image(d));
    return pithp_q_op(d->g, &pithp_qop_dequantize, "y", &x, 1, NULL, (pithp_qparam){ 0 });
}

static const struct {
    const char *name;
    int (*build)(draw *d);
} kinds[] = {
    { "conv2d", conv_tflite },
    { "depthwise", depthwise_tflite },
    { "dense", dense },
    { "add", add },
    { "sub", sub },
    { "mul", mul },
    { "mean", mean },
    { "avgpool", avgpool },
    { "maxpool", maxpool },
    { "pad", pad },
    { "concat", concat },
    { "reshape", reshape },
    { "relu", relu },
    { "relu6", relu6 },
    { "logistic", logistic },
    { "tanh", tanhs },
    { "hard_swish", hard_swish },
    { "softmax", softmax },
    { "requantize", requantize },
    { "quantize", quantize },
    { "dequantize", dequantize },
    { "table", table },
    { "conv2d_any", conv_any },
    { "depthwise_any", depthwise_any },
};
const int int8_kinds = (int)PITHP_LEN(kinds);
const char *int8_kind_name(int kind) { return kinds[kind].name; }

static void values(draw *d, int8_case *k)
{
    for (int i = 0; i < k->g->n_inputs; i++) {
        const pithp_qtensor *t = pithp_q_tensor(k->g, k->g->inputs[i]);
        int64_t count = k->n * pithp_count(t->shape);
        k->in[i] = malloc((size_t)count * pithp_dtype_size(t->dtype));
        if (t->dtype == PITH_I8)
            fill(d, k->in[i], count, -128);
        else
            for (int64_t j = 0; j < count; j++)
                ((float *)k->in[i])[j] =
                    (float)(j % 3 == 0 ? (double)pick(d, -600, 600) * 0x1p-9 : pithp_rand_normal(&d->r));
    }
    const pithp_qtensor *y = pithp_q_tensor(k->g, k->g->outputs[0]);
    k->out_count = (size_t)(k->n * pithp_count(y->shape));
    k->out = calloc(k->out_count, pithp_dtype_size(y->dtype));
}

int8_case int8_case_make(pith_ctx *c, int kind, uint32_t seed, bool run)
{
    int8_case k = { 0 };
    draw d = { .r = pithp_rand_at(seed, (uint32_t)kind, 0, PITHP_USE_OTHER) };
    for (int tries = 0; tries < 1000; tries++) {
        d.a = (pithp_qattr){ 0 };
        d.n = 1;
        d.g = pithp_qgraph_new(c, kinds[kind].name);
        if (!pithp_q_output(d.g, kinds[kind].build(&d)))
            break;
        pithp_qgraph_free(d.g);
        pith_ctx_clear(c);
        d.g = NULL;
    }
    if (!d.g)
        return k;
    k.g = d.g;
    k.n = d.n;
    values(&d, &k);
    if (run) {
        pithp_qplan *p = pithp_qplan_new(k.g, (pithp_qplan_cfg){ .batch = k.n, .reference = true });
        pithp_qplan_run(p, k.n, (const void *const *)k.in, (void *[]){ k.out });
        pithp_qplan_free(p);
    }
    return k;
}

void int8_case_free(int8_case *k)
{
    free(k->in[0]), free(k->in[1]), free(k->out);
    pithp_qgraph_free(k->g);
}
