/* file/unpack.c: the reader of packed model files, which may be hostile: nothing is allocated for sizes that the file's own size
   does not allow, and no symbol is taken for a place without a check. */
#include "file/pack.h"

#include <string.h>

bool pithp_is_packed(const void *p, size_t n)
{
    return n >= PITHP_PACK_HEAD && memcmp(p, PITHP_PACK_MAGIC, 8) == 0 && !pithp_is_old_cache(p, n);
}

/* ---- Which tensors make a block ---- */
static const char *last_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot : name;
}

static bool small_vector(const pithp_st_tensor *t)
{
    return t->shape.ndim <= 1 && t->count <= PITHP_PACK_VECTOR && pithp_st_dtype_size(t->dtype) == 4;
}

int pithp_pack_blocks(const pithp_st_file *f, int *block_of)
{
    size_t *head = pithp_alloc(f->c, f->n + 1, sizeof *head); /* first tensors of blocks of vectors */
    size_t heads = 0;
    int n = 0;
    if (head == NULL)
        return -1;
    for (size_t i = 0; i < f->n; i++) {
        const pithp_st_tensor *t = &f->tensors[i];
        block_of[i] = -1;
        for (size_t k = 0; small_vector(t) && k < heads && block_of[i] < 0; k++)
            if (f->tensors[head[k]].dtype == t->dtype &&
                strcmp(last_name(f->tensors[head[k]].name), last_name(t->name)) == 0)
                block_of[i] = block_of[head[k]];
        if (block_of[i] >= 0)
            continue;
        if (small_vector(t) && heads < 256)
            head[heads++] = i;
        block_of[i] = n++;
    }
    pithp_free(f->c, head);
    return n;
}

size_t pithp_pack_gather(const pithp_st_file *f, const int *block_of, int block, uint8_t *to)
{
    size_t at = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (block_of[i] != block)
            continue;
        if (to != NULL && f->tensors[i].bytes > 0)
            memcpy(to + at, f->tensors[i].data, f->tensors[i].bytes);
        at += f->tensors[i].bytes;
    }
    return at;
}

static void scatter(const pithp_st_file *f, const int *block_of, int block, const uint8_t *from)
{
    for (size_t i = 0; i < f->n; i++)
        if (block_of[i] == block && f->tensors[i].bytes > 0) {
            memcpy((uint8_t *)(uintptr_t)f->tensors[i].data, from, f->tensors[i].bytes);
            from += f->tensors[i].bytes;
        }
}

/* ---- A block ---- */
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

