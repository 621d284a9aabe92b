/* graph/qgraph.h: the integer graph: what runs, what is exported, what accuracy is reported of.

   A list of integer ops in the order they run, over quantized tensors; an op's operands stand before it. It is built by
   lowering a float graph or by hand:

       pithp_qgraph *g = pithp_qgraph_new(c, "net");
       int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 96, 96, 3), (pithp_qparam){ 1.0f / 128, 0 });
       int w = pithp_q_const(g, "stem/w", PITH_I8, PITH_SHAPE(16, 3, 3, 3), sw, 16, 0, 0, weights);   scales along axis 0
       int b = pithp_q_const(g, "stem/b", PITH_I32, PITH_SHAPE(16), sb, 16, 0, 0, bias);              sb[k] = 1/128 * sw[k]
       int y = pithp_q_op(g, &pithp_qop_conv2d, "stem", (int[]){ x, w, b }, 3,
                          &(pithp_qattr){ .stride = { 2, 2 }, .pad = { 0, 1, 0, 1 }, .act = PITHP_QRELU6 },
                          (pithp_qparam){ 6.0f / 255, -128 });
       pithp_q_output(g, y);

   A builder checks everything; the first failure stays in the context, names the layer, and gives PITHP_QNONE, which
   other builders pass on. Nothing switches on an op's kind outside its file: a consumer that must (an exporter) has a
   table keyed by the descriptor. Everything is owned by the graph, the graph by the context. */
#ifndef PITHP_QGRAPH_H
#define PITHP_QGRAPH_H

#include "base/base.h"
#include "kernels/int8/kernels.h"

enum { PITHP_QNONE = -1, PITHP_QMAX_IN = 10 };

/* r = scale * (q - zero). */
typedef struct {
    float scale;
    int32_t zero;
} pithp_qparam;

/* Activation fused into an op as bounds of its result. */
typedef enum { PITHP_QLINEAR = 0, PITHP_QRELU, PITHP_QRELU6, PITHP_QRELU_N1 } pithp_qact;

typedef struct {
    int id, node; /* node that computes it; -1: an input or a constant */
    const char *name;
    pith_dtype dtype;  /* PITH_I8, PITH_I32 (biases), PITH_F32 (before quantize, after dequantize) */
    pith_shape shape;  /* of activations: first dimension 1, one sample */
    int n_scale, axis; /* scales: one, or one for each index along `axis`; none for PITH_F32 */
    float one;         /* where one scale lies */
    int32_t zero;
    const float *scale;
    const void *data; /* constants; else NULL */
} pithp_qtensor;

/* Attributes of all ops; each reads its own. Zeros are the defaults. */
typedef struct {
    int64_t stride[2], dilation[2]; /* rows, columns; 0: 1 */
    int64_t kernel[2];              /* pooling window */
    int64_t pad[6]; /* rows above, below, columns left, right. Pad op: [2i], [2i+1] of dimension i+1 */
    int64_t groups; /* conv2d; 0: 1 */
    pithp_qact act;
    int bits;            /* of the result, 2 to 8; 0: 8. Fewer than 8 bound it as an activation does */
    int axis;            /* concat, softmax: 0 means the last one */
    double beta;         /* softmax; 0: 1 */
    pith_shape shape;    /* reshape: wanted shape, [1,...]; mean: unused */
    bool keep_dims;      /* mean: [1,1,1,C] instead of [1,C] */
    const int8_t *table; /* table: [256] results of -128, -127, ... 127; the builder copies them */
} pithp_qattr;

typedef struct pithp_qop pithp_qop;
typedef struct pithp_qgraph pithp_qgraph;

typedef struct {
    const pithp_qop *op;
    const char *name;
    int n_in, in[PITHP_QMAX_IN], out;
    pithp_qattr attr;
    int32_t lo, hi; /* bounds of the result, from attr.act, its scale and zero point */
    void *prep;     /* multipliers and whatever else prepare() computed */
} pithp_qnode;

/* One call of an op on one sample, or on part of one. */
typedef struct {
    const pithp_qnode *node;
    const void *in[PITHP_QMAX_IN];
    void *out;
    void *pack;    /* what pack() made of the weights; NULL: the reference runs */
    void *scratch; /* of one thread */
    const struct pithp_ikern *kern;
    bool single; /* one rounding: the reference only */
} pithp_qcall;

