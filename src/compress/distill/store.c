/* compress/distill/store.c: what a teacher says, in a file. Nothing in it is believed before its checksums are compared. */
#include "compress/distill/distill.h"
#include "base/kind.h"
#include "data/data.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC PITHP_MAGIC_STORE
enum { STORE_VERSION = 1, STORE_ORDER = 0x01020304 };

void pithp_store_close(pith_ctx *c, pithp_store *s)
{
    pithp_map_close(&s->map);
    pithp_free(c, s->checked);
    pithp_free(c, s->path);
    *s = (pithp_store){ 0 };
}

static uint64_t head_hash(const pithp_store_head *h)
{
    return pithp_hash_bytes(7, h, sizeof *h - sizeof h->head_hash);
}

/* Bytes of the values and of the whole file; false: absurd. */
static bool sizes(const pithp_store_head *h, size_t *values, size_t *all)
{
    size_t n;
    return h->variants > 0 && h->rows > 0 && h->per > 0 && !pithp_mul_over(h->rows, h->per, &n) &&
           !pithp_mul_over(n, h->variants, &n) && !pithp_mul_over(n, sizeof(float), values) &&
           !pithp_add_over(*values, sizeof *h + (size_t)h->variants * sizeof(uint64_t) + 8, all);
}

/* Where the hashes lie: behind the values, at a multiple of 8. */
static size_t hashes_at(size_t values) { return (sizeof(pithp_store_head) + values + 7) / 8 * 8; }

/* NULL, or what is wrong with the file itself. */
static const char *unsound(const pithp_map *m, pithp_store_head *h)
{
    size_t values, all;
    if (m->n < sizeof *h)
        return "it is no such store, or cut short";
    memcpy(h, m->p, sizeof *h);
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
        return "it is no store of a teacher's outputs";
    if (h->version != STORE_VERSION || h->order != STORE_ORDER)
        return "another version of pith, or another kind of machine, made it";
    if (h->head_hash != head_hash(h) || !sizes(h, &values, &all))
        return "its header is damaged";
    if (m->n != hashes_at(values) + (size_t)h->variants * sizeof(uint64_t))
        return "it is cut short, or longer than its header says";
    if (h->hashes != pithp_hash_bytes(8, m->p + hashes_at(values), (size_t)h->variants * sizeof(uint64_t)))
        return "its checksums are damaged";
    return NULL;
}

/* NULL, or why it does not serve. */
static const char *unfit(const pithp_store_head *is, const pithp_store_head *want)
{
    if (is->data != want->data || is->rows != want->rows)
        return "it was made of other data, or of another image size";
    if (is->teacher != want->teacher)
        return "another teacher made it, or one whose weights have changed since";
    if (is->wanted != want->wanted || is->per != want->per)
        return "it holds other layers' outputs";
    if (is->augment != want->augment || is->seed != want->seed)
        return "it was made with another augmentation, or another seed of it";
    if (is->machine != want->machine)
        return "another machine's kernels made it, so its last bits differ";
    if (is->variants < want->variants)
        return "it holds too few augmentations of each image";
    return NULL;
}

pith_status pithp_store_open(pith_ctx *c, pithp_store *s, const char *path, const pithp_store_head *want,
                             const char **why)
{
    *s = (pithp_store){ 0 };
    *why = "";
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return PITH_OK;
    pith_status e = pithp_map_open(c, &s->map, path);
    if (e != PITH_OK)
        return e;
    *why = unsound(&s->map, &s->head);
    if (*why == NULL)
        *why = unfit(&s->head, want);
    if (*why != NULL) {
        pithp_store_close(c, s);
        return PITH_OK;
    }
    s->values = (const float *)(const void *)(s->map.p + sizeof s->head);
    s->checked = PITHP_NEW_N(c, uint8_t, s->head.variants);
    s->path = pithp_strdup(c, path);
    if (s->checked != NULL && s->path != NULL)
        return PITH_OK;
    pithp_store_close(c, s);
    return PITH_ENOMEM;
}

