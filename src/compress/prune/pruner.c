/* compress/prune/pruner.c: masks towards a target, once or as often as a schedule wants. Masks only grow. */
#include "compress/prune/prune.h"

#include <math.h>
#include <string.h>

struct pithp_pruner {
    pith_ctx *c;
    pith_model *m;
    pith_prune_cfg cfg; /* defaults filled in */
    pithp_pruned *l;
    int n;
    int64_t units;
    pithp_taylor *taylor; /* NULL: another criterion */
    pithp_worth worth;    /* [units] */
    uint32_t *order[2];   /* [units] */
    uint8_t *gone;        /* [units] goes in this step */
    uint8_t *keep;        /* [weights of the largest layer] */
    bool checking;        /* the first ranking: says what cannot be */
    bool scored;          /* scores stay as they are */
};

void pithp_pruner_free(pithp_pruner *p)
{
    if (p == NULL)
        return;
    pith_ctx *c = p->c;
    pithp_taylor_free(p->taylor);
    pithp_free(c, p->worth.score);
    pithp_free(c, p->worth.alive);
    pithp_free(c, p->worth.sum);
    pithp_free(c, p->order[0]);
    pithp_free(c, p->order[1]);
    pithp_free(c, p->gone);
    pithp_free(c, p->keep);
    pithp_free(c, p->l);
    pithp_free(c, p);
}

/* ---- What may go ------------------------------------------------------------------------------------------- */
static int64_t alive_in(const pithp_pruner *p, const pithp_pruned *l)
{
    int64_t n = 0;
    for (int64_t u = 0; u < l->units; u++)
        n += p->worth.alive[l->first + u];
    return n;
}

/* Of each group of m weights the n best are not for the taking; what is held counts among those that went. Gives how many
   units of layer l were added to order[0] at `at`. */
static int64_t group_candidates(const pithp_pruner *p, const pithp_pruned *l, int64_t at)
{
    const int m = p->cfg.m, go = m - p->cfg.n;
    int64_t added = 0;
    for (int64_t g = l->first; g < l->first + l->units; g += m) {
        bool taken[64] = { false };
        int held = 0;
        for (int i = 0; i < m; i++)
            held += p->worth.alive[g + i] == 0;
        for (int k = held; k < go; k++) {
            int worst = -1;
            for (int i = 0; i < m; i++)
                if (p->worth.alive[g + i] > 0 && !taken[i] &&
                    (worst < 0 || p->worth.score[g + i] < p->worth.score[g + worst]))
                    worst = i;
            taken[worst] = true;
        }
        for (int i = 0; i < m; i++)
            if (taken[i])
                p->order[0][at + added++] = (uint32_t)(g + i);
    }
    return added;
}

static int64_t candidates(const pithp_pruner *p, const pithp_pruned *l, int64_t at)
{
    int64_t added = 0;
    if (p->cfg.unit == PITH_PRUNE_NM)
        return group_candidates(p, l, at);
    for (int64_t u = l->first; u < l->first + l->units; u++)
        if (p->worth.alive[u] > 0)
            p->order[0][at + added++] = (uint32_t)u;
    return added;
}

/* ---- What goes --------------------------------------------------------------------------------------------- */
static pith_status too_much(const pithp_pruner *p, const pithp_pruned *l, int64_t held, int64_t weights,
                            double target)
{
    return pithp_error(p->c, PITH_EINVAL,
                       "pruning: %s%s: %.2f%% of the weights are held at zero already, more than the target, "
                       "%.2f%%; masks only grow: ask for more, or clear them first",
                       l != NULL ? "layer " : "model ", l != NULL ? pith_name(l->t) : p->m->name,
                       100.0 * (double)held / (double)weights, 100 * target);
}

/* Marks units of layers [from, to) that are ranked together (all but those alone; or the one layer that is), until as many
   weights are held as `share` of their target says. */
