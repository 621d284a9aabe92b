/* file/safetensors_write.c: collecting tensors and strings, and writing them in one go that succeeds or
   leaves no trace.

   The header is padded so that the data begins at a multiple of 64 bytes, and tensors with larger elements
   come first: every tensor is then aligned to its element, wherever the file is mapped. */
#include "file/json.h"
#include "file/safetensors.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

void pithp_st_writer_init(pith_ctx *c, pithp_st_writer *w) { *w = (pithp_st_writer){ .c = c }; }

pith_status pithp_st_add(pithp_st_writer *w, const char *name, pithp_st_dtype dtype, pith_shape shape,
                         const void *data)
{
    char show[PITHP_SHOW];
    size_t bytes = pithp_st_dtype_size(dtype);
    if (w->status)
        return w->status;
    if (!*name || !strcmp(name, "__metadata__"))
        return w->status = pithp_error(w->c, PITH_EINVAL, "'%s' is no name for a tensor of a file", name);
    bool ok = shape.ndim >= 0 && shape.ndim <= PITH_MAX_DIMS;
    for (int i = 0; ok && i < shape.ndim; i++)
        ok = shape.d[i] >= 0 && !pithp_mul_over(bytes, (size_t)shape.d[i], &bytes);
    if (!ok || bytes > PTRDIFF_MAX)
        return w->status =
                   pithp_error(w->c, PITH_EINVAL, "tensor '%s': its shape is absurd", pithp_show(name, show));
    char *copy = pithp_strdup(w->c, name);
    if (!copy || !pithp_grow(w->c, &w->entries, &w->cap, w->n, sizeof *w->entries)) {
        pithp_free(w->c, copy);
        return w->status = PITH_ENOMEM;
    }
    w->entries[w->n++] = (pithp_st_entry){ copy, dtype, shape, bytes, data, NULL };
    return PITH_OK;
}

pith_status pithp_st_add_copy(pithp_st_writer *w, const char *name, pithp_st_dtype dtype, pith_shape shape,
                              const void *data)
{
    if (pithp_st_add(w, name, dtype, shape, data))
        return w->status;
    pithp_st_entry *e = &w->entries[w->n - 1];
    e->own = pithp_alloc(w->c, e->bytes, 1);
    if (!e->own)
        return w->status = PITH_ENOMEM;
    e->data = memcpy(e->own, data, e->bytes);
    return PITH_OK;
}

pith_status pithp_st_add_real(pithp_st_writer *w, const char *name, pith_shape shape, const pith_real *data)
{
    return pithp_st_add(w, name, PITHP_ST_REAL, shape, data);
}

pith_status pithp_st_add_meta(pithp_st_writer *w, const char *key, const char *value)
{
    if (w->status)
        return w->status;
    char *k = pithp_strdup(w->c, key), *v = pithp_strdup(w->c, value);
    if (!k || !v || !pithp_grow(w->c, &w->meta, &w->cap_meta, w->n_meta, sizeof *w->meta)) {
        pithp_free(w->c, k);
        pithp_free(w->c, v);
        return w->status = PITH_ENOMEM;
    }
    w->meta[w->n_meta].key = k;
    w->meta[w->n_meta++].value = v;
    return PITH_OK;
}

/* Puts a new key into an object; takes value over. The key may be doubled or not UTF-8. */
static bool put(pithp_st_writer *w, json_t *object, const char *key, json_t *value)
{
    char show[PITHP_SHOW];
    bool doubled = json_object_get(object, key);
    if (!doubled && value && !json_object_set_new(object, key, value))
        return true;
    if (doubled)
        json_decref(value);
    w->status =
        pithp_error(w->c, PITH_EINVAL, "'%s' %s", pithp_show(key, show),
                    doubled ? "is the name of two things in one file; give one of them another"
                            : "or its value is not valid UTF-8, which files need (or memory ran out)");
    return false;
}

