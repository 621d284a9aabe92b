/* compress/quant/analyze.c: what each quantized place costs. One simulated model serves for all measurements: a fake_quant
   whose scale is 0 lets its operand pass, so places are switched off and on by their scales, and weights exchanged. */
#include "compress/quant/improve.h"
#include "train/train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16 };

typedef struct {
    const pith_tensor *f;             /* the fake_quant node */
    const pith_tensor *at;            /* where its accumulated noise is measured */
    pith_tensor *w;                   /* weights: their leaf */
    pith_real *scale, *exact, *codes; /* scales; weights in float, and rounded */
    int64_t scales, n;
    double signal, noise;
} spot;

struct pith_analysis {
    pithp_obj obj;
    pith_ctx *c;
    pith_model *m; /* the simulation */
    pithp_images im;
    spot *s;
    pith_place *places; /* [n] */
    const pith_place **ranked;
    int n;
    pith_real *logits; /* in float, of all images */
    double output;
};

static double decibel(double signal, double noise)
{
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

/* ---- Switches ---- */
static void turn(const spot *s, bool on)
{
    pith_real *scale = s->f->in[PITHP_FQ_SCALE]->value;
    for (int64_t i = 0; i < s->scales; i++)
        scale[i] = on ? s->scale[i] : 0;
    if (s->w != NULL)
        memcpy(s->w->value, on ? s->codes : s->exact, (size_t)s->n * sizeof(pith_real));
}

static void turn_all(const pith_analysis *a, bool on)
{
    for (int i = 0; i < a->n; i++)
        turn(&a->s[i], on);
}

/* ---- Gathering ---- */
static pith_real *copy(pith_ctx *c, const pith_real *v, int64_t n)
{
    pith_real *to = PITHP_NEW_N(c, pith_real, n);
    if (to != NULL)
        memcpy(to, v, (size_t)n * sizeof *v);
    return to;
}

static bool add_spot(pith_analysis *a, const pith_tensor *f, const pithp_layer *l, const pithp_layer *ref)
{
    spot *s = &a->s[a->n];
    pith_place *p = &a->places[a->n++];
    const pithp_fq_attr *q = f->attr;
    *s = (spot){ .f = f, .at = l ? l->t : f, .scales = pithp_count(f->in[PITHP_FQ_SCALE]->shape) };
    s->scale = copy(a->c, f->in[PITHP_FQ_SCALE]->value, s->scales);
    *p = (pith_place){ .layer = pith_name(l ? l->t : f), .weights = l != NULL, .bits = q->bits };
    if (l != NULL) {
        s->w = l->w;
        s->n = l->n;
        s->exact = copy(a->c, ref->w->value, l->n);
        s->codes = copy(a->c, l->w->value, l->n);
    }
    return s->scale != NULL && (l == NULL || (s->exact != NULL && s->codes != NULL));
}

static bool gather(pith_analysis *a, const pith_model *folded)
{
    int count = 0, refs = 0;
    pithp_layer *l = pithp_layers_of(a->m, &count), *ref = pithp_layers_of(folded, &refs);
    a->s = PITHP_NEW_N(a->c, spot, a->m->g->n);
    a->places = PITHP_NEW_N(a->c, pith_place, a->m->g->n);
    bool ok = l != NULL && ref != NULL && a->s != NULL && a->places != NULL && count == refs;
    for (size_t i = 0; ok && i < a->m->g->n; i++) {
        const pith_tensor *f = a->m->g->nodes[i];
        int of = 0;
        if (!pithp_is_fake_quant(f))
            continue;
        while (of < count && l[of].quant != f)
            of++;
        ok = add_spot(a, f, of < count ? &l[of] : NULL, of < count ? &ref[of] : NULL);
    }
    pithp_free(a->c, l);
    pithp_free(a->c, ref);
    return ok;
}

/* ---- Measuring ---- */
/* Values in float of one place: range, histogram (once the range is known), what is clipped. */
static void look(pith_analysis *a, int i, const pith_real *v, int64_t n, bool range)
{
    pith_place *p = &a->places[i];
    const spot *s = &a->s[i];
    const pithp_fq_attr *q = s->f->attr;
    const pith_real *zero = s->f->in[PITHP_FQ_ZERO]->value;
    int64_t inner = 1, clipped = 0;
    for (int k = q->axis + 1; q->axis >= 0 && k < s->f->shape.ndim; k++)
        inner *= s->f->shape.d[k];
    for (int64_t k = 0; k < n; k++) {
        double x = (double)v[k];
        if (range) {
            p->lo = fmin(p->lo, x), p->hi = fmax(p->hi, x);
            continue;
        }
        int64_t g = s->scales == 1 ? 0 : k / inner % s->scales;
        double sc = (double)s->scale[g], z = (double)zero[g];
        clipped += x < sc * (pithp_fq_qmin(q) - z - 0.5) || x > sc * (pithp_fq_qmax(q) - z + 0.5);
        int bin = p->hi > p->lo ? (int)((x - p->lo) / (p->hi - p->lo) * PITH_ANALYSIS_BINS) : 0;
        p->histogram[PITHP_MIN(PITHP_MAX(bin, 0), PITH_ANALYSIS_BINS - 1)]++;
    }
    p->clipped += (double)clipped; /* divided when all is seen */
}

static void compare(spot *s, const pith_real *exact, const pith_real *rounded, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        double d = (double)exact[k] - (double)rounded[k];
        s->signal += (double)exact[k] * (double)exact[k];
        s->noise += d * d;
    }
}

