/* k-means codebooks: the lecture's example, an exact optimum, and what must never happen. */
#include "data_help.h"
#include "quant_help.h"
#include <math.h>
#include <pith/quantizer.h>
#include <stdlib.h>

static pith_ctx *c;

static void setup(void) { c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 }); }

static void teardown(void) { pith_ctx_free(c); }

/* ---- The lecture's worked example ---------------------------------------------------------------------------------- */

static const float matrix[16] = { 2.09F,  -0.98F, 1.48F, 0.09F,  0.05F, -0.14F, -1.08F, 2.12F,
                                  -0.91F, 1.92F,  0,     -1.03F, 1.87F, 0,      1.53F,  1.49F };

/* "K-mean based Quantization: Storage": centres -1, 0, 1.5, 2, these indices, and 64 bytes become 20. */
START_TEST(lecture_matrix_to_four_centres)
{
    static const uint8_t want[16] = { 3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2 };
    for (int linear = 0; linear < 2; linear++) {
        pith_codebook cb;
        pith_codebook_cfg cfg = { .bits = 2, .init = linear ? PITH_CODEBOOK_LINEAR : PITH_CODEBOOK_KMEANSPP };
        ck_assert_int_eq(pith_codebook_fit(c, matrix, NULL, 16, cfg, &cb), PITH_OK);
        ck_assert_int_eq(cb.k, 4);
        ck_assert(cb.converged);
        static const float centre[4] = { -1, 0, 1.5F, 2 };
        for (int j = 0; j < 4; j++)
            ck_assert_float_eq_tol(cb.centroid[j], centre[j], 1e-6F);
        uint8_t index[16], packed[4];
        ck_assert_int_eq(pith_codebook_assign(c, &cb, matrix, 16, index), PITH_OK);
        ck_assert_mem_eq(index, want, 16);
        ck_assert_uint_eq(sizeof matrix, 64);
        ck_assert_uint_eq(pith_codebook_bytes(&cb, 16), 20);
        ck_assert_uint_eq(pith_bits_bytes(16, 2), 4);
        ck_assert_int_eq(pith_bits_pack(c, index, 16, 2, packed), PITH_OK);
        ck_assert_uint_eq(packed[0], 3 | 0 << 2 | 2 << 4 | 1 << 6); /* the first row */
    }
}
END_TEST

/* The text's list of the same sixteen values has -0.41 where the matrix has -0.14. It stays in the second cluster, whose
   mean then is (-0.41 + 0 + 0 + 0.05 + 0.09) / 5 = -0.054, not the 0.00 the lecture shows. */
START_TEST(lecture_list_has_another_value)
{
    float list[16];
    memcpy(list, matrix, sizeof list);
    ck_assert_float_eq(list[5], -0.14F);
    list[5] = -0.41F;
    pith_codebook cb;
    uint8_t index[16];
    ck_assert_int_eq(pith_codebook_fit(c, list, NULL, 16, (pith_codebook_cfg){ .bits = 2 }, &cb), PITH_OK);
    ck_assert_float_eq_tol(cb.centroid[0], -1, 1e-6F);
    ck_assert_float_eq_tol(cb.centroid[1], -0.054F, 1e-6F);
    ck_assert_float_eq_tol(cb.centroid[2], 1.5F, 1e-6F);
    ck_assert_float_eq_tol(cb.centroid[3], 2, 1e-6F);
    ck_assert_int_eq(pith_codebook_assign(c, &cb, list, 16, index), PITH_OK);
    ck_assert_uint_eq(index[5], 1);
    /* with the zero kept, the cluster's centre is the lecture's again */
    ck_assert_int_eq(
        pith_codebook_fit(c, list, NULL, 16, (pith_codebook_cfg){ .bits = 2, .keep_zero = true }, &cb), 0);
    ck_assert(cb.zero == 1 && cb.centroid[1] == 0);
}
END_TEST

/* ---- An exact optimum to compare with ------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The least squared error of n sorted values in k runs, by dynamic programming over all places to cut. */
static double optimum(const float *v, const float *w, int n, int k)
{
    double *cost = calloc((size_t)(n + 1) * (size_t)(k + 1), sizeof *cost);
#define COST(j, i) cost[(j) * (n + 1) + (i)]
    for (int i = 1; i <= n; i++)
        COST(0, i) = INFINITY;
    for (int j = 1; j <= k; j++)
        for (int i = 1; i <= n; i++) {
            double sw = 0, mean = 0, error = 0, best = INFINITY;
            for (int s = i; s >= 1; s--) { /* the run [s,i]; Welford's update */
                double d = v[s - 1] - mean, weight = w ? w[s - 1] : 1;
                sw += weight;
                if (sw > 0) {
                    mean += weight * d / sw;
                    error += weight * d * (v[s - 1] - mean);
                }
                best = fmin(best, COST(j - 1, s - 1) + error);
            }
            COST(j, i) = best;
        }
    double best = COST(k, n);
    free(cost);
    return best;
}

