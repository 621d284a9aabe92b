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

/* efnet-micro: 658,402 parameters with two classes, 13.5 M multiply-adds at 96x96. A training step takes as long as
   efnet-nano's, 40 epochs of the photographs about 20 minutes on two idle cores; at B0's own depth it would be 30. */
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

/* Where the network stands: its multipliers, and how many of its blocks are built. */
typedef struct {
    const pithp_family_args *a;
    double width, depth;
    int built, blocks;
} progress;

static pith_tensor *stage(pith_model *m, pith_tensor *x, progress *k, int s)
{
    const pithp_efnet_table *t = k->a->table;
    const pithp_efnet_stage *g = &t->stages[s];
    int n = repeats(t, s, k->depth);
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.%d", s, i);
        int64_t in = pith_shape_of(x).d[3];
        pith_mbconv_cfg block = { .out = pithp_round_channels(g->out * k->width),
                                  .expand = g->expand,
                                  .kernel = g->kernel,
                                  .stride = i == 0 ? g->stride : 1,
                                  .act = t->act,
                                  .se = t->se ? PITHP_MAX(in / 4, 1) : 0,
                                  .drop_connect = k->a->cfg.drop_connect * k->built++ / k->blocks,
                                  .pad_mode = k->a->pad,
                                  .bn_momentum = k->a->bn.momentum,
                                  .bn_eps = k->a->bn.eps };
        x = pith_nn_mbconv(m, name, x, block);
    }
    return x;
}

static double head_width(const pithp_efnet_table *t, double width)
{
    switch (t->head_rule) {
    case PITHP_HEAD_FIXED: return 1;
    case PITHP_HEAD_SCALES: return width;
    case PITHP_HEAD_GROWS: break;
    }
    return PITHP_MAX(width, 1);
}

pith_tensor *pithp_net_efnet(pith_model *m, pith_tensor *x, void *user)
{
    const pithp_family_args *a = user;
    const pithp_efnet_table *t = a->table;
    progress k = { .a = a,
                   .width = a->cfg.width * (t->width > 0 ? t->width : 1),
                   .depth = a->cfg.depth * (t->depth > 0 ? t->depth : 1) };
    for (int s = 0; s < t->n_stages; s++)
        k.blocks += repeats(t, s, k.depth);
    int64_t stem = t->fix_ends ? t->stem : pithp_round_channels(t->stem * k.width);
    int64_t head = pithp_round_channels(t->head * head_width(t, k.width));
    x = pith_nn_conv_bn_act(m, "stem", x, pithp_family_conv(a, stem, 3, 2), t->act);
    for (int s = 0; s < t->n_stages; s++)
        x = stage(m, x, &k, s);
    x = pith_nn_conv_bn_act(m, "head", x, pithp_family_conv(a, head, 1, 1), t->act);
    return pithp_family_head(m, "classifier", pith_global_avgpool(x), a);
}
