/* pith bench: how fast a network trains or infers here, on made-up images; median of timed steps. */
#include "cli/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
    common k;
    model_opts net;
    int batch;
    double seconds;
    const char *save;
    bool profile;
} bench_opts;

double bench_now(void)
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

/* What is timed: one training step, or one inference of a batch. */
typedef struct {
    pith_trainer *trainer;
    pith_plan *plan;
    pith_batch b;
} subject;

static bool step(const subject *s, uint64_t i)
{
    if (s->trainer != NULL) {
        double loss = pith_trainer_step(s->trainer, &s->b, 1e-3);
        return loss == loss;
    }
    return pith_plan_forward(s->plan, s->b.n, i) == PITH_OK;
}

static bool subject_make(subject *s, pith_model *m, const bench_opts *o, bool training, pith_real **x,
                         int32_t **labels)
{
    int64_t each = pith_size(pith_model_input(m)), n = each * o->batch;
    *x = calloc((size_t)n, sizeof **x);
    *labels = calloc((size_t)o->batch, sizeof **labels);
    if (*x == NULL || *labels == NULL)
        return false;
    uint32_t noise = 1;
    for (int64_t i = 0; i < n; i++)
        (*x)[i] = (pith_real)((int)((noise = noise * 1664525u + 1013904223u) >> 24) - 128) / 128;
    for (int i = 0; i < o->batch; i++)
        (*labels)[i] = i % 2;
    s->b = (pith_batch){ .n = o->batch, .x = *x, .labels = *labels };
    if (training) {
        s->trainer = pith_trainer_new(m, (pith_trainer_cfg){ .batch = o->batch, .smoothing = 0.1 });
        return s->trainer != NULL;
    }
    pith_tensor *out = pith_model_output(m);
    s->plan = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = o->batch, .constant = true });
    if (s->plan == NULL)
        return false;
    memcpy(pith_plan_input(s->plan, pith_model_input(m)), *x, (size_t)n * sizeof **x);
    return true;
}

#define MAX_STEPS 100000

/* Times steps for the wanted seconds, at least five; returns how many. */
static int measure(const subject *s, double seconds, double *ms)
{
    int n = 0;
    for (int i = 0; i < 3; i++)
        if (!step(s, (uint64_t)i))
            return 0;
    double end = bench_now() + seconds;
    while (n < MAX_STEPS && (n < 5 || bench_now() < end)) {
        double t = bench_now();
        if (!step(s, (uint64_t)n))
            return 0;
        ms[n++] = 1e3 * (bench_now() - t);
    }
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    return n;
}

static void report(const bench_opts *o, pith_ctx *c, const char *what, const char *model, const double *ms,
                   int n, const pith_plan *plan)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double median = ms[n / 2], rate = 1e3 * o->batch / median, rss = (double)u.ru_maxrss / 1024;
    double arena = (double)pith_plan_bytes(plan) / 1e6;
    json_t *profile = NULL;
    if (o->profile) { /* the probe comes after the peak of memory was read */
        profile_limits limits = probe_limits(c);
        profile = o->k.json ? profile_json(plan, limits) : NULL;
        if (!o->k.json)
            profile_print(plan, limits);
    }
    if (o->k.json)
        print_json(json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:i, s:f, s:f, s:o*}", "what", what,
                             "model", model, "batch", o->batch, "img_per_s", rate, "ms_median", median,
                             "ms_min", ms[0], "ms_max", ms[n - 1], "steps", n, "peak_rss_mb", rss, "arena_mb",
                             arena, "profile", profile));
    else
        printf("%s %s, batch %d: %.0f img/s (median step %.2f ms, %.2f to %.2f, %d steps); peak memory %.0f "
               "MB, arena %.0f MB\n",
               what, model, o->batch, rate, median, ms[0], ms[n - 1], n, rss, arena);
}

static int bench(const bench_opts *o, bool training, const char *name)
{
    pith_ctx *c = open_ctx(&o->k);
    if (c == NULL)
        return EXIT_FAILED;
    pith_model *m = open_model(c, name, o->net);
    if (m == NULL)
        return failed(c);
    subject s = { 0 };
    pith_real *x = NULL;
    int32_t *labels = NULL;
    double *ms = calloc(MAX_STEPS, sizeof *ms);
    bool ok = o->save == NULL || pith_model_save(m, o->save, false) == PITH_OK;
    ok = ok && ms != NULL && subject_make(&s, m, o, training, &x, &labels);
    pith_plan *plan = !ok ? NULL : training ? pith_trainer_plan(s.trainer) : s.plan;
    if (ok && o->profile)
        ok = pith_plan_profile(plan, true) == PITH_OK;
    int n = ok ? measure(&s, o->seconds, ms) : 0;
    if (n > 0)
        report(o, c, training ? "train" : "infer", name, ms, n, plan);
    free(x);
    free(labels);
    free(ms);
    if (n == 0)
        return failed(c);
    pith_ctx_free(c);
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    bench_opts o = { .batch = 64, .seconds = 5 };
    opt table[] = { INT("image-size", 0, o.net.image_size, "P", 4, 4096, "of a network by name"),
                    INT("classes", 0, o.net.classes, "K", 2, 100000, "of a network by name (default 2)"),
                    REAL("width", 0, o.net.width, "W", 0.05, 16, "channel multiplier"),
                    REAL("depth", 0, o.net.depth, "D", 0.05, 16, "repeat multiplier"),
                    INT("batch", 'b', o.batch, "B", 1, 65536, "images a step (default 64)"),
                    REAL("seconds", 0, o.seconds, "S", 0, 3600, "to measure (default 5)"),
                    TEXT("save", 0, o.save, "FILE", "write the network, for another engine to measure"),
                    FLAG("profile", 0, o.profile,
                         "time every step of the plan, beside this machine's limits"),
                    COMMON_OPTS(o.k),
                    OPTS_END };
    const char *operands[2];
    int n, status = opts_parse(&verb_bench, table, argc, argv, operands, &n);
    if (status >= 0)
        return status;
    bool training = strcmp(operands[0], "train") == 0;
    if (training || strcmp(operands[0], "infer") == 0)
        return bench(&o, training, operands[1]);
    say("bench: 'train' or 'infer' is expected, not '%s'", operands[0]);
    return EXIT_USAGE;
}

const verb verb_bench = { "bench", "measures training or inference speed", "train|infer MODEL ", 2, 2, run };
