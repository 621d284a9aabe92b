/* kernels/float/isa_quant.c: row kernels of fake quantization: v = x/S is clamped to whole numbers lo..hi (the quantized
   values less their zero point) and rounded half away from zero. */
#include "kernels/float/isa.h"
#include "kernels/float/vmath.h"

/* The largest number below one half: adding it and cutting off the fraction rounds half away from zero without the
   mistake that one half itself makes just below 0.5. Good for |v| < 2^22. */
#ifdef PITH_REAL_IS_DOUBLE
#define BELOW_HALF 0.49999999999999994
#else
#define BELOW_HALF 0.49999997f
#endif

static ALWAYS vec round_away(vec v)
{
    vec mag = vmax(v, -v) + vset1(BELOW_HALF);
    vec whole = __builtin_convertvector(__builtin_convertvector(mag, ivec), vec);
    return vsel_lt(v, vzero(), -whole, whole);
}

static ALWAYS vec clamp(vec v, vec lo, vec hi) { return vmin(hi, vmax(lo, v)); }

void KERN(fq)(const pith_real *x, int64_t n, pith_real s, pith_real lo, pith_real hi, pith_real t,
              pith_real *y)
{
    const vec sv = vset1(s), l = vset1(lo), h = vset1(hi), tv = vset1(t);
#define BODY(m)                                                           \
    {                                                                     \
        vec v = clamp(vload_m(x + j, m) / sv, l, h);                      \
        vstore_m(y + j, round_away(v) * tv + (v - v), m); /* NaN stays */ \
    }
    VEC_FOR(j, n, BODY);
#undef BODY
}

void KERN(fq_grad)(const pith_real *x, const pith_real *dy, int64_t n, pith_real s, pith_real lo,
                   pith_real hi, pith_real *dx, bool add)
{
    const vec sv = vset1(s), l = vset1(lo), h = vset1(hi), one = vset1(1);
#define BODY(m)                                                              \
    {                                                                        \
        vec r = round_away(clamp(vload_m(x + j, m) / sv, l - one, h + one)); \
        vec d = vkeep_le(vkeep_le(vload_m(dy + j, m), l, r), r, h);          \
        if (add)                                                             \
            d += vload_m(dx + j, m);                                         \
        vstore_m(dx + j, d, m);                                              \
    }
    VEC_FOR(j, n, BODY);
#undef BODY
}

/* What a scale's gradient takes of v = x/s: q - v inside, the bound that was hit outside. */
static ALWAYS vec learns(vec v, vec lo, vec hi)
{
    const vec one = vset1(1);
    vec r = round_away(clamp(v, lo - one, hi + one));
    return clamp(r, lo, hi) - vkeep_le(vkeep_le(v, lo, r), r, hi);
}

double KERN(fq_scale_grad)(const pith_real *x, const pith_real *dy, int64_t n, pith_real s, pith_real lo,
                           pith_real hi)
{
    const vec sv = vset1(s), l = vset1(lo), h = vset1(hi);
    double sum = 0;
    for (int64_t from = 0; from < n; from += 1024) {
        int64_t part = PITHP_MIN(1024, n - from);
        vec acc = vzero();
#define BODY(m) acc = vfma(vload_m(dy + from + j, m), learns(vload_m(x + from + j, m) / sv, l, h), acc);
        VEC_FOR(j, part, BODY);
#undef BODY
        sum += (double)vsum(acc);
    }
    return sum;
}

void KERN(minmax)(const pith_real *x, int64_t n, pith_real *lo, pith_real *hi)
{
    vec a = vset1(*lo), b = vset1(*hi);
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        vec v = vload(x + j);
        a = vsel_lt(v, a, v, a); /* NaN is passed over: it shows elsewhere */
        b = vsel_lt(b, v, v, b);
    }
    pith_real l = *lo, h = *hi;
    for (int i = 0; i < LANES; i++) {
        l = a[i] < l ? a[i] : l;
        h = b[i] > h ? b[i] : h;
    }
    for (; j < n; j++) {
        l = x[j] < l ? x[j] : l;
        h = x[j] > h ? x[j] : h;
    }
    *lo = l;
    *hi = h;
}

