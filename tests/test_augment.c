/* Rotation, cutout, mixup, cutmix: pixels against sums done by hand; the same whatever the threads and the beginning. */
#include "data/data.h"
#include "data_help.h"
#include "suite.h"

#include <math.h>
#include <string.h>

enum { S = 24, N = 75, TRAIN = 60, SIDE = 32 };

static watch log_of;
static pith_ctx *c;
static pith_data *d;

static void setup(void)
{
    log_of = (watch){ .allocations_left = -1 };
    c = ctx_new(&log_of, 2);
    uint8_t *p = malloc(N * 40 * SIDE * 3);
    int32_t labels[N];
    for (unsigned i = 0; i < N; i++) {
        uint8_t *one = draw(40, SIDE, 3, i);
        memcpy(p + i * 40 * SIDE * 3, one, 40 * SIDE * 3);
        labels[i] = (int32_t)(i % 5);
        free(one);
    }
    d = pith_data_pixels(c, p, labels, N, SIDE, 40, NULL, TRAIN, S);
    ck_assert_ptr_nonnull(d);
    free(p);
}

static void teardown(void)
{
    ck_assert_msg(pith_ctx_status(c) == PITH_OK, "%s", pith_error_text(c));
    pith_ctx_free(c);
    ck_assert_int_eq(log_of.live, 0);
}

/* ---- Rotation ---- */
/* Pixel k of an image as the loader has it. */
static pith_real value(int pixel) { return (pith_real)(pixel - 128) / 128; }

static void fill_numbers(pith_real *x, int size)
{
    for (int i = 0; i < size * size * 3; i++)
        x[i] = value((i * 7 + i / 5) % 256);
}

START_TEST(quarter_turns)
{
    enum { Q = 5 };
    pith_real a[Q * Q * 3 + 1] = { 0 }, b[Q * Q * 3];
    fill_numbers(a, Q);
    pithp_rotate(a, Q, 0, b);
    ck_assert_mem_eq(a, b, sizeof b);
    static const double degrees[] = { 90, 180, -90 };
    for (int k = 0; k < 3; k++) {
        pithp_rotate(a, Q, degrees[k], b);
        for (int y = 0; y < Q; y++)
            for (int x = 0; x < Q; x++) {
                int from_x[] = { Q - 1 - y, Q - 1 - x, y }, from_y[] = { x, Q - 1 - y, Q - 1 - x };
                for (int i = 0; i < 3; i++)
                    ck_assert_msg(b[(y * Q + x) * 3 + i] == a[(from_y[k] * Q + from_x[k]) * 3 + i],
                                  "%g degrees, (%d,%d)", degrees[k], x, y);
            }
    }
}
END_TEST

/* The formula in double: bilinear between pixels' middles, mirrored at the border. */
static double mirrored(const pith_real *a, int size, int x, int y, int i)
{
    x = x < 0 ? -1 - x : x >= size ? 2 * size - 1 - x : x;
    y = y < 0 ? -1 - y : y >= size ? 2 * size - 1 - y : y;
    return 128 + 128 * (double)a[(y * size + x) * 3 + i];
}

