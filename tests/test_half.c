/* Floor 0: binary16 and packed codes. */
#include "base/base.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the sixteen bits mean, by the formula of IEEE 754. */
static double meaning(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -v : v;
}

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b));
}

START_TEST(all_halves_widen_exactly)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = pithp_half_to((uint16_t)h);
        suite_check(same(f, meaning((uint16_t)h)), "%04x gives %a", h, f);
    }
}
END_TEST

/* There and back gives the same bits; NaNs come back quiet with sign and payload. */
START_TEST(all_halves_come_back)
{
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t back = pithp_half_from(pithp_half_to((uint16_t)h));
        uint16_t want = (uint16_t)(h | ((h & 0x7C00) == 0x7C00 && (h & 0x3FF) ? 0x200 : 0));
        suite_check(back == want, "%04x comes back as %04x", h, back);
    }
}
END_TEST

/* Between any two neighbours a < b: the middle goes to the even one, a float less to a, a float more to b. With 65504
   and 65536 as neighbours that is also where infinity begins. */
START_TEST(rounds_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7C00; h++) {
        double a = meaning((uint16_t)h), b = h == 0x7BFF ? 65536 : meaning((uint16_t)(h + 1));
        float middle = (float)((a + b) / 2);
        suite_check(middle == (a + b) / 2, "the middle of %a and %a is a float", a, b);
        uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
        for (uint16_t sign = 0; sign < 2; sign++) {
            uint16_t s = (uint16_t)(sign << 15);
            float m = sign ? -middle : middle, zero = sign ? -0.F : 0.F, far = sign ? -INFINITY : INFINITY;
            suite_check(pithp_half_from(m) == (s | even), "middle after %04x", h);
            suite_check(pithp_half_from(nextafterf(m, zero)) == (s | h), "below the middle after %04x", h);
            suite_check(pithp_half_from(nextafterf(m, far)) == (s | (h + 1)), "above the middle after %04x",
                        h);
        }
    }
}
END_TEST

START_TEST(far_floats)
{
    ck_assert_uint_eq(pithp_half_from(INFINITY), 0x7C00);
    ck_assert_uint_eq(pithp_half_from(-INFINITY), 0xFC00);
    ck_assert_uint_eq(pithp_half_from(3.4e38F), 0x7C00);
    ck_assert_uint_eq(pithp_half_from(-65520.F), 0xFC00);
    ck_assert_uint_eq(pithp_half_from(65519.996F), 0x7BFF);
    ck_assert_uint_eq(pithp_half_from(-0.F), 0x8000);
    ck_assert_uint_eq(pithp_half_from(0x1p-149F), 0);
    ck_assert_uint_eq(pithp_half_from(-0x1p-126F), 0x8000);
    ck_assert(isnan(pithp_half_to(pithp_half_from(NAN))));
    /* a NaN whose payload has low bits only must not become infinity */
    uint32_t bits = 0x7F800001;
    float quiet;
    memcpy(&quiet, &bits, sizeof quiet);
    ck_assert(isnan(pithp_half_to(pithp_half_from(quiet))));
}
END_TEST

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
__attribute__((target("f16c"))) static uint16_t hardware(float f) { return (uint16_t)_cvtss_sh(f, 0); }

/* The processor's own conversion, over floats of every exponent. */
START_TEST(equals_f16c)
{
    if (!__builtin_cpu_supports("f16c"))
        return;
    for (uint32_t i = 0; i < 1u << 24; i++) {
        uint32_t bits = i << 8 | (i * 2654435761u >> 24); /* the low byte scattered */
        float f;
        memcpy(&f, &bits, sizeof f);
        suite_check(pithp_half_from(f) == hardware(f), "%a: %04x, the processor says %04x", f,
                    pithp_half_from(f), hardware(f));
    }
}
END_TEST
#endif

/* Two codes of 3 bits and the rest, by hand: 5, 3, 6, 1, 7 is 101 011 110 001 111 from the lowest bit up. */
START_TEST(packs_by_hand)
{
    static const uint8_t codes[] = { 5, 3, 6, 1, 7 };
    uint8_t packed[2], back[5];
    ck_assert_uint_eq(pithp_bits_bytes(5, 3), 2);
    pithp_bits_pack(codes, 5, 3, packed);
    ck_assert_uint_eq(packed[0], (5 | 3 << 3 | 6 << 6) & 255);
    ck_assert_uint_eq(packed[1], 6 >> 2 | 1 << 1 | 7 << 4);
    pithp_bits_unpack(packed, 5, 3, back);
    ck_assert_mem_eq(back, codes, 5);
}
END_TEST

/* Every width and many lengths; the arrays have exactly the size told, for the sanitizer to watch. */
START_TEST(packs_and_unpacks)
{
    for (int bits = 1; bits <= 8; bits++)
        for (size_t n = 0; n < 70; n++) {
            size_t bytes = pithp_bits_bytes(n, bits);
            suite_check(bytes == (n * (size_t)bits + 7) / 8, "%zu codes of %d bits: %zu bytes", n, bits,
                        bytes);
            uint8_t *codes = malloc(n + 1), *packed = malloc(bytes + 1), *back = malloc(n + 1);
            pithp_rand r = pithp_rand_at((uint64_t)bits, 0, n, PITHP_USE_OTHER);
            for (size_t i = 0; i < n; i++)
                codes[i] = (uint8_t)pithp_rand_below(&r, 1u << bits);
            packed[bytes] = back[n] = 0xA5;
            pithp_bits_pack(codes, n, bits, packed);
            pithp_bits_unpack(packed, n, bits, back);
            suite_check(!memcmp(codes, back, n), "%zu codes of %d bits", n, bits);
            suite_check(packed[bytes] == 0xA5 && back[n] == 0xA5, "%zu codes of %d bits: overrun", n, bits);
            free(codes), free(packed), free(back);
        }
    ck_assert_uint_eq(pithp_bits_bytes(SIZE_MAX, 8), SIZE_MAX); /* no overflow on the way */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("half");
    suite_test(s, "all_halves_widen_exactly", all_halves_widen_exactly);
    suite_test(s, "all_halves_come_back", all_halves_come_back);
    suite_test(s, "rounds_to_nearest_even", rounds_to_nearest_even);
    suite_test(s, "far_floats", far_floats);
#if defined(__x86_64__) && defined(__GNUC__)
    suite_test(s, "equals_f16c", equals_f16c);
#endif
    suite_test(s, "packs_by_hand", packs_by_hand);
    suite_test(s, "packs_and_unpacks", packs_and_unpacks);
    return suite_run("half", s);
}
