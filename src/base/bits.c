/* base/bits.c: small codes packed one behind the other. Code i takes the bits [i*b, (i+1)*b) of the stream, lowest bit
   first; bit t of the stream is bit t % 8 of byte t / 8. The bits after the last code are zero. */
#include "base/base.h"
#include <string.h>

size_t pithp_bits_bytes(size_t n, int bits) { return n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8; }

void pithp_bits_pack(const uint8_t *codes, size_t n, int bits, uint8_t *packed)
{
    const uint32_t mask = (1u << bits) - 1;
    uint32_t acc = 0;
    int have = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (codes[i] & mask) << have;
        for (have += bits; have >= 8; have -= 8, acc >>= 8)
            *packed++ = (uint8_t)acc;
    }
    if (have)
        *packed = (uint8_t)acc;
}

void pithp_bits_unpack(const uint8_t *packed, size_t n, int bits, uint8_t *codes)
{
    const uint32_t mask = (1u << bits) - 1;
    uint32_t acc = 0;
    int have = 0;
    for (size_t i = 0; i < n; i++) {
        if (have < bits)
            acc |= (uint32_t)*packed++ << have, have += 8;
        codes[i] = (uint8_t)(acc & mask);
        acc >>= bits, have -= bits;
    }
}
