/* kernels/float/isa_dwdw.c: the gradient of depthwise weights from one output row. A vector of channels keeps the sums
   of several tap rows in registers while it runs along the row; each dy is loaded once for all of them. */
#include "kernels/float/isa.h"
#include "kernels/float/vec.h"

#ifdef __AVX512F__
#define ROWS5 5 /* 25 sums of the 32 registers */
#else
#define ROWS5 2
#endif

typedef struct {
    const pith_real *x; /* first tap row, column 0 */
    int64_t row;        /* distance of tap rows */
    const pith_real *dy;
    pith_real *dw; /* of the first tap row */
    int64_t width, c, pad, q;
    int64_t lo, hi; /* output pixels whose taps all lie inside */
} strip;

/* RB tap rows at once, S taps, stride ST; one vector of channels of the output pixels from..to. */
static ALWAYS void strip_vec(const strip *t, int64_t from, int64_t to, int64_t j, int RB, int S, int ST,
                             int n)
{
    vec acc[25];
    const pith_real *x0 = t->x + j, *dy = t->dy + j;
    pith_real *dw = t->dw + j;
    const int64_t lo = PITHP_MAX(from, t->lo), hi = PITHP_MIN(to, t->hi);
    for (int i = 0; i < RB * S; i++)
        acc[i] = vload_m(dw + i * t->c, n);
    for (int64_t q = from; q < to; q++) {
        for (; q >= lo && q < hi; q++) { /* all taps inside */
            const pith_real *x = x0 + (q * ST - t->pad) * t->c;
            vec g = vload_m(dy + q * t->c, n);
#pragma GCC unroll 5
            for (int r = 0; r < RB; r++)
#pragma GCC unroll 5
                for (int s = 0; s < S; s++)
                    acc[r * S + s] = vfma(vload_m(x + r * t->row + s * t->c, n), g, acc[r * S + s]);
        }
        if (q >= to)
            break;
        vec g = vload_m(dy + q * t->c, n);
#pragma GCC unroll 5
        for (int s = 0; s < S; s++) {
            int64_t col = q * ST - t->pad + s;
            if (col < 0 || col >= t->width)
                continue;
#pragma GCC unroll 5
            for (int r = 0; r < RB; r++)
                acc[r * S + s] = vfma(vload_m(x0 + r * t->row + col * t->c, n), g, acc[r * S + s]);
        }
    }
    for (int i = 0; i < RB * S; i++)
        vstore_m(dw + i * t->c, acc[i], n);
}

/* All channels of some pixels before the next pixels: so memory is read about in order. */
#define PIXELS 12

static ALWAYS void strip_rows(const strip *t, int RB, int S, int ST)
{
    int64_t step = t->c > LANES ? PIXELS : t->q;
    for (int64_t q = 0; q < t->q; q += step) {
        int64_t to = PITHP_MIN(t->q, q + step);
#define BODY(n) strip_vec(t, q, to, j, RB, S, ST, n);
        VEC_FOR(j, t->c, BODY);
#undef BODY
    }
}

static ALWAYS int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
static ALWAYS int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }
static ALWAYS int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* Tap rows r0..r1, RB at a time while they last, then one by one. */
static ALWAYS void strips(strip t, int64_t rows, int RB, int S, int ST)
{
    t.lo = clamp(ceil_div(t.pad, ST), 0, t.q);
    t.hi = clamp(floor_div(t.width - S + t.pad, ST) + 1, t.lo, t.q);
    while (rows > 0) {
        int64_t take = rows >= RB ? RB : 1;
        if (take == RB)
            strip_rows(&t, RB, S, ST);
        else
            strip_rows(&t, 1, S, ST);
        rows -= take;
        t.x += take * t.row;
        t.dw += take * S * t.c;
    }
}

/* Any size, stride and dilation. */
static void any(const pithp_conv *g, const pith_real *x, const pith_real *dy, int64_t top, int64_t r0,
                int64_t r1, pith_real *dw)
{
    for (int64_t q = 0; q < g->q; q++)
        for (int64_t r = r0; r < r1; r++)
            for (int64_t s = 0; s < g->s; s++) {
                int64_t col = q * g->stride_w - g->pl + s * g->dil_w;
                if (col < 0 || col >= g->w)
                    continue;
                const pith_real *xp = x + ((top + r * g->dil_h) * g->w + col) * g->c, *dp = dy + q * g->c;
                pith_real *wp = dw + (r * g->s + s) * g->c;
#define BODY(n) vstore_m(wp + j, vfma(vload_m(xp + j, n), vload_m(dp + j, n), vload_m(wp + j, n)), n);
                VEC_FOR(j, g->c, BODY);
#undef BODY
            }
}

void KERN(dw_row_dw)(const pithp_conv *g, const pith_real *x, const pith_real *dy, int64_t orow,
                     pith_real *dw)
{
    int64_t top = orow * g->stride_h - g->pt, rc = g->w * g->c;
    int64_t r0 = clamp(ceil_div(-top, g->dil_h), 0, g->r),
            r1 = clamp(ceil_div(g->h - top, g->dil_h), r0, g->r);
    bool fast = (g->s == 3 || g->s == 5) && (g->stride_w == 1 || g->stride_w == 2) && g->dil_w == 1;
    if (!fast) {
        any(g, x, dy, top, r0, r1, dw);
        return;
    }
    strip t = { .x = x + (top + r0 * g->dil_h) * rc,
                .row = g->dil_h * rc,
                .dy = dy,
                .dw = dw + r0 * g->s * g->c,
                .width = g->w,
                .c = g->c,
                .pad = g->pl,
                .q = g->q };
    if (g->s == 3 && g->stride_w == 1)
        strips(t, r1 - r0, 3, 3, 1);
    else if (g->s == 3)
        strips(t, r1 - r0, 3, 3, 2);
    else if (g->stride_w == 1)
        strips(t, r1 - r0, ROWS5, 5, 1);
    else
        strips(t, r1 - r0, ROWS5, 5, 2);
}
