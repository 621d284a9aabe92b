/* data/split.c: who trains and who validates, and which images are the same. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "data/data.h"
#include <stdlib.h>
#include <string.h>

static int by_pixels(const void *a, const void *b, void *images)
{
    const pithp_image *all = images;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const pithp_image *x = &all[i], *y = &all[j];
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->width != y->width)
        return x->width < y->width ? -1 : 1;
    return i < j ? -1 : i > j;
}

pith_status pithp_duplicates(pith_data *d, int32_t **group)
{
    const pithp_pack *k = &d->pack;
    size_t *order = PITHP_NEW_N(d->c, size_t, k->n + 1);
    *group = PITHP_NEW_N(d->c, int32_t, k->n + 1);
    if (!order || !*group) {
        pithp_free(d->c, order);
        return PITH_ENOMEM;
    }
    for (size_t i = 0; i < k->n; i++)
        order[i] = i;
    qsort_r(order, k->n, sizeof *order, by_pixels, k->image);
    size_t first = 0; /* of a run of equals: their smallest index */
    for (size_t i = 0; i < k->n; i++) {
        const pithp_image *m = &k->image[order[i]], *f = &k->image[order[first]];
        if (m->hash != f->hash || m->width != f->width) {
            first = i;
            f = m;
        }
        (*group)[order[i]] = (int32_t)order[first];
        if (i == first)
            continue;
        d->report.duplicates++;
        d->report.across += k->own_split && m->split != f->split;
        d->report.conflicting += m->label != f->label;
    }
    pithp_free(d->c, order);
    return PITH_OK;
}

/* A path's place in [0, 2^64): below the share's part of it means validation. */
static uint64_t place(const char *path, uint64_t seed)
{
    uint64_t h = pithp_hash64(path, strlen(path));
    return seed ? pithp_hash_bytes(seed, &h, sizeof h) : h;
}

/* Sees to it that a class has an image on the side `split`: takes those whose place is nearest the border. */
static void lend(pith_data *d, const int32_t *group, const uint64_t *places, int label, uint8_t split)
{
    pithp_image *image = d->pack.image;
    size_t n = d->pack.n, on_side = 0, groups = 0, best = n;
    for (size_t i = 0; i < n; i++) {
        if (image[i].label != label)
            continue;
        on_side += image[i].split == split;
        if ((size_t)group[i] != i)
            continue;
        groups++;
        if (best == n || (split == PITH_VAL ? places[i] < places[best] : places[i] > places[best]))
            best = i;
    }
    if (on_side || groups < 2)
        return;
    for (size_t i = 0; i < n; i++)
        if (group[i] == (int32_t)best)
            image[i].split = split;
}

pith_status pithp_split_by_hash(pith_data *d, double val, uint64_t seed)
{
    int32_t *group;
    pith_status status = pithp_duplicates(d, &group);
    uint64_t *places = status ? NULL : PITHP_NEW_N(d->c, uint64_t, d->pack.n + 1);
    if (!places) {
        pithp_free(d->c, group);
        return PITH_ENOMEM;
    }
    if (!d->pack.own_split) {
        uint64_t border = (uint64_t)(val * 0x1p32) << 32;
        for (size_t i = 0; i < d->pack.n; i++) {
            pithp_image *m = &d->pack.image[i];
            places[i] = place(d->pack.names + d->pack.image[group[i]].path, seed);
            m->split = places[i] < border ? PITH_VAL : PITH_TRAIN;
        }
        for (size_t k = 0; k < d->pack.n_classes && val > 0; k++) {
            lend(d, group, places, (int)k, PITH_VAL);
            lend(d, group, places, (int)k, PITH_TRAIN);
        }
    }
    pithp_free(d->c, places);
    pithp_free(d->c, group);
    return PITH_OK;
}
