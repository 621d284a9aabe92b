/* kernels/int8/isa_gemm.c: convolutions as products of converted input rows with packed weights. The rows under a row of
   the result are converted once (with their padding), or for 1x1 filters a block of positions; then every panel of channels
   runs over them while they are in the cache. */
#include "kernels/int8/isa.h"

/* What a panel runs over: positions `step` bytes apart; segment i of the first one begins at a + from[i]. */
typedef struct {
    const uint8_t *a;
    int64_t step;
    const int64_t *from;
} irows;

/* mr positions from `a` on times nv vectors of channels, of which n channels exist. */
static ALWAYS void tile(int mr, int nv, bool relu, const ipanels *p, const irows *in, const uint8_t *a,
                        int64_t k0, int n, int8_t *y, int64_t ldy)
{
    V acc[12][4];
    const int32_t *w = p->w + k0 * p->segments * p->words;
    UNROLL
    for (int v = 0; v < nv; v++) {
        V s = vload(p->f.start + k0 + v * L);
        UNROLL
        for (int m = 0; m < mr; m++)
            acc[m][v] = s;
    }
    for (int64_t i = 0; i < p->segments; i++) {
        const uint8_t *at = a + in->from[i];
        for (int64_t j = 0; j < p->words; j++, w += nv * L, at += 4) {
            V wv[4];
            UNROLL
            for (int v = 0; v < nv; v++)
                wv[v] = vload(w + v * L);
            UNROLL
            for (int m = 0; m < mr; m++) {
                V x = vword(at + m * in->step);
                UNROLL
                for (int v = 0; v < nv; v++)
                    acc[m][v] = vdot(acc[m][v], x, wv[v]);
            }
        }
    }
    UNROLL
    for (int v = 0; v < nv; v++) {
        UNROLL
        for (int m = 0; m < mr; m++)
            acc[m][v] = vrescale(acc[m][v], &p->f, k0 + v * L, relu);
    }
    UNROLL
    for (int m = 0; m < mr; m++)
        vput(y + m * ldy, acc[m], nv, n, p->f.lo, p->f.hi);
}

/* A panel of nv vectors over n_rows positions; mr of them at a time. */
static ALWAYS void panel(int mr, int nv, bool relu, const ipanels *p, const irows *in, int64_t count,
                         int64_t k0, int n, int8_t *y, int64_t ldy)
{
    int64_t i = 0;
    for (; i + mr <= count; i += mr)
        tile(mr, nv, relu, p, in, in->a + i * in->step, k0, n, y + i * ldy, ldy);
    for (; i + 3 <= count; i += 3)
        tile(3, nv, relu, p, in, in->a + i * in->step, k0, n, y + i * ldy, ldy);
    for (; i < count; i++)
        tile(1, nv, relu, p, in, in->a + i * in->step, k0, n, y + i * ldy, ldy);
}

static void panels(const ipanels *p, const irows *in, int64_t count, int64_t channels, int8_t *y)
{
    for (int64_t k0 = 0; k0 < channels;) {
        int nv = panel_nv(channels - k0), n = (int)PITHP_MIN(channels - k0, nv * L);
        int8_t *to = y + k0;
        if (nv == 1 && p->f.relu)
            panel(12, 1, true, p, in, count, k0, n, to, channels);
        else if (nv == 1)
            panel(12, 1, false, p, in, count, k0, n, to, channels);
        else if (nv == 2 && p->f.relu)
            panel(6, 2, true, p, in, count, k0, n, to, channels);
        else if (nv == 2)
            panel(6, 2, false, p, in, count, k0, n, to, channels);
#ifdef __AVX512F__
        else if (p->f.relu)
            panel(4, 4, true, p, in, count, k0, n, to, channels);
        else
            panel(4, 4, false, p, in, count, k0, n, to, channels);
#endif
        k0 += nv * L;
    }
}

/* ---- Converting rows ---------------------------------------------------------------------------------------------------*/

/* n numbers as the products want them, sixteen at a time: up to 15 more are read and written. */
static ALWAYS void convert(const int8_t *x, int64_t n, int32_t zero, uint8_t *to)
{
    const __m128i flip = _mm_set1_epi8((char)0x80);
    const __m256i base = _mm256_set1_epi16((short)zero);
    for (int64_t i = 0; i < n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(x + i));
        if (WORD == 4)
            _mm_storeu_si128((__m128i *)(to + i), _mm_xor_si128(v, flip));
        else
            _mm256_storeu_si256((__m256i *)(to + 2 * i), _mm256_sub_epi16(_mm256_cvtepi8_epi16(v), base));
    }
}

static ALWAYS void blank(int64_t n, int32_t zero, uint8_t *to) /* n numbers of padding */
{
    if (n > 0)
        memset(to, WORD == 4 ? 128 + zero : 0, (size_t)(n * (4 / WORD)));
}

/* Input row ih from column -pad on. */
static void convert_row(const pithp_iconv *g, const ipanels *p, const int8_t *x, int64_t ih, uint8_t *to)
{
    enum { SIZE = 4 / WORD };
    int64_t all = p->pitch / SIZE, left = g->pad[1] * g->c, n = g->w * g->c;
    if (ih < 0 || ih >= g->h) {
        blank(all, g->zero_in, to);
        return;
    }
    blank(left, g->zero_in, to);
    convert(x + ih * n, n, g->zero_in, to + left * SIZE);
    blank(all - left - n, g->zero_in, to + (left + n) * SIZE);
}

static void run_flat(const pithp_iconv *g, const ipanels *p, const int8_t *x, int64_t i0, int64_t i1,
                     uint8_t *scratch, int8_t *y)
{
    int64_t from = 0;
    irows in = { .a = scratch, .step = g->c * (4 / WORD), .from = &from };
    for (int64_t i = i0; i < i1; i += p->block) {
        int64_t n = PITHP_MIN(p->block, i1 - i);
        convert(x + i * g->c, n * g->c, g->zero_in, scratch);
        panels(p, &in, n, g->k, y + i * g->k);
    }
}

void IKERN(conv_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                     void *scratch, int8_t *y)
{
    const ipanels *p = pack;
    if (p->flat) {
        run_flat(g, p, x, p0 * g->q, p1 * g->q, scratch, y);
        return;
    }
    int64_t from[MOST_SEGMENTS], taps = p->segments / g->r;
    for (int64_t i = 0; i < p->segments; i++)
        from[i] = i / taps * p->pitch + i % taps * g->dilation[1] * g->c * (4 / WORD);
    irows in = { .a = scratch, .step = g->stride[1] * g->c * (4 / WORD), .from = from };
    for (int64_t row = p0; row < p1; row++) {
        for (int64_t r = 0; r < g->r; r++)
            convert_row(g, p, x, row * g->stride[0] - g->pad[0] + r * g->dilation[0],
                        (uint8_t *)scratch + r * p->pitch);
        panels(p, &in, g->q, g->k, y + row * g->q * g->k);
    }
}
