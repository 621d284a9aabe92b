/* Calibrators: ranges worked by hand, and each method against a search or a plain reading of its source. */
#include "data_help.h"
#include "quant_help.h"
#include <math.h>
#include <pith/quantizer.h>
#include <stdlib.h>

static pith_ctx *c;

static void setup(void) { c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 }); }

static void teardown(void) { pith_ctx_free(c); }

static void range_of(pith_calib_cfg cfg, const float *x, int64_t n, int64_t size, double *lo, double *hi)
{
    pith_calib *k = pith_calib_new(c, cfg);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(pith_calib_observe(k, x, n, size), PITH_OK);
    ck_assert_int_eq(pith_calib_range(k, lo, hi), PITH_OK);
    pith_calib_free(k);
}

/* ---- By hand -------------------------------------------------------------------------------------------------------------- */

static const float three[3][4] = { { 1, -2, 3, 0 }, { 5, -1, 0.5F, 2 }, { 0, 2, 1, 1 } };

START_TEST(minmax_by_hand)
{
    double lo, hi;
    range_of((pith_calib_cfg){ 0 }, three[0], 3, 4, &lo, &hi);
    ck_assert(lo == -2 && hi == 5);
    range_of((pith_calib_cfg){ 0 }, three[2], 1, 4, &lo, &hi);
    ck_assert(lo == 0 && hi == 2);
    const float high[] = { 3, 4 }, low[] = { -3, -4 };
    range_of((pith_calib_cfg){ 0 }, high, 1, 2, &lo, &hi); /* 0 is always included */
    ck_assert(lo == 0 && hi == 4);
    range_of((pith_calib_cfg){ 0 }, low, 1, 2, &lo, &hi);
    ck_assert(lo == -4 && hi == 0);
}
END_TEST

/* Minima -2, -1, 0 and maxima 3, 5, 2 with momentum 1/2: -2, -1.5, -0.75; 3, 4, 3. However the samples are cut. */
START_TEST(average_by_hand)
{
    pith_calib_cfg cfg = { .method = PITH_CALIB_AVERAGE, .momentum = 0.5 };
    double lo, hi;
    range_of(cfg, three[0], 3, 4, &lo, &hi);
    ck_assert(lo == -0.75 && hi == 3);
    pith_calib *k = pith_calib_new(c, cfg);
    ck_assert_int_eq(pith_calib_observe(k, three[0], 1, 4), PITH_OK);
    ck_assert_int_eq(pith_calib_observe(k, three[1], 2, 4), PITH_OK);
    ck_assert_int_eq(pith_calib_range(k, &lo, &hi), PITH_OK);
    ck_assert(lo == -0.75 && hi == 3);
    cfg.momentum = PITH_ZERO; /* the last sample only */
    range_of(cfg, three[0], 3, 4, &lo, &hi);
    ck_assert(lo == 0 && hi == 2);
    cfg.momentum = 0; /* 0.99 */
    range_of(cfg, three[0], 3, 4, &lo, &hi);
    ck_assert_double_eq_tol(hi, (3 + 0.01 * 2) + 0.01 * (2 - 3.02), 1e-12);
}
END_TEST

/* 1 to 1,000, bins half a unit wide: 1% are the ten values above 990, whose bin ends at 990.5. With 500 of them negated,
   each end is cut by 1% of all thousand values. */
START_TEST(percentile_by_hand)
{
    float x[1000];
    double lo, hi;
    for (int i = 0; i < 1000; i++)
        x[i] = (float)(i + 1);
    range_of((pith_calib_cfg){ .method = PITH_CALIB_PERCENTILE, .percentile = 99 }, x, 1, 1000, &lo, &hi);
    ck_assert(lo == 0 && hi == 990.5);
    range_of((pith_calib_cfg){ .method = PITH_CALIB_PERCENTILE, .percentile = 100 }, x, 1, 1000, &lo, &hi);
    ck_assert(lo == 0 && hi == 1000);
    range_of((pith_calib_cfg){ .method = PITH_CALIB_PERCENTILE }, x, 1, 1000, &lo,
             &hi); /* 0.1 of a value is none */
    ck_assert(lo == 0 && hi == 1000);
    for (int i = 0; i < 1000; i += 2)
        x[i] = -x[i]; /* odd numbers */
    range_of((pith_calib_cfg){ .method = PITH_CALIB_PERCENTILE, .percentile = 99 }, x, 1, 1000, &lo, &hi);
    ck_assert(lo == -979.5 && hi == 980.5);
    range_of((pith_calib_cfg){ .method = PITH_CALIB_PERCENTILE, .percentile = 99, .symmetric = true }, x, 1,
             1000, &lo, &hi);
    ck_assert(lo == -990.5 && hi == 990.5);
}
END_TEST

