/* base/save.c: files that are either the old one or the new one, whole, at every instant.
   Write beside, fsync, rename, fsync the folder; the previous file gets its second name before it loses
   its first. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *advice(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT: return "; make room and save again";
    case EFBIG: return "; raise the limit on file sizes (ulimit -f)";
    case EACCES:
    case EPERM:
    case EROFS: return "; choose a folder that may be written to";
    case ENOENT:
    case ENOTDIR: return "; make its folder first";
    default: return "";
    }
}

static pith_status refused(pith_ctx *c, const char *path, const char *verb, int e)
{
    return pithp_error(c, e == ENOENT || e == ENOTDIR ? PITH_ENOTFOUND : PITH_EIO, "%s: cannot %s: %s%s",
                       path, verb, strerror(e), advice(e));
}

/* Length of the folder part of a path, with its slash; 0 if there is none. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The file beside: a hidden name of its own in the same folder, so that the rename stays within one file
   system. */
static pith_status open_beside(pith_ctx *c, pithp_save *s, int *fd)
{
    int folder = (int)folder_length(s->path);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        s->temp = pithp_sprintf(c, "%.*s.%.200s.tmp-%ld-%04x", folder, s->path, s->path + folder,
                                (long)getpid(), ((unsigned)now.tv_nsec / 1000 + attempt * 7919) & 0xffff);
        if (!s->temp)
            return PITH_ENOMEM;
        *fd = open(s->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (*fd >= 0)
            return PITH_OK;
        int e = errno;
        pithp_free(c, s->temp);
        s->temp = NULL;
        if (e != EEXIST)
            return refused(c, s->path, "be written", e);
    }
    return refused(c, s->path, "be written", EEXIST);
}

/* A device or pipe (/dev/stdout, /dev/null) is written directly: renaming over it would destroy it. */
static pith_status open_fd(pith_ctx *c, pithp_save *s, int *fd)
{
    struct stat st;
    bool exists = !stat(s->path, &st);
    if (exists && S_ISDIR(st.st_mode))
        return pithp_error(c, PITH_EINVAL, "%s: is a folder; expected a file name", s->path);
    if (exists && !S_ISREG(st.st_mode)) {
        *fd = open(s->path, O_WRONLY | O_CLOEXEC);
        return *fd < 0 ? refused(c, s->path, "be written", errno) : PITH_OK;
    }
    pith_status status = open_beside(c, s, fd);
    if (!status && exists)
        (void)fchmod(*fd,
                     st.st_mode & 0777); /* a kindness: without it the file is only less or more readable */
    return status;
}

/* The path to write to: a symbolic link stays, what it points to is replaced. */
static char *target(pith_ctx *c, const char *path)
{
    struct stat st;
    char *real = NULL;
    if (!lstat(path, &st) && S_ISLNK(st.st_mode) && !stat(path, &st) && S_ISREG(st.st_mode))
        real = realpath(path, NULL);
    char *copy = pithp_strdup(c, real ? real : path);
    free(real);
    return copy;
}

pith_status pithp_save_begin(pith_ctx *c, pithp_save *s, const char *path)
{
    *s = (pithp_save){ 0 };
    size_t n = strlen(path);
    if (!n || path[n - 1] == '/')
        return pithp_error(c, PITH_EINVAL, "\"%s\" cannot be saved to: expected a file name", path);
    if (!(s->path = target(c, path)))
        return PITH_ENOMEM;
    int fd = -1;
    pith_status status = open_fd(c, s, &fd);
    if (!status && !(s->f = fdopen(fd, "wb"))) {
        close(fd);
        status = pithp_nomem(c, path);
    }
    if (status)
        pithp_save_abort(c, s);
    return status;
}

pith_status pithp_save_write(pith_ctx *c, pithp_save *s, const void *p, size_t n)
{
    if (!s->f)
        return pithp_error(c, PITH_EIO, "nothing to write to: this save has failed or ended already");
    if (n && fwrite(p, 1, n, s->f) != n)
        return refused(c, s->path, "be written", errno);
    return PITH_OK;
}

