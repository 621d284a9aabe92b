/* ops/axes.h: what the reductions over chosen dimensions (sum.c, mean.c, max.c) have in common. */
#ifndef PITHP_AXES_H
#define PITHP_AXES_H

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/quant_point.h"
#include "ops/reduce.h"

typedef struct {
    int64_t axes; /* bit i: dimension i is reduced; 0: all are */
    bool keep;    /* with size 1 in their place */
} pithp_axes_attr;

extern const pith_attr_field pithp_axes_fields[];

/* Integer means over rows and columns of [N,H,W,C] (global_avgpool.c). */
void pithp_mean_exact(const pithp_point *p);
uint32_t pithp_axes_mask(const pithp_axes_attr *a, int ndim);
extern const pithp_channels pithp_axes_channels; /* dimensions that stay */
bool pithp_axes_shape(pith_infer *q);
void pithp_axes_forward(const pith_call *k, bool mean);
void pithp_axes_backward(const pith_call *k, bool mean);

#endif
