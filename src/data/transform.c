/* data/transform.c: crop, flip, resize, colour and normalisation of one image, in one pass over its rows.

   Resizing is separable and linear, widened where it reduces so that nothing aliases. Weights are out of 256
   and add up to exactly 256, in both directions; so a resized pixel is a whole number of 1/65536, below 2^24,
   and every float on the way holds a whole number: with or without fused multiply-add, the result is the
   same. Colour is one 3x3 matrix and an offset, rounded to 2^-12 for the same reason. The pixel that comes
   out is a whole number from 0 to 255, as a device's is, before it becomes (pixel - 128) / 128. */
#include "data/transform.h"
#include <math.h>
#include <string.h>

/* One direction's weights. first [S]. */
typedef struct {
    int32_t *first, *n;
    uint16_t *weight; /* [S][max_taps] */
    int used;         /* largest n */
} axis;

struct pithp_transform {
    int size, max_taps;
    pithp_row_fn row_fn;
    int pixels; /* of its vectors */
    axis ax, ay;
    float *wx;     /* as pithp_row has it */
    uint16_t *row; /* one blended row of the crop, in 1/256 */
    float *line;   /* the same, with room for reading past its end */
};

static int max_taps(int size, int w, int h)
{
    int side = PITHP_MAX(w, h);
    return 2 * ((side + size - 1) / size) + 2;
}

/* Lays out the scratch memory; with p NULL it only counts. */
static size_t lay_out(pithp_transform *t, char *p, int size, int w, int h)
{
    size_t at = 0, s = ((size_t)size + 3) / 4 * 4, taps = (size_t)max_taps(size, w, h), n = (size_t)w * 3;
    struct {
        void *to;
        size_t bytes;
    } part[] = { { NULL, sizeof *t },
                 { &t->ax.first, s * 4 },
                 { &t->ax.n, s * 4 },
                 { &t->ax.weight, s * taps * 2 },
                 { &t->ay.first, s * 4 },
                 { &t->ay.n, s * 4 },
                 { &t->ay.weight, s * taps * 2 },
                 { &t->wx, s * taps * 4 * sizeof *t->wx },
                 { &t->row, (n + 16) * 2 },
                 { &t->line, (n + 3 * taps + 16) * 4 } };
    for (size_t i = 0; i < PITHP_LEN(part); i++) {
        void *here = p ? p + at : NULL;
        if (p && part[i].to)
            memcpy(part[i].to, &here, sizeof here);
        at += (part[i].bytes + 63) & ~(size_t)63;
    }
    return at;
}

size_t pithp_transform_bytes(int size, int max_width, int max_height)
{
    pithp_transform t;
    return lay_out(&t, NULL, size, max_width, max_height);
}

pithp_transform *pithp_transform_at(void *memory, pithp_isa isa, int size, int max_width, int max_height)
{
    pithp_transform *t = memory;
    memset(memory, 0, pithp_transform_bytes(size, max_width, max_height));
    lay_out(t, memory, size, max_width, max_height);
    t->size = size;
    t->row_fn = pithp_row_get(isa, &t->pixels);
    t->max_taps = max_taps(size, max_width, max_height);
    return t;
}

/* Weights from n source pixels to S; reversed for a flip. */
static void fill_axis(axis *a, int max, int n, int size, bool flip)
{
    double scale = (double)n / size, support = PITHP_MAX(scale, 1.0), inverse = 1 / support;
    a->used = 1;
    for (int i = 0; i < size; i++) {
        int at = flip ? size - 1 - i : i;
        uint16_t *w = a->weight + (size_t)at * (size_t)max;
        double center = (i + 0.5) * scale, sum = 0, x[2] = { 0 };
        int first = PITHP_MAX((int)(center - support + 0.5), 0);
        int last = PITHP_MIN(PITHP_MIN((int)(center + support + 0.5), n), first + max);
        for (int k = first; k < last; k++) {
            x[0] = 1 - fabs(k + 0.5 - center) * inverse;
            sum += PITHP_MAX(x[0], 0);
        }
        int total = 0, best = 0;
        double factor = 256 / sum;
        for (int k = first; k < last; k++) {
            x[0] = 1 - fabs(k + 0.5 - center) * inverse;
            w[k - first] = (uint16_t)(PITHP_MAX(x[0], 0) * factor + 0.5);
            total += w[k - first];
            if (w[k - first] > w[best])
                best = k - first;
        }
        w[best] = (uint16_t)(w[best] + 256 - total);
        a->first[at] = first;
        a->n[at] = last - first;
        a->used = PITHP_MAX(a->used, last - first);
    }
}

/* row [n] = weighted sum of k rows of src, in 1/256: at most 255 * 256, which 16 bits hold. */
PITHP_VECTORIZE static void blend2(uint16_t *restrict row, const uint8_t *restrict a,
                                   const uint8_t *restrict b, unsigned wa, unsigned wb, size_t n)
{
    const uint16_t u = (uint16_t)wa, v = (uint16_t)wb;
    for (size_t i = 0; i < n; i++)
        row[i] = (uint16_t)(a[i] * u + b[i] * v);
}

PITHP_VECTORIZE static void add2(uint16_t *restrict row, const uint8_t *restrict a, const uint8_t *restrict b,
                                 unsigned wa, unsigned wb, size_t n)
{
    const uint16_t u = (uint16_t)wa, v = (uint16_t)wb;
    for (size_t i = 0; i < n; i++)
        row[i] = (uint16_t)(row[i] + a[i] * u + b[i] * v);
}

