/* Channels in the order in which they go, and the cut that meets a target. */
#include "compress/prune/cut.h"
#include "compress/prune/group.h"
#include "compress/quant/quant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t channel;
    double key; /* the least goes first */
} place;

typedef struct {
    pith_channels *ch;
    const pith_channels_cfg *cfg;
    place *order;
    int64_t n;
    int64_t *goes;  /* [groups] how many may go */
    uint8_t *whole; /* [groups] nothing of it goes */
} cutting;

/* ---- Order ---- */
static int by_key(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->channel < y->channel ? -1 : 1;
}

/* Groups that are named in skip, or that the criterion says nothing about. */
static void spare(cutting *c, const double *score)
{
    const pith_channels *ch = c->ch;
    for (size_t i = 0; i < ch->n_layers; i++)
        if (c->cfg->skip != NULL && pithp_quant_matches(c->cfg->skip, ch->layers[i].t->name))
            c->whole[ch->layers[i].group] = 1;
    for (int g = 0; g < ch->n_groups; g++)
        if (ch->groups[g].size > 0 && isinf(score[ch->groups[g].channel[0]]))
            c->whole[g] = 1;
}

/* Channels of the groups that are cut, the least important first; of each group the same share if per layer. */
static void sort_channels(cutting *c, const double *score)
{
    const pith_channels *ch = c->ch;
    for (int g = 0; g < ch->n_groups; g++) {
        place *of_group = c->order + c->n;
        int64_t size = c->whole[g] ? 0 : ch->groups[g].size;
        for (int64_t i = 0; i < size; i++)
            of_group[i] = (place){ ch->groups[g].channel[i], score[ch->groups[g].channel[i]] };
        qsort(of_group, (size_t)size, sizeof *of_group, by_key);
        for (int64_t i = 0; i < size && c->cfg->per_layer; i++)
            of_group[i].key = ((double)i + 0.5) / (double)size;
        c->n += size;
    }
    qsort(c->order, (size_t)c->n, sizeof *c->order, by_key);
}

/* ---- Candidates ---- */
/* Marks those of the first n that go: a group keeps its share, and a multiple. */
static void mark(const cutting *c, int64_t n)
{
    const pith_channels *ch = c->ch;
    memset(ch->gone, 0, (size_t)ch->n_channels);
    memset(c->goes, 0, (size_t)ch->n_groups * sizeof *c->goes);
    for (int64_t i = 0; i < n; i++)
        c->goes[ch->group[c->order[i].channel]]++;
    for (int g = 0; g < ch->n_groups; g++) {
        int64_t size = ch->groups[g].size, least = (int64_t)ceil(c->cfg->keep * (double)size);
        int64_t stay = PITHP_MAX(PITHP_MAX(size - c->goes[g], least), 1);
        stay = (stay + c->cfg->multiple - 1) / c->cfg->multiple * c->cfg->multiple;
        c->goes[g] = c->whole[g] ? 0 : PITHP_MAX(size - stay, 0);
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t channel = c->order[i].channel;
        ch->gone[channel] = c->goes[ch->group[channel]]-- > 0;
    }
}

static pith_model *build(void *user, int64_t n)
{
    const cutting *c = user;
    mark(c, n);
    return pithp_channels_shrunk(c->ch);
}

static pith_status too_far(const pithp_cut *cut, int64_t most, int64_t reached)
{
    const cutting *c = cut->user;
    pithp_cost now;
    pithp_cost_of(cut->m, cut->cfg->of == PITH_CUT_RAM, &now);
    double whole = (double)pithp_cost_pick(&now, cut->cfg->of);
    const pithp_group *last = &c->ch->groups[0];
    int64_t left = 0;
    mark(c, c->n);
    for (int g = 0; g < c->ch->n_groups; g++) {
        pith_channel_group f;
        pith_channels_group(c->ch, g, &f);
        if (f.channels - f.gone > left) {
            left = f.channels - f.gone;
            last = &c->ch->groups[g];
        }
    }
    return pithp_error(
        cut->m->ctx, PITH_EINVAL,
        "pruning model '%s': a target of %g leaves at most %lld %s, but with as few channels as every "
        "layer has to keep there are %lld (%.1f%%); layer '%s' keeps most, %lld of %lld. Ask for less than "
        "%.3f, "
        "or allow more to go (keep, multiple, skip)",
        cut->m->name, cut->cfg->target, (long long)most, pithp_cost_name(cut->cfg->of), (long long)reached,
        100 * (double)reached / whole, last->name, (long long)left, (long long)last->size,
        1 - (double)reached / whole);
}

