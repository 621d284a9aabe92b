/* pith import: a .tflite, ours or a foreign one, read, described, and written as what pith works with. */
#include "cli/cli.h"

#include <string.h>

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static void shape_text(pith_shape s, char text[96])
{
    int at = 0;
    text[0] = 0;
    for (int i = 0; i < s.ndim && at < 80; i++)
        at += snprintf(text + at, 96 - (size_t)at, "%s%lld", i ? "x" : "", (long long)s.d[i]);
}

static json_t *shape_json(pith_shape s)
{
    json_t *j = json_array();
    for (int i = 0; i < s.ndim; i++)
        json_array_append_new(j, json_integer(s.d[i]));
    return j;
}

static void describe(const pith_runner *r, const char *out, bool json)
{
    pith_runner_facts f = pith_runner_info(r);
    char in[96], to[96];
    shape_text(f.input, in);
    shape_text(f.output, to);
    if (json) {
        json_t *j = json_pack("{s:o, s:s, s:s, s:i, s:I, s:I, s:o, s:o}", "model", json_bytes(f.name),
                              "format", f.format, "numbers", f.integers ? "int8" : "float32", "ops", f.ops,
                              "macs", (json_int_t)f.macs, "arena", (json_int_t)f.arena, "input",
                              shape_json(f.input), "output", shape_json(f.output));
        if (out != NULL)
            json_object_set_new(j, "path", json_bytes(out));
        print_json(j);
        return;
    }
    printf("%s: %s, %d ops, %.2f M multiply-adds\n", f.name, f.integers ? "int8" : "float32", f.ops,
           (double)f.macs / 1e6);
    printf("input    %s%s", in, f.integers && !f.float_io ? "" : ", float32\n");
    if (f.integers && !f.float_io)
        printf(", int8: (q - %d) * %g\n", f.input_zero, (double)f.input_scale);
    printf("output   %s%s%s\narena    %.1f KB\n", to, pith_runner_class(r, 0) ? ", named classes" : "",
           f.probabilities ? ", probabilities" : "", (double)f.arena / 1024);
    if (out != NULL)
        printf("written  %s\n", out);
}

static pith_status write_model(const pith_runner *r, const char *out)
{
    pith_model *m = pith_runner_model(r);
    bool integers = pith_runner_info(r).integers;
    if (ends_in(out, ".tflite"))
        return integers ? pith_runner_export_tflite(r, out)
                        : pith_export_tflite(m, out, (pith_export_cfg){ 0 });
    return ends_in(out, ".onnx") ? pith_export_onnx(m, out, (pith_export_cfg){ 0 })
                                 : pith_model_save(m, out, false);
}

static int run(int argc, char **argv)
{
    common k = { 0 };
    const char *out = NULL, *file = NULL;
    opt table[] = { TEXT("out", 'o', out, "OUT",
                         "write the model: OUT.pith (trains on, quantizes, exports), OUT.tflite or OUT.onnx"),
                    COMMON_OPTS(k), OPTS_END };
    int n, status = opts_parse(&verb_import, table, argc, argv, &file, &n);
    if (status >= 0)
        return status;
    if (out != NULL && !ends_in(out, ".pith") && !ends_in(out, ".tflite") && !ends_in(out, ".onnx")) {
        say("import: '%s' ends in none of .pith, .tflite, .onnx", out);
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_runner *r = pith_runner_open(c, file);
    if (r == NULL)
        return failed(c);
    if (out != NULL && !ends_in(out, ".tflite") && pith_runner_model(r) == NULL) {
        say("import: %s is a model of int8: it runs ('pith run'), is planned for ('pith plan') and can be "
            "written as "
            ".tflite, but has no floats to train or convert",
            file);
        pith_ctx_free(c);
        return EXIT_FAILED;
    }
    if (out != NULL && write_model(r, out) != PITH_OK)
        return failed(c);
    if (!k.quiet || k.json)
        describe(r, out, k.json);
    pith_ctx_free(c);
    return EXIT_DONE;
}

const verb verb_import = {
    "import",
    "reads a .tflite (float32, float16, int8), describes it, writes it as a model file",
    "FILE [-o OUT] ",
    1,
    1,
    run
};
