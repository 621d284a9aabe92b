/* kernels/int8/isa_elem.c: sums, products, poolings, means and tables. The plain loops are the compiler's to vectorize. */
#include "kernels/int8/isa.h"

/* One factor in all positions; the way of vrescale without its shortcut. */
typedef struct {
    V mult, left, half, right, shift;
} uniform;

static uniform uniform_of(pithp_fixed f)
{
    int e = f.shift < 0 ? -f.shift : 0;
    return (uniform){ .mult = vset(f.mult),
                      .left = vset(f.shift > 0 ? f.shift : 0),
                      .half = vset(e ? 1 << (e - 1) : 0),
                      .right = vset(e ? -1 : 0),
                      .shift = vset(e) };
}

static ALWAYS V scaled(V x, const uniform *u)
{
    const V half = vset64((int64_t)1 << 30);
    x = vsll(x, u->left);
    V y = vbits31(vadd64(vmul(x, u->mult), half), vadd64(vmul(vodd(x), u->mult), half));
    return vsra(vadd(vadd(y, u->half), vand(vneg(y), u->right)), u->shift);
}

/* An operand of a sum, (q - zero) * 2^20 rescaled: that of the larger scale is just shifted by 19. */
static ALWAYS V operand(V x, V zero, const uniform *u, bool shifted, bool exact)
{
    const V half = vset64((int64_t)1 << 30);
    x = vsub(x, zero);
    if (shifted)
        return vsll(x, vset(19));
    x = vsll(x, vset(20));
    V y = vbits31(vadd64(vmul(x, u->mult), half), vadd64(vmul(vodd(x), u->mult), half));
    return exact ? y : vsra(vadd(vadd(y, u->half), vand(vneg(y), u->right)), u->shift);
}

typedef struct {
    uniform a, b, out;
    V zero_a, zero_b, zero_out;
    bool sum, negate, half_a, half_b, exact_a, exact_b; /* see operand() */
    int32_t lo, hi;
} pair;

static ALWAYS V combine(const pair *p, V a, V b)
{
    if (!p->sum)
        return vadd(scaled(vmul32(vsub(a, p->zero_a), vsub(b, p->zero_b)), &p->out), p->zero_out);
    a = operand(a, p->zero_a, &p->a, p->half_a, p->exact_a);
    b = operand(b, p->zero_b, &p->b, p->half_b, p->exact_b);
    return vadd(scaled(p->negate ? vsub(a, b) : vadd(a, b), &p->out), p->zero_out);
}

static ALWAYS void pairs(const pair *p, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                         int8_t *y)
{
    int8_t ta[L] = { 0 }, tb[L] = { 0 };
    V one_b = vset(step_b ? 0 : *b);
    int64_t i = 0;
    for (; i + L <= n; i += L) {
        V v = combine(p, vbytes(a + i), step_b ? vbytes(b + i) : one_b);
        vput(y + i, &v, 1, L, p->lo, p->hi);
    }
    if (i == n)
        return;
    memcpy(ta, a + i, (size_t)(n - i));
    if (step_b)
        memcpy(tb, b + i, (size_t)(n - i));
    V v = combine(p, vbytes(ta), step_b ? vbytes(tb) : one_b);
    vput(y + i, &v, 1, (int)(n - i), p->lo, p->hi);
}

static pair pair_of(const pithp_iarith *g, bool sum)
{
    return (pair){ .a = uniform_of(g->scale_a),
                   .b = uniform_of(g->scale_b),
                   .out = uniform_of(g->scale),
                   .zero_a = vset(g->zero_a),
                   .zero_b = vset(g->zero_b),
                   .zero_out = vset(g->zero_out),
                   .sum = sum,
                   .negate = g->negate_b,
                   .lo = g->lo,
                   .hi = g->hi };
}

static bool half(pithp_fixed f) { return f.mult == 1 << 30 && f.shift == 0; }

void IKERN(add)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n, int8_t *y)
{
    pair p = pair_of(g, true);
    bool ha = half(g->scale_a), hb = half(g->scale_b), ea = g->scale_a.shift == 0, eb = g->scale_b.shift == 0;
    p.sum = true;
    /* the loop once for each way its operands may go, so that nothing is asked inside it */
    if (ha && eb) {
        p.half_a = true, p.half_b = false, p.exact_a = p.exact_b = true;
        pairs(&p, a, b, step_b, n, y);
    } else if (hb && ea) {
        p.half_b = true, p.half_a = false, p.exact_a = p.exact_b = true;
        pairs(&p, a, b, step_b, n, y);
    } else {
        p.half_a = p.half_b = p.exact_a = p.exact_b = false;
        pairs(&p, a, b, step_b, n, y);
    }
}

