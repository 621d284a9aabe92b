/* The data floor: batches, their order, and what is done to an image on its way into one. */
#include "data/data.h"
#include "data_help.h"
#include "suite.h"
#include <math.h>
#include <string.h>

enum { S = 24, N = 75, SIDE = 32 };

static watch log_of;
static pith_ctx *c;
static pith_data *d;

/* 75 images of 40x32 pixels in memory, 60 of them for training. */
static void setup(void)
{
    log_of = (watch){ .allocations_left = -1 };
    c = ctx_new(&log_of, 2);
    uint8_t *p = malloc(N * 40 * SIDE * 3);
    int32_t labels[N];
    for (unsigned i = 0; i < N; i++) {
        uint8_t *one = draw(40, SIDE, 3, i);
        memcpy(p + i * 40 * SIDE * 3, one, 40 * SIDE * 3);
        labels[i] = (int32_t)(i % 3);
        free(one);
    }
    d = pith_data_pixels(c, p, labels, N, SIDE, 40, NULL, 60, S);
    ck_assert_ptr_nonnull(d);
    free(p);
}

static void teardown(void)
{
    ck_assert_msg(pith_ctx_status(c) == PITH_OK, "%s", pith_error_text(c));
    pith_ctx_free(c);
    ck_assert_int_eq(log_of.live, 0);
}

/* ---- Order --------------------------------------------------------------------------------------------- */

/* A hash of everything in a batch. */
static uint64_t print_of(const pith_batch *b)
{
    uint64_t h = pithp_hash_bytes((uint64_t)b->n, b->x, (size_t)b->n * S * S * 3 * sizeof *b->x);
    h = pithp_hash_bytes(h, b->labels, (size_t)b->n * sizeof *b->labels);
    h = pithp_hash_bytes(h, b->samples, (size_t)b->n * sizeof *b->samples);
    return h + b->epoch * 1000003u + (uint64_t)b->index;
}

static pith_loader_cfg training(int threads, int depth)
{
    return (pith_loader_cfg){
        .batch = 16, .seed = 3, .shuffle = true, .augment = true, .threads = threads, .depth = depth
    };
}

START_TEST(same_for_any_threads)
{
    static const int how[][2] = { { -1, 0 }, { 1, 0 }, { 1, 1 }, { 2, 0 }, { 4, 0 }, { 3, 9 }, { 4, 2 } };
    uint64_t expected[3][4];
    for (size_t k = 0; k < PITHP_LEN(how); k++) {
        pith_loader *l = pith_loader_new(d, training(how[k][0], how[k][1]));
        ck_assert_ptr_nonnull(l);
        ck_assert_int_eq(pith_loader_batches(l), 4);
        ck_assert_int_eq(pith_loader_images(l), 60);
        pith_batch b;
        for (int e = 0; e < 3; e++) {
            for (int i = 0; i < 4; i++) {
                ck_assert(pith_loader_next(l, &b));
                ck_assert(b.epoch == (uint32_t)e && b.index == i && b.n == (i < 3 ? 16 : 12));
                if (k == 0)
                    expected[e][i] = print_of(&b);
                ck_assert_msg(print_of(&b) == expected[e][i], "threads %d, epoch %d, batch %d", how[k][0], e,
                              i);
            }
            ck_assert(!pith_loader_next(l, &b));
            ck_assert_int_eq(b.n, 0);
        }
        pith_loader_free(l);
    }
    ck_assert(expected[0][0] != expected[1][0]);
}
END_TEST

START_TEST(resumed_anywhere)
{
    pith_loader *straight = pith_loader_new(d, training(2, 0)), *l = pith_loader_new(d, training(2, 0));
    pith_batch b;
    uint64_t expected[4][4];
    for (int e = 0; e < 4; e++) {
        for (int i = 0; pith_loader_next(straight, &b); i++)
            expected[e][i] = print_of(&b);
    }
    for (int t = 0; t < 200; t++) {
        uint32_t e = (uint32_t)(t * 7 % 4);
        int first = t * 5 % 5, taken = 0;
        ck_assert_int_eq(pith_loader_epoch(l, e, first), PITH_OK);
        for (int i = first; taken < t % 4 && pith_loader_next(l, &b); i++, taken++)
            ck_assert(print_of(&b) == expected[e][i]);
    }
    ck_assert_int_eq(pith_loader_epoch(l, 3, 4), PITH_OK); /* at the end: nothing left of it */
    ck_assert(!pith_loader_next(l, &b));
    ck_assert_int_eq(pith_loader_epoch(l, 2, 3), PITH_OK);
    ck_assert(pith_loader_next(l, &b) && !pith_loader_next(l, &b) && pith_loader_next(l, &b));
    ck_assert(print_of(&b) == expected[3][0]);
    ck_assert_int_eq(pith_loader_epoch(l, 0, 5), PITH_EINVAL);
    ck_assert_int_eq(pith_loader_epoch(l, 0, -1), PITH_EINVAL);
    pith_ctx_clear(c);
}
END_TEST

