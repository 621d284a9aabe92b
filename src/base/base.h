/* base/base.h: floor 0. The context's insides, errors, memory, random numbers, threads, files. */
#ifndef PITHP_BASE_H
#define PITHP_BASE_H

#include <pith/ctx.h>
#include <stdarg.h>
#include <stdio.h>

#ifdef PITH_REAL_IS_DOUBLE
#define PITHP_R(x) x
#else
#define PITHP_R(x) x##f
#endif

#define PITHP_LEN(a)    (sizeof(a) / sizeof((a)[0]))
#define PITHP_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PITHP_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- Objects that a context owns -------------------------------------------------------------------------
   An owned object begins with a pithp_obj. pith_ctx_free calls `destroy` on all of them, newest first. */
typedef struct pithp_obj {
    struct pithp_obj *next, *prev;
    void (*destroy)(pith_ctx *c, struct pithp_obj *o); /* frees the object itself too */
} pithp_obj;

void pithp_own(pith_ctx *c, pithp_obj *o, void (*destroy)(pith_ctx *, pithp_obj *));
void pithp_disown(pith_ctx *c, pithp_obj *o);  /* unlinks without destroying */
void pithp_destroy(pith_ctx *c, pithp_obj *o); /* unlinks and destroys; NULL is allowed */
void pithp_ring_open(pith_ctx *c);             /* of a context that is being made: nothing is owned */
void pithp_ring_close(pith_ctx *c);            /* destroys all that is owned, newest first */

/* ---- Instruction sets --------------------------------------------------------------------------------------*/
typedef enum { PITHP_ISA_BASE = 0, PITHP_ISA_AVX2, PITHP_ISA_AVX512, PITHP_ISA_COUNT } pithp_isa;

pithp_isa pithp_isa_cpu(void);             /* the most the processor we run on has */
bool pithp_isa_vnni(void);                 /* has AVX-512's dot products of bytes? Only integer kernels ask */
bool pithp_isa_built(pithp_isa isa);       /* compiled into this library? */
pithp_isa pithp_isa_best(void);            /* the most that holds of both */
const char *pithp_isa_name(pithp_isa isa); /* "base", "avx2", "avx512" */
int pithp_isa_parse(const char *name);     /* -1 if unknown */

/* ---- BLAS, opened at run time (blas.c says why) ------------------------------------------------------------
   Row-major C[m,n] = alpha * op(A)[m,k] * op(B)[k,n] + beta * C; always single-threaded. */
typedef struct pithp_blas {
    void (*gemm)(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pith_real alpha, const pith_real *a,
                 int64_t lda, const pith_real *b, int64_t ldb, pith_real beta, pith_real *c, int64_t ldc,
                 const struct pithp_blas *self);
    void *fn;     /* cblas_sgemm (cblas_dgemm in the double build) */
    void *handle; /* of dlopen */
    bool wide;    /* its integers are 64 bits long (a program linked with libopenblas64) */
    void (*omp_set)(
        int); /* OpenBLAS's OpenMP build obeys the calling thread's OpenMP setting only; else NULL */
    int (*omp_get)(void);
    char file[128], core[64], config[256];
} pithp_blas;

pith_status pithp_blas_open(pith_ctx *c, pithp_blas *b);
void pithp_blas_close(pithp_blas *b);

struct pith_ctx {
    pith_ctx_cfg cfg;
    pithp_obj owned; /* sentinel of the ring of owned objects */
    pith_status status;
    char error[1024], where[128];
    int threads;
    pithp_isa isa;
#ifndef PITHP_SMALL
    pithp_blas blas;
#endif
    uint64_t allocations;
    size_t bytes, bytes_peak;
    void *graph; /* the bare tensor engine's graph: floor 2's, owned through `owned` */
};

/* ---- Errors ------------------------------------------------------------------------------------------------
   Records the first error and returns its code. A message names the file, layer or option, what was wrong,
   what was expected, and what to do. */
#ifdef PITHP_SMALL /* libpith-rt does without the place in our sources */
pith_status pithp_error(pith_ctx *c, pith_status code, const char *fmt, ...) PITH_PRINTF(3, 4);
#else
#define pithp_error(c, code, ...) pithp_error_at((c), (code), __FILE__, __LINE__, __VA_ARGS__)
pith_status pithp_error_at(pith_ctx *c, pith_status code, const char *file, int line, const char *fmt, ...)
    PITH_PRINTF(5, 6);
#endif
#define pithp_nomem(c, what) pithp_error((c), PITH_ENOMEM, "out of memory for %s", (what))
void pithp_log(const pith_ctx *c, pith_log_level level, const char *fmt, ...) PITH_PRINTF(3, 4);

/* ---- Memory ------------------------------------------------------------------------------------------------
   All zeroed, all 64-byte aligned, counted in the context. NULL with PITH_ENOMEM recorded on failure or overflow. */
void *pithp_alloc(pith_ctx *c, size_t n, size_t size);
void *pithp_realloc(pith_ctx *c, void *p, size_t n,
                    size_t size);      /* new bytes zeroed; p stays valid on failure */
void pithp_free(pith_ctx *c, void *p); /* NULL is allowed */
char *pithp_strdup(pith_ctx *c, const char *s);
char *pithp_sprintf(pith_ctx *c, const char *fmt, ...) PITH_PRINTF(2, 3);
#define PITHP_NEW(c, type)      ((type *)pithp_alloc((c), 1, sizeof(type)))
#define PITHP_NEW_N(c, type, n) ((type *)pithp_alloc((c), (size_t)(n), sizeof(type)))

