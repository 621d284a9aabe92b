/* compress/quant/equalize.c: cross-layer equalisation. Between two layers joined by a positively homogeneous activation,
   f(s x) = s f(x), output channel c of the first may be divided by any s > 0 and input channel c of the second multiplied by
   it. s = sqrt(r1/r2) makes the channel's weight ranges r1 and r2 equal (Nagel, van Baalen, Blankevoort, Welling,
   "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.1).

   ReLU6 is homogeneous only where it does not clip. A channel that reaches 6 on the images is left alone; others are scaled
   no further than that they stay below it: on the images the function is what it was. */
#include "compress/quant/improve.h"
#include "ops/table.h"
#include <math.h>

enum { ROUNDS = 40, BATCH = 16 };

typedef struct {
    pithp_layer a, b;
    const pith_tensor *clip; /* the relu6 between them, or NULL */
    double *
        least; /* [channels] what is still allowed of s: below it the clip would bite; 1 and above: s stays 1 */
} pair;

typedef struct {
    pith_ctx *c;
    pith_model *m;
    pair *p;
    int n;
} pairs;

static double absolute(pith_real v) { return fabs((double)v); }

/* Largest absolute weight of channel k; of the second layer's: of the input channel, its last dimension. */
static double range_out(const pithp_layer *l, int64_t k)
{
    double most = 0;
    const pith_real *w = l->w->value;
    for (int64_t i = 0; i < l->n; i++)
        if (pithp_layer_channel(l, i) == k)
            most = fmax(most, absolute(w[i]));
    return most;
}

static double range_in(const pithp_layer *l, int64_t channels, int64_t k)
{
    double most = 0;
    const pith_real *w = l->w->value;
    for (int64_t i = k; i < l->n; i += channels)
        most = fmax(most, absolute(w[i]));
    return most;
}

static void scale_channel(const pair *p, int64_t k, double s)
{
    pith_real *a = p->a.w->value, *b = p->b.w->value;
    for (int64_t i = 0; i < p->a.n; i++)
        if (pithp_layer_channel(&p->a, i) == k)
            a[i] = (pith_real)((double)a[i] / s);
    if (p->a.bias != NULL) {
        pith_real *bias = p->a.bias->value;
        bias[k] = (pith_real)((double)bias[k] / s);
    }
    for (int64_t i = k; i < p->b.n; i += p->a.channels)
        b[i] = (pith_real)((double)b[i] * s);
}

/* One pair; the largest |log s|. */
static double equalize_pair(const pair *p)
{
    double moved = 0;
    for (int64_t k = 0; k < p->a.channels; k++) {
        double r1 = range_out(&p->a, k), r2 = range_in(&p->b, p->a.channels, k);
        if (!(r1 > 0 && r2 > 0) || (p->least && p->least[k] >= 1))
            continue;
        double s = sqrt(r1 / r2);
        if (p->least) {
            s = fmax(s, p->least[k]);
            p->least[k] /= s;
        }
        scale_channel(p, k, s);
        moved = fmax(moved, fabs(log(s)));
    }
    return moved;
}

/* ---- Which layers are joined ---- */
static bool find_pair(const pithp_layer *a, const pithp_layer *layers, int n, const pith_tensor *const *users,
                      pair *p)
{
    const pith_tensor *u = users[a->t->id];
    *p = (pair){ .a = *a };
    if (u != NULL && (u->op == &pithp_op_relu || u->op == &pithp_op_relu6)) {
        p->clip = u->op == &pithp_op_relu6 ? u : NULL;
        u = users[u->id];
    }
    for (int i = 0; u != NULL && i < n; i++) {
        const pithp_layer *b = &layers[i];
        bool fed = u == b->t && (u->in[0] == a->t || u->in[0]->in[0] == a->t);
        if (fed && b->w != a->w && b->w->shape.d[b->w->shape.ndim - 1] == a->channels) {
            p->b = *b;
            return true;
        }
    }
    return false;
}

static bool find_pairs(pairs *g)
{
    int n = 0;
    pithp_layer *layers = pithp_layers_of(g->m, &n);
    const pith_tensor **users = pithp_quant_users(g->m);
    g->p = PITHP_NEW_N(g->c, pair, PITHP_MAX(n, 1));
    bool ok = layers != NULL && users != NULL && g->p != NULL;
    for (int i = 0; ok && i < n; i++) {
        bool shared = users[layers[i].w->id] == NULL; /* another layer has these weights, too */
        g->n += !shared && find_pair(&layers[i], layers, n, users, &g->p[g->n]);
    }
    pithp_free(g->c, layers);
    pithp_free(g->c, users);
    return ok;
}

/* ---- Where relu6 clips ---- */
static void see(const pair *p, const pith_real *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        p->least[i % p->a.channels] = fmax(p->least[i % p->a.channels], (double)y[i] / 6);
}

/* least = the channel's largest result over 6. */
static pith_status measure(pairs *g, const pithp_images *im)
{
    pith_tensor **targets = PITHP_NEW_N(g->c, pith_tensor *, g->n + 1);
    int clips = 0;
    pith_status s = targets == NULL ? PITH_ENOMEM : PITH_OK;
    for (int i = 0; i < g->n && s == PITH_OK; i++) {
        if (g->p[i].clip == NULL)
            continue;
        targets[clips++] = (pith_tensor *)(uintptr_t)g->p[i].clip;
        g->p[i].least = PITHP_NEW_N(g->c, double, g->p[i].a.channels);
        s = g->p[i].least == NULL ? PITH_ENOMEM : PITH_OK;
    }
    if (clips > 0 && s == PITH_OK) {
        pith_plan *plan = pith_plan_new(targets, clips, (pith_plan_cfg){ .batch = BATCH });
        s = plan == NULL ? g->c->status : PITH_OK;
        for (int64_t at = 0; at < im->n && s == PITH_OK; at += BATCH) {
            int64_t n = PITHP_MIN(BATCH, im->n - at);
            s = pithp_images_run(plan, g->m, im, at, n);
            for (int i = 0; i < g->n && s == PITH_OK; i++)
                if (g->p[i].clip != NULL)
                    see(&g->p[i], pith_plan_value(plan, g->p[i].clip), n * pithp_count(g->p[i].clip->shape));
        }
        pith_plan_free(plan);
    }
    pithp_free(g->c, targets);
    return s;
}

pith_status pithp_equalize(pith_model *folded, const pithp_images *im, int *n)
{
    pairs g = { .c = folded->ctx, .m = folded };
    pith_status s = find_pairs(&g) ? measure(&g, im) : PITH_ENOMEM;
    double moved = 1;
    for (int round = 0; s == PITH_OK && round < ROUNDS && moved > 1e-3; round++) {
        moved = 0;
        for (int i = 0; i < g.n; i++)
            moved = fmax(moved, equalize_pair(&g.p[i]));
    }
    *n = g.n;
    for (int i = 0; i < g.n; i++)
        pithp_free(g.c, g.p[i].least);
    pithp_free(g.c, g.p);
    return s;
}
