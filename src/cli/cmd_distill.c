/* pith distill: trains a network with what trained ones know. */
#include "cli/distill_opts.h"
#include "cli/quant_opts.h"
#include "cli/run.h"

#include <string.h>

typedef struct {
    common k;
    recipe r;
    run_folder run;
    distill_opts t;
    quant_opts q;
    qat_opts a;
    model_opts net;
    const char *model, *data, *init, *head;
    bool qat;
    double max_bad;
} options;

enum { TEACHERS_MOST = LIST_MOST };
typedef struct {
    pith_ctx *c;
    pith_data *d;
    pith_model *student, *teacher[TEACHERS_MOST];
    int n;
} parts;

/* ---- What takes part ---- */
static bool open_teachers(options *o, parts *p)
{
    const char *own[] = { o->model };
    const char *const *files =
        o->t.teacher.n > 0 ? o->t.teacher.text : own; /* --qat: the model teaches itself */
    p->n = o->t.teacher.n > 0 ? o->t.teacher.n : 1;
    for (int i = 0; i < p->n; i++)
        if ((p->teacher[i] = open_model(p->c, files[i], (model_opts){ 0 })) == NULL)
            return false;
    return true;
}

static bool open_parts(options *o, parts *p)
{
    int size = open_teachers(o, p) ? model_image_size(p->teacher[0]) : 0;
    p->d = size == 0 ? NULL : open_data(p->c, o->data, size, &o->k, o->max_bad);
    if (p->d == NULL)
        return false;
    if (o->qat) /* a run that goes on has its quantized model in last.pith */
        p->student = open_model(p->c, o->run.resume != NULL ? o->run.model : o->model, (model_opts){ 0 });
    else
        p->student = open_student(p->c, o->model, o->net, p->d);
    pith_import_cfg import = { .new_head = o->head != NULL };
    if (p->student != NULL && o->init != NULL && o->run.resume == NULL &&
        pith_model_import_safetensors(p->student, o->init, import) != PITH_OK)
        return false;
    return p->student != NULL;
}

/* ---- The training ---- */
static bool asking(void *view, int64_t done, int64_t total)
{
    progress_count(view, "asking the teachers, once", done, total);
    return true;
}

static int finish(const options *o, parts *p)
{
    pith_eval_result r;
    pith_distill_gap gap;
    if (pith_evaluate(p->student, p->d, PITH_VAL, o->r.batch, &r) != PITH_OK ||
        pith_distill_compare(p->student, p->teacher[0], p->d, PITH_VAL, &gap) != PITH_OK)
        return failed(p->c);
    if (o->k.json)
        print_json(json_pack("{s:f, s:f, s:I, s:f, s:I, s:s}", "accuracy", r.accuracy, "loss", r.loss, "n",
                             (json_int_t)r.n, "kl", gap.kl, "differ", (json_int_t)gap.differ, "run",
                             o->run.out));
    else
        printf("\naccuracy %.2f%% on %lld validation images (%lld right), loss %.4f\nfrom the teacher: mean "
               "KL %.4f, %lld "
               "classed differently\nmodel    %s/last.pith\n",
               100 * r.accuracy, (long long)r.n, (long long)r.correct, r.loss, gap.kl, (long long)gap.differ,
               o->run.out);
    pith_ctx_free(p->c);
    return EXIT_DONE;
}

static int fit(options *o, parts *p, pith_distill_cfg cfg, pith_fit_cfg f, const opt *table)
{
    progress_view view;
    progress_open(&view, o->k.quiet);
    cfg.progress = asking;
    cfg.progress_user = &view;
    pith_distill *k = pith_distill_new(p->student, p->teacher, p->n, cfg);
    if (k == NULL)
        return failed(p->c);
    if (o->run.resume == NULL && !run_begin(&o->run, is_family(o->model) ? o->model : "distill", table)) {
        pith_ctx_free(p->c);
        return EXIT_FAILED;
    }
    f.loss = pith_distill_loss(k);
    pith_status s = run_fit(&o->run, p->student, p->d, f, o->k.quiet);
    pith_distill_free(k);
    return s == PITH_OK ? finish(o, p) : run_ended(p->c, s);
}

