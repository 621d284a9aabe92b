/* deploy/tflite/float_emit.h: the float graph's way into a .tflite: what the rows of the table (float_ops.c) are given. */
#ifndef PITHP_TFLITE_EMIT_H
#define PITHP_TFLITE_EMIT_H

#include "deploy/fgraph.h"
#include "deploy/tflite/window.h"
#include <pith/export.h>

typedef struct {
    pithp_tfl w;
    const pithp_fgraph *g;
    int *tensor;       /* of each value; -1: none yet */
    bool half, hybrid; /* constants as float16; int8 weights behind dynamic_quant */
} pithp_tfl_emit;

/* A row: how one op is expressed. One that cannot be calls pithp_tfl_refuse. */
typedef struct {
    const pith_op *op;
    void (*emit)(pithp_tfl_emit *e, const pithp_fstep *s);
} pithp_tfl_row;

extern const pithp_tfl_row pithp_tfl_rows[];
extern const size_t pithp_tfl_rows_n;

/* Writes a model with float32 activations. as: PITH_EXPORT_F16: its constants as float16; PITH_EXPORT_DYNAMIC: layers
   behind dynamic_quant have int8 weights. */
pith_status pithp_tfl_export_float(pith_model *m, pith_export_numbers as, const char *path);

void pithp_tfl_refuse(pithp_tfl_emit *e, const pithp_fstep *s, const char *why);

/* Tensors: of a value (a constant is written when first asked for, as float16 with a DEQUANTIZE where that is wanted); of
   operand i of a step; of its result; of an intermediate result; of an int32 or a float32 constant. */
int pithp_tfl_value(pithp_tfl_emit *e, int value);
int pithp_tfl_in(pithp_tfl_emit *e, const pithp_fstep *s, int i);
int pithp_tfl_out(pithp_tfl_emit *e, const pithp_fstep *s);
int pithp_tfl_between(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, pith_shape shape);
int pithp_tfl_ints(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, pith_shape shape,
                   const int32_t *v);
int pithp_tfl_real(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, float v);

pith_shape pithp_tfl_shape(const pithp_tfl_emit *e, const pithp_fstep *s, int i); /* of operand i */

/* An op of n operands without options or with them. */
void pithp_tfl_put(pithp_tfl_emit *e, int builtin, int version, const int *in, int n, int out, int options,
                   const pithp_tfl_option *option, int n_options);

int pithp_tfl_act(pith_act act); /* TFL_ACT_* */

/* Layers that quantize their input themselves (float_hybrid.c): whether step s is one; its weights; the dynamic_quant before it,
   for which nothing is written. */
bool pithp_tfl_is_hybrid(const pithp_tfl_emit *e, const pithp_fstep *s);
int pithp_tfl_weights(pithp_tfl_emit *e, const pithp_fstep *s); /* operand 1 of any layer */
void pithp_tfl_dynamic_quant(pithp_tfl_emit *e, const pithp_fstep *s);

/* x with these rows of `value` around it; the padded tensor. */
int pithp_tfl_pad_around(pithp_tfl_emit *e, const pithp_fstep *s, int x, const int64_t amount[4],
                         float value);

void pithp_tfl_conv(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_depthwise(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_dense(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_maxpool(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_avgpool(pithp_tfl_emit *e, const pithp_fstep *s);

#endif
