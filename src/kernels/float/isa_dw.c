/* kernels/float/isa_dw.c: depthwise convolution, one row at a time: forward and the gradient of the input.
   The common shapes (3 or 5 taps, stride 1 or 2, no dilation across) have loops with constant bounds that keep up to
   eight output pixels in registers; columns near the border, and everything else, go pixel by pixel. */
#include "kernels/float/isa.h"
#include "kernels/float/vec.h"

static ALWAYS int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
static ALWAYS int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }
static ALWAYS int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* A row of sliding windows: out[q] = sum of in[r][q*stride - pad + s*dil] * w[r][s] over the rows r0 <= r < r1. */
typedef struct {
    const pith_real *in; /* tap row r is in + r * row */
    int64_t row, width, c, r0, r1;
    const pith_real *w; /* [R,S,C]; tap (r,s) is w + r * wr + s * ws */
    int64_t wr, ws, s, stride, dil, pad, q;
    pith_real *out; /* [q,C] */
    bool add;
} window;

/* Output pixels q..q+QB, whose taps all lie inside; one vector of channels. */
static ALWAYS void pixels(const window *t, int64_t q, int64_t j, int S, int ST, int QB, int n)
{
    vec acc[8];
    pith_real *out = t->out + q * t->c + j;
    for (int i = 0; i < QB; i++)
        acc[i] = t->add ? vload_m(out + i * t->c, n) : vzero();
    for (int64_t r = t->r0; r < t->r1; r++) {
        const pith_real *x = t->in + r * t->row + (q * ST - t->pad) * t->c + j, *w = t->w + r * t->wr + j;
        vec wv[5];
        for (int s = 0; s < S; s++)
            wv[s] = vload_m(w + s * t->ws, n);
#pragma GCC unroll 24
        for (int k = 0; k < (QB - 1) * ST + S; k++) {
            vec v = vload_m(x + k * t->c, n);
#pragma GCC unroll 8
            for (int i = 0; i < QB; i++)
                if (k - i * ST >= 0 && k - i * ST < S)
                    acc[i] = vfma(v, wv[k - i * ST], acc[i]);
        }
    }
    for (int i = 0; i < QB; i++)
        vstore_m(out + i * t->c, acc[i], n);
}

/* All channels of QB pixels before the next pixels: so memory is read about in order. */
static ALWAYS void across(const window *t, int64_t q, int S, int ST, int QB)
{
#define BODY(n) pixels(t, q, j, S, ST, QB, n);
    VEC_FOR(j, t->c, BODY);
#undef BODY
}

static ALWAYS void inner(const window *t, int64_t lo, int64_t hi, int S, int ST)
{
    int64_t q = lo;
    for (; q + 8 <= hi; q += 8)
        across(t, q, S, ST, 8);
    if (q + 4 <= hi) {
        across(t, q, S, ST, 4);
        q += 4;
    }
    if (q + 2 <= hi) {
        across(t, q, S, ST, 2);
        q += 2;
    }
    if (q < hi)
        across(t, q, S, ST, 1);
}

/* NV vectors of channels of one output pixel, taps s0 <= s < s1 of each row. */
static ALWAYS void pixel_vecs(const window *t, int64_t q, int64_t s0, int64_t s1, int64_t j, int NV, int n)
{
    vec acc[4];
    pith_real *out = t->out + q * t->c + j;
    for (int v = 0; v < NV; v++)
        acc[v] = t->add ? vload_m(out + v * LANES, n) : vzero();
    for (int64_t r = t->r0; r < t->r1; r++)
        for (int64_t s = s0; s < s1; s++) {
            const pith_real *x = t->in + r * t->row + (q * t->stride - t->pad + s * t->dil) * t->c + j;
            const pith_real *w = t->w + r * t->wr + s * t->ws + j;
            for (int v = 0; v < NV; v++)
                acc[v] = vfma(vload_m(x + v * LANES, n), vload_m(w + v * LANES, n), acc[v]);
        }
    for (int v = 0; v < NV; v++)
        vstore_m(out + v * LANES, acc[v], n);
}

static void pixel(const window *t, int64_t q)
{
    int64_t left = q * t->stride - t->pad, j = 0;
    int64_t s0 = clamp(ceil_div(-left, t->dil), 0, t->s),
            s1 = clamp(ceil_div(t->width - left, t->dil), s0, t->s);
    for (; j + 4 * LANES <= t->c; j += 4 * LANES)
        pixel_vecs(t, q, s0, s1, j, 4, LANES);
    for (; j + LANES <= t->c; j += LANES)
        pixel_vecs(t, q, s0, s1, j, 1, LANES);
    if (j < t->c)
        pixel_vecs(t, q, s0, s1, j, 1, (int)(t->c - j));
}

