/* deploy/onnx/values.c: names, constants, and the order of dimensions. */
#include "deploy/onnx/emit.h"
#include <string.h>

enum { PLAIN = 1, OTHER = 2 };

static const int64_t to_nchw[4] = { 0, 3, 1, 2 }, to_nhwc[4] = { 0, 2, 3, 1 };

int pithp_onnx_axis(int axis, bool nchw) { return !nchw || axis == 0 ? axis : axis == 3 ? 1 : axis + 1; }

pith_shape pithp_onnx_shape(const pithp_onnx_emit *e, const pithp_fstep *s, int i)
{
    return e->g->values[s->in[i]].shape;
}

/* ---- Constants ---- */
static size_t size_of(int type)
{
    return type == ONNX_INT8 || type == ONNX_UINT8 ? 1 : type == ONNX_INT64 ? 8 : 4;
}

/* Begins a tensor and gives the room for its data, little-endian as the format wants it; NULL after a failure. */
static uint8_t *tensor(pithp_onnx_emit *e, const char *name, int type, pith_shape shape)
{
    pithp_pb_begin(&e->pb, ONNX_GRAPH_INITIALIZER);
    for (int i = 0; i < shape.ndim; i++)
        pithp_pb_int(&e->pb, ONNX_TENSOR_DIMS, shape.d[i]);
    pithp_pb_int(&e->pb, ONNX_TENSOR_TYPE, type);
    pithp_pb_text(&e->pb, ONNX_TENSOR_NAME, name);
    return pithp_pb_room(&e->pb, ONNX_TENSOR_RAW, (size_t)pithp_count(shape) * size_of(type));
}

static void put_element(uint8_t *to, const uint8_t *from, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, from, size);
#else
    for (size_t i = 0; i < size; i++)
        to[i] = from[size - 1 - i];
#endif
}

void pithp_onnx_tensor(pithp_onnx_emit *e, const char *name, int type, pith_shape shape, const void *data)
{
    uint8_t *to = tensor(e, name, type, shape);
    size_t size = size_of(type);
    for (int64_t i = 0; to && i < pithp_count(shape); i++)
        put_element(to + (size_t)i * size, (const uint8_t *)data + (size_t)i * size, size);
    pithp_pb_end(&e->pb);
}

void pithp_onnx_ints(pithp_onnx_emit *e, const char *name, const int64_t *v, int n)
{
    pithp_onnx_tensor(e, name, ONNX_INT64, PITH_SHAPE(n), v);
}

void pithp_onnx_real(pithp_onnx_emit *e, const char *name, float v)
{
    pithp_onnx_tensor(e, name, ONNX_FLOAT, PITH_SCALAR, &v);
}

/* A constant, its dimensions counted from the last as broadcasting does, as [a,c,h,w] with 1 for those missing. */
static void tensor_nchw(pithp_onnx_emit *e, const char *name, const pithp_fvalue *v, int type)
{
    pith_shape x = PITH_SHAPE(1, 1, 1, 1);
    for (int i = 0; i < v->shape.ndim; i++)
        x.d[4 - v->shape.ndim + i] = v->shape.d[i];
    const int64_t n = x.d[0], h = x.d[1], w = x.d[2], c = x.d[3];
    uint8_t *to = tensor(e, name, type, PITH_SHAPE(n, c, h, w));
    const uint8_t *from = v->data;
    size_t size = size_of(type);
    for (int64_t i = 0; to && i < n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t j = 0; j < h * w; j++, to += size)
                put_element(to, from + (size_t)((i * h * w + j) * c + k) * size, size);
    pithp_pb_end(&e->pb);
}

/* ---- Names ---- */
static const char *suffixed(pithp_onnx_emit *e, int value, const char *suffix, pithp_onnx_name buf)
{
    const char *base = e->g->values[value].name;
    int n = snprintf(buf, PITHP_ONNX_NAME, "%s%s", base, suffix);
    if (n < 0 || n >= PITHP_ONNX_NAME)
        pithp_pb_fail(
            &e->pb,
            pithp_error(e->pb.c, PITH_EINVAL,
                        "the name '%.60s...' is too long for an ONNX file; give its layer a shorter one",
                        base));
    return buf;
}

const char *pithp_onnx_part(pithp_onnx_emit *e, const pithp_fstep *s, const char *suffix, pithp_onnx_name buf)
{
    pithp_onnx_name full;
    snprintf(full, sizeof full, "/%s", suffix);
    return suffixed(e, s->out, full, buf);
}

static int onnx_type(pith_dtype t)
{
    return t == PITH_F32 ? ONNX_FLOAT : t == PITH_I32 ? ONNX_INT32 : t == PITH_U8 ? ONNX_UINT8 : ONNX_INT8;
}

