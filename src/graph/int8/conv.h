/* graph/int8/conv.h: what convolutions and poolings share. */
#ifndef PITHP_QCONV_H
#define PITHP_QCONV_H

#include "graph/qgraph.h"

/* prep of a convolution, followed by its factors. */
typedef struct {
    pithp_iconv g;
    int64_t worst; /* largest absolute sum */
    pithp_fixed scale[];
} pithp_qconv;

/* The opening checks of a layer: int8 input of ndim dimensions (0: any), int8 weights of w_ndim. */
pith_status pithp_q_layer(const pithp_qgraph *g, const pithp_qnode *n, int ndim, int w_ndim);
/* Records that the weights do not fit the input; expected: what would. */
pith_status pithp_q_misfit(const pithp_qgraph *g, const pithp_qnode *n, const char *expected);

/* Fills v's window, sizes and zero points from operand 0 and the attributes; sets out->shape. v->k, r, s are set. */
pith_status pithp_q_window(const pithp_qgraph *g, const pithp_qnode *n, pithp_qtensor *out, pithp_iconv *v);
/* Factors of a layer whose window is known, into node->prep; `axis`: the weights' output channels. */
pith_status pithp_q_factors(pithp_qgraph *g, pithp_qnode *n, const pithp_qtensor *out, pithp_iconv v,
                            int axis, bool form_float);
/* The window, then the factors. */
pith_status pithp_q_conv(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out, pithp_iconv v, int axis);
void pithp_q_conv_pack(const pithp_qgraph *g, const pithp_qnode *n, const pithp_ikern *kern, void *to,
                       size_t *bytes, size_t *scratch);
int64_t pithp_q_conv_macs(const pithp_qgraph *g, const pithp_qnode *n);

#endif
