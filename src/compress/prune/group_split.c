/* Channels into groups: those that lie in the same dimensions. All of them begin as one class, and each dimension parts the
   ones that it holds from the others. */
#include "compress/prune/group.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    pith_channels *ch;
    int32_t *class_of;  /* [channels] */
    int32_t *heir;      /* [classes] the class that members of a class move to, of this dimension */
    int32_t *heir_when; /* [classes] the dimension it was made for */
    int32_t *seen;      /* [channels] the dimension that met it last */
    int32_t n_classes, now;
} parting;

static void part(parting *p, const int32_t *channel, int64_t n)
{
    p->now++;
    for (int64_t i = 0; i < n; i++) {
        int32_t c = channel[i], old;
        if (p->ch->stays[c] || p->seen[c] == p->now)
            continue;
        p->seen[c] = p->now;
        old = p->class_of[c];
        if (p->heir_when[old] != p->now) {
            p->heir_when[old] = p->now;
            p->heir[old] = p->n_classes++;
        }
        p->class_of[c] = p->heir[old];
    }
}

/* Calls fn for every dimension of every saved node of a kind (-1: any). */
static void each_dim(pith_channels *ch, int kind,
                     void (*fn)(void *user, const pith_tensor *t, const int32_t *channel, int64_t n),
                     void *user)
{
    for (size_t id = 0; id < ch->g->n; id++) {
        const pith_tensor *t = ch->g->nodes[id];
        for (int d = 0; ch->marks[id] && (kind < 0 || (int)t->kind == kind) && d < t->shape.ndim; d++)
            fn(user, t, pithp_channels_at(ch, t, d), t->shape.d[d]);
    }
}

static void part_dim(void *user, const pith_tensor *t, const int32_t *channel, int64_t n)
{
    (void)t;
    part(user, channel, n);
}

/* Channels without a parameter are no one's to remove. */
static void mark_parameters(void *user, const pith_tensor *t, const int32_t *channel, int64_t n)
{
    uint8_t *has = user;
    (void)t;
    for (int64_t i = 0; i < n; i++)
        has[channel[i]] = 1;
}

/* Classes become groups, numbered by their first channel. */
static bool make_groups(parting *p)
{
    pith_channels *ch = p->ch;
    memset(p->heir, -1, (size_t)p->n_classes * sizeof *p->heir);
    ch->groups = PITHP_NEW_N(ch->ctx, pithp_group, ch->n_channels + 1);
    ch->members = PITHP_NEW_N(ch->ctx, int32_t, ch->n_channels + 1);
    if (ch->groups == NULL || ch->members == NULL)
        return false;
    for (int32_t c = 0; c < ch->n_channels; c++) {
        ch->group[c] = -1;
        if (ch->stays[c])
            continue;
        int32_t *g = &p->heir[p->class_of[c]];
        if (*g < 0)
            *g = ch->n_groups++;
        ch->group[c] = *g;
        ch->groups[*g].size++;
    }
    int32_t *at = ch->members;
    for (int g = 0; g < ch->n_groups; g++) {
        ch->groups[g].channel = at;
        at += ch->groups[g].size;
        ch->groups[g].size = 0;
    }
    for (int32_t c = 0; c < ch->n_channels; c++)
        if (ch->group[c] >= 0) {
            pithp_group *g = &ch->groups[ch->group[c]];
            g->channel[g->size++] = c;
        }
    return true;
}

/* ---- Layers ---- */
static bool is_layer(const pith_tensor *t)
{
    bool weights = t->op != NULL && t->op->macs != NULL;
    for (int i = 0; i < t->n_in && t->op != NULL; i++)
        weights = weights || (t->in[i] != NULL && t->in[i]->kind == PITHP_NODE_PARAM && t->shape.ndim > 1);
    return weights && t->name != NULL;
}

static bool add_layers(pith_channels *ch, const pith_tensor *t, int32_t *met)
{
    for (int d = 0; d < t->shape.ndim; d++) {
        const int32_t *channel = pithp_channels_at(ch, t, d);
        for (int64_t i = 0; i < t->shape.d[d]; i++) {
            int32_t g = ch->group[channel[i]];
            if (g < 0 || met[g] == (int32_t)t->id)
                continue;
            met[g] = (int32_t)t->id;
            if (!pithp_grow(ch->ctx, &ch->layers, &ch->cap_layers, ch->n_layers, sizeof *ch->layers))
                return false;
            ch->layers[ch->n_layers++] = (pithp_group_layer){ g, t };
        }
    }
    return true;
}

static int by_group(const void *a, const void *b)
{
    const pithp_group_layer *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->t->id < y->t->id ? -1 : x->t->id > y->t->id;
}

static bool find_layers(pith_channels *ch)
{
    int32_t *met = PITHP_NEW_N(ch->ctx, int32_t, ch->n_groups + 1); /* node 0 is the input, no layer */
    bool ok = met != NULL;
    for (size_t id = 0; ok && id < ch->g->n; id++)
        if (ch->marks[id] && is_layer(ch->g->nodes[id]))
            ok = add_layers(ch, ch->g->nodes[id], met);
    pithp_free(ch->ctx, met);
    if (!ok)
        return false;
    if (ch->n_layers > 0)
        qsort(ch->layers, ch->n_layers, sizeof *ch->layers, by_group);
    for (size_t i = ch->n_layers; i-- > 0;)
        ch->groups[ch->layers[i].group].name = ch->layers[i].t->name;
    for (int g = 0; g < ch->n_groups; g++)
        if (ch->groups[g].name == NULL)
            ch->groups[g].name = "?";
    return true;
}

bool pithp_channels_split(pith_channels *ch)
{
    pith_ctx *c = ch->ctx;
    size_t n = (size_t)ch->n_channels + 1,
           most = (size_t)ch->n_slices + 2; /* a class more for each slice at most */
    parting p = { .ch = ch, .n_classes = 1 };
    p.class_of = PITHP_NEW_N(c, int32_t, n);
    p.seen = PITHP_NEW_N(c, int32_t, n);
    p.heir = PITHP_NEW_N(c, int32_t, most);
    p.heir_when = PITHP_NEW_N(c, int32_t, most);
    ch->group = PITHP_NEW_N(c, int32_t, n);
    ch->gone = PITHP_NEW_N(c, uint8_t, n);
    bool ok = p.class_of && p.seen && p.heir && p.heir_when && ch->group && ch->gone;
    if (ok) {
        each_dim(ch, PITHP_NODE_PARAM, mark_parameters, ch->gone);
        for (int32_t i = 0; i < ch->n_channels; i++)
            ch->stays[i] = ch->stays[i] || !ch->gone[i];
        memset(ch->gone, 0, n);
        each_dim(ch, -1, part_dim, &p);
        ok = make_groups(&p) && find_layers(ch);
    }
    pithp_free(c, p.class_of);
    pithp_free(c, p.seen);
    pithp_free(c, p.heir);
    pithp_free(c, p.heir_when);
    return ok;
}