START_TEST(every_image_once)
{
    for (int shuffle = 0; shuffle < 2; shuffle++)
        for (int split = 0; split < 2; split++) {
            pith_loader *l = pith_loader_new(
                d, (pith_loader_cfg){ .split = (pith_split)split, .batch = 8, .shuffle = shuffle });
            int seen[N] = { 0 }, order[2][N], n = 0;
            for (int e = 0; e < 2; e++) {
                pith_batch b;
                for (n = 0; pith_loader_next(l, &b);)
                    for (int i = 0; i < b.n; i++) {
                        pith_sample s = pith_data_at(d, b.samples[i]);
                        ck_assert_int_eq((int)s.split, split);
                        ck_assert_int_eq(s.label, b.labels[i]);
                        seen[b.samples[i]]++;
                        order[e][n++] = (int)b.samples[i];
                    }
                ck_assert_int_eq(n, split ? 15 : 60);
            }
            for (int i = 0; i < N; i++)
                ck_assert_int_eq(seen[i], i < 60 ? 2 * !split : 2 * split);
            ck_assert_int_eq(!memcmp(order[0], order[1], (size_t)n * sizeof(int)), !shuffle);
            pith_loader_free(l);
        }
    pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .batch = 16, .drop_last = true });
    ck_assert_int_eq(pith_loader_batches(l), 3);
    ck_assert_int_eq(pith_loader_images(l), 48);
    pith_batch b;
    while (pith_loader_next(l, &b))
        ck_assert_int_eq(b.n, 16);
}
END_TEST

START_TEST(no_allocation_and_quick_ends)
{
    pith_loader *l = pith_loader_new(d, training(2, 0));
    uint64_t before = pith_ctx_allocations(c);
    pith_batch b;
    for (int i = 0; i < 40; i++)
        (void)pith_loader_next(l, &b);
    (void)pith_loader_epoch(l, 9, 2);
    (void)pith_loader_next(l, &b);
    ck_assert_uint_eq(pith_ctx_allocations(c), before);
    for (int i = 0; i < 100; i++) { /* ended while the threads are at work, or before they are */
        pith_loader *brief = pith_loader_new(d, training(1 + i % 4, 1 + i % 3));
        for (int k = 0; k < i % 3; k++)
            (void)pith_loader_next(brief, &b);
        pith_loader_free(brief);
    }
    /* a set of one batch, and more batches ahead than epochs have */
    l = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_VAL, .threads = 4, .depth = 20 });
    for (int e = 0; e < 30; e++) {
        ck_assert(pith_loader_next(l, &b));
        ck_assert(b.n == 15 && b.epoch == (uint32_t)e);
        ck_assert(!pith_loader_next(l, &b));
    }
}
END_TEST

START_TEST(absurd_options)
{
    static const pith_loader_cfg t[] = { { .split = (pith_split)2 },
                                         { .batch = -1 },
                                         { .batch = 1 << 30 },
                                         { .threads = 1000 },
                                         { .depth = -1 },
                                         { .depth = 1 << 20 },
                                         { .batch = 61, .drop_last = true },
                                         { .augment = true, .aug = { .scale_min = 0.9, .scale_max = 0.5 } },
                                         { .augment = true, .aug = { .scale_max = 2 } },
                                         { .augment = true, .aug = { .scale_min = -1 } },
                                         { .augment = true, .aug = { .ratio_min = 2, .ratio_max = 1 } },
                                         { .augment = true, .aug = { .flip = 1.5 } },
                                         { .augment = true, .aug = { .brightness = NAN } },
                                         { .augment = true, .aug = { .hue = 0.6 } } };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        ck_assert_msg(pith_loader_new(d, t[i]) == NULL, "case %zu was taken", i);
        ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
        pith_ctx_clear(c);
    }
    ck_assert_ptr_null(pith_loader_new(NULL, t[0]));
    pith_loader_free(NULL);
    pith_data_free(NULL);
}
END_TEST

