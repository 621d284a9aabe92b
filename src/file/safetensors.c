/* file/safetensors.c: what an open file answers: tensors by name, strings by key, values copied and
   converted. */
#include "file/safetensors.h"
#include "file/json.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors data is little-endian, and copied as it is");

static const struct {
    const char *name;
    size_t size;
} dtypes[PITHP_ST_DTYPES] = {
    [PITHP_ST_BOOL] = { "BOOL", 1 }, [PITHP_ST_U8] = { "U8", 1 },   [PITHP_ST_I8] = { "I8", 1 },
    [PITHP_ST_I16] = { "I16", 2 },   [PITHP_ST_U16] = { "U16", 2 }, [PITHP_ST_F16] = { "F16", 2 },
    [PITHP_ST_BF16] = { "BF16", 2 }, [PITHP_ST_I32] = { "I32", 4 }, [PITHP_ST_U32] = { "U32", 4 },
    [PITHP_ST_F32] = { "F32", 4 },   [PITHP_ST_F64] = { "F64", 8 }, [PITHP_ST_I64] = { "I64", 8 },
    [PITHP_ST_U64] = { "U64", 8 },
};

const char *pithp_st_dtype_name(pithp_st_dtype t) { return dtypes[t].name; }
size_t pithp_st_dtype_size(pithp_st_dtype t) { return dtypes[t].size; }

int pithp_st_dtype_parse(const char *name)
{
    for (int i = 0; i < PITHP_ST_DTYPES; i++)
        if (!strcmp(dtypes[i].name, name))
            return i;
    return -1;
}

static int compare_name(const void *key, const void *element)
{
    return strcmp(key, (*(const pithp_st_tensor *const *)element)->name);
}

const pithp_st_tensor *pithp_st_find(const pithp_st_file *f, const char *name)
{
    if (!f->n)
        return NULL;
    const pithp_st_tensor *const *t = bsearch(name, f->by_name, f->n, sizeof *f->by_name, compare_name);
    return t ? *t : NULL;
}

const char *pithp_st_meta(const pithp_st_file *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->json, "__metadata__"), key));
}

static const pithp_st_tensor *find_shaped(const pithp_st_file *f, const char *name, pith_shape shape)
{
    char show[PITHP_SHOW], want[96], have[96];
    const pithp_st_tensor *t = pithp_st_find(f, name);
    if (!t)
        pithp_error(f->c, PITH_EFORMAT, "%s: has no tensor '%s'; expected one of shape %s", f->path,
                    pithp_show(name, show), pithp_shape_text(shape, want));
    else if (!pithp_shape_eq(t->shape, shape)) {
        pithp_error(f->c, PITH_EFORMAT, "%s: tensor '%s' has shape %s; expected %s", f->path,
                    pithp_show(name, show), pithp_shape_text(t->shape, have), pithp_shape_text(shape, want));
        t = NULL;
    }
    return t;
}

static pith_status wrong_dtype(const pithp_st_file *f, const pithp_st_tensor *t, const char *expected)
{
    char show[PITHP_SHOW];
    return pithp_error(f->c, PITH_EFORMAT, "%s: tensor '%s' has dtype %s; expected %s", f->path,
                       pithp_show(t->name, show), pithp_st_dtype_name(t->dtype), expected);
}

pith_status pithp_st_get(const pithp_st_file *f, const char *name, pithp_st_dtype dtype, pith_shape shape,
                         void *dst)
{
    const pithp_st_tensor *t = find_shaped(f, name, shape);
    if (!t)
        return PITH_EFORMAT;
    if (t->dtype != dtype)
        return wrong_dtype(f, t, pithp_st_dtype_name(dtype));
    if (t->bytes)
        memcpy(dst, t->data, t->bytes);
    return PITH_OK;
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static double from_f16(uint16_t h)
{
    int exponent = h >> 10 & 31;
    uint32_t fraction = h & 0x3ff;
    double v;
    if (exponent == 31)
        v = fraction ? __builtin_nan("") : __builtin_inf();
    else if (exponent == 0)
        v = fraction * 0x1p-24;
    else
        v = (1 + fraction * 0x1p-10) * (exponent < 15 ? 1.0 / (1 << (15 - exponent)) : 1 << (exponent - 15));
    return h & 0x8000 ? -v : v;
}

static double from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void convert(const pithp_st_tensor *t, pith_real *dst)
{
    for (int64_t i = 0; i < t->count; i++) {
        uint16_t h;
        float s;
        double d;
        switch (t->dtype) {
        case PITHP_ST_F16: memcpy(&h, t->data + 2 * i, 2), dst[i] = (pith_real)from_f16(h); break;
        case PITHP_ST_BF16: memcpy(&h, t->data + 2 * i, 2), dst[i] = (pith_real)from_bf16(h); break;
        case PITHP_ST_F32: memcpy(&s, t->data + 4 * i, 4), dst[i] = (pith_real)s; break;
        default: memcpy(&d, t->data + 8 * i, 8), dst[i] = (pith_real)d; break;
        }
    }
}

pith_status pithp_st_get_real(const pithp_st_file *f, const char *name, pith_shape shape, pith_real *dst)
{
    const pithp_st_tensor *t = find_shaped(f, name, shape);
    if (!t)
        return PITH_EFORMAT;
    if (t->dtype == PITHP_ST_REAL && t->bytes)
        memcpy(dst, t->data, t->bytes);
    else if (t->dtype == PITHP_ST_F16 || t->dtype == PITHP_ST_BF16 || t->dtype == PITHP_ST_F32 ||
             t->dtype == PITHP_ST_F64)
        convert(t, dst);
    else
        return wrong_dtype(f, t, "F32 (or F16, BF16, F64)");
    return PITH_OK;
}
