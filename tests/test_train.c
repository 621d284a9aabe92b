/* Optimisers, schedules, metrics, the trainer: against the same sums done by hand in double. */
#include "suite.h"
#include "train/train.h"

#include <math.h>
#include <pith/nn.h>
#include <stdlib.h>
#include <string.h>

static pith_ctx *context(int threads)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 7, .threads = threads });
    ck_assert_int_eq(pith_ctx_status(c), PITH_OK);
    return c;
}

static void near(double got, double want, double tolerance, const char *what, int64_t i)
{
    double room = tolerance * fmax(1, fabs(want));
    ck_assert_msg(fabs(got - want) <= room, "%s[%lld]: %.9g, expected %.9g", what, (long long)i, got, want);
}

/* Some numbers that look random, different for every k. */
static double number(uint64_t k)
{
    pithp_rand r = pithp_rand_at(99, 0, k, PITHP_USE_OTHER);
    return 2 * pithp_rand_uniform(&r) - 1;
}

/* ---- One optimiser against its formula ---- */
enum { N = 37, STEPS = 7 };

typedef struct {
    double w[N], m[N], v[N], ema[N];
} twin;

static void twin_step(twin *t, const pith_opt_cfg *f, const double *g, int step, double scale)
{
    double d = fmin(f->ema_decay, (1.0 + step) / (10.0 + step));
    for (int i = 0; i < N; i++) {
        double u = g[i] * scale;
        if (f->kind == PITH_OPT_SGD) {
            u += f->weight_decay * t->w[i];
            t->m[i] = f->momentum * t->m[i] + u;
            t->w[i] -= f->lr * (f->nesterov ? u + f->momentum * t->m[i] : t->m[i]);
        } else if (f->kind ==
                   PITH_OPT_RMSPROP) { /* TensorFlow's: v begins at 1, eps inside the root, lr in m */
            u += f->weight_decay * t->w[i];
            t->v[i] = f->rho * (step == 0 ? 1 : t->v[i]) + (1 - f->rho) * u * u;
            t->m[i] = f->momentum * t->m[i] + f->lr * u / sqrt(t->v[i] + f->eps);
            t->w[i] -= t->m[i];
        } else {
            t->m[i] = f->beta1 * t->m[i] + (1 - f->beta1) * u;
            t->v[i] = f->beta2 * t->v[i] + (1 - f->beta2) * u * u;
            double mh = t->m[i] / (1 - pow(f->beta1, step + 1)), vh = t->v[i] / (1 - pow(f->beta2, step + 1));
            t->w[i] -= f->lr * (mh / (sqrt(vh) + f->eps) + f->weight_decay * t->w[i]);
        }
        t->ema[i] = d * t->ema[i] + (1 - d) * t->w[i];
    }
}

static double norm_of(const double *g)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += g[i] * g[i];
    return sqrt(sum);
}

static void compare(pith_opt_cfg cfg)
{
    pith_ctx *c = context(2);
    pith_tensor *p = pith_param(c, PITH_SHAPE(N));
    twin t = { 0 };
    pith_real *w = pith_values(p), *g = pith_grad(p);
    for (int i = 0; i < N; i++)
        t.w[i] = t.ema[i] = w[i] = (pith_real)number((uint64_t)i);
    pith_opt *o = pith_opt_new(c, cfg);
    ck_assert_ptr_nonnull(o);
    const pith_opt_cfg f = pithp_opt_defaults(cfg);
    for (int s = 0; s < STEPS; s++) {
        double gd[N], scale = 1;
        for (int i = 0; i < N; i++)
            gd[i] = g[i] = (pith_real)number((uint64_t)(1000 * (s + 1) + i));
        if (f.clip_norm > 0)
            scale = fmin(1, f.clip_norm / norm_of(gd));
        ck_assert_int_eq(pith_opt_step(o), PITH_OK);
        twin_step(&t, &f, gd, s, scale);
        if (f.clip_norm > 0)
            near(pith_opt_grad_norm(o), norm_of(gd), 1e-6, "norm", s);
        for (int i = 0; i < N; i++) {
            near(w[i], t.w[i], 2e-6, "weight", i);
            ck_assert(g[i] == 0);
        }
    }
    pith_opt_swap_ema(o);
    for (int i = 0; i < N; i++)
        near(w[i], f.ema_decay > 0 ? t.ema[i] : t.w[i], 2e-6, "average", i);
    if (f.ema_decay > 0) {
        ck_assert_int_eq(pith_opt_step(o), PITH_EINVAL); /* a step on the average would spoil both */
        pith_ctx_clear(c);
    }
    pith_opt_swap_ema(o);
    for (int i = 0; i < N; i++)
        near(w[i], t.w[i], 2e-6, "weight", i);
    pith_ctx_free(c);
}