START_TEST(any_angle)
{
    enum { Q = 16 };
    pith_real a[Q * Q * 3 + 1] = { 0 }, b[Q * Q * 3];
    for (int i = 0; i < Q * Q * 3; i++) /* smooth: a weight's rounding may cost a pixel value or two */
        a[i] = value((int)(128 + 100 * sin(i / 3 % Q * 0.4) * cos(i / 3 / Q * 0.3 + i % 3)));
    static const double degrees[] = { 10, -33.3, 45, 121, -179, 5e-4 };
    for (size_t k = 0; k < PITHP_LEN(degrees); k++) {
        pithp_rotate(a, Q, degrees[k], b);
        double co = cos(degrees[k] * M_PI / 180), si = sin(degrees[k] * M_PI / 180), m = (Q - 1) / 2.0;
        for (int y = 0; y < Q; y++)
            for (int x = 0; x < Q; x++)
                for (int i = 0; i < 3; i++) {
                    double u = m + co * (x - m) - si * (y - m), v = m + si * (x - m) + co * (y - m);
                    int x0 = (int)floor(u), y0 = (int)floor(v);
                    double fx = u - x0, fy = v - y0;
                    double want = (1 - fx) * (1 - fy) * mirrored(a, Q, x0, y0, i) +
                                  fx * (1 - fy) * mirrored(a, Q, x0 + 1, y0, i) +
                                  (1 - fx) * fy * mirrored(a, Q, x0, y0 + 1, i) +
                                  fx * fy * mirrored(a, Q, x0 + 1, y0 + 1, i);
                    double got = 128 + 128 * (double)b[(y * Q + x) * 3 + i];
                    suite_check(got == floor(got), "a whole pixel");
                    suite_check(fabs(got - want) <= 1.6, "%g degrees, (%d,%d): %g, %g", degrees[k], x, y, got,
                                want);
                }
    }
}
END_TEST

/* ---- Cutout ---- */
START_TEST(grey_rectangle)
{
    enum { Q = 6 };
    pith_real x[Q * Q * 3];
    for (int i = 0; i < Q * Q * 3; i++)
        x[i] = 1;
    pithp_grey_box(x, Q, (pithp_box){ 2, 1, 3, 4 });
    for (int i = 0; i < Q * Q * 3; i++) {
        int column = i / 3 % Q, row = i / 3 / Q;
        ck_assert(x[i] == (column >= 2 && column < 5 && row >= 1 && row < 5 ? 0 : 1));
    }
}
END_TEST

START_TEST(what_is_drawn)
{
    pith_augment_cfg a =
        pithp_augment_defaults((pith_augment_cfg){ .rotate = 20, .cutout = 0.3, .cutout_min = 0.1 });
    int cut = 0, n = 4000;
    double sum = 0, most = 0;
    for (int i = 0; i < n; i++) {
        pithp_extra e = pithp_extra_draw(&a, 1, 2, (uint64_t)i, 96);
        pithp_extra again = pithp_extra_draw(&a, 1, 2, (uint64_t)i, 96);
        suite_check(memcmp(&e, &again, sizeof e) == 0, "not a function of its key");
        suite_check(fabs(e.degrees) <= 20, "angle %g", e.degrees);
        sum += e.degrees;
        most = fmax(most, fabs(e.degrees));
        if (e.grey.w == 0)
            continue;
        cut++;
        double area = (double)e.grey.w * e.grey.h / (96 * 96), ratio = (double)e.grey.w / e.grey.h;
        suite_check(area > 0.095 && area < 0.34 && ratio > 0.28 && ratio < 3.6, "area %g, ratio %g", area,
                    ratio);
        suite_check(e.grey.x >= 0 && e.grey.y >= 0 && e.grey.x + e.grey.w <= 96 && e.grey.y + e.grey.h <= 96,
                    "outside");
    }
    ck_assert(fabs(sum / n) < 1 && most > 19.5);
    ck_assert_msg(abs(cut - n * 3 / 10) < 4 * sqrt(n * 0.21), "%d of %d", cut, n);
}
END_TEST

/* ---- Mixing ---- */
START_TEST(pairs_and_shares)
{
    const int64_t samples[9] = { 11, 22, 33, 44, 55, 66, 77, 88, 99 };
    pithp_mix mix[9];
    for (int n = 1; n <= 9; n++)
        for (int64_t b = 0; b < 50; b++) {
            pith_augment_cfg a = pithp_augment_defaults((pith_augment_cfg){ .mixup = 1 });
            ck_assert(!pithp_mix_draw(&a, 5, 1, b, samples, n, S, mix));
            int alone = 0;
            for (int i = 0; i < n; i++) {
                ck_assert(mix[i].partner >= 0 && mix[i].partner < n && mix[mix[i].partner].partner == i);
                ck_assert(mix[i].share >= 0 && mix[i].share <= 256);
                alone += mix[i].partner == i;
            }
            ck_assert_int_eq(alone, n % 2);
        }
}
END_TEST

