/* data/mix.c: mixup and cutmix of a finished batch, in place.

   Within a batch of n, position i is paired with (s - i) mod n, which is its own inverse, s drawn for the batch: so each pair
   is mixed at once, and nothing is overwritten that is still needed. What a batch holds is a function of (seed, epoch), s
   of (seed, epoch, batch) and a sample's share of (seed, epoch, sample). Shares are whole numbers of 1/256 and pixels
   of 1/128: products and sums are exact in float, with or without fused multiply-add. */
#include "data/data.h"
#include <math.h>
#include <string.h>

/* The logarithm of a Gamma(a) variate. Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS
   2000; for a < 1 their note on Gamma(a + 1) U^(1/a), in logarithms because that underflows. */
static double log_gamma_variate(pithp_rand *r, double a)
{
    double add = 0;
    if (a < 1) {
        add = log(1 - pithp_rand_uniform(r)) / a;
        a += 1;
    }
    const double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = pithp_rand_normal(r), t = 1 + c * x;
        if (t <= 0)
            continue;
        double v = t * t * t, u = 1 - pithp_rand_uniform(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + add;
    }
}

/* A Beta(a,a) variate in 1/256. */
static int draw_share(pithp_rand *r, double a)
{
    double p = log_gamma_variate(r, a), q = log_gamma_variate(r, a);
    return (int)floor(256 / (1 + exp(q - p)) + 0.5);
}

/* A square that covers 1 - share of the image, its middle anywhere, cut off at the border: the weight of the label
   follows the pixels that are left. Yun et al. 2019. */
static pithp_box draw_box(pithp_rand *r, int size, int share)
{
    double part = sqrt(1 - share / 256.0);
    int side = (int)floor(size * part + 0.5), half = side / 2;
    int x = (int)pithp_rand_below(r, (uint64_t)size), y = (int)pithp_rand_below(r, (uint64_t)size);
    pithp_box b = { .x = PITHP_MAX(x - half, 0), .y = PITHP_MAX(y - half, 0) };
    b.w = PITHP_MAX(PITHP_MIN(x - half + side, size) - b.x, 0);
    b.h = PITHP_MAX(PITHP_MIN(y - half + side, size) - b.y, 0);
    if (b.w == 0 || b.h == 0)
        b.w = b.h = 0;
    return b;
}

bool pithp_mix_draw(const pith_augment_cfg *a, uint64_t seed, uint32_t epoch, int64_t batch,
                    const int64_t *samples, int n, int size, pithp_mix *mix)
{
    pithp_rand whole = pithp_rand_at(seed, epoch, (uint64_t)batch, PITHP_USE_MIX_BATCH);
    int s = (int)pithp_rand_below(&whole, (uint64_t)n);
    s |= n % 2 == 0; /* odd: then nobody is paired with himself */
    bool cut = a->cutmix > 0 && (a->mixup == 0 || pithp_rand_uniform(&whole) < 0.5);
    for (int i = 0; i < n; i++) {
        pithp_rand r = pithp_rand_at(seed, epoch, (uint64_t)samples[i], PITHP_USE_MIX);
        mix[i] = (pithp_mix){ .partner = (s - i + n) % n, .share = 256 };
        if (pithp_rand_uniform(&r) >= a->mix || mix[i].partner == i)
            continue;
        mix[i].share = draw_share(&r, cut ? a->cutmix : a->mixup);
        if (cut)
            mix[i].box = draw_box(&r, size, mix[i].share);
    }
    return cut;
}

PITHP_VECTORIZE static void blend(pith_real *restrict a, pith_real *restrict b, int share_a, int share_b,
                                  size_t n)
{
    const pith_real aa = (pith_real)share_a / 256, bb = (pith_real)share_b / 256;
    const pith_real ab = 1 - aa, ba = 1 - bb;
    for (size_t i = 0; i < n; i++) {
        pith_real x = a[i], y = b[i];
        a[i] = aa * x + ab * y;
        b[i] = bb * y + ba * x;
    }
}

static void swap_boxes(pith_real *a, pith_real *b, const pithp_box *in_a, const pithp_box *in_b, int size,
                       pith_real *row)
{
    const size_t line = (size_t)size * 3;
    for (int y = 0; y < size; y++, a += line, b += line) {
        bool cut_a = y >= in_a->y && y < in_a->y + in_a->h, cut_b = y >= in_b->y && y < in_b->y + in_b->h;
        if (cut_b)
            memcpy(row, a, line * sizeof *row);
        if (cut_a)
            memcpy(a + 3 * in_a->x, b + 3 * in_a->x, (size_t)in_a->w * 3 * sizeof *a);
        if (cut_b)
            memcpy(b + 3 * in_b->x, row + 3 * in_b->x, (size_t)in_b->w * 3 * sizeof *b);
    }
}

void pithp_mix_run(const pithp_mix *mix, bool cut, int n, int size, pith_real *x, pith_real *row,
                   pith_real *weight)
{
    const size_t each = (size_t)size * (size_t)size * 3;
    for (int i = 0; i < n; i++) {
        const pithp_mix *m = &mix[i];
        int64_t area = (int64_t)m->box.w * m->box.h;
        weight[i] = cut ? 1 - (pith_real)area / (pith_real)(size * size) : (pith_real)m->share / 256;
        int j = m->partner;
        if (j <= i)
            continue;
        pith_real *a = x + (size_t)i * each, *b = x + (size_t)j * each;
        if (cut)
            swap_boxes(a, b, &m->box, &mix[j].box, size, row);
        else if (m->share < 256 || mix[j].share < 256)
            blend(a, b, m->share, mix[j].share, each);
    }
}