/* The value with its dimensions in another order, once. */
static const char *permuted(pithp_onnx_emit *e, int value, const char *suffix, const int64_t perm[4],
                            pithp_onnx_name buf)
{
    suffixed(e, value, suffix, buf);
    if (!(e->done[value] & OTHER)) {
        e->done[value] |= OTHER;
        const char *in = e->g->values[value].name;
        pithp_onnx_node(e, "Transpose", &in, 1, buf);
        pithp_onnx_attr_ints(e, "perm", perm, 4);
        pithp_onnx_end(e);
    }
    return buf;
}

const char *pithp_onnx_plain(pithp_onnx_emit *e, int value, pithp_onnx_name buf)
{
    const pithp_fvalue *v = &e->g->values[value];
    if (e->nchw[value])
        return permuted(e, value, "/nhwc", to_nhwc, buf);
    if (v->data && !(e->done[value] & PLAIN)) {
        e->done[value] |= PLAIN;
        pithp_onnx_tensor(e, v->name, onnx_type(v->dtype), v->shape, v->data);
    }
    return suffixed(e, value, "", buf);
}

const char *pithp_onnx_nchw(pithp_onnx_emit *e, int value, pithp_onnx_name buf)
{
    const pithp_fvalue *v = &e->g->values[value];
    if (e->nchw[value])
        return suffixed(e, value, "", buf);
    if (!v->data)
        return permuted(e, value, "/nchw", to_nchw, buf);
    suffixed(e, value, "/nchw", buf);
    if (!(e->done[value] & OTHER)) {
        e->done[value] |= OTHER;
        tensor_nchw(e, buf, v, onnx_type(v->dtype));
    }
    return buf;
}

/* ---- Nodes ---- */
void pithp_onnx_node(pithp_onnx_emit *e, const char *type, const char *const *in, int n, const char *out)
{
    pithp_pb_begin(&e->pb, ONNX_GRAPH_NODE);
    for (int i = 0; i < n; i++)
        pithp_pb_text(&e->pb, ONNX_NODE_INPUT, in[i]);
    pithp_pb_text(&e->pb, ONNX_NODE_OUTPUT, out);
    pithp_pb_text(&e->pb, ONNX_NODE_NAME, out);
    pithp_pb_text(&e->pb, ONNX_NODE_TYPE, type);
}

void pithp_onnx_end(pithp_onnx_emit *e) { pithp_pb_end(&e->pb); }

void pithp_onnx_attr_int(pithp_onnx_emit *e, const char *name, int64_t v)
{
    pithp_pb_begin(&e->pb, ONNX_NODE_ATTRIBUTE);
    pithp_pb_text(&e->pb, ONNX_ATTR_NAME, name);
    pithp_pb_int(&e->pb, ONNX_ATTR_I, v);
    pithp_pb_int(&e->pb, ONNX_ATTR_TYPE, ONNX_ATTR_IS_INT);
    pithp_pb_end(&e->pb);
}

void pithp_onnx_attr_real(pithp_onnx_emit *e, const char *name, double v)
{
    pithp_pb_begin(&e->pb, ONNX_NODE_ATTRIBUTE);
    pithp_pb_text(&e->pb, ONNX_ATTR_NAME, name);
    pithp_pb_f32(&e->pb, ONNX_ATTR_F, (float)v);
    pithp_pb_int(&e->pb, ONNX_ATTR_TYPE, ONNX_ATTR_IS_FLOAT);
    pithp_pb_end(&e->pb);
}

void pithp_onnx_attr_ints(pithp_onnx_emit *e, const char *name, const int64_t *v, int n)
{
    pithp_pb_begin(&e->pb, ONNX_NODE_ATTRIBUTE);
    pithp_pb_text(&e->pb, ONNX_ATTR_NAME, name);
    for (int i = 0; i < n; i++)
        pithp_pb_int(&e->pb, ONNX_ATTR_INTS, v[i]);
    pithp_pb_int(&e->pb, ONNX_ATTR_TYPE, ONNX_ATTR_IS_INTS);
    pithp_pb_end(&e->pb);
}

const char *pithp_onnx_raw(pithp_onnx_emit *e, const pithp_fstep *s, pithp_onnx_name buf)
{
    return suffixed(e, s->out, s->act == PITH_LINEAR ? "" : "/linear", buf);
}

void pithp_onnx_act(pithp_onnx_emit *e, const pithp_fstep *s, bool nchw)
{
    pithp_onnx_name raw, lo, hi;
    e->nchw[s->out] = nchw;
    if (s->act == PITH_LINEAR)
        return;
    const char *in[3] = { pithp_onnx_raw(e, s, raw) };
    if (s->act == PITH_RELU6) {
        in[1] = pithp_onnx_part(e, s, "zero", lo);
        in[2] = pithp_onnx_part(e, s, "six", hi);
        pithp_onnx_real(e, in[1], 0);
        pithp_onnx_real(e, in[2], 6);
    }
    pithp_onnx_node(e, s->act == PITH_RELU6 ? "Clip" : "Relu", in, s->act == PITH_RELU6 ? 3 : 1,
                    e->g->values[s->out].name);
    pithp_onnx_end(e);
}
