/* compress/quant/adaround.c: rounding that is learned layer by layer: Nagel, Amjad, van Baalen, Louizos, Blankevoort, "Up or
   down? Adaptive rounding for post-training quantization", ICML 2020.

   w~ = S clip(floor(w/S) + h(V)), h(V) = clip(1.2 sigmoid(V) - 0.1, 0, 1). V minimises the mean squared difference of the
   float layer's results, on float inputs, and of this layer's, on the quantized model's inputs (section 3.4), plus
   lambda sum(1 - |2h - 1|^beta), beta falling from 20 to 2 after a warm-up without it. In the end h is 0 or 1. */
#include "compress/quant/improve.h"
#include "train/train.h"
#include <math.h>
#include <string.h>

enum { BATCH = 32, RUN = 16 };
static const double zeta = 1.1, gam = -0.1, lambda = 0.01, warm = 0.2, learning = 1e-2;
static const size_t most_bytes = (size_t)192 << 20; /* of a layer's inputs and results */

/* One layer: its quantizer, what it gets and what it should give. */
typedef struct {
    pith_ctx *c;
    const pithp_layer *l;
    const pithp_fq_attr *fq;
    const pith_real *scale;
    int64_t groups, samples, in_n, out_n;
    pith_real *floors, *v0, *spread; /* [n] whole numbers; V's start; S of each weight */
    pith_real *x, *y;                /* [samples, ...] */
    pith_model *m;
    pith_tensor *v, *target, *loss;
} task;

static int64_t group_of(const task *k, int64_t i)
{
    return k->groups == 1 ? 0 : pithp_layer_channel(k->l, i);
}

/* floor(w/S), S and the V with h(V) = w/S - floor. w: the float weights. */
static void start(task *k, const pith_real *w)
{
    double qmin = pithp_fq_qmin(k->fq), qmax = pithp_fq_qmax(k->fq);
    for (int64_t i = 0; i < k->l->n; i++) {
        pith_real s = k->spread[i] = k->scale[group_of(k, i)];
        double q = (double)w[i] / (double)s, f = fmin(fmax(floor(q), qmin), qmax - 1);
        double h = fmin(fmax(q - f, 0.01), 0.99), p = (h - gam) / (zeta - gam);
        k->floors[i] = (pith_real)f;
        k->v0[i] = (pith_real)log(p / (1 - p));
    }
}

/* ---- The layer alone, as a model ---- */
static pith_tensor *constant(pith_model *m, const char *name, pith_shape s, const pith_real *values)
{
    pith_tensor *t = pithp_node_new(m->g, PITHP_NODE_DATA, PITH_F32, s, name);
    size_t n = (size_t)pithp_count(s);
    if (t == NULL || (t->value = PITHP_NEW_N(m->ctx, pith_real, n)) == NULL)
        return &m->g->poison;
    t->owns_value = true;
    memcpy(t->value, values, n * sizeof *values);
    return t;
}

static pith_tensor *alone(pith_model *m, pith_tensor *x, void *user)
{
    task *k = user;
    const pithp_layer *l = k->l;
    int at = l->t->op->integer->weight;
    k->v = pithp_node_param(m->g, "v", l->w->shape, PITHP_INIT_ZERO, 0, false);
    pith_tensor *h = pith_clip(pith_scale(pith_sigmoid(k->v), zeta - gam, gam), 0, 1);
    pith_tensor *w = pith_mul(pith_add(constant(m, "floor", l->w->shape, k->floors), h),
                              constant(m, "scale", l->w->shape, k->spread));
    pith_tensor *in[PITH_OP_MAX_IN] = { x };
    in[at] = w;
    if (l->bias != NULL)
        in[at + 1] = constant(m, "bias", l->bias->shape, l->bias->value);
    return pith_op_apply(l->t->op, l->t->attr, NULL, l->t->n_in, in);
}

