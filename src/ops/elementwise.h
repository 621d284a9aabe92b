/* ops/elementwise.h: what the ops of one operand and one kernel function (relu.c, exp.c, ...) have in common. */
#ifndef PITHP_ELEMENTWISE_H
#define PITHP_ELEMENTWISE_H

#include "ops/channels.h"
#include "ops/common.h"

/* Parameters of the function; ops without any have no attribute. */
typedef struct {
    double p0, p1;
} pithp_unary_attr;

void pithp_unary_forward(const pith_call *k, pithp_unary f);
void pithp_unary_backward(const pith_call *k, pithp_unary f);

/* The two passes of an op; `f` is the kernel's function. */
#define PITHP_UNARY_PASSES(f)                                              \
    static void forward(const pith_call *k) { pithp_unary_forward(k, f); } \
    static void backward(const pith_call *k) { pithp_unary_backward(k, f); }

/* A whole op without parameters; reads_: what its gradient is computed from; integer_: its integer form or NULL. */
#define PITHP_UNARY_OP(op_name, f, reads_, integer_) \
    PITHP_UNARY_PASSES(f)                            \
    const pith_op pithp_op_##op_name = {             \
        .name = #op_name,                            \
        .min_in = 1,                                 \
        .max_in = 1,                                 \
        .shape = pithp_shape_same,                   \
        .forward = forward,                          \
        .backward = backward,                        \
        .reads = (reads_),                           \
        .integer = (integer_),                       \
        .by_sample = 1,                              \
        .channels = &pithp_channels_same,            \
    };                                               \
    pith_tensor *pith_##op_name(pith_tensor *x) { return pithp_apply1(&pithp_op_##op_name, NULL, x); }

#endif
