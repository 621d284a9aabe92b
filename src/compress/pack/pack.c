/* Packing a model, and unpacking. */
#include "compress/pack/pack.h"
#include "compress/pack/sizes.h"
#include "file/model_file.h"

#include <string.h>

static void put_number(pithp_tobits *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        pithp_tobits_put(b, (uint32_t)(v >> 8 * i & 0xff), 8);
}

static pith_status pack_blocks(pithp_tobits *b, const pithp_st_file *f, double *ideal)
{
    pith_ctx *c = f->c;
    int *block_of = pithp_alloc(c, f->n + 1, sizeof *block_of);
    int n = block_of == NULL ? -1 : pithp_pack_blocks(f, block_of);
    pith_status s = n < 0 ? PITH_ENOMEM : PITH_OK;
    for (int i = 0; s == PITH_OK && i < n; i++) {
        size_t bytes = pithp_pack_gather(f, block_of, i, NULL), first = 0;
        while (block_of[first] != i)
            first++;
        uint8_t *part = pithp_alloc(c, bytes + 1, 1);
        if (part == NULL)
            s = PITH_ENOMEM;
        else if (bytes > 0) {
            pithp_pack_gather(f, block_of, i, part);
            s = pithp_pack_block(b, part, bytes, f->tensors[first].dtype, ideal);
        }
        pithp_free(c, part);
    }
    pithp_free(c, block_of);
    return s;
}

/* All of a packed file but its head. */
static pith_status pack_body(pithp_tobits *b, const uint8_t *p, size_t n, double *ideal)
{
    pithp_st_file f;
    pith_status s = pithp_st_open_memory(b->c, &f, "the model", p, n);
    if (s != PITH_OK)
        return s;
    size_t text = 0;
    for (int i = 7; i >= 0; i--)
        text = text << 8 | p[i];
    pithp_pack_text(b, p + 8, text);
    *ideal = (double)b->at;
    s = pack_blocks(b, &f, ideal);
    pithp_tobits_byte(b);
    pithp_st_close(&f);
    return s == PITH_OK && b->failed ? PITH_ENOMEM : s;
}

/* The packed form of a model file's bytes; freed with pithp_free. */
static pith_status pack_bytes(pith_ctx *c, const uint8_t *p, size_t n, uint8_t **packed, size_t *size,
                              double *ideal)
{
    pithp_tobits body = { .c = c }, all = { .c = c };
    pith_status s = pack_body(&body, p, n, ideal);
    if (s == PITH_OK) {
        size_t bytes = body.at / 8;
        pithp_tobits_bytes(&all, PITHP_PACK_MAGIC, 8);
        put_number(&all, PITHP_PACK_VERSION, 4);
        put_number(&all, n, 8);
        put_number(&all, pithp_crc32(0, p, n), 4);
        put_number(&all, pithp_crc32(0, body.p, bytes), 4);
        pithp_tobits_bytes(&all, body.p, bytes);
        s = all.failed ? PITH_ENOMEM : PITH_OK;
    }
    pithp_free(c, body.p);
    *packed = all.p;
    *size = all.at / 8;
    if (s == PITH_OK && n > PITHP_PACK_FREE && n / PITHP_PACK_RATIO > *size)
        s = pithp_error(c, PITH_EINVAL,
                        "the model is nearly all zeros: a packed file of it would not be read again");
    return s;
}

pith_status pith_model_pack(const pith_model *m, const char *path, pith_pack_sizes *sizes)
{
    pith_ctx *c = m->ctx;
    uint8_t *bytes = NULL, *packed = NULL;
    size_t n, size;
    double ideal = 0;
    pith_status s = c->status ? c->status : pithp_model_bytes(m, &bytes, &n);
    if (s == PITH_OK)
        s = pack_bytes(c, bytes, n, &packed, &size, &ideal);
    if (s == PITH_OK && sizes != NULL) {
        *sizes =
            (pith_pack_sizes){ .file = (int64_t)n, .packed = (int64_t)size, .entropy = (int64_t)(ideal / 8) };
        sizes->gzip_file = pithp_gzip_size(c, bytes, n);
        sizes->gzip_packed = pithp_gzip_size(c, packed, size);
        s = pithp_plain_sizes(m, sizes);
    }
    if (s == PITH_OK)
        s = pithp_file_write(c, path, packed, size);
    pithp_free(c, bytes);
    pithp_free(c, packed);
    return s;
}

pith_status pith_unpack(pith_ctx *c, const char *packed, const char *path)
{
    pithp_st_file f;
    pith_status s = c->status ? c->status : pithp_st_open(c, &f, packed);
    if (s != PITH_OK)
        return s;
    if (f.own == NULL)
        s = pithp_error(c, PITH_EFORMAT, "%s: is a model file, but not a packed one; pith pack makes those",
                        packed);
    else
        s = pithp_file_write(c, path, f.own, f.own_bytes);
    pithp_st_close(&f);
    return s;
}
