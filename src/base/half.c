/* base/half.c: IEEE 754 binary16 and back, in integer arithmetic: the same bits on every machine. */
#include "base/base.h"
#include <string.h>

/* Rounds to nearest, ties to even; beyond 65504 by half a step or more gives infinity; NaNs stay NaN and become quiet. */
uint16_t pithp_half_from(float f)
{
    uint32_t x;
    memcpy(&x, &f, sizeof x);
    uint16_t sign = (uint16_t)(x >> 16 & 0x8000u);
    x &= 0x7FFFFFFFu;
    if (x > 0x7F800000u) /* NaN: the payload's high bits, and the quiet bit */
        return sign | 0x7E00u | (uint16_t)(x >> 13 & 0x3FFu);
    if (x >= 0x477FF000u) /* 65520 and more round to infinity */
        return sign | 0x7C00u;
    uint32_t h, rest, half;
    if (x >= 0x38800000u) { /* normal in binary16 too: 2^-14 and more */
        h = (x - 0x38000000u) >> 13;
        rest = x & 0x1FFFu, half = 0x1000u;
    } else { /* a multiple of 2^-24: shift the significand into place */
        uint32_t shift = 126u - (x >> 23);
        if (shift > 24)
            return sign; /* below half of the smallest subnormal */
        uint32_t m = (x & 0x7FFFFFu) | 0x800000u;
        h = m >> shift;
        rest = m & ((1u << shift) - 1), half = 1u << (shift - 1);
    }
    h += rest > half || (rest == half && (h & 1)); /* a carry runs into the exponent, as it should */
    return (uint16_t)(sign | h);
}

/* Exact: every binary16 is a float. */
float pithp_half_to(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = h >> 10 & 0x1Fu, m = h & 0x3FFu, x;
    if (e == 31) {
        x = 0x7F800000u | m << 13 | (m ? 0x400000u : 0);
    } else if (e) {
        x = (e + 112) << 23 | m << 13;
    } else {
        float f = (float)m * 0x1p-24f; /* zero and subnormals; m has 10 bits, the product is exact */
        memcpy(&x, &f, sizeof x);
    }
    x |= sign;
    float f;
    memcpy(&f, &x, sizeof f);
    return f;
}
