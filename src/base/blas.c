/* base/blas.c: OpenBLAS, opened at run time.

   OpenBLAS chooses its kernels when it is loaded, from a list of processors that ends with its own
   release; on a newer one it may fall back to its oldest kernels, a quarter of the speed. Only the
   environment can tell it better, and only before it is loaded. So it is not linked but opened at the
   first context, with OPENBLAS_CORETYPE chosen from the processor's features and OPENBLAS_NUM_THREADS=1
   (its pthread build would start its threads at once); the program's own environment is left as it is.

   Two variables of our own: PITH_BLAS_CORE names the core type ("Haswell"), PITH_BLAS the library file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/base.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#ifdef PITH_REAL_IS_DOUBLE
#define GEMM      cblas_dgemm
#define GEMM_NAME "cblas_dgemm"
#else
#define GEMM      cblas_sgemm
#define GEMM_NAME "cblas_sgemm"
#endif

/* The values of cblas.h's enumerations; the header itself may not be installed where the library runs. */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
#define GEMM_TYPE(name, integer)                                                                        \
    typedef void name(int order, int ta, int tb, integer m, integer n, integer k, pith_real alpha,      \
                      const pith_real *a, integer lda, const pith_real *b, integer ldb, pith_real beta, \
                      pith_real *c, integer ldc)
GEMM_TYPE(gemm_fn, int);
GEMM_TYPE(gemm_wide_fn, int64_t);

#ifdef PITHP_BLAS_LINKED
gemm_fn GEMM;
#endif

/* Sizes are those of one tile and fit an int. */
static void gemm_blas(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pith_real alpha, const pith_real *a,
                      int64_t lda, const pith_real *b, int64_t ldb, pith_real beta, pith_real *c, int64_t ldc,
                      const pithp_blas *self)
{
    int order = ROW_MAJOR, at = ta ? TRANS : NO_TRANS, bt = tb ? TRANS : NO_TRANS;
    if (self->wide) {
        gemm_wide_fn *fn;
        memcpy(&fn, &self->fn, sizeof fn); /* ISO C has no cast from void * to a function */
        fn(order, at, bt, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    } else {
        gemm_fn *fn;
        memcpy(&fn, &self->fn, sizeof fn);
        fn(order, at, bt, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
    }
}

/* The same for OpenBLAS's OpenMP build. It asks OpenMP for the number of threads at every call, and that
   setting is the calling thread's own and the program's to change: so it is set around each product. */
static void gemm_openmp(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pith_real alpha,
                        const pith_real *a, int64_t lda, const pith_real *b, int64_t ldb, pith_real beta,
                        pith_real *c, int64_t ldc, const pithp_blas *self)
{
    int before = self->omp_get();
    self->omp_set(1);
    gemm_blas(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, self);
    self->omp_set(before);
}

/* Stands in where no BLAS could be opened: the context says PITH_ENOTFOUND, and a program that goes on all
   the same is slow instead of calling a null pointer. */
static void gemm_naive(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pith_real alpha, const pith_real *a,
                       int64_t lda, const pith_real *b, int64_t ldb, pith_real beta, pith_real *c,
                       int64_t ldc, const pithp_blas *self)
{
    (void)self;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < k; p++)
                sum += (double)(ta ? a[p * lda + i] : a[i * lda + p]) *
                       (double)(tb ? b[j * ldb + p] : b[p * ldb + j]);
            c[i * ldc + j] = alpha * (pith_real)sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
        }
}

/* The OpenBLAS core type whose kernels need what `isa` promises and no more; NULL leaves the choice to
   OpenBLAS. */
static const char *core_for(const pith_ctx *c)
{
    const char *named = getenv("PITH_BLAS_CORE");
    if (named && *named)
        return named;
#if defined(__x86_64__)
    static const char *const cores[PITHP_ISA_COUNT] = { "Prescott", "Haswell", "SkylakeX" };
    if (c->cfg.cpu) /* forced, by the program or by PITH_CPU */
        return cores[c->isa];
    pithp_isa isa = pithp_isa_cpu();
    return isa == PITHP_ISA_BASE ? NULL : cores[isa]; /* OpenBLAS knows all old processors */
#else
    (void)c;
    return NULL;
#endif
}

#ifndef PITHP_BLAS_LINKED
/* The environment that OpenBLAS sees while it is loaded: our settings, then the program's own; the first of a
   name counts. setenv would move the list under a getenv that runs in another thread, so instead `environ`
   points for a while at a list of ours, and both lists stay where they are. A list is never freed (a getenv
   may still walk along it) but used again for as long as the program's own is the same. */
typedef struct settings {
    struct settings *older;
    char core[64];
    size_t n; /* of the program's own */
    char *list[];
} settings;

static const settings *settings_for(const char *core)
{
    static settings *latest;
    static char one_thread[] = "OPENBLAS_NUM_THREADS=1";
    size_t n = 0;
    while (environ && environ[n])
        n++;
    char text[sizeof latest->core] = "";
    if (core)
        snprintf(text, sizeof text, "OPENBLAS_CORETYPE=%s", core);
    size_t ours = core ? 2 : 1;
    if (latest && latest->n == n && !strcmp(latest->core, text) &&
        (n == 0 || !memcmp(latest->list + ours, environ, n * sizeof *environ)))
        return latest;
    settings *s = malloc(sizeof *s + (ours + n + 1) * sizeof *s->list);
    if (!s)
        return NULL;
    s->older = latest, s->n = n;
    memcpy(s->core, text, sizeof text);
    s->list[0] = one_thread;
    s->list[1] = s->core; /* overwritten when there is none */
    if (n)
        memcpy(s->list + ours, environ, n * sizeof *environ);
    s->list[ours + n] = NULL;
    return latest = s;
}

