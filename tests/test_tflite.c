/* Floor 7: .tflite files of float models, looked at with a reader of the tests' own; LiteRT runs them in tests/interop. */
#include "export_help.h"
#include "tflite_help.h"
#include "graph/model.h"
#include <pith/export.h>
#include <pith/nn.h>
#include <pith/op.h>
#include <math.h>

static void exported(pith_model *m, const char *path)
{
    suite_check(pith_export_tflite(m, path, (pith_export_cfg){ 0 }) == PITH_OK, "%s", pith_error_text(ctx));
    open_file(path);
}

static pith_real *values(pith_model *m, const char *name) { return pith_values(pith_model_find(m, name)); }

START_TEST(folds_and_fuses)
{
    pith_model *m = model_of(conv_bn, NULL);
    for (int k = 0; k < 4; k++) {
        values(m, "stem.conv.bias")[k] = (pith_real)(k + 1);
        values(m, "stem.bn.weight")[k] = (pith_real)(0.5 * k - 1);
        values(m, "stem.bn.bias")[k] = (pith_real)(0.25 * k);
        values(m, "stem.bn.running_mean")[k] = (pith_real)(3 - k);
        values(m, "stem.bn.running_var")[k] = (pith_real)(0.1 + k);
    }
    exported(m, in_dir("folded.tflite"));
    ck_assert_uint_eq(n_ops(), 3);
    ck_assert_int_eq(code_of(0), TFL_CONV_2D);
    ck_assert_int_eq(code_of(1), TFL_MEAN);
    ck_assert_int_eq(code_of(2), TFL_FULLY_CONNECTED);
    ck_assert_int_eq(option(0, 0, 1, 0), TFL_SAME);
    ck_assert_int_eq(option(0, 1, 4, 0), 2);
    ck_assert_int_eq(option(0, 3, 1, 0), TFL_ACT_RELU6);
    ck_assert_int_eq(option(0, 4, 4, 1), 1);
    size_t nw = 0, nb = 0;
    const float *w = data_of(input_of(0, 1), &nw), *b = data_of(input_of(0, 2), &nb);
    ck_assert_uint_eq(nw, 4 * 27 * 4);
    ck_assert_uint_eq(nb, 4 * 4);
    for (int k = 0; k < 4; k++) {
        double scale = (0.5 * k - 1) / sqrt((double)(pith_real)(0.1 + k) + 1e-3);
        suite_check(fabs(b[k] - (0.25 * k + (k + 1 - (3 - k)) * scale)) < 1e-6, "bias %d is %g", k,
                    (double)b[k]);
        for (int i = 27 * k; i < 27 * k + 27; i++)
            suite_check(fabs(w[i] - (double)values(m, "stem.conv.weight")[i] * scale) < 1e-6, "weight %d", i);
    }
    ck_assert_str_eq(fb_text(file, fb_ref(file, tensor(0), TFL_TENSOR_NAME)), "input");
}
END_TEST

START_TEST(activations)
{
    static const struct {
        pith_act act;
        size_t ops;
        int fused;
    } cases[] = { { PITH_LINEAR, 3, TFL_ACT_NONE },
                  { PITH_RELU, 3, TFL_ACT_RELU },
                  { PITH_SILU, 5, TFL_ACT_NONE },
                  { PITH_SIGMOID, 4, TFL_ACT_NONE } };
    for (size_t i = 0; i < PITHP_LEN(cases); i++) {
        pith_act act = cases[i].act;
        pith_model *m = model_of(conv_bn, &act);
        exported(m, in_dir("act.tflite"));
        ck_assert_uint_eq(n_ops(), cases[i].ops);
        ck_assert_int_eq(option(0, 3, 1, 0), cases[i].fused);
        if (act == PITH_SILU)
            ck_assert(code_of(1) == TFL_LOGISTIC && code_of(2) == TFL_MUL);
        pith_model_free(m);
    }
}
END_TEST

/* Explicit padding becomes an op only where neither SAME nor VALID says it. */
static int pads[4];
static pith_tensor *padded(pith_model *m, pith_tensor *x, void *user)
{
    pith_conv2d_cfg cfg = { .out = 2, .kernel = 3, .stride = *(int *)user, .pad_mode = PITH_EXPLICIT };
    memcpy(cfg.pad, pads, sizeof pads);
    return pith_nn_conv2d(m, "c", x, cfg);
}

