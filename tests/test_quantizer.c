/* Linear quantizers on arrays: values worked by hand, and the properties the contract promises. */
#include "quant_help.h"
#include <float.h>
#include <math.h>
#include <pith/quantizer.h>
#include <stdlib.h>

static pith_ctx *c;

static void setup(void) { c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 }); }

static void teardown(void) { pith_ctx_free(c); }

/* ---- The lecture's worked example ---------------------------------------------------------------------------------- */

/* "Linear Quantization: Example" lists sixteen values, the matrix sorted; but where the matrix of "K-mean based
   Quantization: Storage" has -0.14 the list has -0.41. Both are quantized here; it makes no difference to the codes. */
static const float lecture[17] = { -1.08F, -1.03F, -0.98F, -0.91F, -0.41F, -0.14F, 0,     0,    0.05F,
                                   0.09F,  1.48F,  1.49F,  1.53F,  1.87F,  1.92F,  2.09F, 2.12F };

START_TEST(lecture_linear_formal_definition)
{
    pith_linear q;
    ck_assert_int_eq(pith_linear_fit(c, lecture, PITH_SHAPE(17), -1, (pith_linear_cfg){ .bits = 2 }, &q),
                     PITH_OK);
    /* r_max - r_min = 3.2 over q_max - q_min = 3; Z = round(-2 + 1.08 / S) = round(-0.9875) */
    ck_assert_int_eq(q.qmin, -2);
    ck_assert_int_eq(q.qmax, 1);
    ck_assert_float_eq_tol(q.scale, 3.2F / 3, 1e-6F);
    ck_assert_int_eq(q.zero_point, -1);
    static const int8_t want[17] = { -2, -2, -2, -2, -1, -1, -1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 1 };
    int8_t codes[17];
    float back[17];
    ck_assert_int_eq(pith_linear_quantize(c, lecture, PITH_SHAPE(17), -1, &q, codes), PITH_OK);
    ck_assert_mem_eq(codes, want, sizeof want);
    ck_assert_int_eq(pith_linear_dequantize(c, codes, PITH_SHAPE(17), -1, &q, back), PITH_OK);
    for (int i = 0; i < 17; i++)
        ck_assert_float_eq_tol(back[i], (float)(want[i] + 1) * 3.2F / 3, 1e-6F);
    ck_assert(back[6] == 0); /* zero is exact */
}
END_TEST

/* The sketch before it divides the range by the 4 levels instead of the 3 steps between them: with S = 0.8 from r_min,
   four codes end at -1.08 + 3 * 0.8 = 1.32, and 1.87 to 2.12 would be off by up to 0.8. The quantizer must not. */
START_TEST(lecture_sketch_is_not_the_definition)
{
    pith_linear q;
    ck_assert_int_eq(pith_linear_range(c, (pith_linear_cfg){ .bits = 2 }, -1.08, 2.12, &q), PITH_OK);
    float sketch = (2.12F - -1.08F) / 4;
    ck_assert_float_eq_tol(sketch, 0.8F, 1e-6F);
    ck_assert_float_eq_tol(-1.08F + 3 * sketch, 1.32F, 1e-6F);
    for (int i = 0; i < 17; i++) {
        float back = pith_linear_value(&q, pith_linear_code(&q, lecture[i]));
        ck_assert_float_le(fabsf(back - lecture[i]), q.scale / 2 * 1.0001F);
    }
}
END_TEST

/* ---- Scales and zero points by hand ------------------------------------------------------------------------------------ */

