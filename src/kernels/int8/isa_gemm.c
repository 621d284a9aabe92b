/* kernels/int8/isa_gemm.c: convolutions as products of packed rows with packed weights. Rows of the result's positions
   are packed a block at a time (each the window's numbers, padding and the zero point in their places), then every panel of
   channels runs over the block while it is in the cache. */
#include "kernels/int8/isa.h"

/* mr positions times nv vectors of channels: a[mr][words], w[words][nv][L]; n channels exist. */
static ALWAYS void tile(int mr, int nv, bool relu, const ipanels *p, const uint8_t *a, int64_t k0, int n,
                        int8_t *y, int64_t ldy)
{
    V acc[12][4];
    const int32_t *w = p->w + k0 * p->words;
    int64_t lda = p->words * 4;
    UNROLL
    for (int v = 0; v < nv; v++) {
        V s = vload(p->f.start + k0 + v * L);
        UNROLL
        for (int m = 0; m < mr; m++)
            acc[m][v] = s;
    }
    for (int64_t i = 0; i < p->words; i++, w += nv * L) {
        V wv[4];
        UNROLL
        for (int v = 0; v < nv; v++)
            wv[v] = vload(w + v * L);
        UNROLL
        for (int m = 0; m < mr; m++) {
            V x = vword(a + m * lda + i * 4);
            UNROLL
            for (int v = 0; v < nv; v++)
                acc[m][v] = vdot(acc[m][v], x, wv[v]);
        }
    }
    UNROLL
    for (int m = 0; m < mr; m++) {
        UNROLL
        for (int v = 0; v < nv; v++)
            acc[m][v] = vrescale(acc[m][v], &p->f, k0 + v * L, relu);
        vput(y + m * ldy, acc[m], nv, n, p->f.lo, p->f.hi);
    }
}

/* A panel of nv vectors over `rows` positions; mr of them at a time. */
static ALWAYS void panel(int mr, int nv, bool relu, const ipanels *p, const uint8_t *a, int64_t rows,
                         int64_t k0, int n, int8_t *y, int64_t ldy)
{
    int64_t i = 0, lda = p->words * 4;
    for (; i + mr <= rows; i += mr)
        tile(mr, nv, relu, p, a + i * lda, k0, n, y + i * ldy, ldy);
    for (; i + 3 <= rows; i += 3)
        tile(3, nv, relu, p, a + i * lda, k0, n, y + i * ldy, ldy);
    for (; i < rows; i++)
        tile(1, nv, relu, p, a + i * lda, k0, n, y + i * ldy, ldy);
}

static void panels(const ipanels *p, const uint8_t *a, int64_t rows, int64_t channels, int8_t *y)
{
    for (int64_t k0 = 0; k0 < channels;) {
        int nv = panel_nv(channels - k0), n = (int)PITHP_MIN(channels - k0, nv * L);
        int8_t *to = y + k0;
        if (nv == 1 && p->f.relu)
            panel(12, 1, true, p, a, rows, k0, n, to, channels);
        else if (nv == 1)
            panel(12, 1, false, p, a, rows, k0, n, to, channels);
        else if (nv == 2 && p->f.relu)
            panel(6, 2, true, p, a, rows, k0, n, to, channels);
        else if (nv == 2)
            panel(6, 2, false, p, a, rows, k0, n, to, channels);
#ifdef __AVX512F__
        else if (p->f.relu)
            panel(6, 4, true, p, a, rows, k0, n, to, channels);
        else
            panel(6, 4, false, p, a, rows, k0, n, to, channels);
#endif
        k0 += nv * L;
    }
}

/* ---- Packing rows ----------------------------------------------------------------------------------------------------*/

/* n numbers of the input as the products want them. */
static ALWAYS void convert(const int8_t *x, int64_t n, int32_t zero, uint8_t *to)
{
    if (WORD == 4) {
        for (int64_t i = 0; i < n; i++)
            to[i] = (uint8_t)(x[i] ^ 0x80);
    } else {
        int16_t *t = (int16_t *)to;
        for (int64_t i = 0; i < n; i++)
            t[i] = (int16_t)(x[i] - zero);
    }
}

static ALWAYS void blank(int64_t n, int32_t zero, uint8_t *to) /* n numbers of padding */
{
    if (WORD == 4)
        memset(to, 128 + zero, (size_t)n);
    else
        memset(to, 0, (size_t)n * 2);
}

/* One filter row of one position: S taps from input row ih, the first at column iw. */
static ALWAYS void pack_row(const pithp_iconv *g, const int8_t *x, int64_t ih, int64_t iw, int64_t span,
                            uint8_t *to)
{
    enum { SIZE = 4 / WORD };
    int64_t c = g->c, row = g->s * c;
    if (ih < 0 || ih >= g->h) {
        blank(span, g->zero_in, to);
        return;
    }
    const int8_t *from = x + (ih * g->w + iw) * c;
    if (g->dilation[1] == 1 && iw >= 0 && iw + g->s <= g->w) {
        convert(from, row, g->zero_in, to);
    } else
        for (int64_t s = 0; s < g->s; s++) {
            int64_t at = iw + s * g->dilation[1];
            if (at < 0 || at >= g->w)
                blank(c, g->zero_in, to + s * c * SIZE);
            else
                convert(x + (ih * g->w + at) * c, c, g->zero_in, to + s * c * SIZE);
        }
    if (span > row)
        memset(to + row * SIZE, 0, (size_t)((span - row) * SIZE));
}

/* Positions i0..i1 (of P*Q). */
static void pack_rows(const pithp_iconv *g, const ipanels *p, const int8_t *x, int64_t i0, int64_t i1,
                      uint8_t *to)
{
    int64_t bytes = p->span * (4 / WORD);
    if (g->r * g->s == 1 && g->stride[0] * g->stride[1] == 1 && p->span == g->c && g->q == g->w &&
        g->p == g->h) {
        convert(x + i0 * g->c, (i1 - i0) * g->c, g->zero_in, to);
        return;
    }
    for (int64_t i = i0; i < i1; i++) {
        int64_t ih = i / g->q * g->stride[0] - g->pad[0], iw = i % g->q * g->stride[1] - g->pad[1];
        for (int64_t r = 0; r < g->r; r++, to += bytes)
            pack_row(g, x, ih + r * g->dilation[0], iw, p->span, to);
    }
}

void IKERN(conv_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                     void *scratch, int8_t *y)
{
    const ipanels *p = pack;
    for (int64_t i = p0 * g->q; i < p1 * g->q; i += p->block) {
        int64_t end = PITHP_MIN(i + p->block, p1 * g->q);
        pack_rows(g, p, x, i, end, scratch);
        panels(p, scratch, end - i, g->k, y + i * g->k);
    }
}
