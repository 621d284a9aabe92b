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
    bool add;
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

static void forward_tile(void *arg, int64_t t, int thread)
{
    const job *g = arg;
    const pithp_fq *f = g->f;
    int64_t ch, n, at = run_of(g, t, &ch, &n);
    (void)thread;
    g->e->k->fq(g->x + at, n, f->scale[ch], f->qmin - f->zero[ch], f->qmax - f->zero[ch], g->out + at);
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

static void range_tile(void *arg, int64_t t, int thread)
{
    const job *g = arg;
    int64_t ch, n, at = run_of(g, t, &ch, &n);
    pith_real *r = g->range + 2 * t;
    (void)thread;
    r[0] = r[1] = g->x[at];
    g->e->k->minmax(g->x + at, n, &r[0], &r[1]);
}

static void run(job *g, void (*fn)(void *, int64_t, int))
{
    g->blocks = blocks_of(g->f);
    pithp_parallel(g->e->threads, g->f->outer * g->f->c * g->blocks, fn, g);
}

void pithp_fq_forward(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *y)
{
    job g = { .e = e, .f = f, .x = x, .out = y };
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
