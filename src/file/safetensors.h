/* file/safetensors.h: the container of models and checkpoints. A file is an 8-byte little-endian length, that
   many bytes of JSON (name -> dtype, shape, data_offsets; "__metadata__" -> strings), and the data.

   Reading trusts nothing: see safetensors_read.c for the rules. Writing is all or nothing.
   Names and keys that begin with PITHP_ST_TRAIN belong to a training's checkpoint; pith_model_load passes
   them over, so a checkpoint can be used wherever a model can. */
#ifndef PITHP_SAFETENSORS_H
#define PITHP_SAFETENSORS_H

#include "base/base.h"

#define PITHP_ST_TRAIN "pith.train."

enum { PITHP_ST_HEADER = 100000000 }; /* most bytes of a header, the format says */

typedef enum {
    PITHP_ST_BOOL = 0,
    PITHP_ST_U8,
    PITHP_ST_I8,
    PITHP_ST_I16,
    PITHP_ST_U16,
    PITHP_ST_F16,
    PITHP_ST_BF16,
    PITHP_ST_I32,
    PITHP_ST_U32,
    PITHP_ST_F32,
    PITHP_ST_F64,
    PITHP_ST_I64,
    PITHP_ST_U64,
    PITHP_ST_DTYPES
} pithp_st_dtype;

#ifdef PITH_REAL_IS_DOUBLE
#define PITHP_ST_REAL PITHP_ST_F64
#else
#define PITHP_ST_REAL PITHP_ST_F32
#endif

const char *pithp_st_dtype_name(pithp_st_dtype t); /* "F32" */
size_t pithp_st_dtype_size(pithp_st_dtype t);
int pithp_st_dtype_parse(const char *name); /* -1 if unknown */

/* ---- Reading ------------------------------------------------------------------------------------------- */
typedef struct {
    const char *name; /* UTF-8, not empty, unique */
    pithp_st_dtype dtype;
    pith_shape shape;    /* sizes may be 0 */
    int64_t count;       /* prod(shape) */
    size_t bytes;        /* count * dtype's size */
    const uint8_t *data; /* in the map; need not be aligned: copy */
} pithp_st_tensor;

typedef struct {
    const char *key, *value;
} pithp_st_pair;

/* An open file. All pointers are its own, valid until pithp_st_close. */
typedef struct {
    pith_ctx *c;
    char *path;
    pithp_map map;
    void *own; /* bytes that it was unpacked to (file/pack.h); NULL: it was not packed */
    size_t own_bytes;
    void *json;               /* the header's tree, which holds all strings */
    pithp_st_tensor *tensors; /* in the order of their data */
    const pithp_st_tensor **by_name;
    size_t n;
    pithp_st_pair *meta;
    size_t n_meta;
} pithp_st_file;

/* errors   PITH_ENOTFOUND, PITH_EIO, PITH_EFORMAT (file, tensor, what was expected), PITH_ENOMEM; f is
            then closed. */
pith_status pithp_st_open(pith_ctx *c, pithp_st_file *f, const char *path);
/* A packed file (file/pack.h) is unpacked as it is opened. The same of bytes in memory, never packed, which must outlive f; path is for messages. */
pith_status pithp_st_open_memory(pith_ctx *c, pithp_st_file *f, const char *path, const void *p, size_t n);
void pithp_st_close(pithp_st_file *f); /* twice is allowed */

const pithp_st_tensor *pithp_st_find(const pithp_st_file *f,
                                     const char *name);             /* NULL: no such tensor, no error */
const char *pithp_st_meta(const pithp_st_file *f, const char *key); /* NULL: no such key, no error */

/* Copies a tensor that must be there with exactly this dtype and shape. dst: prod(shape) elements.
   errors   PITH_EFORMAT naming file, tensor, what was found and what was expected. */
pith_status pithp_st_get(const pithp_st_file *f, const char *name, pithp_st_dtype dtype, pith_shape shape,
                         void *dst);

/* The same of float data, converted from F16, BF16, F32 or F64. */
pith_status pithp_st_get_real(const pithp_st_file *f, const char *name, pith_shape shape, pith_real *dst);

/* ---- Writing ------------------------------------------------------------------------------------------- */
typedef struct {
    char *name;
    pithp_st_dtype dtype;
    pith_shape shape;
    size_t bytes;
    const void *data;
    void *own; /* the same, if the writer frees it */
} pithp_st_entry;

typedef struct {
    pith_ctx *c;
    pith_status status; /* of the first call that failed; commit returns it */
    pithp_st_entry *entries;
    size_t n, cap;
    struct {
        char *key, *value;
    } * meta;
    size_t n_meta, cap_meta;
} pithp_st_writer;

/* Usage: init, any number of adds, commit, free (always). Every call after one that failed does nothing, so
   that commit's status is the only one to look at.
   errors   PITH_EINVAL: an empty, doubled or non-UTF-8 name or key; PITH_ENOMEM; of commit: PITH_EIO,
            PITH_ENOTFOUND (an older file of that name is then untouched). */
void pithp_st_writer_init(pith_ctx *c, pithp_st_writer *w);
pith_status pithp_st_add(pithp_st_writer *w, const char *name, pithp_st_dtype dtype, pith_shape shape,
                         const void *data); /* data must live until commit; the name is copied */
pith_status pithp_st_add_copy(pithp_st_writer *w, const char *name, pithp_st_dtype dtype, pith_shape shape,
                              const void *data); /* data is copied too */
pith_status pithp_st_add_real(pithp_st_writer *w, const char *name, pith_shape shape, const pith_real *data);
pith_status pithp_st_add_meta(pithp_st_writer *w, const char *key, const char *value); /* both copied */
pith_status pithp_st_commit(pithp_st_writer *w, const char *path, bool keep_previous);
void pithp_st_writer_free(pithp_st_writer *w);
/* Instead of commit: the file's bytes in memory, to be freed with pithp_free. */
pith_status pithp_st_render(pithp_st_writer *w, uint8_t **bytes, size_t *n);

#endif
