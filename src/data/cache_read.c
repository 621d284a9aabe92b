/* data/cache_read.c: reads a packed file. Nothing in it is believed before it was checked: counts against the
   length of the index, every offset and product against the length of the file, every string for its end. */
#include "data/data.h"
#include "data/pack.h"
#include <stddef.h>
#include <string.h>

enum { HEAD = sizeof(pithp_pack_head), REC = sizeof(pithp_pack_rec) };
static const uint64_t seed = 0x7061636bu;

static uint64_t head_hash(const pithp_pack_head *h)
{
    return pithp_hash_bytes(seed, h, offsetof(pithp_pack_head, header_hash));
}

void pithp_pack_hashes(pithp_pack_head *h, const uint8_t *index)
{
    h->index_hash = pithp_hash_bytes(seed, index, h->index_bytes);
    h->header_hash = head_hash(h);
}

/* The index must be as long as its counts say: no overflow, nothing left over. */
static const char *check_head(const pithp_pack_head *h, const uint8_t *p, size_t n)
{
    if (memcmp(h->magic, PITHP_MAGIC_CACHE, 8) != 0 && !pithp_is_old_cache(h, sizeof *h))
        return "not a packed data set";
    if (h->order != PITHP_CACHE_ORDER)
        return "written on a machine of another byte order";
    if (h->version != PITHP_CACHE_VERSION)
        return "written by another version of pith";
    if (h->header_hash != head_hash(h))
        return "damaged header";
    if (h->file_bytes != n)
        return "truncated";
    if (h->index_offset < HEAD || h->index_offset > n || h->index_bytes != n - h->index_offset)
        return "index out of range";
    uint64_t need = (uint64_t)h->n_images * REC + (uint64_t)h->n_bad * 8 + (uint64_t)h->n_classes * 4;
    if (need > h->index_bytes || h->strings_bytes != h->index_bytes - need)
        return "index of the wrong length";
    if (!h->strings_bytes || p[n - 1])
        return "names without an end";
    if (h->index_hash != pithp_hash_bytes(seed, p + h->index_offset, h->index_bytes))
        return "damaged index";
    return NULL;
}

static const char *read_images(const uint8_t *p, const pithp_pack_head *h, pithp_pack *out)
{
    for (size_t i = 0; i < h->n_images; i++) {
        pithp_pack_rec r;
        memcpy(&r, p + h->index_offset + i * REC, REC);
        if (!r.width || !r.height || r.width > PITHP_MAX_SIDE || r.height > PITHP_MAX_SIDE)
            return "image of an impossible size";
        uint64_t bytes = (uint64_t)r.width * r.height * 3;
        if (r.offset < HEAD || r.offset > h->index_offset || bytes > h->index_offset - r.offset)
            return "image out of range";
        if (r.label >= h->n_classes || r.path >= h->strings_bytes || r.split > PITHP_SPLIT_NONE ||
            r.format > PITHP_GIF)
            return "label or name out of range";
        if ((r.split == PITHP_SPLIT_NONE) == (h->own_split != 0))
            return "image on neither side of the split";
        out->image[i] = (pithp_image){ r.offset, r.hash,       r.path,        (int32_t)r.label, r.width,
                                       r.height, r.full_width, r.full_height, r.split,          r.format };
    }
    return NULL;
}

static const char *read_names(const uint8_t *p, const pithp_pack_head *h, pithp_pack *out)
{
    const uint8_t *at = p + h->index_offset + (size_t)h->n_images * REC;
    for (size_t i = 0; i < h->n_bad; i++, at += 8) {
        uint32_t s[2];
        memcpy(s, at, 8);
        if (s[0] >= h->strings_bytes || s[1] >= h->strings_bytes)
            return "name out of range";
        out->bad[i] = (pith_bad_file){ out->names + s[0], out->names + s[1] };
    }
    for (size_t i = 0; i < h->n_classes; i++, at += 4) {
        uint32_t s;
        memcpy(&s, at, 4);
        if (s >= h->strings_bytes)
            return "class name out of range";
        out->class_name[i] = out->names + s;
    }
    return NULL;
}

const char *pithp_pack_parse(pith_ctx *c, const uint8_t *p, size_t n, pithp_pack *out)
{
    pithp_pack_head h;
    *out = (pithp_pack){ 0 };
    if (n < HEAD)
        return "shorter than its header";
    memcpy(&h, p, HEAD);
    const char *wrong = check_head(&h, p, n);
    if (wrong)
        return wrong;
    *out = (pithp_pack){ .source = h.source,
                         .settings = h.settings,
                         .n = h.n_images,
                         .n_bad = h.n_bad,
                         .n_classes = h.n_classes,
                         .names = (const char *)p + n - h.strings_bytes,
                         .names_bytes = h.strings_bytes,
                         .own_split = h.own_split != 0,
                         .ignored = (int64_t)(h.ignored & INT64_MAX) };
    out->image = PITHP_NEW_N(c, pithp_image, out->n + 1);
    out->bad = PITHP_NEW_N(c, pith_bad_file, out->n_bad + 1);
    out->class_name = PITHP_NEW_N(c, const char *, out->n_classes + 1);
    if (!out->image || !out->bad || !out->class_name)
        wrong = "out of memory";
    if (!wrong)
        wrong = read_images(p, &h, out);
    if (!wrong)
        wrong = read_names(p, &h, out);
    if (wrong)
        pithp_pack_free(c, out);
    return wrong;
}

bool pithp_pack_may_replace(const char *path)
{
    uint8_t p[20];
    uint32_t order = 0;
    const size_t n = pithp_peek(path, p, sizeof p);
    if (n == 0 || !memcmp(p, PITHP_MAGIC_CACHE, PITHP_MIN(n, (size_t)8)) || pithp_is_old_cache(p, n))
        return true;
    if (n >= 16)
        memcpy(&order, p + 12, sizeof order);
    return order == PITHP_CACHE_ORDER &&
           memcmp(p, PITHP_MAGIC_PACKED, 8) != 0; /* its first bytes are damaged */
}

void pithp_pack_free(pith_ctx *c, pithp_pack *k)
{
    pithp_free(c, k->image);
    pithp_free(c, k->bad);
    pithp_free(c, k->class_name);
    *k = (pithp_pack){ 0 };
}

void pithp_pack_seal(uint8_t *p, size_t n)
{
    pithp_pack_head h;
    if (n < HEAD)
        return;
    memcpy(&h, p, HEAD);
    if (h.index_offset <= n && h.index_bytes <= n - h.index_offset)
        pithp_pack_hashes(&h, p + h.index_offset);
    else
        h.header_hash = head_hash(&h);
    memcpy(p, &h, HEAD);
}
