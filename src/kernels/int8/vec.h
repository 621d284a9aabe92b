/* kernels/int8/vec.h: vectors of 32-bit sums, as wide as the instruction set this file is compiled for, and the contract's
   rescaling on them. Only isa_*.c include it.

   Products are taken four bytes or two 16-bit numbers at a time (a "word"): with VNNI, u8 = x + 128 times int8 weights, the
   128 and the zero point being taken out of the start value; without it, x - zero times the weights, both in 16 bits. */
#ifndef PITHP_INT8_VEC_H
#define PITHP_INT8_VEC_H

#include "kernels/int8/kernels.h"
#include <immintrin.h>
#include <string.h>

#ifndef PITHP_ISA
#define PITHP_ISA avx2
#endif
#define PITHP_ICAT3(a, b) a##b
#define PITHP_ICAT2(a, b) PITHP_ICAT3(a, b)
#define IKERN(name)       PITHP_ICAT2(pithp_i8_##name##_, PITHP_ISA)
#define ALWAYS            inline __attribute__((always_inline))
#define UNROLL            _Pragma("GCC unroll 16")

#ifdef __AVX512VNNI__
enum { WORD = 4 }; /* products of a word */
#else
enum { WORD = 2 };
#endif

/* Factors of a layer's channels by position (the order in which vectors hold them). */
typedef struct {
    const int32_t *start;                /* of the sums: bias, and what the zero points add */
    const int32_t *mult, *mult_odd;      /* mult_odd[2i] = mult[2i+1] */
    const int64_t *add_even, *add_odd;   /* for positions 0, 2, .. and 1, 3, .. of each vector */
    const int32_t *shift, *left, *right; /* right: -1 where there is a second rounding, else 0 */
    int32_t zero, lo, hi;
    bool relu; /* results below the zero point are cut off: halves of negative numbers do not matter */
} ifactors;

#ifdef __AVX512F__
typedef __m512i V;
enum { L = 16, MOST_NV = 4 };
static ALWAYS V vload(const void *p) { return _mm512_loadu_si512(p); }
static ALWAYS void vstore(void *p, V v) { _mm512_storeu_si512(p, v); }
static ALWAYS V vset(int32_t x) { return _mm512_set1_epi32(x); }
static ALWAYS V vset64(int64_t x) { return _mm512_set1_epi64(x); }
static ALWAYS V vadd(V a, V b) { return _mm512_add_epi32(a, b); }
static ALWAYS V vsub(V a, V b) { return _mm512_sub_epi32(a, b); }
static ALWAYS V vmul32(V a, V b) { return _mm512_mullo_epi32(a, b); }
static ALWAYS V vadd64(V a, V b) { return _mm512_add_epi64(a, b); }
static ALWAYS V vand(V a, V b) { return _mm512_and_si512(a, b); }
static ALWAYS V vmul(V a, V b) { return _mm512_mul_epi32(a, b); }
static ALWAYS V vodd(V a) { return _mm512_srli_epi64(a, 32); }
static ALWAYS V vsra(V a, V n) { return _mm512_srav_epi32(a, n); }
static ALWAYS V vsll(V a, V n) { return _mm512_sllv_epi32(a, n); }
static ALWAYS V vneg(V a) { return _mm512_srai_epi32(a, 31); }
/* upper halves of 64-bit products at even and odd positions */
static ALWAYS V vupper(V even, V odd)
{
    return (V)_mm512_mask_movehdup_ps((__m512)odd, 0x5555, (__m512)even);
}
static ALWAYS V vbits31(V even, V odd)
{
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
}
static ALWAYS V vbytes(const int8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
#ifdef __AVX512VNNI__
static ALWAYS V vdot(V acc, V x, V w) { return _mm512_dpbusd_epi32(acc, x, w); }
#else
static ALWAYS V vdot(V acc, V x, V w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }
#endif

/* nv vectors whose positions are in pack order, as bytes: the first n of nv*L. */
static ALWAYS void vput(int8_t *y, const V *v, int nv, int n, int32_t lo, int32_t hi)
{
    if (nv == 4) {
        V b = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
        b = _mm512_min_epi8(_mm512_max_epi8(b, _mm512_set1_epi8((char)lo)), _mm512_set1_epi8((char)hi));
        _mm512_mask_storeu_epi8(y, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1, b);
    } else if (nv == 2) {
        __m256i b = _mm512_cvtsepi16_epi8(_mm512_packs_epi32(v[0], v[1]));
        b = _mm256_min_epi8(_mm256_max_epi8(b, _mm256_set1_epi8((char)lo)), _mm256_set1_epi8((char)hi));
        _mm256_mask_storeu_epi8(y, n >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << n) - 1, b);
    } else {
        __m128i b = _mm512_cvtsepi32_epi8(v[0]);
        b = _mm_min_epi8(_mm_max_epi8(b, _mm_set1_epi8((char)lo)), _mm_set1_epi8((char)hi));
        _mm_mask_storeu_epi8(y, n >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1), b);
    }
}

