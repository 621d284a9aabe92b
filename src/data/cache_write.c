/* data/cache_write.c: decodes a whole folder into one packed file. Files are decoded in parallel, a batch at
   a time, and written in their order, so the bytes do not depend on the number of threads. The new file
   replaces the old one only when it is complete. */
#include "data/data.h"
#include "data/pack.h"
#include <string.h>

enum { MAX_THREADS = 64, MAX_CHUNK = 256, CHUNK_BYTES = 64 << 20 };

/* One file of the chunk at work. */
typedef struct {
    uint8_t *pixels; /* room for the largest stored image */
    pithp_picture picture;
    uint64_t hash;
    char reason[PITHP_REASON]; /* empty: it is good */
} slot;

typedef struct {
    pith_ctx *c;
    const pithp_scan *scan;
    const pith_images_cfg *cfg;
    int store, threads;
    int64_t max_pixels;
    size_t room; /* bytes of a slot's pixels */
    pithp_work work[MAX_THREADS];
    pthread_mutex_t lock;
    slot *slots;  /* [chunk] */
    size_t chunk; /* files decoded at a time: some for every thread, else within CHUNK_BYTES */
    uint8_t *pixels;
    size_t first; /* file of slot 0 */

    pithp_save save;
    uint64_t offset;
    pithp_strings names;
    pithp_pack_rec *rec;
    size_t n, cap;
    uint32_t *bad; /* pairs: path, reason */
    size_t n_bad, bad_cap;
    int tenths; /* of the progress that was logged */
} builder;

static void decode_one(void *arg, int64_t tile, int thread)
{
    builder *b = arg;
    slot *s = &b->slots[tile];
    const pithp_source *f = &b->scan->file[b->first + (size_t)tile];
    pithp_work *w = &b->work[thread];
    char path[8192];
    const char *reason = "its name tells no class (expected class.number.jpg, or a folder per class)";
    if (f->label >= 0) {
        int len = snprintf(path, sizeof path, "%s/%s", b->scan->root, b->scan->names.p + f->path);
        reason = len < 0 || (size_t)len >= sizeof path
                     ? "its path is too long"
                     : pithp_decode_file(w, path, b->store, b->max_pixels, &s->picture);
    }
    s->reason[0] = 0;
    if (reason) {
        snprintf(s->reason, sizeof s->reason, "%s", reason);
        return;
    }
    memcpy(s->pixels, s->picture.pixels, (size_t)s->picture.width * (size_t)s->picture.height * 3);
    s->hash = pithp_hash_pixels(s->pixels, s->picture.width, s->picture.height);
}

static pith_status add_string(builder *b, const char *text, uint32_t *offset)
{
    size_t at;
    if (!pithp_strings_add(b->c, &b->names, text, &at))
        return pith_ctx_status(b->c);
    *offset = (uint32_t)at;
    return PITH_OK;
}

static pith_status add_bad(builder *b, const char *path, const char *reason)
{
    if (!pithp_grow(b->c, &b->bad, &b->bad_cap, b->n_bad * 2 + 1, sizeof *b->bad))
        return PITH_ENOMEM;
    uint32_t *pair = &b->bad[b->n_bad * 2];
    pithp_log(b->c, PITH_LOG_DEBUG, "%s/%s: %s", b->scan->root, path, reason);
    pith_status status = add_string(b, path, &pair[0]);
    if (!status)
        status = add_string(b, reason, &pair[1]);
    b->n_bad += !status;
    return status;
}

static pith_status add_image(builder *b, const pithp_source *f, const slot *s)
{
    size_t bytes = (size_t)s->picture.width * (size_t)s->picture.height * 3;
    if (!pithp_grow(b->c, &b->rec, &b->cap, b->n, sizeof *b->rec))
        return PITH_ENOMEM;
    pithp_pack_rec *r = &b->rec[b->n];
    *r = (pithp_pack_rec){ .offset = b->offset,
                           .hash = s->hash,
                           .label = (uint32_t)f->label,
                           .width = (uint16_t)s->picture.width,
                           .height = (uint16_t)s->picture.height,
                           .split = f->split,
                           .format = (uint8_t)s->picture.format,
                           .full_width = (uint32_t)s->picture.full_width,
                           .full_height = (uint32_t)s->picture.full_height };
    pith_status status = add_string(b, b->scan->names.p + f->path, &r->path);
    if (!status)
        status = pithp_save_write(b->c, &b->save, s->pixels, bytes);
    b->offset += bytes;
    b->n += !status;
    return status;
}

static pith_status tell(builder *b, size_t done)
{
    size_t total = b->scan->n;
    int tenths = (int)(done * 10 / total);
    if (tenths > b->tenths && total >= 1000)
        pithp_log(b->c, PITH_LOG_INFO, "decoding %s: %zu of %zu files", b->scan->root, done, total);
    b->tenths = tenths;
    if (b->cfg->progress && !b->cfg->progress(b->cfg->progress_user, (int64_t)done, (int64_t)total))
        return pithp_error(b->c, PITH_ESTOPPED,
                           "%s: stopped after decoding %zu of %zu files; nothing was kept", b->scan->root,
                           done, total);
    return PITH_OK;
}

