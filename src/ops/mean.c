/* ops/mean.c: y[o] = mean of x over the dimensions in `axes`; dx = dy / terms, stretched. Terms are added in double. */
#include "ops/axes.h"

static void forward(const pith_call *k) { pithp_axes_forward(k, true); }
static void backward(const pith_call *k) { pithp_axes_backward(k, true); }

const pith_op pithp_op_mean = {
    .name = "mean",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(pithp_axes_attr),
    .fields = pithp_axes_fields,
    .shape = pithp_axes_shape,
    .forward = forward,
    .backward = backward,
};

pith_tensor *pith_mean_axes(pith_tensor *x, uint32_t axes, bool keep)
{
    return pithp_apply1(&pithp_op_mean, &(pithp_axes_attr){ axes, keep }, x);
}

pith_tensor *pith_mean(pith_tensor *x) { return pith_mean_axes(x, 0, false); }
