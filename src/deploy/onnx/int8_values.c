/* deploy/onnx/int8_values.c: integers and floats: the QuantizeLinear and DequantizeLinear around each operator. */
#include "deploy/onnx/int8_emit.h"
#include "graph/int8/conv.h"
#include <string.h>

static const char *named(pithp_onnx_qemit *e, int t, const char *suffix, pithp_onnx_name buf)
{
    return pithp_onnx_join(&e->pb, e->name[t], suffix, buf);
}

const char *pithp_onnx_qpart(pithp_onnx_qemit *e, const pithp_qnode *n, const char *suffix,
                             pithp_onnx_name buf)
{
    pithp_onnx_name full;
    return pithp_onnx_join(&e->pb, named(e, n->out, ":", full), suffix, buf);
}

/* Scale and zero point of a tensor with one of each; written once. */
static void params(pithp_onnx_qemit *e, int t, pithp_onnx_name scale, pithp_onnx_name zero)
{
    const pithp_qtensor *v = e->g->tensors[t];
    named(e, t, ":scale", scale);
    named(e, t, ":zero", zero);
    if (e->done[t])
        return;
    e->done[t] = 1;
    pithp_onnx_real(&e->pb, scale, v->scale[0]);
    pithp_onnx_tensor(&e->pb, zero, ONNX_UINT8, PITH_SCALAR, &(uint8_t){ (uint8_t)(v->zero + 128) });
}

static void convert(pithp_onnx_qemit *e, const char *type, int t, const char *from, const char *to)
{
    pithp_onnx_name scale, zero;
    params(e, t, scale, zero);
    pithp_onnx_simple(&e->pb, type, (const char *[]){ from, scale, zero }, 3, to);
}

void pithp_onnx_q_quantize(pithp_onnx_qemit *e, int t, const char *from, const char *to)
{
    convert(e, "QuantizeLinear", t, from, to);
}

void pithp_onnx_q_dequantize(pithp_onnx_qemit *e, int t, const char *from, const char *to)
{
    convert(e, "DequantizeLinear", t, from, to);
}

/* ---- Operands ---- */
/* A constant's integers as uint8, 128 more; NULL: no memory, which is noted. */
static uint8_t *raised(pithp_onnx_qemit *e, const pithp_qtensor *t)
{
    int64_t n = pithp_count(t->shape);
    uint8_t *v = PITHP_NEW_N(e->pb.c, uint8_t, n);
    for (int64_t i = 0; v && i < n; i++)
        v[i] = (uint8_t)(((const int8_t *)t->data)[i] + 128);
    if (!v)
        pithp_pb_fail(&e->pb, PITH_ENOMEM);
    return v;
}

/* An operand that is constant. */
static void constant(pithp_onnx_qemit *e, const pithp_qtensor *t, bool stretch, const char *name)
{
    uint8_t *v = raised(e, t);
    if (!v)
        return;
    if (stretch)
        pithp_onnx_tensor_nchw(&e->pb, name, ONNX_UINT8, t->shape, v, false);
    else
        pithp_onnx_tensor(&e->pb, name, ONNX_UINT8, t->shape, v);
    pithp_free(e->pb.c, v);
}

static const char *operand(pithp_onnx_qemit *e, const pithp_qnode *n, int i, bool stretch,
                           pithp_onnx_name buf)
{
    const pithp_qtensor *t = pithp_q_in(e->g, n, i);
    pithp_onnx_name data;
    char suffix[24];
    snprintf(suffix, sizeof suffix, "operand%d", i);
    if (t->dtype == PITH_F32 && !t->data)
        return named(e, n->in[i], "", buf);
    if (t->dtype != PITH_I8 || t->n_scale != 1) {
        pithp_onnx_qrefuse(e, n, "one of its operands has more than one scale, or is no int8");
        return buf;
    }
    pithp_onnx_qpart(e, n, suffix, buf);
    if (t->data)
        constant(e, t, stretch, pithp_onnx_join(&e->pb, buf, ":integers", data));
    else
        named(e, n->in[i], "", data);
    pithp_onnx_q_dequantize(e, n->in[i], data, buf);
    return buf;
}

