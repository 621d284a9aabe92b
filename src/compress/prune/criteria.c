/* compress/prune/criteria.c: what units are worth. */
#include "compress/prune/prune.h"
#include "ops/norm.h"

#include <math.h>
#include <string.h>

/* ---- Sums over the weights of each unit -------------------------------------------------------------------- */
static void sum_l1(const pithp_pruned *l, double *sum)
{
    const pith_real *w = l->w->value;
    PITHP_UNITS_EACH(l, i, u)
    sum[u] += fabs((double)w[i]);
}

static void sum_l2(const pithp_pruned *l, double *sum)
{
    const pith_real *w = l->w->value;
    PITHP_UNITS_EACH(l, i, u)
    sum[u] += (double)w[i] * (double)w[i];
}

/* |w| times the factor that folding the batch norm will give its channel. */
static void sum_folded(const pithp_pruned *l, double *sum)
{
    const pith_real *w = l->w->value, *gamma = l->bn->in[1]->value, *var = l->bn->in[4]->value;
    const double eps = ((const pithp_bn_attr *)l->bn->attr)->eps;
    const int64_t per = l->n / l->channels;
    PITHP_UNITS_EACH(l, i, u)
    {
        const int64_t ch = l->depthwise ? i % l->channels : i / per;
        sum[u] += fabs((double)w[i] * (double)gamma[ch]) / sqrt((double)var[ch] + eps);
    }
}

static void sum_random(const pithp_pruned *l, uint64_t seed, double *sum)
{
    const char *name = pith_name(l->t);
    pithp_rand r = pithp_rand_at(seed, 0, pithp_hash64(name, strlen(name)), PITHP_USE_PRUNE);
    for (int64_t u = 0; u < l->units; u++)
        sum[u] = pithp_rand_uniform(&r);
}

/* ---- Worth ------------------------------------------------------------------------------------------------- */
static void count_alive(const pithp_pruned *l, int32_t *alive)
{
    const uint8_t *mask = l->w->mask;
    memset(alive, 0, (size_t)l->units * sizeof *alive);
    PITHP_UNITS_EACH(l, i, u)
    alive[u] += mask == NULL || mask[i] != 0;
}

static void sum_layer(const pithp_pruned *l, const pith_prune_cfg *cfg, double *sum)
{
    switch (cfg->criterion) {
    case PITH_PRUNE_L1: sum_l1(l, sum); break;
    case PITH_PRUNE_L2: sum_l2(l, sum); break;
    case PITH_PRUNE_BN:
        if (cfg->unit == PITH_PRUNE_CHANNEL)
            for (int64_t u = 0; u < l->units; u++)
                sum[u] = fabs((double)((const pith_real *)l->bn->in[1]->value)[u]);
        else
            sum_folded(l, sum);
        break;
    case PITH_PRUNE_RANDOM: sum_random(l, cfg->seed, sum); break;
    case PITH_PRUNE_TAYLOR: /* of all layers at once */ break;
    }
}

/* Chance and gamma are the unit's own; sums are shared out among its weights. */
static double worth(const pith_prune_cfg *cfg, double sum, int32_t alive)
{
    if (cfg->criterion == PITH_PRUNE_RANDOM ||
        (cfg->criterion == PITH_PRUNE_BN && cfg->unit == PITH_PRUNE_CHANNEL))
        return sum;
    const double mean = sum / PITHP_MAX(alive, 1);
    return cfg->criterion == PITH_PRUNE_L2 ? sqrt(mean) : mean;
}

static pith_status scores_of(const pithp_pruned *l, const pith_prune_cfg *cfg, const double *sum,
                             const int32_t *alive, float *score)
{
    for (int64_t u = 0; u < l->units; u++) {
        const double v = worth(cfg, sum[u], alive[u]);
        if (!isfinite(v))
            return pithp_error(l->t->g->ctx, PITH_ENAN,
                               "pruning: layer '%s': its weights%s are not finite; there is nothing to rank",
                               pith_name(l->t), cfg->criterion == PITH_PRUNE_TAYLOR ? " or gradients" : "");
        score[u] = (float)PITHP_MIN(v, 3e38);
    }
    return PITH_OK;
}

