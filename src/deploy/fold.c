/* deploy/fold.c: y = scale*(conv(x, w) + b) + shift is conv(x, scale*w) + (scale*b + shift), channel by channel, with
   scale = gamma/sqrt(var + eps) and shift = beta - scale*mean.
   Rounded once, for floats that ship, and for any constant weights, shared ones too; compress/quant/fold.c folds the recorded
   graph with the roundings that training simulates.
   Source: Jacob et al., "Quantization and training of neural networks", arXiv:1712.05877, section 3.2. */
#include "deploy/fold.h"
#include "ops/table.h"
#include <math.h>
#include <string.h>

/* Where the output channels lie: w[outer][channel][inner], outer being 1 or inner being 1. */
static bool channels_of(const pithp_fstep *s, pith_shape w, int64_t *channels, int64_t *inner)
{
    const pith_op *op = s->node->op;
    if (op == &pithp_op_depthwise_conv2d) {
        *channels = w.d[3];
        *inner = 1;
        return true;
    }
    *channels = w.d[0];
    *inner = pithp_count(w) / w.d[0];
    return op == &pithp_op_conv2d || op == &pithp_op_dense;
}

static bool constant_leaf(const pith_tensor *t) { return t && t->kind != PITHP_NODE_OP && t->value; }

/* A value like `like` but with other data. -1: no memory. */
static int replace(pithp_fgraph *g, pith_shape shape, const char *of, const char *part, const pith_real *data)
{
    char *name = pithp_sprintf(g->c, "%s/folded.%s", of, part);
    if (!name || !pithp_grow(g->c, &g->values, &g->cap_values, g->n_values, sizeof *g->values)) {
        pithp_free(g->c, name);
        return -1;
    }
    g->values[g->n_values] = (pithp_fvalue){ .name = name,
                                             .hash = pithp_hash64(name, strlen(name)),
                                             .shape = shape,
                                             .dtype = PITH_F32,
                                             .data = data };
    return (int)g->n_values++;
}

pith_status pithp_fold_bn(pithp_fgraph *g, pithp_fstep *step, const pith_tensor *bn, bool *folded)
{
    int64_t channels, inner;
    if (step->n_in < 2 || step->in[1] < 0)
        return PITH_OK;
    const pithp_fvalue w = g->values[step->in[1]], no_bias = { 0 };
    const pithp_fvalue b = step->n_in > 2 && step->in[2] >= 0 ? g->values[step->in[2]] : no_bias;
    bool has_bias = step->n_in > 2 && step->in[2] >= 0;
    if (!channels_of(step, w.shape, &channels, &inner) || !w.data || (has_bias && !b.data))
        return PITH_OK;
    for (int i = 1; i < 5; i++)
        if (!constant_leaf(bn->in[i]) || pithp_count(bn->in[i]->shape) != channels)
            return PITH_OK;
    const pith_real *gamma = bn->in[1]->value, *beta = bn->in[2]->value, *mean = bn->in[3]->value,
                    *var = bn->in[4]->value, *from = w.data, *bias = b.data;
    const double eps = pithp_attr_real(bn, "eps");
    int64_t n = pithp_count(w.shape);
    pith_real *to = pithp_fgraph_reals(g, n), *shift = pithp_fgraph_reals(g, channels);
    if (!to || !shift)
        return PITH_ENOMEM;
    for (int64_t k = 0; k < channels; k++) {
        const double scale = (double)gamma[k] / sqrt((double)var[k] + eps);
        for (int64_t i = k * inner; i < n; i += channels * inner)
            for (int64_t j = i; j < i + inner; j++)
                to[j] = (pith_real)((double)from[j] * scale);
        shift[k] = (pith_real)((double)beta[k] + ((bias ? (double)bias[k] : 0) - (double)mean[k]) * scale);
    }
    const char *of = bn->name && *bn->name ? bn->name : "batch_norm";
    int wv = replace(g, w.shape, of, "weight", to),
        bv = wv < 0 ? -1 : replace(g, PITH_SHAPE(channels), of, "bias", shift);
    if (bv < 0)
        return PITH_ENOMEM;
    step->in[1] = wv;
    step->in[2] = bv;
    step->n_in = 3;
    *folded = true;
    return PITH_OK;
}

bool pithp_bn_affine(const pithp_fgraph *g, const pithp_fstep *s, float *factor, float *offset)
{
    const pith_real *v[4]; /* gamma, beta, mean, variance */
    for (int i = 0; i < 4; i++)
        if ((v[i] = g->values[s->in[i + 1]].data) == NULL)
            return false;
    const double eps = pithp_attr_real(s->node, "eps");
    for (int64_t k = 0; k < pithp_count(g->values[s->in[1]].shape); k++) {
        const double scale = (double)v[0][k] / sqrt((double)v[3][k] + eps);
        factor[k] = (float)scale;
        offset[k] = (float)((double)v[1][k] - scale * (double)v[2][k]);
    }
    return true;
}
