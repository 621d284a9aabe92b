/* dump_nets: networks that between them use every op the exporters know, written in every format, with inputs and our own
   outputs, for foreign runtimes to repeat. usage: dump_nets DIR [MODEL INPUTS.f32]. DIR gets for each network NAME.tflite,
   NAME.f16.tflite, NAME.onnx, NAME.x.f32 [N,...], NAME.y.f32 [N,...], NAME.dynamic.tflite
   and NAME.dynamic.y.f32, and a line in nets.txt: name, N, sizes of one sample. With a
   model file and samples of one's own, these are done instead. Public headers only. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 12345;

static double uniform(void) /* -1 .. 1 */
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 23) - 1;
}

/* ---- Networks ---- */
static pith_tensor *conv(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg)
{
    return pith_relu(pith_nn_conv2d(m, name, x, cfg));
}

/* Every kind of padding, stride, dilation and group; sizes that SAME pads unevenly. */
static pith_tensor *windows(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = conv(m, "even", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3, .stride = 2, .bias = true });
    x = conv(m, "torch", x,
             (pith_conv2d_cfg){
                 .out = 8, .kernel = 3, .stride = 2, .pad_mode = PITH_EXPLICIT, .pad = { 1, 1, 1, 1 } });
    x = conv(m, "lopsided", x,
             (pith_conv2d_cfg){ .out = 8,
                                .kernel = 5,
                                .kernel_w = 2,
                                .pad_mode = PITH_EXPLICIT,
                                .pad = { 0, 3, 2, 1 },
                                .bias = true });
    x = conv(m, "same_by_hand", x,
             (pith_conv2d_cfg){ .out = 8, .kernel = 3, .pad_mode = PITH_EXPLICIT, .pad = { 1, 1, 1, 1 } });
    x = conv(m, "dilated", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3, .dilation = 2 });
    x = conv(m, "grouped", x, (pith_conv2d_cfg){ .out = 16, .kernel = 3, .groups = 2, .bias = true });
    x = pith_relu6(
        pith_nn_depthwise_conv2d(m, "dw", x, (pith_conv2d_cfg){ .kernel = 3, .stride_w = 1, .stride = 2 }));
    x = pith_nn_depthwise_conv2d(m, "dw_dilated", x,
                                 (pith_conv2d_cfg){ .kernel = 3, .dilation = 2, .bias = true });
    x = pith_nn_depthwise_bn_act(
        m, "dw_torch", x,
        (pith_conv2d_cfg){ .kernel = 5, .pad_mode = PITH_EXPLICIT, .pad = { 2, 2, 2, 2 }, .stride = 2 },
        PITH_SILU);
    return conv(m, "valid", x, (pith_conv2d_cfg){ .out = 4, .kernel = 2, .pad_mode = PITH_VALID });
}

static pith_tensor *pools(pith_model *m, pith_tensor *x, void *user)
{
    (void)m, (void)user;
    x = pith_maxpool(x, (pith_pool_cfg){ .kernel = 3, .stride = 2, .pad_mode = PITH_SAME });
    x = pith_maxpool(
        x, (pith_pool_cfg){ .kernel = 3, .stride = 2, .pad_mode = PITH_EXPLICIT, .pad = { 1, 1, 1, 1 } });
    pith_tensor *a = pith_avgpool(x, (pith_pool_cfg){ .kernel = 3, .stride = 2, .pad_mode = PITH_SAME });
    pith_tensor *b =
        pith_avgpool(x, (pith_pool_cfg){ .kernel = 2, .kernel_w = 3, .stride = 1, .pad_mode = PITH_VALID });
    pith_tensor *both[2] = { pith_global_avgpool(a), pith_global_avgpool(b) };
    return pith_concat(both, 2, -1);
}

