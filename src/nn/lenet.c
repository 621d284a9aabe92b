/* lenet: conv 5x5x20, max pool, conv 5x5x50, max pool, dense 500, dense K; ReLU. With 28x28x1 and ten classes it has the
   431,080 parameters of the network that the pruning literature calls LeNet-5.
   Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; Caffe's examples/mnist. */
#include "nn/family.h"

#include <math.h>
#include <stdio.h>

pith_tensor *pithp_net_lenet(pith_model *m, pith_tensor *x, void *user)
{
    const pithp_family_args *a = user;
    double w = a->cfg.width;
    pith_conv2d_cfg conv = { .kernel = 5, .pad_mode = PITH_VALID, .bias = true };
    pith_pool_cfg pool = { .kernel = 2, .stride = 2, .pad_mode = PITH_VALID };
    conv.out = (int64_t)ceil(20 * w);
    x = pith_maxpool(pith_relu(pith_nn_conv2d(m, "conv1", x, conv)), pool);
    conv.out = (int64_t)ceil(50 * w);
    x = pith_maxpool(pith_relu(pith_nn_conv2d(m, "conv2", x, conv)), pool);
    x = pith_flatten(x);
    int hidden = (int)ceil(a->cfg.depth); /* dense layers before the last */
    for (int i = 0; i < hidden; i++) {
        char name[16];
        snprintf(name, sizeof name, i == 0 ? "fc1" : "fc1.%d", i);
        x = pith_relu(pith_nn_linear(m, name, x, (int64_t)ceil(500 * w)));
    }
    return pithp_family_head(m, "fc2", x, a);
}
