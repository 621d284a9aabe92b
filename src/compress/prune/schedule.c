/* compress/prune/schedule.c: when masks grow while a model trains. All is a function of the step and of the weights, so that
   a checkpoint needs to hold nothing of it but the masks. */
#include "compress/prune/prune.h"
#include "train/train.h"

#include <math.h>
#include <string.h>

typedef struct {
    pith_ctx *c;
    pith_model *m;
    pith_data *d;
    pith_prune_cfg cfg;
    pith_prune_schedule s; /* defaults filled in */
    int64_t steps_per_epoch;
    int epochs;
    pithp_pruner *p;
} run;

static bool in_rounds(const pith_prune_schedule *s)
{
    return s->kind == PITH_PRUNE_ITERATIVE || s->kind == PITH_PRUNE_REWIND;
}

/* ---- The formulas ------------------------------------------------------------------------------------------ */
static pith_prune_schedule defaults(pith_prune_schedule s, int epochs)
{
    s.begin = PITH_OR(s.begin, 0);
    s.end = PITH_OR(s.end, s.kind == PITH_PRUNE_POLYNOMIAL ? epochs / 2.0 : s.begin);
    s.frequency = s.frequency ? s.frequency : 50;
    s.power = PITH_OR(s.power, 3);
    s.rounds = in_rounds(&s) ? s.rounds ? s.rounds : 3 : 1;
    s.from = PITH_OR(s.from, 0);
    return s;
}

/* Masks are looked at anew before this step. For POLYNOMIAL *k of *n: how far it is. */
static bool due(const pith_prune_schedule *s, int64_t step, int64_t steps_per_epoch, int epochs, int64_t *k,
                int64_t *n)
{
    const int64_t begin = llround(s->begin * (double)steps_per_epoch),
                  end = llround(s->end * (double)steps_per_epoch);
    *k = *n = 1;
    if (in_rounds(s)) {
        const int64_t round = steps_per_epoch * (epochs / s->rounds);
        *n = s->rounds;
        *k = PITHP_MIN(step / round + 1, *n);
        return step % round == 0 && step / round < *n;
    }
    if (s->kind != PITH_PRUNE_POLYNOMIAL) {
        *k = step >= begin;
        return step == begin;
    }
    *n = PITHP_MAX((end - begin) / s->frequency, 0);
    *k = step < begin ? 0 : PITHP_MIN((step - begin) / s->frequency, *n);
    if (*n == 0) /* nothing between begin and end: all of it at once */
        *k = *n = 1;
    return step >= begin && (step - begin) % s->frequency == 0 && (step - begin) / s->frequency <= *n;
}

static double sparsity(const pith_prune_schedule *s, double target, int64_t k, int64_t n)
{
    if (k >= n)
        return target;
    if (in_rounds(s)) /* each round takes the same share of what is left */
        return 1 - (1 - s->from) * pow((1 - target) / (1 - s->from), (double)k / (double)n);
    return k == 0 ? s->from : target + (s->from - target) * pow(1 - (double)k / (double)n, s->power);
}

double pith_prune_sparsity(pith_prune_schedule s, double target, int64_t step, int64_t steps_per_epoch,
                           int epochs)
{
    int64_t k, n;
    s = defaults(s, epochs);
    due(&s, PITHP_MAX(step, 0), PITHP_MAX(steps_per_epoch, 1), PITHP_MAX(epochs, s.rounds), &k, &n);
    return sparsity(&s, target, k, n);
}

/* ---- Within a training -------------------------------------------------------------------------------------- */
static pith_status begin(void *user, pith_trainer *t, int64_t steps_per_epoch, int epochs)
{
    run *r = user;
    r->steps_per_epoch = steps_per_epoch;
    r->epochs = epochs;
    r->p = pithp_pruner_new(r->m, r->d, &r->cfg,
                            t->runs == 0); /* a resumed run has been checked when it began */
    return r->p != NULL ? pithp_model_mask_room(r->m) : r->c->status;
}

/* Weights and statistics of the model that it goes back to; masks stay. */
static pith_status go_back(const run *r)
{
    for (size_t i = 0; i < r->m->g->n; i++) {
        const pith_tensor *t = r->m->g->nodes[i];
        if (t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE)
            continue;
        const pith_tensor *from = pithp_graph_find(r->s.rewind->g, pith_name(t));
        memcpy(t->value, from->value, (size_t)pithp_count(t->shape) * sizeof(pith_real));
    }
    pithp_model_mask_apply(r->m);
    return PITH_OK;
}

/* A round begins with what the one before would have given: its average. */
static void take_average(pith_opt *o)
{
    pith_opt_swap_ema(o);
    o->swapped = false;
}