/* Everything that needs the values of all places: two passes in float and one rounded, batch by batch. */
static pith_status places_pass(pith_analysis *a, pith_plan *p, pith_real *kept, bool range)
{
    pith_status st = PITH_OK;
    for (int64_t at = 0; at < a->im.n && st == PITH_OK; at += BATCH) {
        int64_t n = PITHP_MIN(BATCH, a->im.n - at), used = 0;
        turn_all(a, false);
        st = pithp_images_run(p, a->m, &a->im, at, n);
        for (int i = 0; i < a->n && st == PITH_OK; i++) {
            int64_t all = n * pithp_count(a->s[i].at->shape);
            const pith_real *v = pith_plan_value(p, a->s[i].at);
            if (!a->places[i].weights)
                look(a, i, v, all, range);
            if (!range)
                memcpy(kept + used, v, (size_t)all * sizeof *v);
            used += all;
        }
        turn_all(a, true);
        if (range || st != PITH_OK)
            continue;
        st = pithp_images_run(p, a->m, &a->im, at, n);
        used = 0;
        for (int i = 0; i < a->n && st == PITH_OK; i++) {
            int64_t all = n * pithp_count(a->s[i].at->shape);
            compare(&a->s[i], kept + used, pith_plan_value(p, a->s[i].at), all);
            used += all;
        }
    }
    return st;
}

static pith_status look_at_places(pith_analysis *a)
{
    pith_tensor **targets = PITHP_NEW_N(a->c, pith_tensor *, a->n);
    int64_t room = 0;
    for (int i = 0; targets != NULL && i < a->n; i++) {
        targets[i] = (pith_tensor *)(uintptr_t)a->s[i].at;
        room += BATCH * pithp_count(a->s[i].at->shape);
    }
    pith_real *kept = PITHP_NEW_N(a->c, pith_real, room);
    pith_plan *p = targets == NULL || kept == NULL
                       ? NULL
                       : pith_plan_new(targets, a->n, (pith_plan_cfg){ .batch = BATCH, .no_fuse = true });
    pith_status st = p == NULL ? a->c->status : PITH_OK;
    if (st == PITH_OK)
        st = places_pass(a, p, kept, true);
    if (st == PITH_OK)
        st = places_pass(a, p, kept, false);
    for (int i = 0; i < a->n && st == PITH_OK; i++) {
        bool w = a->places[i].weights;
        if (w) {
            look(a, i, a->s[i].exact, a->s[i].n, true);
            look(a, i, a->s[i].exact, a->s[i].n, false);
        }
        a->places[i].clipped /= w ? (double)a->s[i].n : (double)(a->im.n * pithp_count(a->s[i].at->shape));
        a->places[i].accumulated = decibel(a->s[i].signal, a->s[i].noise);
    }
    pith_plan_free(p);
    pithp_free(a->c, kept);
    pithp_free(a->c, targets);
    return st;
}

/* The output's ratio as the places are switched now; keep: these outputs are the float ones. */
static pith_status output_now(pith_analysis *a, pith_plan *p, bool keep, double *ratio)
{
    int64_t per = pithp_count(a->m->output->shape);
    double signal = 0, noise = 0;
    pith_status st = PITH_OK;
    for (int64_t at = 0; at < a->im.n && st == PITH_OK; at += BATCH) {
        int64_t n = PITHP_MIN(BATCH, a->im.n - at);
        st = pithp_images_run(p, a->m, &a->im, at, n);
        const pith_real *v = pith_plan_value(p, a->m->output);
        for (int64_t k = 0; k < n * per && st == PITH_OK; k++) {
            pith_real *exact = &a->logits[at * per + k];
            if (keep)
                *exact = v[k];
            double d = (double)*exact - (double)v[k];
            signal += (double)*exact * (double)*exact;
            noise += d * d;
        }
    }
    *ratio = decibel(signal, noise);
    return st;
}

