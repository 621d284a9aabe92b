/* deploy/tflite/pack.c: a .tflite packed: its constants and scales as blocks, what is left as text (file/pack.h). */
#include "compress/pack/pack.h"
#include "deploy/tflite/bytes.h"
#include "deploy/tflite/read.h"

#include <stdlib.h>
#include <string.h>

/* Vectors that are alike are one block together. */
enum { ALONE, BIASES, FLOATS, SCALES, SCALES_OF_BIASES };

typedef struct {
    pith_ctx *c;
    pithp_tfl_file f;
    pithp_pack_part *parts; /* .block: the group, until they are numbered */
    size_t n, cap;
    int64_t weights, zeros;
} packing;

static void add(packing *k, const void *p, size_t bytes, pithp_st_dtype dtype, int group)
{
    if (bytes < PITHP_PACK_LEAST || !pithp_grow(k->c, &k->parts, &k->cap, k->n, sizeof *k->parts))
        return;
    k->parts[k->n++] =
        (pithp_pack_part){ .p = (uint8_t *)(uintptr_t)p, .bytes = bytes, .block = group, .dtype = dtype };
}

/* What the packer knows a type as; -1: its bytes stay in the text. */
static int dtype_of(int type)
{
    switch (type) {
    case TFL_FLOAT32: return PITHP_ST_F32;
    case TFL_FLOAT16: return PITHP_ST_F16;
    case TFL_INT32: return PITHP_ST_I32;
    case TFL_INT64: return PITHP_ST_I64;
    case TFL_UINT8: return PITHP_ST_U8;
    case TFL_INT8: return PITHP_ST_I8;
    default: return -1;
    }
}

static void count(packing *k, const pithp_tfl_view *v)
{
    const size_t each = pithp_tfl_type_bytes(v->type);
    const uint8_t *p = v->data;
    for (int64_t i = 0; i < v->count; i++, p += each) {
        int64_t x = 0;
        if (v->type == TFL_INT8)
            x = (int8_t)*p - (int64_t)v->zero;
        else
            for (size_t b = 0; b < each; b++)
                x |= p[b];
        k->zeros += x == 0;
    }
    k->weights += v->count;
}

static pith_status collect(packing *k)
{
    for (size_t i = 0; i < k->f.tensors.n; i++) {
        pithp_tfl_view v;
        const pith_status s = pithp_tfl_view_get(&k->f, (int64_t)i, &v);
        if (s != PITH_OK)
            return s;
        const int dtype = dtype_of(v.type);
        if (v.scale != NULL)
            add(k, v.scale, (size_t)v.n_scale * sizeof *v.scale, PITHP_ST_F32,
                v.type == TFL_INT32 ? SCALES_OF_BIASES : SCALES);
        if (v.data == NULL || dtype < 0)
            continue;
        const bool vector = v.shape.ndim <= 1 && v.count <= PITHP_PACK_VECTOR;
        const int group = !vector ? ALONE : v.type == TFL_INT32 ? BIASES : v.type == TFL_FLOAT32 ? FLOATS : 0;
        add(k, v.data, (size_t)v.count * pithp_tfl_type_bytes(v.type), (pithp_st_dtype)dtype, group);
        if (v.shape.ndim > 1)
            count(k, &v);
    }
    return k->c->status;
}

static int by_place(const void *a, const void *b)
{
    const pithp_pack_part *x = a, *y = b;
    return x->p != y->p ? (x->p < y->p ? -1 : 1) : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* In the order of the file, each byte once: tensors may share a buffer. */
static void put_in_order(packing *k)
{
    const uint8_t *end = NULL;
    size_t n = 0;
    if (k->n > 0)
        qsort(k->parts, k->n, sizeof *k->parts, by_place);
    for (size_t i = 0; i < k->n && n < PITHP_PACK_RANGES; i++)
        if (end == NULL || k->parts[i].p >= end) {
            k->parts[n++] = k->parts[i];
            end = k->parts[i].p + k->parts[i].bytes;
        }
    k->n = n;
}

static uint8_t *put_number(uint8_t *p, size_t v)
{
    for (int i = 0; i < 4; i++)
        *p++ = (uint8_t)(v >> 8 * i);
    return p;
}

/* Where the parts are, and what is between them, [4 + RANGE * parts + bytes of the file]. Numbers the blocks; gives how many. */
static int write_text(packing *k, uint8_t *text, size_t *bytes)
{
    uint8_t *entry = put_number(text, k->n), *rest = entry + PITHP_PACK_RANGE * k->n;
    const uint8_t *at = k->f.b.p, *end = at + k->f.b.n;
    int blocks = PITHP_PACK_GROUPS;
    for (size_t i = 0; i < k->n; i++) {
        pithp_pack_part *part = &k->parts[i];
        const size_t gap = (size_t)(part->p - at);
        entry = put_number(put_number(entry, gap), part->bytes);
        *entry++ = (uint8_t)part->block;
        part->block = part->block != ALONE ? part->block - 1 : blocks++;
        memcpy(rest, at, gap);
        rest += gap;
        at = part->p + part->bytes;
    }
    memcpy(rest, at, (size_t)(end - at));
    *bytes = (size_t)(rest - text) + (size_t)(end - at);
    return blocks;
}

static pith_status write_body(packing *k, pithp_tobits *body, double *ideal)
{
    size_t bytes;
    uint8_t *text = pithp_alloc(k->c, k->f.b.n + 4 + PITHP_PACK_RANGE * k->n, 1);
    if (text == NULL)
        return PITH_ENOMEM;
    const int blocks = write_text(k, text, &bytes);
    pithp_pack_text(body, text, bytes);
    pithp_free(k->c, text);
    *ideal = (double)body->at;
    return pithp_pack_write(body, k->parts, k->n, blocks, ideal);
}

static pith_status pack(packing *k, const char *path, pith_pack_sizes *sizes)
{
    double ideal = 0;
    pithp_tobits body = { .c = k->c }, packed = { .c = k->c };
    pith_status s = collect(k);
    if (s == PITH_OK) {
        put_in_order(k);
        s = write_body(k, &body, &ideal);
    }
    if (s == PITH_OK)
        s = pithp_pack_file(&body, PITHP_PACK_MAGIC_TFLITE, k->f.b.p, k->f.b.n, &packed);
    if (s == PITH_OK && sizes != NULL) {
        pithp_pack_sizes(&packed, k->f.b.p, k->f.b.n, ideal, sizes);
        sizes->weights = k->weights;
        sizes->zeros = k->zeros;
    }
    if (s == PITH_OK)
        s = pithp_file_write(k->c, path, packed.p, packed.at / 8);
    pithp_free(k->c, body.p);
    pithp_free(k->c, packed.p);
    return s;
}

bool pith_is_tflite(const char *path)
{
    uint8_t p[PITHP_PACK_HEAD];
    const size_t n = pithp_peek(path, p, sizeof p);
    return (n >= 8 && memcmp(p + 4, PITHP_TFL_IDENTIFIER, 4) == 0) || pithp_is_packed_tflite(p, n);
}

pith_status pith_pack_tflite(pith_ctx *c, const char *tflite, const char *path, pith_pack_sizes *sizes)
{
    packing k = { .c = c };
    pithp_tfl_bytes b = { 0 };
    pith_status s = c->status ? c->status : pithp_tfl_bytes_open(c, &b, tflite);
    if (s == PITH_OK)
        s = pithp_tfl_open(c, &k.f, tflite, b.p, b.n);
    if (s == PITH_OK)
        s = pack(&k, path, sizes);
    pithp_free(c, k.parts);
    pithp_tfl_bytes_close(c, &b);
    return s;
}
