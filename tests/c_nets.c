/* Random integer networks: tests/c_nets.h. */
#include "c_nets.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    pithp_rand r;
    pithp_qgraph *g;
    int t;      /* the tensor so far */
    int layers; /* names */
    char name[32];
} net;

static int64_t pick(net *d, int64_t lo, int64_t hi)
{
    return lo + (int64_t)pithp_rand_below(&d->r, (uint64_t)(hi - lo + 1));
}
static const pithp_qtensor *tensor(const net *d, int t) { return pithp_q_tensor(d->g, t); }
static const char *layer(net *d)
{
    snprintf(d->name, sizeof d->name, "layer %d */ \"", d->layers++); /* no name may break the source */
    return d->name;
}

static pithp_qparam param(net *d, double scale)
{
    int64_t w = pick(d, 0, 4);
    return (pithp_qparam){ (float)(scale * exp2(pithp_rand_uniform(&d->r) - 0.5)),
                           w == 0   ? -128
                           : w == 1 ? 127
                                    : (int32_t)pick(d, -60, 60) };
}

/* Puts weights and a bias behind x; gives how many operands there are and the result's scale. */
static int weights(net *d, int x, pith_shape s, int axis, int in[3], double *scale)
{
    int64_t k = s.d[axis], count = pithp_count(s);
    int ns = pick(d, 0, 2) ? (int)k : 1;
    float sw[256] = { 0 }, sb[256] = { 0 };
    int8_t *w = malloc((size_t)count);
    int32_t b[256];
    for (int64_t i = 0; i < count; i++)
        w[i] = (int8_t)pick(d, -127, 127);
    for (int64_t i = 0; i < k; i++) {
        sw[i] = (float)(0.01 * exp2(pithp_rand_uniform(&d->r) * 3));
        sb[i] = (float)((double)tensor(d, x)->scale[0] * (double)sw[i]);
        b[i] = (int32_t)pick(d, -4000, 4000);
    }
    char name[48];
    in[0] = x;
    snprintf(name, sizeof name, "w%d", d->layers);
    in[1] = pithp_q_const(d->g, name, PITH_I8, s, sw, ns, axis, 0, w);
    snprintf(name, sizeof name, "b%d", d->layers);
    in[2] = pick(d, 0, 3) ? pithp_q_const(d->g, name, PITH_I32, PITH_SHAPE(k), sb, ns, 0, 0, b) : PITHP_QNONE;
    *scale = (double)tensor(d, x)->scale[0] * (double)sw[0] * sqrt((double)count / (double)k) * 70;
    free(w);
    return in[2] == PITHP_QNONE ? 2 : 3;
}

static void windows(net *d, pithp_qattr *a, int64_t *r, int64_t *s)
{
    *r = pick(d, 1, 3) == 1 ? 5 : 3, *s = pick(d, 1, 4) == 1 ? 2 : *r;
    for (int i = 0; i < 2; i++) {
        a->stride[i] = pick(d, 1, 4) == 1 ? 2 : 1;
        a->dilation[i] = pick(d, 1, 5) == 1 ? 2 : 1;
    }
    for (int i = 0; i < 4; i++)
        a->pad[i] = pick(d, 0, 1) ? (i < 2 ? *r : *s) / 2 : pick(d, 1, 4);
    a->act = (pithp_qact)pick(d, 0, 3);
}

static int conv(net *d, int x, int64_t k, bool point)
{
    int in[3];
    double scale;
    int64_t c = tensor(d, x)->shape.d[3], r = 1, s = 1;
    pithp_qattr a = { .groups = !point && c % 2 == 0 && k % 2 == 0 && !pick(d, 0, 2) ? 2 : 1 };
    if (!point)
        windows(d, &a, &r, &s);
    int n = weights(d, x, PITH_SHAPE(k, r, s, c / a.groups), 0, in, &scale);
    return pithp_q_op(d->g, &pithp_qop_conv2d, layer(d), in, n, &a, param(d, scale));
}

