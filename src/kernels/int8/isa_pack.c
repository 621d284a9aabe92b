/* kernels/int8/isa_pack.c: factors and weights in the order in which the vectors want them. */
#include "kernels/int8/isa.h"

enum { ALIGN = 64, BLOCK_BYTES = 12 << 10 }; /* of packed input at a time: a third of a first-level cache */

/* Does the sum's way to the result stay inside 32 bits with the roundings added? Else the reference runs. */
static bool fits(const pithp_iconv *g, int64_t worst)
{
    for (int64_t k = 0; k < g->k; k++) {
        int s = g->scale[k].shift;
        if ((worst << (s > 0 ? s : 0)) >= (int64_t)1 << 30)
            return false;
    }
    return true;
}

/* The short way of rescaling is open: right shifts of 1 to 24, and no result below the zero point. */
static bool short_way(const pithp_iconv *g)
{
    for (int64_t k = 0; k < g->k; k++)
        if (g->scale[k].mult && (g->scale[k].shift > -1 || g->scale[k].shift < -24))
            return false;
    return g->lo >= g->zero_out;
}

static size_t up(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

size_t IKERN(factors_bytes)(int64_t positions) { return 9 * up((size_t)positions * 4); }

static void *carve(uint8_t **at, size_t bytes)
{
    uint8_t *p = *at;
    *at += up(bytes);
    return p;
}

/* One position's factors; `s` is its channel's. */
static void set_factor(const pithp_iconv *g, pithp_fixed s, bool relu, int32_t *shift, int32_t *left,
                       int32_t *right, int64_t *add)
{
    int e = s.shift < 0 ? -s.shift : 0;
    if (relu) {
        e = s.mult ? e : 1;
        *add =
            ((int64_t)1 << 30) + ((int64_t)1 << (30 + e)) + (int64_t)g->zero_out * ((int64_t)1 << (31 + e));
        *shift = e - 1;
        return;
    }
    *add = ((int64_t)1 << 30) + (e ? (int64_t)1 << (30 + e) : 0);
    *shift = e;
    *left = s.shift > 0 ? s.shift : 0;
    *right = e ? -1 : 0;
}

/* Position i gets the factors of channel chan(i); `start` is indexed by channel. */
bool IKERN(factors)(const pithp_iconv *g, int64_t worst, const int32_t *start, const int32_t *chan,
                    int64_t positions, uint8_t *to, ifactors *f)
{
    if (!fits(g, worst))
        return false;
    if (!to)
        return true;
    bool relu = short_way(g);
    size_t n4 = (size_t)positions * 4;
    int32_t *st = carve(&to, n4), *mult = carve(&to, n4), *odd = carve(&to, n4), *shift = carve(&to, n4);
    int32_t *left = carve(&to, n4), *right = carve(&to, n4);
    int64_t *even64 = carve(&to, n4), *odd64 = carve(&to, n4);
    for (int64_t i = 0; i < positions; i++) {
        pithp_fixed s = chan[i] < 0 ? (pithp_fixed){ 0, 0 } : g->scale[chan[i]];
        st[i] = chan[i] < 0 ? 0 : start[chan[i]];
        mult[i] = s.mult;
        if (i & 1)
            odd[i - 1] = s.mult;
        set_factor(g, s, relu, &shift[i], &left[i], &right[i], &(i & 1 ? odd64 : even64)[i / 2]);
    }
    *f = (ifactors){ .start = st,
                     .mult = mult,
                     .mult_odd = odd,
                     .add_even = even64,
                     .add_odd = odd64,
                     .shift = shift,
                     .left = left,
                     .right = right,
                     .zero = g->zero_out,
                     .lo = g->lo,
                     .hi = g->hi,
                     .relu = relu };
    return true;
}

/* Where the sums start: what u8 = x + 128 and the zero point add (VNNI) is taken off. */
static int32_t start_of(const pithp_iconv *g, const int8_t *w, int64_t count, int64_t step, int32_t bias)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count && WORD == 4; i++)
        sum += w[i * step];
    return (int32_t)(uint32_t)(uint64_t)(bias - (128 + g->zero_in) * sum);
}

/* A word's WORD numbers, of which n exist at w, step apart. */
static int32_t word_of(const int8_t *w, int64_t step, int64_t n)
{
    uint32_t v = 0;
    for (int i = 0; i < WORD && i < n; i++)
        v |= WORD == 4 ? (uint32_t)(uint8_t)w[i * step] << (8 * i)
                       : (uint32_t)(uint16_t)w[i * step] << (16 * i);
    return (int32_t)v;
}

/* ---- Convolutions ---------------------------------------------------------------------------------------------------*/

static int64_t panel_positions(int64_t k)
{
    int64_t n = 0;
    for (int64_t at = 0; at < k;) {
        int nv = panel_nv(k - at);
        at += nv * L;
        n += nv * L;
    }
    return n;
}

/* Panel at position k0: [segment][word][nv][L]. */
static void pack_panel(const pithp_iconv *g, const ipanels *p, const int8_t *w, int64_t k0, int nv,
                       int32_t *to)
{
    for (int64_t i = 0; i < p->segments; i++)
        for (int64_t j = 0; j < p->length; j += WORD)
            for (int v = 0; v < nv; v++)
                for (int l = 0; l < L; l++) {
                    int64_t k = k0 + vchannel(nv, v, l);
                    *to++ =
                        k < g->k ? word_of(w + (k * p->segments + i) * p->length + j, 1, p->length - j) : 0;
                }
}

