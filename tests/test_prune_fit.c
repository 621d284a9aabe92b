/* Pruning while training: schedules by their formulas, resuming bit for bit, rewinding, and what is refused. */
#include "prune_help.h"
#include "quant_help.h"
#include "kill_help.h"
#include "file/safetensors.h"

/* ---- Formulas ---- */
START_TEST(by_formula)
{
    /* 10 steps an epoch, 8 epochs: from step 10 to 50 every 8 steps: 5 intervals */
    pith_prune_schedule s = {
        .kind = PITH_PRUNE_POLYNOMIAL, .begin = 1, .end = 5, .frequency = 8, .from = 0.2
    };
    static const struct {
        int step;
        double left; /* share of the way still to go */
    } at[] = { { 0, 1 },    { 9, 1 },    { 10, 1 },   { 17, 1 },   { 18, 0.8 }, { 25, 0.8 },
               { 26, 0.6 }, { 34, 0.4 }, { 42, 0.2 }, { 49, 0.2 }, { 50, 0 },   { 79, 0 } };
    for (size_t i = 0; i < PITHP_LEN(at); i++) {
        double want = 0.9 - 0.7 * at[i].left * at[i].left * at[i].left;
        double is = pith_prune_sparsity(s, 0.9, at[i].step, 10, 8);
        suite_check(fabs(is - want) < 1e-12, "step %d: %g, not %g", at[i].step, is, want);
    }
    s.power = 1;
    ck_assert(fabs(pith_prune_sparsity(s, 0.9, 34, 10, 8) - (0.9 - 0.7 * 0.4)) < 1e-12);
    s = (pith_prune_schedule){
        .kind = PITH_PRUNE_POLYNOMIAL
    }; /* by default from the beginning to half of the run */
    ck_assert(pith_prune_sparsity(s, 0.8, 0, 100, 4) == 0 && pith_prune_sparsity(s, 0.8, 199, 100, 4) < 0.8 &&
              pith_prune_sparsity(s, 0.8, 200, 100, 4) == 0.8);
    s = (pith_prune_schedule){ .kind = PITH_PRUNE_ONESHOT };
    ck_assert(pith_prune_sparsity(s, 0.7, 0, 10, 4) == 0.7);
    s = (pith_prune_schedule){ .kind = PITH_PRUNE_CONSTANT, .begin = 1.5 };
    ck_assert(pith_prune_sparsity(s, 0.7, 14, 10, 4) == 0 && pith_prune_sparsity(s, 0.7, 15, 10, 4) == 0.7);
    s = (pith_prune_schedule){ .kind = PITH_PRUNE_ITERATIVE,
                               .rounds = 3 }; /* 1/2 of the rest each: 1/2, 3/4, 7/8 */
    ck_assert(fabs(pith_prune_sparsity(s, 0.875, 0, 10, 6) - 0.5) < 1e-12);
    ck_assert(fabs(pith_prune_sparsity(s, 0.875, 19, 10, 6) - 0.5) < 1e-12);
    ck_assert(fabs(pith_prune_sparsity(s, 0.875, 20, 10, 6) - 0.75) < 1e-12);
    ck_assert(pith_prune_sparsity(s, 0.875, 40, 10, 6) == 0.875);
    s.from = 0.5; /* going on from half: (1/4)^(1/3) of the rest each */
    ck_assert(fabs(pith_prune_sparsity(s, 0.875, 0, 10, 6) - (1 - 0.5 * cbrt(0.25))) < 1e-12);
}
END_TEST

/* A learning rate that begins anew: each cycle is a run of its own. */
START_TEST(cycles)
{
    pith_schedule_cfg whole = { .kind = PITH_COSINE }, three = { .kind = PITH_COSINE, .cycles = 3 };
    for (int step = 0; step < 60; step++)
        ck_assert(pith_schedule_lr(three, 0.1, step, 10, 6) ==
                  pith_schedule_lr(whole, 0.1, step % 20, 10, 2));
}
END_TEST

/* ---- In a training: 6 steps an epoch ---- */
static const pith_fit_cfg small = { .epochs = 6, .batch = 16, .seed = 11, .opt = { .lr = 0.05 } };

