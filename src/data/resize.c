/* data/resize.c: reduces a decoded picture to the size that is stored. Separable Catmull-Rom (Keys, "Cubic
   convolution interpolation for digital image processing", 1981, a = -1/2), widened by the scale so that
   nothing aliases. Weights are whole numbers out of 2^14, and so is all arithmetic on pixels: the result is
   the same everywhere. Rows are blended first, over the whole width, then columns; resize_rows.c has the
   loops. */
#include "data/data.h"
#include "data/resize.h"
#include <math.h>
#include <string.h>

int pithp_store_size(int size) { return ((size * 4 + 2) / 3 + 7) / 8 * 8; }

static double catmull_rom(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* floor without a call: this is a good part of the taps' time. */
static int whole(double x)
{
    int i = (int)x;
    return i - (x < i);
}

/* Even: weights are used in pairs. */
static int max_taps(int from, int to) { return ((int)(4.0 * from / to) + 3 + 1) & ~1; }

/* Whole numbers that add up to 2^PITHP_TAP_BITS; the largest of them takes what rounding left. */
static void fill_weights(int16_t *weight, int n, double start, double scale)
{
    enum { KNOWN = 32 }; /* values of the filter that are not computed twice */
    double sum = 0, known[KNOWN];
    for (int k = 0; k < n; k++) {
        double v = catmull_rom((k + start) / scale);
        known[k % KNOWN] = v;
        sum += v;
    }
    int total = 0, best = 0;
    weight[0] = 0; /* n is 1 at least */
    for (int k = 0; k < n; k++) {
        double v = n <= KNOWN ? known[k] : catmull_rom((k + start) / scale);
        weight[k] = (int16_t)whole(v / sum * (1 << PITHP_TAP_BITS) + 0.5);
        total += weight[k];
        if (weight[k] > weight[best])
            best = k;
    }
    weight[best] = (int16_t)(weight[best] + (1 << PITHP_TAP_BITS) - total);
}

static void fill_taps(pithp_taps *t, int from, int to)
{
    double scale = (double)from / to;
    for (int i = 0; i < to; i++) {
        double center = (i + 0.5) * scale;
        int first = whole(center - 2 * scale + 0.5), last = whole(center + 2 * scale + 0.5);
        first = PITHP_MAX(first, 0);
        last = PITHP_MIN(PITHP_MIN(last, from), first + t->max);
        int16_t *weight = t->weight + (size_t)i * (size_t)t->max;
        fill_weights(weight, last - first, first + 0.5 - center, scale);
        t->first[i] = first;
        t->n[i] = last - first;
        if (t->n[i] % 2)
            weight[t->n[i]++] = 0;
    }
}

static size_t taps_bytes(int from, int to)
{
    return ((size_t)to * (8 + 2 * (size_t)max_taps(from, to)) + 15) & ~(size_t)15;
}

/* Lays out the taps of an axis at p and fills them. */
static pithp_taps make_taps(uint8_t *p, int from, int to)
{
    size_t n = (size_t)to;
    pithp_taps t = { .first = (int32_t *)(void *)p, .max = max_taps(from, to) };
    t.n = t.first + n;
    t.weight = (int16_t *)(void *)(t.n + n);
    fill_taps(&t, from, to);
    return t;
}

bool pithp_reduce(pithp_work *w, const uint8_t *src, size_t stride, int sw, int sh, uint8_t *dst, int dw,
                  int dh)
{
    if (sw == dw && sh == dh) {
        for (int y = 0; y < sh; y++)
            memcpy(dst + (size_t)y * (size_t)sw * 3, src + (size_t)y * stride, (size_t)sw * 3);
        return true;
    }
    size_t n = (size_t)sw * 3, line = (n + PITHP_LINE_SPARE + 7) & ~(size_t)7, lines = PITHP_LINES * line * 2;
    size_t bytes_x = taps_bytes(sw, dw), bytes = lines + bytes_x + taps_bytes(sh, dh);
    if (!pithp_work_need(w, &w->taps, &w->taps_cap, bytes))
        return false;
    pithp_taps tx = make_taps(w->taps + lines, sw, dw);
    pithp_taps ty = make_taps(w->taps + lines + bytes_x, sh, dh);
    int16_t *blended = (int16_t *)(void *)w->taps;
    memset(blended, 0, lines);
    for (int y = 0; y < dh; y += PITHP_LINES) {
        int now = PITHP_MIN(dh - y, PITHP_LINES);
        for (int i = 0; i < now; i++)
            pithp_blend_rows(w->c->isa, src, stride, n, sh, &ty, y + i, blended + (size_t)i * line);
        pithp_blend_columns(w->c->isa, blended, line, now, &tx, dw, dst + (size_t)y * (size_t)dw * 3);
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
