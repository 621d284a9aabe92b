/* deploy/tflite/int8_ops.c: one row an integer op. An op without a row (a table of any function) is refused by name.
   Versions as op_version.cc has them for int8. Biases are always written: LiteRT refuses convolutions without. */
#include "deploy/tflite/int8_emit.h"

static int act_of(pithp_qact act)
{
    static const int acts[] = { [PITHP_QLINEAR] = TFL_ACT_NONE,
                                [PITHP_QRELU] = TFL_ACT_RELU,
                                [PITHP_QRELU6] = TFL_ACT_RELU6,
                                [PITHP_QRELU_N1] = TFL_ACT_RELU_N1_TO_1 };
    return acts[act];
}

static pithp_tfl_option act_option(const pithp_qnode *n)
{
    return (pithp_tfl_option){ .field = 0, .kind = PITHP_TFL_BYTE, .i = act_of(n->attr.act) };
}

/* ---- Windows ---- */
static int64_t or_one(int64_t v) { return v ? v : 1; }

/* Node n's window over an input of these sizes, and how it is padded. */
static pithp_tfl_padding window(const pithp_tfl_qemit *e, const pithp_qnode *n, const int64_t kernel[2],
                                pithp_tfl_window *v)
{
    pith_shape x = pithp_q_in(e->g, n, 0)->shape, y = pithp_q_out(e->g, n)->shape;
    pithp_extent d[2];
    *v = (pithp_tfl_window){ .act = act_of(n->attr.act) };
    for (int i = 0; i < 2; i++) {
        v->kernel[i] = kernel[i];
        v->stride[i] = or_one(n->attr.stride[i]);
        v->dilation[i] = or_one(n->attr.dilation[i]);
        d[i] = (pithp_extent){ x.d[i + 1], y.d[i + 1], (kernel[i] - 1) * v->dilation[i] + 1, v->stride[i],
                               n->attr.pad[2 * i] };
    }
    pithp_tfl_padding p = pithp_tfl_pad_of(d[0], d[1]);
    v->padding = p.padding;
    return p;
}

/* Operand 0, with rows around it (of its zero point, as PAD has it) where VALID needs them. */
static int padded(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_padding *p)
{
    const pithp_qtensor *x = pithp_q_in(e->g, n, 0);
    int in[2] = { pithp_tfl_qtensor(e, n->in[0]) };
    if (!p->around)
        return in[0];
    pith_shape shape = x->shape;
    int32_t rows[8] = { 0 };
    for (int i = 0; i < 4; i++) {
        rows[2 + i] = (int32_t)p->amount[i];
        shape.d[1 + i / 2] += p->amount[i];
    }
    in[1] = pithp_tfl_qextra(e, n, "paddings", TFL_INT32, PITH_SHAPE(4, 2), rows, NULL);
    int out = pithp_tfl_qextra(e, n, "padded", TFL_INT8, shape, NULL, x);
    if (in[0] >= 0 && in[1] >= 0 && out >= 0)
        pithp_tfl_add_op(
            &e->w,
            &(pithp_tfl_op){
                .builtin = TFL_PAD, .version = 2, .in = in, .n_in = 2, .out = out, .options = TFL_OPT_PAD });
    return out;
}

/* The bias, or zeroes with the scales that a bias has: S_in * S_w. */
static int bias(pithp_tfl_qemit *e, const pithp_qnode *n, int64_t channels)
{
    if (n->n_in > 2 && n->in[2] >= 0)
        return pithp_tfl_qtensor(e, n->in[2]);
    const pithp_qtensor *x = pithp_q_in(e->g, n, 0), *w = pithp_q_in(e->g, n, 1);
    int32_t *zeroes = PITHP_NEW_N(e->w.c, int32_t, channels);
    float *scale = PITHP_NEW_N(e->w.c, float, w->n_scale + 1);
    int t = -1;
    if (zeroes && scale) {
        for (int i = 0; i < w->n_scale; i++)
            scale[i] = x->scale[0] * w->scale[i];
        pithp_qtensor like = { .n_scale = w->n_scale, .scale = scale };
        t = pithp_tfl_qextra(e, n, "zero_bias", TFL_INT32, PITH_SHAPE(channels), zeroes, &like);
    } else {
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    }
    pithp_free(e->w.c, zeroes);
    pithp_free(e->w.c, scale);
    return t;
}

