/* The graph recorded anew without the channels that are gone: leaves lose slices, ops' attributes follow, and every op's own
   checks say whether the rest fits together. */
#include "compress/prune/group.h"

#include <string.h>

/* ---- What stays of a node ---- */
static int64_t left(const pith_channels *ch, const pith_tensor *t, int dim, int64_t from, int64_t to)
{
    const int32_t *channel = pithp_channels_at(ch, t, dim);
    int64_t n = 0;
    for (int64_t i = from; i < to; i++)
        n += !ch->gone[channel[i]];
    return n;
}

typedef struct {
    pithp_kept base;
    const pith_channels *ch;
} keeping;

static int64_t count(const pithp_kept *k, int side, int dim, int64_t from, int64_t to)
{
    return left(((const keeping *)k)->ch, side < 0 ? k->t : k->t->in[side], dim, from, to);
}

/* ---- Leaves ---- */
typedef struct {
    int nd;
    int64_t n[PITH_MAX_DIMS];   /* slices that stay */
    int64_t *at[PITH_MAX_DIMS]; /* their offsets in the old leaf */
    int64_t *room;
} gather;

static bool gather_begin(const pith_channels *ch, const pith_tensor *t, gather *g)
{
    int64_t all = 1, step = 1;
    *g = (gather){ .nd = t->shape.ndim };
    for (int d = 0; d < g->nd; d++)
        all += t->shape.d[d];
    g->room = PITHP_NEW_N(ch->ctx, int64_t, all);
    if (g->room == NULL)
        return false;
    int64_t *at = g->room;
    for (int d = g->nd - 1; d >= 0; d--) {
        const int32_t *channel = pithp_channels_at(ch, t, d);
        g->at[d] = at;
        for (int64_t i = 0; i < t->shape.d[d]; i++)
            if (!ch->gone[channel[i]])
                g->at[d][g->n[d]++] = i * step;
        at += g->n[d];
        step *= t->shape.d[d];
    }
    return true;
}

/* Copies what stays; each: bytes of an element. */
static void gather_run(const gather *g, const void *from, size_t each, void *to)
{
    int64_t idx[PITH_MAX_DIMS] = { 0 };
    const char *src = from;
    char *dst = to;
    for (int d = 0; d >= 0;) {
        int64_t at = 0;
        for (int i = 0; i < g->nd; i++)
            at += g->at[i][idx[i]];
        memcpy(dst, src + (size_t)at * each, each);
        dst += each;
        for (d = g->nd - 1; d >= 0 && ++idx[d] == g->n[d]; d--)
            idx[d] = 0;
    }
}

static pith_tensor *shrunk_leaf(pithp_rewrite *r, const pith_channels *ch, const pith_tensor *t)
{
    gather g;
    pith_shape s = t->shape;
    pith_tensor *n = NULL;
    if (!gather_begin(ch, t, &g))
        return NULL;
    for (int d = 0; d < s.ndim; d++)
        s.d[d] = g.n[d];
    size_t each = pithp_dtype_size(t->dtype);
    uint8_t *values = pithp_alloc(ch->ctx, (size_t)pithp_count(s), each + 1), *mask = NULL;
    if (values != NULL) {
        gather_run(&g, t->value, each, values);
        if (t->mask != NULL) {
            mask = values + (size_t)pithp_count(s) * each;
            gather_run(&g, t->mask, 1, mask);
        }
        n = pithp_rewrite_leaf(r, t, s, values, mask);
    }
    pithp_free(ch->ctx, values);
    pithp_free(ch->ctx, g.room);
    return n;
}

/* ---- The pass ---- */
static bool whole(const pith_channels *ch, const pith_tensor *t)
{
    for (int d = 0; d < t->shape.ndim; d++)
        if (left(ch, t, d, 0, t->shape.d[d]) != t->shape.d[d])
            return false;
    return true;
}

static pith_tensor *shrunk_op(pithp_rewrite *r, const pith_channels *ch, const pith_tensor *t)
{
    if (t->op->channels == NULL || t->op->channels->shrink == NULL)
        return pithp_rewrite_copy(r, t);
    pith_tensor *in[PITH_OP_MAX_IN], *n = NULL;
    for (int i = 0; i < t->n_in; i++)
        in[i] = pithp_rewrite_in(r, t, i);
    keeping k = { { t, count }, ch };
    void *attr = pithp_alloc(ch->ctx, 1, t->op->attr_size);
    if (attr != NULL) {
        memcpy(attr, t->attr, t->op->attr_size);
        t->op->channels->shrink(&k.base, attr);
        n = pith_op_apply(t->op, attr, t->name, t->n_in, in);
    }
    pithp_free(ch->ctx, attr);
    return n;
}

static pith_tensor *shrunk(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const pith_channels *ch = user;
    if (t->kind == PITHP_NODE_OP)
        return shrunk_op(r, ch, t);
    return whole(ch, t) ? pithp_rewrite_copy(r, t) : shrunk_leaf(r, ch, t);
}

pith_model *pithp_channels_shrunk(const pith_channels *ch)
{
    return pithp_model_map(ch->m, shrunk, (void *)(uintptr_t)ch);
}
