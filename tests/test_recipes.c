/* Recipes: schedules against PyTorch's and EfficientNet's formulas, groups of learning rates, mixed labels, images of
   another size; the learning-rate finder. */
#include "fit_help.h"

static const pith_fit_cfg small = { .epochs = 4, .batch = 16, .seed = 11, .opt = { .lr = 0.05 } };

static void near(double got, double want, double room, const char *what, int64_t i)
{
    ck_assert_msg(fabs(got - want) <= room * fmax(1e-3, fabs(want)), "%s[%lld]: %.12g, %.12g expected", what,
                  (long long)i, got, want);
}

/* ---- Schedules ---- */
/* torch.optim.lr_scheduler.OneCycleLR, as its documentation and source have it: pct_start 0.3, div_factor 25,
   final_div_factor 1e4, cosine, base_momentum 0.85, max_momentum 0.95. */
static double torch_anneal(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(M_PI * share));
}

START_TEST(one_cycle)
{
    const int64_t spe = 10, total = 120;
    const pith_schedule_cfg cfg = { .kind = PITH_ONECYCLE };
    double peak = 0.3 * (double)total - 1;
    for (int64_t s = 0; s < total; s++) {
        double lr, momentum;
        if ((double)s <= peak) {
            lr = torch_anneal(0.5 / 25, 0.5, (double)s / peak);
            momentum = torch_anneal(0.95, 0.85, (double)s / peak);
        } else {
            double share = ((double)s - peak) / ((double)total - 1 - peak);
            lr = torch_anneal(0.5, 0.5 / 25 / 1e4, share);
            momentum = torch_anneal(0.85, 0.95, share);
        }
        near(pith_schedule_lr(cfg, 0.5, s, spe, 12), lr, 1e-9, "lr", s);
        near(pith_schedule_momentum(cfg, 0.95, s, spe, 12), momentum, 1e-9, "momentum", s);
    }
    near(pith_schedule_lr(cfg, 0.5, 35, spe, 12), 0.5, 1e-12, "peak", 35);
    const pith_schedule_cfg own = {
        .kind = PITH_ONECYCLE, .warmup_epochs = 6, .final_lr = 0.1, .min_momentum = 0.5
    };
    near(pith_schedule_lr(own, 0.5, 59, spe, 12), 0.5, 1e-12, "own peak", 59);
    near(pith_schedule_lr(own, 0.5, 119, spe, 12), 0.1, 1e-12, "own end", 119);
    near(pith_schedule_momentum(own, 0.9, 59, spe, 12), 0.5, 1e-12, "own momentum", 59);
    const pith_schedule_cfg all_up = { .kind = PITH_ONECYCLE, .warmup_epochs = 100 },
                            all_down = { .kind = PITH_ONECYCLE, .warmup_epochs = PITH_ZERO };
    near(pith_schedule_lr(all_up, 0.5, 118, spe, 12), torch_anneal(0.02, 0.5, 118.0 / 119), 1e-9, "only up",
         118);
    near(pith_schedule_lr(all_down, 0.5, 0, spe, 12), 0.5, 1e-12, "only down", 0);
    near(pith_schedule_lr(all_down, 0.5, 119, spe, 12), 2e-6, 1e-9, "only down", 119);
    ck_assert(isfinite(pith_schedule_lr(cfg, 1, 0, 1, 1)) && isfinite(pith_schedule_lr(all_up, 1, 0, 1, 1)));
    near(pith_schedule_momentum((pith_schedule_cfg){ 0 }, 0.9, 5, spe, 12), 0.9, 0, "others", 5);
}
END_TEST

/* 0.97 every 2.4 epochs in steps, after a linear warm-up. */
START_TEST(exponential)
{
    const int64_t spe = 10;
    const pith_schedule_cfg cfg = { .kind = PITH_EXPONENTIAL, .warmup_epochs = 5 };
    for (int64_t s = 0; s < 1200; s++) {
        double want = s < 50 ? 0.016 * (double)(s + 1) / 50 : 0.016 * pow(0.97, (double)(s / 24));
        near(pith_schedule_lr(cfg, 0.016, s, spe, 120), want, 1e-9, "exponential", s);
    }
}
END_TEST

