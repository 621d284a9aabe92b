/* Rules for channels that several ops share. */
#include "ops/channels.h"

static const pith_tensor *side_of(const pithp_ties *k, int side)
{
    if (side == PITHP_OUT)
        return k->t;
    return side < k->t->n_in ? k->t->in[side] : NULL;
}

void pithp_tie(pithp_ties *k, int a, int a_dim, int b, int b_dim)
{
    const pith_tensor *x = side_of(k, a), *y = side_of(k, b);
    if (x != NULL && y != NULL)
        k->tie(k, (pithp_slices){ a, a_dim, 0 }, (pithp_slices){ b, b_dim, 0 }, x->shape.d[a_dim]);
}

void pithp_tie_all(pithp_ties *k, int operand)
{
    for (int i = 0; i < k->t->shape.ndim; i++)
        pithp_tie(k, operand, i, PITHP_OUT, i);
}

void pithp_tie_vectors(pithp_ties *k, int from, int to)
{
    for (int i = from; i <= to; i++)
        pithp_tie(k, i, 0, PITHP_OUT, k->t->shape.ndim - 1);
}

/* Sizes align at the last dimension. */
void pithp_ties_same(pithp_ties *k)
{
    pith_shape y = k->t->shape;
    for (int i = 0; i < k->t->n_in; i++) {
        const pith_tensor *x = k->t->in[i];
        for (int j = 0; x != NULL && j < x->shape.ndim && j < y.ndim; j++)
            if (x->shape.d[x->shape.ndim - 1 - j] == y.d[y.ndim - 1 - j])
                pithp_tie(k, i, x->shape.ndim - 1 - j, PITHP_OUT, y.ndim - 1 - j);
    }
}

static void last(pithp_ties *k)
{
    pithp_tie(k, 0, k->t->in[0]->shape.ndim - 1, PITHP_OUT, k->t->shape.ndim - 1);
}

const pithp_channels pithp_channels_same = { .ties = pithp_ties_same };
const pithp_channels pithp_channels_last = { .ties = last };
