/* deploy/onnx/int8_ops.c: one row an op: how the integer graph's ops are said in ONNX. An op without a row is refused by name.
   Source: onnx/docs/Operators.md, operator set 13; the groups that ONNX Runtime fuses: onnxruntime,
   core/optimizer/qdq_transformer/selectors_actions/qdq_selector_action_transformer.cc. */
#include "deploy/onnx/int8_emit.h"
#include "deploy/windows.h"

static bool is_nchw(const pithp_onnx_qemit *e, const pithp_qnode *n, int i) { return e->nchw[n->in[i]]; }
static int dims(const pithp_onnx_qemit *e, const pithp_qnode *n, int i)
{
    return pithp_q_in(e->g, n, i)->shape.ndim;
}

/* ---- Windows ---- */
static int64_t or_one(int64_t v) { return v ? v : 1; }

/* kernel_shape, strides, pads; and the dilations, which of a pool are 1. */
static void window(pithp_onnx_qemit *e, const pithp_qnode *n, const int64_t kernel[2], int64_t dilation[2])
{
    pith_shape x = pithp_q_in(e->g, n, 0)->shape, y = pithp_q_out(e->g, n)->shape;
    int64_t stride[2], pads[4];
    for (int i = 0; i < 2; i++) {
        stride[i] = or_one(n->attr.stride[i]);
        dilation[i] = or_one(n->attr.dilation[i]);
        pithp_extent d = { x.d[i + 1], y.d[i + 1], (kernel[i] - 1) * dilation[i] + 1, stride[i],
                           n->attr.pad[2 * i] };
        pithp_extent_amounts(d, &pads[i], &pads[i + 2]);
    }
    pithp_onnx_attr_ints(&e->pb, "kernel_shape", kernel, 2);
    pithp_onnx_attr_ints(&e->pb, "strides", stride, 2);
    pithp_onnx_attr_ints(&e->pb, "pads", pads, 4);
}

static void convolution(pithp_onnx_qemit *e, const pithp_qnode *n, bool depthwise, int64_t groups)
{
    pithp_onnx_name x, w, b, y;
    int64_t dilation[2];
    const char *in[3] = { pithp_onnx_q_nchw(e, n, 0, x), pithp_onnx_q_weights(e, n, depthwise, w),
                          pithp_onnx_q_bias(e, n, b) };
    pithp_onnx_node(&e->pb, "Conv", in, in[2] ? 3 : 2, pithp_onnx_q_raw(e, n, y));
    window(e, n, &pithp_q_in(e->g, n, 1)->shape.d[1], dilation);
    pithp_onnx_attr_ints(&e->pb, "dilations", dilation, 2);
    pithp_onnx_attr_int(&e->pb, "group", groups);
    pithp_onnx_end(&e->pb);
    pithp_onnx_q_done(e, n, y, true);
}

static void conv(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    convolution(e, n, false, or_one(n->attr.groups));
}

static void depthwise(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    convolution(e, n, true, pithp_q_in(e->g, n, 0)->shape.d[3]);
}

static void pool(pithp_onnx_qemit *e, const pithp_qnode *n, const char *type)
{
    pithp_onnx_name x, y;
    int64_t dilation[2];
    const char *in = pithp_onnx_q_nchw(e, n, 0, x);
    pithp_onnx_node(&e->pb, type, &in, 1, pithp_onnx_q_raw(e, n, y));
    window(e, n, n->attr.kernel, dilation);
    pithp_onnx_end(&e->pb);
    pithp_onnx_q_done(e, n, y, true);
}

static void maxpool(pithp_onnx_qemit *e, const pithp_qnode *n) { pool(e, n, "MaxPool"); }
static void avgpool(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pool(e, n, "AveragePool"); /* padding does not count */
}

