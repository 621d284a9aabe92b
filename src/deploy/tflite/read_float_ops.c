/* deploy/tflite/read_float_ops.c: one row an op of float32. */
#include "deploy/tflite/read_float.h"
#include <float.h>

typedef pithp_tfl_fread reader;
typedef pith_tensor *unary_fn(pith_tensor *);
typedef pith_tensor *binary_fn(pith_tensor *, pith_tensor *);

/* ---- Weights and windows -------------------------------------------------------------------------------------------*/
/* The weights' shape as the file has it; of int8 weights without DEQUANTIZE, a hybrid layer, this is where it stops. */
static pith_status weights_view(reader *r, const pithp_tfl_node *n, int ndim, const pith_tensor *x,
                                pithp_tfl_view *w)
{
    pith_status s = pithp_tfl_view_get(r->f, pithp_tfl_input(n, 1), w);
    if (s || x->poison)
        return s ? s : r->f->c->status;
    if (w->type == TFL_INT8)
        return pithp_tfl_node_error(
            r->f, n, PITH_EINVAL,
            "int8 weights under a float input: a dynamic-range layer, which has no form "
            "here; export the model as int8 or float32");
    if (w->shape.ndim != ndim || (ndim == 4 && x->shape.ndim != 4))
        return pithp_tfl_node_error(
            r->f, n, PITH_EFORMAT,
            "its input and weights have %d and %d dimensions; expected %d of weights%s", x->shape.ndim,
            w->shape.ndim, ndim, ndim == 4 ? ", 4 of the input" : "");
    return PITH_OK;
}

static pith_conv2d_cfg conv_cfg(const pithp_tfl_look *l)
{
    return (pith_conv2d_cfg){ .stride = (int)l->stride[0],
                              .stride_w = (int)l->stride[1],
                              .dilation = (int)l->dilation[0],
                              .dilation_w = (int)l->dilation[1],
                              .pad_mode = l->same ? PITH_SAME : PITH_VALID };
}

static pith_status conv(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view w;
    pithp_tfl_look l;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    pith_status s = weights_view(r, n, 4, x, &w);
    if (!s)
        s = pithp_tfl_look_get(r->f, n, &pithp_tfl_conv_fields, &x->shape, &w.shape.d[1], &l);
    if (s)
        return s;
    pith_conv2d_cfg cfg = conv_cfg(&l);
    cfg.groups = x->shape.d[3] / w.shape.d[3];
    if (cfg.groups < 1)
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its weights read %lld channels of %lld",
                                    (long long)w.shape.d[3], (long long)x->shape.d[3]);
    pith_tensor *p = pithp_tfl_fparam(r, n, 1, "weight", w.shape, false),
                *b = pithp_tfl_fparam(r, n, 2, "bias", PITH_SHAPE(w.shape.d[0]), false);
    return pithp_tfl_fresult(r, n, out, pith_conv2d(x, p, b, cfg), l.act);
}

/* Several filters a channel are a convolution in groups. */
static pith_status depthwise(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view w;
    pithp_tfl_look l;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    pith_status s = weights_view(r, n, 4, x, &w);
    if (!s)
        s = pithp_tfl_look_get(r->f, n, &pithp_tfl_depthwise_fields, &x->shape, &w.shape.d[1], &l);
    if (s)
        return s;
    int64_t times = pithp_fbr_int(n->options, 3, 4, 0), c = x->shape.d[3], k = w.shape.d[3];
    if (times < 1 || w.shape.d[0] != 1 || k % c || times != k / c)
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT,
                                    "has the depth multiplier %lld; its weights and input have %lld and %lld "
                                    "channels",
                                    (long long)times, (long long)k, (long long)c);
    pith_conv2d_cfg cfg = conv_cfg(&l);
    bool turn = times > 1;
    cfg.groups = turn ? c : 0;
    pith_shape shape = turn ? PITH_SHAPE(k, w.shape.d[1], w.shape.d[2], 1) : w.shape;
    pith_tensor *p = pithp_tfl_fparam(r, n, 1, "weight", shape, turn),
                *b = pithp_tfl_fparam(r, n, 2, "bias", PITH_SHAPE(k), false);
    return pithp_tfl_fresult(r, n, out,
                             turn ? pith_conv2d(x, p, b, cfg) : pith_depthwise_conv2d(x, p, b, cfg), l.act);
}

