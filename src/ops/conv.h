/* ops/conv.h: what conv2d, depthwise_conv2d and conv_bn_act share: attributes, geometry, and their checks. */
#ifndef PITHP_OPS_CONV_H
#define PITHP_OPS_CONV_H

#include "graph/graph.h"
#include <pith/ops.h>

typedef struct {
    int stride_h, stride_w, dil_h, dil_w;
    int64_t groups;
    int pad_mode;                 /* pith_pad_mode */
    int top, bottom, left, right; /* for PITH_EXPLICIT */
    bool depthwise;
} pithp_conv_attr;

/* Zeroes of cfg replaced by their meaning, symmetric padding by its numbers, which w decides. */
pithp_conv_attr pithp_conv_attr_of(pith_conv2d_cfg cfg, const pith_tensor *w, bool depthwise);

/* All checks of x, w, b (in[0..2] of q; b may be absent) against the attributes; fills g. False after pith_op_fail. */
bool pithp_conv_geometry(pith_infer *q, const pithp_conv_attr *a, pithp_conv *g);

/* The same without checks, for calls: the plan has made them. */
pithp_conv pithp_conv_geometry_of(const pithp_conv_attr *a, pith_shape x, pith_shape w);

/* A dense layer as a convolution: x [N,I], w [O,I]. */
pithp_conv pithp_conv_of_dense(pith_shape x, pith_shape w);

#endif
