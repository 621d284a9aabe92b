/* ops/mean.c: y[o] = mean of x over the dimensions in `axes`; dx = dy / terms, stretched. Terms are added in double. */
#include "ops/channels.h"
#include "ops/axes.h"
#include "ops/integer.h"

static void forward(const pith_call *k) { pithp_axes_forward(k, true); }
static void backward(const pith_call *k) { pithp_axes_backward(k, true); }

static bool over_pixels(const pith_tensor *t)
{
    return t->in[0]->shape.ndim == 4 && pithp_axes_mask(t->attr, 4) == (1u << 1 | 1u << 2);
}

static int lower(pithp_lower *l, const pithp_site *s)
{
    const pithp_axes_attr *a = s->t->attr;
    if (over_pixels(s->t))
        return pithp_lower_plain(l, s, &pithp_qop_mean, (pithp_qattr){ .keep_dims = a->keep });
    pithp_error(l->c, PITH_EINVAL, "layer '%s': a mean in integers is over rows and columns of [N,H,W,C]",
                s->t->name ? s->t->name : "mean");
    return PITHP_QNONE;
}

static const pithp_integer integer = {
    .kind = PITHP_INT_OWN, .lower = lower, .exact = pithp_mean_exact, .fits = over_pixels
};

const pith_op pithp_op_mean = {
    .name = "mean",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_axes_channels,
    .attr_size = sizeof(pithp_axes_attr),
    .fields = pithp_axes_fields,
    .shape = pithp_axes_shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_mean_axes(pith_tensor *x, uint32_t axes, bool keep)
{
    return pithp_apply1(&pithp_op_mean, &(pithp_axes_attr){ axes, keep }, x);
}

pith_tensor *pith_mean(pith_tensor *x) { return pith_mean_axes(x, 0, false); }