static pith_status rank_pool(pithp_pruner *p, int from, int to, bool alone, double share)
{
    int64_t n = 0, weights = 0, held = 0, largest = 0;
    const pithp_pruned *first = NULL;
    double target = 0;
    for (int i = from; i < to; i++) {
        const pithp_pruned *l = &p->l[i];
        if (l->alone != alone)
            continue;
        first = first != NULL ? first : l;
        target = l->target;
        weights += l->n;
        largest = PITHP_MAX(largest, l->n / l->units);
        held += l->n - alive_in(p, l);
        n += candidates(p, l, n);
    }
    const int64_t goal = llround(target * share * (double)weights);
    if (p->checking && p->cfg.unit != PITH_PRUNE_NM && held - goal > PITHP_MAX(weights / 1000, largest))
        return too_much(p, alone ? first : NULL, held, weights, target);
    const bool all = p->cfg.unit == PITH_PRUNE_NM && share == 1;
    uint32_t *sorted;
    pithp_rank(p->worth.score, n, p->order, &sorted);
    for (int64_t i = 0; i < n; i++) {
        const int32_t more = p->worth.alive[sorted[i]];
        if (!all && 2 * held + more > 2 * goal)
            break;
        held += more;
        p->gone[sorted[i]] = 1;
    }
    return PITH_OK;
}

static pith_status rank_all(pithp_pruner *p, double share)
{
    pith_status s = p->scored ? PITH_OK : pithp_prune_scores(p->l, p->n, &p->cfg, p->taylor, &p->worth);
    bool together = false;
    memset(p->gone, 0, (size_t)p->units);
    for (int i = 0; i < p->n && s == PITH_OK; i++) {
        together = together || !p->l[i].alone;
        if (p->l[i].alone)
            s = rank_pool(p, i, i + 1, true, share);
    }
    return s == PITH_OK && together ? rank_pool(p, 0, p->n, false, share) : s;
}

/* The best unit of layer l that would go; -1: something stays anyway, or nothing was there. */
static int64_t last_one(const pithp_pruner *p, const pithp_pruned *l)
{
    int64_t best = -1;
    for (int64_t u = l->first; u < l->first + l->units; u++) {
        if (p->worth.alive[u] == 0)
            continue;
        if (!p->gone[u])
            return -1;
        if (best < 0 || p->worth.score[u] > p->worth.score[best])
            best = u;
    }
    return best;
}

static pith_status refuse_empty(const pithp_pruner *p)
{
    for (int i = 0; i < p->n && !p->cfg.allow_empty; i++)
        if (last_one(p, &p->l[i]) >= 0)
            return pithp_error(
                p->c, PITH_EINVAL,
                "pruning: layer '%s' would lose all its %lld weights, and the network its signal; "
                "choose a lower target, a target of its own for it (layers \"%s=0.8\"), the same "
                "target for every layer (per_layer), or allow it (allow_empty)",
                pith_name(p->l[i].t), (long long)p->l[i].n, pith_name(p->l[i].t));
    return PITH_OK;
}

/* ---- Masks ------------------------------------------------------------------------------------------------- */
static pith_status hold_beside(pithp_pruner *p, const pithp_pruned *l)
{
    pith_status s = PITH_OK;
    for (int i = 0; i < 3 && s == PITH_OK; i++) {
        pith_tensor *t = l->beside[i];
        if (t == NULL || pithp_count(t->shape) != l->units)
            continue;
        for (int64_t u = 0; u < l->units; u++)
            p->keep[u] = !p->gone[l->first + u] && (t->mask == NULL || t->mask[u]);
        s = pithp_model_mask_param(p->m, t, p->keep);
    }
    return s;
}

static pith_status hold(pithp_pruner *p, const pithp_pruned *l)
{
    const uint8_t *mask = l->w->mask, *gone = p->gone + l->first;
    PITHP_UNITS_EACH(l, i, u)
    p->keep[i] = !gone[u] && (mask == NULL || mask[i]);
    pith_status s = pithp_model_mask_param(p->m, l->w, p->keep);
    return s == PITH_OK && p->cfg.unit == PITH_PRUNE_CHANNEL ? hold_beside(p, l) : s;
}