/* ---- Groups of learning rates ---- */
START_TEST(rates_by_name)
{
    for (int kind = 0; kind < 3; kind++) {
        fit_setup s = fit_begin(2);
        const pith_lr_scale scale[] = { { "*", 0.5 }, { "head.*", 3 }, { "stem.*", 0 } };
        pith_model *m[3];
        for (int k = 0; k < 3; k++) { /* as it was; without scales at the group's rate; with scales */
            m[k] = pith_model_clone(s.m);
            pith_opt_cfg cfg = { .kind = (pith_opt_kind)kind, .lr = 0.01, .weight_decay = PITH_ZERO };
            if (k == 2)
                cfg.lr_scale = scale, cfg.n_lr_scale = 3;
            pith_opt *o = pith_opt_new_model(m[k], cfg);
            ck_assert_msg(o != NULL, "%s", pith_error_text(s.c));
            for (int64_t i = 0; i < m[k]->n_params; i++)
                m[k]->grads[i] = (pith_real)cos((double)i);
            if (k > 0)
                ck_assert_int_eq(pith_opt_step(o), PITH_OK);
        }
        for (int i = 0; i < s.m->n_param_nodes; i++) {
            const char *name = pith_name(m[0]->params[i]);
            double factor = !strncmp(name, "head.", 5) ? 3 : !strncmp(name, "stem.", 5) ? 0 : 0.5;
            const pith_real *w[3];
            for (int k = 0; k < 3; k++)
                w[k] = m[k]->params[i]->value;
            for (int64_t k = 0; k < pith_size(m[0]->params[i]); k++) {
                double plain = (double)w[1][k] - (double)w[0][k], got = (double)w[2][k] - (double)w[0][k];
                suite_check(fabs(got - factor * plain) < 1e-6, "%s: moved by %g, %g times %g expected", name,
                            got, factor, plain);
            }
        }
        const pith_lr_scale wrong = { "haed.*", 2 };
        ck_assert_ptr_null(pith_opt_new_model(s.m, (pith_opt_cfg){ .lr_scale = &wrong, .n_lr_scale = 1 }));
        ck_assert_int_eq(pith_ctx_status(s.c), PITH_ENOTFOUND);
        ck_assert_ptr_nonnull(strstr(pith_error_text(s.c), "haed.*"));
        pith_ctx_free(s.c);
    }
}
END_TEST

/* ---- Mixed labels ---- */
static pith_tensor *tiny(pith_model *m, pith_tensor *x, void *user)
{
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 3);
}

/* Loss of linear logits in double, with smoothing; dw by central differences. */
static double soft_loss(const double *w, const pith_real *x, const pith_batch *b, double smoothing)
{
    double sum = 0;
    for (int i = 0; i < b->n; i++) {
        double mean[3] = { 0 }, z[3], all = 0, q[3] = { 0 }, share = (double)b->weight[i];
        for (int p = 0; p < 16; p++)
            for (int k = 0; k < 3; k++)
                mean[k] += (double)x[i * 48 + p * 3 + k] / 16;
        for (int o = 0; o < 3; o++) {
            z[o] = w[9 + o];
            for (int k = 0; k < 3; k++)
                z[o] += w[3 * o + k] * mean[k];
            all += exp(z[o]);
        }
        q[b->labels[i]] += share;
        q[b->other[i]] += 1 - share;
        double mass = 0;
        for (int o = 0; o < 3; o++) {
            sum -= ((1 - smoothing) * q[o] + smoothing / 3) * (z[o] - log(all));
            mass += q[o];
        }
        ck_assert(fabs(mass - 1) < 1e-12);
    }
    return sum / b->n;
}

