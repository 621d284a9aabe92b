/* kernels/float/bn.c: batch normalisation over tiles of rows. */
#include "kernels/float/tile.h"
#include <string.h>

enum { RECORD = 3 }; /* times C reals: what a tile leaves */

typedef struct {
    const pithp_env *e;
    const pith_real *x, *y, *scale, *shift, *mean, *res, *a, *b, *d;
    pith_real *out, *part;
    int64_t rows, tile, c, slots;
    pithp_act act;
    bool flag, stream;
    const pithp_learned *learned;
} bn_args;

static int64_t tiles_most(int64_t rows, int64_t width)
{
    return pithp_ceil_div(rows, pithp_tile_cap(width)) + 16;
}

size_t pithp_bn_scratch(int64_t rows, int64_t c) { return pithp_piece(tiles_most(rows, 2 * c) * RECORD * c); }

static void stats_tile(void *arg, int64_t t, int thread)
{
    const bn_args *a = arg;
    int64_t r = t * a->tile, rows = pithp_i64min(a->tile, a->rows - r);
    const pith_real *x = a->x + r * a->c;
    pith_real *record = a->part + t * RECORD * a->c;
    (void)thread;
    pithp_stats_begin(x, rows, a->c, record, a->e->k);
    pithp_stats_add(x, rows, a->c, record, a->e->k);
}

void pithp_bn_stats(const pithp_env *e, const pith_real *x, int64_t rows, int64_t c, pith_real *mean,
                    pith_real *var, void *scratch)
{
    bn_args a = {
        .e = e, .x = x, .part = scratch, .rows = rows, .tile = pithp_tile_rows(rows, 2 * c), .c = c
    };
    int64_t tiles = pithp_ceil_div(rows, a.tile);
    pithp_parallel(e->threads, tiles, stats_tile, &a);
    pithp_stats_merge(scratch, tiles, rows, a.tile, c, mean, var);
}

static void affine_tile(void *arg, int64_t t, int thread)
{
    enum { BUF = 2048 };
    const bn_args *a = arg;
    const pithp_kern *k = a->e->k;
    int64_t r = t * a->tile, end = pithp_i64min(r + a->tile, a->rows);
    bool stream = a->stream && a->c <= BUF;
    int64_t step = stream ? BUF / a->c : a->tile;
    pith_real buf[BUF];
    if (stream && step > 16)
        step -= step % 16; /* whole cache lines, whatever c is */
    (void)thread;
    for (; r < end; r += step) {
        int64_t o = r * a->c, rows = pithp_i64min(step, end - r);
        k->affine_act(a->x + o, a->scale, a->shift, a->res ? a->res + o : NULL, a->flag, a->act, rows, a->c,
                      stream ? buf : a->out + o);
        if (stream)
            k->stream(buf, rows * a->c, a->out + o);
    }
}

void pithp_affine_act(const pithp_env *e, const pith_real *x, const pith_real *scale, const pith_real *shift,
                      const pith_real *res, bool res_first, pithp_act act, int64_t rows, int64_t c,
                      pith_real *y)
{
    bn_args a = { .e = e,
                  .x = x,
                  .scale = scale,
                  .shift = shift,
                  .res = res,
                  .flag = res_first,
                  .act = act,
                  .rows = rows,
                  .tile = pithp_tile_rows(rows, 2 * c),
                  .c = c,
                  .out = y,
                  .stream = y != x && pithp_streams(e, rows * c) };
    pithp_parallel(e->threads, pithp_ceil_div(rows, a.tile), affine_tile, &a);
}

static void reduce_tile(void *arg, int64_t t, int thread)
{
    const bn_args *a = arg;
    const pithp_learned *q = a->learned;
    int64_t r = t * a->tile, o = r * a->c, rows = pithp_i64min(a->tile, a->rows - r);
    pith_real *s1 = a->part + t * RECORD * a->c;
    (void)thread;
    memset(s1, 0, (size_t)(2 * a->c) * sizeof *s1);
    a->e->k->bn_reduce(a->x + o, a->y + o, a->scale, a->shift, a->mean, a->act, rows, a->c, s1, s1 + a->c,
                       NULL);
    if (q != NULL)
        s1[2 * a->c] = (pith_real)a->e->k->affine_fq_scale_grad(a->y + o, a->x + o, q->scale, q->shift,
                                                                q->act, rows, a->c, q->s, q->lo, q->hi);
}

void pithp_bn_reduce(const pithp_env *e, const pith_real *dz, const pith_real *y, const pith_real *scale,
                     const pith_real *shift, const pith_real *mean, pithp_act act, int64_t rows, int64_t c,
                     pith_real *s1, pith_real *s2, pithp_learned *learned, void *scratch)
{
    bn_args a = { .e = e,
                  .x = dz,
                  .y = y,
                  .scale = scale,
                  .shift = shift,
                  .mean = mean,
                  .act = act,
                  .rows = rows,
                  .tile = pithp_tile_rows(rows, 2 * c),
                  .c = c,
                  .part = scratch,
                  .learned = learned };
    int64_t tiles = pithp_ceil_div(rows, a.tile);
    pithp_parallel(e->threads, tiles, reduce_tile, &a);
    for (int64_t j = 0; j < c; j++) {
        double u = 0, v = 0;
        for (int64_t t = 0; t < tiles; t++) {
            u += (double)a.part[t * RECORD * c + j];
            v += (double)a.part[t * RECORD * c + c + j];
        }
        s1[j] = (pith_real)u;
        s2[j] = (pith_real)v;
    }
    if (learned == NULL)
        return;
    learned->sum = 0;
    for (int64_t t = 0; t < tiles; t++)
        learned->sum += (double)a.part[t * RECORD * c + 2 * c];
}

static void dy_tile(void *arg, int64_t t, int thread)
{
    const bn_args *a = arg;
    int64_t r = t * a->tile, o = r * a->c;
    (void)thread;
    a->e->k->bn_dy(a->x + o, a->y + o, a->scale, a->shift, a->a, a->b, a->d, a->act,
                   pithp_i64min(a->tile, a->rows - r), a->c, a->out + o, a->flag);
}

void pithp_bn_dy(const pithp_env *e, const pith_real *dz, const pith_real *y, const pith_real *scale,
                 const pith_real *shift, const pith_real *a, const pith_real *b, const pith_real *d,
                 pithp_act act, int64_t rows, int64_t c, pith_real *dy, bool add)
{
    bn_args p = { .e = e,
                  .x = dz,
                  .y = y,
                  .scale = scale,
                  .shift = shift,
                  .a = a,
                  .b = b,
                  .d = d,
                  .act = act,
                  .rows = rows,
                  .tile = pithp_tile_rows(rows, 2 * c),
                  .c = c,
                  .out = dy,
                  .flag = add };
    pithp_parallel(e->threads, pithp_ceil_div(rows, p.tile), dy_tile, &p);
}
