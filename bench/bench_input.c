/* bench_input: what delivering augmented images costs a training, and how soon it starts. usage: bench_input [DIR [SIZE [BATCH]]]
   Training steps on one fixed batch and on batches from the loader alternate, in blocks; the input's share is what the
   second take longer. DIR's cache should exist (the first opening builds it). Prints one JSON object. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCKS = 10, STEPS = 8 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of one block; fixed: the batch to use again and again, or NULL for the loader's. */
static double block(pith_trainer *t, pith_loader *l, const pith_batch *fixed, double *ms)
{
    double start = now();
    for (int i = 0; i < STEPS; i++) {
        double s = now();
        pith_batch b;
        if (fixed == NULL)
            while (!pith_loader_next(l, &b))
                continue; /* the end of an epoch */
        double loss = pith_trainer_step(t, fixed ? fixed : &b, 1e-3);
        if (loss != loss)
            return -1;
        ms[i] = 1e3 * (now() - s);
    }
    return now() - start;
}

static int measure(pith_trainer *t, pith_loader *l, const pith_batch *fixed, int batch, double started)
{
    static double plain[BLOCKS * STEPS], fed[BLOCKS * STEPS]; /* milliseconds */
    for (int i = -1; i < BLOCKS; i++) {                       /* the first pair warms up */
        int at = i < 0 ? 0 : i * STEPS;
        if (block(t, l, fixed, plain + at) < 0 || block(t, l, NULL, fed + at) < 0)
            return 1;
    }
    qsort(plain, BLOCKS * STEPS, sizeof *plain, by_value);
    qsort(fed, BLOCKS * STEPS, sizeof *fed, by_value);
    double a = plain[BLOCKS * STEPS / 2], b = fed[BLOCKS * STEPS / 2];
    printf("{\"step_ms\":%.2f,\"fed_step_ms\":%.2f,\"input_share\":%.4f,\"img_per_s\":%.1f,\"first_step_done_"
           "s\":%.3f}\n",
           a, b, (b - a) / b, 1e3 * batch / b, started);
    return 0;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : getenv("PITH_REAL_DATA");
    if (dir == NULL) {
        printf("bench_input: skipped: name a folder of photographs, or set PITH_REAL_DATA\n");
        return 0;
    }
    int size = argc > 2 ? atoi(argv[2]) : 96, batch = argc > 3 ? atoi(argv[3]) : 64, bad = 1;
    double start = now();
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_data *d = c ? pith_data_images(c, dir, (pith_images_cfg){ .size = size }) : NULL;
    pith_model *m =
        d ? pith_model_family(c, "efnet-nano",
                              (pith_family_cfg){ .image_size = size, .classes = pith_data_classes(d) })
          : NULL;
    pith_trainer *t = m ? pith_trainer_new(m, (pith_trainer_cfg){ .batch = batch, .smoothing = 0.1 }) : NULL;
    pith_loader *l =
        t ? pith_loader_new(
                d, (pith_loader_cfg){ .batch = batch, .shuffle = true, .drop_last = true, .augment = true })
          : NULL;
    pith_batch b;
    if (l != NULL && pith_loader_next(l, &b)) {
        size_t each = (size_t)size * (size_t)size * 3, n = (size_t)batch;
        pith_real *x = malloc(n * each * sizeof *x);
        int32_t *labels = malloc(n * sizeof *labels);
        if (x != NULL && labels != NULL) {
            memcpy(x, b.x, n * each * sizeof *x);
            memcpy(labels, b.labels, n * sizeof *labels);
            pith_batch fixed = { .n = batch, .x = x, .labels = labels };
            pith_trainer_step(t, &fixed, 1e-3);
            bad = measure(t, l, &fixed, batch, now() - start);
        }
        free(x);
        free(labels);
    }
    if (bad)
        fprintf(stderr, "%s\n", c && pith_ctx_status(c) ? pith_error_text(c) : "nothing to measure");
    pith_ctx_free(c);
    return bad;
}