/* Values of node t of model m on all images, [samples, t's elements]. */
static pith_status collect(const pith_model *m, const pith_tensor *t, const pithp_images *im, int64_t samples,
                           pith_real *to)
{
    pith_plan *p =
        pith_plan_new((pith_tensor *[]){ (pith_tensor *)(uintptr_t)t }, 1, (pith_plan_cfg){ .batch = RUN });
    pith_status s = p == NULL ? m->ctx->status : PITH_OK;
    int64_t per = pithp_count(t->shape);
    for (int64_t at = 0; at < samples && s == PITH_OK; at += RUN) {
        int64_t n = PITHP_MIN(RUN, samples - at);
        s = pithp_images_run(p, m, im, at, n);
        const pith_real *v = s == PITH_OK ? pith_plan_value(p, t) : NULL;
        if (v != NULL)
            memcpy(to + at * per, v, (size_t)(n * per) * sizeof *v);
    }
    pith_plan_free(p);
    return s;
}

static pith_shape one_sample(pith_shape s)
{
    pith_shape r = { .ndim = s.ndim - 1 };
    for (int i = 0; i < r.ndim; i++)
        r.d[i] = s.d[i + 1];
    return r;
}

/* ---- Learning ---- */
static double h_of(double v) { return fmin(fmax((zeta - gam) / (1 + exp(-v)) + gam, 0), 1); }

/* Adds lambda d/dV sum(1 - |2h - 1|^beta). */
static void push_apart(const task *k, double beta)
{
    const pith_real *v = k->v->value;
    for (int64_t i = 0; i < k->l->n; i++) {
        double h = h_of((double)v[i]), sig = 1 / (1 + exp(-(double)v[i])), u = 2 * h - 1;
        if (h > 0 && h < 1)
            k->v->grad[i] -= (pith_real)(lambda * 2 * beta * pow(fabs(u), beta - 1) * (u < 0 ? -1 : 1) *
                                         (zeta - gam) * sig * (1 - sig));
    }
}

/* The loss is a mean over all results; the paper's is a sum over channels: the gradient is made up for it. */
static void gradient_of_sum(const task *k)
{
    double factor = (double)k->l->channels;
    for (int64_t i = 0; i < k->l->n; i++)
        k->v->grad[i] *= (pith_real)factor;
    pithp_mask_apply(k->l->w, k->v->grad); /* what is pruned is not up or down: it is zero */
}

static pith_status learn(task *k, int steps, uint64_t seed)
{
    int64_t batch = PITHP_MIN(BATCH, k->samples);
    pith_plan *p = pith_plan_new(&k->loss, 1, (pith_plan_cfg){ .batch = batch, .train = true });
    pith_opt *o =
        p == NULL
            ? NULL
            : pith_opt_new_model(
                  k->m, (pith_opt_cfg){ .kind = PITH_OPT_ADAMW, .lr = learning, .weight_decay = PITH_ZERO });
    pith_status s = o == NULL ? k->c->status : PITH_OK;
    for (int step = 0; step < steps && s == PITH_OK; step++) {
        pithp_rand r = pithp_rand_at(seed, (uint32_t)step, k->l->t->id, PITHP_USE_OTHER);
        pith_real *x = pith_plan_input(p, k->m->input), *y = pith_plan_input(p, k->target);
        for (int64_t i = 0; i < batch; i++) {
            int64_t from = (int64_t)pithp_rand_below(&r, (uint64_t)k->samples);
            memcpy(x + i * k->in_n, k->x + from * k->in_n, (size_t)k->in_n * sizeof *x);
            memcpy(y + i * k->out_n, k->y + from * k->out_n, (size_t)k->out_n * sizeof *y);
        }
        s = pith_plan_forward(p, batch, (uint64_t)step);
        if (s == PITH_OK)
            s = pith_plan_backward(p);
        if (s != PITH_OK)
            break;
        gradient_of_sum(k);
        double t = ((double)step / steps - warm) / (1 - warm);
        if (t >= 0)
            push_apart(k, 2 + 0.5 * 18 * (1 + cos(t * 3.14159265358979323846)));
        s = pith_opt_step(o);
    }
    pith_opt_free(o);
    pith_plan_free(p);
    return s;
}

