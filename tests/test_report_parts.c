/* The report's parts: the front, Holm's correction, calibration, names that do not collide, pictures as PNG. */
#include "report/labels.h"
#include "report/picture.h"
#include "report/run.h"
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What the numbers support ---------------------------------------------------------------------------- */
/* A point is on the front when no other is at least as good in both and better in one. */
START_TEST(front_by_force)
{
    enum { N = 40 };
    srand(3);
    for (int round = 0; round < 300; round++) {
        double x[N], y[N];
        bool front[N];
        int n = 1 + rand() % N;
        for (int i = 0; i < n; i++) {
            x[i] = rand() % 12; /* ties, too */
            y[i] = rand() % 12;
            if (rand() % 9 == 0)
                x[i] = NAN;
        }
        pithp_front(x, y, n, front);
        for (int i = 0; i < n; i++) {
            int better = 0;
            for (int k = 0; k < n; k++)
                better += (x[k] < x[i] && y[k] >= y[i]) || (x[k] == x[i] && y[k] > y[i]);
            suite_check(front[i] == (!isnan(x[i]) && better == 0), "round %d, point %d", round, i);
        }
    }
}
END_TEST

START_TEST(holm)
{
    double p[] = { 0.01, NAN, 0.04, 0.03 }, adjusted[4];
    pithp_holm(p, 4, adjusted);
    ck_assert(fabs(adjusted[0] - 0.03) < 1e-12 && isnan(adjusted[1]) && fabs(adjusted[2] - 0.06) < 1e-12 &&
              fabs(adjusted[3] - 0.06) < 1e-12);
}
END_TEST

START_TEST(calibration)
{
    int32_t label[] = { 0, 1, 1, 0 }, predicted[] = { 0, 1, 0, 0 };
    double p[] = { 0.9, 0.1, 0.2, 0.8, 0.75, 0.25, 0.92, 0.08 };
    pithp_answers a = { .label = label, .predicted = predicted, .p = p, .n = 4, .classes = 2 };
    pithp_bin bin[10];
    /* bins (0.7,0.8]: 0.8 right, 0.75 wrong; (0.8,0.9]: 0.9 right; (0.9,1]: 0.92 right */
    double ece = pithp_reliability(&a, bin, 10), want = (fabs(1.55 - 1) + fabs(0.9 - 1) + fabs(0.92 - 1)) / 4;
    ck_assert_msg(fabs(ece - want) < 1e-6, "%g, not %g", ece, want);
    ck_assert(bin[7].n == 2 && fabs(bin[7].confidence - 0.775) < 1e-6 && bin[7].accuracy == 0.5 &&
              isnan(bin[0].accuracy));
}
END_TEST

/* Names neither cover each other nor signs, wherever the points are. */
START_TEST(labels)
{
    srand(5);
    for (int round = 0; round < 100; round++) {
        pithp_label l[20];
        int n = 1 + rand() % 20;
        for (int i = 0; i < n; i++)
            l[i] = (pithp_label){
                .x = 40 + rand() % 820, .y = 30 + rand() % 400, .width = 30 + rand() % 90, .height = 13
            };
        pithp_labels_place(l, n, 7, 0, 0, 900, 460);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n && l[i].shown; k++) {
                bool apart = k == i || !l[k].shown || l[i].left + l[i].width <= l[k].left ||
                             l[k].left + l[k].width <= l[i].left || l[i].top + 13 <= l[k].top ||
                             l[k].top + 13 <= l[i].top;
                bool free_of_sign = l[i].left >= l[k].x + 7 || l[i].left + l[i].width <= l[k].x - 7 ||
                                    l[i].top >= l[k].y + 7 || l[i].top + 13 <= l[k].y - 7;
                suite_check(apart && free_of_sign && l[i].left >= 0 && l[i].left + l[i].width <= 900,
                            "round %d: %d over %d", round, i, k);
            }
    }
    double y[] = { 10, 11, 12, 90, 91 };
    pithp_labels_spread(y, 5, 14, 0, 100);
    for (int i = 1; i < 5; i++)
        ck_assert_msg(y[i] - y[i - 1] >= 14 - 1e-9, "%g %g", y[i - 1], y[i]);
    ck_assert(y[0] >= -1e-9 && y[4] <= 100 + 1e-9);
}
END_TEST

/* What is written as PNG is read back by the decoder, pixel for pixel. */
START_TEST(png)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { SIDE = 40 };
    uint8_t pixels[SIDE * SIDE * 3], file[SIDE * SIDE * 4 + 200];
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pithp_pool pool = { .c = c };
    pithp_work w = { .c = c };
    pithp_picture out;
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        pixels[i] = (uint8_t)(i * i / 7 + (i >> 5));
    char *uri = pithp_pixels_uri(&pool, pixels, SIDE, SIDE * 3, 3);
    ck_assert(uri != NULL && strncmp(uri, "data:image/png;base64,", 22) == 0);
    size_t n = 0;
    for (const char *s = uri + 22; *s && *s != '='; s += 4) {
        uint32_t v = 0;
        int have = 0;
        for (int k = 0; k < 4; k++) {
            const char *d = s[k] != 0 && s[k] != '=' ? strchr(digits, s[k]) : NULL;
            v = v << 6 | (uint32_t)(d != NULL ? d - digits : 0);
            have += d != NULL;
        }
        for (int k = 0; k < have - 1; k++)
            file[n++] = (uint8_t)(v >> (16 - 8 * k));
    }
    const char *reason = pithp_decode(&w, file, n, SIDE, 1000000, &out);
    ck_assert_msg(reason == NULL, "%s", reason);
    ck_assert(out.width == SIDE && out.height == SIDE);
    ck_assert_int_eq(memcmp(out.pixels, pixels, sizeof pixels), 0);
    ck_assert_ptr_null(pithp_picture_uri(&pool, &w, "/nowhere/x.png", SIDE));
    ck_assert_int_eq(pith_ctx_status(c), PITH_OK); /* a picture that is not there is no error */
    pithp_work_free(&w);
    pithp_pool_free(&pool);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report parts");
    suite_test(s, "front", front_by_force);
    suite_test(s, "holm", holm);
    suite_test(s, "calibration", calibration);
    suite_test(s, "labels", labels);
    suite_test(s, "png", png);
    return suite_run("report_parts", s);
}
