/* efnet: EfficientNet's form: a stem, stages of mobile inverted bottlenecks, a 1x1 head, global average, a classifier.
   Source: Tan and Le, "EfficientNet", arXiv:1905.11946; the tables below are this project's scalings of it. */
#include "nn/efnet.h"

#include "base/base.h"
#include <math.h>

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

pith_tensor *pithp_net_efnet(pith_model *m, pith_tensor *x, void *user)
{
    const pithp_family_args *a = user;
    const pithp_efnet_table *t = a->table;
    double w = a->cfg.width;
    pith_conv2d_cfg stem = { .out = pithp_round_channels(t->stem * w), .kernel = 3, .stride = 2 };
    x = pith_nn_conv_bn_act(m, "stem", x, stem, t->act);
    for (int s = 0; s < t->n_stages; s++) {
        const pithp_efnet_stage *g = &t->stages[s];
        int repeat = (int)ceil(g->repeat * a->cfg.depth);
        for (int i = 0; i < repeat; i++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%d.%d", s, i);
            pith_mbconv_cfg block = { .out = pithp_round_channels(g->out * w),
                                      .expand = g->expand,
                                      .kernel = g->kernel,
                                      .stride = i == 0 ? g->stride : 1,
                                      .act = t->act };
            x = pith_nn_mbconv(m, name, x, block);
        }
    }
    double head = t->head * (w > 1 ? w : 1); /* the head does not shrink, as MobileNetV2 has it */
    x = pith_nn_conv_bn_act(m, "head", x, (pith_conv2d_cfg){ .out = pithp_round_channels(head) }, t->act);
    x = pith_global_avgpool(x);
    if (a->cfg.dropout > 0)
        x = pith_dropout(x, a->cfg.dropout);
    return pith_nn_linear(m, "classifier", x, a->cfg.classes);
}
