/* ops/clip.c: y = min(max(x, lo), hi); dx = dy where lo <= x <= hi, else 0. */
#include "ops/elementwise.h"
#include "ops/integer.h"

PITHP_UNARY_PASSES(PITHP_U_CLIP)

static bool shape(pith_infer *q)
{
    const pithp_unary_attr *a = q->attr;
    if (!(a->p0 <= a->p1))
        return pith_op_fail(q, "lo = %g must not be greater than hi = %g", a->p0, a->p1);
    return pithp_shape_same(q);
}

static const pith_attr_field fields[] = {
    { "lo", PITH_ATTR_REAL, offsetof(pithp_unary_attr, p0) },
    { "hi", PITH_ATTR_REAL, offsetof(pithp_unary_attr, p1) },
    PITH_ATTR_END,
};

static const pithp_integer integer = { .instead = "relu6" };

const pith_op pithp_op_clip = {
    .name = "clip",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .attr_size = sizeof(pithp_unary_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0),
    .integer = &integer,
};

pith_tensor *pith_clip(pith_tensor *x, double lo, double hi)
{
    return pithp_apply1(&pithp_op_clip, &(pithp_unary_attr){ lo, hi }, x);
}
