/* Whole runs with every part of a recipe: in one and in pieces bit for bit, stages by epoch, refusals. */
#include "fit_help.h"

static const pith_fit_cfg small = { .epochs = 4, .batch = 16, .seed = 11, .opt = { .lr = 0.05 } };

/* ---- Whole runs, in one and in pieces ---- */
typedef struct {
    int steps, stop, stop_after, notes;
    char text[200];
} watch;

static void watching(void *user, const pith_progress *p)
{
    watch *w = user;
    w->steps += p->event == 's';
    if (p->event == 's' && w->steps == w->stop_after)
        w->stop = 1;
    if (p->event == 'n')
        snprintf(w->text, sizeof w->text, "%s", p->text), w->notes++;
}

static pith_status run(fit_setup *s, watch *w, pith_fit_cfg cfg)
{
    cfg.progress = watching;
    cfg.progress_user = w;
    cfg.stop = &w->stop;
    return pith_fit(s->m, s->d, cfg);
}

static const pith_size_step growing[] = { { 0, 8 }, { 1, 12 }, { 3, FIT_SIZE } };
static const char *const backbone[] = { "*", "!head.*", "!b3.*" };
static const pith_lr_scale groups[] = { { "head.*", 4 }, { "stem.*", 0.1 } };

enum { RECIPES = 10 };

static pith_fit_cfg recipe(int i)
{
    pith_fit_cfg cfg = small;
    switch (i) {
    case 0: cfg.opt.kind = PITH_OPT_RMSPROP, cfg.opt.lr = 0.002; break;
    case 1: cfg.schedule.kind = PITH_ONECYCLE; break;
    case 2: cfg.schedule.kind = PITH_EXPONENTIAL, cfg.opt = (pith_opt_cfg){ .kind = PITH_OPT_ADAMW }; break;
    case 3: cfg.augment = (pith_augment_cfg){ .rotate = 15, .cutout = 0.5 }; break;
    case 4: cfg.augment.mixup = 0.2; break;
    case 5: cfg.augment.cutmix = 1, cfg.augment.mixup = 0.4; break;
    case 6: cfg.sizes = growing, cfg.n_sizes = 3; break;
    case 7: cfg.freeze = backbone, cfg.n_freeze = 3, cfg.freeze_epochs = 2; break;
    case 8: cfg.opt.lr_scale = groups, cfg.opt.n_lr_scale = 2, cfg.accumulate = 2; break;
    default: /* all at once */
        cfg.opt = (pith_opt_cfg){ .kind = PITH_OPT_RMSPROP, .lr_scale = groups, .n_lr_scale = 2 };
        cfg.schedule.kind = PITH_ONECYCLE;
        cfg.augment = (pith_augment_cfg){ .rotate = 15, .cutout = 0.5, .mixup = 0.2, .cutmix = 1 };
        cfg.sizes = growing, cfg.n_sizes = 3;
        cfg.freeze = backbone, cfg.n_freeze = 3, cfg.freeze_epochs = 2;
        cfg.accumulate = 2;
    }
    return cfg;
}

