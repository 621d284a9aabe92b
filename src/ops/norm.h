/* ops/norm.h: the arithmetic of batch normalisation on [C] vectors, shared by batch_norm and conv_bn_act. */
#ifndef PITHP_OPS_NORM_H
#define PITHP_OPS_NORM_H

#include "graph/graph.h"

typedef struct {
    double momentum, eps;
    bool frozen;
} pithp_bn_attr;

/* The vectors [C] that go from forward to backward; they lie one after the other. */
typedef struct {
    pith_real *mean, *invstd, *scale, *shift; /* scale = gamma*invstd, shift = beta - mean*scale */
    pith_real *s1, *s2, *a, *b, *d;           /* backward */
} pithp_bn_vec;
#define PITHP_BN_VECTORS 9

pithp_bn_vec pithp_bn_vectors(void *memory, int64_t c);

/* scale and shift from mean (v->mean) and var. */
void pithp_bn_coef(const pithp_bn_vec *v, const pith_real *var, const pith_real *gamma, const pith_real *beta,
                   double eps, int64_t c);
/* running = (1-momentum)*running + momentum*batch, the variance unbiased. */
void pithp_bn_running(const pithp_bn_attr *a, const pith_real *mean, const pith_real *var, int64_t rows,
                      int64_t c, pith_real *running_mean, pith_real *running_var);
/* From s1, s2 (see pithp_bn_reduce): dgamma, dbeta += (NULL: not wanted), and a, b, d with dx = a*u + b*x + d.
   batch: the statistics were the batch's, so they too depend on x. */
void pithp_bn_back_coef(const pithp_bn_vec *v, bool batch, int64_t rows, int64_t c, pith_real *dgamma,
                        pith_real *dbeta);
/* Checks gamma, beta, running mean, running variance: in[first .. first+3] are [c]. */
bool pithp_bn_check(pith_infer *q, int first, int64_t c, const pithp_bn_attr *a);

#endif
