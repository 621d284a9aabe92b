/* ops/pad.c: rows of a constant before and after each dimension: y[i + before] = x[i], `value` elsewhere.
   dx[i] = dy[i + before]. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/nest.h"
#include "ops/integer.h"

typedef struct {
    pith_shape before, after; /* ndim and the numbers of rows */
    double value;
} pad_attr;

#define MOST_ROWS (INT64_C(1) << 31)

static bool shape(pith_infer *q)
{
    const pad_attr *a = q->attr;
    pith_shape out = { .ndim = q->in[0].ndim };
    if (!pithp_want_f32(q))
        return false;
    if (a->before.ndim != out.ndim || a->after.ndim != out.ndim)
        return pith_op_fail(q, "padding is given for %d and %d dimensions, the operand has %d",
                            a->before.ndim, a->after.ndim, out.ndim);
    for (int i = 0; i < out.ndim; i++) {
        int64_t b = a->before.d[i], e = a->after.d[i];
        if (b < 0 || e < 0 || b > MOST_ROWS || e > MOST_ROWS)
            return pith_op_fail(q,
                                "padding of %lld before and %lld after in dimension %d; expected 0 or more",
                                (long long)b, (long long)e, i);
        out.d[i] = q->in[0].d[i] + b + e;
    }
    return pithp_result(q, out);
}

/* The nest runs over x; *first is the place of x's first element in y. */
static pithp_nest nest_of(const pith_call *k, int x_set, int y_set, int64_t *first)
{
    const pad_attr *a = k->attr;
    pithp_nest n = { .nd = k->out.shape.ndim };
    pithp_strides(k->in[0].shape, n.s[x_set]);
    pithp_strides(k->out.shape, n.s[y_set]);
    *first = 0;
    for (int i = 0; i < n.nd; i++) {
        n.d[i] = k->in[0].shape.d[i];
        *first += a->before.d[i] * n.s[y_set][i];
    }
    return n;
}

static void forward(const pith_call *k)
{
    const pith_real value = (pith_real)((const pad_attr *)k->attr)->value;
    int64_t count = pithp_count(k->out.shape), first;
    pith_real *y = k->out.data;
    pithp_move fill = {
        .nest = { .nd = 1, .d = { count }, .s = { { 0 }, { 1 } } }, .src = &value, .dst = y, .factor = 1
    };
    if (count != pithp_count(k->in[0].shape))
        pithp_move_run(k, &fill);
    pithp_move m = { .nest = nest_of(k, 0, 1, &first), .src = k->in[0].data, .factor = 1 };
    m.dst = y + first;
    pithp_move_run(k, &m);
}

static void backward(const pith_call *k)
{
    int64_t first;
    pithp_move m = {
        .nest = nest_of(k, 1, 0, &first), .dst = k->in[0].grad, .factor = 1, .add = k->in[0].grad_add
    };
    m.src = k->out.grad + first;
    if (m.dst)
        pithp_move_run(k, &m);
}

static const pith_attr_field fields[] = {
    { "before", PITH_ATTR_SHAPE, offsetof(pad_attr, before) },
    { "after", PITH_ATTR_SHAPE, offsetof(pad_attr, after) },
    { "value", PITH_ATTR_REAL, offsetof(pad_attr, value) },
    PITH_ATTR_END,
};

static int lower(pithp_lower *l, const pithp_site *s)
{
    const pad_attr *a = s->t->attr;
    pithp_qattr q = { 0 };
    bool ok = a->value == 0 && a->before.d[0] == 0 && a->after.d[0] == 0;
    for (int i = 1; ok && i < a->before.ndim; i++) {
        ok = i < 3 || (a->before.d[i] == 0 && a->after.d[i] == 0);
        if (i < 3) {
            q.pad[2 * (i - 1)] = a->before.d[i];
            q.pad[2 * (i - 1) + 1] = a->after.d[i];
        }
    }
    if (ok)
        return pithp_lower_plain(l, s, &pithp_qop_pad, q);
    pithp_error(l->c, PITH_EINVAL, "layer '%s': padding in integers is with zeros, of rows and columns",
                s->t->name ? s->t->name : "pad");
    return PITHP_QNONE;
}

static const pithp_integer integer = { .kind = PITHP_INT_SAME, .lower = lower };

/* Slices of the constant are tied to nothing here: they go where what they meet later goes. */
static void ties(pithp_ties *k)
{
    const pad_attr *a = k->t->attr;
    pith_shape x = k->t->in[0]->shape;
    for (int i = 0; i < x.ndim; i++)
        k->tie(k, (pithp_slices){ 0, i, 0 }, (pithp_slices){ PITHP_OUT, i, a->before.d[i] }, x.d[i]);
}

static void shrink(const pithp_kept *k, void *attr)
{
    pad_attr *a = attr;
    pith_shape x = k->t->in[0]->shape, y = k->t->shape;
    for (int i = 0; i < x.ndim; i++) {
        int64_t behind = a->before.d[i] + x.d[i];
        a->before.d[i] = k->count(k, PITHP_OUT, i, 0, a->before.d[i]);
        a->after.d[i] = k->count(k, PITHP_OUT, i, behind, y.d[i]);
    }
}

static const pithp_channels channels = { .ties = ties, .shrink = shrink };

const pith_op pithp_op_pad = {
    .name = "pad",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &channels,
    .attr_size = sizeof(pad_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_pad(pith_tensor *x, const int *before, const int *after, double value)
{
    int ndim = x ? pith_shape_of(x).ndim : 0;
    pad_attr a = { .before = { .ndim = ndim }, .after = { .ndim = ndim }, .value = value };
    for (int i = 0; i < ndim; i++) {
        a.before.d[i] = before ? before[i] : 0;
        a.after.d[i] = after ? after[i] : 0;
    }
    return pithp_apply1(&pithp_op_pad, &a, x);
}