/* ---- Products ---- */
static void dense(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_name x, w, b, y, flat, shape;
    const char *in[3] = { pithp_onnx_q_plain(e, n, 0, x), pithp_onnx_q_weights(e, n, false, w),
                          pithp_onnx_q_bias(e, n, b) };
    if (dims(e, n, 0) != 2) {
        pithp_onnx_ints(&e->pb, pithp_onnx_qpart(e, n, "shape", shape), (const int64_t[]){ 0, -1 }, 2);
        pithp_onnx_simple(&e->pb, "Reshape", (const char *[]){ in[0], shape }, 2,
                          pithp_onnx_qpart(e, n, "flat:raw", y));
        in[0] = pithp_onnx_q_between(e, n, n->in[0], "flat", flat);
    }
    pithp_onnx_node(&e->pb, "Gemm", in, in[2] ? 3 : 2, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_attr_int(&e->pb, "transB", 1);
    pithp_onnx_end(&e->pb);
    pithp_onnx_q_done(e, n, y, false);
}

/* ---- Elementwise ---- */
static void unary(pithp_onnx_qemit *e, const pithp_qnode *n, const char *type)
{
    pithp_onnx_name x, y;
    const char *in = pithp_onnx_q_as_is(e, n, 0, x);
    pithp_onnx_simple(&e->pb, type, &in, 1, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_q_done(e, n, y, is_nchw(e, n, 0));
}

static void relu(pithp_onnx_qemit *e, const pithp_qnode *n) { unary(e, n, "Relu"); }
static void logistic(pithp_onnx_qemit *e, const pithp_qnode *n) { unary(e, n, "Sigmoid"); }
static void tangent(pithp_onnx_qemit *e, const pithp_qnode *n) { unary(e, n, "Tanh"); }

static void relu6(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_name x, lo, hi, y;
    const char *in[3] = { pithp_onnx_q_as_is(e, n, 0, x), pithp_onnx_qpart(e, n, "zero_bound", lo),
                          pithp_onnx_qpart(e, n, "six", hi) };
    pithp_onnx_real(&e->pb, lo, 0);
    pithp_onnx_real(&e->pb, hi, 6);
    pithp_onnx_simple(&e->pb, "Clip", in, 3, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_q_done(e, n, y, is_nchw(e, n, 0));
}

/* x times min(max(x/6 + 1/2, 0), 1): HardSwish is an operator from set 14 on. */
static void hard_swish(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_name x, h, y;
    const char *in[2] = { pithp_onnx_q_as_is(e, n, 0, x), pithp_onnx_qpart(e, n, "hard_sigmoid", h) };
    pithp_onnx_hard_sigmoid(&e->pb, x, h);
    pithp_onnx_simple(&e->pb, "Mul", in, 2, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_q_done(e, n, y, is_nchw(e, n, 0));
}

/* Operand 1 of fewer dimensions than operand 0, for each sample: its numbers along where operand 0 has its channels. */
static const char *spread(pithp_onnx_qemit *e, const pithp_qnode *n, bool nchw, const char *b,
                          pithp_onnx_name to)
{
    pithp_onnx_name shape;
    int64_t v[PITH_MAX_DIMS] = { 0 };
    int ndim = dims(e, n, 0);
    for (int i = 1; i < ndim; i++)
        v[i] = i == (nchw ? 1 : ndim - 1) ? -1 : 1;
    pithp_onnx_ints(&e->pb, pithp_onnx_qpart(e, n, "spread:shape", shape), v, ndim);
    pithp_onnx_simple(&e->pb, "Reshape", (const char *[]){ b, shape }, 2,
                      pithp_onnx_qpart(e, n, "spread", to));
    return to;
}

/* Two images are [N,C,H,W]; constants are stretched to it. */
static void binary(pithp_onnx_qemit *e, const pithp_qnode *n, const char *type)
{
    pithp_onnx_name a, b, c, y;
    bool nchw = dims(e, n, 0) == 4, constant = pithp_q_in(e->g, n, 1)->data != NULL,
         same = dims(e, n, 1) == dims(e, n, 0);
    const char *in[2] = { nchw ? pithp_onnx_q_nchw(e, n, 0, a) : pithp_onnx_q_plain(e, n, 0, a),
                          nchw && (constant || same) ? pithp_onnx_q_nchw(e, n, 1, b)
                                                     : pithp_onnx_q_plain(e, n, 1, b) };
    if (!constant && !same)
        in[1] = spread(e, n, nchw, in[1], c);
    pithp_onnx_simple(&e->pb, type, in, 2, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_q_done(e, n, y, nchw);
}

static void add(pithp_onnx_qemit *e, const pithp_qnode *n) { binary(e, n, "Add"); }
static void sub(pithp_onnx_qemit *e, const pithp_qnode *n) { binary(e, n, "Sub"); }
static void mul(pithp_onnx_qemit *e, const pithp_qnode *n) { binary(e, n, "Mul"); }

static void softmax(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_name x, beta, hot, y;
    const char *in[2] = { pithp_onnx_q_as_is(e, n, 0, x), pithp_onnx_qpart(e, n, "beta", beta) };
    if (n->attr.beta != 0 && n->attr.beta != 1) {
        pithp_onnx_real(&e->pb, beta, (float)n->attr.beta);
        pithp_onnx_simple(&e->pb, "Mul", in, 2, pithp_onnx_qpart(e, n, "scaled", hot));
        in[0] = hot;
    }
    pithp_onnx_node(&e->pb, "Softmax", in, 1, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_attr_int(&e->pb, "axis", is_nchw(e, n, 0) ? 1 : -1);
    pithp_onnx_end(&e->pb);
    pithp_onnx_q_done(e, n, y, is_nchw(e, n, 0));
}

/* ---- Shapes ---- */
static void mean(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_name x, y, kept, shape;
    const char *in[2] = { pithp_onnx_q_nchw(e, n, 0, x), pithp_onnx_qpart(e, n, "shape", shape) };
    pithp_onnx_simple(&e->pb, "GlobalAveragePool", in, 1,
                      n->attr.keep_dims ? pithp_onnx_q_raw(e, n, y) : pithp_onnx_qpart(e, n, "kept:raw", y));
    if (!n->attr.keep_dims) {
        in[0] = pithp_onnx_q_between(e, n, n->out, "kept", kept);
        pithp_onnx_ints(&e->pb, shape, (const int64_t[]){ 0, -1 }, 2);
        pithp_onnx_simple(&e->pb, "Reshape", in, 2, pithp_onnx_q_raw(e, n, y));
    }
    pithp_onnx_q_done(e, n, y, n->attr.keep_dims);
}

static void pad(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    bool nchw = is_nchw(e, n, 0);
    int ndim = dims(e, n, 0);
    pithp_onnx_name x, pads, y;
    int64_t v[2 * PITH_MAX_DIMS] = { 0 };
    for (int i = 1; i < ndim; i++) {
        v[pithp_onnx_axis(i, nchw)] = n->attr.pad[2 * (i - 1)];
        v[ndim + pithp_onnx_axis(i, nchw)] = n->attr.pad[2 * (i - 1) + 1];
    }
    const char *in[2] = { pithp_onnx_q_as_is(e, n, 0, x), pithp_onnx_qpart(e, n, "pads", pads) };
    pithp_onnx_ints(&e->pb, pads, v, 2 * ndim); /* by the real 0 */
    pithp_onnx_simple(&e->pb, "Pad", in, 2, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_q_done(e, n, y, nchw);
}

static void concat(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    bool nchw = dims(e, n, 0) == 4;
    int axis = n->attr.axis ? n->attr.axis : dims(e, n, 0) - 1;
    pithp_onnx_name x[PITHP_QMAX_IN], y;
    const char *in[PITHP_QMAX_IN];
    for (int i = 0; i < n->n_in; i++)
        in[i] = nchw ? pithp_onnx_q_nchw(e, n, i, x[i]) : pithp_onnx_q_plain(e, n, i, x[i]);
    pithp_onnx_node(&e->pb, "Concat", in, n->n_in, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_attr_int(&e->pb, "axis", pithp_onnx_axis(axis, nchw));
    pithp_onnx_end(&e->pb);
    pithp_onnx_q_done(e, n, y, nchw);
}

/* The number of samples, the first dimension, is copied from the operand. */
static void reshape(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pith_shape to = pithp_q_out(e->g, n)->shape;
    pithp_onnx_name x, shape, y;
    int64_t v[PITH_MAX_DIMS];
    for (int i = 0; i < to.ndim; i++)
        v[i] = i ? to.d[i] : 0;
    const char *in[2] = { pithp_onnx_q_plain(e, n, 0, x), pithp_onnx_qpart(e, n, "shape", shape) };
    pithp_onnx_ints(&e->pb, shape, v, to.ndim);
    pithp_onnx_simple(&e->pb, "Reshape", in, 2, pithp_onnx_q_raw(e, n, y));
    pithp_onnx_q_done(e, n, y, false);
}

static void quantize(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_name x;
    pithp_onnx_q_done(e, n, pithp_onnx_q_as_is(e, n, 0, x), is_nchw(e, n, 0));
}

static void dequantize(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    pithp_onnx_q_dequantize(e, n->in[0], e->name[n->in[0]], e->name[n->out]);
    e->nchw[n->out] = is_nchw(e, n, 0);
}

const pithp_onnx_qrow pithp_onnx_qrows[] = {
    { &pithp_qop_add, add },
    { &pithp_qop_avgpool, avgpool },
    { &pithp_qop_concat, concat },
    { &pithp_qop_conv2d, conv },
    { &pithp_qop_dense, dense },
    { &pithp_qop_depthwise, depthwise },
    { &pithp_qop_dequantize, dequantize },
    { &pithp_qop_hard_swish, hard_swish },
    { &pithp_qop_logistic, logistic },
    { &pithp_qop_maxpool, maxpool },
    { &pithp_qop_mean, mean },
    { &pithp_qop_mul, mul },
    { &pithp_qop_pad, pad },
    { &pithp_qop_quantize, quantize },
    { &pithp_qop_relu, relu },
    { &pithp_qop_relu6, relu6 },
    { &pithp_qop_reshape, reshape },
    { &pithp_qop_softmax, softmax },
    { &pithp_qop_sub, sub },
    { &pithp_qop_tanh, tangent },
};
const size_t pithp_onnx_qrows_n = PITHP_LEN(pithp_onnx_qrows);
