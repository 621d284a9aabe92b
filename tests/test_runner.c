/* Floor 7: float .tflite files read back, runners of every format, what models need, and the commands over them. */
#include "deploy/tflite/read.h"
#include "compress/quant/quant.h"
#include "export_help.h"
#include <jansson.h>
#include <math.h>
#include <pith/pith.h>
#include <sys/wait.h>

/* ---- Float files -----------------------------------------------------------------------------------------------------*/
static pith_real *pixels(int64_t n)
{
    pith_real *x = malloc((size_t)n * sizeof *x);
    pithp_rand r = pithp_rand_at(11, 0, 0, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n; i++)
        x[i] = (pith_real)((double)pithp_rand_below(&r, 256) / 128 - 1);
    return x;
}

static pith_runner_result run_on(pith_runner *r, const pith_real *x)
{
    pith_runner_result y;
    suite_check(r && pith_runner_run(r, x, &y) == PITH_OK, "%s", pith_error_text(ctx));
    return y;
}

static double apart(const pith_real *a, const pith_real *b, int64_t n)
{
    double most = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        size = fmax(size, fabs((double)a[i]));
    }
    return most / fmax(size, 1e-6);
}

/* Batch norms with something to fold, and biases that are not zero. */
static void stir(pith_model *m)
{
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    pithp_rand r = pithp_rand_at(3, 0, 0, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n; i++)
        w[i] =
            w[i] * (pith_real)(1 + 0.2 * pithp_rand_uniform(&r)) + (pith_real)(0.02 * pithp_rand_uniform(&r));
}

static pith_model *family(const char *name, int size)
{
    pith_model *m =
        pith_model_family(ctx, name, (pith_family_cfg){ .image_size = size, .width = 0.5, .classes = 3 });
    suite_check(m != NULL, "%s: %s", name, pith_error_text(ctx));
    stir(m);
    return m;
}

/* What is written gives what the model gives; read and written again, the very same numbers; of networks whose ops are one op
   in TFLite each, the very same file. */
