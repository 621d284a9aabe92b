/* kernels/int8/isa_dw.c: depthwise convolutions. For each row of the result the input rows under the filter are interleaved
   once into words that run down a column (WORD taps of one channel); a column of the filter is then one product of
   vectors for each word. */
#include "kernels/int8/isa.h"

/* words[j] = the rows (four, or two less the zero point) at j; n numbers, and up to 63 (15) more of each are read and written. */
#ifdef __AVX512VNNI__
static void interleave(const int8_t *const *r, int64_t n, int32_t zero, int32_t *words)
{
    const V flip = _mm512_set1_epi8((char)0x80);
    (void)zero;
    for (int64_t j = 0; j < n; j += 64) {
        V a = _mm512_xor_si512(vload(r[0] + j), flip), b = _mm512_xor_si512(vload(r[1] + j), flip);
        V c = _mm512_xor_si512(vload(r[2] + j), flip), d = _mm512_xor_si512(vload(r[3] + j), flip);
        V ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b);
        V cd0 = _mm512_unpacklo_epi8(c, d), cd1 = _mm512_unpackhi_epi8(c, d);
        /* lane k of u0: 16k .. 16k+3; of u1: 16k+4 ..; and so on: four by four lanes to be transposed */
        V u0 = _mm512_unpacklo_epi16(ab0, cd0), u1 = _mm512_unpackhi_epi16(ab0, cd0);
        V u2 = _mm512_unpacklo_epi16(ab1, cd1), u3 = _mm512_unpackhi_epi16(ab1, cd1);
        V s0 = _mm512_shuffle_i32x4(u0, u1, 0x44), s1 = _mm512_shuffle_i32x4(u0, u1, 0xEE);
        V s2 = _mm512_shuffle_i32x4(u2, u3, 0x44), s3 = _mm512_shuffle_i32x4(u2, u3, 0xEE);
        vstore(words + j, _mm512_shuffle_i32x4(s0, s2, 0x88));
        vstore(words + j + 16, _mm512_shuffle_i32x4(s0, s2, 0xDD));
        vstore(words + j + 32, _mm512_shuffle_i32x4(s1, s3, 0x88));
        vstore(words + j + 48, _mm512_shuffle_i32x4(s1, s3, 0xDD));
    }
}
#else
static void interleave(const int8_t *const *r, int64_t n, int32_t zero, int32_t *words)
{
    const __m256i z = _mm256_set1_epi16((short)zero);
    for (int64_t j = 0; j < n; j += 16) {
        __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(r[0] + j)));
        __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(r[1] + j)));
        a = _mm256_sub_epi16(a, z);
        b = _mm256_sub_epi16(b, z);
        __m256i lo = _mm256_unpacklo_epi16(a, b),
                hi = _mm256_unpackhi_epi16(a, b); /* 0-3, 8-11; 4-7, 12-15 */
        _mm256_storeu_si256((__m256i *)(void *)(words + j), _mm256_permute2x128_si256(lo, hi, 0x20));
        _mm256_storeu_si256((__m256i *)(void *)(words + j + 8), _mm256_permute2x128_si256(lo, hi, 0x31));
    }
}
#endif

/* The words of result row p: [words][columns][C], columns counted from -pad. Gives their number. */
static int64_t gather(const pithp_iconv *g, const icolumns *w, const int8_t *x, int64_t p, const int8_t *none,
                      int32_t *to)
{
    int64_t columns =
        PITHP_MAX((g->q - 1) * g->stride[1] + (g->s - 1) * g->dilation[1] + 1, g->pad[1] + g->w);
    int32_t pad = WORD == 4 ? (int32_t)(0x01010101u * (uint32_t)(128 + g->zero_in)) : 0;
    for (int64_t j = 0; j < w->words; j++, to += columns * g->c) {
        const int8_t *r[WORD];
        for (int i = 0; i < WORD; i++) {
            int64_t ih = p * g->stride[0] - g->pad[0] + (j * WORD + i) * g->dilation[0];
            r[i] = ih >= 0 && ih < g->h ? x + ih * g->w * g->c : none; /* past the filter: times zero */
        }
        interleave(r, g->w * g->c, g->zero_in, to + g->pad[1] * g->c);
        for (int64_t i = 0; i < g->pad[1] * g->c; i++)
            to[i] = pad;
        for (int64_t i = (g->pad[1] + g->w) * g->c; i < columns * g->c; i++)
            to[i] = pad;
    }
    return columns;
}