START_TEST(explicit_padding) /* of 9 x 8 */
{
    static const struct {
        int pads[4], stride, ops, padding, rows[4];
    } cases[] = {
        { { 0, 0, 0, 0 }, 1, 1, TFL_VALID, { 0 } },
        { { 1, 1, 1, 1 }, 1, 1, TFL_SAME, { 0 } },
        { { 1, 1, 0, 1 }, 2, 1, TFL_SAME, { 0 } },
        { { 1, 1, 1, 1 }, 2, 2, TFL_VALID, { 1, 1, 1, 0 } }, /* the last column is never looked at */
        { { 0, 1, 2, 0 }, 1, 2, TFL_VALID, { 0, 1, 2, 0 } },
    };
    for (size_t i = 0; i < PITHP_LEN(cases); i++) {
        int stride = cases[i].stride;
        memcpy(pads, cases[i].pads, sizeof pads);
        pith_model *m = model_of(padded, &stride);
        exported(m, in_dir("pad.tflite"));
        suite_check(n_ops() == (size_t)cases[i].ops, "case %zu: %zu ops", i, n_ops());
        suite_check(option(n_ops() - 1, 0, 1, 0) == cases[i].padding, "case %zu", i);
        if (cases[i].ops == 2) {
            size_t n = 0;
            const int32_t *rows = data_of(input_of(0, 1), &n);
            ck_assert(code_of(0) == TFL_PAD && n == 32);
            ck_assert_mem_eq(rows + 2, cases[i].rows, sizeof cases[i].rows);
        }
        pith_model_free(m);
    }
}
END_TEST

START_TEST(float16)
{
    pith_model *m = model_of(conv_bn, NULL);
    const char *path = in_dir("half.tflite");
    ck_assert_int_eq(pith_export_tflite(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_F16 }), PITH_OK);
    open_file(path);
    ck_assert_uint_eq(n_ops(), 3 + 4);
    size_t n = 0, dequantized = 0;
    for (size_t i = 0; i < n_ops(); i++)
        if (code_of(i) == TFL_DEQUANTIZE) {
            ck_assert_int_eq(fb_int(file, input_of(i, 0), TFL_TENSOR_TYPE, 1, 0), TFL_FLOAT16);
            ck_assert(data_of(input_of(i, 0), &n) != NULL);
            dequantized++;
        }
    ck_assert_uint_eq(dequantized, 4);
    ck_assert_int_eq(pith_export_tflite(m, path, (pith_export_cfg){ .numbers = (pith_export_numbers)9 }),
                     PITH_EINVAL);
    pith_ctx_clear(ctx);
}
END_TEST

START_TEST(not_quantized)
{
    const char *path = in_dir("notyet.tflite");
    pith_model *m = model_of(conv_bn, NULL);
    ck_assert_int_eq(pith_export_tflite(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_INT8 }),
                     PITH_EINVAL);
    expect_error(PITH_EINVAL, "is not quantized");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* The model is as it was, and the same model gives the same bytes. */
START_TEST(changes_nothing)
{
    pith_model *m = model_of(conv_bn, NULL);
    int64_t n;
    const pith_real *w = pith_model_weights(m, &n);
    pith_real *before = malloc((size_t)n * sizeof *before);
    memcpy(before, w, (size_t)n * sizeof *before);
    size_t nodes = m->g->n;
    uint64_t version = m->g->version;
    exported(m, in_dir("once.tflite"));
    blob once = { malloc(file.n), file.n };
    memcpy((void *)(uintptr_t)once.p, file.p, file.n);
    exported(m, in_dir("twice.tflite"));
    ck_assert(file.n == once.n && !memcmp(file.p, once.p, once.n));
    ck_assert(m->g->n == nodes && m->g->version == version);
    ck_assert_int_eq(memcmp(before, w, (size_t)n * sizeof *before), 0);
    free(before);
    free((void *)(uintptr_t)once.p);
}
END_TEST

