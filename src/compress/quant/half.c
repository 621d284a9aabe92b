/* compress/quant/half.c: arrays of halves and of packed codes, over the base floor's functions. */
#include "compress/quant/quantizer.h"

void pith_half_from(const float *x, int64_t n, uint16_t *half)
{
    for (int64_t i = 0; i < n; i++)
        half[i] = pithp_half_from(x[i]);
}

void pith_half_to(const uint16_t *half, int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = pithp_half_to(half[i]);
}

size_t pith_bits_bytes(int64_t n, int bits)
{
    return n < 0 || bits < 1 || bits > 8 ? 0 : pithp_bits_bytes((size_t)n, bits);
}

static pith_status check_bits(pith_ctx *c, int64_t n, int bits)
{
    if (n < 0 || bits < 1 || bits > 8)
        return pithp_error(c, PITH_EINVAL, "packed codes: %lld codes of %d bits; they have 1 to 8 bits",
                           (long long)n, bits);
    return PITH_OK;
}

pith_status pith_bits_pack(pith_ctx *c, const uint8_t *codes, int64_t n, int bits, uint8_t *packed)
{
    pith_status st = check_bits(c, n, bits);
    if (st)
        return st;
    for (int64_t i = 0; i < n; i++)
        if (codes[i] >> bits)
            return pithp_error(c, PITH_EINVAL, "packed codes: code %lld is %d; %d bits hold 0 to %d",
                               (long long)i, codes[i], bits, (1 << bits) - 1);
    pithp_bits_pack(codes, (size_t)n, bits, packed);
    return PITH_OK;
}

pith_status pith_bits_unpack(pith_ctx *c, const uint8_t *packed, int64_t n, int bits, uint8_t *codes)
{
    pith_status st = check_bits(c, n, bits);
    if (!st)
        pithp_bits_unpack(packed, (size_t)n, bits, codes);
    return st;
}