PITHP_VECTORIZE static void to_float(float *restrict line, const uint16_t *restrict row, size_t n)
{
    for (size_t i = 0; i < n; i++)
        line[i] = (float)row[i];
}

static void blend_rows(uint16_t *row, const uint8_t *src, size_t stride, size_t n, const uint16_t *w,
                       int taps)
{
    const uint8_t *next = taps > 1 ? src + stride : src;
    blend2(row, src, next, w[0], taps > 1 ? w[1] : 0, n);
    for (int k = 2; k < taps; k += 2) {
        const uint8_t *a = src + (size_t)k * stride;
        bool pair = k + 1 < taps;
        add2(row, a, pair ? a + stride : a, w[k], pair ? w[k + 1] : 0, n);
    }
}

static const double grey[3] = { 0.299, 0.587, 0.114 };

/* The mean grey value of the crop, from every fourth pixel of every fourth row. */
static double mean_grey(const uint8_t *src, size_t stride, int w, int h)
{
    uint64_t sum[3] = { 0 };
    int64_t n = 0;
    for (int y = h > 2 ? 2 : 0; y < h; y += 4)
        for (int x = w > 2 ? 2 : 0; x < w; x += 4, n++)
            for (int k = 0; k < 3; k++)
                sum[k] += src[(size_t)y * stride + (size_t)x * 3 + (size_t)k];
    return n ? (grey[0] * (double)sum[0] + grey[1] * (double)sum[1] + grey[2] * (double)sum[2]) / (double)n
             : 128;
}

static void multiply(double a[3][3], double b[3][3])
{
    double r[3][3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            r[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
    memcpy(b, r, sizeof r);
}

/* Turns the hue by an angle at constant luma: a rotation of the chroma plane in YIQ. */
static void turn_hue(double m[3][3], double turns)
{
    static const double yiq[3][3] = { { 0.299, 0.587, 0.114 },
                                      { 0.595716, -0.274453, -0.321263 },
                                      { 0.211456, -0.522591, 0.311135 } };
    static const double rgb[3][3] = { { 1, 0.9563, 0.6210 },
                                      { 1, -0.2721, -0.6474 },
                                      { 1, -1.1070, 1.7046 } };
    double angle = 6.283185307179586 * turns, c = cos(angle), s = sin(angle);
    double a[3][3], turn[3][3] = { { 1, 0, 0 }, { 0, c, -s }, { 0, s, c } }, back[3][3];
    memcpy(a, yiq, sizeof a);
    memcpy(back, rgb, sizeof back);
    multiply(turn, a);
    multiply(back, a);
    multiply(a, m);
}

static float fixed(double v) { return (float)(floor(v * 4096 + 0.5) / 4096); }

/* Brightness, then contrast about the mean grey value, then saturation, then hue: each is linear, so is the
   chain. */
static pithp_colour make_colour(const pithp_variant *v, double mean)
{
    double bc = v->brightness * v->contrast, s = v->saturation, m[3][3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            m[i][j] = bc * ((1 - s) * grey[j] + (i == j ? s : 0));
    if (v->hue != 0)
        turn_hue(m, v->hue);
    float o = fixed((1 - v->contrast) * v->brightness * mean); /* a grey: saturation and hue leave it alone */
    pithp_colour r = { .offset = { o, o, o, 0 } };
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < 3; i++)
            r.column[j][i] = fixed(m[i][j]);
    return r;
}

static void prepare(pithp_transform *t, const pithp_variant *v)
{
    axis *a = &t->ax;
    fill_axis(&t->ay, t->max_taps, v->h, t->size, false);
    fill_axis(a, t->max_taps, v->w, t->size, v->flip);
    a->used = PITHP_MAX(a->used, 2); /* a weight of 0 more or less */
    for (int x = 0; x < t->size; x++) {
        int p = t->pixels;
        float *to = t->wx + (size_t)(x / p) * (size_t)t->max_taps * 4 * (size_t)p + (size_t)(x % p) * 4;
        const uint16_t *from = a->weight + (size_t)x * (size_t)t->max_taps;
        for (int k = 0; k < a->used; k++, to += 4 * p)
            to[0] = to[1] = to[2] = to[3] = k < a->n[x] ? (float)from[k] : 0;
        a->first[x] *= 3;
    }
}

void pithp_transform_run(pithp_transform *t, const uint8_t *src, int w, int h, const pithp_variant *v,
                         pith_real *out)
{
    (void)h;
    size_t stride = (size_t)w * 3, n = (size_t)v->w * 3;
    const uint8_t *crop = src + (size_t)v->y * stride + (size_t)v->x * 3;
    pithp_colour m;
    if (v->colour)
        m = make_colour(v, mean_grey(crop, stride, v->w, v->h));
    prepare(t, v);
    const pithp_row row = { .size = t->size,
                            .taps = t->ax.used,
                            .max_taps = t->max_taps,
                            .first = t->ax.first,
                            .w = t->wx,
                            .line = t->line,
                            .m = v->colour ? &m : NULL };
    memset(t->line + n, 0,
           (3 * (size_t)t->max_taps + 4) * sizeof *t->line); /* weights there are 0; so no NaN */
    for (int y = 0; y < t->size; y++, out += 3 * t->size) {
        blend_rows(t->row, crop + (size_t)t->ay.first[y] * stride, stride, n,
                   t->ay.weight + (size_t)y * (size_t)t->max_taps, t->ay.n[y]);
        to_float(t->line, t->row, n);
        t->row_fn(&row, out);
    }
}
