/* data/images.c: a folder of photographs becomes a data set: scan, cache, split, checks, report. */
#include "base/kind.h"
#include "data/data.h"
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static pith_status check_cfg(pith_ctx *c, const char *dir, pith_images_cfg *cfg)
{
    cfg->size = cfg->size ? cfg->size : 96;
    cfg->val = PITH_OR(cfg->val, 0.1);
    cfg->max_bad = PITH_OR(cfg->max_bad, 0.01);
    cfg->max_pixels = cfg->max_pixels ? cfg->max_pixels : 100000000;
    if (!dir || !dir[0])
        return pithp_error(c, PITH_EINVAL, "no folder of images given; give one with a sub-folder per class");
    if (cfg->size < 8 || cfg->size > 1024)
        return pithp_error(c, PITH_EINVAL, "image size %d: expected 8 to 1024 pixels", cfg->size);
    if (!(cfg->val >= 0 && cfg->val < 1))
        return pithp_error(c, PITH_EINVAL, "share for validation %g: expected 0 to 1, without 1", cfg->val);
    if (!(cfg->max_bad >= 0 && cfg->max_bad <= 1))
        return pithp_error(c, PITH_EINVAL, "largest share of bad files %g: expected 0 to 1", cfg->max_bad);
    if (cfg->max_pixels < 64)
        return pithp_error(c, PITH_EINVAL, "largest area %lld: expected at least 64 pixels",
                           (long long)cfg->max_pixels);
    return PITH_OK;
}

/* What can be seen from the names alone, before anything is decoded. */
static pith_status check_scan(const pithp_scan *s)
{
    if (!s->n)
        return pithp_error(s->c, PITH_EDATA,
                           "%s: no images; expected one sub-folder of images per class, the same "
                           "below train/ and val/, or names like cat.123.jpg",
                           s->root);
    if (s->n_classes < 2)
        return pithp_error(s->c, PITH_EDATA,
                           "%s: %s%s%s; at least two classes are needed, each a sub-folder of its "
                           "own or the first part of names like cat.123.jpg",
                           s->root, s->n_classes ? "only one class, \"" : "no classes",
                           s->n_classes ? s->names.p + s->class_name[0] : "", s->n_classes ? "\"" : "");
    size_t at = 0; /* files are in order of class */
    for (size_t k = 0; k < s->n_classes; k++) {
        while (at < s->n && s->file[at].label < (int32_t)k)
            at++;
        if (at == s->n || s->file[at].label != (int32_t)k)
            return pithp_error(s->c, PITH_EDATA,
                               "%s: class \"%s\" has no files; fill its folder or remove it", s->root,
                               s->names.p + s->class_name[k]);
    }
    return PITH_OK;
}

static pith_status check_bad(const pith_data *d, double max_bad)
{
    const pith_data_report *r = &d->report;
    if ((double)r->n_bad <= max_bad * (double)r->files)
        return PITH_OK;
    return pithp_error(
        d->c, PITH_EDATA,
        "%s: %lld of %lld files cannot be used (%.3g%%, allowed %.3g%%), the first is %s: %s; remove them, "
        "or allow more (max_bad)",
        d->dir, (long long)r->n_bad, (long long)r->files, 100.0 * (double)r->n_bad / (double)r->files,
        100 * max_bad, r->bad[0].path, r->bad[0].reason);
}

/* The names of classes that one split has and the other has not, as many as fit. */
static void only_in(const pith_data *d, pith_split split, char *text, size_t room)
{
    const int64_t *has = d->count + split * d->n_classes, *lacks = d->count + (1 - split) * d->n_classes;
    size_t at = 0;
    for (int k = 0; k < d->n_classes && at + 8 < room; k++)
        if (has[k] && !lacks[k]) {
            int n = snprintf(text + at, room - at, "%s\"%.40s\"", at ? ", " : "", d->pack.class_name[k]);
            if (n < 0 || (size_t)n >= room - at - 4) {
                snprintf(text + at, room - at, at ? ", ..." : "...");
                return;
            }
            at += (size_t)n;
        }
}

static pith_status labels_differ(const pith_data *d, const char *name)
{
    char val[160] = "", train[160] = "";
    only_in(d, PITH_VAL, val, sizeof val);
    only_in(d, PITH_TRAIN, train, sizeof train);
    return pithp_error(
        d->c, PITH_EDATA,
        "%s: class \"%s\" has images for validation but none for training; only for validation "
        "there are %s, only for training %s%s",
        d->dir, name, val, train[0] ? train : "none",
        train[0] ? ": are these the same classes, spelt in two ways?" : "");
}

static pith_status check_classes(const pith_data *d, bool wants_val)
{
    for (int k = 0; k < d->n_classes; k++) {
        int64_t train = d->count[k], val = d->count[d->n_classes + k];
        const char *name = d->pack.class_name[k];
        if (!train && !val)
            return pithp_error(d->c, PITH_EDATA, "%s: class \"%s\" has no usable image", d->dir, name);
        if (!train)
            return labels_differ(d, name);
        if (!val && wants_val && d->pack.own_split)
            pithp_log(d->c, PITH_LOG_WARN, "%s: class \"%s\" has no images for validation", d->dir, name);
    }
    if (!d->n[PITH_VAL] && wants_val)
        return pithp_error(d->c, PITH_EDATA,
                           "%s: no image for validation; add images to each class, or give a larger "
                           "share (val)",
                           d->dir);
    return PITH_OK;
}

