/* compress/quant/calib.c: objects that watch values and say which range to quantize. */
#include "compress/quant/quantizer.h"
#include <float.h>
#include <math.h>

struct pith_calib {
    pithp_obj obj;
    pith_ctx *ctx;
    pith_calib_cfg cfg;
    char *name;
    int64_t samples;
    double average_lo, average_hi;
    pithp_hist hist;
};

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_calib *k = (pith_calib *)o;
    pithp_hist_free(c, &k->hist);
    pithp_free(c, k->name);
    pithp_free(c, k);
}

static pith_status check(pith_ctx *c, const pith_calib_cfg *cfg)
{
    if ((unsigned)cfg->method > PITH_CALIB_ENTROPY)
        return pithp_error(c, PITH_EINVAL, "calibration: there is no method %d", (int)cfg->method);
    if (cfg->bits < 4 || cfg->bits > 8)
        return pithp_error(c, PITH_EINVAL, "calibration: %d bits; activations have 4 to 8", cfg->bits);
    if (!(cfg->percentile > 50 && cfg->percentile <= 100))
        return pithp_error(c, PITH_EINVAL, "calibration: percentile %g; it lies above 50, at most at 100",
                           cfg->percentile);
    if (!(cfg->momentum >= 0 && cfg->momentum < 1))
        return pithp_error(c, PITH_EINVAL, "calibration: momentum %g; it lies from 0 to below 1",
                           cfg->momentum);
    if (cfg->bins < 128 || cfg->bins > 65536 || (cfg->bins & (cfg->bins - 1)))
        return pithp_error(c, PITH_EINVAL, "calibration: %d bins; a power of two from 128 to 65536",
                           cfg->bins);
    return PITH_OK;
}

pith_calib *pith_calib_new(pith_ctx *c, pith_calib_cfg cfg)
{
    cfg.bits = cfg.bits ? cfg.bits : 8;
    cfg.bins = cfg.bins ? cfg.bins : 2048;
    cfg.percentile = PITH_OR(cfg.percentile, 99.99);
    cfg.momentum = PITH_OR(cfg.momentum, 0.99);
    if (check(c, &cfg))
        return NULL;
    pith_calib *k = PITHP_NEW(c, pith_calib);
    if (!k)
        return NULL;
    k->ctx = c, k->cfg = cfg;
    pithp_own(c, &k->obj, destroy);
    k->name = pithp_strdup(c, cfg.name ? cfg.name : "calibration");
    k->cfg.name = k->name;
    if (!k->name || pithp_hist_new(c, &k->hist, cfg.bins)) {
        pithp_destroy(c, &k->obj);
        return NULL;
    }
    return k;
}

void pith_calib_free(pith_calib *k)
{
    if (k)
        pithp_destroy(k->ctx, &k->obj);
}

pith_status pith_calib_observe(pith_calib *k, const float *x, int64_t n, int64_t size)
{
    if (n < 1 || size < 1 || n > INT64_MAX / size)
        return pithp_error(k->ctx, PITH_EINVAL, "%s: %lld samples of %lld values to observe", k->name,
                           (long long)n, (long long)size);
    for (int64_t i = 0; i < n * size; i++)
        if (!isfinite(x[i]))
            return pithp_error(k->ctx, PITH_ENAN, "%s: value %lld of sample %lld is %g; it has to be finite",
                               k->name, (long long)(i % size), (long long)(k->samples + i / size), x[i]);
    for (int64_t s = 0; s < n; s++) {
        double lo = INFINITY, hi = -INFINITY;
        for (int64_t i = s * size; i < (s + 1) * size; i++)
            lo = x[i] < lo ? x[i] : lo, hi = x[i] > hi ? x[i] : hi;
        double share = k->samples++ ? 1 - k->cfg.momentum : 1;
        k->average_lo += share * (lo - k->average_lo);
        k->average_hi += share * (hi - k->average_hi);
    }
    pithp_hist_add(&k->hist, x, n * size);
    return PITH_OK;
}

