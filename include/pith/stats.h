/* pith/stats.h: what counts of right and wrong answers say about models. */
#ifndef PITH_STATS_H
#define PITH_STATS_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Wilson's 95% interval of a share, right of n (0 <= right <= n): *low and *high from 0 to 1; n below 1: 0 and 1, for nothing is
   known. Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927. Since 0.1. */
PITH_API void pith_wilson(int64_t right, int64_t n, double *low, double *high);

/* McNemar's exact test, two-sided: how likely a difference as large, or larger, is between two equally good models of which one
   alone is right on b samples and the other alone on c. 1 where b = c. b, c >= 0.
   source: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947; the binomial in full.
   Since 0.1. */
PITH_API double pith_mcnemar(int64_t b, int64_t c);

#ifdef __cplusplus
}
#endif
#endif
