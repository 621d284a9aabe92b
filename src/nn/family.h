/* nn/family.h: a family of networks: a name, its facts, and the function that builds it. */
#ifndef PITHP_FAMILY_H
#define PITHP_FAMILY_H

#include <pith/nn.h>

typedef struct {
    pith_family_info info;
    pith_net_fn net;   /* user: the pith_family_cfg, zeroes replaced */
    const void *table; /* the family's own layer table */
} pithp_family;

typedef struct {
    pith_family_cfg cfg;
    const void *table;
} pithp_family_args;

pith_tensor *pithp_net_efnet(pith_model *m, pith_tensor *x, void *user);
pith_tensor *pithp_net_lenet(pith_model *m, pith_tensor *x, void *user);

/* Channels times a multiplier, to the next multiple of 8, never more than a tenth below (Tan and Le 2019). */
int64_t pithp_round_channels(double channels);

extern const struct pithp_efnet_table pithp_efnet_nano;

#endif