static const pith_opt_cfg kinds[] = {
    { 0 },
    { .lr = 0.1, .momentum = PITH_ZERO, .weight_decay = PITH_ZERO },
    { .lr = 0.1, .momentum = 0.8, .weight_decay = 0.01 },
    { .lr = 0.1, .nesterov = true },
    { .lr = 0.1, .nesterov = true, .weight_decay = 0.1, .ema_decay = 0.5 },
    { .lr = 0.05, .clip_norm = 0.7, .ema_decay = 0.999 },
    { .kind = PITH_OPT_ADAMW },
    { .kind = PITH_OPT_ADAMW, .lr = 0.1, .weight_decay = PITH_ZERO },
    { .kind = PITH_OPT_ADAMW, .lr = 0.1, .beta1 = 0.5, .beta2 = 0.7, .eps = 1e-3, .weight_decay = 0.1 },
    { .kind = PITH_OPT_ADAMW, .lr = 0.01, .beta1 = PITH_ZERO, .ema_decay = 0.9, .clip_norm = 1 },
    { .kind = PITH_OPT_RMSPROP },
    { .kind = PITH_OPT_RMSPROP, .lr = 0.1, .momentum = PITH_ZERO, .weight_decay = PITH_ZERO },
    { .kind = PITH_OPT_RMSPROP, .lr = 0.05, .rho = 0.5, .eps = 0.1, .weight_decay = 0.1, .ema_decay = 0.9 },
    { .kind = PITH_OPT_RMSPROP, .lr = 0.05, .rho = PITH_ZERO, .momentum = 0.5, .clip_norm = 0.5 },
};

START_TEST(optimisers) { compare(kinds[_i]); }
END_TEST

START_TEST(opt_refuses)
{
    pith_ctx *c = context(1);
    ck_assert_ptr_null(pith_opt_new(c, (pith_opt_cfg){ 0 })); /* no parameters */
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
    pith_ctx_clear(c);
    pith_tensor *p = pith_param(c, PITH_SHAPE(4));
    const pith_opt_cfg bad[] = { { .lr = -1 },
                                 { .lr = NAN },
                                 { .momentum = 1 },
                                 { .beta1 = 1.5 },
                                 { .eps = -1 },
                                 { .ema_decay = 1 },
                                 { .clip_norm = -2 },
                                 { .weight_decay = INFINITY },
                                 { .kind = PITH_OPT_RMSPROP, .rho = 1 },
                                 { .n_lr_scale = 1 },
                                 { .n_lr_scale = -1 },
                                 { .lr_scale = &(pith_lr_scale){ NULL, 1 }, .n_lr_scale = 1 },
                                 { .lr_scale = &(pith_lr_scale){ "*", -1 }, .n_lr_scale = 1 },
                                 { .lr_scale = &(pith_lr_scale){ "*", NAN }, .n_lr_scale = 1 },
                                 { .kind = (pith_opt_kind)9 } };
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        ck_assert_ptr_null(pith_opt_new(c, bad[i]));
        ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
        pith_ctx_clear(c);
    }
    pith_opt *o = pith_opt_new(c, (pith_opt_cfg){ .clip_norm = 1 });
    ck_assert_ptr_nonnull(o);
    pith_real *w = pith_values(p);
    w[1] = 5;
    pith_grad(p)[1] = (pith_real)INFINITY;
    ck_assert_int_eq(pith_opt_step(o), PITH_ENAN);
    ck_assert(w[0] == 0 && w[1] == 5);
    pith_ctx_free(c);
}
END_TEST