/* Elements back into bytes. */
static void assemble(const block *k, uint8_t *to)
{
    int bytes = k->width / 8;
    for (int64_t i = 0; i < k->n; i++) {
        if (k->width < 8) {
            size_t bit = (size_t)i * (size_t)k->width;
            unsigned v = (unsigned)k->plane[i] << bit % 8;
            to[bit / 8] |= (uint8_t)v;
            if (v > 0xff)
                to[bit / 8 + 1] |= (uint8_t)(v >> 8);
            continue;
        }
        uint64_t v = k->entries > 0 ? k->table[k->plane[i]] : 0;
        for (int p = 0; p < bytes; p++)
            to[i * bytes + p] = k->entries > 0 ? (uint8_t)(v >> 8 * p) : k->plane[p * k->n + i];
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

/* to: zeros. *s: PITH_ENOMEM if that is why it is false. */
static bool read_block(pith_ctx *c, pithp_unbits *b, uint8_t *to, size_t bytes, pith_status *s)
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

/* ---- Text ---- */
/* A number from its bucket: 2^bucket and as many bits more. */
static uint32_t from_bucket(pithp_unbits *b, int bucket)
{
    return (uint32_t)1 << bucket | (bucket > 0 ? pithp_unbits_get(b, bucket) : 0);
}

static bool read_text(pithp_unbits *b, uint8_t *to, size_t n)
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

/* ---- The file ---- */
static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static pith_status bad(pith_ctx *c, const char *path, const char *what)
{
    return pithp_error(c, PITH_EFORMAT, "%s: packed model: %s; pack the model again", path, what);
}

static pith_status read_blocks(pithp_st_file *f, pithp_unbits *b)
{
    int *block_of = pithp_alloc(f->c, f->n + 1, sizeof *block_of);
    int n = block_of == NULL ? -1 : pithp_pack_blocks(f, block_of);
    pith_status s = n < 0 ? PITH_ENOMEM : PITH_OK;
    for (int i = 0; s == PITH_OK && i < n; i++) {
        size_t bytes = pithp_pack_gather(f, block_of, i, NULL);
        uint8_t *part = pithp_alloc(f->c, bytes + 1, 1);
        if (part == NULL)
            s = PITH_ENOMEM;
        else if (bytes > 0 && !read_block(f->c, b, part, bytes, &s) && s == PITH_OK)
            s = bad(f->c, f->path, "the codes of its weights make no sense");
        if (s == PITH_OK)
            scatter(f, block_of, i, part);
        pithp_free(f->c, part);
    }
    pithp_free(f->c, block_of);
    return s;
}

static pith_status head_ok(pith_ctx *c, const char *path, const uint8_t *p, size_t n, uint64_t total)
{
    if (number(p + 8, 4) != PITHP_PACK_VERSION)
        return pithp_error(c, PITH_EFORMAT, "%s: packed model of version %u; this pith reads version %d",
                           path, (unsigned)number(p + 8, 4), PITHP_PACK_VERSION);
    if (total < 10 || (total > PITHP_PACK_FREE && total / PITHP_PACK_RATIO > n) || total > PTRDIFF_MAX / 16)
        return bad(c, path, "the size that it is to have unpacked is not possible");
    if (number(p + 24, 4) != pithp_crc32(0, p + PITHP_PACK_HEAD, n - PITHP_PACK_HEAD))
        return bad(c, path, "its checksum is wrong: it is damaged or cut short");
    return PITH_OK;
}

static pith_status unpack(pithp_st_file *f, const char *path, const uint8_t *p, size_t n, uint8_t *out,
                          size_t total)
{
    pith_ctx *c = f->c;
    pithp_unbits b = { .p = p, .n = n, .at = 8 * (size_t)PITHP_PACK_HEAD };
    uint64_t text = (uint64_t)pithp_unbits_get(&b, 8) | (uint64_t)pithp_unbits_get(&b, 8) << 8;
    text |= (uint64_t)pithp_unbits_get(&b, 8) << 16 | (uint64_t)pithp_unbits_get(&b, 8) << 24;
    if (b.over || text > total - 8 || !read_text(&b, out + 8, (size_t)text))
        return bad(c, path, "the text of its header makes no sense");
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(text >> 8 * i);
    pith_status s = pithp_st_open_memory(c, f, path, out, total);
    if (s == PITH_OK)
        s = read_blocks(f, &b);
    pithp_unbits_byte(&b);
    if (s == PITH_OK && (b.at != 8 * n || pithp_crc32(0, out, total) != number(p + 20, 4)))
        s = bad(c, path, "what it unpacks to is not what was packed");
    return s;
}

pith_status pithp_unpack(pith_ctx *c, pithp_st_file *f, const char *path, const void *packed, size_t n)
{
    const uint8_t *p = packed;
    uint64_t total = number(p + 12, 8);
    *f = (pithp_st_file){ .c = c };
    pith_status s = head_ok(c, path, p, n, total);
    uint8_t *out = s ? NULL : pithp_alloc(c, (size_t)total, 1);
    if (s == PITH_OK)
        s = out == NULL ? PITH_ENOMEM : unpack(f, path, p, n, out, (size_t)total);
    if (s == PITH_OK) {
        f->own = out;
        f->own_bytes = (size_t)total;
        return PITH_OK;
    }
    pithp_st_close(f);
    pithp_free(c, out);
    return s;
}
