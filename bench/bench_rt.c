/* bench_rt: what libpith-rt takes to open an int8 .tflite. usage: bench_rt MOST-HEAP FILE.tflite... Opens each file RUNS times
   and prints one JSON object a file: the least and the median of the wall clock's and the thread's own milliseconds, and the
   runtime's memory. Status 1 where its heap beyond arena and map is MOST-HEAP bytes or more (0: only told). */
#include <pith/rt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 201 };

static double now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* False: it cannot be opened, or takes too much. */
static bool measure(const char *path, size_t most)
{
    static double wall[RUNS], cpu[RUNS];
    pith_rt_facts f = { 0 };
    for (int i = 0; i < RUNS; i++) {
        double at = now(CLOCK_MONOTONIC), own = now(CLOCK_THREAD_CPUTIME_ID);
        pith_rt *rt = pith_rt_open(path, (pith_rt_cfg){ 0 });
        cpu[i] = now(CLOCK_THREAD_CPUTIME_ID) - own;
        wall[i] = now(CLOCK_MONOTONIC) - at;
        f = pith_rt_info(rt);
        if (pith_rt_status(rt)) {
            fprintf(stderr, "%s\n", pith_rt_error(rt));
            pith_rt_free(rt);
            return false;
        }
        pith_rt_free(rt);
    }
    qsort(wall, RUNS, sizeof *wall, by_value);
    qsort(cpu, RUNS, sizeof *cpu, by_value);
    printf("{\"file\": \"%s\", \"bytes\": %zu, \"arena\": %zu, \"heap\": %zu, \"open_ms\": {\"least\": %.3f, "
           "\"median\": "
           "%.3f, \"cpu_least\": %.3f, \"cpu_median\": %.3f}}\n",
           path, f.model, f.arena, f.heap, wall[0], wall[RUNS / 2], cpu[0], cpu[RUNS / 2]);
    return !most || f.heap < most;
}

int main(int argc, char **argv)
{
    size_t most = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    bool good = argc > 2;
    for (int i = 2; i < argc; i++)
        good &= measure(argv[i], most);
    return !good;
}
