/* The integer engine by hand-computed values: arithmetic, building, refusals, running. */
#include "graph/qplan.h"
#include "suite.h"
#include <math.h>
#include <string.h>

static pith_ctx *c;
static pithp_qgraph *g;

static void setup(void)
{
    c = pith_ctx_new((pith_ctx_cfg){ .threads = 2 });
    g = pithp_qgraph_new(c, "test");
}

static void teardown(void) { pith_ctx_free(c); }

/* ---- Arithmetic --------------------------------------------------------------------------------------------------*/

START_TEST(factors)
{
    pithp_fixed f = pithp_fixed_from(0.5);
    ck_assert_int_eq(f.mult, 1 << 30);
    ck_assert_int_eq(f.shift, 0);
    f = pithp_fixed_from(1.0);
    ck_assert_int_eq(f.mult, 1 << 30);
    ck_assert_int_eq(f.shift, 1);
    f = pithp_fixed_from(1 - 0x1p-40); /* rounds up to one */
    ck_assert_int_eq(f.mult, 1 << 30);
    ck_assert_int_eq(f.shift, 1);
    f = pithp_fixed_from(0x1p-32);
    ck_assert_int_eq(f.mult, 1 << 30);
    ck_assert_int_eq(f.shift, -31);
    f = pithp_fixed_from(0x1p-33); /* below what the contract keeps */
    ck_assert_int_eq(f.mult, 0);
    ck_assert_int_eq(f.shift, 0);
    f = pithp_fixed_from(0);
    ck_assert_int_eq(f.mult, 0);
    ck_assert_int_eq(f.shift, 0);
}
END_TEST

START_TEST(rescaling)
{
    ck_assert_int_eq(pithp_high_mul(INT32_MIN, INT32_MIN), INT32_MAX);
    ck_assert_int_eq(pithp_high_mul(3, 1 << 30), 2);   /* 1.5 */
    ck_assert_int_eq(pithp_high_mul(-3, 1 << 30), -1); /* -1.5: halves go up */
    ck_assert_int_eq(pithp_round_shr(-3, 1), -2);      /* -1.5: halves go away from zero */
    ck_assert_int_eq(pithp_round_shr(3, 1), 2);
    ck_assert_int_eq(pithp_round_shr(INT32_MIN, 31), -1);
    ck_assert_int_eq(pithp_round_shr(7, 0), 7);
    /* 5 * 0.25: first 5*0.5 = 2.5 -> 3, then 3/2 -> 2; once: 1.25 -> 1 */
    pithp_fixed quarter = pithp_fixed_from(0.25);
    ck_assert_int_eq(quarter.shift, -1);
    ck_assert_int_eq(pithp_rescale(5, quarter), 2);
    ck_assert_int_eq(pithp_rescale_single(5, quarter), 1);
    ck_assert_int_eq(pithp_rescale(-100, pithp_fixed_from(3)), -300);
}
END_TEST

START_TEST(quantizing)
{
    ck_assert_int_eq(pithp_quantize_i8(0.75f, 0.5f, 3), 5); /* 1.5 -> 2 */
    ck_assert_int_eq(pithp_quantize_i8(-0.75f, 0.5f, 3), 1);
    ck_assert_int_eq(pithp_quantize_i8(1e30f, 0.5f, 3), 127);
    ck_assert_int_eq(pithp_quantize_i8(-INFINITY, 0.5f, 3), -128);
    ck_assert_int_eq(pithp_quantize_i8(NAN, 0.5f, 3), 3);
}
END_TEST

/* ---- A convolution by hand -----------------------------------------------------------------------------------------*/

static int conv(int x, float sw, const int8_t *w, int32_t bias, float so, int32_t zo, pithp_qact act)
{
    float sb = g->failed ? 1 : pithp_q_tensor(g, x)->scale[0] * sw;
    int wt = pithp_q_const(g, "w", PITH_I8, PITH_SHAPE(1, 2, 2, 1), &sw, 1, 0, 0, w);
    int b = pithp_q_const(g, "b", PITH_I32, PITH_SHAPE(1), &sb, 1, 0, 0, &bias);
    return pithp_q_op(g, &pithp_qop_conv2d, "conv", (int[]){ x, wt, b }, 3,
                      &(pithp_qattr){ .pad = { 0, 1, 0, 1 }, .act = act }, (pithp_qparam){ so, zo });
}

