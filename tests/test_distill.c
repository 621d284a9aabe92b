/* tests/test_distill.c: distillation as part of a training: the loss that is trained, every kind, runs in one and in pieces, quantized
   students and teachers. Stores are test_distill_store's, refusals test_distill_errors'. */
#include "distill_help.h"

/* ---- The loss is what it says ---- */
static double log_sum(const pith_real *x, double t)
{
    return log(exp((double)x[0] / t) + exp((double)x[1] / t));
}

/* T^2 KL of two classes, from logits */
static double kl(const pith_real *teacher, const pith_real *student, double t)
{
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        double q = (double)teacher[i] / t - log_sum(teacher, t),
               p = (double)student[i] / t - log_sum(student, t);
        sum += exp(q) * (q - p);
    }
    return t * t * sum;
}

static void logits_of(pith_model *m, const pith_batch *b, bool train, pith_real *out)
{
    pith_tensor *y = pith_model_output(m);
    pith_plan *p = pith_plan_new(&y, 1, (pith_plan_cfg){ .batch = b->n, .train = train });
    ck_assert(p != NULL);
    memcpy(pith_plan_input(p, pith_model_input(m)), b->x,
           (size_t)b->n * FIT_SIZE * FIT_SIZE * 3 * sizeof *b->x);
    ck_assert_int_eq(pith_plan_forward(p, b->n, 0), PITH_OK);
    memcpy(out, pith_plan_value(p, y), (size_t)b->n * 2 * sizeof *out);
    pith_plan_free(p);
}

START_TEST(response_by_hand)
{
    fit_setup s = fit_begin(1);
    pith_model *t[] = { make_teacher(s.c),
                        pith_model_new(s.c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3)) };
    pith_real *w = pith_model_weights(t[1], NULL);
    w[0] += PITHP_R(0.5);
    pith_loader *l = pith_loader_new(s.d, (pith_loader_cfg){ .batch = 16 });
    pith_batch b;
    pith_real says[2][32], student[32];
    double hard = 0, soft = 0;
    ck_assert(pith_loader_next(l, &b));
    for (int i = 0; i < 2; i++)
        logits_of(t[i], &b, false, says[i]);
    logits_of(s.m, &b, true, student);
    for (int i = 0; i < 16; i++) {
        hard += (log_sum(student + 2 * i, 1) - (double)student[2 * i + b.labels[i]]) / 16;
        soft += (kl(says[0] + 2 * i, student + 2 * i, 3) + kl(says[1] + 2 * i, student + 2 * i, 3)) / 32;
    }
    pith_distill *k = pith_distill_new(s.m, t, 2, (pith_distill_cfg){ .temperature = 3, .alpha = 0.4 });
    ck_assert_msg(k != NULL, "%s", pith_error_text(s.c));
    pith_trainer *r = pith_trainer_new(
        s.m, (pith_trainer_cfg){ .batch = 16, .smoothing = PITH_ZERO, .loss = pith_distill_loss(k) });
    ck_assert_msg(r != NULL, "%s", pith_error_text(s.c));
    double loss = pith_trainer_step(r, &b, 0.01);
    ck_assert_double_eq_tol(loss, 0.6 * hard + 0.4 * soft, 1e-5);
    pith_trainer_free(r);
    pith_distill_free(k);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Every kind trains, and nothing of it stays in the model ---- */
static const pith_distill_pair named[] = { { "b1", "b1" }, { "b3", "b2" } };
static const pith_distill_cfg kinds[] = {
    { 0 },
    { .kinds = PITH_DISTILL_DECOUPLED, .others = 2 },
    { .kinds = PITH_DISTILL_FEATURE },
    { .kinds = PITH_DISTILL_FEATURE, .pairs = named, .n_pairs = 2 },
    { .kinds = PITH_DISTILL_ATTENTION },
    { .kinds = PITH_DISTILL_RELATION },
    { .kinds = PITH_DISTILL_SIMILARITY, .similarity = 100, .embedding = { "b3", "b2" } },
    { .kinds = PITH_DISTILL_RESPONSE | PITH_DISTILL_FEATURE | PITH_DISTILL_ATTENTION | PITH_DISTILL_RELATION |
               PITH_DISTILL_SIMILARITY,
      .similarity = 10 },
};