/* 1,000 ones and one value of 40, for 4 bits: with [0, 40] every one is lost (S = 2.67, each errs by 1); with [0, 15]
   ones are exact and 40 errs by 25, 625 in all, less than 1,000. Nothing in between or below does better. */
START_TEST(squared_error_by_hand)
{
    static float x[1001];
    double lo, hi;
    for (int i = 0; i < 1000; i++)
        x[i] = 1;
    x[1000] = 40;
    range_of((pith_calib_cfg){ .method = PITH_CALIB_MSE, .bits = 4 }, x, 1, 1001, &lo, &hi);
    ck_assert(lo == 0);
    pith_linear q;
    ck_assert_int_eq(pith_linear_range(c, (pith_linear_cfg){ .bits = 4 }, lo, hi, &q), PITH_OK);
    double error = 0;
    for (int i = 0; i < 1001; i++)
        error += pow((double)x[i] - pith_linear_value(&q, pith_linear_code(&q, x[i])), 2);
    suite_check(error <= 626, "[%g, %g]: squared error %g", lo, hi, error);
}
END_TEST

/* ---- The histogram ---------------------------------------------------------------------------------------------------------- */

/* Growing ranges, any order, any cut: the same counts as all at once, and those of a histogram made directly. */
START_TEST(histogram_grows_without_a_trace)
{
    enum { N = 3000 };
    static float x[N], y[N];
    normal_floats(x, N, 21, 0);
    for (int i = 0; i < N; i++)
        x[i] = i % 7 ? x[i] * ldexpf(1, i * 40 / N - 30) : 0;
    for (int i = 0; i < N; i++)
        y[i] = x[(i * 1009) % N];
    pith_calib *once = pith_calib_new(c, (pith_calib_cfg){ .bins = 256 });
    pith_calib *grown = pith_calib_new(c, (pith_calib_cfg){ .bins = 256 });
    pith_calib *mixed = pith_calib_new(c, (pith_calib_cfg){ .bins = 256 });
    ck_assert_int_eq(pith_calib_observe(once, x, 1, N), PITH_OK);
    for (int i = 0; i < N; i += 30) {
        ck_assert_int_eq(pith_calib_observe(grown, x + i, 10, 3), PITH_OK);
        ck_assert_int_eq(pith_calib_observe(mixed, y + i, 30, 1), PITH_OK);
    }
    pith_calib_facts a = pith_calib_seen(once), b = pith_calib_seen(grown), d = pith_calib_seen(mixed);
    ck_assert(a.count == N && b.count == N && d.count == N);
    ck_assert(a.zeros == b.zeros && a.zeros == d.zeros && a.min == b.min && a.max == d.max);
    ck_assert(a.width == b.width && a.width == d.width);
    ck_assert_mem_eq(a.below, b.below, sizeof *a.below * 256);
    ck_assert_mem_eq(a.above, b.above, sizeof *a.above * 256);
    ck_assert_mem_eq(a.below, d.below, sizeof *a.below * 256);
    ck_assert_mem_eq(a.above, d.above, sizeof *a.above * 256);
    int64_t below[256] = { 0 }, above[256] = { 0 }, zeros = 0;
    double most = fmax(-a.min, a.max);
    ck_assert(most < 256 * a.width && most >= 128 * a.width); /* at least half of the bins are in use */
    for (int i = 0; i < N; i++) {
        if (x[i] == 0)
            zeros++;
        else
            (x[i] < 0 ? below : above)[(int)floor(fabs(x[i]) / a.width)]++;
    }
    ck_assert_int_eq(a.zeros, zeros);
    ck_assert_mem_eq(a.below, below, sizeof below);
    ck_assert_mem_eq(a.above, above, sizeof above);
}
END_TEST

START_TEST(observing_allocates_nothing)
{
    pith_calib *k = pith_calib_new(c, (pith_calib_cfg){ 0 });
    uint64_t before = pith_ctx_allocations(c);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pith_calib_observe(k, three[i], 1, 4), PITH_OK);
    ck_assert_uint_eq(pith_ctx_allocations(c), before);
}
END_TEST