START_TEST(ranges_by_hand)
{
    static const struct {
        pith_linear_cfg cfg;
        double lo, hi, scale;
        int zero, qmin, qmax;
    } t[] = {
        { { 0 }, 0, 6, 6.0 / 255, -128, -128, 127 },    /* ReLU6 */
        { { 0 }, -1, 1, 2.0 / 255, -1, -128, 127 },     /* -128 + 127.5 = -0.5, away from zero */
        { { 0 }, -127.5, 127.5, 1, -1, -128, 127 },     /* the same at scale 1 */
        { { 0 }, -3, 0, 3.0 / 255, 127, -128, 127 },    /* nothing positive */
        { { 0 }, 2, 5.1, 5.1 / 255, -128, -128, 127 },  /* widened to 0 */
        { { 0 }, -5.1, -2, 5.1 / 255, 127, -128, 127 }, /* likewise */
        { { 0 }, 3, 3, 3.0 / 255, -128, -128, 127 },    /* constant */
        { { 0 }, 0, 0, 1, 0, -128, 127 },               /* all zero */
        { { .symmetric = true, .narrow = true }, -2.54, 1, 0.02, 0, -127, 127 },
        { { .symmetric = true }, 0, 2.54, 0.02, 0, -128, 127 },
        { { .symmetric = true, .narrow = true }, 0, 0, 1, 0, -127, 127 },
        { { .bits = 4 }, -1, 2, 0.2, -3, -8, 7 }, /* -8 + 5 */
        { { .bits = 4, .symmetric = true, .narrow = true }, -0.7, 0.35, 0.1, 0, -7, 7 },
        { { .bits = 2, .symmetric = true, .narrow = true }, -0.5, 0.5, 0.5, 0, -1, 1 },
        { { .bits = 3 }, 0, 7, 1, -4, -4, 3 },
        { { .min_scale = 0.5 }, 0, 6, 0.5, -128, -128, 127 },
        { { .min_scale = 0.5 }, 0, 0, 1, 0, -128, 127 },
    };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        pith_linear q;
        ck_assert_int_eq(pith_linear_range(c, t[i].cfg, t[i].lo, t[i].hi, &q), PITH_OK);
        suite_check(q.scale == (float)t[i].scale, "row %zu: scale %.9g, not %.9g", i, q.scale, t[i].scale);
        suite_check(q.zero_point == t[i].zero && q.qmin == t[i].qmin && q.qmax == t[i].qmax,
                    "row %zu: zero point %d, codes %d to %d", i, q.zero_point, q.qmin, q.qmax);
    }
}
END_TEST

/* The scale is float32 before the zero point is computed: here the double quotient gives another zero point. */
START_TEST(scale_is_rounded_first)
{
    int differ = 0;
    pithp_rand r = pithp_rand_at(1, 0, 0, PITHP_USE_OTHER);
    for (int i = 0; i < 200000; i++) {
        double lo = -pithp_rand_uniform(&r), hi = pithp_rand_uniform(&r);
        if (i % 2) /* where it matters: zero points near a half */
            hi = -lo * (255 / (floor(pithp_rand_uniform(&r) * 255) + 0.5) - 1);
        if (!(hi > 0))
            continue;
        pith_linear q;
        ck_assert_int_eq(pith_linear_range(c, (pith_linear_cfg){ 0 }, lo, hi, &q), PITH_OK);
        float s = (float)((hi - lo) / 255);
        suite_check(q.scale == s && q.zero_point == (int)round(-128 - lo / (double)s), "[%a, %a]", lo, hi);
        differ += q.zero_point != (int)round(-128 - lo / ((hi - lo) / 255));
    }
    ck_assert_int_gt(differ, 100);
}
END_TEST

START_TEST(codes_round_half_away_and_clamp)
{
    pith_linear q = { 0.5F, 10, -128, 127 };
    static const struct {
        float x;
        int code;
    } t[] = { { 0, 10 },        { 0.25F, 11 },    { -0.25F, 9 },    { 0.2499F, 10 },   { 0.75F, 12 },
              { -0.75F, 8 },    { 58.5F, 127 },   { 58.75F, 127 },  { 1e30F, 127 },    { -69, -128 },
              { -69.2F, -128 }, { -1e30F, -128 }, { FLT_MAX, 127 }, { -FLT_MAX, -128 } };
    for (size_t i = 0; i < PITHP_LEN(t); i++)
        suite_check(pith_linear_code(&q, t[i].x) == t[i].code, "%g becomes %d, not %d", t[i].x,
                    pith_linear_code(&q, t[i].x), t[i].code);
}
END_TEST

/* ---- Properties ----------------------------------------------------------------------------------------------------------- */

/* For all bit widths: no error above half a step inside the range, zero exact, codes within bounds, and what was
   dequantized quantizes to the same codes. */