/* Mean, deviation and tails of Beta(a,a): variance 1/(4(2a+1)). */
START_TEST(beta)
{
    static const double alphas[] = { 0.05, 0.2, 1, 4, 50 };
    enum { B = 200, EACH = 100 };
    for (size_t k = 0; k < PITHP_LEN(alphas); k++) {
        pith_augment_cfg a = pithp_augment_defaults((pith_augment_cfg){ .mixup = alphas[k] });
        pithp_mix mix[EACH];
        int64_t samples[EACH];
        double sum = 0, square = 0;
        for (int b = 0; b < B; b++) {
            for (int i = 0; i < EACH; i++)
                samples[i] = b * EACH + i;
            pithp_mix_draw(&a, 5, 1, b, samples, EACH, S, mix);
            for (int i = 0; i < EACH; i++)
                sum += mix[i].share / 256.0, square += mix[i].share / 256.0 * mix[i].share / 256.0;
        }
        double n = B * EACH, mean = sum / n, want = 1 / (4 * (2 * alphas[k] + 1)),
               var = square / n - mean * mean;
        ck_assert_msg(fabs(mean - 0.5) < 5 * sqrt(want / n), "Beta(%g): mean %g", alphas[k], mean);
        ck_assert_msg(fabs(var / want - 1) < 0.06, "Beta(%g): variance %g, %g expected", alphas[k], var,
                      want);
    }
}
END_TEST

START_TEST(mixup_by_hand)
{
    enum { Q = 2, EACH = Q * Q * 3 };
    pith_real x[3 * EACH], was[3 * EACH], row[Q * 3], weight[3];
    for (int i = 0; i < 3 * EACH; i++)
        was[i] = x[i] = value((i * 37) % 256);
    const pithp_mix mix[3] = { { .partner = 2, .share = 64 },
                               { .partner = 1, .share = 256 },
                               { .partner = 0, .share = 200 } };
    pithp_mix_run(mix, false, 3, Q, x, row, weight);
    for (int i = 0; i < EACH; i++) {
        ck_assert(x[i] == was[i] * PITHP_R(0.25) + was[2 * EACH + i] * PITHP_R(0.75));
        ck_assert(x[EACH + i] == was[EACH + i]);
        ck_assert(x[2 * EACH + i] == (was[2 * EACH + i] * 200 + was[i] * 56) / 256);
    }
    ck_assert(weight[0] == PITHP_R(0.25) && weight[1] == 1 && weight[2] == PITHP_R(0.78125));
}
END_TEST

START_TEST(cutmix_by_hand)
{
    enum { Q = 4, EACH = Q * Q * 3 };
    pith_real x[2 * EACH], was[2 * EACH], row[Q * 3], weight[2];
    for (int i = 0; i < 2 * EACH; i++)
        was[i] = x[i] = value((i * 37) % 256);
    const pithp_mix mix[2] = { { .partner = 1, .share = 0, .box = { 1, 0, 2, 3 } },
                               { .partner = 0, .share = 0, .box = { 0, 2, 3, 2 } } };
    pithp_mix_run(mix, true, 2, Q, x, row, weight);
    for (int i = 0; i < EACH; i++) {
        int u = i / 3 % Q, v = i / 3 / Q;
        ck_assert(x[i] == was[i + (u >= 1 && u < 3 && v < 3 ? EACH : 0)]);
        ck_assert(x[EACH + i] == was[i + (u < 3 && v >= 2 ? 0 : EACH)]);
    }
    ck_assert(weight[0] == 1 - PITHP_R(0.375) && weight[1] == 1 - PITHP_R(0.375));
}
END_TEST

