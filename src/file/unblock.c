/* file/unblock.c: a block of a packed file back into bytes. No symbol is taken for a place without a check. */
#include "file/pack.h"

#include <string.h>

typedef struct {
    pith_ctx *c;
    pithp_unbits *b;
    int width, entries, planes; /* entries: of the table; 0: none */
    uint64_t table[256];
    int64_t n;      /* elements */
    uint8_t *plane; /* [planes][n] symbols */
} block;

static bool read_plane(block *k, uint8_t *to, const uint32_t *place, int64_t n)
{
    pithp_unhuff h;
    int symbols = k->entries > 0 ? k->entries : k->planes > 1 || k->width == 8 ? 256 : 1 << k->width;
    if (n == 0)
        return true;
    if (!pithp_unhuff_read(k->b, symbols, &h))
        return false;
    for (int64_t i = 0; i < n && !k->b->over; i++)
        to[place != NULL ? place[i] : i] = (uint8_t)pithp_unhuff_get(k->b, &h);
    return !k->b->over;
}

/* Where the symbols stand. */
static bool read_gaps(block *k, uint32_t *place, int64_t n)
{
    int bits = (int)pithp_unbits_get(k->b, 4), most = (1 << bits) - 1;
    pithp_unhuff h;
    int64_t at = 0;
    if (bits < 1 || bits > 8 || !pithp_unhuff_read(k->b, most + 1, &h))
        return false;
    for (int64_t i = 0; i < n;) {
        int gap = pithp_unhuff_get(k->b, &h);
        at += gap;
        if (k->b->over || at > k->n || (gap < most && at == k->n))
            return false;
        if (gap < most)
            place[i++] = (uint32_t)at++;
    }
    return true;
}

static bool read_sparse(block *k, pith_status *s)
{
    int zero = k->planes == 1 ? (int)pithp_unbits_get(k->b, 8) : 0;
    int64_t n = pithp_unbits_get(k->b, 32);
    memset(k->plane, zero, (size_t)(k->n * k->planes));
    if (k->b->over || n > k->n || (k->entries > 0 && zero >= k->entries))
        return false;
    if (n == 0)
        return true;
    uint32_t *place = PITHP_NEW_N(k->c, uint32_t, n);
    if (place == NULL) {
        *s = PITH_ENOMEM;
        return false;
    }
    bool ok = read_gaps(k, place, n);
    for (int p = 0; ok && p < k->planes; p++)
        ok = read_plane(k, k->plane + p * k->n, place, n);
    pithp_free(k->c, place);
    return ok;
}

/* Elements back into bytes, which are zeros. */
static void assemble(const block *k, uint8_t *to)
{
    for (int64_t i = 0; i < k->n; i++) {
        const size_t bit = (size_t)i * (size_t)k->width;
        uint64_t v = 0;
        for (int p = k->planes; p-- > 0;)
            v = v << 8 | k->plane[p * k->n + i];
        if (k->entries > 0)
            v = k->table[v];
        v <<= bit % 8;
        for (uint8_t *at = to + bit / 8; v > 0; v >>= 8)
            *at++ |= (uint8_t)v;
    }
}

static bool read_head(block *k, size_t bytes)
{
    bool table;
    k->width = (int)pithp_unbits_get(k->b, 7);
    table = pithp_unbits_get(k->b, 1);
    bool whole = k->width == 16 || k->width == 32 || k->width == 64;
    if (k->b->over || k->width < 1 || (k->width > 8 && !whole) || (table && k->width <= 8))
        return false;
    if (table)
        k->entries = (int)pithp_unbits_get(k->b, 8) + 1;
    for (int i = 0; i < k->entries; i++) {
        k->table[i] = pithp_unbits_get(k->b, PITHP_MIN(k->width, 32));
        if (k->width == 64)
            k->table[i] |= (uint64_t)pithp_unbits_get(k->b, 32) << 32;
    }
    k->planes = k->width <= 8 || table ? 1 : k->width / 8;
    k->n = (int64_t)(8 * bytes / (size_t)k->width);
    return !k->b->over && k->n <= UINT32_MAX;
}

bool pithp_unpack_block(pith_ctx *c, pithp_unbits *b, uint8_t *to, size_t bytes, pith_status *s)
{
    block k = { .c = c, .b = b };
    pithp_unbits_byte(b);
    int form = (int)pithp_unbits_get(b, 2);
    if (b->over || form > PITHP_PACK_SPARSE)
        return false;
    if (form == PITHP_PACK_RAW) {
        pithp_unbits_byte(b);
        if (bytes > b->n - b->at / 8)
            return false;
        memcpy(to, b->p + b->at / 8, bytes);
        b->at += 8 * bytes;
        return true;
    }
    if (!read_head(&k, bytes))
        return false;
    size_t used = (size_t)k.n * (size_t)k.width;
    for (size_t bit = used; bit < 8 * bytes; bit++)
        to[bit / 8] |= (uint8_t)(pithp_unbits_get(b, 1) << bit % 8);
    k.plane = pithp_alloc(c, (size_t)k.n + 1, (size_t)k.planes);
    if (k.plane == NULL) {
        *s = PITH_ENOMEM;
        return false;
    }
    bool ok = true;
    for (int p = 0; form == PITHP_PACK_DENSE && ok && p < k.planes; p++)
        ok = read_plane(&k, k.plane + p * k.n, NULL, k.n);
    if (form == PITHP_PACK_SPARSE)
        ok = read_sparse(&k, s);
    if (ok)
        assemble(&k, to);
    pithp_free(c, k.plane);
    return ok;
}