static pith_tensor *elementwise(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    pith_tensor *w = pith_nn_param(m, "w", PITH_SHAPE(3), 1, false);
    pith_tensor *positive = pith_add(pith_square(x), pith_sigmoid(x));
    pith_tensor *parts[] = { pith_sqrt(positive),
                             pith_log(positive),
                             pith_exp(pith_scale(x, 0.5, -0.25)),
                             pith_abs(pith_sub(x, w)),
                             pith_clip(x, -0.3, 0.4),
                             pith_div(x, positive),
                             pith_relu(pith_mul(pith_silu(x), w)),
                             pith_relu6(pith_scale(x, 10, 0)) };
    return pith_concat(parts, 8, 3);
}

static pith_tensor *curves(pith_model *m, pith_tensor *x, void *user)
{
    (void)m, (void)user;
    x = pith_scale(x, 4, 0);
    pith_tensor *parts[] = { pith_tanh(x), pith_hard_swish(x), pith_hard_sigmoid(x), pith_leaky_relu(x, 0.2),
                             pith_pow(pith_abs(x), 1.5) };
    return pith_concat(parts, 5, 3);
}

static pith_tensor *shapes(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    const int before[4] = { 0, 1, 0, 2 }, after[4] = { 0, 0, 3, 1 }, perm[4] = { 0, 3, 1, 2 };
    x = pith_pad(x, before, after, 0);
    x = pith_pad(x, after, before, -0.5);
    x = pith_transpose(x, perm);
    pith_tensor *a = pith_mean_axes(x, 1u << 2, true), *b = pith_sum_axes(x, 1u << 1 | 1u << 3, false),
                *d = pith_max_axes(x, 1u << 3, true);
    pith_tensor *parts[] = { pith_flatten(a), b, pith_flatten(d) };
    x = pith_concat(parts, 3, 1);
    x = pith_matmul(x, pith_nn_param(m, "b", PITH_SHAPE(pith_shape_of(x).d[1], 12), 0.1, false));
    pith_tensor *ends[] = { pith_softmax(x), pith_log_softmax(x), pith_scale(x, 1, 0) };
    return pith_reshape(pith_concat(ends, 3, 1), PITH_SHAPE(0, 6, -1));
}

/* Squeeze-and-excitation as MobileNetV3 and EfficientNet have it, in a block that skips. */
static pith_tensor *excite(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 16, .kernel = 3, .stride = 2 },
                            PITH_SILU);
    pith_tensor *y = pith_nn_depthwise_bn_act(m, "dw", x, (pith_conv2d_cfg){ .kernel = 3 }, PITH_SILU);
    pith_tensor *s = pith_mean_axes(y, 1u << 1 | 1u << 2, true);
    s = pith_silu(pith_nn_conv2d(m, "reduce", s, (pith_conv2d_cfg){ .out = 4, .bias = true }));
    s = pith_sigmoid(pith_nn_conv2d(m, "expand", s, (pith_conv2d_cfg){ .out = 16, .bias = true }));
    y = pith_mul(y, s);
    y = pith_nn_conv_bn_act(m, "project", y, (pith_conv2d_cfg){ .out = 16 }, PITH_LINEAR);
    x = pith_dropout(pith_relu(pith_add(y, x)), 0.2);
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 5);
}

/* Batch norms where nothing takes them up; weights that a constant mask multiplies; a batch norm after a dense layer. */
static pith_tensor *norms(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_nn_batch_norm(m, "first", x, (pith_batch_norm_cfg){ 0 });
    pith_tensor *w = pith_nn_param(m, "w", PITH_SHAPE(6, 3, 3, 3), 0.3, true);
    pith_tensor *mask = pith_clip(pith_nn_param(m, "mask", PITH_SHAPE(6, 1, 1, 1), 1, false), 0, 1);
    pith_tensor *y = pith_conv2d(x, pith_mul(w, mask), NULL, (pith_conv2d_cfg){ 0 });
    y = pith_nn_batch_norm(m, "masked", y, (pith_batch_norm_cfg){ .eps = 1e-5 });
    pith_tensor *z = pith_nn_batch_norm(m, "twice", y, (pith_batch_norm_cfg){ 0 });
    y = pith_add(pith_relu(z), y); /* y is seen twice: "twice" stays */
    y = pith_nn_linear(m, "fc", pith_flatten(y), 7);
    return pith_relu(pith_nn_batch_norm(m, "last", pith_stop_gradient(y), (pith_batch_norm_cfg){ 0 }));
}