struct pithp_qop {
    const char *name;   /* TFLite's: "CONV_2D" */
    int min_in, max_in; /* operands */
    uint32_t inplace;   /* bit i: the result may lie where operand i does */
    bool free_scale;    /* the result may have none (float32) */
    bool same_scale; /* the result keeps operand 0's scale and zero point: the builder's `out` is ignored */
    /* Checks operands and attributes, sets out->shape (and dtype, if not PITH_I8), fills node->prep. Errors by pithp_q_error. */
    pith_status (*prepare)(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out);
    int64_t (*rows)(const pithp_qgraph *g, const pithp_qnode *n); /* independent pieces of the result */
    void (*run)(const pithp_qcall *k, int64_t row0,
                int64_t row1); /* uses kern's twin where pack and kern allow */
    int64_t (*macs)(const pithp_qgraph *g, const pithp_qnode *n); /* NULL: none */
    /* Weights as the kernel set wants them; *bytes stays 0 where it has no twin for this node. With to == NULL only
       sizes are computed. NULL: nothing to pack. */
    void (*pack)(const pithp_qgraph *g, const pithp_qnode *n, const struct pithp_ikern *kern, void *to,
                 size_t *bytes, size_t *scratch);
};

/* What building an op does: all; only check, what nothing but a run needs is left out; or only compute what a run with the
   reference kernels and two roundings needs, since the same op was checked before. For running a file op by op
   (deploy/rt_steps.c). */
typedef enum { PITHP_QCARE_ALL = 0, PITHP_QCARE_CHECK, PITHP_QCARE_RUN } pithp_qcare;

struct pithp_qgraph {
    pithp_obj obj;
    pith_ctx *ctx;
    char *name;
    pithp_qtensor **tensors;
    pithp_qnode **nodes;
    int n_tensors, n_nodes;
    size_t cap_tensors, cap_nodes;
    int *inputs, *outputs;
    int n_inputs, n_outputs;
    size_t cap_inputs, cap_outputs;
    bool
        borrow; /* names, scales and data are the caller's, and outlive the graph: set right after it is made */
    pithp_qcare care; /* set likewise */
    bool failed;
};

/* ---- Building --------------------------------------------------------------------------------------------------------*/
pithp_qgraph *pithp_qgraph_new(pith_ctx *c, const char *name); /* NULL: no memory */
void pithp_qgraph_free(pithp_qgraph *g);                       /* early; the context does it otherwise */
int pithp_q_input(pithp_qgraph *g, const char *name, pith_dtype dtype, pith_shape shape, pithp_qparam q);
/* A tensor that is computed outside of this graph: an operand without an input's checks. */
int pithp_q_given(pithp_qgraph *g, const char *name, pith_dtype dtype, pith_shape shape, pithp_qparam q);
/* Copies scales and data (but where the graph borrows them). `axis` counts only where n_scale > 1; n_scale 0 for PITH_F32. */
int pithp_q_const(pithp_qgraph *g, const char *name, pith_dtype dtype, pith_shape shape, const float *scale,
                  int n_scale, int axis, int32_t zero, const void *data);
/* `in` may end in PITHP_QNONE for an absent bias (then give n one smaller). attr NULL: all defaults. */
int pithp_q_op(pithp_qgraph *g, const pithp_qop *op, const char *name, const int *in, int n,
               const pithp_qattr *attr, pithp_qparam out);
pith_status pithp_q_output(pithp_qgraph *g, int t);

/* ---- Asking ----------------------------------------------------------------------------------------------------------*/
static inline const pithp_qtensor *pithp_q_tensor(const pithp_qgraph *g, int t) { return g->tensors[t]; }
static inline const pithp_qtensor *pithp_q_in(const pithp_qgraph *g, const pithp_qnode *n, int i)
{
    return i < n->n_in ? g->tensors[n->in[i]] : NULL;
}
static inline const pithp_qtensor *pithp_q_out(const pithp_qgraph *g, const pithp_qnode *n)
{
    return g->tensors[n->out];
}
int pithp_q_find(const pithp_qgraph *g, const char *name); /* tensor of that name, or PITHP_QNONE */
int64_t pithp_q_macs(const pithp_qgraph *g);               /* of one sample */
size_t pithp_q_bytes(const pithp_qgraph *g);               /* of all constants */

