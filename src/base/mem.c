/* base/mem.c: the context's memory: zeroed, 64-byte aligned, counted, from the user's hooks where there
   are any. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64 };

/* Stands in the 64 bytes in front of every block. */
typedef struct {
    size_t bytes;  /* asked for */
    size_t taken;  /* counted in the context: with the header and the room for alignment */
    size_t mapped; /* length to unmap; 0: base came from alloc or posix_memalign */
    void *base;
} header;

_Static_assert(sizeof(header) <= ALIGN, "the header must fit in front of an aligned block");

static header *header_of(void *p) { return (header *)((char *)p - ALIGN); }

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Big blocks come straight from the kernel: its pages are zero already, so an arena is not written before
   its first use, and huge pages spare most of the page faults. Not under a sanitizer, which cannot watch a
   mapping's borders. */
static const size_t map_from = (size_t)1 << 20, huge_from = (size_t)4 << 20, huge_page = (size_t)2 << 20;

/* Beyond any request that could be met; address sanitizers end the program over less than an address
   space. */
static const size_t most_bytes = (size_t)1 << (SANITIZED ? 39 : 47);

static header *map_big(size_t bytes)
{
    bool huge = bytes >= huge_from;
    size_t length;
    if (pithp_add_over(bytes, huge ? huge_page : 0, &length))
        return NULL;
    char *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    char *p = base;
    if (huge) { /* kernels before 6.7 do not align by themselves; the pages left over are never touched */
        p = (char *)(((uintptr_t)base + huge_page - 1) & ~(uintptr_t)(huge_page - 1));
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    }
    header *h = (header *)p;
    *h = (header){ .taken = bytes, .mapped = length, .base = base };
    return h;
}

/* One zeroed block with its header; bytes is what the caller asked for. */
static header *take(pith_ctx *c, size_t bytes)
{
    size_t total;
    if (pithp_add_over(bytes, ALIGN, &total))
        return NULL;
    header *h;
    void *base = NULL;
    if (c->cfg.alloc) { /* a hook need not align at all */
        if (pithp_add_over(total, ALIGN - 1, &total) || !(base = c->cfg.alloc(c->cfg.alloc_user, total)))
            return NULL;
        h = (header *)(((uintptr_t)base + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    } else if (bytes >= map_from && !SANITIZED) {
        return map_big(total);
    } else {
        if (posix_memalign(&base, ALIGN, total))
            return NULL;
        h = base;
    }
    memset(h, 0, ALIGN + bytes);
    *h = (header){ .taken = total, .base = base };
    return h;
}

void *pithp_alloc(pith_ctx *c, size_t n, size_t size)
{
    size_t bytes;
    if (pithp_mul_over(n, size, &bytes) || bytes > most_bytes) {
        pithp_error(c, PITH_ENOMEM, "out of memory: %zu elements of %zu bytes are more than any machine has",
                    n, size);
        return NULL;
    }
    header *h = take(c, bytes);
    if (!h) {
        pithp_error(
            c, PITH_ENOMEM,
            "out of memory: %zu bytes wanted, %zu held already; use a smaller batch, image or network", bytes,
            c->bytes);
        return NULL;
    }
    h->bytes = bytes;
    c->allocations++;
    c->bytes += h->taken;
    c->bytes_peak = PITHP_MAX(c->bytes_peak, c->bytes);
    return (char *)h + ALIGN;
}

void pithp_free(pith_ctx *c, void *p)
{
    if (!p)
        return;
    header *h = header_of(p);
    c->bytes -= h->taken;
    if (h->mapped)
        munmap(h->base, h->mapped);
    else if (c->cfg.release)
        c->cfg.release(c->cfg.alloc_user, h->base);
    else
        free(h->base);
}

void *pithp_realloc(pith_ctx *c, void *p, size_t n, size_t size)
{
    void *q = pithp_alloc(c, n, size);
    if (!q || !p)
        return q;
    memcpy(q, p, PITHP_MIN(header_of(p)->bytes, header_of(q)->bytes));
    pithp_free(c, p);
    return q;
}
