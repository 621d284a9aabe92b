/* deploy/tflite/read_int8_ops.c: one row an op of int8. */
#include "deploy/tflite/read_int8_ops.h"
#include <string.h>

typedef pithp_tfl_qread reader;

/* ---- Weights and windows -------------------------------------------------------------------------------------------*/
static pithp_qact act_of(int act)
{
    static const pithp_qact acts[] = { [TFL_ACT_NONE] = PITHP_QLINEAR,
                                       [TFL_ACT_RELU] = PITHP_QRELU,
                                       [TFL_ACT_RELU_N1_TO_1] = PITHP_QRELU_N1,
                                       [TFL_ACT_RELU6] = PITHP_QRELU6 };
    return acts[act];
}

/* Input and constant int8 weights of so many dimensions, for layers with weights. */
static pith_status weighted(reader *r, const pithp_tfl_node *n, int ndim, pithp_tfl_view *x,
                            pithp_tfl_view *w)
{
    pith_status s = pithp_tfl_view_get(r->f, pithp_tfl_input(n, 0), x);
    if (!s)
        s = pithp_tfl_view_get(r->f, pithp_tfl_input(n, 1), w);
    if (s)
        return s;
    if (!w->data || w->type != TFL_INT8)
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "its weights are %s %s; expected an int8 constant",
                                    w->data ? "a constant," : "computed,", pithp_tfl_type_name(w->type));
    if (w->shape.ndim != ndim || (ndim == 4 && x->shape.ndim != 4))
        return pithp_tfl_node_error(
            r->f, n, PITH_EFORMAT,
            "its input and weights have %d and %d dimensions; expected %d of weights%s", x->shape.ndim,
            w->shape.ndim, ndim, ndim == 4 ? ", 4 of the input" : "");
    return PITH_OK;
}

static int with_bias(const pithp_tfl_node *n) { return pithp_tfl_input(n, 2) < 0 ? 2 : 3; }

static pithp_qattr attr_of(const pithp_tfl_look *l)
{
    pithp_qattr a = { .act = act_of(l->act) };
    for (int i = 0; i < 2; i++) {
        a.stride[i] = l->stride[i];
        a.dilation[i] = l->dilation[i];
        a.kernel[i] = l->kernel[i];
    }
    memcpy(a.pad, l->pad, sizeof l->pad);
    return a;
}

static pith_status conv(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view x, w;
    pithp_tfl_look l;
    pith_status s = weighted(r, n, 4, &x, &w);
    if (!s)
        s = pithp_tfl_look_get(r->f, n, &pithp_tfl_conv_fields, &x.shape, &w.shape.d[1], &l);
    if (s)
        return s;
    pithp_qattr a = attr_of(&l);
    a.groups = x.shape.d[3] / w.shape.d[3];
    if (a.groups < 1)
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its weights read %lld channels of %lld",
                                    (long long)w.shape.d[3], (long long)x.shape.d[3]);
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_conv2d, with_bias(n), &a);
}

static pith_status depthwise(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view x, w;
    pithp_tfl_look l;
    pith_status s = weighted(r, n, 4, &x, &w);
    int64_t times = pithp_fbr_int(n->options, 3, 4, 0);
    if (!s)
        s = pithp_tfl_look_get(r->f, n, &pithp_tfl_depthwise_fields, &x.shape, &w.shape.d[1], &l);
    if (s)
        return s;
    if (times < 1 || times != w.shape.d[3] / x.shape.d[3])
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT,
                                    "has the depth multiplier %lld; its weights and input have %lld and %lld "
                                    "channels",
                                    (long long)times, (long long)w.shape.d[3], (long long)x.shape.d[3]);
    pithp_qattr a = attr_of(&l);
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_depthwise, with_bias(n), &a);
}

static pith_status dense(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view x, w;
    int act = 0;
    pith_status s = weighted(r, n, 2, &x, &w);
    if (!s)
        s = pithp_tfl_act_get(r->f, n, 0, &act);
    if (s)
        return s;
    if (pithp_fbr_u8(n->options, 1, 0))
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "has shuffled weights; expected rows and columns");
    pithp_qattr a = { .act = act_of(act) };
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_dense, with_bias(n), &a);
}

