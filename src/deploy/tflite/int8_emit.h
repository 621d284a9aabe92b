/* deploy/tflite/int8_emit.h: the integer graph's way into a .tflite. What is written is what the integer engine runs: the
   reference kernels of TensorFlow Lite Micro give the same bytes. */
#ifndef PITHP_TFLITE_INT8_EMIT_H
#define PITHP_TFLITE_INT8_EMIT_H

#include "deploy/tflite/window.h"
#include "graph/model.h"
#include "graph/qgraph.h"

typedef struct pithp_tfl_qrow pithp_tfl_qrow;

typedef struct {
    pithp_tfl w;
    const pithp_qgraph *g;
    int *tensor; /* of each of the graph's; -1: none yet */
} pithp_tfl_qemit;

/* A row: how one integer op is expressed. `builtin`, `version` and `options` are for emit, which several rows share. */
struct pithp_tfl_qrow {
    const pithp_qop *op;
    void (*emit)(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row);
    int builtin, version, options;
};

extern const pithp_tfl_qrow pithp_tfl_qrows[];
extern const size_t pithp_tfl_qrows_n;

/* Writes a graph with one output. m: whose name, class names and normalisation go along; NULL: nothing does.
   errors   PITH_EINVAL: an op (named, with its layer) that the format has no word for; the path's; PITH_ENOMEM. */
pith_status pithp_tfl_export_int8(const pithp_qgraph *g, const pith_model *m, const char *path);

void pithp_tfl_qrefuse(pithp_tfl_qemit *e, const pithp_qnode *n, const char *why);
int pithp_tfl_qtensor(pithp_tfl_qemit *e, int tensor); /* the file's number of the graph's tensor */
/* A tensor of the exporter's own, quantized like `like` if that is not NULL. */
int pithp_tfl_qextra(pithp_tfl_qemit *e, const pithp_qnode *n, const char *what, int type, pith_shape shape,
                     const void *data, const pithp_qtensor *like);
/* An op that computes node n's result from these tensors. */
void pithp_tfl_qput(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row, const int *in,
                    int n_in, const pithp_tfl_option *option, int n_options);

#endif
