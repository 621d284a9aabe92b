/* Whole trainings: they learn, they stop and go on bit for bit, they lose nothing. */
#include "file/safetensors.h"
#include "fit_help.h"
#include "kill_help.h"

#include <sys/resource.h>
#include <unistd.h>

/* Batches of 16: six steps an epoch. */
static const pith_fit_cfg small = { .epochs = 3, .batch = 16, .seed = 11, .opt = { .lr = 0.05 } };

/* What the progress callback saw and what it shall do. */
typedef struct {
    int steps, epochs, saves, notes, stop, stop_after, allocated_in_steps;
    uint64_t allocations;
    double val_accuracy;
    pith_ctx *c;
    pith_model *m;
    char text[400];
} watch;

static void watching(void *user, const pith_progress *p)
{
    watch *w = user;
    uint64_t now = pith_ctx_allocations(w->c);
    if (p->event == 's') {
        w->steps++;
        if (p->step > 1)
            w->allocated_in_steps += now != w->allocations;
        if (w->steps == w->stop_after)
            w->stop = 1;
        ck_assert(p->step >= 1 && p->step <= p->steps && p->epoch >= 1 && p->epoch <= p->epochs);
        ck_assert(isfinite(p->loss) && p->accuracy >= 0 && p->accuracy <= 1 && p->lr > 0 && p->img_per_s > 0);
    }
    w->epochs += p->event == 'e';
    if (p->event == 'e')
        w->val_accuracy = p->val_accuracy;
    w->saves += p->event == 'c';
    if (p->event == 'n') {
        w->notes++;
        snprintf(w->text, sizeof w->text, "%s", p->text);
    }
    w->allocations = now;
}

static pith_status run(fit_setup *s, watch *w, pith_fit_cfg cfg)
{
    w->c = s->c;
    w->m = s->m;
    cfg.progress = watching;
    cfg.progress_user = w;
    cfg.stop = &w->stop;
    return pith_fit(s->m, s->d, cfg);
}

static int lines_with(const char *path, const char *what)
{
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    char line[4000];
    int n = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *j = json_loads(line, 0, NULL);
        ck_assert_msg(j != NULL, "not JSON: %s", line);
        n += strstr(line, what) != NULL;
        json_decref(j);
    }
    fclose(f);
    return n;
}

