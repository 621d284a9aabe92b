/* tests/c_nets.h: random integer networks of several layers with one input: windows of all kinds, residuals, SiLU, squeeze-
   and-excitation, paddings, concatenations, functions of one byte, dense layers, softmax. */
#ifndef PITH_TESTS_C_NETS_H
#define PITH_TESTS_C_NETS_H

#include "graph/qplan.h"

/* Network `seed`, with an output; NULL: the context says why. */
pithp_qgraph *c_net_make(pith_ctx *c, uint32_t seed);
/* Fills x [n] with values of which some lie at the ends. */
void c_net_input(uint32_t seed, int8_t *x, size_t n);

#endif
