/* Passes over a model's graph: a pass that changes nothing leaves every bit, and what it made saves, loads and trains on. */
#include "fit_help.h"
#include "graph/rewrite.h"
#include "fail_alloc.h"

enum { PIXELS = FIT_SIZE * FIT_SIZE * 3 };

static pith_tensor *identity(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    ++*(int *)user;
    return pithp_rewrite_copy(r, t);
}

static pith_tensor *fail_at(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    return --*(int *)user == 0 ? NULL : pithp_rewrite_copy(r, t);
}

/* Doubles what every relu6 gives, and adds a parameter and a state of its own. */
static pith_tensor *doubled(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    pith_tensor *n = pithp_rewrite_copy(r, t);
    if (t->op == NULL || strcmp(t->op->name, "relu6") != 0)
        return n;
    const pith_real two = 2, zero = 0;
    (void)user;
    pith_tensor *p = pithp_rewrite_param(r, "two", PITH_SHAPE(1), &two, false);
    return pith_add(pith_mul(n, p), pithp_rewrite_state(r, "zero", PITH_SHAPE(1), &zero));
}

static void train_a_little(fit_setup *s)
{
    ck_assert_msg(pith_fit(s->m, s->d, (pith_fit_cfg){ .epochs = 1, .batch = 32 }) == PITH_OK, "%s",
                  pith_error_text(s->c));
}

static void predict(pith_model *m, pith_real out[10])
{
    static pith_real x[5 * PIXELS];
    pithp_rand r = pithp_rand_at(4, 0, 1, PITHP_USE_OTHER);
    for (int i = 0; i < 5 * PIXELS; i++)
        x[i] = (pith_real)(2 * pithp_rand_uniform(&r) - 1);
    ck_assert_msg(pith_predict(m, x, 5, out) == PITH_OK, "%s", pith_error_text(pith_model_ctx(m)));
}

static void same_weights(const pith_model *a, const pith_model *b)
{
    ck_assert_int_eq(a->n_weights, b->n_weights);
    ck_assert_mem_eq(a->weights, b->weights, (size_t)a->n_weights * sizeof(pith_real));
}

START_TEST(changes_nothing)
{
    fit_setup s = fit_begin(2);
    train_a_little(&s);
    pith_model *twin = pith_model_clone(s.m);
    pith_real before[10], after[10];
    int seen = 0;
    predict(s.m, before);
    ck_assert_int_eq(pithp_model_rewrite(s.m, identity, &seen), PITH_OK);
    ck_assert_int_ge(seen, 40);
    predict(s.m, after);
    ck_assert_mem_eq(before, after, sizeof before);
    same_weights(s.m, twin);

    /* trains on: every bit as the twin that no pass has touched */
    fit_setup t = s;
    t.m = twin;
    train_a_little(&s);
    train_a_little(&t);
    same_weights(s.m, twin);

    char *path = fit_path("rewritten.pith");
    ck_assert_int_eq(pith_model_save(s.m, path, false), PITH_OK);
    pith_model *loaded = pith_model_load(s.c, path);
    ck_assert_msg(loaded != NULL, "%s", pith_error_text(s.c));
    predict(s.m, before);
    predict(loaded, after);
    ck_assert_mem_eq(before, after, sizeof before);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(old_plans_are_stale)
{
    fit_setup s = fit_begin(1);
    pith_tensor *out = pith_model_output(s.m), *w = pith_model_param(s.m, 0);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 2 });
    pith_trainer *t = pith_trainer_new(s.m, (pith_trainer_cfg){ .batch = 2 });
    pith_opt *o = pith_opt_new_model(s.m, (pith_opt_cfg){ 0 });
    pith_real x[2 * PIXELS] = { 0 };
    int32_t labels[2] = { 0, 1 };
    int seen = 0;
    ck_assert(p != NULL && t != NULL && o != NULL);
    for (int i = 0; i < 3; i++) /* more than once: memory comes again */
        ck_assert_int_eq(pithp_model_rewrite(s.m, identity, &seen), PITH_OK);
    ck_assert_int_eq(pith_plan_forward(p, 1, 0), PITH_ESTALE);
    pith_ctx_clear(s.c);
    ck_assert(isnan(pith_trainer_step(t, &(pith_batch){ .n = 2, .x = x, .labels = labels }, 0.1)));
    ck_assert_int_eq(pith_ctx_status(s.c), PITH_ESTALE);
    pith_ctx_clear(s.c);
    ck_assert_int_eq(pith_opt_step(o), PITH_ESTALE);
    pith_ctx_clear(s.c);
    ck_assert_ptr_null(pith_values(w));
    pith_ctx_clear(s.c);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(inserts)
{
    fit_setup s = fit_begin(1);
    pith_real before[10], after[10];
    predict(s.m, before);
    ck_assert_int_eq(pithp_model_rewrite(s.m, doubled, NULL), PITH_OK);
    const pith_tensor *two = pith_model_find(s.m, "two"), *again = pith_model_find(s.m, "two.2");
    ck_assert(two != NULL && again != NULL);
    ck_assert(*(const pith_real *)pith_values(two) == 2 && *(const pith_real *)pith_values(again) == 2);
    predict(s.m, after);
    ck_assert_mem_ne(before, after, sizeof before);
    train_a_little(&s);
    ck_assert_ptr_nonnull(pith_grad(two));
    ck_assert(*(const pith_real *)pith_values(pith_model_find(s.m, "zero")) == 0);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(failing_leaves_the_model)
{
    fit_setup s = fit_begin(1);
    pith_real before[10], after[10];
    predict(s.m, before);
    const pithp_graph *g = s.m->g;
    for (int at = 1; at < 30; at += 7) {
        int n = at;
        ck_assert_int_ne(pithp_model_rewrite(s.m, fail_at, &n), PITH_OK);
        pith_ctx_clear(s.c);
        ck_assert_ptr_eq(s.m->g, g);
        predict(s.m, after);
        ck_assert_mem_eq(before, after, sizeof before);
    }
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Failing memory ---- */
START_TEST(failing_memory)
{
    fail_hook h = { 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1, FAIL_ALLOC(&h) });
    pith_model *m = pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    int failures = 0;
    for (long at = 1;; at++) {
        h.made = 0;
        h.fail_at = at;
        pith_status s = pithp_model_rewrite(m, doubled, NULL);
        h.fail_at = 0;
        if (s == PITH_OK)
            break;
        failures++;
        ck_assert_int_eq(s, PITH_ENOMEM);
        pith_ctx_clear(c);
        ck_assert_ptr_null(pith_model_find(m, "two"));
    }
    ck_assert_int_gt(failures, 100);
    ck_assert_ptr_nonnull(pith_model_find(m, "two"));
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rewrite");
    suite_test(s, "changes_nothing", changes_nothing);
    suite_test(s, "old_plans_are_stale", old_plans_are_stale);
    suite_test(s, "inserts", inserts);
    suite_test(s, "failing_leaves_the_model", failing_leaves_the_model);
    suite_test(s, "failing_memory", failing_memory);
    return suite_run("rewrite", s);
}
