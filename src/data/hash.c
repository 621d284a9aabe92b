/* data/hash.c: a fast 64-bit hash for pixels and for the cache's own checksums. It guards against accidents
   and finds duplicates; it is no cryptographic hash. Little-endian reading makes it the same number on every
   machine. */
#include "data/data.h"
#include <string.h>

static uint64_t read64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static const uint64_t odd[4] = { 0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u,
                                 0xD6E8FEB86659FD93u };

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * odd[3];
    h = (h ^ h >> 29) * odd[1];
    return h ^ h >> 32;
}

static uint64_t step(uint64_t lane, uint64_t v)
{
    lane = (lane ^ v) * odd[0];
    return lane << 31 | lane >> 33;
}

uint64_t pithp_hash_bytes(uint64_t seed, const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t lane[4];
    for (int i = 0; i < 4; i++)
        lane[i] = mix(seed + odd[i]);
    size_t left = n;
    for (; left >= 32; left -= 32, p += 32)
        for (int i = 0; i < 4; i++)
            lane[i] = step(lane[i], read64(p + 8 * i));
    uint8_t tail[32] = { 0 };
    if (left)
        memcpy(tail, p, left);
    for (int i = 0; i < 4; i++)
        lane[i] = step(lane[i], read64(tail + 8 * i));
    uint64_t h = n * odd[2];
    for (int i = 0; i < 4; i++)
        h = mix(h ^ lane[i]) * odd[i];
    return mix(h);
}

uint64_t pithp_hash_pixels(const uint8_t *p, int w, int h)
{
    return pithp_hash_bytes((uint64_t)w << 32 | (uint64_t)h, p, (size_t)w * (size_t)h * 3);
}

bool pithp_strings_add(pith_ctx *c, pithp_strings *s, const char *text, size_t *offset)
{
    size_t n = strlen(text) + 1, end;
    if (pithp_add_over(s->n, n, &end) || end > UINT32_MAX) {
        pithp_error(c, PITH_EDATA, "the names of all files together exceed 4 GB");
        return false;
    }
    if (!pithp_grow(c, &s->p, &s->cap, end - 1, 1))
        return false;
    memcpy(s->p + s->n, text, n);
    *offset = s->n;
    s->n = end;
    return true;
}