/* ---- For the ops' files ------------------------------------------------------------------------------------------------*/
/* Records "layer NAME (CONV_2D): ..." and gives the code back. */
pith_status pithp_q_error(const pithp_qgraph *g, const pithp_qnode *n, pith_status code, const char *fmt, ...)
    PITH_PRINTF(4, 5);
/* Pieces of ops whose result's elements do not depend on each other: rows of the second dimension; one if flat. */
int64_t pithp_q_rows(const pithp_qgraph *g, const pithp_qnode *n);
int64_t pithp_q_row(const pithp_qtensor *out); /* elements of such a piece */
void *pithp_q_prep(pithp_qgraph *g, pithp_qnode *n,
                   size_t bytes); /* sets and gives node->prep; NULL: no memory */
pith_status pithp_q_want(const pithp_qgraph *g, const pithp_qnode *n, int i,
                         int ndim); /* int8, so many dimensions */
/* Does n hold its result to fewer than 8 bits, where its activation alone would not? Formats that know no such bounds cannot say it. */
bool pithp_q_bounded(const pithp_qgraph *g, const pithp_qnode *n);
#define PITHP_Q_BOUNDED                                                                                     \
    "its activations have fewer than 8 bits, and the format cannot bound them; C source can (--format c), " \
    "or quantize with 8"

/* The factor `real`, after checking that it is finite, positive and that bound * real stays inside 32 bits where the
   contract computes it. `bound`: the largest number that will be scaled; k >= 0 names the channel. */
pith_status pithp_q_fixed(const pithp_qgraph *g, const pithp_qnode *n, int64_t k, double real, int64_t bound,
                          pithp_fixed *f);
/* Factors and worst sums of a weighted layer: node->in[1] weights (channels along `axis`, `per` elements each, reached by
   stride), in[2] bias. Factors are S_in * S_w[k] / S_out; form_float: the product is formed in float, as TFLite does for dense
   layers with one scale. The worst sum is 0 where the graph cares for running only. */
pith_status pithp_q_weights(const pithp_qgraph *g, const pithp_qnode *n, const pithp_qtensor *out, int axis,
                            bool form_float, pithp_fixed *scale, int64_t *worst);

/* ---- The ops (src/graph/int8/) -----------------------------------------------------------------------------------------
   Operands, attributes, and what is particular. x, y: int8 [1,H,W,C] unless told. */
extern const pithp_qop
    pithp_qop_conv2d; /* x, w [K,R,S,C/groups], bias [K]: stride, dilation, pad, groups, act */
extern const pithp_qop
    pithp_qop_depthwise; /* x, w [1,R,S,K], K a multiple of C, bias [K]: stride, dilation, pad, act */
extern const pithp_qop pithp_qop_dense; /* x [1,...] with I elements, w [O,I], bias [O]: act. y [1,O] */
extern const pithp_qop
    pithp_qop_add; /* a, b: act. b like a, or one number, or one for each index of a's last */
extern const pithp_qop pithp_qop_sub; /* dimension, and then perhaps a constant */
extern const pithp_qop pithp_qop_mul;
extern const pithp_qop pithp_qop_mean; /* x, over H and W: keep_dims. y [1,C] or [1,1,1,C] */
extern const pithp_qop
    pithp_qop_avgpool; /* x: kernel, stride, pad, act; keeps x's scale. Padding does not count */
extern const pithp_qop pithp_qop_maxpool;
extern const pithp_qop pithp_qop_pad;        /* x: pad, by x's zero point; keeps x's scale */
extern const pithp_qop pithp_qop_concat;     /* up to ten, all of one scale: axis */
extern const pithp_qop pithp_qop_reshape;    /* x: shape */
extern const pithp_qop pithp_qop_relu;       /* x any shape; rescales */
extern const pithp_qop pithp_qop_relu6;      /* x any shape; keeps x's scale, as TFLite Micro's does */
extern const pithp_qop pithp_qop_logistic;   /* y must be { 1/256, -128 } */
extern const pithp_qop pithp_qop_tanh;       /* y must be { 1/128, 0 } */
extern const pithp_qop pithp_qop_hard_swish; /* x any shape */
extern const pithp_qop pithp_qop_softmax;    /* over the last dimension: beta. y must be { 1/256, -128 } */
extern const pithp_qop pithp_qop_table;      /* x any shape: table */
extern const pithp_qop pithp_qop_quantize;   /* x float32, or int8 to be rescaled */
extern const pithp_qop pithp_qop_dequantize; /* y float32 */

#endif
