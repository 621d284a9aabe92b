/* compress/quant/analyze_look.c: what each quantized place costs: its values in float beside those that were rounded. */
#include "compress/quant/analyze.h"
#include "ops/fake_quant.h"
#include <math.h>
#include <string.h>

enum { BATCH = 16 };

static double decibel(double signal, double noise)
{
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

/* ---- Switches ---- */
static void exchange(const pithp_exchange *x, bool on)
{
    if (x->t != NULL)
        memcpy(x->t->value, on ? x->rounded : x->exact, (size_t)x->n * sizeof(pith_real));
}

static void turn(const pithp_spot *s, bool on)
{
    pith_real *scale = s->f->in[PITHP_FQ_SCALE]->value;
    for (int64_t i = 0; i < s->scales; i++)
        scale[i] = on ? s->scale[i] : 0;
    exchange(&s->w, on);
    exchange(&s->bias, on);
}

void pithp_spots_turn(const pith_analysis *a, bool on)
{
    for (int i = 0; i < a->n; i++)
        turn(&a->s[i], on);
}

/* ---- Places ---- */
static int bin_of(const pith_place *p, double x)
{
    const double at = p->hi > p->lo ? (x - p->lo) / (p->hi - p->lo) * PITH_ANALYSIS_BINS : 0;
    return at > 0 ? (int)fmin(at, PITH_ANALYSIS_BINS - 1) : 0;
}

static void take_range(pith_place *p, const pith_real *v, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        p->lo = fmin(p->lo, (double)v[k]), p->hi = fmax(p->hi, (double)v[k]);
}

/* Values in float: histogram, and what is clipped. Of results also what rounding them alone does. */
static void look(pith_place *p, pithp_spot *s, const pith_real *v, int64_t n)
{
    const pithp_fq_attr *q = s->f->attr;
    const pith_real *zero = s->f->in[PITHP_FQ_ZERO]->value;
    int64_t inner = 1, clipped = 0;
    for (int k = q->axis + 1; q->axis >= 0 && k < s->f->shape.ndim; k++)
        inner *= s->f->shape.d[k];
    for (int64_t k = 0; k < n; k++) {
        const int64_t g = s->scales == 1 ? 0 : k / inner % s->scales;
        const double x = (double)v[k], sc = (double)s->scale[g];
        const int z = pithp_fq_zero(q, zero[g]);
        p->histogram[bin_of(p, x)]++;
        clipped += x < sc * (pithp_fq_qmin(q) - z - 0.5) || x > sc * (pithp_fq_qmax(q) - z + 0.5);
        if (!p->weights) {
            const double d = x - sc * (pithp_fq_quantize(q, v[k], s->scale[g], z) - z);
            s->own_signal += x * x;
            s->own_noise += d * d;
        }
    }
    p->values += n;
    p->clipped += (double)clipped; /* divided when all is seen */
}

static void look_rounded(pith_place *p, const pith_real *v, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        p->rounded[bin_of(p, (double)v[k])]++;
        p->zeros += v[k] == 0;
    }
}

static void compare(const pith_real *exact, const pith_real *rounded, int64_t n, double *signal,
                    double *noise)
{
    for (int64_t k = 0; k < n; k++) {
        double d = (double)exact[k] - (double)rounded[k];
        *signal += (double)exact[k] * (double)exact[k];
        *noise += d * d;
    }
}

/* What a plan keeps of its float run, place after place: the results where noise is measured; of weights also themselves. */
typedef struct {
    pith_plan *p;
    pith_tensor **targets;
    int n_targets;
    pith_real *kept;
} looking;

static int64_t elements(const pith_tensor *t, int64_t n) { return n * pithp_count(t->shape); }

static void in_float(pith_analysis *a, const looking *l, int64_t n, bool first, bool range)
{
    pith_real *to = l->kept;
    for (int i = 0; i < a->n; i++) {
        pithp_spot *s = &a->s[i];
        pith_place *p = &a->places[i];
        const bool here = !p->weights || first; /* weights are the same in every batch */
        const pith_real *v = pith_plan_value(l->p, s->f);
        const int64_t count = elements(s->f, p->weights ? 1 : n);
        if (here && range)
            take_range(p, v, count);
        else if (here)
            look(p, s, v, count);
        if (range)
            continue;
        memcpy(to, pith_plan_value(l->p, s->at), (size_t)elements(s->at, n) * sizeof *to);
        to += elements(s->at, n);
        if (p->weights && first) {
            memcpy(to, v, (size_t)count * sizeof *to);
            to += count;
        }
    }
}

