/* deploy/c/export.h: an integer graph as C source. */
#ifndef PITHP_C_EXPORT_H
#define PITHP_C_EXPORT_H

#include "graph/model.h"
#include "graph/qgraph.h"
#include <pith/export.h>

/* What the source needs: bytes of its constants, bytes of its arena, multiply-adds of a run. Exact; the kernels' machine
   code comes on top of `flash`. */
typedef struct {
    size_t flash, ram;
    int64_t macs;
} pithp_c_needs;

pith_status pithp_c_plan(const pithp_qgraph *g, pithp_c_needs *needs);

/* Writes PATH (ending in .c), the header beside it and, if cfg.mlperf, the harness PATH_th.cpp. m: whose name and class names go
   along; NULL: nothing does. Errors as pith_export_c. */
pith_status pithp_c_export(const pithp_qgraph *g, const pith_model *m, pith_export_cfg cfg, const char *path);

#endif