const char *pithp_onnx_q_as_is(pithp_onnx_qemit *e, const pithp_qnode *n, int i, pithp_onnx_name buf)
{
    return operand(e, n, i, false, buf);
}

static const char *turned(pithp_onnx_qemit *e, const char *suffix, const int64_t perm[4], pithp_onnx_name buf)
{
    pithp_onnx_name to;
    pithp_onnx_join(&e->pb, buf, suffix, to);
    pithp_onnx_node(&e->pb, "Transpose", (const char *[]){ buf }, 1, to);
    pithp_onnx_attr_ints(&e->pb, "perm", perm, 4);
    pithp_onnx_end(&e->pb);
    return pithp_onnx_join(&e->pb, to, "", buf);
}

const char *pithp_onnx_q_plain(pithp_onnx_qemit *e, const pithp_qnode *n, int i, pithp_onnx_name buf)
{
    operand(e, n, i, false, buf);
    return e->nchw[n->in[i]] ? turned(e, ":nhwc", (const int64_t[]){ 0, 2, 3, 1 }, buf) : buf;
}

const char *pithp_onnx_q_nchw(pithp_onnx_qemit *e, const pithp_qnode *n, int i, pithp_onnx_name buf)
{
    bool constant = pithp_q_in(e->g, n, i)->data != NULL;
    operand(e, n, i, true, buf);
    return constant || e->nchw[n->in[i]] ? buf : turned(e, ":nchw", (const int64_t[]){ 0, 3, 1, 2 }, buf);
}

/* ---- Weights and biases ---- */
/* DequantizeLinear of the constant NAME:what:integers, whose channels are its first dimension. Weights are uint8, 128 more than
   ours, for the processors without dot products of bytes: there ONNX Runtime adds up pairs of products of uint8 and int8 in 16
   bits, which saturate, and pairs of uint8 and uint8 in 32. */
static const char *channels(pithp_onnx_qemit *e, const pithp_qtensor *t, int type, pithp_onnx_name buf)
{
    pithp_onnx_name data, scale, zero;
    pithp_onnx_join(&e->pb, buf, ":integers", data);
    pithp_onnx_join(&e->pb, buf, ":scale", scale);
    pithp_onnx_join(&e->pb, buf, ":zero", zero);
    pith_shape per = t->n_scale > 1 ? PITH_SHAPE(t->n_scale) : PITH_SCALAR;
    void *zeroes = PITHP_NEW_N(e->pb.c, int32_t, t->n_scale); /* symmetric: 0 */
    if (!zeroes)
        pithp_pb_fail(&e->pb, PITH_ENOMEM);
    else {
        if (type == ONNX_UINT8)
            memset(zeroes, 128, (size_t)t->n_scale);
        pithp_onnx_tensor(&e->pb, scale, ONNX_FLOAT, per, t->scale);
        pithp_onnx_tensor(&e->pb, zero, type, per, zeroes);
    }
    pithp_free(e->pb.c, zeroes);
    pithp_onnx_node(&e->pb, "DequantizeLinear", (const char *[]){ data, scale, zero }, 3, buf);
    pithp_onnx_attr_int(&e->pb, "axis", 0);
    pithp_onnx_end(&e->pb);
    return buf;
}

const char *pithp_onnx_q_weights(pithp_onnx_qemit *e, const pithp_qnode *n, bool depthwise,
                                 pithp_onnx_name buf)
{
    const pithp_qtensor *w = pithp_q_in(e->g, n, 1);
    pithp_onnx_name data;
    uint8_t *v = raised(e, w);
    pithp_onnx_qpart(e, n, "weight:integers", data);
    if (v && w->shape.ndim == 4)
        pithp_onnx_tensor_nchw(&e->pb, data, ONNX_UINT8, w->shape, v, depthwise);
    else if (v)
        pithp_onnx_tensor(&e->pb, data, ONNX_UINT8, w->shape, v);
    pithp_free(e->pb.c, v);
    pithp_onnx_qpart(e, n, "weight", buf);
    return channels(e, w, ONNX_UINT8, buf);
}

