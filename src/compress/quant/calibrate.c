/* compress/quant/calibrate.c: numbers for the fake_quant nodes of a model that is not trained: ranges of activations from
   images, scales of weights from the weights. */
#include "compress/quant/quant.h"

#include <math.h>
#include <string.h>

static const char *layer(const pith_tensor *t) { return t->name ? t->name : t->op->name; }

static const pithp_fq_attr *quant_of(const pith_tensor *t) { return t->attr; }

/* ---- Activations ---- */
typedef struct {
    pith_tensor *f; /* fake_quant node that keeps a range */
    pith_calib *k;
} observer;

typedef struct {
    pith_ctx *c;
    pith_model *m;
    observer *o;
    int n;
    pith_plan *plan;
    pith_loader *l;
} calibration;

enum { BATCH = 16 };

static bool collect(calibration *g, const pith_quant_cfg *cfg)
{
    const pithp_graph *graph = g->m->g;
    g->o = PITHP_NEW_N(g->c, observer, graph->n);
    for (size_t i = 0; g->o != NULL && i < graph->n; i++) {
        pith_tensor *t = graph->nodes[i];
        if (!pithp_is_fake_quant(t) || quant_of(t)->mode != PITHP_FQ_OBSERVE)
            continue;
        pith_calib_cfg f = cfg->calib;
        f.name = layer(t);
        f.bits = quant_of(t)->bits;
        f.symmetric = quant_of(t)->symmetric;
        g->o[g->n] = (observer){ t, pith_calib_new(g->c, f) };
        if (g->o[g->n++].k == NULL)
            return false;
    }
    return g->o != NULL;
}

/* All values that are observed are targets of one plan; the nodes themselves let them pass, for their scales are 0. */
static bool make_plan(calibration *g)
{
    pith_tensor **targets = PITHP_NEW_N(g->c, pith_tensor *, g->n + 1);
    if (targets == NULL)
        return false;
    for (int i = 0; i < g->n; i++)
        targets[i] = g->o[i].f->in[0];
    targets[g->n] = g->m->output;
    g->plan = pith_plan_new(targets, g->n + 1, (pith_plan_cfg){ .batch = BATCH });
    pithp_free(g->c, targets);
    return g->plan != NULL;
}

static pith_status observe_batch(calibration *g, const pith_batch *b, int64_t n)
{
    int64_t per = pithp_count(g->m->input->shape);
    memcpy(pith_plan_input(g->plan, g->m->input), b->x, (size_t)(n * per) * sizeof *b->x);
    pith_status s = pith_plan_forward(g->plan, n, 0);
    for (int i = 0; i < g->n && s == PITH_OK; i++) {
        const pith_tensor *x = g->o[i].f->in[0];
        s = pith_calib_observe(g->o[i].k, pith_plan_value(g->plan, x), n, pithp_count(x->shape));
    }
    return s;
}

static pith_status observe(calibration *g, pith_data *d, const pith_quant_cfg *cfg)
{
    int64_t want = PITHP_MIN(cfg->samples, pith_data_count(d, PITH_TRAIN)), seen = 0;
    int32_t *labels = PITHP_NEW_N(g->c, int32_t, want);
    if (labels == NULL)
        return PITH_ENOMEM;
    pith_batch b;
    pith_status s = PITH_OK;
    while (s == PITH_OK && seen < want && pith_loader_next(g->l, &b)) {
        int64_t n = PITHP_MIN(b.n, want - seen);
        memcpy(labels + seen, b.labels, (size_t)n * sizeof *labels);
        s = observe_batch(g, &b, n);
        seen += n;
    }
    if (s == PITH_OK)
        s = g->c->status;
    if (s == PITH_OK && pith_calib_check(g->c, labels, seen, pith_data_classes(d)) < 0)
        s = g->c->status;
    pithp_free(g->c, labels);
    return s;
}

static pith_status set_ranges(const calibration *g)
{
    for (int i = 0; i < g->n; i++) {
        const pith_tensor *f = g->o[i].f;
        pith_real *seen = f->in[PITHP_FQ_SEEN]->value;
        double lo, hi;
        pith_status s = pith_calib_range(g->o[i].k, &lo, &hi);
        if (s != PITH_OK)
            return s;
        seen[PITHP_SEEN_LO] = (pith_real)lo;
        seen[PITHP_SEEN_HI] = (pith_real)hi;
        seen[PITHP_SEEN_RUNS] = 1000;
        pithp_fq_choose(quant_of(f), lo, hi, f->in[PITHP_FQ_SCALE]->value, f->in[PITHP_FQ_ZERO]->value);
    }
    return PITH_OK;
}

pith_status pithp_quant_calibrate(pith_model *m, pith_data *d, const pith_quant_cfg *cfg)
{
    calibration g = { .c = m->ctx, .m = m };
    pith_status s = PITH_OK;
    if (collect(&g, cfg) && make_plan(&g))
        g.l = pith_loader_new(
            d, (pith_loader_cfg){ .split = PITH_TRAIN, .batch = BATCH, .seed = cfg->seed, .shuffle = true });
    if (g.l == NULL)
        s = g.c->status;
    if (s == PITH_OK)
        s = observe(&g, d, cfg);
    if (s == PITH_OK)
        s = set_ranges(&g);
    pith_loader_free(g.l);
    pith_plan_free(g.plan);
    for (int i = 0; i < g.n; i++)
        pith_calib_free(g.o[i].k);
    pithp_free(g.c, g.o);
    return s;
}

