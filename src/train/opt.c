/* Optimisers over flat blocks: one pass a step. */
#include "train/train.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

static void opt_destroy(pith_ctx *c, pithp_obj *obj)
{
    pith_opt *o = (pith_opt *)obj;
    pithp_free(c, o->seg);
    pithp_free(c, o->tile);
    pithp_free(c, o->m);
    pithp_free(c, o->v);
    pithp_free(c, o->ema);
    pithp_free(c, o->partial);
    pithp_free(c, o);
}

void pith_opt_free(pith_opt *o)
{
    if (o != NULL)
        pithp_destroy(o->ctx, &o->obj);
}

/* ---- Settings ------------------------------------------------------------------------------------------ */
pith_opt_cfg pithp_opt_defaults(pith_opt_cfg cfg)
{
    static const struct {
        double lr, eps, weight_decay;
    } of[] = { { 0.05, 1e-8, 4e-5 }, { 1e-3, 1e-8, 1e-2 }, { 0.004, 1e-3, 1e-5 } };
    bool known = (size_t)cfg.kind < PITHP_LEN(of); /* if not, the check that follows says so */
    const size_t k = known ? (size_t)cfg.kind : 0;
    cfg.lr = PITH_OR(cfg.lr, of[k].lr);
    cfg.momentum = PITH_OR(cfg.momentum, 0.9);
    cfg.beta1 = PITH_OR(cfg.beta1, 0.9);
    cfg.beta2 = PITH_OR(cfg.beta2, 0.999);
    cfg.rho = PITH_OR(cfg.rho, 0.9);
    cfg.eps = PITH_OR(cfg.eps, of[k].eps);
    cfg.weight_decay = PITH_OR(cfg.weight_decay, of[k].weight_decay);
    cfg.clip_norm = PITH_OR(cfg.clip_norm, 0);
    cfg.ema_decay = PITH_OR(cfg.ema_decay, 0);
    return cfg;
}

pith_status pithp_opt_check(pith_ctx *c, const pith_opt_cfg *f)
{
    if ((int)f->kind < PITH_OPT_SGD || f->kind > PITH_OPT_RMSPROP)
        return pithp_error(
            c, PITH_EINVAL,
            "optimiser: no kind %d; PITH_OPT_SGD, PITH_OPT_ADAMW or PITH_OPT_RMSPROP is expected",
            (int)f->kind);
    const struct {
        const char *name;
        double value, low, high; /* low <= value < high */
    } range[] = { { "lr", f->lr, 0, 1e6 },
                  { "momentum", f->momentum, 0, 1 },
                  { "beta1", f->beta1, 0, 1 },
                  { "beta2", f->beta2, 0, 1 },
                  { "rho", f->rho, 0, 1 },
                  { "eps", f->eps, 0, 1e6 },
                  { "weight_decay", f->weight_decay, 0, 1e6 },
                  { "clip_norm", f->clip_norm, 0, HUGE_VAL },
                  { "ema_decay", f->ema_decay, 0, 1 } };
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (!(range[i].value >= range[i].low && range[i].value < range[i].high))
            return pithp_error(c, PITH_EINVAL,
                               "optimiser: %s is %g; %g or more, and less than %g, is expected",
                               range[i].name, range[i].value, range[i].low, range[i].high);
    if (f->n_lr_scale < 0 || f->n_lr_scale > PITHP_MAX_PATTERNS || (f->n_lr_scale > 0 && f->lr_scale == NULL))
        return pithp_error(c, PITH_EINVAL, "optimiser: %d patterns of lr_scale; 0 to %d are expected",
                           f->n_lr_scale, (int)PITHP_MAX_PATTERNS);
    for (int i = 0; i < f->n_lr_scale; i++)
        if (f->lr_scale[i].pattern == NULL || !(f->lr_scale[i].factor >= 0 && f->lr_scale[i].factor <= 1e6))
            return pithp_error(c, PITH_EINVAL,
                               "optimiser: lr_scale '%.60s' is %g; a pattern and a factor from 0 to 1e6 are "
                               "expected",
                               f->lr_scale[i].pattern ? f->lr_scale[i].pattern : "(NULL)",
                               f->lr_scale[i].factor);
    return PITH_OK;
}

