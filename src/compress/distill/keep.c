/* compress/distill/keep.c: stores: where they lie, what they are made of, and the pass over the images that makes one. */
#include "compress/distill/distill.h"
#include "data/data.h"

#include <string.h>

enum { STORE_BATCH = 64 };

/* ---- What a store is made of -------------------------------------------------------------------------------- */
static uint64_t hash_text(uint64_t h, const char *s) { return pithp_hash_bytes(h, s, strlen(s)); }

static uint64_t wanted_hash(const pithp_teacher *t)
{
    uint64_t h = 2;
    for (int i = 0; i < t->n_said; i++) {
        h = pithp_hash_bytes(h, &t->said[i].n, sizeof t->said[i].n);
        /* What was put behind the saved nodes has a number of chance: its op and what it reads say what it is. */
        const pith_tensor *from = t->said[i].from;
        for (; from->id > t->m->output->id; from = from->in[0])
            h = hash_text(h, from->op->name);
        h = pithp_hash_bytes(h, &from->id, sizeof from->id);
    }
    return h;
}

/* Everything that decides how an augmented image looks, but for its seed. */
static uint64_t augment_hash(const pith_augment_cfg *cfg)
{
    const pith_augment_cfg a = pithp_augment_defaults(*cfg);
    const double v[] = { a.scale_min,  a.scale_max,  a.ratio_min,  a.ratio_max, a.flip,
                         a.brightness, a.contrast,   a.saturation, a.hue,       a.rotate,
                         a.cutout,     a.cutout_min, a.cutout_max };
    return pithp_hash_bytes(3, v, sizeof v);
}

static pithp_store_head wanted(const pith_distill *k, const pithp_teacher *t, const pith_data *d,
                               const pith_augment_cfg *a)
{
    return (pithp_store_head){ .data = pith_data_fingerprint(d),
                               .teacher = t->checksum,
                               .wanted = wanted_hash(t),
                               .augment = augment_hash(a),
                               .seed = a->variants_seed,
                               .machine = hash_text(hash_text(4, pithp_isa_name(k->c->isa)), k->c->blas.core),
                               .rows = (uint64_t)pith_data_count(d, PITH_TRAIN),
                               .per = (uint64_t)t->per,
                               .variants = (uint32_t)a->variants };
}

/* ---- Where it lies -------------------------------------------------------------------------------------------- */
static char *auto_path(pith_ctx *c, const pith_data *d, const pithp_store_head *w)
{
    const char *cache = pith_data_get_report(d).cache;
    if (cache == NULL || cache[0] == 0) {
        pithp_error(
            c, PITH_EINVAL,
            "distillation: these data have no packed cache to keep a store beside; give the store a path");
        return NULL;
    }
    size_t n = strlen(cache), end = n > 5 && strcmp(cache + n - 5, ".pack") == 0 ? n - 5 : n;
    uint64_t parts[] = { w->data, w->teacher, w->wanted, w->augment, w->seed, w->machine };
    return pithp_sprintf(c, "%.*s-%016llx.said", (int)end, cache,
                         (unsigned long long)pithp_hash_bytes(5, parts, sizeof parts));
}

static char *store_path(const pith_distill *k, int number, const pith_data *d, const pithp_store_head *w)
{
    if (strcmp(k->cfg.store, "auto") == 0)
        return auto_path(k->c, d, w);
    return number == 0 ? pithp_strdup(k->c, k->cfg.store)
                       : pithp_sprintf(k->c, "%s.%d", k->cfg.store, number);
}

/* ---- The pass ------------------------------------------------------------------------------------------------- */
typedef struct {
    pith_distill *k;
    pithp_teacher *t;
    pith_loader *l;
    const pith_fit_cfg *fit;
    float *row;
    pith_batch b;
    int next; /* of the batch */
    uint32_t epoch;
    int64_t done, all;
} pass;

static pith_status next_batch(pass *p)
{
    pith_ctx *c = p->k->c;
    p->next = 0;
    if (p->fit->stop != NULL && *p->fit->stop)
        return pithp_error(c, PITH_ESTOPPED, "stopped while %s was asked; nothing was stored", p->t->label);
    if (p->k->cfg.progress != NULL && !p->k->cfg.progress(p->k->cfg.progress_user, p->done, p->all))
        return pithp_error(c, PITH_ESTOPPED, "stopped while %s was asked; nothing was stored", p->t->label);
    if (!pith_loader_next(p->l, &p->b)) { /* the end of an epoch, which is said once */
        p->b.n = 0;
        if (c->status)
            return c->status;
        return pith_loader_next(p->l, &p->b) ? pithp_teacher_run(p->t, p->b.x, p->b.n) : c->status;
    }
    return pithp_teacher_run(p->t, p->b.x, p->b.n);
}

static pith_status next_row(void *user, const float **values)
{
    pass *p = user;
    if (p->next == p->b.n) {
        pith_status s = next_batch(p);
        if (s != PITH_OK)
            return s;
    }
    float *to = p->row;
    for (int i = 0; i < p->t->n_said; i++) {
        const int64_t n = p->t->said[i].n;
        const pith_real *v = pithp_teacher_value(p->t, i) + p->next * n;
        for (int64_t j = 0; j < n; j++)
            *to++ = (float)v[j];
    }
    p->next++;
    p->done++;
    *values = p->row;
    return PITH_OK;
}

