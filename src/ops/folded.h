/* ops/folded.h: the arithmetic of folded_batch_norm on [C] vectors, shared with its fused form. */
#ifndef PITHP_OPS_FOLDED_H
#define PITHP_OPS_FOLDED_H

#include "ops/fake_quant.h"

typedef struct {
    const pith_real *gamma, *beta;
    pith_real *mean, *var; /* running */
} pithp_folded_stats;

/* What goes from forward to backward: batch norm's vectors, the batch's variance, dgamma's factors, one flag. */
typedef struct {
    pithp_bn_vec bn;
    pith_real *var, *dg, *batch;
} pithp_folded_vec;
#define PITHP_FOLDED_VECTORS (PITHP_BN_VECTORS + 3)

static inline pithp_folded_vec pithp_folded_vectors(void *memory, int64_t c)
{
    pithp_bn_vec bn = pithp_bn_vectors(memory, c);
    return (pithp_folded_vec){ bn, bn.d + c, bn.d + 2 * c, bn.d + 3 * c };
}

/* Whether this run normalises by the batch; counts a training run. */
bool pithp_folded_batch(const pith_call *k, const pithp_folded_attr *a, const pith_real *runs);
void pithp_folded_count(const pith_call *k, pith_real *runs);

/* scale and shift of z = scale*y + shift, and what backward needs. Of the batch: v->mean and var_y are y's; running
   statistics move. */
void pithp_folded_batch_coef(const pithp_bn_vec *v, pith_real *dg, const pithp_folded_attr *a,
                             const pith_real *var_y, int64_t rows, const pithp_folded_stats *s, int64_t c);
void pithp_folded_frozen_coef(const pithp_bn_vec *v, pith_real *dg, const pithp_folded_attr *a,
                              const pithp_folded_stats *s, int64_t c);
/* From s1, s2: gradients of gamma and beta (NULL: not wanted), and a, b, d as pithp_bn_back_coef. */
void pithp_folded_back_coef(const pithp_bn_vec *v, const pith_real *dg, bool batch, int64_t rows, int64_t c,
                            pith_real *dgamma, pith_real *dbeta);
/* Checks gamma, beta, running mean and variance, and the count of runs: in[first .. first+4]. */
bool pithp_folded_check(pith_infer *q, int first, int64_t c, const pithp_folded_attr *a);

#endif