void IKERN(mul)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n, int8_t *y)
{
    pair p = pair_of(g, false);
    p.sum = false;
    pairs(&p, a, b, step_b, n, y);
}

/* ---- Poolings and means: 64 channels at a time --------------------------------------------------------------------------*/
enum { CHUNK = 64 };

static ALWAYS void window(const pithp_iconv *g, int64_t p, int64_t q, int64_t at[4])
{
    int64_t h = p * g->stride[0] - g->pad[0], w = q * g->stride[1] - g->pad[1];
    at[0] = PITHP_MAX(h, 0), at[1] = PITHP_MIN(h + g->r, g->h);
    at[2] = PITHP_MAX(w, 0), at[3] = PITHP_MIN(w + g->s, g->w);
}

static ALWAYS void sum_window(const pithp_iconv *g, const int8_t *x, const int64_t at[4], int n, int32_t *acc)
{
    for (int c = 0; c < n; c++)
        acc[c] = 0;
    for (int64_t h = at[0]; h < at[1]; h++)
        for (int64_t w = at[2]; w < at[3]; w++) {
            const int8_t *v = x + (h * g->w + w) * g->c;
            for (int c = 0; c < n; c++)
                acc[c] += v[c];
        }
}

/* Quotients in float32: below 2^16 positions they cannot round up to the next integer. */
static ALWAYS void divide(const int32_t *acc, int32_t count, int32_t lo, int32_t hi, int n, int8_t *y)
{
    float by = (float)count;
    int32_t half = count / 2;
    for (int c = 0; c < n; c++) {
        int32_t v = (int32_t)((float)(acc[c] > 0 ? acc[c] + half : acc[c] - half) / by);
        v = v < lo ? lo : v;
        y[c] = (int8_t)(v > hi ? hi : v);
    }
}

void IKERN(avgpool)(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y)
{
    int32_t acc[CHUNK];
    if (g->r * g->s >= 1 << 16) {
        pithp_ref_iavgpool(g, x, p0, p1, y);
        return;
    }
    for (int64_t i = p0 * g->q; i < p1 * g->q; i++) {
        int64_t at[4];
        window(g, i / g->q, i % g->q, at);
        int32_t count = (int32_t)((at[1] - at[0]) * (at[3] - at[2]));
        for (int64_t c = 0; c < g->c; c += CHUNK) {
            int n = (int)PITHP_MIN(CHUNK, g->c - c);
            sum_window(g, x + c, at, n, acc);
            divide(acc, count, g->lo, g->hi, n, y + i * g->c + c);
        }
    }
}

void IKERN(maxpool)(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y)
{
    for (int64_t i = p0 * g->q; i < p1 * g->q; i++) {
        int64_t at[4];
        window(g, i / g->q, i % g->q, at);
        int8_t *to = y + i * g->c, lo = (int8_t)g->lo, hi = (int8_t)g->hi;
        memset(to, g->lo, (size_t)g->c); /* the lower bound takes part in the maximum */
        for (int64_t h = at[0]; h < at[1]; h++)
            for (int64_t w = at[2]; w < at[3]; w++) {
                const int8_t *v = x + (h * g->w + w) * g->c;
                for (int64_t c = 0; c < g->c; c++)
                    to[c] = to[c] > v[c] ? to[c] : v[c];
            }
        for (int64_t c = 0; c < g->c; c++)
            to[c] = to[c] < lo ? lo : to[c] > hi ? hi : to[c];
    }
}

void IKERN(mean)(const pithp_imean *g, const int8_t *x, int8_t *y)
{
    uniform u = uniform_of(g->scale);
    int32_t acc[CHUNK];
    for (int64_t c = 0; c < g->c; c += CHUNK) {
        int n = (int)PITHP_MIN(CHUNK, g->c - c);
        for (int i = 0; i < CHUNK; i++)
            acc[i] = -(int32_t)(g->zero_in * g->count);
        for (int64_t i = 0; i < g->count; i++)
            for (int j = 0; j < n; j++)
                acc[j] += x[i * g->c + c + j];
        for (int j = 0; j < n; j += L) {
            V v = vadd(scaled(vload(acc + j), &u), vset(g->zero_out));
            vput(y + c + j, &v, 1, PITHP_MIN(n - j, L), g->lo, g->hi);
        }
    }
}

void IKERN(table)(const int8_t table[256], const int8_t *x, int64_t n, int8_t *y)
{
    const int8_t *mid = table + 128;
    for (int64_t i = 0; i < n; i++)
        y[i] = mid[x[i]];
}
