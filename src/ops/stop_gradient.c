/* ops/stop_gradient.c: y = x; no gradient passes. The result is the operand's memory. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/integer.h"

static bool shape(pith_infer *q)
{
    q->out = q->in[0];
    q->out_dtype = q->in_dtype[0];
    return true;
}

static void forward(const pith_call *k) { (void)k; }

static const pithp_integer integer = { .kind = PITHP_INT_PASS };

const pith_op pithp_op_stop_gradient = {
    .name = "stop_gradient",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .shape = shape,
    .forward = forward,
    .alias = 1,
    .integer = &integer,
};

pith_tensor *pith_stop_gradient(pith_tensor *x) { return pithp_apply1(&pithp_op_stop_gradient, NULL, x); }
