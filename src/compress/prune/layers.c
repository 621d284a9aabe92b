/* compress/prune/layers.c: the layers that take part in pruning, and what goes together in them. */
#include "compress/prune/prune.h"
#include "compress/quant/improve.h"
#include "ops/table.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 256 };

/* ---- "pattern=target,..." and "pattern,..." ---------------------------------------------------------------- */
typedef struct {
    char pattern[NAME_ROOM];
    double value; /* NaN: none, or no number */
} part;

/* The next part; NULL after the last. A part that is too long has an empty pattern. */
static const char *next_part(const char *at, bool valued, part *p)
{
    if (at == NULL || *at == 0)
        return NULL;
    size_t n = strcspn(at, ",");
    *p = (part){ .value = NAN };
    if (n < NAME_ROOM)
        memcpy(p->pattern, at, n);
    char *eq = valued ? strrchr(p->pattern, '=') : NULL, *end = NULL;
    if (eq != NULL) {
        double v = strtod(eq + 1, &end);
        p->value = end != eq + 1 && *end == 0 ? v : (double)NAN;
        *eq = 0;
    }
    return at + n + (at[n] == ',');
}

static bool listed(const char *list, bool valued, const char *name, double *value)
{
    part p;
    for (const char *at = list; (at = next_part(at, valued, &p)) != NULL;)
        if (fnmatch(p.pattern, name, 0) == 0) {
            *value = p.value;
            return true;
        }
    return false;
}

static pith_status list_check(const pith_model *m, const pithp_layer *l, int n, const char *list,
                              const char *what, bool valued)
{
    part p;
    for (const char *at = list; (at = next_part(at, valued, &p)) != NULL;) {
        int matched = 0;
        for (int i = 0; i < n; i++)
            matched += fnmatch(p.pattern, pith_name(l[i].t), 0) == 0;
        if (p.pattern[0] == 0 || (valued && !(p.value >= 0 && p.value <= 1)))
            return pithp_error(m->ctx, PITH_EINVAL, "pruning: %s: '%.80s'; %s is expected", what, list,
                               valued ? "PATTERN=TARGET,... with targets from 0 to 1" : "PATTERN,...");
        if (matched == 0)
            return pithp_error(
                m->ctx, PITH_EINVAL,
                "pruning: %s: '%s' matches no layer with weights of model '%s'; there are names "
                "such as '%s' (pith info lists them)",
                what, p.pattern, m->name, n > 0 ? pith_name(l[0].t) : "");
    }
    return PITH_OK;
}

/* ---- Settings ---------------------------------------------------------------------------------------------- */
pith_status pithp_prune_cfg_check(const pith_model *m, pith_prune_cfg *f)
{
    pith_ctx *c = m->ctx;
    if (c->status)
        return c->status;
    f->target = PITH_OR(f->target, 0);
    f->samples = f->samples ? f->samples : 512;
    if (f->n == 0 && f->m == 0)
        f->n = 2, f->m = 4;
    if (!(f->target >= 0 && f->target <= 1))
        return pithp_error(c, PITH_EINVAL, "pruning: target %g; a share from 0 to 1 is expected", f->target);
    const struct {
        const char *name;
        int value, low, high;
    } range[] = { { "unit", (int)f->unit, PITH_PRUNE_WEIGHT, PITH_PRUNE_CHANNEL },
                  { "criterion", (int)f->criterion, PITH_PRUNE_L1, PITH_PRUNE_RANDOM },
                  { "samples", f->samples, 1, 1 << 24 },
                  { "m of N:M", f->m, 2, 64 },
                  { "n of N:M", f->n, 1, f->m - 1 } };
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (range[i].value < range[i].low || range[i].value > range[i].high)
            return pithp_error(c, PITH_EINVAL, "pruning: %s is %d; %d to %d is expected", range[i].name,
                               range[i].value, range[i].low, range[i].high);
    const double pattern = 1 - (double)f->n / f->m;
    if (f->unit == PITH_PRUNE_NM && f->target != 0 && fabs(f->target - pattern) > 1e-6)
        return pithp_error(
            c, PITH_EINVAL,
            "pruning: target %g with %d:%d; that pattern is %g by itself: leave the target out, "
            "or choose another pattern",
            f->target, f->n, f->m, pattern);
    if (f->unit == PITH_PRUNE_NM)
        f->target = pattern;
    if (f->unit == PITH_PRUNE_NM && f->layers != NULL)
        return pithp_error(c, PITH_EINVAL,
                           "pruning: layers: %d:%d leaves no other targets; skip layers instead", f->n, f->m);
    if (pithp_model_quantized(m))
        return pithp_error(
            c, PITH_EINVAL,
            "pruning: model '%s' is quantized; prune the float model first, then quantize it: the "
            "zeros stay",
            m->name);
    return PITH_OK;
}

