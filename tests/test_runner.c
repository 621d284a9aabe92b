/* Floor 7: float .tflite files read back, runners of every format, what models need. */
#include "deploy/tflite/read.h"
#include "runner_help.h"
#include <math.h>
#include <pith/pith.h>

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
/* Activations of fewer than 8 bits are bounded between layers: a format that cannot say so may not write another model. */
START_TEST(few_bits_of_activations)
{
    pith_model *q = quantized_to("efnet-nano", 32, 4);
    ck_assert_int_eq(pith_export_tflite(q, in_dir("four.tflite"), (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "fewer than 8 bits");
    ck_assert_int_eq(pith_export_onnx(q, in_dir("four.onnx"), (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "fewer than 8 bits");
    ck_assert(access(in_dir("four.tflite"), F_OK) != 0 && access(in_dir("four.onnx"), F_OK) != 0);
    suite_check(pith_export_c(q, in_dir("four.c"), (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                pith_error_text(ctx));
}
END_TEST

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

/* The plan's tensors: at each op, those that are there do not overlap, lie in the arena, and are what the op is said to need. */
START_TEST(places_in_memory)
{
    static const struct {
        const char *name;
        int size;
    } nets[] = { { "efnet-nano", 32 }, { "mobilenet-v1", 32 }, { "resnet8", 16 }, { "lenet", 28 } };
    for (size_t k = 0; k < PITHP_LEN(nets); k++) {
        pith_model *m = quantized(nets[k].name, nets[k].size);
        pith_needs total;
        pith_need op;
        pith_need_tensor t, u;
        pith_needs_plan *p = pith_needs_of_model(m, &total);
        suite_check(p != NULL, "%s", pith_error_text(ctx));
        int last = 0, in = 0;
        for (int i = 0; pith_needs_op(p, i, &op); i++) {
            int64_t sum = 0;
            for (int a = 0; pith_needs_tensor(p, a, &t); a++) {
                const bool here = t.from_op <= i && i <= t.to_op;
                sum += here ? t.bytes : 0;
                for (int b = 0; b < a && here && pith_needs_tensor(p, b, &u); b++)
                    suite_check(i < u.from_op || i > u.to_op || u.offset + u.bytes <= t.offset ||
                                    t.offset + t.bytes <= u.offset,
                                "%s: %s and %s lie in the same place at op %d", nets[k].name, t.name, u.name,
                                i);
            }
            suite_check(sum == op.ram, "%s, op %d: %lld bytes, %lld expected", nets[k].name, i,
                        (long long)sum, (long long)op.ram);
        }
        for (int a = 0; pith_needs_tensor(p, a, &t); a++) {
            in += t.from_op == -1;
            last = PITHP_MAX(last, t.to_op);
            suite_check(t.name && t.bytes == pithp_count(t.shape) && t.offset >= 0 && t.to_op >= t.from_op &&
                            t.offset + t.bytes <= total.ram,
                        "%s: %s at %lld", nets[k].name, t.name, (long long)t.offset);
        }
        ck_assert(in == 1 && last == total.ops); /* one input; the output stays */
        ck_assert(!pith_needs_tensor(p, -1, &t) && !pith_needs_tensor(p, 1000000, &t));
        pith_needs_free(p);
        pith_model_free(m);
    }
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

int main(void)
{
    Suite *s = suite_create("runner");
    TCase *t = suite_case(s, "runner");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, floats_come_back);
    tcase_add_test(t, odd_ops_come_back);
    tcase_add_test(t, few_bits_of_activations);
    tcase_add_test(t, integers_of_both_formats);
    tcase_add_test(t, needs_of_floats);
    tcase_add_test(t, places_in_memory);
    tcase_add_test(t, damaged_names);
    tcase_add_test(t, hostile_floats);
    tcase_add_test(t, no_memory);
    return suite_run("runner", s);
}
