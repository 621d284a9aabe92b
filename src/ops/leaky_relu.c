/* ops/leaky_relu.c: y = x where x > 0, else slope x; dx = dy and slope dy.
   Maas, Hannun, Ng: "Rectifier nonlinearities improve neural network acoustic models", ICML 2013. */
#include "ops/elementwise.h"
#include <math.h>

PITHP_UNARY_PASSES(PITHP_U_LEAKY_RELU)

static bool shape(pith_infer *q)
{
    double slope = ((const pithp_unary_attr *)q->attr)->p0;
    if (!isfinite(slope))
        return pith_op_fail(q, "slope = %g must be finite", slope);
    return pithp_shape_same(q);
}

static const pith_attr_field fields[] = {
    { "slope", PITH_ATTR_REAL, offsetof(pithp_unary_attr, p0) },
    PITH_ATTR_END,
};

const pith_op pithp_op_leaky_relu = {
    .name = "leaky_relu",
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
};

pith_tensor *pith_leaky_relu(pith_tensor *x, double slope)
{
    return pithp_apply1(&pithp_op_leaky_relu, &(pithp_unary_attr){ slope, 0 }, x);
}