START_TEST(conv_by_hand)
{
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 2, 2, 1), (pithp_qparam){ 0.5f, 1 });
    int y = conv(x, 0.25f, (int8_t[]){ 1, 2, 3, -4 }, 10, 0.5f, -3, PITHP_QLINEAR);
    ck_assert_int_eq(pithp_q_output(g, y), PITH_OK);
    ck_assert_int_eq(pithp_q_macs(g), 16);
    pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = 3 });
    ck_assert_ptr_nonnull(p);
    /* q - 1: 4 5 / 6 -8.  sums: 4+10+18+32+10 = 74, 5 - 24 + 10 = -9, 6 - 16 + 10 = 0, -8 + 10 = 2; each times 1/4:
       mult 2^30, shift -1: 37 -> 19, (-4.5 -> -4) -> -2, 0, 1 -> (0.5 -> 1); less 3 */
    int8_t in[12] = { 5, 6, 7, -7, 5, 6, 7, -7, 5, 6, 7, -7 }, out[12] = { 0 };
    ck_assert_int_eq(pithp_qplan_run(p, 3, (const void *[]){ in }, (void *[]){ out }), PITH_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(out[4 * i], 16);
        ck_assert_int_eq(out[4 * i + 1], -5);
        ck_assert_int_eq(out[4 * i + 2], -3);
        ck_assert_int_eq(out[4 * i + 3], -2);
    }
    ck_assert_int_eq(pithp_qplan_run(p, 4, (const void *[]){ in }, (void *[]){ out }), PITH_EINVAL);
}
END_TEST

/* ---- Refusals --------------------------------------------------------------------------------------------------------*/

static void expect(const char *part)
{
    ck_assert_msg(strstr(pith_error_text(c), part) != NULL, "\"%s\" is not in \"%s\"", part,
                  pith_error_text(c));
}

START_TEST(refusals)
{
    static const int8_t w[4] = { 127, 127, 127, 127 };
    static const struct {
        float sx, sw, so;
        int32_t bias, zo;
        const char *say;
    } t[] = {
        { NAN, 1, 1, 0, 0, "tensor x" },
        { 0, 1, 1, 0, 0, "tensor x" },
        { 1, INFINITY, 1, 0, 0, "tensor w" },
        { 1, -1, 1, 0, 0, "tensor w" },
        { 1, 1, 0, 0, 0, "layer conv" },
        { 1, 1, NAN, 0, 0, "layer conv" },
        { 1, 1, 1, 0, 128, "layer conv" },
        { 1, 1, 1, INT32_MAX, 0, "overflows 32 bits" },
        { 1, 1, 1, INT32_MIN, 0, "overflows 32 bits" },
        { 1e10f, 1e10f, 1e-10f, 0, 0, "overflow 32 bits" },
        { 1e30f, 1e30f, 1, 0, 0, "tensor b" },
    };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        teardown();
        setup();
        int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 2, 2, 1), (pithp_qparam){ t[i].sx, 0 });
        int y = conv(x, t[i].sw, w, t[i].bias, t[i].so, t[i].zo, PITHP_QRELU6);
        ck_assert_int_eq(y, PITHP_QNONE);
        ck_assert_int_ne(pith_ctx_status(c), PITH_OK);
        expect(t[i].say);
        ck_assert_ptr_null(pithp_qplan_new(g, (pithp_qplan_cfg){ 0 }));
    }
}
END_TEST

START_TEST(absurd_shapes)
{
    static const int64_t huge[][4] = { { 1, 1 << 20, 1 << 20, 8 },
                                       { 1, 0, 4, 4 },
                                       { 1, -3, 4, 4 },
                                       { 2, 4, 4, 4 },
                                       { 1, INT64_MAX, INT64_MAX, 2 } };
    for (size_t i = 0; i < PITHP_LEN(huge); i++) {
        teardown();
        setup();
        pith_shape s = PITH_SHAPE(huge[i][0], huge[i][1], huge[i][2], huge[i][3]);
        ck_assert_int_eq(pithp_q_input(g, "x", PITH_I8, s, (pithp_qparam){ 1, 0 }), PITHP_QNONE);
        expect("tensor x");
    }
}
END_TEST

/* Ops refuse by the layer's name what their arithmetic cannot do. */
static int op(const pithp_qop *o, const int *in, int n, const pithp_qattr *a, float scale, int32_t zero)
{
    return pithp_q_op(g, o, "layer7", in, n, a, (pithp_qparam){ scale, zero });
}