static void conv(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    pith_shape w = pithp_q_in(e->g, n, 1)->shape;
    pithp_tfl_qrow as = *row;
    pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS];
    pithp_tfl_window v;
    pithp_tfl_padding p = window(e, n, &w.d[1], &v);
    if (n->attr.groups > 1)
        as.version = 6;
    int in[3] = { padded(e, n, &p), pithp_tfl_qtensor(e, n->in[1]), bias(e, n, w.d[0]) };
    pithp_tfl_qput(e, n, &as, in, 3, o, pithp_tfl_conv_options(&v, o));
}

static void depthwise(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    pith_shape w = pithp_q_in(e->g, n, 1)->shape;
    int64_t c = pithp_q_in(e->g, n, 0)->shape.d[3];
    pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS];
    pithp_tfl_window v;
    pithp_tfl_padding p = window(e, n, &w.d[1], &v);
    int in[3] = { padded(e, n, &p), pithp_tfl_qtensor(e, n->in[1]), bias(e, n, w.d[3]) };
    pithp_tfl_qput(e, n, row, in, 3, o, pithp_tfl_depthwise_options(&v, w.d[3] / c, o));
}

static void pool(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS];
    pithp_tfl_window v;
    pithp_tfl_padding p = window(e, n, n->attr.kernel, &v);
    if (p.around) {
        pithp_tfl_qrefuse(e, n,
                          "its padding is neither SAME nor VALID, and cells outside the image do not count");
        return;
    }
    int in = pithp_tfl_qtensor(e, n->in[0]);
    pithp_tfl_qput(e, n, row, &in, 1, o, pithp_tfl_pool_options(&v, o));
}

static void dense(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    const pithp_tfl_option o = act_option(n);
    int in[3] = { pithp_tfl_qtensor(e, n->in[0]), pithp_tfl_qtensor(e, n->in[1]),
                  bias(e, n, pithp_q_in(e->g, n, 1)->shape.d[0]) };
    pithp_tfl_qput(e, n, row, in, 3, &o, 1);
}

/* ---- The others ---- */
static void plain(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    int in = pithp_tfl_qtensor(e, n->in[0]);
    pithp_tfl_qput(e, n, row, &in, 1, NULL, 0);
}

static void arithmetic(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    const pithp_tfl_option o = act_option(n);
    int in[2] = { pithp_tfl_qtensor(e, n->in[0]), pithp_tfl_qtensor(e, n->in[1]) };
    pithp_tfl_qput(e, n, row, in, 2, &o, 1);
}

/* A product whose rescaling is 1 or more needs a newer kernel. */
static void product(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    pithp_tfl_qrow as = *row;
    double scale = (double)pithp_q_in(e->g, n, 0)->scale[0] * (double)pithp_q_in(e->g, n, 1)->scale[0];
    if (scale >= (double)pithp_q_out(e->g, n)->scale[0])
        as.version = 3;
    arithmetic(e, n, &as);
}

static void mean(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    static const int32_t rows_columns[2] = { 1, 2 };
    const pithp_tfl_option o = { .field = 0, .kind = PITHP_TFL_BYTE, .i = n->attr.keep_dims };
    int in[2] = { pithp_tfl_qtensor(e, n->in[0]),
                  pithp_tfl_qextra(e, n, "axes", TFL_INT32, PITH_SHAPE(2), rows_columns, NULL) };
    pithp_tfl_qput(e, n, row, in, 2, &o, 1);
}

static void pad(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    int ndim = pithp_q_in(e->g, n, 0)->shape.ndim;
    int32_t rows[2 * PITH_MAX_DIMS] = { 0 };
    for (int i = 2; i < 2 * ndim; i++)
        rows[i] = (int32_t)n->attr.pad[i - 2];
    int in[2] = { pithp_tfl_qtensor(e, n->in[0]),
                  pithp_tfl_qextra(e, n, "paddings", TFL_INT32, PITH_SHAPE(ndim, 2), rows, NULL) };
    pithp_tfl_qput(e, n, row, in, 2, NULL, 0);
}

