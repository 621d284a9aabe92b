/* ops/reduce.h: sums over some dimensions of a nest, shared by sum, mean, the pooling over all of an image, biases and
   the gradients of stretched operands. */
#ifndef PITHP_REDUCE_H
#define PITHP_REDUCE_H

#include "ops/nest.h"

/* The most terms that a pithp_term is asked for at once. */
#define PITHP_TERMS 256

/* The n terms (n <= PITHP_TERMS) at idx and after it along the last dimension; `at` is the place of idx in a row-major
   tensor of the nest's sizes. The result may point into a tensor or be `room`, filled. */
typedef const pith_real *(*pithp_term)(const void *arg, const pithp_nest *nest, const int64_t *idx,
                                       int64_t at, int64_t n, pith_real *room);

typedef struct {
    pithp_nest nest; /* merged */
    int set;         /* the result's strides: nest.s[set], 0 where summed */
    pithp_term term; /* NULL: arg is the row-major tensor (pith_real *) itself */
    const void *arg;
    double factor; /* of the finished sums */
    pith_real *out;
    bool add;
    void *scratch; /* pithp_reduce_scratch() bytes */
} pithp_reduce;

/* The nest for summing x over the dimensions in the mask; the result's strides are set 0. */
pithp_nest pithp_reduce_nest(pith_shape x, uint32_t axes);

/* Never shrinks when a size grows. */
size_t pithp_reduce_scratch(const pithp_nest *nest, int set);

/* out[o] (+)= factor * sum of terms. Terms are added in double, in an order that depends on the reduced sizes alone. */
void pithp_reduce_run(const pith_call *k, pithp_reduce *r);

/* The way back: dx[at] (+)= factor * dy[o]. */
void pithp_reduce_back(const pith_call *k, const pithp_nest *nest, double factor, const pith_real *dy,
                       pith_real *dx, bool add);

#endif
