/* compress/quant/linear.c: r = S (q - Z): scales, zero points, codes. */
#include "compress/quant/quantizer.h"
#include <float.h>
#include <math.h>

/* Checks cfg and says which codes there are. */
static pith_status codes_of(pith_ctx *c, pith_linear_cfg cfg, int32_t *qmin, int32_t *qmax)
{
    int bits = cfg.bits ? cfg.bits : 8;
    if (bits < 2 || bits > 8)
        return pithp_error(c, PITH_EINVAL, "linear quantizer: %d bits; it has 2 to 8", cfg.bits);
    if (cfg.narrow && !cfg.symmetric)
        return pithp_error(c, PITH_EINVAL, "linear quantizer: a narrow range goes with a symmetric one only");
    if (!isfinite(cfg.min_scale))
        return pithp_error(c, PITH_ENAN, "linear quantizer: its least scale is %g", cfg.min_scale);
    *qmax = (1 << (bits - 1)) - 1;
    *qmin = cfg.narrow ? -*qmax : -*qmax - 1;
    return PITH_OK;
}

/* The scale in float32, at least the asked minimum and a normal number: what is computed from it stays finite. */
static float scale_of(double scale, double least)
{
    float s = (float)fmax(scale, least);
    if (s < least) /* rounding must not fall below what makes a bias fit */
        s = nextafterf(s, FLT_MAX);
    return fmaxf(s, FLT_MIN);
}

pith_status pith_linear_range(pith_ctx *c, pith_linear_cfg cfg, double lo, double hi, pith_linear *q)
{
    int32_t qmin = 0, qmax = 0;
    pith_status st = codes_of(c, cfg, &qmin, &qmax);
    if (st)
        return st;
    if (!isfinite(lo) || !isfinite(hi))
        return pithp_error(c, PITH_ENAN, "linear quantizer: the range [%g, %g] is not finite", lo, hi);
    if (lo > hi)
        return pithp_error(c, PITH_EINVAL, "linear quantizer: the range [%g, %g] is upside down", lo, hi);
    lo = fmin(lo, 0), hi = fmax(hi, 0);
    double a = fmax(-lo, hi);
    if (hi - lo > FLT_MAX || a > FLT_MAX / 2)
        return pithp_error(c, PITH_EINVAL, "linear quantizer: the range [%g, %g] is wider than float32", lo,
                           hi);
    if (a == 0)
        *q = (pith_linear){ scale_of(1, cfg.min_scale), 0, qmin, qmax };
    else if (cfg.symmetric)
        *q = (pith_linear){ scale_of(a / qmax, cfg.min_scale), 0, qmin, qmax };
    else {
        float s = scale_of((hi - lo) / (qmax - qmin), cfg.min_scale);
        double z = round(qmin - lo / s);
        *q = (pith_linear){ s, (int32_t)fmin(fmax(z, qmin), qmax), qmin, qmax };
    }
    return PITH_OK;
}

double pith_linear_bias_scale(double bias, double scale_in) { return fabs(bias) / (scale_in * 0x1p30); }

int32_t pith_linear_code(const pith_linear *q, float x)
{
    float v = roundf(x / q->scale) + (float)q->zero_point;
    return v <= (float)q->qmin ? q->qmin : v >= (float)q->qmax ? q->qmax : (int32_t)v;
}

float pith_linear_value(const pith_linear *q, int32_t code)
{
    return q->scale * (float)(code - q->zero_point);
}

/* ---- Arrays ----------------------------------------------------------------------------------------------------------- */

int64_t pith_linear_groups(pith_shape shape, int axis)
{
    if (axis == -1)
        return 1;
    return shape.ndim <= PITH_MAX_DIMS && axis >= 0 && axis < shape.ndim ? shape.d[axis] : -1;
}

pith_status pithp_groups_of(pith_ctx *c, pith_shape shape, int axis, pithp_groups *g)
{
    char text[96];
    if (shape.ndim < 0 || shape.ndim > PITH_MAX_DIMS || !pithp_count_ok(shape, &g->n))
        return pithp_error(c, PITH_EINVAL, "quantizer: an array with a size below 1, or too large");
    g->groups = pith_linear_groups(shape, axis);
    if (g->groups < 0)
        return pithp_error(c, PITH_EINVAL, "quantizer: an array %s has no axis %d",
                           pithp_shape_text(shape, text), axis);
    g->inner = axis < 0 ? g->n : 1;
    for (int i = axis + 1; axis >= 0 && i < shape.ndim; i++)
        g->inner *= shape.d[i];
    return PITH_OK;
}

