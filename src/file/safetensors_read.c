/* file/safetensors_read.c: opening a file, every rule of the format enforced.

   Header at most 100 MB, a JSON object that begins at once with '{', no duplicate key at any level;
   __metadata__ of strings only; every tensor with exactly dtype, shape and data_offsets; sizes multiply
   without overflow to the byte range; the ranges cover the data exactly: no overlap, no hole, nothing left
   over.
   Source: https://github.com/huggingface/safetensors, README "Format" and safetensors/src/tensor.rs. */
#include "file/json.h"
#include "file/pack.h"
#include "file/safetensors.h"
#include <stdlib.h>
#include <string.h>

/* One tensor's complaint. */
static pith_status PITH_PRINTF(3, 4) bad(const pithp_st_file *f, const char *name, const char *fmt, ...)
{
    char show[PITHP_SHOW], text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pithp_error(f->c, PITH_EFORMAT, "%s: tensor '%s': %s", f->path, pithp_show(name, show), text);
}

static pith_status read_shape(const pithp_st_file *f, const json_t *j, pithp_st_tensor *t)
{
    size_t n = json_array_size(j), count = 1, bytes;
    if (!json_is_array(j))
        return bad(f, t->name, "\"shape\" is not a list of sizes");
    if (n > PITH_MAX_DIMS)
        return bad(f, t->name, "has %zu dimensions; at most %d are supported", n, PITH_MAX_DIMS);
    for (size_t i = 0; i < n; i++) {
        const json_t *d = json_array_get(j, i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return bad(f, t->name, "size %zu of its shape is not a whole number of at least 0", i);
        t->shape.d[i] = json_integer_value(d);
        if (pithp_mul_over(count, (size_t)t->shape.d[i], &count))
            return bad(f, t->name, "the sizes of its shape multiply to more than any memory holds");
    }
    t->shape.ndim = (int)n;
    if (pithp_mul_over(count, pithp_st_dtype_size(t->dtype), &bytes) || bytes > PTRDIFF_MAX)
        return bad(f, t->name, "the sizes of its shape multiply to more than any memory holds");
    t->count = (int64_t)count;
    t->bytes = bytes;
    return PITH_OK;
}

static pith_status read_offsets(const pithp_st_file *f, const json_t *j, const uint8_t *data,
                                size_t data_bytes, pithp_st_tensor *t)
{
    char text[96];
    const json_t *from = json_array_get(j, 0), *to = json_array_get(j, 1);
    if (json_array_size(j) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return bad(f, t->name, "\"data_offsets\" is not a pair of whole numbers");
    json_int_t a = json_integer_value(from), b = json_integer_value(to);
    if (a < 0 || b < a || (uint64_t)b > data_bytes)
        return bad(f, t->name,
                   "data_offsets [%lld,%lld] do not lie, in order, in the %zu bytes of data that the file "
                   "has (is it cut short?)",
                   (long long)a, (long long)b, data_bytes);
    if ((uint64_t)(b - a) != t->bytes)
        return bad(f, t->name, "data_offsets [%lld,%lld] hold %lld bytes; %s of %s takes %zu", (long long)a,
                   (long long)b, (long long)(b - a), pithp_shape_text(t->shape, text),
                   pithp_st_dtype_name(t->dtype), t->bytes);
    t->data = data + a;
    return PITH_OK;
}

static pith_status read_tensor(const pithp_st_file *f, const char *name, json_t *info, const uint8_t *data,
                               size_t data_bytes, pithp_st_tensor *t)
{
    char show[PITHP_SHOW];
    t->name = name;
    if (!*name)
        return bad(f, name, "its name is empty");
    if (!json_is_object(info))
        return bad(f, name, "is not described by an object");
    const char *dtype = json_string_value(json_object_get(info, "dtype"));
    const json_t *shape = json_object_get(info, "shape"), *offsets = json_object_get(info, "data_offsets");
    if (!dtype || !shape || !offsets || json_object_size(info) != 3)
        return bad(f, name, "expected exactly \"dtype\" (a string), \"shape\" and \"data_offsets\"");
    int type = pithp_st_dtype_parse(dtype);
    if (type < 0)
        return bad(f, name, "dtype '%s' is not known here", pithp_show(dtype, show));
    t->dtype = (pithp_st_dtype)type;
    pith_status s = read_shape(f, shape, t);
    return s ? s : read_offsets(f, offsets, data, data_bytes, t);
}

static pith_status read_metadata(pithp_st_file *f, json_t *j)
{
    const char *key;
    json_t *value;
    char show[PITHP_SHOW];
    if (!json_is_object(j))
        return pithp_error(f->c, PITH_EFORMAT, "%s: \"__metadata__\" is not an object of strings", f->path);
    if (!(f->meta = PITHP_NEW_N(f->c, pithp_st_pair, json_object_size(j) + 1)))
        return PITH_ENOMEM;
    json_object_foreach(j, key, value)
    {
        if (!json_is_string(value))
            return pithp_error(f->c, PITH_EFORMAT, "%s: \"__metadata__\": the value of '%s' is not a string",
                               f->path, pithp_show(key, show));
        f->meta[f->n_meta++] = (pithp_st_pair){ key, json_string_value(value) };
    }
    return PITH_OK;
}

static int by_place(const void *a, const void *b)
{
    const pithp_st_tensor *s = a, *t = b;
    if (s->data != t->data)
        return s->data < t->data ? -1 : 1;
    if (s->bytes != t->bytes) /* an empty tensor stands before the one that begins where it is */
        return s->bytes < t->bytes ? -1 : 1;
    return strcmp(s->name, t->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const pithp_st_tensor *const *)a)->name, (*(const pithp_st_tensor *const *)b)->name);
}

