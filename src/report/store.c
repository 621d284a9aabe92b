/* report/store.c: the memory of a report; files and JSON that are hostile until checked. */
#include "report/store.h"
#include "file/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MB = 256, TEXT_MOST = 8000 };

/* ---- Memory ---------------------------------------------------------------------------------------------- */
void *pithp_pool_take(pithp_pool *p, size_t n, size_t size)
{
    if (!pithp_grow(p->c, &p->block, &p->cap_blocks, p->n_blocks, sizeof *p->block))
        return NULL;
    void *q = pithp_alloc(p->c, n ? n : 1, size);
    if (q != NULL)
        p->block[p->n_blocks++] = q;
    return q;
}

char *pithp_pool_text(pithp_pool *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : pithp_pool_take(p, (size_t)n + 1, 1);
    if (s == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

void pithp_pool_free(pithp_pool *p)
{
    for (size_t i = 0; i < p->n_json; i++)
        json_decref(p->json[i]);
    for (size_t i = 0; i < p->n_blocks; i++)
        pithp_free(p->c, p->block[i]);
    pithp_free(p->c, p->json);
    pithp_free(p->c, p->block);
    *p = (pithp_pool){ .c = p->c };
}

/* ---- Files ----------------------------------------------------------------------------------------------- */
static pith_status read_open(pithp_pool *p, const char *path, int fd, char **text, size_t *n)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return pithp_error(p->c, PITH_EIO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return pithp_error(p->c, PITH_EFORMAT, "%s: is no regular file; a report expects one", path);
    if (st.st_size > (off_t)FILE_MB << 20)
        return pithp_error(p->c, PITH_EFORMAT, "%s: larger than %d MB, the most that a report reads", path,
                           (int)FILE_MB);
    size_t room = (size_t)st.st_size;
    if ((*text = pithp_pool_take(p, room + 1, 1)) == NULL)
        return PITH_ENOMEM;
    for (*n = 0; *n < room;) {
        ssize_t got = read(fd, *text + *n, room - *n);
        if (got < 0 && errno != EINTR)
            return pithp_error(p->c, PITH_EIO, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            break;
        *n += got > 0 ? (size_t)got : 0;
    }
    return PITH_OK;
}

pith_status pithp_read_text(pithp_pool *p, const char *dir, const char *file, const char **path, char **text,
                            size_t *n)
{
    *text = NULL;
    *n = 0;
    if ((*path = pithp_pool_text(p, "%s/%s", dir, file)) == NULL)
        return PITH_ENOMEM;
    int fd = open(*path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe's open would wait for its writer */
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return PITH_OK;
    if (fd < 0)
        return pithp_error(p->c, PITH_EIO, "%s: cannot be opened: %s", *path, strerror(errno));
    pith_status s = read_open(p, *path, fd, text, n);
    close(fd);
    return s;
}

pith_status pithp_read_object(pithp_pool *p, const char *dir, const char *file, pithp_object *o)
{
    char *text;
    size_t n;
    *o = (pithp_object){ .pool = p, .inside = "" };
    pith_status s = pithp_read_text(p, dir, file, &o->path, &text, &n);
    if (s != PITH_OK || text == NULL)
        return s;
    if (!pithp_grow(p->c, &p->json, &p->cap_json, p->n_json, sizeof *p->json))
        return PITH_ENOMEM;
    s = pithp_json_parse(p->c, o->path, text, n, &o->j);
    if (s != PITH_OK)
        return s;
    p->json[p->n_json++] = o->j;
    return json_is_object(o->j) ? PITH_OK
                                : pithp_error(p->c, PITH_EFORMAT, "%s: a JSON object is expected", o->path);
}

/* ---- What an object holds -------------------------------------------------------------------------------- */
static void wrong(const pithp_object *o, const char *key, const char *expected)
{
    char show[PITHP_SHOW];
    pithp_error(o->pool->c, PITH_EFORMAT, "%s: \"%s%s%s\": %s is expected", o->path, o->inside,
                o->inside[0] ? "." : "", pithp_show(key, show), expected);
}

static json_t *member(const pithp_object *o, const char *key)
{
    json_t *v = json_object_get(o->j, key);
    return json_is_null(v) ? NULL : v;
}

double pithp_get_number(const pithp_object *o, const char *key, double low, double high)
{
    char text[96];
    json_t *v = member(o, key);
    if (v == NULL)
        return NAN;
    double d = json_is_number(v) ? json_number_value(v) : (double)NAN;
    if (d >= low && d <= high)
        return d;
    snprintf(text, sizeof text, "a number from %.9g to %.9g", low, high);
    wrong(o, key, text);
    return NAN;
}

double pithp_get_count(const pithp_object *o, const char *key) { return pithp_get_number(o, key, 0, 1e15); }

const char *pithp_get_text(const pithp_object *o, const char *key)
{
    json_t *v = member(o, key);
    if (v == NULL || (json_is_string(v) && json_string_length(v) <= TEXT_MOST))
        return v != NULL ? json_string_value(v) : "";
    wrong(o, key, "a text of at most 8000 bytes");
    return "";
}

pithp_object pithp_get_object(const pithp_object *o, const char *key)
{
    pithp_object r = { .pool = o->pool, .path = o->path, .inside = key, .j = member(o, key) };
    if (r.j != NULL && !json_is_object(r.j)) {
        wrong(o, key, "an object");
        r.j = NULL;
    }
    return r;
}

json_t *pithp_get_array(const pithp_object *o, const char *key, size_t most)
{
    char text[64];
    json_t *v = member(o, key);
    if (v == NULL || (json_is_array(v) && json_array_size(v) <= most))
        return v;
    snprintf(text, sizeof text, "a list of at most %zu entries", most);
    wrong(o, key, text);
    return NULL;
}

pithp_object pithp_get_element(const pithp_object *o, const char *key, json_t *array, size_t i)
{
    pithp_object r = { .pool = o->pool, .path = o->path, .inside = key, .j = json_array_get(array, i) };
    if (!json_is_object(r.j)) {
        wrong(o, key, "a list of objects");
        r.j = NULL;
    }
    return r;
}
