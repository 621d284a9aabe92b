/* tests/file_help.h: what the suites of files share: a context that counts and fails, files as bytes. */
#ifndef PITH_TESTS_FILE_HELP_H
#define PITH_TESTS_FILE_HELP_H

#include "file/model_file.h"
#include "suite.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pith_ctx *ctx;
static char logged[1024]; /* the last message */
static size_t at_rest;    /* bytes that an idle context holds */
static struct {
    long left; /* allocations until one fails; negative: none does */
    long live; /* blocks not given back */
} hook;

static void keep_log(void *user, pith_log_level level, const char *text)
{
    (void)user, (void)level;
    snprintf(logged, sizeof logged, "%s", text);
}

static void *hook_alloc(void *user, size_t n)
{
    (void)user;
    if ((hook.left >= 0 && hook.left-- == 0) || n > (size_t)1
                                                        << 28) /* no test needs a quarter of a gigabyte */
        return NULL;
    void *p = malloc(n);
    hook.live += p != NULL;
    return p;
}

static void hook_release(void *user, void *p)
{
    (void)user;
    hook.live--;
    free(p);
}

static void setup(void)
{
    logged[0] = 0;
    hook.left = -1;
    hook.live = 0;
    ctx = pith_ctx_new((pith_ctx_cfg){
        .seed = 7, .threads = 1, .log = keep_log, .alloc = hook_alloc, .release = hook_release });
    ck_assert_int_eq(pith_ctx_status(ctx), PITH_OK);
    at_rest = pith_ctx_memory(ctx, NULL);
}

static void teardown(void)
{
    pith_ctx_free(ctx);
    ck_assert_int_eq(hook.live, 0);
}

/* The context recorded this status, with these words in the message; then it is clean again. */
static inline void expect_error(pith_status status, const char *words)
{
    ck_assert_msg(pith_ctx_status(ctx) == status, "expected %s \"%s\", not %s \"%s\"",
                  pith_status_name(status), words, pith_status_name(pith_ctx_status(ctx)),
                  pith_error_text(ctx));
    ck_assert_msg(strstr(pith_error_text(ctx), words) != NULL, "\"%s\" does not say \"%s\"",
                  pith_error_text(ctx), words);
    pith_ctx_clear(ctx);
}

/* A path in the suite's folder; eight of them live at a time. */
static inline const char *in_dir(const char *name)
{
    static char paths[8][4400];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", suite_dir(), name);
    return p;
}

/* A file's bytes, malloc'd to their exact number, so that a sanitizer sees every step beyond them. */
static inline uint8_t *slurp(const char *path, size_t *n)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f && !fstat(fileno(f), &st), "%s is not there", path);
    *n = (size_t)st.st_size;
    uint8_t *p = malloc(*n ? *n : 1);
    ck_assert_uint_eq(fread(p, 1, *n, f), *n);
    fclose(f);
    return p;
}

/* A file of this header and n bytes of data that count up from 0. */
static inline uint8_t *make_file(const char *header, size_t header_bytes, size_t n, size_t *size)
{
    *size = 8 + header_bytes + n;
    uint8_t *p = malloc(*size);
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)header_bytes >> 8 * i);
    memcpy(p + 8, header, header_bytes);
    for (size_t i = 0; i < n; i++)
        p[8 + header_bytes + i] = (uint8_t)i;
    return p;
}

static inline size_t header_of(const uint8_t *file)
{
    size_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | file[i];
    return n;
}

#endif
