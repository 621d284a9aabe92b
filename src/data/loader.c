/* data/loader.c: batches, prepared ahead by threads in a ring of slots.

   A batch's number q counts from where the epoch was started. A thread claims the next q under the lock, with
   the samples that belong to it, and fills slot q % slots; the caller takes them in order of q. What a batch
   holds is decided when it is claimed, and how a sample looks by (seed, epoch, sample): so neither depends on
   the threads. */
#include "data/data.h"
#include "data/loader.h"
#include <limits.h>
#include <signal.h>
#include <string.h>

enum { MAX_THREADS = 64, MAX_DEPTH = 1024, MAX_BATCH = 1 << 20 };

/* ---- The order of an epoch ----------------------------------------------------------------------------- */

/* Fisher, Yates; Durstenfeld's form. */
static void make_order(pith_loader *l, uint32_t epoch)
{
    const pith_data *d = l->d;
    int64_t n = d->n[l->cfg.split];
    memcpy(l->order, d->order[l->cfg.split], (size_t)n * sizeof *l->order);
    l->order_epoch = epoch;
    l->has_order = true;
    if (!l->cfg.shuffle)
        return;
    pithp_rand r = pithp_rand_at(l->cfg.seed, epoch, 0, PITHP_USE_SHUFFLE);
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)pithp_rand_below(&r, (uint64_t)i + 1);
        int64_t t = l->order[i];
        l->order[i] = l->order[j];
        l->order[j] = t;
    }
}

/* Takes the next batch to be made: its slot, filled with what it is to hold. The lock is held. */
static pithp_slot *claim(pith_loader *l)
{
    if (l->next_index == l->batches) {
        l->next_index = 0;
        l->next_epoch++;
    }
    if (!l->has_order || l->order_epoch != l->next_epoch)
        make_order(l, l->next_epoch);
    pithp_slot *s = &l->slot[l->claimed++ % l->n_slots];
    int64_t first = l->next_index * l->cfg.batch;
    s->b.n = (int)PITHP_MIN(l->images - first, (int64_t)l->cfg.batch);
    s->b.epoch = l->next_epoch;
    s->b.index = l->next_index++;
    s->damaged = -1;
    s->ready = false;
    memcpy(s->samples, l->order + first, (size_t)s->b.n * sizeof *s->samples);
    return s;
}

/* ---- Making one batch ---------------------------------------------------------------------------------- */

/* One sample, as random as cfg wants it. */
static void variant(const pith_loader *l, const pithp_loader_thread *self, uint32_t epoch, int64_t index,
                    pith_real *x)
{
    const pithp_image *m = &l->d->pack.image[index];
    const uint8_t *pixels = l->d->base + m->offset;
    const int size = l->cfg.size;
    uint64_t key = (uint64_t)index, seed = l->cfg.seed;
    pithp_augment_key(&l->cfg.aug, &seed, &epoch);
    pithp_variant v = l->cfg.augment ? pithp_variant_draw(&l->cfg.aug, seed, epoch, key, m->width, m->height)
                                     : pithp_variant_eval(m->width, m->height, size);
    pithp_extra e = { 0 };
    if (l->extra)
        e = pithp_extra_draw(&l->cfg.aug, seed, epoch, key, size);
    pithp_transform_run(self->transform, pixels, m->width, m->height, &v, e.degrees != 0 ? self->canvas : x);
    if (e.degrees != 0)
        pithp_rotate(self->canvas, size, e.degrees, x);
    if (e.grey.w > 0)
        pithp_grey_box(x, size, e.grey);
}

static void mix_batch(const pith_loader *l, pithp_slot *s, const pithp_loader_thread *self)
{
    bool cut = pithp_mix_draw(&l->cfg.aug, l->cfg.seed, s->b.epoch, s->b.index, s->samples, s->b.n,
                              l->cfg.size, self->mix);
    pithp_mix_run(self->mix, cut, s->b.n, l->cfg.size, s->x, self->canvas, s->weight);
    for (int i = 0; i < s->b.n; i++)
        s->other[i] = s->labels[self->mix[i].partner];
}

static void fill(pith_loader *l, pithp_slot *s, const pithp_loader_thread *self)
{
    pith_data *d = l->d;
    size_t pixels = (size_t)l->cfg.size * (size_t)l->cfg.size * 3;
    for (int i = 0; i < s->b.n; i++) {
        int64_t index = s->samples[i];
        if (!pithp_data_intact(d, index)) {
            s->damaged = index;
            return;
        }
        s->labels[i] = d->pack.image[index].label;
        variant(l, self, s->b.epoch, index, s->x + (size_t)i * pixels);
    }
    if (l->mixing)
        mix_batch(l, s, self);
}

static void *work(void *arg)
{
    pithp_loader_thread *self = arg;
    pith_loader *l = self->l;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && (l->paused || l->claimed - l->taken >= l->cfg.depth))
            pthread_cond_wait(&l->room, &l->lock);
        if (l->stop)
            break;
        pithp_slot *s = claim(l);
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        fill(l, s, self);
        pthread_mutex_lock(&l->lock);
        s->ready = true;
        l->busy--;
        pthread_cond_broadcast(&l->done);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- Delivery ------------------------------------------------------------------------------------------ */