/* ---- Making -------------------------------------------------------------------------------------------- */
enum { ALIGN_REALS = 64 / sizeof(pith_real) };

static int64_t padded(int64_t n) { return (n + ALIGN_REALS - 1) / ALIGN_REALS * ALIGN_REALS; }

static bool takes_part(const pith_opt *o, const pith_tensor *t)
{
    return t->kind == PITHP_NODE_PARAM || (t->kind == PITHP_NODE_STATE && o->cfg.ema_decay > 0);
}

/* Cuts the tensors into segments: parameters first, then state, as a model's blocks have them. seg NULL:
   only counts. */
static void cut(pith_opt *o, const pithp_graph *g, pithp_opt_seg *seg)
{
    int64_t at = 0, first_state = 0;
    o->n_seg = 0;
    for (int pass = 0; pass < 2; pass++) {
        pithp_node_kind kind = pass == 0 ? PITHP_NODE_PARAM : PITHP_NODE_STATE;
        for (size_t i = 0; i < g->n; i++) {
            const pith_tensor *t = g->nodes[i];
            if (t->kind != kind || !takes_part(o, t) || t->value == NULL)
                continue;
            int64_t n = pithp_count(t->shape),
                    base = o->model ? (pith_real *)t->value - o->model->weights : at;
            for (int64_t k = 0; k < n; k += PITHP_OPT_CHUNK, o->n_seg++) {
                if (seg == NULL)
                    continue;
                pithp_opt_seg s = { .t = t,
                                    .w = (pith_real *)t->value + k,
                                    .n = PITHP_MIN(n - k, PITHP_OPT_CHUNK) };
                if (pass == 0)
                    s.g = t->grad + k;
                if (pass == 0 && o->m != NULL)
                    s.m = o->m + base + k;
                if (pass == 0 && o->v != NULL)
                    s.v = o->v + base + k;
                if (o->ema != NULL)
                    s.ema = o->ema + base + k;
                seg[o->n_seg] = s;
            }
            at += padded(n);
        }
        if (pass == 0)
            first_state = at;
    }
    if (o->model == NULL) {
        o->n_params = first_state;
        o->n_weights = at;
    }
}

static void group(pith_opt *o)
{
    int64_t n = 0;
    o->n_tile = 0;
    for (int i = 0; i < o->n_seg; i++) {
        if (i == 0 || n >= PITHP_OPT_CHUNK) {
            o->tile[o->n_tile++] = (pithp_opt_tile){ i, i };
            n = 0;
        }
        o->tile[o->n_tile - 1].to = i + 1;
        n += o->seg[i].n;
    }
}

/* Each segment's factor of the learning rate. A pattern without a match is a misspelt one. */
static bool scale_rates(pith_opt *o)
{
    for (int i = 0; i < o->n_seg; i++)
        o->seg[i].rate = 1;
    for (int k = 0; k < o->cfg.n_lr_scale; k++) {
        const pith_lr_scale *s = &o->cfg.lr_scale[k];
        bool matched = false;
        for (int i = 0; i < o->n_seg; i++) {
            const pith_tensor *t = o->seg[i].t;
            if (t->kind != PITHP_NODE_PARAM || t->name == NULL || fnmatch(s->pattern, t->name, 0) != 0)
                continue;
            o->seg[i].rate = s->factor;
            matched = true;
        }
        if (matched)
            continue;
        pithp_error(o->ctx, PITH_ENOTFOUND,
                    "optimiser: lr_scale: no parameter's name matches '%.80s'; there are names such as "
                    "'%.80s' ('pith info' lists them)",
                    s->pattern, o->seg[0].t->name ? o->seg[0].t->name : "");
        return false;
    }
    o->cfg.lr_scale = NULL; /* the caller's */
    return true;
}