/* ---- Against searches ------------------------------------------------------------------------------------------------------ */

enum { N = 4000 };

/* Kinds of activations: after ReLU, two-sided, heavy tails, like SiLU (a small negative side), uniform. */
static void activations(float *x, int kind, uint64_t seed)
{
    normal_floats(x, N, seed, (uint64_t)kind);
    for (int i = 0; i < N; i++)
        x[i] = kind == 0   ? fmaxf(x[i], 0)
               : kind == 1 ? x[i] + 0.5F
               : kind == 2 ? x[i] * expf(fabsf(x[i]))
               : kind == 3 ? x[i] / (1 + expf(-x[i]))
                           : (float)i / N;
}

static double squared_error(const float *x, int bits, bool symmetric, double lo, double hi)
{
    double qmax = (1 << (bits - 1)) - 1, qmin = -qmax - 1, sum = 0;
    double s = symmetric ? fmax(-lo, hi) / qmax : (hi - lo) / (qmax - qmin);
    double z = symmetric ? 0 : fmin(fmax(round(qmin - lo / s), qmin), qmax);
    for (int i = 0; i < N; i++) {
        double v = (fmin(fmax(round(x[i] / s) + z, qmin), qmax) - z) * s - x[i];
        sum += v * v;
    }
    return sum;
}

/* In double, on the values themselves, over 40,000 ranges of one end or 200 x 200 of two. */
static double brute_force(const float *x, int bits, bool symmetric)
{
    double lo = 0, hi = 0, least = INFINITY;
    for (int i = 0; i < N; i++)
        lo = fmin(lo, x[i]), hi = fmax(hi, x[i]);
    int steps = 60;
    bool both = !symmetric && lo < 0;
    for (int a = 1; a <= (both ? steps : 1); a++)
        for (int b = 1; b <= (both ? steps : steps * 20); b++) {
            double fb = (double)b / (both ? steps : steps * 20);
            double l = both ? lo * a / steps : lo * fb, h = hi * fb;
            least = fmin(least, squared_error(x, bits, symmetric, l, h));
        }
    return least;
}

START_TEST(squared_error_against_brute_force)
{
    static float x[N];
    double worst = 0;
    for (int kind = 0; kind < 5; kind++)
        for (int bits = 4; bits <= 8; bits += 2)
            for (int symmetric = 0; symmetric < 2; symmetric++) {
                activations(x, kind, 31);
                double lo, hi;
                range_of((pith_calib_cfg){ .method = PITH_CALIB_MSE, .bits = bits, .symmetric = symmetric },
                         x, 40, N / 40, &lo, &hi);
                double got = squared_error(x, bits, symmetric, lo, hi),
                       least = brute_force(x, bits, symmetric);
                printf("    kind %d, %d bits, %s: %.4f\n", kind, bits, symmetric ? "symmetric" : "asymmetric",
                       got / least);
                worst = fmax(worst, got / least);
            }
    printf("    least squares from a histogram: at most %.4f times the best of a brute search\n", worst);
    ck_assert_double_le(worst, 1.05);
}
END_TEST

/* The method as its source tells it, bin by bin. a [n] counts of |x| in bins; gives the number of bins kept. */
static int plain_entropy(const double *a, int n, int levels)
{
    double *p = calloc((size_t)n, sizeof *p), *q = calloc((size_t)n, sizeof *q);
    double least = INFINITY;
    int at = n;
    for (int i = n; i >= levels; i--) {
        double beyond = 0, all_p = 0, all_q = 0, kl = 0;
        for (int j = i; j < n; j++)
            beyond += a[j];
        for (int j = 0; j < i; j++)
            p[j] = a[j] + (j == i - 1 ? beyond : 0), all_p += p[j];
        for (int j = 0; j < i;) { /* bins of one level: those j with equal floor(j * levels / i) */
            int level = (int)((int64_t)j * levels / i), end = j, filled = 0;
            double sum = 0;
            for (; end < i && (int64_t)end * levels / i == level; end++)
                sum += a[end], filled += p[end] > 0;
            for (; j < end; j++)
                q[j] = p[j] > 0 ? sum / filled : 0, all_q += q[j];
        }
        for (int j = 0; j < i; j++)
            if (p[j] > 0)
                kl += p[j] / all_p * log(p[j] / all_p / (q[j] / all_q));
        if (kl < least - 1e-12)
            least = kl, at = i;
    }
    free(p), free(q);
    return at;
}