static pith_status dense(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view w;
    int act = 0;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    pith_status s = weights_view(r, n, 2, x, &w);
    if (!s)
        s = pithp_tfl_act_get(r->f, n, 0, &act);
    if (s)
        return s;
    if (pithp_fbr_u8(n->options, 1, 0))
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "has shuffled weights; expected rows and columns");
    pith_tensor *p = pithp_tfl_fparam(r, n, 1, "weight", w.shape, false),
                *b = pithp_tfl_fparam(r, n, 2, "bias", PITH_SHAPE(w.shape.d[0]), false);
    return pithp_tfl_fresult(r, n, out, pith_dense(x->shape.ndim == 2 ? x : pith_flatten(x), p, b), act);
}

static pith_status pool(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_look l;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    if (x->poison)
        return r->f->c->status;
    if (x->shape.ndim != 4)
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its input has %d dimensions; expected 4",
                                    x->shape.ndim);
    pith_status s = pithp_tfl_look_get(r->f, n, &pithp_tfl_pool_fields, &x->shape, NULL, &l);
    if (s)
        return s;
    pith_pool_cfg cfg = { .kernel = (int)l.kernel[0],
                          .kernel_w = (int)l.kernel[1],
                          .stride = (int)l.stride[0],
                          .stride_w = (int)l.stride[1],
                          .pad_mode = l.same ? PITH_SAME : PITH_VALID };
    return pithp_tfl_fresult(r, n, out,
                             n->code == TFL_MAX_POOL_2D ? pith_maxpool(x, cfg) : pith_avgpool(x, cfg), l.act);
}

/* ---- Elementwise ---------------------------------------------------------------------------------------------------*/
static pith_status unary(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    static const struct {
        int code;
        unary_fn *fn;
    } fns[] = {
        { TFL_ABS, pith_abs },          { TFL_EXP, pith_exp },   { TFL_HARD_SWISH, pith_hard_swish },
        { TFL_LOG, pith_log },          { TFL_SQRT, pith_sqrt }, { TFL_LOG_SOFTMAX, pith_log_softmax },
        { TFL_LOGISTIC, pith_sigmoid }, { TFL_RELU, pith_relu }, { TFL_RELU6, pith_relu6 },
        { TFL_SQUARE, pith_square },    { TFL_TANH, pith_tanh }
    };
    reader *r = reader_;
    size_t i = 0;
    while (fns[i].code != n->code)
        i++;
    return pithp_tfl_fresult(r, n, out, fns[i].fn(pithp_tfl_foperand(r, n, 0)), TFL_ACT_NONE);
}

static pith_status binary(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    binary_fn *fn = n->code == TFL_ADD   ? pith_add
                    : n->code == TFL_SUB ? pith_sub
                    : n->code == TFL_MUL ? pith_mul
                                         : pith_div;
    int act = 0;
    pith_status s = pithp_tfl_act_get(r->f, n, 0, &act);
    if (s)
        return s;
    pith_tensor *a = pithp_tfl_foperand(r, n, 0), *b = pithp_tfl_foperand(r, n, 1);
    return pithp_tfl_fresult(r, n, out, fn(a, b), act);
}

/* With a constant number: powers, and bounds on one side. */
static pith_status number(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    double v = 0;
    pith_status s = pithp_tfl_fnumber(r, n, 1, &v);
    if (s)
        return s;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0), *y = n->code == TFL_POW ? pith_pow(x, v)
                                                       : n->code == TFL_MAXIMUM
                                                           ? pith_clip(x, v, (double)FLT_MAX)
                                                           : pith_clip(x, -(double)FLT_MAX, v);
    return pithp_tfl_fresult(r, n, out, y, TFL_ACT_NONE);
}

