/* base/folder.c: making folders. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static pith_status make_one(pith_ctx *c, const char *path)
{
    struct stat st;
    if (!mkdir(path, 0777))
        return PITH_OK;
    int e = errno;
    if (!stat(path, &st)) /* not only after EEXIST: a read-only system says EROFS of folders that are there */
        return S_ISDIR(st.st_mode)
                   ? PITH_OK
                   : pithp_error(c, PITH_EIO, "%s: exists and is not a folder; choose another name", path);
    return pithp_error(c, PITH_EIO, "%s: the folder cannot be made: %s", path, strerror(e));
}

pith_status pithp_mkdirs(pith_ctx *c, const char *path)
{
    char *copy = *path ? pithp_strdup(c, path) : NULL;
    if (!copy)
        return *path ? PITH_ENOMEM : pithp_error(c, PITH_EINVAL, "a folder's name is empty");
    pith_status s = PITH_OK;
    for (char *p = copy; !s && *p; p++)
        if (*p == '/' && p > copy && p[-1] != '/') {
            *p = 0;
            s = make_one(c, copy);
            *p = '/';
        }
    if (!s)
        s = make_one(c, copy);
    pithp_free(c, copy);
    return s;
}
