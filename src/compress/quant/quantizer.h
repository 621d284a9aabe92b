/* compress/quant/quantizer.h: what the files of array-level quantization share. */
#ifndef PITHP_QUANTIZER_H
#define PITHP_QUANTIZER_H

#include "base/base.h"
#include <pith/quantizer.h>

/* ---- An array cut into groups (channels) along an axis -------------------------------------------------------------
   Value i belongs to group i / inner % groups. */
typedef struct {
    int64_t n, groups, inner;
} pithp_groups;

pith_status pithp_groups_of(pith_ctx *c, pith_shape shape, int axis, pithp_groups *g);

/* PITH_ENAN naming the first value that is not finite. what: "weight", ... */
pith_status pithp_all_finite(pith_ctx *c, const char *what, const float *x, int64_t n);

/* ---- Searching a range ------------------------------------------------------------------------------------------------
   Shrinks [lo,hi] (which contains 0) to where error(arg, lo, hi) is least: first both ends by one factor, then, unless
   symmetric, each for itself. Deterministic; a few hundred evaluations. */
typedef double (*pithp_range_error)(void *arg, double lo, double hi);
void pithp_range_search(pithp_range_error error, void *arg, bool symmetric, double *lo, double *hi);

/* ---- Histograms ---------------------------------------------------------------------------------------------------------
   Bins are multiples of a width that is a power of two, for each sign alike: [i*width, (i+1)*width) of the absolute
   value. When a value does not fit, the width doubles and bins merge in pairs. So the result is what one would get from
   all values at once: it does not depend on order or batches. Zeros are counted apart, since every quantizer here
   represents them exactly. */
typedef struct {
    int bins, exponent; /* width = 2^exponent, valid once something was seen */
    int64_t count, zeros;
    double min, max;
    int64_t *below, *above;
} pithp_hist;

pith_status pithp_hist_new(pith_ctx *c, pithp_hist *h, int bins);
void pithp_hist_free(pith_ctx *c, pithp_hist *h);
void pithp_hist_add(pithp_hist *h, const float *x, int64_t n); /* finite values */
double pithp_hist_width(const pithp_hist *h);

/* Ranges from a histogram; each within [min,max] and containing 0. */
void pithp_hist_percentile(const pithp_hist *h, double percentile, bool symmetric, double *lo, double *hi);
pith_status pithp_hist_mse(pith_ctx *c, const pithp_hist *h, pith_linear_cfg q, double *lo, double *hi);
pith_status pithp_hist_entropy(pith_ctx *c, const pithp_hist *h, int bits, bool symmetric, double *lo,
                               double *hi);

#endif