static double sse_of(const pith_codebook *cb, const float *x, const float *w, const uint8_t *index, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double d = (double)x[i] - cb->centroid[index[i]];
        sum += (w ? w[i] : 1) * d * d;
    }
    return sum;
}

/* Every weight has the nearest centroid, every centroid is the mean of its weights, the error told is the error, and it
   is never below the optimum; how often it is the optimum, and how far above at most, is printed and bounded. */
START_TEST(against_the_optimum)
{
    enum { N = 150, TRIALS = 120 };
    int met = 0;
    double worst = 1;
    for (int trial = 0; trial < TRIALS; trial++) {
        float x[N], w[N], *weight = trial % 2 ? w : NULL;
        uint8_t index[N];
        pithp_rand r = pithp_rand_at(3, 0, (uint64_t)trial, PITHP_USE_OTHER);
        for (int i = 0; i < N; i++)
            x[i] = (float)(pithp_rand_normal(&r) * (trial % 3 ? 1 : exp(pithp_rand_normal(&r))));
        qsort(x, N, sizeof *x, ascending);
        for (int i = 0; i < N; i++)
            w[i] = (float)pithp_rand_uniform(&r);
        pith_codebook_cfg cfg = { .bits = 2 + trial % 4, .seed = (uint64_t)trial };
        pith_codebook cb;
        ck_assert_int_eq(pith_codebook_fit(c, x, weight, N, cfg, &cb), PITH_OK);
        ck_assert(cb.converged && cb.k == 1 << cfg.bits);
        ck_assert_int_eq(pith_codebook_assign(c, &cb, x, N, index), PITH_OK);
        double sum[256] = { 0 }, all[256] = { 0 };
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < cb.k; j++)
                suite_check(fabs((double)x[i] - cb.centroid[j]) >= fabs((double)x[i] - cb.centroid[index[i]]),
                            "weight %d is nearer to centroid %d", i, j);
            sum[index[i]] += (weight ? w[i] : 1) * (double)x[i], all[index[i]] += weight ? w[i] : 1;
        }
        for (int j = 0; j < cb.k; j++)
            suite_check(all[j] > 0 &&
                            fabs(sum[j] / all[j] - cb.centroid[j]) < 1e-6 * (1 + fabs(cb.centroid[j])),
                        "centroid %d is %g, its weights' mean %g", j, cb.centroid[j], sum[j] / all[j]);
        double best = optimum(x, weight, N, cb.k), got = sse_of(&cb, x, weight, index, N);
        suite_check(fabs(got - cb.sse) <= 1e-9 * got, "error %g, told %g", got, cb.sse);
        suite_check(got >= best * (1 - 1e-9), "error %g below the optimum %g", got, best);
        met += got <= best * 1.0001;
        worst = fmax(worst, got / best);
    }
    printf("    %d of %d at the optimum; at most %.3f times it\n", met, TRIALS, worst);
    /* Lloyd's iterations find a local optimum; few weights to a centroid (150 to 32) are the hard case */
    ck_assert_int_ge(met, TRIALS / 5);
    ck_assert_double_le(worst, 1.4);
}
END_TEST

/* A million weights to 256 centroids, and what it costs is bounded by the number of operations, not by a clock: the
   iterations end by themselves. */
