/* file/graph_json.h: what saving and loading a model share: which nodes, which names, attributes as JSON,
   weights that fit.

   The graph in a file, one string under __metadata__:
   { "format": 1, "name": "efnet-nano", "input": 0, "output": 57, "nodes": [
       { "id": 0, "kind": "input", "name": "input", "dtype": "f32", "shape": [1,96,96,3] },
       { "id": 1, "kind": "param", "name": "stem.conv.weight", "tensor": "stem.conv.weight",
         "shape": [16,3,3,3], "decay": true, "frozen": false },
       { "id": 2, "kind": "state", "name": "stem.bn.running_mean", "tensor": "stem.bn.running_mean",
         "shape": [16] },
       { "id": 3, "kind": "data", "name": null, "tensor": "node.3", "dtype": "i32", "shape": [4] },
       { "id": 4, "kind": "op", "op": "conv2d", "name": "stem.conv", "inputs": [0, 1, null],
         "attrs": { "stride_h": 2 }, "shape": [1,48,48,16] } ] }
   Every field of a kind must be there, and no other. Shapes are those of one sample. Operands have smaller
   ids. */
#ifndef PITHP_GRAPH_JSON_H
#define PITHP_GRAPH_JSON_H

#include "file/json.h"
#include "file/model_file.h"

/* ---- The nodes of a model that are saved, numbered anew ------------------------------------------------ */
typedef struct {
    pith_ctx *c;
    const pith_tensor **nodes; /* [n] */
    uint32_t n;
    uint32_t *id;  /* [nodes of the graph] number in the file */
    char **tensor; /* [n] name of the node's values in the file; NULL: it has none */
} pithp_saved;

pith_status pithp_saved_init(pithp_saved *s, const pith_model *m);
void pithp_saved_free(pithp_saved *s); /* also after a failed init */

/* ---- Weights ------------------------------------------------------------------------------------------- */
/* A tensor that a model wants from a file. */
typedef struct {
    const char *tensor;
    pith_shape shape;
    pith_dtype dtype;
    const pith_tensor *to; /* node whose value it becomes */
} pithp_want;

/* True if the file has exactly the wanted tensors (and any of a training), in shape and type; lists those
   that are missing and those left over. Needs no `to`. */
pith_status pithp_want_fit(const pithp_st_file *f, const pithp_want *w, size_t n);
/* Copies the values after a fit; logs a warning if some are not finite. */
pith_status pithp_want_fill(const pithp_st_file *f, const pithp_want *w, size_t n);

/* ---- JSON ---------------------------------------------------------------------------------------------- */
json_t *pithp_shape_to_json(pith_shape s); /* NULL: no memory, or ndim out of range */
bool pithp_shape_from_json(const json_t *j,
                           pith_shape *s); /* false: not a list of at most PITH_MAX_DIMS integers */

/* An op's attributes by its table of fields. Into: a new object, NULL with *bad naming the field that cannot
   be written (NULL: no memory). From: attr [op->attr_size], zeroed; false with the reason in why. */
json_t *pithp_attr_to_json(const pith_op *op, const void *attr, const char **bad);
bool pithp_attr_from_json(const pith_op *op, const json_t *j, void *attr, char why[200]);
bool pithp_attr_table_ok(const pith_op *op); /* the table describes attr_size bytes, or there are none */

#endif
