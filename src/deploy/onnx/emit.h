/* deploy/onnx/emit.h: the float graph's way into an ONNX file: what the rows of the table (ops.c) are given.

   Values of four dimensions that depend on the input are kept as ONNX's operators want them, [N,C,H,W], from the input
   on; ops whose result depends on the order of elements (reshape, transpose) get them back as [N,H,W,C] first. A value
   goes by its name; names of an op's own inner results are the result's with a suffix. */
#ifndef PITHP_ONNX_EMIT_H
#define PITHP_ONNX_EMIT_H

#include "deploy/fgraph.h"
#include "deploy/onnx/node.h"

typedef struct {
    pithp_pb pb;
    const pithp_fgraph *g;
    bool *nchw; /* of each value: it is in this order in the file */
    uint8_t
        *done; /* of each constant: bit 0 written as it is, 1 as [N,C,H,W]; of others: bit 1 converted back */
} pithp_onnx_emit;

typedef struct {
    const pith_op *op;
    void (*emit)(pithp_onnx_emit *e, const pithp_fstep *s);
} pithp_onnx_row;

extern const pithp_onnx_row pithp_onnx_rows[];
extern const size_t pithp_onnx_rows_n;

/* Writes a model of floats. */
pith_status pithp_onnx_export_float(pith_model *m, const char *path);

void pithp_onnx_refuse(pithp_onnx_emit *e, const pithp_fstep *s, const char *why);

/* The name under which a value can be read: in the order it has (or, of constants, as it is); as [N,H,W,C]; as [N,C,H,W],
   constants of fewer dimensions being stretched to four. What has to be written for it is. */
const char *pithp_onnx_plain(pithp_onnx_emit *e, int value, pithp_onnx_name buf);
const char *pithp_onnx_nchw(pithp_onnx_emit *e, int value, pithp_onnx_name buf);
/* NAME/suffix of a step's result. */
const char *pithp_onnx_part(pithp_onnx_emit *e, const pithp_fstep *s, const char *suffix,
                            pithp_onnx_name buf);

/* The name of a step's result, and its order. An activation attached to the step is written by pithp_onnx_act: the op
   itself writes to pithp_onnx_raw's name. */
const char *pithp_onnx_raw(pithp_onnx_emit *e, const pithp_fstep *s, pithp_onnx_name buf);
void pithp_onnx_act(pithp_onnx_emit *e, const pithp_fstep *s, bool nchw);

pith_shape pithp_onnx_shape(const pithp_onnx_emit *e, const pithp_fstep *s, int i);

void pithp_onnx_conv(pithp_onnx_emit *e, const pithp_fstep *s);
void pithp_onnx_maxpool(pithp_onnx_emit *e, const pithp_fstep *s);
void pithp_onnx_avgpool(pithp_onnx_emit *e, const pithp_fstep *s);

#endif
