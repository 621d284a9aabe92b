/* compress/quant/entropy.c: the threshold whose quantized histogram diverges least from the original.
   Source: Migacz, "8-bit inference with TensorRT", GPU Technology Conference 2017.

   For a threshold of i bins of |x|: P is the first i bins, with everything beyond added to the last of them; Q is the
   first i bins without what lies beyond, merged into as many levels as there are codes, each level's count spread
   evenly over those of its bins that are not empty in P. The least KL(P,Q) wins. A straight reading costs i logarithms
   for each i. Here running sums of a log a leave one logarithm a level. */
#include "compress/quant/quantizer.h"
#include <math.h>

typedef struct {
    int used, levels;   /* bins up to the last that is not empty */
    const double *a;    /* [used] counts of |x| */
    double *sum, *alog; /* [used + 1] over the first i bins: counts, count * log(count) */
    double *filled;     /* [used + 1] how many are not empty */
} fold;

static double xlogx(double x) { return x > 0 ? x * log(x) : 0; }

/* Level l's first bin, when i bins are cut into levels. */
static int level_from(int i, int levels, int l) { return (int)(((int64_t)l * i + levels - 1) / levels); }

/* KL(P,Q) of the first i bins, times the number of values. */
static double divergence(const fold *f, int i)
{
    double total = f->sum[f->used], inside = f->sum[i], beyond = total - inside, last = f->a[i - 1];
    if (inside <= 0)
        return INFINITY;
    /* sum of p log p, the last bin changed */
    double d = f->alog[i] - xlogx(last) + xlogx(last + beyond);
    for (int l = 0; l < f->levels; l++) {
        int from = level_from(i, f->levels, l), to = level_from(i, f->levels, l + 1);
        double count = f->sum[to] - f->sum[from], filled = f->filled[to] - f->filled[from], p = count;
        if (to == i && from < i) { /* the level with the last bin */
            p += beyond;
            filled += last <= 0 && beyond > 0;
        }
        if (p > 0 && count <= 0)
            return INFINITY;
        if (p > 0)
            d -= p * log(count / filled);
    }
    return d - xlogx(total) + total * log(inside);
}

/* The number of bins of the least divergence; of equals the largest. */
static int best(const fold *f)
{
    int at = f->used;
    double least = divergence(f, f->used);
    for (int i = f->used - 1; i >= f->levels; i--) {
        double d = divergence(f, i);
        if (d < least)
            least = d, at = i;
    }
    return at;
}

pith_status pithp_hist_entropy(pith_ctx *c, const pithp_hist *h, int bits, bool symmetric, double *lo,
                               double *hi)
{
    *lo = fmin(h->min, 0), *hi = fmax(h->max, 0);
    if (h->count == h->zeros)
        return PITH_OK;
    size_t n = (size_t)h->bins + 1;
    double *block = pithp_alloc(c, n * 4, sizeof *block);
    if (!block)
        return PITH_ENOMEM;
    double *a = block;
    fold f = { 0, 1 << (bits - 1), a, block + n, block + 2 * n, block + 3 * n };
    if (!symmetric && (h->min >= 0 || h->max <= 0))
        f.levels *= 2; /* all codes lie on one side of zero */
    for (int i = 0; i < h->bins; i++) {
        a[i] = (double)(h->above[i] + h->below[i]);
        f.sum[i + 1] = f.sum[i] + a[i];
        f.alog[i + 1] = f.alog[i] + xlogx(a[i]);
        f.filled[i + 1] = f.filled[i] + (a[i] > 0);
        if (a[i] > 0)
            f.used = i + 1;
    }
    double t = (best(&f) + 0.5) * pithp_hist_width(h), most = fmax(-*lo, *hi);
    t = fmin(t, most);
    *lo = symmetric ? -t : fmax(*lo, -t);
    *hi = symmetric ? t : fmin(*hi, t);
    pithp_free(c, block);
    return PITH_OK;
}
