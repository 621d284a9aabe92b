/* data/extra.c: rotation and cutout of a finished sample; functions of (seed, epoch, sample) alone.

   Rotation samples between four pixels with weights that are whole numbers of 1/4096 and add up to 1: on whole pixels
   every float on the way holds its value exactly, as in transform.c, and what comes out is a whole pixel again. */
#include "data/data.h"
#include <math.h>
#include <string.h>

typedef float v4f __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef pith_real v4r __attribute__((vector_size(4 * sizeof(pith_real))));

/* ---- What is drawn ------------------------------------------------------------------------------------- */
static double between(pithp_rand *r, double low, double high)
{
    return low + (high - low) * pithp_rand_uniform(r);
}

/* Ten tries at a rectangle that fits. Zhong et al. 2020. */
static pithp_box draw_box(const pith_augment_cfg *a, pithp_rand *r, int size)
{
    const double all = (double)size * size, low = log(0.3), high = -low;
    for (int attempt = 0; attempt < 10; attempt++) {
        double area = all * between(r, a->cutout_min, a->cutout_max), ratio = exp(between(r, low, high));
        double w = floor(sqrt(area * ratio) + 0.5), h = floor(sqrt(area / ratio) + 0.5);
        if (!(w >= 1 && w <= size && h >= 1 && h <= size))
            continue;
        pithp_box b = { .w = (int)w, .h = (int)h };
        b.x = (int)pithp_rand_below(r, (uint64_t)(size - b.w) + 1);
        b.y = (int)pithp_rand_below(r, (uint64_t)(size - b.h) + 1);
        return b;
    }
    int side = PITHP_MIN((int)floor(sqrt(all * a->cutout_min) + 0.5), size);
    return (pithp_box){ (size - side) / 2, (size - side) / 2, side, side };
}

pithp_extra pithp_extra_draw(const pith_augment_cfg *a, uint64_t seed, uint32_t epoch, uint64_t sample,
                             int size)
{
    pithp_extra e = { 0 };
    if (a->rotate > 0) {
        pithp_rand r = pithp_rand_at(seed, epoch, sample, PITHP_USE_ROTATE);
        e.degrees = between(&r, -a->rotate, a->rotate);
    }
    if (a->cutout > 0) {
        pithp_rand r = pithp_rand_at(seed, epoch, sample, PITHP_USE_ERASE);
        if (pithp_rand_uniform(&r) < a->cutout)
            e.grey = draw_box(a, &r, size);
    }
    return e;
}

/* ---- Rotation ------------------------------------------------------------------------------------------ */
static v4f load(const pith_real *p)
{
    v4r v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, v4f);
}

/* Mirrored at the border between pixels: -1 is 0, size is size - 1. Any i. */
static int mirror(int i, int size)
{
    i = i < 0 ? -1 - i : i;
    i %= 2 * size;
    return i < size ? i : 2 * size - 1 - i;
}

enum { FIXED = 16, WEIGHT = 6 }; /* bits of a coordinate's fraction, and of those that become a weight */

/* The pixel at (u, v), 16.16 fixed point from the first pixel's middle; in the first three of four. */
static inline v4r sample(const pith_real *from, int size, int64_t u, int64_t v)
{
    int x = (int)(u >> FIXED), y = (int)(v >> FIXED), x1 = x + 1, y1 = y + 1;
    const int part = FIXED - WEIGHT, mask = (1 << WEIGHT) - 1;
    float fx = (float)((int)(u >> part) & mask), fy = (float)((int)(v >> part) & mask), one = 1 << WEIGHT;
    if (x < 0 || y < 0 || x1 >= size || y1 >= size) {
        x = mirror(x, size), x1 = mirror(x1, size);
        y = mirror(y, size), y1 = mirror(y1, size);
    }
    const pith_real *a = from + (size_t)y * (size_t)size * 3, *b = from + (size_t)y1 * (size_t)size * 3;
    float w[4] = { (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy };
    v4f sum =
        load(a + 3 * x) * w[0] + load(a + 3 * x1) * w[1] + load(b + 3 * x) * w[2] + load(b + 3 * x1) * w[3];
    sum = sum * (128.0f / 4096) + 128.5f; /* the pixel, and a half to round it */
    v4f pixel = __builtin_convertvector(__builtin_convertvector(sum, v4i), v4f);
    return __builtin_convertvector((pixel - 128.0f) * (1.0f / 128), v4r);
}

void pithp_rotate(const pith_real *from, int size, double degrees, pith_real *to)
{
    const double angle = degrees * (3.14159265358979323846 / 180), one = 1 << FIXED;
    const int64_t c = (int64_t)floor(cos(angle) * one + 0.5), s = (int64_t)floor(sin(angle) * one + 0.5);
    const int m = size - 1; /* twice the middle */
    for (int y = 0; y < size; y++) {
        /* (x, y) in the result was (u, v): u - m/2 = c (x - m/2) - s (y - m/2), v - m/2 = s (x - m/2) + c (y - m/2) */
        int64_t u = (m * (int64_t)one - c * m - s * (2 * y - m)) / 2;
        int64_t v = (m * (int64_t)one - s * m + c * (2 * y - m)) / 2;
        for (int x = 0; x < size; x++, u += c, v += s, to += 3) {
            v4r p = sample(from, size, u, v);
            bool last = x == m && y == m; /* a store writes four reals, the fourth into the next pixel */
            memcpy(to, &p, last ? 3 * sizeof *to : sizeof p);
        }
    }
}

/* ---- Cutout -------------------------------------------------------------------------------------------- */
void pithp_grey_box(pith_real *x, int size, pithp_box b)
{
    for (int y = b.y; y < b.y + b.h; y++)
        memset(x + ((size_t)y * (size_t)size + (size_t)b.x) * 3, 0, (size_t)b.w * 3 * sizeof *x);
}
