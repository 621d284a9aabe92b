/* Quantizing whole models: folding, insertion, lowering, after and while training; and what is refused. */
#include "compress/quant/quant.h"
#include "graph/qplan.h"
#include "quant_nets.h"

static double accuracy(fit_setup *s)
{
    pith_eval_result r;
    ck_assert_msg(pith_evaluate(s->m, s->d, PITH_VAL, 0, &r) == PITH_OK, "%s", pith_error_text(s->c));
    return r.accuracy;
}

static void same_logits(pith_model *m, const char *what)
{
    pith_real *a = by_plan(m, false), *b = by_integers(m);
    int other = 0;
    for (int64_t i = 0; i < MANY * pith_size(pith_model_output(m)); i++)
        other += a[i] != b[i];
    ck_assert_msg(other == 0, "%s: %d of %d logits differ", what, other,
                  (int)(MANY * pith_size(pith_model_output(m))));
    free(a);
    free(b);
}

static int count_ops(const pith_model *m, const char *op)
{
    int n = 0;
    for (size_t i = 0; i < m->g->n; i++)
        n += m->g->nodes[i]->op != NULL && strcmp(m->g->nodes[i]->op->name, op) == 0;
    return n;
}

/* ---- Folding ---- */
START_TEST(folding_is_exact)
{
    fit_setup s = trained();
    pith_model *f = pithp_fold_model(s.m);
    ck_assert_msg(f != NULL, "%s", pith_error_text(s.c));
    ck_assert_int_gt(count_ops(s.m, "batch_norm"), 5);
    ck_assert_int_eq(count_ops(f, "batch_norm"), 0);
    pith_real *a = by_plan(s.m, true), *b = by_plan(f, true);
    for (int i = 0; i < MANY * 2; i++)
        ck_assert_msg(fabs((double)(a[i] - b[i])) < 1e-4, "logit %d: %g, folded %g", i, (double)a[i],
                      (double)b[i]);
    free(a);
    free(b);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- After training ---- */
START_TEST(after_training)
{
    fit_setup s = trained();
    double was = accuracy(&s);
    ck_assert_msg(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 64 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    ck_assert(pith_model_is_quantized(s.m));
    double now = accuracy(&s);
    ck_assert_msg(fabs(was - now) <= 0.09, "accuracy %g in float, %g in integers", was, now);
    same_logits(s.m, "after training");
    pith_integer_facts facts;
    ck_assert_int_eq(pith_integer_info(s.m, &facts), PITH_OK);
    ck_assert_int_gt(facts.bytes, 1000);

    /* saves, loads, and trains on */
    char *path = fit_path("int8.pith");
    ck_assert_int_eq(pith_model_save(s.m, path, false), PITH_OK);
    pith_model *loaded = pith_model_load(s.c, path);
    ck_assert_msg(loaded != NULL, "%s", pith_error_text(s.c));
    pith_real *a = by_integers(s.m), *b = by_integers(loaded);
    ck_assert_mem_eq(a, b, sizeof(pith_real) * MANY * 2);
    free(a);
    free(b);
    s.m = loaded;
    fit(&s, 1, 0.001);
    accuracy(&s);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- While training ---- */
START_TEST(while_training)
{
    static const struct {
        int w, a;
    } bits[] = { { 8, 8 }, { 4, 8 }, { 4, 4 } };
    fit_setup s = trained();
    pith_model *m = s.m;
    s.m = pith_model_clone(m);
    pith_quant_cfg f = { .bits_weights = bits[_i].w,
                         .bits_activations = bits[_i].a,
                         .observe_steps = 4,
                         .freeze_ranges = 10,
                         .freeze_bn = 10 };
    ck_assert_msg(pith_qat(s.m, f) == PITH_OK, "%s", pith_error_text(s.c));
    pith_real *a = by_plan(m, true), *b = by_plan(s.m, true); /* nothing seen yet: the same network */
    for (int i = 0; i < MANY * 2; i++)
        ck_assert_msg(_i > 0 || fabs((double)(a[i] - b[i])) < 0.3, "logit %d: %g, made ready %g", i,
                      (double)a[i], (double)b[i]);
    free(a);
    free(b);
    fit(&s, 3, 0.005);
    accuracy(&s);
    same_logits(s.m, "while training");
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Squeeze-and-excitation, SiLU, concat, pools, pads ---- */
static pith_tensor *squeezed(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3 }, PITH_SILU);
    pith_tensor *s = pith_mean_axes(x, 1u << 1 | 1u << 2, true);
    s = pith_silu(pith_nn_conv2d(m, "reduce", s, (pith_conv2d_cfg){ .out = 4, .bias = true }));
    x = pith_mul(x,
                 pith_sigmoid(pith_nn_conv2d(m, "expand", s, (pith_conv2d_cfg){ .out = 8, .bias = true })));
    x = pith_maxpool(x, (pith_pool_cfg){ .kernel = 2 });
    x = pith_nn_conv_bn_act(m, "b1", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3 }, PITH_LINEAR);
    x = pith_relu(pith_add(pith_nn_conv2d(m, "b2", x, (pith_conv2d_cfg){ .out = 8, .bias = true }), x));
    pith_tensor *a = pith_nn_conv_bn_act(m, "left", x, (pith_conv2d_cfg){ .out = 6, .kernel = 3 }, PITH_RELU),
                *b = pith_nn_conv_bn_act(m, "right", x, (pith_conv2d_cfg){ .out = 10 }, PITH_RELU6);
    x = pith_concat((pith_tensor *[]){ a, b }, 2, -1);
    x = pith_pad(x, (int[]){ 0, 1, 1, 0 }, (int[]){ 0, 1, 1, 0 }, 0);
    x = pith_avgpool(x, (pith_pool_cfg){ .kernel = 2 });
    x = pith_nn_conv_bn_act(m, "b3", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3 }, PITH_LINEAR);
    x = pith_hard_swish(x);
    return pith_nn_linear(m, "head", pith_flatten(x), 2);
}