static void concat(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    int axis = n->attr.axis ? n->attr.axis : pithp_q_in(e->g, n, 0)->shape.ndim - 1, in[PITHP_QMAX_IN];
    const pithp_tfl_option o = { .field = 0, .kind = PITHP_TFL_INT, .i = axis };
    for (int i = 0; i < n->n_in; i++)
        in[i] = pithp_tfl_qtensor(e, n->in[i]);
    pithp_tfl_qput(e, n, row, in, n->n_in, &o, 1);
}

static void reshape(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    pith_shape y = pithp_q_out(e->g, n)->shape;
    int32_t v[PITH_MAX_DIMS];
    for (int i = 0; i < y.ndim; i++)
        v[i] = (int32_t)y.d[i];
    int in[2] = { pithp_tfl_qtensor(e, n->in[0]),
                  pithp_tfl_qextra(e, n, "shape", TFL_INT32, PITH_SHAPE(y.ndim), v, NULL) };
    pithp_tfl_qput(e, n, row, in, 2, NULL, 0);
}

static void softmax(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row)
{
    const pithp_tfl_option o = { .field = 0,
                                 .kind = PITHP_TFL_FLOAT,
                                 .f = n->attr.beta == 0 ? 1 : (float)n->attr.beta };
    int in = pithp_tfl_qtensor(e, n->in[0]);
    pithp_tfl_qput(e, n, row, &in, 1, &o, 1);
}

const pithp_tfl_qrow pithp_tfl_qrows[] = {
    { &pithp_qop_add, arithmetic, TFL_ADD, 2, TFL_OPT_ADD },
    { &pithp_qop_avgpool, pool, TFL_AVERAGE_POOL_2D, 2, TFL_OPT_POOL_2D },
    { &pithp_qop_concat, concat, TFL_CONCATENATION, 2, TFL_OPT_CONCATENATION },
    { &pithp_qop_conv2d, conv, TFL_CONV_2D, 3, TFL_OPT_CONV_2D },
    { &pithp_qop_dense, dense, TFL_FULLY_CONNECTED, 4, TFL_OPT_FULLY_CONNECTED },
    { &pithp_qop_depthwise, depthwise, TFL_DEPTHWISE_CONV_2D, 3, TFL_OPT_DEPTHWISE_CONV_2D },
    { &pithp_qop_dequantize, plain, TFL_DEQUANTIZE, 2, TFL_OPT_DEQUANTIZE },
    { &pithp_qop_hard_swish, plain, TFL_HARD_SWISH, 1, TFL_OPT_HARD_SWISH },
    { &pithp_qop_logistic, plain, TFL_LOGISTIC, 2, TFL_OPT_NONE },
    { &pithp_qop_maxpool, pool, TFL_MAX_POOL_2D, 2, TFL_OPT_POOL_2D },
    { &pithp_qop_mean, mean, TFL_MEAN, 2, TFL_OPT_REDUCER },
    { &pithp_qop_mul, product, TFL_MUL, 2, TFL_OPT_MUL },
    { &pithp_qop_pad, pad, TFL_PAD, 2, TFL_OPT_PAD },
    { &pithp_qop_quantize, plain, TFL_QUANTIZE, 1, TFL_OPT_QUANTIZE },
    { &pithp_qop_relu, plain, TFL_RELU, 2, TFL_OPT_NONE },
    { &pithp_qop_relu6, plain, TFL_RELU6, 2, TFL_OPT_NONE },
    { &pithp_qop_reshape, reshape, TFL_RESHAPE, 1, TFL_OPT_NONE },
    { &pithp_qop_softmax, softmax, TFL_SOFTMAX, 2, TFL_OPT_SOFTMAX },
    { &pithp_qop_sub, arithmetic, TFL_SUB, 2, TFL_OPT_SUB },
    { &pithp_qop_tanh, plain, TFL_TANH, 2, TFL_OPT_NONE },
};
const size_t pithp_tfl_qrows_n = PITHP_LEN(pithp_tfl_qrows);
