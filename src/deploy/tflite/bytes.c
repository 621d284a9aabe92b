/* deploy/tflite/bytes.c: one way to the bytes of a .tflite, for all who read one. */
#include "deploy/tflite/bytes.h"

pith_status pithp_tfl_bytes_of(pith_ctx *c, pithp_tfl_bytes *b, const char *path, const void *p, size_t n)
{
    *b = (pithp_tfl_bytes){ .p = p, .n = n, .stored = n };
    if (!pithp_is_packed_tflite(p, n))
        return PITH_OK;
    pith_status s = pithp_unpack_tflite(c, &b->own, path, p, n);
    b->p = b->own.p;
    b->n = b->own.n;
    return s;
}

pith_status pithp_tfl_bytes_open(pith_ctx *c, pithp_tfl_bytes *b, const char *path)
{
    pithp_map map;
    *b = (pithp_tfl_bytes){ 0 };
    pith_status s = pithp_map_open(c, &map, path);
    if (s == PITH_OK)
        s = pithp_tfl_bytes_of(c, b, path, map.p, map.n);
    if (s != PITH_OK || b->own.own != NULL)
        pithp_map_close(&map);
    else
        b->map = map;
    return s;
}

void pithp_tfl_bytes_close(pith_ctx *c, pithp_tfl_bytes *b)
{
    pithp_map_close(&b->map);
    pithp_free(c, b->own.own);
    *b = (pithp_tfl_bytes){ 0 };
}