/* One layer each: of the hybrid kernels nothing but the formula is seen. */
static pith_tensor *one_conv(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return conv(m, "conv", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3, .stride = 2, .bias = true });
}

static pith_tensor *one_group(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return conv(m, "conv", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3, .groups = 4 });
}

static pith_tensor *one_depthwise(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_relu6(pith_nn_depthwise_conv2d(
        m, "dw", x,
        (pith_conv2d_cfg){ .kernel = 5, .pad_mode = PITH_EXPLICIT, .pad = { 2, 2, 2, 2 }, .stride = 2 }));
}

static pith_tensor *one_dense(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_nn_linear(m, "fc", pith_flatten(x), 7);
}

static const struct {
    const char *name;
    pith_net_fn net;
    int rows, columns, channels;
} nets[] = { { "windows", windows, 37, 30, 3 },
             { "pools", pools, 23, 18, 3 },
             { "elementwise", elementwise, 5, 4, 3 },
             { "curves", curves, 5, 4, 3 },
             { "shapes", shapes, 4, 5, 3 },
             { "excite", excite, 24, 24, 3 },
             { "norms", norms, 6, 5, 3 },
             { "one_conv", one_conv, 11, 9, 4 },
             { "one_group", one_group, 11, 9, 4 },
             { "one_depthwise", one_depthwise, 11, 9, 4 },
             { "one_dense", one_dense, 3, 4, 5 } };

/* ---- Writing ---- */
static int put(const char *dir, const char *name, const char *end, const void *p, size_t bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, end);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return 1;
    int bad = fwrite(p, 1, bytes, f) != bytes;
    return fclose(f) != 0 || bad;
}

/* Statistics and factors of batch norms as a trained network might have them; they begin as ones and zeroes. */
static void stir(pith_model *m)
{
    static const char *const ends[] = { ".running_mean", ".running_var", ".weight", ".bias" };
    char name[256], base[256];
    for (int i = 0; pith_model_param(m, i) != NULL; i++) {
        snprintf(base, sizeof base, "%s", pith_name(pith_model_param(m, i)));
        char *dot = strrchr(base, '.');
        if (dot == NULL)
            continue;
        *dot = 0;
        for (int k = 0; k < 4; k++) {
            snprintf(name, sizeof name, "%.240s%s", base, ends[k]);
            pith_tensor *t = pith_model_find(m, name);
            bool vector = t != NULL && pith_shape_of(t).ndim == 1;
            for (int64_t j = 0; vector && j < pith_size(t); j++)
                ((pith_real *)pith_values(t))[j] =
                    (pith_real)(k == 1 || k == 2 ? 1 + 0.4 * uniform() : 0.3 * uniform());
        }
    }
}

/* The same with int8 weights and inputs quantized as they come; m stays so. */
static int dump_dynamic(pith_model *m, const char *name, const char *dir, const pith_real *x, int n)
{
    char path[1024];
    if (!strcmp(name, "norms"))
        return 0; /* its weights are computed, so its batch norms cannot be folded */
    if (pith_quantize(m, NULL, (pith_quant_cfg){ .scheme = PITH_SCHEME_DYNAMIC }) != PITH_OK)
        return 1;
    pith_tensor *out = pith_model_output(m), *in = pith_model_input(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = n });
    if (p == NULL)
        return 1;
    memcpy(pith_plan_input(p, in), x, (size_t)pith_size(in) * (size_t)n * sizeof *x);
    snprintf(path, sizeof path, "%s/%s.dynamic.tflite", dir, name);
    int bad = pith_plan_forward(p, n, 0) != PITH_OK ||
              put(dir, name, ".dynamic.y.f32", pith_plan_value(p, out),
                  (size_t)pith_size(out) * (size_t)n * sizeof *x) ||
              pith_export_tflite(m, path, (pith_export_cfg){ 0 }) != PITH_OK;
    pith_plan_free(p);
    return bad;
}