static bool blocks(pith_opt *o, const pithp_graph *g)
{
    pith_ctx *c = o->ctx;
    cut(o, g, NULL);
    if (o->n_seg == 0) {
        pithp_error(c, PITH_EINVAL, "optimiser: there are no parameters yet; record them before making it");
        return false;
    }
    o->seg = PITHP_NEW_N(c, pithp_opt_seg, o->n_seg);
    o->tile = PITHP_NEW_N(c, pithp_opt_tile, o->n_seg);
    o->partial = PITHP_NEW_N(c, double, o->n_seg);
    o->m = PITHP_NEW_N(c, pith_real, o->n_params);
    bool squares = o->cfg.kind != PITH_OPT_SGD;
    if (squares)
        o->v = PITHP_NEW_N(c, pith_real, o->n_params);
    if (o->cfg.ema_decay > 0)
        o->ema = PITHP_NEW_N(c, pith_real, o->n_weights);
    if (!o->seg || !o->tile || !o->partial || !o->m || (squares && !o->v) ||
        (o->cfg.ema_decay > 0 && !o->ema))
        return false;
    for (int64_t i = 0; i < o->n_params && squares; i++)
        o->v[i] = pithp_opt_first_square(o);
    cut(o, g, o->seg);
    group(o);
    if (!scale_rates(o))
        return false;
    for (int i = 0; i < o->n_seg && o->ema != NULL; i++)
        memcpy(o->seg[i].ema, o->seg[i].w, (size_t)o->seg[i].n * sizeof *o->ema);
    return true;
}

static pith_opt *opt_new(pith_ctx *c, pith_model *m, const pithp_graph *g, pith_opt_cfg cfg)
{
    cfg = pithp_opt_defaults(cfg);
    if (pithp_opt_check(c, &cfg))
        return NULL;
    pith_opt *o = PITHP_NEW(c, pith_opt);
    if (o == NULL)
        return NULL;
    o->ctx = c;
    o->model = m;
    o->cfg = cfg;
    o->lr = cfg.lr;
    o->kern = pithp_kern_get(c->isa);
    if (m != NULL) {
        o->weights = m->weights;
        o->n_params = m->n_params;
        o->n_weights = m->n_weights;
    }
    pithp_own(c, &o->obj, opt_destroy);
    if (blocks(o, g))
        return o;
    pith_opt_free(o);
    return NULL;
}

pith_opt *pith_opt_new(pith_ctx *c, pith_opt_cfg cfg)
{
    const pithp_graph *g = pithp_ctx_graph(c);
    return g == NULL ? NULL : opt_new(c, NULL, g, cfg);
}

pith_opt *pith_opt_new_model(pith_model *m, pith_opt_cfg cfg)
{
    return m == NULL ? NULL : opt_new(m->ctx, m, m->g, cfg);
}

/* ---- A step -------------------------------------------------------------------------------------------- */
double pithp_ema_decay(double decay, int64_t steps_before)
{
    double t = (double)steps_before;
    return PITHP_MIN(decay, (1 + t) / (10 + t));
}

static bool trains(const pithp_opt_seg *s) { return s->g != NULL && !s->t->frozen; }