START_TEST(a_million_weights)
{
    enum { N = 1000000 };
    float *x = malloc(sizeof *x * N), *back = malloc(sizeof *back * N);
    uint8_t *index = malloc(N);
    pithp_rand r = pithp_rand_at(9, 0, 0, PITHP_USE_OTHER);
    double power = 0;
    for (int i = 0; i < N; i++)
        x[i] = (float)(0.05 * pithp_rand_normal(&r)), power += (double)x[i] * x[i];
    for (int bits = 2; bits <= 8; bits += 3) {
        pith_codebook cb;
        ck_assert_int_eq(
            pith_codebook_fit(c, x, NULL, N, (pith_codebook_cfg){ .bits = bits, .starts = 2 }, &cb), 0);
        ck_assert_int_eq(pith_codebook_assign(c, &cb, x, N, index), PITH_OK);
        ck_assert_int_eq(pith_codebook_decode(c, &cb, index, N, back), PITH_OK);
        double noise = 0;
        for (int i = 0; i < N; i++)
            noise += ((double)x[i] - back[i]) * ((double)x[i] - back[i]);
        suite_check(fabs(noise - cb.sse) < 1e-6 * noise, "error %g, told %g", noise, cb.sse);
        /* Max, "Quantizing for minimum distortion", IRE Trans. 1960: a normal variable in 4 levels keeps 11.75% of its
           power as error, in 32 levels 0.2499% */
        double share = noise / power;
        if (bits == 2)
            ck_assert_double_eq_tol(share, 0.1175, 0.0005);
        if (bits == 5)
            ck_assert_double_eq_tol(share, 0.002499, 0.00005);
        printf("    %d bits: %d iterations, error %.4f%% of the power\n", bits, cb.iterations, 100 * share);
    }
    free(x), free(back), free(index);
}
END_TEST

/* ---- Zero ------------------------------------------------------------------------------------------------------------------ */

START_TEST(zero_is_kept)
{
    enum { N = 400 };
    for (int trial = 0; trial < 60; trial++) {
        float x[N], back[N];
        uint8_t index[N];
        pithp_rand r = pithp_rand_at(4, 0, (uint64_t)trial, PITHP_USE_OTHER);
        for (int i = 0; i < N; i++) {
            x[i] = (float)pithp_rand_normal(&r) +
                   (trial % 4 == 1 ? 6.F : 0.F); /* also all on one side of zero */
            if (trial % 3 && pithp_rand_uniform(&r) < 0.7)
                x[i] = i % 2 ? 0.F : -0.F; /* pruned; some trials have no zero at all */
        }
        pith_codebook_cfg cfg = { .bits = 2 + trial % 5,
                                  .keep_zero = true,
                                  .init = (pith_codebook_init)(trial % 2) };
        pith_codebook cb;
        ck_assert_int_eq(pith_codebook_fit(c, x, NULL, N, cfg, &cb), PITH_OK);
        ck_assert(cb.zero >= 0 && cb.zero < cb.k && cb.centroid[cb.zero] == 0);
        ck_assert_int_le(cb.k, 1 << cfg.bits);
        ck_assert_int_eq(pith_codebook_assign(c, &cb, x, N, index), PITH_OK);
        ck_assert_int_eq(pith_codebook_decode(c, &cb, index, N, back), PITH_OK);
        for (int i = 0; i < N; i++)
            suite_check(x[i] != 0 || back[i] == 0, "a zero became %g", back[i]);
        for (int j = 1; j < cb.k; j++)
            suite_check(cb.centroid[j] > cb.centroid[j - 1], "centroids %d and %d", j - 1, j);
    }
}
END_TEST

/* ---- Edges ------------------------------------------------------------------------------------------------------------------ */

START_TEST(fewer_values_than_centroids)
{
    static const float x[] = { 2, -1, 2, -1, 2, 7, -1 };
    for (int keep = 0; keep < 2; keep++) {
        pith_codebook cb;
        pith_codebook_cfg cfg = { .bits = 3, .keep_zero = keep };
        uint8_t index[7];
        float back[7];
        ck_assert_int_eq(pith_codebook_fit(c, x, NULL, 7, cfg, &cb), PITH_OK);
        ck_assert_int_eq(cb.k, 3 + keep);
        ck_assert(cb.sse == 0 && cb.converged && cb.zero == (keep ? 1 : -1));
        ck_assert_int_eq(pith_codebook_assign(c, &cb, x, 7, index), PITH_OK);
        ck_assert_int_eq(pith_codebook_decode(c, &cb, index, 7, back), PITH_OK);
        ck_assert_mem_eq(back, x, sizeof x);
    }
    float one = 3.5F, zeros[4] = { 0, -0.F, 0, 0 };
    pith_codebook cb;
    ck_assert_int_eq(pith_codebook_fit(c, &one, NULL, 1, (pith_codebook_cfg){ 0 }, &cb), PITH_OK);
    ck_assert(cb.k == 1 && cb.centroid[0] == 3.5F);
    ck_assert_int_eq(pith_codebook_fit(c, zeros, NULL, 4, (pith_codebook_cfg){ .keep_zero = true }, &cb),
                     PITH_OK);
    ck_assert(cb.k == 1 && cb.centroid[0] == 0 && cb.zero == 0);
}
END_TEST

