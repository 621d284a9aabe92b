/* deploy/onnx/node.c: nodes, their attributes, and constants, as messages. */
#include "deploy/onnx/node.h"
#include <string.h>

int pithp_onnx_axis(int axis, bool nchw) { return !nchw || axis == 0 ? axis : axis == 3 ? 1 : axis + 1; }

const char *pithp_onnx_join(pithp_pb *pb, const char *base, const char *suffix, pithp_onnx_name buf)
{
    int n = snprintf(buf, PITHP_ONNX_NAME, "%s%s", base, suffix);
    if (n < 0 || n >= PITHP_ONNX_NAME)
        pithp_pb_fail(
            pb, pithp_error(pb->c, PITH_EINVAL,
                            "the name '%.60s...' is too long for an ONNX file; give its layer a shorter one",
                            base));
    return buf;
}

/* ---- Constants ---- */
static size_t size_of(int type)
{
    return type == ONNX_INT8 || type == ONNX_UINT8 ? 1 : type == ONNX_INT64 ? 8 : 4;
}

/* Begins a tensor and gives the room for its data, little-endian as the format wants it; NULL after a failure. */
static uint8_t *begin_tensor(pithp_pb *pb, const char *name, int type, pith_shape shape)
{
    pithp_pb_begin(pb, ONNX_GRAPH_INITIALIZER);
    for (int i = 0; i < shape.ndim; i++)
        pithp_pb_int(pb, ONNX_TENSOR_DIMS, shape.d[i]);
    pithp_pb_int(pb, ONNX_TENSOR_TYPE, type);
    pithp_pb_text(pb, ONNX_TENSOR_NAME, name);
    return pithp_pb_room(pb, ONNX_TENSOR_RAW, (size_t)pithp_count(shape) * size_of(type));
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

void pithp_onnx_tensor(pithp_pb *pb, const char *name, int type, pith_shape shape, const void *data)
{
    uint8_t *to = begin_tensor(pb, name, type, shape);
    size_t size = size_of(type);
    for (int64_t i = 0; to && i < pithp_count(shape); i++)
        put_element(to + (size_t)i * size, (const uint8_t *)data + (size_t)i * size, size);
    pithp_pb_end(pb);
}

void pithp_onnx_tensor_nchw(pithp_pb *pb, const char *name, int type, pith_shape shape, const void *data,
                            bool depthwise)
{
    pith_shape x = PITH_SHAPE(1, 1, 1, 1);
    for (int i = 0; i < shape.ndim; i++)
        x.d[4 - shape.ndim + i] = shape.d[i];
    const int64_t n = x.d[0], h = x.d[1], w = x.d[2], c = x.d[3];
    uint8_t *to = begin_tensor(pb, name, type, depthwise ? PITH_SHAPE(c, n, h, w) : PITH_SHAPE(n, c, h, w));
    const uint8_t *from = data;
    size_t size = size_of(type);
    for (int64_t i = 0; to && i < n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t j = 0; j < h * w; j++, to += size)
                put_element(to, from + (size_t)((i * h * w + j) * c + k) * size, size);
    pithp_pb_end(pb);
}

void pithp_onnx_ints(pithp_pb *pb, const char *name, const int64_t *v, int n)
{
    pithp_onnx_tensor(pb, name, ONNX_INT64, PITH_SHAPE(n), v);
}

void pithp_onnx_real(pithp_pb *pb, const char *name, float v)
{
    pithp_onnx_tensor(pb, name, ONNX_FLOAT, PITH_SCALAR, &v);
}

/* ---- Nodes ---- */
void pithp_onnx_node(pithp_pb *pb, const char *type, const char *const *in, int n, const char *out)
{
    pithp_pb_begin(pb, ONNX_GRAPH_NODE);
    for (int i = 0; i < n; i++)
        pithp_pb_text(pb, ONNX_NODE_INPUT, in[i]);
    pithp_pb_text(pb, ONNX_NODE_OUTPUT, out);
    pithp_pb_text(pb, ONNX_NODE_NAME, out);
    pithp_pb_text(pb, ONNX_NODE_TYPE, type);
}

void pithp_onnx_end(pithp_pb *pb) { pithp_pb_end(pb); }

void pithp_onnx_attr_int(pithp_pb *pb, const char *name, int64_t v)
{
    pithp_pb_begin(pb, ONNX_NODE_ATTRIBUTE);
    pithp_pb_text(pb, ONNX_ATTR_NAME, name);
    pithp_pb_int(pb, ONNX_ATTR_I, v);
    pithp_pb_int(pb, ONNX_ATTR_TYPE, ONNX_ATTR_IS_INT);
    pithp_pb_end(pb);
}

void pithp_onnx_attr_real(pithp_pb *pb, const char *name, double v)
{
    pithp_pb_begin(pb, ONNX_NODE_ATTRIBUTE);
    pithp_pb_text(pb, ONNX_ATTR_NAME, name);
    pithp_pb_f32(pb, ONNX_ATTR_F, (float)v);
    pithp_pb_int(pb, ONNX_ATTR_TYPE, ONNX_ATTR_IS_FLOAT);
    pithp_pb_end(pb);
}

void pithp_onnx_attr_ints(pithp_pb *pb, const char *name, const int64_t *v, int n)
{
    pithp_pb_begin(pb, ONNX_NODE_ATTRIBUTE);
    pithp_pb_text(pb, ONNX_ATTR_NAME, name);
    for (int i = 0; i < n; i++)
        pithp_pb_int(pb, ONNX_ATTR_INTS, v[i]);
    pithp_pb_int(pb, ONNX_ATTR_TYPE, ONNX_ATTR_IS_INTS);
    pithp_pb_end(pb);
}

void pithp_onnx_simple(pithp_pb *pb, const char *type, const char *const *in, int n, const char *out)
{
    pithp_onnx_node(pb, type, in, n, out);
    pithp_onnx_end(pb);
}

void pithp_onnx_hard_sigmoid(pithp_pb *pb, const char *x, const char *out)
{
    pithp_onnx_node(pb, "HardSigmoid", &x, 1, out);
    pithp_onnx_attr_real(pb, "alpha", 1.0 / 6);
    pithp_onnx_attr_real(pb, "beta", 0.5);
    pithp_onnx_end(pb);
}