START_TEST(fitted_arrays)
{
    enum { ROWS = 7, COLS = 33, N = ROWS * COLS };
    static float x[N], back[N];
    static int8_t codes[N], again[N];
    for (int bits = 2; bits <= 8; bits++)
        for (int mode = 0; mode < 3; mode++)
            for (int axis = -1; axis < 2; axis++) {
                pithp_rand r =
                    pithp_rand_at(7, (uint32_t)bits, (uint64_t)(mode * 3 + axis + 1), PITHP_USE_OTHER);
                for (int i = 0; i < N; i++)
                    x[i] = (float)(pithp_rand_normal(&r) * exp(4 * pithp_rand_normal(&r)));
                x[3] = 0;
                pith_linear_cfg cfg = { .bits = bits, .symmetric = mode > 0, .narrow = mode == 2 };
                pith_linear q[COLS];
                pith_shape s = PITH_SHAPE(ROWS, COLS);
                ck_assert_int_eq(pith_linear_fit(c, x, s, axis, cfg, q), PITH_OK);
                ck_assert_int_eq(pith_linear_quantize(c, x, s, axis, q, codes), PITH_OK);
                ck_assert_int_eq(pith_linear_dequantize(c, codes, s, axis, q, back), PITH_OK);
                ck_assert_int_eq(pith_linear_quantize(c, back, s, axis, q, again), PITH_OK);
                ck_assert_mem_eq(codes, again, sizeof codes);
                for (int i = 0; i < N; i++) {
                    const pith_linear *k = &q[axis < 0 ? 0 : axis ? i % COLS : i / COLS];
                    /* rounding Z moves the grid by up to half a step: then the outermost values clip by that much */
                    double most = (mode ? 0.5001 : 1.0001) * k->scale;
                    suite_check(fabs((double)back[i] - x[i]) <= most,
                                "%d bits, mode %d, axis %d: %g became %g (S = %g)", bits, mode, axis, x[i],
                                back[i], k->scale);
                    suite_check(codes[i] >= k->qmin && codes[i] <= k->qmax, "code %d", codes[i]);
                    suite_check(x[i] != 0 || back[i] == 0, "zero became %g", back[i]);
                }
            }
}
END_TEST

/* Channels by hand, along the first and the last axis, with an all-zero and a constant one. */
START_TEST(channels_by_hand)
{
    static const float x[] = { 1.27F, -0.5F, 0, 0, 3, 3 }; /* [3,2] */
    pith_linear_cfg cfg = { .symmetric = true, .narrow = true };
    pith_linear q[3];
    int8_t codes[6];
    ck_assert_int_eq(pith_linear_fit(c, x, PITH_SHAPE(3, 2), 0, cfg, q), PITH_OK);
    ck_assert_float_eq(q[0].scale, 0.01F);
    ck_assert_float_eq(q[1].scale, 1);
    ck_assert_float_eq(q[2].scale, (float)(3.0 / 127));
    ck_assert_int_eq(pith_linear_quantize(c, x, PITH_SHAPE(3, 2), 0, q, codes), PITH_OK);
    ck_assert_mem_eq(codes, ((int8_t[]){ 127, -50, 0, 0, 127, 127 }), 6);
    ck_assert_int_eq(pith_linear_fit(c, x, PITH_SHAPE(1, 1, 2, 3), 3, cfg, q),
                     PITH_OK); /* depthwise: [1,R,S,C] */
    ck_assert_float_eq(q[0].scale, (float)(1.27F / 127.0));
    ck_assert_float_eq(q[1].scale, (float)(3.0 / 127));
    ck_assert_float_eq(q[2].scale, (float)(3.0 / 127));
}
END_TEST

/* An all-zero channel with a large bias: the scale from pith_linear_bias_scale makes round(bias / (S_in S_w)) fit. */
START_TEST(bias_fits_int32)
{
    pithp_rand r = pithp_rand_at(5, 0, 0, PITHP_USE_OTHER);
    for (int i = 0; i < 10000; i++) {
        double bias = pithp_rand_normal(&r) * exp(10 * pithp_rand_normal(&r));
        float in = (float)exp(5 * pithp_rand_normal(&r)),
              w[2] = { (float)ldexp(1, -(int)pithp_rand_below(&r, 140)), 0 };
        if (i % 2)
            w[0] = 0;
        pith_linear q;
        pith_linear_cfg cfg = { .symmetric = true,
                                .narrow = true,
                                .min_scale = pith_linear_bias_scale(bias, in) };
        ck_assert_int_eq(pith_linear_fit(c, w, PITH_SHAPE(2), -1, cfg, &q), PITH_OK);
        suite_check(fabs(bias / ((double)in * q.scale)) <= 0x1p30, "bias %g, scales %g and %g", bias, in,
                    q.scale);
    }
}
END_TEST

