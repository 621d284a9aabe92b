/* kernels/float/isa_bn.c: row kernels over [rows,C] with one value a channel: sums, normalisation, activation. */
#include "kernels/float/isa.h"
#include "kernels/float/vmath.h"

/* Rows are taken in chunks that stay in the first-level cache; within a chunk a vector of channels runs down the
   rows with its sums in registers. Wide rows need shorter chunks to be worth it and to keep memory streams few. */
static ALWAYS int64_t chunk_of(int64_t c) { return c >= 16 * LANES ? 4 : c >= 4 * LANES ? 8 : 32; }

static ALWAYS void sum_vec(const pith_real *x, int64_t rows, int64_t c, pith_real *sum, int n)
{
    vec a = vload_m(sum, n), b = vzero();
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
        a += vload_m(x + i * c, n);
        b += vload_m(x + (i + 1) * c, n);
    }
    if (i < rows)
        a += vload_m(x + i * c, n);
    vstore_m(sum, a + b, n);
}

void KERN(col_sum)(const pith_real *x, int64_t rows, int64_t c, pith_real *sum)
{
    int64_t step = chunk_of(c);
    for (int64_t i = 0; i < rows; i += step) {
        int64_t m = PITHP_MIN(step, rows - i);
#define BODY(n) sum_vec(x + i * c + j, m, c, sum + j, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
}

typedef double dvec __attribute__((vector_size(VBYTES), aligned(sizeof(double)), may_alias));
enum { DLANES = VBYTES / (int)sizeof(double) };
typedef pith_real hvec
    __attribute__((vector_size(DLANES * sizeof(pith_real)), aligned(sizeof(pith_real)), may_alias));

/* nv vectors of doubles stay in registers down the rows: a sum waits for the one before it, so there are several. */
static ALWAYS void row_sums_vec(const pith_real *x, int64_t rows, int64_t step, int nv, double *sum)
{
    dvec acc[4];
#pragma GCC unroll 4
    for (int v = 0; v < nv; v++)
        acc[v] = *(const dvec *)(sum + v * DLANES);
    for (int64_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++)
            acc[v] += __builtin_convertvector(*(const hvec *)(x + i * step + v * DLANES), dvec);
#pragma GCC unroll 4
    for (int v = 0; v < nv; v++)
        *(dvec *)(sum + v * DLANES) = acc[v];
}

void KERN(row_sums)(const pith_real *x, int64_t rows, int64_t step, int64_t c, double *sum)
{
    int64_t j = 0;
    for (; j + 4 * DLANES <= c; j += 4 * DLANES)
        row_sums_vec(x + j, rows, step, 4, sum + j);
    for (; j + DLANES <= c; j += DLANES)
        row_sums_vec(x + j, rows, step, 1, sum + j);
    for (; j < c; j++)
        for (int64_t i = 0; i < rows; i++)
            sum[j] += (double)x[i * step + j];
}

static ALWAYS void sq_vec(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *sq,
                          int n)
{
    vec a = vload_m(sq, n), b = vzero(), m = vload_m(centre, n);
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
        vec u = vload_m(x + i * c, n) - m, v = vload_m(x + (i + 1) * c, n) - m;
        a = vfma(u, u, a);
        b = vfma(v, v, b);
    }
    if (i < rows) {
        vec u = vload_m(x + i * c, n) - m;
        a = vfma(u, u, a);
    }
    vstore_m(sq, a + b, n);
}

void KERN(col_sq)(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *sq)
{
    int64_t step = chunk_of(c);
    for (int64_t i = 0; i < rows; i += step) {
        int64_t m = PITHP_MIN(step, rows - i);
#define BODY(n) sq_vec(x + i * c + j, centre + j, m, c, sq + j, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
}

static ALWAYS void moments_vec(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c,
                               pith_real *s1, pith_real *s2, int n)
{
    vec a = vload_m(s1, n), p = vload_m(s2, n), b = vzero(), q = vzero(), m = vload_m(centre, n);
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
        vec u = vload_m(x + i * c, n) - m, v = vload_m(x + (i + 1) * c, n) - m;
        a += u;
        b += v;
        p = vfma(u, u, p);
        q = vfma(v, v, q);
    }
    if (i < rows) {
        vec u = vload_m(x + i * c, n) - m;
        a += u;
        p = vfma(u, u, p);
    }
    vstore_m(s1, a + b, n);
    vstore_m(s2, p + q, n);
}

