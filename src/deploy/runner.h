/* deploy/runner.h: a runner's insides. */
#ifndef PITHP_RUNNER_H
#define PITHP_RUNNER_H

#include "deploy/tflite/bytes.h"
#include "deploy/tflite/labels.h"
#include "graph/model.h"
#include "graph/qplan.h"
#include <pith/runner.h>

struct pith_runner {
    pithp_obj obj;
    pith_ctx *c;
    char *name;
    const char *format;
    pithp_tfl_bytes bytes; /* of a .tflite: the graph's constants lie in it */
    pithp_tfl_labels labels;
    pith_model *m;   /* NULL: integers of a .tflite */
    pithp_qgraph *g; /* NULL: it runs in float */
    bool owns_model, owns_graph;
    pith_plan *plan;
    pithp_qplan *qplan;
    const pithp_qtensor *x, *y;
    int64_t n_in, n_out;
    void *in, *out;    /* [n_in], [n_out] integers, or floats */
    pith_real *values; /* [n_out] */
};

#endif
