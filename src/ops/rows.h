/* ops/rows.h: what the ops over the last dimension (softmax.c, log_softmax.c, cross_entropy.c) have in common. */
#ifndef PITHP_ROWS_H
#define PITHP_ROWS_H

#include "ops/common.h"

/* Any shape of at least one dimension; the result looks the same. */
bool pithp_rows_shape(pith_infer *q);

/* fn(k, row, K) for each row of in[0], in parallel. */
void pithp_rows_run(const pith_call *k, void (*fn)(const pith_call *k, int64_t row, int64_t n_k));

/* log(sum of exp(x[0..n))), safe from overflow: m + log(sum exp(x - m)) with m = max x. */
double pithp_log_sum_exp(const pith_real *x, int64_t n);

/* log(sum of exp(x[i]/t) over all i but `but`; -1: all), x finite. */
double pithp_log_sum_exp_at(const pith_real *x, int64_t n, double t, int64_t but);

#endif