/* The same for vectors whose positions are in the channels' order. */
static ALWAYS void vput_natural(int8_t *y, const V *v, int nv, int n, int32_t lo, int32_t hi)
{
    if (nv == 4) {
        const V order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        V b = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
        b = _mm512_min_epi8(_mm512_max_epi8(b, _mm512_set1_epi8((char)lo)), _mm512_set1_epi8((char)hi));
        _mm512_mask_storeu_epi8(y, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1,
                                _mm512_permutexvar_epi32(order, b));
    } else if (nv == 2) {
        const V order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
        __m256i b = _mm512_cvtsepi16_epi8(_mm512_permutexvar_epi64(order, _mm512_packs_epi32(v[0], v[1])));
        b = _mm256_min_epi8(_mm256_max_epi8(b, _mm256_set1_epi8((char)lo)), _mm256_set1_epi8((char)hi));
        _mm256_mask_storeu_epi8(y, n >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << n) - 1, b);
    } else
        vput(y, v, 1, n, lo, hi);
}
#else
typedef __m256i V;
enum { L = 8, MOST_NV = 2 };
static ALWAYS V vload(const void *p) { return _mm256_loadu_si256(p); }
static ALWAYS void vstore(void *p, V v) { _mm256_storeu_si256(p, v); }
static ALWAYS V vset(int32_t x) { return _mm256_set1_epi32(x); }
static ALWAYS V vset64(int64_t x) { return _mm256_set1_epi64x(x); }
static ALWAYS V vadd(V a, V b) { return _mm256_add_epi32(a, b); }
static ALWAYS V vsub(V a, V b) { return _mm256_sub_epi32(a, b); }
static ALWAYS V vmul32(V a, V b) { return _mm256_mullo_epi32(a, b); }
static ALWAYS V vadd64(V a, V b) { return _mm256_add_epi64(a, b); }
static ALWAYS V vand(V a, V b) { return _mm256_and_si256(a, b); }
static ALWAYS V vmul(V a, V b) { return _mm256_mul_epi32(a, b); }
static ALWAYS V vodd(V a) { return _mm256_srli_epi64(a, 32); }
static ALWAYS V vsra(V a, V n) { return _mm256_srav_epi32(a, n); }
static ALWAYS V vsll(V a, V n) { return _mm256_sllv_epi32(a, n); }
static ALWAYS V vneg(V a) { return _mm256_srai_epi32(a, 31); }
static ALWAYS V vupper(V even, V odd) { return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA); }
static ALWAYS V vbits31(V even, V odd)
{
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
}
static ALWAYS V vbytes(const int8_t *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
static ALWAYS V vdot(V acc, V x, V w) { return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w)); }

static ALWAYS void vput(int8_t *y, const V *v, int nv, int n, int32_t lo, int32_t hi)
{
    __m256i p = _mm256_packs_epi32(v[0], v[nv - 1]); /* nv == 1: each half twice */
    __m128i a = _mm256_castsi256_si128(p), c = _mm256_extracti128_si256(p, 1);
    __m128i b = nv == 2 ? _mm_packs_epi16(a, c) : _mm_packs_epi16(_mm_unpacklo_epi64(a, c), a);
    b = _mm_min_epi8(_mm_max_epi8(b, _mm_set1_epi8((char)lo)), _mm_set1_epi8((char)hi));
    if (n >= nv * L) {
        if (nv == 2)
            _mm_storeu_si128((__m128i *)y, b);
        else
            _mm_storel_epi64((__m128i *)y, b);
        return;
    }
    int8_t t[16];
    _mm_storeu_si128((__m128i *)t, b);
    memcpy(y, t, (size_t)n);
}

static ALWAYS void vput_natural(int8_t *y, const V *v, int nv, int n, int32_t lo, int32_t hi)
{
    for (int i = 0; i < nv; i++)
        vput(y + i * L, v + i, 1, PITHP_MIN(n - i * L, L), lo, hi);
}
#endif

static ALWAYS V vword(const void *p) /* a word, in all positions */
{
    int32_t w;
    memcpy(&w, p, sizeof w);
    return vset(w);
}

/* Which channel of a panel of nv vectors stands at position l of vector v: the order in which vput packs. */
static inline int vchannel(int nv, int v, int l) { return 4 * nv * (l / 4) + 4 * v + l % 4; }

/* The contract's rescaling of a vector of sums at position i, the zero point added.
   Both halves are in one 64-bit addition, for floor(floor(a/m)/n) = floor(a/(m*n)). relu: the zero point too, and halves of
   negative numbers do not matter. */
static ALWAYS V vrescale(V x, const ifactors *f, int64_t i, bool relu)
{
    V sign = vneg(x);
    if (!relu)
        x = vsll(x, vload(f->left + i));
    V even = vadd64(vmul(x, vload(f->mult + i)), vload(f->add_even + i / 2));
    V odd = vadd64(vmul(vodd(x), vload(f->mult_odd + i)), vload(f->add_odd + i / 2));
    if (relu)
        return vsra(vupper(even, odd), vload(f->shift + i));
    V y = vadd(vbits31(even, odd), vand(sign, vload(f->right + i)));
    return vadd(vsra(y, vload(f->shift + i)), vset(f->zero));
}

#endif
