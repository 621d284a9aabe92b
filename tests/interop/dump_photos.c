/* dump_photos DIR MODEL LIST: what the model file makes of the photographs whose paths stand in LIST, one a line, for foreign
   runtimes to repeat (check_photos.py). DIR gets x.f32 [n,H,W,C], the images as the model sees them; y, its outputs, float32
   or, of an integer model, int8; of such a model x.i8, the integers that it is given, and y.single, its outputs with one
   rounding; and facts.txt: n, H, W, C, outputs of
   one, f32 or i8, and the output's scale and zero point. */
#include "deploy/numbers.h"
#include "graph/qplan.h"
#include "ops/integer.h"
#include <math.h>
#include <pith/pith.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *dir;
    pith_model *m;
    pith_shape shape; /* of an image */
    int64_t n;
    size_t in, out; /* elements of one */
    pith_real *x;
} photos;

static int put(const photos *f, const char *name, const void *p, size_t bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    FILE *to = fopen(path, "wb");
    int bad = to == NULL || fwrite(p, 1, bytes, to) != bytes;
    return (to != NULL && fclose(to) != 0) || bad;
}

static int facts(const photos *f, const char *type, float scale, int zero)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%lld %lld %lld %lld %zu %s %.9g %d\n", (long long)f->n,
                     (long long)f->shape.d[1], (long long)f->shape.d[2], (long long)f->shape.d[3], f->out,
                     type, (double)scale, zero);
    return put(f, "facts.txt", text, (size_t)n);
}

static int read_photos(photos *f, FILE *list)
{
    char path[4096];
    size_t cap = 0;
    while (fgets(path, sizeof path, list) != NULL) {
        path[strcspn(path, "\n")] = 0;
        if ((size_t)f->n == cap) {
            cap = cap ? 2 * cap : 64;
            f->x = realloc(f->x, cap * f->in * sizeof *f->x);
            if (f->x == NULL)
                return 1;
        }
        if (pith_data_image_load(pith_model_ctx(f->m), path, (int)f->shape.d[1],
                                 f->x + (size_t)f->n * f->in) != PITH_OK)
            return 1;
        f->n++;
    }
    return f->n == 0;
}

static int in_floats(photos *f)
{
    enum { BATCH = 32 };
    pith_tensor *y = pith_model_output(f->m);
    pith_plan *p = pith_plan_new(&y, 1, (pith_plan_cfg){ .batch = BATCH });
    f->out = (size_t)pith_size(y);
    pith_real *all = p == NULL ? NULL : malloc((size_t)f->n * f->out * sizeof *all);
    int bad = all == NULL;
    for (int64_t i = 0; i < f->n && !bad; i += BATCH) {
        int64_t n = PITHP_MIN(BATCH, f->n - i);
        memcpy(pith_plan_input(p, pith_model_input(f->m)), f->x + (size_t)i * f->in,
               (size_t)n * f->in * sizeof *f->x);
        bad = pith_plan_forward(p, (int)n, 0) != PITH_OK;
        if (!bad)
            memcpy(all + (size_t)i * f->out, pith_plan_value(p, y), (size_t)n * f->out * sizeof *all);
    }
    bad = bad || put(f, "y", all, (size_t)f->n * f->out * sizeof *all) || facts(f, "f32", 1, 0);
    free(all);
    return bad;
}

/* The outputs of n images into `out`. single: rescaled with one rounding, as LiteRT's default kernels and ONNX Runtime do. */
static int run_integers(const photos *f, pithp_qgraph *g, bool single, const int8_t *in, int8_t *out)
{
    pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = 1, .single = single });
    int bad = p == NULL;
    for (int64_t i = 0; i < f->n && !bad; i++)
        bad = pithp_qplan_run(p, 1, (const void *[]){ in + (size_t)i * f->in },
                              (void *[]){ out + (size_t)i * f->out }) != PITH_OK;
    pithp_qplan_free(p);
    return bad || put(f, single ? "y.single" : "y", out, (size_t)f->n * f->out);
}

static int in_integers(photos *f)
{
    pithp_qgraph *g = pithp_export_integers(f->m);
    if (g == NULL)
        return 1;
    const pithp_qtensor *x = pithp_q_tensor(g, g->inputs[0]), *y = pithp_q_tensor(g, g->outputs[0]);
    f->out = (size_t)pithp_count(y->shape);
    size_t count = (size_t)f->n * f->in;
    int8_t *in = malloc(count), *out = malloc((size_t)f->n * f->out);
    int bad = in == NULL || out == NULL;
    for (size_t i = 0; i < count && !bad; i++) {
        long v = lroundf((float)f->x[i] / x->scale[0]) + x->zero;
        in[i] = (int8_t)PITHP_MIN(PITHP_MAX(v, -128), 127);
    }
    bad = bad || put(f, "x.i8", in, count) || run_integers(f, g, false, in, out) ||
          run_integers(f, g, true, in, out) || facts(f, "i8", y->scale[0], y->zero);
    free(in);
    free(out);
    return bad;
}

int main(int argc, char **argv)
{
    FILE *list = argc == 4 ? fopen(argv[3], "r") : NULL;
    pith_ctx *c = list == NULL ? NULL : pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    photos f = { .dir = argc > 1 ? argv[1] : "", .m = c == NULL ? NULL : pith_model_load(c, argv[2]) };
    int bad = f.m == NULL;
    if (!bad) {
        f.shape = pith_shape_of(pith_model_input(f.m));
        f.in = (size_t)pith_size(pith_model_input(f.m));
        bool integers = pithp_export_numbers(f.m, (pith_export_cfg){ 0 }) == PITH_EXPORT_INT8;
        bad = read_photos(&f, list) || put(&f, "x.f32", f.x, (size_t)f.n * f.in * sizeof *f.x) ||
              (integers ? in_integers(&f) : in_floats(&f));
    }
    if (bad)
        fprintf(stderr, "dump_photos: %s\n",
                c != NULL && pith_ctx_status(c) ? pith_error_text(c) : "usage: dump_photos DIR MODEL LIST");
    free(f.x);
    if (list != NULL)
        fclose(list);
    pith_ctx_free(c);
    return bad;
}