const float *pithp_store_row(pith_ctx *c, pithp_store *s, int variant, int64_t row)
{
    const pithp_store_head *h = &s->head;
    const float *values = s->values + (size_t)variant * h->rows * h->per;
    if (!s->checked[variant]) {
        size_t all = h->rows * h->per * sizeof(float);
        uint64_t want;
        memcpy(&want, s->map.p + hashes_at(all * h->variants) + (size_t)variant * sizeof want, sizeof want);
        if (pithp_hash_bytes((uint64_t)variant, values, all) != want) {
            pithp_error(c, PITH_EFORMAT,
                        "%s: augmentation %d is damaged; remove the file, and it is made again", s->path,
                        variant);
            return NULL;
        }
        s->checked[variant] = 1;
    }
    return values + (size_t)row * h->per;
}

/* ---- Making ------------------------------------------------------------------------------------------------ */
typedef struct {
    pith_ctx *c;
    pithp_save save;
    pithp_store_head h;
    uint64_t *hash; /* [variants] */
    float *values;  /* of one variant: it is hashed as a whole */
} maker;

static pith_status make_variant(maker *m, pith_status (*row)(void *, const float **), void *user, int variant)
{
    const size_t per = m->h.per, n = m->h.rows * per;
    for (size_t i = 0; i < n; i += per) {
        const float *v;
        pith_status s = row(user, &v);
        if (s != PITH_OK)
            return s;
        memcpy(m->values + i, v, per * sizeof *v);
    }
    m->hash[variant] = pithp_hash_bytes((uint64_t)variant, m->values, n * sizeof *m->values);
    return pithp_save_write(m->c, &m->save, m->values, n * sizeof *m->values);
}

static pith_status make(maker *m, const char *path, pith_status (*row)(void *, const float **), void *user)
{
    static const uint8_t zeros[8];
    size_t values = m->h.variants * m->h.rows * m->h.per * sizeof(float),
           n_hash = m->h.variants * sizeof *m->hash;
    pith_status s = pithp_save_begin(m->c, &m->save, path);
    /* The header waits for the hashes: it is written as it will be in size, then again in place. */
    if (s == PITH_OK)
        s = pithp_save_write(m->c, &m->save, &m->h, sizeof m->h);
    for (int v = 0; v < (int)m->h.variants && s == PITH_OK; v++)
        s = make_variant(m, row, user, v);
    if (s == PITH_OK)
        s = pithp_save_write(m->c, &m->save, zeros, hashes_at(values) - values - sizeof m->h);
    if (s == PITH_OK)
        s = pithp_save_write(m->c, &m->save, m->hash, n_hash);
    m->h.hashes = pithp_hash_bytes(8, m->hash, n_hash);
    m->h.head_hash = head_hash(&m->h);
    if (s == PITH_OK && fseek(m->save.f, 0, SEEK_SET) != 0)
        s = pithp_error(m->c, PITH_EIO, "%s: cannot be written: %s", path, strerror(errno));
    if (s == PITH_OK)
        s = pithp_save_write(m->c, &m->save, &m->h, sizeof m->h);
    if (s == PITH_OK)
        s = pithp_save_commit(m->c, &m->save, false);
    if (s != PITH_OK)
        pithp_save_abort(m->c, &m->save);
    return s;
}

pith_status pithp_store_make(pith_ctx *c, const char *path, const pithp_store_head *want,
                             pith_status (*row)(void *user, const float **values), void *user)
{
    maker m = { .c = c, .h = *want };
    memcpy(m.h.magic, MAGIC, sizeof m.h.magic);
    m.h.version = STORE_VERSION;
    m.h.order = STORE_ORDER;
    m.hash = PITHP_NEW_N(c, uint64_t, want->variants);
    m.values = pithp_alloc(c, want->rows * want->per, sizeof *m.values);
    pith_status s = m.hash == NULL || m.values == NULL ? PITH_ENOMEM : make(&m, path, row, user);
    pithp_free(c, m.hash);
    pithp_free(c, m.values);
    return s;
}
