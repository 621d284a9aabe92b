/* file/node_read.h: the nodes of a model file's graph, one by one: what model_load.c's two walks share. */
#ifndef PITHP_FILE_NODE_READ_H
#define PITHP_FILE_NODE_READ_H

#include "file/graph_json.h"

typedef struct {
    pith_ctx *c;
    const pithp_st_file *f;
    json_t *nodes;
    size_t n, at;      /* nodes; the one being read */
    pithp_want *wants; /* [n_wants], leaves in order */
    size_t n_wants;
    pith_tensor **made; /* [n] */
    pith_model *m;
} pithp_node_reader;

/* A complaint about the node being read. */
pith_status PITH_PRINTF(2, 3) pithp_node_bad(const pithp_node_reader *l, const char *fmt, ...);
bool pithp_node_name_ok(const json_t *j);

/* Checks what all nodes have in common; gives the kind and the shape. */
pith_status pithp_node_common(const pithp_node_reader *l, json_t *node, pithp_node_kind *kind,
                              pith_shape *shape);
pith_status pithp_node_dtype(const pithp_node_reader *l, const json_t *node, pith_dtype *dtype);

/* The first walk: every leaf is read and held against the tensors of the file. */
pith_status pithp_read_leaves(pithp_node_reader *l);

#endif