static int depthwise(net *d, int x, int64_t m)
{
    int in[3];
    double scale;
    int64_t r, s;
    pithp_qattr a = { 0 };
    windows(d, &a, &r, &s);
    int n = weights(d, x, PITH_SHAPE(1, r, s, tensor(d, x)->shape.d[3] * m), 3, in, &scale);
    return pithp_q_op(d->g, &pithp_qop_depthwise, layer(d), in, n, &a, param(d, scale));
}

static int unary(net *d, const pithp_qop *op, int x, pithp_qparam q)
{
    return pithp_q_op(d->g, op, layer(d), &x, 1, NULL, q);
}

static int silu(net *d, int x)
{
    int gate = unary(d, &pithp_qop_logistic, x, (pithp_qparam){ 1.0f / 256, -128 });
    return pithp_q_op(d->g, &pithp_qop_mul, layer(d), (int[]){ x, gate }, 2, NULL,
                      param(d, (double)tensor(d, x)->scale[0]));
}

static int excite(net *d, int x)
{
    int64_t c = tensor(d, x)->shape.d[3];
    pithp_qattr keep = { .keep_dims = true };
    int m = pithp_q_op(d->g, &pithp_qop_mean, layer(d), &x, 1, &keep,
                       param(d, (double)tensor(d, x)->scale[0] / 4));
    m = silu(d, conv(d, m, pick(d, 1, 8), true));
    m = unary(d, &pithp_qop_logistic, conv(d, m, c, true), (pithp_qparam){ 1.0f / 256, -128 });
    return pithp_q_op(d->g, &pithp_qop_mul, layer(d), (int[]){ x, m }, 2, NULL,
                      param(d, (double)tensor(d, x)->scale[0] / 2));
}

static int residual(net *d, int x)
{
    const pithp_qop *op = pick(d, 0, 2) ? &pithp_qop_add : &pithp_qop_sub;
    int y = conv(d, x, tensor(d, x)->shape.d[3], true);
    pithp_qattr a = { .act = (pithp_qact)pick(d, 0, 3) };
    double s = (double)tensor(d, x)->scale[0] + (double)tensor(d, y)->scale[0];
    return pithp_q_op(d->g, op, layer(d), (int[]){ x, y }, 2, &a, param(d, s));
}

/* A constant for each channel. */
static int shifted(net *d, int x)
{
    int64_t c = tensor(d, x)->shape.d[3];
    int8_t v[256];
    char name[32];
    float s = tensor(d, x)->scale[0];
    for (int64_t i = 0; i < c; i++)
        v[i] = (int8_t)pick(d, -128, 127);
    snprintf(name, sizeof name, "c%d", d->layers);
    int k = pithp_q_const(d->g, name, PITH_I8, PITH_SHAPE(1, 1, 1, c), &s, 1, 0, 3, v);
    return pithp_q_op(d->g, &pithp_qop_add, layer(d), (int[]){ x, k }, 2, NULL, param(d, (double)s * 2));
}

static int joined(net *d, int x)
{
    int six = unary(d, &pithp_qop_relu6, x, (pithp_qparam){ 0 });
    pithp_qattr a = { .axis = (int)pick(d, 1, 3) };
    return pithp_q_op(d->g, &pithp_qop_concat, layer(d), (int[]){ x, six }, 2, &a, (pithp_qparam){ 0 });
}

static int pooled(net *d, int x)
{
    pithp_qattr a = {
        .kernel = { 3, 2 }, .stride = { 2, 1 }, .pad = { 1, 1, 0, 1 }, .act = (pithp_qact)pick(d, 0, 3)
    };
    return pithp_q_op(d->g, pick(d, 0, 1) ? &pithp_qop_avgpool : &pithp_qop_maxpool, layer(d), &x, 1, &a,
                      (pithp_qparam){ 0 });
}

