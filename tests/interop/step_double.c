/* step_double: the training step that dump_step wrote, repeated by the engine in double precision.
   usage: step_double NAME IMAGE-SIZE BATCH DIR [tf|torch CLASSES]. Reads DIR's x.f32, labels.i32 and NAME.w.f32 of every parameter;
   DIR gets loss.f64 and NAME.grad.f64. In single precision an activation within rounding of a kink (ReLU6 has two) may fall on
   the other side, and a deep network's gradients move by 1e-2 then, in every engine; in double they may not. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_in(const char *dir, const char *name, const char *end, const char *mode)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, end);
    FILE *f = fopen(path, mode);
    if (f == NULL)
        fprintf(stderr, "step_double: %s cannot be opened\n", path);
    return f;
}

/* n numbers of single precision. */
static int get(const char *dir, const char *name, const char *end, pith_real *to, int64_t n)
{
    FILE *f = open_in(dir, name, end, "rb");
    float v = 0;
    int64_t i = 0;
    while (f != NULL && i < n && fread(&v, sizeof v, 1, f) == 1)
        to[i++] = (pith_real)v;
    int left = f != NULL && fgetc(f) != EOF;
    if (f != NULL)
        fclose(f);
    return i != n || left;
}

static int put(const char *dir, const char *name, const char *end, const pith_real *v, int64_t n)
{
    FILE *f = open_in(dir, name, end, "wb");
    if (f == NULL)
        return 1;
    int bad = fwrite(v, sizeof *v, (size_t)n, f) != (size_t)n;
    return fclose(f) != 0 || bad;
}

static int step(pith_model *m, int n, const char *dir)
{
    pith_tensor *label = pith_model_add_input(m, "label", PITH_I32, PITH_SCALAR);
    pith_tensor *loss =
        pith_cross_entropy(pith_model_output(m), label, (pith_cross_entropy_cfg){ .smoothing = 0.1 });
    pith_plan *p = pith_plan_new(&loss, 1, (pith_plan_cfg){ .batch = n, .train = true });
    if (p == NULL)
        return 1;
    pith_tensor *t;
    for (int i = 0; (t = pith_model_param(m, i)) != NULL; i++)
        if (get(dir, pith_name(t), ".w.f32", pith_values(t), pith_size(t)))
            return 1;
    if (get(dir, "x", ".f32", pith_plan_input(p, pith_model_input(m)), pith_size(pith_model_input(m)) * n))
        return 1;
    FILE *f = open_in(dir, "labels", ".i32", "rb");
    size_t got = f ? fread(pith_plan_input(p, label), sizeof(int32_t), (size_t)n, f) : 0;
    if (f != NULL)
        fclose(f);
    if (got != (size_t)n || pith_plan_forward(p, n, 0) != PITH_OK || pith_plan_backward(p) != PITH_OK)
        return 1;
    int bad = put(dir, "loss", ".f64", pith_plan_value(p, loss), 1);
    for (int i = 0; (t = pith_model_param(m, i)) != NULL; i++)
        bad |= put(dir, pith_name(t), ".grad.f64", pith_grad(t), pith_size(t));
    return bad;
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 7) {
        fprintf(stderr, "usage: %s NAME IMAGE-SIZE BATCH DIR [tf|torch CLASSES]\n", argv[0]);
        return 2;
    }
    pith_family_cfg cfg = { .image_size = atoi(argv[2]), .channels = 3, .dropout = PITH_ZERO };
    if (argc == 7) {
        cfg.style = strcmp(argv[5], "torch") == 0 ? PITH_STYLE_TORCH : PITH_STYLE_TF;
        cfg.classes = atoi(argv[6]);
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 7 });
    pith_model *m = c ? pith_model_family(c, argv[1], cfg) : NULL;
    int bad = m == NULL || step(m, atoi(argv[3]), argv[4]);
    if (bad)
        fprintf(stderr, "%s: %s\n", argv[4],
                c && pith_ctx_status(c) ? pith_error_text(c) : "cannot be read or written");
    pith_ctx_free(c);
    return bad;
}