/* ---- Many tensors, many sizes, any number of threads ---- */
static void many(int threads, pith_opt_cfg cfg, pith_real *out, int64_t n_out)
{
    static const int64_t sizes[] = { 1,  PITHP_OPT_CHUNK - 1,     3, PITHP_OPT_CHUNK,
                                     17, 3 * PITHP_OPT_CHUNK + 5, 33 };
    pith_ctx *c = context(threads);
    pith_tensor *p[PITHP_LEN(sizes)];
    for (size_t k = 0; k < PITHP_LEN(sizes); k++) {
        p[k] = pith_param(c, PITH_SHAPE(sizes[k]));
        for (int64_t i = 0; i < sizes[k]; i++)
            ((pith_real *)pith_values(p[k]))[i] = (pith_real)sin((double)(i + 1));
    }
    pith_freeze(p[3], true);
    pith_opt *o = pith_opt_new(c, cfg);
    ck_assert_ptr_nonnull(o);
    uint64_t before = pith_ctx_allocations(c);
    for (int s = 0; s < 3; s++) {
        for (size_t k = 0; k < PITHP_LEN(sizes); k++)
            for (int64_t i = 0; i < sizes[k]; i++)
                pith_grad(p[k])[i] = (pith_real)cos((double)(i * (s + 2)));
        ck_assert_int_eq(pith_opt_step(o), PITH_OK);
    }
    ck_assert_uint_eq(pith_ctx_allocations(c), before);
    int64_t at = 0;
    for (size_t k = 0; k < PITHP_LEN(sizes); k++) {
        const pith_real *w = pith_values(p[k]);
        for (int64_t i = 0; i < sizes[k] && k == 3; i++)
            ck_assert(w[i] == (pith_real)sin((double)(i + 1)));
        ck_assert_int_le(at + sizes[k], n_out);
        memcpy(out + at, w, (size_t)sizes[k] * sizeof *w);
        at += sizes[k];
    }
    pith_ctx_free(c);
}

START_TEST(same_on_all_threads)
{
    enum { ROOM = 6 * PITHP_OPT_CHUNK };
    const pith_opt_cfg cfg[] = { { .clip_norm = 0.5, .ema_decay = 0.9 },
                                 { .kind = PITH_OPT_ADAMW, .clip_norm = 0.5 },
                                 { .kind = PITH_OPT_RMSPROP, .clip_norm = 0.5 } };
    pith_real *a = calloc(ROOM, sizeof *a), *b = calloc(ROOM, sizeof *b);
    for (int k = 0; k < 3; k++) {
        many(1, cfg[k], a, ROOM);
        for (int threads = 2; threads <= 3; threads++) {
            many(threads, cfg[k], b, ROOM);
            ck_assert_mem_eq(a, b, ROOM * sizeof *a);
        }
    }
    free(a);
    free(b);
}
END_TEST

/* ---- Models: what is decayed, what is averaged ---- */
static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 5, .kernel = 3 }, PITH_RELU6);
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 3);
}

START_TEST(decay_leaves_norms_and_biases_alone)
{
    pith_ctx *c = context(1);
    pith_model *m = pith_model_new(c, net, NULL, PITH_SHAPE(8, 8, 3));
    ck_assert_ptr_nonnull(m);
    pith_model *was = pith_model_clone(m);
    for (int64_t i = 0; i < 3; i++) { /* a bias of zero would not show */
        ((pith_real *)pith_values(pith_model_find(m, "head.bias")))[i] = 1;
        ((pith_real *)pith_values(pith_model_find(was, "head.bias")))[i] = 1;
    }
    pith_opt *o = pith_opt_new_model(m, (pith_opt_cfg){ .lr = 0.5, .weight_decay = 0.1 });
    ck_assert_int_eq(pith_opt_step(o), PITH_OK); /* all gradients are zero */
    int decayed = 0;
    for (int i = 0; pith_model_param(m, i) != NULL; i++) {
        const pith_tensor *p = pith_model_param(m, i), *q = pith_model_param(was, i);
        bool matrix = pith_shape_of(p).ndim > 1;
        decayed += matrix;
        for (int64_t k = 0; k < pith_size(p); k++)
            near(((pith_real *)pith_values(p))[k], ((pith_real *)pith_values(q))[k] * (matrix ? 0.95 : 1),
                 1e-6, pith_name(p), k);
    }
    ck_assert_int_eq(decayed, 2);
    pith_ctx_free(c);
}
END_TEST

