/* train/events.c: TensorBoard's event files (events.h has the format). */
#include "train/events.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 12, TAIL = 4, MOST = 1 << 20 }; /* of a record; bytes of a message that is believed */

/* Bit by bit: records have some hundred bytes. */
uint32_t pithp_crc32c(const void *p, size_t n)
{
    const uint8_t *s = p;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= s[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint32_t masked(const void *p, size_t n)
{
    uint32_t crc = pithp_crc32c(p, n);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_number(uint8_t *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static pith_status refused(pith_ctx *c, const char *path)
{
    return pithp_error(c, PITH_EIO,
                       "%s: cannot be written: %s; make room, or choose a run folder that may be written to",
                       path, strerror(errno));
}

/* ---- Going on in an older file ---- */
/* The step of an Event: its field 2, a varint; 0 where there is none. False: no message of ours. */
static bool step_of(const uint8_t *p, size_t n, int64_t *step)
{
    size_t at = 9; /* wall_time stands first */
    uint64_t v = 0;
    *step = 0;
    if (n < at || p[0] != (1 << 3 | 1))
        return false;
    if (n == at || p[at] != 2 << 3)
        return true;
    for (int shift = 0; ++at < n && shift < 63; shift += 7) {
        v |= (uint64_t)(p[at] & 0x7f) << shift;
        if (!(p[at] & 0x80)) {
            *step = (int64_t)v;
            return true;
        }
    }
    return false;
}

static bool tells_epoch(const uint8_t *p, size_t n)
{
    return memmem(p, n, PITHP_EVENTS_EPOCH, strlen(PITHP_EVENTS_EPOCH)) != NULL;
}

/* The next record's message into buf[MOST]; its bytes, or 0 where no whole one follows. */
static size_t next(FILE *f, uint8_t *buf)
{
    uint8_t head[HEAD], tail[TAIL];
    if (fread(head, 1, HEAD, f) != HEAD || masked(head, 8) != number(head + 8, 4))
        return 0;
    uint64_t n = number(head, 8);
    if (n == 0 || n > MOST || fread(buf, 1, n, f) != n || fread(tail, 1, TAIL, f) != TAIL)
        return 0;
    return masked(buf, n) == number(tail, 4) ? (size_t)n : 0;
}

/* Where what stays ends; 0: not even the first record does. */
static int64_t keep(FILE *f, uint8_t *buf, int64_t steps, bool ended)
{
    int64_t at = 0, step;
    for (size_t n; (n = next(f, buf)) > 0; at = (int64_t)ftello(f))
        if (!step_of(buf, n, &step) || step > steps || (step == steps && !ended && tells_epoch(buf, n)))
            break;
    return at;
}

static char *newest(pith_ctx *c, const char *dir)
{
    char *best = NULL;
    DIR *d = opendir(dir);
    if (d == NULL)
        return NULL;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, PITHP_EVENTS_NAME, strlen(PITHP_EVENTS_NAME)) != 0 ||
            (best != NULL && strcmp(e->d_name, best) < 0))
            continue;
        pithp_free(c, best);
        best = pithp_strdup(c, e->d_name);
    }
    closedir(d);
    return best;
}

/* What an older run left would stand in the same curves. */
static void forget_older(pith_ctx *c, const char *dir)
{
    for (char *name; (name = newest(c, dir)) != NULL; pithp_free(c, name)) {
        char *path = pithp_sprintf(c, "%s/%s", dir, name);
        bool gone = path != NULL && unlink(path) == 0;
        pithp_free(c, path);
        if (!gone) {
            pithp_free(c, name);
            return;
        }
    }
}

/* *found: there is an older file, and e->f stands where it goes on. */
static pith_status go_on(pith_ctx *c, pithp_events *e, const char *dir, int64_t steps, bool ended,
                         bool *found)
{
    *found = false;
    char *name = newest(c, dir);
    if (name == NULL)
        return c->status;
    e->path = pithp_sprintf(c, "%s/%s", dir, name);
    pithp_free(c, name);
    uint8_t *buf = e->path == NULL ? NULL : pithp_alloc(c, MOST, 1);
    if (buf == NULL)
        return PITH_ENOMEM;
    e->f = fopen(e->path, "r+e");
    int64_t at = e->f == NULL ? 0 : keep(e->f, buf, steps, ended);
    pithp_free(c, buf);
    if (e->f == NULL || fseeko(e->f, at, SEEK_SET) != 0 || ftruncate(fileno(e->f), at) != 0)
        return refused(c, e->path);
    *found = true;
    return PITH_OK;
}

/* ---- Writing ---- */
static double wall_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* e->pb's bytes as a record. */
static bool write_record(pithp_events *e)
{
    uint8_t head[HEAD], tail[TAIL];
    put_number(head, e->pb.n, 8);
    put_number(head + 8, masked(head, 8), 4);
    put_number(tail, masked(e->pb.buf, e->pb.n), 4);
    bool ok = !e->pb.status && fwrite(head, 1, HEAD, e->f) == HEAD &&
              fwrite(e->pb.buf, 1, e->pb.n, e->f) == e->pb.n && fwrite(tail, 1, TAIL, e->f) == TAIL &&
              fflush(e->f) == 0;
    e->pb.n = 0;
    if (!ok) {
        int why = errno;
        fclose(e->f);
        e->f = NULL;
        errno = why;
    }
    return ok;
}

static bool write_version(pithp_events *e)
{
    pithp_pb_f64(&e->pb, 1, wall_time());
    pithp_pb_text(&e->pb, 3, "brain.Event:2");
    return write_record(e);
}

pith_status pithp_events_open(pith_ctx *c, pithp_events *e, const char *dir, bool resume, int64_t steps,
                              bool ended)
{
    bool found = false;
    char host[64] = "";
    pithp_pb_init(c, &e->pb);
    if (resume) {
        pith_status s = go_on(c, e, dir, steps, ended, &found);
        if (s != PITH_OK)
            return s;
    }
    if (!found) {
        forget_older(c, dir);
        if (gethostname(host, sizeof host - 1) != 0 || host[0] == 0 || strchr(host, '/') != NULL)
            snprintf(host, sizeof host, "pith");
        e->path = pithp_sprintf(c, "%s/" PITHP_EVENTS_NAME "%010lld.%s", dir, (long long)time(NULL), host);
        if (e->path == NULL)
            return PITH_ENOMEM;
        e->f = fopen(e->path, "we");
        if (e->f == NULL)
            return refused(c, e->path);
    }
    if (ftello(e->f) == 0 && !write_version(e))
        return c->status ? c->status : refused(c, e->path);
    return PITH_OK;
}

bool pithp_events_put(pithp_events *e, int64_t step, const pithp_scalar *s, int n)
{
    if (e->f == NULL)
        return true;
    pithp_pb_f64(&e->pb, 1, wall_time());
    pithp_pb_int(&e->pb, 2, step);
    pithp_pb_begin(&e->pb, 5);
    for (int i = 0; i < n; i++) {
        if (!isfinite(s[i].value))
            continue;
        pithp_pb_begin(&e->pb, 1);
        pithp_pb_text(&e->pb, 1, s[i].tag);
        pithp_pb_f32(&e->pb, 2, (float)s[i].value);
        pithp_pb_end(&e->pb);
    }
    pithp_pb_end(&e->pb);
    return write_record(e);
}

void pithp_events_close(pith_ctx *c, pithp_events *e)
{
    if (e->f != NULL)
        fclose(e->f);
    if (e->pb.c != NULL)
        pithp_pb_free(&e->pb);
    pithp_free(c, e->path);
    *e = (pithp_events){ 0 };
}
