/* kernels/float/im2col.c: convolution windows as rows of a matrix. */
#include "kernels/float/tile.h"
#include <string.h>

/* Sample, first tap row and first tap column of a flat output pixel. */
static void locate(const pithp_conv *g, int64_t at, int64_t *sample, int64_t *top, int64_t *left)
{
    int64_t q = at % g->q, p = at / g->q % g->p;
    *sample = at / g->q / g->p;
    *top = p * g->stride_h - g->pt;
    *left = q * g->stride_w - g->pl;
}

/* The taps s with 0 <= left + s*dil < w. */
static void inside(int64_t left, int64_t dil, int64_t w, int64_t s, int64_t *s0, int64_t *s1)
{
    *s0 = left >= 0 ? 0 : pithp_i64min(s, pithp_ceil_div(-left, dil));
    *s1 = left >= w ? *s0 : pithp_i64max(*s0, pithp_i64min(s, pithp_ceil_div(w - left, dil)));
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
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
    }
}

static void zero(pith_real *to, int64_t n)
{
    if (n > 0) memset(to, 0, (size_t)n * sizeof *to);
}

void pithp_im2col(const pithp_conv *g, const pith_real *x, int64_t group, int64_t first, int64_t rows, pith_real *col)
{
    int64_t cg = g->c / g->groups, line = g->s * cg;
    for (int64_t i = 0; i < rows; i++) {
        int64_t n, top, left, s0, s1;
        locate(g, first + i, &n, &top, &left);
        inside(left, g->dil_w, g->w, g->s, &s0, &s1);
        for (int64_t r = 0; r < g->r; r++, col += line) {
            int64_t row = top + r * g->dil_h;
            if (row < 0 || row >= g->h || s0 >= s1) {
                zero(col, line);
                continue;
            }
            const pith_real *from = x + ((n * g->h + row) * g->w + left) * g->c + group * cg;
            zero(col, s0 * cg);
            if (g->dil_w == 1 && cg == g->c)
                copy(col + s0 * cg, from + s0 * cg, (s1 - s0) * cg);
            else
                for (int64_t s = s0; s < s1; s++) copy(col + s * cg, from + s * g->dil_w * g->c, cg);
            zero(col + s1 * cg, (g->s - s1) * cg);
        }
    }
}

void pithp_col2im(const pithp_conv *g, const pith_real *col, int64_t group, int64_t first, int64_t rows,
                  pith_real *dx)
{
    int64_t cg = g->c / g->groups, line = g->s * cg;
    for (int64_t i = 0; i < rows; i++) {
        int64_t n, top, left, s0, s1;
        locate(g, first + i, &n, &top, &left);
        inside(left, g->dil_w, g->w, g->s, &s0, &s1);
        for (int64_t r = 0; r < g->r; r++, col += line) {
            int64_t row = top + r * g->dil_h;
            if (row < 0 || row >= g->h) continue;
            pith_real *to = dx + ((n * g->h + row) * g->w + left) * g->c + group * cg;
            for (int64_t s = s0; s < s1; s++)
                for (int64_t c = 0; c < cg; c++) to[s * g->dil_w * g->c + c] += col[s * cg + c];
        }
    }
}
