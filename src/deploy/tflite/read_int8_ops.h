/* deploy/tflite/read_int8_ops.h: between the integer reader (read_int8.c) and its rows (read_int8_ops.c). */
#ifndef PITHP_TFLITE_READ_INT8_OPS_H
#define PITHP_TFLITE_READ_INT8_OPS_H

#include "deploy/tflite/read_int8.h"
#include "deploy/tflite/read_ops.h"

typedef struct {
    pithp_tfl_file *f;
    pithp_qgraph *g;
    int *id; /* [tensors of the file] of the graph's; PITHP_QNONE: not there yet */
} pithp_tfl_qread;

/* The graph's tensor of operand i: computed before, or a constant. */
pith_status pithp_tfl_qoperand(pithp_tfl_qread *r, const pithp_tfl_node *n, int i, int *id);
/* Emits the op on its first n_in operands; its result is `out`. */
pith_status pithp_tfl_qread_op(pithp_tfl_qread *r, const pithp_tfl_node *n, const pithp_tfl_view *out,
                               const pithp_qop *op, int n_in, const pithp_qattr *attr);
static inline const pith_shape *pithp_tfl_qshape(const pithp_tfl_qread *r, int id)
{
    return &pithp_q_tensor(r->g, id)->shape;
}

extern const pithp_tfl_row pithp_tfl_qread_rows[];
extern const size_t pithp_tfl_qread_rows_n;

#endif
