/* deploy/onnx/int8_emit.h: the integer graph's way into an ONNX file, as QuantizeLinear and DequantizeLinear around float
   operators (QDQ), which ONNX Runtime and others fuse into integer operators: every operand of an operator goes through a
   DequantizeLinear of its own, every result through one QuantizeLinear.

   Activations and weights are written as uint8, 128 more than ours: that is the same arithmetic. ONNX Runtime's x86 build fuses
   int8 activations only behind a session option, and sums up int8 weights with saturation where the processor lacks dot
   products of bytes.

   Names: a tensor's name is that of its integers; what belongs to it has a suffix that begins with a colon. Activations
   of four dimensions are [N,C,H,W], as ONNX's operators want them; where order counts (reshape, dense) they are turned. */
#ifndef PITHP_ONNX_INT8_EMIT_H
#define PITHP_ONNX_INT8_EMIT_H

#include "deploy/onnx/node.h"
#include "graph/qgraph.h"

typedef struct {
    pithp_pb pb;
    const pithp_qgraph *g;
    bool int8_io;  /* inputs and outputs are our int8 integers, else floats */
    bool *nchw;    /* of each tensor: it is in this order in the file */
    char **name;   /* of each tensor's integers in the file */
    uint8_t *done; /* of each tensor: its scale and zero point are written */
} pithp_onnx_qemit;

typedef struct {
    const pithp_qop *op;
    void (*emit)(pithp_onnx_qemit *e, const pithp_qnode *n);
} pithp_onnx_qrow;

extern const pithp_onnx_qrow pithp_onnx_qrows[];
extern const size_t pithp_onnx_qrows_n;

/* Writes a graph. m: whose class names and normalisation go along; NULL: nothing does.
   errors   PITH_EINVAL: an op (named, with its layer) that cannot be said so; the path's; PITH_ENOMEM. */
pith_status pithp_onnx_export_int8(const pithp_qgraph *g, const pith_model *m, bool int8_io,
                                   const char *path);

void pithp_onnx_qrefuse(pithp_onnx_qemit *e, const pithp_qnode *n, const char *why);

/* NAME:suffix, NAME being that of the integers of node n's result. */
const char *pithp_onnx_qpart(pithp_onnx_qemit *e, const pithp_qnode *n, const char *suffix,
                             pithp_onnx_name buf);

/* Operand i of node n as floats, through a DequantizeLinear of its own. _as_is: in the order it has; _plain: as the integer
   graph has it, [N,H,W,C]; a constant is as the graph has it, or [a,c,h,w] by _nchw. */
const char *pithp_onnx_q_as_is(pithp_onnx_qemit *e, const pithp_qnode *n, int i, pithp_onnx_name buf);
const char *pithp_onnx_q_plain(pithp_onnx_qemit *e, const pithp_qnode *n, int i, pithp_onnx_name buf);
const char *pithp_onnx_q_nchw(pithp_onnx_qemit *e, const pithp_qnode *n, int i, pithp_onnx_name buf);

/* Weights (operand 1) and bias (operand 2) as floats. Filters are [K,C,R,S] or, depthwise, [K,1,R,S]. The bias is NULL where
   there is none. */
const char *pithp_onnx_q_weights(pithp_onnx_qemit *e, const pithp_qnode *n, bool depthwise,
                                 pithp_onnx_name buf);
const char *pithp_onnx_q_bias(pithp_onnx_qemit *e, const pithp_qnode *n, pithp_onnx_name buf);

/* Where an operator writes node n's result as floats, and what makes integers of it, within the node's bounds. */
const char *pithp_onnx_q_raw(pithp_onnx_qemit *e, const pithp_qnode *n, pithp_onnx_name buf);
void pithp_onnx_q_done(pithp_onnx_qemit *e, const pithp_qnode *n, const char *raw, bool nchw);
/* The same for what stands between, with the scale of tensor t: an operator has written NAME:suffix:raw, the name of its
   floats comes back in buf. */
const char *pithp_onnx_q_between(pithp_onnx_qemit *e, const pithp_qnode *n, int t, const char *suffix,
                                 pithp_onnx_name buf);
/* From floats to the integers of tensor t's scale, and back. */
void pithp_onnx_q_quantize(pithp_onnx_qemit *e, int t, const char *from, const char *to);
void pithp_onnx_q_dequantize(pithp_onnx_qemit *e, int t, const char *from, const char *to);

#endif
