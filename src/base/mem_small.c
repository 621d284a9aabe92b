/* base/mem_small.c: mem.c's twin for the small runtime: 8 bytes in front of a block instead of 64, aligned to 8, and no
   mapping of big blocks. libpith-rt has this one, libpith the other. */
#include "base/base.h"
#include <stdlib.h>
#include <string.h>

enum { HEADER = 8 };
_Static_assert(HEADER >= sizeof(size_t) && HEADER % _Alignof(double) == 0, "the header keeps blocks aligned");

static size_t *header_of(void *p) { return (size_t *)(void *)((char *)p - HEADER); }

void *pithp_alloc(pith_ctx *c, size_t n, size_t size)
{
    size_t bytes, total;
    char *base = NULL;
    if (!pithp_mul_over(n, size, &bytes) && !pithp_add_over(bytes, HEADER, &total) && total < PTRDIFF_MAX) {
        if (!c->cfg.alloc)
            base = calloc(1, total);
        else if ((base = c->cfg.alloc(c->cfg.alloc_user, total)))
            memset(base, 0, total);
    }
    if (!base) {
        pithp_error(c, PITH_ENOMEM, "out of memory: %zu elements of %zu bytes wanted", n, size);
        return NULL;
    }
    char *p = base + HEADER;
    *header_of(p) = bytes;
    c->allocations++;
    c->bytes += total;
    c->bytes_peak = PITHP_MAX(c->bytes_peak, c->bytes);
    return p;
}

void pithp_free(pith_ctx *c, void *p)
{
    if (!p)
        return;
    c->bytes -= *header_of(p) + HEADER;
    if (c->cfg.release)
        c->cfg.release(c->cfg.alloc_user, header_of(p));
    else
        free(header_of(p));
}

void *pithp_realloc(pith_ctx *c, void *p, size_t n, size_t size)
{
    void *q = pithp_alloc(c, n, size);
    if (!q || !p)
        return q;
    memcpy(q, p, PITHP_MIN(*header_of(p), *header_of(q)));
    pithp_free(c, p);
    return q;
}