START_TEST(entropy_against_a_plain_reading)
{
    static float x[N];
    int clipped = 0;
    for (int kind = 0; kind < 5; kind++)
        for (int bits = 4; bits <= 8; bits += 4)
            for (int symmetric = 0; symmetric < 2; symmetric++) {
                activations(x, kind, 37);
                pith_calib_cfg cfg = {
                    .method = PITH_CALIB_ENTROPY, .bits = bits, .symmetric = symmetric, .bins = 512
                };
                pith_calib *k = pith_calib_new(c, cfg);
                ck_assert_int_eq(pith_calib_observe(k, x, 1, N), PITH_OK);
                double lo, hi, a[512];
                ck_assert_int_eq(pith_calib_range(k, &lo, &hi), PITH_OK);
                pith_calib_facts f = pith_calib_seen(k);
                int used = 0;
                for (int i = 0; i < 512; i++) {
                    a[i] = (double)(f.above[i] + f.below[i]);
                    used = a[i] > 0 ? i + 1 : used;
                }
                bool one_side = !symmetric && f.min >= 0;
                double t = (plain_entropy(a, used, one_side ? 1 << bits : 1 << (bits - 1)) + 0.5) * f.width;
                t = fmin(t, fmax(-f.min, f.max));
                double want_lo = symmetric ? -t : fmax(fmin(f.min, 0), -t),
                       want_hi = symmetric ? t : fmin(f.max, t);
                suite_check(lo == want_lo && hi == want_hi, "kind %d, %d bits: [%g, %g], not [%g, %g]", kind,
                            bits, lo, hi, want_lo, want_hi);
                clipped += hi < f.max;
            }
    ck_assert_int_gt(clipped, 3);
}
END_TEST

/* ---- Edges, bad input ----------------------------------------------------------------------------------------------------- */

START_TEST(edges)
{
    const float zeros[8] = { 0 }, constant[4] = { 3, 3, 3, 3 }, tiny[2] = { 1e-45F, -1e-45F },
                huge[2] = { 3e38F, -3e38F };
    for (int m = 0; m <= PITH_CALIB_ENTROPY; m++)
        for (int symmetric = 0; symmetric < 2; symmetric++) {
            pith_calib_cfg cfg = { .method = (pith_calib_method)m, .symmetric = symmetric };
            double lo, hi;
            range_of(cfg, zeros, 2, 4, &lo, &hi);
            suite_check(lo == 0 && hi == 0, "method %d: [%g, %g]", m, lo, hi);
            range_of(cfg, constant, 1, 4, &lo, &hi);
            suite_check(hi >= 2.9 && hi <= 3.1, "method %d of a constant 3: [%g, %g]", m, lo, hi);
            range_of(cfg, tiny, 1, 2, &lo, &hi);
            suite_check(lo <= 0 && hi >= 0 && hi < 1e-44, "method %d: [%g, %g]", m, lo, hi);
            pith_calib *k =
                pith_calib_new(c, (pith_calib_cfg){ .method = (pith_calib_method)m, .name = "fc" });
            ck_assert_int_eq(pith_calib_observe(k, huge, 1, 2), PITH_OK);
            expect(pith_calib_range(k, &lo, &hi), PITH_EINVAL, "fc: values from -3e+38");
            ck_assert_int_eq(pith_ctx_status(c), PITH_OK);
        }
}
END_TEST

