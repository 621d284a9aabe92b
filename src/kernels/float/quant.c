/* kernels/float/quant.c: fake quantization of [outer, C, inner] with one scale a channel. Tiles are blocks of a channel's
   elements where inner is long, else runs of whole rows of channels. */
#include "kernels/float/tile.h"

#include <math.h>

#define BLOCK 16384

typedef struct {
    const pithp_env *e;
    const pithp_fq *f;
    const pith_real *x, *dy;
    pith_real *out;
    double *part;
    pith_real *range;
    bool add, whole;
    int64_t blocks; /* of one channel's run */
} job;

static int64_t blocks_of(const pithp_fq *f) { return pithp_ceil_div(f->inner, BLOCK); }

size_t pithp_fq_scratch(const pithp_fq *f)
{
    int64_t tiles = f->outer * f->c * blocks_of(f);
    return (size_t)(2 * tiles) * sizeof(double);
}

/* The run of elements of tile t and its channel. */
static int64_t run_of(const job *g, int64_t t, int64_t *channel, int64_t *n)
{
    int64_t row = t / g->blocks, at = t % g->blocks * BLOCK;
    *channel = row % g->f->c;
    *n = pithp_i64min(BLOCK, g->f->inner - at);
    return row * g->f->inner + at;
}

static void range_tile(void *arg, int64_t t, int thread)
{
    const job *g = arg;
    int64_t ch, n, at = run_of(g, t, &ch, &n);
    pith_real *r = g->range + 2 * t;
    (void)thread;
    r[0] = r[1] = g->x[at];
    g->e->k->minmax(g->x + at, n, &r[0], &r[1]);
}

static void forward_tile(void *arg, int64_t t, int thread)
{
    const job *g = arg;
    const pithp_fq *f = g->f;
    int64_t ch, n, at = run_of(g, t, &ch, &n);
    pith_real s = f->scale[ch];
    if (g->range != NULL)
        range_tile(arg, t, thread); /* brings x into the cache */
    g->e->k->fq(g->x + at, n, s, f->qmin - f->zero[ch], f->qmax - f->zero[ch], g->whole ? 1 : s, g->out + at);
}

static void grad_tile(void *arg, int64_t t, int thread)
{
    const job *g = arg;
    const pithp_fq *f = g->f;
    int64_t ch, n, at = run_of(g, t, &ch, &n);
    pith_real lo = f->qmin - f->zero[ch], hi = f->qmax - f->zero[ch];
    (void)thread;
    if (g->out != NULL)
        g->e->k->fq_grad(g->x + at, g->dy + at, n, f->scale[ch], lo, hi, g->out + at, g->add);
    if (g->part != NULL)
        g->part[t] = g->e->k->fq_scale_grad(g->x + at, g->dy + at, n, f->scale[ch], lo, hi);
}

static void run(job *g, void (*fn)(void *, int64_t, int))
{
    g->blocks = blocks_of(g->f);
    pithp_parallel(g->e->threads, g->f->outer * g->f->c * g->blocks, fn, g);
}

static void merge(const pith_real *records, int64_t n, pith_real *range)
{
    range[0] = records[0];
    range[1] = records[1];
    for (int64_t t = 1; t < n; t++) {
        range[0] = records[2 * t] < range[0] ? records[2 * t] : range[0];
        range[1] = records[2 * t + 1] > range[1] ? records[2 * t + 1] : range[1];
    }
}

void pithp_fq_forward(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *y,
                      pith_real *range, void *scratch)
{
    job g = { .e = e, .f = f, .x = x, .out = y, .range = range != NULL ? scratch : NULL };
    run(&g, forward_tile);
    if (range != NULL)
        merge(g.range, f->outer * f->c * g.blocks, range);
}

void pithp_fq_whole(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *y)
{
    job g = { .e = e, .f = f, .x = x, .out = y, .whole = true };
    run(&g, forward_tile);
}

void pithp_fq_backward(const pithp_env *e, const pithp_fq *f, const pith_real *x, const pith_real *dy,
                       pith_real *dx, bool add, double *dscale, void *scratch)
{
    job g = { .e = e, .f = f, .x = x, .dy = dy, .out = dx, .add = add, .part = dscale ? scratch : NULL };
    run(&g, grad_tile);
    if (dscale == NULL)
        return;
    for (int64_t ch = 0; ch < f->c; ch++)
        dscale[ch] = 0;
    for (int64_t t = 0; t < f->outer * f->c * g.blocks; t++)
        dscale[t / g.blocks % f->c] += g.part[t];
}

void pithp_fq_range(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *lo, pith_real *hi,
                    void *scratch)
{
    job g = { .e = e, .f = f, .x = x, .range = scratch };
    run(&g, range_tile);
    for (int64_t t = 0; t < f->outer * f->c * g.blocks; t++) {
        int64_t ch = t / g.blocks % f->c;
        bool first = t < f->c * g.blocks && t % g.blocks == 0;
        lo[ch] = first || g.range[2 * t] < lo[ch] ? g.range[2 * t] : lo[ch];
        hi[ch] = first || g.range[2 * t + 1] > hi[ch] ? g.range[2 * t + 1] : hi[ch];
    }
}

/* ---- Behind a convolution ---- */
typedef struct {
    const pithp_env *e;
    const pith_real *x, *scale, *shift;
    pithp_act act;
    int64_t rows, tile, c;
    pith_real s, lo, hi, *y, *range;
} affine_job;

size_t pithp_affine_fq_scratch(int64_t rows, int64_t c)
{
    return (size_t)(2 * (pithp_ceil_div(rows, pithp_tile_cap(2 * c)) + 16)) * sizeof(pith_real);
}

static void affine_fq_tile(void *arg, int64_t t, int thread)
{
    const affine_job *a = arg;
    int64_t r = t * a->tile, n = pithp_i64min(a->tile, a->rows - r), at = r * a->c;
    pith_real *range = a->range + 2 * t;
    (void)thread;
    range[0] = (pith_real)INFINITY;
    range[1] = -(pith_real)INFINITY;
    if (a->s > 0) {
        a->e->k->affine_fq(a->x + at, a->scale, a->shift, a->act, n, a->c, a->s, a->lo, a->hi, a->y + at,
                           &range[0], &range[1]);
        return;
    }
    a->e->k->affine_act(a->x + at, a->scale, a->shift, NULL, false, a->act, n, a->c, a->y + at);
    a->e->k->minmax(a->y + at, n * a->c, &range[0], &range[1]);
}

void pithp_affine_fq(const pithp_env *e, const pith_real *x, const pith_real *scale, const pith_real *shift,
                     pithp_act act, int64_t rows, int64_t c, pith_real s, pith_real lo, pith_real hi,
                     pith_real *y, pith_real *range, void *scratch)
{
    affine_job a = { e, x, scale, shift, act, rows, pithp_tile_rows(rows, 2 * c), c, s, lo, hi, y, scratch };
    int64_t tiles = pithp_ceil_div(rows, a.tile);
    pithp_parallel(e->threads, tiles, affine_fq_tile, &a);
    if (range != NULL)
        merge(a.range, tiles, range);
}
