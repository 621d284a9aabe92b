/* base/blas.c: OpenBLAS, opened at run time.

   OpenBLAS chooses its kernels when it is loaded, from a list of processors that ends with its own
   release; on a newer one it may fall back to its oldest kernels, a quarter of the speed. Only the
   environment can tell it better, and only before it is loaded. So it is not linked but opened at the
   first context, with OPENBLAS_CORETYPE chosen from the processor's features and OPENBLAS_NUM_THREADS=1
   (its pthread build would start its threads at once), and the environment is as before afterwards.

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
/* Loading with two variables set. Nothing in C makes setenv safe against a getenv in another thread;
   contexts made at once in two threads are at least kept apart, by the library's one lock. */
typedef struct {
    const char *name;
    char *old;
} variable;

static bool variable_set(variable *v, const char *value)
{
    const char *old = getenv(v->name);
    if (old && !(v->old = strdup(old)))
        return false;
    return !setenv(v->name, value, 1);
}

static void variable_restore(variable *v)
{
    if (v->old)
        setenv(v->name, v->old, 1);
    else
        unsetenv(v->name);
    free(v->old);
}

static void *load(const char *const *files, const char *core, int mode)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    variable vars[] = { { "OPENBLAS_NUM_THREADS", NULL }, { "OPENBLAS_CORETYPE", NULL } };
    const char *values[] = { "1", core };
    void *handle = NULL;
    pthread_mutex_lock(&lock);
    bool ready = true;
    size_t set = 0;
    while (ready && set < PITHP_LEN(vars) && values[set]) {
        ready = variable_set(&vars[set], values[set]);
        set += ready;
    }
    for (int i = 0; ready && !handle && files[i]; i++)
        handle = dlopen(files[i], mode);
    while (set--)
        variable_restore(&vars[set]);
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
    if (core && strcasecmp(core, b->core))
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
        b->handle = load(files, core, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD); /* an earlier context's */
        if (!b->handle)
            b->handle = load(files, core, RTLD_LAZY | RTLD_LOCAL);
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