/* Where sums of squares say nothing: neighbours in float32, huge and tiny values together, weights that count nothing. */
START_TEST(hard_numbers)
{
    enum { N = 64 };
    float x[N], w[N];
    for (int kind = 0; kind < 4; kind++)
        for (int init = 0; init < 2; init++) {
            for (int i = 0; i < N; i++) {
                x[i] = kind == 0   ? 1 + (float)i * 0x1p-23F
                       : kind == 1 ? ldexpf(i % 2 ? -1 : 1, i * 3 - 100)
                       : kind == 2 ? (float)(i % 8) * 1e-40F
                                   : (float)i;
                w[i] = kind == 3 ? (i < N / 2 ? 1 : 0) : 1;
            }
            pith_codebook cb;
            uint8_t index[N];
            pith_codebook_cfg cfg = { .bits = 2, .init = (pith_codebook_init)init };
            ck_assert_int_eq(pith_codebook_fit(c, x, w, N, cfg, &cb), PITH_OK);
            ck_assert_int_eq(pith_codebook_assign(c, &cb, x, N, index), PITH_OK);
            suite_check(cb.k >= 2 && cb.k <= 4 && isfinite(cb.sse), "kind %d: %d centroids, error %g", kind,
                        cb.k, cb.sse);
            for (int j = 0; j < cb.k; j++)
                suite_check(isfinite(cb.centroid[j]), "kind %d: centroid %d is %g", kind, j, cb.centroid[j]);
        }
}
END_TEST

START_TEST(same_seed_same_codebook)
{
    enum { N = 5000 };
    static float x[N];
    pithp_rand r = pithp_rand_at(6, 0, 0, PITHP_USE_OTHER);
    for (int i = 0; i < N; i++)
        x[i] = (float)pithp_rand_normal(&r);
    pith_codebook a, b, other;
    pith_codebook_cfg cfg = { .bits = 5, .seed = 1, .starts = 1 };
    ck_assert_int_eq(pith_codebook_fit(c, x, NULL, N, cfg, &a), PITH_OK);
    for (int i = 0; i < N / 2; i++) { /* another order of the same weights */
        float t = x[i];
        x[i] = x[N - 1 - i], x[N - 1 - i] = t;
    }
    ck_assert_int_eq(pith_codebook_fit(c, x, NULL, N, cfg, &b), PITH_OK);
    ck_assert_mem_eq(&a, &b, sizeof a);
    cfg.seed = 2;
    ck_assert_int_eq(pith_codebook_fit(c, x, NULL, N, cfg, &other), PITH_OK);
    ck_assert(memcmp(a.centroid, other.centroid, sizeof a.centroid) != 0);
}
END_TEST

/* ---- Fine-tuning ------------------------------------------------------------------------------------------------------------ */

/* dL/dcentroid of L = sum of a_i w_i^3 is the sum of 3 a_i w_i^2 over the centroid's weights; differences agree. */
START_TEST(gradient_of_shared_centroids)
{
    enum { N = 40 };
    float x[N], a[N], w[N], dw[N], dcentroid[256];
    uint8_t index[N];
    pithp_rand r = pithp_rand_at(8, 0, 0, PITHP_USE_OTHER);
    for (int i = 0; i < N; i++)
        x[i] = (float)pithp_rand_normal(&r), a[i] = (float)pithp_rand_normal(&r);
    x[0] = 0;
    for (int keep = 0; keep < 2; keep++) {
        pith_codebook cb;
        ck_assert_int_eq(
            pith_codebook_fit(c, x, NULL, N, (pith_codebook_cfg){ .bits = 2, .keep_zero = keep }, &cb), 0);
        ck_assert_int_eq(pith_codebook_assign(c, &cb, x, N, index), PITH_OK);
        ck_assert_int_eq(pith_codebook_decode(c, &cb, index, N, w), PITH_OK);
        for (int i = 0; i < N; i++)
            dw[i] = 3 * a[i] * w[i] * w[i];
        ck_assert_int_eq(pith_codebook_gradient(c, &cb, index, dw, N, dcentroid), PITH_OK);
        for (int j = 0; j < cb.k; j++) {
            double side[2] = { 0 }, eps = 1e-4;
            for (int s = 0; s < 2; s++)
                for (int i = 0; i < N; i++)
                    side[s] += a[i] * pow(cb.centroid[index[i]] + (index[i] == j ? (s ? eps : -eps) : 0), 3);
            double want = j == cb.zero ? 0 : (side[1] - side[0]) / (2 * eps);
            suite_check(fabs(dcentroid[j] - want) < 1e-5 * (1 + fabs(want)), "centroid %d: %g, not %g", j,
                        dcentroid[j], want);
        }
    }
}
END_TEST

