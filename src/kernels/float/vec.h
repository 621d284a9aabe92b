/* kernels/float/vec.h: one vector of pith_reals, as wide as the instruction set this file is compiled for.
   Only isa_*.c include it. Every operation gives each lane the same value whatever stands in the others, so a tail
   done in a partly filled vector has exactly the bits that the full vectors have. */
#ifndef PITHP_VEC_H
#define PITHP_VEC_H

#include "kernels/float/kernels.h"
#include <math.h>
#include <string.h>

#if defined(__AVX2__) && !defined(PITH_REAL_IS_DOUBLE)
#include <immintrin.h>
#define VEC_X86 1
#endif

#if defined(__AVX512F__)
#define VBYTES 64
#elif defined(__AVX2__)
#define VBYTES 32
#else
#define VBYTES 16
#endif

#define ALWAYS inline __attribute__((always_inline))
#define LANES  ((int)(VBYTES / sizeof(pith_real)))

typedef pith_real vec __attribute__((vector_size(VBYTES), may_alias));
typedef pith_real uvec
    __attribute__((vector_size(VBYTES), aligned(sizeof(pith_real)), may_alias)); /* in memory */
#ifdef PITH_REAL_IS_DOUBLE
typedef int64_t ivec __attribute__((vector_size(VBYTES)));
#else
typedef int32_t ivec __attribute__((vector_size(VBYTES)));
#endif

static ALWAYS vec vload(const pith_real *p) { return *(const uvec *)p; }
static ALWAYS void vstore(pith_real *p, vec v) { *(uvec *)p = v; }
static ALWAYS vec vzero(void) { return (vec){ 0 }; }

#if defined(VEC_X86) && defined(__AVX512F__)
static ALWAYS vec vset1(pith_real x) { return (vec)_mm512_set1_ps(x); }
static ALWAYS vec vfma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
static ALWAYS vec vmax(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
static ALWAYS vec vmin(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
static ALWAYS vec vsqrt(vec a) { return (vec)_mm512_sqrt_ps((__m512)a); }
static ALWAYS vec vload_n(const pith_real *p, int n)
{
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
static ALWAYS void vstore_n(pith_real *p, vec v, int n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
/* v where a < b, else 0; v where a <= b, else 0 */
static ALWAYS vec vkeep_lt(vec v, vec a, vec b)
{
    return (vec)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512)v);
}
static ALWAYS vec vkeep_le(vec v, vec a, vec b)
{
    return (vec)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LE_OQ), (__m512)v);
}
/* a < b ? x : y */
static ALWAYS vec vsel_lt(vec a, vec b, vec x, vec y)
{
    return (vec)_mm512_mask_mov_ps((__m512)y, _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ),
                                   (__m512)x);
}
#elif defined(VEC_X86)
static const int32_t vec_masks[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
static ALWAYS vec vset1(pith_real x) { return (vec)_mm256_set1_ps(x); }
static ALWAYS vec vfma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
static ALWAYS vec vmax(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
static ALWAYS vec vmin(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
static ALWAYS vec vsqrt(vec a) { return (vec)_mm256_sqrt_ps((__m256)a); }
static ALWAYS vec vload_n(const pith_real *p, int n)
{
    return (vec)_mm256_maskload_ps(p, _mm256_loadu_si256((const __m256i *)(vec_masks + 8 - n)));
}
static ALWAYS void vstore_n(pith_real *p, vec v, int n)
{
    _mm256_maskstore_ps(p, _mm256_loadu_si256((const __m256i *)(vec_masks + 8 - n)), (__m256)v);
}
static ALWAYS vec vkeep_lt(vec v, vec a, vec b)
{
    return (vec)_mm256_and_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ), (__m256)v);
}
static ALWAYS vec vkeep_le(vec v, vec a, vec b)
{
    return (vec)_mm256_and_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LE_OQ), (__m256)v);
}
static ALWAYS vec vsel_lt(vec a, vec b, vec x, vec y)
{
    return (vec)_mm256_blendv_ps((__m256)y, (__m256)x, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ));
}
#else
static ALWAYS vec vset1(pith_real x) { return x - (vec){ 0 }; }
static ALWAYS vec vfma(vec a, vec b, vec c) { return a * b + c; }
static ALWAYS vec vsel_lt(vec a, vec b, vec x, vec y)
{
    ivec m = (ivec)(a < b);
    return (vec)((m & (ivec)x) | (~m & (ivec)y));
}
static ALWAYS vec vkeep_lt(vec v, vec a, vec b) { return (vec)((ivec)(a < b) & (ivec)v); }
static ALWAYS vec vkeep_le(vec v, vec a, vec b) { return (vec)((ivec)(a <= b) & (ivec)v); }
static ALWAYS vec vmax(vec a, vec b) { return vsel_lt(b, a, a, b); }
static ALWAYS vec vmin(vec a, vec b) { return vsel_lt(a, b, a, b); }
static ALWAYS vec vsqrt(vec a)
{
    for (int i = 0; i < LANES; i++)
        a[i] = (pith_real)sqrt((double)a[i]); /* correctly rounded for float too */
    return a;
}
static ALWAYS vec vload_n(const pith_real *p, int n)
{
    vec v = { 0 };
    for (int i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}
static ALWAYS void vstore_n(pith_real *p, vec v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = v[i];
}
#endif
/* vmax and vmin return b when either is NaN, so vmax(limit, x) lets NaN through. */

/* Full vector when n == LANES (a constant after inlining), else the first n lanes. */
static ALWAYS vec vload_m(const pith_real *p, int n) { return n == LANES ? vload(p) : vload_n(p, n); }
static ALWAYS void vstore_m(pith_real *p, vec v, int n)
{
    if (n == LANES)
        vstore(p, v);
    else
        vstore_n(p, v, n);
}

static ALWAYS pith_real vsum(vec v) /* by halves: the order is fixed */
{
    pith_real t[LANES];
    memcpy(t, &v, sizeof t);
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            t[i] += t[i + n];
    return t[0];
}

/* Runs BODY(n) for the vectors of 0..c: `j` is the first element, n is LANES, or what is left in the last. */
#define VEC_FOR(j, c, BODY)                    \
    do {                                       \
        int64_t j = 0;                         \
        for (; j + LANES <= (c); j += LANES) { \
            BODY(LANES)                        \
        }                                      \
        if (j < (c)) {                         \
            BODY((int)((c)-j))                 \
        }                                      \
    } while (0)

#endif
