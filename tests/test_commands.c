/* `pith run`, `import` and `plan`, as they are called. */
#include "runner_help.h"
#include <jansson.h>
#include <math.h>
#include <pith/pith.h>
#include <sys/wait.h>

static char said[1 << 16];

/* Runs `pith ARGS`; its status, and what it said in said[]. */
static int pith(const char *fmt, ...)
{
    char args[2048], line[8192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    const char *top = getenv("top_builddir");
    snprintf(line, sizeof line, "%s/pith %s 2>&1", top ? top : ".", args);
    FILE *f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(said, 1, sizeof said - 1, f);
    said[n] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(int status, int want, const char *words)
{
    suite_check(status == want && strstr(said, words), "status %d, \"%s\"; expected %d, \"%s\"", status, said,
                want, words);
}

/* A 24-bit BMP of side 32. */
static const char *write_picture(void)
{
    enum { SIDE = 32, BYTES = 54 + SIDE * SIDE * 3 };
    static uint8_t p[BYTES] = { 'B', 'M', BYTES & 255, BYTES >> 8, 0, 0, 0, 0,    0, 0, 54, 0, 0, 0, 40,
                                0,   0,   0,           SIDE,       0, 0, 0, SIDE, 0, 0, 0,  1, 0, 24 };
    for (int i = 54; i < BYTES; i++)
        p[i] = (uint8_t)(i * 37 ^ i >> 3);
    const char *path = in_dir("picture.bmp");
    ck_assert_int_eq(pithp_file_write(ctx, path, p, BYTES), PITH_OK);
    return path;
}

static json_t *object(void)
{
    json_t *j = json_loads(said, 0, NULL);
    ck_assert_msg(json_is_object(j), "not one JSON object: %s", said);
    return j;
}

START_TEST(command_run)
{
    const char *picture = write_picture(), *pith_file = in_dir("c.pith"), *tfl = in_dir("c.tflite"),
               *float_file = in_dir("f.tflite"), *bytes = in_dir("input.bin");
    pith_model *q = quantized("efnet-nano", 32), *m = family("resnet8", 32);
    pith_model_set_meta(q, "classes", "[\"ant\",\"bee\",\"c\"]");
    ck_assert_int_eq(pith_model_save(q, pith_file, false), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(q, tfl, (pith_export_cfg){ 0 }), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(m, float_file, (pith_export_cfg){ 0 }), PITH_OK);
    json_t *first = NULL;
    for (int i = 0; i < 2; i++) {
        expect(pith("run %s %s --json --dump-input %s", i ? tfl : pith_file, picture, bytes), 0, "output_q");
        json_t *j = object(), *p = json_object_get(j, "probabilities"), *o = json_object_get(j, "output_q");
        ck_assert(json_array_size(p) == 3 && json_array_size(o) == 3);
        const char *name = json_string_value(json_object_get(j, "class"));
        ck_assert(name && (!strcmp(name, "ant") || !strcmp(name, "bee") || !strcmp(name, "c")));
        double sum = 0;
        for (size_t k = 0; k < 3; k++)
            sum += json_real_value(json_array_get(p, k));
        ck_assert(fabs(sum - 1) < 1e-6);
        size_t n;
        int8_t *in = (int8_t *)slurp(bytes, &n);
        pith_real *x = malloc(32 * 32 * 3 * sizeof *x);
        ck_assert_int_eq(pith_data_image_load(ctx, picture, 32, x), PITH_OK);
        ck_assert_uint_eq(n, 32 * 32 * 3);
        for (size_t k = 0; k < n; k++)
            suite_check(in[k] == (int8_t)lround((double)x[k] * 128), "input byte %zu", k);
        free(in), free(x);
        if (first)
            ck_assert(json_equal(first, j));
        else
            first = json_incref(j);
        json_decref(j);
    }
    json_decref(first);
    expect(pith("run %s %s --json --dump-input %s", float_file, picture, bytes), 0, "\"probabilities\"");
    ck_assert_ptr_null(strstr(said, "output_q"));
    size_t n;
    free(slurp(bytes, &n));
    ck_assert_uint_eq(n, 32 * 32 * 3 * sizeof(float));
    expect(pith("run %s %s", tfl, picture), 0, "%");
    expect(pith("run %s %s", tfl, in_dir("none.jpg")), 1, "none.jpg");
    expect(pith("run %s %s", picture, picture), 1, "picture.bmp");
    expect(pith("run %s", tfl), 2, "usage");
    expect(pith("run %s %s --dump-input /nowhere/x", tfl, picture), 1, "/nowhere/x: cannot be written");
}
END_TEST

START_TEST(command_import)
{
    const char *tfl = in_dir("i.tflite"), *flt = in_dir("g.tflite"), *out = in_dir("out.pith"),
               *again = in_dir("out.tflite");
    pith_model *q = quantized("resnet8", 32), *m = family("resnet8", 32);
    ck_assert_int_eq(pith_export_tflite(q, tfl, (pith_export_cfg){ 0 }), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(m, flt, (pith_export_cfg){ 0 }), PITH_OK);
    expect(pith("import %s", tfl), 0, "int8");
    expect(pith("import %s --json -o %s", tfl, again), 0, "\"numbers\":\"int8\"");
    json_t *j = object();
    ck_assert(json_array_size(json_object_get(j, "input")) == 4 &&
              json_integer_value(json_object_get(j, "macs")) > 0);
    json_decref(j);
    expect(pith("import %s -o %s", tfl, out), 1, "a model of int8");
    expect(pith("import %s -o %s", flt, out), 0, "float32");
    pith_model *got = pith_model_load(ctx, out);
    suite_check(got != NULL, "%s", pith_error_text(ctx));
    ck_assert_int_eq(pith_model_info(got).macs, pith_model_info(m).macs);
    expect(pith("import %s -o %s/x.txt", flt, suite_dir()), 2, "ends in none of");
    expect(pith("import %s", in_dir("none.tflite")), 1, "none.tflite");
    uint8_t junk[100] = "....TFL3";
    ck_assert_int_eq(pithp_file_write(ctx, tfl, junk, sizeof junk), PITH_OK);
    expect(pith("import %s", tfl), 1, "damaged");
    expect(pith("import"), 2, "usage");
}
END_TEST

START_TEST(command_plan)
{
    expect(pith("plan efnet-nano --flash 1M --ram 512k"), 0, "fits");
    expect(pith("plan efnet-nano --flash 128k --ram 64k"), 1, "would fit, trained anew");
    expect(pith("plan efnet-nano --flash 128k --ram 64k --json"), 1, "\"fits\":false");
    json_t *j = object(), *w = json_object_get(j, "would_fit");
    ck_assert(json_array_size(w) > 0 && json_array_size(json_object_get(j, "layers")) > 10);
    for (size_t i = 0; i < json_array_size(w); i++) { /* what is said to fit does */
        json_t *one = json_array_get(w, i);
        ck_assert_int_le(json_integer_value(json_object_get(one, "flash")), 128 * 1024);
        char width[32];
        snprintf(width, sizeof width, "%.17g", json_real_value(json_object_get(one, "width")));
        expect(pith("plan efnet-nano --flash 128k --ram 64k --width %s --image-size %lld -q", width,
                    (long long)json_integer_value(json_object_get(one, "image_size"))),
               0, "fits");
    }
    json_decref(j);
    expect(pith("plan efnet-nano --flash 1k"), 1, "no smaller efnet-nano fits");
    expect(pith("plan efnet-nano --flash much"), 2, "a size is expected");
    expect(pith("plan efnet-nano --ram -5k"), 2, "a size is expected");
    expect(pith("plan efnet-nanno"), 1, "efnet-nanno");
    pith_model *q = quantized("resnet8", 32);
    const char *tfl = in_dir("p.tflite");
    ck_assert_int_eq(pith_export_tflite(q, tfl, (pith_export_cfg){ 0 }), PITH_OK);
    expect(pith("plan %s --ram 128k", tfl), 0, "fits");
    expect(pith("plan %s --ram 1k", tfl), 1, "too much");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("commands");
    TCase *t = suite_case(s, "commands");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, command_run);
    tcase_add_test(t, command_import);
    tcase_add_test(t, command_plan);
    return suite_run("commands", s);
}
