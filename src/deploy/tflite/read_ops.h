/* deploy/tflite/read_ops.h: what the readers of integer and of float models share: the walk over the ops by a table, and
   options that are checked numbers. */
#ifndef PITHP_TFLITE_READ_OPS_H
#define PITHP_TFLITE_READ_OPS_H

#include "deploy/tflite/read.h"

/* A row: how one op is read. `out` is its result as the file describes it. */
typedef struct {
    int code, options; /* TFL_CONV_2D, TFL_OPT_CONV_2D */
    int min_in, max_in;
    pith_status (*read)(void *reader, const pithp_tfl_node *n, const pithp_tfl_view *out);
} pithp_tfl_row;

/* Op i, or all ops in order. An op without a row is refused by name: `what` says what there are rows for. */
pith_status pithp_tfl_walk_op(pithp_tfl_file *f, size_t i, const pithp_tfl_row *rows, size_t n_rows,
                              const char *what, void *reader);
pith_status pithp_tfl_walk(pithp_tfl_file *f, const pithp_tfl_row *rows, size_t n_rows, const char *what,
                           void *reader);

/* A convolution's or a pool's window over an image. pad: above, below, left, right, as SAME and VALID have it. */
typedef struct {
    int64_t kernel[2], stride[2], dilation[2], pad[4]; /* rows, columns */
    bool same;
    int act; /* TFL_ACT_NONE, RELU, RELU6, RELU_N1_TO_1 */
} pithp_tfl_look;

/* Fields of an options table. -1: there is none. */
typedef struct {
    int stride_w, stride_h, dilation_w, dilation_h, kernel_w, kernel_h, act;
} pithp_tfl_look_fields;
extern const pithp_tfl_look_fields pithp_tfl_conv_fields, pithp_tfl_depthwise_fields, pithp_tfl_pool_fields;

/* x: the input's shape, four dimensions; kernel: that of the weights, NULL: the options'. */
pith_status pithp_tfl_look_get(pithp_tfl_file *f, const pithp_tfl_node *n,
                               const pithp_tfl_look_fields *fields, const pith_shape *x,
                               const int64_t *kernel, pithp_tfl_look *look);

/* The fused activation in options field `field`: one of the four above. */
pith_status pithp_tfl_act_get(pithp_tfl_file *f, const pithp_tfl_node *n, int field, int *act);

/* Operand i, a constant of 32- or 64-bit integers: at most `most` numbers. */
pith_status pithp_tfl_ints_get(pithp_tfl_file *f, const pithp_tfl_node *n, int i, int64_t *to, int most,
                               int *count);
/* An axis, negative ones counted from the last: made 0 to ndim - 1. */
pith_status pithp_tfl_axis_get(pithp_tfl_file *f, const pithp_tfl_node *n, int64_t axis, int ndim, int *to);
/* Operand 1 of PAD: rows before and after each dimension. */
pith_status pithp_tfl_paddings_get(pithp_tfl_file *f, const pithp_tfl_node *n, int ndim,
                                   int64_t to[2 * PITH_MAX_DIMS]);
/* Operand 1 of a reduction: bit i is set where dimension i is reduced. */
pith_status pithp_tfl_axes_get(pithp_tfl_file *f, const pithp_tfl_node *n, int ndim, uint32_t *axes);

#endif
