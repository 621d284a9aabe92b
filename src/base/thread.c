/* base/thread.c: tiles over threads. The only file with OpenMP in it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include <sched.h>
#ifdef _OPENMP
#include <omp.h>
#endif

void pithp_parallel(int threads, int64_t tiles, void (*fn)(void *arg, int64_t tile, int thread), void *arg)
{
    if (threads > tiles)
        threads = (int)tiles;
    if (threads > 1) {
#ifdef _OPENMP
        /* Claimed one by one: another process may hold one of the cores, and then equal shares wait for
           it. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t t = 0; t < tiles; t++)
            fn(arg, t, omp_get_thread_num());
        return;
#endif
    }
    for (int64_t t = 0; t < tiles; t++)
        fn(arg, t, 0);
}

/* Processors that a container's CPU quota amounts to, rounded up; `limit` if there is no quota to be seen. */
static int quota(int limit)
{
    long long q = -1, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re"); /* cgroup 2, as seen from inside a container */
    if (f) {
        if (fscanf(f, "%lld %lld", &q, &period) != 2) /* "max 100000" */
            q = -1;
        fclose(f);
    }
    if (q <= 0 || period <= 0)
        return limit;
    long long n = (q + period - 1) / period;
    return n < limit ? (int)n : limit;
}

int pithp_cpu_count(void)
{
    int n = 0;
    for (int cpus = 1024; !n && cpus <= 1 << 18;
         cpus *= 4) { /* the kernel refuses a set smaller than its own */
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        if (!sched_getaffinity(0, size, set))
            n = CPU_COUNT_S(size, set);
        CPU_FREE(set);
    }
    return n < 1 ? 1 : quota(n);
}
