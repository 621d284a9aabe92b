/* kernels/float/conv_bwd.c: convolution backward. The work is cut into at most PITHP_SLOTS slots, each a run of units that
   one thread walks in order, some rows at a time: dy of them (computed from dz and y where batch norm's backward is fused in), dx of it,
   and its share of dw and dbias, added up per slot; at the end the slots are added in order. A unit is a tile of
   pixels, or whole samples where dx is gathered from overlapping windows. */
#include "kernels/float/tile.h"
#include <string.h>

typedef struct {
    const pithp_env *e;
    const pithp_conv_bwd *a;
    int64_t rows, unit, sub, units, slots, taps, dw_size, db_size, red_size;
    pith_real *dw, *db, *red, *w, *own; /* slots' sums, packed weights, per-thread buffers */
    int64_t packed, dy_size, col_size,
        one; /* reals: a group's weights; a thread's dy, col and dcol, all three */
    bool pointwise, stream;
} bwd;

static int64_t pieces(int64_t reals) { return (int64_t)(pithp_piece(reals) / sizeof(pith_real)); }

static bwd bwd_layout(const pithp_conv *g, bool dx)
{
    bwd b = { .rows = g->n * g->p * g->q,
              .taps = g->r * g->s * (g->c / g->groups),
              .pointwise = pithp_is_pointwise(g) };
    int64_t pq = g->p * g->q, cap = pithp_tile_cap(b.taps + g->k);
    b.unit = pithp_tile_rows(b.rows, b.taps + g->k);
    if (!b.pointwise && dx)
        b.unit = pq * pithp_i64max(1, pithp_i64min(cap / pithp_i64max(pq, 1), pithp_ceil_div(g->n, 16)));
    b.sub = pithp_i64min(b.unit, pithp_sub_rows(b.taps + g->k));
    b.units = b.rows > 0 ? pithp_ceil_div(b.rows, b.unit) : 0;
    b.slots = pithp_i64min(PITHP_SLOTS, b.units);
    b.dw_size = pieces(g->k * b.taps);
    b.db_size = pieces(g->k);
    b.dy_size = pieces(b.sub * g->k);
    b.col_size = pieces(b.sub * b.taps);
    b.red_size = 2 * pieces(g->c);
    b.packed = pieces(pithp_packed(b.taps, g->k / g->groups));
    b.one = b.dy_size + 2 * b.col_size;
    return b;
}

size_t pithp_conv_bwd_scratch(const pithp_conv *g, int threads)
{
    if (pithp_is_depthwise(g))
        return pithp_dw_bwd_scratch(g, threads);
    bwd a = bwd_layout(g, true), b = bwd_layout(g, false);
    int64_t slots = pithp_i64min(PITHP_SLOTS, pithp_i64max(g->n, pithp_ceil_div(a.rows, 48)));
    int64_t reals = slots * (a.dw_size + a.db_size + a.red_size) + g->groups * a.packed +
                    threads * pithp_i64max(a.one, b.one);
    return (size_t)reals * sizeof(pith_real);
}

const pith_real *pithp_dy_rows(const pithp_env *e, const pithp_dy_src *src, int64_t first, int64_t rows,
                               int64_t k, pith_real *buf)
{
    if (src->dy)
        return src->dy + first * k;
    e->k->bn_dy(src->dz + first * k, src->y + first * k, src->scale, src->shift, src->a, src->b, src->d,
                src->act, rows, k, buf, false);
    return buf;
}