static void there_and_back(pith_model *m, pith_export_numbers as, double near, bool same_file)
{
    const char *path = in_dir("there.tflite"), *again = in_dir("back.tflite"), *last = in_dir("last.tflite");
    pith_export_cfg cfg = { .numbers = as };
    suite_check(pith_export_tflite(m, path, cfg) == PITH_OK, "%s", pith_error_text(ctx));
    pith_runner *own = pith_runner_of(m), *r = pith_runner_open(ctx, path);
    suite_check(own && r, "%s: %s", m->name, pith_error_text(ctx));
    pith_real *x = pixels(pithp_count(m->input->shape));
    pith_runner_result a = run_on(own, x), b = run_on(r, x);
    suite_check(a.n == b.n && !b.output_q && apart(a.values, b.values, a.n) < near, "%s: %g apart", m->name,
                apart(a.values, b.values, a.n));
    pith_model *once = pith_import_tflite(ctx, path);
    suite_check(once && pith_export_tflite(once, again, (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                pith_error_text(ctx));
    pith_model *settled = pith_import_tflite(ctx, again); /* names may still change once */
    suite_check(settled && pith_export_tflite(settled, again, (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                pith_error_text(ctx));
    pith_model_free(settled);
    pith_model *twice = pith_import_tflite(ctx, again);
    suite_check(twice && pith_export_tflite(twice, last, (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                pith_error_text(ctx));
    pith_runner *s = pith_runner_open(ctx, last);
    pith_runner_result c = run_on(s, x);
    suite_check(!memcmp(b.values, c.values, (size_t)b.n * sizeof *b.values), "%s: twice read, other numbers",
                m->name);
    size_t n, k;
    uint8_t *p = slurp(again, &n), *q = slurp(last, &k);
    suite_check(!same_file || (n == k && !memcmp(p, q, n)), "%s: twice written, another file", m->name);
    free(p), free(q), free(x);
    pith_runner_free(own), pith_runner_free(r), pith_runner_free(s);
    pith_model_free(once), pith_model_free(twice);
}

START_TEST(floats_come_back)
{
    static const struct {
        const char *name;
        int size;
    } nets[] = { { "efnet-nano", 32 },   { "efnet-micro", 32 }, { "mobilenet-v1", 32 },
                 { "mobilenet-v2", 32 }, { "resnet8", 16 },     { "lenet", 28 } };
    for (size_t i = 0; i < PITHP_LEN(nets); i++) {
        pith_model *m = family(nets[i].name, nets[i].size);
        there_and_back(m, PITH_EXPORT_F32, 1e-5, true);
        pith_model_free(m);
    }
    pith_model *m = family("resnet8", 16);
    there_and_back(m, PITH_EXPORT_F16, 1e-2, true);
}
END_TEST

/* Ops that no family has: what the exporter writes of them comes back. */
static pith_tensor *odds(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    pith_conv2d_cfg cfg = {
        .out = 4, .kernel = 3, .groups = 2, .bias = true, .pad_mode = PITH_EXPLICIT, .pad = { 2, 0, 1, 1 }
    };
    x = pith_concat((pith_tensor *[]){ x, pith_scale(x, 0.5, 0.25) }, 2, 3);
    x = pith_reshape(x, PITH_SHAPE(0, 9, 8, 6));
    x = pith_leaky_relu(pith_nn_conv2d(m, "conv", x, cfg), 0.1);
    x = pith_maxpool(pith_hard_swish(x), (pith_pool_cfg){ .kernel = 3, .stride = 2, .pad_mode = PITH_VALID });
    x = pith_clip(pith_add(pith_tanh(x), pith_hard_sigmoid(x)), -0.5, 1.25);
    x = pith_transpose(x, (int[]){ 0, 2, 1, 3 });
    x = pith_sub(pith_exp(x), pith_sqrt(pith_abs(x)));
    x = pith_mul(x, pith_max_axes(x, 2, true));
    x = pith_pad(x, (int[]){ 0, 1, 0, 0 }, (int[]){ 0, 0, 2, 0 }, 0.75);
    x = pith_avgpool(x, (pith_pool_cfg){ .kernel = 2, .stride = 2 });
    x = pith_pow(pith_square(x), 1.5);
    return pith_softmax(pith_nn_linear(m, "head", pith_mean_axes(x, 6, false), 3));
}

START_TEST(odd_ops_come_back)
{
    pith_model *m = model_of(odds, NULL);
    stir(m);
    ck_assert_int_eq(pith_model_set_meta(m, "classes", "[\"ant\",\"bee\",\"c\"]"), PITH_OK);
    there_and_back(m, PITH_EXPORT_F32, 1e-5, false);
    ck_assert_int_eq(pith_export_tflite(m, in_dir("odd.tflite"), (pith_export_cfg){ 0 }), PITH_OK);
    pith_runner *r = pith_runner_open(ctx, in_dir("odd.tflite"));
    ck_assert_str_eq(pith_runner_class(r, 1), "bee");
    ck_assert(pith_runner_class(r, 3) == NULL && pith_runner_class(r, -1) == NULL);
    ck_assert(pith_runner_info(r).probabilities && !pith_runner_info(r).integers);
    ck_assert_str_eq(pith_model_meta(pith_runner_model(r), "classes"), "[\"ant\",\"bee\",\"c\"]");
    ck_assert_int_eq(pith_runner_export_tflite(r, in_dir("no.tflite")), PITH_EINVAL);
    expect_error(PITH_EINVAL, "no integers");
}
END_TEST

/* ---- Integers --------------------------------------------------------------------------------------------------------*/
/* Quantized with ranges out of the air. */
static pith_model *quantized(const char *name, int size)
{
    pith_model *m = family(name, size), *n = pithp_fold_model(m);
    pith_quant_cfg cfg = { 0 };
    ck_assert_int_eq(pithp_quant_cfg_check(n, &cfg), PITH_OK);
    ck_assert_int_eq(pithp_quant_insert(n, &cfg, false), PITH_OK);
    for (size_t i = 0; i < n->g->n; i++) {
        const pith_tensor *t = n->g->nodes[i];
        pith_real *scale = pithp_is_fake_quant(t) ? t->in[PITHP_FQ_SCALE]->value : NULL;
        if (scale && pithp_fq_of_activation(t) && scale[0] == 0)
            scale[0] = (pith_real)0.05;
    }
    suite_check(pithp_quant_weights(n) == PITH_OK, "%s", pith_error_text(ctx));
    return n;
}

START_TEST(integers_of_both_formats)
{
    static const char *const names[] = { "efnet-nano", "efnet-micro", "resnet8" };
    for (int i = 0; i < 3; i++) {
        pith_model *m = quantized(names[i], 32);
        const char *file = in_dir("int8.pith"), *tfl = in_dir("int8.tflite"), *back = in_dir("again.tflite");
        suite_check(pith_model_save(m, file, false) == PITH_OK &&
                        pith_export_tflite(m, tfl, (pith_export_cfg){ 0 }) == PITH_OK,
                    "%s", pith_error_text(ctx));
        pith_runner *a = pith_runner_open(ctx, file), *b = pith_runner_open(ctx, tfl);
        suite_check(a && b, "%s", pith_error_text(ctx));
        pith_real *x = pixels(pithp_count(m->input->shape));
        pith_runner_result y = run_on(a, x), z = run_on(b, x);
        suite_check(y.output_q && z.output_q && y.n == z.n && !memcmp(y.output_q, z.output_q, (size_t)y.n) &&
                        !memcmp(y.input, z.input, y.input_bytes) && y.input_bytes == 32 * 32 * 3,
                    "%s: a .tflite gives other integers than its model", names[i]);
        ck_assert_int_eq(((const int8_t *)y.input)[5], (int)lround((double)x[5] * 128));
        ck_assert(pith_runner_model(b) == NULL && pith_runner_info(b).integers &&
                  pith_runner_info(b).input_zero == 0);
        ck_assert_int_eq(pith_runner_export_tflite(b, back), PITH_OK);
        pith_runner *c = pith_runner_open(ctx, back);
        pith_runner_result w = run_on(c, x);
        ck_assert_mem_eq(w.output_q, y.output_q, (size_t)y.n);
        pith_needs total, same;
        pith_needs_plan *p = pith_needs_of_runner(b, &total), *q = pith_needs_of_model(m, &same);
        suite_check(p && q, "%s", pith_error_text(ctx));
        ck_assert(total.flash == same.flash && total.ram == same.ram && total.macs == same.macs);
        pith_need op;
        int64_t flash = 0, ram = 0;
        int n = 0;
        for (; pith_needs_op(p, n, &op); n++)
            flash += op.flash, ram = PITHP_MAX(ram, op.ram);
        ck_assert(n == total.ops && flash <= total.flash && ram <= total.ram && ram > 0 && total.macs > 0);
        ck_assert(pith_import_tflite(ctx, tfl) == NULL);
        expect_error(PITH_EINVAL, "a model of int8");
        x[3] = NAN;
        ck_assert_int_eq(pith_runner_run(a, x, &y), PITH_ENAN);
        expect_error(PITH_ENAN, "input 3 is nan");
        free(x);
        pith_needs_free(p), pith_needs_free(q);
        pith_runner_free(a), pith_runner_free(b), pith_runner_free(c);
        pith_model_free(m);
    }
}
END_TEST

START_TEST(needs_of_floats)
{
    pith_model *m = family("efnet-micro", 32), *q = quantized("efnet-micro", 32);
    pith_needs a, b;
    pith_needs_plan *p = pith_needs_of_model(m, &a), *r = pith_needs_of_model(q, &b);
    suite_check(p && r, "%s", pith_error_text(ctx));
    ck_assert(a.flash == b.flash && a.ram == b.ram && a.macs == b.macs && a.ops == b.ops);
    ck_assert(!pithp_model_quantized(m));
    pith_model *none = model_of(unknown_op, NULL);
    ck_assert(pith_needs_of_model(none, &a) == NULL);
    ck_assert_int_ne(pith_ctx_status(ctx), PITH_OK);
    pith_ctx_clear(ctx);
}
END_TEST

/* ---- Class names -----------------------------------------------------------------------------------------------------*/
START_TEST(damaged_names)
{
    pith_model *m = model_of(conv_bn, NULL);
    const char *path = in_dir("names.tflite");
    pith_model_set_meta(m, "classes", "[\"ant\",\"bee\",\"c\"]");
    ck_assert_int_eq(pith_export_tflite(m, path, (pith_export_cfg){ 0 }), PITH_OK);
    size_t n;
    uint8_t *whole = slurp(path, &n);
    static const struct {
        size_t back; /* from the end of the file */
        uint8_t bytes[4];
        const char *says;
    } faults[] = { { 12, { 0xff, 0xff }, "more than 64 files" },
                   { 6, { 0xff, 0xff, 0xff, 0x7f }, "ends too soon" },
                   { 22 + 10 + 46 - 28, { 0xff, 0xff }, "longer than the file" },
                   { 22 + 10 + 46 - 24, { 0xff, 0xff, 0xff, 0xff }, "outside the file" },
                   { 22 + 10 + 46 - 42, { 0xf0, 0xff, 0xff, 0xff }, "outside the file" } };
    for (size_t i = 0; i < PITHP_LEN(faults); i++) {
        uint8_t *p = malloc(n);
        memcpy(p, whole, n);
        for (int k = 0; k < 4 && (k < 2 || faults[i].bytes[2]); k++)
            p[n - faults[i].back + (size_t)k] = faults[i].bytes[k];
        ck_assert_int_eq(pithp_file_write(ctx, path, p, n), PITH_OK);
        ck_assert_msg(pith_runner_open(ctx, path) == NULL, "fault %zu passed", i);
        expect_error(PITH_EFORMAT, faults[i].says);
        free(p);
    }
    free(whole);
}
END_TEST

/* ---- Refusals and memory ---------------------------------------------------------------------------------------------*/
START_TEST(hostile_floats)
{
    pith_model *m = model_of(odds, NULL);
    const char *path = in_dir("f.tflite");
    static const uint32_t values[] = { 0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff };
    ck_assert_int_eq(pith_export_tflite(m, path, (pith_export_cfg){ 0 }), PITH_OK);
    size_t n;
    uint8_t *whole = slurp(path, &n), *p = malloc(n);
    pithp_rand r = pithp_rand_at(8, 0, 0, PITHP_USE_OTHER);
    int refused = 0, ran = 0;
    pith_real *x = pixels(9 * 8 * 3);
    for (int i = 0; i < 1500; i++) {
        memcpy(p, whole, n);
        for (uint64_t k = 1 + pithp_rand_below(&r, 3); k > 0; k--)
            memcpy(p + pithp_rand_below(&r, n / 4) * 4, &values[pithp_rand_below(&r, PITHP_LEN(values))],
                   (size_t)1 << pithp_rand_below(&r, 3));
        ck_assert_int_eq(pithp_file_write(ctx, path, p, n), PITH_OK);
        pith_runner *run = pith_runner_open(ctx, path);
        pith_runner_result y;
        suite_check((run == NULL) == (pith_ctx_status(ctx) != PITH_OK), "change %d", i);
        suite_check(pith_ctx_status(ctx) != PITH_EBUG, "change %d: %s", i, pith_error_text(ctx));
        if (run && pithp_count(pith_runner_info(run).input) == 9 * 8 * 3 &&
            pith_runner_info(run).macs < 1 << 22)
            ran++, pith_runner_run(run, x, &y);
        refused += run == NULL;
        pith_runner_free(run);
        pith_ctx_clear(ctx);
    }
    free(whole), free(p), free(x);
    ck_assert_msg(refused > 200 && ran > 50, "%d refused, %d ran", refused, ran);
}
END_TEST

START_TEST(no_memory)
{
    const char *files[] = { in_dir("m.tflite"), in_dir("q.tflite") };
    pith_model *m = model_of(conv_bn, NULL), *q = quantized("resnet8", 16);
    pith_model_set_meta(m, "classes", "[\"ant\",\"bee\",\"c\"]");
    ck_assert_int_eq(pith_export_tflite(m, files[0], (pith_export_cfg){ 0 }), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(q, files[1], (pith_export_cfg){ 0 }), PITH_OK);
    for (int f = 0; f < 2; f++) {
        size_t bytes = pith_ctx_memory(ctx, NULL);
        int failures = 0;
        for (bool done = false; !done; failures++) {
            hook.left = failures;
            pith_runner *r = pith_runner_open(ctx, files[f]);
            done = r != NULL;
            hook.left = -1;
            suite_check(done || pith_ctx_status(ctx) == PITH_ENOMEM, "allocation %d: %s", failures,
                        pith_error_text(ctx));
            pith_runner_free(r);
            pith_ctx_clear(ctx);
            suite_check(pith_ctx_memory(ctx, NULL) == bytes, "allocation %d leaks", failures);
        }
        ck_assert_int_gt(failures, 30);
    }
}
END_TEST

/* ---- Commands --------------------------------------------------------------------------------------------------------*/
static char said[1 << 16];

/* Runs `pith ARGS`; its status, and what it said in said[]. */
static int pith(const char *fmt, ...)
{
    char args[2048], line[8192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    const char *top = getenv("top_builddir");
    snprintf(line, sizeof line, "%s/pith %s 2>&1", top ? top : ".", args);
    FILE *f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(said, 1, sizeof said - 1, f);
    said[n] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(int status, int want, const char *words)
{
    suite_check(status == want && strstr(said, words), "status %d, \"%s\"; expected %d, \"%s\"", status, said,
                want, words);
}

/* A 24-bit BMP of side 32. */
static const char *write_picture(void)
{
    enum { SIDE = 32, BYTES = 54 + SIDE * SIDE * 3 };
    static uint8_t p[BYTES] = { 'B', 'M', BYTES & 255, BYTES >> 8, 0, 0, 0, 0,    0, 0, 54, 0, 0, 0, 40,
                                0,   0,   0,           SIDE,       0, 0, 0, SIDE, 0, 0, 0,  1, 0, 24 };
    for (int i = 54; i < BYTES; i++)
        p[i] = (uint8_t)(i * 37 ^ i >> 3);
    const char *path = in_dir("picture.bmp");
    ck_assert_int_eq(pithp_file_write(ctx, path, p, BYTES), PITH_OK);
    return path;
}

static json_t *object(void)
{
    json_t *j = json_loads(said, 0, NULL);
    ck_assert_msg(json_is_object(j), "not one JSON object: %s", said);
    return j;
}

START_TEST(command_run)
{
    const char *picture = write_picture(), *pith_file = in_dir("c.pith"), *tfl = in_dir("c.tflite"),
               *float_file = in_dir("f.tflite"), *bytes = in_dir("input.bin");
    pith_model *q = quantized("efnet-nano", 32), *m = family("resnet8", 32);
    pith_model_set_meta(q, "classes", "[\"ant\",\"bee\",\"c\"]");
    ck_assert_int_eq(pith_model_save(q, pith_file, false), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(q, tfl, (pith_export_cfg){ 0 }), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(m, float_file, (pith_export_cfg){ 0 }), PITH_OK);
    json_t *first = NULL;
    for (int i = 0; i < 2; i++) {
        expect(pith("run %s %s --json --dump-input %s", i ? tfl : pith_file, picture, bytes), 0, "output_q");
        json_t *j = object(), *p = json_object_get(j, "probabilities"), *o = json_object_get(j, "output_q");
        ck_assert(json_array_size(p) == 3 && json_array_size(o) == 3);
        const char *name = json_string_value(json_object_get(j, "class"));
        ck_assert(name && (!strcmp(name, "ant") || !strcmp(name, "bee") || !strcmp(name, "c")));
        double sum = 0;
        for (size_t k = 0; k < 3; k++)
            sum += json_real_value(json_array_get(p, k));
        ck_assert(fabs(sum - 1) < 1e-6);
        size_t n;
        int8_t *in = (int8_t *)slurp(bytes, &n);
        pith_real *x = malloc(32 * 32 * 3 * sizeof *x);
        ck_assert_int_eq(pith_data_image_load(ctx, picture, 32, x), PITH_OK);
        ck_assert_uint_eq(n, 32 * 32 * 3);
        for (size_t k = 0; k < n; k++)
            suite_check(in[k] == (int8_t)lround((double)x[k] * 128), "input byte %zu", k);
        free(in), free(x);
        if (first)
            ck_assert(json_equal(first, j));
        else
            first = json_incref(j);
        json_decref(j);
    }
    json_decref(first);
    expect(pith("run %s %s --json --dump-input %s", float_file, picture, bytes), 0, "\"probabilities\"");
    ck_assert_ptr_null(strstr(said, "output_q"));
    size_t n;
    free(slurp(bytes, &n));
    ck_assert_uint_eq(n, 32 * 32 * 3 * sizeof(float));
    expect(pith("run %s %s", tfl, picture), 0, "%");
    expect(pith("run %s %s", tfl, in_dir("none.jpg")), 1, "none.jpg");
    expect(pith("run %s %s", picture, picture), 1, "picture.bmp");
    expect(pith("run %s", tfl), 2, "usage");
    expect(pith("run %s %s --dump-input /nowhere/x", tfl, picture), 1, "/nowhere/x: cannot be written");
}
END_TEST

START_TEST(command_import)
{
    const char *tfl = in_dir("i.tflite"), *flt = in_dir("g.tflite"), *out = in_dir("out.pith"),
               *again = in_dir("out.tflite");
    pith_model *q = quantized("resnet8", 32), *m = family("resnet8", 32);
    ck_assert_int_eq(pith_export_tflite(q, tfl, (pith_export_cfg){ 0 }), PITH_OK);
    ck_assert_int_eq(pith_export_tflite(m, flt, (pith_export_cfg){ 0 }), PITH_OK);
    expect(pith("import %s", tfl), 0, "int8");
    expect(pith("import %s --json -o %s", tfl, again), 0, "\"numbers\":\"int8\"");
    json_t *j = object();
    ck_assert(json_array_size(json_object_get(j, "input")) == 4 &&
              json_integer_value(json_object_get(j, "macs")) > 0);
    json_decref(j);
    expect(pith("import %s -o %s", tfl, out), 1, "a model of int8");
    expect(pith("import %s -o %s", flt, out), 0, "float32");
    pith_model *got = pith_model_load(ctx, out);
    suite_check(got != NULL, "%s", pith_error_text(ctx));
    ck_assert_int_eq(pith_model_info(got).macs, pith_model_info(m).macs);
    expect(pith("import %s -o %s/x.txt", flt, suite_dir()), 2, "ends in none of");
    expect(pith("import %s", in_dir("none.tflite")), 1, "none.tflite");
    uint8_t junk[100] = "....TFL3";
    ck_assert_int_eq(pithp_file_write(ctx, tfl, junk, sizeof junk), PITH_OK);
    expect(pith("import %s", tfl), 1, "damaged");
    expect(pith("import"), 2, "usage");
}
END_TEST

START_TEST(command_plan)
{
    expect(pith("plan efnet-nano --flash 1M --ram 512k"), 0, "fits");
    expect(pith("plan efnet-nano --flash 128k --ram 64k"), 1, "would fit, trained anew");
    expect(pith("plan efnet-nano --flash 128k --ram 64k --json"), 1, "\"fits\":false");
    json_t *j = object(), *w = json_object_get(j, "would_fit");
    ck_assert(json_array_size(w) > 0 && json_array_size(json_object_get(j, "layers")) > 10);
    for (size_t i = 0; i < json_array_size(w); i++) { /* what is said to fit does */
        json_t *one = json_array_get(w, i);
        ck_assert_int_le(json_integer_value(json_object_get(one, "flash")), 128 * 1024);
        char width[32];
        snprintf(width, sizeof width, "%.17g", json_real_value(json_object_get(one, "width")));
        expect(pith("plan efnet-nano --flash 128k --ram 64k --width %s --image-size %lld -q", width,
                    (long long)json_integer_value(json_object_get(one, "image_size"))),
               0, "fits");
    }
    json_decref(j);
    expect(pith("plan efnet-nano --flash 1k"), 1, "no smaller efnet-nano fits");
    expect(pith("plan efnet-nano --flash much"), 2, "a size is expected");
    expect(pith("plan efnet-nano --ram -5k"), 2, "a size is expected");
    expect(pith("plan efnet-nanno"), 1, "efnet-nanno");
    pith_model *q = quantized("resnet8", 32);
    const char *tfl = in_dir("p.tflite");
    ck_assert_int_eq(pith_export_tflite(q, tfl, (pith_export_cfg){ 0 }), PITH_OK);
    expect(pith("plan %s --ram 128k", tfl), 0, "fits");
    expect(pith("plan %s --ram 1k", tfl), 1, "too much");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("runner");
    TCase *t = suite_case(s, "runner");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, floats_come_back);
    tcase_add_test(t, odd_ops_come_back);
    tcase_add_test(t, integers_of_both_formats);
    tcase_add_test(t, needs_of_floats);
    tcase_add_test(t, damaged_names);
    tcase_add_test(t, hostile_floats);
    tcase_add_test(t, no_memory);
    tcase_add_test(t, command_run);
    tcase_add_test(t, command_import);
    tcase_add_test(t, command_plan);
    return suite_run("runner", s);
}