/* Memory is decided by few layers: groups whose channels don't count there get them back. */
static pith_status give_back(const pithp_cut *cut, int64_t n, int64_t most)
{
    cutting *c = cut->user;
    pith_status s = PITH_OK;
    for (int g = 0; s == PITH_OK && g < c->ch->n_groups; g++) {
        int64_t cost;
        if (c->whole[g])
            continue;
        c->whole[g] = 1;
        s = pithp_cut_cost(cut, n, &cost);
        if (s == PITH_OK && cost > most)
            c->whole[g] = 0;
    }
    return s;
}

static pith_status cut_channels(cutting *c, pith_channels_result *result)
{
    pithp_cut cut = { c->ch->m, c->cfg, c->n, build, c };
    int64_t most, n, reached;
    pith_status s = pithp_cut_target(&cut, &most);
    if (s == PITH_OK)
        s = pithp_cut_search(&cut, most, &n, &reached);
    if (s == PITH_OK && n > cut.n)
        s = too_far(&cut, most, reached);
    if (s == PITH_OK && c->cfg->of == PITH_CUT_RAM)
        s = give_back(&cut, n, most);
    if (s != PITH_OK)
        return s;
    s = pithp_cut_finish(c->ch->m, build(c, n), result);
    for (int32_t i = 0; s == PITH_OK && result != NULL && i < c->ch->n_channels; i++) {
        result->units += c->ch->group[i] >= 0;
        result->gone += c->ch->gone[i];
    }
    return s;
}

static pith_status begin(cutting *c)
{
    pith_ctx *ctx = c->ch->ctx;
    double *score = PITHP_NEW_N(ctx, double, c->ch->n_channels + 1);
    c->order = PITHP_NEW_N(ctx, place, c->ch->n_channels + 1);
    c->goes = PITHP_NEW_N(ctx, int64_t, c->ch->n_groups + 1);
    c->whole = PITHP_NEW_N(ctx, uint8_t, c->ch->n_groups + 1);
    pith_status s =
        score && c->order && c->goes && c->whole ? pithp_channels_score(c->ch, c->cfg, score) : PITH_ENOMEM;
    if (s == PITH_OK) {
        spare(c, score);
        sort_channels(c, score);
        if (c->n == 0)
            s = pithp_error(ctx, PITH_EINVAL,
                            "pruning model '%s': no channels can go: all are tied to input or output, are "
                            "left out, or have "
                            "nothing that the criterion looks at",
                            c->ch->m->name);
    }
    pithp_free(ctx, score);
    return s;
}

pith_status pith_channels_prune(pith_model *m, pith_channels_cfg cfg, pith_channels_result *result)
{
    pith_channels_result none;
    result = result != NULL ? result : &none;
    *result = (pith_channels_result){ 0 };
    pith_status s = pithp_cut_check(m, &cfg);
    if (s != PITH_OK)
        return s;
    if (cfg.unit == PITH_CUT_BLOCKS)
        return pithp_blocks_prune(m, &cfg, result);
    cutting c = { .ch = pith_channels_find(m), .cfg = &cfg };
    if (c.ch == NULL)
        return m->ctx->status ? m->ctx->status : PITH_ENOMEM;
    s = begin(&c);
    if (s == PITH_OK)
        s = cut_channels(&c, result);
    pithp_free(m->ctx, c.order);
    pithp_free(m->ctx, c.goes);
    pithp_free(m->ctx, c.whole);
    pith_channels_free(c.ch);
    return s;
}
