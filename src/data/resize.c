/* data/resize.c: reduces a decoded picture to the size that is stored. Separable Catmull-Rom (Keys, "Cubic
   convolution interpolation for digital image processing", 1981, a = -1/2), widened by the scale so that
   nothing aliases. Weights are whole numbers out of 2^14: sums are exact in float and in int32, the result
   the same everywhere. */
#include "data/data.h"
#include <math.h>
#include <string.h>

enum { Q = 14, KEEP = 6 }; /* bits of a weight; fractional bits kept between the passes */

int pithp_store_size(int size) { return ((size * 4 + 2) / 3 + 7) / 8 * 8; }

static double catmull_rom(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static int max_taps(int from, int to) { return (int)(4.0 * from / to) + 3; }

/* taps [to][2 + max]: first source index, number of weights, weights that add up to 2^Q. */
static void fill_taps(int32_t *taps, int max, int from, int to)
{
    double scale = (double)from / to;
    for (int i = 0; i < to; i++, taps += 2 + max) {
        double center = (i + 0.5) * scale, sum = 0;
        int first = (int)floor(center - 2 * scale + 0.5), last = (int)floor(center + 2 * scale + 0.5);
        first = PITHP_MAX(first, 0);
        last = PITHP_MIN(PITHP_MIN(last, from), first + max);
        for (int k = first; k < last; k++)
            sum += catmull_rom((k + 0.5 - center) / scale);
        int total = 0, best = 0;
        for (int k = first; k < last; k++) {
            int32_t w = (int32_t)floor(catmull_rom((k + 0.5 - center) / scale) / sum * (1 << Q) + 0.5);
            taps[2 + k - first] = w;
            total += w;
            if (w > taps[2 + best])
                best = k - first;
        }
        taps[2 + best] += (1 << Q) - total;
        taps[0] = first;
        taps[1] = last - first;
    }
}

/* acc [n] = the weighted sum of rows of src, in units of 2^-Q; every partial sum is a whole number below
   2^24. */
PITHP_VECTORIZE static void blend_rows(float *restrict acc, const uint8_t *restrict src, size_t stride,
                                       size_t n, const int32_t *taps)
{
    const uint8_t *row = src + (size_t)taps[0] * stride;
    memset(acc, 0, n * sizeof *acc);
    for (int k = 0; k < taps[1]; k++, row += stride) {
        const float w = (float)taps[2 + k];
        for (size_t i = 0; i < n; i++)
            acc[i] += w * (float)row[i];
    }
}

static uint8_t clamp8(int32_t v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

static void blend_columns(const float *acc, int32_t *line, size_t n, const int32_t *taps, int max, int dw,
                          uint8_t *dst)
{
    for (size_t i = 0; i < n; i++)
        line[i] = ((int32_t)acc[i] + (1 << (Q - KEEP - 1))) >> (Q - KEEP);
    for (int x = 0; x < dw; x++, taps += 2 + max, dst += 3) {
        const int32_t *p = line + (size_t)taps[0] * 3;
        int32_t r = 1 << (Q + KEEP - 1), g = r, b = r;
        for (int k = 0; k < taps[1]; k++, p += 3) {
            r += taps[2 + k] * p[0];
            g += taps[2 + k] * p[1];
            b += taps[2 + k] * p[2];
        }
        dst[0] = clamp8(r >> (Q + KEEP));
        dst[1] = clamp8(g >> (Q + KEEP));
        dst[2] = clamp8(b >> (Q + KEEP));
    }
}

bool pithp_reduce(pithp_work *w, const uint8_t *src, size_t stride, int sw, int sh, uint8_t *dst, int dw,
                  int dh)
{
    if (sw == dw && sh == dh) {
        for (int y = 0; y < sh; y++)
            memcpy(dst + (size_t)y * (size_t)sw * 3, src + (size_t)y * stride, (size_t)sw * 3);
        return true;
    }
    int mx = max_taps(sw, dw), my = max_taps(sh, dh);
    size_t n = (size_t)sw * 3, nx = (size_t)(2 + mx) * (size_t)dw, ny = (size_t)(2 + my) * (size_t)dh;
    if (!pithp_work_need(w, &w->acc, &w->acc_cap, 2 * n * sizeof *w->acc) ||
        !pithp_work_need(w, &w->taps, &w->taps_cap, (nx + ny) * sizeof *w->taps))
        return false;
    int32_t *tx = w->taps, *ty = tx + nx, *line = (int32_t *)(void *)(w->acc + n);
    fill_taps(tx, mx, sw, dw);
    fill_taps(ty, my, sh, dh);
    for (int y = 0; y < dh; y++) {
        blend_rows(w->acc, src, stride, n, ty + (size_t)y * (size_t)(2 + my));
        blend_columns(w->acc, line, n, tx, mx, dw, dst + (size_t)y * (size_t)dw * 3);
    }
    return true;
}

/* EXIF orientation: 1 upright, 2 mirrored, 3 upside down, 4 both of these, 5 to 8 lying on a side. */
void pithp_turn(const uint8_t *src, int w, int h, int orientation, uint8_t *dst)
{
    bool swap = orientation >= 5;
    int ow = swap ? h : w, oh = swap ? w : h;
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++, dst += 3) {
            int sx = swap ? y : x, sy = swap ? x : y;
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
                sx = w - 1 - sx;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
                sy = h - 1 - sy;
            memcpy(dst, src + ((size_t)sy * (size_t)w + (size_t)sx) * 3, 3);
        }
}