typedef struct {
    const pith_real *x, *scale, *shift;
    pith_real *y;
    vec s, lo, hi;
} affine_fq_args;

static ALWAYS vec affine_fq_value(const affine_fq_args *p, int64_t at, int64_t j, pithp_act act, int n)
{
    vec s = p->scale ? vload_m(p->scale + j, n) : vset1(1), t = p->shift ? vload_m(p->shift + j, n) : vzero();
    return vact(vfma(vload_m(p->x + at, n), s, t), act);
}

static ALWAYS void affine_fq_vec(const affine_fq_args *p, int64_t at, int64_t j, pithp_act act, vec *least,
                                 vec *most, int n)
{
    vec v = affine_fq_value(p, at, j, act, n);
    if (n == LANES) {
        *least = vsel_lt(v, *least, v, *least);
        *most = vsel_lt(*most, v, v, *most);
    } else {
        for (int i = 0; i < n; i++) {
            (*least)[i] = v[i] < (*least)[i] ? v[i] : (*least)[i];
            (*most)[i] = v[i] > (*most)[i] ? v[i] : (*most)[i];
        }
    }
    v = clamp(v / p->s, p->lo, p->hi);
    vstore_m(p->y + at, round_away(v) * p->s + (v - v), n); /* NaN stays. NOLINT(misc-redundant-expression) */
}

static ALWAYS void affine_fq_rows(const affine_fq_args *p, int64_t rows, int64_t c, pithp_act act,
                                  pith_real *lo, pith_real *hi)
{
    vec least = vset1(*lo), most = vset1(*hi);
    for (int64_t i = 0; i < rows; i++) {
#define BODY(n) affine_fq_vec(p, i *c + j, j, act, &least, &most, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
    for (int i = 0; i < LANES; i++) {
        *lo = least[i] < *lo ? least[i] : *lo;
        *hi = most[i] > *hi ? most[i] : *hi;
    }
}

void KERN(affine_fq)(const pith_real *x, const pith_real *scale, const pith_real *shift, pithp_act act,
                     int64_t rows, int64_t c, pith_real s, pith_real lo, pith_real hi, pith_real *y,
                     pith_real *least, pith_real *most)
{
    const affine_fq_args p = { x, scale, shift, y, vset1(s), vset1(lo), vset1(hi) };
    if (act == PITHP_ACT_RELU6)
        affine_fq_rows(&p, rows, c, PITHP_ACT_RELU6, least, most);
    else if (act == PITHP_ACT_RELU)
        affine_fq_rows(&p, rows, c, PITHP_ACT_RELU, least, most);
    else
        affine_fq_rows(&p, rows, c, PITHP_ACT_NONE, least, most);
}

static ALWAYS double affine_fq_learn_rows(const affine_fq_args *p, const pith_real *dy, int64_t rows,
                                          int64_t c, pithp_act act)
{
    const int64_t step = PITHP_MAX(1, 1024 / c); /* what one vector sums */
    double sum = 0;
    for (int64_t from = 0; from < rows; from += step) {
        vec acc = vzero();
        for (int64_t i = from; i < PITHP_MIN(from + step, rows); i++) {
#define BODY(n)                            \
    acc = vfma(vload_m(dy + i * c + j, n), \
               learns(affine_fq_value(p, i * c + j, j, act, n) / p->s, p->lo, p->hi), acc);
            VEC_FOR(j, c, BODY);
#undef BODY
        }
        sum += (double)vsum(acc);
    }
    return sum;
}

double KERN(affine_fq_scale_grad)(const pith_real *x, const pith_real *dy, const pith_real *scale,
                                  const pith_real *shift, pithp_act act, int64_t rows, int64_t c, pith_real s,
                                  pith_real lo, pith_real hi)
{
    const affine_fq_args p = { x, scale, shift, NULL, vset1(s), vset1(lo), vset1(hi) };
    return act == PITHP_ACT_RELU6  ? affine_fq_learn_rows(&p, dy, rows, c, PITHP_ACT_RELU6)
           : act == PITHP_ACT_RELU ? affine_fq_learn_rows(&p, dy, rows, c, PITHP_ACT_RELU)
                                   : affine_fq_learn_rows(&p, dy, rows, c, PITHP_ACT_NONE);
}
