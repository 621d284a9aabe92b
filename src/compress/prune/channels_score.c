/* How important each channel is: in every layer of its group, relative to the others of the group there. */
#include "compress/prune/group.h"
#include "compress/prune/prune.h"

#include <math.h>
#include <string.h>

typedef struct {
    const pith_channels *ch;
    const pith_channels_cfg *cfg;
    double *score;         /* [channels] sum over the layers */
    double *here, *weight; /* [channels] in one layer: sum, and number of terms */
    int32_t *layers;       /* [groups] how many count */
} scoring;

/* The parameter whose values an operand has, whatever stands between (folding, fake quantization, a codebook's indices have
   none). */
static const pith_tensor *parameter(const pith_tensor *t)
{
    while (t != NULL && t->kind == PITHP_NODE_OP)
        t = t->in[0];
    return t != NULL && t->kind == PITHP_NODE_PARAM ? t : NULL;
}

static double term(const scoring *s, pith_real w)
{
    return s->cfg->criterion == PITH_PRUNE_L2 ? (double)w * (double)w : fabs((double)w);
}

/* Adds up the elements of w in each slice of dimension d. */
static void add_dim(scoring *s, const pith_tensor *w, int d, int g)
{
    const int32_t *channel = pithp_channels_at(s->ch, w, d);
    int64_t n = w->shape.d[d], inner = 1, outer = pithp_count(w->shape) / n;
    for (int i = d + 1; i < w->shape.ndim; i++)
        inner *= w->shape.d[i];
    outer /= inner;
    const pith_real *v = w->value;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < n; j++, v += inner) {
            int32_t c = channel[j];
            if (s->ch->group[c] != g)
                continue;
            for (int64_t i = 0; i < inner; i++)
                s->here[c] += term(s, v[i]);
            s->weight[c] += (double)inner;
        }
}

/* Takes in what one layer says about its group: here[], beside their mean. */
static pith_status take_in(scoring *s, const pithp_group_layer *l)
{
    const pithp_group *g = &s->ch->groups[l->group];
    double sum = 0;
    for (int64_t i = 0; i < g->size; i++)
        sum += s->here[g->channel[i]];
    if (!isfinite(sum))
        return pithp_error(s->ch->ctx, PITH_ENAN,
                           "pruning: layer '%s' has weights that are no finite numbers", pith_name(l->t));
    for (int64_t i = 0; i < g->size && sum > 0; i++)
        s->score[g->channel[i]] += s->here[g->channel[i]] / sum * (double)g->size;
    s->layers[l->group]++;
    return PITH_OK;
}

/* The weights of one layer. */
static pith_status add_layer(scoring *s, const pithp_group_layer *l, const pith_tensor *w)
{
    const pithp_group *g = &s->ch->groups[l->group];
    for (int64_t i = 0; i < g->size; i++)
        s->here[g->channel[i]] = s->weight[g->channel[i]] = 0;
    for (int d = 0; d < w->shape.ndim; d++)
        add_dim(s, w, d, l->group);
    for (int64_t i = 0; i < g->size; i++) {
        double *here = &s->here[g->channel[i]], n = s->weight[g->channel[i]];
        *here = n > 0 ? *here / n : 0;
        *here = s->cfg->criterion == PITH_PRUNE_L2 ? sqrt(*here) : *here;
    }
    return take_in(s, l);
}
/* What counts in a layer by the criterion: its weights, or the scale of a batch norm. */
static const pith_tensor *counted(const scoring *s, const pith_tensor *t)
{
    int scale = t->op->channels != NULL ? t->op->channels->scale : 0;
    if (s->cfg->criterion == PITH_PRUNE_BN)
        return scale > 0 ? parameter(t->in[scale]) : NULL;
    for (int i = 1; i < t->n_in && t->op->macs != NULL; i++)
        if (parameter(t->in[i]) != NULL)
            return parameter(t->in[i]);
    return NULL;
}

static void draw(const scoring *s)
{
    for (int32_t c = 0; c < s->ch->n_channels; c++) {
        pithp_rand r = pithp_rand_at(s->cfg->seed, 0, (uint64_t)c, PITHP_USE_OTHER);
        s->score[c] = pithp_rand_uniform(&r);
    }
}

