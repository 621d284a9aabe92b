/* data/cache_path.c: where the packed file lies. Never in the folder of photographs: it may be read-only, and
   it is not ours. */
#include "data/data.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Like mkdir -p, but failing is no error: there are other places. Private, as caches are. */
static bool make_folder(char *path)
{
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            (void)mkdir(path, 0777);
            *p = '/';
        }
    (void)mkdir(path, 0700);
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !access(path, W_OK | X_OK);
}

static char *candidate(pith_ctx *c, int i)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *tmp = getenv("TMPDIR");
    switch (i) {
    case 0: return xdg && xdg[0] == '/' ? pithp_sprintf(c, "%s/pith", xdg) : NULL;
    case 1: return home && home[0] == '/' ? pithp_sprintf(c, "%s/.cache/pith", home) : NULL;
    default:
        return pithp_sprintf(c, "%s/pith-%lu", tmp && tmp[0] == '/' ? tmp : "/tmp", (unsigned long)geteuid());
    }
}

char *pithp_cache_path(pith_ctx *c, const char *root, int store, bool *writable)
{
    uint64_t h = pithp_hash64(root, strlen(root));
    for (int i = 0; i < 3; i++) {
        char *folder = candidate(c, i);
        if (!folder)
            continue;
        *writable = make_folder(folder);
        char *path = pithp_sprintf(c, "%s/%016llx-%d.pack", folder, (unsigned long long)h, store);
        struct stat st;
        /* a file that is there already is good even where a new one could not be made; but it must be ours */
        bool usable =
            path && (*writable || (!stat(path, &st) && st.st_uid == geteuid() && !access(path, R_OK)));
        pithp_free(c, folder);
        if (usable || !path)
            return path;
        pithp_free(c, path);
    }
    pithp_error(c, PITH_EIO,
                "no place for the packed images: neither $XDG_CACHE_HOME, ~/.cache nor $TMPDIR can be "
                "written; name a file (cache)");
    return NULL;
}
