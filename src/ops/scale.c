/* ops/scale.c: y = factor x + offset; dx = factor dy. */
#include "ops/elementwise.h"
#include <math.h>

PITHP_UNARY_PASSES(PITHP_U_SCALE)

static bool shape(pith_infer *q)
{
    const pithp_unary_attr *a = q->attr;
    if (!isfinite(a->p0) || !isfinite(a->p1))
        return pith_op_fail(q, "factor = %g and offset = %g must be finite", a->p0, a->p1);
    return pithp_shape_same(q);
}

static const pith_attr_field fields[] = {
    { "factor", PITH_ATTR_REAL, offsetof(pithp_unary_attr, p0) },
    { "offset", PITH_ATTR_REAL, offsetof(pithp_unary_attr, p1) },
    PITH_ATTR_END,
};

const pith_op pithp_op_scale = {
    .name = "scale",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .attr_size = sizeof(pithp_unary_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};

pith_tensor *pith_scale(pith_tensor *x, double factor, double offset)
{
    return pithp_apply1(&pithp_op_scale, &(pithp_unary_attr){ factor, offset }, x);
}
