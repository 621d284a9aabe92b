/* base/mem_util.c: growing arrays and strings, over any allocator. */
#include "base/base.h"
#include <string.h>

bool pithp_grow(pith_ctx *c, void *pp, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return true;
    size_t more;
    if (pithp_add_over(n, n / 2 + 8, &more))
        more = SIZE_MAX; /* pithp_alloc refuses it */
    void *p;
    memcpy(&p, pp, sizeof p); /* pp is the address of a pointer to any type */
    void *q = pithp_realloc(c, p, more, size);
    if (!q)
        return false;
    memcpy(pp, &q, sizeof q);
    *cap = more;
    return true;
}

char *pithp_strdup(pith_ctx *c, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = pithp_alloc(c, n, 1);
    return p ? memcpy(p, s, n) : NULL;
}

char *pithp_sprintf(pith_ctx *c, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = NULL;
    if (n < 0)
        pithp_error(c, PITH_EBUG, "cannot format \"%s\"", fmt);
    else if ((p = pithp_alloc(c, (size_t)n + 1, 1)))
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}
