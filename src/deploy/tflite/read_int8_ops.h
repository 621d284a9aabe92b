/* deploy/tflite/read_int8_ops.h: between the integer reader (read_int8.c) and its rows (read_int8_ops.c). */
#ifndef PITHP_TFLITE_READ_INT8_OPS_H
#define PITHP_TFLITE_READ_INT8_OPS_H

#include "deploy/tflite/read_int8.h"
#include "deploy/tflite/read_ops.h"

/* A step's graph has tensors of one op alone: its operands, its result, and one between where a reshape follows. */
enum { PITHP_TFL_STEP_TENSORS = PITHP_QMAX_IN + 2 };
/* What is known of a tensor of the file before and after a step. */
enum { PITHP_TFL_UNKNOWN = 0, PITHP_TFL_INPUT, PITHP_TFL_COMPUTED };

/* The whole file into one graph, or (step) each op into a graph of its own, whose operands were computed before. */
typedef struct {
    pithp_tfl_file *f;
    pithp_qgraph *g;
    int *id; /* [tensors of the file] of the graph's; PITHP_QNONE: not there yet. NULL: by steps */
    int step
        [PITHP_TFL_STEP_TENSORS]; /* by steps: the file's number of each of the graph's; -1: it has none */
    uint8_t
        *known; /* by steps: [tensors of the file]; NULL: they were checked, all that is asked for is there */
} pithp_tfl_qread;

/* The graph's number of the file's tensor t; PITHP_QNONE: it is not there. */
int pithp_tfl_qid(const pithp_tfl_qread *r, int t);
/* The inputs; the file's number of output i, which was computed. */
pith_status pithp_tfl_qinputs(pithp_tfl_qread *r);
pith_status pithp_tfl_qoutput(const pithp_tfl_qread *r, size_t i, int *t);

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
