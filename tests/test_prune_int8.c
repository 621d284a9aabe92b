/* What is pruned stays exactly zero through folding, quantizing after and while training, improvers, and in what is exported:
   in every kind of layer, 1x1 convolutions among them. */
#include "fit_help.h"
#include "quant_help.h"
#include "compress/quant/improve.h"
#include "deploy/tflite/schema.h"
#include "flatbuffer_help.h"

#include <pith/export.h>
#include <pith/prune.h>
#include <pith/quant.h>

/* Trained, pruned to 70% (depthwise layers too) or to 2:4, and trained on. */
static fit_setup pruned(bool pattern)
{
    fit_setup s = fit_begin(2);
    const pith_fit_cfg f = { .epochs = 2, .batch = 16, .opt = { .lr = 0.02 } };
    pith_prune_cfg cfg = { .target = 0.7, .per_layer = true, .depthwise = true };
    if (pattern)
        cfg = (pith_prune_cfg){ .unit = PITH_PRUNE_NM, .skip = "stem*" };
    ck_assert_msg(pith_fit(s.m, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    ck_assert_msg(pith_prune_fit(s.m, s.d, cfg, (pith_prune_schedule){ 0 }, f) == PITH_OK, "%s",
                  pith_error_text(s.c));
    return s;
}

typedef struct {
    char name[64];
    pith_shape shape;
    uint8_t *keep;
    int64_t n, held;
} mask;

enum { MOST = 16 };

/* Of the layers' weights in the float model, to be looked for afterwards. */
static int masks_of(const pith_model *m, mask *to)
{
    int n = 0, count;
    pithp_layer *l = pithp_layers_of(m, &count);
    for (int i = 0; i < count; i++) {
        if (l[i].w->mask == NULL)
            continue;
        to[n] = (mask){ .shape = l[i].w->shape, .n = l[i].n, .held = pithp_mask_zeros(l[i].w) };
        snprintf(to[n].name, sizeof to[n].name, "%s", pith_name(l[i].t));
        to[n].keep = malloc((size_t)l[i].n);
        memcpy(to[n++].keep, l[i].w->mask, (size_t)l[i].n);
    }
    pithp_free(m->ctx, l);
    ck_assert_int_ge(n, 7);
    return n;
}

static void forget(mask *k, int n)
{
    for (int i = 0; i < n; i++)
        free(k[i].keep);
}

/* The model itself, and its integers. */
static void zeros_in_model(const pith_model *m, const mask *k, int n, const char *what)
{
    int pointwise = 0;
    for (int i = 0; i < n; i++) {
        char weight[80];
        snprintf(weight, sizeof weight, "%.63s.weight", k[i].name);
        const pith_tensor *t = pith_model_find(m, weight);
        ck_assert_msg(t != NULL && pithp_count(t->shape) == k[i].n, "%s: no '%s'", what, weight);
        const pith_real *v = t->value;
        pointwise += k[i].shape.ndim == 4 && k[i].shape.d[1] == 1 && k[i].held > 0;
        for (int64_t e = 0; e < k[i].n; e++)
            suite_check(k[i].keep[e] || v[e] == 0, "%s: %s[%lld] is %g", what, weight, (long long)e,
                        (double)v[e]);
    }
    ck_assert_int_ge(pointwise, 5);
    pithp_qgraph *g = pithp_lower_model(m);
    ck_assert_msg(g != NULL, "%s: %s", what, pith_error_text(m->ctx));
    pithp_qgraph_free(g);
}

/* The bytes of the int8 constants of an exported file, by layer. */
static void zeros_in_file(const char *path, const mask *k, int n, const char *what)
{
    size_t bytes;
    blob f = { .p = slurp(path, &bytes), .n = bytes };
    size_t model = fb_root(f), graph = fb_item(f, fb_ref(f, model, TFL_MODEL_SUBGRAPHS), 0),
           tensors = fb_ref(f, graph, TFL_SUBGRAPH_TENSORS), buffers = fb_ref(f, model, TFL_MODEL_BUFFERS);
    int found = 0;
    for (size_t i = 0; i < fb_len(f, tensors); i++) {
        size_t t = fb_item(f, tensors, i), at = fb_ref(f, t, TFL_TENSOR_NAME), v;
        const char *name = (const char *)f.p + at + 4;
        for (int j = 0; j < n; j++) {
            char weight[80];
            snprintf(weight, sizeof weight, "%.63s/weight", k[j].name);
            if (strcmp(name, weight) != 0)
                continue;
            size_t b = fb_item(f, buffers, (size_t)fb_int(f, t, TFL_TENSOR_BUFFER, 4, 0));
            v = fb_ref(f, b, TFL_BUFFER_DATA);
            ck_assert_uint_eq(fb_len(f, v), (size_t)k[j].n);
            int64_t zeros = 0;
            for (int64_t e = 0; e < k[j].n; e++) {
                suite_check(k[j].keep[e] || f.p[v + 4 + (size_t)e] == 0, "%s: %s[%lld] is %d", what, weight,
                            (long long)e, (int8_t)f.p[v + 4 + (size_t)e]);
                zeros += f.p[v + 4 + (size_t)e] == 0;
            }
            ck_assert_int_ge(zeros, k[j].held);
            found++;
        }
    }
    free((void *)(uintptr_t)f.p);
    ck_assert_int_eq(found, n);
}

static const struct {
    const char *what;
    bool pattern, qat;
    pith_quant_cfg cfg;
} ways[] = {
    { "int8", false, false, { 0 } },
    { "int8 2:4", true, false, { 0 } },
    { "one scale", false, false, { .conv_per_tensor = true, .dense_per_channel = true } },
    { "4 bits", false, false, { .bits_weights = 4 } },
    { "improved", false, false, { .improve = PITH_IMPROVE_EQUALIZE | PITH_IMPROVE_BN | PITH_IMPROVE_BIAS } },
    { "rounded",
      true,
      false,
      { .improve = PITH_IMPROVE_ADAROUND, .adaround_steps = 60, .improve_samples = 32 } },
    { "qat", false, true, { .observe_steps = 2 } },
    { "qat 2:4, 4 bits", true, true, { .bits_weights = 4, .observe_steps = 2 } },
};

START_TEST(zeros_stay)
{
    fit_setup s = pruned(ways[_i].pattern);
    mask k[MOST];
    const int n = masks_of(s.m, k);
    pith_quant_cfg cfg = ways[_i].cfg;
    cfg.samples = 64;
    if (ways[_i].qat) {
        ck_assert_msg(pith_qat(s.m, cfg) == PITH_OK, "%s", pith_error_text(s.c));
        pith_fit_cfg f = { .epochs = 2, .batch = 16, .opt = { .lr = 0.01 } };
        ck_assert_msg(pith_fit(s.m, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    } else {
        ck_assert_msg(pith_quantize(s.m, s.d, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    }
    zeros_in_model(s.m, k, n, ways[_i].what);
    const char *path = fit_path("zeros.tflite");
    ck_assert_msg(pith_export_tflite(s.m, path, (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    zeros_in_file(path, k, n, ways[_i].what);
    /* masks go on with the quantized model */
    const char *model = fit_path("zeros.pith");
    ck_assert_int_eq(pith_model_save(s.m, model, false), PITH_OK);
    pith_model *back = pith_model_load(s.c, model);
    ck_assert_msg(back != NULL, "%s", pith_error_text(s.c));
    zeros_in_model(back, k, n, "loaded");
    forget(k, n);
    pith_ctx_free(s.c);
}
END_TEST

/* Who writes to a pruned weight and exports is told. */
START_TEST(broken_masks_are_refused)
{
    fit_setup s = pruned(false);
    pith_tensor *w = pith_model_find(s.m, "b2.expand.conv.weight");
    ck_assert_msg(w != NULL && w->mask != NULL, "no such weights");
    int64_t i = 0;
    while (w->mask[i])
        i++;
    ((pith_real *)w->value)[i] = 0.5f;
    expect_in(s.c, pith_export_tflite(s.m, fit_path("no.tflite"), (pith_export_cfg){ 0 }), PITH_EINVAL,
              "'b2.expand.conv.weight' is pruned, but not zero");
    ((pith_real *)w->value)[i] = 0;
    ck_assert_int_eq(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 32 }), PITH_OK);
    w = pith_model_find(s.m, "b2.expand.conv.weight");
    for (i = 0; w->mask[i];)
        i++;
    ((pith_real *)w->value)[i] = 0.5f;
    expect_in(s.c, pith_export_tflite(s.m, fit_path("no.tflite"), (pith_export_cfg){ 0 }), PITH_EINVAL,
              "is pruned, but would be");
    pith_ctx_free(s.c);
}
END_TEST

/* A channel that is held, norm and all, has integers too. */
START_TEST(held_channels)
{
    fit_setup s = fit_begin(1);
    const pith_fit_cfg f = { .epochs = 2, .batch = 16, .opt = { .lr = 0.02 } };
    pith_prune_cfg cfg = { .target = 0.4, .unit = PITH_PRUNE_CHANNEL, .per_layer = true, .depthwise = true };
    ck_assert_msg(pith_prune_fit(s.m, s.d, cfg, (pith_prune_schedule){ 0 }, f) == PITH_OK, "%s",
                  pith_error_text(s.c));
    ck_assert_msg(pith_quantize(s.m, s.d, (pith_quant_cfg){ .samples = 32 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    pith_eval_result r;
    ck_assert_msg(pith_evaluate(s.m, s.d, PITH_VAL, 0, &r) == PITH_OK, "%s", pith_error_text(s.c));
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prune_int8");
    (void)setup, (void)teardown; /* of the reader's other users */
    tcase_add_loop_test(suite_case(s, "zeros"), zeros_stay, 0, (int)PITHP_LEN(ways));
    suite_test(s, "broken", broken_masks_are_refused);
    suite_test(s, "channels", held_channels);
    return suite_run("prune_int8", s);
}
