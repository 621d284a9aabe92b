/* kernels/int8/ref/ref_elem.c: elementwise ops by their definition. */
#include "kernels/int8/kernels.h"

/* An operand on the scale that both share, with 20 bits of room below. */
static int32_t common(int8_t q, int32_t zero, pithp_fixed f, bool single)
{
    return pithp_iscale((int32_t)((uint32_t)(q - zero) << 20), f, single);
}

void pithp_ref_iadd(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                    bool single, int8_t *y)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t x = common(a[i], g->zero_a, g->scale_a, single),
                z = common(b[i * step_b], g->zero_b, g->scale_b, single);
        int32_t sum = g->negate_b ? x - z : x + z;
        sum = pithp_wrap_add(pithp_iscale(sum, g->scale, single), g->zero_out);
        y[i] = (int8_t)pithp_clamp(sum, g->lo, g->hi);
    }
}

void pithp_ref_imul(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                    bool single, int8_t *y)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t prod = (a[i] - g->zero_a) * (b[i * step_b] - g->zero_b);
        prod = pithp_wrap_add(pithp_iscale(prod, g->scale, single), g->zero_out);
        y[i] = (int8_t)pithp_clamp(prod, g->lo, g->hi);
    }
}

void pithp_ref_itable(const int8_t table[256], const int8_t *x, int64_t n, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = table[x[i] + 128];
}

/* ---- Functions of one int8: what fills the tables ---------------------------------------------------------------------*/

void pithp_table_rescale(pithp_fixed f, int32_t zero_in, int32_t zero_out, int32_t lo, int32_t hi,
                         bool single, int8_t table[256])
{
    for (int q = -128; q < 128; q++)
        table[q + 128] =
            (int8_t)pithp_clamp(pithp_wrap_add(pithp_iscale(q - zero_in, f, single), zero_out), lo, hi);
}

/* Q4 input of logistic and tanh, and the |q - zero| from which on the result is at its end. */
static pithp_fixed q4_factor(float scale, int32_t *radius)
{
    int shift;
    double q = frexp((double)scale * (double)(1 << 27), &shift);
    *radius = (int32_t)floor(15.0 * (double)(1 << 27) / ldexp(1, shift));
    return (pithp_fixed){ (int32_t)PITHP_MIN((int64_t)round(q * 0x1p31), INT32_MAX), shift };
}

/* Both: `fn` gives Q0, of which the upper `bits` bits (and the sign) are kept. */
static void table_of(int32_t (*fn)(int32_t), int bits, int32_t zero_out, float scale, int32_t zero,
                     bool single, int8_t table[256])
{
    int32_t radius;
    pithp_fixed f = q4_factor(scale, &radius);
    for (int q = -128; q < 128; q++) {
        int32_t x = q - zero;
        table[q + 128] =
            x <= -radius ? -128
            : x >= radius
                ? 127
                : (int8_t)pithp_clamp(pithp_round_shr(fn(pithp_iscale(x, f, single)), 31 - bits) + zero_out,
                                      -128, 127);
    }
}

void pithp_table_logistic(float scale, int32_t zero, bool single, int8_t table[256])
{
    table_of(pithp_fixed_logistic, 8, -128, scale, zero, single, table);
}

void pithp_table_tanh(float scale, int32_t zero, bool single, int8_t table[256])
{
    table_of(pithp_fixed_tanh, 7, 0, scale, zero, single, table);
}

/* ---- Hard swish in 16-bit arithmetic (TFLite) --------------------------------------------------------------------------*/

static int16_t high_mul16(int16_t a, int16_t b)
{
    if (a == b && a == INT16_MIN)
        return INT16_MAX;
    return (int16_t)((a * b + (1 << 14)) >> 15);
}

static int16_t high_mul16_toward_zero(int16_t a, int16_t b)
{
    if (a == b && a == INT16_MIN)
        return INT16_MAX;
    return (int16_t)(a * b / (1 << 15));
}

static int16_t shl_sat16(int16_t x, int e)
{
    int64_t v = (int64_t)x * ((int64_t)1 << e);
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}

static int16_t upper16(int32_t mult)
{
    return mult >= INT32_MAX - (1 << 15) ? INT16_MAX : (int16_t)((mult + (1 << 15)) >> 16);
}

void pithp_table_hard_swish(pithp_fixed out, pithp_fixed relu, int32_t zero_in, int32_t zero_out,
                            int8_t table[256])
{
    int16_t out16 = upper16(out.mult), relu16 = upper16(relu.mult);
    for (int q = -128; q < 128; q++) {
        int16_t x = (int16_t)((q - zero_in) * 128), y = high_mul16(x, out16), gate = x;
        if (relu.shift > 0) /* the last bit of the shift comes after the product, where saturating is right */
            gate = shl_sat16(gate, relu.shift - 1);
        gate = high_mul16(gate, relu16);
        if (relu.shift > 0)
            gate = shl_sat16(gate, 1);
        if (relu.shift < 0)
            gate = (int16_t)pithp_round_shr(gate, -relu.shift);
        gate = (int16_t)((gate + (1 << 15)) >> 1); /* [-1,1] to [0,1] */
        int16_t v = (int16_t)pithp_round_shr(high_mul16_toward_zero(gate, y), -out.shift);
        table[q + 128] = (int8_t)pithp_clamp(v + zero_out, -128, 127);
    }
}

/* ---- Softmax ------------------------------------------------------------------------------------------------------------*/

void pithp_ref_isoftmax(const pithp_isoftmax *g, const int8_t *x, int64_t rows, int8_t *y)
{
    for (int64_t i = 0; i < rows; i++, x += g->c, y += g->c) {
        int32_t top = -128, sum = 0;
        for (int64_t c = 0; c < g->c; c++)
            top = PITHP_MAX(top, x[c]);
        for (int64_t c = 0; c < g->c; c++)
            if (x[c] - top >= g->diff_min) /* in 12 integer bits */
                sum = pithp_wrap_add(sum, pithp_round_shr(g->exp[top - x[c]], 12));
        int zeros = __builtin_clz((unsigned)PITHP_MAX(sum, 1));
        int32_t inv = pithp_fixed_inverse((int32_t)(((uint32_t)sum << zeros) - ((uint32_t)1 << 31)));
        int shift = 12 - zeros + 31 - 8;
        for (int64_t c = 0; c < g->c; c++)
            y[c] =
                x[c] - top < g->diff_min || shift > 31 /* less than half a step */
                    ? -128
                    : (int8_t)pithp_clamp(
                          pithp_round_shr(pithp_high_mul(inv, g->exp[top - x[c]]), shift) - 128, -128, 127);
    }
}

void pithp_isoftmax_table(pithp_isoftmax *g, float scale, double beta)
{
    double real = PITHP_MIN(beta * (double)scale * (double)(1 << 26), (double)INT32_MAX);
    pithp_fixed f = pithp_fixed_from(real);
    g->diff_min = -(int32_t)floor(31.0 * (double)(1 << 26) / ldexp(1, f.shift));
    for (int d = 0; d < 256; d++)
        g->exp[d] = pithp_fixed_exp(pithp_high_mul(pithp_wrap_shl(-d, f.shift), f.mult), 5);
}
