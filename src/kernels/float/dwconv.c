/* kernels/float/dwconv.c: depthwise convolution over bands of rows. */
#include "kernels/float/tile.h"
#include <string.h>

static int64_t pieces(int64_t reals) { return (int64_t)(pithp_piece(reals) / sizeof(pith_real)); }

/* ---- Forward: a tile is a run of output rows, flat over N and P, and a band those whose x is in cache together ----- */
typedef struct {
    const pithp_env *e;
    const pithp_conv_fwd *a;
    int64_t rows, tile, band, most, sub, x_size, y_size;
    pith_real *part, *x; /* a thread's y follows its x */
    bool stream;
} fwd;

/* Input rows that output rows p0..p1 see: *i0..*i1. */
static void seen(const pithp_conv *g, int64_t p0, int64_t p1, int64_t *i0, int64_t *i1)
{
    *i0 = pithp_i64min(g->h, pithp_i64max(0, p0 * g->stride_h - g->pt));
    *i1 = pithp_i64max(*i0, pithp_i64min(g->h, (p1 - 1) * g->stride_h - g->pt + (g->r - 1) * g->dil_h + 1));
}

/* The most input rows that `rows` output rows of a sample see. */
static int64_t seen_most(const pithp_conv *g, int64_t rows)
{
    return pithp_i64min(g->h, (pithp_i64min(rows, g->p) - 1) * g->stride_h + (g->r - 1) * g->dil_h + 1);
}

/* Rows i0..i1 of sample n that a buffer holds. Bands of a sample overlap: what the next one needs too moves to the front, and is
   not computed again. */
typedef struct {
    int64_t n, i0, i1;
} held;
static const held nothing = { -1, 0, 0 };

/* Makes the buffer begin at row i0 of sample n and to be filled up to i1; from which row on is for the caller to do. */
static int64_t slide_to(held *h, int64_t n, int64_t i0, int64_t i1, int64_t row, pith_real *buf)
{
    const bool some = h->n == n && h->i0 <= i0 && i0 < h->i1;
    const int64_t from = some ? pithp_i64min(h->i1, i1) : i0;
    if (some && h->i0 < i0)
        memmove(buf, buf + (i0 - h->i0) * row, (size_t)((from - i0) * row) * sizeof *buf);
    *h = (held){ n, i0, i1 };
    return from;
}

/* Sample n's input for output rows p0..p1, transformed into buf if asked for; then *g is the band alone. */
static const pith_real *band_of(const pithp_env *e, const pithp_x_src *src, const pith_real *x, int64_t n,
                                int64_t p0, int64_t p1, held *h, pith_real *buf, pithp_conv *g)
{
    const int64_t row = g->w * g->c;
    int64_t i0, i1;
    if (!src->scale)
        return x + n * g->h * row;
    seen(g, p0, p1, &i0, &i1);
    const int64_t from = slide_to(h, n, i0, i1, row, buf);
    pithp_x_rows(e, src, x, (n * g->h + from) * g->w, (i1 - from) * g->w, g->c, buf + (from - i0) * row);
    g->h = i1 - i0;
    g->pt += i0;
    return buf;
}

/* dy of sample n's output rows p0..p1; likewise. */
static const pith_real *dy_of(const pithp_env *e, const pithp_conv_bwd *a, int64_t n, int64_t p0, int64_t p1,
                              held *h, pith_real *buf)
{
    const pithp_conv *g = &a->g;
    const int64_t row = g->q * g->c;
    if (a->src.dy)
        return a->src.dy + (n * g->p + p0) * row;
    const int64_t from = slide_to(h, n, p0, p1, row, buf);
    pithp_dy_rows(e, &a->src, (n * g->p + from) * g->q, (p1 - from) * g->q, g->c, buf + (from - p0) * row);
    return buf;
}

/* A tile is no longer than this, or than a band: its statistics are summed in single precision. */
enum { TILE_PIXELS = 2048 };

