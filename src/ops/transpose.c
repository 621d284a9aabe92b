/* ops/transpose.c: y[i_perm(0), i_perm(1), ...] = x[i_0, i_1, ...]: dimension j of y is dimension perm[j] of x.
   dx is dy carried back. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/nest.h"
#include "ops/integer.h"

typedef struct {
    pith_shape perm; /* ndim and the numbers of x's dimensions */
} transpose_attr;

static bool shape(pith_infer *q)
{
    const pith_shape *perm = &((const transpose_attr *)q->attr)->perm, *x = &q->in[0];
    pith_shape out = { .ndim = x->ndim };
    uint32_t seen = 0;
    if (!pithp_want_f32(q))
        return false;
    if (perm->ndim != x->ndim)
        return pith_op_fail(q, "the permutation has %d entries, the operand %d dimensions", perm->ndim,
                            x->ndim);
    for (int j = 0; j < x->ndim; j++) {
        int64_t i = perm->d[j];
        if (i < 0 || i >= x->ndim || seen >> i & 1)
            return pith_op_fail(q, "entry %d of the permutation is %lld; expected each of 0 to %d once", j,
                                (long long)i, x->ndim - 1);
        seen |= 1u << i;
        out.d[j] = x->d[i];
    }
    return pithp_result(q, out);
}

/* The nest runs over y; x_set and y_set: which stride set is whose. */
static pithp_nest nest_of(const pith_call *k, int x_set, int y_set)
{
    const pith_shape *perm = &((const transpose_attr *)k->attr)->perm, *y = &k->out.shape;
    int64_t sx[PITH_MAX_DIMS];
    pithp_nest n = { .nd = y->ndim };
    pithp_strides(k->in[0].shape, sx);
    pithp_strides(*y, n.s[y_set]);
    for (int j = 0; j < y->ndim; j++) {
        n.d[j] = y->d[j];
        n.s[x_set][j] = sx[perm->d[j]];
    }
    return n;
}

static void forward(const pith_call *k)
{
    pithp_move m = { .nest = nest_of(k, 0, 1), .src = k->in[0].data, .dst = k->out.data, .factor = 1 };
    pithp_move_run(k, &m);
}

static void backward(const pith_call *k)
{
    pithp_move m = { .nest = nest_of(k, 1, 0),
                     .src = k->out.grad,
                     .dst = k->in[0].grad,
                     .factor = 1,
                     .add = k->in[0].grad_add };
    if (m.dst)
        pithp_move_run(k, &m);
}

static const pith_attr_field fields[] = {
    { "perm", PITH_ATTR_SHAPE, offsetof(transpose_attr, perm) },
    PITH_ATTR_END,
};

static const pithp_integer integer = { .instead = "reshape, where the order of the elements may stay" };

static void ties(pithp_ties *k)
{
    const pith_shape *perm = &((const transpose_attr *)k->t->attr)->perm;
    for (int j = 0; j < perm->ndim; j++)
        pithp_tie(k, 0, (int)perm->d[j], PITHP_OUT, j);
}

static const pithp_channels channels = { .ties = ties };

const pith_op pithp_op_transpose = {
    .name = "transpose",
    .min_in = 1,
    .max_in = 1,
    .channels = &channels,
    .attr_size = sizeof(transpose_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_transpose(pith_tensor *x, const int *perm)
{
    transpose_attr a = { .perm = { .ndim = x ? pith_shape_of(x).ndim : 0 } };
    for (int j = 0; j < a.perm.ndim; j++)
        a.perm.d[j] = perm ? perm[j] : a.perm.ndim - 1 - j;
    return pithp_apply1(&pithp_op_transpose, &a, x);
}
