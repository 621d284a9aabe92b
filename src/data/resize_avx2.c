/* data/resize_avx2.c: the loops of resize_rows.c with vectors twice as wide, for processors that have them. The same
   whole numbers come out. */
#include "data/resize.h"
#include "data/data.h"
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

enum { DOWN = PITHP_TAP_BITS - PITHP_KEEP_BITS, LAST = PITHP_TAP_BITS + PITHP_KEEP_BITS };

AVX2 static __m256i pair_of(const int16_t *w)
{
    int32_t both;
    memcpy(&both, w, sizeof both);
    return _mm256_set1_epi32(both);
}

AVX2 static __m256i load(const void *p) { return _mm256_loadu_si256(p); }

/* Thirty-two values from column i on. Unpacking and packing stay within the halves of a vector. */
AVX2 static void blend_32(const pithp_blend *b, size_t i, int16_t *line)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << (DOWN - 1));
    const uint8_t *p = b->src + i;
    __m256i s0 = half, s1 = half, s2 = half, s3 = half;
    for (int k = 0; k < b->taps; k += 2, p += 2 * b->stride) {
        __m256i w = pair_of(b->weight + k), x = load(p), y = k + 1 < b->inside ? load(p + b->stride) : zero;
        __m256i low = _mm256_unpacklo_epi8(x, y), high = _mm256_unpackhi_epi8(x, y);
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(_mm256_unpacklo_epi8(low, zero), w));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(_mm256_unpackhi_epi8(low, zero), w));
        s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(_mm256_unpacklo_epi8(high, zero), w));
        s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(_mm256_unpackhi_epi8(high, zero), w));
    }
    s0 = _mm256_packs_epi32(_mm256_srai_epi32(s0, DOWN), _mm256_srai_epi32(s1, DOWN)); /* 0-7, 16-23 */
    s2 = _mm256_packs_epi32(_mm256_srai_epi32(s2, DOWN), _mm256_srai_epi32(s3, DOWN)); /* 8-15, 24-31 */
    _mm256_storeu_si256((void *)(line + i), _mm256_permute2x128_si256(s0, s2, 0x20));
    _mm256_storeu_si256((void *)(line + i + 16), _mm256_permute2x128_si256(s0, s2, 0x31));
}

AVX2 void pithp_blend_avx2(const pithp_blend *b, size_t n, int16_t *line)
{
    for (size_t i = 0; i + 32 <= n; i += 32)
        blend_32(b, i, line);
    if (n % 32)
        blend_32(b, n - 32, line);
}

/* What a pair of pixels of two lines adds to their sums. */
AVX2 static __m256i add_pair(__m256i sum, const int16_t *p, size_t stride, __m256i w)
{
    __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)p)),
                                        _mm_loadu_si128((const void *)(p + stride)), 1);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_unpacklo_epi16(x, _mm256_srli_si256(x, 6)), w));
}

AVX2 void pithp_columns_avx2(const int16_t *line, size_t stride, int lines, const pithp_taps *t, int dw,
                             uint8_t *dst)
{
    size_t row = (size_t)dw * 3;
    for (int x = 0; x < dw; x++, dst += 3) {
        const int16_t *p = line + (size_t)t->first[x] * 3, *weight = t->weight + (size_t)x * (size_t)t->max;
        __m256i ab = _mm256_set1_epi32(1 << (LAST - 1)), cd = ab;
        for (int k = 0; k < t->n[x]; k += 2, p += 6) {
            __m256i w = pair_of(weight + k);
            ab = add_pair(ab, p, stride, w);
            cd = add_pair(cd, p + 2 * stride, stride, w);
        }
        ab = _mm256_packs_epi32(_mm256_srai_epi32(ab, LAST), _mm256_srai_epi32(cd, LAST)); /* a c, b d */
        ab = _mm256_packus_epi16(ab, ab);
        uint64_t ac = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(ab));
        uint64_t bd = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(ab, 1));
        uint32_t pixel[PITHP_LINES] = { (uint32_t)ac, (uint32_t)bd, (uint32_t)(ac >> 32),
                                        (uint32_t)(bd >> 32) };
        for (int i = 0; i < lines; i++)
            memcpy(dst + (size_t)i * row, &pixel[i], 3);
    }
}
#endif
