/* compress/quant/quant.h: the passes behind pith_quantize and pith_qat. */
#ifndef PITHP_QUANT_H
#define PITHP_QUANT_H

#include "graph/rewrite.h"
#include "ops/integer.h"
#include <pith/quant.h>

/* The one user of t among the saved nodes, if it takes t's result as its operand 0 and joins t in one integer op: a batch norm
   behind a convolution, a clamp behind what can bound its result. NULL: t's result stands for itself.
   users [nodes]: from pithp_quant_users. */
const pith_tensor *pithp_quant_joined(const pith_tensor *t, const pith_tensor *const *users);
/* users[id]: the one user of each node, NULL where there are none or several, or it is the model's output. Freed with
   pithp_free. NULL: no memory. */
const pith_tensor **pithp_quant_users(const pith_model *m);

/* Whether the batch norm behind a convolution and the convolution's bias are numbers that the model holds; else PITH_EINVAL: then
   it cannot be folded. */
bool pithp_norm_known(const pith_tensor *bn);

/* A copy of m without batch norms behind convolutions: their scale is in the weights, their shift in a bias. */
pith_model *pithp_fold_model(const pith_model *m);

/* Puts fake_quant nodes into m (in place). qat: ranges move while it trains, and batch norms are folded as training wants it;
   else m has been folded, and pithp_quant_calibrate gives the ranges. */
pith_status pithp_quant_insert(pith_model *m, const pith_quant_cfg *cfg, bool qat);

/* cfg with its defaults; PITH_EINVAL for what cannot be. */
pith_status pithp_quant_cfg_check(const pith_model *m, pith_quant_cfg *cfg);
/* Bits of the weights of the layer `name` by cfg->layers, or `otherwise`. */
int pithp_quant_layer_bits(const pith_quant_cfg *cfg, const char *name, int otherwise);
/* Whether the name matches one of the shell patterns, which commas part. */
bool pithp_quant_matches(const char *patterns, const char *name);
/* Whether each pattern of the list (NULL: none) matches some layer; else PITH_EINVAL. verb: whose option it is, for the message. */
pith_status pithp_skip_check(const pith_model *m, const char *skip, const char *verb);

/* Ranges of the activations from images, then scales of the weights; weights become S*q. */
pith_status pithp_quant_calibrate(pith_model *m, pith_data *d, const pith_quant_cfg *cfg);
pith_status pithp_quant_weights(pith_model *m);
/* Where learned scales of the weights w of the layer `name` begin: at those that leave the least squared error. PITH_ENAN: some
   weight is not finite. */
pith_status pithp_quant_learned_start(pith_ctx *c, const char *name, const pithp_fq_attr *a, pith_real *w,
                                      pith_shape shape, pith_real *scale);

#endif
