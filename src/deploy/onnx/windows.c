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
    pithp_onnx_attr_ints(e, "pads", pads, 4);
}

/* OHWI to OIHW; depthwise [1,R,S,C] to [C,1,R,S]. */
static const char *filter(pithp_onnx_emit *e, const pithp_fstep *s, const pithp_conv *g, pithp_onnx_name buf)
{
    const pithp_fvalue *v = &e->g->values[s->in[1]];
    int64_t per = g->depthwise ? 1 : g->c / g->groups, rs = g->r * g->s;
    const pith_real *w = v->data;
    float *to = w ? PITHP_NEW_N(e->pb.c, float, g->k *per *rs) : NULL;
    if (!w)
        pithp_onnx_refuse(e, s, "its weights depend on the input");
    else if (!to)
        pithp_pb_fail(&e->pb, PITH_ENOMEM);
    for (int64_t k = 0; to && k < g->k; k++)
        for (int64_t c = 0; c < per; c++)
            for (int64_t i = 0; i < rs; i++)
                to[(k * per + c) * rs + i] = g->depthwise ? w[i * g->k + k] : w[(k * rs + i) * per + c];
    pithp_onnx_part(e, s, "weight", buf);
    if (to)
        pithp_onnx_tensor(e, buf, ONNX_FLOAT, PITH_SHAPE(g->k, per, g->r, g->s), to);
    pithp_free(e->pb.c, to);
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
    pithp_onnx_node(e, "Conv", in, n, pithp_onnx_raw(e, s, y));
    pithp_onnx_attr_ints(e, "kernel_shape", (int64_t[]){ g.r, g.s }, 2);
    pithp_onnx_attr_ints(e, "strides", (int64_t[]){ g.stride_h, g.stride_w }, 2);
    pithp_onnx_attr_ints(e, "dilations", (int64_t[]){ g.dil_h, g.dil_w }, 2);
    pithp_onnx_attr_int(e, "group", g.groups);
    put_pads(e, pithp_conv_rows(&g), pithp_conv_columns(&g));
    pithp_onnx_end(e);
    pithp_onnx_act(e, s, true);
}

static void pool(pithp_onnx_emit *e, const pithp_fstep *s, const char *type)
{
    pithp_extent d[2];
    pithp_onnx_name x;
    pithp_pool_extents(s->node, pithp_onnx_shape(e, s, 0), e->g->values[s->out].shape, d);
    const char *in = pithp_onnx_nchw(e, s->in[0], x);
    pithp_onnx_node(e, type, &in, 1, e->g->values[s->out].name);
    pithp_onnx_attr_ints(e, "kernel_shape", (int64_t[]){ d[0].window, d[1].window }, 2);
    pithp_onnx_attr_ints(e, "strides", (int64_t[]){ d[0].stride, d[1].stride }, 2);
    put_pads(e, d[0], d[1]);
    pithp_onnx_end(e);
    e->nchw[s->out] = true;
}

void pithp_onnx_maxpool(pithp_onnx_emit *e, const pithp_fstep *s) { pool(e, s, "MaxPool"); }
void pithp_onnx_avgpool(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pool(e, s, "AveragePool");
} /* padding does not count */