static fwd fwd_layout(const pithp_conv *g)
{
    fwd f = { .rows = g->n * g->p };
    int64_t width = g->q * g->c + g->stride_h * g->w * g->c;
    f.band = pithp_i64max(1, PITHP_TILE_BYTES / (int64_t)sizeof(float) / pithp_i64max(width, 1));
    int64_t cap = pithp_i64max(f.band, TILE_PIXELS / pithp_i64max(g->q, 1));
    f.tile = pithp_i64max(1, pithp_i64min(cap, pithp_ceil_div(f.rows, 16)));
    f.most = pithp_ceil_div(f.rows, cap) + 16;
    f.x_size = pieces(seen_most(g, pithp_i64min(f.band, f.tile)) * g->w * g->c);
    f.sub = pithp_i64max(1, 6144 / pithp_i64max(g->q * g->c, 1));
    f.y_size = pieces(f.sub * g->q * g->c);
    return f;
}

size_t pithp_dw_fwd_scratch(const pithp_conv *g, int threads)
{
    fwd f = fwd_layout(g);
    return (size_t)(pieces(f.most * 3 * g->c) + threads * (f.x_size + f.y_size)) * sizeof(pith_real);
}

static void fwd_tile(void *arg, int64_t t, int thread)
{
    const fwd *f = arg;
    const pithp_conv *g = &f->a->g;
    int64_t from = t * f->tile, to = pithp_i64min(from + f->tile, f->rows), rc = g->q * g->c;
    pith_real *record = f->part + t * 3 * g->c, *buf = f->x + thread * (f->x_size + f->y_size);
    held h = nothing;
    for (int64_t i = from; i < to;) { /* band by band, none of two samples */
        int64_t n = i / g->p, end = pithp_i64min(pithp_i64min(to, i + f->band), (n + 1) * g->p);
        pithp_conv band = *g;
        const pith_real *x =
            band_of(f->e, &f->a->load, f->a->x, n, i - n * g->p, end - n * g->p, &h, buf, &band);
        while (i < end) {
            int64_t first = i, stop = pithp_i64min(i + f->sub, end);
            pith_real *out = f->a->y + first * rc, *y = f->stream ? buf + f->x_size : out;
            for (; i < stop; i++)
                f->e->k->dw_row(&band, x, f->a->w, i - n * g->p, y + (i - first) * rc);
            pithp_conv_epilogue(f->e, f->a, (stop - first) * g->q, y, record, first == from);
            if (f->stream)
                f->e->k->stream(y, (stop - first) * rc, out);
        }
    }
}

void pithp_dw_forward(const pithp_env *e, const pithp_conv_fwd *a)
{
    const pithp_conv *g = &a->g;
    fwd f = fwd_layout(g);
    int64_t tiles = pithp_ceil_div(f.rows, f.tile);
    f.e = e;
    f.a = a;
    f.stream = pithp_streams(e, f.rows * g->q * g->c);
    f.part = a->scratch;
    f.x = f.part + pieces(f.most * 3 * g->c);
    pithp_parallel(e->threads, tiles, fwd_tile, &f);
    if (a->mean)
        pithp_stats_merge(f.part, tiles, f.rows * g->q, f.tile * g->q, g->c, a->mean, a->var);
}

/* ---- Backward: a unit is a band of one sample: output rows for dw, and the input rows near them for dx --------- */
typedef struct {
    const pithp_env *e;
    const pithp_conv_bwd *a;
    int64_t band, bands, units, slots, dw_size, db_size, dy_size, x_size, row_size;
    pith_real *dw, *db, *red, *dy; /* a thread's x follows its dy, and a row of dx follows that */
    bool stream;
} bwd;

static bwd bwd_layout(const pithp_conv *g)
{
    bwd b = { 0 };
    int64_t reach =
        (g->r - 1) * g->dil_h / g->stride_h + 2; /* rows of dy beyond a band that its dx may need */
    int64_t width = g->q * g->c + g->stride_h * g->w * g->c;
    int64_t fit = 2 * PITHP_TILE_BYTES / (int64_t)sizeof(float) / pithp_i64max(width, 1);
    b.bands = pithp_ceil_div(g->p, pithp_i64max(1, fit > 3 * reach ? fit - 2 * reach : reach));
    if (fit >= g->p)
        b.bands = 1;
    b.band = pithp_ceil_div(g->p, b.bands);
    b.bands = pithp_ceil_div(g->p, b.band);
    b.units = g->n * b.bands;
    b.slots = pithp_i64min(PITHP_SLOTS, b.units);
    b.dw_size = pieces(g->r * g->s * g->c);
    b.db_size = pieces(g->c);
    b.dy_size = pieces(pithp_i64min(g->p, b.band + 2 * reach) * g->q * g->c);
    b.x_size = pieces(seen_most(g, b.band) * g->w * g->c);
    b.row_size = pieces(g->w * g->c);
    return b;
}