START_TEST(average_covers_running_statistics)
{
    pith_ctx *c = context(1);
    pith_model *m = pith_model_new(c, net, NULL, PITH_SHAPE(8, 8, 3));
    pith_tensor *mean = pith_model_find(m, "stem.bn.running_mean");
    ck_assert_ptr_nonnull(mean);
    pith_opt *o = pith_opt_new_model(m, (pith_opt_cfg){ .ema_decay = 0.9 });
    pith_real *v = pith_values(mean);
    double ema = v[0];
    for (int s = 0; s < 5; s++) {
        v[0] = (pith_real)(s + 1);
        ck_assert_int_eq(pith_opt_step(o), PITH_OK);
        double d = fmin(0.9, (1.0 + s) / (10.0 + s));
        ema = d * ema + (1 - d) * (s + 1);
    }
    int64_t n;
    const pith_real *all = pith_model_weights(m, &n);
    pith_real *before = malloc((size_t)n * sizeof *before);
    memcpy(before, all, (size_t)n * sizeof *before);
    pith_opt_swap_ema(o);
    near(v[0], ema, 1e-6, "average of running_mean", 0);
    pith_opt_swap_ema(o);
    ck_assert_mem_eq(before, all, (size_t)n * sizeof *before);
    free(before);
    pith_ctx_free(c);
}
END_TEST

/* ---- Schedules ---- */
START_TEST(schedules)
{
    const int64_t spe = 10;
    pith_schedule_cfg cosine = { .warmup_epochs = 2, .final_lr = 0.01 };
    near(pith_schedule_lr(cosine, 1, 0, spe, 12), 1.0 / 20, 1e-12, "warm-up", 0);
    near(pith_schedule_lr(cosine, 1, 19, spe, 12), 1, 1e-12, "warm-up", 19);
    near(pith_schedule_lr(cosine, 1, 20, spe, 12), 1, 1e-12, "cosine", 20);
    near(pith_schedule_lr(cosine, 1, 70, spe, 12), 0.505, 1e-12, "cosine", 70);
    near(pith_schedule_lr(cosine, 1, 120, spe, 12), 0.01, 1e-12, "cosine", 120);
    near(pith_schedule_lr(cosine, 1, 999, spe, 12), 0.01, 1e-12, "cosine", 999);
    /* defaults: 2 epochs of warm-up, at most a fifth of the run; down to a thousandth */
    pith_schedule_cfg none = { 0 };
    near(pith_schedule_lr(none, 1, 0, spe, 40), 1.0 / 20, 1e-12, "default", 0);
    near(pith_schedule_lr(none, 1, 0, spe, 5), 1.0 / 10, 1e-12, "default", 0);
    near(pith_schedule_lr(none, 1, 400, spe, 40), 1e-3, 1e-12, "default", 400);
    pith_schedule_cfg step = {
        .kind = PITH_STEP, .warmup_epochs = PITH_ZERO, .gamma = 0.5, .step_epochs = 3
    };
    for (int64_t s = 0; s < 120; s++)
        near(pith_schedule_lr(step, 0.8, s, spe, 12), 0.8 * pow(0.5, (double)(s / 30)), 1e-12, "step", s);
    pith_schedule_cfg flat = { .kind = PITH_CONSTANT, .warmup_epochs = PITH_ZERO };
    near(pith_schedule_lr(flat, 0.3, 0, spe, 12), 0.3, 1e-12, "constant", 0);
    near(pith_schedule_lr(flat, 0.3, 119, spe, 12), 0.3, 1e-12, "constant", 119);
    pith_schedule_cfg all_warm = { .warmup_epochs = 100 };
    near(pith_schedule_lr(all_warm, 1, 119, spe, 12), 1, 1e-12, "warm-up longer than the run", 119);
}
END_TEST