static void slide(const window *t)
{
    bool fast = (t->s == 3 || t->s == 5) && (t->stride == 1 || t->stride == 2) && t->dil == 1;
    /* outputs whose taps all lie inside the row */
    int64_t lo = fast ? clamp(ceil_div(t->pad, t->stride), 0, t->q) : t->q;
    int64_t hi = fast ? clamp(floor_div(t->width - t->s + t->pad, t->stride) + 1, lo, t->q) : t->q;
    for (int64_t q = 0; q < lo; q++)
        pixel(t, q);
    for (int64_t q = hi; q < t->q; q++)
        pixel(t, q);
    if (lo >= hi)
        return;
    if (t->s == 3 && t->stride == 1)
        inner(t, lo, hi, 3, 1);
    else if (t->s == 3)
        inner(t, lo, hi, 3, 2);
    else if (t->stride == 1)
        inner(t, lo, hi, 5, 1);
    else
        inner(t, lo, hi, 5, 2);
}

void KERN(dw_row)(const pithp_conv *g, const pith_real *x, const pith_real *w, int64_t orow, pith_real *y)
{
    int64_t top = orow * g->stride_h - g->pt, rc = g->w * g->c;
    int64_t r0 = clamp(ceil_div(-top, g->dil_h), 0, g->r),
            r1 = clamp(ceil_div(g->h - top, g->dil_h), r0, g->r);
    window t = { .in = x + top * rc,
                 .row = g->dil_h * rc,
                 .width = g->w,
                 .c = g->c,
                 .r0 = r0,
                 .r1 = r1,
                 .w = w,
                 .wr = g->s * g->c,
                 .ws = g->c,
                 .s = g->s,
                 .stride = g->stride_w,
                 .dil = g->dil_w,
                 .pad = g->pl,
                 .q = g->q,
                 .out = y };
    slide(&t);
}

/* Stride 1 in both directions and no dilation across: the gradient is the same window sliding over dy, with the
   weights turned round. Tap row r' = R-1-r reaches output row p = irow + pt - dil*(R-1) + dil*r'. */
static void dx_slide(const pithp_conv *g, const pith_real *dy, int64_t p0, int64_t p1, const pith_real *w,
                     int64_t irow, pith_real *dx, bool add)
{
    int64_t rc = g->q * g->c, top = irow + g->pt - g->dil_h * (g->r - 1);
    int64_t r0 = clamp(ceil_div(p0 - top, g->dil_h), 0, g->r),
            r1 = clamp(ceil_div(p1 - top, g->dil_h), r0, g->r);
    window t = { .in = dy + (top - p0) * rc,
                 .row = g->dil_h * rc,
                 .width = g->q,
                 .c = g->c,
                 .r0 = r0,
                 .r1 = r1,
                 .w = w + (g->r * g->s - 1) * g->c,
                 .wr = -g->s * g->c,
                 .ws = -g->c,
                 .s = g->s,
                 .stride = 1,
                 .dil = 1,
                 .pad = g->s - 1 - g->pl,
                 .q = g->w,
                 .out = dx,
                 .add = add };
    slide(&t);
}

#define TAPS 32

/* dx[0..C) (+)= sum over the taps of dy[at] * w[wt] */
static ALWAYS void taps_vecs(const pith_real *dy, const int64_t *at, const pith_real *w, const int64_t *wt,
                             int taps, pith_real *dx, bool add, int64_t j, int NV, int n)
{
    vec acc[4];
    for (int v = 0; v < NV; v++)
        acc[v] = add ? vload_m(dx + j + v * LANES, n) : vzero();
    for (int i = 0; i < taps; i++)
        for (int v = 0; v < NV; v++)
            acc[v] =
                vfma(vload_m(dy + at[i] + j + v * LANES, n), vload_m(w + wt[i] + j + v * LANES, n), acc[v]);
    for (int v = 0; v < NV; v++)
        vstore_m(dx + j + v * LANES, acc[v], n);
}

static void taps_sum(const pith_real *dy, const int64_t *at, const pith_real *w, const int64_t *wt, int taps,
                     int64_t c, pith_real *dx, bool add)
{
    int64_t j = 0;
    for (; j + 4 * LANES <= c; j += 4 * LANES)
        taps_vecs(dy, at, w, wt, taps, dx, add, j, 4, LANES);
    for (; j + LANES <= c; j += LANES)
        taps_vecs(dy, at, w, wt, taps, dx, add, j, 1, LANES);
    if (j < c)
        taps_vecs(dy, at, w, wt, taps, dx, add, j, 1, (int)(c - j));
}

static void dx_pixel(const pithp_conv *g, const pith_real *dy, int64_t p0, int64_t p1, const pith_real *w,
                     int64_t irow, int64_t icol, pith_real *dx, bool add)
{
    int64_t at[TAPS], wt[TAPS];
    int taps = 0;
    for (int64_t r = 0; r < g->r; r++) {
        int64_t i = irow + g->pt - r * g->dil_h, p = i / g->stride_h;
        if (i < 0)
            break;
        if (p * g->stride_h != i || p < p0 || p >= p1)
            continue;
        for (int64_t s = 0; s < g->s; s++) {
            int64_t k = icol + g->pl - s * g->dil_w, q = g->stride_w == 2 ? k >> 1 : k / g->stride_w;
            if (k < 0)
                break;
            if (q * g->stride_w != k || q >= g->q)
                continue;
            if (taps == TAPS) {
                taps_sum(dy, at, w, wt, taps, g->c, dx, add);
                taps = 0;
                add = true;
            }
            at[taps] = ((p - p0) * g->q + q) * g->c;
            wt[taps++] = (r * g->s + s) * g->c;
        }
    }
    taps_sum(dy, at, w, wt, taps, g->c, dx, add);
}

