/* Floor 7: .tflite files of integer graphs; TFLite Micro runs them in tests/interop. */
#include "deploy/tflite/int8_emit.h"
#include "export_help.h"
#include "tflite_help.h"

static const float pixel = 1.0f / 128;

/* A convolution, a depthwise one with padding that TensorFlow has no word for, a mean, a dense layer. */
static pithp_qgraph *sample(bool biases)
{
    enum { K = 4 };
    int8_t w[K * 27], dw[9 * K], fc[2 * K];
    float sw[K], sb[K], sd[K], sdb[K], sf = 0.02f, sfb = 0.05f * sf;
    int32_t bias[K] = { 5, -7, 0, 100 };
    for (size_t i = 0; i < sizeof w; i++)
        w[i] = (int8_t)(i * 37 % 255 - 127);
    for (size_t i = 0; i < sizeof dw; i++)
        dw[i] = (int8_t)(i * 91 % 255 - 127);
    for (size_t i = 0; i < sizeof fc; i++)
        fc[i] = (int8_t)(i * 11 - 40);
    for (int k = 0; k < K; k++) {
        sw[k] = 0.001f * (float)(k + 1);
        sb[k] = pixel * sw[k];
        sd[k] = 0.003f * (float)(k + 1);
        sdb[k] = 0.04f * sd[k];
    }
    pithp_qgraph *g = pithp_qgraph_new(ctx, "sample");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 9, 8, 3), (pithp_qparam){ pixel, 0 });
    int y =
        pithp_q_op(g, &pithp_qop_conv2d, "conv",
                   (int[]){ x, pithp_q_const(g, "conv/w", PITH_I8, PITH_SHAPE(K, 3, 3, 3), sw, K, 0, 0, w),
                            biases ? pithp_q_const(g, "conv/b", PITH_I32, PITH_SHAPE(K), sb, K, 0, 0, bias)
                                   : PITHP_QNONE },
                   biases ? 3 : 2, &(pithp_qattr){ .pad = { 1, 1, 1, 1 }, .act = PITHP_QRELU6 },
                   (pithp_qparam){ 0.04f, -128 });
    y = pithp_q_op(g, &pithp_qop_depthwise, "dw",
                   (int[]){ y, pithp_q_const(g, "dw/w", PITH_I8, PITH_SHAPE(1, 3, 3, K), sd, K, 3, 0, dw),
                            pithp_q_const(g, "dw/b", PITH_I32, PITH_SHAPE(K), sdb, K, 0, 0, bias) },
                   3, &(pithp_qattr){ .stride = { 2, 2 }, .pad = { 1, 1, 1, 1 } },
                   (pithp_qparam){ 0.07f, 3 });
    y = pithp_q_op(g, &pithp_qop_mean, "mean", &y, 1, NULL, (pithp_qparam){ 0.05f, 1 });
    y = pithp_q_op(g, &pithp_qop_dense, "head",
                   (int[]){ y, pithp_q_const(g, "head/w", PITH_I8, PITH_SHAPE(2, K), &sf, 1, 0, 0, fc),
                            pithp_q_const(g, "head/b", PITH_I32, PITH_SHAPE(2), &sfb, 1, 0, 0, bias) },
                   3, NULL, (pithp_qparam){ 0.1f, -4 });
    suite_check(pithp_q_output(g, y) == PITH_OK, "%s", pith_error_text(ctx));
    return g;
}

static size_t quant(size_t t) { return fb_ref(file, t, TFL_TENSOR_QUANTIZATION); }
static size_t scales(size_t t) { return fb_len(file, fb_ref(file, quant(t), TFL_QUANT_SCALE)); }
static int64_t axis(size_t t) { return fb_int(file, quant(t), TFL_QUANT_DIMENSION, 4, 0); }
static int64_t type(size_t t) { return fb_int(file, t, TFL_TENSOR_TYPE, 1, 0); }

static int64_t zero_point(size_t t, size_t i)
{
    size_t v = fb_ref(file, quant(t), TFL_QUANT_ZERO_POINT);
    ck_assert_uint_lt(i, fb_len(file, v));
    return (int64_t)fb_at(file, v + 4 + 8 * i, 8);
}

static int64_t version_of(size_t i)
{
    size_t codes = fb_ref(file, fb_root(file), TFL_MODEL_CODES);
    return fb_int(file, fb_item(file, codes, (size_t)fb_int(file, op_at(i), TFL_OPERATOR_CODE, 4, 0)),
                  TFL_CODE_VERSION, 4, 1);
}

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
    pithp_qgraph *g = pithp_qgraph_new(ctx, "table");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ pixel, 0 });
    pithp_q_output(g, pithp_q_op(g, &pithp_qop_table, "layer3", &x, 1, NULL, (pithp_qparam){ pixel, 0 }));
    ck_assert_int_eq(pith_ctx_status(ctx), PITH_OK);
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

START_TEST(no_memory)
{
    const char *path = in_dir("nomem.tflite");
    pithp_qgraph *g = sample(false);
    export_sample(g, in_dir("memory.tflite"));
    size_t bytes = pith_ctx_memory(ctx, NULL);
    int failures = 0;
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        hook.left = failures;
        s = pithp_tfl_export_int8(g, NULL, path);
        hook.left = -1;
        suite_check(s == PITH_OK || (s == PITH_ENOMEM && pith_ctx_status(ctx) == PITH_ENOMEM),
                    "allocation %d", failures);
        suite_check(pith_ctx_memory(ctx, NULL) == bytes, "allocation %d leaks", failures);
        suite_check(whole_or_absent(path, file.p, file.n) || s != PITH_OK, "allocation %d writes nothing",
                    failures);
        pith_ctx_clear(ctx);
    }
    ck_assert_int_gt(failures, 30);
}
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
