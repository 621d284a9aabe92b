/* deploy/fold.h: batch norm folded into the weights before it. */
#ifndef PITHP_DEPLOY_FOLD_H
#define PITHP_DEPLOY_FOLD_H

#include "deploy/fgraph.h"

/* Memory for a constant, g's own; NULL: PITH_ENOMEM is recorded. */
pith_real *pithp_fgraph_reals(pithp_fgraph *g, int64_t n);

/* Gives the step (a convolution or dense layer with constant weights) the weights and bias that also do what the batch
   norm bn does with its running statistics; *folded tells whether that was possible. */
pith_status pithp_fold_bn(pithp_fgraph *g, pithp_fstep *step, const pith_tensor *bn, bool *folded);

/* The step of a batch norm with running statistics as factor*x + offset, channel by channel; both [C]. False: its operands
   are no constants. */
bool pithp_bn_affine(const pithp_fgraph *g, const pithp_fstep *s, float *factor, float *offset);

#endif