static json_t *describe(const pithp_st_entry *e, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < e->shape.ndim; i++)
        json_array_append_new(shape, json_integer(e->shape.d[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", pithp_st_dtype_name(e->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + e->bytes));
}

static bool build(pithp_st_writer *w, json_t *root, json_t *meta)
{
    size_t at = 0;
    for (size_t i = 0; i < w->n_meta; i++)
        if (!put(w, meta, w->meta[i].key, json_string(w->meta[i].value)))
            return false;
    if (w->n_meta && json_object_set(root, "__metadata__", meta))
        return false;
    for (size_t size = 8; size > 0; size /= 2) /* large elements first */
        for (size_t i = 0; i < w->n; i++) {
            if (pithp_st_dtype_size(w->entries[i].dtype) != size)
                continue;
            if (!put(w, root, w->entries[i].name, describe(&w->entries[i], at)))
                return false;
            if (pithp_add_over(at, w->entries[i].bytes, &at) || at > PTRDIFF_MAX)
                return false;
        }
    return true;
}

static char *header(pithp_st_writer *w)
{
    char *text = NULL;
    json_t *root = json_object(), *meta = json_object();
    if (root && meta && build(w, root, meta))
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    json_decref(meta);
    if (!text && !w->status)
        w->status = pithp_nomem(w->c, "the header of a file");
    return text;
}

/* Where the bytes go: a file, or memory that has room. */
typedef struct {
    pithp_save *save;
    uint8_t *at;
} sink;

static pith_status give(pithp_st_writer *w, sink *s, const void *p, size_t n)
{
    if (s->save != NULL)
        return pithp_save_write(w->c, s->save, p, n);
    if (n > 0)
        memcpy(s->at, p, n);
    s->at += n;
    return PITH_OK;
}

static size_t padding_of(size_t text) { return (ALIGN - (8 + text) % ALIGN) % ALIGN; }

static pith_status write_all(pithp_st_writer *w, sink *s, const char *path, const char *text)
{
    size_t n = strlen(text), padding = padding_of(n);
    if (n + padding > PITHP_ST_HEADER)
        return pithp_error(w->c, PITH_EINVAL, "%s: its header would have %zu bytes; the format allows %d",
                           path, n, PITHP_ST_HEADER);
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)(n + padding) >> 8 * i);
    char blanks[ALIGN];
    memset(blanks, ' ', sizeof blanks);
    pith_status st = give(w, s, length, 8);
    if (!st)
        st = give(w, s, text, n);
    if (!st)
        st = give(w, s, blanks, padding);
    for (size_t size = 8; size > 0; size /= 2)
        for (size_t i = 0; i < w->n && !st; i++)
            if (pithp_st_dtype_size(w->entries[i].dtype) == size)
                st = give(w, s, w->entries[i].data, w->entries[i].bytes);
    return st;
}

pith_status pithp_st_commit(pithp_st_writer *w, const char *path, bool keep_previous)
{
    pithp_save save = { 0 };
    char *text = w->status ? NULL : header(w);
    if (!text)
        return w->status;
    w->status = pithp_json_limits(w->c, path, text, strlen(text));
    if (!w->status)
        w->status = pithp_save_begin(w->c, &save, path);
    if (!w->status)
        w->status = write_all(w, &(sink){ .save = &save }, path, text);
    if (!w->status)
        w->status = pithp_save_commit(w->c, &save, keep_previous);
    pithp_save_abort(w->c, &save);
    free(text);
    return w->status;
}

pith_status pithp_st_render(pithp_st_writer *w, uint8_t **bytes, size_t *n)
{
    char *text = w->status ? NULL : header(w);
    *bytes = NULL;
    if (!text)
        return w->status;
    *n = 8 + strlen(text) + padding_of(strlen(text));
    for (size_t i = 0; i < w->n; i++)
        *n += w->entries[i].bytes;
    w->status = pithp_json_limits(w->c, "the file", text, strlen(text));
    if (!w->status && !(*bytes = pithp_alloc(w->c, *n, 1)))
        w->status = PITH_ENOMEM;
    if (!w->status)
        w->status = write_all(w, &(sink){ .at = *bytes }, "the file", text);
    free(text);
    return w->status;
}

void pithp_st_writer_free(pithp_st_writer *w)
{
    for (size_t i = 0; i < w->n; i++) {
        pithp_free(w->c, w->entries[i].name);
        pithp_free(w->c, w->entries[i].own);
    }
    for (size_t i = 0; i < w->n_meta; i++) {
        pithp_free(w->c, w->meta[i].key);
        pithp_free(w->c, w->meta[i].value);
    }
    pithp_free(w->c, w->entries);
    pithp_free(w->c, w->meta);
    *w = (pithp_st_writer){ .c = w->c };
}
