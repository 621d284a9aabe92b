/* deploy/c/emit.h: the integer graph as C source. Each op has a row; an op without one is refused by name. A row is asked
   twice: `plan` says what the layer needs (constants, memory, kernels), and once the memory is laid out, `call` writes
   the statements that run it. The kernels are the files of deploy/c/target, whole. */
#ifndef PITHP_C_EMIT_H
#define PITHP_C_EMIT_H

#include "deploy/c/text.h"
#include "graph/qplan.h"

/* Kernel texts, in the order they stand in a source; bit i of a row's `uses`. */
enum {
    PITHP_C_COMMON,
    PITHP_C_COPY,
    PITHP_C_UNPACK,
    PITHP_C_SIMD,
    PITHP_C_LAYER,
    PITHP_C_MATMUL,
    PITHP_C_POSITIONS,
    PITHP_C_POINTWISE,
    PITHP_C_SPARSE,
    PITHP_C_CONV,
    PITHP_C_DEPTHWISE,
    PITHP_C_DEPTHWISE_SAME,
    PITHP_C_DEPTHWISE_MANY,
    PITHP_C_DEPTHWISE_RUN,
    PITHP_C_POOL,
    PITHP_C_AVGPOOL,
    PITHP_C_MAXPOOL,
    PITHP_C_MEAN,
    PITHP_C_ARITH,
    PITHP_C_ADD,
    PITHP_C_MUL,
    PITHP_C_TABLE,
    PITHP_C_PAD,
    PITHP_C_CONCAT,
    PITHP_C_SOFTMAX,
    PITHP_C_CMSIS,
    PITHP_C_CMSIS_CONV,
    PITHP_C_CMSIS_DEPTHWISE,
    PITHP_C_CMSIS_DENSE,
    PITHP_C_CMSIS_ADD,
    PITHP_C_CMSIS_MUL,
    PITHP_C_KERNELS
};
#define PITHP_C_BIT(k) (UINT32_C(1) << PITHP_C_##k)

/* An array of the model's constants: int32 or int8, written as WEIGHTS.KIND_NODE. */
typedef struct {
    char kind;
    int node;
    size_t count, size;
    void *data;
} pithp_c_const;

typedef struct {
    const pithp_qgraph *g;
    pith_ctx *c;
    pith_status status;
    uint32_t uses;
    pithp_c_const *consts;
    size_t n_consts, cap_consts;
    size_t *scratch, *scratch_at; /* [nodes] */
    size_t *offset;               /* [tensors] */
    size_t ram, flash;            /* of the arena; of all constants */
    bool packed;
    bool cmsis;         /* with calls of Arm's CMSIS-NN (cmsis.c) */
    size_t ram_weights; /* of packed weights, unpacked */
    bool hard;          /* some weighted layer needs the general end of a sum (target/simd.inc) */
    pithp_text body;
} pithp_c_emit;

typedef struct {
    const pithp_qop *op;
    void (*plan)(pithp_c_emit *e, int node);
    void (*call)(pithp_c_emit *e, int node);
    bool (*can)(const pithp_c_emit *e, int node); /* NULL: always */
} pithp_c_row;

extern const pithp_c_row pithp_c_rows[], pithp_c_cmsis_rows[];
extern const size_t pithp_c_rows_n, pithp_c_cmsis_rows_n;

/* Constants, kernels and memory of the whole graph: fills flash and ram. packed: weights are packed, and unpacked into RAM;
   cmsis: layers that CMSIS-NN can compute are calls of it. Freed by pithp_c_end, also after a failure. */
pith_status pithp_c_begin(const pithp_qgraph *g, bool packed, bool cmsis, pithp_c_emit *e);
void pithp_c_end(pithp_c_emit *e);

/* ---- For rows ---- */
void pithp_c_refuse(pithp_c_emit *e, int node, const char *why);
/* A constant of `count` numbers; its memory, zeroed, to be filled, or NULL. */
void *pithp_c_add(pithp_c_emit *e, char kind, int node, size_t count, size_t size);
/* How the statements name node's operand i or result: "A+128", or a constant. */
const char *pithp_c_operand(const pithp_c_emit *e, int node, int i, char text[48]);
const char *pithp_c_result(const pithp_c_emit *e, int node, char text[48]);
/* A factor's shift as the kernels have it. */
int pithp_c_shift(pithp_fixed f);
/* Operands that are constants, as constants of kind 'c'. */
void pithp_c_constant_operands(pithp_c_emit *e, int node);
/* Statements: a pith_arith called v, its shifts by `shift`; p, q, window, strides, dilations and paddings of a variable v. */
void pithp_c_put_arith(pithp_c_emit *e, int node, const pithp_iarith *v, int (*shift)(pithp_fixed f));
void pithp_c_put_window(pithp_text *t, const pithp_iconv *v);
/* A variable v of a struct `type` with these and weights, biases, factors, sizes; shift: the kind of its shifts' constant. */
void pithp_c_put_filter(pithp_c_emit *e, int node, const char *type, char shift);

/* Packed weights (packed.c): the constants of kind 'w' as one, and the function NAME_unpack. */
void pithp_c_pack(pithp_c_emit *e);
void pithp_c_put_unpack(const pithp_c_emit *e, const char *id, pithp_text *t);

/* Convolutions and dense layers (layers.c) */
void pithp_c_plan_conv(pithp_c_emit *e, int node);
void pithp_c_call_conv(pithp_c_emit *e, int node);
bool pithp_c_pointwise(
    const pithp_iconv *v); /* a matrix product over all positions, with nothing to gather */
void pithp_c_plan_depthwise(pithp_c_emit *e, int node);
void pithp_c_call_depthwise(pithp_c_emit *e, int node);

/* Lists of weights that are not zero (sparse.c): whether node is better so, and its constant, room and kernel; its factors and
   biases are those of any convolution. */
bool pithp_c_is_sparse(const pithp_c_emit *e, int node);
void pithp_c_plan_sparse(pithp_c_emit *e, int node);

#endif