/* ---- Metrics ---- */
START_TEST(metrics)
{
    const pith_real logits[] = { 1, 2, 0, 5, 1, 1, 0, 0, 3, 2, 2, 2 };
    const int32_t labels[] = { 1, 2, -1, 0 };
    int64_t confusion[9] = { 0 };
    pith_eval_result r = { .classes = 3, .confusion = confusion };
    pithp_metrics_add(&r, confusion, logits, labels, 4);
    pithp_metrics_finish(&r);
    ck_assert_int_eq(r.n, 3);       /* -1 is left out */
    ck_assert_int_eq(r.correct, 2); /* of equals the first counts */
    near(r.accuracy, 2.0 / 3, 1e-12, "accuracy", 0);
    double loss = log(exp(1) + exp(2) + 1) - 2 + log(exp(5) + 2 * exp(1)) - 1 + log(3);
    near(r.loss, loss / 3, 1e-9, "loss", 0);
    ck_assert_int_eq(confusion[1 * 3 + 1], 1);
    ck_assert_int_eq(confusion[2 * 3 + 0], 1);
    ck_assert_int_eq(confusion[0 * 3 + 0], 1);
    pith_real p[3];
    pithp_softmax_row(logits, 3, p);
    near(p[1], exp(2) / (exp(1) + exp(2) + 1), 1e-6, "softmax", 1);
}
END_TEST

/* ---- The trainer ---- */
START_TEST(trainer)
{
    enum { B = 6 };
    pith_ctx *c = context(2);
    pith_model *m = pith_model_new(c, net, NULL, PITH_SHAPE(8, 8, 3));
    pith_real x[B * 8 * 8 * 3];
    int32_t labels[B];
    for (int i = 0; i < B; i++)
        labels[i] = i % 3;
    for (size_t i = 0; i < PITHP_LEN(x); i++)
        x[i] = (pith_real)(number(i) + labels[i / 192] * 0.5);
    pith_trainer *t = pith_trainer_new(m, (pith_trainer_cfg){ .batch = B, .smoothing = PITH_ZERO });
    ck_assert_ptr_nonnull(t);
    pith_batch b = { .n = B, .x = x, .labels = labels };
    double first = pith_trainer_step(t, &b, 0.05), last = 0;
    uint64_t before = pith_ctx_allocations(c);
    for (int i = 0; i < 60; i++)
        last = pith_trainer_step(t, &b, 0.05);
    ck_assert_uint_eq(pith_ctx_allocations(c), before);
    ck_assert_msg(last < 0.2 * first && first < 3, "loss from %g to %g", first, last);
    ck_assert_int_eq(pith_trainer_correct(t), B);

    labels[2] = 3; /* of three classes */
    ck_assert(isnan(pith_trainer_step(t, &b, 0.05)));
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
    pith_ctx_clear(c);
    labels[2] = 2;
    b.n = B + 1;
    ck_assert(isnan(pith_trainer_step(t, &b, 0.05)));
    pith_ctx_clear(c);
    b.n = B;
    ((pith_real *)pith_values(pith_model_find(m, "head.weight")))[0] = (pith_real)NAN;
    ck_assert(isnan(pith_trainer_step(t, &b, 0.05)));
    ck_assert_int_eq(pith_ctx_status(c), PITH_ENAN);
    ck_assert_msg(strstr(pith_error_text(c), "head.weight") != NULL, "%s", pith_error_text(c));
    pith_trainer_free(t);
    pith_model_free(m);
    pith_ctx_free(c);
}
END_TEST

START_TEST(freed_in_any_order)
{
    for (int k = 0; k < 3; k++) {
        pith_ctx *c = context(1);
        pith_model *m = pith_model_new(c, net, NULL, PITH_SHAPE(8, 8, 3));
        pith_real x[192] = { 0 }, p[3];
        pith_trainer *t = pith_trainer_new(m, (pith_trainer_cfg){ .batch = 2 });
        ck_assert_int_eq(pith_predict(m, x, 1, p), PITH_OK);
        if (k == 1)
            pith_trainer_free(t);
        if (k >= 1)
            pith_model_free(m);
        pith_ctx_free(c);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("train");
    tcase_add_loop_test(suite_case(s, "optimisers"), optimisers, 0, (int)PITHP_LEN(kinds));
    suite_test(s, "opt_refuses", opt_refuses);
    suite_test(s, "same_on_all_threads", same_on_all_threads);
    suite_test(s, "decay", decay_leaves_norms_and_biases_alone);
    suite_test(s, "average", average_covers_running_statistics);
    suite_test(s, "schedules", schedules);
    suite_test(s, "metrics", metrics);
    suite_test(s, "trainer", trainer);
    suite_test(s, "freed_in_any_order", freed_in_any_order);
    return suite_run("train", s);
}