/* Maps the cache if it is there, whole, and made from these very files in this very way. */
static bool open_cache(pith_data *d, const pithp_scan *s, uint64_t settings)
{
    if (access(d->cache, R_OK))
        return false;
    pith_status before = pith_ctx_status(d->c);
    if (pithp_map_open(d->c, &d->map, d->cache)) {
        d->map = (pithp_map){ .fd = -1 };
        if (!before)
            pith_ctx_clear(d->c); /* not readable: it will be written anew */
        return false;
    }
    const char *wrong = pithp_pack_parse(d->c, d->map.p, d->map.n, &d->pack);
    if (wrong)
        pithp_log(d->c, PITH_LOG_WARN, "%s: %s; decoding the images again", d->cache, wrong);
    else if (d->pack.source == s->fingerprint && d->pack.settings == settings)
        return true;
    else
        pithp_log(d->c, PITH_LOG_INFO, "%s has changed; decoding the images again", d->dir);
    pithp_pack_free(d->c, &d->pack);
    pithp_map_close(&d->map);
    d->map = (pithp_map){ .fd = -1 };
    return false;
}

static pith_status find_pack(pith_data *d, const pithp_scan *s, const pith_images_cfg *cfg)
{
    bool writable = true;
    d->cache =
        cfg->cache ? pithp_strdup(d->c, cfg->cache) : pithp_cache_path(d->c, s->root, d->store, &writable);
    if (!d->cache)
        return PITH_EIO;
#ifdef HAVE_LIBJPEG
    uint64_t decoder = 3; /* a new number whenever other files are let in, or other pixels come out */
#else
    uint64_t decoder = 4;
#endif
    uint64_t how[3] = { (uint64_t)d->store, (uint64_t)cfg->max_pixels, decoder };
    uint64_t settings = pithp_hash_bytes(0, how, sizeof how);
    if (cfg->cache && !pithp_pack_may_replace(cfg->cache)) {
        const char *kind = pithp_kind_of(cfg->cache);
        return pithp_error(d->c, PITH_EINVAL,
                           "%s: is %s, not a data set's cache; name another file (cache), or remove it",
                           cfg->cache, kind ? kind : "another's file");
    }
    if (!cfg->rebuild && open_cache(d, s, settings))
        return PITH_OK;
    pithp_log(d->c, PITH_LOG_INFO, "decoding %zu files of %s into %s", s->n, s->root, d->cache);
    pith_status status = pithp_pack_build(d->c, s, d->cache, d->store, settings, cfg);
    if (status)
        return status;
    d->report.built = true;
    if (!open_cache(d, s, settings))
        return pithp_error(d->c, PITH_EIO, "%s: cannot be read back after it was written", d->cache);
    return PITH_OK;
}

static pith_status open_images(pith_data *d, const char *dir, pith_images_cfg *cfg)
{
    pithp_scan s = { 0 };
    pith_status status = pithp_scan_dir(d->c, dir, &s);
    if (!status)
        status = check_scan(&s);
    if (!status && !(d->dir = pithp_strdup(d->c, s.root)))
        status = PITH_ENOMEM;
    if (!status)
        status = find_pack(d, &s, cfg);
    d->base = d->map.p;
    if (!status)
        status = pithp_split_by_hash(d, cfg->val, cfg->seed);
    if (!status)
        status = pithp_data_index(d);
    if (!status)
        status = check_bad(d, cfg->max_bad);
    if (!status)
        status = check_classes(d, cfg->val > 0);
    pithp_scan_free(&s);
    return status;
}

pith_data *pith_data_images(pith_ctx *c, const char *dir, pith_images_cfg cfg)
{
    double start = now();
    if (check_cfg(c, dir, &cfg))
        return NULL;
    pith_data *d = pithp_data_new(c);
    if (!d)
        return NULL;
    d->size = cfg.size;
    d->store = pithp_store_size(cfg.size);
    if (open_images(d, dir, &cfg)) {
        pith_data_free(d);
        return NULL;
    }
    const pith_data_report *r = &d->report;
    d->report.seconds = now() - start;
    if (r->n_bad)
        pithp_log(c, PITH_LOG_WARN,
                  "%s: %lld of %lld files are no usable images and are left out, the first is %s: %s", d->dir,
                  (long long)r->n_bad, (long long)r->files, r->bad[0].path, r->bad[0].reason);
    if (r->across)
        pithp_log(c, PITH_LOG_WARN, "%s: %lld images are in the training and the validation split at once",
                  d->dir, (long long)r->across);
    if (r->conflicting)
        pithp_log(c, PITH_LOG_WARN, "%s: %lld images are in two classes at once", d->dir,
                  (long long)r->conflicting);
    pithp_log(c, PITH_LOG_INFO, "%s: %d classes, %lld images for training, %lld for validation", d->dir,
              d->n_classes, (long long)d->n[PITH_TRAIN], (long long)d->n[PITH_VAL]);
    return d;
}
