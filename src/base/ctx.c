/* base/ctx.c: a context's life. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/base.h"
#include <stdlib.h>

enum { MOST_THREADS = 1024 };

/* ---- Making and freeing ---------------------------------------------------------------------------------*/

/* "base", "base or avx2": what pith_ctx_cfg.cpu may be here. */
static void list_isas(char text[64])
{
    pithp_isa best = pithp_isa_best();
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i <= (int)best; i++)
        if (pithp_isa_built((pithp_isa)i) && at < 64)
            at +=
                (size_t)snprintf(text + at, 64 - at, "%s%s", at ? " or " : "", pithp_isa_name((pithp_isa)i));
}

/* Settles c->isa, and c->cfg.cpu: our own string when a set was forced, else NULL. */
static void choose_isa(pith_ctx *c)
{
    const char *name = c->cfg.cpu, *from = "pith_ctx_cfg.cpu";
    if (!name) {
        name = getenv("PITH_CPU");
        from = "the environment's PITH_CPU";
    }
    c->isa = pithp_isa_best();
    c->cfg.cpu = NULL;
    if (!name || !*name)
        return;
    char allowed[64];
    list_isas(allowed);
    int isa = pithp_isa_parse(name);
    if (isa < 0)
        pithp_error(c, PITH_EINVAL, "%s: no kernel set is called \"%s\"; here it can be %s", from, name,
                    allowed);
    else if (!pithp_isa_built((pithp_isa)isa))
        pithp_error(c, PITH_EINVAL, "%s: this build has no %s kernels; here it can be %s", from, name,
                    allowed);
    else if (isa > (int)pithp_isa_cpu())
        pithp_error(c, PITH_EINVAL, "%s: this processor has no %s; here it can be %s", from, name, allowed);
    else {
        c->isa = (pithp_isa)isa;
        c->cfg.cpu = pithp_isa_name(c->isa);
    }
}

static void choose_threads(pith_ctx *c)
{
    c->threads = c->cfg.threads;
    if (c->threads < 0 || c->threads > MOST_THREADS)
        pithp_error(c, PITH_EINVAL, "pith_ctx_cfg.threads is %d; expected 1 to %d, or 0 for all processors",
                    c->cfg.threads, MOST_THREADS);
    if (c->threads <= 0 || c->threads > MOST_THREADS)
        c->threads = PITHP_MIN(pithp_cpu_count(), MOST_THREADS);
}

pith_ctx *pith_ctx_new(pith_ctx_cfg cfg)
{
    pith_ctx first = { .cfg = cfg }; /* on the stack, to count the context's own memory like all other */
    if (!cfg.alloc != !cfg.release)
        first.cfg.alloc = NULL, first.cfg.release = NULL;
    pith_ctx *c = PITHP_NEW(&first, pith_ctx);
    if (!c)
        return NULL;
    *c = first;
    pithp_ring_open(c);
    if (!cfg.alloc != !cfg.release)
        pithp_error(c, PITH_EINVAL, "pith_ctx_cfg has %s without %s; expected both or none",
                    cfg.alloc ? "alloc" : "release", cfg.alloc ? "release" : "alloc");
    choose_threads(c);
    choose_isa(c);
    pithp_blas_open(c, &c->blas);
    return c;
}

void pith_ctx_free(pith_ctx *c)
{
    if (!c)
        return;
    pithp_ring_close(c);
    pithp_blas_close(&c->blas);
    pith_ctx last = *c; /* pithp_free counts in it while the block goes */
    pithp_free(&last, c);
    if (last.bytes)
        pithp_log(&last, PITH_LOG_WARN, "pith itself forgot to free %zu bytes: please report it", last.bytes);
}

/* ---- Asking -----------------------------------------------------------------------------------------------
   NULL is what a context is when memory ran out; asking it for its status says so. */

int pith_ctx_threads(const pith_ctx *c) { return c ? c->threads : 1; }

size_t pith_ctx_memory(const pith_ctx *c, size_t *peak)
{
    if (peak)
        *peak = c ? c->bytes_peak : 0;
    return c ? c->bytes : 0;
}

uint64_t pith_ctx_allocations(const pith_ctx *c) { return c ? c->allocations : 0; }

pith_build pith_build_info(const pith_ctx *c)
{
    pith_build b = {
        .version = PITH_VERSION,
#if defined(__clang__)
        .compiler = "clang " __clang_version__,
#elif defined(__GNUC__)
        .compiler = "gcc " __VERSION__,
#else
        .compiler = "unknown",
#endif
#ifdef HAVE_LIBJPEG
        .jpeg = "libjpeg-turbo",
#else
        .jpeg = "stb_image",
#endif
        .cpu = "",
        .cpu_best = pithp_isa_name(pithp_isa_best()),
        .blas = "",
        .blas_core = "",
        .blas_config = "",
        .threads = pith_ctx_threads(c)
    };
    if (c) {
        b.cpu = pithp_isa_name(c->isa);
        b.blas = c->blas.file;
        b.blas_core = c->blas.core;
        b.blas_config = c->blas.config;
    }
    return b;
}
