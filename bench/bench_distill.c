/* bench_distill: what a teacher costs a training step, run at every step and kept in a store.
   usage: bench_distill [TEACHER.pith|- [WIDTH [BATCH [SECONDS [cpu]]]]]
   Steps of three trainers of the same student (efnet-nano, WIDTH times as wide) on the same batch take turns: without a teacher,
   with a live one, with its store; the teacher's inference alone takes a turn, too. - : an untrained efnet-nano, which costs the same.
   cpu: processor time on one thread in place of wall-clock time, for machines that are not idle.
   Medians in milliseconds; "stored" and "live" are what they add, over a plain step and over the teacher's inference. Prints one
   JSON object. Everything runs on pixels drawn here: no data set is needed. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIDE = 96, IMAGES = 256, MOST = 4000, WAYS = 4, ALONE = 3 };

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static pith_data *noise(pith_ctx *c)
{
    static uint8_t pixels[(size_t)IMAGES * SIDE * SIDE * 3];
    int32_t labels[IMAGES];
    uint32_t r = 1;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)((r = r * 1664525u + 1013904223u) >> 24);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % 2;
    return pith_data_pixels(c, pixels, labels, IMAGES, SIDE, SIDE, NULL, IMAGES - 16, SIDE);
}

typedef struct {
    pith_model *student;
    pith_distill *k;
    pith_trainer *t;
} way;

static bool make_way(pith_ctx *c, way *w, pith_model *teacher, pith_data *d, double width, pith_fit_cfg fit,
                     const char *store)
{
    w->student = pith_model_family(c, "efnet-nano", (pith_family_cfg){ .classes = 2, .width = width });
    if (teacher != NULL) {
        w->k = pith_distill_new(w->student, &teacher, 1, (pith_distill_cfg){ .store = store });
        if (w->k == NULL || pith_distill_prepare(w->k, d, &fit) != PITH_OK)
            return false;
    }
    w->t = pith_trainer_new(w->student,
                            (pith_trainer_cfg){ .batch = fit.batch, .loss = pith_distill_loss(w->k) });
    return w->t != NULL;
}

typedef struct {
    pith_plan *p;
    pith_tensor *in;
    size_t bytes;
} inference;

static double one(const way *w, const inference *alone, const pith_batch *b, clockid_t id)
{
    double began = clock_of(id);
    if (w != NULL)
        pith_trainer_step(w->t, b, 1e-3);
    else {
        memcpy(pith_plan_input(alone->p, alone->in), b->x, alone->bytes);
        pith_plan_forward(alone->p, b->n, 0);
    }
    return 1e3 * (clock_of(id) - began);
}

static void tell(double *ms[WAYS], int n, int batch)
{
    double m[WAYS];
    for (int i = 0; i < WAYS; i++) {
        qsort(ms[i], (size_t)n, sizeof *ms[i], by_value);
        m[i] = ms[i][n / 2];
    }
    printf("{\"batch\": %d, \"rounds\": %d, \"plain_ms\": %.3f, \"live_ms\": %.3f, \"stored_ms\": %.3f, "
           "\"teacher_ms\": %.3f, "
           "\"stored\": %.4f, \"live\": %.4f}\n",
           batch, n, m[0], m[1], m[2], m[ALONE], m[2] / m[0] - 1, (m[1] - m[0]) / m[ALONE]);
}

static int measure(pith_ctx *c, pith_model *teacher, double width, int batch, double seconds, clockid_t id,
                   const char *store)
{
    static double room[WAYS][MOST];
    double *ms[WAYS] = { room[0], room[1], room[2], room[3] };
    way w[ALONE] = { { 0 } };
    pith_batch b;
    pith_data *d = noise(c);
    const pith_fit_cfg fit = { .batch = batch, .augment.variants = 1 };
    pith_tensor *out = pith_model_output(teacher);
    inference alone = { .p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = batch }),
                        .in = pith_model_input(teacher),
                        .bytes = (size_t)batch * SIDE * SIDE * 3 * sizeof(pith_real) };
    pith_loader *l = pith_loader_new(
        d, (pith_loader_cfg){ .batch = batch, .augment = true, .aug = fit.augment, .threads = -1 });
    if (alone.p == NULL || l == NULL || !make_way(c, &w[0], NULL, d, width, fit, NULL) ||
        !make_way(c, &w[1], teacher, d, width, fit, NULL) ||
        !make_way(c, &w[2], teacher, d, width, fit, store) || !pith_loader_next(l, &b))
        return 1;
    int n = -2; /* two rounds warm up */
    for (double began = clock_of(CLOCK_MONOTONIC);
         n < 5 || (n < MOST && clock_of(CLOCK_MONOTONIC) - began < seconds); n++)
        for (int i = 0; i < WAYS; i++) {
            double t = one(i < ALONE ? &w[i] : NULL, &alone, &b, id);
            if (n >= 0)
                ms[i][n] = t;
        }
    tell(ms, n, batch);
    return pith_ctx_status(c);
}

int main(int argc, char **argv)
{
    char store[] = "/tmp/bench_distill-XXXXXX";
    double width = argc > 2 ? atof(argv[2]) : 0.5, seconds = argc > 4 ? atof(argv[4]) : 20;
    int batch = argc > 3 ? atoi(argv[3]) : 64, fd = mkstemp(store);
    bool cpu = argc > 5 && strcmp(argv[5], "cpu") == 0;
    clockid_t id = cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1, .threads = cpu ? 1 : 0 });
    pith_model *t = argc > 1 && strcmp(argv[1], "-") != 0
                        ? pith_model_load(c, argv[1])
                        : pith_model_family(c, "efnet-nano", (pith_family_cfg){ .classes = 2 });
    if (t != NULL)
        pith_model_set_meta(t, "classes", NULL); /* noise has no cats */
    if (fd >= 0)
        close(fd);
    unlink(store);
    int bad =
        t == NULL || batch < 1 || batch > IMAGES - 16 || measure(c, t, width, batch, seconds, id, store);
    if (bad)
        fprintf(stderr, "bench_distill: %s\n",
                pith_ctx_status(c) ? pith_error_text(c) : "batch from 1 to 240");
    unlink(store);
    pith_ctx_free(c);
    return bad != 0;
}
