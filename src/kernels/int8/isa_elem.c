/* kernels/int8/isa_elem.c: sums, products, poolings, means and tables. The plain loops are the compiler's to vectorize. */
#include "kernels/int8/isa.h"

/* One factor in all positions; the way of vrescale without its shortcut. */
typedef struct {
    V mult, add, left, right, shift; /* add: both roundings' halves */
} uniform;

static ALWAYS uniform uniform_of(pithp_fixed f)
{
    int e = f.shift < 0 ? -f.shift : 0;
    return (uniform){ .mult = vset(f.mult),
                      .left = vset(f.shift > 0 ? f.shift : 0),
                      .add = vset64(((int64_t)1 << 30) + (e ? (int64_t)1 << (30 + e) : 0)),
                      .right = vset(e ? -1 : 0),
                      .shift = vset(e) };
}

static ALWAYS V scaled(V x, const uniform *u, bool left)
{
    if (left)
        x = vsll(x, u->left);
    V y = vbits31(vadd64(vmul(x, u->mult), u->add), vadd64(vmul(vodd(x), u->mult), u->add));
    return vsra(vadd(y, vand(vneg(x), u->right)), u->shift);
}

/* An operand of a sum, (q - zero) * 2^20 rescaled. HALF: that of the larger scale, which is just shifted by 19. */
typedef enum { HALF, ANY } way;

static ALWAYS V operand(V x, V zero, const uniform *u, way how)
{
    x = vsub(x, zero);
    return how == HALF ? vsll(x, vset(19)) : scaled(vsll(x, vset(20)), u, false);
}

typedef struct {
    uniform a, b, out;
    V zero_a, zero_b, zero_out;
    int32_t lo, hi;
} pair;

static ALWAYS V combine(const pair *p, bool sum, bool negate, way wa, way wb, V a, V b)
{
    if (!sum)
        return vadd(scaled(vmul32(vsub(a, p->zero_a), vsub(b, p->zero_b)), &p->out, true), p->zero_out);
    a = operand(a, p->zero_a, &p->a, wa);
    b = operand(b, p->zero_b, &p->b, wb);
    return vadd(scaled(negate ? vsub(a, b) : vadd(a, b), &p->out, false), p->zero_out);
}

/* All that is asked about the operands is a constant here: one loop for each way they may go. */
static ALWAYS void pairs(const pithp_iarith *g, bool sum, bool negate, way wa, way wb, const int8_t *a,
                         const int8_t *b, int64_t step_b, int64_t n, int8_t *y)
{
    const pair p = { .a = uniform_of(g->scale_a),
                     .b = uniform_of(g->scale_b),
                     .out = uniform_of(g->scale),
                     .zero_a = vset(g->zero_a),
                     .zero_b = vset(g->zero_b),
                     .zero_out = vset(g->zero_out),
                     .lo = g->lo,
                     .hi = g->hi };
    const V one_b = vset(step_b ? 0 : *b);
    int8_t ta[L] = { 0 }, tb[L] = { 0 };
    int64_t i = 0;
    for (; i + 4 * L <= n; i += 4 * L) {
        V v[4];
        UNROLL
        for (int j = 0; j < 4; j++)
            v[j] = combine(&p, sum, negate, wa, wb, vbytes(a + i + j * L),
                           step_b ? vbytes(b + i + j * L) : one_b);
        vput_natural(y + i, v, 4, 4 * L, p.lo, p.hi);
    }
    for (; i < n; i += L) {
        int rest = (int)PITHP_MIN(n - i, L);
        memcpy(ta, a + i, (size_t)rest);
        if (step_b)
            memcpy(tb, b + i, (size_t)rest);
        V v = combine(&p, sum, negate, wa, wb, vbytes(ta), step_b ? vbytes(tb) : one_b);
        vput(y + i, &v, 1, rest, p.lo, p.hi);
    }
}

void IKERN(add)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n, int8_t *y)
{
    const pithp_fixed half = { 1 << 30, 0 };
    bool half_a = g->scale_a.mult == half.mult && g->scale_a.shift == half.shift;
    bool half_b = g->scale_b.mult == half.mult && g->scale_b.shift == half.shift;
    if (g->negate_b)
        pairs(g, true, true, ANY, ANY, a, b, step_b, n, y);
    else if (half_a)
        pairs(g, true, false, HALF, ANY, a, b, step_b, n, y);
    else if (half_b)
        pairs(g, true, false, ANY, HALF, a, b, step_b, n, y);
    else
        pairs(g, true, false, ANY, ANY, a, b, step_b, n, y);
}

void IKERN(mul)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n, int8_t *y)
{
    pairs(g, false, false, ANY, ANY, a, b, step_b, n, y);
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
            V v = vadd(scaled(vload(acc + j), &u, true), vset(g->zero_out));
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
