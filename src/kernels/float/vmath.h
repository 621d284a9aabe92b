/* kernels/float/vmath.h: exp, log, sigmoid, tanh and the activations on vectors, to about one unit in the last place.
   Polynomials and range reductions after Moshier's Cephes library (expf, logf, tanhf). The double build, which only
   checks gradients, asks libm. */
#ifndef PITHP_VMATH_H
#define PITHP_VMATH_H

#include "kernels/float/vec.h"

#ifdef PITH_REAL_IS_DOUBLE
static ALWAYS vec vexp(vec x)
{
    for (int i = 0; i < LANES; i++)
        x[i] = exp(x[i]);
    return x;
}
static ALWAYS vec vlog(vec x)
{
    for (int i = 0; i < LANES; i++)
        x[i] = log(x[i]);
    return x;
}
static ALWAYS vec vtanh(vec x)
{
    for (int i = 0; i < LANES; i++)
        x[i] = tanh(x[i]);
    return x;
}
#else
static ALWAYS vec vexp(vec x)
{
    const vec magic =
        vset1(0x1.8p23f); /* adding it rounds to an integer, which then stands in the low bits */
    x = vmax(vset1(-104.0f), vmin(vset1(89.0f), x));
    vec t = vfma(x, vset1(1.44269504088896341f), magic), n = t - magic;
    ivec i = (ivec)t - (ivec)magic, half = i >> 1;
    vec r = vfma(n, vset1(-0.693359375f), x);
    r = vfma(n, vset1(2.12194440e-4f), r);
    vec p = vfma(vset1(1.9875691500e-4f), r, vset1(1.3981999507e-3f));
    p = vfma(p, r, vset1(8.3334519073e-3f));
    p = vfma(p, r, vset1(4.1665795894e-2f));
    p = vfma(p, r, vset1(1.6666665459e-1f));
    p = vfma(p, r, vset1(5.0000001201e-1f));
    p = vfma(p, r * r, r + 1.0f);
    /* 2^i in two factors: it may lie outside the normal range where the result does not */
    return p * (vec)((half + 127) << 23) * (vec)((i - half + 127) << 23);
}

static ALWAYS vec vlog(vec x)
{
    vec tiny = vset1(0x1p-126f), in = x;
    vec adj = vsel_lt(x, tiny, vset1(-24.0f), vzero()); /* subnormals are scaled up first */
    x = vsel_lt(x, tiny, x * 0x1p24f, x);
    ivec b = (ivec)x;
    ivec e = ((b >> 23) & 0xff) - 126;
    vec m = (vec)((b & 0x007fffff) | 0x3f000000);     /* [0.5, 1) */
    vec ef = (vec)(e + 0x4b400000) - 0x1.8p23f + adj; /* e as a float: the same trick as in vexp */
    vec half = vset1(0.707106781186547524f);
    ef = vsel_lt(m, half, ef - 1.0f, ef);
    m = vsel_lt(m, half, m + m, m) - 1.0f;
    vec z = m * m;
    vec p = vfma(vset1(7.0376836292e-2f), m, vset1(-1.1514610310e-1f));
    p = vfma(p, m, vset1(1.1676998740e-1f));
    p = vfma(p, m, vset1(-1.2420140846e-1f));
    p = vfma(p, m, vset1(1.4249322787e-1f));
    p = vfma(p, m, vset1(-1.6668057665e-1f));
    p = vfma(p, m, vset1(2.0000714765e-1f));
    p = vfma(p, m, vset1(-2.4999993993e-1f));
    p = vfma(p, m, vset1(3.3333331174e-1f));
    p = p * m * z;
    p = vfma(ef, vset1(-2.12194440e-4f), p);
    p = vfma(z, vset1(-0.5f), p);
    p = vfma(ef, vset1(0.693359375f), m + p);
    /* log(0) = -inf, log(inf) = inf, log(negative or NaN) = NaN */
    p = vsel_lt(in, vset1(INFINITY), p, in);
    vec zero =
        vkeep_le(vkeep_le(vset1(-INFINITY), in, vzero()), vzero(), in); /* -inf where in is 0, else 0 */
    p = vsel_lt(vzero(), in, p, in + zero);
    p = vsel_lt(in, vzero(), vset1(NAN), p);
    return p;
}