START_TEST(bad_input)
{
    static const pith_calib_cfg bad[] = {
        { .bits = 3 },         { .bits = 9 },         { .method = (pith_calib_method)9 },
        { .bins = 100 },       { .bins = 1 << 20 },   { .percentile = 50 },
        { .percentile = 101 }, { .percentile = NAN }, { .momentum = 1 },
        { .momentum = -0.5 }
    };
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        ck_assert_ptr_null(pith_calib_new(c, bad[i]));
        expect(pith_ctx_status(c), PITH_EINVAL, "calibration: ");
    }
    pith_calib *k = pith_calib_new(c, (pith_calib_cfg){ .name = "blocks.3.dw" });
    double lo, hi;
    expect(pith_calib_range(k, &lo, &hi), PITH_EDATA, "blocks.3.dw: never saw a value");
    float x[] = { 1, 2, 3, 4, NAN, 6 };
    expect(pith_calib_observe(k, x, 3, 2), PITH_ENAN, "blocks.3.dw: value 0 of sample 2 is nan");
    expect(pith_calib_range(k, &lo, &hi), PITH_EDATA, "never saw"); /* nothing of that call counts */
    ck_assert_int_eq(pith_calib_observe(k, x, 2, 2), PITH_OK);
    x[4] = -INFINITY;
    expect(pith_calib_observe(k, x, 3, 2), PITH_ENAN, "value 0 of sample 4 is -inf");
    expect(pith_calib_observe(k, x, 0, 2), PITH_EINVAL, "0 samples");
    expect(pith_calib_observe(k, x, 1, 0), PITH_EINVAL, "0 values");
    expect(pith_calib_observe(k, x, INT64_MAX, 2), PITH_EINVAL, "samples");
    ck_assert_int_eq(pith_calib_range(k, &lo, &hi), PITH_OK);
    ck_assert(lo == 0 && hi == 4);
    pith_calib_free(NULL);
}
END_TEST

START_TEST(doubtful_sets)
{
    watch w = { .allocations_left = -1 };
    pith_ctx *k = ctx_new(&w, 1);
    enum { MANY = 200 };
    int32_t labels[MANY];
    for (int i = 0; i < MANY; i++)
        labels[i] = i % 4;
    ck_assert_int_eq(pith_calib_check(k, labels, MANY, 4), 0);
    ck_assert_int_eq(w.warnings, 0);
    ck_assert_int_eq(pith_calib_check(k, labels, 40, 4), PITH_CALIB_FEW);
    ck_assert_int_eq(w.warnings, 1);
    ck_assert_ptr_nonnull(strstr(w.last_warning, "40 samples are few"));
    ck_assert_int_eq(pith_calib_check(k, labels, MANY, 5), PITH_CALIB_MISSING);
    ck_assert_ptr_nonnull(strstr(w.last_warning, "class 4 has 0 of 200"));
    for (int i = 0; i < MANY; i++)
        labels[i] = i < 190;
    ck_assert_int_eq(pith_calib_check(k, labels, MANY, 2), PITH_CALIB_LOPSIDED);
    for (int i = 0; i < MANY; i++)
        labels[i] = 1;
    ck_assert_int_eq(pith_calib_check(k, labels, MANY, 2), PITH_CALIB_MISSING);
    labels[7] = 2;
    ck_assert_int_eq(pith_calib_check(k, labels, MANY, 2), -1);
    ck_assert_ptr_nonnull(strstr(pith_error_text(k), "label 2 of sample 7"));
    pith_ctx_clear(k);
    ck_assert_int_eq(pith_calib_check(k, labels, 0, 2), -1);
    pith_ctx_free(k);
    ck_assert_int_eq(w.live, 0);
}
END_TEST

/* Every allocation fails once. */
START_TEST(out_of_memory)
{
    int failed = 0;
    for (long at = 0; at < 12; at++) {
        watch w = { .allocations_left = -1 };
        pith_ctx *k = ctx_new(&w, 1);
        w.allocations_left = at;
        pith_calib *cal = pith_calib_new(k, (pith_calib_cfg){ .method = PITH_CALIB_MSE });
        double lo, hi;
        pith_status st = cal ? pith_calib_observe(cal, three[0], 3, 4) : pith_ctx_status(k);
        if (!st)
            st = pith_calib_range(cal, &lo, &hi);
        suite_check(st == PITH_OK || st == PITH_ENOMEM, "%s", pith_status_name(st));
        failed += st == PITH_ENOMEM;
        pith_ctx_free(k);
        suite_check(w.live == 0, "allocation %ld: %ld blocks lost", at, w.live);
    }
    ck_assert_int_ge(failed, 4);
    ck_assert_int_lt(failed, 12);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("calib");
    TCase *t = suite_case(s, "calib");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, minmax_by_hand);
    tcase_add_test(t, average_by_hand);
    tcase_add_test(t, percentile_by_hand);
    tcase_add_test(t, squared_error_by_hand);
    tcase_add_test(t, histogram_grows_without_a_trace);
    tcase_add_test(t, observing_allocates_nothing);
    tcase_add_test(t, squared_error_against_brute_force);
    tcase_add_test(t, entropy_against_a_plain_reading);
    tcase_add_test(t, edges);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, doubtful_sets);
    tcase_add_test(t, out_of_memory);
    return suite_run("calib", s);
}