START_TEST(soft_targets)
{
    enum { B = 5 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 2 });
    pith_model *m = pith_model_new(c, tiny, NULL, PITH_SHAPE(4, 4, 3));
    const int32_t labels[B] = { 0, 1, 2, 1, 0 }, other[B] = { 1, 2, 2, 0, 2 };
    const pith_real weight[B] = { 0.25, 1, 0.5, 0.75, 0 };
    pith_real x[B * 48];
    for (int i = 0; i < B * 48; i++)
        x[i] = (pith_real)sin(i * 1.7);
    pith_batch b = { .n = B, .x = x, .labels = labels, .other = other, .weight = weight };
    pith_trainer *t = pith_trainer_new(m, (pith_trainer_cfg){ .batch = B, .soft = true, .smoothing = 0.2 });
    ck_assert_msg(t != NULL, "%s", pith_error_text(c));
    const pith_real *hw = pith_values(pith_model_find(m, "head.weight")),
                    *hb = pith_values(pith_model_find(m, "head.bias")),
                    *gw = pith_grad(pith_model_find(m, "head.weight")),
                    *gb = pith_grad(pith_model_find(m, "head.bias"));
    double w[12];
    for (int i = 0; i < 12; i++)
        w[i] = (double)(i < 9 ? hw[i] : hb[i - 9]);
    double loss = pithp_trainer_gradient(t, &b);
    near(loss, soft_loss(w, x, &b, 0.2), 1e-5, "loss", 0);
    for (int i = 0; i < 12; i++) {
        double keep = w[i], up, down;
        w[i] = keep + 1e-5, up = soft_loss(w, x, &b, 0.2);
        w[i] = keep - 1e-5, down = soft_loss(w, x, &b, 0.2);
        w[i] = keep;
        double got = (double)(i < 9 ? gw[i] : gb[i - 9]);
        ck_assert_msg(fabs(got - (up - down) / 2e-5) < 1e-5, "gradient %d: %g, %g", i, got,
                      (up - down) / 2e-5);
    }
    /* the label with the greater weight is the one that counts */
    const pith_real *z = pith_plan_value(pith_trainer_plan(t), pith_model_output(m));
    static const int32_t dominating[B] = { 1, 1, 2, 1, 2 };
    int right = 0;
    for (int i = 0; i < B; i++)
        right += pithp_argmax(z + 3 * i, 3) == dominating[i];
    ck_assert_int_eq(pith_trainer_correct(t), right);
    /* plain batches are as good, and the loss is the one of a plain trainer */
    pith_batch plain = { .n = B, .x = x, .labels = labels };
    pith_model *copy = pith_model_clone(m);
    pith_trainer *u = pith_trainer_new(copy, (pith_trainer_cfg){ .batch = B, .smoothing = 0.2 });
    near(pithp_trainer_gradient(t, &plain), pithp_trainer_gradient(u, &plain), 1e-6, "plain batch", 0);
    ck_assert(isnan(pithp_trainer_gradient(u, &b))); /* not made for it */
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), ".soft"));
    pith_ctx_clear(c);
    const int32_t bad_other[B] = { 0, 3, 0, 0, 0 };
    const pith_real bad_weight[B] = { 1, 1, 1, 2, 1 };
    pith_batch bad[3] = { b, b, b };
    bad[0].other = bad_other, bad[1].weight = bad_weight;
    bad[2].labels = (const int32_t[B]){ -1, 0, 0, 0, 0 };
    for (int i = 0; i < 3; i++) {
        ck_assert(isnan(pithp_trainer_gradient(t, &bad[i])));
        ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
        pith_ctx_clear(c);
    }
    pith_ctx_free(c);
}
END_TEST

