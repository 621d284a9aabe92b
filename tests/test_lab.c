/* The lab: its statistics against values computed by hand, its table of steps, and whole labs on a small drawn set. */
#include "cli/lab.h"
#include "cli/run.h"
#include "fit_help.h"

#include <fcntl.h>
#include <pith/stats.h>
#include <unistd.h>

/* ---- Statistics ---- */
static void near(double got, double want, const char *what)
{
    ck_assert_msg(fabs(got - want) <= 1e-9 + 1e-7 * fabs(want), "%s: %.12g, %.12g expected", what, got, want);
}

/* Wilson's interval is between the roots of (p - x)^2 = z^2 x (1 - x) / n. */
START_TEST(wilson)
{
    static const int64_t cases[][2] = { { 1436, 1560 }, { 1, 2 }, { 9, 10 },
                                        { 0, 7 },       { 7, 7 }, { 1, 1000000 } };
    const double z2 = 1.959963984540054 * 1.959963984540054;
    double low, high;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double n = (double)cases[i][1], p = (double)cases[i][0] / n;
        const double a = 1 + z2 / n, b = -(2 * p + z2 / n), c = p * p, d = sqrt(fmax(0, b * b - 4 * a * c));
        pith_wilson(cases[i][0], cases[i][1], &low, &high);
        near(low, (-b - d) / (2 * a), "low");
        near(high, (-b + d) / (2 * a), "high");
        ck_assert(low >= 0 && high <= 1 && low <= p && p <= high);
    }
    pith_wilson(5, 10, &low, &high); /* as tables have it: 0.2366 to 0.7634 */
    ck_assert(fabs(low - 0.2366) < 5e-5 && fabs(high - 0.7634) < 5e-5);
    pith_wilson(0, 0, &low, &high);
    ck_assert(low == 0 && high == 1);
}
END_TEST

/* Binomial probabilities from Pascal's triangle. */
static double by_triangle(int b, int c)
{
    double row[64] = { 1 }, sum = 0;
    const int n = b + c, few = b < c ? b : c;
    for (int i = 1; i <= n; i++)
        for (int k = i; k > 0; k--)
            row[k] += row[k - 1];
    for (int k = 0; k <= few; k++)
        sum += row[k];
    return fmin(1, 2 * sum / pow(2, n));
}

START_TEST(mcnemar)
{
    near(pith_mcnemar(0, 0), 1, "none");
    near(pith_mcnemar(0, 1), 1, "0 1");
    near(pith_mcnemar(0, 5), 0.0625, "0 5");      /* 2 / 32 */
    near(pith_mcnemar(1, 9), 0.021484375, "1 9"); /* 2 (1 + 10) / 1024 */
    for (int b = 0; b < 25; b++)
        for (int c = 0; c < 25; c++)
            near(pith_mcnemar(b, c), b == c ? 1 : by_triangle(b, c), "triangle");
    /* where 2^-n underflows: the normal approximation with its correction, z = (|b - c| - 1) / sqrt(b + c) */
    const double p = pith_mcnemar(1900, 2100), normal = erfc((200 - 1) / sqrt(4000) / sqrt(2));
    ck_assert_msg(fabs(p - normal) < 1e-4, "%g, %g expected", p, normal);
}
END_TEST

/* ---- The table ---- */
START_TEST(table)
{
    lab l = { .rows = lab_rows, .n = lab_n_rows };
    ck_assert_int_le(l.n, LAB_MOST);
    ck_assert_ptr_null(l.rows[0].from);
    for (int i = 0; i < l.n; i++) {
        const lab_row *r = &l.rows[i];
        int at = -1;
        for (int k = 0; k < i; k++)
            suite_check(strcmp(l.rows[k].id, r->id) != 0, "%s is there twice", r->id);
        suite_check(strspn(r->id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(r->id),
                    "%s: no name of a folder", r->id);
        suite_check(i == 0 || (lab_find(&l, r->from, &at) != NULL && at < i),
                    "%s: its parent does not stand before it", r->id);
        suite_check((r->epochs > 0) == (strcmp(r->verb, "quantize") != 0 || r->then != NULL),
                    "%s: trains or not?", r->id);
    }
}
END_TEST

/* Each row's words are words of its verb. */
START_TEST(words)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1 });
    pith_data *d = fit_data(c);
    for (int i = 0; i < lab_n_rows; i++) {
        lab l = { .rows = lab_rows, .n = lab_n_rows, .c = c, .d = d, .first = "stem", .head = "head" };
        lab_job j = { .l = &l, .row = &lab_rows[i], .epochs = lab_rows[i].epochs > 0 };
        int weights, activations;
        suite_check(lab_words(&j), "%s: %s", lab_rows[i].id, l.reason);
        json_decref(j.args);
        lab_bits(&l, &lab_rows[i], &weights, &activations);
        suite_check(weights >= 2 && weights <= 32 && activations >= 4 && activations <= 32, "%s: %d, %d bits",
                    lab_rows[i].id, weights, activations);
        if (strcmp(lab_rows[i].id, "qat-w4a8") == 0)
            ck_assert(weights == 4 && activations == 8);
    }
    pith_ctx_free(c);
}
END_TEST