/* What the hook adds moves the weights: they differ from those of a training without it. */
START_TEST(every_kind)
{
    size_t n_plain, n_with;
    fit_setup s = fit_begin(2), p = fit_begin(2);
    pith_model *t = make_teacher(s.c);
    int64_t before = pith_model_info(s.m).parameters;
    pith_fit_cfg one = distill_small;
    one.epochs = 1;
    ok(p.c, pith_fit(p.m, p.d, one));
    ok(s.c, pith_distill_fit(s.m, &t, 1, s.d, kinds[_i], one));
    pith_real *plain = weights_of(p.m, &n_plain), *with = weights_of(s.m, &n_with);
    ck_assert_uint_eq(n_plain, n_with);
    ck_assert(memcmp(plain, with, n_plain) != 0);
    ck_assert_int_eq(pith_model_info(s.m).parameters, before);
    ck_assert_ptr_null(pith_model_find(s.m, "distill.0.regressor.0"));
    char *path = fit_path("kind.pith");
    ok(s.c, pith_model_save(s.m, path, false));
    ck_assert_ptr_nonnull(pith_model_load(s.c, path));
    free(plain);
    free(with);
    pith_ctx_free(s.c);
    pith_ctx_free(p.c);
}
END_TEST

/* A regressor learns: what it says comes nearer to the teacher's features. */
START_TEST(regressor_learns)
{
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_distill *k = pith_distill_new(s.m, &t, 1, kinds[2]);
    ck_assert_msg(k != NULL, "%s", pith_error_text(s.c));
    const pith_tensor *w = pith_model_find(s.m, "distill.0.regressor.0");
    ck_assert_ptr_nonnull(w);
    pith_real *before = malloc((size_t)pith_size(w) * sizeof *before);
    memcpy(before, pith_values(w), (size_t)pith_size(w) * sizeof *before);
    pith_trainer *r = pith_trainer_new(s.m, (pith_trainer_cfg){ .batch = 32, .loss = pith_distill_loss(k) });
    pith_loader *l = pith_loader_new(s.d, (pith_loader_cfg){ .batch = 32 });
    pith_batch b;
    ck_assert_msg(r != NULL && pith_loader_next(l, &b), "%s", pith_error_text(s.c));
    double first = pith_trainer_step(r, &b, 0.02), last = first;
    for (int i = 0; i < 30; i++)
        last = pith_trainer_step(r, &b, 0.02);
    ck_assert_msg(last < 0.7 * first, "%g to %g", first, last);
    ck_assert(memcmp(before, pith_values(w), (size_t)pith_size(w) * sizeof *before) != 0);
    free(before);
    pith_trainer_free(r);
    pith_distill_free(k);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- In one and in pieces; whatever the number of threads ---- */
typedef struct {
    int steps, stop, stop_after;
} watch;

static void watching(void *user, const pith_progress *p)
{
    watch *w = user;
    w->steps += p->event == 's';
    if (p->event == 's' && w->steps == w->stop_after)
        w->stop = 1;
}

/* stop_after -1: goes on */
static pith_status piece(const char *out, int threads, int stop_after, bool ema, pith_distill_cfg cfg,
                         pith_real **w, size_t *n)
{
    fit_setup s = fit_begin(threads);
    watch k = { .stop_after = stop_after };
    pith_model *t = make_teacher(s.c);
    pith_fit_cfg f = distill_small;
    f.out = out;
    f.resume = stop_after == -1;
    f.stop = &k.stop;
    f.progress = watching;
    f.progress_user = &k;
    f.opt.ema_decay = ema ? 0 : PITH_ZERO;
    pith_status e = pith_distill_fit(s.m, &t, 1, s.d, cfg, f);
    ck_assert_msg(e == PITH_OK || e == PITH_ESTOPPED, "%s", pith_error_text(s.c));
    *w = weights_of(s.m, n);
    pith_ctx_free(s.c);
    return e;
}

START_TEST(resumes_bit_for_bit)
{
    const pith_distill_cfg all = kinds[PITHP_LEN(kinds) - 1];
    pith_real *whole, *part;
    size_t n_whole, n_part;
    char *once = fit_path("once"), *twice = fit_path("twice");
    ck_assert_int_eq(piece(once, 1, 0, _i, all, &whole, &n_whole), PITH_OK);
    ck_assert_int_eq(piece(twice, 2, 8, _i, all, &part, &n_part), PITH_ESTOPPED);
    ck_assert_uint_eq(n_part, n_whole); /* the regressors have gone after a stop, too */
    free(part);
    ck_assert_int_eq(piece(twice, 1, -1, _i, all, &part, &n_part), PITH_OK);
    same_weights(whole, n_whole, part, n_part);
    free(whole);
    free(part);
}
END_TEST

START_TEST(another_teacher_does_not_go_on)
{
    pith_real *w;
    size_t n;
    char *out = fit_path("other");
    ck_assert_int_eq(piece(out, 1, 4, true, kinds[0], &w, &n), PITH_ESTOPPED);
    free(w);
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_model_weights(t, NULL)[0] += 1;
    pith_fit_cfg f = distill_small;
    f.out = out;
    f.resume = true;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, kinds[0], f) == PITH_OK, PITH_EINVAL, "'loss' was");
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Quantized ones ---- */
static pith_status qat_fit(fit_setup *s, pith_model *teacher, int epochs)
{
    pith_fit_cfg f = distill_small;
    f.epochs = epochs;
    f.opt.lr = 0.005;
    ok(s->c, pith_qat(s->m, (pith_quant_cfg){ .bits_weights = 2,
                                              .bits_activations = 4,
                                              .observe_steps = 4,
                                              .freeze_bn = 6,
                                              .freeze_ranges = 6 }));
    return teacher == NULL ? pith_fit(s->m, s->d, f)
                           : pith_distill_fit(s->m, &teacher, 1, s->d, (pith_distill_cfg){ .alpha = 1 }, f);
}

