/* ops/concat.c: joins tensors along one dimension; the others have equal sizes. dx_i is its slice of dy. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/nest.h"
#include "ops/integer.h"

typedef struct {
    int axis; /* negative: counted from behind */
} concat_attr;

static int axis_of(const void *attr, int ndim)
{
    int axis = ((const concat_attr *)attr)->axis;
    return axis < 0 && axis >= -ndim ? axis + ndim : axis;
}

static bool fits(pith_infer *q, int i, int axis)
{
    const pith_shape *x = &q->in[i], *first = &q->in[0];
    if (x->ndim != first->ndim)
        return pith_op_fail(q, "operand %d has %d dimensions, operand 0 has %d", i, x->ndim, first->ndim);
    for (int j = 0; j < x->ndim; j++)
        if (j != axis && x->d[j] != first->d[j])
            return pith_op_fail(
                q,
                "operand %d has size %lld in dimension %d, operand 0 has %lld; only dimension %d, "
                "along which they are joined, may differ",
                i, (long long)x->d[j], j, (long long)first->d[j], axis);
    return true;
}

static bool shape(pith_infer *q)
{
    pith_shape out = q->in[0];
    int axis = axis_of(q->attr, out.ndim);
    if (!pithp_want_f32(q))
        return false;
    if (axis < 0 || axis >= out.ndim)
        return pith_op_fail(q, "axis %d does not exist in an operand of %d dimensions",
                            ((const concat_attr *)q->attr)->axis, out.ndim);
    for (int i = 1; i < q->n_in; i++) {
        if (!fits(q, i, axis))
            return false;
        out.d[axis] += q->in[i].d[axis];
    }
    return pithp_result(q, out);
}

/* Rows of y, and of each operand; the last dimension of the nest is an operand's row. */
static void move_all(const pith_call *k, bool back)
{
    int axis = axis_of(k->attr, k->out.shape.ndim);
    int64_t rows = 1, row = pithp_count(k->out.shape), first = 0;
    for (int i = 0; i < axis; i++)
        rows *= k->out.shape.d[i];
    row /= rows;
    for (int i = 0; i < k->n_in; i++) {
        const pith_val *x = &k->in[i];
        int64_t part = pithp_count(x->shape) / rows;
        pithp_move m = { .nest = { .nd = 2, .d = { rows, part } }, .factor = 1 };
        int x_set = back ? 1 : 0;
        m.nest.s[x_set][0] = part;
        m.nest.s[!x_set][0] = row;
        m.nest.s[0][1] = m.nest.s[1][1] = 1;
        if (back) {
            m.src = k->out.grad + first;
            m.dst = x->grad;
            m.add = x->grad_add;
        } else {
            m.src = x->data;
            m.dst = (pith_real *)k->out.data + first;
        }
        if (m.dst)
            pithp_move_run(k, &m);
        first += part;
    }
}

static void forward(const pith_call *k) { move_all(k, false); }
static void backward(const pith_call *k) { move_all(k, true); }

static const pith_attr_field fields[] = {
    { "axis", PITH_ATTR_INT, offsetof(concat_attr, axis) },
    PITH_ATTR_END,
};

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_concat,
                             (pithp_qattr){ .axis = axis_of(s->t->attr, s->t->shape.ndim) });
}

static const pithp_integer integer = { .kind = PITHP_INT_JOIN, .lower = lower };

static void ties(pithp_ties *k)
{
    int axis = axis_of(k->t->attr, k->t->shape.ndim);
    int64_t first = 0;
    for (int i = 0; i < k->t->n_in; i++) {
        int64_t part = k->t->in[i]->shape.d[axis];
        for (int j = 0; j < k->t->shape.ndim; j++)
            if (j != axis)
                pithp_tie(k, i, j, PITHP_OUT, j);
        k->tie(k, (pithp_slices){ i, axis, 0 }, (pithp_slices){ PITHP_OUT, axis, first }, part);
        first += part;
    }
}

static const pithp_channels channels = { .ties = ties };

const pith_op pithp_op_concat = {
    .name = "concat",
    .min_in = 1,
    .max_in = PITH_OP_MAX_IN,
    .by_sample = (1u << PITH_OP_MAX_IN) - 1,
    .channels = &channels,
    .attr_size = sizeof(concat_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_concat(pith_tensor *const *x, int n, int axis)
{
    return pith_op_apply(&pithp_op_concat, &(concat_attr){ axis }, NULL, n, x);
}
