/* Memory with guards around it, random contents, and comparisons with a twin, for the kernels' suites. */
#ifndef PITH_TESTS_KERNELS_HELP_H
#define PITH_TESTS_KERNELS_HELP_H

#include "kernels/float/kernels.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 64 /* reals */

/* A buffer of n reals between guards, all of it filled with a bit pattern that is a NaN. `skew` reals off alignment. */
typedef struct {
    pith_real *p, *mem;
    int64_t n, skew;
} buf;

static inline buf buf_new(int64_t n, int64_t skew)
{
    buf b = { .n = n, .skew = skew };
    b.mem = malloc((size_t)(n + 2 * GUARD + skew) * sizeof *b.mem);
    ck_assert_ptr_nonnull(b.mem);
    memset(b.mem, 0xff, (size_t)(n + 2 * GUARD + skew) * sizeof *b.mem);
    b.p = b.mem + GUARD + skew;
    return b;
}

static inline bool buf_guards(const buf *b)
{
    const unsigned char *p = (const unsigned char *)b->mem, *e = (const unsigned char *)(b->p + b->n);
    size_t front = (size_t)(GUARD + b->skew) * sizeof *b->mem, back = GUARD * sizeof *b->mem;
    for (size_t i = 0; i < front; i++)
        if (p[i] != 0xff)
            return false;
    for (size_t i = 0; i < back; i++)
        if (e[i] != 0xff)
            return false;
    return true;
}

static inline void buf_free(buf *b)
{
    ck_assert_msg(buf_guards(b), "written outside a buffer");
    free(b->mem);
}

static inline pithp_rand test_rand(uint64_t key) { return pithp_rand_at(11, 0, key, PITHP_USE_OTHER); }

static inline int64_t pick(pithp_rand *r, int64_t lo, int64_t hi) /* lo..hi */
{
    return lo + (int64_t)pithp_rand_below(r, (uint64_t)(hi - lo + 1));
}

static inline buf buf_random(int64_t n, pithp_rand *r)
{
    buf b = buf_new(n, pick(r, 0, 3));
    for (int64_t i = 0; i < n; i++)
        b.p[i] = (pith_real)pithp_rand_normal(r);
    return b;
}

/* Multiples of step: sums and products of a few such are exact, so nothing lands on the wrong side of a kink. */
static inline buf buf_grid(int64_t n, double step, double offset, pithp_rand *r)
{
    buf b = buf_new(n, pick(r, 0, 3));
    for (int64_t i = 0; i < n; i++)
        b.p[i] = (pith_real)(floor(pithp_rand_normal(r) / step) * step + offset);
    return b;
}

static inline buf buf_copy(const buf *b, bool absolute)
{
    buf c = buf_new(b->n, b->skew);
    for (int64_t i = 0; i < b->n; i++)
        c.p[i] = absolute ? (pith_real)fabs((double)b->p[i]) : b->p[i];
    return c;
}

/* |got - want| <= tol * size everywhere; size: the twin on absolute values. */
static inline void same(const char *what, const char *isa, int64_t key, const pith_real *got,
                        const pith_real *want, const pith_real *size, int64_t n, double tol)
{
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        ck_assert_msg(d <= tol * fabs((double)size[i]) + 1e-30,
                      "%s, %s, shape %lld: [%lld] is %.9g, its twin %.9g, "
                      "size %.3g",
                      what, isa, (long long)key, (long long)i, (double)got[i], (double)want[i],
                      (double)size[i]);
    }
}

#define TOL 1e-5

/* ---- The suites' fixture ---- */
static pith_ctx *ctx;

static void setup(void)
{
    ctx = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    ck_assert_msg(ctx && !pith_ctx_status(ctx), "%s", ctx ? pith_error_text(ctx) : "no context");
}

static void teardown(void) { pith_ctx_free(ctx); }

/* Results go past the caches on an even number of threads: the bits must be those of an odd one. */
static inline pithp_env env(int isa, int threads)
{
    return (pithp_env){ .threads = threads,
                        .k = pithp_kern_get((pithp_isa)isa),
                        .blas = &ctx->blas,
                        .stream_from = threads % 2 == 0 };
}

/* Whole vectors of every set, and what is left over. */
static const int64_t widths[] __attribute__((unused)) = { 1, 3,  8,  16, 17, 24, 40,  96,  112, 2,
                                                          5, 15, 31, 33, 64, 65, 200, 320, 448, 7 };

#define EACH_ISA(i) for (int i = 0; i <= (int)pithp_isa_best(); i++)

#endif
