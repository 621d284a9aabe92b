/* pith prune: weights to zero (or channels away) and training on, by the recipe of the run that the model comes from. */
#include "cli/prune_opts.h"
#include "cli/run.h"

#include <string.h>
#include <unistd.h>

typedef struct {
    common k;
    recipe r;
    run_folder run;
    prune_opts p;
    const char *model, *data;
    double max_bad;
} options;

/* ---- The recipe ---------------------------------------------------------------------------------------------- */
/* Shorter and gentler than the first training; rewinding is that training again. */
static void defaults(options *o, double lr)
{
    recipe *r = &o->r;
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
static bool inherit(options *o, opt *table, json_t **keep)
{
    static const char *const again[] = { PRUNE_OWN, NULL };
    static const char *const gentler[] = { PRUNE_OWN, "epochs", "lr", "warmup", NULL };
    double lr;
    if (!run_inherit(o->model, table, prune_rewinds(&o->p) ? again : gentler, keep, &lr))
        return false;
    if (*keep == NULL && o->r.lr == 0 && !o->p.scan && access(o->model, R_OK) == 0) {
        say("prune: %s has no training recipe (no args.json beside it): pruned weights are won back by "
            "training; say "
            "at least --lr and --epochs, the rest has the defaults of 'pith train'",
            o->model);
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
    if (pith_evaluate(m, d, PITH_VAL, o->r.batch, &r) != PITH_OK ||
        pith_prune_info(m, was->cfg, &f) != PITH_OK)
        return failed(c);
    const double sparsity = f.weights > 0 ? (double)f.held / (double)f.weights : 0;
    if (o->k.json) {
        json_t *j = json_pack("{s:f, s:f, s:I, s:f, s:I, s:I, s:s}", "accuracy", r.accuracy, "loss", r.loss,
                              "n", (json_int_t)r.n, "sparsity", sparsity, "parameters",
                              (json_int_t)f.parameters, "zeros", (json_int_t)f.zeros, "run", o->run.out);
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
        printf("model    %s/last.pith\n", o->run.out);
    }
    pith_ctx_free(c);
    return EXIT_DONE;
}

/* A run that is resumed goes back to the same weights. */
static bool keep_rewind(const options *o, const prune_start *was)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/" REWIND_FILE, o->run.out);
    return was->schedule.rewind == NULL || pith_model_save(was->schedule.rewind, path, false) == PITH_OK;
}

/* ---- The training --------------------------------------------------------------------------------------------- */
static int train(options *o, const opt *table, json_t *keep, pith_model *m, pith_data *d, prune_start *was)
{
    pith_fit_cfg f;
    pith_ctx *c = pith_model_ctx(m);
    const bool fresh = o->run.resume == NULL;
    if (!recipe_read(&o->r, o->k.seed, &f) || !recipe_fits(&o->r, m) ||
        !prune_prepare(&o->p, keep, m, o->run.resume, was)) {
        const bool engine = pith_ctx_status(c) != PITH_OK;
        return engine ? failed(c) : (pith_ctx_free(c), EXIT_USAGE);
    }
    pith_eval_result r;
    if (fresh && pith_evaluate(m, d, PITH_VAL, o->r.batch, &r) != PITH_OK)
        return failed(c);
    was->accuracy = fresh ? r.accuracy : -1;
    /* what cannot be is refused before a folder is made */
    if (fresh && !prune_check(&o->p, m, d, was, o->k.quiet))
        return failed(c);
    if (fresh && !run_begin(&o->run, "prune", table)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    if (fresh && !keep_rewind(o, was))
        return failed(c);
    f.epochs = o->r.epochs * was->rounds;
    run_job job = { .user = was, .fit = o->p.remove ? NULL : prune_job };
    pith_status s = run_fit_job(&o->run, m, d, f, o->k.quiet, job);
    if (s == PITH_ESTOPPED) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    return s == PITH_OK ? finish(o, m, d, was) : failed(c);
}

static int prune(options *o, const opt *table, json_t *keep)
{
    prune_start was = { .accuracy = -1, .rounds = 1 };
    if (!prune_cfg(&o->p, o->k.seed, &was))
        return EXIT_USAGE;
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, o->model, (model_opts){ 0 });
    int size = m == NULL ? 0 : model_image_size(m);
    pith_data *d = size == 0 ? NULL : open_data(c, o->data, size, &o->k, o->max_bad);
    if (d == NULL)
        return failed(c);
    return o->p.scan ? prune_scan(&o->k, m, d, was.cfg) : train(o, table, keep, m, d, &was);
}

static int run(int argc, char **argv)
{
    options o = { .run = { .verb = "prune" } };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs (default: the model's run's)"),
        RUN_OPTS(o.run),
        PRUNE_OPTS(o.p),
        RECIPE_OPTS(o.r),
        SCHEDULE_OPTS_AS(o.r, "lr-schedule"),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    json_t *keep = NULL;
    int n, status = opts_parse(&verb_prune, table, argc, argv, &o.model, &n);
    if (status >= 0)
        return status;
    bool fresh = o.run.resume == NULL;
    status = EXIT_USAGE;
    if (fresh && n == 0)
        say("prune: a trained model (as run/last.pith) is needed");
    else if (fresh ? !inherit(&o, table, &keep) : !run_read(&o.run, table, &keep))
        status = EXIT_FAILED;
    else if (o.data == NULL)
        say("prune: --data DIR is needed");
    else {
        o.model = fresh ? o.model : o.run.model;
        status = prune(&o, table, keep);
    }
    json_decref(keep);
    return status;
}

const verb verb_prune = { "prune",
                          "holds weights at zero, or removes channels, and trains on",
                          "MODEL --data DIR --target T ",
                          0,
                          1,
                          run };
