/* compress/quant/improve.h: what makes a quantized model better without training it, each for itself; and what they share:
   images held in memory, and the layers with weights. */
#ifndef PITHP_IMPROVE_H
#define PITHP_IMPROVE_H

#include "compress/quant/quant.h"

/* Images of the training split as the network sees them, drawn by seed: x [n,H,W,C]. */
typedef struct {
    pith_real *x;
    int64_t n, per;
} pithp_images;

pith_status pithp_images_take(const pith_model *m, pith_data *d, int64_t n, uint64_t seed, pithp_images *im);
void pithp_images_free(pith_ctx *c, pithp_images *im);

/* Runs images [from, from + n) through a plan of m. */
pith_status pithp_images_run(pith_plan *p, const pith_model *m, const pithp_images *im, int64_t from,
                             int64_t n);

/* A layer with weights: its node, the leaf that holds the weights (behind a fake_quant, if there is one), the bias or NULL;
   channel of weight i: axis 0: i / (n / channels), else i % channels. */
typedef struct {
    const pith_tensor *t, *quant; /* quant: the fake_quant of the weights, or NULL */
    pith_tensor *w, *bias;
    int64_t n, channels;
    int axis;
} pithp_layer;

/* All of the saved model whose weights are a parameter's own, in order. NULL: no memory. Freed with pithp_free. */
pithp_layer *pithp_layers_of(const pith_model *m, int *n);

static inline int64_t pithp_layer_channel(const pithp_layer *l, int64_t i)
{
    return l->axis == 0 ? i / (l->n / l->channels) : i % l->channels;
}

/* ---- Improvers of the float model ---- */
/* Cross-layer equalisation of a folded model (equalize.c). im: for the limits of relu6. *pairs: how many were equalised. */
pith_status pithp_equalize(pith_model *folded, const pithp_images *im, int *pairs);

/* Batch-norm re-estimation of a model that has its batch norms (bn_stats.c): running statistics become those that the images
   have under rounded weights. */
pith_status pithp_bn_reestimate(pith_model *m, const pithp_images *im, const pith_quant_cfg *cfg);

/* ---- Improvers of a quantized model n, beside the folded float model that it was made of ---- */
pith_status pithp_adaround(pith_model *n, const pith_model *folded, const pithp_images *im, int steps,
                           uint64_t seed);
pith_status pithp_bias_correct(pith_model *n, const pith_model *folded, const pithp_images *im);

/* ---- What pith_quantize calls ---- */
/* Checks of m, and cfg with its defaults (quantize.c). */
pith_status pithp_quant_begin(const pith_model *m, pith_quant_cfg *cfg);

/* A folded copy of m, with what of cfg->improve comes before the quantizer. NULL after an error. */
pith_model *pithp_improve_before(const pith_model *m, const pithp_images *im, const pith_quant_cfg *cfg);
pith_status pithp_improve_after(pith_model *n, const pith_model *folded, const pithp_images *im,
                                const pith_quant_cfg *cfg);

/* ---- Schemes of a folded float model (schemes.c) ---- */
pith_status pithp_scheme_apply(pith_model *m, const pith_quant_cfg *cfg); /* all but int8 */

#endif
