/* pith prune: weights to zero (or channels away) and training on, by the recipe of the run that the model comes from. */
#include "cli/prune_opts.h"
#include "cli/run.h"

#include <string.h>
#include <unistd.h>

typedef struct {
    run_on t;
    prune_opts p;
} options;

/* ---- The recipe ---------------------------------------------------------------------------------------------- */
/* Shorter and gentler than the first training; rewinding is that training again. */
static void defaults(options *o, double lr)
{
    recipe *r = &o->t.r;
    const bool sgd = r->optimizer == NULL || strcmp(r->optimizer, "sgd") == 0, again = prune_rewinds(&o->p);
    r->epochs = r->epochs ? r->epochs : again ? 40 : 8;
    r->batch = r->batch ? r->batch : 64;
    r->accumulate = r->accumulate ? r->accumulate : 1;
    if (r->lr == 0 && lr > 0)
        r->lr = again ? lr : 0.3 * lr;
    if (r->lr == 0 && sgd && !again)
        r->lr = 0.03 * r->batch * r->accumulate / 64;
    if (r->warmup == 0 && !again)
        r->warmup = 0.5;
}

/* False: it is said. A model without a recipe is trained by none that was guessed. */
static bool inherit(void *user, opt *table, json_t **keep)
{
    options *o = user;
    static const char *const again[] = { PRUNE_OWN, NULL };
    static const char *const gentler[] = { PRUNE_OWN, "epochs", "lr", "warmup", NULL };
    double lr;
    if (!run_inherit(o->t.model, table, prune_rewinds(&o->p) ? again : gentler, keep, &lr))
        return false;
    if (*keep == NULL && o->t.r.lr == 0 && !o->p.scan && access(o->t.model, R_OK) == 0) {
        say("prune: %s has no training recipe (no args.json beside it): pruned weights are won back by "
            "training; say "
            "at least --lr and --epochs, the rest has the defaults of 'pith train'",
            o->t.model);
        return false;
    }
    defaults(o, lr);
    return true;
}

/* ---- What comes out ------------------------------------------------------------------------------------------ */
static int finish(const options *o, pith_model *m, pith_data *d, const prune_start *was)
{
    pith_eval_result r;
    pith_prune_facts f;
    pith_ctx *c = pith_model_ctx(m);
    if (pith_evaluate(m, d, PITH_VAL, o->t.r.batch, &r) != PITH_OK ||
        pith_prune_info(m, was->cfg, &f) != PITH_OK)
        return failed(c);
    const double sparsity = f.weights > 0 ? (double)f.held / (double)f.weights : 0;
    if (o->t.k.json) {
        json_t *j = json_pack("{s:f, s:f, s:I, s:f, s:I, s:I, s:s}", "accuracy", r.accuracy, "loss", r.loss,
                              "n", (json_int_t)r.n, "sparsity", sparsity, "parameters",
                              (json_int_t)f.parameters, "zeros", (json_int_t)f.zeros, "run", o->t.run.out);
        if (was->accuracy >= 0)
            json_object_set_new(j, "accuracy_before", json_real(was->accuracy));
        print_json(j);
    } else {
        printf("\naccuracy %.2f%% on %lld validation images (%lld right), loss %.4f", 100 * r.accuracy,
               (long long)r.n, (long long)r.correct, r.loss);
        if (was->accuracy >= 0)
            printf("; %.2f%% before", 100 * was->accuracy);
        putchar('\n');
        if (!o->p.remove)
            printf("zeros    %.2f%% of the %lld weights that took part, %.2f%% of all %lld parameters\n",
                   100 * sparsity, (long long)f.weights, 100.0 * (double)f.zeros / (double)f.parameters,
                   (long long)f.parameters);
        printf("model    %s/last.pith\n", o->t.run.out);
    }
    pith_ctx_free(c);
    return EXIT_DONE;
}

/* A run that is resumed goes back to the same weights. */
static bool keep_rewind(const options *o, const prune_start *was)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/" REWIND_FILE, o->t.run.out);
    return was->schedule.rewind == NULL || pith_model_save(was->schedule.rewind, path, false) == PITH_OK;
}

/* ---- The training --------------------------------------------------------------------------------------------- */
static int train(options *o, const opt *table, json_t *keep, pith_model *m, pith_data *d, prune_start *was)
{
    pith_fit_cfg f;
    pith_ctx *c = pith_model_ctx(m);
    const bool fresh = o->t.run.resume == NULL;
    if (!recipe_read(&o->t.r, o->t.k.seed, &f) || !recipe_fits(&o->t.r, m) ||
        !prune_prepare(&o->p, keep, m, o->t.run.resume, was)) {
        const bool engine = pith_ctx_status(c) != PITH_OK;
        return engine ? failed(c) : (pith_ctx_free(c), EXIT_USAGE);
    }
    pith_eval_result r;
    if (fresh && pith_evaluate(m, d, PITH_VAL, o->t.r.batch, &r) != PITH_OK)
        return failed(c);
    was->accuracy = fresh ? r.accuracy : -1;
    /* what cannot be is refused before a folder is made */
    if (fresh && !prune_check(&o->p, m, d, was, o->t.k.quiet))
        return failed(c);
    if (fresh && !run_begin(&o->t.run, "prune", table)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    if (fresh && !keep_rewind(o, was))
        return failed(c);
    f.epochs = o->t.r.epochs * was->rounds;
    run_job job = { .user = was, .fit = o->p.remove ? NULL : prune_job };
    pith_status s = run_fit_job(&o->t.run, m, d, f, o->t.k.quiet, job);
    return s == PITH_OK ? finish(o, m, d, was) : run_ended(c, s);
}

static int prune(options *o, const opt *table, json_t *keep)
{
    prune_start was = { .accuracy = -1, .rounds = 1 };
    if (!prune_cfg(&o->p, o->t.k.seed, &was))
        return EXIT_USAGE;
    pith_data *d;
    pith_model *m = run_on_open(&o->t, &d);
    if (m == NULL)
        return EXIT_FAILED;
    return o->p.scan ? prune_scan(&o->t.k, m, d, was.cfg) : train(o, table, keep, m, d, &was);
}

static int run(int argc, char **argv)
{
    options o = { .t.run.verb = "prune" };
    opt table[] = {
        RUN_ON_FIRST(o.t, "the model's run's"),
        PRUNE_OPTS(o.p),
        RUN_ON_LAST(o.t, "lr-schedule"),
        OPTS_END,
    };
    json_t *keep = NULL;
    int status = run_on_read(&verb_prune, &o.t, table, argc, argv, inherit, &o, &keep);
    if (status < 0)
        status = prune(&o, table, keep);
    json_decref(keep);
    return status;
}

const verb verb_prune = { "prune",
                          "holds weights at zero, or removes channels, and trains on",
                          "MODEL --data DIR --target T ",
                          0,
                          1,
                          run };
