/* ops/fused.h: attributes of ops that exist only in plans. */
#ifndef PITHP_OPS_FUSED_H
#define PITHP_OPS_FUSED_H

#include "ops/conv.h"
#include "ops/norm.h"

typedef struct {
    pithp_conv_attr conv;
    pithp_bn_attr bn;
    pithp_act act;
} pithp_conv_bn_act_attr;

#endif
