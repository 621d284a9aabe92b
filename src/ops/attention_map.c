/* ops/attention_map.c: where a layer looks: y[n,p] = a[n,p]/|a[n]|, a[n,p] = mean over c of x[n,p,c]^2, p all places of the image.
   x [N,H,W,C] -> [N,HW]. dx = 2 x/C da, da = (dy - y <y,dy>)/|a|. A sample of zeros stays zeros and has no gradient.
   Zagoruyko, Komodakis: "Paying more attention to attention", ICLR 2017. */
#include "ops/common.h"
#include <math.h>

/* aux: each sample's |a| */
static bool shape(pith_infer *q)
{
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 4, "x [N,H,W,C]"))
        return false;
    const int64_t *d = q->in[0].d;
    q->aux = (size_t)d[0] * sizeof(double);
    return pithp_result(q, PITH_SHAPE(d[0], d[1] * d[2]));
}

static void forward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const pith_call *k = arg;
    int64_t places = k->out.shape.d[1], channels = k->in[0].shape.d[3];
    const pith_real *x = (const pith_real *)k->in[0].data + n * places * channels;
    pith_real *y = (pith_real *)k->out.data + n * places;
    double square = 0, length;
    for (int64_t p = 0; p < places; p++, x += channels) {
        double sum = 0;
        for (int64_t c = 0; c < channels; c++)
            sum += (double)x[c] * (double)x[c];
        y[p] = (pith_real)(sum / (double)channels);
        square += (double)y[p] * (double)y[p];
    }
    ((double *)k->aux)[n] = length = sqrt(square);
    for (int64_t p = 0; p < places && length > 0; p++)
        y[p] = (pith_real)((double)y[p] / length);
}

static void forward(const pith_call *k)
{
    pith_call call = *k; /* the tiles' argument is not const */
    pith_op_parallel(k, k->in[0].shape.d[0], forward_sample, &call);
}

static void backward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const pith_call *k = arg;
    const pith_val *v = &k->in[0];
    int64_t places = k->out.shape.d[1], channels = v->shape.d[3];
    const pith_real *x = (const pith_real *)v->data + n * places * channels,
                    *y = (const pith_real *)k->out.data + n * places, *dy = k->out.grad + n * places;
    pith_real *dx = v->grad + n * places * channels;
    double length = ((const double *)k->aux)[n], along = 0;
    for (int64_t p = 0; p < places; p++)
        along += (double)y[p] * (double)dy[p];
    for (int64_t p = 0; p < places; p++, x += channels, dx += channels) {
        double da = length > 0 ? ((double)dy[p] - (double)y[p] * along) / length : 0;
        const pith_real f = (pith_real)(2 * da / (double)channels);
        for (int64_t c = 0; c < channels; c++)
            dx[c] = v->grad_add ? dx[c] + f * x[c] : f * x[c];
    }
}

static void backward(const pith_call *k)
{
    pith_call call = *k;
    if (k->in[0].grad)
        pith_op_parallel(k, k->in[0].shape.d[0], backward_sample, &call);
}

const pith_op pithp_op_attention_map = {
    .name = "attention_map",
    .min_in = 1,
    .max_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0) | PITH_READS_OUT,
};

pith_tensor *pith_attention_map(pith_tensor *x) { return pithp_apply1(&pithp_op_attention_map, NULL, x); }
