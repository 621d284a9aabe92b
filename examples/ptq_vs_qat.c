/* Which way of quantizing costs what? Trains once in float, then compares the ways in one table.

       ptq_vs_qat PetImages [EPOCHS [QAT_EPOCHS]]

   Accuracy is that of the integers, with Wilson's 95% interval; "p" is McNemar's: how likely a difference as large would be if
   the model and the float one were equally good. Milliseconds are an image's share of a batch. */
#include <math.h>
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 100000, BATCH = 64 };

typedef struct {
    const char *name;
    int weights, activations; /* bits; 0: float */
    bool training;
} way;

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Which validation images the model gets right, in the data set's order; the number of images. */
static int64_t answers(pith_model *m, pith_data *d, char *right)
{
    pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_VAL, .batch = BATCH });
    int classes = pith_data_classes(d);
    int64_t n = 0;
    pith_real *probs = malloc(sizeof *probs * BATCH * (size_t)classes);
    pith_batch b;
    while (l != NULL && n + BATCH <= MOST && pith_loader_next(l, &b)) {
        pith_predict(m, b.x, b.n, probs);
        for (int i = 0; i < b.n; i++) {
            int best = 0;
            for (int k = 1; k < classes; k++)
                best = probs[i * classes + k] > probs[i * classes + best] ? k : best;
            right[n++] = best == b.labels[i];
        }
    }
    free(probs);
    pith_loader_free(l);
    return n;
}

static double shortest(pith_model *m, const pith_real *x, int64_t n, pith_real *probs)
{
    double best = 1e9;
    for (int i = 0; i < 7; i++) {
        double start = now(), took;
        pith_predict(m, x, n, probs);
        took = now() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Milliseconds for an image among many: five batches less one, since every call makes the integers anew. */
static double latency(pith_model *m, pith_data *d)
{
    enum { TIMES = 5 };
    pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_VAL, .batch = BATCH });
    pith_batch b;
    double ms = NAN;
    if (l != NULL && pith_loader_next(l, &b)) {
        size_t n = (size_t)b.n, size = (size_t)pith_data_size(d), per = size * size * 3;
        pith_real *x = malloc(TIMES * n * per * sizeof *x);
        pith_real *probs = malloc(TIMES * n * (size_t)pith_data_classes(d) * sizeof *probs);
        for (size_t i = 0; x != NULL && i < TIMES; i++)
            memcpy(x + i * n * per, b.x, n * per * sizeof *x);
        if (x != NULL && probs != NULL)
            ms = 1000 * (shortest(m, x, TIMES * b.n, probs) - shortest(m, x, b.n, probs)) /
                 (double)((TIMES - 1) * b.n);
        free(x);
        free(probs);
    }
    pith_loader_free(l);
    return ms;
}

static double kilobytes(pith_model *m)
{
    pith_integer_facts f;
    if (!pith_model_is_quantized(m))
        return (double)pith_model_info(m).bytes / 1024;
    return pith_integer_info(m, &f) ? (double)NAN : (double)f.bytes / 1024;
}

static void row(const way *w, pith_model *m, pith_data *d, char *right, const char *base)
{
    double low, high;
    int64_t n = answers(m, d, right), sum = 0, only = 0, never = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += right[i];
        only += base != NULL && right[i] && !base[i];
        never += base != NULL && !right[i] && base[i];
    }
    if (n == 0)
        return;
    pith_wilson(sum, n, &low, &high);
    printf("%-12s %8.0f KB  %6.2f%% (%.2f to %.2f)", w->name, kilobytes(m), 100 * (double)sum / (double)n,
           100 * low, 100 * high);
    if (base != NULL)
        printf("  %+6.2f  p %.3f", 100 * (double)(only - never) / (double)n, pith_mcnemar(only, never));
    printf("  %.3f ms\n", latency(m, d));
    fflush(stdout);
}

static pith_model *make(pith_model *base, pith_data *d, const way *w, int epochs)
{
    pith_model *m = pith_model_clone(base);
    pith_quant_cfg q = { .bits_weights = w->weights, .bits_activations = w->activations };
    if (!w->training)
        return m != NULL && pith_quantize(m, d, q) == PITH_OK ? m : NULL;
    int64_t steps = pith_data_count(d, PITH_TRAIN) / BATCH * epochs;
    q.observe_steps = steps / 20 + 1;
    q.freeze_bn = q.freeze_ranges = steps / 2 + 1;
    pith_fit_cfg f = {
        .epochs = epochs, .batch = BATCH, .opt = { .lr = 0.01 }, .schedule = { .warmup_epochs = 0.5 }
    };
    return m != NULL && pith_qat_from(m, d, q) == PITH_OK && pith_fit(m, d, f) == PITH_OK ? m : NULL;
}

int main(int argc, char **argv)
{
    static const way ways[] = { { "PTQ W8A8", 8, 8, false }, { "PTQ W4A8", 4, 8, false },
                                { "PTQ W4A4", 4, 4, false }, { "QAT W8A8", 8, 8, true },
                                { "QAT W4A8", 4, 8, true },  { "QAT W4A4", 4, 4, true } };
    if (argc < 2) {
        fprintf(stderr, "usage: ptq_vs_qat DIR [EPOCHS [QAT_EPOCHS]]\n");
        return 2;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_data *d = pith_data_images(c, argv[1], (pith_images_cfg){ .size = 96 });
    pith_model *m =
        pith_model_family(c, "efnet-nano", (pith_family_cfg){ .classes = d ? pith_data_classes(d) : 2 });
    char *base = malloc(MOST), *right = malloc(MOST);
    if (d != NULL && m != NULL && base != NULL && right != NULL &&
        pith_fit(m, d, (pith_fit_cfg){ .epochs = argc > 2 ? atoi(argv[2]) : 40, .batch = BATCH }) ==
            PITH_OK) {
        printf("%-12s %11s  %-24s %7s\n", "", "size", "accuracy, 95% interval", "to float");
        row(&(way){ "float32", 0, 0, false }, m, d, base, NULL);
        for (size_t i = 0; i < sizeof ways / sizeof *ways && pith_ctx_status(c) == PITH_OK; i++) {
            pith_model *q = make(m, d, &ways[i], argc > 3 ? atoi(argv[3]) : 8);
            if (q != NULL)
                row(&ways[i], q, d, right, base);
            pith_model_free(q);
        }
    }
    free(base);
    free(right);
    bool failed = pith_ctx_status(c) != PITH_OK;
    if (failed)
        fprintf(stderr, "%s\n", pith_error_text(c));
    pith_ctx_free(c);
    return failed;
}
