/* pith qat: trains a trained model on with fake quantization, by the recipe of the run that it comes from. */
#include "cli/quant_opts.h"
#include "cli/run.h"

typedef struct {
    run_on t;
    quant_opts q;
    qat_opts a;
} options;

/* ---- The training ---- */
static int finish(const options *o, pith_model *m, pith_data *d)
{
    pith_eval_result r;
    pith_integer_facts facts = { 0 };
    pith_ctx *c = pith_model_ctx(m);
    if (pith_evaluate(m, d, PITH_VAL, o->t.r.batch, &r) != PITH_OK ||
        (o->q.skip == NULL && pith_integer_info(m, &facts) != PITH_OK))
        return failed(c);
    if (o->t.k.json)
        print_json(json_pack("{s:f, s:f, s:I, s:I, s:s}", "accuracy", r.accuracy, "loss", r.loss, "n",
                             (json_int_t)r.n, "bytes", (json_int_t)facts.bytes, "run", o->t.run.out));
    else
        printf(
            "\naccuracy %.2f%% in integers on %lld validation images (%lld right), loss %.4f\nweights  %.1f "
            "KB\nmodel    %s/last.pith\n",
            100 * r.accuracy, (long long)r.n, (long long)r.correct, r.loss, (double)facts.bytes / 1024,
            o->t.run.out);
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int train(options *o, const opt *table)
{
    pith_quant_cfg q;
    pith_fit_cfg f;
    if (!recipe_read(&o->t.r, o->t.k.seed, &f))
        return EXIT_USAGE;
    pith_data *d;
    pith_model *m = run_on_open(&o->t, &d);
    if (m == NULL)
        return EXIT_FAILED;
    pith_ctx *c = pith_model_ctx(m);
    if (!qat_opts_cfg(&o->q, &o->a, run_steps(&o->t.r, d), &q) || !recipe_fits(&o->t.r, m)) {
        pith_ctx_free(c);
        return EXIT_USAGE;
    }
    if (o->t.run.resume == NULL && pith_qat_from(m, d, q) != PITH_OK)
        return failed(c);
    if (o->t.run.resume == NULL && !run_begin(&o->t.run, "qat", table)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    pith_status s = run_fit(&o->t.run, m, d, f, o->t.k.quiet);
    return s == PITH_OK ? finish(o, m, d) : run_ended(c, s);
}

static bool inherit(void *user, opt *table, json_t **keep)
{
    options *o = user;
    return run_inherit_qat(o->t.model, &o->t.r, table, keep);
}

static int run(int argc, char **argv)
{
    options o = { .t.run.verb = "qat" };
    opt table[] = {
        RUN_ON_FIRST(o.t, "the float run's"), BITS_OPTS(o.q), QAT_OPTS(o.a),
        RUN_ON_LAST(o.t, "schedule"),         OPTS_END,
    };
    json_t *keep = NULL;
    int status = run_on_read(&verb_qat, &o.t, table, argc, argv, inherit, &o, &keep);
    if (status < 0) {
        run_qat_defaults(&o.t.r, quant_few_bits(&o.q));
        status = train(&o, table);
    }
    json_decref(keep);
    return status;
}

/* By the recipe of the model's run, but for 8 epochs, a tenth of the learning rate, half an epoch of warm-up. */
const verb verb_qat = {
    "qat", "trains a model on so that it survives quantization", "MODEL --data DIR ", 0, 1, run
};
