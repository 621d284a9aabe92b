/* file/unpack.c: what the readers of packed files have in common: the head, the text, the blocks. A file may be hostile: nothing is
   allocated for sizes that its own size does not allow. */
#include "file/pack.h"

#include <string.h>

uint64_t pithp_unpack_number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

pith_status pithp_unpack_bad(pith_ctx *c, const char *path, const char *what)
{
    return pithp_error(c, PITH_EFORMAT, "%s: packed model: %s; pack the model again", path, what);
}

pith_status pithp_unpack_head(pith_ctx *c, const char *path, const uint8_t *p, size_t n, size_t *bytes)
{
    const unsigned version = (unsigned)pithp_unpack_number(p + 8, 4);
    const uint64_t total = pithp_unpack_number(p + 12, 8);
    if (version != PITHP_PACK_VERSION)
        return pithp_error(c, PITH_EFORMAT, "%s: packed model of version %u; this pith reads version %d",
                           path, version, PITHP_PACK_VERSION);
    if (total < 10 || (total > PITHP_PACK_FREE && total / PITHP_PACK_RATIO > n) || total > PTRDIFF_MAX / 16)
        return pithp_unpack_bad(c, path, "the size that it is to have unpacked is not possible");
    if (pithp_unpack_number(p + 24, 4) != pithp_crc32(0, p + PITHP_PACK_HEAD, n - PITHP_PACK_HEAD))
        return pithp_unpack_bad(c, path, "its checksum is wrong: it is damaged or cut short");
    *bytes = (size_t)total;
    return PITH_OK;
}

/* ---- Text ---- */
/* A number from its bucket: 2^bucket and as many bits more. */
static uint32_t from_bucket(pithp_unbits *b, int bucket)
{
    return (uint32_t)1 << bucket | (bucket > 0 ? pithp_unbits_get(b, bucket) : 0);
}

bool pithp_unpack_text(pithp_unbits *b, uint8_t *to, size_t n)
{
    pithp_unhuff symbols, distances;
    size_t at = 0;
    if (!pithp_unhuff_read(b, PITHP_LZ_LITERALS + PITHP_LZ_BUCKETS, &symbols) ||
        !pithp_unhuff_read(b, PITHP_LZ_BUCKETS, &distances))
        return false;
    while (at < n && !b->over) {
        int s = pithp_unhuff_get(b, &symbols);
        if (s < PITHP_LZ_LITERALS) {
            to[at++] = (uint8_t)s;
            continue;
        }
        size_t length = (size_t)from_bucket(b, s - PITHP_LZ_LITERALS) + PITHP_LZ_LEAST - 1;
        size_t distance = from_bucket(b, pithp_unhuff_get(b, &distances));
        if (b->over || distance > at || length > n - at)
            return false;
        for (size_t i = 0; i < length; i++, at++)
            to[at] = to[at - distance];
    }
    return !b->over;
}

uint32_t pithp_unpack_size(pithp_unbits *b)
{
    uint32_t v = 0;
    for (int i = 0; i < 32; i += 8)
        v |= pithp_unbits_get(b, 8) << i;
    return v;
}

/* ---- Blocks ---- */
size_t pithp_pack_gather(const pithp_pack_part *parts, size_t n, int block, uint8_t *to)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].block != block)
            continue;
        if (to != NULL && parts[i].bytes > 0)
            memcpy(to + at, parts[i].p, parts[i].bytes);
        at += parts[i].bytes;
    }
    return at;
}

static void scatter(const pithp_pack_part *parts, size_t n, int block, const uint8_t *from)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].block == block && parts[i].bytes > 0) {
            memcpy(parts[i].p, from, parts[i].bytes);
            from += parts[i].bytes;
        }
}

pith_status pithp_unpack_parts(pith_ctx *c, const char *path, pithp_unbits *b, const pithp_pack_part *parts,
                               size_t n, int blocks)
{
    pith_status s = PITH_OK;
    for (int i = 0; s == PITH_OK && i < blocks; i++) {
        const size_t bytes = pithp_pack_gather(parts, n, i, NULL);
        if (bytes == 0)
            continue;
        uint8_t *whole = pithp_alloc(c, bytes, 1);
        if (whole == NULL)
            s = PITH_ENOMEM;
        else if (!pithp_unpack_block(c, b, whole, bytes, &s) && s == PITH_OK)
            s = pithp_unpack_bad(c, path, "the codes of its weights make no sense");
        if (s == PITH_OK)
            scatter(parts, n, i, whole);
        pithp_free(c, whole);
    }
    return s;
}

pith_status pithp_unpack_end(pith_ctx *c, const char *path, pithp_unbits *b, const uint8_t *out, size_t bytes)
{
    pithp_unbits_byte(b);
    return b->at != 8 * b->n || pithp_crc32(0, out, bytes) != pithp_unpack_number(b->p + 20, 4)
               ? pithp_unpack_bad(c, path, "what it unpacks to is not what was packed")
               : PITH_OK;
}