static pith_status write_all(builder *b)
{
    static const pithp_pack_head nothing;
    pith_status status = pithp_save_write(b->c, &b->save, &nothing, sizeof nothing);
    b->offset = sizeof nothing;
    for (b->first = 0; b->first < b->scan->n && !status; b->first += b->chunk) {
        size_t n = PITHP_MIN(b->scan->n - b->first, b->chunk);
        pithp_parallel(b->threads, (int64_t)n, decode_one, b);
        for (int t = 0; t < b->threads && !status; t++)
            if (b->work[t].failed)
                status = PITH_ENOMEM; /* a thread ran out of it: that is no fault of its file */
        for (size_t i = 0; i < n && !status; i++) {
            const pithp_source *f = &b->scan->file[b->first + i];
            const slot *s = &b->slots[i];
            status = s->reason[0] ? add_bad(b, b->scan->names.p + f->path, s->reason) : add_image(b, f, s);
        }
        if (!status)
            status = tell(b, b->first + n);
    }
    return status;
}

/* The index is put together in memory, so that its hash can stand in the header. */
static pith_status write_index(builder *b, uint64_t settings)
{
    pith_ctx *c = b->c;
    size_t n_classes = b->scan->n_classes;
    uint32_t *names = PITHP_NEW_N(c, uint32_t, n_classes + 1);
    pith_status status = names ? PITH_OK : PITH_ENOMEM;
    for (size_t i = 0; i < n_classes && !status; i++)
        status = add_string(b, b->scan->names.p + b->scan->class_name[i], &names[i]);
    size_t parts[4] = { b->n * sizeof *b->rec, b->n_bad * 8, n_classes * 4, b->names.n };
    size_t bytes = parts[0] + parts[1] + parts[2] + parts[3];
    uint8_t *whole = status ? NULL : pithp_alloc(c, sizeof(pithp_pack_head) + bytes, 1);
    if (whole) {
        const void *from[4] = { b->rec, b->bad, names, b->names.p };
        uint8_t *at = whole + sizeof(pithp_pack_head);
        for (int k = 0; k < 4; at += parts[k++])
            if (parts[k])
                memcpy(at, from[k], parts[k]);
        pithp_pack_head h = { .magic = PITHP_MAGIC_CACHE,
                              .version = PITHP_CACHE_VERSION,
                              .order = PITHP_CACHE_ORDER,
                              .source = b->scan->fingerprint,
                              .settings = settings,
                              .file_bytes = b->offset + bytes,
                              .index_offset = b->offset,
                              .index_bytes = bytes,
                              .strings_bytes = b->names.n,
                              .n_images = (uint32_t)b->n,
                              .n_bad = (uint32_t)b->n_bad,
                              .n_classes = (uint32_t)n_classes,
                              .own_split = b->scan->own_split,
                              .ignored = (uint64_t)b->scan->ignored };
        pithp_pack_hashes(&h, whole + sizeof h);
        memcpy(whole, &h, sizeof h);
        status = pithp_save_write(c, &b->save, whole + sizeof h, bytes);
        if (!status && fseek(b->save.f, 0, SEEK_SET))
            status = pithp_error(c, PITH_EIO, "%s: cannot go back to its header", b->save.path);
        if (!status)
            status = pithp_save_write(c, &b->save, whole, sizeof h);
    } else if (!status) {
        status = PITH_ENOMEM;
    }
    pithp_free(c, whole);
    pithp_free(c, names);
    return status;
}

static void release(builder *b)
{
    pith_ctx *c = b->c;
    pithp_save_abort(c, &b->save); /* nothing after a commit */
    for (int t = 0; t < b->threads; t++)
        pithp_work_free(&b->work[t]);
    pthread_mutex_destroy(&b->lock);
    pithp_free(c, b->slots);
    pithp_free(c, b->pixels);
    pithp_free(c, b->names.p);
    pithp_free(c, b->rec);
    pithp_free(c, b->bad);
    pithp_free(c, b);
}

static pith_status prepare(builder *b)
{
    b->room = (size_t)b->store * (size_t)b->store * 2 * 3;
    b->chunk = PITHP_MIN(CHUNK_BYTES / b->room, (size_t)MAX_CHUNK);
    b->chunk = PITHP_MAX(b->chunk, 4 * (size_t)b->threads);
    b->slots = PITHP_NEW_N(b->c, slot, b->chunk);
    b->pixels = pithp_alloc(b->c, b->chunk, b->room);
    if (!b->slots || !b->pixels)
        return PITH_ENOMEM;
    for (size_t i = 0; i < b->chunk; i++)
        b->slots[i].pixels = b->pixels + i * b->room;
    for (int t = 0; t < b->threads; t++)
        b->work[t] = (pithp_work){ .c = b->c, .lock = &b->lock };
    return PITH_OK;
}

pith_status pithp_pack_build(pith_ctx *c, const pithp_scan *s, const char *path, int store, uint64_t settings,
                             const pith_images_cfg *cfg)
{
    builder *b = PITHP_NEW(c, builder);
    if (!b)
        return PITH_ENOMEM;
    b->c = c, b->scan = s, b->cfg = cfg, b->store = store;
    b->threads = cfg->threads > 0 ? cfg->threads : pith_ctx_threads(c);
    b->threads = PITHP_MIN(b->threads, MAX_THREADS);
    b->max_pixels = cfg->max_pixels;
    pthread_mutex_init(&b->lock, NULL);
    pith_status status = prepare(b);
    if (!status)
        status = pithp_save_begin(c, &b->save, path);
    if (!status)
        status = write_all(b);
    if (!status)
        status = write_index(b, settings);
    if (!status)
        status = pithp_save_commit(c, &b->save, false);
    release(b);
    return status;
}
