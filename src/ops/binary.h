/* ops/binary.h: what the elementwise ops of two operands (add.c, sub.c, mul.c, div.c) have in common. */
#ifndef PITHP_BINARY_H
#define PITHP_BINARY_H

#include "ops/common.h"

bool pithp_binary_shape(pith_infer *q); /* NumPy's broadcasting */
void pithp_binary_forward(const pith_call *k, pithp_binary f);
void pithp_binary_backward(const pith_call *k, pithp_binary f);

/* A whole op; reads_: what its gradients are computed from. */
#define PITHP_BINARY_OP(op_name, f, reads_)                                   \
    static void forward(const pith_call *k) { pithp_binary_forward(k, f); }   \
    static void backward(const pith_call *k) { pithp_binary_backward(k, f); } \
    const pith_op pithp_op_##op_name = {                                      \
        .name = #op_name,                                                     \
        .min_in = 2,                                                          \
        .max_in = 2,                                                          \
        .shape = pithp_binary_shape,                                          \
        .forward = forward,                                                   \
        .backward = backward,                                                 \
        .reads = (reads_),                                                    \
    };                                                                        \
    pith_tensor *pith_##op_name(pith_tensor *a, pith_tensor *b)               \
    {                                                                         \
        return pithp_apply2(&pithp_op_##op_name, NULL, a, b);                 \
    }

#endif