/* ---- Images of another size ---- */
START_TEST(another_size)
{
    fit_setup s = fit_begin(2);
    enum { B = 3, Q = 12 };
    pith_real x[B * FIT_SIZE * FIT_SIZE * 3];
    const int32_t labels[B] = { 0, 1, 0 };
    for (size_t i = 0; i < PITHP_LEN(x); i++)
        x[i] = (pith_real)sin((double)i);
    pith_batch b = { .n = B, .x = x, .labels = labels };
    /* the same weights in a network recorded at that size */
    pith_model *small_net = pith_model_new(s.c, fit_net, NULL, PITH_SHAPE(Q, Q, 3));
    pith_trainer *t = pith_trainer_new(s.m, (pith_trainer_cfg){ .batch = B, .image_size = Q }),
                 *u = pith_trainer_new(small_net, (pith_trainer_cfg){ .batch = B });
    ck_assert_msg(t != NULL && u != NULL, "%s", pith_error_text(s.c));
    ck_assert(pithp_trainer_gradient(t, &b) == pithp_trainer_gradient(u, &b));
    ck_assert_mem_eq(s.m->grads, small_net->grads, (size_t)s.m->n_params * sizeof *s.m->grads);
    size_t bytes = pith_plan_bytes(pith_trainer_plan(t));
    ck_assert_int_eq(pith_trainer_replan(t, 0), PITH_OK);
    ck_assert(pith_plan_bytes(pith_trainer_plan(t)) > bytes);
    ck_assert(isfinite(pith_trainer_step(t, &b, 0.01)));
    ck_assert_int_eq(pith_trainer_replan(t, -3), PITH_EINVAL);
    pith_ctx_clear(s.c);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- A thousand classes of an image each ---- */
static pith_tensor *thousand(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3, .stride = 2 },
                            PITH_RELU6);
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 1000);
}

START_TEST(thousand_classes)
{
    enum { K = 1000, N = K + 40, BYTES = 8 * 8 * 3 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 2 });
    uint8_t *pixels = malloc((size_t)N * BYTES);
    int32_t labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = i % K;
        for (int k = 0; k < BYTES; k++)
            pixels[i * BYTES + k] = (uint8_t)(labels[i] * 31 + k * (labels[i] % 7));
    }
    pith_data *d = pith_data_pixels(c, pixels, labels, N, 8, 8, NULL, K, 8);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    pith_model *m = pith_model_new(c, thousand, NULL, PITH_SHAPE(8, 8, 3));
    for (int k = 0; k < 2; k++) {
        pith_fit_cfg cfg = { .epochs = 2, .batch = 32, .augment = { .mixup = k } };
        ck_assert_msg(pith_fit(m, d, cfg) == PITH_OK, "%s", pith_error_text(c));
    }
    pith_eval_result r;
    ck_assert_int_eq(pith_evaluate(m, d, PITH_VAL, 0, &r), PITH_OK);
    ck_assert(r.n == 40 && r.classes == K && isfinite(r.loss));
    free(pixels);
    pith_ctx_free(c);
}
END_TEST

/* ---- The learning-rate finder ---- */
START_TEST(finds_a_rate)
{
    fit_setup s = fit_begin(2);
    int64_t n;
    const pith_real *w = pith_model_weights(s.m, &n);
    pith_real *before = memcpy(malloc((size_t)n * sizeof *w), w, (size_t)n * sizeof *w);
    pith_lr_point p[2][60];
    pith_lr_found f[2];
    pith_lr_find_cfg cfg = { .fit = small, .steps = 60, .lr_max = 300 };
    cfg.fit.out = "/nowhere/at/all"; /* nothing is written */
    for (int k = 0; k < 2; k++) {
        ck_assert_msg(pith_lr_find(s.m, s.d, cfg, p[k], &f[k]) == PITH_OK, "%s", pith_error_text(s.c));
        ck_assert_int_gt(f[k].n, 20);
    }
    ck_assert_mem_eq(p[0], p[1], (size_t)f[0].n * sizeof p[0][0]);
    ck_assert_mem_eq(before, w, (size_t)n * sizeof *w); /* the model is as it was */
    for (int i = 0; i < f[0].n; i++)
        near(p[0][i].lr, 1e-4 * pow(3e6, i / 59.0), 1e-9, "rate", i);
    ck_assert_msg(f[0].diverged, "a rate of 300 is borne");
    ck_assert_msg(f[0].lr > 1e-4 && f[0].lr < f[0].lr_least && f[0].lr_least < 300, "%g, least at %g",
                  f[0].lr, f[0].lr_least);
    /* and it is a good one */
    pith_fit_cfg fit = small;
    fit.epochs = 20, fit.opt.lr = f[0].lr, fit.opt.ema_decay = 0.95, fit.augment.scale_min = 0.8;
    ck_assert_msg(pith_fit(s.m, s.d, fit) == PITH_OK, "%s", pith_error_text(s.c));
    pith_eval_result r;
    ck_assert_int_eq(pith_evaluate(s.m, s.d, PITH_VAL, 0, &r), PITH_OK);
    ck_assert_msg(r.accuracy > 0.85, "accuracy %g at rate %g", r.accuracy, f[0].lr);
    free(before);
    pith_ctx_free(s.c);
}
END_TEST