/* Stride 2: one row of dy reaches pairs of columns, icol + pl = 2m and 2m + 1; even taps the first of a pair, odd taps the
   second. Pairs m..m+MB, whose taps all lie inside; one vector of channels. */
typedef struct {
    const pith_real *dy[5], *w[5]; /* of the tap rows that reach this row of dx; column 0, tap 0 */
    int rows;
    int64_t c;
    pith_real *dx; /* column -pl */
    bool add;
} pairs;

static ALWAYS void pair_vec(const pairs *t, int64_t m, int64_t j, int S, int MB, int n)
{
    vec even[4], odd[4];
    pith_real *dx = t->dx + 2 * m * t->c + j;
    for (int i = 0; i < MB; i++) {
        even[i] = t->add ? vload_m(dx + 2 * i * t->c, n) : vzero();
        odd[i] = t->add ? vload_m(dx + (2 * i + 1) * t->c, n) : vzero();
    }
    for (int r = 0; r < t->rows; r++) {
        const pith_real *dy = t->dy[r] + (m - S / 2) * t->c + j, *w = t->w[r] + j;
        vec wv[5];
        for (int s = 0; s < S; s++)
            wv[s] = vload_m(w + s * t->c, n);
#pragma GCC unroll 6
        for (int k = 0; k < MB + S / 2;
             k++) { /* dy of column m - S/2 + k: tap s of pair i where k = i + S/2 - s/2 */
            vec v = vload_m(dy + k * t->c, n);
#pragma GCC unroll 4
            for (int i = 0; i < MB; i++) {
                int s = 2 * (i + S / 2 - k);
                if (s >= 0 && s < S)
                    even[i] = vfma(v, wv[s], even[i]);
                if (s >= 0 && s + 1 < S)
                    odd[i] = vfma(v, wv[s + 1], odd[i]);
            }
        }
    }
    for (int i = 0; i < MB; i++) {
        vstore_m(dx + 2 * i * t->c, even[i], n);
        vstore_m(dx + (2 * i + 1) * t->c, odd[i], n);
    }
}

static ALWAYS int64_t pair_run(const pairs *t, int64_t m, int64_t end, int S, int MB)
{
    for (; m + MB <= end; m += MB) {
#define BODY(n) pair_vec(t, m, j, S, MB, n);
        VEC_FOR(j, t->c, BODY);
#undef BODY
    }
    return m;
}

/* Columns done: *from..*to. */
static void dx_pairs(const pithp_conv *g, const pith_real *dy, int64_t p0, int64_t p1, const pith_real *w,
                     int64_t irow, pith_real *dx, bool add, int64_t *from, int64_t *to)
{
    pairs t = { .c = g->c, .dx = dx - g->pl * g->c, .add = add };
    for (int64_t r = 0; r < g->r; r++) {
        int64_t i = irow + g->pt - r * g->dil_h, p = i / g->stride_h;
        if (i < 0 || p * g->stride_h != i || p < p0 || p >= p1)
            continue;
        t.dy[t.rows] = dy + (p - p0) * g->q * g->c;
        t.w[t.rows++] = w + r * g->s * g->c;
    }
    /* pairs whose taps lie in dy and whose columns lie in dx */
    int64_t m = PITHP_MAX(g->s / 2, ceil_div(g->pl, 2));
    int64_t end = PITHP_MIN(g->q, floor_div(g->w + g->pl, 2));
    *from = *to = 0;
    if (m >= end)
        return;
    *from = 2 * m - g->pl;
    if (g->s == 3)
        m = pair_run(&t, pair_run(&t, m, end, 3, 4), end, 3, 1);
    else
        m = pair_run(&t, pair_run(&t, m, end, 5, 4), end, 5, 1);
    *to = 2 * m - g->pl;
}

void KERN(dw_row_dx)(const pithp_conv *g, const pith_real *dy, int64_t p0, int64_t p1, const pith_real *w,
                     int64_t irow, pith_real *dx, bool add)
{
    if (g->stride_h == 1 && g->stride_w == 1 && g->dil_w == 1) {
        dx_slide(g, dy, p0, p1, w, irow, dx, add);
        return;
    }
    int64_t from = 0, to = 0;
    if ((g->s == 3 || g->s == 5) && g->stride_w == 2 && g->dil_w == 1 && g->r <= 5 && g->stride_h == 2)
        dx_pairs(g, dy, p0, p1, w, irow, dx, add, &from, &to);
    for (int64_t j = 0; j < from; j++)
        dx_pixel(g, dy, p0, p1, w, irow, j, dx + j * g->c, add);
    for (int64_t j = to; j < g->w; j++)
        dx_pixel(g, dy, p0, p1, w, irow, j, dx + j * g->c, add);
}
