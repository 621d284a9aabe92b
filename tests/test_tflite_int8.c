/* Floor 7: .tflite files of integer graphs; TFLite Micro runs them in tests/interop. */
#include "deploy/tflite/int8_emit.h"
#include "int8_sample.h"
#include "tflite_help.h"

static void export_sample(pithp_qgraph *g, const char *path)
{
    suite_check(pithp_tfl_export_int8(g, NULL, path) == PITH_OK, "%s", pith_error_text(ctx));
    open_file(path);
}

START_TEST(ops_and_scales)
{
    export_sample(sample(true), in_dir("int8.tflite"));
    static const int codes[] = { TFL_CONV_2D, TFL_PAD, TFL_DEPTHWISE_CONV_2D, TFL_MEAN, TFL_FULLY_CONNECTED },
                     versions[] = { 3, 2, 3, 2, 4 };
    ck_assert_uint_eq(n_ops(), 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(code_of(i), codes[i]);
        ck_assert_int_eq(version_of(i), versions[i]);
    }
    ck_assert_int_eq(option(0, 0, 1, 0), TFL_SAME);
    ck_assert_int_eq(option(0, 3, 1, 0), TFL_ACT_RELU6);
    ck_assert_int_eq(option(2, 0, 1, 0), TFL_VALID);
    ck_assert_int_eq(option(2, 3, 4, 0), 1); /* depth multiplier */
    /* per-channel along axis 0, 3, and none; biases one-dimensional, so along 0 */
    ck_assert(type(input_of(0, 0)) == TFL_INT8 && scales(input_of(0, 0)) == 1 &&
              zero_point(input_of(0, 0), 0) == 0);
    ck_assert(type(input_of(0, 1)) == TFL_INT8 && scales(input_of(0, 1)) == 4 && axis(input_of(0, 1)) == 0);
    ck_assert(type(input_of(0, 2)) == TFL_INT32 && scales(input_of(0, 2)) == 4 && axis(input_of(0, 2)) == 0);
    ck_assert(scales(input_of(2, 1)) == 4 && axis(input_of(2, 1)) == 3);
    ck_assert(scales(input_of(2, 2)) == 4 && axis(input_of(2, 2)) == 0);
    ck_assert(scales(input_of(4, 1)) == 1 && axis(input_of(4, 1)) == 0);
    ck_assert_int_eq(zero_point(input_of(4, 0), 0), 1);
    ck_assert_int_eq(zero_point(input_of(1, 0), 0),
                     -128); /* the rows of PAD are zeroes: its operand's zero point */
    ck_assert_int_eq(zero_point(input_of(2, 0), 0), -128);
    size_t n = 0;
    const int32_t *b = data_of(input_of(0, 2), &n);
    ck_assert(n == 16 && b[1] == -7 && b[3] == 100);
}
END_TEST

/* A layer without bias gets zeroes with the scales of one. */
START_TEST(zero_bias)
{
    export_sample(sample(false), in_dir("nobias.tflite"));
    size_t n = 0, t = input_of(0, 2);
    const int32_t *b = data_of(t, &n);
    ck_assert(n == 16 && !b[0] && !b[1] && !b[2] && !b[3]);
    ck_assert_uint_eq(scales(t), 4);
    size_t v = fb_ref(file, quant(t), TFL_QUANT_SCALE);
    for (size_t k = 0; k < 4; k++) {
        float want = pixel * (0.001f * (float)(k + 1));
        uint32_t bits;
        memcpy(&bits, &want, 4);
        ck_assert_uint_eq((uint32_t)fb_at(file, v + 4 + 4 * k, 4), bits);
    }
}
END_TEST

START_TEST(refusals)
{
    const char *path = in_dir("refused.tflite");
    pithp_qgraph *g = sample_table();
    int x;
    ck_assert_int_eq(pithp_tfl_export_int8(g, NULL, path), PITH_EINVAL);
    expect_error(PITH_EINVAL, "(layer3)");
    g = pithp_qgraph_new(ctx, "pool");
    x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 9, 9, 2), (pithp_qparam){ pixel, 0 });
    pithp_qattr a = { .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1, 1, 0 } };
    pithp_q_output(g, pithp_q_op(g, &pithp_qop_avgpool, "layer4", &x, 1, &a, (pithp_qparam){ 0 }));
    ck_assert_int_eq(pith_ctx_status(ctx), PITH_OK);
    ck_assert_int_eq(pithp_tfl_export_int8(g, NULL, path), PITH_EINVAL);
    expect_error(PITH_EINVAL, "(layer4)");
    g = pithp_qgraph_new(ctx, "no output");
    pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ pixel, 0 });
    ck_assert_int_eq(pithp_tfl_export_int8(g, NULL, path), PITH_EINVAL);
    expect_error(PITH_EINVAL, "outputs");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

static pith_status export_again(void *g, const char *path) { return pithp_tfl_export_int8(g, NULL, path); }

START_TEST(no_memory) { whole_at_every_allocation(export_again, sample(false), 30); }
END_TEST

int main(void)
{
    Suite *s = suite_create("tflite int8");
    TCase *t = suite_case(s, "int8");
    tcase_add_checked_fixture(t, setup, close_file);
    tcase_add_test(t, ops_and_scales);
    tcase_add_test(t, zero_bias);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    return suite_run("tflite_int8", s);
}