pith_status pithp_all_finite(pith_ctx *c, const char *what, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return pithp_error(c, PITH_ENAN, "quantizer: %s %lld of %lld is %g; it has to be finite", what,
                               (long long)i, (long long)n, x[i]);
    return PITH_OK;
}

/* Calls fn on each run of values that belong to one group, in order. */
#define EACH_RUN(g, at, group)                  \
    for (int64_t at = 0, group = 0; at < (g).n; \
         at += (g).inner, group = group + 1 == (g).groups ? 0 : group + 1)

/* The values of one group, for the search of its range. */
typedef struct {
    pith_ctx *c;
    const float *x;
    pithp_groups g;
    int64_t group;
    pith_linear_cfg cfg;
} fitting;

static double fit_error(void *arg, double lo, double hi)
{
    const fitting *f = arg;
    pith_linear q;
    if (pith_linear_range(f->c, f->cfg, lo, hi, &q))
        return INFINITY;
    double sum = 0;
    for (int64_t at = f->group * f->g.inner; at < f->g.n; at += f->g.groups * f->g.inner)
        for (int64_t i = at; i < at + f->g.inner; i++) {
            double e = (double)f->x[i] - (double)pith_linear_value(&q, pith_linear_code(&q, f->x[i]));
            sum += e * e;
        }
    return sum;
}

pith_status pith_linear_fit(pith_ctx *c, const float *x, pith_shape shape, int axis, pith_linear_cfg cfg,
                            pith_linear *q)
{
    pithp_groups g = { 0 };
    pith_status st = pithp_groups_of(c, shape, axis, &g);
    if (!st)
        st = pithp_all_finite(c, "value", x, g.n);
    if (st)
        return st;
    for (int64_t k = 0; k < g.groups && !st; k++) {
        double lo = 0, hi = 0;
        for (int64_t at = k * g.inner; at < g.n; at += g.groups * g.inner)
            for (int64_t i = at; i < at + g.inner; i++)
                lo = fmin(lo, x[i]), hi = fmax(hi, x[i]);
        st = pith_linear_range(c, cfg, lo, hi, &q[k]); /* with all checks, before any search */
        if (!st && cfg.range == PITH_FIT_MSE && lo < hi) {
            fitting f = { c, x, g, k, cfg };
            pithp_range_search(fit_error, &f, cfg.symmetric, &lo, &hi);
            st = pith_linear_range(c, cfg, lo, hi, &q[k]);
        }
    }
    return st;
}

static pith_status check_quantizers(pith_ctx *c, const pith_linear *q, int64_t groups)
{
    for (int64_t k = 0; k < groups; k++)
        if (!isfinite(q[k].scale) || q[k].scale <= 0 || q[k].qmin < -128 || q[k].qmax > 127 ||
            q[k].zero_point < q[k].qmin || q[k].zero_point > q[k].qmax)
            return pithp_error(c, PITH_EINVAL,
                               "quantizer %lld is none: scale %g, zero point %d, codes %d to %d",
                               (long long)k, q[k].scale, q[k].zero_point, q[k].qmin, q[k].qmax);
    return PITH_OK;
}

pith_status pith_linear_quantize(pith_ctx *c, const float *x, pith_shape shape, int axis,
                                 const pith_linear *q, int8_t *codes)
{
    pithp_groups g = { 0 };
    pith_status st = pithp_groups_of(c, shape, axis, &g);
    if (!st)
        st = check_quantizers(c, q, g.groups);
    if (!st)
        st = pithp_all_finite(c, "value", x, g.n);
    if (st)
        return st;
    EACH_RUN(g, at, k)
    for (int64_t i = at; i < at + g.inner; i++)
        codes[i] = (int8_t)pith_linear_code(&q[k], x[i]);
    return PITH_OK;
}

pith_status pith_linear_dequantize(pith_ctx *c, const int8_t *codes, pith_shape shape, int axis,
                                   const pith_linear *q, float *x)
{
    pithp_groups g = { 0 };
    pith_status st = pithp_groups_of(c, shape, axis, &g);
    if (!st)
        st = check_quantizers(c, q, g.groups);
    if (st)
        return st;
    EACH_RUN(g, at, k)
    for (int64_t i = at; i < at + g.inner; i++)
        x[i] = pith_linear_value(&q[k], codes[i]);
    return PITH_OK;
}
