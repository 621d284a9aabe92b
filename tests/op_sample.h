/* tests/op_sample.h: how an op is tested. A sample builds its op on random operands and knows its naive twin;
   op_check.c puts every sample through the same checks. ops.def names each op's sample, so an op without one does
   not link. Random numbers are functions of (sample, case), so that a failing case comes again. */
#ifndef PITH_TESTS_OP_SAMPLE_H
#define PITH_TESTS_OP_SAMPLE_H

#include "graph/graph.h"
#include <pith/ops.h>

typedef struct op_sample op_sample;

/* How the operands of a case come about: each way the plan treats their gradients differently. */
typedef enum {
    OP_VIA_PARAM,  /* trainable leaves: gradients add up */
    OP_VIA_LEAF,   /* leaves that require a gradient */
    OP_VIA_RESULT, /* results of another op: the gradient is written, or shares memory */
    OP_VIA_SHARED, /* the same, but used once more: the gradient is added to what is there */
    OP_VIA_COUNT
} op_via;

typedef struct {
    const op_sample *sample;
    int index;
    bool big; /* shapes of many tiles, for the tests of threads */
    op_via via;
    pith_ctx *c;
    pithp_rand rng;
    pith_tensor *in[PITH_OP_MAX_IN], *fed[PITH_OP_MAX_IN]; /* leaves, and what the op was given */
    bool diff[PITH_OP_MAX_IN];                             /* its gradient is checked */
    pith_tensor *out, *loss; /* loss = sum w[0] out (+ sum w[1 + i] fed[i], OP_VIA_SHARED) */
    pith_tensor *w[PITH_OP_MAX_IN + 1];
    /* what build() chose, for twin() */
    pith_conv2d_cfg conv;
    pith_pool_cfg pool;
    pith_batch_norm_cfg bn;
    int64_t n[16];
    double f[4];
} op_case;

struct op_sample {
    const char *name;
    int cases;                         /* 0: OP_CASES */
    pith_tensor *(*build)(op_case *k); /* the op's result; poison or NULL only if memory ran out */
    /* The op's values from their definition, in double: y and the sum of the absolute terms of each. False: a training
       plan computes something random. */
    bool (*twin)(const op_case *k, bool train, double *y, double *terms);
    /* dL/din(i) as the op states it, where that is not the derivative: NULL for the others. */
    void (*surrogate)(const op_case *k, int i, double *grad);
    int bads;
    pith_tensor *(*bad)(op_case *k, int i); /* builds it on operands that do not fit */
    const pith_op *fused;                   /* must stand in the plan */
    bool train_only;                        /* ... of training alone */
};

#define OP_CASES 24

#define PITHP_OP(name, sample) extern const op_sample op_sample_##sample;
#include "ops/ops.def"
#undef PITHP_OP
extern const op_sample *const op_samples[];
extern const int op_samples_n;

/* ---- For build() ---- */
int64_t op_int(op_case *k, int64_t lo, int64_t hi);              /* lo <= i <= hi */
int64_t op_dim(op_case *k, int64_t lo, int64_t hi, int64_t big); /* a size; in big cases up to `big` */
double op_real(op_case *k, double lo, double hi);
pith_shape op_shape(op_case *k, int least, int most); /* of least to most dimensions */
/* Operand i with values in lo..hi; the tensor to give to the op. */
pith_tensor *op_input(op_case *k, int i, pith_shape s, double lo, double hi, bool diff);
pith_tensor *op_indices(op_case *k, int i, pith_shape s, int64_t lo, int64_t hi); /* int32 */
void op_avoid(op_case *k, int i, double kink); /* keeps operand i's values away from it */
void op_distinct(op_case *k, int i);           /* makes them differ by more than a check's step */

/* ---- For twin() ---- */
const pith_real *op_val(const op_case *k, int i);
pith_shape op_in_shape(const op_case *k, int i);

/* ---- Running ---- */
typedef struct {
    int threads;
    bool big;
    void *(*alloc)(void *user, size_t bytes);
    void (*release)(void *user, void *p);
    void *alloc_user;
} op_open_cfg;

/* Makes the context, the op and a scalar loss: the weighted sum of the op's values. */
bool op_open(op_case *k, const op_sample *s, int index, op_open_cfg cfg);
void op_close(op_case *k);
const char *op_text(const op_case *k); /* "conv2d case 3 (via result): f32 [..] ..." */
int op_case_count(const op_sample *s);
bool op_in_plan(const pith_plan *p, const pith_op *op);

#endif