/* ---- Transform ----------------------------------------------------------------------------------------- */

/* The same in doubles, one pixel at a time, from the definition. */
static double triangle(const uint8_t *src, int w, const pithp_variant *v, int size, int x, int y, int k)
{
    double sx = (double)v->w / size, sy = (double)v->h / size, sum = 0, weights = 0;
    double rx = fmax(sx, 1), ry = fmax(sy, 1), cx = (x + 0.5) * sx, cy = (y + 0.5) * sy;
    for (int j = 0; j < v->h; j++)
        for (int i = 0; i < v->w; i++) {
            double a = fmax(0, 1 - fabs(i + 0.5 - cx) / rx) * fmax(0, 1 - fabs(j + 0.5 - cy) / ry);
            sum += a * src[((v->y + j) * w + v->x + i) * 3 + k];
            weights += a;
        }
    return sum / weights;
}

static double clamp(double v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

static void twin(const uint8_t *src, int w, const pithp_variant *v, int size, int x, int y, double mean,
                 double out[3])
{
    double p[3], grey;
    for (int k = 0; k < 3; k++)
        p[k] = triangle(src, w, v, size, v->flip ? size - 1 - x : x, y, k);
    if (v->colour) {
        for (int k = 0; k < 3; k++)
            p[k] = v->brightness * (v->contrast * p[k] + (1 - v->contrast) * mean);
        grey = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        for (int k = 0; k < 3; k++)
            p[k] = v->saturation * p[k] + (1 - v->saturation) * grey;
        if (v->hue != 0) {
            double a = 6.283185307179586 * v->hue;
            double i = 0.595716 * p[0] - 0.274453 * p[1] - 0.321263 * p[2];
            double q = 0.211456 * p[0] - 0.522591 * p[1] + 0.311135 * p[2];
            double luma = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
            double ni = i * cos(a) - q * sin(a), nq = i * sin(a) + q * cos(a);
            p[0] = luma + 0.9563 * ni + 0.6210 * nq;
            p[1] = luma - 0.2721 * ni - 0.6474 * nq;
            p[2] = luma - 1.1070 * ni + 1.7046 * nq;
        }
    }
    for (int k = 0; k < 3; k++)
        out[k] = clamp(p[k]);
}

static double mean_grey(const uint8_t *src, int w, const pithp_variant *v)
{
    double sum = 0;
    int n = 0;
    for (int y = v->h > 2 ? 2 : 0; y < v->h; y += 4)
        for (int x = v->w > 2 ? 2 : 0; x < v->w; x += 4, n++) {
            const uint8_t *p = src + ((v->y + y) * w + v->x + x) * 3;
            sum += 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        }
    return sum / n;
}

static void run(const uint8_t *src, int w, int h, const pithp_variant *v, int size, pith_real *out)
{
    void *memory = aligned_alloc(64, pithp_transform_bytes(size, w, h));
    pithp_transform_run(pithp_transform_at(memory, pithp_isa_best(), size, w, h), src, w, h, v, out);
    free(memory);
}

/* Largest and mean distance from the twin, in grey levels; every value a whole pixel. */
static void compare(int w, int h, const pithp_variant *v, int size, double *worst, double *mean)
{
    uint8_t *src = draw(w, h, 3, (unsigned)(w * h + v->x));
    pith_real *out = malloc(((size_t)size * (size_t)size * 3 + 1) * sizeof *out);
    out[size * size * 3] = 77;
    run(src, w, h, v, size, out);
    ck_assert(out[size * size * 3] == 77); /* nothing behind the end */
    double grey = mean_grey(src, w, v);
    *worst = *mean = 0;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            double p[3];
            twin(src, w, v, size, x, y, grey, p);
            for (int k = 0; k < 3; k++) {
                double found = (double)out[(y * size + x) * 3 + k] * 128 + 128;
                ck_assert(found == floor(found) && found >= 0 && found <= 255);
                *worst = fmax(*worst, fabs(found - p[k]));
                *mean += fabs(found - p[k]) / (size * size * 3);
            }
        }
    free(src);
    free(out);
}