/* The search of PITH_FIT_MSE against trying 20,000 scales. */
START_TEST(least_squares_fit)
{
    enum { N = 500 };
    static float x[N];
    double worst = 1;
    for (int trial = 0; trial < 24; trial++) {
        pithp_rand r = pithp_rand_at(11, 0, (uint64_t)trial, PITHP_USE_OTHER);
        for (int i = 0; i < N; i++)
            x[i] = (float)(pithp_rand_normal(&r) * (trial % 3 ? 1 : exp(pithp_rand_normal(&r))));
        pith_linear_cfg cfg = {
            .bits = 2 + trial % 4, .symmetric = true, .narrow = true, .range = PITH_FIT_MSE
        };
        pith_linear q;
        ck_assert_int_eq(pith_linear_fit(c, x, PITH_SHAPE(N), -1, cfg, &q), PITH_OK);
        double a = 0, least = INFINITY, got = 0;
        for (int i = 0; i < N; i++)
            a = fmax(a, fabs(x[i]));
        for (int k = 1; k <= 20000; k++) {
            double s = a * k / 20000 / q.qmax, sum = 0;
            for (int i = 0; i < N; i++) {
                double v = fmin(fmax(round(x[i] / s), -q.qmax), q.qmax) * s - x[i];
                sum += v * v;
            }
            least = fmin(least, sum);
        }
        for (int i = 0; i < N; i++) {
            double v = pith_linear_value(&q, pith_linear_code(&q, x[i])) - (double)x[i];
            got += v * v;
        }
        worst = fmax(worst, got / least);
    }
    printf("    least squares: at most %.4f times the error of 20,000 scales tried\n", worst);
    ck_assert_double_le(worst, 1.01);
}
END_TEST

/* ---- Bad input -------------------------------------------------------------------------------------------------------------- */

START_TEST(bad_input)
{
    pith_linear q = { 42, 1, 2, 3 };
    const float nan3[] = { 1, NAN, 2 }, inf3[] = { 1, 2, -INFINITY }, x[] = { 1, 2, 3 };
    int8_t codes[3];
    float back[3];
    static const int bits[] = { -1, 1, 9, 16 };
    for (size_t i = 0; i < PITHP_LEN(bits); i++)
        expect(pith_linear_range(c, (pith_linear_cfg){ .bits = bits[i] }, 0, 1, &q), PITH_EINVAL, "2 to 8");
    expect(pith_linear_range(c, (pith_linear_cfg){ .narrow = true }, 0, 1, &q), PITH_EINVAL, "symmetric");
    expect(pith_linear_range(c, (pith_linear_cfg){ 0 }, NAN, 1, &q), PITH_ENAN, "not finite");
    expect(pith_linear_range(c, (pith_linear_cfg){ 0 }, 0, INFINITY, &q), PITH_ENAN, "not finite");
    expect(pith_linear_range(c, (pith_linear_cfg){ .min_scale = NAN }, 0, 1, &q), PITH_ENAN, "nan");
    expect(pith_linear_range(c, (pith_linear_cfg){ 0 }, 1, -1, &q), PITH_EINVAL, "upside down");
    expect(pith_linear_range(c, (pith_linear_cfg){ 0 }, -3e38, 3e38, &q), PITH_EINVAL, "wider");
    expect(pith_linear_fit(c, nan3, PITH_SHAPE(3), -1, (pith_linear_cfg){ 0 }, &q), PITH_ENAN,
           "value 1 of 3 is nan");
    expect(pith_linear_fit(c, inf3, PITH_SHAPE(3), 0, (pith_linear_cfg){ 0 }, &q), PITH_ENAN,
           "value 2 of 3 is -inf");
    expect(pith_linear_fit(c, x, PITH_SHAPE(0), -1, (pith_linear_cfg){ 0 }, &q), PITH_EINVAL, "below 1");
    expect(pith_linear_fit(c, x, PITH_SHAPE(3), 1, (pith_linear_cfg){ 0 }, &q), PITH_EINVAL, "no axis 1");
    expect(pith_linear_fit(c, x, PITH_SHAPE(3), -2, (pith_linear_cfg){ 0 }, &q), PITH_EINVAL, "no axis -2");
    ck_assert(q.scale == 42 && q.zero_point == 1); /* untouched by all that failed */
    expect(pith_linear_quantize(c, x, PITH_SHAPE(3), -1, &q, codes), PITH_EINVAL, "is none");
    q = (pith_linear){ NAN, 0, -128, 127 };
    expect(pith_linear_quantize(c, x, PITH_SHAPE(3), -1, &q, codes), PITH_EINVAL, "is none");
    q = (pith_linear){ 1, 0, -128, 127 };
    expect(pith_linear_quantize(c, nan3, PITH_SHAPE(3), -1, &q, codes), PITH_ENAN, "value 1");
    q.scale = 0;
    expect(pith_linear_dequantize(c, codes, PITH_SHAPE(3), -1, &q, back), PITH_EINVAL, "is none");
}
END_TEST

