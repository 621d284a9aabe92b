/* kernels/float/isa_elem.c: elementwise functions and plain sums. */
#include "kernels/float/isa.h"
#include "kernels/float/vmath.h"
#ifdef __SSE2__
#include <immintrin.h>
#endif

static ALWAYS vec unary_vec(pithp_unary f, vec x, vec p0, vec p1)
{
    switch (f) {
    case PITHP_U_RELU: return vact(x, PITHP_ACT_RELU);
    case PITHP_U_RELU6: return vact(x, PITHP_ACT_RELU6);
    case PITHP_U_SILU: return vact(x, PITHP_ACT_SILU);
    case PITHP_U_SIGMOID: return vsigmoid(x);
    case PITHP_U_TANH: return vtanh(x);
    case PITHP_U_HARD_SWISH: return vact(x, PITHP_ACT_HARD_SWISH);
    case PITHP_U_HARD_SIGMOID: return vact(x, PITHP_ACT_HARD_SIGMOID);
    case PITHP_U_LEAKY_RELU: return vsel_lt(vzero(), x, x, p0 * x);
    case PITHP_U_SQUARE: return x * x;
    case PITHP_U_SQRT: return vsqrt(x);
    case PITHP_U_EXP: return vexp(x);
    case PITHP_U_LOG: return vlog(x);
    case PITHP_U_ABS: return vmax(-x, x);
    case PITHP_U_CLIP: return vmin(p1, vmax(p0, x));
    default: return vfma(p0, x, p1);
    }
}

static ALWAYS vec unary_grad_vec(pithp_unary f, vec x, vec y, vec dy, vec p0, vec p1)
{
    const vec one = vset1(PITHP_R(1.0));
    switch (f) {
    case PITHP_U_RELU: return vact_grad(dy, x, PITHP_ACT_RELU);
    case PITHP_U_RELU6: return vact_grad(dy, x, PITHP_ACT_RELU6);
    case PITHP_U_SILU: return vact_grad(dy, x, PITHP_ACT_SILU);
    case PITHP_U_SIGMOID: return dy * (y * (one - y));
    case PITHP_U_TANH: return dy * (one - y * y);
    case PITHP_U_HARD_SWISH: return vact_grad(dy, x, PITHP_ACT_HARD_SWISH);
    case PITHP_U_HARD_SIGMOID: return vact_grad(dy, x, PITHP_ACT_HARD_SIGMOID);
    case PITHP_U_LEAKY_RELU: return vsel_lt(vzero(), x, dy, p0 * dy);
    case PITHP_U_SQUARE: return dy * (x + x);
    case PITHP_U_SQRT: return dy * PITHP_R(0.5) / y;
    case PITHP_U_EXP: return dy * y;
    case PITHP_U_LOG: return dy / x;
    case PITHP_U_ABS: return vkeep_lt(dy, vzero(), x) - vkeep_lt(dy, x, vzero());
    case PITHP_U_CLIP: return vkeep_le(vkeep_le(dy, p0, x), x, p1);
    default: return dy * p0;
    }
}

#define BY_UNARY(f, CALL)                                         \
    switch (f) {                                                  \
    case PITHP_U_RELU: CALL(PITHP_U_RELU); break;                 \
    case PITHP_U_RELU6: CALL(PITHP_U_RELU6); break;               \
    case PITHP_U_SILU: CALL(PITHP_U_SILU); break;                 \
    case PITHP_U_SIGMOID: CALL(PITHP_U_SIGMOID); break;           \
    case PITHP_U_TANH: CALL(PITHP_U_TANH); break;                 \
    case PITHP_U_HARD_SWISH: CALL(PITHP_U_HARD_SWISH); break;     \
    case PITHP_U_HARD_SIGMOID: CALL(PITHP_U_HARD_SIGMOID); break; \
    case PITHP_U_LEAKY_RELU: CALL(PITHP_U_LEAKY_RELU); break;     \
    case PITHP_U_SQUARE: CALL(PITHP_U_SQUARE); break;             \
    case PITHP_U_SQRT: CALL(PITHP_U_SQRT); break;                 \
    case PITHP_U_EXP: CALL(PITHP_U_EXP); break;                   \
    case PITHP_U_LOG: CALL(PITHP_U_LOG); break;                   \
    case PITHP_U_ABS: CALL(PITHP_U_ABS); break;                   \
    case PITHP_U_CLIP: CALL(PITHP_U_CLIP); break;                 \
    default: CALL(PITHP_U_SCALE); break;                          \
    }

static ALWAYS void unary_loop(pithp_unary f, const pith_real *x, int64_t n, vec p0, vec p1, pith_real *y)
{
#define BODY(m) vstore_m(y + j, unary_vec(f, vload_m(x + j, m), p0, p1), m);
    VEC_FOR(j, n, BODY);
#undef BODY
}

void KERN(unary)(pithp_unary f, const pith_real *x, int64_t n, pith_real p0, pith_real p1, pith_real *y)
{
#define CALL(F) unary_loop(F, x, n, vset1(p0), vset1(p1), y)
    BY_UNARY(f, CALL)
#undef CALL
}

