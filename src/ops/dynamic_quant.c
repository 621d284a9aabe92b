/* ops/dynamic_quant.c: what a hybrid layer of LiteRT sees of its float input: each sample quantized to int8 by its own range,
   and back. y = S (clamp(Z + round(x * (1/S)), -128, 127) - Z), halves away from zero, in float32.

   x [N,...]. Of each sample: lo = min(0, least), hi = max(0, greatest), S = (hi - lo)/255, Z = -128 - lo/S or 127 - hi/S,
   whichever has the smaller sum of absolute terms, rounded and clamped; a sample of zeros stays. dx = dy (straight-through).
   In inference it and the layer behind it are one step (hybrid.c). Source: TensorFlow Lite's hybrid convolution and fully connected
   kernels (asymmetric quantization of inputs, by batch; NeonAsymmetricQuantizeFloats, which x86 builds use too). */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/hybrid.h"
#include <math.h>
#include <string.h>

static bool shape(pith_infer *q)
{
    if (!pithp_want_f32(q))
        return false;
    if (q->in[0].ndim < 1)
        return pith_op_fail(q, "x must have a first dimension of samples");
    return pithp_shape_same(q);
}

pithp_dynamic pithp_dynamic_of(const pithp_env *e, const pith_real *x, int64_t n)
{
    pith_real lo = 0, hi = 0;
    e->k->minmax(x, n, &lo, &hi);
    double scale = (double)((float)hi - (float)lo) / 255;
    float stored = (float)scale;
    if (!(stored > 0) || !isfinite(stored)) /* zeros; or what is no number, for the layers behind to find */
        return (pithp_dynamic){ 0, 0 };
    double from_lo = -128 - (double)lo / scale, from_hi = 127 - (double)hi / scale;
    double zero = 128 + fabs((double)lo / scale) < 127 + fabs((double)hi / scale) ? from_lo : from_hi;
    return (pithp_dynamic){ stored, (float)fmin(fmax(round(zero), -128), 127) };
}

void pithp_dynamic_codes(const pithp_env *e, pithp_dynamic d, const pith_real *x, int64_t n, pith_real *y)
{
    const pith_real inverse = (pith_real)(float)(1 / (double)d.scale);
    e->k->unary(PITHP_U_SCALE, x, n, inverse, 0, y);
    e->k->fq(y, n, 1, -128 - (pith_real)d.zero, 127 - (pith_real)d.zero, 1, y);
}

static void sample(void *arg, int64_t tile, int thread)
{
    const pith_call *k = arg;
    int64_t n = pithp_count(k->in[0].shape) / k->in[0].shape.d[0];
    const pith_real *x = (const pith_real *)k->in[0].data + tile * n;
    pith_real *y = (pith_real *)k->out.data + tile * n;
    pithp_dynamic d = pithp_dynamic_of(pithp_call_env(k), x, n);
    (void)thread;
    if (!(d.scale > 0)) {
        memcpy(y, x, (size_t)n * sizeof *y);
        return;
    }
    pithp_dynamic_codes(pithp_call_env(k), d, x, n, y);
    for (int64_t i = 0; i < n; i++)
        y[i] *= (pith_real)d.scale;
}

static void forward(const pith_call *k)
{
    pith_op_parallel(k, k->in[0].shape.d[0], sample, (void *)(uintptr_t)k);
}

static void backward(const pith_call *k)
{
    if (!k->in[0].grad)
        return;
    for (int64_t i = 0; i < pithp_count(k->out.shape); i++)
        k->in[0].grad[i] = (k->in[0].grad_add ? k->in[0].grad[i] : 0) + k->out.grad[i];
}

const pith_op pithp_op_dynamic_quant = {
    .name = "dynamic_quant",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};

pith_tensor *pith_dynamic_quant(pith_tensor *x) { return pithp_apply1(&pithp_op_dynamic_quant, NULL, x); }