static const struct {
    pith_prune_cfg cfg;
    pith_prune_schedule s;
} runs[] = {
    { { .target = 0.8, .skip = "head*" }, { .kind = PITH_PRUNE_POLYNOMIAL, .frequency = 3 } },
    { { .target = 0.6, .per_layer = true, .criterion = PITH_PRUNE_TAYLOR, .samples = 40 },
      { .kind = PITH_PRUNE_POLYNOMIAL, .begin = 0.5, .end = 4, .frequency = 4 } },
    { { .unit = PITH_PRUNE_NM, .skip = "stem*" }, { .kind = PITH_PRUNE_POLYNOMIAL, .frequency = 2 } },
    { { .target = 0.5, .unit = PITH_PRUNE_CHANNEL, .criterion = PITH_PRUNE_BN, .per_layer = true },
      { .kind = PITH_PRUNE_ITERATIVE, .rounds = 3 } },
    { { .target = 0.7, .skip = "head*" }, { .kind = PITH_PRUNE_REWIND, .rounds = 2 } },
    { { .target = 0.5, .unit = PITH_PRUNE_KERNEL, .per_layer = true },
      { .kind = PITH_PRUNE_CONSTANT, .begin = 2 } },
    { { .target = 0.9, .layers = "head=0.25,stem*=0.3", .criterion = PITH_PRUNE_L2 },
      { .kind = PITH_PRUNE_ONESHOT } },
};

typedef struct {
    int steps, stop, stop_after, allocated_in_steps, notes;
    uint64_t allocations;
    pith_model *m;
    const pith_opt *opt;
} watch;

static int64_t held(const pith_model *m)
{
    int64_t n = 0;
    for (int i = 0; i < m->n_param_nodes; i++) {
        const pith_tensor *t = m->params[i];
        n += pithp_mask_zeros(t);
        for (int64_t k = 0; t->mask != NULL && k < pithp_count(t->shape); k++)
            suite_check(t->mask[k] || ((pith_real *)t->value)[k] == 0, "%s[%lld] is not 0", t->name,
                        (long long)k);
    }
    return n;
}

static void watching(void *user, const pith_progress *p)
{
    watch *w = user;
    uint64_t now = pith_ctx_allocations(pith_model_ctx(w->m));
    if (p->event == 's') {
        if (p->step > 1)
            w->allocated_in_steps += now != w->allocations;
        w->stop = ++w->steps == w->stop_after;
        held(w->m);
    }
    w->notes += p->event == 'n';
    w->allocations = pith_ctx_allocations(pith_model_ctx(w->m));
}

static pith_model *initial(pith_ctx *c)
{
    return pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
}

static pith_status run(fit_setup *s, int i, watch *w, pith_fit_cfg cfg)
{
    pith_prune_schedule when = runs[i].s;
    w->m = s->m;
    cfg.progress = watching;
    cfg.progress_user = w;
    cfg.stop = &w->stop;
    if (when.kind == PITH_PRUNE_REWIND)
        when.rewind = initial(s->c);
    return pith_prune_fit(s->m, s->d, runs[i].cfg, when, cfg);
}

static double reached(const pith_model *m, int i)
{
    pith_prune_facts f;
    ck_assert_int_eq(pith_prune_info(m, runs[i].cfg, &f), PITH_OK);
    return (double)f.held / (double)f.weights;
}

