/* pith quantize: a trained model in, its integers out, without training. */
#include "cli/quant_opts.h"

#include <string.h>
#include <sys/stat.h>

typedef struct {
    common k;
    quant_opts q;
    const char *data, *scheme, *out;
    int batch;
    bool no_eval;
    double max_bad;
} quantize_opts;

/* Bytes of the file that was written. */
static int64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static int report(const quantize_opts *o, pith_model *m, const pith_eval_result *was,
                  const pith_eval_result *now)
{
    pith_integer_facts facts = { 0 };
    pith_ctx *c = pith_model_ctx(m);
    bool integers = strcmp(o->scheme, "int8") == 0 && o->q.skip == NULL;
    if (integers && pith_integer_info(m, &facts) != PITH_OK)
        return failed(c);
    if (!integers)
        facts.bytes = file_bytes(o->out);
    if (o->k.json) {
        json_t *j = json_pack("{s:s, s:I, s:I, s:I}", "model", o->out, "bytes", (json_int_t)facts.bytes,
                              "arena", (json_int_t)facts.arena, "n", (json_int_t)now->n);
        if (!o->no_eval)
            json_object_update_new(
                j, json_pack("{s:f, s:f}", "accuracy", now->accuracy, "accuracy_float", was->accuracy));
        print_json(j);
    } else {
        if (!o->no_eval)
            printf("accuracy %.2f%% in float, %.2f%% %s (%lld images)\n", 100 * was->accuracy,
                   100 * now->accuracy, integers ? "in integers" : "quantized", (long long)now->n);
        if (integers)
            printf("weights  %.1f KB, activations %.1f KB at a time\n", (double)facts.bytes / 1024,
                   (double)facts.arena / 1024);
        else
            printf("file     %.1f KB\n", (double)facts.bytes / 1024);
        printf("model    %s\n", o->out);
    }
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int quantize(const quantize_opts *o, const char *file)
{
    pith_quant_cfg f;
    pith_eval_result was = { 0 }, now = { 0 };
    if (!quant_opts_cfg(&o->q, o->scheme, o->k.seed, &f))
        return EXIT_USAGE;
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, file, (model_opts){ 0 });
    int size = m == NULL ? 0 : model_image_size(m);
    if (m != NULL && size == 0) {
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    pith_data *d = m == NULL ? NULL : open_data(c, o->data, size, &o->k, o->max_bad);
    if (d == NULL || (!o->no_eval && pith_evaluate(m, d, PITH_VAL, o->batch, &was) != PITH_OK) ||
        pith_quantize(m, d, f) != PITH_OK ||
        (!o->no_eval && pith_evaluate(m, d, PITH_VAL, o->batch, &now) != PITH_OK) ||
        pith_model_save(m, o->out, false) != PITH_OK)
        return failed(c);
    return report(o, m, &was, &now);
}

static int run(int argc, char **argv)
{
    quantize_opts o = { .scheme = "int8" };
    opt table[] = {
        TEXT("data", 'd', o.data, "DIR", "folder of photographs that the model was trained on"),
        TEXT("scheme", 0, o.scheme, "int8|float16|dynamic|codebook",
             "int8 (default): all numbers are integers; dynamic: int8 weights, activations as they come; "
             "codebook: shared weights"),
        TEXT("out", 'o', o.out, "FILE", "where the quantized model goes"),
        QUANT_OPTS(o.q),
        INT("batch", 'b', o.batch, "B", 1, 65536, "images at a time when measuring (default 64)"),
        FLAG("no-eval", 0, o.no_eval, "do not measure the accuracy before and after"),
        REAL("max-bad", 0, o.max_bad, "SHARE", 0, 1, "share of unusable files allowed (default 0.01)"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *file;
    int n, status = opts_parse(&verb_quantize, table, argc, argv, &file, &n);
    if (status >= 0)
        return status;
    if (o.data == NULL || o.out == NULL) {
        say(o.data == NULL ? "quantize: --data DIR is needed: ranges are taken from its training images"
                           : "quantize: --out FILE is needed");
        return EXIT_USAGE;
    }
    return quantize(&o, file);
}

const verb verb_quantize = {
    "quantize", "turns a trained model into integers, without training", "MODEL --data DIR -o FILE ", 1, 1,
    run
};
