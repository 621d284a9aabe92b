/* Channels by hand: finding groups, choosing, removing. */
#include "compress/prune/group.h"

static void channels_destroy(pith_ctx *c, pithp_obj *o)
{
    pith_channels *ch = (pith_channels *)o;
    void *const part[] = { ch->marks, ch->first,  ch->channel, ch->stays,  ch->group,
                           ch->gone,  ch->groups, ch->members, ch->layers, ch };
    for (size_t i = 0; i < PITHP_LEN(part); i++)
        pithp_free(c, part[i]);
}

void pith_channels_free(pith_channels *ch)
{
    if (ch != NULL)
        pithp_destroy(ch->ctx, &ch->obj);
}

pith_channels *pith_channels_find(pith_model *m)
{
    pith_ctx *c = m->ctx;
    pith_channels *ch = c->status ? NULL : PITHP_NEW(c, pith_channels);
    if (ch == NULL)
        return NULL;
    ch->ctx = c;
    ch->m = m;
    ch->g = m->g;
    pithp_own(c, &ch->obj, channels_destroy);
    ch->marks = PITHP_NEW_N(c, uint8_t, m->g->n);
    ch->first = PITHP_NEW_N(c, int32_t, m->g->n * PITH_MAX_DIMS);
    if (ch->marks != NULL && ch->first != NULL) {
        pithp_model_mark(m, ch->marks);
        if (pithp_channels_join(ch) && pithp_channels_split(ch))
            return ch;
    }
    pith_channels_free(ch);
    return NULL;
}

/* Where the layers of a group begin in the list. */
static size_t layers_of(const pith_channels *ch, int g, int *n)
{
    size_t at = 0;
    while (at < ch->n_layers && ch->layers[at].group < g)
        at++;
    *n = 0;
    while (at + (size_t)*n < ch->n_layers && ch->layers[at + (size_t)*n].group == g)
        ++*n;
    return at;
}

bool pith_channels_group(const pith_channels *ch, int i, pith_channel_group *facts)
{
    if (i < 0 || i >= ch->n_groups)
        return false;
    const pithp_group *g = &ch->groups[i];
    *facts = (pith_channel_group){ .name = g->name, .channels = g->size };
    for (int64_t j = 0; j < g->size; j++)
        facts->gone += ch->gone[g->channel[j]];
    layers_of(ch, i, &facts->layers);
    return true;
}

const char *pith_channels_layer(const pith_channels *ch, int i, int j)
{
    int n;
    size_t at = layers_of(ch, i, &n);
    return j >= 0 && j < n ? ch->layers[at + (size_t)j].t->name : NULL;
}

pith_status pith_channels_drop(pith_channels *ch, int group, int64_t channel)
{
    pith_channel_group f;
    if (!pith_channels_group(ch, group, &f))
        return pithp_error(ch->ctx, PITH_EINVAL, "model '%s' has %d groups of channels; there is no group %d",
                           ch->m->name, ch->n_groups, group);
    if (channel < 0 || channel >= f.channels)
        return pithp_error(ch->ctx, PITH_EINVAL,
                           "layer '%s' has channels 0 to %lld; there is no channel %lld", f.name,
                           (long long)f.channels - 1, (long long)channel);
    uint8_t *gone = &ch->gone[ch->groups[group].channel[channel]];
    if (!*gone && f.gone + 1 == f.channels)
        return pithp_error(ch->ctx, PITH_EINVAL,
                           "layer '%s': its last channel cannot go; a layer without any would be empty",
                           f.name);
    *gone = 1;
    return PITH_OK;
}

pith_status pith_channels_remove(pith_channels *ch)
{
    if (ch->m->g != ch->g)
        return pithp_error(ch->ctx, PITH_ESTALE,
                           "model '%s' has changed since its channels were looked for; look again",
                           ch->m->name);
    pith_model *n = pithp_channels_shrunk(ch);
    if (n == NULL)
        return ch->ctx->status ? ch->ctx->status : PITH_ENOMEM;
    pithp_model_adopt(ch->m, n);
    return PITH_OK;
}