static pith_status by_weights(scoring *s)
{
    pith_status status = PITH_OK;
    for (size_t i = 0; status == PITH_OK && i < s->ch->n_layers; i++) {
        const pith_tensor *w = counted(s, s->ch->layers[i].t);
        if (w != NULL)
            status = add_layer(s, &s->ch->layers[i], w);
    }
    return status;
}

/* ---- By Taylor: what prune.h's layers say, each about its own result ---- */
static bool taylor_layer(const pithp_group_layer *l)
{
    return l->t->op->macs != NULL && parameter(l->t->in[1]) == l->t->in[1];
}

static pith_status taylor_add(scoring *s, double *const *of)
{
    pith_status status = PITH_OK;
    for (size_t i = 0, k = 0; status == PITH_OK && i < s->ch->n_layers; i++) {
        const pithp_group_layer *l = &s->ch->layers[i];
        if (!taylor_layer(l))
            continue;
        const double *score = of[k++];
        int last = l->t->shape.ndim - 1;
        const int32_t *channel = pithp_channels_at(s->ch, l->t, last);
        for (int64_t j = 0; j < l->t->shape.d[last]; j++)
            s->here[channel[j]] = score[j];
        status = take_in(s, l);
    }
    return status;
}

static pith_status taylor(scoring *s)
{
    pith_ctx *c = s->ch->ctx;
    pith_prune_cfg cfg = { .criterion = s->cfg->criterion, .samples = s->cfg->samples, .seed = s->cfg->seed };
    const pith_tensor **t = pithp_alloc(c, s->ch->n_layers + 1, sizeof *t);
    double **of = pithp_alloc(c, s->ch->n_layers + 1, sizeof *of);
    int n = 0;
    bool ok = t != NULL && of != NULL;
    for (size_t i = 0; ok && i < s->ch->n_layers; i++) {
        const pith_tensor *layer = s->ch->layers[i].t;
        if (!taylor_layer(&s->ch->layers[i]))
            continue;
        of[n] = PITHP_NEW_N(c, double, layer->shape.d[layer->shape.ndim - 1]);
        ok = of[n] != NULL;
        t[n++] = layer;
    }
    pith_status status = ok ? pithp_channel_scores(s->ch->m, s->cfg->data, &cfg, t, n, of) : PITH_ENOMEM;
    if (status == PITH_OK)
        status = taylor_add(s, of);
    for (int i = 0; of != NULL && i < n; i++)
        pithp_free(c, of[i]);
    pithp_free(c, t);
    pithp_free(c, of);
    return status;
}

static pith_status measure(scoring *s)
{
    pith_status status = s->cfg->criterion == PITH_PRUNE_TAYLOR ? taylor(s) : by_weights(s);
    for (int32_t c = 0; c < s->ch->n_channels; c++) {
        int32_t g = s->ch->group[c];
        s->score[c] = g < 0 || s->layers[g] == 0 ? INFINITY : s->score[c] / s->layers[g];
    }
    return status;
}

pith_status pithp_channels_score(const pith_channels *ch, const pith_channels_cfg *cfg, double *score)
{
    scoring s = { .ch = ch, .cfg = cfg, .score = score };
    if (cfg->criterion == PITH_PRUNE_RANDOM) {
        draw(&s);
        return PITH_OK;
    }
    memset(score, 0, (size_t)ch->n_channels * sizeof *score);
    s.here = PITHP_NEW_N(ch->ctx, double, ch->n_channels + 1);
    s.weight = PITHP_NEW_N(ch->ctx, double, ch->n_channels + 1);
    s.layers = PITHP_NEW_N(ch->ctx, int32_t, ch->n_groups + 1);
    pith_status status = s.here && s.weight && s.layers ? measure(&s) : PITH_ENOMEM;
    pithp_free(ch->ctx, s.here);
    pithp_free(ch->ctx, s.weight);
    pithp_free(ch->ctx, s.layers);
    return status;
}
