/* kernels/float/gemm.c: matrix products cut into tiles or slots, each one single-threaded. */
#include "kernels/float/tile.h"
#include <string.h>

static void product(const pithp_env *e, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const pith_real *a,
                    int64_t lda, const pith_real *b, int64_t ldb, pith_real beta, pith_real *c, int64_t ldc)
{
    if (m <= 0 || n <= 0)
        return;
    if (k <= 0) {
        for (int64_t i = 0; i < m && beta == 0; i++)
            memset(c + i * ldc, 0, (size_t)n * sizeof *c);
        return;
    }
    e->blas->gemm(ta, tb, m, n, k, PITHP_R(1.0), a, lda, b, ldb, beta, c, ldc, e->blas);
}

typedef struct {
    const pithp_env *e;
    bool ta, tb;
    int64_t m, n, k, tm, tn, tk, across;
    const pith_real *a, *b;
    pith_real beta, *c, *part;
} gemm_args;

#define FEW (256 * 1024)

/* Few outputs and a long sum (gradients of weights): cut the sum. */
static int64_t slots_of(int64_t m, int64_t n, int64_t k)
{
    if (m * n > FEW || k < 512)
        return 1;
    return pithp_i64min(PITHP_SLOTS, k / 128);
}

size_t pithp_gemm_scratch(int64_t m, int64_t n,
                          int64_t k) /* grows with each of them, whichever the batch is */
{
    return k < 512 ? 0 : pithp_piece(pithp_i64min(PITHP_SLOTS, k / 128) * pithp_i64min(m * n, FEW));
}

static const pith_real *at(const pith_real *x, bool t, int64_t row, int64_t col, int64_t rows, int64_t cols)
{
    return t ? x + col * rows + row : x + row * cols + col;
}

static void block_tile(void *arg, int64_t t, int thread)
{
    const gemm_args *g = arg;
    int64_t i = t / g->across * g->tm, j = t % g->across * g->tn;
    (void)thread;
    product(g->e, g->ta, g->tb, pithp_i64min(g->tm, g->m - i), pithp_i64min(g->tn, g->n - j), g->k,
            at(g->a, g->ta, i, 0, g->m, g->k), g->ta ? g->m : g->k, at(g->b, g->tb, 0, j, g->k, g->n),
            g->tb ? g->k : g->n, g->beta, g->c + i * g->n + j, g->n);
}

static void slot_tile(void *arg, int64_t t, int thread)
{
    const gemm_args *g = arg;
    int64_t l = t * g->tk;
    (void)thread;
    product(g->e, g->ta, g->tb, g->m, g->n, pithp_i64min(g->tk, g->k - l), at(g->a, g->ta, 0, l, g->m, g->k),
            g->ta ? g->m : g->k, at(g->b, g->tb, l, 0, g->k, g->n), g->tb ? g->k : g->n, 0,
            g->part + t * g->m * g->n, g->n);
}

void pithp_run_gemm(const pithp_env *e, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const pith_real *a,
                    const pith_real *b, pith_real beta, pith_real *c, void *scratch)
{
    gemm_args g = { .e = e,
                    .ta = ta,
                    .tb = tb,
                    .m = m,
                    .n = n,
                    .k = k,
                    .a = a,
                    .b = b,
                    .beta = beta,
                    .c = c,
                    .part = scratch };
    int64_t slots = slots_of(m, n, k);
    if (slots > 1) {
        g.tk = pithp_ceil_div(k, slots);
        slots = pithp_ceil_div(k, g.tk);
        pithp_parallel(e->threads, slots, slot_tile, &g);
        pithp_slots_add(e, scratch, slots, m * n, m * n, c, beta != 0);
        return;
    }
    g.tn = n > 512 ? 256 : pithp_i64max(n, 1);
    g.across = pithp_ceil_div(n, g.tn);
    g.tm = pithp_i64min(192, pithp_tile_rows(m, pithp_i64min(n + k, 1024)));
    pithp_parallel(e->threads, pithp_ceil_div(m, g.tm) * g.across, block_tile, &g);
}
