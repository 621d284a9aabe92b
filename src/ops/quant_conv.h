/* ops/quant_conv.h: the fused form of a layer with weights under fake quantization. */
#ifndef PITHP_OPS_QUANT_CONV_H
#define PITHP_OPS_QUANT_CONV_H

#include "ops/folded.h"

enum {
    PITHP_QC_X,
    PITHP_QC_W,
    PITHP_QC_BIAS,
    PITHP_QC_GAMMA,
    PITHP_QC_BETA,
    PITHP_QC_MEAN,
    PITHP_QC_VAR,
    PITHP_QC_RUNS,
    PITHP_QC_SCALE, /* of the result, where it is learned; else absent */
    PITHP_QC_IN
};

typedef struct {
    pithp_conv_attr conv;
    bool dense, norm; /* a dense layer; a folded batch norm follows */
    pithp_folded_attr bn;
    pithp_act act; /* none, relu or relu6 */
    /* fake_quant nodes whose numbers are read, or NULL: behind the result (it is then the step's result), the weights,
       and the input. A plan never outlives its nodes. */
    const pith_tensor *out, *w, *x;
} pithp_quant_conv_attr;

#endif
