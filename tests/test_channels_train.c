/* What structured pruning leaves is an ordinary model: it trains on, is saved, quantized, pruned again and exported. */
#include "channels_help.h"
#include "fit_help.h"

static void fit(fit_setup *s, int epochs)
{
    ck_assert_msg(pith_fit(s->m, s->d, (pith_fit_cfg){ .epochs = epochs, .batch = 32 }) == PITH_OK, "%s",
                  pith_error_text(s->c));
}

static pith_channels_result halve(fit_setup *s)
{
    pith_channels_result r;
    ck_assert_msg(pith_channels_prune(s->m, (pith_channels_cfg){ .target = 0.5 }, &r) == PITH_OK, "%s",
                  pith_error_text(s->c));
    ck_assert_int_le(2 * r.macs[1], r.macs[0]);
    ck_assert(r.parameters[1] < r.parameters[0] && r.ram[1] < r.ram[0] && r.gone > 0 && r.gone < r.units);
    return r;
}

static void predict(pith_model *m, pith_real out[10])
{
    static pith_real x[5 * FIT_SIZE * FIT_SIZE * 3];
    pithp_rand r = pithp_rand_at(4, 0, 1, PITHP_USE_OTHER);
    for (size_t i = 0; i < PITHP_LEN(x); i++)
        x[i] = (pith_real)(2 * pithp_rand_uniform(&r) - 1);
    ck_assert_msg(pith_predict(m, x, 5, out) == PITH_OK, "%s", pith_error_text(pith_model_ctx(m)));
}

static void round_trip(fit_setup *s, const char *name)
{
    pith_real before[10], after[10];
    char *path = fit_path(name);
    ck_assert_int_eq(pith_model_save(s->m, path, false), PITH_OK);
    pith_model *loaded = pith_model_load(s->c, path);
    ck_assert_msg(loaded != NULL, "%s", pith_error_text(s->c));
    predict(s->m, before);
    predict(loaded, after);
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_int_eq(pith_model_info(s->m).macs, pith_model_info(loaded).macs);
    pith_model_free(loaded);
}

/* Trains, loses half of its multiply-adds, trains on as well as a loaded copy of itself, and is better for it. */
START_TEST(trains_on)
{
    fit_setup s = fit_begin(2);
    pith_eval_result cut, retrained;
    fit(&s, 8);
    halve(&s);
    ck_assert_int_eq(pith_evaluate(s.m, s.d, PITH_VAL, 0, &cut), PITH_OK);
    round_trip(&s, "cut.pith");
    fit_setup t = s;
    t.m = pith_model_load(s.c, fit_path("cut.pith"));
    fit(&s, 3);
    fit(&t, 3);
    ck_assert_int_eq(s.m->n_weights, t.m->n_weights);
    ck_assert_mem_eq(s.m->weights, t.m->weights, (size_t)s.m->n_weights * sizeof(pith_real));
    ck_assert_int_eq(pith_evaluate(s.m, s.d, PITH_VAL, 0, &retrained), PITH_OK);
    suite_check(retrained.loss < cut.loss, "loss %g after retraining, %g before", retrained.loss, cut.loss);
    round_trip(&s, "retrained.pith");
    pith_ctx_free(s.c);
}
END_TEST

/* Channels go from a model with fake quantization too: scales a channel, ranges, folded norms. Its integers run after. */
START_TEST(while_quantized)
{
    fit_setup s = fit_begin(1);
    pith_eval_result r;
    fit(&s, 2);
    ck_assert_int_eq(pith_qat(s.m, (pith_quant_cfg){ .observe_steps = 2 }), PITH_OK);
    fit(&s, 2);
    halve(&s);
    fit(&s, 2);
    ck_assert_msg(pith_evaluate(s.m, s.d, PITH_VAL, 0, &r) == PITH_OK, "%s", pith_error_text(s.c));
    pith_integer_facts f;
    ck_assert_msg(pith_integer_info(s.m, &f) == PITH_OK, "%s", pith_error_text(s.c));
    ck_assert_int_eq(f.macs, pith_model_info(s.m).macs);
    ck_assert_msg(pith_export_tflite(s.m, fit_path("cut.tflite"), (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    pith_ctx_free(s.c);
}
END_TEST

/* Cut first, quantized after: every scheme takes it; and channels go from quantized weights, whose numbers stay. */
START_TEST(then_quantized)
{
    static const pith_quant_scheme schemes[] = { PITH_SCHEME_INT8, PITH_SCHEME_FLOAT16, PITH_SCHEME_DYNAMIC,
                                                 PITH_SCHEME_CODEBOOK };
    fit_setup s = fit_begin(1);
    fit(&s, 1);
    halve(&s);
    pith_model *first = s.m;
    for (size_t i = 0; i < PITHP_LEN(schemes); i++) {
        s.m = pith_model_clone(first);
        ck_assert_msg(pith_quantize(s.m, s.d, (pith_quant_cfg){ .scheme = schemes[i], .samples = 32 }) ==
                          PITH_OK,
                      "%s", pith_error_text(s.c));
        round_trip(&s, "quantized.pith");
        halve(&s);
        round_trip(&s, "twice.pith");
        pith_model_free(s.m);
    }
    pith_ctx_free(s.c);
}
END_TEST

/* By Taylor: what the loss does not need goes first; here a channel whose gamma and beta are 0. */
START_TEST(by_taylor)
{
    fit_setup s = fit_begin(1);
    fit(&s, 1);
    pith_model *twin = pith_model_clone(s.m);
    const pith_tensor *gamma = pith_model_find(s.m, "b1.expand.bn.weight"),
                      *beta = pith_model_find(s.m, "b1.expand.bn.bias");
    const pith_real *w = pith_model_find(s.m, "b1.expand.conv.weight")->value;
    ((pith_real *)gamma->value)[3] = ((pith_real *)beta->value)[3] = 0;
    pith_real third = w[3 * pith_size(pith_model_find(s.m, "b1.expand.conv.weight")) / 16];
    pith_channels_cfg cfg = { .target = 0.2, .criterion = PITH_PRUNE_TAYLOR, .samples = 64, .data = s.d };
    ck_assert_msg(pith_channels_prune(s.m, cfg, NULL) == PITH_OK, "%s", pith_error_text(s.c));
    pith_tensor *left = pith_model_find(s.m, "b1.expand.conv.weight");
    ck_assert_int_lt(left->shape.d[0], 16);
    for (int64_t i = 0; i < pith_size(left); i++)
        ck_assert(((pith_real *)left->value)[i] != third);
    cfg.data = NULL;
    ck_assert_int_ne(pith_channels_prune(twin, cfg, NULL), PITH_OK);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channels_train");
    suite_test(s, "trains_on", trains_on);
    suite_test(s, "by_taylor", by_taylor);
    suite_test(s, "while_quantized", while_quantized);
    suite_test(s, "then_quantized", then_quantized);
    return suite_run("channels_train", s);
}