pith_status pithp_prune_scores(const pithp_pruned *l, int n, const pith_prune_cfg *cfg, pithp_taylor *t,
                               pithp_worth *w)
{
    pith_status s = PITH_OK;
    memset(w->sum, 0, (size_t)(l[n - 1].first + l[n - 1].units) * sizeof *w->sum);
    if (cfg->criterion == PITH_PRUNE_TAYLOR)
        s = pithp_taylor_sum(t, l, n, w->sum);
    for (int i = 0; i < n && s == PITH_OK; i++) {
        const int64_t at = l[i].first;
        count_alive(&l[i], w->alive + at);
        sum_layer(&l[i], cfg, w->sum + at);
        s = scores_of(&l[i], cfg, w->sum + at, w->alive + at, w->score + at);
    }
    return s;
}

/* ---- For structured pruning --------------------------------------------------------------------------------- */
static int find(const pithp_pruned *l, int n, const pith_tensor *t)
{
    for (int i = 0; i < n; i++)
        if (l[i].t == t || l[i].w == t->in[1])
            return i;
    return -1;
}

static pith_status hand_out(const pith_model *m, const pithp_pruned *l, int n_layers, const pithp_worth *w,
                            const pith_tensor *const *convs, int n, double *const *scores)
{
    for (int i = 0; i < n; i++) {
        const int at = find(l, n_layers, convs[i]);
        if (at < 0)
            return pithp_error(m->ctx, PITH_EINVAL, "pruning: '%s' is no layer with weights of its own",
                               pith_name(convs[i]));
        for (int64_t k = 0; k < l[at].units; k++)
            scores[i][k] = (double)w->score[l[at].first + k];
    }
    return PITH_OK;
}

/* Keeps those of l [n] that stand for one of convs, and numbers their units anew. */
static int only_asked(pithp_pruned *l, int n, const pith_tensor *const *convs, int n_convs)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        bool asked = false;
        for (int k = 0; k < n_convs; k++)
            asked = asked || find(&l[i], 1, convs[k]) == 0;
        if (!asked)
            continue;
        l[kept] = l[i];
        pithp_pruned_units(&l[kept], PITH_PRUNE_CHANNEL);
        l[kept].first = kept > 0 ? l[kept - 1].first + l[kept - 1].units : 0;
        kept++;
    }
    return kept;
}

static pith_status score_channels(pith_model *m, pith_data *d, const pith_prune_cfg *cfg, pithp_pruned *l,
                                  int n, pithp_worth *w)
{
    for (int i = 0; i < n; i++)
        if (cfg->criterion == PITH_PRUNE_BN && l[i].bn == NULL)
            return pithp_error(
                m->ctx, PITH_EINVAL,
                "pruning: layer '%s' has no batch norm behind it whose scale could be looked at; "
                "choose another criterion",
                pith_name(l[i].t));
    pithp_taylor *t = NULL;
    if (cfg->criterion == PITH_PRUNE_TAYLOR && (t = pithp_taylor_new(m, d, cfg)) == NULL)
        return m->ctx->status;
    pith_status s = t != NULL ? pithp_taylor_room(t, l, n) : PITH_OK;
    if (s == PITH_OK)
        s = pithp_prune_scores(l, n, cfg, t, w);
    pithp_taylor_free(t);
    return s;
}

pith_status pithp_channel_scores(pith_model *m, pith_data *d, const pith_prune_cfg *asked,
                                 const pith_tensor *const *convs, int n, double *const *scores)
{
    pith_ctx *c = m->ctx;
    pith_prune_cfg cfg = *asked, all = { .depthwise = true }; /* KERNELs: dense layers too */
    cfg.unit = PITH_PRUNE_CHANNEL;
    pith_status s = pithp_prune_cfg_check(m, &cfg);
    int layers = 0;
    pithp_pruned *l = s == PITH_OK ? pithp_pruned_layers(m, &all, &layers) : NULL;
    if (l == NULL)
        return s != PITH_OK ? s : c->status;
    layers = only_asked(l, layers, convs, n);
    const int64_t units = layers > 0 ? l[layers - 1].first + l[layers - 1].units : 0;
    pithp_worth w = { PITHP_NEW_N(c, float, units + 1), PITHP_NEW_N(c, int32_t, units + 1),
                      PITHP_NEW_N(c, double, units + 1) };
    s = w.score && w.alive && w.sum ? PITH_OK : PITH_ENOMEM;
    if (s == PITH_OK && layers > 0)
        s = score_channels(m, d, &cfg, l, layers, &w);
    if (s == PITH_OK)
        s = hand_out(m, l, layers, &w, convs, n, scores);
    pithp_free(c, w.score);
    pithp_free(c, w.alive);
    pithp_free(c, w.sum);
    pithp_free(c, l);
    return s;
}
