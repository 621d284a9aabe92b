/* pith info: what a model is, or what this build of pith runs on. */
#include "cli/cli.h"

static int info_build(const common *k)
{
    pith_ctx *c = open_ctx(k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_build b = pith_build_info(c);
    if (k->json) {
        print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "version", b.version,
                             "compiler", b.compiler, "cpu", b.cpu, "cpu_best", b.cpu_best, "blas", b.blas,
                             "blas_core", b.blas_core, "blas_config", b.blas_config, "jpeg", b.jpeg,
                             "threads", b.threads));
    } else {
        printf("pith %s, compiled by %s\nkernels   %s (the best of this processor: %s), %d threads\n",
               b.version, b.compiler, b.cpu, b.cpu_best, b.threads);
        printf("BLAS      %s, %s kernels\n          %s\nJPEG      %s\nnetworks ", b.blas, b.blas_core,
               b.blas_config, b.jpeg);
        for (int i = 0; pith_family_list(i) != NULL; i++)
            printf(" %s", pith_family_list(i)->name);
        putchar('\n');
    }
    pith_ctx_free(c);
    return EXIT_DONE;
}

static json_t *layer_json(const pith_layer_facts *f)
{
    json_t *shape = json_array();
    for (int i = 1; i < f->out.ndim; i++)
        json_array_append_new(shape, json_integer(f->out.d[i]));
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I}", "name", f->name, "op", f->op, "out", shape,
                     "parameters", (json_int_t)f->parameters, "macs", (json_int_t)f->macs, "zeros",
                     (json_int_t)f->zeros, "held", (json_int_t)f->held);
}

static void print_layer(const pith_layer_facts *f)
{
    char shape[64];
    int at = 0;
    for (int i = 1; i < f->out.ndim && at < 50; i++)
        at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%lld", i > 1 ? "x" : "",
                       (long long)f->out.d[i]);
    printf("%-34.34s %-18.18s %14s %10lld %12lld", f->name, f->op, shape, (long long)f->parameters,
           (long long)f->macs);
    if (f->held > 0)
        printf("   %6.2f%%", 100.0 * (double)f->held / (double)f->parameters);
    putchar('\n');
}

static bool pruned(const pith_model *m)
{
    pith_layer_facts f;
    for (int i = 0; pith_model_layer(m, i, &f); i++)
        if (f.held > 0)
            return true;
    return false;
}

static int info_model(const common *k, const char *name, model_opts o)
{
    pith_ctx *c = open_ctx(k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, name, o);
    if (m == NULL)
        return failed(c);
    pith_model_facts f = pith_model_info(m);
    pith_layer_facts layer;
    json_t *layers = json_array();
    int64_t zeros = 0;
    if (!k->json)
        printf("%-34s %-18s %14s %10s %12s%s\n", "layer", "op", "output", "parameters", "mult-adds",
               pruned(m) ? "   at zero" : "");
    for (int i = 0; pith_model_layer(m, i, &layer); i++) {
        zeros += layer.zeros;
        if (k->json)
            json_array_append_new(layers, layer_json(&layer));
        else
            print_layer(&layer);
    }
    pith_shape in = pith_shape_of(pith_model_input(m));
    if (k->json) {
        json_t *input = json_array(), *meta = json_object();
        for (int i = 1; i < in.ndim; i++)
            json_array_append_new(input, json_integer(in.d[i]));
        for (int i = 0; pith_model_meta_key(m, i) != NULL; i++)
            json_object_set_new(meta, pith_model_meta_key(m, i),
                                json_string(pith_model_meta(m, pith_model_meta_key(m, i))));
        print_json(json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "model", pith_model_name(m),
                             "input", input, "parameters", (json_int_t)f.parameters, "zeros",
                             (json_int_t)zeros, "state", (json_int_t)f.state, "macs", (json_int_t)f.macs,
                             "bytes", (json_int_t)f.bytes, "layers", layers, "meta", meta));
    } else {
        json_decref(layers);
        printf("\n%s: %lld parameters (and %lld running statistics), %lld bytes as float32, %.1f M "
               "multiply-adds an image\n",
               pith_model_name(m), (long long)f.parameters, (long long)f.state, (long long)f.bytes,
               (double)f.macs / 1e6);
        if (pruned(m))
            printf("pruned: %lld of the parameters are zero (%.2f%%)\n", (long long)zeros,
                   100.0 * (double)zeros / (double)f.parameters);
    }
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    common k = { 0 };
    model_opts o = { 0 };
    bool build = false;
    opt table[] = { FLAG("build", 0, build, "tell what this build runs on"), NETWORK_OPTS(o), COMMON_OPTS(k),
                    OPTS_END };
    const char *name = NULL;
    int n, status = opts_parse(&verb_info, table, argc, argv, &name, &n);
    if (status >= 0)
        return status;
    if (build)
        return info_build(&k);
    if (n == 1)
        return info_model(&k, name, o);
    say("info: a model (a network's name or a file) or --build is needed");
    return EXIT_USAGE;
}

const verb verb_info = {
    "info", "shows a model's layers and size, or (--build) what pith runs on", "MODEL|--build ", 0, 1, run
};