size_t pithp_dw_bwd_scratch(const pithp_conv *g, int threads)
{
    bwd b = bwd_layout(g);
    return (size_t)(b.slots * (b.dw_size + 3 * b.db_size) + threads * (b.dy_size + b.x_size + b.row_size)) *
           sizeof(pith_real);
}

/* The first input row of band i: about the middle of the rows that its first output row sees. */
static int64_t first_input(const pithp_conv *g, const bwd *b, int64_t i)
{
    if (i <= 0)
        return 0;
    if (i >= b->bands)
        return g->h;
    int64_t row = i * b->band * g->stride_h - g->pt + (g->r - 1) * g->dil_h / 2;
    return pithp_i64max(0, pithp_i64min(row, g->h));
}

/* What a thread's buffers hold. */
typedef struct {
    held dy, x;
} bwd_held;

static void bwd_band(const bwd *b, int64_t slot, int64_t n, int64_t i, bwd_held *h, pith_real *buf)
{
    pith_real *dw = b->dw + slot * b->dw_size, *db = b->db + slot * b->db_size,
              *red = b->red + slot * 2 * b->db_size;
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
    const pith_real *dy = dy_of(b->e, a, n, lo, hi, &h->dy, buf);
    if (a->dw) {
        pithp_conv own = *g;
        const pith_real *x = band_of(b->e, &a->load, a->x, n, p0, p1, &h->x, buf + b->dy_size, &own);
        for (int64_t p = p0; p < p1; p++)
            k->dw_row_dw(&own, x, dy + (p - lo) * rc, p, dw);
    }
    if (a->dbias)
        k->col_sum(dy + (p0 - lo) * rc, (p1 - p0) * g->q, g->c, db);
    for (int64_t r = i0; r < i1 && a->dx; r++) {
        int64_t at = (n * g->h + r) * g->w * g->c;
        pith_real *dx = b->stream ? buf + b->dy_size + b->x_size : a->dx + at;
        k->dw_row_dx(g, dy, lo, hi, a->w, r, dx, a->dx_add);
        if (a->load_s1)
            k->bn_reduce(dx, a->x + at, a->load.scale, a->load.shift, a->load_mean, a->load.act, g->w, g->c,
                         red, red + b->db_size, dx);
        if (b->stream)
            k->stream(dx, g->w * g->c, a->dx + at);
    }
}

static void bwd_slot(void *arg, int64_t slot, int thread)
{
    const bwd *b = arg;
    bwd_held h = { nothing, nothing };
    memset(b->dw + slot * b->dw_size, 0, (size_t)b->dw_size * sizeof *b->dw);
    memset(b->db + slot * b->db_size, 0, (size_t)b->db_size * sizeof *b->dw);
    memset(b->red + slot * 2 * b->db_size, 0, (size_t)(2 * b->db_size) * sizeof *b->dw);
    for (int64_t u = slot * b->units / b->slots; u < (slot + 1) * b->units / b->slots; u++)
        bwd_band(b, slot, u / b->bands, u % b->bands, &h,
                 b->dy + thread * (b->dy_size + b->x_size + b->row_size));
}

void pithp_dw_backward(const pithp_env *e, const pithp_conv_bwd *a)
{
    const pithp_conv *g = &a->g;
    bwd b = bwd_layout(g);
    b.e = e;
    b.a = a;
    b.stream = a->dx && !a->dx_add && pithp_streams(e, g->n * g->h * g->w * g->c);
    b.dw = a->scratch;
    b.db = b.dw + b.slots * b.dw_size;
    b.red = b.db + b.slots * b.db_size;
    b.dy = b.red + b.slots * 2 * b.db_size;
    pithp_parallel(e->threads, b.slots, bwd_slot, &b);
    if (a->dw)
        pithp_slots_add(e, b.dw, b.slots, b.dw_size, g->r * g->s * g->c, a->dw, true);
    if (a->dbias)
        pithp_slots_add(e, b.db, b.slots, b.db_size, g->c, a->dbias, true);
    if (a->load_s1) {
        pithp_slots_add(e, b.red, b.slots, 2 * b.db_size, g->c, a->load_s1, false);
        pithp_slots_add(e, b.red + b.db_size, b.slots, 2 * b.db_size, g->c, a->load_s2, false);
    }
}
