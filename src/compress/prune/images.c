/* compress/prune/images.c: images that gradients and losses are taken of. */
#include "compress/prune/prune.h"
#include "train/train.h"

#include <string.h>

enum { BATCH = 16 };

void pithp_labelled_free(pith_ctx *c, pithp_labelled *im)
{
    pithp_free(c, im->x);
    pithp_free(c, im->labels);
    *im = (pithp_labelled){ 0 };
}

static pith_status fill(pith_ctx *c, pith_data *d, uint64_t seed, pithp_labelled *im)
{
    pith_batch b;
    int64_t n = 0;
    im->x = PITHP_NEW_N(c, pith_real, im->n * im->per);
    im->labels = PITHP_NEW_N(c, int32_t, im->n);
    if (im->x == NULL || im->labels == NULL)
        return PITH_ENOMEM;
    pith_loader *l = pith_loader_new(
        d, (pith_loader_cfg){ .split = PITH_TRAIN, .batch = BATCH, .seed = seed, .shuffle = true });
    while (l != NULL && n < im->n && pith_loader_next(l, &b)) {
        const int64_t k = PITHP_MIN(b.n, im->n - n);
        memcpy(im->x + n * im->per, b.x, (size_t)(k * im->per) * sizeof *b.x);
        memcpy(im->labels + n, b.labels, (size_t)k * sizeof *b.labels);
        n += k;
    }
    pith_loader_free(l);
    if (n == im->n)
        return PITH_OK;
    return c->status
               ? c->status
               : pithp_error(c, PITH_EBUG, "pruning: %lld images of %lld", (long long)n, (long long)im->n);
}

pith_status pithp_labelled_take(const pith_model *m, pith_data *d, int64_t n, uint64_t seed,
                                pithp_labelled *im)
{
    *im = (pithp_labelled){ .per = pithp_count(m->input->shape) };
    pith_status s = pithp_model_fits_data(m, d, "pruning");
    im->n = s == PITH_OK ? PITHP_MIN(pith_data_count(d, PITH_TRAIN), n) : 0;
    if (s == PITH_OK && im->n < 1)
        s = pithp_error(m->ctx, PITH_EDATA, "pruning: the training split has no images to look at");
    if (s == PITH_OK)
        s = fill(m->ctx, d, seed, im);
    if (s != PITH_OK)
        pithp_labelled_free(m->ctx, im);
    return s;
}
