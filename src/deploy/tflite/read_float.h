/* deploy/tflite/read_float.h: a .tflite of float32 as a model that trains on. Weights may be float16 or int8 behind DEQUANTIZE:
   they are float32 from then on. */
#ifndef PITHP_TFLITE_READ_FLOAT_H
#define PITHP_TFLITE_READ_FLOAT_H

#include "deploy/tflite/read.h"
#include "graph/model.h"

/* One input and one output. NULL with the error recorded. */
pith_model *pithp_tfl_read_float(pithp_tfl_file *f);

/* ---- Between read_float.c and the rows (read_float_ops.c) ---- */
#include "deploy/tflite/read_ops.h"

/* A leaf whose values come from the file when all weights have been laid out. */
typedef struct {
    pith_tensor *t;
    pithp_tfl_view v;
    bool turn; /* depthwise filters [1,R,S,K] as those of a convolution, [K,R,S,1] */
} pithp_tfl_fill;

typedef struct {
    pithp_tfl_file *f;
    pith_model *m;
    pith_tensor **t; /* [tensors of the file]; NULL: not there yet */
    int *from;       /* [tensors of the file]: the constant it is made of by DEQUANTIZE; -1: none */
    pithp_tfl_fill *fill;
    size_t n_fill, cap_fill;
} pithp_tfl_fread;

/* Operand i as a tensor: computed before, or a constant that becomes a parameter. Poison after an error. */
pith_tensor *pithp_tfl_foperand(pithp_tfl_fread *r, const pithp_tfl_node *n, int i);
/* The constant that operand i is, as a parameter of this shape, called after the layer ("weight"). NULL: absent (-1). */
pith_tensor *pithp_tfl_fparam(pithp_tfl_fread *r, const pithp_tfl_node *n, int i, const char *what,
                              pith_shape shape, bool turn);
/* The op's result is the constant that its operand is. */
pith_status pithp_tfl_fsame(pithp_tfl_fread *r, const pithp_tfl_node *n, const pithp_tfl_view *out);
/* One number that operand i is. */
pith_status pithp_tfl_fnumber(pithp_tfl_fread *r, const pithp_tfl_node *n, int i, double *x);
/* y, with its fused activation, is the op's result. */
pith_status pithp_tfl_fresult(pithp_tfl_fread *r, const pithp_tfl_node *n, const pithp_tfl_view *out,
                              pith_tensor *y, int act);

extern const pithp_tfl_row pithp_tfl_frows[];
extern const size_t pithp_tfl_frows_n;

#endif