static int padded(net *d, int x)
{
    pithp_qattr a = { .pad = { 1, 0, 0, 2, pick(d, 0, 1), pick(d, 0, 2) } };
    return pithp_q_op(d->g, &pithp_qop_pad, layer(d), &x, 1, &a, (pithp_qparam){ 0 });
}

static int byte_function(net *d, int x)
{
    double s = (double)tensor(d, x)->scale[0];
    switch (pick(d, 0, 3)) {
    case 0: return unary(d, &pithp_qop_tanh, x, (pithp_qparam){ 1.0f / 128, 0 });
    case 1: return unary(d, &pithp_qop_hard_swish, x, param(d, s));
    case 2: return unary(d, &pithp_qop_relu, x, param(d, s));
    default: return unary(d, &pithp_qop_quantize, x, param(d, s));
    }
}

static int block(net *d, int x)
{
    int64_t c = tensor(d, x)->shape.d[3];
    switch (pick(d, 0, 11)) {
    case 0: return conv(d, x, pick(d, 1, 24), false);
    case 1: return conv(d, x, pick(d, 1, 24), true);
    case 2: return depthwise(d, x, 1);
    case 3: return c <= 24 ? depthwise(d, x, 2) : depthwise(d, x, 1);
    case 4: return silu(d, x);
    case 5: return excite(d, x);
    case 6: return residual(d, x);
    case 7: return shifted(d, x);
    case 8: return c <= 24 ? joined(d, x) : residual(d, x);
    case 9: return tensor(d, x)->shape.d[2] > 2 ? pooled(d, x) : padded(d, x);
    case 10: return padded(d, x);
    default: return byte_function(d, x);
    }
}

static int head(net *d, int x)
{
    int in[3];
    double scale;
    pithp_qattr a = { .shape = PITH_SHAPE(1, pithp_count(tensor(d, x)->shape)) };
    x = pick(d, 0, 1) ? pithp_q_op(d->g, &pithp_qop_reshape, layer(d), &x, 1, &a, (pithp_qparam){ 0 })
                      : pithp_q_op(d->g, &pithp_qop_mean, layer(d), &x, 1, NULL,
                                   param(d, (double)tensor(d, x)->scale[0] / 4));
    int n = weights(d, x, PITH_SHAPE(pick(d, 2, 9), tensor(d, x)->shape.d[1]), 0, in, &scale);
    x = pithp_q_op(d->g, &pithp_qop_dense, layer(d), in, n, NULL, param(d, scale));
    return pick(d, 0, 1) ? x : unary(d, &pithp_qop_softmax, x, (pithp_qparam){ 1.0f / 256, -128 });
}

pithp_qgraph *c_net_make(pith_ctx *c, uint32_t seed)
{
    net d = { .r = pithp_rand_at(seed, 0, 0, PITHP_USE_OTHER), .g = pithp_qgraph_new(c, "net */ \" ?\?/") };
    if (!d.g)
        return NULL;
    pith_shape s = PITH_SHAPE(1, pick(&d, 7, 13), pick(&d, 7, 13), pick(&d, 1, 9));
    int x = pithp_q_input(d.g, "x", PITH_I8, s, param(&d, 0.01));
    for (int64_t i = pick(&d, 4, 9); i > 0 && !d.g->failed; i--)
        x = block(&d, x);
    if (!d.g->failed)
        x = head(&d, x);
    return pithp_q_output(d.g, x) ? NULL : d.g;
}

void c_net_input(uint32_t seed, int8_t *x, size_t n)
{
    pithp_rand r = pithp_rand_at(seed, 1, 0, PITHP_USE_OTHER);
    for (size_t i = 0; i < n; i++) {
        uint32_t v = pithp_rand_u32(&r);
        x[i] = (int8_t)(v % 16 == 0 ? -128 : v % 16 == 1 ? 127 : (int)(v >> 24) - 128);
    }
}
