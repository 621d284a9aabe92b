/* efnet: EfficientNet's form: a stem, stages of mobile inverted bottlenecks, a 1x1 head, global average, a classifier.
   Source: Tan and Le, "EfficientNet", arXiv:1905.11946, table 1 and section 3.3; EfficientNet-lite: its authors'
   "EfficientNet-lite" in tensorflow/tpu, 2020. efnet-nano and efnet-micro are this project's scalings. */
#include "nn/efnet.h"

#include "base/base.h"
#include <math.h>

/* Expansion, kernel, stride, channels, repeats of EfficientNet-B0. */
#define B0_STAGES                                                                                            \
    {                                                                                                        \
        { 1, 3, 1, 16, 1 }, { 6, 3, 2, 24, 2 }, { 6, 5, 2, 40, 2 }, { 6, 3, 2, 80, 3 }, { 6, 5, 1, 112, 3 }, \
            { 6, 5, 2, 192, 4 }, { 6, 3, 1, 320, 1 },                                                        \
    }

const pithp_efnet_table pithp_efnet_b0 = {
    .stem = 32,
    .head = 1280,
    .act = PITH_SILU,
    .se = true,
    .head_rule = PITHP_HEAD_SCALES,
    .n_stages = 7,
    .stages = B0_STAGES,
};

const pithp_efnet_table pithp_efnet_lite0 = {
    .stem = 32,
    .head = 1280,
    .act = PITH_RELU6,
    .head_rule = PITHP_HEAD_FIXED,
    .fix_ends = true,
    .n_stages = 7,
    .stages = B0_STAGES,
};

const pithp_efnet_table pithp_efnet_micro = {
    .stem = 32,
    .head = 1280,
    .act = PITH_SILU,
    .se = true,
    .width = 0.5,
    .depth = 0.5,
    .head_rule = PITHP_HEAD_SCALES,
    .n_stages = 7,
    .stages = B0_STAGES,
};

/* efnet-nano: 383,490 parameters with two classes, 21.2 M multiply-adds at 96x96. */
const pithp_efnet_table pithp_efnet_nano = {
    .stem = 16,
    .head = 256,
    .act = PITH_RELU6,
    .n_stages = 5,
    .stages = { { 1, 3, 1, 16, 1 },
                { 4, 3, 2, 24, 2 },
                { 4, 5, 2, 40, 2 },
                { 4, 3, 2, 80, 3 },
                { 4, 5, 2, 112, 2 } },
};

/* Blocks of stage s. */
static int repeats(const pithp_efnet_table *t, int s, double depth)
{
    bool fixed = t->fix_ends && (s == 0 || s == t->n_stages - 1);
    return fixed ? t->stages[s].repeat : (int)ceil(t->stages[s].repeat * depth);
}

static pith_tensor *stage(pith_model *m, pith_tensor *x, const pithp_family_args *a, int s, double width,
                          int n)
{
    const pithp_efnet_table *t = a->table;
    const pithp_efnet_stage *g = &t->stages[s];
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.%d", s, i);
        int64_t in = pith_shape_of(x).d[3];
        pith_mbconv_cfg block = { .out = pithp_round_channels(g->out * width),
                                  .expand = g->expand,
                                  .kernel = g->kernel,
                                  .stride = i == 0 ? g->stride : 1,
                                  .act = t->act,
                                  .se = t->se ? PITHP_MAX(in / 4, 1) : 0,
                                  .pad_mode = a->pad,
                                  .bn_momentum = a->bn.momentum,
                                  .bn_eps = a->bn.eps };
        x = pith_nn_mbconv(m, name, x, block);
    }
    return x;
}

pith_tensor *pithp_net_efnet(pith_model *m, pith_tensor *x, void *user)
{
    const pithp_family_args *a = user;
    const pithp_efnet_table *t = a->table;
    double w = a->cfg.width * (t->width > 0 ? t->width : 1), d = a->cfg.depth * (t->depth > 0 ? t->depth : 1);
    int64_t stem = t->fix_ends ? t->stem : pithp_round_channels(t->stem * w);
    x = pith_nn_conv_bn_act(m, "stem", x, pithp_family_conv(a, stem, 3, 2), t->act);
    for (int s = 0; s < t->n_stages; s++)
        x = stage(m, x, a, s, w, repeats(t, s, d));
    double by = t->head_rule == PITHP_HEAD_FIXED    ? 1
                : t->head_rule == PITHP_HEAD_SCALES ? w
                                                    : PITHP_MAX(w, 1);
    x = pith_nn_conv_bn_act(m, "head", x, pithp_family_conv(a, pithp_round_channels(t->head * by), 1, 1),
                            t->act);
    return pithp_family_head(m, "classifier", pith_global_avgpool(x), a);
}