/* ---- Whole labs ---- */
/* Every way of making a step; one that cannot be, for it names a layer that is not there, and its child. */
#define STEP(id, family, from, verb, words, then, epochs, out)         \
    {                                                                  \
        id, id, family, from, verb, words, then, epochs, 1, 0, out, "" \
    }
static const lab_row rows[] = {
    STEP("float", "float", NULL, "train", "", NULL, 4, LAB_TFLITE),
    STEP("float16", "cast", "float", "quantize", "--scheme float16", NULL, 0, LAB_TFLITE_HALF),
    STEP("dynamic", "cast", "float", "quantize", "--scheme dynamic", NULL, 0, LAB_TFLITE),
    STEP("bad", "prune", "float", "prune", "--target 0.5 --skip nosuch", NULL, 1, LAB_TFLITE),
    STEP("bad-int8", "combination", "bad", "quantize", "", NULL, 0, LAB_TFLITE),
    STEP("ptq", "ptq", "float", "quantize", "", NULL, 0, LAB_TFLITE),
    STEP("qat", "qat", "float", "qat", "", NULL, 2, LAB_TFLITE),
    STEP("code4", "codebook", "float", "quantize", "--scheme codebook --bits-weights 4", "--lr 0.001", 1,
         LAB_PACK_HALF),
    STEP("prune80", "prune", "float", "prune", "--target 0.8 --layers HEAD=0.5 --per-layer --lr 0.03", NULL,
         2, LAB_TFLITE),
    STEP("channels", "channels", "float", "prune",
         "--granularity channel --remove --multiple 1 --target 0.3 --lr 0.03", NULL, 1, LAB_TFLITE),
    STEP("student", "distill", "float", "distill", "--width 0.5", NULL, 2, LAB_TFLITE),
    STEP("prune80-int8", "combination", "prune80", "quantize", "", NULL, 0, LAB_TFLITE),
};
enum { ROWS = sizeof rows / sizeof *rows };

typedef struct {
    lab l;
    volatile int stop;
    int stop_after, steps; /* training steps until it is interrupted; 0: never */
} setup;

static void watch(void *user, const lab_row *row, const pith_progress *p)
{
    setup *s = user;
    s->steps += p->event == 's';
    if (s->stop_after > 0 && s->steps >= s->stop_after)
        s->stop = 1;
}

static setup *begin(const char *out, const char *only)
{
    setup *s = calloc(1, sizeof *s);
    s->l = (lab){ .k = { .quiet = true, .seed = 5, .threads = 1 },
                  .data = "drawn",
                  .model = "mobilenet-v1",
                  .out = out,
                  .only = only,
                  .minutes = 1,
                  .points = 1,
                  .epochs = 4,
                  .net = { .width = 0.1, .depth = 0.2 },
                  .rows = rows,
                  .n = ROWS,
                  .stop = &s->stop,
                  .watch = watch,
                  .watch_user = s };
    s->l.c = pith_ctx_new((pith_ctx_cfg){ .seed = 5, .threads = 1 });
    s->l.d = fit_data(s->l.c);
    return s;
}

/* What a lab prints goes nowhere here. */
static int go(setup *s)
{
    fflush(stdout);
    fflush(stderr);
    const int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    const int status = lab_go(&s->l);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(null);
    return status;
}

static void end(setup *s)
{
    pith_ctx_free(s->l.c);
    free(s);
}

static int run(const char *out, const char *only, int *steps)
{
    setup *s = begin(out, only);
    const int status = go(s);
    *steps = s->steps;
    end(s);
    return status;
}

static json_t *result(const char *out, const char *id)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/steps/%s/result.json", out, id);
    return json_load_file(path, 0, NULL);
}

static void status_is(const char *out, const char *id, const char *want)
{
    json_t *j = result(out, id);
    const char *is = json_string_value(json_object_get(j, "status")),
               *why = json_string_value(json_object_get(j, "reason"));
    ck_assert_msg(is != NULL && strcmp(is, want) == 0, "%s: %s (%s), %s expected", id, is ? is : "no result",
                  why ? why : "", want);
    json_decref(j);
}

