/* pith/op.h: what an op is. pith's own ops and those of a program are made of the same descriptor.

   A program adds an op by filling a `pith_op` (a const struct that outlives the context) and calling
   pith_op_apply(); pith_op_register() lets models that use it be loaded from files. examples/custom_op.c shows it. */
#ifndef PITH_OP_H
#define PITH_OP_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PITH_OP_MAX_IN 10

/* One operand or the result of a call. */
typedef struct {
    pith_shape shape; /* with the number of samples of this run */
    pith_dtype dtype;
    void
        *data; /* values, row-major (pith_real for PITH_F32); in backward NULL unless the op's `reads` asks */
    pith_real
        *grad; /* backward only: of the result dL/dout, of an operand where dL/din goes; NULL: not wanted */
    bool grad_add;                 /* backward, operands: add to grad instead of writing it */
    const struct pithp_norm *norm; /* NULL but between fused steps of a plan: data is not yet normalised */
} pith_val;

typedef struct pith_op pith_op;

/* What forward and backward get. They cannot fail: whatever could was checked by `shape`. They must not write to
   operands' data, except those that the op declares as state. */
typedef struct {
    const pith_op *op;
    const void *attr;
    const char *name; /* of the node, for messages */
    int n_in;
    pith_val *in; /* [n_in]; an absent optional operand has data NULL and ndim 0 */
    pith_val out;
    void *aux;     /* lives from forward to backward; its size was asked for by `shape` */
    void *scratch; /* lives during this call */
    void *keep;    /* lives as long as the plan; NULL: `shape` asked for none */
    bool kept;     /* keep holds what an earlier forward put there */
    const void *env;
    bool train;    /* training plan: dropout drops, batch norm uses the batch */
    uint64_t seed; /* random numbers are functions of (seed, step, node) */
    uint64_t step;
    uint32_t node;
} pith_call;

/* What `shape` gets and fills in. It runs when the node is built, when a plan is made, and when a plan is bound to
   another number of samples; sizes must not shrink when the number of samples grows. */
typedef struct {
    pith_ctx *ctx;
    const pith_op *op;
    const void *attr;
    const char *name;
    int n_in;
    const pith_shape *in;
    const pith_dtype *in_dtype; /* of an absent operand: PITH_F32 with in[i].ndim -1 */
    bool train;
    uint32_t constant; /* bit i: operand i is a leaf whose values stay as they are at the plan's first run */
    int threads;
    pith_shape out;
    pith_dtype out_dtype;
    size_t aux, scratch, scratch_back, keep; /* bytes */
} pith_infer;

/* How an attribute struct is written to a model file: a table of its fields. */
typedef enum {
    PITH_ATTR_INT,
    PITH_ATTR_INT64,
    PITH_ATTR_REAL,
    PITH_ATTR_BOOL,
    PITH_ATTR_SHAPE
} pith_attr_kind;

typedef struct {
    const char *name;
    pith_attr_kind kind; /* int, int64_t, double, bool, pith_shape */
    size_t offset;
} pith_attr_field;

#define PITH_ATTR_END          \
    {                          \
        NULL, PITH_ATTR_INT, 0 \
    }

/* `reads` bits: what backward reads of the forward's values. */
#define PITH_READS_IN(i) (1u << (i))
#define PITH_READS_OUT   (1u << 31)

struct pith_op {
    const char *name;              /* unique, [a-z0-9_]+; stands in model files */
    int min_in, max_in;            /* operands; those from min_in on may be absent (NULL) */
    size_t attr_size;              /* 0: none */
    const pith_attr_field *fields; /* ends with PITH_ATTR_END; NULL: none */
    bool (*shape)(pith_infer *q);  /* all checks; false after pith_op_fail() */
    void (*forward)(const pith_call *k);
    void (*backward)(const pith_call *k); /* NULL: no gradient flows to the operands */
    int64_t (*macs)(
        const pith_infer *q); /* multiply-adds of the inferred call, for pith_model_info; NULL: none */
    uint32_t reads;           /* PITH_READS_* */
    uint32_t no_grad;         /* bit i: operand i never gets a gradient (labels, statistics) */
    uint32_t
        state; /* bit i: operand i is state that a training forward updates; never a result of an op, unless it has a gradient */
    uint32_t
        positive; /* bit i: operand i, where it is a parameter, stays above zero: after a step of an optimiser that
                          led below, its elements' signs are dropped, and none stays below 2^-14 of the greatest */
    const struct pithp_integer
        *integer; /* pith's own ops: their integer form (src/ops/integer.h); NULL: none */
    const struct pithp_channels
        *channels; /* pith's own ops: which channels go together (src/ops/channels.h); NULL: all stay */
    uint32_t
        by_sample; /* bit i: operand i may count samples in its first dimension, and then, in inference, each sample of
                           the result depends on that sample of the operands alone; plans run such ops sample by sample.
                           0: samples may mix */
    int alias;      /* 1 + i: the result is operand i's memory seen with another shape (reshape); 0: none */
    int grad_alias; /* 1 + i: dL/din(i) equals dL/dout, so the plan may let them share memory; 0: none. If it does,
                          in[i].grad is NULL in backward */
};

/* Builds a node. attr: attr_size bytes, copied; in: n_in operands of one graph, NULL for an absent optional one.
   name: NULL or a name for messages, taps and files.
   errors   recorded in the context; the result is then the poison tensor. Since 0.1. */
PITH_API pith_tensor *pith_op_apply(const pith_op *op, const void *attr, const char *name, int n_in,
                                    pith_tensor *const *in);

/* Makes an op known to this context, so that model files which name it can be loaded.
   errors   PITH_EINVAL: the name is taken or malformed. Since 0.1. */
PITH_API pith_status pith_op_register(pith_ctx *c, const pith_op *op);

/* The op of that name, pith's own or registered; NULL if there is none. Since 0.1. */
PITH_API const pith_op *pith_op_find(const pith_ctx *c, const char *name);

/* For `shape`: records "op NAME (node): message; operands [..] x [..]" and returns false. Since 0.1. */
PITH_API bool pith_op_fail(pith_infer *q, const char *fmt, ...) PITH_PRINTF(2, 3);

/* For forward and backward: calls fn(arg, tile, thread) for every tile, on the context's threads. Since 0.1. */
PITH_API void pith_op_parallel(const pith_call *k, int64_t tiles,
                               void (*fn)(void *arg, int64_t tile, int thread), void *arg);

#ifdef __cplusplus
}
#endif
#endif