/* A curve whose steepest place is known: a logistic step down at 0.1, then up from 3 on. */
START_TEST(steepest_descent)
{
    pith_lr_point p[200];
    pith_lr_found f = { .n = 200 };
    for (int i = 0; i < 200; i++) {
        double x = -4 + 5.0 * i / 199; /* log10 of the rate */
        p[i] = (pith_lr_point){ .lr = pow(10, x),
                                .loss = 2 - 1.5 / (1 + exp(-6 * (x + 1))) + exp(8 * (x - 0.9)) };
        p[i].loss += 0.02 * sin(i * 2.1);
    }
    pithp_lr_smooth(p, f.n, 200);
    pithp_lr_suggest(p, 200, &f);
    ck_assert_msg(f.lr > 0.07 && f.lr < 0.15 && !f.unsure, "%g", f.lr);
    ck_assert_msg(f.lr_least > 0.5 && f.lr_least < 4, "%g", f.lr_least);
    for (int k = 0; k < 20; k++) { /* noise alone */
        for (int i = 0; i < 200; i++) {
            pithp_rand r = pithp_rand_at(3, (uint32_t)k, (uint64_t)i, PITHP_USE_OTHER);
            p[i].loss = 0.7 + 0.03 * pithp_rand_normal(&r);
        }
        pithp_lr_smooth(p, f.n, 200);
        pithp_lr_suggest(p, 200, &f);
        ck_assert_msg(f.unsure, "noise %d is taken for a fall", k);
    }
    for (int i = 0; i < 200; i++)
        p[i].smooth = i; /* never falls */
    pithp_lr_suggest(p, 200, &f);
    ck_assert(isnan(f.lr));
    f.n = 0;
    pithp_lr_suggest(p, 200, &f);
    ck_assert(isnan(f.lr) && isnan(f.lr_least));
}
END_TEST

START_TEST(finder_refuses)
{
    fit_setup s = fit_begin(1);
    pith_lr_point p[20];
    pith_lr_found f;
    static const pith_lr_find_cfg bad[] = { { .steps = 5 },
                                            { .steps = -1 },
                                            { .lr_min = -1 },
                                            { .lr_min = 5, .lr_max = 2 },
                                            { .lr_max = NAN },
                                            { .stop_factor = 0.5 },
                                            { .fit = { .batch = -1 } },
                                            { .fit = { .freeze_epochs = 3 } } };
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        ck_assert_msg(pith_lr_find(s.m, s.d, bad[i], p, &f) == PITH_EINVAL, "case %zu", i);
        ck_assert(f.n == 0 && isnan(f.lr));
        pith_ctx_clear(s.c);
    }
    ck_assert_int_eq(pith_lr_find(s.m, NULL, (pith_lr_find_cfg){ 0 }, p, &f), PITH_EINVAL);
    pith_ctx_clear(s.c);
    int stop = 1;
    pith_lr_find_cfg stopped = { .steps = 20, .fit = small };
    stopped.fit.stop = &stop;
    ck_assert_int_eq(pith_lr_find(s.m, s.d, stopped, p, &f), PITH_ESTOPPED);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recipes");
    suite_test(s, "one_cycle", one_cycle);
    suite_test(s, "exponential", exponential);
    suite_test(s, "rates_by_name", rates_by_name);
    suite_test(s, "soft_targets", soft_targets);
    suite_test(s, "another_size", another_size);
    suite_test(s, "thousand_classes", thousand_classes);
    suite_test(s, "finds_a_rate", finds_a_rate);
    suite_test(s, "steepest_descent", steepest_descent);
    suite_test(s, "finder_refuses", finder_refuses);
    return suite_run("recipes", s);
}
