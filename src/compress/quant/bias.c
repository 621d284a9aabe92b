/* compress/quant/bias.c: empirical bias correction. Rounded weights and activations move the mean of a layer's result; the
   difference of means, over images, of the float and the quantized model goes into the bias, layer by layer, each on what
   the corrected layers before it give (Nagel et al., ICCV 2019, section 4.2; Banner et al., NeurIPS 2019). */
#include "compress/quant/improve.h"

enum { BATCH = 16 };

/* Means over images and positions of node t's channels (its last dimension). */
static pith_status means(const pith_model *m, const pith_tensor *t, const pithp_images *im, double *mean,
                         int64_t channels)
{
    pith_plan *p =
        pith_plan_new((pith_tensor *[]){ (pith_tensor *)(uintptr_t)t }, 1, (pith_plan_cfg){ .batch = BATCH });
    pith_status s = p == NULL ? m->ctx->status : PITH_OK;
    for (int64_t k = 0; k < channels; k++)
        mean[k] = 0;
    for (int64_t at = 0; at < im->n && s == PITH_OK; at += BATCH) {
        int64_t n = PITHP_MIN(BATCH, im->n - at), all = n * pithp_count(t->shape);
        s = pithp_images_run(p, m, im, at, n);
        const pith_real *y = s == PITH_OK ? pith_plan_value(p, t) : NULL;
        for (int64_t i = 0; y != NULL && i < all; i++)
            mean[i % channels] += (double)y[i];
    }
    int64_t each = im->n * (pithp_count(t->shape) / channels);
    for (int64_t k = 0; k < channels; k++)
        mean[k] /= (double)each;
    pith_plan_free(p);
    return s;
}

static pith_status correct(pith_model *n, const pithp_layer *l, const pith_model *folded,
                           const pithp_layer *ref, const pithp_images *im)
{
    pith_ctx *c = n->ctx;
    double *want = PITHP_NEW_N(c, double, 2 * l->channels);
    if (want == NULL)
        return PITH_ENOMEM;
    double *have = want + l->channels;
    pith_status s = means(folded, ref->t, im, want, l->channels);
    if (s == PITH_OK)
        s = means(n, l->t, im, have, l->channels);
    pith_real *bias = l->bias->value;
    for (int64_t k = 0; s == PITH_OK && k < l->channels; k++)
        bias[k] += (pith_real)(want[k] - have[k]);
    pithp_free(c, want);
    return s;
}

pith_status pithp_bias_correct(pith_model *n, const pith_model *folded, const pithp_images *im)
{
    int count = 0, refs = 0;
    pithp_layer *l = pithp_layers_of(n, &count), *ref = pithp_layers_of(folded, &refs);
    pith_status s = l == NULL || ref == NULL ? PITH_ENOMEM : PITH_OK;
    if (s == PITH_OK && count != refs)
        s = pithp_error(n->ctx, PITH_EBUG, "bias correction: %d layers of %d", count, refs);
    for (int i = 0; i < count && s == PITH_OK; i++)
        if (l[i].bias != NULL && l[i].quant != NULL)
            s = correct(n, &l[i], folded, &ref[i], im);
    pithp_free(n->ctx, l);
    pithp_free(n->ctx, ref);
    return s;
}
