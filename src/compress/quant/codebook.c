/* compress/quant/codebook.c: k-means codebooks of weights. */
#include "compress/quant/kmeans.h"
#include <math.h>

static pith_status check_fit(pith_ctx *c, const float *x, const float *importance, int64_t n,
                             pith_codebook_cfg cfg)
{
    if (n < 1)
        return pithp_error(c, PITH_EINVAL, "codebook: %lld weights; there has to be one", (long long)n);
    if (cfg.bits < 2 || cfg.bits > 8)
        return pithp_error(c, PITH_EINVAL, "codebook: %d bits; it has 2 to 8", cfg.bits);
    if (cfg.starts < 1 || cfg.iterations < 1 || (unsigned)cfg.init > PITH_CODEBOOK_LINEAR)
        return pithp_error(c, PITH_EINVAL,
                           "codebook: %d starts, %d iterations, initialisation %d make no sense", cfg.starts,
                           cfg.iterations, (int)cfg.init);
    pith_status st = pithp_all_finite(c, "weight", x, n);
    if (!st && importance)
        st = pithp_all_finite(c, "importance", importance, n);
    for (int64_t i = 0; importance && !st && i < n; i++)
        if (importance[i] < 0)
            st = pithp_error(c, PITH_EINVAL, "codebook: importance %lld is %g; it may not be negative",
                             (long long)i, importance[i]);
    return st;
}

/* Every distinct value is a centre (and 0, if it is to be kept). */
static void all_values(const pithp_line *l, int k, bool keep_zero, pithp_centres *s)
{
    *s = (pithp_centres){ .k = k, .zero = -1 };
    bool insert = keep_zero && !pithp_line_has_zero(l);
    int64_t i = 0;
    for (int j = 0; j < k; j++) {
        bool zero = insert && (i == l->m || l->v[i] > 0);
        s->c[j] = zero ? 0 : l->v[i++];
        insert &= !zero;
        if (keep_zero && s->c[j] == 0)
            s->zero = j;
    }
}

/* To float32, as they will be stored; centres that rounding has made equal become one. */
static void store(pithp_centres *s, pith_codebook *cb)
{
    cb->k = 0, cb->zero = -1;
    for (int j = 0; j < s->k; j++) {
        float v = (float)s->c[j];
        if (!cb->k || v != cb->centroid[cb->k - 1])
            cb->centroid[cb->k++] = v;
        if (j == s->zero)
            cb->zero = cb->k - 1;
        s->c[cb->k - 1] = v;
    }
    s->k = cb->k, s->zero = cb->zero;
}

static void cluster(const pithp_line *l, pith_codebook_cfg cfg, pith_codebook *cb)
{
    int64_t distinct = l->m + (cfg.keep_zero && !pithp_line_has_zero(l));
    int k = (int)PITHP_MIN(distinct, 1 << cfg.bits);
    pithp_centres s;
    if (k == distinct) {
        all_values(l, k, cfg.keep_zero, &s);
        store(&s, cb);
        cb->converged = true;
        return;
    }
    int starts = cfg.init == PITH_CODEBOOK_LINEAR ? 1 : cfg.starts;
    cb->sse = INFINITY;
    for (int i = 0; i < starts; i++) {
        if (cfg.init == PITH_CODEBOOK_LINEAR)
            pithp_centres_linear(l, k, cfg.keep_zero, &s);
        else
            pithp_centres_plusplus(l, k, cfg.keep_zero, cfg.seed, (uint32_t)i, &s);
        bool converged;
        int iterations = pithp_lloyd(l, &s, cfg.iterations, &converged);
        double sse = pithp_line_sse(l, &s);
        if (sse < cb->sse) {
            store(&s, cb);
            cb->iterations = iterations, cb->converged = converged;
            cb->sse = sse;
        }
    }
}