/* What must not depend on where a lab was interrupted, nor on the machine's speed. */
static void same_results(const char *a, const char *b)
{
    static const char *const keys[] = { "status",  "accuracy",   "correct",        "ci95",  "mcnemar",
                                        "bytes",   "parameters", "nonzero",        "macs",  "arena",
                                        "weights", "energy_mj",  "export_checked", "inputs" };
    for (int i = 0; i < ROWS; i++) {
        json_t *x = result(a, rows[i].id), *y = result(b, rows[i].id);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const json_t *u = json_object_get(x, keys[k]), *v = json_object_get(y, keys[k]);
            suite_check(u == v || json_equal(u, v), "%s: %s differs", rows[i].id, keys[k]);
        }
        json_decref(x);
        json_decref(y);
    }
}

/* layers.json: quantized steps tell what rounding leaves of each layer, integers where they lie in memory. */
static void layers_are_told(const char *out, const char *id, bool weights, bool results)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/steps/%s/layers.json", out, id);
    json_t *j = json_load_file(path, 0, NULL), *e;
    size_t i, with[6] = { 0 };
    static const char *const keys[] = { "weight_histogram",   "weight_histogram_float",
                                        "sqnr_weight_db",     "activation_histogram_float",
                                        "sqnr_activation_db", "sqnr_activation_accumulated_db" };
    json_array_foreach(json_object_get(j, "layers"), i, e) for (size_t k = 0; k < 6; k++) with[k] +=
        json_object_get(e, keys[k]) != NULL;
    suite_check(with[0] > 2, "%s: %zu layers have histograms", id, with[0]);
    suite_check((with[1] > 2) == weights && (with[2] > 2) == weights, "%s: weights of %zu", id, with[2]);
    for (size_t k = 3; k < 6; k++)
        suite_check((with[k] > 2) == results, "%s: %s of %zu", id, keys[k], with[k]);
    int64_t end = 0, arena = json_integer_value(json_object_get(j, "arena"));
    json_array_foreach(json_object_get(j, "memory"), i, e) end =
        PITHP_MAX(end, json_integer_value(json_object_get(e, "offset")) +
                           json_integer_value(json_object_get(e, "bytes")));
    suite_check((end > 0) == results && end <= arena, "%s: %lld bytes of %lld", id, (long long)end,
                (long long)arena);
    json_decref(j);
}

static const char *const good[] = { "float", "float16", "dynamic",  "ptq",     "qat",
                                    "code4", "prune80", "channels", "student", "prune80-int8" };

/* A step's model is gone on with by other verbs as a run's is: its args.json is what its verb writes. */
static void goes_on(const char *out, const char *id)
{
    char path[1024];
    recipe r = { 0 };
    common k = { 0 };
    const char *data = NULL;
    opt known[] = { TEXT("data", 0, data, "", ""), RECIPE_OPTS(r), SCHEDULE_OPTS(r), COMMON_OPTS(k),
                    OPTS_END };
    json_t *keep = NULL;
    snprintf(path, sizeof path, "%s/steps/%s/last.pith", out, id);
    suite_check(run_inherit_qat(path, &r, known, &keep), "%s: its args.json is no recipe", id);
    suite_check(k.seed == 5 && data != NULL, "%s: seed %d, data %s", id, (int)k.seed, data ? data : "none");
    json_decref(keep);
}

/* A step fails, its child is skipped, the others go on; a second run trains nothing; one interrupted again and again ends with
   the same results. */
START_TEST(whole)
{
    const char *once = fit_path("once"), *often = fit_path("often");
    char path[1024];
    int steps, sittings = 0, status;
    ck_assert_int_eq(run(once, NULL, &steps), EXIT_FAILED); /* a step of it has failed */
    const int all = steps;
    ck_assert_int_gt(all, 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        status_is(once, good[i], "done"), goes_on(once, good[i]);
    status_is(once, "bad", "failed");
    status_is(once, "bad-int8", "skipped");
    json_t *j = result(once, "bad");
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(j, "reason")), "nosuch"));
    json_decref(j);

    layers_are_told(once, "float", false, false);
    layers_are_told(once, "code4", false, false);
    layers_are_told(once, "dynamic", true, false);
    layers_are_told(once, "ptq", true, true);
    layers_are_told(once, "qat", true, true);
    layers_are_told(once, "prune80-int8", true, true);

    ck_assert_int_eq(run(once, NULL, &steps), EXIT_FAILED);
    ck_assert_int_eq(steps, 0); /* what failed fails again, before its first step */

    do {
        setup *s = begin(often, NULL);
        s->stop_after = 1;
        status = go(s);
        ck_assert_int_le(s->steps, 1);
        sittings++;
        if (!s->stop) {
            end(s);
            break;
        }
        ck_assert_int_eq(status, EXIT_FAILED);
        end(s);
    } while (sittings < 3 * all);
    ck_assert_int_ge(sittings, all);
    same_results(once, often);

    snprintf(path, sizeof path, "%s/lab.json", once);
    j = json_load_file(path, 0, NULL);
    ck_assert_int_eq((int)json_array_size(json_object_get(j, "steps")), ROWS);
    ck_assert(json_is_string(json_object_get(json_object_get(j, "answer"), "smallest_within")));
    json_decref(j);
}
END_TEST