/* A model teaches its own quantized version, which stays nearer to it than one that only sees labels. */
START_TEST(teaches_itself)
{
    pith_distill_gap gap[2];
    for (int with = 0; with < 2; with++) {
        fit_setup s = fit_begin(2);
        pith_fit_cfg f = distill_small;
        f.epochs = 6;
        ok(s.c, pith_fit(s.m, s.d, f));
        pith_model *own = pith_model_clone(s.m);
        ok(s.c, qat_fit(&s, with ? own : NULL, 4));
        ok(s.c, pith_distill_compare(s.m, own, s.d, PITH_VAL, &gap[with]));
        ck_assert_int_eq(gap[with].n, FIT_VAL);
        pith_distill_gap none;
        ok(s.c, pith_distill_compare(own, own, s.d, PITH_VAL, &none));
        ck_assert(none.kl == 0 && none.differ == 0);
        pith_ctx_free(s.c);
    }
    ck_assert_msg(gap[1].kl < gap[0].kl, "KL %g with its teacher, %g without", gap[1].kl, gap[0].kl);
}
END_TEST

/* Integers teach what the simulation of them teaches, to the last bit. */
START_TEST(integer_teacher)
{
    static const unsigned ask[] = { PITH_DISTILL_RESPONSE, PITH_DISTILL_RESPONSE | PITH_DISTILL_ATTENTION };
    pith_real *w[2];
    size_t n[2];
    for (int i = 0; i < 2;
         i++) { /* the second asks for more than logits: the plan runs; but its map weighs nothing */
        fit_setup s = fit_begin(1);
        pith_model *t = make_teacher(s.c);
        ok(s.c, pith_quantize(t, s.d, (pith_quant_cfg){ 0 }));
        pith_distill_cfg cfg = { .kinds = ask[i], .attention = PITH_ZERO };
        pith_fit_cfg f = distill_small;
        f.epochs = 1;
        ok(s.c, pith_distill_fit(s.m, &t, 1, s.d, cfg, f));
        w[i] = weights_of(s.m, &n[i]);
        pith_ctx_free(s.c);
    }
    same_weights(w[0], n[0], w[1], n[1]);
    free(w[0]);
    free(w[1]);
}
END_TEST

