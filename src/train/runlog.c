/* log.jsonl: one JSON object a line, flushed line by line. On a resume it is cut back to where the
   checkpoint was made, so that it tells the run's history once. */
#include "train/train.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

json_t *pithp_json_real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static pith_status refused(pith_ctx *c, const char *path)
{
    return pithp_error(c, PITH_EIO,
                       "%s: cannot be written: %s; make room, or choose a run folder that may be written to",
                       path, strerror(errno));
}

/* The end of the last whole line within the first `keep` bytes. */
static int64_t whole_lines(FILE *f, int64_t keep)
{
    if (fseeko(f, 0, SEEK_END) != 0)
        return -1;
    int64_t at = PITHP_MIN((int64_t)ftello(f), keep);
    while (at > 0) {
        if (fseeko(f, at - 1, SEEK_SET) != 0)
            return -1;
        if (fgetc(f) == '\n')
            break;
        at--;
    }
    return at;
}

pith_status pithp_runlog_open(pith_ctx *c, pithp_runlog *l, const char *dir, bool resume, int64_t keep_bytes)
{
    l->path = pithp_sprintf(c, "%s/log.jsonl", dir);
    if (l->path == NULL)
        return PITH_ENOMEM;
    l->f = resume ? fopen(l->path, "r+e") : NULL;
    if (l->f == NULL && (!resume || errno == ENOENT))
        l->f = fopen(l->path, "we");
    if (l->f == NULL)
        return refused(c, l->path);
    int64_t at = resume ? whole_lines(l->f, keep_bytes) : 0;
    if (at < 0 || fflush(l->f) != 0 || ftruncate(fileno(l->f), at) != 0 || fseeko(l->f, at, SEEK_SET) != 0)
        return refused(c, l->path);
    return PITH_OK;
}

bool pithp_runlog_line(pithp_runlog *l, json_t *line)
{
    bool ok = true;
    if (l->f != NULL)
        ok = line != NULL && json_dumpf(line, l->f, JSON_COMPACT | JSON_REAL_PRECISION(8)) == 0 &&
             fputc('\n', l->f) != EOF && fflush(l->f) == 0;
    if (!ok)
        clearerr(l->f);
    json_decref(line);
    return ok;
}

int64_t pithp_runlog_bytes(const pithp_runlog *l) { return l->f == NULL ? 0 : (int64_t)ftello(l->f); }

void pithp_runlog_close(pith_ctx *c, pithp_runlog *l)
{
    if (l->f != NULL)
        fclose(l->f);
    pithp_free(c, l->path);
    *l = (pithp_runlog){ 0 };
}
