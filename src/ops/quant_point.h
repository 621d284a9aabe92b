/* ops/quant_point.h: integer ops without weights inside float plans: what a simulation of the integers computes. */
#ifndef PITHP_OPS_QUANT_POINT_H
#define PITHP_OPS_QUANT_POINT_H

#include "graph/graph.h"
#include "kernels/int8/kernels.h"

/* One op: operands and result as int8, one sample or all of them; scales as the fake_quant nodes have them now. */
typedef struct {
    const pith_call *k;
    int n_in;
    const int8_t *in[2];
    pith_shape shape[2]; /* of all samples */
    float scale[2], scale_out;
    int zero[2], zero_out, lo, hi;
    int8_t *out;
} pithp_point;

#endif
