/* graph/tap.h: which results of a network depend on what goes into it. */
#ifndef PITHP_TAP_H
#define PITHP_TAP_H

#include "graph/model.h"

/* reach [nodes]: 1 for the input and those saved nodes that depend on it; 0 for weights, what is computed of weights alone, and
   what does not belong to the saved model. */
void pithp_model_reach(const pith_model *m, uint8_t *reach);

#endif