/* ---- In the loader ---- */
static const pith_augment_cfg recipes[] = {
    { .rotate = 30 },
    { .cutout = 0.5 },
    { .mixup = 0.4 },
    { .cutmix = 1 },
    { .rotate = 10, .cutout = 0.3, .mixup = 0.2, .cutmix = 1, .mix = 0.7 },
};

static uint64_t print_of(const pith_batch *b, int size)
{
    uint64_t h =
        pithp_hash_bytes((uint64_t)b->n, b->x, (size_t)b->n * (size_t)(size * size) * 3 * sizeof *b->x);
    h = pithp_hash_bytes(h, b->labels, (size_t)b->n * sizeof *b->labels);
    if (b->other != NULL) {
        h = pithp_hash_bytes(h, b->other, (size_t)b->n * sizeof *b->other);
        h = pithp_hash_bytes(h, b->weight, (size_t)b->n * sizeof *b->weight);
    }
    return h;
}

START_TEST(same_for_any_threads)
{
    static const int threads[] = { -1, 1, 2, 4 };
    uint64_t want[3][4] = { 0 };
    for (size_t k = 0; k < PITHP_LEN(threads); k++) {
        pith_loader_cfg cfg = {
            .batch = 16, .seed = 3, .shuffle = true, .augment = true, .threads = threads[k]
        };
        cfg.aug = recipes[_i];
        cfg.size = _i % 2 ? 16 : 0;
        pith_loader *l = pith_loader_new(d, cfg);
        ck_assert_ptr_nonnull(l);
        uint64_t before = pith_ctx_allocations(c);
        pith_batch b;
        for (int e = 0; e < 3; e++)
            for (int i = 0; i < 5; i++) {
                bool got = pith_loader_next(l, &b);
                ck_assert(got == (i < 4));
                if (!got)
                    continue;
                bool mixes = recipes[_i].mixup > 0 || recipes[_i].cutmix > 0;
                ck_assert((b.other != NULL) == mixes && (b.weight != NULL) == mixes);
                uint64_t print = print_of(&b, cfg.size ? cfg.size : S);
                if (k == 0)
                    want[e][i] = print;
                ck_assert_msg(print == want[e][i], "threads %d, epoch %d, batch %d", threads[k], e, i);
            }
        ck_assert_uint_eq(pith_ctx_allocations(c), before);
        for (int t = 0; t < 12; t++) { /* from anywhere */
            int e = t % 3, i = t * 3 % 4;
            ck_assert_int_eq(pith_loader_epoch(l, (uint32_t)e, i), PITH_OK);
            ck_assert(pith_loader_next(l, &b) && print_of(&b, cfg.size ? cfg.size : S) == want[e][i]);
        }
        pith_loader_free(l);
    }
    ck_assert(want[0][0] != want[1][0]);
}
END_TEST

