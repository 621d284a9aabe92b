/* pith pack, pith unpack: a model file or a .tflite as small as its numbers allow, and back. */
#include "cli/cli.h"

#include <stdio.h>

typedef struct {
    common k;
    const char *out;
    bool half, integers;
} pack_opts;

/* ---- The sizes, side by side ---- */
static void row(const char *name, int64_t bytes, int64_t gzip, int64_t floats)
{
    printf("%-36s %10.1f KB %7.2fx", name, (double)bytes / 1024, (double)floats / (double)bytes);
    if (gzip >= 0)
        printf("   gzip %10.1f KB %7.2fx", (double)gzip / 1024, (double)floats / (double)gzip);
    printf("\n");
}

static void report_zeros(const pack_opts *o, const pith_pack_sizes *z)
{
    printf("weights %lld, of them zero %.1f%%\nmodel   %s\n", (long long)z->weights,
           z->weights > 0 ? 100 * (double)z->zeros / (double)z->weights : 0, o->out);
}

static void report(const pack_opts *o, const pith_pack_sizes *z)
{
    row("float32, numbers alone", z->floats, z->gzip_floats, z->floats);
    row("int8 weights, numbers alone", z->int8, z->gzip_int8, z->floats);
    row("model file", z->file, z->gzip_file, z->floats);
    row("packed, all of it", z->packed, z->gzip_packed, z->floats);
    row("entropy bound", z->entropy, -1, z->floats);
    report_zeros(o, z);
}

static json_t *gzip_json(int64_t bytes) { return bytes < 0 ? json_null() : json_integer(bytes); }

static void report_json(const pack_opts *o, const pith_pack_sizes *z)
{
    print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:f}", "model", o->out,
                         "bytes", (json_int_t)z->packed, "float", (json_int_t)z->floats, "int8",
                         (json_int_t)z->int8, "file", (json_int_t)z->file, "entropy", (json_int_t)z->entropy,
                         "gzip_float", gzip_json(z->gzip_floats), "gzip_int8", gzip_json(z->gzip_int8),
                         "gzip_file", gzip_json(z->gzip_file), "gzip_packed", gzip_json(z->gzip_packed),
                         "weights", (json_int_t)z->weights, "zeros", (json_int_t)z->zeros, "ratio",
                         (double)z->floats / (double)z->packed));
}

/* A .tflite has no float32 beside it: sizes are told against the file. */
static void report_tflite(const pack_opts *o, const pith_pack_sizes *z)
{
    row(".tflite", z->file, z->gzip_file, z->file);
    row("packed, all of it", z->packed, z->gzip_packed, z->file);
    row("entropy bound", z->entropy, -1, z->file);
    report_zeros(o, z);
}

static void report_tflite_json(const pack_opts *o, const pith_pack_sizes *z)
{
    print_json(json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:f}", "model", o->out, "bytes",
                         (json_int_t)z->packed, "file", (json_int_t)z->file, "entropy",
                         (json_int_t)z->entropy, "gzip_file", gzip_json(z->gzip_file), "gzip_packed",
                         gzip_json(z->gzip_packed), "weights", (json_int_t)z->weights, "zeros",
                         (json_int_t)z->zeros, "ratio", (double)z->file / (double)z->packed));
}

static bool pack_model(pith_ctx *c, const pack_opts *o, const char *file, pith_pack_sizes *z)
{
    pith_model *m = open_model(c, file, (model_opts){ 0 });
    if (m == NULL || (o->integers && pith_qat_convert(m) != PITH_OK))
        return false;
    if (o->half)
        pith_model_round_half(m);
    return pith_model_pack(m, o->out, z) == PITH_OK;
}

static int run_pack(int argc, char **argv)
{
    pack_opts o = { 0 };
    opt table[] = {
        TEXT("out", 'o', o.out, "FILE", "where the packed model goes; what is packed may be a .tflite"),
        FLAG("integers", 0, o.integers,
             "of a network quantized while training, keep its integers alone (batch norms folded)"),
        FLAG("half", 0, o.half,
             "round biases and shared values to float16 first (the one thing that loses accuracy)"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *file;
    pith_pack_sizes z;
    int n, status = opts_parse(&verb_pack, table, argc, argv, &file, &n);
    if (status >= 0)
        return status;
    if (o.out == NULL) {
        say("pack: --out FILE is needed");
        return EXIT_USAGE;
    }
    const bool tflite = pith_is_tflite(file);
    if (tflite && (o.half || o.integers)) {
        say("pack: '%s' is a .tflite, whose numbers stay as they are: no --%s; pack the model file it was "
            "exported from",
            file, o.half ? "half" : "integers");
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&o.k);
    if (c == NULL)
        return EXIT_FAILED;
    if (tflite ? pith_pack_tflite(c, file, o.out, &z) != PITH_OK : !pack_model(c, &o, file, &z))
        return failed(c);
    if (o.k.json)
        (tflite ? report_tflite_json : report_json)(&o, &z);
    else
        (tflite ? report_tflite : report)(&o, &z);
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int run_unpack(int argc, char **argv)
{
    pack_opts o = { 0 };
    opt table[] = {
        TEXT("out", 'o', o.out, "FILE", "where the model file or .tflite goes"),
        COMMON_OPTS(o.k),
        OPTS_END,
    };
    const char *file;
    int n, status = opts_parse(&verb_unpack, table, argc, argv, &file, &n);
    if (status >= 0)
        return status;
    if (o.out == NULL) {
        say("unpack: --out FILE is needed");
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&o.k);
    if (c == NULL)
        return EXIT_FAILED;
    if (pith_unpack(c, file, o.out) != PITH_OK)
        return failed(c);
    if (o.k.json)
        print_json(json_pack("{s:s}", "model", o.out));
    pith_ctx_free(c);
    return EXIT_DONE;
}

const verb verb_pack = {
    "pack", "makes a model file or .tflite small without losing a bit", "MODEL -o FILE ", 1, 1, run_pack
};
const verb verb_unpack = {
    "unpack", "makes the model file or .tflite of a packed one", "FILE -o MODEL ", 1, 1, run_unpack
};