START_TEST(ops_refuse)
{
    static const struct {
        const pithp_qop *op;
        float sa, sb, out;
        int32_t zero;
        int n;
        const char *say;
    } t[] = {
        { &pithp_qop_add, 1, 1, 1e-7f, 0, 2, "output scale" },
        { &pithp_qop_sub, 1, 1, 1e-7f, 0, 2, "output scale" },
        { &pithp_qop_mul, 1e4f, 1e4f, 1e-3f, 0, 2, "overflow 32 bits" },
        { &pithp_qop_logistic, 1, 1, 1.0f / 128, -128, 1, "expected" },
        { &pithp_qop_tanh, 1, 1, 1.0f / 128, 1, 1, "expected" },
        { &pithp_qop_softmax, 1, 1, 1.0f / 256, 0, 1, "expected" },
        { &pithp_qop_softmax, 1e-9f, 1, 1.0f / 256, -128, 1, "input scale" },
        { &pithp_qop_hard_swish, 1e3f, 1, 1e-3f, 0, 1, "too far apart" },
        { &pithp_qop_mean, 1, 1, 1e-9f, 0, 1, "overflow 32 bits" },
        { &pithp_qop_concat, 1, 2, 1, 0, 2, "rescale it" },
        { &pithp_qop_reshape, 1, 1, 1, 0, 1, "shape" },
        { &pithp_qop_avgpool, 1, 1, 1, 0, 1, "window" },
        { &pithp_qop_conv2d, 1, 1, 1, 0, 2, "layer7" },
        { &pithp_qop_dense, 1, 1, 1, 0, 2, "layer7" },
        { &pithp_qop_add, 1, 1, 1, 0, 1, "operands" },
    };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        teardown();
        setup();
        pith_shape s = PITH_SHAPE(1, 4, 4, 2);
        int in[2] = { pithp_q_input(g, "a", PITH_I8, s, (pithp_qparam){ t[i].sa, 0 }),
                      pithp_q_input(g, "b", PITH_I8, s, (pithp_qparam){ t[i].sb, 0 }) };
        ck_assert_int_eq(op(t[i].op, in, t[i].n, NULL, t[i].out, t[i].zero), PITHP_QNONE);
        expect("layer7");
        expect(t[i].say);
    }
}
END_TEST

/* SiLU is two ops; the table of the first is the integer logistic, and a residual takes its operand's place. */
START_TEST(silu_in_place)
{
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 1, 1, 4), (pithp_qparam){ 1.0f / 16, 0 });
    int s = op(&pithp_qop_logistic, &x, 1, NULL, 1.0f / 256, -128);
    int y = pithp_q_op(g, &pithp_qop_mul, "y", (int[]){ x, s }, 2, NULL, (pithp_qparam){ 1.0f / 16, 0 });
    pithp_q_output(g, y);
    pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .reference = true });
    ck_assert_ptr_nonnull(p);
    int8_t in[4] = { 0, 16, -16, 127 }, out[4];
    uint64_t before = c->allocations;
    ck_assert_int_eq(pithp_qplan_run(p, 1, (const void *[]){ in }, (void *[]){ out }), PITH_OK);
    ck_assert_uint_eq(c->allocations, before);
    /* x sigmoid(x) at 0, 1, -1, 7.9: 0, 0.731, -0.269, 7.93, in sixteenths; sigmoid saturates at 255/256 */
    ck_assert_int_eq(out[0], 0);
    ck_assert_int_eq(out[1], 12);
    ck_assert_int_eq(out[2], -4);
    ck_assert_int_eq(out[3], 127);
    ck_assert_uint_eq(pithp_qplan_arena(p), 2 * 128); /* y lies where x or s did */
}
END_TEST

static int watched;
static void watch(void *arg, int64_t sample, const pithp_qtensor *t, const void *data)
{
    watched += (int)sample + *(const int8_t *)data;
    ck_assert_str_eq(t->name, "layer7");
    ck_assert_ptr_eq(arg, g);
}

START_TEST(watching)
{
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 3), (pithp_qparam){ 1, 0 });
    pithp_q_output(g, op(&pithp_qop_relu, &x, 1, NULL, 1, 0));
    pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = 2, .watch = watch, .watch_arg = g });
    int8_t in[6] = { 5, 1, 1, 7, -1, -1 }, out[6];
    watched = 0;
    pithp_qplan_run(p, 2, (const void *[]){ in }, (void *[]){ out });
    ck_assert_int_eq(watched, 5 + 1 + 7);
    ck_assert_mem_eq(out, ((int8_t[]){ 5, 1, 1, 7, 0, 0 }), 6);
}
END_TEST

START_TEST(one_rounding)
{
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 1), (pithp_qparam){ 1, 0 });
    pithp_q_output(g, op(&pithp_qop_quantize, &x, 1, NULL, 4, 0));
    int8_t in = 5, twice = 0, once = 0; /* 5/4: 2.5 -> 3, 1.5 -> 2; or 1.25 -> 1 */
    pithp_qplan *a = pithp_qplan_new(g, (pithp_qplan_cfg){ 0 });
    pithp_qplan *b = pithp_qplan_new(g, (pithp_qplan_cfg){ .single = true });
    pithp_qplan_run(a, 1, (const void *[]){ &in }, (void *[]){ &twice });
    pithp_qplan_run(b, 1, (const void *[]){ &in }, (void *[]){ &once });
    ck_assert_int_eq(twice, 2);
    ck_assert_int_eq(once, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("int8");
    TCase *t = suite_case(s, "int8");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, factors);
    tcase_add_test(t, rescaling);
    tcase_add_test(t, quantizing);
    tcase_add_test(t, conv_by_hand);
    tcase_add_test(t, refusals);
    tcase_add_test(t, absurd_shapes);
    tcase_add_test(t, ops_refuse);
    tcase_add_test(t, silu_in_place);
    tcase_add_test(t, watching);
    tcase_add_test(t, one_rounding);
    return suite_run("int8", s);
}
