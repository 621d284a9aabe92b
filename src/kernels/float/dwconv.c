/* kernels/float/dwconv.c: depthwise convolution over bands of rows. */
#include "kernels/float/tile.h"
#include <string.h>

static int64_t pieces(int64_t reals) { return (int64_t)(pithp_piece(reals) / sizeof(pith_real)); }

/* ---- Forward: a tile is a run of output rows, flat over N and P --------------------------------------------- */
typedef struct {
    const pithp_env *e;
    const pithp_conv_fwd *a;
    int64_t rows, tile, most;
    pith_real *part;
} fwd;

static fwd fwd_layout(const pithp_conv *g)
{
    fwd f = { .rows = g->n * g->p };
    int64_t width = g->q * g->c + g->stride_h * g->w * g->c;
    int64_t cap = pithp_i64max(1, PITHP_TILE_BYTES / (int64_t)sizeof(float) / pithp_i64max(width, 1));
    f.tile = pithp_i64max(1, pithp_i64min(cap, pithp_ceil_div(f.rows, 16)));
    f.most = pithp_ceil_div(f.rows, cap) + 16;
    return f;
}

size_t pithp_dw_fwd_scratch(const pithp_conv *g)
{
    return pithp_piece(fwd_layout(g).most * 3 * g->c);
}

static void fwd_tile(void *arg, int64_t t, int thread)
{
    const fwd *f = arg;
    const pithp_conv *g = &f->a->g;
    int64_t from = t * f->tile, to = pithp_i64min(from + f->tile, f->rows), rc = g->q * g->c;
    int64_t sub = pithp_i64max(1, 6144 / pithp_i64max(rc, 1));
    (void)thread;
    for (int64_t i = from; i < to; i += sub) {
        int64_t end = pithp_i64min(i + sub, to);
        for (int64_t j = i; j < end; j++)
            f->e->k->dw_row(g, f->a->x + j / g->p * g->h * g->w * g->c, f->a->w, j % g->p, f->a->y + j * rc);
        pithp_conv_epilogue(f->e, f->a, (end - i) * g->q, f->a->y + i * rc, f->part + t * 3 * g->c, i == from);
    }
}

void pithp_dw_forward(const pithp_env *e, const pithp_conv_fwd *a)
{
    const pithp_conv *g = &a->g;
    fwd f = fwd_layout(g);
    int64_t tiles = pithp_ceil_div(f.rows, f.tile);
    f.e = e;
    f.a = a;
    f.part = a->scratch;
    pithp_parallel(e->threads, tiles, fwd_tile, &f);
    if (a->mean) pithp_stats_merge(f.part, tiles, f.rows * g->q, f.tile * g->q, g->c, a->mean, a->var);
}

/* ---- Backward: a unit is a band of one sample: output rows for dw, and the input rows near them for dx --------- */
typedef struct {
    const pithp_env *e;
    const pithp_conv_bwd *a;
    int64_t band, bands, units, slots, dw_size, db_size, dy_size;
    pith_real *dw, *db, *dy;
} bwd;

static bwd bwd_layout(const pithp_conv *g)
{
    bwd b = { 0 };
    int64_t reach = (g->r - 1) * g->dil_h / g->stride_h + 2; /* rows of dy beyond a band that its dx may need */
    int64_t fit = PITHP_TILE_BYTES / (int64_t)sizeof(float) / pithp_i64max(g->q * g->c, 1);
    b.bands = pithp_ceil_div(g->p, pithp_i64max(1, fit > 3 * reach ? fit - 2 * reach : reach));
    if (fit >= g->p) b.bands = 1;
    b.band = pithp_ceil_div(g->p, b.bands);
    b.bands = pithp_ceil_div(g->p, b.band);
    b.units = g->n * b.bands;
    b.slots = pithp_i64min(PITHP_SLOTS, b.units);
    b.dw_size = pieces(g->r * g->s * g->c);
    b.db_size = pieces(g->c);
    b.dy_size = pieces(pithp_i64min(g->p, b.band + 2 * reach) * g->q * g->c);
    return b;
}

size_t pithp_dw_bwd_scratch(const pithp_conv *g, int threads)
{
    bwd b = bwd_layout(g);
    return (size_t)(b.slots * (b.dw_size + b.db_size) + threads * b.dy_size) * sizeof(pith_real);
}

/* The first input row of band i: about the middle of the rows that its first output row sees. */
static int64_t first_input(const pithp_conv *g, const bwd *b, int64_t i)
{
    if (i <= 0) return 0;
    if (i >= b->bands) return g->h;
    int64_t row = i * b->band * g->stride_h - g->pt + (g->r - 1) * g->dil_h / 2;
    return pithp_i64max(0, pithp_i64min(row, g->h));
}

static void bwd_band(const bwd *b, int64_t n, int64_t i, pith_real *buf, pith_real *dw, pith_real *db)
{
    const pithp_conv_bwd *a = b->a;
    const pithp_conv *g = &a->g;
    const pithp_kern *k = b->e->k;
    int64_t p0 = i * b->band, p1 = pithp_i64min(p0 + b->band, g->p), rc = g->q * g->c;
    int64_t i0 = first_input(g, b, i), i1 = first_input(g, b, i + 1), lo = p0, hi = p1;
    if (a->dx && i1 > i0) {
        int64_t top = i0 + g->pt - (g->r - 1) * g->dil_h;
        lo = pithp_i64min(lo, top > 0 ? pithp_ceil_div(top, g->stride_h) : 0);
        hi = pithp_i64max(hi, pithp_i64min(g->p, (i1 - 1 + g->pt) / g->stride_h + 1));
    }
    const pith_real *dy = pithp_dy_rows(b->e, &a->src, (n * g->p + lo) * g->q, (hi - lo) * g->q, g->c, buf);
    const pith_real *x = a->x + n * g->h * g->w * g->c;
    if (a->dw)
        for (int64_t p = p0; p < p1; p++) k->dw_row_dw(g, x, dy + (p - lo) * rc, p, dw);
    if (a->dbias) k->col_sum(dy + (p0 - lo) * rc, (p1 - p0) * g->q, g->c, db);
    if (a->dx)
        for (int64_t r = i0; r < i1; r++)
            k->dw_row_dx(g, dy, lo, hi, a->w, r, a->dx + (n * g->h + r) * g->w * g->c, a->dx_add);
}

static void bwd_slot(void *arg, int64_t slot, int thread)
{
    const bwd *b = arg;
    pith_real *dw = b->dw + slot * b->dw_size, *db = b->db + slot * b->db_size;
    memset(dw, 0, (size_t)b->dw_size * sizeof *dw);
    memset(db, 0, (size_t)b->db_size * sizeof *db);
    for (int64_t u = slot * b->units / b->slots; u < (slot + 1) * b->units / b->slots; u++)
        bwd_band(b, u / b->bands, u % b->bands, b->dy + thread * b->dy_size, dw, db);
}

void pithp_dw_backward(const pithp_env *e, const pithp_conv_bwd *a)
{
    const pithp_conv *g = &a->g;
    bwd b = bwd_layout(g);
    b.e = e;
    b.a = a;
    b.dw = a->scratch;
    b.db = b.dw + b.slots * b.dw_size;
    b.dy = b.db + b.slots * b.db_size;
    pithp_parallel(e->threads, b.slots, bwd_slot, &b);
    if (a->dw) pithp_slots_add(e, b.dw, b.slots, b.dw_size, g->r * g->s * g->c, a->dw, true);
    if (a->dbias) pithp_slots_add(e, b.db, b.slots, b.db_size, g->c, a->dbias, true);
}
