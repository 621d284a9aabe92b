/* ops/axes.c: reductions over chosen dimensions. */
#include "ops/axes.h"

const pith_attr_field pithp_axes_fields[] = {
    { "axes", PITH_ATTR_INT64, offsetof(pithp_axes_attr, axes) },
    { "keep", PITH_ATTR_BOOL, offsetof(pithp_axes_attr, keep) },
    PITH_ATTR_END,
};

uint32_t pithp_axes_mask(const pithp_axes_attr *a, int ndim)
{
    return a->axes ? (uint32_t)a->axes : (1u << ndim) - 1;
}

bool pithp_axes_shape(pith_infer *q)
{
    const pithp_axes_attr *a = q->attr;
    pith_shape x = q->in[0], out = { 0 };
    if (!pithp_want_f32(q))
        return false;
    if (a->axes < 0 || a->axes >> x.ndim)
        return pith_op_fail(
            q,
            "axes = 0x%llx names a dimension that the operand does not have; expected bits 0 to %d "
            "only",
            (unsigned long long)a->axes, x.ndim - 1);
    uint32_t mask = pithp_axes_mask(a, x.ndim);
    for (int i = 0; i < x.ndim; i++) {
        if (!(mask >> i & 1))
            out.d[out.ndim++] = x.d[i];
        else if (a->keep)
            out.d[out.ndim++] = 1;
    }
    pithp_nest n = pithp_reduce_nest(x, mask);
    q->scratch = pithp_reduce_scratch(&n, 0);
    return pithp_result(q, out);
}

static double factor_of(const pith_call *k, bool mean)
{
    return mean ? (double)pithp_count(k->out.shape) / (double)pithp_count(k->in[0].shape) : 1;
}

void pithp_axes_forward(const pith_call *k, bool mean)
{
    pith_shape x = k->in[0].shape;
    pithp_reduce r = { .nest = pithp_reduce_nest(x, pithp_axes_mask(k->attr, x.ndim)),
                       .arg = k->in[0].data,
                       .factor = factor_of(k, mean),
                       .out = k->out.data,
                       .scratch = k->scratch };
    pithp_reduce_run(k, &r);
}

void pithp_axes_backward(const pith_call *k, bool mean)
{
    pith_shape x = k->in[0].shape;
    if (!k->in[0].grad)
        return;
    pithp_nest n = pithp_reduce_nest(x, pithp_axes_mask(k->attr, x.ndim));
    pithp_reduce_back(k, &n, factor_of(k, mean), k->out.grad, k->in[0].grad, k->in[0].grad_add);
}

static void ties(pithp_ties *k)
{
    const pithp_axes_attr *a = k->t->attr;
    pith_shape x = k->t->in[0]->shape;
    uint32_t mask = pithp_axes_mask(a, x.ndim);
    for (int i = 0, j = 0; i < x.ndim; i++) {
        if (!(mask >> i & 1))
            pithp_tie(k, 0, i, PITHP_OUT, j);
        j += !(mask >> i & 1) || a->keep;
    }
}

const pithp_channels pithp_axes_channels = { .ties = ties };
