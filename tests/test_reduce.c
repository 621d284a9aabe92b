/* The data floor: pictures made smaller. */
#include "decode_help.h"
#include <math.h>
#include <string.h>

/* Reducing a constant gives the constant; reducing a picture stays near its local means; nothing reads
   outside. */
START_TEST(reduction)
{
    uint8_t flat[60 * 40 * 3], out[60 * 40 * 3];
    memset(flat, 201, sizeof flat);
    for (int w = 60; w > 0; w -= 7)
        for (int h = 40; h > 0; h -= 9) {
            ck_assert(pithp_reduce(&work, flat, 180, 60, 40, out, w, h));
            for (int i = 0; i < w * h * 3; i++)
                ck_assert_int_eq(out[i], 201);
        }
    uint8_t *ramp = malloc(512 * 8 * 3);
    for (int i = 0; i < 512 * 8 * 3; i++)
        ramp[i] = (uint8_t)(i / 3 % 512 / 2);
    ck_assert(pithp_reduce(&work, ramp, 512 * 3, 512, 8, out, 64, 8));
    for (int x = 4; x < 60; x++)
        ck_assert_int_le(abs(out[x * 3] - (x * 4 + 2)), 1);
    free(ramp);
}
END_TEST

/* One new pixel's weights along an axis, as resize.c's comment defines them. Returns how many there are. */
static int weights(int from, int to, int i, int *first, int *w)
{
    double scale = (double)from / to, center = (i + 0.5) * scale, sum = 0, v[400];
    int a = PITHP_MAX((int)floor(center - 2 * scale + 0.5), 0), total = 0, best = 0;
    int n = PITHP_MIN((int)floor(center + 2 * scale + 0.5), from) - a;
    ck_assert(n > 0 && n <= 400);
    for (int k = 0; k < n; k++) {
        double x = fabs((a + k + 0.5 - center) / scale);
        v[k] = x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
        sum += v[k];
    }
    for (int k = 0; k < n; k++) {
        total += w[k] = (int)floor(v[k] / sum * 16384 + 0.5);
        best = w[k] > w[best] ? k : best;
    }
    w[best] += 16384 - total;
    *first = a;
    return n;
}

/* The reduction in its plainest form. */
static uint8_t reduced(const uint8_t *src, size_t stride, int sw, int sh, int dw, int dh, int x, int y,
                       int ch)
{
    int wx[400], wy[400], x0, y0, nx = weights(sw, dw, x, &x0, wx), ny = weights(sh, dh, y, &y0, wy);
    int64_t sum = 0;
    for (int k = 0; k < nx; k++) {
        int64_t column = 128;
        for (int i = 0; i < ny; i++)
            column += (int64_t)wy[i] * src[(size_t)(y0 + i) * stride + (size_t)(x0 + k) * 3 + (size_t)ch];
        sum += wx[k] * (column >> 8);
    }
    sum = (sum + (1 << 19)) >> 20;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* The loops with vectors give the definition's pixels, on noise of black and white (the filter overshoots most
   there), in sizes that fill no vector, from a region of a larger picture; nothing is written behind the end. */
START_TEST(reduction_by_definition)
{
    static const int size[][4] = { { 2, 2, 1, 1 },     { 5, 7, 3, 4 },      { 6, 9, 5, 9 },
                                   { 16, 16, 15, 15 }, { 33, 21, 32, 20 },  { 47, 31, 13, 30 },
                                   { 64, 48, 31, 7 },  { 120, 90, 96, 72 }, { 97, 5, 1, 1 },
                                   { 8, 150, 8, 9 },   { 150, 8, 9, 8 },    { 188, 141, 171, 128 } };
    uint32_t r = 5;
    for (size_t t = 0; t < PITHP_LEN(size) * 2 * PITHP_ISA_COUNT; t++) {
        const int *z = size[t / 2 % PITHP_LEN(size)];
        pithp_isa isa = (pithp_isa)(t / 2 / PITHP_LEN(size));
        if (isa > pithp_isa_cpu())
            break;
        c->isa = isa; /* every set that the processor has */
        size_t stride = (size_t)(z[0] + (int)t % 3) * 3, n = stride * (size_t)z[1],
               m = (size_t)(z[2] * z[3] * 3);
        uint8_t *src = malloc(n), *out = malloc(m);
        for (size_t i = 0; i < n; i++) {
            r = r * 1664525u + 1013904223u;
            src[i] = t % 2 ? (uint8_t)(r >> 24) : r >> 31 ? 255 : 0;
        }
        ck_assert(pithp_reduce(&work, src, stride, z[0], z[1], out, z[2], z[3]));
        for (int y = 0; y < z[3]; y++)
            for (int x = 0; x < z[2] * 3; x++) {
                uint8_t wanted = reduced(src, stride, z[0], z[1], z[2], z[3], x / 3, y, x % 3);
                suite_check(out[y * z[2] * 3 + x] == wanted, "%dx%d to %dx%d, %d,%d: %d, not %d", z[0], z[1],
                            z[2], z[3], x, y, out[y * z[2] * 3 + x], wanted);
            }
        free(src);
        free(out);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reduce");
    TCase *t = suite_case(s, "reduce");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reduction);
    tcase_add_test(t, reduction_by_definition);
    return suite_run("reduce", s);
}
