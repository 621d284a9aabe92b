/* compress/pack/write.c: what the writers of packed files have in common: blocks, the head, sizes. */
#include "compress/pack/pack.h"
#include "compress/pack/sizes.h"

static void put_number(pithp_tobits *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        pithp_tobits_put(b, (uint32_t)(v >> 8 * i & 0xff), 8);
}

pith_status pithp_pack_write(pithp_tobits *b, const pithp_pack_part *parts, size_t n, int blocks,
                             double *ideal)
{
    pith_ctx *c = b->c;
    pith_status s = PITH_OK;
    for (int i = 0; s == PITH_OK && i < blocks; i++) {
        const size_t bytes = pithp_pack_gather(parts, n, i, NULL);
        size_t first = 0;
        if (bytes == 0)
            continue;
        while (parts[first].block != i)
            first++;
        uint8_t *whole = pithp_alloc(c, bytes, 1);
        if (whole == NULL)
            return PITH_ENOMEM;
        pithp_pack_gather(parts, n, i, whole);
        s = pithp_pack_block(b, whole, bytes, parts[first].dtype, ideal);
        pithp_free(c, whole);
    }
    pithp_tobits_byte(b);
    return s == PITH_OK && b->failed ? PITH_ENOMEM : s;
}

pith_status pithp_pack_file(const pithp_tobits *body, const char *magic, const uint8_t *p, size_t n,
                            pithp_tobits *packed)
{
    const size_t bytes = body->at / 8;
    pithp_tobits_bytes(packed, magic, 8);
    put_number(packed, PITHP_PACK_VERSION, 4);
    put_number(packed, n, 8);
    put_number(packed, pithp_crc32(0, p, n), 4);
    put_number(packed, pithp_crc32(0, body->p, bytes), 4);
    pithp_tobits_bytes(packed, body->p, bytes);
    if (packed->failed)
        return PITH_ENOMEM;
    if (n > PITHP_PACK_FREE && n / PITHP_PACK_RATIO > packed->at / 8)
        return pithp_error(body->c, PITH_EINVAL,
                           "the model is nearly all zeros: a packed file of it would not be read again");
    return PITH_OK;
}

void pithp_pack_sizes(const pithp_tobits *packed, const uint8_t *p, size_t n, double ideal,
                      pith_pack_sizes *sizes)
{
    const size_t bytes = packed->at / 8;
    *sizes =
        (pith_pack_sizes){ .file = (int64_t)n, .packed = (int64_t)bytes, .entropy = (int64_t)(ideal / 8) };
    sizes->gzip_file = pithp_gzip_size(packed->c, p, n);
    sizes->gzip_packed = pithp_gzip_size(packed->c, packed->p, bytes);
}