/* fresh: the slot's sum for dw begins here. */
static void bwd_rows(const bwd *b, int64_t slot, int64_t first, int64_t rows, bool fresh, pith_real *buf)
{
    pith_real *dw = b->dw + slot * b->dw_size, *db = b->db + slot * b->db_size,
              *red = b->red + slot * b->red_size;
    const pithp_conv_bwd *a = b->a;
    const pithp_conv *g = &a->g;
    const pithp_kern *k = b->e->k;
    int64_t kg = g->k / g->groups;
    pith_real *col = buf + b->dy_size, *dcol = col + b->col_size;
    pith_real *dx = b->stream ? dcol : a->dx + first * g->c; /* of a 1x1, whose dcol is free */
    const pith_real *dy = pithp_dy_rows(b->e, &a->src, first, rows, g->k, buf);
    if (a->dbias)
        k->col_sum(dy, rows, g->k, db);
    for (int64_t i = 0; i < g->groups; i++) {
        const pith_real *x = col, *dyg = dy + i * kg, *w = b->w + i * b->packed;
        if (a->dx && b->pointwise)
            k->gemm(rows, b->taps, kg, dyg, g->k, 1, w, 0, a->dx_add, dx, g->c);
        else if (a->dx) {
            k->gemm(rows, b->taps, kg, dyg, g->k, 1, w, 0, false, dcol, b->taps);
            pithp_col2im(g, dcol, i, first, rows, a->dx);
        }
        if (!a->dw)
            continue;
        if (b->pointwise)
            x = pithp_x_rows(b->e, &a->load, a->x, first, rows, g->c, col);
        else
            pithp_im2col(g, a->x, i, first, rows, col);
        k->gemm(kg, b->taps, rows, dyg, 1, g->k, x, b->taps, !fresh, dw + i * kg * b->taps, b->taps);
    }
    if (a->load_s1)
        k->bn_reduce(dx, a->x + first * g->c, a->load.scale, a->load.shift, a->load_mean, a->load.act, rows,
                     g->c, red, red + b->red_size / 2, dx);
    if (b->stream)
        k->stream(dx, rows * g->c, a->dx + first * g->c);
}

static void bwd_slot(void *arg, int64_t slot, int thread)
{
    const bwd *b = arg;
    const pithp_conv *g = &b->a->g;
    pith_real *buf = b->own + thread * b->one;
    int64_t from = slot * b->units / b->slots, to = (slot + 1) * b->units / b->slots,
            sample = g->h * g->w * g->c;
    memset(b->db + slot * b->db_size, 0, (size_t)b->db_size * sizeof *buf);
    memset(b->red + slot * b->red_size, 0, (size_t)b->red_size * sizeof *buf);
    for (int64_t u = from; u < to; u++) {
        int64_t first = u * b->unit, end = pithp_i64min(first + b->unit, b->rows);
        if (b->a->dx && !b->pointwise && !b->a->dx_add)
            memset(b->a->dx + first / (g->p * g->q) * sample, 0,
                   (size_t)((end - first) / (g->p * g->q) * sample) * sizeof *buf);
        for (; first < end; first += b->sub)
            bwd_rows(b, slot, first, pithp_i64min(b->sub, end - first), first == from * b->unit, buf);
    }
}

static void pack_tile(void *arg, int64_t i, int thread)
{
    const bwd *b = arg;
    int64_t kg = b->a->g.k / b->a->g.groups;
    (void)thread;
    b->e->k->gemm_pack(false, b->taps, kg, b->a->w + i * kg * b->taps, b->taps, b->w + i * b->packed);
}

void pithp_conv_backward(const pithp_env *e, const pithp_conv_bwd *a)
{
    const pithp_conv *g = &a->g;
    if (pithp_is_depthwise(g)) {
        pithp_dw_backward(e, a);
        return;
    }
    bwd b = bwd_layout(g, a->dx != NULL);
    b.e = e;
    b.a = a;
    b.stream = a->dx && b.pointwise && !a->dx_add && pithp_streams(e, b.rows * g->c);
    b.dw = a->scratch;
    b.db = b.dw + b.slots * b.dw_size;
    b.red = b.db + b.slots * b.db_size;
    b.w = b.red + b.slots * b.red_size;
    b.own = b.w + g->groups * b.packed;
    if (a->dx)
        pithp_parallel(e->threads, g->groups, pack_tile, &b);
    pithp_parallel(e->threads, b.slots, bwd_slot, &b);
    if (a->dw)
        pithp_slots_add(e, b.dw, b.slots, b.dw_size, g->k * b.taps, a->dw, true);
    if (a->load_s1) {
        pithp_slots_add(e, b.red, b.slots, b.red_size, g->c, a->load_s1, false);
        pithp_slots_add(e, b.red + b.red_size / 2, b.slots, b.red_size, g->c, a->load_s2, false);
    }
    if (a->dbias)
        pithp_slots_add(e, b.db, b.slots, b.db_size, g->k, a->dbias, true);
}