/* At once, and in pieces with fresh objects and other numbers of threads: the same weights, masks and checkpoints. */
START_TEST(resumes_bit_for_bit)
{
    pith_fit_cfg cfg = small;
    char name[2][40];
    snprintf(name[0], 40, "whole%d", _i);
    snprintf(name[1], 40, "pieces%d", _i);
    cfg.out = fit_path(name[0]);
    fit_setup s = fit_begin(1);
    watch w = { 0 };
    ck_assert_msg(run(&s, _i, &w, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    ck_assert_int_eq(w.steps, 36);
    ck_assert_int_eq(w.allocated_in_steps, 0);
    ck_assert_int_ge(w.notes, runs[_i].s.kind == PITH_PRUNE_ITERATIVE ? 3 : 1);
    double want = runs[_i].cfg.unit == PITH_PRUNE_NM ? 0.5 : runs[_i].cfg.target, is = reached(s.m, _i);
    double room = runs[_i].cfg.layers ? 0.2 : runs[_i].cfg.unit == PITH_PRUNE_CHANNEL ? 0.05 : 0.003;
    ck_assert_msg(fabs(is - want) < room, "%g instead of %g", is, want);

    cfg.out = fit_path(name[1]);
    pithp_rand r = pithp_rand_at(19, 0, (uint64_t)_i, PITHP_USE_OTHER);
    pith_status status = PITH_ESTOPPED;
    int done = 0, sittings = 0;
    fit_setup t = { 0 };
    for (; status == PITH_ESTOPPED; sittings++, cfg.resume = true) {
        pith_ctx_free(t.c);
        t = fit_begin(1 + sittings % 3);
        watch v = { .stop_after = 1 + (int)pithp_rand_below(&r, 9) };
        status = run(&t, _i, &v, cfg);
        done += v.steps;
        ck_assert_msg(status == PITH_OK || status == PITH_ESTOPPED, "%s", pith_error_text(t.c));
    }
    ck_assert_int_gt(sittings, 2);
    ck_assert_int_eq(done, w.steps);
    ck_assert_mem_eq(s.m->weights, t.m->weights, (size_t)s.m->n_weights * sizeof(pith_real));
    ck_assert_mem_eq(s.m->masks, t.m->masks, (size_t)s.m->n_params);
    pith_ctx_free(s.c);
    pith_ctx_free(t.c);
}
END_TEST

static bool train_apart(pith_fit_cfg cfg)
{
    fit_setup s = fit_begin(1);
    bool ok = pith_prune_fit(s.m, s.d, runs[0].cfg, runs[0].s, cfg) == PITH_OK;
    if (!ok)
        fprintf(stderr, "apart: %s\n", pith_error_text(s.c));
    return ok;
}

/* kill -9 at any moment, with a save after every step. */
START_TEST(survives_kill)
{
    pith_fit_cfg cfg = small;
    cfg.epochs = 2;
    cfg.save_every_minutes = 1e-9;
    cfg.out = fit_path("unharmed");
    char killed[600], last[700];
    snprintf(killed, sizeof killed, "%s", fit_path("killed"));
    snprintf(last, sizeof last, "%s/last.pith", killed);
    kill_and_resume(train_apart, train_apart, cfg, killed, 20, 29);
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    pith_model *a = pith_model_load(c, fit_path("unharmed/last.pith")), *b = pith_model_load(c, last);
    ck_assert_msg(a != NULL && b != NULL, "%s", pith_error_text(c));
    ck_assert_mem_eq(a->weights, b->weights, (size_t)a->n_weights * sizeof(pith_real));
    ck_assert_mem_eq(a->masks, b->masks, (size_t)a->n_params);
    ck_assert_int_gt(held(a), 100);
    pith_ctx_free(c);
}
END_TEST

/* ---- Rewinding ---- */
static void first_step(void *user, const pith_progress *p)
{
    watch *w = user;
    w->stop = w->stop || p->event == 's';
}

/* What is left after a pruning is trained from the early weights: a first step with a learning rate of 0 shows them. */
START_TEST(rewinds)
{
    fit_setup s = fit_begin(1);
    pith_fit_cfg f = small;
    f.epochs = 2;
    f.out = fit_path("rewound");
    f.keep_after = 1;
    ck_assert_msg(pith_fit(s.m, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    pith_model *early = pith_model_load(s.c, fit_path("rewound/early.pith"));
    ck_assert_msg(early != NULL, "%s", pith_error_text(s.c));
    pith_real *trained = malloc((size_t)s.m->n_params * sizeof *trained);
    memcpy(trained, s.m->weights, (size_t)s.m->n_params * sizeof *trained);
    watch w = { 0 };
    f = (pith_fit_cfg){ .epochs = 2,
                        .batch = 16,
                        .opt = { .lr = 1e-30 },
                        .stop = &w.stop,
                        .progress = first_step,
                        .progress_user = &w };
    f.opt.weight_decay = PITH_ZERO;
    pith_prune_schedule when = { .kind = PITH_PRUNE_REWIND, .rounds = 1, .rewind = early };
    pith_prune_cfg cfg = { .target = 0.5, .skip = "head" };
    ck_assert_int_eq(pith_prune_fit(s.m, s.d, cfg, when, f), PITH_ESTOPPED);
    pith_ctx_clear(s.c);
    int64_t kept = 0, gone = 0;
    double largest_gone = 0, least_kept = 1e9;
    for (int i = 0; i < s.m->n_param_nodes; i++) {
        const pith_tensor *t = s.m->params[i], *e = pithp_graph_find(early->g, t->name);
        const pith_real *v = t->value, *ev = e->value, *tv = trained + (v - s.m->weights);
        for (int64_t k = 0; k < pithp_count(t->shape); k++) {
            bool zero = t->mask != NULL && !t->mask[k];
            suite_check(v[k] == (zero ? 0 : ev[k]), "%s[%lld]: %g", t->name, (long long)k, (double)v[k]);
            kept += !zero, gone += zero;
            if (t->mask != NULL && zero) /* chosen by the trained weights, not by the early ones */
                largest_gone = fmax(largest_gone, fabs((double)tv[k]));
            else if (t->mask != NULL)
                least_kept = fmin(least_kept, fabs((double)tv[k]));
        }
    }
    ck_assert(kept > 0 && gone > 0 && largest_gone <= least_kept);
    when.rewind = NULL;
    expect_in(s.c, pith_prune_fit(s.m, s.d, cfg, when, f), PITH_EINVAL, "needs the weights to go back to");
    when.rewind = pith_model_family(s.c, "lenet", (pith_family_cfg){ 0 });
    expect_in(s.c, pith_prune_fit(s.m, s.d, cfg, when, f), PITH_EINVAL, "another network's: '");
    free(trained);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Refusals, all before the first step ---- */
static const struct {
    pith_prune_cfg cfg;
    pith_prune_schedule s;
    int epochs;
    const char *words;
} refused[] = {
    { { .target = 2 }, { 0 }, 2, "target 2; a share" },
    { { .target = 1, .skip = "head" }, { 0 }, 2, "would lose all its" },
    { { .target = 0.5 },
      { .kind = PITH_PRUNE_ITERATIVE, .rounds = 3 },
      4,
      "4 epochs do not divide into 3 rounds" },
    { { .target = 0.5 }, { .kind = PITH_PRUNE_ITERATIVE, .rounds = 9 }, 4, "rounds is 9; 1 to 4" },
    { { .target = 0.5 }, { .kind = PITH_PRUNE_POLYNOMIAL, .begin = 3, .end = 2 }, 4, "end is 2; 3 to 4" },
    { { .target = 0.5 }, { .kind = PITH_PRUNE_POLYNOMIAL, .frequency = -1 }, 4, "frequency is -1" },
    { { .target = 0.5 }, { .kind = PITH_PRUNE_POLYNOMIAL, .power = -1 }, 4, "power is -1" },
    { { .target = 0.5 }, { .kind = (pith_prune_kind)7 }, 4, "kind is 7" },
    { { .target = 0.5 }, { .from = 1 }, 4, "from is 1" },
};

START_TEST(refusals)
{
    fit_setup s = fit_begin(1);
    pith_real *before = malloc((size_t)s.m->n_weights * sizeof *before);
    memcpy(before, s.m->weights, (size_t)s.m->n_weights * sizeof *before);
    for (size_t i = 0; i < PITHP_LEN(refused); i++) {
        watch w = { .m = s.m };
        pith_fit_cfg f = {
            .epochs = refused[i].epochs, .batch = 16, .progress = watching, .progress_user = &w
        };
        f.out = fit_path("refused");
        expect_in(s.c, pith_prune_fit(s.m, s.d, refused[i].cfg, refused[i].s, f), PITH_EINVAL,
                  refused[i].words);
        ck_assert_int_eq(w.steps, 0);
        ck_assert_int_ne(access(fit_path("refused/last.pith"), F_OK), 0);
    }
    ck_assert(s.m->masks == NULL && !memcmp(before, s.m->weights, (size_t)s.m->n_weights * sizeof *before));
    free(before);
    pith_ctx_free(s.c);
}
END_TEST

/* Another target, another schedule: not the run that was interrupted. */
START_TEST(another_run_is_refused)
{
    fit_setup s = fit_begin(1);
    pith_fit_cfg cfg = small;
    watch w = { .stop_after = 3 };
    cfg.out = fit_path("another");
    ck_assert_int_eq(run(&s, 0, &w, cfg), PITH_ESTOPPED);
    pith_ctx_clear(s.c);
    pith_prune_cfg other = runs[0].cfg;
    other.target = 0.7;
    cfg.resume = true;
    expect_in(s.c, pith_prune_fit(s.m, s.d, other, runs[0].s, cfg), PITH_EINVAL, "'hook' was prune 0.8");
    expect_in(s.c, pith_fit(s.m, s.d, cfg), PITH_EINVAL, "'hook' was prune 0.8");
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prune_fit");
    suite_test(s, "kill", survives_kill); /* first: before libgomp has threads, which a fork would lose */
    suite_test(s, "formula", by_formula);
    suite_test(s, "cycles", cycles);
    tcase_add_loop_test(suite_case(s, "resume"), resumes_bit_for_bit, 0, (int)PITHP_LEN(runs));
    suite_test(s, "rewind", rewinds);
    suite_test(s, "refusals", refusals);
    suite_test(s, "another", another_run_is_refused);
    return suite_run("prune_fit", s);
}
