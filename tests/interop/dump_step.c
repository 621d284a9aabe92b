/* dump_step: one training step of a network by name, written out for another engine to repeat.
   usage: dump_step NAME IMAGE-SIZE BATCH DIR [TIMM-FILE tf|torch CLASSES]. DIR gets model.pith, x.f32 [N,S,S,3], labels.i32
   [N], logits.f32 [N,K] (batch statistics), loss.f32 [1], eval.f32 [N,K] (running statistics of before the step), and for
   each parameter its values, NAME.w.f32, and gradients, NAME.grad.f32; no dropout. With TIMM-FILE the weights are read from it, and DIR also
   gets weights.safetensors and grads.safetensors, with timm's names. Public headers only. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put(const char *dir, const char *name, const void *p, size_t bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return 1;
    int bad = fwrite(p, 1, bytes, f) != bytes;
    return fclose(f) != 0 || bad;
}

/* Noise of all magnitudes an image has, from a generator that any language repeats; not needed there: the file is read. */
static void fill(pith_real *x, int64_t count, int32_t *labels, int n)
{
    uint32_t s = 12345;
    for (int64_t i = 0; i < count; i++)
        x[i] = (pith_real)((int)((s = s * 1664525u + 1013904223u) >> 24) - 128) / 128;
    for (int i = 0; i < n; i++)
        labels[i] = (int32_t)((s = s * 1664525u + 1013904223u) >> 31);
}

/* The gradients in the place of the weights, as a file with timm's names. */
static pith_status save_grads(pith_model *m, const char *path)
{
    for (int i = 0; pith_model_param(m, i) != NULL; i++) {
        pith_tensor *p = pith_model_param(m, i);
        memcpy(pith_values(p), pith_grad(p), (size_t)pith_size(p) * sizeof(pith_real));
    }
    return pith_model_export_safetensors(m, path);
}

static int dump(pith_model *m, int n, const char *dir, bool timm)
{
    char path[1024];
    int bad = 0;
    snprintf(path, sizeof path, "%s/weights.safetensors", dir);
    if (timm && pith_model_export_safetensors(m, path) != PITH_OK)
        return 1;
    pith_tensor *logits = pith_keep(pith_model_output(m));
    pith_tensor *label = pith_model_add_input(m, "label", PITH_I32, PITH_SCALAR);
    pith_tensor *loss = pith_cross_entropy(logits, label, (pith_cross_entropy_cfg){ .smoothing = 0.1 });
    pith_plan *train = pith_plan_new(&loss, 1, (pith_plan_cfg){ .batch = n, .train = true });
    pith_plan *infer = pith_plan_new(&logits, 1, (pith_plan_cfg){ .batch = n });
    if (train == NULL || infer == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/model.pith", dir);
    if (pith_model_save(m, path, false) != PITH_OK)
        return 1;

    int64_t count = pith_size(pith_model_input(m)) * n, out = pith_size(logits) * n;
    pith_real *x = pith_plan_input(train, pith_model_input(m)),
              *x2 = pith_plan_input(infer, pith_model_input(m));
    int32_t *labels = pith_plan_input(train, label);
    fill(x, count, labels, n);
    for (int64_t i = 0; i < count; i++)
        x2[i] = x[i];
    bad |= put(dir, "x.f32", x, (size_t)count * sizeof *x) |
           put(dir, "labels.i32", labels, (size_t)n * sizeof *labels);
    if (pith_plan_forward(infer, n, 0) != PITH_OK || pith_plan_forward(train, n, 0) != PITH_OK)
        return 1;
    bad |= put(dir, "eval.f32", pith_plan_value(infer, logits), (size_t)out * sizeof *x);
    bad |= put(dir, "logits.f32", pith_plan_value(train, logits), (size_t)out * sizeof *x);
    bad |= put(dir, "loss.f32", pith_plan_value(train, loss), sizeof *x);
    if (pith_plan_backward(train) != PITH_OK)
        return 1;
    for (int i = 0; pith_model_param(m, i) != NULL; i++) {
        const pith_tensor *p = pith_model_param(m, i);
        snprintf(path, sizeof path, "%s.grad.f32", pith_name(p));
        bad |= put(dir, path, pith_grad(p), (size_t)pith_size(p) * sizeof *x);
        snprintf(path, sizeof path, "%s.w.f32", pith_name(p));
        bad |= put(dir, path, pith_values(pith_model_param(m, i)), (size_t)pith_size(p) * sizeof *x);
    }
    snprintf(path, sizeof path, "%s/grads.safetensors", dir);
    return bad || (timm && save_grads(m, path) != PITH_OK);
}

int main(int argc, char **argv)
{
    bool timm = argc == 8;
    if (argc != 5 && !timm) {
        fprintf(stderr, "usage: %s NAME IMAGE-SIZE BATCH DIR [TIMM-FILE tf|torch CLASSES]\n", argv[0]);
        return 2;
    }
    pith_family_cfg cfg = { .image_size = atoi(argv[2]), .channels = 3, .dropout = PITH_ZERO };
    if (timm) {
        cfg.style = strcmp(argv[6], "torch") == 0 ? PITH_STYLE_TORCH : PITH_STYLE_TF;
        cfg.classes = atoi(argv[7]);
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 7 });
    pith_model *m = c ? pith_model_family(c, argv[1], cfg) : NULL;
    int bad = m == NULL;
    if (!bad && timm)
        bad = pith_model_import_safetensors(m, argv[5], (pith_import_cfg){ 0 }) != PITH_OK;
    bad = bad || dump(m, atoi(argv[3]), argv[4], timm);
    if (bad)
        fprintf(stderr, "%s: %s\n", argv[4],
                c && pith_ctx_status(c) ? pith_error_text(c) : "cannot be written");
    pith_ctx_free(c);
    return bad;
}