static int dump(pith_model *m, const char *name, const char *dir, const pith_real *samples, int n, FILE *list)
{
    char path[1024];
    pith_tensor *out = pith_model_output(m), *in = pith_model_input(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = n });
    if (p == NULL)
        return 1;
    size_t count = (size_t)pith_size(in) * (size_t)n, results = (size_t)pith_size(out) * (size_t)n;
    pith_real *x = pith_plan_input(p, in);
    for (size_t i = 0; i < count; i++)
        x[i] = samples ? samples[i] : (pith_real)uniform();
    snprintf(path, sizeof path, "%s/%s.tflite", dir, name);
    int bad = put(dir, name, ".x.f32", x, count * sizeof *x) || pith_plan_forward(p, n, 0) != PITH_OK ||
              put(dir, name, ".y.f32", pith_plan_value(p, out), results * sizeof *x) ||
              pith_export_tflite(m, path, (pith_export_cfg){ 0 }) != PITH_OK;
    snprintf(path, sizeof path, "%s/%s.f16.tflite", dir, name);
    bad |= pith_export_tflite(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_F16 }) != PITH_OK;
    snprintf(path, sizeof path, "%s/%s.onnx", dir, name);
    bad |= pith_export_onnx(m, path, (pith_export_cfg){ 0 }) != PITH_OK;
    fprintf(list, "%s %d", name, n);
    for (int i = 1; i < pith_shape_of(in).ndim; i++)
        fprintf(list, " %lld", (long long)pith_shape_of(in).d[i]);
    fputc('\n', list);
    bad = bad || dump_dynamic(m, name, dir, x, n);
    return bad;
}

static int dump_all(pith_ctx *c, const char *dir, FILE *list)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof nets / sizeof *nets && !bad; i++) {
        pith_model *m =
            pith_model_new(c, nets[i].net, NULL, PITH_SHAPE(nets[i].rows, nets[i].columns, nets[i].channels));
        if (m != NULL)
            stir(m);
        bad = m == NULL || dump(m, nets[i].name, dir, NULL, 20, list);
    }
    for (int i = 0; pith_family_list(i) != NULL && !bad; i++) {
        pith_model *m = pith_model_family(c, pith_family_list(i)->name, (pith_family_cfg){ .classes = 3 });
        if (m != NULL) {
            stir(m);
            pith_model_set_meta(m, "classes", "[\"cat\",\"dog\",\"neither \\u00e9\"]");
        }
        bad = m == NULL || dump(m, pith_family_list(i)->name, dir, NULL, 3, list);
        pith_model_free(m);
    }
    return bad;
}

/* A model file and samples of one's own. */
static int dump_given(pith_ctx *c, const char *dir, const char *model, const char *samples, FILE *list)
{
    pith_model *m = pith_model_load(c, model);
    FILE *f = m != NULL ? fopen(samples, "rb") : NULL;
    if (f == NULL)
        return 1;
    size_t one = (size_t)pith_size(pith_model_input(m)), cap = one * 4096, n;
    pith_real *x = malloc(cap * sizeof *x);
    n = x != NULL ? fread(x, sizeof *x, cap, f) / one : 0;
    fclose(f);
    int bad = n == 0 || dump(m, "given", dir, x, (int)n, list);
    free(x);
    return bad;
}

int main(int argc, char **argv)
{
    char path[1024];
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: %s DIR [MODEL INPUTS.f32]\n", argv[0]);
        return 2;
    }
    snprintf(path, sizeof path, "%s/nets.txt", argv[1]);
    FILE *list = fopen(path, "w");
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 7 });
    int bad = c == NULL || list == NULL ||
              (argc == 2 ? dump_all(c, argv[1], list) : dump_given(c, argv[1], argv[2], argv[3], list));
    if (bad)
        fprintf(stderr, "%s: %s\n", argv[1],
                c && pith_ctx_status(c) ? pith_error_text(c) : "cannot be written");
    if (list != NULL)
        bad |= fclose(list) != 0;
    pith_ctx_free(c);
    return bad;
}
