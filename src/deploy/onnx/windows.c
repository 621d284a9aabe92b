/* deploy/onnx/windows.c: convolutions and pools. SAME is worked out into rows and columns: ONNX's own SAME_UPPER would be
   it too, but is deprecated. */
#include "deploy/onnx/emit.h"
#include "deploy/windows.h"
#include "ops/conv.h"

/* top, left, bottom, right, as ONNX lists them */
static void put_pads(pithp_onnx_emit *e, pithp_extent rows, pithp_extent columns)
{
    int64_t pads[4];
    pithp_extent_amounts(rows, &pads[0], &pads[2]);
    pithp_extent_amounts(columns, &pads[1], &pads[3]);
    pithp_onnx_attr_ints(&e->pb, "pads", pads, 4);
}

/* OHWI to OIHW; depthwise [1,R,S,C] to [C,1,R,S]. */
static const char *filter(pithp_onnx_emit *e, const pithp_fstep *s, const pithp_conv *g, pithp_onnx_name buf)
{
    const pithp_fvalue *v = &e->g->values[s->in[1]];
    pithp_onnx_part(e, s, "weight", buf);
    if (v->data)
        pithp_onnx_tensor_nchw(&e->pb, buf, ONNX_FLOAT, v->shape, v->data, g->depthwise);
    else
        pithp_onnx_refuse(e, s, "its weights depend on the input");
    return buf;
}

void pithp_onnx_conv(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_conv g =
        pithp_conv_geometry_of(s->node->attr, pithp_onnx_shape(e, s, 0), pithp_onnx_shape(e, s, 1));
    pithp_onnx_name x, w, b, y;
    const char *in[3] = { pithp_onnx_nchw(e, s->in[0], x), filter(e, s, &g, w) };
    int n = 2;
    if (s->n_in > 2 && s->in[2] >= 0)
        in[n++] = pithp_onnx_plain(e, s->in[2], b);
    pithp_onnx_node(&e->pb, "Conv", in, n, pithp_onnx_raw(e, s, y));
    pithp_onnx_attr_ints(&e->pb, "kernel_shape", (int64_t[]){ g.r, g.s }, 2);
    pithp_onnx_attr_ints(&e->pb, "strides", (int64_t[]){ g.stride_h, g.stride_w }, 2);
    pithp_onnx_attr_ints(&e->pb, "dilations", (int64_t[]){ g.dil_h, g.dil_w }, 2);
    pithp_onnx_attr_int(&e->pb, "group", g.groups);
    put_pads(e, pithp_conv_rows(&g), pithp_conv_columns(&g));
    pithp_onnx_end(&e->pb);
    pithp_onnx_act(e, s, true);
}

static void pool(pithp_onnx_emit *e, const pithp_fstep *s, const char *type)
{
    pithp_extent d[2];
    pithp_onnx_name x;
    pithp_pool_extents(s->node, pithp_onnx_shape(e, s, 0), e->g->values[s->out].shape, d);
    const char *in = pithp_onnx_nchw(e, s->in[0], x);
    pithp_onnx_node(&e->pb, type, &in, 1, e->g->values[s->out].name);
    pithp_onnx_attr_ints(&e->pb, "kernel_shape", (int64_t[]){ d[0].window, d[1].window }, 2);
    pithp_onnx_attr_ints(&e->pb, "strides", (int64_t[]){ d[0].stride, d[1].stride }, 2);
    put_pads(e, d[0], d[1]);
    pithp_onnx_end(&e->pb);
    e->nchw[s->out] = true;
}

void pithp_onnx_maxpool(pithp_onnx_emit *e, const pithp_fstep *s) { pool(e, s, "MaxPool"); }
void pithp_onnx_avgpool(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pool(e, s, "AveragePool");
} /* padding does not count */
