/* kernels/int8/funcs.c: exp, logistic, tanh and reciprocals of fixed-point numbers, as gemmlowp's fixedpoint.h defines
   them (Qm: m integer bits, 31-m fractional bits; a product of Qa and Qb is a Qa+b). */
#include "kernels/int8/fixed.h"

/* x * 2^e, saturating; e >= 0. */
static int32_t shl_sat(int32_t x, int e)
{
    int32_t top = (int32_t)(((int64_t)1 << (31 - e)) - 1);
    return x > top ? INT32_MAX : x < -top ? INT32_MIN : pithp_wrap_shl(x, e);
}

static int32_t add(int32_t a, int32_t b) { return pithp_wrap_add(a, b); }
static int32_t sub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }

/* exp(a) in Q0 for a in [-1/4, 0) in Q0: a Taylor polynomial around -1/8. */
static int32_t exp_quarter(int32_t a)
{
    const int32_t exp_eighth = 1895147668, third = 715827883;
    int32_t x = add(a, 1 << 28), x2 = pithp_high_mul(x, x), x3 = pithp_high_mul(x2, x),
            x4 = pithp_high_mul(x2, x2);
    int32_t sum =
        add(pithp_high_mul(add(pithp_round_shr(x4, 2), x3), third), x2); /* x4/12 + x3/3 + x2, halved below */
    return add(exp_eighth, pithp_high_mul(exp_eighth, add(x, pithp_round_shr(sum, 1))));
}

int32_t pithp_fixed_exp(int32_t x, int bits)
{
    static const int32_t factor[] = { 1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242 };
    int32_t quarter = 1 << (31 - bits - 2), a = sub(x & (quarter - 1), quarter), rest = sub(a, x);
    int32_t y = exp_quarter(shl_sat(a, bits));
    for (int i = 0; i < (int)PITHP_LEN(factor); i++) /* exp(-1/4), exp(-1/2), ... exp(-16) */
        if (bits > i - 2 && (rest & (1 << (31 - bits + i - 2))))
            y = pithp_high_mul(y, factor[i]);
    return x == 0 ? INT32_MAX : y;
}

/* 2/(1+a) in Q2, a in [0,1] in Q0: three steps of Newton's iteration. */
static int32_t two_over_one_plus(int32_t a)
{
    int64_t sum = (int64_t)a + INT32_MAX;
    int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);      /* of the denominator, Q0 */
    int32_t x = add(1515870810, pithp_high_mul(half, -1010580540)); /* 48/17 - 32/17 * half */
    for (int i = 0; i < 3; i++)
        x = add(x, shl_sat(pithp_high_mul(x, sub(1 << 29, pithp_high_mul(half, x))), 2));
    return x;
}

int32_t pithp_fixed_inverse(int32_t a)
{
    return shl_sat(two_over_one_plus(a), 1);
} /* its half: the same number in Q1 */

int32_t pithp_fixed_logistic(int32_t x)
{
    if (x == 0)
        return 1 << 30;
    int32_t y = pithp_fixed_inverse(pithp_fixed_exp(x > 0 ? sub(0, x) : x, 4));
    return x > 0 ? y : sub(INT32_MAX, y);
}

int32_t pithp_fixed_tanh(int32_t x)
{
    if (x == 0)
        return 0;
    /* (1-e)/(1+e) with e = exp(-2|x|): the same number, taken as Q5, is twice as large */
    int32_t t = shl_sat(sub(two_over_one_plus(pithp_fixed_exp(x > 0 ? sub(0, x) : x, 5)), 1 << 29), 2);
    return x > 0 ? t : sub(0, t);
}
