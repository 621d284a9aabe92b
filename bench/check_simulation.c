/* bench/check_simulation.c: the plan of a quantized model's graph against its integers on photographs, logit for logit.

       check_simulation MODEL DATA [IMAGES]

   Prints how many logits differ (0 is expected) and exits with 1 if any does; with 77 (skipped) where DATA is not there. */
#include "graph/model.h"
#include "train/train.h"

#include <pith/file.h>
#include <pith/quant.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 32 };

typedef struct {
    int64_t images, logits, differ;
    double most;
} tally;

static void compare(tally *t, const pith_real *a, const pith_real *b, int64_t n, int64_t classes)
{
    t->images += n;
    for (int64_t i = 0; i < n * classes; i++) {
        double d = (double)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
        t->logits++;
        t->differ += d != 0;
        t->most = d > t->most ? d : t->most;
    }
}

static bool run(pith_model *m, pith_loader *l, int64_t most, tally *t)
{
    pithp_integers ints = { 0 };
    pith_plan *p = pith_plan_new(&m->output, 1, (pith_plan_cfg){ .batch = BATCH });
    int64_t per = pithp_count(m->input->shape), classes = pithp_count(m->output->shape);
    pith_real *y = malloc((size_t)(BATCH * classes) * sizeof *y);
    bool ok = p != NULL && y != NULL && pithp_integers_make(&ints, m, BATCH) == PITH_OK;
    pith_batch b;
    while (ok && t->images < most && pith_loader_next(l, &b)) {
        memcpy(pith_plan_input(p, m->input), b.x, (size_t)(b.n * per) * sizeof *b.x);
        ok = pith_plan_forward(p, b.n, 0) == PITH_OK && pithp_integers_run(&ints, b.x, b.n, y) == PITH_OK;
        if (ok)
            compare(t, pith_plan_value(p, m->output), y, b.n, classes);
    }
    pithp_integers_free(m->ctx, &ints);
    free(y);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: check_simulation MODEL DATA [IMAGES]\n");
        return 2;
    }
    if (access(argv[2], R_OK) != 0) {
        fprintf(stderr, "skipped: there is no %s\n", argv[2]);
        return 77;
    }
    tally t = { 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_model *m = pith_model_load(c, argv[1]);
    int size = m == NULL ? 0 : (int)pith_shape_of(pith_model_input(m)).d[1];
    pith_data *d = m == NULL ? NULL : pith_data_images(c, argv[2], (pith_images_cfg){ .size = size });
    pith_loader *l =
        d == NULL ? NULL : pith_loader_new(d, (pith_loader_cfg){ .split = PITH_VAL, .batch = BATCH });
    bool ok = l != NULL && run(m, l, argc > 3 ? atoll(argv[3]) : 1000, &t);
    if (!ok)
        fprintf(stderr, "%s\n", pith_error_text(c));
    else
        printf("%lld images, %lld logits, %lld differ, by %g at most\n", (long long)t.images,
               (long long)t.logits, (long long)t.differ, t.most);
    pith_loader_free(l);
    pith_ctx_free(c);
    return !ok || t.differ > 0;
}