/* ---- Weights ---- */
/* The scale of what stands on operand 0 of t; 0 where it is in float. */
static double source_scale(const pith_tensor *t)
{
    const pith_tensor *x = t->in[0];
    while (x->op != NULL && !pithp_is_fake_quant(x) && x->op->integer != NULL &&
           (x->op->integer->kind == PITHP_INT_SAME || x->op->integer->kind == PITHP_INT_PASS))
        x = x->in[0];
    return x->op != NULL && pithp_is_fake_quant(x) ? (double)*(const pith_real *)x->in[PITHP_FQ_SCALE]->value
                                                   : 0;
}

typedef struct {
    const pith_tensor *t, *f; /* layer, fake_quant of its weights */
    const pithp_fq_attr *a;
    pith_real *w, *one; /* weights; room for one channel */
    int64_t n, groups, per, channels;
} layer_weights;

static int64_t place(const layer_weights *l, int64_t group, int64_t i)
{
    return l->groups == 1 ? i : l->a->axis == 0 ? group * l->per + i : i * l->groups + group;
}

/* The least scale under which the biases of the group fit int32. */
static double bias_floor(const layer_weights *l, int64_t group)
{
    int at = l->t->op->integer->weight + 1;
    const pith_tensor *b = l->t->n_in > at ? l->t->in[at] : NULL;
    double in = source_scale(l->t), most = 0;
    if (b == NULL || b->value == NULL || !(in > 0))
        return 0;
    for (int64_t i = 0; i < l->channels; i++)
        if (l->groups == 1 || i == group)
            most = PITHP_MAX(most, pith_linear_bias_scale((double)((const pith_real *)b->value)[i], in));
    return most;
}

static double largest(const pith_real *w, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = PITHP_MAX(most, fabs((double)w[i]));
    return most;
}

/* The scale of one group; at least `least`, which is also that of a group of zeros. */
static pith_status fit_group(pith_ctx *c, const layer_weights *l, int64_t group, pith_fit_range range,
                             double least, pith_real *scale)
{
    for (int64_t i = 0; i < l->per; i++)
        l->one[i] = l->w[place(l, group, i)];
    if (largest(l->one, l->per) == 0) {
        *scale = least > 0 ? (pith_real)(float)least : 1;
        return PITH_OK;
    }
    pith_linear q;
    pith_linear_cfg f = {
        .bits = l->a->bits, .symmetric = true, .narrow = true, .min_scale = least, .range = range
    };
    pith_status s = pith_linear_fit(c, (const float *)(const void *)l->one, PITH_SHAPE(l->per), -1, f, &q);
    if (s == PITH_OK)
        *scale = q.scale;
    return s;
}

/* Whether all are finite; the least scale of a channel. */
static pith_status begin_layer(pith_ctx *c, const layer_weights *l, const char *name, double *least)
{
    for (int64_t i = 0; i < l->n; i++)
        if (!isfinite(l->w[i]))
            return pithp_error(c, PITH_ENAN,
                               "layer '%s': weight %lld is %g; train it again, or load a file that "
                               "is in order",
                               name, (long long)i, (double)l->w[i]);
    *least = largest(l->w, l->n) / pithp_fq_qmax(l->a) * 0x1p-14;
    return PITH_OK;
}

pith_status pithp_quant_learned_start(pith_ctx *c, const char *name, const pithp_fq_attr *a, pith_real *w,
                                      pith_shape shape, pith_real *scale)
{
    layer_weights l = { .a = a, .w = w, .n = pithp_count(shape) };
    double least;
    l.groups = a->axis < 0 ? 1 : shape.d[a->axis];
    l.per = l.n / l.groups;
    l.one = PITHP_NEW_N(c, pith_real, l.per);
    pith_status s = l.one == NULL ? PITH_ENOMEM : begin_layer(c, &l, name, &least);
    for (int64_t g = 0; g < l.groups && s == PITH_OK; g++)
        s = fit_group(c, &l, g, PITH_FIT_MSE, least, &scale[g]);
    pithp_free(c, l.one);
    return s;
}

static pith_status fit_layer(pith_model *m, layer_weights *l)
{
    const pith_fit_range range = l->a->bits < 8 ? PITH_FIT_MSE : PITH_FIT_MINMAX;
    pith_real *scale = l->f->in[PITHP_FQ_SCALE]->value;
    double least;
    pith_status s = begin_layer(m->ctx, l, layer(l->t), &least);
    for (int64_t g = 0; g < l->groups && s == PITH_OK; g++)
        s = fit_group(m->ctx, l, g, range, PITHP_MAX(least, bias_floor(l, g)), &scale[g]);
    if (s != PITH_OK)
        return s;
    for (int64_t g = 0; g < l->groups; g++)
        for (int64_t i = 0; i < l->per; i++) {
            pith_real *w = &l->w[place(l, g, i)];
            *w = scale[g] * (pith_real)pithp_fq_quantize(l->a, *w, scale[g], 0);
        }
    return PITH_OK;
}

pith_status pithp_quant_weights(pith_model *m)
{
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        int at = t->op != NULL && t->op->integer != NULL ? t->op->integer->weight : 0;
        const pith_tensor *f = at > 0 ? t->in[at] : NULL;
        if (f == NULL || f->op == NULL || !pithp_is_fake_quant(f) || f->in[0]->kind != PITHP_NODE_PARAM)
            continue;
        layer_weights l = { .t = t, .f = f, .a = f->attr, .w = f->in[0]->value, .n = pithp_count(f->shape) };
        l.groups = pithp_count(f->in[PITHP_FQ_SCALE]->shape);
        l.per = l.n / l.groups;
        l.channels = f->shape.d[t->op->integer->axis];
        l.one = PITHP_NEW_N(m->ctx, pith_real, l.per);
        pith_status s = l.one == NULL ? PITH_ENOMEM : fit_layer(m, &l);
        pithp_free(m->ctx, l.one);
        if (s != PITH_OK)
            return s;
    }
    return PITH_OK;
}
