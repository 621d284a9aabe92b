/* mobilenet-v1: depthwise separable convolutions. Source: Howard et al., "MobileNets", arXiv:1704.04861, table 1.
   mobilenet-v2: inverted bottlenecks, which efnet.c builds. Source: Sandler et al., "MobileNetV2", arXiv:1801.04381,
   table 2. ReLU6 throughout. */
#include "nn/efnet.h"

#include "base/base.h"
#include <math.h>

const pithp_efnet_table pithp_mobilenet_v2 = {
    .stem = 32,
    .head = 1280,
    .act = PITH_RELU6,
    .n_stages = 7,
    .stages = { { 1, 3, 1, 16, 1 },
                { 6, 3, 2, 24, 2 },
                { 6, 3, 2, 32, 3 },
                { 6, 3, 2, 64, 4 },
                { 6, 3, 1, 96, 3 },
                { 6, 3, 2, 160, 3 },
                { 6, 3, 1, 320, 1 } },
};

pith_tensor *pithp_net_mobilenet_v1(pith_model *m, pith_tensor *x, void *user)
{
    static const struct {
        int out, stride, repeat;
    } stages[] = { { 64, 1, 1 }, { 128, 2, 2 }, { 256, 2, 2 }, { 512, 2, 6 }, { 1024, 2, 2 } };
    const pithp_family_args *a = user;
    double w = a->cfg.width;
    x = pith_nn_conv_bn_act(m, "stem", x, pithp_family_conv(a, pithp_round_channels(32 * w), 3, 2),
                            PITH_RELU6);
    for (size_t s = 0; s < PITHP_LEN(stages); s++) {
        int n = (int)ceil(stages[s].repeat * a->cfg.depth);
        for (int i = 0; i < n; i++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%zu.%d", s, i);
            x = pith_nn_separable(m, name, x,
                                  pithp_family_conv(a, pithp_round_channels(stages[s].out * w), 3,
                                                    i == 0 ? stages[s].stride : 1),
                                  PITH_RELU6);
        }
    }
    return pithp_family_head(m, "classifier", pith_global_avgpool(x), a);
}