pith_status pith_codebook_fit(pith_ctx *c, const float *x, const float *importance, int64_t n,
                              pith_codebook_cfg cfg, pith_codebook *cb)
{
    cfg.bits = cfg.bits ? cfg.bits : 4;
    cfg.starts = cfg.starts ? cfg.starts : 8;
    cfg.iterations = cfg.iterations ? cfg.iterations : 10000;
    pithp_line l = { 0 };
    pith_status st = check_fit(c, x, importance, n, cfg);
    if (!st)
        st = pithp_line_new(c, &l, x, importance, n);
    if (st)
        return st;
    *cb = (pith_codebook){ .bits = cfg.bits, .zero = -1 };
    cluster(&l, cfg, cb);
    pithp_centres s = { .k = cb->k, .zero = cb->zero }; /* the error of what is stored */
    for (int j = 0; j < s.k; j++)
        s.c[j] = cb->centroid[j];
    cb->sse = pithp_line_sse(&l, &s);
    pithp_line_free(c, &l);
    return PITH_OK;
}

/* Training moves centroids, past each other too; only nearest-centroid search needs them in order. */
static pith_status check_codebook(pith_ctx *c, const pith_codebook *cb, bool ascending)
{
    if (cb->bits < 2 || cb->bits > 8 || cb->k < 1 || cb->k > 1 << cb->bits || cb->zero < -1 ||
        cb->zero >= cb->k)
        return pithp_error(c, PITH_EINVAL, "codebook: %d centroids, zero at %d, for %d bits", cb->k, cb->zero,
                           cb->bits);
    for (int j = 0; j < cb->k; j++)
        if (!isfinite(cb->centroid[j]))
            return pithp_error(c, PITH_ENAN, "codebook: centroid %d is %g", j, cb->centroid[j]);
        else if (ascending && j && cb->centroid[j] < cb->centroid[j - 1])
            return pithp_error(c, PITH_EINVAL, "codebook: centroid %d (%g) is below the one before it (%g)",
                               j, cb->centroid[j], cb->centroid[j - 1]);
    return PITH_OK;
}

static pith_status check_index(pith_ctx *c, const pith_codebook *cb, const uint8_t *index, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (index[i] >= cb->k)
            return pithp_error(c, PITH_EINVAL, "codebook: index %lld is %d; there are %d centroids",
                               (long long)i, index[i], cb->k);
    return PITH_OK;
}

pith_status pith_codebook_assign(pith_ctx *c, const pith_codebook *cb, const float *x, int64_t n,
                                 uint8_t *index)
{
    pith_status st = check_codebook(c, cb, true);
    if (!st)
        st = pithp_all_finite(c, "weight", x, n);
    if (st)
        return st;
    double middle[256]; /* filled up with infinity, so that every search has the same eight steps */
    for (int j = 0; j < 256; j++)
        middle[j] = j + 1 < cb->k ? ((double)cb->centroid[j] + cb->centroid[j + 1]) / 2 : INFINITY;
    for (int64_t i = 0; i < n; i++) {
        int at = 0;
        for (int step = 128; step; step /= 2)
            at += x[i] > middle[at + step - 1] ? step : 0;
        index[i] = (uint8_t)at;
    }
    return PITH_OK;
}

pith_status pith_codebook_decode(pith_ctx *c, const pith_codebook *cb, const uint8_t *index, int64_t n,
                                 float *x)
{
    pith_status st = check_codebook(c, cb, false);
    if (!st)
        st = check_index(c, cb, index, n);
    for (int64_t i = 0; !st && i < n; i++)
        x[i] = cb->centroid[index[i]];
    return st;
}

pith_status pith_codebook_gradient(pith_ctx *c, const pith_codebook *cb, const uint8_t *index,
                                   const float *dw, int64_t n, float *dcentroid)
{
    pith_status st = check_codebook(c, cb, false);
    if (!st)
        st = check_index(c, cb, index, n);
    if (st)
        return st;
    double sum[256] = { 0 };
    for (int64_t i = 0; i < n; i++)
        sum[index[i]] += dw[i];
    for (int j = 0; j < cb->k; j++)
        dcentroid[j] = j == cb->zero ? 0 : (float)sum[j];
    return PITH_OK;
}

size_t pith_codebook_bytes(const pith_codebook *cb, int64_t n)
{
    return pith_bits_bytes(n, cb->bits) + sizeof(float) * (size_t)cb->k;
}
