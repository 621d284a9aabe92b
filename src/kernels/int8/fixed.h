/* kernels/int8/fixed.h: the fixed-point arithmetic of the quantization contract (DESIGN, section 5), in scalar form: the
   definition that everything else is compared with. Source: TFLite Micro and gemmlowp, whose results these give bit for
   bit; written from their documented behaviour. */
#ifndef PITHP_INT8_FIXED_H
#define PITHP_INT8_FIXED_H

#include "base/base.h"
#include <limits.h>
#include <math.h>

/* A positive real factor: mult * 2^(shift - 31), mult in [2^30, 2^31), or 0. */
typedef struct {
    int32_t mult;
    int32_t shift;
} pithp_fixed;

/* The nearest such factor (half away from zero); 0 when it is below 2^-32. `real` is finite and not negative. */
pithp_fixed pithp_fixed_from(double real);

static inline int32_t pithp_clamp(int32_t x, int32_t lo, int32_t hi) { return x < lo ? lo : x > hi ? hi : x; }

/* Wraps, as the machine does; prepare() has made sure that no layer gets there. */
static inline int32_t pithp_wrap_shl(int32_t x, int s) { return (int32_t)((uint32_t)x << s); }
static inline int32_t pithp_wrap_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

/* High half of 2*a*b, rounded (halves up), saturating where both are the smallest number. */
static inline int32_t pithp_high_mul(int32_t a, int32_t b)
{
    if (a == b && a == INT32_MIN)
        return INT32_MAX;
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^e, halves away from zero; 0 <= e <= 31. */
static inline int32_t pithp_round_shr(int32_t x, int e)
{
    int32_t mask = (int32_t)(((int64_t)1 << e) - 1), rem = x & mask, half = (mask >> 1) + (x < 0);
    return (x >> e) + (rem > half);
}

/* x times the factor, rounded twice: the contract's rescaling. */
static inline int32_t pithp_rescale(int32_t x, pithp_fixed f)
{
    int left = f.shift > 0 ? f.shift : 0, right = f.shift > 0 ? 0 : -f.shift;
    return pithp_round_shr(pithp_high_mul(pithp_wrap_shl(x, left), f.mult), right);
}

/* x times the factor, rounded once, halves up: engines built with TFLITE_SINGLE_ROUNDING. -31 <= shift <= 30. */
static inline int32_t pithp_rescale_single(int32_t x, pithp_fixed f)
{
    int s = 31 - f.shift;
    return (int32_t)(((int64_t)x * f.mult + ((int64_t)1 << (s - 1))) >> s);
}

/* Nearest integer of x/scale in float32, halves away from zero, plus zero, clamped: TFLite's QUANTIZE. NaN gives `zero`. */
static inline int8_t pithp_quantize_i8(float x, float scale, int32_t zero)
{
    float q = roundf(x / scale);
    if (!(q == q))
        q = 0;
    q = q < -1e6f ? -1e6f : q > 1e6f ? 1e6f : q;
    return (int8_t)pithp_clamp((int32_t)q + zero, -128, 127);
}

/* ---- Functions of fixed-point numbers (funcs.c) ---------------------------------------------------------------------
   Qm: m integer bits and 31-m fractional bits. */
int32_t pithp_fixed_exp(int32_t x, int bits); /* exp(x) in Q0 for x <= 0 in Q4 or Q5 (`bits`) */
int32_t pithp_fixed_logistic(int32_t x);      /* 1/(1+exp(-x)) in Q0, x in Q4 */
int32_t pithp_fixed_tanh(int32_t x);          /* tanh(x) in Q0, x in Q4 */
int32_t pithp_fixed_inverse(int32_t a);       /* 1/(1+a) in Q0, a in [0,1] in Q0 */

#endif
