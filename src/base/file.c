/* base/file.c: reading a whole file by mapping it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_missing(int e) { return e == ENOENT || e == ENOTDIR; }

static pith_status map_file(pith_ctx *c, pithp_map *m, const char *path)
{
    struct stat st;
    if (fstat(m->fd, &st))
        return pithp_error(c, PITH_EIO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return pithp_error(c, PITH_EINVAL, "%s: is %s; expected a regular file", path,
                           S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    static const uint8_t nothing[1];
    if (!st.st_size) { /* the kernel maps no empty file */
        m->p = nothing;
        return PITH_OK;
    }
    void *p = MAP_FAILED;
    if ((uintmax_t)st.st_size <= PTRDIFF_MAX)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->fd, 0);
    if (p == MAP_FAILED)
        return pithp_error(c, errno == ENOMEM ? PITH_ENOMEM : PITH_EIO,
                           "%s: its %lld bytes cannot be mapped: %s", path, (long long)st.st_size,
                           strerror(errno));
    m->p = p;
    m->n = (size_t)st.st_size;
    return PITH_OK;
}

pith_status pithp_map_open(pith_ctx *c, pithp_map *m, const char *path)
{
    *m = (pithp_map){ .fd = -1 };
    m->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe's open would wait for its writer */
    if (m->fd < 0)
        return pithp_error(c, is_missing(errno) ? PITH_ENOTFOUND : PITH_EIO, "%s: cannot be opened: %s", path,
                           strerror(errno));
    pith_status s = map_file(c, m, path);
    if (s) {
        close(m->fd);
        m->fd = -1;
    }
    return s;
}

void pithp_map_close(pithp_map *m)
{
    if (!m->p) /* closed already, or all zero: then fd 0 is not ours */
        return;
    if (m->n)
        munmap((void *)(uintptr_t)m->p, m->n);
    close(m->fd);
    *m = (pithp_map){ .fd = -1 };
}
