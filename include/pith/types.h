/* pith/types.h: element types, shapes and status codes shared by every public header. */
#ifndef PITH_TYPES_H
#define PITH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PITH_API                __attribute__((visibility("default")))
#define PITH_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define PITH_API
#define PITH_PRINTF(fmt, first)
#endif

#define PITH_VERSION "0.1.0"

/* The element type of PITH_F32 tensors. It is float. It is double only in the library that the gradient
   checks link, where the same sources are compiled a second time with PITH_REAL_IS_DOUBLE. */
#ifdef PITH_REAL_IS_DOUBLE
typedef double pith_real;
#else
typedef float pith_real;
#endif

/* What a call came to. Zero is success; pith_error_text() has the sentence. */
typedef enum {
    PITH_OK = 0,
    PITH_EINVAL,    /* an argument or option is wrong */
    PITH_ESHAPE,    /* operand shapes do not fit the op */
    PITH_ENOMEM,    /* memory ran out */
    PITH_EIO,       /* the system refused a read or a write (full disk, no permission, ...) */
    PITH_EFORMAT,   /* a file is not what it claims to be */
    PITH_ENOTFOUND, /* a name, file or folder is not there */
    PITH_ESTALE,    /* a plan is older than the graph it was made from */
    PITH_ENAN,      /* a value that had to be finite is not */
    PITH_EDATA,     /* a data set is unusable: too many bad files, one class, nothing in it */
    PITH_ESTOPPED,  /* stopped on request (Ctrl-C); the state was saved */
    PITH_EBUG       /* pith contradicts itself: please report it */
} pith_status;

typedef enum { PITH_F32 = 0, PITH_I32, PITH_U8, PITH_I8 } pith_dtype;

#define PITH_MAX_DIMS 6

/* Sizes of a tensor, slowest first: [N,H,W,C] for images. ndim 0 is a scalar. */
typedef struct {
    int ndim;
    int64_t d[PITH_MAX_DIMS];
} pith_shape;

/* PITH_SHAPE(64, 3) is a pith_shape of two dimensions; PITH_SCALAR one of none. */
#define PITH_SHAPE(...) \
    ((pith_shape){ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } })
#define PITH_SCALAR ((pith_shape){ 0, { 0 } })

/* In a *_cfg struct zero means "the default". A real zero is written PITH_ZERO (floating-point fields). */
#define PITH_ZERO            (-0x1p-1000)
#define PITH_OR(value, dflt) ((value) == 0 ? (dflt) : (value) == PITH_ZERO ? 0 : (value))

typedef struct pith_ctx pith_ctx;       /* owns everything made from it */
typedef struct pith_tensor pith_tensor; /* a leaf or the result of an op */
typedef struct pith_plan pith_plan;     /* a graph laid out in memory, ready to run */
typedef struct pith_model pith_model;   /* a graph with one input and one output, and its weights */

#ifdef __cplusplus
}
#endif
#endif
