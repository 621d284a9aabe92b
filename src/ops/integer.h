/* ops/integer.h: how ops become integer ops. Each op's file says it in a `const pithp_integer`, which its descriptor points
   to; the pass that inserts fake_quant nodes and the lowering read nothing else of an op. */
#ifndef PITHP_OPS_INTEGER_H
#define PITHP_OPS_INTEGER_H

#include "graph/model.h"
#include "graph/qgraph.h"
#include "ops/fake_quant.h"
#include "ops/quant_point.h"

/* What scale the result has. */
typedef enum {
    PITHP_INT_NONE = 0, /* no integer form: `instead` is the nearest op that has one */
    PITHP_INT_OWN,      /* one of its own: a fake_quant follows */
    PITHP_INT_FIXED,    /* the contract's: `scale`, `zero` */
    PITHP_INT_SAME,     /* operand 0's */
    PITHP_INT_JOIN,     /* one that all operands share with the result */
    PITHP_INT_CLAMP,    /* joins the op before it as a bound of its result */
    PITHP_INT_PASS      /* nothing happens in inference */
} pithp_int_kind;

typedef struct pithp_lower pithp_lower;

/* A place where an integer op goes: an op and what joins it, up to the fake_quant behind. */
typedef struct {
    const pith_tensor *t;  /* the op's node */
    const pith_tensor *bn; /* folded_batch_norm behind it, or NULL */
    pithp_qact act;
    pithp_qparam out;
    int bits;
} pithp_site;

struct pithp_integer {
    pithp_int_kind kind;
    int weight;  /* operand that is the weights, 0: none; their bias is the next operand */
    int axis;    /* of the weights' channels */
    bool clamps; /* takes a clamp behind it */
    bool folds;  /* takes a batch norm behind it */
    bool rounds; /* PITHP_INT_SAME, but its results lie between the operand's values: a fake_quant follows */
    pithp_qact act; /* of a clamp */
    float scale;    /* fixed */
    int zero;
    const char *instead;
    /* Emits the integer op; gives its result's tensor id, PITHP_QNONE after an error. */
    int (*lower)(pithp_lower *l, const pithp_site *s);
    /* An op without weights: what its integer form computes, inside a plan of the float graph; NULL: no such step. */
    void (*exact)(const pithp_point *p);
    bool (*fits)(const pith_tensor *t); /* whether exact can do this node; NULL: any */
    /* An op that is several in integers: builds them on `in`, giving what stands between to quantize(). */
    pith_tensor *(*expand)(pith_tensor *const *in, pith_tensor *(*quantize)(void *pass, pith_tensor *y),
                           void *pass);
};
typedef struct pithp_integer pithp_integer;

/* ---- For the ops' `lower` ---- */
struct pithp_lower {
    pith_ctx *c;
    const pith_model *m;
    pithp_qgraph *g;
    int *q; /* [nodes] tensor id of each node's value; PITHP_QNONE: not there */
};

/* Tensor id of operand i; PITHP_QNONE after an error that names the layer. */
int pithp_lower_in(const pithp_lower *l, const pith_tensor *t, int i);
/* An op without weights on t's operands. */
int pithp_lower_plain(pithp_lower *l, const pithp_site *s, const pithp_qop *op, pithp_qattr attr);
/* An op with weights (fake_quant behind its operand `weight`) and bias. */
int pithp_lower_weighted(pithp_lower *l, const pithp_site *s, const pithp_qop *op, pithp_qattr attr);

/* Bias as int32 of scale S_in*S_w. False: it does not fit. */
bool pithp_bias_quantize(double bias, float scale, int32_t *q);

/* ---- The lowering ---- */
bool pithp_is_fake_quant(const pith_tensor *t);
bool pithp_fq_of_activation(const pith_tensor *t); /* fake_quant with one scale, of samples */
const pith_tensor *
pithp_grid_of(const pith_tensor *t); /* the fake_quant node whose grid t's value lies on; NULL: none */
bool pithp_model_quantized(const pith_model *m); /* holds fake_quant nodes */

/* The values that the fake_quant node f of weights gives: whatever stands before it (folding, masks) has its say. As many as f
   has elements, freed with pithp_free; NULL after an error. */
pith_real *pithp_fq_weight_values(pith_ctx *c, const pith_tensor *f);

/* The integer graph of a model with fake_quant nodes: scales and zero points are read off these and nothing else. One input
   and one output, int8. NULL after an error that names the layer. The graph is the context's; free it early. */
pithp_qgraph *pithp_lower_model(const pith_model *m);

#endif
