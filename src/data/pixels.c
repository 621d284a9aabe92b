/* data/pixels.c: a data set from pixels in memory, and one image from a file. */
#include "data/data.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- From memory --------------------------------------------------------------------------------------- */

static pith_status check(pith_ctx *c, const uint8_t *pixels, const int32_t *labels, int64_t n, int h, int w,
                         int64_t n_train, int size, int *classes)
{
    *classes = 0;
    if (!pixels || !labels || n < 1 || n > INT32_MAX)
        return pithp_error(c, PITH_EINVAL,
                           "a data set of %lld images: expected pixels, labels and at least one image",
                           (long long)n);
    if (h < PITHP_MIN_SIDE || w < PITHP_MIN_SIDE || h > PITHP_MAX_SIDE || w > PITHP_MAX_SIDE)
        return pithp_error(c, PITH_EINVAL, "images of %d x %d pixels: expected %d to %d a side", w, h,
                           (int)PITHP_MIN_SIDE, (int)PITHP_MAX_SIDE);
    if (size < 8 || size > 1024)
        return pithp_error(c, PITH_EINVAL, "image size %d: expected 8 to 1024 pixels", size);
    if (n_train < 1 || n_train > n)
        return pithp_error(c, PITH_EINVAL, "%lld of %lld images for training: expected 1 to all",
                           (long long)n_train, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= 20000)
            return pithp_error(c, PITH_EINVAL, "label %d of image %lld: expected 0 to 19999", (int)labels[i],
                               (long long)i);
        *classes = PITHP_MAX(*classes, labels[i] + 1);
    }
    if (*classes < 2)
        return pithp_error(c, PITH_EDATA, "all %lld images are of one class; at least two are needed",
                           (long long)n);
    return PITH_OK;
}

/* The names' block: one number per image ("0", "1", ...), then the class names. */
static pith_status name_all(pith_data *d, int64_t n, int classes, const char *const *names)
{
    pithp_strings s = { 0 };
    size_t *at = PITHP_NEW_N(d->c, size_t, n + classes);
    bool good = at != NULL;
    char number[24];
    for (int64_t i = 0; i < n + classes && good; i++) {
        snprintf(number, sizeof number, "%lld", (long long)(i < n ? i : i - n));
        good = pithp_strings_add(d->c, &s, i < n || !names ? number : names[i - n], &at[i]);
    }
    d->names = s.p;
    d->pack.names = s.p;
    d->pack.names_bytes = s.n;
    for (int64_t i = 0; i < n && good; i++)
        d->pack.image[i].path = at[i];
    for (int k = 0; k < classes && good; k++)
        d->pack.class_name[k] = s.p + at[n + k];
    pithp_free(d->c, at);
    return good ? PITH_OK : PITH_ENOMEM;
}

static pith_status fill(pith_data *d, const uint8_t *pixels, const int32_t *labels, int64_t n, int h, int w,
                        int64_t n_train, int classes, const char *const *names)
{
    size_t bytes = (size_t)h * (size_t)w * 3;
    d->own = pithp_alloc(d->c, (size_t)n, bytes);
    d->pack.image = PITHP_NEW_N(d->c, pithp_image, n);
    d->pack.class_name = PITHP_NEW_N(d->c, const char *, classes);
    d->dir = pithp_strdup(d->c, "pixels in memory");
    if (!d->own || !d->pack.image || !d->pack.class_name || !d->dir)
        return PITH_ENOMEM;
    memcpy(d->own, pixels, (size_t)n * bytes);
    d->base = d->own;
    d->pack.n = (size_t)n;
    d->pack.n_classes = (size_t)classes;
    d->pack.own_split = true;
    pith_status status = name_all(d, n, classes, names);
    for (int64_t i = 0; i < n && !status; i++) {
        pithp_image *m = &d->pack.image[i];
        m->offset = (uint64_t)i * bytes;
        m->hash = pithp_hash_pixels(d->own + m->offset, w, h);
        m->label = labels[i];
        m->width = (uint16_t)w, m->height = (uint16_t)h;
        m->full_width = (uint32_t)w, m->full_height = (uint32_t)h;
        m->split = i < n_train ? PITH_TRAIN : PITH_VAL;
        m->format = PITHP_BMP;
    }
    if (!status)
        status = pithp_split_by_hash(d, 0, 0); /* counts the duplicates; the split is given */
    return status ? status : pithp_data_index(d);
}

pith_data *pith_data_pixels(pith_ctx *c, const uint8_t *pixels, const int32_t *labels, int64_t n, int height,
                            int width, const char *const *names, int64_t n_train, int size)
{
    int classes;
    size = size ? size : PITHP_MIN(height, width);
    if (check(c, pixels, labels, n, height, width, n_train, size, &classes))
        return NULL;
    pith_data *d = pithp_data_new(c);
    if (!d)
        return NULL;
    d->size = size;
    d->store = PITHP_MIN(height, width);
    if (fill(d, pixels, labels, n, height, width, n_train, classes, names)) {
        pith_data_free(d);
        return NULL;
    }
    return d;
}

/* ---- One file ------------------------------------------------------------------------------------------ */

static pith_status load(pithp_work *w, const char *path, int size, pith_real *out)
{
    pithp_picture p;
    const char *reason = pithp_decode_file(w, path, pithp_store_size(size), 100000000, &p);
    if (w->failed)
        return PITH_ENOMEM;
    if (reason)
        return pithp_error(w->c, PITH_EFORMAT, "%s: %s; expected a JPEG, PNG, BMP or GIF image", path,
                           reason);
    void *memory = pithp_alloc(w->c, pithp_transform_bytes(size, p.width, p.height), 1);
    if (!memory)
        return PITH_ENOMEM;
    pithp_variant v = pithp_variant_eval(p.width, p.height, size);
    pithp_transform_run(pithp_transform_at(memory, w->c->isa, size, p.width, p.height), p.pixels, p.width, p.height, &v,
                        out);
    pithp_free(w->c, memory);
    return PITH_OK;
}

pith_status pith_data_image_load(pith_ctx *c, const char *path, int size, pith_real *out)
{
    struct stat st;
    if (size < 8 || size > 1024)
        return pithp_error(c, PITH_EINVAL, "image size %d: expected 8 to 1024 pixels", size);
    if (stat(path, &st))
        return pithp_error(c, errno == ENOENT || errno == ENOTDIR ? PITH_ENOTFOUND : PITH_EIO, "%s: %s", path,
                           strerror(errno));
    if (S_ISDIR(st.st_mode))
        return pithp_error(c, PITH_EINVAL, "%s: is a folder; expected an image file", path);
    pithp_work w = { .c = c };
    pith_status status = load(&w, path, size, out);
    pithp_work_free(&w);
    return status;
}
