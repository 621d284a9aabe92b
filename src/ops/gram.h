/* ops/gram.h: losses on how the samples of a batch lie to each other (relation_distance, relation_angle,
   similarity_preserving): all are functions of the products of all pairs of samples, G = X X^T. */
#ifndef PITHP_GRAM_H
#define PITHP_GRAM_H

#include "ops/common.h"

enum { PITHP_GRAM_MOST = 2048 }; /* samples: such losses hold N x N numbers, and one takes N^3 steps */

/* in[0] [N,D] of the student, in[1] [N,E] of the teacher -> scalar. Asks for so many matrices [N,N] of double, with
   room for two numbers behind those of aux and for [N] behind those of scratch. */
bool pithp_gram_shape(pith_infer *q, int aux_matrices, int scratch_matrices);

/* g [N,N] of operand i, symmetric to the last bit, and the same for equal samples. */
void pithp_gram(const pith_call *k, int i, double *g);

/* From dL/dG [N,N] to operand 0's gradient: dx[i] = sum over j of (dg[i,j] + dg[j,i]) x[j]. */
void pithp_gram_backward(const pith_call *k, const double *dg);

/* fn(k, i, n) for each sample i of n, in parallel. */
void pithp_gram_rows(const pith_call *k, void (*fn)(const pith_call *k, int64_t i, int64_t n));

/* Squared distance of samples i and j, never negative. */
static inline double pithp_gram_distance2(const double *g, int64_t n, int64_t i, int64_t j)
{
    double d = g[i * n + i] + g[j * n + j] - 2 * g[i * n + j];
    return d > 0 ? d : 0;
}

/* Huber's loss with its bend at 1, and its derivative. */
static inline double pithp_huber(double e)
{
    double a = e < 0 ? -e : e;
    return a < 1 ? 0.5 * e * e : a - 0.5;
}
static inline double pithp_huber_slope(double e) { return e > 1 ? 1 : e < -1 ? -1 : e; }

#endif
