/* report/store.h: memory of one report, and files that somebody else wrote. */
#ifndef PITHP_REPORT_STORE_H
#define PITHP_REPORT_STORE_H

#include "base/base.h"
#include <jansson.h>

/* Everything that a report reads lives until the report is written: one free for all. */
typedef struct {
    pith_ctx *c;
    void **block;
    json_t **json;
    size_t n_blocks, cap_blocks, n_json, cap_json;
} pithp_pool;

void *pithp_pool_take(pithp_pool *p, size_t n, size_t size); /* zeroed; NULL: PITH_ENOMEM recorded */
#define PITHP_POOL_N(p, type, n) ((type *)pithp_pool_take((p), (size_t)(n), sizeof(type)))
char *pithp_pool_text(pithp_pool *p, const char *fmt, ...) PITH_PRINTF(2, 3);
void pithp_pool_free(pithp_pool *p);

/* A file in a folder, with a zero behind its n bytes, never mapped: a log may be cut while it is read.
   *text is NULL, without an error, where there is no such file; *path is its name for messages. */
pith_status pithp_read_text(pithp_pool *p, const char *dir, const char *file, const char **path, char **text,
                            size_t *n);

/* A JSON object of a file, and where it stands for messages. Errors stick in the context, so that a whole object may be read
   before the status is asked for. */
typedef struct {
    pithp_pool *pool;
    const char *path, *inside; /* "RUN/steps/x/result.json", "bytes" or "" */
    json_t *j;                 /* NULL: absent; everything asked of it is, too */
} pithp_object;

/* The file's object; o->j NULL without an error where there is no such file. */
pith_status pithp_read_object(pithp_pool *p, const char *dir, const char *file, pithp_object *o);
/* NAN where absent or null; an error where it is no number from low to high. */
double pithp_get_number(const pithp_object *o, const char *key, double low, double high);
double pithp_get_count(const pithp_object *o, const char *key);        /* a number from 0 to 1e15 */
const char *pithp_get_text(const pithp_object *o, const char *key);    /* "" where absent or null */
pithp_object pithp_get_object(const pithp_object *o, const char *key); /* j NULL where absent or null */
json_t *pithp_get_array(const pithp_object *o, const char *key, size_t most); /* NULL where absent or null */
/* Element i of such an array, which has to be an object. */
pithp_object pithp_get_element(const pithp_object *o, const char *key, json_t *array, size_t i);

#endif
