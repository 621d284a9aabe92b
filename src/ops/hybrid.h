/* ops/hybrid.h: how LiteRT's hybrid kernels quantize a sample of their float input. */
#ifndef PITHP_OPS_HYBRID_H
#define PITHP_OPS_HYBRID_H

#include "graph/graph.h"

/* x = S (q - Z). S 0: the sample is all zeros, or has no finite range, and stays as it is. */
typedef struct {
    float scale, zero;
} pithp_dynamic;

pithp_dynamic pithp_dynamic_of(const pithp_env *e, const pith_real *x, int64_t n);
/* y[i] = q - Z of x[i]; scale not 0. */
void pithp_dynamic_codes(const pithp_env *e, pithp_dynamic d, const pith_real *x, int64_t n, pith_real *y);

#endif