/* Everything on the disk, and the stream closed. */
static pith_status flush(pith_ctx *c, pithp_save *s)
{
    bool failed = ferror(s->f);
    int e = failed ? EIO : 0;
    if (fflush(s->f) && !failed)
        failed = true, e = errno;
    if (!failed && fsync(fileno(s->f)) && errno != EINVAL && errno != EROFS) /* EINVAL: a pipe or device */
        failed = true, e = errno;
    if (fclose(s->f) && !failed)
        failed = true, e = errno;
    s->f = NULL;
    return failed ? refused(c, s->path, "be written", e) : PITH_OK;
}

/* For file systems without hard links. */
static int copy_file(const char *from, const char *to)
{
    char buf[16384];
    ssize_t n = -1;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (in >= 0 && out >= 0)
        while ((n = read(in, buf, sizeof buf)) > 0)
            for (ssize_t done = 0, w; done < n; done += w)
                if ((w = write(out, buf + done, (size_t)(n - done))) < 0) {
                    n = -1;
                    goto end;
                }
end:;
    int e = errno;
    if (!n && fsync(out))
        n = -1, e = errno;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    errno = e;
    return n < 0 ? -1 : 0;
}

/* PATH.prev becomes a second name of PATH; PATH itself is there all the time. */
static pith_status keep(pith_ctx *c, const pithp_save *s)
{
    pith_status status = PITH_ENOMEM;
    char *prev = pithp_sprintf(c, "%s.prev", s->path), *beside = pithp_sprintf(c, "%s-prev", s->temp);
    if (prev && beside) {
        status = PITH_OK;
        if (link(s->path, beside)) {
            if (errno == ENOENT)
                goto end; /* nothing to keep */
            if (copy_file(s->path, beside))
                status = refused(c, prev, "keep the previous file there", errno);
        }
        if (!status && rename(beside, prev))
            status = refused(c, prev, "keep the previous file there", errno);
        unlink(beside); /* also when the rename did nothing, because both names were one file already */
    }
end:
    pithp_free(c, prev);
    pithp_free(c, beside);
    return status;
}

/* Makes the renames durable. */
static pith_status sync_folder(pith_ctx *c, const pithp_save *s)
{
    size_t n = folder_length(s->path);
    char *folder = n ? pithp_strdup(c, s->path) : NULL;
    if (n && !folder)
        return PITH_ENOMEM;
    if (folder)
        folder[n] = 0;
    int fd = open(folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pithp_free(c, folder);
    int e = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (e && e != EINVAL && e != EACCES &&
        e != EROFS) /* some systems have no fsync for folders, or no reading */
        return refused(c, s->path, "make the new name durable", e);
    return PITH_OK;
}

pith_status pithp_save_commit(pith_ctx *c, pithp_save *s, bool keep_previous)
{
    if (!s->f)
        return pithp_save_write(c, s, NULL, 0);
    pith_status status = flush(c, s);
    if (s->temp) { /* else written directly */
        if (!status && keep_previous)
            status = keep(c, s);
        if (!status && rename(s->temp, s->path))
            status = refused(c, s->path, "be replaced", errno);
        if (!status) {
            pithp_free(c, s->temp);
            s->temp = NULL;
            status = sync_folder(c, s);
        }
    }
    pithp_save_abort(c, s);
    return status;
}

void pithp_save_abort(pith_ctx *c, pithp_save *s)
{
    if (s->f)
        fclose(s->f);
    if (s->temp)
        unlink(s->temp);
    pithp_free(c, s->temp);
    pithp_free(c, s->path);
    *s = (pithp_save){ 0 };
}

pith_status pithp_file_write(pith_ctx *c, const char *path, const void *p, size_t n)
{
    pithp_save s;
    pith_status e = pithp_save_begin(c, &s, path);
    if (e == PITH_OK)
        e = pithp_save_write(c, &s, p, n);
    if (e == PITH_OK)
        e = pithp_save_commit(c, &s, false);
    if (e != PITH_OK)
        pithp_save_abort(c, &s);
    return e;
}