static pith_status make(pith_distill *k, pithp_teacher *t, pith_data *d, const pith_fit_cfg *fit,
                        const char *path, const pithp_store_head *w)
{
    pass p = { .k = k, .t = t, .fit = fit, .all = (int64_t)w->variants * (int64_t)w->rows };
    p.row = PITHP_NEW_N(k->c, float, t->per);
    p.l = pith_loader_new(
        d,
        (pith_loader_cfg){ .split = PITH_TRAIN, .batch = STORE_BATCH, .augment = true, .aug = fit->augment });
    pith_status s = p.row == NULL || p.l == NULL ? k->c->status : PITH_OK;
    if (s == PITH_OK)
        s = pithp_teacher_plan(t, STORE_BATCH);
    if (s == PITH_OK)
        s = pithp_store_make(k->c, path, w, next_row, &p);
    if (s == PITH_OK && k->cfg.progress != NULL)
        k->cfg.progress(k->cfg.progress_user, p.done, p.all);
    k->facts.images += p.done;
    pith_loader_free(p.l);
    pithp_free(k->c, p.row);
    return s;
}

/* ---- Opening -------------------------------------------------------------------------------------------------- */
static pith_status too_large(const pith_distill *k, const pithp_teacher *t, const pithp_store_head *w)
{
    double bytes = (double)w->variants * (double)w->rows * (double)w->per * sizeof(float);
    double most = k->cfg.store_most > 0 ? (double)k->cfg.store_most : 2e9;
    if (bytes <= most)
        return PITH_OK;
    return pithp_error(
        k->c, PITH_EINVAL,
        "distillation: a store of what %s says would take %.1f GB (%u augmentations of %llu images, %llu "
        "numbers each), and %.1f GB is the limit; take fewer augmentations, a smaller layer, or let the "
        "teacher "
        "run (no store)",
        t->label, bytes / 1e9, w->variants, (unsigned long long)w->rows, (unsigned long long)w->per,
        most / 1e9);
}

static pith_status open_store(pith_distill *k, int number, pith_data *d, const pith_fit_cfg *fit)
{
    pithp_teacher *t = &k->teacher[number];
    const pithp_store_head w = wanted(k, t, d, &fit->augment);
    const bool own_place = strcmp(k->cfg.store, "auto") == 0;
    const char *why = NULL;
    pith_status s = too_large(k, t, &w);
    char *path = s == PITH_OK ? store_path(k, number, d, &w) : NULL;
    if (path == NULL)
        return k->c->status;
    s = pithp_store_open(k->c, &t->store, path, &w, &why);
    if (s == PITH_OK && why != NULL && why[0] != 0 && !own_place && !k->cfg.remake)
        s = pithp_error(k->c, PITH_ESTALE,
                        "%s: stale: %s; remove it, have it made again (remake), or name another file", path,
                        why);
    if (s == PITH_OK && why != NULL) {
        pithp_log(k->c, PITH_LOG_INFO, "%s: %s%s%s is asked about %llu images, %u times each", path,
                  why[0] != 0 ? why : "", why[0] != 0 ? ": " : "", t->label, (unsigned long long)w.rows,
                  w.variants);
        s = make(k, t, d, fit, path, &w);
        if (s == PITH_OK)
            s = pithp_store_open(k->c, &t->store, path, &w, &why);
        if (s == PITH_OK && why != NULL)
            s = pithp_error(k->c, PITH_EIO, "%s: was written, but %s", path,
                            why[0] != 0 ? why : "is not there");
    }
    k->facts.bytes += (int64_t)t->store.map.n;
    pithp_free(k->c, path);
    return s;
}

static pith_status number_rows(pith_distill *k, const pith_data *d)
{
    int64_t n = pith_data_count(d, PITH_TRAIN), all = n + pith_data_count(d, PITH_VAL);
    pithp_free(k->c, k->row_of);
    k->row_of = PITHP_NEW_N(k->c, int32_t, all);
    if (k->row_of == NULL)
        return PITH_ENOMEM;
    for (int64_t i = 0; i < all; i++)
        k->row_of[i] = -1;
    for (int64_t i = 0; i < n; i++)
        k->row_of[pith_data_sample(d, PITH_TRAIN, i)] = (int32_t)i;
    return PITH_OK;
}

pith_status pithp_distill_stores(pith_distill *k, pith_data *d, const pith_fit_cfg *fit)
{
    if (pithp_mixes(&fit->augment))
        return pithp_error(
            k->c, PITH_EINVAL,
            "distillation: mixup and cutmix make images that no store knows; switch them off, or let the "
            "teacher run (no store)");
    if (fit->augment.variants < 1)
        return pithp_error(
            k->c, PITH_EINVAL,
            "distillation: with a store the number of augmentations of each image has to be fixed: set "
            "augment.variants, to the number of epochs (%d) for what a training without a store sees",
            fit->epochs);
    const char *absurd = NULL;
    const pith_augment_cfg filled = pithp_augment_defaults(fit->augment);
    if ((absurd = pithp_augment_check(&filled)) != NULL)
        return pithp_error(k->c, PITH_EINVAL, "augmentation: %s", absurd);
    pith_status s = number_rows(k, d);
    for (int i = 0; i < k->n_teachers && s == PITH_OK; i++) {
        pithp_store_close(k->c, &k->teacher[i].store);
        s = open_store(k, i, d, fit);
    }
    k->variants = fit->augment.variants;
    k->stored = s == PITH_OK;
    return s;
}
