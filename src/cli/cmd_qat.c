/* pith qat: trains a trained model on with fake quantization, by the recipe of the run that it comes from. */
#include "cli/quant_opts.h"
#include "cli/run.h"

typedef struct {
    common k;
    recipe r;
    run_folder run;
    quant_opts q;
    qat_opts a;
    const char *model, *data;
    double max_bad;
} options;

/* ---- The training ---- */
static int finish(const options *o, pith_model *m, pith_data *d)
{
    pith_eval_result r;
    pith_integer_facts facts = { 0 };
    pith_ctx *c = pith_model_ctx(m);
    if (pith_evaluate(m, d, PITH_VAL, o->r.batch, &r) != PITH_OK ||
        (o->q.skip == NULL && pith_integer_info(m, &facts) != PITH_OK))
        return failed(c);
    if (o->k.json)
        print_json(json_pack("{s:f, s:f, s:I, s:I, s:s}", "accuracy", r.accuracy, "loss", r.loss, "n",
                             (json_int_t)r.n, "bytes", (json_int_t)facts.bytes, "run", o->run.out));
    else
        printf(
            "\naccuracy %.2f%% in integers on %lld validation images (%lld right), loss %.4f\nweights  %.1f "
            "KB\nmodel    %s/last.pith\n",
            100 * r.accuracy, (long long)r.n, (long long)r.correct, r.loss, (double)facts.bytes / 1024,
            o->run.out);
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int train(options *o, const opt *table)
{
    pith_quant_cfg q;
    pith_fit_cfg f;
    if (!recipe_read(&o->r, o->k.seed, &f))
        return EXIT_USAGE;
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, o->model, (model_opts){ 0 });
    int size = m == NULL ? 0 : model_image_size(m);
    pith_data *d = size == 0 ? NULL : open_data(c, o->data, size, &o->k, o->max_bad);
    if (d == NULL)
        return failed(c);
    if (!qat_opts_cfg(&o->q, &o->a, run_steps(&o->r, d), &q) || !recipe_fits(&o->r, m)) {
        pith_ctx_free(c);
        return EXIT_USAGE;
    }
    if (o->run.resume == NULL && pith_qat(m, q) != PITH_OK)
        return failed(c);
    if (o->run.resume == NULL && !run_begin(&o->run, "qat", table)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    pith_status s = run_fit(&o->run, m, d, f, o->k.quiet);
    if (s == PITH_ESTOPPED) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    return s == PITH_OK ? finish(o, m, d) : failed(c);
}

static int run(int argc, char **argv)
{
    options o = { .run = { .verb = "qat" } };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs (default: the float run's)"),
        RUN_OPTS(o.run),
        BITS_OPTS(o.q),
        QAT_OPTS(o.a),
        RECIPE_OPTS(o.r),
        SCHEDULE_OPTS(o.r),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    json_t *keep = NULL;
    int n, status = opts_parse(&verb_qat, table, argc, argv, &o.model, &n);
    if (status >= 0)
        return status;
    bool fresh = o.run.resume == NULL;
    status = EXIT_USAGE;
    if (fresh && n == 0)
        say("qat: a trained model (as run/last.pith) is needed");
    else if (fresh ? !run_inherit_qat(o.model, &o.r, table, &keep) : !run_read(&o.run, table, &keep))
        status = EXIT_FAILED;
    else if (o.data == NULL)
        say("qat: --data DIR is needed");
    else {
        o.model = fresh ? o.model : o.run.model;
        run_qat_defaults(&o.r);
        status = train(&o, table);
    }
    json_decref(keep);
    return status;
}

/* By the recipe of the model's run, but for 8 epochs, a tenth of the learning rate, half an epoch of warm-up. */
const verb verb_qat = {
    "qat", "trains a model on so that it survives quantization", "MODEL --data DIR ", 0, 1, run
};