/* A mixed batch is the plain one, mixed: the weights say of what it is made. */
START_TEST(labels_follow_pixels)
{
    pith_loader_cfg cfg = { .batch = 16, .seed = 3, .shuffle = true, .augment = true, .threads = -1 };
    pith_loader *plain = pith_loader_new(d, cfg);
    cfg.aug.mixup = 0.5;
    pith_loader *up = pith_loader_new(d, cfg);
    cfg.aug.mixup = 0, cfg.aug.cutmix = 1;
    pith_loader *cut = pith_loader_new(d, cfg);
    enum { EACH = S * S * 3 };
    int touched = 0;
    for (int i = 0; i < 4; i++) {
        pith_batch p, u, q;
        ck_assert(pith_loader_next(plain, &p) && pith_loader_next(up, &u) && pith_loader_next(cut, &q));
        ck_assert_mem_eq(p.labels, u.labels, (size_t)p.n * sizeof *p.labels);
        for (int k = 0; k < p.n; k++) {
            /* the partner is the position whose images fit */
            int found = 0, found_cut = 0;
            for (int j = 0; j < p.n; j++) {
                bool fits = u.other[k] == p.labels[j], fits_cut = q.other[k] == p.labels[j];
                int own = 0, theirs = 0;
                for (int t = 0; t < EACH; t++) {
                    pith_real a = p.x[k * EACH + t], b = p.x[j * EACH + t], w = u.weight[k];
                    fits = fits && u.x[k * EACH + t] == w * a + (1 - w) * b;
                    own += q.x[k * EACH + t] == a;
                    theirs += q.x[k * EACH + t] == b;
                    fits_cut = fits_cut && (q.x[k * EACH + t] == a || q.x[k * EACH + t] == b);
                }
                found += fits;
                found_cut +=
                    fits_cut && own >= EACH * q.weight[k] - 0.5 && theirs >= EACH * (1 - q.weight[k]) - 0.5;
            }
            suite_check(found >= 1, "mixup: batch %d, position %d: no partner fits", i, k);
            suite_check(found_cut >= 1, "cutmix: batch %d, position %d: no partner fits", i, k);
            touched += u.weight[k] < 1 && q.weight[k] < 1;
            suite_check(u.weight[k] >= 0 && u.weight[k] <= 1 && q.weight[k] >= 0 && q.weight[k] <= 1,
                        "weight");
        }
    }
    ck_assert_int_gt(touched, 30);
    pith_loader_free(plain);
    pith_loader_free(up);
    pith_loader_free(cut);
}
END_TEST

START_TEST(refuses)
{
    static const pith_augment_cfg bad[] = { { .rotate = 181 },     { .rotate = -1 },
                                            { .rotate = NAN },     { .cutout = 1.1 },
                                            { .cutout = -0.1 },    { .cutout = 1, .cutout_min = 0.5 },
                                            { .cutout_max = 2 },   { .cutout_min = PITH_ZERO },
                                            { .mixup = -1 },       { .mixup = 0.001 },
                                            { .mixup = INFINITY }, { .cutmix = 1e9 },
                                            { .cutmix = NAN },     { .mix = 2 } };
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .augment = true, .batch = 8, .aug = bad[i] });
        ck_assert_msg(l == NULL && pith_ctx_status(c) == PITH_EINVAL, "case %zu", i);
        pith_ctx_clear(c);
    }
    static const int sizes[] = { 7, -1, 1025 };
    for (size_t i = 0; i < PITHP_LEN(sizes); i++) {
        ck_assert_ptr_null(pith_loader_new(d, (pith_loader_cfg){ .batch = 8, .size = sizes[i] }));
        ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
        pith_ctx_clear(c);
    }
}
END_TEST

START_TEST(memory_runs_out)
{
    pith_loader_cfg cfg = { .batch = 16, .augment = true, .aug = { .rotate = 5, .mixup = 1 }, .threads = 2 };
    long live = log_of.live;
    bool made = false;
    for (long k = 0; k < 40 && !made; k++) {
        log_of.allocations_left = k;
        pith_loader *l = pith_loader_new(d, cfg);
        log_of.allocations_left = -1;
        made = l != NULL;
        if (!made)
            ck_assert_int_eq(pith_ctx_status(c), PITH_ENOMEM);
        pith_ctx_clear(c);
        pith_loader_free(l);
        ck_assert_int_eq(log_of.live, live);
    }
    ck_assert(made);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("augment");
    suite_test(s, "quarter_turns", quarter_turns);
    suite_test(s, "any_angle", any_angle);
    suite_test(s, "grey_rectangle", grey_rectangle);
    suite_test(s, "drawn", what_is_drawn);
    suite_test(s, "pairs", pairs_and_shares);
    suite_test(s, "beta", beta);
    suite_test(s, "mixup", mixup_by_hand);
    suite_test(s, "cutmix", cutmix_by_hand);
    TCase *t = suite_case(s, "loader");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, same_for_any_threads, 0, (int)PITHP_LEN(recipes));
    tcase_add_test(t, labels_follow_pixels);
    tcase_add_test(t, refuses);
    tcase_add_test(t, memory_runs_out);
    return suite_run("augment", s);
}