/* Masks grow while a teacher helps; then the pruned model learns its integers from its float self: zeros stay zeros, and the regressors
   are no layers that pruning counts. */
START_TEST(pruned_then_quantized)
{
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    const pith_prune_cfg prune = { .target = 0.6, .per_layer = true };
    pith_prune_facts before, after;
    ok(s.c, pith_prune_info(s.m, prune, &before));
    pith_distill *k = pith_distill_new(
        s.m, &t, 1, (pith_distill_cfg){ .kinds = PITH_DISTILL_RESPONSE | PITH_DISTILL_FEATURE });
    ck_assert_msg(k != NULL, "%s", pith_error_text(s.c));
    pith_fit_cfg f = distill_small;
    f.loss = pith_distill_loss(k);
    ok(s.c, pith_prune_fit(s.m, s.d, prune,
                           (pith_prune_schedule){ .kind = PITH_PRUNE_POLYNOMIAL, .frequency = 2 }, f));
    pith_distill_free(k);
    ok(s.c, pith_prune_info(s.m, prune, &after));
    ck_assert_int_eq(after.weights, before.weights);
    ck_assert_msg(fabs((double)after.held / (double)after.weights - 0.6) < 0.01, "%lld of %lld",
                  (long long)after.held, (long long)after.weights);
    pith_model *own = pith_model_clone(s.m);
    int64_t zeros = 0, n;
    ok(s.c, qat_fit(&s, own, 2));
    const pith_real *w = pith_model_weights(s.m, &n);
    for (int64_t i = 0; i < n; i++)
        zeros += w[i] == 0;
    ck_assert_msg(zeros >= after.held, "%lld zeros of %lld", (long long)zeros, (long long)after.held);
    pith_eval_result r;
    ok(s.c, pith_evaluate(s.m, s.d, PITH_VAL, 0, &r));
    pith_ctx_free(s.c);
}
END_TEST

/* Mixed images: the teacher sees the mixture. */
START_TEST(mixed_images)
{
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_fit_cfg f = distill_small;
    f.epochs = 1;
    f.augment.mixup = 0.4;
    ok(s.c, pith_distill_fit(s.m, &t, 1, s.d, kinds[0], f));
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, kinds[1], f) == PITH_OK, PITH_EINVAL,
            "one label an image");
    pith_ctx_free(s.c);
}
END_TEST

/* A context that ends with a distillation in it frees all. */
START_TEST(left_to_the_context)
{
    fit_setup s = fit_begin(1);
    pith_model *t = make_teacher(s.c);
    pith_distill *k = pith_distill_new(s.m, &t, 1, kinds[PITHP_LEN(kinds) - 1]);
    ok(s.c, pith_distill_prepare(k, s.d, &distill_small));
    ck_assert_int_eq(pith_distill_info(k).images, 0);
    pith_distill_free(NULL);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("distill");
    TCase *t = suite_case(s, "distillation");
    tcase_add_test(t, response_by_hand);
    tcase_add_loop_test(t, every_kind, 0, (int)PITHP_LEN(kinds));
    tcase_add_test(t, regressor_learns);
    tcase_add_loop_test(t, resumes_bit_for_bit, 0, 2);
    tcase_add_test(t, another_teacher_does_not_go_on);
    tcase_add_test(t, teaches_itself);
    tcase_add_test(t, integer_teacher);
    tcase_add_test(t, pruned_then_quantized);
    tcase_add_test(t, mixed_images);
    tcase_add_test(t, left_to_the_context);
    return suite_run("distill", s);
}
