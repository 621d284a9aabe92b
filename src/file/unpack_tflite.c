/* file/unpack_tflite.c: the reader of packed .tflite files: where the ranges were that became blocks, and what stayed. It knows
   nothing of FlatBuffers, and the small runtime has it. */
#include "file/pack.h"

#include <string.h>

enum { ALIGN = 16 };

bool pithp_is_packed_tflite(const void *p, size_t n)
{
    return n >= PITHP_PACK_HEAD && memcmp(p, PITHP_PACK_MAGIC_TFLITE, 8) == 0;
}

/* Puts what stayed into its place, and finds those of the ranges. Gives the blocks; -1: they do not fit the file. */
static int lay_out(const pithp_unpacked *u, const uint8_t *text, size_t n, pithp_pack_part *parts,
                   size_t ranges)
{
    if (ranges > PITHP_PACK_RANGES || PITHP_PACK_RANGE * ranges > n - 4)
        return -1;
    const uint8_t *entry = text + 4, *rest = entry + PITHP_PACK_RANGE * ranges;
    size_t left = n - (size_t)(rest - text), at = 0;
    int blocks = PITHP_PACK_GROUPS;
    for (size_t i = 0; i < ranges; i++, entry += PITHP_PACK_RANGE) {
        const size_t gap = (size_t)pithp_unpack_number(entry, 4),
                     bytes = (size_t)pithp_unpack_number(entry + 4, 4);
        if (gap > left || gap > u->n - at || bytes < PITHP_PACK_LEAST || bytes > u->n - at - gap)
            return -1;
        memcpy(u->p + at, rest, gap);
        rest += gap, left -= gap, at += gap;
        parts[i] = (pithp_pack_part){ .p = u->p + at, .bytes = bytes };
        parts[i].block = entry[8] > 0 ? entry[8] - 1 : blocks++;
        at += bytes;
    }
    if (left != u->n - at)
        return -1;
    memcpy(u->p + at, rest, left);
    return blocks;
}

static pith_status read_text(pith_ctx *c, const pithp_unpacked *u, const char *path, pithp_unbits *b,
                             const uint8_t *text, size_t n)
{
    const size_t ranges = (size_t)pithp_unpack_number(text, 4);
    pithp_pack_part *parts = PITHP_NEW_N(c, pithp_pack_part, PITHP_MIN(ranges, PITHP_PACK_RANGES) + 1);
    if (parts == NULL)
        return PITH_ENOMEM;
    const int blocks = lay_out(u, text, n, parts, ranges);
    pith_status s = blocks < 0
                        ? pithp_unpack_bad(c, path, "its ranges and what stays between them are not the file")
                        : pithp_unpack_parts(c, path, b, parts, ranges, blocks);
    pithp_free(c, parts);
    return s == PITH_OK ? pithp_unpack_end(c, path, b, u->p, u->n) : s;
}

static pith_status unpack(pith_ctx *c, const pithp_unpacked *u, const char *path, const uint8_t *p, size_t n)
{
    pithp_unbits b = { .p = p, .n = n, .at = 8 * (size_t)PITHP_PACK_HEAD };
    const size_t bytes = pithp_unpack_size(&b);
    /* every range takes more bytes out of the text than its entry puts in */
    const bool possible = !b.over && bytes >= 4 && bytes - 4 <= u->n;
    uint8_t *text = possible ? pithp_alloc(c, bytes, 1) : NULL;
    if (possible && text == NULL)
        return PITH_ENOMEM;
    pith_status s = possible && pithp_unpack_text(&b, text, bytes)
                        ? read_text(c, u, path, &b, text, bytes)
                        : pithp_unpack_bad(c, path, "the text of its header makes no sense");
    pithp_free(c, text);
    return s;
}

pith_status pithp_unpack_tflite(pith_ctx *c, pithp_unpacked *u, const char *path, const void *p, size_t n)
{
    *u = (pithp_unpacked){ 0 };
    pith_status s = pithp_unpack_head(c, path, p, n, &u->n);
    if (s == PITH_OK && (u->own = pithp_alloc(c, u->n + ALIGN, 1)) != NULL) {
        u->p = (uint8_t *)u->own + (ALIGN - (uintptr_t)u->own % ALIGN) % ALIGN;
        s = unpack(c, u, path, p, n);
    } else if (s == PITH_OK) {
        s = PITH_ENOMEM;
    }
    if (s != PITH_OK) {
        pithp_free(c, u->own);
        *u = (pithp_unpacked){ 0 };
    }
    return s;
}