START_TEST(every_op)
{
    fit_setup s = fit_begin(2);
    s.m = pith_model_new(s.c, squeezed, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_msg(s.m != NULL, "%s", pith_error_text(s.c));
    fit(&s, 2, 0.02);
    pith_model *m = s.m;
    s.m = pith_model_clone(m);
    ck_assert_msg(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 64 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    accuracy(&s);
    pith_real *a = by_plan(m, false), *b = by_integers(s.m), most = 0;
    for (int i = 0; i < MANY * 2; i++)
        most = (pith_real)fmax((double)most, fabs((double)(a[i] - b[i])));
    ck_assert_msg(most < 0.3, "a logit is off by %g", (double)most);
    free(a);
    free(b);
    s.m = m;
    pith_quant_cfg f = { .observe_steps = 4, .freeze_ranges = 8, .freeze_bn = 8 };
    ck_assert_msg(pith_qat(s.m, f) == PITH_OK, "%s", pith_error_text(s.c));
    fit(&s, 2, 0.005);
    accuracy(&s);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- A stopped run goes on to the same bits ---- */
static int stop_after;
static volatile int stop_now;

static void stopping(void *user, const pith_progress *p)
{
    (void)user;
    if (p->event == 's' && --stop_after == 0)
        stop_now = 1;
}

START_TEST(resumes)
{
    fit_setup s = trained();
    char *float_file = fit_path("float.pith"), *whole = fit_path("whole"), *cut = fit_path("cut");
    ck_assert_int_eq(pith_model_save(s.m, float_file, false), PITH_OK);
    pith_model *m[2];
    for (int i = 0; i < 2; i++) {
        m[i] = pith_model_load(s.c, float_file);
        pith_quant_cfg q = { .bits_weights = 4, .observe_steps = 3, .freeze_bn = 9 };
        ck_assert_int_eq(pith_qat(m[i], q), PITH_OK);
        pith_fit_cfg f = { .epochs = 2, .batch = 16, .opt = { .lr = 0.005 }, .out = i ? cut : whole };
        if (i == 1) {
            stop_after = 8;
            f.stop = &stop_now;
            f.progress = stopping;
            ck_assert_int_eq(pith_fit(m[i], s.d, f), PITH_ESTOPPED);
            pith_ctx_clear(s.c);
            stop_now = 0;
            char path[700];
            snprintf(path, sizeof path, "%s/last.pith", cut);
            m[i] = pith_model_load(s.c, path);
            ck_assert_msg(m[i] != NULL, "%s", pith_error_text(s.c));
            f.resume = true;
        }
        ck_assert_msg(pith_fit(m[i], s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    }
    ck_assert_int_eq(m[0]->n_weights, m[1]->n_weights);
    ck_assert_mem_eq(m[0]->weights, m[1]->weights, (size_t)m[0]->n_weights * sizeof(pith_real));
    pith_ctx_free(s.c);
}
END_TEST

/* ---- What is legal: channels of zeros ---- */
START_TEST(dead_channels)
{
    fit_setup s = trained();
    pith_real *gamma = pith_values(pith_model_find(s.m, "b1.expand.bn.weight")),
              *w = pith_values(pith_model_find(s.m, "b2.dw.conv.weight"));
    gamma[1] = 0;
    for (int i = 0; i < 9; i++)
        w[i * 24 + 3] = 0;
    memset(pith_values(pith_model_find(s.m, "b2.project.conv.weight")), 0,
           sizeof(pith_real) * (size_t)pith_size(pith_model_find(s.m, "b2.project.conv.weight")));
    pith_model *m = pith_model_clone(s.m);
    ck_assert_msg(pith_quantize(m, s.d, (pith_quant_cfg){ .samples = 32 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    same_logits(m, "zero channels, after training");
    ck_assert_msg(pith_qat(s.m, (pith_quant_cfg){ .observe_steps = 2 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    fit(&s, 1, 0.002);
    same_logits(s.m, "zero channels, while training");
    pith_ctx_free(s.c);
}
END_TEST

/* ---- What is refused, with the layer's name, and nothing changed ---- */
static void refused(fit_setup *s, pith_status got, pith_status want, const char *says)
{
    const char *text = pith_error_text(s->c);
    ck_assert_msg(got == want && strstr(text, says) != NULL, "%s: %s; expected %s with '%s'",
                  pith_status_name(got), text, pith_status_name(want), says);
    pith_ctx_clear(s->c);
}

START_TEST(bad_settings)
{
    fit_setup s = trained();
    const struct {
        pith_quant_cfg f;
        const char *says;
    } bad[] = { { { .bits_weights = 1 }, "bits of weights" },
                { { .bits_weights = 9 }, "bits of weights" },
                { { .bits_activations = 3 }, "bits of activations" },
                { { .bits_ends = 1 }, "first and last" },
                { { .samples = -1 }, "samples" },
                { { .lsq = 2 }, "lsq" },
                { { .momentum = 2 }, "momentum" },
                { { .layers = "head=1" }, "PATTERN=BITS" },
                { { .layers = "nowhere=4" }, "nowhere" },
                { { .skip = "nothing.*" }, "nothing.*" },
                { { .observe_steps = 50, .freeze_ranges = 20 }, "freeze" },
                { { .keep_norms = true }, "--keep-norms" } };
    const pithp_graph *g = s.m->g;
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        refused(&s, pith_quantize(s.m, s.d, bad[i].f), PITH_EINVAL, bad[i].says);
        refused(&s, pith_qat(s.m, bad[i].f), PITH_EINVAL, bad[i].says);
        ck_assert_ptr_eq(s.m->g, g);
    }
    pith_ctx_free(s.c);
}
END_TEST

static pith_tensor *three(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 4, .kernel = 3 }, PITH_RELU);
    int what = *(int *)user;
    if (what == 1)
        x = pith_named(pith_exp(x), "odd");
    if (what == 2)
        x = pith_named(pith_clip(x, 0, 3), "odd");
    if (what == 3)
        x = pith_nn_batch_norm(m, "odd", pith_nn_batch_norm(m, "first", x, (pith_batch_norm_cfg){ 0 }),
                               (pith_batch_norm_cfg){ 0 });
    return pith_nn_linear(m, "head", pith_global_avgpool(x), what == 0 ? 3 : 2);
}

START_TEST(bad_models)
{
    fit_setup s = trained();
    pith_model *m;
    static const char *const says[] = { "3 classes", "'odd': op exp", "relu6",
                                        "convolution right before it" };
    for (int i = 0; i < 4; i++) {
        m = pith_model_new(s.c, three, &i, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
        ck_assert_msg(m != NULL, "%s", pith_error_text(s.c));
        refused(&s, pith_quantize(m, s.d, (pith_quant_cfg){ 0 }), PITH_EINVAL, says[i]);
        ck_assert(!pith_model_is_quantized(m));
    }
    int plain = 4;
    m = pith_model_new(s.c, three, &plain, PITH_SHAPE(24, 24, 3));
    refused(&s, pith_quantize(m, s.d, (pith_quant_cfg){ 0 }), PITH_EINVAL, "[1,24,24,3]");

    /* weights that are not numbers */
    pith_real *w = pith_values(pith_model_find(s.m, "b1.dw.conv.weight")), was = w[5];
    for (int i = 0; i < 2; i++) {
        w[5] = i ? (pith_real)NAN : (pith_real)INFINITY;
        refused(&s, pith_quantize(s.m, s.d, (pith_quant_cfg){ 0 }), PITH_ENAN, "b1.dw.conv.weight");
        refused(&s, pith_qat(s.m, (pith_quant_cfg){ 0 }), PITH_ENAN, "b1.dw.conv.weight");
    }
    w[5] = was;

    /* never saw data */
    m = pith_model_clone(s.m);
    ck_assert_int_eq(pith_qat(m, (pith_quant_cfg){ 0 }), PITH_OK);
    pith_eval_result r;
    refused(&s, pith_evaluate(m, s.d, PITH_VAL, 0, &r), PITH_EINVAL, "'stem' never saw data");

    /* already quantized; ranges that are not numbers */
    refused(&s, pith_quantize(m, s.d, (pith_quant_cfg){ 0 }), PITH_EINVAL, "quantized already");
    refused(&s, pith_qat(m, (pith_quant_cfg){ 0 }), PITH_EINVAL, "quantized already");
    ck_assert_int_eq(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 16 }), PITH_OK);
    *(pith_real *)pith_values(pith_model_find(s.m, "stem.out.scale")) = (pith_real)INFINITY;
    refused(&s, pith_evaluate(s.m, s.d, PITH_VAL, 0, &r), PITH_EINVAL, "'stem'");

    /* a bias that fits no int32 */
    *(pith_real *)pith_values(pith_model_find(s.m, "stem.out.scale")) = (pith_real)0.02;
    ((pith_real *)pith_values(pith_model_find(s.m, "b1.expand.conv.bias")))[2] = (pith_real)1e9;
    refused(&s, pith_evaluate(s.m, s.d, PITH_VAL, 0, &r), PITH_EINVAL, "bias of channel 2");
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(skipping)
{
    fit_setup s = trained();
    double was = accuracy(&s);
    ck_assert_msg(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 64, .skip = "b2.*,head" }) == PITH_OK,
                  "%s", pith_error_text(s.c));
    ck_assert(fabs(accuracy(&s) - was) <= 0.09);
    pith_integer_facts facts;
    refused(&s, pith_integer_info(s.m, &facts), PITH_EINVAL, "b2");
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quant");
    suite_test(s, "folding_is_exact", folding_is_exact);
    suite_test(s, "after_training", after_training);
    tcase_add_loop_test(suite_case(s, "while_training"), while_training, 0, 3);
    suite_test(s, "every_op", every_op);
    suite_test(s, "resumes", resumes);
    suite_test(s, "dead_channels", dead_channels);
    suite_test(s, "bad_settings", bad_settings);
    suite_test(s, "bad_models", bad_models);
    suite_test(s, "skipping", skipping);
    return suite_run("quant", s);
}
