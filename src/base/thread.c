/* base/thread.c: tiles over threads. The only file with OpenMP in it. */
#include "base/base.h"
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
