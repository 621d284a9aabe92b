/* Slices into channels: every op's rule joins slices; what no rule speaks of stays as it is. */
#include "compress/prune/group.h"

#include <string.h>

/* ---- Joining: each slice points to an earlier one of its channel, the first one to itself ---- */
static int32_t root(int32_t *up, int32_t i)
{
    while (up[i] != i) {
        up[i] = up[up[i]];
        i = up[i];
    }
    return i;
}

static void join(int32_t *up, int32_t a, int32_t b)
{
    a = root(up, a);
    b = root(up, b);
    if (a < b)
        up[b] = a;
    else
        up[a] = b;
}

typedef struct {
    pithp_ties base;
    pith_channels *ch;
    uint8_t spoken_of[PITH_OP_MAX_IN + 1]; /* of each operand, then of the result: a bit a dimension */
} asking;

static const pith_tensor *side_of(const pith_tensor *t, int side) { return side < 0 ? t : t->in[side]; }

static uint8_t *spoken(asking *q, int side) { return &q->spoken_of[side < 0 ? PITH_OP_MAX_IN : side]; }

static void hear(pithp_ties *k, pithp_slices a, pithp_slices b, int64_t n)
{
    asking *q = (asking *)k;
    const int32_t *first = q->ch->first;
    int32_t fa = first[side_of(k->t, a.side)->id * PITH_MAX_DIMS + (size_t)a.dim] + (int32_t)a.at;
    int32_t fb = first[side_of(k->t, b.side)->id * PITH_MAX_DIMS + (size_t)b.dim] + (int32_t)b.at;
    for (int32_t i = 0; i < (int32_t)n; i++)
        join(q->ch->channel, fa + i, fb + i);
    *spoken(q, a.side) |= (uint8_t)(1u << a.dim);
    *spoken(q, b.side) |= (uint8_t)(1u << b.dim);
}

static void fix(pith_channels *ch, const pith_tensor *t, unsigned but)
{
    for (int d = 0; d < t->shape.ndim; d++)
        if (!(but >> d & 1))
            memset(ch->stays + ch->first[t->id * PITH_MAX_DIMS + (size_t)d], 1, (size_t)t->shape.d[d]);
}

static void ask(pith_channels *ch, const pith_tensor *t)
{
    asking q = { .base = { .t = t, .tie = hear }, .ch = ch };
    if (t->op->channels != NULL)
        t->op->channels->ties(&q.base);
    for (int i = 0; i < t->n_in; i++)
        if (t->in[i] != NULL)
            fix(ch, t->in[i], *spoken(&q, i));
    fix(ch, t, *spoken(&q, PITHP_OUT));
}

/* ---- Numbers ---- */
static bool number_slices(pith_channels *ch)
{
    int64_t n = 0;
    for (size_t id = 0; id < ch->g->n; id++)
        for (int d = 0; ch->marks[id] && d < ch->g->nodes[id]->shape.ndim; d++) {
            ch->first[id * PITH_MAX_DIMS + (size_t)d] = (int32_t)n;
            n += ch->g->nodes[id]->shape.d[d];
            if (n > INT32_MAX / 2) {
                pithp_error(ch->ctx, PITH_EINVAL,
                            "model '%s': its tensors are too large to look for channels in", ch->m->name);
                return false;
            }
        }
    ch->n_slices = (int32_t)n;
    ch->channel = PITHP_NEW_N(ch->ctx, int32_t, n + 1);
    ch->stays = PITHP_NEW_N(ch->ctx, uint8_t, n + 1);
    return ch->channel != NULL && ch->stays != NULL;
}

/* Slices get the number of their channel; channels are numbered in the order of their first slices. */
static void number_channels(pith_channels *ch)
{
    int32_t *up = ch->channel, n = 0;
    for (int32_t i = 0; i < ch->n_slices; i++)
        if (ch->stays[i])
            ch->stays[root(up, i)] = 1;
    for (int32_t i = 0; i < ch->n_slices; i++) {
        /* an earlier slice already holds its channel's number, and i points to one that is its root */
        int32_t r = up[i];
        if (r == i) {
            ch->stays[n] = ch->stays[i];
            up[i] = n++;
        } else {
            up[i] = up[r];
        }
    }
    ch->n_channels = n;
}

bool pithp_channels_join(pith_channels *ch)
{
    if (!number_slices(ch))
        return false;
    for (int32_t i = 0; i < ch->n_slices; i++)
        ch->channel[i] = i;
    for (size_t id = 0; id < ch->g->n; id++)
        if (ch->marks[id] && ch->g->nodes[id]->kind == PITHP_NODE_OP)
            ask(ch, ch->g->nodes[id]);
    fix(ch, ch->m->input, 0);
    fix(ch, ch->m->output, 0);
    for (int32_t i = 0; i < ch->n_slices; i++)
        ch->channel[i] = root(ch->channel, i);
    number_channels(ch);
    return true;
}
