/* pith eval: how good a model is on the images of a folder, each counted exactly once. */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

typedef struct {
    common k;
    const char *data, *split, *against, *csv;
    int batch;
    double max_bad;
} eval_opts;

static json_t *result_json(const pith_model *m, const pith_eval_result *r)
{
    json_t *confusion = json_array(), *per_class = json_object();
    for (int i = 0; i < r->classes; i++) {
        json_t *row = json_array();
        int64_t total = 0;
        char buf[32];
        for (int j = 0; j < r->classes; j++) {
            json_array_append_new(row, json_integer(r->confusion[i * r->classes + j]));
            total += r->confusion[i * r->classes + j];
        }
        json_array_append_new(confusion, row);
        double hit = total > 0 ? (double)r->confusion[i * r->classes + i] / (double)total : 0;
        json_object_set_new(per_class, class_name(m, i, buf),
                            json_pack("{s:I, s:f}", "n", (json_int_t)total, "accuracy", hit));
    }
    return json_pack("{s:f, s:I, s:f, s:o, s:o}", "accuracy", r->accuracy, "n", (json_int_t)r->n, "loss",
                     r->loss, "confusion", confusion, "per_class", per_class);
}

static void print_result(const pith_model *m, const pith_eval_result *r)
{
    char buf[32];
    printf("accuracy %.2f%% (%lld of %lld), loss %.4f\n\n", 100 * r->accuracy, (long long)r->correct,
           (long long)r->n, r->loss);
    if (r->classes > 20)
        return;
    printf("%-16s", "is \\ taken for");
    for (int j = 0; j < r->classes; j++)
        printf(" %10.10s", class_name(m, j, buf));
    putchar('\n');
    for (int i = 0; i < r->classes; i++) {
        printf("%-16.16s", class_name(m, i, buf));
        for (int j = 0; j < r->classes; j++)
            printf(" %10lld", (long long)r->confusion[i * r->classes + j]);
        putchar('\n');
    }
}

/* ---- Beside another model, image by image ---- */
typedef struct {
    int64_t n, right;
    double kl;
    paired by_image;
} comparison;

/* What m says into --csv, and beside what --against says into *beside. False after an error, which was printed. */
static bool compare(const eval_opts *o, pith_ctx *c, pith_model *m, pith_data *d, comparison *beside)
{
    const pith_split split = strcmp(o->split, "val") == 0 ? PITH_VAL : PITH_TRAIN;
    pith_distill_gap gap = { 0 };
    answers a = { 0 }, b = { 0 };
    pith_model *other = o->against != NULL ? open_model(c, o->against, (model_opts){ 0 }) : NULL;
    bool ok = (o->against == NULL || other != NULL) && answers_ask(m, d, split, o->batch, &a);
    if (ok && other != NULL)
        ok = pith_distill_compare(m, other, d, split, &gap) == PITH_OK &&
             answers_ask(other, d, split, o->batch, &b);
    if (ok && other != NULL)
        *beside = (comparison){ b.n, b.right, gap.kl, answers_pair(&a, &b) };
    ok = ok && !pith_ctx_status(c);
    if (!ok)
        say("%s", pith_ctx_status(c) ? pith_error_text(c) : "out of memory");
    else if (o->csv != NULL && !save_text(o->csv, a.csv, a.csv_bytes)) {
        say("%s: cannot be written: %s", o->csv, strerror(errno));
        ok = false;
    }
    answers_free(&a);
    answers_free(&b);
    return ok;
}

static json_t *comparison_json(const char *against, const comparison *v)
{
    return json_pack("{s:o, s:f, s:I, s:f, s:I, s:I, s:f}", "model", json_bytes(against), "accuracy",
                     (double)v->right / (double)v->n, "differ", (json_int_t)v->by_image.differ, "kl", v->kl,
                     "only_this", (json_int_t)v->by_image.only_this, "only_other",
                     (json_int_t)v->by_image.only_other, "p", v->by_image.p);
}

static void print_comparison(const char *against, const comparison *v)
{
    printf("\nbeside %s: accuracy %.2f%% (%lld of %lld)\n", against, 100 * (double)v->right / (double)v->n,
           (long long)v->right, (long long)v->n);
    printf("  %lld images classed differently; right here alone %lld, there alone %lld: McNemar's p = %.3g\n",
           (long long)v->by_image.differ, (long long)v->by_image.only_this, (long long)v->by_image.only_other,
           v->by_image.p);
    printf("  mean KL(there || here) %.5f\n", v->kl);
}

static int run(int argc, char **argv)
{
    eval_opts o = { .split = "val" };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs"),
        TEXT("split", 0, o.split, "val|train", "which images (default val)"),
        TEXT("against", 0, o.against, "FILE",
             "another model on the same images: a paired test of the difference (McNemar), images "
             "classed differently, KL divergence"),
        TEXT("csv", 0, o.csv, "FILE", "what it says of each image"),
        INT("batch", 'b', o.batch, "B", 1, 65536, "images at a time (default 64)"),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(o.k),
        OPTS_END
    };
    const char *file;
    int n, status = opts_parse(&verb_eval, table, argc, argv, &file, &n);
    if (status >= 0)
        return status;
    bool val = strcmp(o.split, "val") == 0;
    if (o.data == NULL || (!val && strcmp(o.split, "train") != 0)) {
        say(o.data == NULL ? "eval: --data DIR is needed" : "eval: --split is val or train");
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&o.k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, file, (model_opts){ 0 });
    int size = m == NULL ? 0 : model_image_size(m);
    if (m != NULL && size == 0) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    pith_data *d = m == NULL ? NULL : open_data(c, o.data, size, &o.k, o.max_bad);
    pith_eval_result r;
    if (d == NULL || pith_evaluate(m, d, val ? PITH_VAL : PITH_TRAIN, o.batch, &r) != PITH_OK)
        return failed(c);
    comparison beside = { 0 };
    if ((o.against != NULL || o.csv != NULL) && !compare(&o, c, m, d, &beside)) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    json_t *j = o.k.json ? result_json(m, &r) : NULL;
    if (j == NULL)
        print_result(m, &r);
    if (o.against != NULL && j != NULL)
        json_object_set_new(j, "against", comparison_json(o.against, &beside));
    else if (o.against != NULL)
        print_comparison(o.against, &beside);
    if (j != NULL)
        print_json(j);
    pith_ctx_free(c);
    return EXIT_DONE;
}

const verb verb_eval = {
    "eval", "measures a model's accuracy on a folder of photographs", "MODEL --data DIR ", 1, 1, run
};
