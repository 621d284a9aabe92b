/* deploy/tflite/emit.h: the float graph's way into a .tflite: what the rows of the table (float_ops.c) are given. */
#ifndef PITHP_TFLITE_EMIT_H
#define PITHP_TFLITE_EMIT_H

#include "deploy/fgraph.h"
#include "deploy/tflite/writer.h"

typedef struct {
    pithp_tfl w;
    const pithp_fgraph *g;
    int *tensor; /* of each value; -1: none yet */
    bool half;   /* constants as float16 */
} pithp_tfl_emit;

/* A row: how one op is expressed. One that cannot be calls pithp_tfl_refuse. */
typedef struct {
    const pith_op *op;
    void (*emit)(pithp_tfl_emit *e, const pithp_fstep *s);
} pithp_tfl_row;

extern const pithp_tfl_row pithp_tfl_rows[];
extern const size_t pithp_tfl_rows_n;

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

/* How windows over [N,H,W,C] are padded: TensorFlow's SAME or VALID, or rows of zeroes put around first and VALID. */
typedef struct {
    int padding;       /* TFL_SAME, TFL_VALID */
    bool around;       /* rows and columns are needed: */
    int64_t amount[4]; /* top, bottom, left, right */
} pithp_tfl_padding;

typedef struct {
    int64_t in, out, window, stride, lead; /* of one dimension; window: with dilation */
} pithp_tfl_extent;

pithp_tfl_padding pithp_tfl_pad_of(pithp_tfl_extent rows, pithp_tfl_extent columns);

/* x with these rows of `value` around it; the padded tensor. */
int pithp_tfl_pad_around(pithp_tfl_emit *e, const pithp_fstep *s, int x, const int64_t amount[4],
                         float value);

void pithp_tfl_conv(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_depthwise(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_dense(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_maxpool(pithp_tfl_emit *e, const pithp_fstep *s);
void pithp_tfl_avgpool(pithp_tfl_emit *e, const pithp_fstep *s);

#define PITHP_TFL_B(field_, value)                              \
    {                                                           \
        .field = (field_), .kind = PITHP_TFL_BYTE, .i = (value) \
    }
#define PITHP_TFL_I(field_, value)                                      \
    {                                                                   \
        .field = (field_), .kind = PITHP_TFL_INT, .i = (int32_t)(value) \
    }
#define PITHP_TFL_I1(field_, value)                                                     \
    {                                                                                   \
        .field = (field_), .kind = PITHP_TFL_INT, .i = (int32_t)(value), .i_default = 1 \
    }
#define PITHP_TFL_F(field_, value)                               \
    {                                                            \
        .field = (field_), .kind = PITHP_TFL_FLOAT, .f = (value) \
    }

#endif
