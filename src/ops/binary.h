/* ops/binary.h: what the elementwise ops of two operands (add.c, sub.c, mul.c, div.c) have in common. */
#ifndef PITHP_BINARY_H
#define PITHP_BINARY_H

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/quant_point.h"

bool pithp_binary_shape(pith_infer *q); /* NumPy's broadcasting */
void pithp_binary_forward(const pith_call *k, pithp_binary f);
void pithp_binary_backward(const pith_call *k, pithp_binary f);

/* Walks both operands as broadcasting has it, in runs: step 1, or 0 for one number of b. */
void pithp_binary_exact(const pithp_point *p, const pithp_iarith *g,
                        void (*run)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step,
                                    int64_t n, int8_t *y));

/* A whole op; reads_: what its gradients are computed from; integer_: its integer form or NULL;
   channels_: which go together. */
#define PITHP_BINARY_OP(op_name, f, reads_, integer_, channels_)              \
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
        .integer = (integer_),                                                \
        .by_sample = 3,                                                       \
        .channels = (channels_),                                              \
    };                                                                        \
    pith_tensor *pith_##op_name(pith_tensor *a, pith_tensor *b)               \
    {                                                                         \
        return pithp_apply2(&pithp_op_##op_name, NULL, a, b);                 \
    }

#endif
