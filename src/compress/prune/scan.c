/* compress/prune/scan.c: how much each layer bears, by pruning it alone, and what that proposes. */
#include "compress/prune/prune.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64 };
static const double levels[PITH_SCAN_LEVELS] = { 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95 };

typedef struct {
    pith_ctx *c;
    pith_model *copy;
    pithp_pruner *p;
    pith_plan *plan;
    pithp_labelled images;
    pith_real *weights; /* as they were */
    int64_t *confusion;
    int classes;
} scan;

/* Loss of the copy as it is, on the images. NaN after an error. */
static double loss_now(const scan *s)
{
    pith_eval_result r = { .classes = s->classes };
    for (int64_t at = 0; at < s->images.n; at += BATCH) {
        const int64_t n = PITHP_MIN(s->images.n - at, BATCH);
        memcpy(pith_plan_input(s->plan, s->copy->input), s->images.x + at * s->images.per,
               (size_t)(n * s->images.per) * sizeof *s->images.x);
        if (pith_plan_forward(s->plan, n, 0) != PITH_OK)
            return NAN;
        pithp_metrics_add(&r, s->confusion, pith_plan_value(s->plan, s->copy->output), s->images.labels + at,
                          n);
    }
    return r.loss / (double)s->images.n;
}

static void as_it_was(const scan *s)
{
    pithp_model_mask_clear(s->copy);
    memcpy(s->copy->weights, s->weights, (size_t)s->copy->n_weights * sizeof *s->weights);
}

static pith_status try_layer(scan *s, int i, pith_prune_scan_layer *to)
{
    for (int k = 0; k < PITH_SCAN_LEVELS; k++) {
        as_it_was(s);
        pith_status e = pithp_pruner_only(s->p, i, levels[k]);
        if (e == PITH_OK)
            e = pithp_pruner_step(s->p, 1);
        if (e != PITH_OK)
            return e;
        to->loss[k] = loss_now(s);
        if (s->c->status)
            return s->c->status;
    }
    return PITH_OK;
}

/* ---- The proposal ------------------------------------------------------------------------------------------ */
/* The largest sparsity up to which the layer's loss grows by no more than `most`, between levels by straight lines. */
static double bears(const pith_prune_scan_layer *l, double loss, double most)
{
    double at = 0, grown = 0;
    for (int k = 0; k < PITH_SCAN_LEVELS; k++) {
        const double next = isfinite(l->loss[k]) ? fmax(l->loss[k] - loss, grown) : HUGE_VAL;
        if (next > most)
            return isfinite(next) ? at + (levels[k] - at) * (most - grown) / (next - grown) : at;
        at = levels[k];
        grown = next;
    }
    return at;
}

static double share_at(const pith_prune_scan_layer *l, int n, double loss, double most)
{
    double held = 0, all = 0;
    for (int i = 0; i < n; i++) {
        held += bears(&l[i], loss, most) * (double)l[i].weights;
        all += (double)l[i].weights;
    }
    return held / all;
}

/* The one growth of the loss that, allowed to each layer, gives the target. */
static pith_status propose(const scan *s, pith_prune_scan_layer *l, double target, pith_prune_scan_result *r)
{
    double low = 0, high = 1;
    while (high < 1e6 && share_at(l, r->n, r->loss, high) < target)
        high *= 2;
    if (share_at(l, r->n, r->loss, high) < target)
        return pithp_error(s->c, PITH_EINVAL,
                           "pruning: the scan goes as far as %g in each layer, %g in all; a lower target "
                           "than %g is expected",
                           levels[PITH_SCAN_LEVELS - 1], share_at(l, r->n, r->loss, high), target);
    for (int i = 0; i < 100; i++) {
        const double middle = (low + high) / 2;
        if (share_at(l, r->n, r->loss, middle) < target)
            low = middle;
        else
            high = middle;
    }
    for (int i = 0; i < r->n; i++)
        l[i].proposed = bears(&l[i], r->loss, high);
    r->growth = high;
    return PITH_OK;
}

