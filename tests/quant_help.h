/* tests/quant_help.h: what the suites of the quantizers share. */
#ifndef PITH_TESTS_QUANT_HELP_H
#define PITH_TESTS_QUANT_HELP_H

#include "base/base.h"
#include "suite.h"
#include <string.h>

/* The call failed with this status and a sentence that has these words in it; the context is cleared. */
static inline void expect_in(pith_ctx *c, pith_status st, pith_status want, const char *words)
{
    suite_check(st == want && pith_ctx_status(c) == want, "%s instead of %s (%s)", pith_status_name(st),
                pith_status_name(want), pith_error_text(c));
    suite_check(strstr(pith_error_text(c), words), "\"%s\" does not say \"%s\"", pith_error_text(c), words);
    pith_ctx_clear(c);
}
#define expect(st, want, words) expect_in(c, (st), (want), (words))

/* n normal deviates, a function of (seed, sample). */
static inline void normal_floats(float *x, int64_t n, uint64_t seed, uint64_t sample)
{
    pithp_rand r = pithp_rand_at(seed, 0, sample, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)pithp_rand_normal(&r);
}

#endif