START_TEST(resumes_bit_for_bit)
{
    pith_fit_cfg cfg = recipe(_i);
    char folder[40];
    snprintf(folder, sizeof folder, "pieces%d", _i);
    fit_setup s = fit_begin(1), t = { 0 };
    watch w = { 0 };
    ck_assert_msg(run(&s, &w, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    cfg.out = fit_path(folder);
    pithp_rand r = pithp_rand_at(17, 0, (uint64_t)_i, PITHP_USE_OTHER);
    pith_status status = PITH_ESTOPPED;
    int sittings = 0, done = 0;
    for (; status == PITH_ESTOPPED; sittings++, cfg.resume = true) {
        pith_ctx_free(t.c);
        t = fit_begin(1 + sittings % 3);
        watch v = { .stop_after = 1 + (int)pithp_rand_below(&r, 6) };
        status = run(&t, &v, cfg);
        done += v.steps;
        ck_assert_msg(status == PITH_OK || status == PITH_ESTOPPED, "%s", pith_error_text(t.c));
    }
    ck_assert_int_gt(sittings, 2);
    ck_assert_int_eq(done, w.steps);
    int64_t n;
    const pith_real *a = pith_model_weights(s.m, &n), *b = pith_model_weights(t.m, NULL);
    ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
    /* another recipe is refused by name, in either direction */
    pith_fit_cfg other = cfg, plain = small;
    plain.out = cfg.out, plain.resume = true;
    other.augment.rotate = cfg.augment.rotate + 1;
    ck_assert_int_eq(run(&t, &w, other), PITH_EINVAL);
    ck_assert_msg(strstr(pith_error_text(t.c), "'rotate'") != NULL, "%s", pith_error_text(t.c));
    pith_ctx_clear(t.c);
    ck_assert_int_eq(run(&t, &w, plain), PITH_EINVAL);
    ck_assert_msg(strstr(pith_error_text(t.c), "cannot go on") != NULL, "%s", pith_error_text(t.c));
    pith_ctx_free(s.c);
    pith_ctx_free(t.c);
}
END_TEST

/* Every recipe gives other weights than the plain one: nothing is switched off unnoticed. */
START_TEST(each_has_an_effect)
{
    int64_t n;
    pith_real *first = NULL;
    for (int i = -1; i < RECIPES; i++) {
        fit_setup s = fit_begin(2);
        watch w = { 0 };
        pith_fit_cfg cfg = i < 0 ? small : recipe(i);
        ck_assert_msg(run(&s, &w, cfg) == PITH_OK, "%s", pith_error_text(s.c));
        const pith_real *v = pith_model_weights(s.m, &n);
        if (first == NULL)
            first = memcpy(malloc((size_t)n * sizeof *v), v, (size_t)n * sizeof *v);
        else
            ck_assert_msg(memcmp(first, v, (size_t)n * sizeof *v) != 0, "recipe %d changes nothing", i);
        for (int64_t k = 0; k < n; k++)
            suite_check(isfinite(v[k]), "recipe %d", i);
        pith_ctx_free(s.c);
    }
    free(first);
}
END_TEST

/* ---- Freezing ---- */
static bool moved(const pith_model *m, const pith_model *was, const char *prefix, bool *all)
{
    bool any = false;
    *all = true;
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        if ((t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE) ||
            strncmp(t->name, prefix, strlen(prefix)))
            continue;
        const pith_tensor *u = pith_model_find(was, t->name);
        bool same = memcmp(t->value, u->value, (size_t)pith_size(t) * sizeof(pith_real)) == 0;
        any = any || !same;
        *all = *all && !same;
    }
    return any;
}

START_TEST(frozen_until)
{
    static const char *const parts[] = { "stem.", "b1.", "b2.", "b3.", "head." };
    for (int epochs = 2; epochs <= 3; epochs++) { /* frozen for two */
        fit_setup s = fit_begin(2);
        pith_model_freeze(s.m, "b2.*", true); /* the model's own: it stays */
        pith_model *was = pith_model_clone(s.m);
        pith_fit_cfg cfg = small;
        cfg.epochs = epochs;
        cfg.freeze = (const char *const[]){ "stem.*", "b1.*" };
        cfg.n_freeze = 2, cfg.freeze_epochs = 2;
        watch w = { 0 };
        ck_assert_msg(run(&s, &w, cfg) == PITH_OK, "%s", pith_error_text(s.c));
        for (size_t i = 0; i < PITHP_LEN(parts); i++) {
            bool all, any = moved(s.m, was, parts[i], &all);
            bool want = i >= 3 || (i < 2 && epochs == 3);
            ck_assert_msg(want ? all : !any, "%d epochs: %s", epochs, parts[i]);
        }
        ck_assert_int_eq(w.notes, epochs - 2);
        for (int i = 0; i < s.m->n_param_nodes; i++)
            ck_assert(s.m->params[i]->frozen == !strncmp(pith_name(s.m->params[i]), "b2.", 3));
        pith_ctx_free(s.c);
    }
}
END_TEST

/* Nothing below the frozen part changes when it has no backward pass. */
START_TEST(frozen_beginning)
{
    pith_model *m[2];
    fit_setup s = fit_begin(3);
    pith_loader *l = pith_loader_new(s.d, (pith_loader_cfg){ .batch = 16, .threads = -1 });
    pith_batch b;
    ck_assert(pith_loader_next(l, &b));
    for (int k = 0; k < 2; k++) {
        m[k] = pith_model_clone(s.m);
        pith_model_freeze(m[k], "stem.bn", true); /* in both the stem normalises by its running statistics */
        pith_model_freeze(m[k], "stem.*", k == 1);
        pith_model_freeze(m[k], "stem.bn", true);
        pith_trainer *t = pith_trainer_new(m[k], (pith_trainer_cfg){ .batch = 16 });
        ck_assert(isfinite(pithp_trainer_gradient(t, &b)));
    }
    for (int i = 0; i < m[0]->n_param_nodes; i++) {
        const pith_tensor *p = m[0]->params[i], *q = m[1]->params[i];
        bool stem = !strncmp(pith_name(p), "stem.", 5);
        bool same = memcmp(p->grad, q->grad, (size_t)pith_size(p) * sizeof *p->grad) == 0;
        ck_assert_msg(same != stem, "%s", pith_name(p));
    }
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(refuses)
{
    static const pith_size_step late[] = { { 1, 8 } }, twice[] = { { 0, 8 }, { 2, 12 }, { 2, 16 } },
                                large[] = { { 0, 8 }, { 1, 24 } }, tiny_size[] = { { 0, 4 } },
                                never[] = { { 0, 8 }, { 9, 16 } };
    static const char *const none[] = { "nothing.*" }, *const everything[] = { "*" },
                             *const empty[] = { "!" };
    static const pith_lr_scale wrong[] = { { "nothing.*", 1 } };
    static const struct {
        pith_fit_cfg cfg;
        pith_status status;
        const char *words;
    } bad[] = {
        { { .sizes = late, .n_sizes = 1 }, PITH_EINVAL, "from epoch 0" },
        { { .sizes = twice, .n_sizes = 3 }, PITH_EINVAL, "later one" },
        { { .sizes = large, .n_sizes = 2 }, PITH_EINVAL, "image size 24; 8 to 16" },
        { { .sizes = tiny_size, .n_sizes = 1 }, PITH_EINVAL, "image size 4" },
        { { .sizes = never, .n_sizes = 2, .epochs = 4 }, PITH_EINVAL, "there are 4 epochs" },
        { { .n_sizes = 1 }, PITH_EINVAL, "image sizes" },
        { { .n_freeze = -1 }, PITH_EINVAL, "patterns" },
        { { .freeze = none, .n_freeze = 1 }, PITH_ENOTFOUND, "nothing.*" },
        { { .freeze = everything, .n_freeze = 1 }, PITH_EINVAL, "every parameter is frozen" },
        { { .freeze = empty, .n_freeze = 1 }, PITH_EINVAL, "empty" },
        { { .freeze_epochs = 2 }, PITH_EINVAL, "freeze_epochs" },
        { { .freeze = backbone, .n_freeze = 3, .freeze_epochs = -1 }, PITH_EINVAL, "freeze_epochs" },
        { { .opt = { .lr_scale = wrong, .n_lr_scale = 1 } }, PITH_ENOTFOUND, "nothing.*" },
        { { .schedule = { .kind = (pith_schedule_kind)5 } }, PITH_EINVAL, "PITH_ONECYCLE" },
        { { .schedule = { .min_momentum = 1.5 } }, PITH_EINVAL, "min_momentum" },
        { { .opt = { .kind = (pith_opt_kind)3 } }, PITH_EINVAL, "PITH_OPT_RMSPROP" },
        { { .augment = { .mixup = -3 } }, PITH_EINVAL, "mixup" },
    };
    fit_setup s = fit_begin(1);
    pith_model *was = pith_model_clone(s.m);
    for (size_t i = 0; i < PITHP_LEN(bad); i++) {
        pith_status got = pith_fit(s.m, s.d, bad[i].cfg);
        ck_assert_msg(got == bad[i].status && strstr(pith_error_text(s.c), bad[i].words), "case %zu: %s: %s",
                      i, pith_status_name(got), pith_error_text(s.c));
        pith_ctx_clear(s.c);
        for (int k = 0; k < s.m->n_param_nodes; k++)
            ck_assert(!s.m->params[k]->frozen);
    }
    bool all;
    ck_assert(!moved(s.m, was, "", &all));
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stages");
    tcase_add_loop_test(suite_case(s, "resume"), resumes_bit_for_bit, 0, RECIPES);
    suite_test(s, "each_has_an_effect", each_has_an_effect);
    suite_test(s, "frozen_until", frozen_until);
    suite_test(s, "frozen_beginning", frozen_beginning);
    suite_test(s, "refuses", refuses);
    return suite_run("stages", s);
}
