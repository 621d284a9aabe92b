/* file/foreign.h: what timm (PyTorch image models) calls a model's tensors, and how PyTorch lays them out. */
#ifndef PITHP_FILE_FOREIGN_H
#define PITHP_FILE_FOREIGN_H

#include "graph/model.h"

enum { PITHP_FOREIGN_NAME = 320 };

/* A parameter or piece of state as PyTorch has it. */
typedef struct {
    const pith_tensor *t;
    char name[PITHP_FOREIGN_NAME];
    pith_shape shape;
    bool images;    /* convolution weights [K,R,S,C] here, [K,C,R,S] there */
    bool depthwise; /* and of those [1,R,S,C] here, [C,1,R,S] there */
    bool variance;  /* a batch norm's running variance */
    bool head;      /* belongs to the last layer */
} pithp_foreign;

/* All of m's parameters and state in order; *n of them. NULL after PITH_ENOMEM. Freed with pithp_free. */
pithp_foreign *pithp_foreign_list(const pith_model *m, size_t *n);

/* Copies all elements; dst and src do not overlap. */
void pithp_foreign_read(const pithp_foreign *f, const pith_real *there, pith_real *here);
void pithp_foreign_write(const pithp_foreign *f, const pith_real *here, pith_real *there);

#endif
