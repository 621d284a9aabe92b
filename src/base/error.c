/* base/error.c: the first error sticks; messages for the log. */
#include "base/base.h"
#include <string.h>

/* Keeps the first message; true if this is it. */
static bool record(pith_ctx *c, pith_status code, const char *fmt, va_list ap)
{
    if (!c || c->status)
        return false;
    vsnprintf(c->error, sizeof c->error, fmt, ap);
    c->status = code;
    return true;
}

#ifdef PITHP_SMALL
pith_status pithp_error(pith_ctx *c, pith_status code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    record(c, code, fmt, ap);
    va_end(ap);
    return code;
}
#else
/* "/somewhere/pith/src/ops/conv2d.c" -> "src/ops/conv2d.c", whatever the build folder was. */
static const char *short_file(const char *file)
{
    const char *found = NULL;
    for (const char *p = file; *p; p++)
        if ((p == file || p[-1] == '/') && (!strncmp(p, "src/", 4) || !strncmp(p, "tests/", 6)))
            found = p;
    return found ? found : file;
}

pith_status pithp_error_at(pith_ctx *c, pith_status code, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool first = record(c, code, fmt, ap);
    va_end(ap);
    if (first)
        snprintf(c->where, sizeof c->where, "%s:%d", short_file(file), line);
    return code;
}
#endif

void pithp_log(const pith_ctx *c, pith_log_level level, const char *fmt, ...)
{
    if (!c || !c->cfg.log)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->cfg.log(c->cfg.log_user, level, text);
}

const char *pith_status_name(pith_status s)
{
    switch (s) {
    case PITH_OK: return "PITH_OK";
    case PITH_EINVAL: return "PITH_EINVAL";
    case PITH_ESHAPE: return "PITH_ESHAPE";
    case PITH_ENOMEM: return "PITH_ENOMEM";
    case PITH_EIO: return "PITH_EIO";
    case PITH_EFORMAT: return "PITH_EFORMAT";
    case PITH_ENOTFOUND: return "PITH_ENOTFOUND";
    case PITH_ESTALE: return "PITH_ESTALE";
    case PITH_ENAN: return "PITH_ENAN";
    case PITH_EDATA: return "PITH_EDATA";
    case PITH_ESTOPPED: return "PITH_ESTOPPED";
    case PITH_EBUG: return "PITH_EBUG";
    }
    return "unknown status";
}