static int train(options *o, const opt *table)
{
    pith_distill_cfg cfg;
    pith_quant_cfg q;
    pith_fit_cfg f;
    parts p = { 0 };
    if (!recipe_read(&o->r, o->k.seed, &f) || !distill_opts_cfg(&o->t, &cfg))
        return EXIT_USAGE;
    int epochs = o->r.epochs ? o->r.epochs : 40;
    f.augment.variants = o->t.variants ? o->t.variants : o->t.store != NULL ? epochs : 0;
    p.c = open_ctx(&o->k);
    if (p.c == NULL)
        return EXIT_FAILED;
    if (!open_parts(o, &p))
        return failed(p.c);
    if (!recipe_fits(&o->r, p.student) ||
        (o->qat && !qat_opts_cfg(&o->q, &o->a, run_steps(&o->r, p.d), &q))) {
        pith_ctx_free(p.c);
        return EXIT_USAGE;
    }
    if (o->qat && o->run.resume == NULL && pith_qat_from(p.student, p.d, q) != PITH_OK)
        return failed(p.c);
    return fit(o, &p, cfg, f, table);
}

/* What cannot be known before all options were read. */
static int check(options *o, opt *table, json_t **keep)
{
    if (o->run.resume != NULL && !run_read(&o->run, table, keep))
        return EXIT_FAILED;
    bool file = !is_family(o->model);
    if (o->qat && !file)
        say("distill: --qat trains a trained model on: --model FILE (as run/last.pith), not a network's "
            "name");
    else if (o->t.teacher.n == 0 && !o->qat)
        say("distill: --teacher FILE is needed: a trained model (with --qat the model itself, if none is "
            "given)");
    else if (o->head != NULL && (strcmp(o->head, "new") != 0 || o->init == NULL))
        say("--head %s: only --head new is known, and only with --init FILE", o->head);
    else if (o->qat && o->run.resume == NULL && !run_inherit_qat(o->model, &o->r, table, keep))
        return EXIT_FAILED;
    else if (o->data == NULL)
        say("distill: --data DIR is needed: a folder with a folder of pictures for each class");
    else {
        if (o->qat)
            run_qat_defaults(&o->r, quant_few_bits(&o->q));
        return train(o, table);
    }
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    options o = { .model = "efnet-nano", .run = { .verb = "distill" } };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs: a folder a class, or train/ and val/"),
        TEXT("model", 'm', o.model, "NAME", "the student: a network (default efnet-nano) or a model file"),
        DISTILL_OPTS(o.t),
        FLAG("qat", 0, o.qat,
             "the student is --model FILE quantized, by the recipe of its run as in 'pith qat'"),
        BITS_OPTS(o.q),
        QAT_OPTS(o.a),
        TEXT("init", 0, o.init, "FILE", "weights to begin with: a safetensors file with timm's names"),
        TEXT("head", 0, o.head, "new", "with --init: the last layer's weights are drawn anew"),
        STYLE_OPT(o.net),
        REAL("width", 0, o.net.width, "W", 0.05, 16, "channel multiplier of the student (default 1)"),
        REAL("depth", 0, o.net.depth, "D", 0.05, 16, "repeat multiplier of the student (default 1)"),
        REAL("dropout", 0, o.net.dropout, "P", 0, 0.95, "before the classifier (default: the network's own)"),
        REAL("drop-connect", 0, o.net.drop_connect, "P", 0, 0.95, "of residual branches (default 0)"),
        RUN_OPTS(o.run),
        RECIPE_OPTS(o.r),
        SCHEDULE_OPTS(o.r),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *none;
    json_t *keep = NULL;
    int n, status = opts_parse(&verb_distill, table, argc, argv, &none, &n);
    if (status < 0)
        status = check(&o, table, &keep);
    json_decref(keep);
    return status;
}

const verb verb_distill = {
    "distill", "trains a network with what trained ones know", "--teacher FILE --data DIR ", 0, 0, run
};
