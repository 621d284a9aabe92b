/* bench_input: what delivering augmented images costs a training, and how soon it starts; then what each augmentation adds.
   usage: bench_input [DIR [SIZE [BATCH]]]
   Training steps on one fixed batch and on batches from the loader alternate, in blocks; the input's share is what the
   second take longer. DIR's cache should exist (the first opening builds it). Then, for each augmentation alone: steps fed
   by a loader with it and by one without alternate likewise ("slowdown", of the step), and the processor time that
   making a batch takes more than a plain one, as a share of what a step has on all threads ("cpu_share"). Prints one
   JSON object. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCKS = 10, STEPS = 8, MADE = 24 };

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

/* Milliseconds of one block's steps; fixed: the batch to use again and again, or NULL for the loader's. */
static bool block(pith_trainer *t, pith_loader *l, const pith_batch *fixed, double *ms)
{
    for (int i = 0; i < STEPS; i++) {
        double s = now();
        pith_batch b;
        if (fixed == NULL)
            while (!pith_loader_next(l, &b))
                continue; /* the end of an epoch */
        double loss = pith_trainer_step(t, fixed ? fixed : &b, 1e-3);
        if (loss != loss)
            return false;
        ms[i] = 1e3 * (now() - s);
    }
    return true;
}

/* Medians of steps of two kinds, in turn: a fixed batch (la NULL) or a loader's against another loader's. */
static bool compare(pith_trainer *t, pith_loader *la, const pith_batch *fixed, pith_loader *lb, int blocks,
                    double *a, double *b)
{
    static double first[BLOCKS * STEPS], second[BLOCKS * STEPS];
    for (int i = -1; i < blocks; i++) { /* the first pair warms up */
        int at = i < 0 ? 0 : i * STEPS;
        if (!block(t, la, fixed, first + at) || !block(t, lb, NULL, second + at))
            return false;
    }
    *a = median(first, (size_t)(blocks * STEPS));
    *b = median(second, (size_t)(blocks * STEPS));
    return true;
}

/* Milliseconds of processor time for a batch, made in this thread. */
static double making(pith_data *d, pith_loader_cfg cfg)
{
    double ms[MADE];
    cfg.threads = -1;
    pith_loader *l = pith_loader_new(d, cfg);
    pith_batch b;
    for (int i = -4; i < MADE && l != NULL; i++) {
        double s = clock_of(CLOCK_THREAD_CPUTIME_ID);
        while (!pith_loader_next(l, &b))
            s = clock_of(CLOCK_THREAD_CPUTIME_ID);
        if (i >= 0)
            ms[i] = 1e3 * (clock_of(CLOCK_THREAD_CPUTIME_ID) - s);
    }
    bool made = l != NULL;
    pith_loader_free(l);
    return made ? median(ms, MADE) : -1;
}

static const struct {
    const char *name;
    pith_augment_cfg aug;
} augmentations[] = {
    { "hue", { .hue = 0.1 } },
    { "rotate", { .rotate = 15 } },
    { "cutout", { .cutout = 1 } },
    { "mixup", { .mixup = 0.2 } },
    { "cutmix", { .cutmix = 1 } },
    { "all", { .hue = 0.1, .rotate = 15, .cutout = 1, .mixup = 0.2, .cutmix = 1 } },
};

static bool each(pith_ctx *c, pith_data *d, pith_trainer *t, pith_loader_cfg cfg, double step_ms)
{
    const int threads = pith_build_info(c).threads;
    const double plain = making(d, cfg);
    printf(",\"batch_cpu_ms\":%.2f,\"threads\":%d,\"augmentations\":{", plain, threads);
    for (size_t i = 0; i < sizeof augmentations / sizeof *augmentations; i++) {
        pith_loader_cfg with = cfg;
        with.aug = augmentations[i].aug;
        double a, b, cpu = making(d, with);
        pith_loader *la = pith_loader_new(d, cfg), *lb = pith_loader_new(d, with);
        bool good = la != NULL && lb != NULL && compare(t, la, NULL, lb, BLOCKS / 2, &a, &b);
        pith_loader_free(la);
        pith_loader_free(lb);
        if (!good)
            return false;
        printf("%s\"%s\":{\"slowdown\":%.4f,\"cpu_ms\":%.2f,\"cpu_share\":%.4f}", i ? "," : "",
               augmentations[i].name, b / a - 1, cpu - plain, (cpu - plain) / (step_ms * threads));
        fflush(stdout);
    }
    printf("}");
    return true;
}

static bool measure(pith_ctx *c, pith_data *d, pith_trainer *t, pith_loader *l, pith_loader_cfg cfg,
                    const pith_batch *fixed, double started)
{
    double a, b;
    if (!compare(t, NULL, fixed, l, BLOCKS, &a, &b))
        return false;
    printf("{\"step_ms\":%.2f,\"fed_step_ms\":%.2f,\"input_share\":%.4f,\"img_per_s\":%.1f,\"first_step_done_"
           "s\":"
           "%.3f",
           a, b, (b - a) / b, 1e3 * cfg.batch / b, started);
    bool good = each(c, d, t, cfg, a);
    printf("}\n");
    return good;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : getenv("PITH_REAL_DATA");
    if (dir == NULL) {
        printf("bench_input: skipped: name a folder of photographs, or set PITH_REAL_DATA\n");
        return 0;
    }
    int size = argc > 2 ? atoi(argv[2]) : 96, batch = argc > 3 ? atoi(argv[3]) : 64;
    bool good = false;
    double start = now();
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_data *d = c ? pith_data_images(c, dir, (pith_images_cfg){ .size = size }) : NULL;
    pith_family_cfg family = { .image_size = size, .classes = d ? pith_data_classes(d) : 0 };
    pith_model *m = d ? pith_model_family(c, "efnet-nano", family) : NULL;
    pith_trainer_cfg trainer = { .batch = batch, .smoothing = 0.1, .soft = true };
    pith_trainer *t = m ? pith_trainer_new(m, trainer) : NULL;
    pith_loader_cfg cfg = { .batch = batch, .shuffle = true, .drop_last = true, .augment = true };
    pith_loader *l = t ? pith_loader_new(d, cfg) : NULL;
    pith_batch b;
    if (l != NULL && pith_loader_next(l, &b)) {
        size_t count = (size_t)size * (size_t)size * 3, n = (size_t)batch;
        pith_real *x = malloc(n * count * sizeof *x);
        int32_t *labels = malloc(n * sizeof *labels);
        if (x != NULL && labels != NULL) {
            memcpy(x, b.x, n * count * sizeof *x);
            memcpy(labels, b.labels, n * sizeof *labels);
            pith_batch fixed = { .n = batch, .x = x, .labels = labels };
            pith_trainer_step(t, &fixed, 1e-3);
            good = measure(c, d, t, l, cfg, &fixed, now() - start);
        }
        free(x);
        free(labels);
    }
    if (!good)
        fprintf(stderr, "%s\n", c && pith_ctx_status(c) ? pith_error_text(c) : "nothing to measure");
    pith_ctx_free(c);
    return !good;
}
