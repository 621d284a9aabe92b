/* graph/rewrite.h: passes over a model. Nodes are only ever appended and their operands stand before them, so a pass does
   not edit a graph: it walks the recorded one node by node and records another, putting in place of each node whatever
   it likes. Batch-norm folding, fake-quant insertion and channel pruning are such functions, and so is a clone, which
   puts everything in place of itself.

   Weights that the function copies keep their values; leaves that it makes new get theirs from pithp_rewrite_fill, or
   from their initialisation. */
#ifndef PITHP_REWRITE_H
#define PITHP_REWRITE_H

#include "graph/model.h"

typedef struct pithp_rewrite pithp_rewrite;

/* What stands in the new graph for node t of the old one (the saved part only, operands first; never the input).
   NULL or poison: the pass fails, with the error that is recorded; if none is, one that names t is. */
typedef pith_tensor *(*pithp_rewrite_fn)(pithp_rewrite *r, const pith_tensor *t, void *user);

struct pithp_rewrite {
    const pith_model *from;
    pith_model *to;
    pith_tensor **map; /* [nodes of from] what stands for each; NULL: not yet, or not saved */
    int *uses; /* [nodes of from] operands among the saved nodes that are this node; the output is one more */
    struct pithp_rewrite_value *values; /* of new leaves */
    size_t n_values, cap_values;
};

/* What stands for operand i of t; NULL if it is absent. */
pith_tensor *pithp_rewrite_in(const pithp_rewrite *r, const pith_tensor *t, int i);

/* t itself: the same op on what stands for its operands, or the same leaf. */
pith_tensor *pithp_rewrite_copy(pithp_rewrite *r, const pith_tensor *t);

/* The leaf t with another shape, name and all else being its own. values: all elements of the new shape, of t's type; mask: as
   many bytes, of a parameter (graph/model.h), or NULL; both copied. NULL: no memory. */
pith_tensor *pithp_rewrite_leaf(pithp_rewrite *r, const pith_tensor *t, pith_shape shape, const void *values,
                                const uint8_t *mask);

/* New leaves of the new graph; their names are made unique where they are taken. values: of all elements, copied; NULL:
   zeros. Poison after an error. */
pith_tensor *pithp_rewrite_param(pithp_rewrite *r, const char *name, pith_shape shape,
                                 const pith_real *values, bool decay);
pith_tensor *pithp_rewrite_state(pithp_rewrite *r, const char *name, pith_shape shape,
                                 const pith_real *values);
/* Other values for a leaf of the new graph than those it would get. False: no memory. */
bool pithp_rewrite_fill(pithp_rewrite *r, const pith_tensor *leaf, const pith_real *values);

/* A new model, made from m by fn (NULL: a copy), with m's meta. NULL after an error. */
pith_model *pithp_model_map(const pith_model *m, pithp_rewrite_fn fn, void *user);

/* The same in place: m holds the new graph and new blocks of weights. Plans, trainers and optimisers of the old graph
   refuse to run (PITH_ESTALE); its tensors stay in memory until m is freed, but hold no values. After an error m is as
   it was. */
pith_status pithp_model_rewrite(pith_model *m, pithp_rewrite_fn fn, void *user);

/* m becomes what n is, and n is freed: for passes of several stages, which leave m alone until all have worked. */
void pithp_model_adopt(pith_model *m, pith_model *n);

#endif