static pith_status pool(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_tfl_view x;
    pithp_tfl_look l;
    pith_status s = pithp_tfl_view_get(r->f, pithp_tfl_input(n, 0), &x);
    if (!s && x.shape.ndim != 4)
        s = pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its input has %d dimensions; expected 4",
                                 x.shape.ndim);
    if (!s)
        s = pithp_tfl_look_get(r->f, n, &pithp_tfl_pool_fields, &x.shape, NULL, &l);
    if (s)
        return s;
    pithp_qattr a = attr_of(&l);
    return pithp_tfl_qread_op(r, n, out, n->code == TFL_MAX_POOL_2D ? &pithp_qop_maxpool : &pithp_qop_avgpool,
                              1, &a);
}

/* ---- The others ----------------------------------------------------------------------------------------------------*/
static pith_status plain(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    static const struct {
        int code;
        const pithp_qop *op;
    } ops[] = { { TFL_RELU, &pithp_qop_relu },
                { TFL_RELU6, &pithp_qop_relu6 },
                { TFL_LOGISTIC, &pithp_qop_logistic },
                { TFL_TANH, &pithp_qop_tanh },
                { TFL_QUANTIZE, &pithp_qop_quantize },
                { TFL_DEQUANTIZE, &pithp_qop_dequantize },
                { TFL_HARD_SWISH, &pithp_qop_hard_swish } };
    size_t i = 0;
    while (ops[i].code != n->code)
        i++;
    return pithp_tfl_qread_op(reader_, n, out, ops[i].op, 1, NULL);
}

/* Sums and products read a constant as the second operand only, which changes nothing. */
static pith_status arithmetic(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    const pithp_qop *op = n->code == TFL_ADD   ? &pithp_qop_add
                          : n->code == TFL_SUB ? &pithp_qop_sub
                                               : &pithp_qop_mul;
    int act = 0, in[2];
    pith_status s = pithp_tfl_act_get(r->f, n, 0, &act);
    for (int i = 0; i < 2 && !s; i++)
        s = pithp_tfl_qoperand(r, n, i, &in[i]);
    if (s)
        return s;
    pithp_qattr a = { .act = act_of(act) };
    bool swap = op != &pithp_qop_sub &&
                (pithp_q_tensor(r->g, in[0])->data ||
                 pithp_count(*pithp_tfl_qshape(r, in[0])) < pithp_count(*pithp_tfl_qshape(r, in[1])));
    if (!swap)
        return pithp_tfl_qread_op(r, n, out, op, 2, &a);
    pithp_tfl_node turned = *n;
    uint8_t both[8];
    memcpy(both, n->in.p + 4, 4);
    memcpy(both + 4, n->in.p, 4);
    turned.in.p = both;
    return pithp_tfl_qread_op(r, &turned, out, op, 2, &a);
}

static pith_status mean(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    int x;
    uint32_t axes = 0;
    pith_status s = pithp_tfl_qoperand(r, n, 0, &x);
    if (!s)
        s = pithp_tfl_axes_get(r->f, n, pithp_tfl_qshape(r, x)->ndim, &axes);
    if (s)
        return s;
    if (pithp_tfl_qshape(r, x)->ndim != 4 || axes != 6)
        return pithp_tfl_node_error(
            r->f, n, PITH_EINVAL, "a mean over rows and columns of an image alone has an integer form here");
    pithp_qattr a = { .keep_dims = pithp_fbr_u8(n->options, 0, 0) != 0 };
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_mean, 1, &a);
}

static pith_status pad(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    int x;
    int64_t rows[2 * PITH_MAX_DIMS];
    pith_status s = pithp_tfl_qoperand(r, n, 0, &x);
    if (!s && pithp_tfl_qshape(r, x)->ndim > 4)
        s = pithp_tfl_node_error(r->f, n, PITH_EINVAL, "pads %d dimensions; expected at most 4",
                                 pithp_tfl_qshape(r, x)->ndim);
    if (!s)
        s = pithp_tfl_paddings_get(r->f, n, pithp_tfl_qshape(r, x)->ndim, rows);
    if (s)
        return s;
    pithp_qattr a = { 0 };
    for (int i = 2; i < 2 * pithp_tfl_qshape(r, x)->ndim; i++)
        a.pad[i - 2] = rows[i];
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_pad, 1, &a);
}

