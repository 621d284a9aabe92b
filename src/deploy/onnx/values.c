/* deploy/onnx/values.c: names, constants, and the order of dimensions. */
#include "deploy/onnx/emit.h"
#include <string.h>

enum { PLAIN = 1, OTHER = 2 };

static const int64_t to_nchw[4] = { 0, 3, 1, 2 }, to_nhwc[4] = { 0, 2, 3, 1 };

pith_shape pithp_onnx_shape(const pithp_onnx_emit *e, const pithp_fstep *s, int i)
{
    return e->g->values[s->in[i]].shape;
}

/* ---- Names ---- */
static const char *suffixed(pithp_onnx_emit *e, int value, const char *suffix, pithp_onnx_name buf)
{
    return pithp_onnx_join(&e->pb, e->g->values[value].name, suffix, buf);
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
        pithp_onnx_node(&e->pb, "Transpose", &in, 1, buf);
        pithp_onnx_attr_ints(&e->pb, "perm", perm, 4);
        pithp_onnx_end(&e->pb);
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
        pithp_onnx_tensor(&e->pb, v->name, onnx_type(v->dtype), v->shape, v->data);
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
        pithp_onnx_tensor_nchw(&e->pb, buf, onnx_type(v->dtype), v->shape, v->data, false);
    }
    return buf;
}

/* ---- Results ---- */
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
        pithp_onnx_real(&e->pb, in[1], 0);
        pithp_onnx_real(&e->pb, in[2], 6);
    }
    pithp_onnx_node(&e->pb, s->act == PITH_RELU6 ? "Clip" : "Relu", in, s->act == PITH_RELU6 ? 3 : 1,
                    e->g->values[s->out].name);
    pithp_onnx_end(&e->pb);
}