static pith_status step(void *user, pith_trainer *t, int64_t at, char note[PITH_NOTE])
{
    run *r = user;
    int64_t k, n;
    if (!due(&r->s, at, r->steps_per_epoch, r->epochs, &k, &n))
        return PITH_OK;
    const bool rounds = in_rounds(&r->s);
    if (rounds && at > 0)
        take_average(t->opt);
    const double target = pithp_pruner_target(r->p), want = sparsity(&r->s, target, k, n);
    pith_status s = pithp_pruner_step(r->p, k >= n || target == 0 ? 1 : PITHP_MIN(want / target, 1));
    if (s == PITH_OK && r->s.kind == PITH_PRUNE_REWIND)
        s = go_back(r);
    if (s == PITH_OK && rounds)
        pithp_opt_restart(t->opt);
    pithp_opt_hold(t->opt);
    const double now = 100 * pithp_pruner_sparsity(r->p);
    if (s == PITH_OK && rounds)
        snprintf(note, PITH_NOTE, "round %lld of %lld: %.2f%% of the weights are held at zero", (long long)k,
                 (long long)n, now);
    else if (s == PITH_OK && k == n)
        snprintf(note, PITH_NOTE, "%.2f%% of the weights are held at zero from here on", now);
    return s;
}

/* ---- Checks ------------------------------------------------------------------------------------------------- */
static pith_status rewind_fits(const run *r)
{
    if (r->s.rewind == NULL)
        return pithp_error(
            r->c, PITH_EINVAL,
            "pruning: rewinding needs the weights to go back to: the network as it was initialised, or "
            "after its first epochs");
    for (size_t i = 0; i < r->m->g->n; i++) {
        const pith_tensor *t = r->m->g->nodes[i];
        if (t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE)
            continue;
        const pith_tensor *from = pithp_graph_find(r->s.rewind->g, pith_name(t));
        if (from == NULL || from->kind != t->kind || !pithp_shape_eq(from->shape, t->shape))
            return pithp_error(
                r->c, PITH_EINVAL,
                "pruning: the weights to go back to are another network's: '%s' is not in them, or has "
                "another shape",
                pith_name(t));
    }
    return PITH_OK;
}

static pith_status check(const run *r)
{
    const pith_prune_schedule *s = &r->s;
    const struct {
        const char *name;
        double value, low, high;
    } range[] = { { "kind", (double)s->kind, PITH_PRUNE_ONESHOT, PITH_PRUNE_REWIND },
                  { "begin", s->begin, 0, r->epochs },
                  { "end", s->end, s->begin, r->epochs },
                  { "frequency", s->frequency, 1, 1e9 },
                  { "power", s->power, 1e-3, 100 },
                  { "rounds", s->rounds, 1, r->epochs },
                  { "from", s->from, 0, 0.999999 } };
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (!(range[i].value >= range[i].low && range[i].value <= range[i].high))
            return pithp_error(r->c, PITH_EINVAL, "pruning: schedule: %s is %g; %g to %g is expected",
                               range[i].name, range[i].value, range[i].low, range[i].high);
    if (r->epochs % s->rounds != 0)
        return pithp_error(r->c, PITH_EINVAL,
                           "pruning: schedule: %d epochs do not divide into %d rounds; choose a multiple",
                           r->epochs, s->rounds);
    return s->kind == PITH_PRUNE_REWIND ? rewind_fits(r) : PITH_OK;
}

/* What a resumed run must find as it was. */
static char *key_of(const run *r)
{
    const pith_prune_cfg *f = &r->cfg;
    const pith_prune_schedule *s = &r->s;
    uint64_t rewind = 0;
    for (int i = 0; s->rewind != NULL && i < s->rewind->n_param_nodes; i++) {
        const pith_tensor *t = s->rewind->params[i];
        rewind = 31 * rewind + pithp_hash64(t->value, (size_t)pithp_count(t->shape) * sizeof(pith_real));
    }
    return pithp_sprintf(
        r->c,
        "prune %.17g unit %d %d:%d criterion %d%s%s%s layers %s skip %s samples %d seed %llu; schedule %d "
        "%.17g %.17g %d "
        "%.17g %d %.17g %llx",
        f->target, (int)f->unit, f->n, f->m, (int)f->criterion, f->per_layer ? " per_layer" : "",
        f->depthwise ? " depthwise" : "", f->allow_empty ? " allow_empty" : "", f->layers ? f->layers : "",
        f->skip ? f->skip : "", f->samples, (unsigned long long)f->seed, (int)s->kind, s->begin, s->end,
        s->frequency, s->power, s->rounds, s->from, (unsigned long long)rewind);
}

pith_status pith_prune_fit(pith_model *m, pith_data *d, pith_prune_cfg cfg, pith_prune_schedule when,
                           pith_fit_cfg fit)
{
    if (m == NULL)
        return PITH_EINVAL;
    run r = { .c = m->ctx, .m = m, .d = d, .cfg = cfg, .epochs = fit.epochs ? fit.epochs : 40 };
    r.s = defaults(when, r.epochs);
    pith_status s = pithp_prune_cfg_check(m, &r.cfg);
    if (s == PITH_OK && fit.hook != NULL)
        s = pithp_error(r.c, PITH_EINVAL, "pruning: the training has a hook of its own already");
    if (s == PITH_OK)
        s = check(&r);
    char *key = s == PITH_OK ? key_of(&r) : NULL;
    if (key == NULL)
        return s != PITH_OK ? s : PITH_ENOMEM;
    const pith_step_hook hook = { .begin = begin, .step = step, .key = key, .user = &r };
    fit.hook = &hook;
    fit.epochs = r.epochs;
    fit.schedule.cycles = in_rounds(&r.s) ? r.s.rounds : fit.schedule.cycles;
    s = pith_fit(m, d, fit);
    pithp_pruner_free(r.p);
    pithp_free(r.c, key);
    return s;
}