static pith_status leaky_relu(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    double slope = (double)pithp_fbr_f32(n->options, 0, 0);
    return pithp_tfl_fresult(r, n, out, pith_leaky_relu(pithp_tfl_foperand(r, n, 0), slope), TFL_ACT_NONE);
}

static pith_status softmax(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    double beta = (double)pithp_fbr_f32(n->options, 0, 0);
    if (!(beta > 0 && beta < 1e6))
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "has beta %g; expected a number above 0", beta);
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    return pithp_tfl_fresult(r, n, out, pith_softmax(beta == 1 ? x : pith_scale(x, beta, 0)), TFL_ACT_NONE);
}

/* A constant behind it is read as float32 by whoever uses it. */
static pith_status dequantize(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    return pithp_tfl_fsame(reader_, n, out);
}

/* ---- Shapes --------------------------------------------------------------------------------------------------------*/
static pith_status reshape(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    return pithp_tfl_fresult(r, n, out, pithp_tfl_foperand(r, n, 0), TFL_ACT_NONE);
}

static pith_status transpose(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    int64_t list[PITH_MAX_DIMS];
    int count = 0, perm[PITH_MAX_DIMS] = { 0 };
    pith_status s = x->poison ? r->f->c->status : pithp_tfl_ints_get(r->f, n, 1, list, PITH_MAX_DIMS, &count);
    if (!s && count != x->shape.ndim)
        s = pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "permutes %d dimensions of %d", count, x->shape.ndim);
    for (int i = 0; i < count && !s; i++)
        s = pithp_tfl_axis_get(r->f, n, list[i], count, &perm[i]);
    return s ? s : pithp_tfl_fresult(r, n, out, pith_transpose(x, perm), TFL_ACT_NONE);
}

static pith_status pad(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    int64_t rows[2 * PITH_MAX_DIMS];
    int before[PITH_MAX_DIMS], after[PITH_MAX_DIMS];
    double value = 0;
    pith_status s = x->poison ? r->f->c->status : pithp_tfl_paddings_get(r->f, n, x->shape.ndim, rows);
    if (!s && n->code == TFL_PADV2)
        s = pithp_tfl_fnumber(r, n, 2, &value);
    if (s)
        return s;
    for (int i = 0; i < x->shape.ndim; i++) {
        before[i] = (int)rows[2 * i];
        after[i] = (int)rows[2 * i + 1];
    }
    return pithp_tfl_fresult(r, n, out, pith_pad(x, before, after, value), TFL_ACT_NONE);
}

static pith_status concat(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pith_tensor *x[PITH_OP_MAX_IN];
    int act = 0, axis = 0;
    pith_status s = pithp_tfl_act_get(r->f, n, 1, &act);
    if (!s)
        s = pithp_tfl_axis_get(r->f, n, pithp_fbr_int(n->options, 0, 4, 0), out->shape.ndim, &axis);
    if (s)
        return s;
    for (int i = 0; i < n->n_in; i++)
        x[i] = pithp_tfl_foperand(r, n, i);
    return pithp_tfl_fresult(r, n, out, pith_concat(x, n->n_in, axis), act);
}

static pith_status reduce(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pith_tensor *x = pithp_tfl_foperand(r, n, 0);
    uint32_t axes = 0;
    pith_status s = x->poison ? r->f->c->status : pithp_tfl_axes_get(r->f, n, x->shape.ndim, &axes);
    if (s)
        return s;
    if (!axes || (axes & 1))
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "reduces %s; expected dimensions of a sample",
                                    axes ? "over the samples" : "nothing");
    bool keep = pithp_fbr_u8(n->options, 0, 0) != 0;
    pith_tensor *y = n->code == TFL_MEAN  ? pith_mean_axes(x, axes, keep)
                     : n->code == TFL_SUM ? pith_sum_axes(x, axes, keep)
                                          : pith_max_axes(x, axes, keep);
    return pithp_tfl_fresult(r, n, out, y, TFL_ACT_NONE);
}

