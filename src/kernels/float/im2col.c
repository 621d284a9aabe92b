/* kernels/float/im2col.c: convolution windows as rows of a matrix. */
#include "kernels/float/tile.h"
#include <string.h>

/* Walks over flat output pixels. */
typedef struct {
    int64_t n, p, q, top, left; /* sample, row, column; first tap's row and column */
} walk;

static walk walk_at(const pithp_conv *g, int64_t at)
{
    walk w = { .q = at % g->q, .p = at / g->q % g->p, .n = at / g->q / g->p };
    w.top = w.p * g->stride_h - g->pt;
    w.left = w.q * g->stride_w - g->pl;
    return w;
}

static void walk_on(const pithp_conv *g, walk *w)
{
    w->left += g->stride_w;
    if (++w->q < g->q)
        return;
    w->q = 0;
    w->left = -g->pl;
    w->top += g->stride_h;
    if (++w->p < g->p)
        return;
    w->p = 0;
    w->top = -g->pt;
    w->n++;
}

/* The taps s with 0 <= left + s*dil < w. */
static void inside(const pithp_conv *g, int64_t left, int64_t *s0, int64_t *s1)
{
    *s0 = 0;
    *s1 = g->s;
    if (left >= 0 && left + (g->s - 1) * g->dil_w < g->w)
        return;
    *s0 = left >= 0 ? 0 : pithp_i64min(g->s, pithp_ceil_div(-left, g->dil_w));
    *s1 = left >= g->w ? *s0 : pithp_i64max(*s0, pithp_i64min(g->s, pithp_ceil_div(g->w - left, g->dil_w)));
}

static void copy(pith_real *to, const pith_real *from, int64_t n)
{
    if (n > 16) {
        memcpy(to, from, (size_t)n * sizeof *to);
    } else if (n >= 8) { /* two copies of fixed size that overlap */
        memcpy(to, from, 8 * sizeof *to);
        memcpy(to + n - 8, from + n - 8, 8 * sizeof *to);
    } else if (n >= 4) {
        memcpy(to, from, 4 * sizeof *to);
        memcpy(to + n - 4, from + n - 4, 4 * sizeof *to);
    } else {
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

static void zero(pith_real *to, int64_t n)
{
    if (n > 0)
        memset(to, 0, (size_t)n * sizeof *to);
}

/* One tap row of one pixel: its taps s0..s1 lie inside the input. */
static void line_of(const pithp_conv *g, const pith_real *from, int64_t cg, int64_t s0, int64_t s1,
                    pith_real *col)
{
    zero(col, s0 * cg);
    if (g->dil_w == 1 && cg == g->c)
        copy(col + s0 * cg, from + s0 * cg, (s1 - s0) * cg);
    else
        for (int64_t s = s0; s < s1; s++)
            copy(col + s * cg, from + s * g->dil_w * g->c, cg);
    zero(col + s1 * cg, (g->s - s1) * cg);
}

/* One tap row of `count` pixels side by side, all taps inside: `gap` reals from window to window, `step` in col. */
static void lines_inside(const pith_real *from, int64_t gap, int64_t count, int64_t n, pith_real *col,
                         int64_t step)
{
    if (n >= 8 && n <= 16)
        for (int64_t i = 0; i < count; i++, from += gap, col += step) {
            memcpy(col, from, 8 * sizeof *col);
            memcpy(col + n - 8, from + n - 8, 8 * sizeof *col);
        }
    else
        for (int64_t i = 0; i < count; i++, from += gap, col += step)
            copy(col, from, n);
}

/* `count` pixels of one output row, beginning where w stands. */
static void run_of(const pithp_conv *g, const pith_real *x, const walk *w, int64_t count, int64_t group,
                   pith_real *col)
{
    int64_t cg = g->c / g->groups, line = g->s * cg, step = g->r * line, lo = 0, hi = 0, s0, s1;
    if (g->dil_w == 1 && cg == g->c) { /* pixels lo..hi see no border */
        lo = w->left >= 0 ? 0 : pithp_i64min(count, pithp_ceil_div(-w->left, g->stride_w));
        int64_t room = g->w - g->s - w->left;
        hi = room < 0 ? lo : pithp_i64max(lo, pithp_i64min(count, room / g->stride_w + 1));
    }
    for (int64_t r = 0; r < g->r; r++, col += line) {
        int64_t row = w->top + r * g->dil_h;
        const pith_real *from = x + ((w->n * g->h + row) * g->w + w->left) * g->c + group * cg;
        for (int64_t i = 0; i < count; i++) {
            inside(g, w->left + i * g->stride_w, &s0, &s1);
            if (row < 0 || row >= g->h || s0 >= s1) {
                zero(col + i * step, line);
            } else if (i == lo && lo < hi) {
                lines_inside(from + i * g->stride_w * g->c, g->stride_w * g->c, hi - lo, line, col + i * step,
                             step);
                i = hi - 1;
            } else {
                line_of(g, from + i * g->stride_w * g->c, cg, s0, s1, col + i * step);
            }
        }
    }
}

void pithp_im2col(const pithp_conv *g, const pith_real *x, int64_t group, int64_t first, int64_t rows,
                  pith_real *col)
{
    int64_t taps = g->r * g->s * (g->c / g->groups);
    while (rows > 0) {
        walk w = walk_at(g, first);
        int64_t count = pithp_i64min(rows, g->q - w.q);
        run_of(g, x, &w, count, group, col);
        first += count;
        rows -= count;
        col += count * taps;
    }
}

void pithp_col2im(const pithp_conv *g, const pith_real *col, int64_t group, int64_t first, int64_t rows,
                  pith_real *dx)
{
    int64_t cg = g->c / g->groups, line = g->s * cg, s0, s1;
    walk w = walk_at(g, first);
    for (int64_t i = 0; i < rows; i++, walk_on(g, &w)) {
        inside(g, w.left, &s0, &s1);
        for (int64_t r = 0; r < g->r; r++, col += line) {
            int64_t row = w.top + r * g->dil_h;
            if (row < 0 || row >= g->h)
                continue;
            pith_real *to = dx + ((w.n * g->h + row) * g->w + w.left) * g->c + group * cg;
            for (int64_t s = s0; s < s1; s++)
                for (int64_t c = 0; c < cg; c++)
                    to[s * g->dil_w * g->c + c] += col[s * cg + c];
        }
    }
}
