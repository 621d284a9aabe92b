/* compress/quant/hist.c: histograms whose result does not depend on the order in which values came. */
#include "compress/quant/quantizer.h"
#include <math.h>

pith_status pithp_hist_new(pith_ctx *c, pithp_hist *h, int bins)
{
    *h = (pithp_hist){ .bins = bins, .min = INFINITY, .max = -INFINITY };
    h->below = PITHP_NEW_N(c, int64_t, bins);
    h->above = PITHP_NEW_N(c, int64_t, bins);
    return h->below && h->above ? PITH_OK : PITH_ENOMEM;
}

void pithp_hist_free(pith_ctx *c, pithp_hist *h)
{
    pithp_free(c, h->below);
    pithp_free(c, h->above);
    h->below = h->above = NULL;
}

double pithp_hist_width(const pithp_hist *h) { return ldexp(1, h->exponent); }

/* Bins merge in groups of 2^steps. */
static void widen(int64_t *bin, int n, int steps)
{
    for (int i = 0; i < n; i++) {
        int64_t count = bin[i];
        bin[i] = 0;
        bin[steps > 30 ? 0 : i >> steps] += count;
    }
}

/* The least width whose bins hold `most` (> 0): with 2^(p-1) <= most < 2^p it is 2^p / bins. */
static void fit(pithp_hist *h, double most)
{
    int p, log_bins = 0;
    while (1 << log_bins < h->bins)
        log_bins++;
    (void)frexp(most, &p);
    int exponent = p - log_bins;
    bool first = h->count == h->zeros;
    if (!first && exponent <= h->exponent)
        return;
    if (!first) {
        widen(h->below, h->bins, exponent - h->exponent);
        widen(h->above, h->bins, exponent - h->exponent);
    }
    h->exponent = exponent;
}

void pithp_hist_add(pithp_hist *h, const float *x, int64_t n)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    h->min = fmin(h->min, lo), h->max = fmax(h->max, hi);
    double most = fmax(fabs(h->min), fabs(h->max));
    if (most > 0)
        fit(h, most);
    const double inverse = ldexp(1, -h->exponent);
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = x[i];
        if (v > 0)
            h->above[(int)(v * inverse)]++;
        else if (v < 0)
            h->below[(int)(-v * inverse)]++;
        else
            zeros++;
    }
    h->count += n, h->zeros += zeros;
}

/* ---- Percentile --------------------------------------------------------------------------------------------------------- */

/* Walks bins (of the counts a, and b if not NULL) from the top until more than `allowed` values would be left out; in
   the bin where that happens values are taken to lie evenly. */
static double tail(const pithp_hist *h, const int64_t *a, const int64_t *b, int64_t allowed)
{
    const double width = pithp_hist_width(h);
    for (int i = h->bins - 1; i >= 0; i--) {
        int64_t n = a[i] + (b ? b[i] : 0);
        if (n > allowed)
            return (i + 1 - (double)allowed / (double)n) * width;
        allowed -= n;
    }
    return 0;
}

void pithp_hist_percentile(const pithp_hist *h, double percentile, bool symmetric, double *lo, double *hi)
{
    /* a hair more, so that 1% of 1,000 values is ten of them however 100 - 99 is rounded */
    int64_t allowed = (int64_t)floor((100 - percentile) / 100 * (double)h->count * (1 + 1e-12));
    if (h->count == h->zeros) {
        *lo = *hi = 0;
    } else if (symmetric) {
        double t = fmin(tail(h, h->above, h->below, allowed), fmax(-h->min, h->max));
        *lo = -t, *hi = t;
    } else {
        *lo = fmin(0, fmax(h->min, -tail(h, h->below, NULL, allowed)));
        *hi = fmax(0, fmin(h->max, tail(h, h->above, NULL, allowed)));
    }
}

/* ---- Mean squared error ---------------------------------------------------------------------------------------------- */

/* Bins of both signs in ascending order, 2*bins of them, bin i standing for its middle (i - bins + 0.5) * width; sums
   over the first i of count, count * middle, count * middle^2. */
typedef struct {
    pith_ctx *c;
    pith_linear_cfg cfg;
    int bins;
    double width, *n, *x, *q;
} sums;

/* The number of bins whose middle lies below v. */
static int below(const sums *s, double v)
{
    double i = ceil(v / s->width + s->bins - 0.5);
    return i <= 0 ? 0 : i >= 2 * s->bins ? 2 * s->bins : (int)i;
}

static double hist_error(void *arg, double lo, double hi)
{
    const sums *s = arg;
    pith_linear q;
    if (pith_linear_range(s->c, s->cfg, lo, hi, &q))
        return INFINITY;
    double error = 0;
    for (int32_t code = q.qmin, a = 0; code <= q.qmax; code++) {
        int b = code == q.qmax ? 2 * s->bins : below(s, (code - q.zero_point + 0.5) * q.scale);
        double r = pith_linear_value(&q, code);
        if (b > a)
            error += s->q[b] - s->q[a] - 2 * r * (s->x[b] - s->x[a]) + r * r * (s->n[b] - s->n[a]);
        a = PITHP_MAX(a, b);
    }
    return error;
}

pith_status pithp_hist_mse(pith_ctx *c, const pithp_hist *h, pith_linear_cfg cfg, double *lo, double *hi)
{
    *lo = fmin(h->min, 0), *hi = fmax(h->max, 0);
    if (h->count == h->zeros)
        return PITH_OK;
    size_t n = (size_t)h->bins * 2 + 1;
    double *block = pithp_alloc(c, n * 3, sizeof *block);
    if (!block)
        return PITH_ENOMEM;
    sums s = { c, cfg, h->bins, pithp_hist_width(h), block, block + n, block + 2 * n };
    for (int i = 0; i < 2 * h->bins; i++) {
        double count = (double)(i < h->bins ? h->below[h->bins - 1 - i] : h->above[i - h->bins]);
        double v = (i - h->bins + 0.5) * s.width;
        s.n[i + 1] = s.n[i] + count;
        s.x[i + 1] = s.x[i] + count * v;
        s.q[i + 1] = s.q[i] + count * v * v;
    }
    if (cfg.symmetric)
        *hi = fmax(*hi, -*lo), *lo = -*hi;
    pithp_range_search(hist_error, &s, cfg.symmetric, lo, hi);
    pithp_free(c, block);
    return PITH_OK;
}
