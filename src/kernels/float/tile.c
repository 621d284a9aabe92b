/* kernels/float/tile.c: tile sizes, statistics by tiles, sums over slots. */
#include "kernels/float/tile.h"
#include <string.h>

int64_t pithp_tile_cap(int64_t width)
{
    int64_t fit = PITHP_TILE_BYTES / (int64_t)sizeof(float) / pithp_i64max(width, 1);
    return pithp_i64max(fit / 48 * 48, 48);
}

int64_t pithp_tile_rows(int64_t rows, int64_t width)
{
    int64_t even = pithp_ceil_div(pithp_ceil_div(pithp_i64max(rows, 1), 16), 48) * 48;
    return pithp_i64min(pithp_tile_cap(width), even);
}

int64_t pithp_sub_rows(int64_t width)
{
    int64_t fit = 12288 / pithp_i64max(width, 1) / 48 * 48;
    return pithp_i64max(48, pithp_i64min(fit, 192));
}

void pithp_stats_begin(const pith_real *x, int64_t rows, int64_t c, pith_real *record, const pithp_kern *k)
{
    pith_real *centre = record + 2 * c;
    memset(record, 0, (size_t)(3 * c) * sizeof *record);
    rows = pithp_i64min(rows, PITHP_CENTRE_ROWS);
    k->col_sum(x, rows, c, centre);
    for (int64_t j = 0; j < c && rows > 0; j++)
        centre[j] /= (pith_real)rows;
}

void pithp_stats_add(const pith_real *x, int64_t rows, int64_t c, pith_real *record, const pithp_kern *k)
{
    k->col_moments(x, record + 2 * c, rows, c, record, record + c);
}

void pithp_stats_merge(const pith_real *records, int64_t tiles, int64_t rows, int64_t tile, int64_t c,
                       pith_real *mean, pith_real *var)
{
    for (int64_t j = 0; j < c; j++) {
        double n = 0, m = 0, sq = 0;
        for (int64_t t = 0; t < tiles; t++) {
            const pith_real *r = records + t * 3 * c + j;
            double nt = (double)pithp_i64min(tile, rows - t * tile), all = n + nt;
            double off = (double)r[0] / nt, d = (double)r[2 * c] + off - m;
            m += d * (nt / all);
            sq += (double)r[c] - off * (double)r[0] + d * d * (n * nt / all);
            n = all;
        }
        mean[j] = (pith_real)m;
        var[j] = (pith_real)(n > 0 && sq > 0 ? sq / n : 0);
    }
}

typedef struct {
    const pithp_env *e;
    const pith_real *part;
    int64_t slots, stride, n, block;
    pith_real *dst;
    bool add;
} slots_args;

static void slots_tile(void *arg, int64_t t, int thread)
{
    const slots_args *a = arg;
    int64_t i = t * a->block, m = pithp_i64min(a->block, a->n - i);
    (void)thread;
    if (!a->add)
        memset(a->dst + i, 0, (size_t)m * sizeof(pith_real));
    for (int64_t s = 0; s < a->slots; s++)
        a->e->k->axpy(PITHP_R(1.0), a->part + s * a->stride + i, m, a->dst + i);
}

void pithp_slots_add(const pithp_env *e, const pith_real *part, int64_t slots, int64_t stride, int64_t n,
                     pith_real *dst, bool add)
{
    slots_args a = { e, part, slots, stride, n, 4096, dst, add };
    pithp_parallel(e->threads, pithp_ceil_div(n, a.block), slots_tile, &a);
}