static ALWAYS vec vtanh(vec x)
{
    vec a = vmax(x, -x), z = x * x;
    vec p = vfma(vset1(-5.70498872745e-3f), z, vset1(2.06390887954e-2f));
    p = vfma(p, z, vset1(-5.37397155531e-2f));
    p = vfma(p, z, vset1(1.33314422036e-1f));
    p = vfma(p, z, vset1(-3.33332819422e-1f));
    vec near = vfma(p * z, x, x);
    vec far = 1.0f - 2.0f / (vexp(a + a) + 1.0f);
    far = vsel_lt(x, vzero(), -far, far);
    return vsel_lt(vset1(0.625f), a, far, near);
}
#endif

#ifdef PITH_REAL_IS_DOUBLE
static ALWAYS vec vsigmoid(vec x) { return 1.0 / (vexp(-x) + 1.0); }
#else
/* 1/(1 + e^-x). Training with SiLU evaluates it several times for each value of a layer, so its exponential is one of its own: the
   argument stays where 2^i is a normal number or infinite (then the result is 0), so that i + 127 is shifted into the exponent at
   once, and the polynomial (minimax, relative error 9e-8) is two degrees shorter: what it adds to 1 loses digits anyway. */
static ALWAYS vec vsigmoid(vec x)
{
    const vec magic = vset1(0x1.8p23f + 127); /* as in vexp, and the exponent's bias with it */
    x = vmax(vset1(-89.0f), vmin(vset1(87.0f), x));
    vec t = vfma(x, vset1(-1.44269504088896341f), magic), n = t - magic;
    vec r = vfma(n, vset1(-0.693359375f), -x);
    r = vfma(n, vset1(2.12194440e-4f), r);
    vec p = vfma(vset1(8.290306665e-3f), r, vset1(4.189797491e-2f));
    p = vfma(p, r, vset1(1.666763723e-1f));
    p = vfma(p, r, vset1(4.999915063e-1f));
    p = vfma(p, r, vset1(9.999997020e-1f));
    p = vfma(p, r, vset1(1.0f));
    return 1.0f / vfma(p, (vec)((ivec)t << 23), vset1(1.0f));
}
#endif

/* min(max(u + 3, 0), 6) / 6 */
static ALWAYS vec vhard_sigmoid(vec u)
{
    vec v = vmin(vset1(PITHP_R(6.0)), vmax(vzero(), u + PITHP_R(3.0)));
    return v * vset1(PITHP_R(1.0) / PITHP_R(6.0));
}

/* act is a constant wherever these are inlined. */
static ALWAYS vec vact(vec u, pithp_act act)
{
    switch (act) {
    case PITHP_ACT_RELU: return vmax(vzero(), u);
    case PITHP_ACT_RELU6: return vmin(vset1(PITHP_R(6.0)), vmax(vzero(), u));
    case PITHP_ACT_SILU: return u * vsigmoid(u);
    case PITHP_ACT_SIGMOID: return vsigmoid(u);
    case PITHP_ACT_HARD_SWISH: return u * vhard_sigmoid(u);
    case PITHP_ACT_HARD_SIGMOID: return vhard_sigmoid(u);
    default: return u;
    }
}

/* g * act'(u) */
static ALWAYS vec vact_grad(vec g, vec u, pithp_act act)
{
    const vec three = vset1(PITHP_R(3.0));
    vec s;
    switch (act) {
    case PITHP_ACT_RELU: return vkeep_lt(g, vzero(), u);
    case PITHP_ACT_RELU6: return vkeep_lt(vkeep_lt(g, vzero(), u), u, vset1(PITHP_R(6.0)));
    case PITHP_ACT_SILU: s = vsigmoid(u); return g * (s * vfma(u, PITHP_R(1.0) - s, vset1(PITHP_R(1.0))));
    case PITHP_ACT_SIGMOID: s = vsigmoid(u); return g * (s * (PITHP_R(1.0) - s));
    case PITHP_ACT_HARD_SWISH:
        s = g * vfma(u, vset1(PITHP_R(1.0) / PITHP_R(3.0)), vset1(PITHP_R(0.5)));
        return vsel_lt(three, u, g, vkeep_le(s, -three, u));
    case PITHP_ACT_HARD_SIGMOID:
        return vkeep_lt(vkeep_lt(g * vset1(PITHP_R(1.0) / PITHP_R(6.0)), -three, u), u, three);
    default: return g;
    }
}

#endif
