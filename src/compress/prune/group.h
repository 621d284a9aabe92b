/* compress/prune/group.h: the channels of a model, and which of them go together.

   Every dimension of every saved node has slices (ops/channels.h); the ops' rules join them into channels: what has to go at
   once if any of it goes. Channels that lie in the same dimensions of the same nodes make a group: there any number of them may
   go, whichever they are. */
#ifndef PITHP_GROUP_H
#define PITHP_GROUP_H

#include "graph/rewrite.h"
#include "ops/channels.h"
#include <pith/channels.h>

typedef struct {
    const char *name; /* the first layer's: the graph's */
    int32_t *channel; /* [size] ascending */
    int64_t size;
} pithp_group;

/* A layer (an op that multiplies, or has parameters) whose result has channels of a group. */
typedef struct {
    int group;
    const pith_tensor *t;
} pithp_group_layer;

struct pith_channels {
    pithp_obj obj;
    pith_ctx *ctx;
    pith_model *m;
    const pithp_graph *g; /* as it was when this was made */
    uint8_t *marks;       /* [nodes] saved */
    int32_t *first;       /* [nodes * PITH_MAX_DIMS] number of the first slice of each dimension */
    int32_t n_slices, n_channels;
    int32_t *
        channel; /* [slices] channel of each slice; while they are joined: a slice nearer to the first of its channel */
    uint8_t *stays; /* [channels] some part of it cannot go */
    int32_t *group; /* [channels] -1: stays */
    uint8_t *gone;  /* [channels] chosen to go */
    pithp_group *groups;
    int n_groups;
    int32_t *members;          /* of all groups */
    pithp_group_layer *layers; /* by group, then in the graph's order */
    size_t n_layers, cap_layers;
};

/* The first of the slices of dimension dim of a node. */
static inline const int32_t *pithp_channels_at(const pith_channels *ch, const pith_tensor *t, int dim)
{
    return ch->channel + ch->first[t->id * PITH_MAX_DIMS + (size_t)dim];
}

/* The stages of finding, in order. False: no memory, or the model is too large; recorded. */
bool pithp_channels_join(pith_channels *ch);
bool pithp_channels_split(pith_channels *ch);

/* The model without the channels that are gone, as another one; NULL after an error. */
pith_model *pithp_channels_shrunk(const pith_channels *ch);

/* Importance of every channel of a group, [channels]; the mean over a group is 1. */
pith_status pithp_channels_score(const pith_channels *ch, const pith_channels_cfg *cfg, double *score);

#endif