static ALWAYS void unary_grad_loop(pithp_unary f, const pith_real *x, const pith_real *y, const pith_real *dy,
                                   int64_t n, vec p0, vec p1, pith_real *dx, bool add)
{
#define GRAD(m) unary_grad_vec(f, vload_m(x + j, m), vload_m(y + j, m), vload_m(dy + j, m), p0, p1)
#define SET(m)  vstore_m(dx + j, GRAD(m), m);
#define ADD(m)  vstore_m(dx + j, vload_m(dx + j, m) + GRAD(m), m);
    if (add)
        VEC_FOR(j, n, ADD);
    else
        VEC_FOR(j, n, SET);
#undef ADD
#undef SET
#undef GRAD
}

void KERN(unary_grad)(pithp_unary f, const pith_real *x, const pith_real *y, const pith_real *dy, int64_t n,
                      pith_real p0, pith_real p1, pith_real *dx, bool add)
{
#define CALL(F) unary_grad_loop(F, x, y, dy, n, vset1(p0), vset1(p1), dx, add)
    BY_UNARY(f, CALL)
#undef CALL
}

static ALWAYS vec binary_vec(pithp_binary f, vec a, vec b)
{
    switch (f) {
    case PITHP_B_ADD: return a + b;
    case PITHP_B_SUB: return a - b;
    case PITHP_B_MUL: return a * b;
    default: return a / b;
    }
}

static ALWAYS void binary_loop(pithp_binary f, const pith_real *a, int sa, const pith_real *b, int sb,
                               int64_t n, pith_real *y)
{
    if (n <= 0)
        return;
    const vec va = vset1(a[0]), vb = vset1(b[0]);
#define BOTH(m)  vstore_m(y + j, binary_vec(f, vload_m(a + j, m), vload_m(b + j, m)), m);
#define ONE_B(m) vstore_m(y + j, binary_vec(f, vload_m(a + j, m), vb), m);
#define ONE_A(m) vstore_m(y + j, binary_vec(f, va, vload_m(b + j, m)), m);
#define NONE(m)  vstore_m(y + j, binary_vec(f, va, vb), m);
    if (sa && sb)
        VEC_FOR(j, n, BOTH);
    else if (sa)
        VEC_FOR(j, n, ONE_B);
    else if (sb)
        VEC_FOR(j, n, ONE_A);
    else
        VEC_FOR(j, n, NONE);
#undef BOTH
#undef ONE_A
#undef ONE_B
#undef NONE
}

void KERN(binary)(pithp_binary f, const pith_real *a, int sa, const pith_real *b, int sb, int64_t n,
                  pith_real *y)
{
    switch (f) {
    case PITHP_B_ADD: binary_loop(PITHP_B_ADD, a, sa, b, sb, n, y); break;
    case PITHP_B_SUB: binary_loop(PITHP_B_SUB, a, sa, b, sb, n, y); break;
    case PITHP_B_MUL: binary_loop(PITHP_B_MUL, a, sa, b, sb, n, y); break;
    default: binary_loop(PITHP_B_DIV, a, sa, b, sb, n, y); break;
    }
}

#ifdef __SSE2__
static ALWAYS void vstream(pith_real *p, vec v)
{
#if VBYTES == 64
    _mm512_stream_si512((void *)p, (__m512i)v);
#elif VBYTES == 32
    _mm256_stream_si256((void *)p, (__m256i)v);
#else
    _mm_stream_si128((void *)p, (__m128i)v);
#endif
}

void KERN(stream)(const pith_real *x, int64_t n, pith_real *y)
{
    int64_t i = 0;
    for (; i < n && (uintptr_t)(y + i) % VBYTES != 0; i++)
        y[i] = x[i];
    for (; i + LANES <= n; i += LANES)
        vstream(y + i, vload(x + i));
    for (; i < n; i++)
        y[i] = x[i];
    _mm_sfence(); /* these stores wait for no one: whoever is told that the tile is done must see them */
}
#else
void KERN(stream)(const pith_real *x, int64_t n, pith_real *y) { memcpy(y, x, (size_t)n * sizeof *y); }
#endif

void KERN(axpy)(pith_real alpha, const pith_real *x, int64_t n, pith_real *y)
{
    const vec al = vset1(alpha);
#define BODY(m) vstore_m(y + j, vfma(al, vload_m(x + j, m), vload_m(y + j, m)), m);
    VEC_FOR(j, n, BODY);
#undef BODY
}

pith_real KERN(sum)(const pith_real *x, int64_t n)
{
    vec a[4] = { { 0 }, { 0 }, { 0 }, { 0 } };
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int j = 0; j < 4; j++)
            a[j] += vload(x + i + j * LANES);
    for (; i + LANES <= n; i += LANES)
        a[0] += vload(x + i);
    if (i < n)
        a[1] += vload_n(x + i, (int)(n - i));
    return vsum((a[0] + a[1]) + (a[2] + a[3]));
}

pith_real KERN(dot)(const pith_real *x, const pith_real *y, int64_t n)
{
    vec a[4] = { { 0 }, { 0 }, { 0 }, { 0 } };
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int j = 0; j < 4; j++)
            a[j] = vfma(vload(x + i + j * LANES), vload(y + i + j * LANES), a[j]);
    for (; i + LANES <= n; i += LANES)
        a[0] = vfma(vload(x + i), vload(y + i), a[0]);
    if (i < n)
        a[1] = vfma(vload_n(x + i, (int)(n - i)), vload_n(y + i, (int)(n - i)), a[1]);
    return vsum((a[0] + a[1]) + (a[2] + a[3]));
}
