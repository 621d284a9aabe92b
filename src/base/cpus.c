/* base/cpus.c: how many processors there are for us. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include <sched.h>

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