pith_status pithp_pruner_step(pithp_pruner *p, double share)
{
    pith_status s = rank_all(p, PITHP_MIN(PITHP_MAX(share, 0), 1));
    for (int i = 0; i < p->n && s == PITH_OK; i++) {
        const int64_t last = p->cfg.allow_empty ? -1 : last_one(p, &p->l[i]);
        if (last >= 0)
            p->gone[last] = 0;
        s = hold(p, &p->l[i]);
    }
    return s;
}

pith_status pithp_pruner_only(pithp_pruner *p, int i, double target)
{
    pith_status s = p->scored ? PITH_OK : pithp_prune_scores(p->l, p->n, &p->cfg, p->taylor, &p->worth);
    p->scored = s == PITH_OK;
    for (int k = 0; k < p->n; k++) {
        p->l[k].alone = true;
        p->l[k].target = k == i ? target : 0;
    }
    return s;
}

int pithp_pruner_layers(const pithp_pruner *p, const pithp_pruned **l)
{
    *l = p->l;
    return p->n;
}

double pithp_pruner_target(const pithp_pruner *p)
{
    double goal = 0, all = 0;
    for (int i = 0; i < p->n; i++) {
        goal += p->l[i].target * (double)p->l[i].n;
        all += (double)p->l[i].n;
    }
    return goal / all;
}

double pithp_pruner_sparsity(const pithp_pruner *p)
{
    int64_t held = 0, all = 0;
    for (int i = 0; i < p->n; i++) {
        held += pithp_mask_zeros(p->l[i].w);
        all += p->l[i].n;
    }
    return (double)held / (double)all;
}

/* ---- Making ------------------------------------------------------------------------------------------------ */
static bool make_room(pithp_pruner *p)
{
    pith_ctx *c = p->c;
    int64_t most = 0;
    for (int i = 0; i < p->n; i++)
        most = PITHP_MAX(most, p->l[i].n);
    p->units = p->l[p->n - 1].first + p->l[p->n - 1].units;
    p->worth.score = PITHP_NEW_N(c, float, p->units);
    p->worth.alive = PITHP_NEW_N(c, int32_t, p->units);
    p->worth.sum = PITHP_NEW_N(c, double, p->units);
    p->order[0] = PITHP_NEW_N(c, uint32_t, p->units);
    p->order[1] = PITHP_NEW_N(c, uint32_t, p->units);
    p->gone = PITHP_NEW_N(c, uint8_t, p->units);
    p->keep = PITHP_NEW_N(c, uint8_t, most);
    return p->worth.score && p->worth.alive && p->worth.sum && p->order[0] && p->order[1] && p->gone &&
           p->keep;
}

static pith_status make(pithp_pruner *p, pith_data *d, bool check)
{
    pith_status s = pithp_prune_cfg_check(p->m, &p->cfg);
    if (s != PITH_OK)
        return s;
    p->l = pithp_pruned_layers(p->m, &p->cfg, &p->n);
    if (p->l == NULL || !make_room(p))
        return p->c->status;
    if (p->cfg.criterion == PITH_PRUNE_TAYLOR && (p->taylor = pithp_taylor_new(p->m, d, &p->cfg)) == NULL)
        return p->c->status;
    if (p->taylor != NULL && (s = pithp_taylor_room(p->taylor, p->l, p->n)) != PITH_OK)
        return s;
    p->checking = check;
    s = check ? rank_all(p, 1) : PITH_OK;
    p->checking = false;
    return s == PITH_OK && check ? refuse_empty(p) : s;
}

pithp_pruner *pithp_pruner_new(pith_model *m, pith_data *d, const pith_prune_cfg *cfg, bool check)
{
    pithp_pruner *p = PITHP_NEW(m->ctx, pithp_pruner);
    if (p == NULL)
        return NULL;
    p->c = m->ctx;
    p->m = m;
    p->cfg = *cfg;
    if (make(p, d, check) == PITH_OK)
        return p;
    pithp_pruner_free(p);
    return NULL;
}