static ipanels panels_of(const pithp_iconv *g)
{
    bool whole = g->dilation[1] == 1;
    int64_t columns = (g->q - 1) * g->stride[1] + (g->s - 1) * g->dilation[1] + 1;
    ipanels p = { .segments = whole ? g->r : g->r * g->s, .length = whole ? g->s * g->c : g->c };
    p.words = (p.length + WORD - 1) / WORD;
    p.pitch = (int64_t)up((size_t)(PITHP_MAX(columns, g->pad[1] + g->w) * g->c * (4 / WORD)) + 64);
    p.flat = g->r * g->s == 1 && g->stride[0] * g->stride[1] == 1 && g->p == g->h && g->q == g->w;
    p.block = PITHP_MAX(BLOCK_BYTES / (p.words * 4) / 12 * 12, 12);
    return p;
}

void IKERN(conv_pack)(const pithp_iconv *g, int64_t worst, const int8_t *w, const int32_t *bias, void *to,
                      size_t *bytes, size_t *scratch)
{
    *bytes = 0;
    if (g->groups != 1 || g->k > INT16_MAX || g->w > INT16_MAX || g->r * g->s > MOST_SEGMENTS ||
        !fits(g, worst))
        return;
    int64_t n = panel_positions(g->k), per = g->r * g->s * g->c;
    ipanels p = panels_of(g);
    int64_t words = p.segments * p.words;
    size_t head = up(sizeof p), fac = IKERN(factors_bytes)(n), map = up((size_t)n * 4),
           st = up((size_t)g->k * 4);
    *bytes = head + fac + (size_t)(n * words) * 4 + map + st;
    *scratch = (size_t)(p.flat ? p.block * p.words * 4 : g->r * p.pitch) + 256;
    if (!to)
        return;
    uint8_t *at = (uint8_t *)to + head;
    int32_t *weights = (int32_t *)(at + fac), *chan = weights + n * words, *start = chan + map / 4;
    p.w = weights;
    for (int64_t k = 0; k < g->k; k++)
        start[k] = start_of(g, w + k * per, per, 1, bias ? bias[k] : 0);
    for (int64_t k0 = 0; k0 < g->k;) {
        int nv = panel_nv(g->k - k0);
        for (int v = 0; v < nv; v++)
            for (int l = 0; l < L; l++) {
                int64_t k = k0 + vchannel(nv, v, l);
                chan[k0 + v * L + l] = k < g->k ? (int32_t)k : -1;
            }
        pack_panel(g, &p, w, k0, nv, weights + k0 * words);
        k0 += nv * L;
    }
    IKERN(factors)(g, worst, start, chan, n, at, &p.f);
    memcpy(to, &p, sizeof p);
}

/* ---- Depthwise ------------------------------------------------------------------------------------------------------*/

/* The word of rows row .. row+WORD-1 of filter column s of channel k, the filter beginning `down` rows lower. */
static int32_t column_word(const pithp_iconv *g, const int8_t *w, int64_t s, int64_t k, int64_t row,
                           int64_t down)
{
    int8_t tap[WORD];
    for (int64_t i = 0; i < WORD; i++) {
        int64_t r = row + i - down;
        tap[i] = r >= 0 && r < g->r ? w[(r * g->s + s) * g->c + k] : 0;
    }
    return word_of(tap, 1, WORD);
}

void IKERN(depthwise_pack)(const pithp_iconv *g, int64_t worst, const int8_t *w, const int32_t *bias,
                           void *to, size_t *bytes, size_t *scratch)
{
    *bytes = 0;
    if (g->k != g->c || g->c > INT16_MAX || g->w > INT16_MAX || !fits(g, worst))
        return;
    icolumns p = { .words = (g->r + WORD - 1) / WORD, .positions = (g->c + L - 1) / L * L };
    p.lines = g->dilation[0] == 1 ? (WORD * p.words - g->r) / g->stride[0] + 1 : 1;
    int64_t columns = (g->q - 1) * g->stride[1] + (g->s - 1) * g->dilation[1] + 1,
            size = g->s * p.words * p.positions;
    columns = PITHP_MAX(columns, g->pad[1] + g->w);
    size_t head = up(sizeof p), fac = IKERN(factors_bytes)(p.positions), map = up((size_t)p.positions * 4);
    *bytes = head + fac + (size_t)(p.lines * size) * 4 + 2 * map;
    *scratch = up((size_t)(columns * g->c * p.words) * 4 + 1024) + up((size_t)(g->w * g->c) + 128);
    if (!to)
        return;
    uint8_t *at = (uint8_t *)to + head;
    int32_t *weights = (int32_t *)(at + fac), *chan = weights + p.lines * size, *start = chan + map / 4;
    for (int64_t i = 0; i < p.positions; i++) {
        chan[i] = i < g->c ? (int32_t)i : -1;
        if (i < g->c)
            start[i] = start_of(g, w + i, g->r * g->s, g->c, bias ? bias[i] : 0);
        for (int64_t n = 0; n < p.lines * g->s * p.words; n++)
            weights[n * p.positions + i] = i < g->c
                                               ? column_word(g, w, n / p.words % g->s, i, n % p.words * WORD,
                                                             n / p.words / g->s * g->stride[0])
                                               : 0;
    }
    p.w = weights;
    IKERN(factors)(g, worst, start, chan, p.positions, at, &p.f);
    memcpy(to, &p, sizeof p);
}
