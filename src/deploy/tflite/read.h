/* deploy/tflite/read.h: a .tflite file, checked, as tensors and ops. What knows no op of ours; read_int8.c makes an integer
   graph of it, read_float.c a model in float. The small runtime has all but the latter.

   A file is hostile until checked: the FlatBuffer (deploy/flatbuffer_read.h), then every index, shape, length and number
   here. Nothing is copied: names, data and scales lie in the file's bytes, which must stay and be aligned to 16. */
#ifndef PITHP_TFLITE_READ_H
#define PITHP_TFLITE_READ_H

#include "deploy/flatbuffer_read.h"
#include "deploy/tflite/schema.h"

enum { PITHP_TFL_MOST_OPS = 10000, PITHP_TFL_MOST_TENSORS = 30000, PITHP_TFL_MOST_IO = 8 };

typedef struct {
    pith_ctx *c;
    const char *path; /* for messages */
    pithp_fbr b;
    pithp_fbr_vec codes, buffers, tensors, ops, inputs, outputs;
    const char *description; /* NULL: none */
} pithp_tfl_file;

/* One tensor. data: its bytes where it is a constant, else NULL. Quantized: n_scale scales, finite and positive, and one
   zero point that all of them share. A scalar has the shape [1]. */
typedef struct {
    int id;
    const char *name;
    int type; /* TFL_INT8, ... */
    pith_shape shape;
    int64_t count;
    const void *data;
    const float *scale;
    int n_scale, axis;
    int32_t zero;
} pithp_tfl_view;

/* One op. in[i] is -1 where an optional operand is absent. */
typedef struct {
    int id, code, version;
    pithp_fbr_vec in;
    int n_in, out;
    int options_type;
    pithp_fbr_table options;
    const char *name; /* of its result */
} pithp_tfl_node;

/* Opens n bytes at p. errors: PITH_EFORMAT, naming `path`. */
pith_status pithp_tfl_open(pith_ctx *c, pithp_tfl_file *f, const char *path, const void *p, size_t n);

/* Tensor i of the file. i may be any number: PITH_EFORMAT where there is none. */
pith_status pithp_tfl_view_get(pithp_tfl_file *f, int64_t i, pithp_tfl_view *v);
pith_status pithp_tfl_node_get(pithp_tfl_file *f, size_t i, pithp_tfl_node *n);

static inline int pithp_tfl_input(const pithp_tfl_node *n, int i)
{
    return i < n->n_in ? pithp_fbr_i32(n->in, (size_t)i) : -1;
}

/* The name of a metadata entry's buffer: its bytes, or NULL. */
pithp_fbr_vec pithp_tfl_metadata(pithp_tfl_file *f, const char *name);

const char *pithp_tfl_op_name(int code);   /* "CONV_2D"; "unknown op" */
const char *pithp_tfl_type_name(int type); /* "int8" */
size_t pithp_tfl_type_bytes(int type);     /* 0: a type that has no fixed size, or is unknown */

/* "PATH: op 3 (CONV_2D, layer NAME): ..." and the code back. */
pith_status pithp_tfl_node_error(const pithp_tfl_file *f, const pithp_tfl_node *n, pith_status code,
                                 const char *fmt, ...) PITH_PRINTF(4, 5);

#endif
