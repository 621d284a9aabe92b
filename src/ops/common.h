/* ops/common.h: checks that op files share. All record the error and return false when something is wrong. */
#ifndef PITHP_OPS_COMMON_H
#define PITHP_OPS_COMMON_H

#include "graph/graph.h"
#include "ops/table.h"
#include <pith/op.h>
#include <pith/ops.h>

static inline bool pithp_here(const pith_infer *q, int i) { return i < q->n_in && q->in[i].ndim >= 0; }

bool pithp_want_f32(pith_infer *q); /* all operands that are there */

/* Operand i has `ndim` dimensions; letters: what they are, for the message ("x [N,H,W,C]"). */
bool pithp_want_ndim(pith_infer *q, int i, int ndim, const char *letters);

/* Sets the float32 result's shape after making sure that it can be held. */
bool pithp_result(pith_infer *q, pith_shape out);

/* shape() of every op whose one result looks like its first operand. */
bool pithp_shape_same(pith_infer *q);

/* For kernels that only add (to the gradients of weights): zeroes a gradient that is to be written. Weights are not
   always parameters; a mask or fake quantization may stand between. */
void pithp_clear_grad(const pith_val *v);

static inline pith_tensor *pithp_apply1(const pith_op *op, const void *attr, pith_tensor *x)
{
    return pith_op_apply(op, attr, NULL, 1, &x);
}

static inline pith_tensor *pithp_apply2(const pith_op *op, const void *attr, pith_tensor *a, pith_tensor *b)
{
    return pith_op_apply(op, attr, NULL, 2, (pith_tensor *[]){ a, b });
}

#endif