/* --only takes parents along; what changed is made again, and what comes from it, and nothing else. */
START_TEST(only_what_changed)
{
    const char *out = fit_path("changed");
    int steps;
    ck_assert_int_eq(run(out, "prune80-int8,cast", &steps), EXIT_DONE);
    status_is(out, "prune80", "done");
    ck_assert_ptr_null(result(out, "qat"));
    const int first = steps;
    char path[1024];
    snprintf(path, sizeof path, "%s/steps/prune80/last.pith", out);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(run(out, "prune80-int8,cast", &steps), EXIT_DONE);
    ck_assert(steps > 0 && steps < first); /* prune80 alone */
    snprintf(path, sizeof path, "%s/steps/prune80/layers.json", out);
    ck_assert_int_eq(unlink(path), 0);
    json_t *was = result(out, "prune80");
    ck_assert_int_eq(run(out, "prune80-int8,cast", &steps), EXIT_DONE);
    ck_assert_int_eq(steps, 0); /* looked at again, not made again */
    ck_assert_int_eq(access(path, R_OK), 0);
    json_t *is = result(out, "prune80");
    ck_assert(json_equal(json_object_get(was, "accuracy"), json_object_get(is, "accuracy")));
    ck_assert(json_equal(json_object_get(was, "weights"), json_object_get(is, "weights")));
    ck_assert(json_equal(json_object_get(was, "seconds"), json_object_get(is, "seconds")));
    json_decref(was);
    json_decref(is);
    setup *s = begin(out, "prune80-int8,cast");
    s->l.k.seed = 6;
    ck_assert_int_eq(go(s), EXIT_DONE);
    ck_assert_int_eq(s->steps, first); /* everything */
    end(s);
    s = begin(out, "nosuch");
    ck_assert_int_eq(go(s), EXIT_USAGE);
    end(s);
}
END_TEST

/* The share of the epochs that a budget left stays, to the last bit, however fast the machine is the next time. */
START_TEST(budget_is_kept)
{
    lab_row many[ROWS];
    double scale[2];
    memcpy(many, rows, sizeof rows);
    many[0].epochs = 5000; /* more than the budget has, anywhere */
    for (int i = 0; i < 2; i++) {
        setup *s = begin(fit_path("budget"), "float");
        s->l.rows = many;
        s->l.epochs = 0;
        s->l.minutes = 0.05;
        s->stop_after = 1;
        ck_assert_int_eq(go(s), EXIT_FAILED);
        scale[i] = s->l.scale;
        end(s);
    }
    suite_check(scale[0] > 0 && scale[0] < 1 && scale[0] == scale[1], "%.17g, then %.17g", scale[0],
                scale[1]);
}
END_TEST

/* Three classes, and a float network that is there already. */
START_TEST(three_classes)
{
    enum { N = 60 };
    static uint8_t pixels[N * FIT_SIDE * FIT_SIDE * 3];
    int32_t labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = i % 3;
        fit_draw(pixels + (size_t)i * FIT_SIDE * FIT_SIDE * 3, labels[i] == 1, (uint64_t)i);
    }
    setup *s = begin(fit_path("three"), "ptq");
    pith_data_free(s->l.d);
    s->l.d = pith_data_pixels(s->l.c, pixels, labels, N, FIT_SIDE, FIT_SIDE, NULL, 40, FIT_SIZE);
    ck_assert_int_eq(go(s), EXIT_DONE);
    const int trained = s->steps;
    ck_assert_int_gt(trained, 0);
    char *init = fit_path("three/steps/float/last.pith");
    s->l.init = init;
    s->l.out = fit_path("three-init");
    s->steps = 0;
    ck_assert_int_eq(go(s), EXIT_DONE);
    ck_assert_int_eq(s->steps, 0);
    json_t *a = result(fit_path("three"), "ptq"), *b = result(fit_path("three-init"), "ptq");
    ck_assert(json_equal(json_object_get(a, "weights"), json_object_get(b, "weights")));
    ck_assert(json_equal(json_object_get(a, "accuracy"), json_object_get(b, "accuracy")));
    json_decref(a);
    json_decref(b);
    end(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lab");
    suite_test(s, "wilson", wilson);
    suite_test(s, "mcnemar", mcnemar);
    suite_test(s, "table", table);
    suite_test(s, "words", words);
    suite_test(s, "whole", whole);
    suite_test(s, "only what changed", only_what_changed);
    suite_test(s, "budget is kept", budget_is_kept);
    suite_test(s, "three classes", three_classes);
    return suite_run("lab", s);
}
