/* compress/quant/kmeans.h: k-means on a line. */
#ifndef PITHP_KMEANS_H
#define PITHP_KMEANS_H

#include "compress/quant/quantizer.h"

/* The distinct values in ascending order and, over the first i of them, sums of weight, weight * (v - shift) and
   weight * (v - shift)^2: any run's mean and squared error are differences of two. */
typedef struct {
    int64_t m;
    double shift;
    double *v, *w, *x, *q; /* v [m], the sums [m + 1] */
} pithp_line;

typedef struct {
    int k, zero; /* zero: index of the centre that stays 0, -1: none */
    double c[256];
} pithp_centres;

pith_status pithp_line_new(pith_ctx *c, pithp_line *l, const float *x, const float *importance, int64_t n);
void pithp_line_free(pith_ctx *c, pithp_line *l);
bool pithp_line_has_zero(const pithp_line *l);

/* Sum over all values of weight * squared distance to the nearest centre. */
double pithp_line_sse(const pithp_line *l, const pithp_centres *s);

/* The first value that lies nearer to centre j + 1 than to centre j. */
int64_t pithp_line_border(const pithp_line *l, const pithp_centres *s, int j);

/* First centres. keep_zero puts one at 0. k must not exceed the distinct values (and 0, with keep_zero). */
void pithp_centres_linear(const pithp_line *l, int k, bool keep_zero, pithp_centres *s);
void pithp_centres_plusplus(const pithp_line *l, int k, bool keep_zero, uint64_t seed, uint32_t start,
                            pithp_centres *s);

/* Lloyd's iterations, at most `most`. Returns how many; *converged: no value changed its centre. */
int pithp_lloyd(const pithp_line *l, pithp_centres *s, int most, bool *converged);

#endif