bool pith_loader_next(pith_loader *l, pith_batch *b)
{
    *b = (pith_batch){ 0 };
    if (l->index == l->batches) { /* the end of the epoch: said once */
        l->index = 0;
        l->epoch++;
        return false;
    }
    pthread_mutex_lock(&l->lock);
    pithp_slot *s = &l->slot[l->taken % l->n_slots];
    if (!l->n_threads) {
        s = claim(l);
        fill(l, s, &l->thread[0]);
    } else {
        while (l->claimed == l->taken || !s->ready)
            pthread_cond_wait(&l->done, &l->lock);
    }
    l->taken++; /* the slots are one more than the depth: the batch that is out is not overwritten */
    pthread_cond_signal(&l->room);
    pthread_mutex_unlock(&l->lock);
    l->index++;
    if (s->damaged >= 0) {
        pithp_data_check_image(l->d, s->damaged);
        return false;
    }
    *b = s->b;
    return true;
}

pith_status pith_loader_epoch(pith_loader *l, uint32_t epoch, int64_t first_batch)
{
    if (first_batch < 0 || first_batch > l->batches)
        return pithp_error(l->c, PITH_EINVAL, "batch %lld of an epoch of %lld", (long long)first_batch,
                           (long long)l->batches);
    if (l->epoch == epoch && l->index == first_batch)
        return PITH_OK; /* what is prepared is just that */
    pthread_mutex_lock(&l->lock);
    l->paused = true;
    while (l->busy)
        pthread_cond_wait(&l->done, &l->lock);
    l->claimed = l->taken = 0;
    l->epoch = l->next_epoch = epoch;
    l->index = l->next_index = first_batch;
    l->paused = false;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    return PITH_OK;
}

int64_t pith_loader_batches(const pith_loader *l) { return l->batches; }
int64_t pith_loader_images(const pith_loader *l) { return l->images; }

/* ---- Making and ending --------------------------------------------------------------------------------- */

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_loader *l = (pith_loader *)o;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int t = 0; t < l->n_threads; t++)
        pthread_join(l->thread[t].id, NULL);
    pthread_cond_destroy(&l->room);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
    pithp_free(c, l->x);
    pithp_free(c, l->labels);
    pithp_free(c, l->samples);
    pithp_free(c, l->other);
    pithp_free(c, l->weight);
    pithp_free(c, l->canvas);
    pithp_free(c, l->mix);
    pithp_free(c, l->order);
    pithp_free(c, l->slot);
    pithp_free(c, l->scratch);
    pithp_free(c, l->thread);
    pithp_free(c, l);
}

void pith_loader_free(pith_loader *l)
{
    if (l)
        pithp_destroy(l->c, &l->obj);
}

static pith_status check_cfg(pith_data *d, pith_loader_cfg *cfg)
{
    pith_ctx *c = d->c;
    cfg->batch = cfg->batch ? cfg->batch : 64;
    cfg->threads = cfg->threads ? cfg->threads : 2;
    cfg->threads = PITHP_MAX(cfg->threads, 0); /* -1: none */
    cfg->depth = cfg->depth ? cfg->depth : cfg->threads + 1;
    cfg->size = cfg->size ? cfg->size : d->size;
    cfg->aug = pithp_augment_defaults(cfg->aug);
    if (cfg->split != PITH_TRAIN && cfg->split != PITH_VAL)
        return pithp_error(c, PITH_EINVAL, "split %d: expected PITH_TRAIN or PITH_VAL", (int)cfg->split);
    if (cfg->batch < 1 || cfg->batch > MAX_BATCH)
        return pithp_error(c, PITH_EINVAL, "batch of %d images: expected 1 to %d", cfg->batch,
                           (int)MAX_BATCH);
    if (cfg->threads > MAX_THREADS || cfg->depth < 1 || cfg->depth > MAX_DEPTH)
        return pithp_error(c, PITH_EINVAL,
                           "loader with %d threads and %d batches ahead: expected at most %d and %d",
                           cfg->threads, cfg->depth, (int)MAX_THREADS, (int)MAX_DEPTH);
    if (cfg->size < PITHP_MIN_SIDE || cfg->size > 1024)
        return pithp_error(c, PITH_EINVAL, "images of %d pixels a side: expected 8 to 1024", cfg->size);
    const char *absurd = cfg->augment ? pithp_augment_check(&cfg->aug) : NULL;
    if (absurd)
        return pithp_error(c, PITH_EINVAL, "augmentation: %s", absurd);
    const char *name = cfg->split == PITH_TRAIN ? "training" : "validation";
    if (!d->n[cfg->split])
        return pithp_error(c, PITH_EINVAL, "the data set has no images for %s", name);
    if (cfg->drop_last && d->n[cfg->split] < cfg->batch)
        return pithp_error(
            c, PITH_EINVAL,
            "%lld images for %s do not fill one batch of %d, and incomplete ones are dropped; use a "
            "smaller batch",
            (long long)d->n[cfg->split], name, cfg->batch);
    return PITH_OK;
}

