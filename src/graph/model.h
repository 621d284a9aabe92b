/* graph/model.h: a model's insides. */
#ifndef PITHP_MODEL_H
#define PITHP_MODEL_H

#include "graph/graph.h"
#include <pith/model.h>

typedef struct {
    char *key, *value;
} pithp_meta;

struct pith_model {
    pithp_obj obj;
    pith_ctx *ctx;
    pithp_graph *g;
    char *name;
    pith_tensor *input, *output;
    /* Flat blocks, each parameter 64-byte aligned inside: values of the parameters then of the state; gradients of the
       parameters alone. */
    pith_real *weights, *grads;
    uint8_t *masks;              /* [n_params] of the parameters that are pruned; NULL: none is */
    int64_t n_params, n_weights; /* elements of the blocks, padding included */
    pith_tensor **params;        /* PARAM nodes in id order */
    int n_param_nodes;
    pithp_meta *meta;
    size_t n_meta, cap_meta;
};

/* An empty model with its input node, and the laying out of all weights once the graph stands (initialised from the
   seed when fill). Used by pith_model_new, pith_model_clone and the file reader. NULL / status after an error. */
pith_model *pithp_model_begin(pith_ctx *c, const char *name, pith_shape input, const char *input_name);
pith_status pithp_model_finish(pith_model *m, pith_tensor *output, bool fill);

/* Which parameters and batch norms are frozen: flags [g->n], to be put back later (the graph may have grown). Putting back
   makes plans stale. */
void pithp_model_get_frozen(const pith_model *m, uint8_t *flags);
void pithp_model_set_frozen(pith_model *m, const uint8_t *flags, size_t n);

/* ---- Masks (mask.c) ----
   keep [elements of the parameter t]: 0 where it is held at zero from now on; NULL: a mask that holds nothing, where there is
   none. Copied, in place of an older mask, and applied to the values. Optimisers keep to masks in their pass, a pass over the
   graph keeps those of the leaves that it copies; files hold them. */
pith_status pithp_model_mask_param(pith_model *m, pith_tensor *t, const uint8_t *keep);
pith_status pithp_model_mask_room(pith_model *m);          /* so that later masks allocate nothing */
void pithp_model_mask_clear(pith_model *m);                /* forgets all masks; values stay */
void pithp_model_mask_apply(const pith_model *m);          /* after the values were written from outside */
void pithp_mask_apply(const pith_tensor *t, pith_real *x); /* x [elements of t] */
int64_t pithp_mask_broken(const pith_tensor *t);           /* the first that is held but not zero; -1: none */
int64_t pithp_mask_zeros(const pith_tensor *t);            /* elements held at zero */

/* True for nodes that belong to the saved model: the output's ancestors. marks [g->n]. */
void pithp_model_mark(const pith_model *m, uint8_t *marks);

#endif
