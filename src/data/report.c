/* data/report.c: a data set's tables, and what it says about itself. */
#include "data/data.h"
#include <string.h>

static int bin_of(const pithp_image *m)
{
    uint32_t side = PITHP_MIN(m->full_width, m->full_height);
    int bin = 0;
    for (uint32_t limit = 16; bin < PITH_DATA_BINS - 1 && side >= limit; limit *= 2)
        bin++;
    return bin;
}

static void count_image(pith_data *d, size_t i)
{
    const pithp_image *m = &d->pack.image[i];
    d->order[m->split][d->n[m->split]++] = (int64_t)i;
    d->count[m->split * d->n_classes + m->label]++;
    d->report.histogram[bin_of(m)]++;
    d->report.format[m->format]++;
    d->max_width = PITHP_MAX(d->max_width, m->width);
    d->max_height = PITHP_MAX(d->max_height, m->height);
    uint64_t v[2] = { m->hash, (uint64_t)m->label << 8 | m->split };
    d->fingerprint = pithp_hash_bytes(d->fingerprint, v, sizeof v);
}

pith_status pithp_data_index(pith_data *d)
{
    pith_ctx *c = d->c;
    d->n_classes = (int)d->pack.n_classes;
    d->count = PITHP_NEW_N(c, int64_t, 2 * d->pack.n_classes + 1);
    d->verified = PITHP_NEW_N(c, uint8_t, d->pack.n + 1);
    for (int s = 0; s < 2; s++)
        d->order[s] = PITHP_NEW_N(c, int64_t, d->pack.n + 1);
    if (!d->count || !d->verified || !d->order[0] || !d->order[1])
        return PITH_ENOMEM;
    d->fingerprint = (uint64_t)d->size;
    for (int k = 0; k < d->n_classes; k++)
        d->fingerprint =
            pithp_hash_bytes(d->fingerprint, d->pack.class_name[k], strlen(d->pack.class_name[k]));
    for (size_t i = 0; i < d->pack.n; i++)
        count_image(d, i);
    pith_data_report *r = &d->report;
    r->dir = d->dir;
    r->cache = d->cache;
    r->usable = (int64_t)d->pack.n;
    r->n_bad = (int64_t)d->pack.n_bad;
    r->files = r->usable + r->n_bad;
    r->ignored = d->pack.ignored;
    r->cache_bytes = (int64_t)d->map.n;
    r->classes = d->n_classes;
    r->own_split = d->pack.own_split;
    r->count = d->count;
    r->bad = d->pack.bad;
    return PITH_OK;
}

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_data *d = (pith_data *)o;
    pithp_pack_free(c, &d->pack);
    pithp_map_close(&d->map);
    pithp_free(c, d->own);
    pithp_free(c, d->names);
    pithp_free(c, d->order[0]);
    pithp_free(c, d->order[1]);
    pithp_free(c, d->count);
    pithp_free(c, d->verified);
    pithp_free(c, d->dir);
    pithp_free(c, d->cache);
    pithp_free(c, d);
}

pith_data *pithp_data_new(pith_ctx *c)
{
    pith_data *d = PITHP_NEW(c, pith_data);
    if (!d)
        return NULL;
    d->c = c;
    d->map.fd = -1;
    pithp_own(c, &d->obj, destroy);
    return d;
}

void pith_data_free(pith_data *d)
{
    if (d)
        pithp_destroy(d->c, &d->obj);
}

int pith_data_classes(const pith_data *d) { return d->n_classes; }

const char *pith_data_class_name(const pith_data *d, int label)
{
    return label >= 0 && label < d->n_classes ? d->pack.class_name[label] : NULL;
}

int pith_data_size(const pith_data *d) { return d->size; }

int64_t pith_data_count(const pith_data *d, pith_split split)
{
    return split == PITH_TRAIN || split == PITH_VAL ? d->n[split] : 0;
}

int64_t pith_data_sample(const pith_data *d, pith_split split, int64_t i)
{
    return i >= 0 && i < pith_data_count(d, split) ? d->order[split][i] : -1;
}

pith_sample pith_data_at(const pith_data *d, int64_t index)
{
    if (index < 0 || (size_t)index >= d->pack.n)
        return (pith_sample){ 0 };
    const pithp_image *m = &d->pack.image[index];
    return (pith_sample){ .path = d->pack.names + m->path,
                          .pixels = d->base + m->offset,
                          .height = m->height,
                          .width = m->width,
                          .label = m->label,
                          .split = (pith_split)m->split,
                          .hash = m->hash };
}

uint64_t pith_data_fingerprint(const pith_data *d) { return d->fingerprint; }

pith_data_report pith_data_get_report(const pith_data *d) { return d->report; }

bool pithp_data_intact(pith_data *d, int64_t index)
{
    uint8_t *seen = &d->verified[index];
    if (__atomic_load_n(seen, __ATOMIC_RELAXED))
        return true;
    const pithp_image *m = &d->pack.image[index];
    if (pithp_hash_pixels(d->base + m->offset, m->width, m->height) != m->hash)
        return false;
    __atomic_store_n(seen, 1, __ATOMIC_RELAXED);
    return true;
}

pith_status pithp_data_check_image(pith_data *d, int64_t index)
{
    if (pithp_data_intact(d, index))
        return PITH_OK;
    return pithp_error(
        d->c, PITH_EFORMAT,
        "%s: the stored pixels of %s are damaged (checksum differs); delete that file and start again",
        d->cache ? d->cache : "pixels in memory", d->pack.names + d->pack.image[index].path);
}

pith_status pith_data_verify(pith_data *d)
{
    pith_status status = PITH_OK;
    for (size_t i = 0; i < d->pack.n && !status; i++) {
        __atomic_store_n(&d->verified[i], 0, __ATOMIC_RELAXED); /* look again, whoever looked before */
        status = pithp_data_check_image(d, (int64_t)i);
    }
    return status;
}
