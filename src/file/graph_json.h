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
   A param, state or data node may also have "stored": { "bits": 4, "axis": 0, "scale": 7 }: its tensor then holds codes of
   so many bits, and its values are the codes times the values of node 7 ("scale": null, "axis": -1 for a data node: the
   codes themselves). Codes of 8 bits with a scale are I8 of the node's shape; others are U8 of one dimension, packed from the lowest bit up,
   with 2^(bits-1) added where there is a scale.
   A parameter that is pruned has a mask beside it: masks.c.
   Every other field of a kind must be there, and no other. Shapes are those of one sample. Operands have smaller
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

/* ---- Brief storage (packed.c; graph.h has the rules) ------------------------------------------------------- */
/* How the leaf t of the saved nodes can be held in fewer bits without loss. NULL in *codes: it cannot, or memory ran out
   (then PITH_ENOMEM). *codes is the bytes for the file. */
pith_status pithp_pack_leaf(const pithp_saved *s, const pith_tensor *t, pithp_stored *how, void **codes);

/* F16 values of a leaf that is exact in it; NULL: it is not (or PITH_ENOMEM). */
pith_status pithp_pack_half(pith_ctx *c, const pith_tensor *t, void **halves);

/* Type and shape of packed codes in a file. */
pithp_st_dtype pithp_packed_type(const pithp_stored *how, bool scaled, pith_shape values, pith_shape *shape);

/* The values of n codes; scale [1] or [channels] with value i in channel i / inner % channels; NULL: int32 values. */
void pithp_unpack_leaf(const uint8_t *codes, int bits, int64_t n, const pith_real *scale, int64_t channels,
                       int64_t inner, void *values);

/* ---- Weights ------------------------------------------------------------------------------------------- */
/* A tensor that a model wants from a file. */
typedef struct pithp_want {
    const char *tensor;
    pith_shape shape;
    pith_dtype dtype;
    const pith_tensor *to; /* node whose value it becomes */
    size_t node;           /* number of that node in the file */
    bool param;            /* of a PARAM: it may have a mask */
    pithp_stored stored;   /* bits 0: the values themselves */
    const struct pithp_want *scale;
} pithp_want;

/* True if the file has exactly the wanted tensors (and any of a training), in shape and type; lists those
   that are missing and those left over. Needs no `to`. */
pith_status pithp_want_fit(const pithp_st_file *f, const pithp_want *w, size_t n);
/* Copies the values after a fit; logs a warning if some are not finite. */
pith_status pithp_want_fill(const pithp_st_file *f, const pithp_want *w, size_t n);

/* ---- Masks (masks.c) --------------------------------------------------------------------------------------- */
#define PITHP_ST_MASK "pith.mask."
pith_status pithp_masks_put(const pithp_saved *s, pithp_st_writer *w);
/* *found: the mask of a wanted tensor, NULL if it has none. It fits, or it is an error. */
pith_status pithp_mask_fit(const pithp_st_file *f, const pithp_want *w, const pithp_st_tensor **found);
/* The file's masks in place of the model's, after the values were read. */
pith_status pithp_masks_get(pith_model *m, const pithp_st_file *f, const pithp_want *w, size_t n);

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