/* Eight partial sums, added in a fixed order. */
static double square_sum(const pith_real *g, int64_t n)
{
    double s[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            s[j] += (double)g[i + j] * g[i + j];
    for (; i < n; i++)
        s[i & 7] += (double)g[i] * g[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static void norm_tile(void *arg, int64_t tile, int thread)
{
    pith_opt *o = arg;
    double sum = 0;
    for (int i = o->tile[tile].from; i < o->tile[tile].to; i++)
        if (trains(&o->seg[i])) {
            const pithp_opt_seg *s = &o->seg[i];
            const uint8_t *keep = pithp_opt_mask(s);
            if (keep != NULL) /* what moves nothing does not count */
                o->kern->mask(keep, s->g, s->n);
            sum += square_sum(s->g, s->n);
        }
    o->partial[tile] = sum;
}

static double global_norm(pith_opt *o)
{
    pithp_parallel(o->ctx->threads, o->n_tile, norm_tile, o);
    double sum = 0;
    for (int i = 0; i < o->n_tile; i++)
        sum += o->partial[i];
    return sqrt(sum);
}

static void average(const pithp_opt_seg *s, pith_real decay)
{
    const pith_real take = PITHP_R(1.0) - decay;
    for (int64_t i = 0; i < s->n; i++)
        s->ema[i] += take * (s->w[i] - s->ema[i]);
}

static void step_tile(void *arg, int64_t tile, int thread)
{
    const pith_opt *o = arg;
    const pith_opt_cfg *f = &o->cfg;
    for (int i = o->tile[tile].from; i < o->tile[tile].to; i++) {
        const pithp_opt_seg *s = &o->seg[i];
        pith_real wd = s->t->decay ? (pith_real)f->weight_decay : 0, lr = (pith_real)(o->lr * s->rate);
        if (!trains(s)) {
            if (s->ema != NULL)
                average(s, (pith_real)o->ema_now);
        } else if (f->kind == PITH_OPT_SGD) {
            o->kern->sgd(s->w, s->g, s->m, s->ema, s->n, lr, (pith_real)f->momentum, wd, f->nesterov,
                         (pith_real)o->scale, (pith_real)o->ema_now);
        } else if (f->kind == PITH_OPT_RMSPROP) {
            o->kern->rmsprop(s->w, s->g, s->m, s->v, s->ema, s->n, lr, (pith_real)f->momentum,
                             (pith_real)f->rho, (pith_real)f->eps, wd, (pith_real)o->scale,
                             (pith_real)o->ema_now);
        } else {
            o->kern->adamw(s->w, s->g, s->m, s->v, s->ema, s->n, lr, (pith_real)f->beta1, (pith_real)f->beta2,
                           (pith_real)f->eps, wd, (pith_real)o->c1, (pith_real)o->c2, (pith_real)o->scale,
                           (pith_real)o->ema_now);
        }
        pithp_opt_hold_segment(o, s);
    }
}

pith_status pithp_opt_step_scaled(pith_opt *o, double scale)
{
    if (o->swapped)
        return pithp_error(
            o->ctx, PITH_EINVAL,
            "optimiser: a step was asked for while the weights are exchanged with their moving average; "
            "call pith_opt_swap_ema again first");
    if (o->model != NULL && o->model->weights != o->weights)
        return pithp_error(
            o->ctx, PITH_ESTALE,
            "optimiser: the model's weights were laid out anew (a pass ran); make the optimiser again");
    o->scale = scale;
    if (o->cfg.clip_norm > 0) {
        o->norm = global_norm(o) * scale;
        if (!isfinite(o->norm))
            return pithp_error(
                o->ctx, PITH_ENAN,
                "optimiser: the gradient's norm is %g at step %lld; the weights are as they were: lower "
                "the learning rate",
                o->norm, (long long)o->steps + 1);
        if (o->norm > o->cfg.clip_norm)
            o->scale *= o->cfg.clip_norm / o->norm;
    }
    o->ema_now = pithp_ema_decay(o->cfg.ema_decay, o->steps);
    /* of the betas as the kernel sees them: 1 - 0.999f is off by 1e-5, and the correction has to undo just that */
    o->c1 = 1 - pow((pith_real)o->cfg.beta1, (double)o->steps + 1);
    o->c2 = 1 - pow((pith_real)o->cfg.beta2, (double)o->steps + 1);
    pithp_parallel(o->ctx->threads, o->n_tile, step_tile, o);
    o->steps++;
    return PITH_OK;
}

pith_status pith_opt_step(pith_opt *o) { return pithp_opt_step_scaled(o, 1); }

void pith_opt_set_lr(pith_opt *o, double lr) { o->lr = lr; }

double pith_opt_lr(const pith_opt *o) { return o->lr; }

void pith_opt_set_momentum(pith_opt *o, double momentum)
{
    *(o->cfg.kind == PITH_OPT_ADAMW ? &o->cfg.beta1 : &o->cfg.momentum) = momentum;
}

double pith_opt_grad_norm(const pith_opt *o) { return o->norm; }

void pith_opt_swap_ema(pith_opt *o)
{
    if (o == NULL || o->ema == NULL)
        return;
    for (int i = 0; i < o->n_seg; i++) {
        pith_real *w = o->seg[i].w, *e = o->seg[i].ema;
        for (int64_t k = 0; k < o->seg[i].n; k++) {
            pith_real keep = w[k];
            w[k] = e[k];
            e[k] = keep;
        }
    }
    o->swapped = !o->swapped;
}
