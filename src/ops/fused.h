/* ops/fused.h: attributes of ops that exist only in plans. */
#ifndef PITHP_OPS_FUSED_H
#define PITHP_OPS_FUSED_H

#include "graph/graph.h"
#include "ops/conv.h"
#include "ops/norm.h"

typedef struct {
    pithp_conv_attr conv;
    pithp_bn_attr bn;
    pithp_act act;
} pithp_conv_bn_act_attr;

/* ops/fuse_quant.c: layers with weights under fake quantization. */
bool pithp_fuse_quant_point(const pith_tensor *t, bool (*single)(void *arg, const pith_tensor *x), void *arg,
                            pithp_fused *out);
bool pithp_fuse_quant_conv(const pith_tensor *t, bool (*single)(void *arg, const pith_tensor *x), void *arg,
                           pithp_fused *out);

/* ops/hybrid.c: such a layer behind dynamic_quant. */
bool pithp_fuse_hybrid(const pith_tensor *t, bool (*single)(void *arg, const pith_tensor *x), void *arg,
                       pithp_fused *out);

#endif
