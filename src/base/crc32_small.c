/* base/crc32_small.c: crc32.c's twin for the small runtime: bit by bit, without its 16 KB of tables. */
#include "base/base.h"

uint32_t pithp_crc32(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *s = p;
    crc = ~crc;
    while (n--) {
        crc ^= *s++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
    }
    return ~crc;
}
