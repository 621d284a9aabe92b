/* nn/family.h: a family of networks: a name, its facts, and the function that builds it. */
#ifndef PITHP_FAMILY_H
#define PITHP_FAMILY_H

#include <pith/nn.h>

typedef struct {
    pith_family_info info;
    pith_net_fn net;        /* user: the pithp_family_args */
    const void *table;      /* the family's own layer table */
    double dropout;         /* where the caller leaves it open */
    pith_batch_norm_cfg bn; /* as published; zero: pith's own */
} pithp_family;

/* What a family's function builds from: the caller's cfg with zeroes replaced, and what follows from its style. */
typedef struct {
    pith_family_cfg cfg;
    const void *table;
    pith_pad_mode pad;
    pith_batch_norm_cfg bn;
} pithp_family_args;

pith_tensor *pithp_net_efnet(pith_model *m, pith_tensor *x, void *user);
pith_tensor *pithp_net_lenet(pith_model *m, pith_tensor *x, void *user);
pith_tensor *pithp_net_mobilenet_v1(pith_model *m, pith_tensor *x, void *user);
pith_tensor *pithp_net_resnet8(pith_model *m, pith_tensor *x, void *user);

/* A convolution padded and normalised in the style asked for. */
pith_conv2d_cfg pithp_family_conv(const pithp_family_args *a, int64_t out, int kernel, int stride);

/* Dropout, if any, and the classifier. x [N,C] */
pith_tensor *pithp_family_head(pith_model *m, const char *name, pith_tensor *x, const pithp_family_args *a);

/* Channels times a multiplier, to the next multiple of 8, never more than a tenth below (Tan and Le 2019). */
int64_t pithp_round_channels(double channels);

extern const struct pithp_efnet_table pithp_efnet_b0, pithp_efnet_lite0, pithp_efnet_micro, pithp_efnet_nano,
    pithp_mobilenet_v2;

#endif
