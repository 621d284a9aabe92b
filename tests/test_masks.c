/* Masks hold: through training, in moments and averages, in copies and files; and what happens when memory runs out. */
#include "prune_help.h"
#include "fail_alloc.h"

/* ---- Masks hold ---- */
static const pith_opt_cfg optimisers[] = {
    { .lr = 0.05, .nesterov = true, .ema_decay = 0.9 },
    { .lr = 0.05, .clip_norm = 0.5, .ema_decay = 0.9 },
    { .kind = PITH_OPT_ADAMW, .lr = 0.01, .ema_decay = 0.9, .clip_norm = 1 },
    { .kind = PITH_OPT_RMSPROP, .lr = 0.01, .ema_decay = 0.9 },
    { .kind = PITH_OPT_ADAMW, .lr = 0.01, .eps = PITH_ZERO }
};

static void all_zero(const pith_model *m, const pith_real *block, const char *what)
{
    for (int i = 0; block != NULL && i < m->n_param_nodes; i++) {
        const pith_tensor *t = m->params[i];
        const pith_real *x = block + ((const pith_real *)t->value - m->weights);
        for (int64_t k = 0; t->mask != NULL && k < pithp_count(t->shape); k++)
            suite_check(t->mask[k] || x[k] == 0, "%s of %s: element %lld is %g", what, pith_name(t),
                        (long long)k, (double)x[k]);
    }
}

static int moved(const pith_model *m, const pith_real *before)
{
    int n = 0;
    for (int64_t i = 0; i < m->n_params; i++)
        n += m->weights[i] != before[i];
    return n;
}

/* Masks come while moments are not zero any more, and hold from the next step on; a NaN in a held gradient changes nothing. */
START_TEST(training_keeps_zeros)
{
    fit_setup s = fit_begin(2);
    pith_trainer *t = pith_trainer_new(s.m, (pith_trainer_cfg){ .batch = 16, .opt = optimisers[_i] });
    ck_assert_msg(t != NULL, "%s", pith_error_text(s.c));
    pith_loader *l =
        pith_loader_new(s.d, (pith_loader_cfg){ .split = PITH_TRAIN, .batch = 16, .shuffle = true });
    pith_batch b;
    pith_real *before = NULL;
    for (int step = 0; step < 12; step++) {
        if (!pith_loader_next(l, &b))
            ck_assert(pith_loader_next(l, &b));
        if (step == 4) {
            pith_prune_cfg cfg = { .target = 0.7,
                                   .unit = _i == 1 ? PITH_PRUNE_CHANNEL : PITH_PRUNE_WEIGHT,
                                   .per_layer = true };
            ck_assert_msg(pith_prune(s.m, s.d, cfg) == PITH_OK, "%s", pith_error_text(s.c));
            before = malloc((size_t)s.m->n_params * sizeof *before);
            memcpy(before, s.m->weights, (size_t)s.m->n_params * sizeof *before);
        }
        uint64_t made = pith_ctx_allocations(s.c);
        ck_assert(isfinite(pith_trainer_step(t, &b, optimisers[_i].lr)));
        ck_assert(step == 0 || pith_ctx_allocations(s.c) == made);
        if (step < 4)
            continue;
        const pith_opt *o = pith_trainer_opt(t);
        all_zero(s.m, s.m->weights, "weights");
        all_zero(s.m, o->m, "momentum");
        all_zero(s.m, o->v, "squares");
        all_zero(s.m, o->ema, "average");
    }
    ck_assert_int_gt(moved(s.m, before), 100);
    for (int i = 0; i < s.m->n_param_nodes; i++) /* NaN where it is held */
        for (int64_t k = 0; s.m->params[i]->mask != NULL && k < pithp_count(s.m->params[i]->shape); k++)
            if (!s.m->params[i]->mask[k])
                s.m->params[i]->grad[k] = NAN;
    ck_assert_int_eq(pith_opt_step(pith_trainer_opt(t)), PITH_OK);
    for (int64_t i = 0; i < s.m->n_params; i++)
        suite_check(isfinite(s.m->weights[i]), "weight %lld is %g", (long long)i, (double)s.m->weights[i]);
    all_zero(s.m, s.m->weights, "weights");
    free(before);
    pith_loader_free(l);
    pith_ctx_free(s.c);
}
END_TEST

/* Held gradients do not count in the norm that clipping looks at. */
START_TEST(clipping_looks_at_what_moves)
{
    one o = one_begin(numbers);
    pith_opt *opt =
        pith_opt_new_model(o.m, (pith_opt_cfg){ .lr = 1, .clip_norm = 100, .momentum = PITH_ZERO });
    ck_assert_int_eq(pith_prune(o.m, NULL, (pith_prune_cfg){ .target = 0.5, .skip = "head" }), PITH_OK);
    for (int i = 0; i < 16; i++)
        o.w->grad[i] = i < 8 ? 1e6f : 3; /* 8 x 9 */
    ck_assert_int_eq(pith_opt_step(opt), PITH_OK);
    ck_assert(fabs(pith_opt_grad_norm(opt) - sqrt(72)) < 1e-5);
    pith_ctx_free(o.c);
}
END_TEST

