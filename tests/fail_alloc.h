/* tests/fail_alloc.h: memory that runs out when a test says so, and a count of what is held. */
#ifndef PITH_TESTS_FAIL_ALLOC_H
#define PITH_TESTS_FAIL_ALLOC_H

#include <stdlib.h>

/* made: calls so far; fail_at: the call that gets nothing, from 1 (0: none does); live: blocks that are not released. */
typedef struct {
    long made, fail_at, live;
} fail_hook;

static inline void *fail_alloc(void *user, size_t bytes)
{
    fail_hook *h = user;
    if (++h->made == h->fail_at)
        return NULL;
    void *p = malloc(bytes);
    h->live += p != NULL;
    return p;
}

static inline void fail_release(void *user, void *p)
{
    fail_hook *h = user;
    h->live -= p != NULL;
    free(p);
}

/* Of a pith_ctx_cfg. */
#define FAIL_ALLOC(hook) .alloc = fail_alloc, .release = fail_release, .alloc_user = (hook)

#endif
