/* file/unpack_st.c: the reader of packed model files: which tensors make a block, and the safetensors file around them. */
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

int pithp_pack_parts(const pithp_st_file *f, pithp_pack_part *parts)
{
    size_t *head = pithp_alloc(f->c, f->n + 1, sizeof *head); /* first tensors of blocks of vectors */
    size_t heads = 0;
    int n = 0;
    if (head == NULL)
        return -1;
    for (size_t i = 0; i < f->n; i++) {
        const pithp_st_tensor *t = &f->tensors[i];
        parts[i] = (pithp_pack_part){
            .p = (uint8_t *)(uintptr_t)t->data, .bytes = t->bytes, .block = -1, .dtype = t->dtype
        };
        for (size_t k = 0; small_vector(t) && k < heads && parts[i].block < 0; k++)
            if (f->tensors[head[k]].dtype == t->dtype &&
                strcmp(last_name(f->tensors[head[k]].name), last_name(t->name)) == 0)
                parts[i].block = parts[head[k]].block;
        if (parts[i].block >= 0)
            continue;
        if (small_vector(t) && heads < 256)
            head[heads++] = i;
        parts[i].block = n++;
    }
    pithp_free(f->c, head);
    return n;
}

/* ---- The file ---- */
static pith_status read_blocks(pithp_st_file *f, pithp_unbits *b)
{
    pithp_pack_part *parts = pithp_alloc(f->c, f->n + 1, sizeof *parts);
    const int blocks = parts == NULL ? -1 : pithp_pack_parts(f, parts);
    const pith_status s =
        blocks < 0 ? PITH_ENOMEM : pithp_unpack_parts(f->c, f->path, b, parts, f->n, blocks);
    pithp_free(f->c, parts);
    return s;
}

static pith_status unpack(pithp_st_file *f, const char *path, const uint8_t *p, size_t n, uint8_t *out,
                          size_t total)
{
    pith_ctx *c = f->c;
    pithp_unbits b = { .p = p, .n = n, .at = 8 * (size_t)PITHP_PACK_HEAD };
    const uint32_t text = pithp_unpack_size(&b);
    if (b.over || text > total - 8 || !pithp_unpack_text(&b, out + 8, text))
        return pithp_unpack_bad(c, path, "the text of its header makes no sense");
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(text >> 8 * i);
    pith_status s = pithp_st_open_memory(c, f, path, out, total);
    if (s == PITH_OK)
        s = read_blocks(f, &b);
    return s == PITH_OK ? pithp_unpack_end(c, path, &b, out, total) : s;
}

pith_status pithp_unpack(pith_ctx *c, pithp_st_file *f, const char *path, const void *packed, size_t n)
{
    size_t total;
    *f = (pithp_st_file){ .c = c };
    pith_status s = pithp_unpack_head(c, path, packed, n, &total);
    uint8_t *out = s ? NULL : pithp_alloc(c, total, 1);
    if (s == PITH_OK)
        s = out == NULL ? PITH_ENOMEM : unpack(f, path, packed, n, out, total);
    if (s == PITH_OK) {
        f->own = out;
        f->own_bytes = total;
        return PITH_OK;
    }
    pithp_st_close(f);
    pithp_free(c, out);
    return s;
}
