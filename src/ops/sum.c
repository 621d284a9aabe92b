/* ops/sum.c: y[o] = sum of x over the dimensions in `axes`; dx = dy, stretched. Terms are added in double. */
#include "ops/channels.h"
#include "ops/axes.h"

static void forward(const pith_call *k) { pithp_axes_forward(k, false); }
static void backward(const pith_call *k) { pithp_axes_backward(k, false); }

const pith_op pithp_op_sum = {
    .name = "sum",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_axes_channels,
    .attr_size = sizeof(pithp_axes_attr),
    .fields = pithp_axes_fields,
    .shape = pithp_axes_shape,
    .forward = forward,
    .backward = backward,
};

pith_tensor *pith_sum_axes(pith_tensor *x, uint32_t axes, bool keep)
{
    return pithp_apply1(&pithp_op_sum, &(pithp_axes_attr){ axes, keep }, x);
}

pith_tensor *pith_sum(pith_tensor *x) { return pith_sum_axes(x, 0, false); }