/* What only some recipes need. */
static pith_status make_extras(pith_loader *l, size_t makers)
{
    const size_t batch = (size_t)l->cfg.batch, total = batch * (size_t)l->n_slots,
                 canvas = (size_t)l->cfg.size * (size_t)l->cfg.size * 3 + 1;
    if (l->extra || l->mixing) {
        if ((l->canvas = PITHP_NEW_N(l->c, pith_real, makers * canvas)) == NULL)
            return PITH_ENOMEM;
        for (size_t t = 0; t < makers; t++)
            l->thread[t].canvas = l->canvas + t * canvas;
    }
    if (!l->mixing)
        return PITH_OK;
    l->other = PITHP_NEW_N(l->c, int32_t, total);
    l->weight = PITHP_NEW_N(l->c, pith_real, total);
    l->mix = PITHP_NEW_N(l->c, pithp_mix, makers * batch);
    if (!l->other || !l->weight || !l->mix)
        return PITH_ENOMEM;
    for (size_t t = 0; t < makers; t++)
        l->thread[t].mix = l->mix + t * batch;
    for (size_t i = 0; i < (size_t)l->n_slots; i++) {
        pithp_slot *s = &l->slot[i];
        s->b.other = s->other = l->other + i * batch;
        s->b.weight = s->weight = l->weight + i * batch;
    }
    return PITH_OK;
}

static pith_status make_buffers(pith_loader *l)
{
    pith_ctx *c = l->c;
    size_t pixels = (size_t)l->cfg.size * (size_t)l->cfg.size * 3, batch = (size_t)l->cfg.batch, total;
    size_t each = pithp_transform_bytes(l->cfg.size, l->d->max_width, l->d->max_height);
    int makers = PITHP_MAX(l->cfg.threads, 1);
    l->n_slots = l->cfg.depth + 1;
    total = batch * (size_t)l->n_slots;
    l->slot = PITHP_NEW_N(c, pithp_slot, l->n_slots);
    l->thread = PITHP_NEW_N(c, pithp_loader_thread, makers);
    l->order = PITHP_NEW_N(c, int64_t, l->d->n[l->cfg.split]);
    l->labels = PITHP_NEW_N(c, int32_t, total);
    l->samples = PITHP_NEW_N(c, int64_t, total);
    l->x = pithp_alloc(c, total, pixels * sizeof *l->x);
    l->scratch = pithp_alloc(c, (size_t)makers, each);
    if (!l->slot || !l->thread || !l->order || !l->labels || !l->samples || !l->x || !l->scratch)
        return PITH_ENOMEM;
    for (size_t i = 0; i < (size_t)l->n_slots; i++) {
        pithp_slot *s = &l->slot[i];
        s->x = l->x + i * batch * pixels;
        s->labels = l->labels + i * batch;
        s->samples = l->samples + i * batch;
        s->b = (pith_batch){ .x = s->x, .labels = s->labels, .samples = s->samples };
    }
    for (int t = 0; t < makers; t++) {
        l->thread[t].l = l;
        l->thread[t].transform = pithp_transform_at((char *)l->scratch + (size_t)t * each, l->c->isa,
                                                    l->cfg.size, l->d->max_width, l->d->max_height);
    }
    return make_extras(l, (size_t)makers);
}

/* Signals belong to the program's own threads. Fewer threads than wished for are no error. */
static void start_threads(pith_loader *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->n_threads < l->cfg.threads &&
           !pthread_create(&l->thread[l->n_threads].id, NULL, work, &l->thread[l->n_threads]))
        l->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (l->n_threads < l->cfg.threads)
        pithp_log(l->c, PITH_LOG_WARN, "the system gives %d threads for loading images instead of %d",
                  l->n_threads, l->cfg.threads);
}

pith_loader *pith_loader_new(pith_data *d, pith_loader_cfg cfg)
{
    if (!d || check_cfg(d, &cfg))
        return NULL;
    pith_loader *l = PITHP_NEW(d->c, pith_loader);
    if (!l)
        return NULL;
    l->c = d->c, l->d = d, l->cfg = cfg;
    l->extra = cfg.augment && (cfg.aug.rotate > 0 || cfg.aug.cutout > 0);
    l->mixing = cfg.augment && (cfg.aug.mixup > 0 || cfg.aug.cutmix > 0);
    int64_t n = d->n[cfg.split];
    l->batches = cfg.drop_last ? n / cfg.batch : (n + cfg.batch - 1) / cfg.batch;
    l->images = cfg.drop_last ? l->batches * cfg.batch : n;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->done, NULL);
    pithp_own(d->c, &l->obj, destroy);
    if (make_buffers(l)) {
        pith_loader_free(l);
        return NULL;
    }
    start_threads(l);
    return l;
}