START_TEST(as_its_twin)
{
    pith_augment_cfg strong = pithp_augment_defaults((pith_augment_cfg){
        .scale_min = 0.05, .brightness = 0.5, .contrast = 0.5, .saturation = 0.8, .hue = 0.2 });
    pith_augment_cfg plain = pithp_augment_defaults(
        (pith_augment_cfg){ .brightness = PITH_ZERO, .contrast = PITH_ZERO, .saturation = PITH_ZERO });
    static const int shapes[][3] = { { 40, 32, 24 }, { 32, 64, 24 }, { 9, 8, 24 },
                                     { 100, 50, 8 }, { 48, 48, 48 }, { 33, 31, 17 } };
    for (size_t s = 0; s < PITHP_LEN(shapes); s++)
        for (int i = -1; i < 24; i++) {
            int w = shapes[s][0], h = shapes[s][1];
            bool jitter = i % 2;
            pithp_variant v = i < 0 ? pithp_variant_eval(w, h, shapes[s][2])
                                    : pithp_variant_draw(jitter ? &strong : &plain, 1, 0, (uint64_t)i, w, h);
            double worst, mean;
            compare(w, h, &v, shapes[s][2], &worst, &mean);
            /* weights out of 256 and two roundings; a strong jitter multiplies what there is */
            double limit = v.colour ? 8 : 2;
            ck_assert_msg(worst <= limit && mean <= limit / 3, "%dx%d, variant %d: worst %g, mean %g", w, h,
                          i, worst, mean);
        }
}
END_TEST

START_TEST(exact_cases)
{
    uint8_t *src = draw(S, S, 3, 5);
    pith_real out[S * S * 3], mirror[S * S * 3];
    pithp_variant v = pithp_variant_eval(S, S, S);
    run(src, S, S, &v, S, out);                         /* nothing to do: the pixels themselves */
    pithp_variant e = pithp_variant_eval(171, 128, 96); /* 7/8 of 128, in the middle */
    ck_assert(e.w == 112 && e.h == 112 && e.x == 29 && e.y == 8 && !e.flip && !e.colour);
    e = pithp_variant_eval(100, 120, 96); /* not below the size that is wanted */
    ck_assert(e.w == 96 && e.h == 96 && e.x == 2 && e.y == 12);
    e = pithp_variant_eval(60, 50, 96); /* all there is */
    ck_assert(e.w == 50 && e.h == 50 && e.x == 5 && e.y == 0);
    for (int i = 0; i < S * S * 3; i++)
        ck_assert((double)out[i] == (src[i] - 128) / 128.0);
    v = (pithp_variant){ .x = 3, .y = 2, .w = 19, .h = 21 };
    run(src, S, S, &v, S, out);
    v.flip = true;
    run(src, S, S, &v, S, mirror);
    for (int y = 0; y < S; y++)
        for (int x = 0; x < S; x++)
            ck_assert(!memcmp(&out[(y * S + x) * 3], &mirror[(y * S + S - 1 - x) * 3], 3 * sizeof *out));
    free(src);
    for (int level = 0; level < 256;
         level += 5) { /* a constant stays one, whatever the crop; brightness scales it */
        uint8_t flat[50 * 40 * 3];
        memset(flat, level, sizeof flat);
        pithp_variant k = { .x = level % 9, .y = level % 7, .w = 10 + level % 30, .h = 7 + level % 25 };
        run(flat, 50, 40, &k, S, out);
        for (int i = 0; i < S * S * 3; i++)
            ck_assert((double)out[i] == (level - 128) / 128.0);
        k.colour = true;
        k.brightness = 0.75, k.contrast = 1.3, k.saturation = 0.6, k.hue = 0.1;
        run(flat, 50, 40, &k, S, out);
        for (int i = 0; i < S * S * 3; i++)
            ck_assert_double_le(fabs((double)out[i] * 128 + 128 - level * 0.75), 1.01);
    }
}
END_TEST

