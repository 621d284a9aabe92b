/* pith/ctx.h: the context. It owns every object made from it, carries the first error, and knows the machine.
   One context belongs to one thread at a time. */
#ifndef PITH_CTX_H
#define PITH_CTX_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { PITH_LOG_DEBUG = 0, PITH_LOG_INFO, PITH_LOG_WARN } pith_log_level;

/* How a context is made. All zero is a good default.
   seed     of every random number drawn from this context (0 is a seed like any other)
   threads  kernel threads; 0 = all processors this process may run on. Results do not depend on it.
   cpu      force a kernel set: "base", "avx2", "avx512"; NULL = the best this processor has, or what the
            environment's PITH_CPU says
   log      gets the library's messages, without newline; NULL = silence. The library prints nothing itself.
   alloc    replaces malloc for all of the context's memory, and release replaces free; both or none.
            alloc may return NULL: every function then reports PITH_ENOMEM and leaks nothing. */
typedef struct {
    uint64_t seed;
    int threads;
    const char *cpu;
    void (*log)(void *log_user, pith_log_level level, const char *text);
    void *log_user;
    void *(*alloc)(void *alloc_user, size_t bytes);
    void (*release)(void *alloc_user, void *p);
    void *alloc_user;
} pith_ctx_cfg;

/* Makes a context.
   errors   NULL when memory ran out; any other fault (an unknown cpu name, no BLAS library) gives a context
            whose status says so, so that the reason can be read. Since 0.1. */
PITH_API pith_ctx *pith_ctx_new(pith_ctx_cfg cfg);

/* Frees the context and everything made from it: tensors, models, plans, data sets, optimisers. NULL is allowed.
   Since 0.1. */
PITH_API void pith_ctx_free(pith_ctx *c);

/* The first error since the context was made or cleared, PITH_OK if none. Since 0.1. */
PITH_API pith_status pith_ctx_status(const pith_ctx *c);

/* The first error's sentence ("" if none): what was wrong, where, what was expected, what to do.
   ownership  the context's; valid until pith_ctx_clear or the next first error. Since 0.1. */
PITH_API const char *pith_error_text(const pith_ctx *c);

/* Where in pith's sources the first error was found, "src/ops/conv2d.c:57"; "" if none. Since 0.1. */
PITH_API const char *pith_error_where(const pith_ctx *c);

/* Forgets the error. Objects that are in order stay usable; poison tensors stay poison. Since 0.1. */
PITH_API void pith_ctx_clear(pith_ctx *c);

/* The number of kernel threads, at least 1. Since 0.1. */
PITH_API int pith_ctx_threads(const pith_ctx *c);

/* What runs underneath: filled once, when the context is made.
   cpu         kernel set in use ("avx512"), cpu_best the best this processor has
   blas        file name of the BLAS library, blas_core the name of its kernel set ("SkylakeX"), blas_config
               its own description
   jpeg        the JPEG decoder ("libjpeg-turbo" or "stb_image")
   The strings live as long as the context. */
typedef struct {
    const char *version, *compiler, *cpu, *cpu_best, *blas, *blas_core, *blas_config, *jpeg;
    int threads;
} pith_build;

/* Tells what this build and this context run on. Since 0.1. */
PITH_API pith_build pith_build_info(const pith_ctx *c);

/* The name of a status: "PITH_ESHAPE". Never NULL. Since 0.1. */
PITH_API const char *pith_status_name(pith_status s);

/* The size in bytes of all memory the context holds now, and the most it ever held. Since 0.1. */
PITH_API size_t pith_ctx_memory(const pith_ctx *c, size_t *peak);

/* The number of allocations the context has made; a step after the first makes none. Since 0.1. */
PITH_API uint64_t pith_ctx_allocations(const pith_ctx *c);

#ifdef __cplusplus
}
#endif
#endif