/* nq results of one row times nv vectors of channels from c on, n of which exist. */
static ALWAYS void tile(int nq, int nv, bool relu, const pithp_iconv *g, const icolumns *w, const int32_t *wp,
                        const int32_t *in, int64_t plane, int64_t c, int n, int8_t *y)
{
    V acc[8][4];
    int64_t step = g->stride[1] * g->c;
    wp += c;
    UNROLL
    for (int v = 0; v < nv; v++)
        UNROLL
    for (int i = 0; i < nq; i++)
        acc[i][v] = vload(w->f.start + c + v * L);
    for (int64_t s = 0; s < g->s; s++) {
        const int32_t *at = in + s * g->dilation[1] * g->c + c;
        for (int64_t j = 0; j < w->words; j++, wp += w->positions, at += plane) {
            UNROLL
            for (int v = 0; v < nv; v++) {
                V wv = vload(wp + v * L);
                UNROLL
                for (int i = 0; i < nq; i++)
                    acc[i][v] = vdot(acc[i][v], vload(at + i * step + v * L), wv);
            }
        }
    }
    UNROLL
    for (int v = 0; v < nv; v++)
        UNROLL
    for (int i = 0; i < nq; i++)
        acc[i][v] = vrescale(acc[i][v], &w->f, c + v * L, relu);
    UNROLL
    for (int i = 0; i < nq; i++)
        vput_natural(y + i * g->c + c, acc[i], nv, n, w->f.lo, w->f.hi);
}

/* All results of a row for nv vectors of channels, nq at a time. */
static ALWAYS void strip(int nq, int nv, bool relu, const pithp_iconv *g, const icolumns *w,
                         const int32_t *wp, const int32_t *in, int64_t plane, int64_t c, int8_t *y)
{
    int64_t step = g->stride[1] * g->c, q = 0;
    int n = (int)PITHP_MIN(g->c - c, nv * L);
    for (; q + nq <= g->q; q += nq)
        tile(nq, nv, relu, g, w, wp, in + q * step, plane, c, n, y + q * g->c);
    for (; q < g->q; q++)
        tile(1, nv, relu, g, w, wp, in + q * step, plane, c, n, y + q * g->c);
}

static ALWAYS void row(bool relu, const pithp_iconv *g, const icolumns *w, const int32_t *wp,
                       const int32_t *in, int64_t plane, int8_t *y)
{
    int64_t c = 0;
#ifdef __AVX512F__
    for (; c + 4 * L <= g->c; c += 4 * L)
        strip(3, 4, relu, g, w, wp, in, plane, c, y);
#endif
    for (; c + 2 * L <= g->c; c += 2 * L)
        strip(3, 2, relu, g, w, wp, in, plane, c, y);
    for (; c < g->c; c += L)
        strip(6, 1, relu, g, w, wp, in, plane, c, y);
}

void IKERN(depthwise_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                          void *scratch, int8_t *y)
{
    const icolumns *w = pack;
    int8_t *none = scratch;
    int32_t *words = (int32_t *)(none + ((g->w * g->c + 128 + 63) / 64) * 64);
    memset(none, g->zero_in, (size_t)(g->w * g->c));
    for (int64_t p = p0; p < p1; p += w->lines) {
        int64_t plane = gather(g, w, x, p, none, words) * g->c;
        for (int64_t i = 0; i < w->lines && p + i < p1; i++) {
            const int32_t *wp = w->w + i * g->s * w->words * w->positions;
            if (w->f.relu)
                row(true, g, w, wp, words, plane, y + (p + i) * g->q * g->c);
            else
                row(false, g, w, wp, words, plane, y + (p + i) * g->q * g->c);
        }
    }
}