START_TEST(class_names)
{
    pith_model *m = model_of(conv_bn, NULL);
    pith_model_set_meta(m, "classes", "[\"cat\",\"dog\",\"caf\\u00e9\"]");
    exported(m, in_dir("named.tflite"));
    static const char lines[] = "cat\ndog\ncaf\xc3\xa9\n";
    ck_assert_uint_eq(fb_at((blob){ file.p + file.n - 22, 22 }, 0, 4),
                      0x06054b50); /* the archive ends the file */
    ck_assert(memmem(file.p, file.n, lines, sizeof lines - 1) != NULL);
    static const char *const wrong[] = { "[\"cat\",\"dog\"]", "[1,2,3]", "{}",
                                         "[\"cat\",\"dog\",\"new\\nline\"]", "[\"cat\"" };
    const char *path = in_dir("unnamed.tflite");
    for (size_t i = 0; i < PITHP_LEN(wrong); i++) {
        pith_model_set_meta(m, "classes", wrong[i]);
        suite_check(pith_export_tflite(m, path, (pith_export_cfg){ 0 }) == PITH_EFORMAT, "%s", wrong[i]);
        expect_error(PITH_EFORMAT, "classes");
        ck_assert_int_ne(access(path, F_OK), 0);
    }
}
END_TEST

/* ---- Refusals ---- */
static pith_tensor *strange_pool(pith_model *m, pith_tensor *x, void *user)
{
    (void)m, (void)user;
    return pith_avgpool(
        x, (pith_pool_cfg){ .kernel = 3, .stride = 2, .pad_mode = PITH_EXPLICIT, .pad = { 1, 1, 1, 1 } });
}

static pith_tensor *constant(pith_model *m, pith_tensor *x, void *user)
{
    (void)x, (void)user;
    return pith_relu(pith_nn_param(m, "p", PITH_SHAPE(1, 2), 1, false));
}

static pith_tensor *nothing(pith_model *m, pith_tensor *x, void *user)
{
    (void)m, (void)user;
    return pith_dropout(x, 0.5);
}

START_TEST(refusals)
{
    static const struct {
        pith_net_fn net;
        const char *words;
    } cases[] = { { unknown_op, "op wavelet (layer7)" },
                  { strange_pool, "op avgpool" },
                  { constant, "does not depend on its input" },
                  { nothing, "its output is its input" } };
    const char *path = in_dir("refused.tflite");
    FILE *f = fopen(path, "w");
    fputs("older", f);
    fclose(f);
    for (size_t i = 0; i < PITHP_LEN(cases); i++) {
        pith_model *m = model_of(cases[i].net, NULL);
        ck_assert_int_eq(pith_export_tflite(m, path, (pith_export_cfg){ 0 }), PITH_EINVAL);
        expect_error(PITH_EINVAL, cases[i].words);
        size_t n;
        uint8_t *p = slurp(path, &n);
        ck_assert(n == 5 && !memcmp(p, "older", 5));
        free(p);
        pith_model_free(m);
    }
    pith_model *m = model_of(conv_bn, NULL);
    ck_assert_int_eq(pith_export_tflite(m, in_dir("no/such/folder/x.tflite"), (pith_export_cfg){ 0 }),
                     PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "no/such/folder");
    ck_assert_int_eq(pith_export_tflite(m, suite_dir(), (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "folder");
}
END_TEST

static pith_status export_again(void *m, const char *path)
{
    return pith_export_tflite(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_F16 });
}

START_TEST(no_memory)
{
    pith_model *m = model_of(conv_bn, NULL);
    pith_model_set_meta(m, "classes", "[\"a\",\"b\",\"c\"]");
    whole_at_every_allocation(export_again, m, 30);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tflite");
    TCase *t = suite_case(s, "float");
    tcase_add_checked_fixture(t, setup, close_file);
    tcase_add_test(t, folds_and_fuses);
    tcase_add_test(t, activations);
    tcase_add_test(t, explicit_padding);
    tcase_add_test(t, float16);
    tcase_add_test(t, not_quantized);
    tcase_add_test(t, changes_nothing);
    tcase_add_test(t, class_names);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    return suite_run("tflite", s);
}