/* Values at the edges of float32: scales stay normal numbers, results finite. */
START_TEST(extreme_values)
{
    static const float most[] = { FLT_TRUE_MIN, FLT_MIN, 1e-38F, 1e-30F, 1e30F, 1.6e38F };
    for (size_t i = 0; i < PITHP_LEN(most); i++)
        for (int symmetric = 0; symmetric < 2; symmetric++) {
            float x[] = { most[i], -most[i] / 2, 0 }, back[3];
            int8_t codes[3];
            pith_linear q;
            pith_linear_cfg cfg = { .symmetric = symmetric };
            ck_assert_int_eq(pith_linear_fit(c, x, PITH_SHAPE(3), -1, cfg, &q), PITH_OK);
            ck_assert(isnormal(q.scale));
            ck_assert_int_eq(pith_linear_quantize(c, x, PITH_SHAPE(3), -1, &q, codes), PITH_OK);
            ck_assert_int_eq(pith_linear_dequantize(c, codes, PITH_SHAPE(3), -1, &q, back), PITH_OK);
            for (int k = 0; k < 3; k++)
                suite_check(fabsf(back[k] - x[k]) <= q.scale * 1.001F, "%g became %g", x[k], back[k]);
        }
}
END_TEST

/* ---- Halves and packed codes: the public side ------------------------------------------------------------------------ */

START_TEST(public_halves_and_bits)
{
    const float x[] = { 1, -2.5F, 65504, 65520, 0x1p-24F, 0x1p-25F };
    static const uint16_t want[] = { 0x3C00, 0xC100, 0x7BFF, 0x7C00, 1, 0 };
    uint16_t h[6];
    float back[6];
    pith_half_from(x, 6, h);
    ck_assert_mem_eq(h, want, sizeof want);
    pith_half_to(h, 6, back);
    ck_assert(back[0] == 1 && back[1] == -2.5F && back[2] == 65504 && isinf(back[3]) && back[4] == 0x1p-24F);

    const uint8_t codes[] = { 3, 0, 2, 1, 1 };
    uint8_t packed[2], out[5];
    ck_assert_uint_eq(pith_bits_bytes(5, 2), 2);
    ck_assert_int_eq(pith_bits_pack(c, codes, 5, 2, packed), PITH_OK);
    ck_assert_uint_eq(packed[0], 3 | 2 << 4 | 1 << 6);
    ck_assert_uint_eq(packed[1], 1);
    ck_assert_int_eq(pith_bits_unpack(c, packed, 5, 2, out), PITH_OK);
    ck_assert_mem_eq(out, codes, 5);
    ck_assert_uint_eq(pith_bits_bytes(-1, 2), 0);
    ck_assert_uint_eq(pith_bits_bytes(5, 9), 0);
    expect(pith_bits_pack(c, codes, 5, 0, packed), PITH_EINVAL, "1 to 8");
    expect(pith_bits_pack(c, codes, 5, 1, packed), PITH_EINVAL, "code 0 is 3");
    expect(pith_bits_unpack(c, packed, 5, 9, out), PITH_EINVAL, "1 to 8");
    expect(pith_bits_unpack(c, packed, -5, 2, out), PITH_EINVAL, "1 to 8");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quantizer");
    TCase *t = suite_case(s, "quantizer");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, lecture_linear_formal_definition);
    tcase_add_test(t, lecture_sketch_is_not_the_definition);
    tcase_add_test(t, ranges_by_hand);
    tcase_add_test(t, scale_is_rounded_first);
    tcase_add_test(t, codes_round_half_away_and_clamp);
    tcase_add_test(t, fitted_arrays);
    tcase_add_test(t, channels_by_hand);
    tcase_add_test(t, bias_fits_int32);
    tcase_add_test(t, least_squares_fit);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, extreme_values);
    tcase_add_test(t, public_halves_and_bits);
    return suite_run("quantizer", s);
}
