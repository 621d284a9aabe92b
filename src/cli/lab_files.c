/* Files and checksums of the lab. */
#include "cli/lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *lab_path(const lab *l, const lab_row *r, const char *file, char buf[1024])
{
    if (r == NULL)
        snprintf(buf, 1024, "%s/%s", l->out, file);
    else
        snprintf(buf, 1024, "%s/steps/%s%s%s", l->out, r->id, file[0] ? "/" : "", file);
    return buf;
}

bool lab_fail(lab *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->reason, sizeof l->reason, fmt, ap);
    va_end(ap);
    return false;
}

bool lab_save_text(lab *l, const char *path, const char *text, size_t n)
{
    return save_text(path, text, n) || lab_fail(l, "%s: cannot be written: %s", path, strerror(errno));
}

bool lab_save_json(lab *l, const char *path, const json_t *j)
{
    char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
    bool ok = text != NULL ? lab_save_text(l, path, text, strlen(text)) : lab_fail(l, "out of memory");
    free(text);
    return ok;
}

int64_t lab_file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

uint64_t lab_hash(uint64_t h, const void *p, size_t n)
{
    const unsigned char *at = p;
    h = h == 0 ? 0xcbf29ce484222325u : h;
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * 0x100000001b3u;
    return h;
}

/* With its end, so that "a" "bc" is not "ab" "c". */
uint64_t lab_hash_text(uint64_t h, const char *text)
{
    return lab_hash(h, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

uint64_t lab_weights(pith_model *m)
{
    int64_t n = 0;
    const pith_real *w = pith_model_weights(m, &n);
    return lab_hash(0, w, (size_t)n * sizeof *w);
}

void lab_hex(uint64_t h, char buf[24]) { snprintf(buf, 24, "%016llx", (unsigned long long)h); }

double lab_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