/* Grows an array of `size`-byte elements so that index n exists; *cap is in elements. False: PITH_ENOMEM recorded. */
bool pithp_grow(pith_ctx *c, void *pp, size_t *cap, size_t n, size_t size);

static inline bool pithp_mul_over(size_t a, size_t b, size_t *r) { return __builtin_mul_overflow(a, b, r); }
static inline bool pithp_add_over(size_t a, size_t b, size_t *r) { return __builtin_add_overflow(a, b, r); }

/* ---- Shapes ------------------------------------------------------------------------------------------------*/
int64_t pithp_count(pith_shape s);                 /* product of the sizes; 1 for a scalar */
bool pithp_count_ok(pith_shape s, int64_t *count); /* false: a size <= 0, or the product exceeds 2^40 */
bool pithp_shape_eq(pith_shape a, pith_shape b);
const char *pithp_shape_text(pith_shape s, char buf[96]); /* "[64,96,96,3]" */
size_t pithp_dtype_size(pith_dtype t);
const char *pithp_dtype_name(pith_dtype t);

/* ---- Small numbers ----------------------------------------------------------------------------------------*/
uint16_t pithp_half_from(float f); /* IEEE binary16: to nearest, ties to even; NaNs become quiet */
float pithp_half_to(uint16_t h);   /* exact */

/* n codes of `bits` bits (1 to 8), lowest bit first, and the bytes they take. Higher bits of a code are left out. */
size_t pithp_bits_bytes(size_t n, int bits);
void pithp_bits_pack(const uint8_t *codes, size_t n, int bits, uint8_t *packed);
void pithp_bits_unpack(const uint8_t *packed, size_t n, int bits, uint8_t *codes);

/* ---- Random numbers: Philox 4x32-10 ------------------------------------------------------------------------
   A small stream that is a function of its key alone: (seed, epoch, sample, use). Salmon et al., "Parallel random
   numbers: as easy as 1, 2, 3", SC 2011. */
typedef enum {
    PITHP_USE_INIT = 1, /* parameter initialisation; sample = a hash of the parameter's name */
    PITHP_USE_SHUFFLE,
    PITHP_USE_CROP,
    PITHP_USE_FLIP,
    PITHP_USE_COLOUR,
    PITHP_USE_DROPOUT, /* + node id in the high bits of sample */
    PITHP_USE_SPLIT,
    PITHP_USE_MIX,
    PITHP_USE_OTHER,
    PITHP_USE_CLUSTER,      /* first centres of k-means; epoch = which start */
    PITHP_USE_DROP_CONNECT, /* as PITHP_USE_DROPOUT */
    PITHP_USE_ROTATE,
    PITHP_USE_ERASE,
    PITHP_USE_MIX_BATCH, /* sample = the batch's number in its epoch */
    PITHP_USE_PRUNE      /* scores of units at random; sample = a hash of the layer's name */
} pithp_use;

typedef struct {
    uint32_t key[2], ctr[4], out[4];
    int left;
} pithp_rand;

void pithp_philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4]);
pithp_rand pithp_rand_at(uint64_t seed, uint32_t epoch, uint64_t sample, uint32_t use); /* use < 2^16 */
uint32_t pithp_rand_u32(pithp_rand *r);
double pithp_rand_uniform(pithp_rand *r);                 /* [0,1) */
double pithp_rand_normal(pithp_rand *r);                  /* mean 0, deviation 1 */
uint64_t pithp_rand_below(pithp_rand *r, uint64_t bound); /* [0,bound), unbiased */
uint64_t pithp_hash64(const void *p, size_t n);           /* FNV-1a finished by a mixer: names, file splits */

/* ---- Threads -----------------------------------------------------------------------------------------------
   Calls fn(arg, tile, thread) once for each tile 0..tiles-1; tiles are claimed dynamically; 0 <= thread < threads.
   The only place with OpenMP. Results must not depend on `thread` but through scratch memory. */
void pithp_parallel(int threads, int64_t tiles, void (*fn)(void *arg, int64_t tile, int thread), void *arg);
int pithp_cpu_count(void); /* processors this process may run on */

/* ---- Files -------------------------------------------------------------------------------------------------
   A save is: write beside, fsync, rename, fsync the folder. A failure at any moment leaves the old file. */
typedef struct {
    FILE *f;
    char *path, *temp;
} pithp_save;

pith_status pithp_save_begin(pith_ctx *c, pithp_save *s, const char *path);
pith_status pithp_save_write(pith_ctx *c, pithp_save *s, const void *p, size_t n);
pith_status pithp_save_commit(pith_ctx *c, pithp_save *s,
                              bool keep_previous); /* previous goes to PATH.prev */
/* All of it at once, n bytes. */
pith_status pithp_file_write(pith_ctx *c, const char *path, const void *p, size_t n);
void pithp_save_abort(pith_ctx *c, pithp_save *s); /* also after a failed write or commit; twice is allowed */

/* A whole file, read-only, memory-mapped. */
typedef struct {
    const uint8_t *p;
    size_t n;
    int fd;
} pithp_map;

pith_status pithp_map_open(pith_ctx *c, pithp_map *m, const char *path);
void pithp_map_close(pithp_map *m); /* twice is allowed */
pith_status pithp_mkdirs(pith_ctx *c, const char *path);

uint32_t pithp_crc32(uint32_t crc, const void *p, size_t n); /* IEEE; start with 0 */

#endif
