/* pith quantize: a trained model in, its integers out, without training. */
#include "cli/cli.h"

#include <string.h>

#include <pith/quant.h>

typedef struct {
    common k;
    const char *data, *scheme, *calib, *layers, *skip, *out;
    int bits_weights, bits_activations, bits_ends, samples, batch;
    bool conv_per_tensor, dense_per_channel, no_eval;
    double percentile, max_bad;
} quantize_opts;

static bool choose_calib(const quantize_opts *o, pith_quant_cfg *f)
{
    static const char *const names[] = { "minmax", "average", "percentile", "mse", "entropy" };
    for (int i = 0; o->calib != NULL && i < 5; i++)
        if (strcmp(names[i], o->calib) == 0) {
            f->calib.method = (pith_calib_method)i;
            return true;
        }
    if (o->calib == NULL)
        return true;
    say("--calib %s: not known; minmax, average, percentile, mse or entropy", o->calib);
    return false;
}

static bool quant_cfg(const quantize_opts *o, pith_quant_cfg *f)
{
    *f = (pith_quant_cfg){ .bits_weights = o->bits_weights,
                           .bits_activations = o->bits_activations,
                           .bits_ends = o->bits_ends,
                           .conv_per_tensor = o->conv_per_tensor,
                           .dense_per_channel = o->dense_per_channel,
                           .layers = o->layers,
                           .skip = o->skip,
                           .samples = o->samples,
                           .seed = o->k.seed };
    f->calib.percentile = o->percentile;
    if (strcmp(o->scheme, "int8") == 0)
        return choose_calib(o, f);
    say("--scheme %s: not known; int8 is", o->scheme);
    return false;
}

static int report(const quantize_opts *o, pith_model *m, const pith_eval_result *was,
                  const pith_eval_result *now)
{
    pith_integer_facts facts = { 0 };
    pith_ctx *c = pith_model_ctx(m);
    if (o->skip == NULL && pith_integer_info(m, &facts) != PITH_OK)
        return failed(c);
    if (o->k.json) {
        json_t *j = json_pack("{s:s, s:I, s:I, s:I}", "model", o->out, "bytes", (json_int_t)facts.bytes,
                              "arena", (json_int_t)facts.arena, "n", (json_int_t)now->n);
        if (!o->no_eval)
            json_object_update_new(
                j, json_pack("{s:f, s:f}", "accuracy", now->accuracy, "accuracy_float", was->accuracy));
        print_json(j);
    } else {
        if (!o->no_eval)
            printf("accuracy %.2f%% in float, %.2f%% in integers (%lld images)\n", 100 * was->accuracy,
                   100 * now->accuracy, (long long)now->n);
        printf("weights  %.1f KB, activations %.1f KB at a time\nmodel    %s\n", (double)facts.bytes / 1024,
               (double)facts.arena / 1024, o->out);
    }
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int quantize(const quantize_opts *o, const char *file)
{
    pith_quant_cfg f;
    pith_eval_result was = { 0 }, now = { 0 };
    if (!quant_cfg(o, &f))
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
        TEXT("scheme", 0, o.scheme, "int8",
             "what becomes of the numbers (default int8: all of them integers)"),
        TEXT("out", 'o', o.out, "FILE", "where the quantized model goes"),
        INT("bits-weights", 0, o.bits_weights, "B", 2, 8, "bits of weights (default 8)"),
        INT("bits-activations", 0, o.bits_activations, "B", 4, 8, "bits of activations (default 8)"),
        INT("bits-ends", 0, o.bits_ends, "B", 2, 8, "bits of the first and last layer's weights (default 8)"),
        TEXT("layers", 0, o.layers, "PATTERN=B,...", "bits of the weights of certain layers"),
        TEXT("skip", 0, o.skip, "PATTERN,...", "layers that stay in float"),
        FLAG("conv-per-tensor", 0, o.conv_per_tensor,
             "one scale for a convolution's weights, not one a channel"),
        FLAG("dense-per-channel", 0, o.dense_per_channel, "one scale for each output of a dense layer"),
        TEXT("calib", 0, o.calib, "METHOD",
             "ranges by minmax (default), average, percentile, mse or entropy"),
        REAL("percentile", 0, o.percentile, "P", 50, 100, "of --calib percentile (default 99.99)"),
        INT("samples", 0, o.samples, "N", 1, 1 << 24, "training images that ranges come from (default 512)"),
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