static pith_status concat(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    int act = 0, axis = 0;
    pith_status s = pithp_tfl_act_get(r->f, n, 1, &act);
    if (!s)
        s = pithp_tfl_axis_get(r->f, n, pithp_fbr_int(n->options, 0, 4, 0), out->shape.ndim, &axis);
    if (s)
        return s;
    if (axis == 0 || act)
        return pithp_tfl_node_error(
            r->f, n, PITH_EINVAL,
            "joins samples, or has a fused activation: neither has an integer form here");
    pithp_qattr a = { .axis = axis };
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_concat, n->n_in, &a);
}

/* The wanted shape is that of the result; the operand and the options that also say it need not be looked at. */
static pith_status reshape(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    pithp_qattr a = { .shape = out->shape };
    return pithp_tfl_qread_op(reader_, n, out, &pithp_qop_reshape, 1, &a);
}

static pith_status softmax(void *reader_, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    reader *r = reader_;
    pithp_qattr a = { .beta = (double)pithp_fbr_f32(n->options, 0, 0) };
    if (!(a.beta > 0 && a.beta < 1e6))
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "has beta %g; expected a number above 0", a.beta);
    return pithp_tfl_qread_op(r, n, out, &pithp_qop_softmax, 1, &a);
}

const pithp_tfl_row pithp_tfl_qread_rows[] = {
    { TFL_ADD, TFL_OPT_ADD, 2, 2, arithmetic },
    { TFL_AVERAGE_POOL_2D, TFL_OPT_POOL_2D, 1, 1, pool },
    { TFL_CONCATENATION, TFL_OPT_CONCATENATION, 1, PITHP_QMAX_IN, concat },
    { TFL_CONV_2D, TFL_OPT_CONV_2D, 2, 3, conv },
    { TFL_DEPTHWISE_CONV_2D, TFL_OPT_DEPTHWISE_CONV_2D, 2, 3, depthwise },
    { TFL_DEQUANTIZE, TFL_OPT_DEQUANTIZE, 1, 1, plain },
    { TFL_EXPAND_DIMS, TFL_OPT_EXPAND_DIMS, 2, 2, reshape },
    { TFL_FULLY_CONNECTED, TFL_OPT_FULLY_CONNECTED, 2, 3, dense },
    { TFL_HARD_SWISH, TFL_OPT_HARD_SWISH, 1, 1, plain },
    { TFL_LOGISTIC, TFL_OPT_NONE, 1, 1, plain },
    { TFL_MAX_POOL_2D, TFL_OPT_POOL_2D, 1, 1, pool },
    { TFL_MEAN, TFL_OPT_REDUCER, 2, 2, mean },
    { TFL_MUL, TFL_OPT_MUL, 2, 2, arithmetic },
    { TFL_PAD, TFL_OPT_PAD, 2, 2, pad },
    { TFL_QUANTIZE, TFL_OPT_QUANTIZE, 1, 1, plain },
    { TFL_RELU, TFL_OPT_NONE, 1, 1, plain },
    { TFL_RELU6, TFL_OPT_NONE, 1, 1, plain },
    { TFL_RESHAPE, TFL_OPT_RESHAPE, 1, 2, reshape },
    { TFL_SOFTMAX, TFL_OPT_SOFTMAX, 1, 1, softmax },
    { TFL_SQUEEZE, TFL_OPT_SQUEEZE, 1, 1, reshape },
    { TFL_SUB, TFL_OPT_SUB, 2, 2, arithmetic },
    { TFL_TANH, TFL_OPT_NONE, 1, 1, plain },
};
const size_t pithp_tfl_qread_rows_n = PITHP_LEN(pithp_tfl_qread_rows);
