/* Floor 0: random numbers and hashes. */
#include "base/base.h"
#include "suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

/* Random123's kat_vectors, the lines "philox4x32 10". */
START_TEST(philox_known_answers)
{
    static const uint32_t kat[][10] = {
        { 0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
        { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
          0xa20bc7c6, 0x6d5451fd },
        { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
          0x5001e420, 0x24126ea1 },
    };
    for (size_t i = 0; i < PITHP_LEN(kat); i++) {
        uint32_t out[4];
        pithp_philox(kat[i] + 4, kat[i], out);
        ck_assert_mem_eq(out, kat[i] + 6, sizeof out);
    }
}
END_TEST

/* A stream is its key's blocks one after the other: the layout that checkpoints and results depend on. */
START_TEST(stream_layout)
{
    const uint64_t seed = 0x0123456789abcdef, sample = 0xfedcba9876543210;
    pithp_rand r = pithp_rand_at(seed, 77, sample, PITHP_USE_CROP);
    for (uint32_t block = 0; block < 5; block++) {
        uint32_t out[4], key[2] = { 0x89abcdef, 0x01234567 ^ (uint32_t)PITHP_USE_CROP << 16 };
        uint32_t ctr[4] = { block, 77, 0x76543210, 0xfedcba98 };
        pithp_philox(key, ctr, out);
        for (int i = 0; i < 4; i++)
            ck_assert_uint_eq(pithp_rand_u32(&r), out[i]);
    }
}
END_TEST

START_TEST(streams_differ)
{
    enum { SEEDS = 3, EPOCHS = 3, SAMPLES = 8, USES = 9, ALL = SEEDS * EPOCHS * SAMPLES * USES };
    static uint64_t first[ALL];
    int n = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++)
            for (uint64_t sample = 0; sample < SAMPLES; sample++)
                for (uint32_t use = 1; use <= USES; use++) {
                    /* numbers in the high bits, where node ids and name hashes put them */
                    pithp_rand r = pithp_rand_at(seed, epoch, sample << 48 | sample, use);
                    uint64_t high = pithp_rand_u32(&r);
                    first[n++] = high << 32 | pithp_rand_u32(&r);
                }
    int same = 0;
    for (int i = 0; i < ALL; i++)
        for (int j = 0; j < i; j++)
            same += first[i] == first[j];
    ck_assert_int_eq(same, 0);
}
END_TEST

/* Bounds of five standard errors: the numbers are fixed, so these pass always or never. */
START_TEST(uniform_moments)
{
    enum { N = 200000 };
    pithp_rand r = pithp_rand_at(1, 0, 0, PITHP_USE_OTHER);
    double sum = 0, square = 0, low = 1, high = 0;
    for (int i = 0; i < N; i++) {
        double u = pithp_rand_uniform(&r);
        sum += u, square += (u - 0.5) * (u - 0.5);
        low = fmin(low, u), high = fmax(high, u);
    }
    ck_assert(low >= 0 && high < 1);
    ck_assert_double_le(fabs(sum / N - 0.5), 5 * sqrt(1.0 / 12 / N));
    ck_assert_double_le(fabs(square / N - 1.0 / 12), 5 * sqrt(1.0 / 180 / N));
    ck_assert_double_le(low, 1e-4);
    ck_assert_double_ge(high, 1 - 1e-4);
}
END_TEST

START_TEST(normal_moments)
{
    enum { N = 200000 };
    pithp_rand r = pithp_rand_at(2, 0, 0, PITHP_USE_OTHER);
    double m[5] = { 0 };
    for (int i = 0; i < N; i++) {
        double x = pithp_rand_normal(&r);
        for (int k = 1; k < 5; k++)
            m[k] += pow(x, k) / N;
    }
    ck_assert_double_le(fabs(m[1]), 5 * sqrt(1.0 / N));
    ck_assert_double_le(fabs(m[2] - 1), 5 * sqrt(2.0 / N));
    ck_assert_double_le(fabs(m[3]), 5 * sqrt(15.0 / N));
    ck_assert_double_le(fabs(m[4] - 3), 5 * sqrt(96.0 / N));
}
END_TEST

START_TEST(below_is_even)
{
    const uint64_t bounds[] = { 1, 2, 6, 1000, (uint64_t)3 << 30, UINT32_MAX, (uint64_t)3 << 40, UINT64_MAX };
    enum { N = 60000, CELLS = 6 };
    for (size_t b = 0; b < PITHP_LEN(bounds); b++) {
        pithp_rand r = pithp_rand_at(3, (uint32_t)b, 0, PITHP_USE_OTHER);
        int cells[CELLS + 1] = { 0 }, beyond = 0; /* one more: doubles round UINT64_MAX up */
        for (int i = 0; i < N; i++) {
            uint64_t x = pithp_rand_below(&r, bounds[b]);
            beyond += x >= bounds[b];
            cells[(int)((double)x / (double)bounds[b] * CELLS)]++;
        }
        ck_assert_int_eq(beyond, 0);
        if (bounds[b] % CELLS == 0) { /* five degrees of freedom: beyond 25.7 once in 10,000 */
            double chi2 = 0, mean = (double)N / CELLS;
            for (int i = 0; i < CELLS; i++)
                chi2 += (cells[i] - mean) * (cells[i] - mean) / mean;
            ck_assert_double_le(chi2, 25.7);
        }
    }
    pithp_rand r = pithp_rand_at(3, 0, 0, PITHP_USE_OTHER);
    ck_assert_uint_eq(pithp_rand_below(&r, 0), 0);
}
END_TEST

START_TEST(hashes)
{
    ck_assert_uint_eq(pithp_hash64("conv1.weight", 12), pithp_hash64("conv1.weight", 12));
    ck_assert_uint_ne(pithp_hash64("", 0), 0);
    uint64_t seen[1000];
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        char name[32];
        seen[i] = pithp_hash64(name, (size_t)snprintf(name, sizeof name, "Cat/%d.jpg", i));
        for (int j = 0; j < i; j++)
            same += seen[i] >> 32 == seen[j] >> 32;
    }
    ck_assert_int_eq(same, 0);
    int low = 0; /* a split by the hash is a fair one: 500 expected, deviation 16 */
    for (int i = 0; i < 1000; i++)
        low += seen[i] < UINT64_MAX / 2;
    ck_assert_int_le(abs(low - 500), 80);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rand");
    suite_test(s, "philox_known_answers", philox_known_answers);
    suite_test(s, "stream_layout", stream_layout);
    suite_test(s, "streams_differ", streams_differ);
    suite_test(s, "uniform_moments", uniform_moments);
    suite_test(s, "normal_moments", normal_moments);
    suite_test(s, "below_is_even", below_is_even);
    suite_test(s, "hashes", hashes);
    return suite_run("rand", s);
}
