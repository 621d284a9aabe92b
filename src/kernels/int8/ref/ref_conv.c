/* kernels/int8/ref/ref_conv.c: convolutions, dense layers and poolings by their definition. */
#include "kernels/int8/kernels.h"

static int8_t finish(int32_t acc, pithp_fixed f, bool single, int32_t zero, int32_t lo, int32_t hi)
{
    return (int8_t)pithp_clamp(pithp_wrap_add(pithp_iscale(acc, f, single), zero), lo, hi);
}

/* Sum over the window of one output element: channels c0..c0+cg of the input; tap [r,s] of the filter is cg elements
   at f + (r*S + s)*step. */
static int32_t window(const pithp_iconv *g, const int8_t *x, const int8_t *f, int64_t step, int64_t p,
                      int64_t q, int64_t c0, int64_t cg)
{
    int32_t acc = 0;
    for (int64_t r = 0; r < g->r; r++) {
        int64_t ih = p * g->stride[0] - g->pad[0] + r * g->dilation[0];
        if (ih < 0 || ih >= g->h)
            continue;
        for (int64_t s = 0; s < g->s; s++) {
            int64_t iw = q * g->stride[1] - g->pad[1] + s * g->dilation[1];
            if (iw < 0 || iw >= g->w)
                continue;
            const int8_t *xp = x + (ih * g->w + iw) * g->c + c0, *fp = f + (r * g->s + s) * step;
            for (int64_t c = 0; c < cg; c++)
                acc += (int32_t)fp[c] * (xp[c] - g->zero_in);
        }
    }
    return acc;
}

void pithp_ref_iconv2d(const pithp_iconv *g, const int8_t *x, const int8_t *w, const int32_t *bias,
                       int64_t p0, int64_t p1, bool single, int8_t *y)
{
    int64_t cg = g->c / g->groups, kg = g->k / g->groups;
    for (int64_t p = p0; p < p1; p++)
        for (int64_t q = 0; q < g->q; q++)
            for (int64_t k = 0; k < g->k; k++) {
                int32_t acc = window(g, x, w + k * g->r * g->s * cg, cg, p, q, k / kg * cg, cg);
                acc = pithp_wrap_add(acc, bias ? bias[k] : 0);
                y[(p * g->q + q) * g->k + k] = finish(acc, g->scale[k], single, g->zero_out, g->lo, g->hi);
            }
}

void pithp_ref_idepthwise(const pithp_iconv *g, const int8_t *x, const int8_t *w, const int32_t *bias,
                          int64_t p0, int64_t p1, bool single, int8_t *y)
{
    int64_t m = g->k / g->c;
    for (int64_t p = p0; p < p1; p++)
        for (int64_t q = 0; q < g->q; q++)
            for (int64_t k = 0; k < g->k; k++) {
                int32_t acc = window(g, x, w + k, g->k, p, q, k / m, 1);
                acc = pithp_wrap_add(acc, bias ? bias[k] : 0);
                y[(p * g->q + q) * g->k + k] = finish(acc, g->scale[k], single, g->zero_out, g->lo, g->hi);
            }
}

/* One output element's window in the input: rows h0..h1, columns w0..w1. */
static void pool_window(const pithp_iconv *g, int64_t p, int64_t q, int64_t *h0, int64_t *h1, int64_t *w0,
                        int64_t *w1)
{
    int64_t h = p * g->stride[0] - g->pad[0], w = q * g->stride[1] - g->pad[1];
    *h0 = PITHP_MAX(h, 0), *h1 = PITHP_MIN(h + g->r, g->h);
    *w0 = PITHP_MAX(w, 0), *w1 = PITHP_MIN(w + g->s, g->w);
}

void pithp_ref_iavgpool(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y)
{
    for (int64_t p = p0; p < p1; p++)
        for (int64_t q = 0; q < g->q; q++) {
            int64_t h0, h1, w0, w1;
            pool_window(g, p, q, &h0, &h1, &w0, &w1);
            int32_t count = (int32_t)((h1 - h0) * (w1 - w0)); /* positions in the padding do not count */
            for (int64_t c = 0; c < g->c; c++) {
                int32_t acc = 0;
                for (int64_t h = h0; h < h1; h++)
                    for (int64_t w = w0; w < w1; w++)
                        acc += x[(h * g->w + w) * g->c + c];
                acc = acc > 0 ? (acc + count / 2) / count : (acc - count / 2) / count;
                y[(p * g->q + q) * g->c + c] = (int8_t)pithp_clamp(acc, g->lo, g->hi);
            }
        }
}

void pithp_ref_imaxpool(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y)
{
    for (int64_t p = p0; p < p1; p++)
        for (int64_t q = 0; q < g->q; q++) {
            int64_t h0, h1, w0, w1;
            pool_window(g, p, q, &h0, &h1, &w0, &w1);
            for (int64_t c = 0; c < g->c; c++) {
                int32_t top = -128;
                for (int64_t h = h0; h < h1; h++)
                    for (int64_t w = w0; w < w1; w++)
                        top = PITHP_MAX(top, x[(h * g->w + w) * g->c + c]);
                y[(p * g->q + q) * g->c + c] = (int8_t)pithp_clamp(top, g->lo, g->hi);
            }
        }
}

/* The mean's factor (TFLite Micro): 1/count is folded into the rescaling's, a little bit lower than exact. */
pithp_fixed pithp_imean_factor(pithp_fixed f, int64_t count)
{
    int shift = 63 - __builtin_clzll((unsigned long long)count);
    shift = PITHP_MIN(PITHP_MIN(shift, 32), 31 + f.shift);
    return (pithp_fixed){ (int32_t)(((int64_t)f.mult << shift) / count), f.shift - shift };
}

void pithp_ref_imean(const pithp_imean *g, const int8_t *x, int64_t c0, int64_t c1, bool single, int8_t *y)
{
    for (int64_t c = c0; c < c1; c++) {
        int32_t acc = 0;
        for (int64_t i = 0; i < g->count; i++)
            acc += x[i * g->c + c];
        y[c] = finish(acc - (int32_t)(g->zero_in * g->count), g->scale, single, g->zero_out, g->lo, g->hi);
    }
}
