/* Floor 7: .tflite files with int8 weights and float activations; LiteRT runs them in tests/interop. */
#include "export_help.h"
#include "tflite_help.h"
#include <pith/quant.h>

static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    x = conv_bn(m, x, user); /* its end, a dense layer, becomes the image's gate */
    x = pith_nn_conv2d(m, "c", pith_reshape(x, PITH_SHAPE(0, 1, 1, 3)), (pith_conv2d_cfg){ .out = 4 });
    x = pith_nn_depthwise_conv2d(m, "dw", x, (pith_conv2d_cfg){ .kernel = 1 });
    return pith_flatten(x);
}

static pith_model *dynamic_model(const char *skip)
{
    pith_model *m = model_of(net, NULL);
    pith_quant_cfg cfg = { .scheme = PITH_SCHEME_DYNAMIC, .skip = skip };
    suite_check(pith_quantize(m, NULL, cfg) == PITH_OK, "%s", pith_error_text(ctx));
    return m;
}

static void export_dynamic(pith_model *m, const char *path)
{
    suite_check(pith_export_tflite(m, path, (pith_export_cfg){ 0 }) == PITH_OK, "%s", pith_error_text(ctx));
    open_file(path);
}

/* Layers are written as one op each; their weights are the int8 numbers that the model computes with. */
START_TEST(types_and_versions)
{
    static const struct {
        int code, version, axis, scales;
    } want[] = { { TFL_CONV_2D, 5, 0, 4 }, { TFL_MEAN, 1, 0, 0 },    { TFL_FULLY_CONNECTED, 9, 0, 1 },
                 { TFL_RESHAPE, 1, 0, 0 }, { TFL_CONV_2D, 5, 0, 4 }, { TFL_DEPTHWISE_CONV_2D, 6, 3, 4 },
                 { TFL_RESHAPE, 1, 0, 0 } };
    pith_model *m = dynamic_model(NULL);
    export_dynamic(m, in_dir("dynamic.tflite"));
    ck_assert_uint_eq(n_ops(), PITHP_LEN(want));
    for (size_t i = 0; i < n_ops(); i++) {
        suite_check(code_of(i) == want[i].code && version_of(i) == want[i].version, "op %zu: %d, version %d",
                    i, (int)code_of(i), (int)version_of(i));
        ck_assert_int_eq(type(input_of(i, 0)), TFL_FLOAT32);
        if (!want[i].scales)
            continue;
        size_t w = input_of(i, 1);
        ck_assert_int_eq(type(w), TFL_INT8);
        ck_assert_uint_eq(scales(w), want[i].scales);
        ck_assert_int_eq(axis(w), want[i].axis);
        ck_assert_int_eq(type(input_of(i, 2)), TFL_FLOAT32);
    }
    ck_assert_int_eq(option(2, 3, 1, 0), 1); /* asymmetric inputs */
    size_t n;
    const int8_t *q = data_of(input_of(4, 1), &n);
    const pith_real *w = pith_values(pith_model_find(m, "c.weight"));
    size_t v = fb_ref(file, quant(input_of(4, 1)), TFL_QUANT_SCALE);
    ck_assert_uint_eq(n, 12);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)fb_at(file, v + 4 + 4 * (i / 3), 4);
        float scale;
        memcpy(&scale, &bits, 4);
        ck_assert(scale * (float)q[i] == (float)w[i]);
    }
}
END_TEST

/* A layer that was left out stays float32. */
START_TEST(left_out)
{
    export_dynamic(dynamic_model("c"), in_dir("skip.tflite"));
    ck_assert(code_of(4) == TFL_CONV_2D && version_of(4) == 1 && type(input_of(4, 1)) == TFL_FLOAT32);
    ck_assert(code_of(5) == TFL_DEPTHWISE_CONV_2D && type(input_of(5, 1)) == TFL_INT8);
}
END_TEST

static void refused(pith_model *m, pith_export_cfg cfg, const char *words)
{
    const char *path = in_dir("refused.tflite");
    ck_assert_int_eq(pith_export_tflite(m, path, cfg), PITH_EINVAL);
    expect_error(PITH_EINVAL, words);
    ck_assert_int_ne(access(path, F_OK), 0);
}

START_TEST(refusals)
{
    pith_model *m = dynamic_model(NULL);
    refused(m, (pith_export_cfg){ .numbers = PITH_EXPORT_F32 }, "op dynamic_quant");
    refused(m, (pith_export_cfg){ .numbers = PITH_EXPORT_F16 }, "op dynamic_quant");
    refused(m, (pith_export_cfg){ .numbers = PITH_EXPORT_INT8 }, "only its weights are");
    refused(m, (pith_export_cfg){ .int8_io = true }, "is written with floats");
    ck_assert_int_eq(pith_export_onnx(m, in_dir("refused.onnx"), (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "int8 weights and float activations");
    refused(model_of(net, NULL), (pith_export_cfg){ .numbers = PITH_EXPORT_DYNAMIC }, "--scheme dynamic");
}
END_TEST

static pith_status export_again(void *m, const char *path)
{
    return pith_export_tflite(m, path, (pith_export_cfg){ 0 });
}

START_TEST(no_memory) { whole_at_every_allocation(export_again, dynamic_model(NULL), 30); }
END_TEST

int main(void)
{
    Suite *s = suite_create("tflite dynamic");
    TCase *t = suite_case(s, "dynamic");
    tcase_add_checked_fixture(t, setup, close_file);
    tcase_add_test(t, types_and_versions);
    tcase_add_test(t, left_out);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    return suite_run("tflite_dynamic", s);
}
