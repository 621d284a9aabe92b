/* Packing a model file, and unpacking whatever is packed. */
#include "compress/pack/pack.h"
#include "compress/pack/sizes.h"
#include "file/model_file.h"

#include <string.h>

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
    pithp_pack_part *parts = pithp_alloc(b->c, f.n + 1, sizeof *parts);
    const int blocks = parts == NULL ? -1 : pithp_pack_parts(&f, parts);
    s = blocks < 0 ? PITH_ENOMEM : pithp_pack_write(b, parts, f.n, blocks, ideal);
    pithp_free(b->c, parts);
    pithp_st_close(&f);
    return s;
}

pith_status pith_model_pack(const pith_model *m, const char *path, pith_pack_sizes *sizes)
{
    pith_ctx *c = m->ctx;
    uint8_t *bytes = NULL;
    size_t n;
    double ideal = 0;
    pithp_tobits body = { .c = c }, packed = { .c = c };
    pith_status s = c->status ? c->status : pithp_model_bytes(m, &bytes, &n);
    if (s == PITH_OK)
        s = pack_body(&body, bytes, n, &ideal);
    if (s == PITH_OK)
        s = pithp_pack_file(&body, PITHP_PACK_MAGIC, bytes, n, &packed);
    if (s == PITH_OK && sizes != NULL) {
        pithp_pack_sizes(&packed, bytes, n, ideal, sizes);
        s = pithp_plain_sizes(m, sizes);
    }
    if (s == PITH_OK)
        s = pithp_file_write(c, path, packed.p, packed.at / 8);
    pithp_free(c, bytes);
    pithp_free(c, body.p);
    pithp_free(c, packed.p);
    return s;
}

/* A packed .tflite, or PITH_OK with u->own NULL: the file is something else. */
static pith_status unpack_tflite(pith_ctx *c, const char *packed, pithp_unpacked *u)
{
    pithp_map map;
    *u = (pithp_unpacked){ 0 };
    pith_status s = pithp_map_open(c, &map, packed);
    if (s == PITH_OK && pithp_is_packed_tflite(map.p, map.n))
        s = pithp_unpack_tflite(c, u, packed, map.p, map.n);
    pithp_map_close(&map);
    return s;
}

pith_status pith_unpack(pith_ctx *c, const char *packed, const char *path)
{
    pithp_unpacked u = { 0 };
    pithp_st_file f = { 0 };
    pith_status s = c->status ? c->status : unpack_tflite(c, packed, &u);
    const bool tflite = u.own != NULL;
    if (s == PITH_OK && !tflite)
        s = pithp_st_open(c, &f, packed);
    if (s == PITH_OK && !tflite && f.own == NULL)
        s = pithp_error(c, PITH_EFORMAT, "%s: is a model file, but not a packed one; pith pack makes those",
                        packed);
    if (s == PITH_OK)
        s = pithp_file_write(c, path, tflite ? u.p : f.own, tflite ? u.n : f.own_bytes);
    pithp_free(c, u.own);
    pithp_st_close(&f);
    return s;
}
