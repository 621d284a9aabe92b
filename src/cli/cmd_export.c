/* pith export: a model in the formats that other runtimes read. */
#include "cli/cli.h"

#include <string.h>
#include <sys/stat.h>

static pith_status as_safetensors(pith_model *m, const char *path, pith_export_cfg cfg)
{
    (void)cfg;
    return pith_model_export_safetensors(m, path);
}

static const struct {
    const char *name;
    pith_status (*write)(pith_model *m, const char *path, pith_export_cfg cfg);
    bool numbers; /* takes --numbers and --int8-io */
} formats[] = { { "c", pith_export_c, false },
                { "tflite", pith_export_tflite, true },
                { "tflm", pith_export_tflm, true },
                { "onnx", pith_export_onnx, true },
                { "safetensors", as_safetensors, false } };

static const char *const numbers[] = { [PITH_EXPORT_AUTO] = "auto",
                                       [PITH_EXPORT_F32] = "float32",
                                       [PITH_EXPORT_F16] = "float16",
                                       [PITH_EXPORT_INT8] = "int8",
                                       [PITH_EXPORT_DYNAMIC] = "dynamic" };

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static int find_format(const char *name, const char *out)
{
    const char *dot = out ? strrchr(out, '.') : NULL;
    if (!name)
        name = dot ? dot + 1 : "";
    for (int i = 0; i < COUNT(formats); i++)
        if (!strcmp(formats[i].name, name))
            return i;
    say("export: '%s' is no format; expected --format c, tflite, tflm, onnx or safetensors (or OUT ending in "
        "it)",
        name);
    return -1;
}

static int find_numbers(const char *name)
{
    for (int i = 0; i < COUNT(numbers); i++)
        if (!name || !strcmp(numbers[i], name))
            return i;
    say("export: '%s' are no numbers; expected --numbers float32, float16, int8 or dynamic", name);
    return -1;
}

static int run(int argc, char **argv)
{
    common k = { 0 };
    model_opts o = { 0 };
    const char *format = NULL, *out = NULL, *number = NULL, *name;
    bool int8_io = false, mlperf = false, packed = false, cmsis = false;
    opt table[] = {
        TEXT("format", 'f', format, "c|tflite|tflm|onnx|safetensors",
             "file format (default: OUT's ending); c: source, tflm: a .tflite as an array of C; "
             "safetensors has timm's names"),
        TEXT("out", 'o', out, "OUT", "file to write"),
        TEXT("numbers", 0, number, "float32|float16|int8|dynamic",
             "of a .tflite or .onnx (default: the model's own)"),
        FLAG("int8-io", 0, int8_io,
             "int8 input and output of an int8 .onnx (else floats; a .tflite's are int8 always)"),
        FLAG("mlperf", 0, mlperf, "with --format c: also MLPerf Tiny's harness, OUT_th.cpp"),
        FLAG("packed", 0, packed,
             "with --format c: weights compressed in flash, unpacked into RAM by the first run"),
        FLAG("cmsis-nn", 0, cmsis,
             "with --format c: also calls of Arm's CMSIS-NN, where -DNAME_CMSIS_NN is given to the compiler"),
        NETWORK_OPTS(o),
        COMMON_OPTS(k),
        OPTS_END
    };
    int n, status = opts_parse(&verb_export, table, argc, argv, &name, &n);
    if (status >= 0)
        return status;
    int f = out ? find_format(format, out) : -1, as = find_numbers(number);
    if (!out)
        say("export: -o OUT is needed");
    bool unasked = f >= 0 && !formats[f].numbers && (number || int8_io);
    if (unasked)
        say("export: %s is not for %s", number ? "--numbers" : "--int8-io", formats[f].name);
    if (f > 0 && (mlperf || packed || cmsis)) {
        say("export: %s is for --format c", mlperf ? "--mlperf" : packed ? "--packed" : "--cmsis-nn");
        f = -1;
    }
    if (f < 0 || as < 0 || unasked)
        return EXIT_USAGE;
    pith_ctx *c = open_ctx(&k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, name, o);
    if (m == NULL || formats[f].write(m, out,
                                      (pith_export_cfg){ .numbers = (pith_export_numbers)as,
                                                         .int8_io = int8_io,
                                                         .mlperf = mlperf,
                                                         .packed = packed,
                                                         .cmsis_nn = cmsis }) != PITH_OK)
        return failed(c);
    struct stat st;
    long long bytes = stat(out, &st) == 0 ? (long long)st.st_size : 0;
    if (k.json)
        print_json(json_pack("{s:o, s:s, s:I}", "path", json_bytes(out), "format", formats[f].name, "bytes",
                             (json_int_t)bytes));
    else if (!k.quiet)
        printf("%s: %lld bytes\n", out, bytes);
    pith_ctx_free(c);
    return EXIT_DONE;
}

const verb verb_export = { "export",
                           "writes a model for other runtimes (.tflite, .onnx) or for timm (.safetensors)",
                           "MODEL -o OUT ",
                           1,
                           1,
                           run };