/* ---- It learns ---- */
START_TEST(learns)
{
    fit_setup s = fit_begin(1);
    watch w = { 0 };
    pith_fit_cfg cfg = small;
    cfg.epochs = 25;
    cfg.opt.ema_decay = 0.95;
    cfg.augment = (pith_augment_cfg){ .scale_min = 0.8 };
    cfg.out = fit_path("learns");
    ck_assert_msg(run(&s, &w, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    ck_assert_int_eq(w.steps, 25 * 6);
    ck_assert_int_eq(w.epochs, 25);
    ck_assert_int_eq(w.allocated_in_steps, 0);
    pith_eval_result r;
    ck_assert_int_eq(pith_evaluate(s.m, s.d, PITH_VAL, 0, &r), PITH_OK);
    ck_assert_msg(r.accuracy > 0.9, "accuracy %g", r.accuracy);
    ck_assert(r.accuracy == w.val_accuracy); /* the model holds what the last epoch's line speaks of */

    /* last.pith is a model like any other, with the weights that would be used */
    pith_model *m = pith_model_load(s.c, fit_path("learns/last.pith"));
    ck_assert_msg(m != NULL, "%s", pith_error_text(s.c));
    pith_eval_result again;
    ck_assert_int_eq(pith_evaluate(m, s.d, PITH_VAL, 0, &again), PITH_OK);
    ck_assert(again.correct == r.correct && again.loss == r.loss);
    ck_assert_str_eq(pith_model_meta(m, "classes"), "[\"disc\",\"cross\"]");
    pith_model *best = pith_model_load(s.c, fit_path("learns/best.pith"));
    ck_assert_msg(best != NULL, "%s", pith_error_text(s.c));
    ck_assert_int_eq(pith_evaluate(best, s.d, PITH_VAL, 0, &again), PITH_OK);
    ck_assert(again.correct >= r.correct);
    ck_assert_int_eq(lines_with(fit_path("learns/log.jsonl"), "\"event\":\"epoch\""), 25);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- The same bytes ---- */
static void same_tensors(pith_ctx *c, const char *a, const char *b)
{
    pithp_st_file f, g;
    ck_assert_msg(pithp_st_open(c, &f, a) == PITH_OK, "%s", pith_error_text(c));
    ck_assert_msg(pithp_st_open(c, &g, b) == PITH_OK, "%s", pith_error_text(c));
    ck_assert_uint_eq(f.n, g.n);
    for (size_t i = 0; i < f.n; i++) {
        const pithp_st_tensor *t = pithp_st_find(&g, f.tensors[i].name);
        ck_assert_msg(t != NULL && t->bytes == f.tensors[i].bytes &&
                          !memcmp(t->data, f.tensors[i].data, t->bytes),
                      "%s differs between %s and %s", f.tensors[i].name, a, b);
    }
    pithp_st_close(&f);
    pithp_st_close(&g);
}

static pith_fit_cfg resumable(int i)
{
    pith_fit_cfg cfg = small;
    if (i == 1)
        cfg.opt = (pith_opt_cfg){ .kind = PITH_OPT_ADAMW, .clip_norm = 1 };
    if (i == 2)
        cfg.opt.ema_decay = PITH_ZERO;
    if (i == 2)
        cfg.accumulate = 4; /* an epoch of six batches: one step, two batches left out */
    if (i == 2)
        cfg.epochs = 8;
    return cfg;
}

/* One training at once; the same in pieces, each with fresh objects and another number of threads. */
START_TEST(resumes_bit_for_bit)
{
    pith_fit_cfg cfg = resumable(_i);
    char whole[40], pieces[40];
    snprintf(whole, sizeof whole, "whole%d", _i);
    snprintf(pieces, sizeof pieces, "pieces%d", _i);
    cfg.out = fit_path(whole);
    fit_setup s = fit_begin(1);
    watch w = { 0 };
    ck_assert_msg(run(&s, &w, cfg) == PITH_OK, "%s", pith_error_text(s.c));

    cfg.out = fit_path(pieces);
    pithp_rand r = pithp_rand_at(17, 0, (uint64_t)_i, PITHP_USE_OTHER);
    pith_status status = PITH_ESTOPPED;
    int sittings = 0, done = 0;
    fit_setup t = { 0 };
    for (; status == PITH_ESTOPPED; sittings++, cfg.resume = true) {
        pith_ctx_free(t.c);
        t = fit_begin(1 + sittings % 3);
        watch v = { .stop_after = 1 + (int)pithp_rand_below(&r, _i == 2 ? 3 : 7) };
        status = run(&t, &v, cfg);
        done += v.steps;
        ck_assert_msg(status == PITH_OK || status == PITH_ESTOPPED, "%s", pith_error_text(t.c));
    }
    ck_assert_int_eq(status, PITH_OK);
    ck_assert_int_gt(sittings, 2);
    ck_assert_int_eq(done, w.steps); /* nothing was done twice */
    int64_t n;
    const pith_real *a = pith_model_weights(s.m, &n), *b = pith_model_weights(t.m, NULL);
    ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
    char last[2][80], log[80];
    snprintf(last[0], 80, "%s/last.pith", whole);
    snprintf(last[1], 80, "%s/last.pith", pieces);
    snprintf(log, 80, "%s/log.jsonl", pieces);
    same_tensors(s.c, fit_path(last[0]), fit_path(last[1]));
    ck_assert_int_eq(lines_with(fit_path(log), "\"event\":\"epoch\""), cfg.epochs);
    ck_assert_int_eq(lines_with(fit_path(log), "\"event\":\"start\""), 1);

    /* and once more: it is finished, and says so */
    watch v = { 0 };
    ck_assert_int_eq(run(&t, &v, cfg), PITH_OK);
    ck_assert(v.steps == 0 && v.notes == 1);
    ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
    pith_ctx_free(s.c);
    pith_ctx_free(t.c);
}
END_TEST

/* Another kernel set gives other bits: allowed, but said. */
START_TEST(other_machine_is_said)
{
    pith_fit_cfg cfg = small;
    cfg.out = fit_path("other");
    fit_setup s = fit_begin(1);
    watch w = { .stop = 1 };
    ck_assert_int_eq(run(&s, &w, cfg), PITH_ESTOPPED);
    char was[2][80];
    snprintf(was[0], 80, "%s", pith_build_info(s.c).cpu);
    snprintf(was[1], 80, "%s", pith_build_info(s.c).blas_core);
    pith_ctx_free(s.c);
    setenv("PITH_CPU", "base", 1);
    s = fit_begin(1);
    watch v = { 0 };
    cfg.resume = true;
    ck_assert_msg(run(&s, &v, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    bool same = !strcmp(was[0], pith_build_info(s.c).cpu) && !strcmp(was[1], pith_build_info(s.c).blas_core);
    ck_assert_int_eq(v.notes, same ? 0 : 1);
    if (!same)
        ck_assert_msg(strstr(v.text, "not bit for bit") != NULL, "%s", v.text);
    pith_ctx_free(s.c);
}
END_TEST

static bool train_apart(pith_fit_cfg cfg, int threads)
{
    fit_setup s = fit_begin(threads);
    bool ok = pith_fit(s.m, s.d, cfg) == PITH_OK;
    if (!ok)
        fprintf(stderr, "training apart: %s\n", pith_error_text(s.c));
    return ok;
}

static bool train_one(pith_fit_cfg cfg) { return train_apart(cfg, 1); }
static bool train_two(pith_fit_cfg cfg) { return train_apart(cfg, 2); }

/* kill -9 at any moment, with a save after every step. */
START_TEST(survives_kill)
{
    pith_fit_cfg cfg = small;
    cfg.epochs = 2;
    cfg.save_every_minutes = 1e-9;
    cfg.out = fit_path("unharmed");
    char killed[600]; /* fit_path's own rooms are used again */
    snprintf(killed, sizeof killed, "%s", fit_path("killed"));
    kill_and_resume(train_one, train_two, cfg, killed, 30, 23);
    fit_setup s = fit_begin(1);
    same_tensors(s.c, fit_path("killed/last.pith"), fit_path("unharmed/last.pith"));
    ck_assert_int_eq(lines_with(fit_path("killed/log.jsonl"), "\"event\":\"epoch\""), cfg.epochs);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    pith_real *first = NULL;
    int64_t n = 0;
    for (int threads = 1; threads <= 3; threads++) {
        fit_setup s = fit_begin(threads);
        watch w = { 0 };
        ck_assert_int_eq(run(&s, &w, small), PITH_OK);
        const pith_real *v = pith_model_weights(s.m, &n);
        if (first == NULL)
            first = memcpy(malloc((size_t)n * sizeof *v), v, (size_t)n * sizeof *v);
        else
            ck_assert_mem_eq(first, v, (size_t)n * sizeof *v);
        pith_ctx_free(s.c);
    }
    free(first);
}
END_TEST

/* ---- Accumulated batches ---- */
static pith_tensor *plain_net(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_relu(
        pith_nn_conv2d(m, "c1", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3, .stride = 2, .bias = true }));
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 2);
}

START_TEST(accumulation_is_a_bigger_batch)
{
    pith_real *w[2];
    int64_t n = 0;
    fit_setup s[2];
    for (int i = 0; i < 2; i++) {
        s[i] = fit_begin(2);
        pith_model *m = pith_model_new(s[i].c, plain_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
        pith_fit_cfg cfg = { .epochs = 2, .batch = i ? 8 : 32, .accumulate = i ? 4 : 1, .opt.lr = 0.05 };
        ck_assert_msg(pith_fit(m, s[i].d, cfg) == PITH_OK, "%s", pith_error_text(s[i].c));
        w[i] = pith_model_weights(m, &n);
    }
    for (int64_t k = 0; k < n; k++)
        ck_assert_msg(fabs((double)(w[0][k] - w[1][k])) < 1e-5, "weight %lld: %g and %g", (long long)k,
                      w[0][k], w[1][k]);
    pith_ctx_free(s[0].c);
    pith_ctx_free(s[1].c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fit");
    suite_test(s, "kill", survives_kill); /* first: before libgomp has threads, which a fork would lose */
    suite_test(s, "learns", learns);
    tcase_add_loop_test(suite_case(s, "resume"), resumes_bit_for_bit, 0, 3);
    suite_test(s, "other_machine", other_machine_is_said);
    suite_test(s, "threads", threads_do_not_matter);
    suite_test(s, "accumulation", accumulation_is_a_bigger_batch);
    return suite_run("fit", s);
}