static pith_status switch_through(pith_analysis *a)
{
    pith_plan *p = pith_plan_new(&a->m->output, 1, (pith_plan_cfg){ .batch = BATCH, .no_fuse = true });
    pith_status st = p == NULL ? a->c->status : PITH_OK;
    double none;
    turn_all(a, false);
    if (st == PITH_OK)
        st = output_now(a, p, true, &none);
    for (int i = 0; i < a->n && st == PITH_OK; i++) {
        turn(&a->s[i], true);
        st = output_now(a, p, false, &a->places[i].alone);
        turn(&a->s[i], false);
    }
    turn_all(a, true);
    if (st == PITH_OK)
        st = output_now(a, p, false, &a->output);
    for (int i = 0; i < a->n && st == PITH_OK; i++) {
        turn(&a->s[i], false);
        st = output_now(a, p, false, &a->places[i].all_but);
        turn(&a->s[i], true);
    }
    pith_plan_free(p);
    return st;
}

static int by_gain(const void *x, const void *y)
{
    const pith_place *a = *(const pith_place *const *)x, *b = *(const pith_place *const *)y;
    if (a->all_but != b->all_but)
        return a->all_but > b->all_but ? -1 : 1;
    return a < b ? -1 : a > b; /* in the network's order */
}

/* ---- The object ---- */
static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_analysis *a = (pith_analysis *)o;
    for (int i = 0; i < a->n; i++) {
        pithp_free(c, a->s[i].scale);
        pithp_free(c, a->s[i].exact);
        pithp_free(c, a->s[i].codes);
    }
    pithp_free(c, a->s);
    pithp_free(c, a->places);
    pithp_free(c, (void *)(uintptr_t)a->ranked);
    pithp_free(c, a->logits);
    pithp_images_free(c, &a->im);
    pithp_free(c, a);
}

static pith_status make(pith_analysis *a, const pith_model *m, pith_data *d, pith_quant_cfg *cfg)
{
    pith_status st = pithp_quant_begin(m, cfg);
    if (st == PITH_OK && cfg->scheme != PITH_SCHEME_INT8)
        st = pithp_error(a->c, PITH_EINVAL, "analysis: only the int8 scheme has places to look at");
    if (st == PITH_OK)
        st = pithp_model_fits_data(m, d, "analysis");
    if (st == PITH_OK)
        st = pithp_images_take(m, d, cfg->improve_samples, cfg->seed, &a->im);
    pith_model *folded = st == PITH_OK ? pithp_improve_before(m, &a->im, cfg) : NULL;
    a->m = folded == NULL ? NULL : pith_model_clone(folded);
    if (a->m == NULL)
        st = a->c->status ? a->c->status : PITH_ENOMEM;
    if (st == PITH_OK)
        st = pithp_quant_insert(a->m, cfg, false);
    if (st == PITH_OK)
        st = pithp_quant_calibrate(a->m, d, cfg);
    if (st == PITH_OK)
        st = pithp_quant_weights(a->m);
    if (st == PITH_OK)
        st = pithp_improve_after(a->m, folded, &a->im, cfg);
    if (st == PITH_OK && !gather(a, folded))
        st = a->c->status ? a->c->status : PITH_ENOMEM;
    pith_model_free(folded);
    return st;
}

pith_analysis *pith_analyze(const pith_model *m, pith_data *d, pith_quant_cfg cfg)
{
    if (m == NULL || d == NULL)
        return NULL;
    pith_ctx *c = m->ctx;
    pith_analysis *a = PITHP_NEW(c, pith_analysis);
    if (a == NULL)
        return NULL;
    a->c = c;
    pithp_own(c, &a->obj, destroy);
    pith_status st = make(a, m, d, &cfg);
    if (st == PITH_OK) {
        a->logits = PITHP_NEW_N(c, pith_real, a->im.n * pithp_count(a->m->output->shape));
        a->ranked = PITHP_NEW_N(c, const pith_place *, a->n);
        st = a->logits == NULL || a->ranked == NULL ? PITH_ENOMEM : look_at_places(a);
    }
    if (st == PITH_OK)
        st = switch_through(a);
    if (st != PITH_OK) {
        pith_analysis_free(a);
        return NULL;
    }
    for (int i = 0; i < a->n; i++)
        a->ranked[i] = &a->places[i];
    qsort(a->ranked, (size_t)a->n, sizeof(const pith_place *), by_gain);
    return a;
}

void pith_analysis_free(pith_analysis *a)
{
    if (a == NULL)
        return;
    pith_model *m = a->m;
    pithp_destroy(a->c, &a->obj);
    pith_model_free(m);
}

const pith_place *pith_analysis_place(const pith_analysis *a, int i)
{
    return i < 0 || i >= a->n ? NULL : &a->places[i];
}

const pith_place *pith_analysis_ranked(const pith_analysis *a, int i)
{
    return i < 0 || i >= a->n ? NULL : a->ranked[i];
}

double pith_analysis_output(const pith_analysis *a, int64_t *images)
{
    if (images != NULL)
        *images = a->im.n;
    return a->output;
}
