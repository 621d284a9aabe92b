/* ops/codebook.h: the op of shared weights, for the passes that make it. */
#ifndef PITHP_OPS_CODEBOOK_H
#define PITHP_OPS_CODEBOOK_H

#include "graph/graph.h"

typedef struct {
    int bits;
    int zero; /* index of the centroid that training leaves alone, -1: none */
} pithp_codebook_attr;

bool pithp_stored_codebook(const pith_tensor *user, int operand, pithp_stored *how);

#endif
