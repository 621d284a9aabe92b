/* nn/efnet.h: the layer table of an EfficientNet-like network. */
#ifndef PITHP_EFNET_H
#define PITHP_EFNET_H

#include "nn/family.h"

typedef struct {
    int expand, kernel, stride, out, repeat;
} pithp_efnet_stage;

typedef struct pithp_efnet_table {
    int stem, head, n_stages;
    pith_act act;
    pithp_efnet_stage stages[8];
} pithp_efnet_table;

#endif
