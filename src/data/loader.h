/* data/loader.h: the insides of a loader. */
#ifndef PITHP_LOADER_H
#define PITHP_LOADER_H

#include "data/data.h"

typedef struct {
    pith_batch b;
    pith_real *x;     /* [batch,S,S,3] */
    int32_t *labels;  /* [batch] */
    int64_t *samples; /* [batch] */
    int32_t *other;   /* [batch]; NULL: nothing is mixed */
    pith_real *weight;
    int64_t damaged; /* an image whose checksum differs; -1: none */
    bool ready;
} pithp_slot;

typedef struct {
    pith_loader *l;
    pthread_t id;
    pithp_transform *transform;
    pith_real *canvas; /* [S,S,3] and one: before it is turned, or one row while it is mixed */
    pithp_mix *mix;    /* [batch]; NULL: nothing is mixed */
} pithp_loader_thread;

struct pith_loader {
    pithp_obj obj;
    pith_ctx *c;
    pith_data *d;
    pith_loader_cfg cfg;     /* defaults filled in */
    bool extra, mixing;      /* samples are turned or cut out; batches are mixed */
    int64_t batches, images; /* of an epoch */
    uint32_t epoch;          /* what the caller gets next */
    int64_t index;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t room, done;
    uint32_t next_epoch; /* what is claimed next */
    int64_t next_index;
    int64_t claimed, taken; /* batches, since the epoch was started */
    int busy;               /* threads that fill a slot */
    bool stop, paused;
    int64_t *order; /* of order_epoch */
    uint32_t order_epoch;
    bool has_order;

    pithp_slot *slot; /* [n_slots] */
    int n_slots, n_threads;
    pithp_loader_thread *thread;
    pith_real *x;
    int32_t *labels;
    int64_t *samples;
    int32_t *other;
    pith_real *weight, *canvas;
    pithp_mix *mix;
    void *scratch;
};

#endif
