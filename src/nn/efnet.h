/* nn/efnet.h: the layer table of an EfficientNet-like network, which MobileNetV2 is too. */
#ifndef PITHP_EFNET_H
#define PITHP_EFNET_H

#include "nn/family.h"

typedef struct {
    int expand, kernel, stride, out, repeat;
} pithp_efnet_stage;

/* How the head's channels follow the width multiplier. */
typedef enum { PITHP_HEAD_GROWS = 0, PITHP_HEAD_SCALES, PITHP_HEAD_FIXED } pithp_efnet_head;

typedef struct pithp_efnet_table {
    int stem, head, n_stages;
    pith_act act;
    bool se;                    /* squeeze-and-excitation to a quarter of the block's input channels */
    double width, depth;        /* multipliers that belong to the network; 0: 1 */
    pithp_efnet_head head_rule; /* PITHP_HEAD_GROWS: it never shrinks, as MobileNetV2 has it */
    bool fix_ends; /* stem's width, first and last stage's depth stay, as EfficientNet-lite has it */
    pithp_efnet_stage stages[8];
} pithp_efnet_table;

#endif