/* ---- Units ------------------------------------------------------------------------------------------------- */
void pithp_pruned_units(pithp_pruned *l, pith_prune_unit unit)
{
    const int64_t r = l->d[1], s = l->d[2], c = l->d[3];
    int64_t *step = l->step;
    memset(step, 0, sizeof l->step);
    if (unit != PITH_PRUNE_CHANNEL || l->depthwise)
        step[3] = 1;
    if (unit == PITH_PRUNE_WEIGHT || unit == PITH_PRUNE_NM) {
        step[0] = r * s * c, step[1] = s * c, step[2] = c;
        l->units = l->n;
    } else if (unit == PITH_PRUNE_VECTOR) {
        step[0] = r * c, step[1] = c;
        l->units = l->d[0] * r * c;
    } else if (unit == PITH_PRUNE_KERNEL || l->depthwise) {
        step[0] = c;
        l->units = l->d[0] * c;
    } else {
        step[0] = 1;
        l->units = l->d[0];
    }
}

/* ---- Layers ------------------------------------------------------------------------------------------------ */
static void see(pithp_pruned *p, const pithp_layer *l, const pith_tensor *const *users)
{
    const pith_shape s = l->w->shape;
    const pith_tensor *next = users[l->t->id];
    *p =
        (pithp_pruned){ .t = l->t, .w = l->w, .n = l->n, .channels = l->channels, .depthwise = l->axis != 0 };
    for (int i = 0; i < 4; i++)
        p->d[i] = s.ndim == 4 ? s.d[i] : 1;
    if (s.ndim != 4) {
        p->d[0] = s.d[0];
        p->d[3] = l->n / s.d[0];
    }
    p->beside[0] = l->bias;
    if (next == NULL || next->op != &pithp_op_batch_norm || next->in[0] != l->t)
        return;
    p->bn = next;
    for (int i = 1; i <= 2; i++)
        if (next->in[i] != NULL && next->in[i]->kind == PITHP_NODE_PARAM)
            p->beside[i] = next->in[i];
}

static bool takes_part(const pithp_pruned *p, const pith_prune_cfg *cfg)
{
    double none;
    if (listed(cfg->skip, false, pith_name(p->t), &none) || (p->depthwise && !cfg->depthwise))
        return false;
    return cfg->unit != PITH_PRUNE_CHANNEL || p->t->op != &pithp_op_dense;
}

static pith_status fits(const pith_model *m, const pithp_pruned *p, const pith_prune_cfg *cfg)
{
    char text[96];
    const char *name = pith_name(p->t);
    if (cfg->unit == PITH_PRUNE_NM && (p->depthwise || p->d[3] % cfg->m != 0))
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "pruning: layer '%s': its weights %s have %lld input channels, which do not divide into "
            "groups of %d; leave it out (skip \"%s\")",
            name, pithp_shape_text(p->w->shape, text), (long long)(p->depthwise ? 1 : p->d[3]), cfg->m, name);
    if (cfg->criterion == PITH_PRUNE_BN && p->bn == NULL)
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "pruning: layer '%s' has no batch norm behind it whose scale could be looked at; leave "
            "it out (skip \"%s\"), or choose another criterion",
            name, name);
    return PITH_OK;
}

static pith_status choose(const pith_model *m, const pith_prune_cfg *cfg, const pithp_layer *all, int n_all,
                          const pith_tensor *const *users, pithp_pruned *to, int *n)
{
    pith_status s = list_check(m, all, n_all, cfg->skip, "skip", false);
    if (s == PITH_OK)
        s = list_check(m, all, n_all, cfg->layers, "layers", true);
    for (int i = 0; i < n_all && s == PITH_OK; i++) {
        pithp_pruned *p = &to[*n];
        see(p, &all[i], users);
        bool again = false; /* weights that two layers share are pruned once */
        for (int k = 0; k < *n; k++)
            again = again || to[k].w == p->w;
        if (again || !takes_part(p, cfg))
            continue;
        s = fits(m, p, cfg);
        p->target = cfg->target;
        p->alone = listed(cfg->layers, true, pith_name(p->t), &p->target) || cfg->per_layer;
        pithp_pruned_units(p, cfg->unit);
        p->first = *n > 0 ? p[-1].first + p[-1].units : 0;
        ++*n;
    }
    if (s == PITH_OK && (*n == 0 || to[*n - 1].first + to[*n - 1].units > INT32_MAX))
        s = pithp_error(m->ctx, PITH_EINVAL, "pruning: model '%s': %s", m->name,
                        *n == 0 ? "no layer with weights is left to prune" : "more than 2^31 weights");
    return s;
}

pithp_pruned *pithp_pruned_layers(const pith_model *m, const pith_prune_cfg *cfg, int *n)
{
    int n_all = 0;
    pithp_layer *all = pithp_layers_of(m, &n_all);
    const pith_tensor **users = all == NULL ? NULL : pithp_quant_users(m);
    pithp_pruned *p = users == NULL ? NULL : PITHP_NEW_N(m->ctx, pithp_pruned, n_all + 1);
    *n = 0;
    if (p != NULL && choose(m, cfg, all, n_all, users, p, n) != PITH_OK) {
        pithp_free(m->ctx, p);
        p = NULL;
    }
    pithp_free(m->ctx, all);
    pithp_free(m->ctx, users);
    return p;
}
