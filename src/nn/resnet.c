/* resnet8: the residual network of MLPerf Tiny's image classification: a stem, three stages of one block, global
   average, a classifier. With 32x32x3 and ten classes it has the benchmark's 78,666 numbers: 78,186 parameters (its
   convolutions have biases before batch norm) and 480 running statistics.
   Sources: He et al., "Deep residual learning", arXiv:1512.03385, section 4.2; Banbury et al., "MLPerf Tiny
   Benchmark", arXiv:2106.07597, and its reference implementation's keras_model.py. */
#include "nn/family.h"

#include "base/base.h"
#include <math.h>

pith_tensor *pithp_net_resnet8(pith_model *m, pith_tensor *x, void *user)
{
    static const int channels[] = { 16, 32, 64 };
    const pithp_family_args *a = user;
    pith_conv2d_cfg conv = pithp_family_conv(a, pithp_round_channels(channels[0] * a->cfg.width), 3, 1);
    conv.bias = true;
    x = pith_nn_conv_bn_act(m, "stem", x, conv, PITH_RELU);
    for (int s = 0; s < 3; s++) {
        int n = (int)ceil(a->cfg.depth);
        conv.out = pithp_round_channels(channels[s] * a->cfg.width);
        for (int i = 0; i < n; i++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%d.%d", s, i);
            conv.stride = s > 0 && i == 0 ? 2 : 1;
            x = pith_nn_residual(m, name, x, conv, PITH_RELU);
        }
    }
    return pithp_family_head(m, "classifier", pith_global_avgpool(x), a);
}