/* Crops lie in the image, have the area and the ratio asked for, and depend on seed, epoch and sample. */
START_TEST(variants)
{
    pith_augment_cfg a = pithp_augment_defaults((pith_augment_cfg){ 0 });
    int flips = 0, same = 0;
    double area = 0, bright = 0;
    pithp_variant last = { 0 };
    for (int i = 0; i < 20000; i++) {
        int w = 60 + i % 100, h = 60 + i % 37;
        pithp_variant v = pithp_variant_draw(&a, 1, 0, (uint64_t)i, w, h);
        ck_assert(v.x >= 0 && v.y >= 0 && v.w >= 1 && v.h >= 1 && v.x + v.w <= w && v.y + v.h <= h);
        double share = (double)v.w * v.h / (w * h), ratio = (double)v.w / v.h;
        ck_assert(share > 0.33 && ratio > 0.72 && ratio < 1.39);
        area += share / 20000;
        bright += v.brightness / 20000;
        flips += v.flip;
        same += v.x == last.x && v.y == last.y && v.w == last.w;
        last = v;
        ck_assert(v.brightness >= 0.8 && v.brightness <= 1.2 && v.contrast >= 0.8 && v.saturation <= 1.2 &&
                  v.hue == 0);
        pithp_variant again = pithp_variant_draw(&a, 1, 0, (uint64_t)i, w, h);
        ck_assert(again.x == v.x && again.w == v.w && again.flip == v.flip && again.contrast == v.contrast);
    }
    ck_assert_msg(area > 0.5 && area < 0.7, "mean area %g",
                  area); /* wide images take no large crop of such ratios */
    ck_assert_double_le(fabs(bright - 1), 0.01);
    ck_assert_int_le(abs(flips - 10000), 300);
    ck_assert_int_lt(same, 100);
    pithp_variant v = pithp_variant_draw(&a, 1, 0, 5, 100, 100),
                  e = pithp_variant_draw(&a, 1, 1, 5, 100, 100);
    pithp_variant s = pithp_variant_draw(&a, 2, 0, 5, 100, 100);
    ck_assert(v.brightness != e.brightness && v.brightness != s.brightness);
    a = pithp_augment_defaults(
        (pith_augment_cfg){ .flip = PITH_ZERO, .scale_min = 1, .ratio_min = 1, .ratio_max = 1 });
    v = pithp_variant_draw(&a, 1, 0, 5, 100, 60);
    ck_assert(v.w == 60 && v.h == 60 && v.x == 20 && !v.flip); /* no such crop: the largest in the middle */
}
END_TEST

/* A file seen by `predict` and the same file in a validation batch are the same numbers. */
START_TEST(one_file)
{
    make_set("one", 2, 6);
    put_picture(at("one/a/large.jpg"), JPG, 300, 200, 8);
    pith_data *set =
        pith_data_images(c, at("one"), (pith_images_cfg){ .size = S, .val = 0.5, .cache = at("one.pack") });
    ck_assert_msg(set != NULL, "%s", pith_error_text(c));
    for (int split = 0; split < 2; split++) {
        pith_loader *l = pith_loader_new(set, (pith_loader_cfg){ .split = (pith_split)split, .batch = 1 });
        pith_batch b;
        while (pith_loader_next(l, &b)) {
            pith_real x[S * S * 3];
            const char *path = pith_data_at(set, b.samples[0]).path;
            ck_assert_int_eq(pith_data_image_load(c, at("one/%s", path), S, x), PITH_OK);
            ck_assert(!memcmp(x, b.x, sizeof x));
        }
    }
    pith_real x[S * S * 3];
    put(at("text.jpg"), "this is no picture", 18);
    ck_assert_int_eq(pith_data_image_load(c, at("text.jpg"), S, x), PITH_EFORMAT);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "text file"));
    pith_ctx_clear(c);
    ck_assert_int_eq(pith_data_image_load(c, at("absent.jpg"), S, x), PITH_ENOTFOUND);
    pith_ctx_clear(c);
    ck_assert_int_eq(pith_data_image_load(c, at("one"), S, x), PITH_EINVAL);
    pith_ctx_clear(c);
    ck_assert_int_eq(pith_data_image_load(c, at("text.jpg"), 5, x), PITH_EINVAL);
    pith_ctx_clear(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loader");
    TCase *t = suite_case(s, "loader");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, same_for_any_threads);
    tcase_add_test(t, resumed_anywhere);
    tcase_add_test(t, every_image_once);
    tcase_add_test(t, no_allocation_and_quick_ends);
    tcase_add_test(t, absurd_options);
    tcase_add_test(t, as_its_twin);
    tcase_add_test(t, exact_cases);
    tcase_add_test(t, variants);
    tcase_add_test(t, one_file);
    return suite_run("loader", s);
}