static void *load(const char *const *files, const char *core)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    void *handle = NULL;
    pthread_mutex_lock(&lock);
    const settings *s = settings_for(core);
    if (s) {
        char **before = environ;
        __atomic_store_n(&environ, (char **)(uintptr_t)s->list, __ATOMIC_SEQ_CST);
        for (int i = 0; !handle && files[i]; i++)
            handle = dlopen(files[i], RTLD_LAZY | RTLD_LOCAL);
        __atomic_store_n(&environ, before, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_unlock(&lock);
    return handle;
}

/* Debian's alternatives first, then its builds by path should the alternatives be broken, then Fedora's
   names. */
static const char *const candidates[] = {
    "libopenblas.so.0",
#if defined(__x86_64__) && defined(__linux__)
    "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0",
    "/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblas.so.0",
    "/usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0",
#endif
    "libopenblaso.so.0",
    "libopenblasp.so.0",
    "libopenblas.so",
    NULL,
};
#endif

static void *symbol(const pithp_blas *b, const char *name)
{
    return dlsym(b->handle ? b->handle : RTLD_DEFAULT, name);
}

/* Puts the address of the function called `name` at `fn`, the address of a function pointer. */
static bool find(const pithp_blas *b, const char *name, void *fn)
{
    void *p = symbol(b, name);
    memcpy(fn, &p, sizeof p);
    return p;
}

static void ask_text(const pithp_blas *b, const char *name, char *text, size_t size)
{
    char *(*fn)(void);
    snprintf(text, size, "%s", find(b, name, &fn) ? fn() : "unknown");
    for (size_t n = strlen(text); n && text[n - 1] == ' ';)
        text[--n] = 0;
}

/* Our products run side by side, one per thread; a BLAS with threads of its own would only fight with
   them, and its sums would depend on their number. */
static void set_one_thread(const pith_ctx *c, pithp_blas *b)
{
    enum { OPENMP_BUILD = 2 };
    void (*set)(int);
    int (*get)(void), (*parallel)(void);
    if (!find(b, "openblas_set_num_threads", &set) || !find(b, "openblas_get_num_threads", &get)) {
        pithp_log(c, PITH_LOG_WARN, "%s is not OpenBLAS: it may use threads of its own, and be slow",
                  b->file);
        return;
    }
    if (find(b, "openblas_get_parallel", &parallel) && parallel() == OPENMP_BUILD &&
        find(b, "omp_get_max_threads", &b->omp_get) && find(b, "omp_set_num_threads", &b->omp_set)) {
        b->gemm = gemm_openmp;
        return;
    }
    if (get() != 1)
        pithp_log(c, PITH_LOG_INFO, "BLAS %s had %d threads and is set to one", b->file, get());
    set(1);
}

static void describe(const pith_ctx *c, pithp_blas *b, const char *core)
{
    Dl_info at = { 0 };
    if (dladdr(b->fn, &at) && at.dli_fname)
        snprintf(b->file, sizeof b->file, "%s", at.dli_fname);
    ask_text(b, "openblas_get_corename", b->core, sizeof b->core);
    ask_text(b, "openblas_get_config", b->config, sizeof b->config);
    b->wide = strstr(b->config, "USE64BITINT");
    set_one_thread(c, b);
    pithp_log(c, PITH_LOG_DEBUG, "BLAS: %s, kernels %s", b->file, b->core);
    if (core && strcasecmp(core, b->core) != 0)
        pithp_log(c, PITH_LOG_WARN,
                  "BLAS %s runs its kernels for %s where %s was wanted: it was loaded before this "
                  "context, or its build has no such kernels",
                  b->file, b->core, core);
}

pith_status pithp_blas_open(pith_ctx *c, pithp_blas *b)
{
    *b = (pithp_blas){ .gemm = gemm_naive, .file = "none", .core = "naive", .config = "none" };
    const char *core = core_for(c);
#ifdef PITHP_BLAS_LINKED
    gemm_fn *fn = GEMM;
    memcpy(&b->fn, &fn, sizeof b->fn);
#else
    const char *file = getenv("PITH_BLAS");
    const char *const named[] = { file, NULL };
    const char *const *files = file && *file ? named : candidates;
    if (files == candidates && dlsym(RTLD_DEFAULT, "openblas_get_corename"))
        b->fn = dlsym(RTLD_DEFAULT, GEMM_NAME); /* the program is linked with an OpenBLAS */
    if (!b->fn) {
        for (int i = 0; !b->handle && files[i]; i++) /* an earlier context's */
            b->handle = dlopen(files[i], RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
        if (!b->handle)
            b->handle = load(files, core);
        if (b->handle)
            b->fn = dlsym(b->handle, GEMM_NAME);
        else if (files == candidates)
            b->fn = dlsym(RTLD_DEFAULT, GEMM_NAME); /* some other BLAS is better than none */
    }
    if (!b->fn) {
        pithp_blas_close(b);
        return pithp_error(c, PITH_ENOTFOUND,
                           "no BLAS library: %s cannot be opened or has no " GEMM_NAME
                           "; install OpenBLAS (Debian: apt install libopenblas0-pthread)%s",
                           files[0], files == named ? ", or correct the environment's PITH_BLAS" : "");
    }
#endif
    b->gemm = gemm_blas;
    describe(c, b, core);
    return PITH_OK;
}

/* Unloads the library with its last context: the next first one may then want other kernels. */
void pithp_blas_close(pithp_blas *b)
{
    if (b->handle)
        dlclose(b->handle);
    b->handle = b->fn = NULL;
    b->gemm = gemm_naive;
}
