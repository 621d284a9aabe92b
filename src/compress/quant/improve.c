/* compress/quant/improve.c: what improvers and the analysis share. */
#include "compress/quant/improve.h"
#include <string.h>

enum { BATCH = 16 };

pith_status pithp_images_take(const pith_model *m, pith_data *d, int64_t n, uint64_t seed, pithp_images *im)
{
    pith_ctx *c = m->ctx;
    int64_t all = pith_data_count(d, PITH_TRAIN), seen = 0;
    *im = (pithp_images){ .n = PITHP_MIN(n, all), .per = pithp_count(m->input->shape) };
    if (im->n < 1)
        return pithp_error(c, PITH_EDATA, "quantization: the training split has no images to look at");
    im->x = PITHP_NEW_N(c, pith_real, im->n * im->per);
    pith_loader *l =
        im->x == NULL
            ? NULL
            : pith_loader_new(
                  d, (pith_loader_cfg){ .split = PITH_TRAIN, .batch = BATCH, .seed = seed, .shuffle = true });
    pith_batch b;
    while (l != NULL && seen < im->n && pith_loader_next(l, &b)) {
        int64_t k = PITHP_MIN(b.n, im->n - seen);
        memcpy(im->x + seen * im->per, b.x, (size_t)(k * im->per) * sizeof *b.x);
        seen += k;
    }
    pith_loader_free(l);
    if (seen == im->n)
        return PITH_OK;
    pithp_images_free(c, im);
    return c->status;
}

void pithp_images_free(pith_ctx *c, pithp_images *im)
{
    pithp_free(c, im->x);
    *im = (pithp_images){ 0 };
}

pith_status pithp_images_run(pith_plan *p, const pith_model *m, const pithp_images *im, int64_t from,
                             int64_t n)
{
    memcpy(pith_plan_input(p, m->input), im->x + from * im->per, (size_t)(n * im->per) * sizeof *im->x);
    return pith_plan_forward(p, n, 0);
}

/* The weights' leaf of node t; NULL: it is no layer with weights of its own. */
static bool layer_of(const pith_tensor *t, pithp_layer *l)
{
    const pithp_integer *form = t->op != NULL ? t->op->integer : NULL;
    if (form == NULL || form->weight == 0)
        return false;
    pith_tensor *w = t->in[form->weight];
    *l = (pithp_layer){ .t = t, .axis = form->axis };
    if (w->op != NULL && pithp_is_fake_quant(w)) {
        l->quant = w;
        w = w->in[PITHP_FQ_X];
    }
    if (w->kind != PITHP_NODE_PARAM)
        return false;
    l->w = w;
    l->n = pithp_count(w->shape);
    l->channels = w->shape.d[form->axis];
    pith_tensor *b = t->n_in > form->weight + 1 ? t->in[form->weight + 1] : NULL;
    l->bias = b != NULL && b->kind == PITHP_NODE_PARAM ? b : NULL;
    return true;
}

pithp_layer *pithp_layers_of(const pith_model *m, int *n)
{
    pith_ctx *c = m->ctx;
    uint8_t *marks = PITHP_NEW_N(c, uint8_t, m->g->n);
    pithp_layer *l = PITHP_NEW_N(c, pithp_layer, m->g->n);
    *n = 0;
    if (marks != NULL && l != NULL) {
        pithp_model_mark(m, marks);
        for (size_t i = 0; i < m->g->n; i++)
            if (marks[i] && layer_of(m->g->nodes[i], &l[*n]))
                ++*n;
    } else {
        pithp_free(c, l);
        l = NULL;
    }
    pithp_free(c, marks);
    return l;
}

/* ---- The order of things ---- */
pith_model *pithp_improve_before(const pith_model *m, const pithp_images *im, const pith_quant_cfg *cfg)
{
    pith_model *copy = NULL, *n = NULL;
    pith_status s = PITH_OK;
    int pairs;
    if (cfg->improve & PITH_IMPROVE_BN) {
        copy = pith_model_clone(m);
        s = copy == NULL ? m->ctx->status : pithp_bn_reestimate(copy, im, cfg);
    }
    if (s == PITH_OK)
        n = cfg->keep_norms ? pith_model_clone(copy != NULL ? copy : m)
                            : pithp_fold_model(copy != NULL ? copy : m);
    if (n != NULL && cfg->improve & PITH_IMPROVE_EQUALIZE && pithp_equalize(n, im, &pairs) != PITH_OK) {
        pith_model_free(n);
        n = NULL;
    }
    pith_model_free(copy);
    return n;
}

pith_status pithp_improve_after(pith_model *n, const pith_model *folded, const pithp_images *im,
                                const pith_quant_cfg *cfg)
{
    pith_status s = PITH_OK;
    if (cfg->improve & PITH_IMPROVE_ADAROUND)
        s = pithp_adaround(n, folded, im, cfg->adaround_steps, cfg->seed);
    if (s == PITH_OK && cfg->improve & PITH_IMPROVE_BIAS)
        s = pithp_bias_correct(n, folded, im);
    return s;
}
