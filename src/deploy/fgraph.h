/* deploy/fgraph.h: the float graph as it is deployed, which the exporters of float formats walk: what computes the model's
   output and nothing else; dropout gone; batch norm folded into the convolution or dense layer before it, activations
   attached to what they follow; what does not depend on the input (a mask times a weight) computed once. */
#ifndef PITHP_DEPLOY_FGRAPH_H
#define PITHP_DEPLOY_FGRAPH_H

#include "graph/model.h"
#include <pith/ops.h>

/* The input, a constant, or the result of a step. */
typedef struct {
    char *name; /* unique */
    uint64_t hash;
    pith_shape shape; /* of one sample: the first dimension of what depends on the input is 1 */
    pith_dtype dtype;
    const void *data;        /* constants; NULL: it is computed, or the input */
    const pith_tensor *from; /* of a constant that an op computed: its node */
} pithp_fvalue;

typedef struct {
    const pith_tensor *node;      /* whose op and attributes are meant */
    int n_in, in[PITH_OP_MAX_IN]; /* values; -1: absent */
    int out;
    pith_act act; /* computed on the result: PITH_LINEAR, PITH_RELU or PITH_RELU6 */
} pithp_fstep;

typedef struct {
    pith_ctx *c;
    pith_model *m;
    pithp_fvalue *values;
    pithp_fstep *steps;
    size_t n_values, cap_values, n_steps, cap_steps;
    int input, output; /* values */
    void **own;        /* constants computed here */
    size_t n_own, cap_own;
} pithp_fgraph;

/* errors   PITH_EINVAL: the output does not depend on the input, or on another input too; its activations are quantized, so
            that it is integers that ship; PITH_ENOMEM. g is then
            empty. The model is not changed; it must outlive g. */
pith_status pithp_fgraph_make(pithp_fgraph *g, pith_model *m);
void pithp_fgraph_free(pithp_fgraph *g); /* twice is allowed */

/* Attributes of a node by the name that its op's table of fields gives them; 0 where there is no such attribute. */
int64_t pithp_attr_int(const pith_tensor *t, const char *name);
double pithp_attr_real(const pith_tensor *t, const char *name);
pith_shape pithp_attr_shape(const pith_tensor *t, const char *name);

#endif
