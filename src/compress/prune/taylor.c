/* compress/prune/taylor.c: gradients on calibration images, for the first-order criterion. They are taken on a copy of the
   model: its running statistics and gradients may move, and the model's do not. */
#include "compress/prune/prune.h"
#include "compress/quant/improve.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

enum { BATCH = 32 };

struct pithp_taylor {
    pith_ctx *c;
    pith_model *m, *copy;
    pith_trainer *trainer;
    pithp_layer *layers; /* of the copy, those of the model in the same order */
    pithp_layer *originals;
    int n_layers, batch, batches;
    pithp_labelled images;
    double *once; /* [units] of one batch */
    int64_t units;
};

void pithp_taylor_free(pithp_taylor *t)
{
    if (t == NULL)
        return;
    pith_ctx *c = t->c;
    pith_trainer_free(t->trainer);
    pith_model_free(t->copy);
    pithp_free(c, t->layers);
    pithp_free(c, t->originals);
    pithp_labelled_free(c, &t->images);
    pithp_free(c, t->once);
    pithp_free(c, t);
}

/* ---- Making ------------------------------------------------------------------------------------------------ */
static pith_status make(pithp_taylor *t, pith_data *d, const pith_prune_cfg *cfg)
{
    pith_ctx *c = t->c;
    int n = 0;
    if (d == NULL)
        return pithp_error(c, PITH_EINVAL,
                           "pruning: the Taylor criterion takes gradients; it needs a data set");
    pith_status s = pithp_labelled_take(t->m, d, cfg->samples, cfg->seed, &t->images);
    if (s != PITH_OK)
        return s;
    t->batch = (int)PITHP_MIN(t->images.n, BATCH);
    t->batches = (int)(t->images.n / t->batch);
    if ((t->copy = pith_model_clone(t->m)) == NULL)
        return c->status;
    t->trainer = pith_trainer_new(t->copy, (pith_trainer_cfg){ .batch = t->batch, .smoothing = PITH_ZERO });
    t->layers = t->trainer == NULL ? NULL : pithp_layers_of(t->copy, &t->n_layers);
    t->originals = t->layers == NULL ? NULL : pithp_layers_of(t->m, &n);
    if (t->originals == NULL)
        return c->status ? c->status : PITH_ENOMEM;
    if (n != t->n_layers)
        return pithp_error(c, PITH_EBUG, "pruning: %d layers of %d", t->n_layers, n);
    return PITH_OK;
}

pithp_taylor *pithp_taylor_new(pith_model *m, pith_data *d, const pith_prune_cfg *cfg)
{
    pithp_taylor *t = PITHP_NEW(m->ctx, pithp_taylor);
    if (t == NULL)
        return NULL;
    t->c = m->ctx;
    t->m = m;
    if (make(t, d, cfg) == PITH_OK)
        return t;
    pithp_taylor_free(t);
    return NULL;
}

/* ---- Running ----------------------------------------------------------------------------------------------- */
/* The copy has the model's saved parameters and states, in the same order. */
static void copy_values(pithp_taylor *t)
{
    const pithp_graph *from = t->m->g, *to = t->copy->g;
    size_t k = 0;
    for (size_t i = 0; i < from->n && k < to->n; i++) {
        const pith_tensor *a = from->nodes[i];
        if (a->kind != PITHP_NODE_PARAM && a->kind != PITHP_NODE_STATE)
            continue;
        size_t j = k;
        while (j < to->n &&
               (to->nodes[j]->kind != a->kind || strcmp(pith_name(to->nodes[j]), pith_name(a)) != 0))
            j++;
        if (j == to->n)
            continue; /* it is not saved */
        memcpy(to->nodes[j]->value, a->value, (size_t)pithp_count(a->shape) * sizeof(pith_real));
        k = j + 1;
    }
    memset(t->copy->grads, 0, (size_t)t->copy->n_params * sizeof(pith_real));
}

static const pith_tensor *twin(const pithp_taylor *t, const pithp_pruned *l)
{
    for (int i = 0; i < t->n_layers; i++)
        if (t->originals[i].w == l->w)
            return t->layers[i].w;
    return NULL;
}

/* Adds the squares of the units' sums of g w of the last batch, and clears the gradients. */
static void add_batch(pithp_taylor *t, const pithp_pruned *l, int n, double *sum)
{
    for (int k = 0; k < n; k++) {
        const pithp_pruned *p = &l[k];
        const pith_tensor *w = twin(t, p);
        const pith_real *v = w->value, *g = w->grad;
        const double *once = t->once;
        memset(t->once, 0, (size_t)p->units * sizeof *t->once);
        PITHP_UNITS_EACH(p, i, u)
        t->once[u] += (double)v[i] * (double)g[i];
        for (int64_t u = 0; u < p->units; u++)
            sum[p->first + u] += once[u] * once[u];
    }
    memset(t->copy->grads, 0, (size_t)t->copy->n_params * sizeof(pith_real));
}

pith_status pithp_taylor_room(pithp_taylor *t, const pithp_pruned *l, int n)
{
    int64_t most = 0;
    for (int i = 0; i < n; i++) {
        most = PITHP_MAX(most, l[i].units);
        if (twin(t, &l[i]) == NULL)
            return pithp_error(t->c, PITH_EBUG, "pruning: '%s' is not in the copy", pith_name(l[i].t));
    }
    if (t->once != NULL && t->units >= most)
        return PITH_OK;
    pithp_free(t->c, t->once);
    t->units = most;
    t->once = PITHP_NEW_N(t->c, double, most);
    return t->once != NULL ? PITH_OK : PITH_ENOMEM;
}

pith_status pithp_taylor_sum(pithp_taylor *t, const pithp_pruned *l, int n, double *sum)
{
    copy_values(t);
    t->trainer->runs = 0;
    const int64_t units = l[n - 1].first + l[n - 1].units;
    for (int b = 0; b < t->batches; b++) {
        const pith_batch batch = { .x = t->images.x + (int64_t)b * t->batch * t->images.per,
                                   .labels = t->images.labels + (int64_t)b * t->batch,
                                   .n = t->batch };
        if (isnan(pithp_trainer_gradient(t->trainer, &batch)))
            return t->c->status;
        add_batch(t, l, n, sum);
    }
    for (int64_t u = 0; u < units; u++)
        sum[u] = sqrt(sum[u] / t->batches);
    return PITH_OK;
}