/* Sorts by place and finds overlaps, holes, and data that nobody claims. */
static pith_status covered(pithp_st_file *f, const uint8_t *data, size_t data_bytes)
{
    char show[PITHP_SHOW];
    size_t end = 0;
    qsort(f->tensors, f->n, sizeof *f->tensors, by_place);
    for (size_t i = 0; i < f->n; i++) {
        const pithp_st_tensor *t = &f->tensors[i];
        size_t begin = (size_t)(t->data - data);
        if (begin < end)
            return bad(f, t->name, "its data overlap those of '%s'",
                       pithp_show(f->tensors[i - 1].name, show));
        if (begin > end)
            return bad(f, t->name, "a hole of %zu bytes lies before its data; expected none", begin - end);
        end = begin + t->bytes;
    }
    if (end == data_bytes)
        return PITH_OK;
    return pithp_error(
        f->c, PITH_EFORMAT,
        "%s: %zu bytes of data belong to no tensor; expected the file to end with the last one", f->path,
        data_bytes - end);
}

/* The tensors of a parsed header. */
static pith_status read_tree(pithp_st_file *f, const uint8_t *data, size_t data_bytes)
{
    json_t *root = f->json, *info;
    const char *name;
    pith_status s = PITH_OK;
    size_t most = json_object_size(root);
    if (!(f->tensors = PITHP_NEW_N(f->c, pithp_st_tensor, most + 1)) ||
        !(f->by_name = pithp_alloc(f->c, most + 1, sizeof *f->by_name)))
        return PITH_ENOMEM;
    json_object_foreach(root, name, info)
    {
        s = !strcmp(name, "__metadata__") ? read_metadata(f, info)
                                          : read_tensor(f, name, info, data, data_bytes, &f->tensors[f->n++]);
        if (s)
            return s;
    }
    if ((s = covered(f, data, data_bytes)))
        return s;
    for (size_t i = 0; i < f->n; i++)
        f->by_name[i] = &f->tensors[i];
    qsort(f->by_name, f->n, sizeof *f->by_name, by_name);
    return PITH_OK;
}

static pith_status read_file(pithp_st_file *f, const uint8_t *p, size_t n)
{
    uint64_t length = 0;
    if (n < 10)
        return pithp_error(f->c, PITH_EFORMAT, "%s: has %zu bytes; a safetensors file has at least 10",
                           f->path, n);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | p[i];
    const char *kind = pithp_kind(p, n);
    if ((length < 2 || length > PITHP_ST_HEADER || p[8] != '{') && kind != NULL)
        return pithp_error(f->c, PITH_EFORMAT, "%s: is %s; expected a model file", f->path, kind);
    if (length < 2 || length > PITHP_ST_HEADER || p[8] != '{')
        return pithp_error(
            f->c, PITH_EFORMAT,
            "%s: is not a safetensors file (expected the length of a header, 2 to %d, and then '{')", f->path,
            PITHP_ST_HEADER);
    if (length > n - 8)
        return pithp_error(f->c, PITH_EFORMAT,
                           "%s: is cut short: its header has %d bytes, and only %zu are there", f->path,
                           (int)length, n - 8);
    char *where = pithp_sprintf(f->c, "%s: header", f->path);
    if (!where)
        return PITH_ENOMEM;
    json_t *root;
    pith_status s = pithp_json_parse(f->c, where, (const char *)p + 8, (size_t)length, &root);
    pithp_free(f->c, where);
    f->json = root;
    return s ? s : read_tree(f, p + 8 + length, n - 8 - (size_t)length);
}

pith_status pithp_st_open_memory(pith_ctx *c, pithp_st_file *f, const char *path, const void *p, size_t n)
{
    *f = (pithp_st_file){ .c = c };
    f->path = pithp_strdup(c, path);
    pith_status s = f->path ? read_file(f, p, n) : PITH_ENOMEM;
    if (s)
        pithp_st_close(f);
    return s;
}

pith_status pithp_st_open(pith_ctx *c, pithp_st_file *f, const char *path)
{
    pithp_map map;
    pith_status s = pithp_map_open(c, &map, path);
    *f = (pithp_st_file){ .c = c };
    if (s)
        return s;
    bool packed = pithp_is_packed(map.p, map.n);
    s = packed ? pithp_unpack(c, f, path, map.p, map.n) : pithp_st_open_memory(c, f, path, map.p, map.n);
    if (s || packed)
        pithp_map_close(&map);
    else
        f->map = map;
    return s;
}

void pithp_st_close(pithp_st_file *f)
{
    if (!f->c)
        return;
    pithp_free(f->c, f->path);
    pithp_free(f->c, f->tensors);
    pithp_free(f->c, f->by_name);
    pithp_free(f->c, f->meta);
    json_decref(f->json);
    pithp_free(f->c, f->own);
    pithp_map_close(&f->map);
    *f = (pithp_st_file){ 0 };
}
