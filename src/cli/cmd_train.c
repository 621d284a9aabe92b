/* pith train: a folder of photographs in, a run folder with a trained model out. */
#include "cli/run.h"

#include <string.h>

typedef struct {
    common k;
    recipe r;
    run_folder run;
    const char *data, *model, *init, *head, *image_size;
    model_opts net;
    int eval_every, keep_early;
    double max_bad, save_every;
} train_opts;

static bool fit_cfg(train_opts *o, pith_fit_cfg *f)
{
    if (!recipe_read(&o->r, o->k.seed, f) || !recipe_sizes(&o->r, o->image_size, &o->net.image_size))
        return false;
    f->sizes = o->r.sizes;
    f->n_sizes = o->r.n_sizes;
    f->eval_every = o->eval_every;
    f->keep_after = o->keep_early;
    f->save_every_minutes = o->save_every;
    return true;
}

/* ---- The training ---- */
static pith_model *make_model(pith_ctx *c, train_opts *o, const pith_data *d)
{
    pith_model *m = open_student(c, o->model, o->net, d);
    pith_import_cfg import = { .new_head = o->head != NULL };
    if (m == NULL)
        return NULL;
    if (o->init != NULL && o->run.resume == NULL && /* a resumed run takes its weights from its checkpoint */
        pith_model_import_safetensors(m, o->init, import) != PITH_OK)
        return NULL;
    return m;
}

/* A model file's own size, unless another is asked for; 0: the default, or an error that c knows. */
static int image_size(pith_ctx *c, const train_opts *o)
{
    if (o->net.image_size != 0 || is_family(o->model))
        return o->net.image_size;
    pith_model *m = open_model(c, o->model, o->net);
    const int size = m == NULL ? 0 : model_image_size(m);
    pith_model_free(m);
    return size;
}

static int finish(const train_opts *o, pith_model *m, pith_data *d)
{
    pith_eval_result r;
    if (pith_evaluate(m, d, PITH_VAL, o->r.batch, &r) != PITH_OK)
        return failed(pith_model_ctx(m));
    if (o->k.json) {
        char last[1024];
        snprintf(last, sizeof last, "%s/last.pith", o->run.out);
        print_json(json_pack("{s:f, s:f, s:I, s:s, s:s}", "accuracy", r.accuracy, "loss", r.loss, "n",
                             (json_int_t)r.n, "model", last, "run", o->run.out));
    } else {
        printf("\naccuracy %.2f%% on %lld validation images (%lld right), loss %.4f\n", 100 * r.accuracy,
               (long long)r.n, (long long)r.correct, r.loss);
        printf("model    %s/last.pith\nlog      %s/log.jsonl\noptions  %s/args.json\n", o->run.out,
               o->run.out, o->run.out);
        printf("next     pith eval %s/last.pith --data %s\n", o->run.out, o->data);
    }
    pith_ctx_free(pith_model_ctx(m));
    return EXIT_DONE;
}

static int train(train_opts *o, const opt *table)
{
    pith_fit_cfg f;
    if (!fit_cfg(o, &f))
        return EXIT_USAGE;
    if (o->head != NULL && (strcmp(o->head, "new") != 0 || o->init == NULL)) {
        say("--head %s: only --head new is known, and only with --init FILE", o->head);
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    const int size = image_size(c, o);
    pith_data *d = pith_ctx_status(c) == PITH_OK ? open_data(c, o->data, size, &o->k, o->max_bad) : NULL;
    pith_model *m = d == NULL ? NULL : make_model(c, o, d);
    if (m == NULL)
        return failed(c);
    if (!recipe_fits(&o->r, m)) {
        pith_ctx_free(c);
        return EXIT_USAGE;
    }
    if (o->run.resume == NULL && !run_begin(&o->run, is_family(o->model) ? o->model : "model", table)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    if (!o->k.quiet) {
        pith_model_facts facts = pith_model_info(m);
        fprintf(stderr,
                "%s: %lld parameters, %.1f M multiply-adds; %lld training and %lld validation images of %d "
                "classes at %dx%d; %s\n",
                pith_model_name(m), (long long)facts.parameters, (double)facts.macs / 1e6,
                (long long)pith_data_count(d, PITH_TRAIN), (long long)pith_data_count(d, PITH_VAL),
                pith_data_classes(d), pith_data_size(d), pith_data_size(d), o->run.out);
    }
    pith_status s = run_fit(&o->run, m, d, f, o->k.quiet);
    return s == PITH_OK ? finish(o, m, d) : run_ended(c, s);
}

static int run(int argc, char **argv)
{
    train_opts o = { .model = "efnet-nano", .run = { .verb = "train" } };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs: a folder a class, or train/ and val/"),
        TEXT("model", 'm', o.model, "NAME", "network (default efnet-nano) or a model file to go on from"),
        TEXT("init", 0, o.init, "FILE", "weights to begin with: a safetensors file with timm's names"),
        TEXT("head", 0, o.head, "new", "with --init: the last layer's weights are drawn anew"),
        STYLE_OPT(o.net),
        RUN_OPTS(o.run),
        TEXT("image-size", 0, o.image_size, "P",
             "side of the square the network sees (default 96); 64:96 grows in four stages of equal length; "
             "64,80@10,96@20: 80 after 10 epochs, 96 after 20"),
        REAL("width", 0, o.net.width, "W", 0.05, 16, "channel multiplier (default 1)"),
        REAL("depth", 0, o.net.depth, "D", 0.05, 16, "repeat multiplier (default 1)"),
        REAL("dropout", 0, o.net.dropout, "P", 0, 0.95, "before the classifier (default: the network's own)"),
        REAL("drop-connect", 0, o.net.drop_connect, "P", 0, 0.95,
             "of residual branches, whole images (default 0)"),
        RECIPE_OPTS(o.r),
        SCHEDULE_OPTS(o.r),
        INT("keep-early", 0, o.keep_early, "N", 1, 100000,
            "after N epochs keeps the weights as early.pith, for 'pith prune --rewind-to'"),
        INT("eval-every", 0, o.eval_every, "N", 1, 100000, "epochs between evaluations (default 1)"),
        REAL("save-every", 0, o.save_every, "MINUTES", 0.01, 1e6, "within an epoch (default 5)"),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *none;
    int n, status = opts_parse(&verb_train, table, argc, argv, &none, &n);
    if (status >= 0)
        return status;
    json_t *keep = NULL;
    if (o.run.resume != NULL && !run_read(&o.run, table, &keep))
        status = EXIT_FAILED;
    else if (o.data == NULL) {
        say("train: --data DIR is needed: a folder with a folder of pictures for each class");
        status = EXIT_USAGE;
    } else {
        status = train(&o, table);
    }
    json_decref(keep);
    return status;
}

const verb verb_train = { "train", "trains a network on a folder of photographs", "--data DIR ", 0, 0, run };
