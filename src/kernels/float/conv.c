/* kernels/float/conv.c: convolution forward. A tile is a run of output pixels, flat over N, P and Q: its windows are laid
   out as a matrix (a 1x1 convolution's input already is one) and multiplied by the weights, and what follows the
   products (bias, statistics, scale, activation) happens while the tile is in cache. */
#include "kernels/float/tile.h"

typedef struct {
    const pithp_env *e;
    const pithp_conv_fwd *a;
    int64_t rows, tile, taps; /* taps: R*S*C/groups */
    pith_real *part, *col;
    size_t col_size; /* reals a thread */
} fwd;

static fwd fwd_layout(const pithp_conv *g)
{
    fwd f = { .rows = g->n * g->p * g->q, .taps = g->r * g->s * (g->c / g->groups) };
    f.tile = pithp_tile_rows(f.rows, f.taps + g->k);
    f.col_size = pithp_is_pointwise(g) ? 0 : pithp_piece(f.tile * f.taps) / sizeof(pith_real);
    return f;
}

size_t pithp_conv_fwd_scratch(const pithp_conv *g, int threads)
{
    if (pithp_is_depthwise(g)) return pithp_dw_fwd_scratch(g);
    fwd f = fwd_layout(g);
    int64_t tiles = pithp_ceil_div(f.rows, pithp_tile_cap(f.taps + g->k)) + 16;
    return pithp_piece(tiles * 2 * g->k) + (size_t)threads * f.col_size * sizeof(pith_real);
}

void pithp_conv_epilogue(const pithp_env *e, const pithp_conv_fwd *a, int64_t tile, int64_t rows, pith_real *y,
                         pith_real *part)
{
    const pithp_kern *k = e->k;
    int64_t c = a->g.k;
    const pith_real *bias = a->bias;
    if (bias && (a->mean || a->scale)) {
        k->affine_act(y, NULL, bias, NULL, false, PITHP_ACT_NONE, rows, c, y);
        bias = NULL;
    }
    if (a->mean) pithp_stats_tile(y, rows, c, part + tile * 2 * c, k);
    if (a->scale || bias || a->act != PITHP_ACT_NONE)
        k->affine_act(y, a->scale, a->scale ? a->shift : bias, NULL, false, a->act, rows, c, y);
}

static void fwd_tile(void *arg, int64_t t, int thread)
{
    const fwd *f = arg;
    const pithp_conv *g = &f->a->g;
    int64_t first = t * f->tile, rows = pithp_i64min(f->tile, f->rows - first);
    int64_t kg = g->k / g->groups;
    pith_real *y = f->a->y + first * g->k, *col = f->col + (size_t)thread * f->col_size;
    for (int64_t i = 0; i < g->groups; i++) {
        const pith_real *x = f->a->x + first * g->c;
        if (f->col_size) {
            pithp_im2col(g, f->a->x, i, first, rows, col);
            x = col;
        }
        pithp_tile_gemm(f->e, false, true, rows, kg, f->taps, x, f->taps, f->a->w + i * kg * f->taps, f->taps, 0,
                        y + i * kg, g->k);
    }
    pithp_conv_epilogue(f->e, f->a, t, rows, y, f->part);
}

void pithp_conv_forward(const pithp_env *e, const pithp_conv_fwd *a)
{
    const pithp_conv *g = &a->g;
    if (pithp_is_depthwise(g)) {
        pithp_dw_forward(e, a);
        return;
    }
    fwd f = fwd_layout(g);
    int64_t tiles = pithp_ceil_div(f.rows, f.tile);
    f.e = e;
    f.a = a;
    f.part = a->scratch;
    f.col = f.part + pithp_piece(tiles * 2 * g->k) / sizeof(pith_real);
    pithp_parallel(e->threads, tiles, fwd_tile, &f);
    if (a->mean) pithp_stats_merge(f.part, tiles, f.rows, f.tile, g->k, a->mean, a->var);
}