static pith_status matmul(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    if (pithp_fbr_u8(n->options, 0, 0) || pithp_fbr_u8(n->options, 1, 0))
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "turns an operand; expected none turned");
    pith_tensor *a = pithp_tfl_foperand(r, n, 0), *b = pithp_tfl_foperand(r, n, 1);
    return pithp_tfl_fresult(r, n, out, pith_matmul(a, b), TFL_ACT_NONE);
}

const pithp_tfl_row pithp_tfl_frows[] = {
    { TFL_ABS, TFL_OPT_ABS, 1, 1, unary },
    { TFL_ADD, TFL_OPT_ADD, 2, 2, binary },
    { TFL_AVERAGE_POOL_2D, TFL_OPT_POOL_2D, 1, 1, pool },
    { TFL_BATCH_MATMUL, TFL_OPT_BATCH_MATMUL, 2, 2, matmul },
    { TFL_CONCATENATION, TFL_OPT_CONCATENATION, 1, PITH_OP_MAX_IN, concat },
    { TFL_CONV_2D, TFL_OPT_CONV_2D, 2, 3, conv },
    { TFL_DEPTHWISE_CONV_2D, TFL_OPT_DEPTHWISE_CONV_2D, 2, 3, depthwise },
    { TFL_DEQUANTIZE, TFL_OPT_DEQUANTIZE, 1, 1, dequantize },
    { TFL_DIV, TFL_OPT_DIV, 2, 2, binary },
    { TFL_EXP, TFL_OPT_EXP, 1, 1, unary },
    { TFL_EXPAND_DIMS, TFL_OPT_EXPAND_DIMS, 2, 2, reshape },
    { TFL_FULLY_CONNECTED, TFL_OPT_FULLY_CONNECTED, 2, 3, dense },
    { TFL_HARD_SWISH, TFL_OPT_HARD_SWISH, 1, 1, unary },
    { TFL_LEAKY_RELU, TFL_OPT_LEAKY_RELU, 1, 1, leaky_relu },
    { TFL_LOG, TFL_OPT_NONE, 1, 1, unary },
    { TFL_LOGISTIC, TFL_OPT_NONE, 1, 1, unary },
    { TFL_LOG_SOFTMAX, TFL_OPT_LOG_SOFTMAX, 1, 1, unary },
    { TFL_MAXIMUM, TFL_OPT_MAXIMUM_MINIMUM, 2, 2, number },
    { TFL_MAX_POOL_2D, TFL_OPT_POOL_2D, 1, 1, pool },
    { TFL_MEAN, TFL_OPT_REDUCER, 2, 2, reduce },
    { TFL_MINIMUM, TFL_OPT_MAXIMUM_MINIMUM, 2, 2, number },
    { TFL_MUL, TFL_OPT_MUL, 2, 2, binary },
    { TFL_PAD, TFL_OPT_PAD, 2, 2, pad },
    { TFL_PADV2, TFL_OPT_PADV2, 3, 3, pad },
    { TFL_POW, TFL_OPT_POW, 2, 2, number },
    { TFL_REDUCE_MAX, TFL_OPT_REDUCER, 2, 2, reduce },
    { TFL_RELU, TFL_OPT_NONE, 1, 1, unary },
    { TFL_RELU6, TFL_OPT_NONE, 1, 1, unary },
    { TFL_RESHAPE, TFL_OPT_RESHAPE, 1, 2, reshape },
    { TFL_SOFTMAX, TFL_OPT_SOFTMAX, 1, 1, softmax },
    { TFL_SQRT, TFL_OPT_NONE, 1, 1, unary },
    { TFL_SQUARE, TFL_OPT_SQUARE, 1, 1, unary },
    { TFL_SQUEEZE, TFL_OPT_SQUEEZE, 1, 1, reshape },
    { TFL_SUB, TFL_OPT_SUB, 2, 2, binary },
    { TFL_SUM, TFL_OPT_REDUCER, 2, 2, reduce },
    { TFL_TANH, TFL_OPT_NONE, 1, 1, unary },
    { TFL_TRANSPOSE, TFL_OPT_TRANSPOSE, 2, 2, transpose },
};
const size_t pithp_tfl_frows_n = PITHP_LEN(pithp_tfl_frows);
