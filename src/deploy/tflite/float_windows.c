/* deploy/tflite/float_windows.c: convolutions, dense layers and pools of the float graph, and what is put around
   them where TensorFlow has no word for their padding. */
#include "deploy/tflite/float_emit.h"
#include "ops/conv.h"
#include <float.h>

int pithp_tfl_pad_around(pithp_tfl_emit *e, const pithp_fstep *s, int x, const int64_t amount[4], float value)
{
    pith_shape shape = pithp_tfl_shape(e, s, 0);
    shape.d[1] += amount[0] + amount[1];
    shape.d[2] += amount[2] + amount[3];
    const int32_t rows[8] = {
        0, 0, (int32_t)amount[0], (int32_t)amount[1], (int32_t)amount[2], (int32_t)amount[3], 0, 0
    };
    int in[3] = { x, pithp_tfl_ints(e, s, "paddings", PITH_SHAPE(4, 2), rows) }, n = 2;
    if (value != 0)
        in[n++] = pithp_tfl_real(e, s, "padding_value", value);
    int out = pithp_tfl_between(e, s, "padded", shape);
    pithp_tfl_put(e, n == 2 ? TFL_PAD : TFL_PADV2, 1, in, n, out, n == 2 ? TFL_OPT_PAD : TFL_OPT_PADV2, NULL,
                  0);
    return out;
}

/* ---- Convolutions ---- */
/* The bias; zeroes where there is none, since not all runtimes do without. */
static int bias(pithp_tfl_emit *e, const pithp_fstep *s, int64_t channels)
{
    if (s->n_in > 2 && s->in[2] >= 0)
        return pithp_tfl_in(e, s, 2);
    float *zeroes = PITHP_NEW_N(e->w.c, float, channels);
    char *name = pithp_sprintf(e->w.c, "%s/zero_bias", e->g->values[s->out].name);
    int t = -1;
    if (zeroes && name)
        t = pithp_tfl_add_tensor(
            &e->w, &(pithp_tfl_tensor){
                       .name = name, .type = TFL_FLOAT32, .shape = PITH_SHAPE(channels), .data = zeroes });
    else
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    pithp_free(e->w.c, zeroes);
    pithp_free(e->w.c, name);
    return t;
}

static pithp_conv geometry(const pithp_tfl_emit *e, const pithp_fstep *s)
{
    return pithp_conv_geometry_of(s->node->attr, pithp_tfl_shape(e, s, 0), pithp_tfl_shape(e, s, 1));
}

/* The operands, padded where need be. Returns SAME or VALID. */
static int conv_operands(pithp_tfl_emit *e, const pithp_fstep *s, const pithp_conv *g, int in[3])
{
    pithp_tfl_padding p = pithp_tfl_pad_of(pithp_conv_rows(g), pithp_conv_columns(g));
    in[0] = pithp_tfl_in(e, s, 0);
    if (p.around)
        in[0] = pithp_tfl_pad_around(e, s, in[0], p.amount, 0);
    in[1] = pithp_tfl_weights(e, s);
    in[2] = bias(e, s, g->k);
    return p.padding;
}

static pithp_tfl_window window_of(const pithp_fstep *s, const pithp_conv *g, int padding)
{
    return (pithp_tfl_window){ .padding = padding,
                               .act = pithp_tfl_act(s->act),
                               .stride = { g->stride_h, g->stride_w },
                               .dilation = { g->dil_h, g->dil_w } };
}

void pithp_tfl_conv(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pithp_conv g = geometry(e, s);
    pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS];
    int in[3], padding = conv_operands(e, s, &g, in);
    pithp_tfl_window v = window_of(s, &g, padding);
    int version = g.groups > 1 ? 6 : pithp_tfl_is_hybrid(e, s) ? 5 : 1;
    pithp_tfl_put(e, TFL_CONV_2D, version, in, 3, pithp_tfl_out(e, s), TFL_OPT_CONV_2D, o,
                  pithp_tfl_conv_options(&v, o));
}

void pithp_tfl_depthwise(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pithp_conv g = geometry(e, s);
    pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS];
    int in[3], padding = conv_operands(e, s, &g, in);
    pithp_tfl_window v = window_of(s, &g, padding);
    int version = pithp_tfl_is_hybrid(e, s) ? 6 : g.dil_w != 1 || g.dil_h != 1 ? 2 : 1;
    pithp_tfl_put(e, TFL_DEPTHWISE_CONV_2D, version, in, 3, pithp_tfl_out(e, s), TFL_OPT_DEPTHWISE_CONV_2D, o,
                  pithp_tfl_depthwise_options(&v, 1, o));
}

void pithp_tfl_dense(pithp_tfl_emit *e, const pithp_fstep *s)
{
    bool hybrid = pithp_tfl_is_hybrid(e, s);
    const pithp_tfl_option o[] = { { .field = 0, .kind = PITHP_TFL_BYTE, .i = pithp_tfl_act(s->act) },
                                   { .field = 3, .kind = PITHP_TFL_BYTE, .i = hybrid } }; /* asymmetric */
    int in[3] = { pithp_tfl_in(e, s, 0), pithp_tfl_weights(e, s), bias(e, s, pithp_tfl_shape(e, s, 1).d[0]) };
    pithp_tfl_put(e, TFL_FULLY_CONNECTED, hybrid ? 9 : 1, in, 3, pithp_tfl_out(e, s), TFL_OPT_FULLY_CONNECTED,
                  o, hybrid ? 2 : 1);
}

/* ---- Pools ---- */
static pithp_tfl_padding pool_of(const pithp_tfl_emit *e, const pithp_fstep *s, pithp_extent d[2])
{
    pithp_pool_extents(s->node, pithp_tfl_shape(e, s, 0), e->g->values[s->out].shape, d);
    return pithp_tfl_pad_of(d[0], d[1]);
}

static void put_pool(pithp_tfl_emit *e, const pithp_fstep *s, int builtin, int padding,
                     const pithp_extent d[2], int x)
{
    pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS];
    pithp_tfl_window v = { .padding = padding,
                           .stride = { d[0].stride, d[1].stride },
                           .kernel = { d[0].window, d[1].window } };
    pithp_tfl_put(e, builtin, 1, &x, 1, pithp_tfl_out(e, s), TFL_OPT_POOL_2D, o,
                  pithp_tfl_pool_options(&v, o));
}

void pithp_tfl_maxpool(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pithp_extent d[2];
    pithp_tfl_padding p = pool_of(e, s, d);
    int x = pithp_tfl_in(e, s, 0);
    if (p.around)
        x = pithp_tfl_pad_around(e, s, x, p.amount, -FLT_MAX);
    put_pool(e, s, TFL_MAX_POOL_2D, p.padding, d, x);
}

void pithp_tfl_avgpool(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pithp_extent d[2];
    pithp_tfl_padding p = pool_of(e, s, d);
    if (p.around)
        pithp_tfl_refuse(
            e, s,
            "its explicit padding is neither SAME nor VALID, and cells outside the image would count "
            "in the average; use PITH_SAME or PITH_VALID");
    else
        put_pool(e, s, TFL_AVERAGE_POOL_2D, p.padding, d, pithp_tfl_in(e, s, 0));
}