START_TEST(bad_input)
{
    const float x[] = { 1, 2, NAN }, good[] = { 1, 2, 3 }, negative[] = { 1, -1, 1 };
    uint8_t index[] = { 0, 1, 9 };
    float back[3];
    pith_codebook cb;
    expect(pith_codebook_fit(c, x, NULL, 0, (pith_codebook_cfg){ 0 }, &cb), PITH_EINVAL, "0 weights");
    expect(pith_codebook_fit(c, x, NULL, 3, (pith_codebook_cfg){ 0 }, &cb), PITH_ENAN,
           "weight 2 of 3 is nan");
    expect(pith_codebook_fit(c, good, x, 3, (pith_codebook_cfg){ 0 }, &cb), PITH_ENAN,
           "importance 2 of 3 is nan");
    expect(pith_codebook_fit(c, good, negative, 3, (pith_codebook_cfg){ 0 }, &cb), PITH_EINVAL,
           "importance 1 is -1");
    for (int bits = -1; bits < 12; bits += 5) { /* -1, 4, 9 */
        if (bits != 4)
            expect(pith_codebook_fit(c, good, NULL, 3, (pith_codebook_cfg){ .bits = bits }, &cb), PITH_EINVAL,
                   "2 to 8");
    }
    expect(pith_codebook_fit(c, good, NULL, 3, (pith_codebook_cfg){ .bits = 1 }, &cb), PITH_EINVAL, "2 to 8");
    expect(pith_codebook_fit(c, good, NULL, 3, (pith_codebook_cfg){ .starts = -1 }, &cb), PITH_EINVAL,
           "no sense");
    ck_assert_int_eq(pith_codebook_fit(c, good, NULL, 3, (pith_codebook_cfg){ .bits = 2 }, &cb), PITH_OK);
    expect(pith_codebook_assign(c, &cb, x, 3, index), PITH_ENAN, "weight 2");
    expect(pith_codebook_decode(c, &cb, index, 3, back), PITH_EINVAL, "index 2 is 9; there are 3");
    expect(pith_codebook_gradient(c, &cb, index, good, 3, back), PITH_EINVAL, "index 2 is 9");
    cb.centroid[0] = 5; /* training has moved it past the others */
    index[2] = 2;
    ck_assert_int_eq(pith_codebook_decode(c, &cb, index, 3, back), PITH_OK);
    expect(pith_codebook_assign(c, &cb, good, 3, index), PITH_EINVAL, "below the one before");
    cb.centroid[1] = INFINITY;
    expect(pith_codebook_decode(c, &cb, index, 3, back), PITH_ENAN, "centroid 1 is inf");
    cb.k = 300;
    expect(pith_codebook_decode(c, &cb, index, 3, back), PITH_EINVAL, "300 centroids");
}
END_TEST

/* Every allocation of a fit fails once; nothing is lost. */
START_TEST(out_of_memory)
{
    const float x[] = { 5, 1, 2, 3, 4, 9, 8 };
    int failed = 0;
    for (long at = 0; at < 20; at++) {
        watch w = { .allocations_left = -1 };
        pith_ctx *k = ctx_new(&w, 1);
        long live = w.live;
        pith_codebook cb;
        w.allocations_left = at;
        pith_status st = pith_codebook_fit(k, x, NULL, 7, (pith_codebook_cfg){ .bits = 2 }, &cb);
        suite_check(st == (w.allocations_left ? PITH_OK : st) && (st == PITH_OK || st == PITH_ENOMEM), "%s",
                    pith_status_name(st));
        failed += st == PITH_ENOMEM;
        suite_check(w.live == live, "allocation %ld: %ld blocks lost", at, w.live - live);
        pith_ctx_free(k);
    }
    ck_assert_int_ge(failed, 4);
    ck_assert_int_lt(failed, 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codebook");
    TCase *t = suite_case(s, "codebook");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, lecture_matrix_to_four_centres);
    tcase_add_test(t, lecture_list_has_another_value);
    tcase_add_test(t, against_the_optimum);
    tcase_add_test(t, a_million_weights);
    tcase_add_test(t, zero_is_kept);
    tcase_add_test(t, fewer_values_than_centroids);
    tcase_add_test(t, hard_numbers);
    tcase_add_test(t, same_seed_same_codebook);
    tcase_add_test(t, gradient_of_shared_centroids);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, out_of_memory);
    return suite_run("codebook", s);
}