pith_status pith_calib_range(pith_calib *k, double *lo, double *hi)
{
    if (!k->hist.count)
        return pithp_error(k->ctx, PITH_EDATA, "%s: never saw a value; calibrate on some samples first",
                           k->name);
    double widest = fmax(k->hist.max, 0) - fmin(k->hist.min, 0);
    if (2 * widest > FLT_MAX) /* pith_linear_range would refuse it, without a name */
        return pithp_error(k->ctx, PITH_EINVAL,
                           "%s: values from %g to %g are more than float32 can be scaled by", k->name,
                           k->hist.min, k->hist.max);
    pith_linear_cfg q = { .bits = k->cfg.bits, .symmetric = k->cfg.symmetric };
    pith_status st = PITH_OK;
    *lo = k->hist.min, *hi = k->hist.max;
    switch (k->cfg.method) {
    case PITH_CALIB_MINMAX: break;
    case PITH_CALIB_AVERAGE: *lo = k->average_lo, *hi = k->average_hi; break;
    case PITH_CALIB_PERCENTILE:
        pithp_hist_percentile(&k->hist, k->cfg.percentile, k->cfg.symmetric, lo, hi);
        break;
    case PITH_CALIB_MSE: st = pithp_hist_mse(k->ctx, &k->hist, q, lo, hi); break;
    case PITH_CALIB_ENTROPY:
        st = pithp_hist_entropy(k->ctx, &k->hist, k->cfg.bits, k->cfg.symmetric, lo, hi);
        break;
    }
    *lo = fmin(*lo, 0), *hi = fmax(*hi, 0);
    return st;
}

pith_calib_facts pith_calib_seen(const pith_calib *k)
{
    const pithp_hist *h = &k->hist;
    return (pith_calib_facts){ .samples = k->samples,
                               .count = h->count,
                               .zeros = h->zeros,
                               .min = h->count ? h->min : 0,
                               .max = h->count ? h->max : 0,
                               .width = pithp_hist_width(h),
                               .bins = h->bins,
                               .below = h->below,
                               .above = h->above };
}

/* ---- Is the set representative? ------------------------------------------------------------------------------------------ */

int pith_calib_check(pith_ctx *c, const int32_t *labels, int64_t n, int classes)
{
    enum { FEW = 100, FEW_OF_CLASS = 10 };
    if (n < 1 || classes < 1)
        return pithp_error(c, PITH_EINVAL, "calibration set: %lld samples of %d classes", (long long)n,
                           classes),
               -1;
    int64_t *count = PITHP_NEW_N(c, int64_t, classes);
    if (!count)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= classes) {
            pithp_free(c, count);
            return pithp_error(c, PITH_EINVAL,
                               "calibration set: label %d of sample %lld; there are %d classes", labels[i],
                               (long long)i, classes),
                   -1;
        }
        count[labels[i]]++;
    }
    int doubts = n < FEW ? PITH_CALIB_FEW : 0;
    if (doubts)
        pithp_log(c, PITH_LOG_WARN, "calibration set: %lld samples are few; %d and more are usual",
                  (long long)n, FEW);
    for (int j = 0; j < classes; j++) {
        double share = (double)count[j] * classes / (double)n;
        int doubt = !count[j] ? PITH_CALIB_MISSING
                              : (count[j] < FEW_OF_CLASS ? PITH_CALIB_FEW : 0) |
                                    (share < 0.25 || share > 3 ? PITH_CALIB_LOPSIDED : 0);
        if (doubt & ~PITH_CALIB_FEW || (doubt && n >= FEW))
            pithp_log(c, PITH_LOG_WARN, "calibration set: class %d has %lld of %lld samples", j,
                      (long long)count[j], (long long)n);
        doubts |= doubt;
    }
    pithp_free(c, count);
    return doubts;
}
