/* kernels/int8/ref/ref_conv.c: convolutions by their definition. */
#include "kernels/int8/kernels.h"

/* Sum over the window of one output element, for group channels c0..c0+cg and filter f [R,S,cg]. */
static int32_t window(const pithp_iconv *g, const int8_t *x, const int8_t *f, int64_t p, int64_t q,
                      int64_t c0, int64_t cg)
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
            const int8_t *xp = x + (ih * g->w + iw) * g->c + c0, *fp = f + (r * g->s + s) * cg;
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
                int32_t acc = window(g, x, w + k * g->r * g->s * cg, p, q, k / kg * cg, cg);
                if (bias)
                    acc = pithp_wrap_add(acc, bias[k]);
                acc = pithp_wrap_add(pithp_iscale(acc, g->scale[k], single), g->zero_out);
                y[(p * g->q + q) * g->k + k] = (int8_t)pithp_clamp(acc, g->lo, g->hi);
            }
}
