/* deploy/tflite/read_int8.h: a .tflite of int8 as an integer graph. What runs is what the file says: the reference kernels
   of TensorFlow Lite Micro give the same bytes. */
#ifndef PITHP_TFLITE_READ_INT8_H
#define PITHP_TFLITE_READ_INT8_H

#include "deploy/tflite/read.h"
#include "graph/qgraph.h"

/* Whether op results are int8: then it is an integer model (float32 inputs and outputs behind QUANTIZE and DEQUANTIZE may be
   there), else a float one. Damaged files are neither: false. */
bool pithp_tfl_is_int8(pithp_tfl_file *f);

/* borrow: names, scales and weights stay in the file's bytes, which must outlive the graph.
   NULL with the error recorded: PITH_EFORMAT, PITH_EINVAL (an op or a form of it that is not known here, by name). */
pithp_qgraph *pithp_tfl_read_int8(pithp_tfl_file *f, bool borrow);

#endif