/* ---- The task of one layer ---- */
static void release(task *k)
{
    pith_model_free(k->m);
    pithp_free(k->c, k->floors);
    pithp_free(k->c, k->v0);
    pithp_free(k->c, k->spread);
    pithp_free(k->c, k->x);
    pithp_free(k->c, k->y);
}

static bool prepare(task *k, const pithp_layer *ref, const pithp_images *im)
{
    const pith_tensor *in = k->l->t->in[0];
    k->in_n = pithp_count(in->shape), k->out_n = pithp_count(k->l->t->shape);
    size_t each = (size_t)(k->in_n + k->out_n) * sizeof(pith_real);
    k->samples = PITHP_MIN(im->n, PITHP_MAX((int64_t)(most_bytes / each), 1));
    k->floors = PITHP_NEW_N(k->c, pith_real, k->l->n);
    k->v0 = PITHP_NEW_N(k->c, pith_real, k->l->n);
    k->spread = PITHP_NEW_N(k->c, pith_real, k->l->n);
    k->x = PITHP_NEW_N(k->c, pith_real, k->samples * k->in_n);
    k->y = PITHP_NEW_N(k->c, pith_real, k->samples * k->out_n);
    if (!k->floors || !k->v0 || !k->spread || !k->x || !k->y)
        return false;
    start(k, ref->w->value);
    k->m = pith_model_new(k->c, alone, k, one_sample(in->shape));
    if (k->m == NULL)
        return false;
    k->target = pith_model_add_input(k->m, "target", PITH_F32, one_sample(k->l->t->shape));
    k->loss = pith_mse(k->m->output, k->target);
    memcpy(k->v->value, k->v0, (size_t)k->l->n * sizeof *k->v0);
    return !k->loss->poison;
}

static pith_status round_layer(pith_model *n, const pithp_layer *l, const pith_model *folded,
                               const pithp_layer *ref, const pithp_images *im, int steps, uint64_t seed)
{
    task k = { .c = n->ctx,
               .l = l,
               .fq = l->quant->attr,
               .scale = l->quant->in[PITHP_FQ_SCALE]->value,
               .groups = pithp_count(l->quant->in[PITHP_FQ_SCALE]->shape) };
    pith_status s = prepare(&k, ref, im) ? PITH_OK : n->ctx->status;
    if (s == PITH_OK)
        s = collect(n, l->t->in[0], im, k.samples, k.x);
    if (s == PITH_OK)
        s = collect(folded, ref->t, im, k.samples, k.y);
    if (s == PITH_OK)
        s = learn(&k, steps, seed);
    pith_real *w = l->w->value;
    for (int64_t i = 0; i < l->n && s == PITH_OK; i++) {
        double h = h_of((double)((const pith_real *)k.v->value)[i]);
        w[i] = k.spread[i] * (k.floors[i] + (h >= 0.5 ? 1 : 0));
    }
    pithp_mask_apply(l->w, w);
    release(&k);
    return s;
}

pith_status pithp_adaround(pith_model *n, const pith_model *folded, const pithp_images *im, int steps,
                           uint64_t seed)
{
    int count = 0, refs = 0;
    pithp_layer *l = pithp_layers_of(n, &count), *ref = pithp_layers_of(folded, &refs);
    pith_status s = l == NULL || ref == NULL ? PITH_ENOMEM : PITH_OK;
    if (s == PITH_OK && count != refs)
        s = pithp_error(n->ctx, PITH_EBUG, "AdaRound: %d layers of %d", count, refs);
    for (int i = 0; i < count && s == PITH_OK; i++)
        if (l[i].quant != NULL)
            s = round_layer(n, &l[i], folded, &ref[i], im, steps, seed);
    pithp_free(n->ctx, l);
    pithp_free(n->ctx, ref);
    return s;
}
