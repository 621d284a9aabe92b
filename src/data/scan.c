/* data/scan.c: walks a folder of photographs. Names are bytes, links are followed once, nothing is opened but
   folders. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/kind.h"
#include "data/data.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 32 };

/* What file managers and archives leave behind. */
static bool is_litter(const char *name)
{
    static const char *const litter[] = { "Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir", "$RECYCLE.BIN" };
    if (name[0] == '.')
        return true;
    for (size_t i = 0; i < PITHP_LEN(litter); i++)
        if (!strcasecmp(name, litter[i]))
            return true;
    return false;
}

static int by_name(const void *a, const void *b, void *names)
{
    const pithp_entry *x = a, *y = b;
    return strcmp((char *)names + x->name, (char *)names + y->name);
}

static pith_status list_entry(pith_ctx *c, int fd, const char *name, pithp_listing *l)
{
    struct stat st;
    bool gone =
        fstatat(fd, name, &st, 0); /* a dangling link is a file that cannot be opened: it will be reported */
    if (!gone && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        l->ignored++; /* a pipe would block us, a device never end */
        return PITH_OK;
    }
    pithp_entry e = { .is_file = gone || S_ISREG(st.st_mode) };
    e.is_dir = !e.is_file;
    if (!gone) {
        e.bytes = (uint64_t)st.st_size;
        e.dev = (uint64_t)st.st_dev;
        e.ino = (uint64_t)st.st_ino;
        e.mtime = (int64_t)((uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec);
    }
    if (!pithp_strings_add(c, &l->names, name, &e.name) || !pithp_grow(c, &l->e, &l->cap, l->n, sizeof *l->e))
        return pith_ctx_status(c);
    l->e[l->n++] = e;
    return PITH_OK;
}

static pith_status no_folder(pith_ctx *c, const char *path, int e)
{
    const char *kind = e == ENOTDIR ? pithp_kind_of(path) : NULL;
    if (kind)
        return pithp_error(c, PITH_ENOTFOUND, "%s: is %s; expected a folder of images", path, kind);
    return pithp_error(c, e == ENOENT || e == ENOTDIR ? PITH_ENOTFOUND : PITH_EIO,
                       "%s: cannot be read as a folder of images: %s", path, strerror(e));
}

pith_status pithp_list(pith_ctx *c, const char *path, pithp_listing *l)
{
    *l = (pithp_listing){ 0 };
    DIR *d = opendir(path);
    if (!d)
        return no_folder(c, path, errno);
    pith_status status = PITH_OK;
    errno = 0;
    for (struct dirent *de; !status && (de = readdir(d)); errno = 0) {
        if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
            continue;
        if (is_litter(de->d_name))
            l->ignored++;
        else
            status = list_entry(c, dirfd(d), de->d_name, l);
    }
    if (!status && errno)
        status = pithp_error(c, PITH_EIO, "%s: cannot be read to its end: %s", path, strerror(errno));
    closedir(d);
    if (!status && l->n)
        qsort_r(l->e, l->n, sizeof *l->e, by_name, l->names.p);
    if (status)
        pithp_list_free(c, l);
    return status;
}

void pithp_list_free(pith_ctx *c, pithp_listing *l)
{
    pithp_free(c, l->names.p);
    pithp_free(c, l->e);
    *l = (pithp_listing){ 0 };
}

pith_status pithp_scan_add(pithp_scan *s, const char *path, const pithp_entry *e, int label, int split)
{
    pithp_source f = { .bytes = e->bytes, .mtime = e->mtime, .label = label, .split = (uint8_t)split };
    if (!pithp_strings_add(s->c, &s->names, path, &f.path) ||
        !pithp_grow(s->c, &s->file, &s->cap, s->n, sizeof *s->file))
        return pith_ctx_status(s->c);
    s->file[s->n++] = f;
    return PITH_OK;
}

pith_status pithp_scan_class(pithp_scan *s, const char *name, int *label)
{
    for (size_t i = 0; i < s->n_classes; i++)
        if (!strcmp(s->names.p + s->class_name[i], name)) {
            *label = (int)i;
            return PITH_OK;
        }
    if (s->n_classes == 20000)
        return pithp_error(s->c, PITH_EDATA,
                           "%s: more than 20,000 classes; is this a folder of class folders?", s->root);
    if (!pithp_grow(s->c, &s->class_name, &s->class_cap, s->n_classes, sizeof *s->class_name) ||
        !pithp_strings_add(s->c, &s->names, name, &s->class_name[s->n_classes]))
        return pith_ctx_status(s->c);
    *label = (int)s->n_classes++;
    return PITH_OK;
}

pith_status pithp_scan_enter(pithp_scan *s, const char *path, bool *again)
{
    struct stat st;
    *again = false;
    if (stat(path, &st))
        return PITH_OK; /* opening it will say why */
    pithp_inode here = { (uint64_t)st.st_dev, (uint64_t)st.st_ino };
    for (size_t i = 0; i < s->n_seen; i++)
        if (s->seen[i].dev == here.dev && s->seen[i].ino == here.ino) {
            *again = true;
            return PITH_OK;
        }
    if (!pithp_grow(s->c, &s->seen, &s->seen_cap, s->n_seen, sizeof *s->seen))
        return pith_ctx_status(s->c);
    s->seen[s->n_seen++] = here;
    return PITH_OK;
}

pith_status pithp_scan_walk(pithp_scan *s, const char *rel, int label, int split, int depth)
{
    char *path = pithp_sprintf(s->c, "%s/%s", s->root, rel);
    if (!path)
        return PITH_ENOMEM;
    pithp_listing l = { 0 };
    bool again;
    pith_status status = pithp_scan_enter(s, path, &again);
    if (!status && depth &&
        (again || depth > MAX_DEPTH)) { /* a class folder itself was entered before the walk */
        s->ignored++;
        goto end;
    }
    if (!status)
        status = pithp_list(s->c, path, &l);
    s->ignored += l.ignored;
    for (size_t i = 0; i < l.n && !status; i++) {
        char *child = pithp_sprintf(s->c, "%s/%s", rel, l.names.p + l.e[i].name);
        if (!child)
            status = PITH_ENOMEM;
        else if (l.e[i].is_dir)
            status = pithp_scan_walk(s, child, label, split, depth + 1);
        else
            status = pithp_scan_add(s, child, &l.e[i], label, split);
        pithp_free(s->c, child);
    }
end:
    pithp_list_free(s->c, &l);
    pithp_free(s->c, path);
    return status;
}

static int class_order(const void *a, const void *b, void *names)
{
    return strcmp((char *)names + *(const size_t *)a, (char *)names + *(const size_t *)b);
}

static int file_order(const void *a, const void *b, void *names)
{
    const pithp_source *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return strcmp((char *)names + x->path, (char *)names + y->path);
}

/* Classes by name, files by class and path, whatever order the folders came in. */
static pith_status sort_all(pithp_scan *s)
{
    size_t *sorted = PITHP_NEW_N(s->c, size_t, s->n_classes + 1);
    int32_t *number = PITHP_NEW_N(s->c, int32_t, s->n_classes + 1);
    if (sorted && number && s->n_classes) {
        memcpy(sorted, s->class_name, s->n_classes * sizeof *sorted);
        qsort_r(sorted, s->n_classes, sizeof *sorted, class_order, s->names.p);
        for (size_t old = 0; old < s->n_classes; old++)
            for (size_t i = 0; i < s->n_classes; i++)
                if (sorted[i] == s->class_name[old]) {
                    number[old] = (int32_t)i;
                    break;
                }
        memcpy(s->class_name, sorted, s->n_classes * sizeof *sorted);
        for (size_t i = 0; i < s->n; i++)
            if (s->file[i].label >= 0)
                s->file[i].label = number[s->file[i].label];
    }
    pith_status status = sorted && number ? PITH_OK : PITH_ENOMEM;
    pithp_free(s->c, sorted);
    pithp_free(s->c, number);
    if (!status && s->n)
        qsort_r(s->file, s->n, sizeof *s->file, file_order, s->names.p);
    return status;
}

static uint64_t fingerprint(const pithp_scan *s)
{
    uint64_t h = pithp_hash_bytes(s->own_split, s->root, strlen(s->root));
    for (size_t i = 0; i < s->n_classes; i++) {
        const char *name = s->names.p + s->class_name[i];
        h = pithp_hash_bytes(h, name, strlen(name));
    }
    for (size_t i = 0; i < s->n; i++) {
        const pithp_source *f = &s->file[i];
        const char *path = s->names.p + f->path;
        uint64_t v[4] = { f->bytes, (uint64_t)f->mtime, (uint64_t)(int64_t)f->label, f->split };
        h = pithp_hash_bytes(pithp_hash_bytes(h, path, strlen(path)), v, sizeof v);
    }
    return h;
}

pith_status pithp_scan_dir(pith_ctx *c, const char *dir, pithp_scan *s)
{
    *s = (pithp_scan){ .c = c };
    char *real = realpath(dir, NULL);
    if (!real)
        return pithp_error(
            c, errno == ENOENT || errno == ENOTDIR ? PITH_ENOTFOUND : PITH_EIO,
            "%s: no folder of images there: %s; give a folder with one sub-folder of images per class", dir,
            strerror(errno));
    s->root = pithp_strdup(c, real);
    free(real);
    pith_status status = s->root ? pithp_layout(s) : PITH_ENOMEM;
    if (!status)
        status = sort_all(s);
    if (!status)
        s->fingerprint = fingerprint(s);
    else
        pithp_scan_free(s);
    return status;
}

void pithp_scan_free(pithp_scan *s)
{
    if (!s->c)
        return;
    pithp_free(s->c, s->root);
    pithp_free(s->c, s->names.p);
    pithp_free(s->c, s->file);
    pithp_free(s->c, s->class_name);
    pithp_free(s->c, s->seen);
    *s = (pithp_scan){ 0 };
}