/* ---- The whole --------------------------------------------------------------------------------------------- */
static pith_status prepare(scan *s, const pith_model *m, pith_data *d, const pith_prune_cfg *cfg)
{
    pith_status e = pithp_labelled_take(m, d, cfg->samples, cfg->seed, &s->images);
    if (e == PITH_OK)
        e = pithp_model_classes(m, "pruning", &s->classes);
    if (e != PITH_OK)
        return e;
    if ((s->copy = pith_model_clone(m)) == NULL)
        return s->c->status;
    pithp_model_mask_clear(s->copy); /* what was held is zero, and goes first */
    s->p = pithp_pruner_new(s->copy, d, cfg, false);
    s->plan = s->p == NULL ? NULL : pith_plan_new(&s->copy->output, 1, (pith_plan_cfg){ .batch = BATCH });
    s->weights = s->plan == NULL ? NULL : PITHP_NEW_N(s->c, pith_real, s->copy->n_weights);
    s->confusion = s->weights == NULL ? NULL : PITHP_NEW_N(s->c, int64_t, (int64_t)s->classes * s->classes);
    if (s->confusion == NULL)
        return s->c->status;
    memcpy(s->weights, s->copy->weights, (size_t)s->copy->n_weights * sizeof *s->weights);
    return PITH_OK;
}

static pith_status all_layers(scan *s, pith_prune_scan_cfg *cfg, pith_prune_scan_layer *l, int room,
                              pith_prune_scan_result *r)
{
    const pithp_pruned *layers;
    r->n = pithp_pruner_layers(s->p, &layers);
    r->loss = loss_now(s);
    memcpy(r->level, levels, sizeof levels);
    if (s->c->status)
        return s->c->status;
    if (r->n > room)
        return pithp_error(s->c, PITH_EINVAL, "pruning: a scan of %d layers; there is room for %d", r->n,
                           room);
    pith_status e = PITH_OK;
    for (int i = 0; i < r->n && e == PITH_OK; i++) {
        l[i] = (pith_prune_scan_layer){ .weights = layers[i].n };
        snprintf(l[i].name, sizeof l[i].name, "%s", pith_name(layers[i].t));
        if (cfg->stop != NULL && *cfg->stop)
            return pithp_error(s->c, PITH_ESTOPPED, "the scan was stopped after %d of %d layers", i, r->n);
        e = try_layer(s, i, &l[i]);
        if (e == PITH_OK && cfg->progress != NULL)
            cfg->progress(cfg->progress_user, i + 1, r->n);
    }
    return e;
}

pith_status pith_prune_scan(pith_model *m, pith_data *d, pith_prune_cfg cfg, pith_prune_scan_cfg how,
                            pith_prune_scan_layer *layers, int room, pith_prune_scan_result *result)
{
    if (m == NULL)
        return PITH_EINVAL;
    scan s = { .c = m->ctx };
    *result = (pith_prune_scan_result){ 0 };
    pith_status e = pithp_prune_cfg_check(m, &cfg);
    if (e == PITH_OK && d == NULL)
        e = pithp_error(s.c, PITH_EINVAL, "pruning: a scan looks at losses; it needs a data set");
    if (e == PITH_OK && cfg.unit == PITH_PRUNE_NM)
        e = pithp_error(s.c, PITH_EINVAL,
                        "pruning: %d:%d is the same in every layer; there is nothing to scan", cfg.n, cfg.m);
    if (e == PITH_OK)
        e = prepare(&s, m, d, &cfg);
    if (e == PITH_OK)
        e = all_layers(&s, &how, layers, room, result);
    if (e == PITH_OK)
        e = propose(&s, layers, cfg.target, result);
    pith_plan_free(s.plan);
    pithp_pruner_free(s.p);
    pith_model_free(s.copy);
    pithp_labelled_free(s.c, &s.images);
    pithp_free(s.c, s.weights);
    pithp_free(s.c, s.confusion);
    return e;
}