void KERN(col_moments)(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *s1,
                       pith_real *s2)
{
    int64_t step = chunk_of(c);
    for (int64_t i = 0; i < rows; i += step) {
        int64_t m = PITHP_MIN(step, rows - i);
#define BODY(n) moments_vec(x + i * c + j, centre + j, m, c, s1 + j, s2 + j, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
}

/* What a switch on the activation calls with a constant, so that each gets loops of its own. */
#define BY_ACT(act, CALL)                                             \
    switch (act) {                                                    \
    case PITHP_ACT_RELU: CALL(PITHP_ACT_RELU); break;                 \
    case PITHP_ACT_RELU6: CALL(PITHP_ACT_RELU6); break;               \
    case PITHP_ACT_SILU: CALL(PITHP_ACT_SILU); break;                 \
    case PITHP_ACT_SIGMOID: CALL(PITHP_ACT_SIGMOID); break;           \
    case PITHP_ACT_HARD_SWISH: CALL(PITHP_ACT_HARD_SWISH); break;     \
    case PITHP_ACT_HARD_SIGMOID: CALL(PITHP_ACT_HARD_SIGMOID); break; \
    default: CALL(PITHP_ACT_NONE); break;                             \
    }

typedef struct {
    const pith_real *x, *scale, *shift, *res;
    pith_real *y;
    bool res_first;
} affine_args;

static ALWAYS void affine_vec(const affine_args *p, int64_t at, int64_t j, bool res, pithp_act act, int n)
{
    vec s = p->scale ? vload_m(p->scale + j, n) : vset1(PITHP_R(1.0));
    vec t = p->shift ? vload_m(p->shift + j, n) : vzero();
    vec v = vfma(vload_m(p->x + at, n), s, t);
    if (res && p->res_first)
        v += vload_m(p->res + at, n);
    v = vact(v, act);
    if (res && !p->res_first)
        v += vload_m(p->res + at, n);
    vstore_m(p->y + at, v, n);
}

static ALWAYS void affine_rows(affine_args p, bool res, pithp_act act, int64_t rows, int64_t c)
{
    if (c == LANES) { /* one vector a row: its scale and shift stay in registers */
        for (int64_t i = 0; i < rows; i++)
            affine_vec(&p, i * c, 0, res, act, LANES);
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
#define BODY(n) affine_vec(&p, i *c + j, j, res, act, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
}

void KERN(affine_act)(const pith_real *x, const pith_real *scale, const pith_real *shift,
                      const pith_real *res, bool res_first, pithp_act act, int64_t rows, int64_t c,
                      pith_real *y)
{
    affine_args p = { x, scale, shift, res, y, res_first };
#define PLAIN(a)    affine_rows(p, false, a, rows, c)
#define WITH_RES(a) affine_rows(p, true, a, rows, c)
    if (res) {
        BY_ACT(act, WITH_RES)
    } else {
        BY_ACT(act, PLAIN)
    }
#undef PLAIN
#undef WITH_RES
}

typedef struct {
    const pith_real *dz, *y, *scale, *shift, *mean;
    pith_real *s1, *s2, *u;
} reduce_args;

/* One vector of channels, at j, down `rows` rows from the one at `at`. */
static ALWAYS void reduce_vec(const reduce_args *p, int64_t at, int64_t j, bool store, pithp_act act,
                              int64_t rows, int64_t c, int n)
{
    const vec scale = vload_m(p->scale + j, n), shift = vload_m(p->shift + j, n),
              mean = vload_m(p->mean + j, n);
    vec a1 = vload_m(p->s1 + j, n), a2 = vload_m(p->s2 + j, n), b1 = vzero(), b2 = vzero();
    const pith_real *dz = p->dz + at + j, *y = p->y + at + j;
    pith_real *u = store ? p->u + at + j : NULL;
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
        vec y0 = vload_m(y + i * c, n), y1 = vload_m(y + (i + 1) * c, n);
        vec u0 = vact_grad(vload_m(dz + i * c, n), vfma(y0, scale, shift), act);
        vec u1 = vact_grad(vload_m(dz + (i + 1) * c, n), vfma(y1, scale, shift), act);
        if (store) {
            vstore_m(u + i * c, u0, n);
            vstore_m(u + (i + 1) * c, u1, n);
        }
        a1 += u0;
        b1 += u1;
        a2 = vfma(u0, y0 - mean, a2);
        b2 = vfma(u1, y1 - mean, b2);
    }
    if (i < rows) {
        vec y0 = vload_m(y + i * c, n);
        vec u0 = vact_grad(vload_m(dz + i * c, n), vfma(y0, scale, shift), act);
        if (store)
            vstore_m(u + i * c, u0, n);
        a1 += u0;
        a2 = vfma(u0, y0 - mean, a2);
    }
    vstore_m(p->s1 + j, a1 + b1, n);
    vstore_m(p->s2 + j, a2 + b2, n);
}

static ALWAYS void reduce_rows(const reduce_args *p, bool store, pithp_act act, int64_t rows, int64_t c)
{
    int64_t step = chunk_of(c);
    for (int64_t i = 0; i < rows; i += step) {
        int64_t m = PITHP_MIN(step, rows - i);
#define BODY(n) reduce_vec(p, i *c, j, store, act, m, c, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
}

void KERN(bn_reduce)(const pith_real *dz, const pith_real *y, const pith_real *scale, const pith_real *shift,
                     const pith_real *mean, pithp_act act, int64_t rows, int64_t c, pith_real *s1,
                     pith_real *s2, pith_real *u)
{
    const reduce_args p = { dz, y, scale, shift, mean, s1, s2, u };
#define PLAIN(a) reduce_rows(&p, false, a, rows, c)
#define STORE(a) reduce_rows(&p, true, a, rows, c)
    if (u == NULL || (u == dz && act == PITHP_ACT_NONE)) {
        BY_ACT(act, PLAIN)
    } else {
        BY_ACT(act, STORE)
    }
#undef PLAIN
#undef STORE
}

typedef struct {
    const pith_real *dz, *y, *scale, *shift, *a, *b, *d;
    pith_real *dy;
} dy_args;

static ALWAYS void dy_vec(const dy_args *p, int64_t at, int64_t j, pithp_act act, bool add, int n)
{
    vec y = vload_m(p->y + at, n), g = vload_m(p->dz + at, n);
    vec u = act == PITHP_ACT_NONE
                ? g
                : vact_grad(g, vfma(y, vload_m(p->scale + j, n), vload_m(p->shift + j, n)), act);
    vec v = vfma(vload_m(p->a + j, n), u, vfma(vload_m(p->b + j, n), y, vload_m(p->d + j, n)));
    if (add)
        v += vload_m(p->dy + at, n);
    vstore_m(p->dy + at, v, n);
}

static ALWAYS void dy_rows(const dy_args *p, pithp_act act, bool add, int64_t rows, int64_t c)
{
    for (int64_t i = 0; i < rows; i++) {
#define BODY(n) dy_vec(p, i *c + j, j, act, add, n);
        VEC_FOR(j, c, BODY);
#undef BODY
    }
}

void KERN(bn_dy)(const pith_real *dz, const pith_real *y, const pith_real *scale, const pith_real *shift,
                 const pith_real *a, const pith_real *b, const pith_real *d, pithp_act act, int64_t rows,
                 int64_t c, pith_real *dy, bool add)
{
    dy_args p = { dz, y, scale, shift, a, b, d, dy };
#define SET(act_) dy_rows(&p, act_, false, rows, c)
#define ADD(act_) dy_rows(&p, act_, true, rows, c)
    if (add) {
        BY_ACT(act, ADD)
    } else {
        BY_ACT(act, SET)
    }
#undef SET
#undef ADD
}