static void in_codes(pith_analysis *a, const looking *l, int64_t n, bool first)
{
    const pith_real *was = l->kept;
    for (int i = 0; i < a->n; i++) {
        pithp_spot *s = &a->s[i];
        pith_place *p = &a->places[i];
        const pith_real *v = pith_plan_value(l->p, s->f);
        const int64_t count = elements(s->f, p->weights ? 1 : n);
        compare(was, pith_plan_value(l->p, s->at), elements(s->at, n), &s->signal, &s->noise);
        was += elements(s->at, n);
        if (!p->weights || first)
            look_rounded(p, v, count);
        if (p->weights && first) {
            compare(was, v, count, &s->own_signal, &s->own_noise);
            was += count;
        }
    }
}

/* Ranges first, since histograms need them. */
static pith_status pass(pith_analysis *a, const looking *l, bool range)
{
    pith_status st = PITH_OK;
    for (int64_t at = 0; at < a->im.n && st == PITH_OK; at += BATCH) {
        const int64_t n = PITHP_MIN(BATCH, a->im.n - at);
        pithp_spots_turn(a, false);
        st = pithp_images_run(l->p, a->m, &a->im, at, n);
        if (st == PITH_OK)
            in_float(a, l, n, at == 0, range);
        pithp_spots_turn(a, true);
        if (range || st != PITH_OK)
            continue;
        st = pithp_images_run(l->p, a->m, &a->im, at, n);
        if (st == PITH_OK)
            in_codes(a, l, n, at == 0);
    }
    return st;
}

static pith_status open_looking(const pith_analysis *a, looking *l)
{
    int64_t room = 0;
    *l = (looking){ .targets = PITHP_NEW_N(a->c, pith_tensor *, 2 * (int64_t)a->n) };
    for (int i = 0; l->targets != NULL && i < a->n; i++) {
        const pithp_spot *s = &a->s[i];
        l->targets[l->n_targets++] = (pith_tensor *)(uintptr_t)s->at;
        if (s->f != s->at)
            l->targets[l->n_targets++] = (pith_tensor *)(uintptr_t)s->f;
        room += elements(s->at, BATCH) + elements(s->f, 1);
    }
    l->kept = l->targets == NULL ? NULL : PITHP_NEW_N(a->c, pith_real, room);
    if (l->kept != NULL)
        l->p = pith_plan_new(l->targets, l->n_targets, (pith_plan_cfg){ .batch = BATCH, .no_fuse = true });
    return l->p != NULL ? PITH_OK : a->c->status ? a->c->status : PITH_ENOMEM;
}

pith_status pithp_look_at_places(pith_analysis *a)
{
    looking l;
    pith_status st = open_looking(a, &l);
    if (st == PITH_OK)
        st = pass(a, &l, true);
    if (st == PITH_OK)
        st = pass(a, &l, false);
    for (int i = 0; i < a->n && st == PITH_OK; i++) {
        pith_place *p = &a->places[i];
        p->clipped /= (double)p->values;
        p->accumulated = decibel(a->s[i].signal, a->s[i].noise);
        p->own = decibel(a->s[i].own_signal, a->s[i].own_noise);
    }
    pith_plan_free(l.p);
    pithp_free(a->c, l.kept);
    pithp_free(a->c, l.targets);
    return st;
}

/* ---- The output ---- */
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

pith_status pithp_switch_through(pith_analysis *a, bool all_but)
{
    pith_plan *p = pith_plan_new(&a->m->output, 1, (pith_plan_cfg){ .batch = BATCH, .no_fuse = true });
    pith_status st = p == NULL ? a->c->status : PITH_OK;
    double none;
    pithp_spots_turn(a, false);
    if (st == PITH_OK)
        st = output_now(a, p, true, &none);
    for (int i = 0; i < a->n && st == PITH_OK; i++) {
        turn(&a->s[i], true);
        st = output_now(a, p, false, &a->places[i].alone);
        turn(&a->s[i], false);
    }
    pithp_spots_turn(a, true);
    if (st == PITH_OK)
        st = output_now(a, p, false, &a->output);
    for (int i = 0; i < a->n && st == PITH_OK && all_but; i++) {
        turn(&a->s[i], false);
        st = output_now(a, p, false, &a->places[i].all_but);
        turn(&a->s[i], true);
    }
    pith_plan_free(p);
    return st;
}
