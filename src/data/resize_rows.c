/* data/resize_rows.c: the two loops of the reduction, on whole numbers: sums of products of 16 bits, taken in
   pairs. On x86-64 a pair is one instruction of SSE2, which every such processor has (resize_avx2.c: wider
   vectors); elsewhere the compiler sees plain loops with the same results. */
#include "data/resize.h"
#include "data/data.h"
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { DOWN = PITHP_TAP_BITS - PITHP_KEEP_BITS, LAST = PITHP_TAP_BITS + PITHP_KEEP_BITS };

/* ---- Rows ---------------------------------------------------------------------------------------------- */

static void blend_plain(const pithp_blend *b, size_t from, size_t to, int16_t *line)
{
    for (size_t i = from; i < to; i++) {
        int32_t sum = 1 << (DOWN - 1);
        for (int k = 0; k < b->inside; k++)
            sum += b->weight[k] * b->src[(size_t)k * b->stride + i];
        sum >>= DOWN;
        line[i] = (int16_t)PITHP_MIN(PITHP_MAX(sum, INT16_MIN), INT16_MAX);
    }
}

#ifdef __SSE2__
static __m128i pair_of(const int16_t *w)
{
    int32_t both;
    memcpy(&both, w, sizeof both);
    return _mm_set1_epi32(both);
}

static __m128i load(const void *p) { return _mm_loadu_si128(p); }

/* Sixteen values from column i on. */
static void blend_16(const pithp_blend *b, size_t i, int16_t *line)
{
    const __m128i zero = _mm_setzero_si128(), half = _mm_set1_epi32(1 << (DOWN - 1));
    const uint8_t *p = b->src + i;
    __m128i s0 = half, s1 = half, s2 = half, s3 = half;
    for (int k = 0; k < b->taps; k += 2, p += 2 * b->stride) {
        __m128i w = pair_of(b->weight + k), x = load(p), y = k + 1 < b->inside ? load(p + b->stride) : zero;
        __m128i low = _mm_unpacklo_epi8(x, y), high = _mm_unpackhi_epi8(x, y);
        s0 = _mm_add_epi32(s0, _mm_madd_epi16(_mm_unpacklo_epi8(low, zero), w));
        s1 = _mm_add_epi32(s1, _mm_madd_epi16(_mm_unpackhi_epi8(low, zero), w));
        s2 = _mm_add_epi32(s2, _mm_madd_epi16(_mm_unpacklo_epi8(high, zero), w));
        s3 = _mm_add_epi32(s3, _mm_madd_epi16(_mm_unpackhi_epi8(high, zero), w));
    }
    s0 = _mm_packs_epi32(_mm_srai_epi32(s0, DOWN), _mm_srai_epi32(s1, DOWN));
    s2 = _mm_packs_epi32(_mm_srai_epi32(s2, DOWN), _mm_srai_epi32(s3, DOWN));
    _mm_storeu_si128((void *)(line + i), s0);
    _mm_storeu_si128((void *)(line + i + 8), s2);
}

/* The last block overlaps its neighbour: every value is a function of its column alone. */
static void blend_vectors(const pithp_blend *b, size_t n, int16_t *line)
{
    for (size_t i = 0; i + 16 <= n; i += 16)
        blend_16(b, i, line);
    if (n % 16)
        blend_16(b, n - 16, line);
}
#endif

void pithp_blend_rows(pithp_isa isa, const uint8_t *src, size_t stride, size_t n, int rows,
                      const pithp_taps *t, int y, int16_t *line)
{
    pithp_blend b = { .src = src + (size_t)t->first[y] * stride,
                      .stride = stride,
                      .weight = t->weight + (size_t)y * (size_t)t->max,
                      .taps = t->n[y],
                      .inside = PITHP_MIN(t->n[y], rows - t->first[y]) };
#if defined(__x86_64__)
    if (n >= 32 && isa != PITHP_ISA_BASE) {
        pithp_blend_avx2(&b, n, line);
        return;
    }
#endif
#ifdef __SSE2__
    if (n >= 16) {
        blend_vectors(&b, n, line);
        return;
    }
#endif
    blend_plain(&b, 0, n, line);
}

/* ---- Columns ------------------------------------------------------------------------------------------- */

#ifdef __SSE2__
/* In: sums of red, green, blue; out: their bytes, and a fourth that means nothing. */
static int32_t finish(__m128i sum)
{
    sum = _mm_srai_epi32(sum, LAST);
    sum = _mm_packs_epi32(sum, sum);
    return _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
}

/* What a pair of pixels (r g b, r g b, two more values) adds to the sums. */
static __m128i add_pair(__m128i sum, const int16_t *p, __m128i w)
{
    __m128i x = load(p);
    return _mm_add_epi32(sum, _mm_madd_epi16(_mm_unpacklo_epi16(x, _mm_srli_si128(x, 6)), w));
}

/* The same pixel of PITHP_LINES lines. */
static void mix(const int16_t *p, size_t stride, const int16_t *weight, int taps, int32_t *pixel)
{
    __m128i a = _mm_set1_epi32(1 << (LAST - 1)), b = a, c = a, d = a;
    for (int k = 0; k < taps; k += 2, p += 6) {
        __m128i w = pair_of(weight + k);
        a = add_pair(a, p, w);
        b = add_pair(b, p + stride, w);
        c = add_pair(c, p + 2 * stride, w);
        d = add_pair(d, p + 3 * stride, w);
    }
    pixel[0] = finish(a);
    pixel[1] = finish(b);
    pixel[2] = finish(c);
    pixel[3] = finish(d);
}
#else
static uint32_t clamp8(int32_t v) { return v < 0 ? 0 : v > 255 ? 255 : (uint32_t)v; }

static void mix(const int16_t *p, size_t stride, const int16_t *weight, int taps, int32_t *pixel)
{
    for (int i = 0; i < PITHP_LINES; i++, p += stride) {
        int32_t r = 1 << (LAST - 1), g = r, b = r;
        for (int k = 0; k < taps; k++) {
            r += weight[k] * p[3 * k];
            g += weight[k] * p[3 * k + 1];
            b += weight[k] * p[3 * k + 2];
        }
        uint8_t out[4] = { (uint8_t)clamp8(r >> LAST), (uint8_t)clamp8(g >> LAST),
                           (uint8_t)clamp8(b >> LAST) };
        memcpy(&pixel[i], out, 4);
    }
}
#endif

void pithp_blend_columns(pithp_isa isa, const int16_t *line, size_t stride, int lines, const pithp_taps *t,
                         int dw, uint8_t *dst)
{
#if defined(__x86_64__)
    if (isa != PITHP_ISA_BASE) {
        pithp_columns_avx2(line, stride, lines, t, dw, dst);
        return;
    }
#endif
    (void)isa;
    size_t row = (size_t)dw * 3;
    for (int x = 0; x < dw; x++, dst += 3) {
        int32_t pixel[PITHP_LINES];
        mix(line + (size_t)t->first[x] * 3, stride, t->weight + (size_t)x * (size_t)t->max, t->n[x], pixel);
        for (int i = 0; i < lines; i++)
            memcpy(dst + (size_t)i * row, &pixel[i], 3);
    }
}
