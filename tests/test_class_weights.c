/* Class weights: the loss by hand, weights that balance an uneven set, runs that remember them, refusals. */
#include "fit_help.h"

static pith_tensor *linear(pith_model *m, pith_tensor *x, void *user)
{
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 3);
}

/* sum_n w[l_n] nll_n / sum_n w[l_n], no smoothing */
static double by_hand(const pith_real *z, const int32_t *labels, const double *w, int n)
{
    double sum = 0, all = 0;
    for (int i = 0; i < n; i++) {
        double lse = 0;
        for (int k = 0; k < 3; k++)
            lse += exp((double)z[3 * i + k]);
        sum += w[labels[i]] * (log(lse) - (double)z[3 * i + labels[i]]);
        all += w[labels[i]];
    }
    return sum / all;
}

START_TEST(weighted_loss)
{
    enum { B = 5 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 2 });
    pith_model *m = pith_model_new(c, linear, NULL, PITH_SHAPE(4, 4, 3));
    pith_real *head = pith_values(pith_model_find(m, "head.bias"));
    for (int i = 0; i < 3; i++)
        head[i] = (pith_real)(2 * i - 1); /* so that classes differ */
    const int32_t labels[B] = { 0, 1, 2, 1, 0 };
    const double w[3] = { 1, 2.5, 0.25 };
    pith_real x[B * 48];
    for (int i = 0; i < B * 48; i++)
        x[i] = (pith_real)sin(i * 1.7);
    pith_batch b = { .n = B, .x = x, .labels = labels };
    pith_trainer_cfg cfg = { .batch = B, .smoothing = PITH_ZERO, .class_weights = w, .n_class_weights = 3 };
    pith_trainer *t = pith_trainer_new(m, cfg);
    ck_assert_msg(t != NULL, "%s", pith_error_text(c));
    double loss = pithp_trainer_gradient(t, &b);
    const pith_real *z = pith_plan_value(pith_trainer_plan(t), pith_model_output(m));
    ck_assert_double_eq_tol(loss, by_hand(z, labels, w, B), 1e-6);
    ck_assert(fabs(loss - by_hand(z, labels, (const double[]){ 1, 1, 1 }, B)) > 1e-3);
    pith_trainer_free(t);
    const double bad[][3] = { { 1, -1, 1 }, { 0, 0, 0 }, { 1, NAN, 1 }, { 1, 1, 1e7 } };
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        cfg.class_weights = bad[i];
        ck_assert_ptr_null(pith_trainer_new(m, cfg));
        ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
        pith_ctx_clear(c);
    }
    cfg.class_weights = w;
    cfg.n_class_weights = 2;
    ck_assert_ptr_null(pith_trainer_new(m, cfg));
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "2 class weights, but 3 classes"));
    pith_ctx_free(c);
}
END_TEST

/* 6, 3 and 1 images for training: 10 / (3 n_k). */
START_TEST(balances)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3 });
    static uint8_t pixels[12 * 192];
    const int32_t labels[12] = { 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2 };
    static const char *const names[] = { "a", "b", "c" };
    pith_data *d = pith_data_pixels(c, pixels, labels, 12, 8, 8, names, 10, 8);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    double w[3];
    pithp_class_weights_balance(d, w);
    ck_assert_double_eq_tol(w[0], 10.0 / 18, 1e-12);
    ck_assert_double_eq_tol(w[1], 10.0 / 9, 1e-12);
    ck_assert_double_eq_tol(w[2], 10.0 / 3, 1e-12);
    pith_ctx_free(c);
}
END_TEST

/* Another weighting is another run: resuming says so. Balancing and weights exclude each other. */
START_TEST(remembered)
{
    const double w[2] = { 1, 3 };
    pith_fit_cfg f = {
        .epochs = 1, .batch = 16, .seed = 11, .out = fit_path("run"), .class_weights = w, .n_class_weights = 2
    };
    fit_setup s = fit_begin(2);
    ck_assert_msg(pith_fit(s.m, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    f.resume = true;
    ck_assert_int_eq(pith_fit(s.m, s.d, f), PITH_OK);
    f.class_weights = (const double[]){ 1, 2 };
    ck_assert_int_ne(pith_fit(s.m, s.d, f), PITH_OK);
    ck_assert_ptr_nonnull(strstr(pith_error_text(s.c), "class_weights"));
    pith_ctx_clear(s.c);
    f.balance = true;
    ck_assert_int_eq(pith_fit(s.m, s.d, f), PITH_EINVAL);
    pith_ctx_clear(s.c);
    f.class_weights = NULL;
    f.resume = false;
    f.out = fit_path("balanced");
    ck_assert_msg(pith_fit(s.m, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("class_weights");
    suite_test(s, "weighted_loss", weighted_loss);
    suite_test(s, "balances", balances);
    suite_test(s, "remembered", remembered);
    return suite_run("class_weights", s);
}