/* ---- Masks go where the model goes ---- */
static void same_masks(const pith_model *a, const pith_model *b)
{
    int masked = 0;
    for (int i = 0; i < a->n_param_nodes; i++) {
        const pith_tensor *s = a->params[i], *t = pithp_graph_find(b->g, s->name);
        ck_assert_msg(t != NULL && (s->mask == NULL) == (t->mask == NULL), "%s", pith_name(s));
        if (s->mask != NULL)
            ck_assert_mem_eq(s->mask, t->mask, (size_t)pithp_count(s->shape));
        masked += s->mask != NULL;
    }
    ck_assert_int_gt(masked, 0);
}

START_TEST(masks_travel)
{
    fit_setup s = fit_begin(1);
    pith_real *w = pith_model_find(s.m, "head.weight")->value;
    ck_assert_int_eq(pith_prune(s.m, NULL, (pith_prune_cfg){ .target = 0.6, .skip = "head" }), PITH_OK);
    w[1] = 0; /* zero, but free to move: no mask may come of it */
    pith_model *copy = pith_model_clone(s.m);
    same_masks(s.m, copy);
    const char *path = fit_path("pruned.pith");
    ck_assert_int_eq(pith_model_save(s.m, path, false), PITH_OK);
    pith_model *back = pith_model_load(s.c, path);
    ck_assert_msg(back != NULL, "%s", pith_error_text(s.c));
    same_masks(s.m, back);
    ck_assert_mem_eq(s.m->weights, back->weights, (size_t)s.m->n_weights * sizeof *w);
    /* the loaded one trains on, and its zeros stay; so does the checkpoint that this leaves */
    pith_fit_cfg f = { .epochs = 2, .batch = 16, .opt = { .lr = 0.05 }, .out = fit_path("masked") };
    ck_assert_msg(pith_fit(back, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    all_zero(back, back->weights, "weights");
    pith_model *trained = pith_model_load(s.c, fit_path("masked/last.pith"));
    ck_assert_msg(trained != NULL, "%s", pith_error_text(s.c));
    same_masks(s.m, trained);
    all_zero(trained, trained->weights, "weights");
    /* a model without masks saves none */
    pith_prune_clear(back);
    ck_assert_int_eq(pith_model_save(back, path, false), PITH_OK);
    back = pith_model_load(s.c, path);
    ck_assert(back != NULL && back->masks == NULL);
    pith_ctx_free(s.c);
}
END_TEST

/* A mask that does not fit, and values that stand under one. */
START_TEST(hostile_masks)
{
    one o = one_begin(numbers);
    ck_assert_int_eq(pith_prune(o.m, NULL, (pith_prune_cfg){ .target = 0.5, .skip = "head" }), PITH_OK);
    for (int i = 0; i < 16; i++)
        ((pith_real *)o.w->value)[i] = 7; /* from outside, also where it is held */
    const char *path = fit_path("hostile.pith");
    ck_assert_int_eq(pith_model_save(o.m, path, false), PITH_OK);
    pith_model *m = pith_model_load(o.c, path);
    ck_assert_msg(m != NULL, "%s", pith_error_text(o.c));
    all_zero(m, m->weights, "weights");
    size_t n = 0;
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    char *at = memmem(bytes, n, "\"pith.mask.", 11);
    ck_assert_ptr_nonnull(at);
    at[11] = '9'; /* of a node that is no parameter */
    f = fopen(path, "wb");
    fwrite(bytes, 1, n, f);
    fclose(f);
    m = pith_model_load(o.c, path);
    ck_assert(m == NULL && pith_ctx_status(o.c) == PITH_EFORMAT);
    ck_assert_msg(strstr(pith_error_text(o.c), "pith.mask.9") != NULL, "%s", pith_error_text(o.c));
    free(bytes);
    pith_ctx_free(o.c);
}
END_TEST

/* ---- Allocation failure ---- */
START_TEST(memory_runs_out)
{
    static const pith_prune_cfg cfg = { .target = 0.5, .criterion = PITH_PRUNE_TAYLOR, .samples = 8 };
    for (long after = 1, done = 0; !done; after++) {
        fail_hook h = { 0 };
        pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1, FAIL_ALLOC(&h) });
        pith_data *d = fit_data(c);
        pith_model *m = pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
        ck_assert_ptr_nonnull(m);
        h.fail_at = h.made + after;
        pith_status s = pith_prune(m, d, cfg);
        done = h.made < h.fail_at;
        ck_assert_msg(s == (done ? PITH_OK : PITH_ENOMEM), "allocation %ld: %s", after, pith_error_text(c));
        for (int i = 0; !done && i < m->n_param_nodes; i++)
            ck_assert_ptr_null(m->params[i]->mask);
        pith_ctx_free(c);
        ck_assert_int_eq(h.live, 0);
        ck_assert_int_lt(after, 5000);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("masks");
    tcase_add_loop_test(suite_case(s, "training"), training_keeps_zeros, 0, (int)PITHP_LEN(optimisers));
    suite_test(s, "clipping", clipping_looks_at_what_moves);
    suite_test(s, "travel", masks_travel);
    suite_test(s, "hostile", hostile_masks);
    suite_test(s, "memory", memory_runs_out);
    return suite_run("masks", s);
}