/* ONNX Runtime rounds a rescaled sum once, the contract twice: first to 31 - shift bits, then halves away from zero. Above zero
   the contract's steps therefore lie 1/(2m) of a sum's unit lower, m being the factor's multiplier in [1/2,1); below zero as
   much higher. Where only sums above zero leave a trace, under a ReLU, the nearest whole number, 1, is added to the bias: the
   lag of one rounding would else add up through the layers. */
static bool lags(const pithp_qnode *n, const pithp_qtensor *y, pithp_fixed f)
{
    return n->lo >= y->zero && f.mult && f.shift < 0;
}

/* The bias that ONNX Runtime is to add; NULL: no memory. */
static int32_t *bias_of(pithp_onnx_qemit *e, const pithp_qnode *n, const pithp_qtensor *b)
{
    const pithp_qconv *v = n->prep;
    int32_t *to = PITHP_NEW_N(e->pb.c, int32_t, v->g.k);
    for (int64_t k = 0; to && k < v->g.k; k++) {
        int32_t bias = ((const int32_t *)b->data)[k];
        to[k] = bias + (bias < INT32_MAX && lags(n, pithp_q_out(e->g, n), v->scale[k]));
    }
    return to;
}

const char *pithp_onnx_q_bias(pithp_onnx_qemit *e, const pithp_qnode *n, pithp_onnx_name buf)
{
    const pithp_qtensor *b = pithp_q_in(e->g, n, 2);
    pithp_onnx_name data;
    if (!b)
        return NULL;
    int32_t *v = bias_of(e, n, b);
    if (!v)
        pithp_pb_fail(&e->pb, PITH_ENOMEM);
    else
        pithp_onnx_tensor(&e->pb, pithp_onnx_qpart(e, n, "bias:integers", data), ONNX_INT32, b->shape, v);
    pithp_free(e->pb.c, v);
    pithp_onnx_qpart(e, n, "bias", buf);
    return channels(e, b, ONNX_INT32, buf);
}

/* ---- Results ---- */
const char *pithp_onnx_q_raw(pithp_onnx_qemit *e, const pithp_qnode *n, pithp_onnx_name buf)
{
    return pithp_onnx_qpart(e, n, "raw", buf);
}

/* The ends of int8 are where QuantizeLinear stops by itself; a nearer bound is a Clip between integers, so that the operator
   before it still stands between DequantizeLinear and QuantizeLinear. */
void pithp_onnx_q_done(pithp_onnx_qemit *e, const pithp_qnode *n, const char *raw, bool nchw)
{
    const pithp_qtensor *y = pithp_q_out(e->g, n);
    bool bounded = n->lo > -128 || n->hi < 127;
    pithp_onnx_name wide, back, lo, hi, clipped;
    e->nchw[n->out] = nchw;
    if (bounded) {
        pithp_onnx_qpart(e, n, "unbounded", wide);
        pithp_onnx_qpart(e, n, "unbounded:real", back);
        pithp_onnx_qpart(e, n, "bounded", clipped);
        pithp_onnx_q_quantize(e, n->out, raw, wide);
        pithp_onnx_q_dequantize(e, n->out, wide, back);
        pithp_onnx_real(&e->pb, pithp_onnx_qpart(e, n, "lowest", lo), y->scale[0] * (float)(n->lo - y->zero));
        pithp_onnx_real(&e->pb, pithp_onnx_qpart(e, n, "highest", hi),
                        y->scale[0] * (float)(n->hi - y->zero));
        pithp_onnx_simple(&e->pb, "Clip", (const char *[]){ back, lo, hi }, 3, clipped);
    }
    pithp_onnx_q_quantize(e, n->out, bounded ? clipped : raw, e->name[n->out]);
}

const char *pithp_onnx_q_between(pithp_onnx_qemit *e, const pithp_qnode *n, int t, const char *suffix,
                                 pithp_onnx_name buf)
{
    pithp_onnx_name raw, integers;
    pithp_onnx_qpart(e, n, suffix, integers);
    pithp_onnx_join(&e->pb, integers, ":raw", raw);
    pithp_onnx_q_quantize(e, t, raw, integers);
    pithp_onnx_join(&e->pb, integers, ":real", buf);
    pithp_onnx_q_dequantize(e, t, integers, buf);
    return buf;
}
