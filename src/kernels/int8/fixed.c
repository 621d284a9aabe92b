/* kernels/int8/fixed.c: factors as fixed-point numbers. */
#include "kernels/int8/fixed.h"

pithp_fixed pithp_fixed_from(double real)
{
    pithp_fixed f = { 0, 0 };
    if (real == 0)
        return f;
    int shift;
    int64_t q = (int64_t)round(frexp(real, &shift) * (double)((int64_t)1 << 31));
    if (q == (int64_t)1 << 31) {
        q /= 2;
        shift++;
    }
    if (shift < -31)
        return f;
    f.mult = (int32_t)q;
    f.shift = shift;
    return f;
}
