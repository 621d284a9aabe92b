/* pith/channels.h: structured pruning: channels, and whole residual blocks, that really go. The network is recorded anew with
   smaller shapes: fewer parameters, multiply-adds and bytes of memory, not zeros in their place. What comes out is an
   ordinary model, which trains on, quantizes, saves and exports. */
#ifndef PITH_CHANNELS_H
#define PITH_CHANNELS_H

#include <pith/prune.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Cutting to a target ---------------------------------------------------------------------------------------- */

/* What goes at once: a channel, through all layers that it has to go with; or a residual block that keeps its shape. */
typedef enum { PITH_CUT_CHANNELS = 0, PITH_CUT_BLOCKS } pith_cut_unit;

/* What the target is a share of. RAM: bytes of the activations of one sample as pith plans them for inference in float. */
typedef enum { PITH_CUT_MACS = 0, PITH_CUT_PARAMETERS, PITH_CUT_RAM } pith_cut_of;

/* Zero is the default of all but target.
   target     the share of multiply-adds (parameters, RAM) to be rid of, above 0 and below 1; at least so much goes
   per_layer  every group of channels loses the same share of them; else the least important of all groups go
   multiple   channels that are left are a multiple of this number (or all there were); 0: 1. Float kernels of AVX-512 take
              16 at a time: other numbers cost multiply-adds, but little time
   keep       the least share of a group's channels that stays, so that no layer empties; 0: 0.1; PITH_ZERO: one channel
   skip       "stem.*,head.*": layers of these names keep all their channels (blocks of a layer so named stay). Channels that
              they have in common with others stay there too
   criterion  what makes a channel important: PITH_PRUNE_L1, L2: its weights in a layer; BN: |gamma| of the batch norms, groups
              without any keep all their channels; TAYLOR; RANDOM. A channel of several layers has the mean of its importances
              there, each divided by its layer's mean. Blocks: all weights of the branch (BN: the last gamma; no TAYLOR)
   seed       of RANDOM, and of the images of TAYLOR: samples of them (0: 512), out of data's training split */
typedef struct {
    pith_cut_unit unit;
    pith_cut_of of;
    double target;
    pith_prune_criterion criterion;
    bool per_layer;
    int multiple;
    double keep;
    const char *skip;
    int samples;
    uint64_t seed;
    pith_data *data;
} pith_channels_cfg;

/* What came of it: costs before and after, and how many of how many channels (blocks) went. */
typedef struct {
    int64_t macs[2], parameters[2], ram[2];
    int64_t units, gone;
} pith_channels_result;

/* Removes the least important channels (or blocks) of a model until the target is met. Plans, trainers and optimisers made of
   m before refuse to run; weights that stay keep their values and their running statistics, so that training may go on.
   result   NULL, or filled in
   errors   m is then as it was. PITH_EINVAL: target, multiple or keep out of range; skip matches nothing; nothing can go; the target cannot
            be reached (how far it goes, and which layer has most left); PITH_ENAN names the layer; PITH_ENOMEM
   source   groups: Fang et al., "DepGraph", CVPR 2023; blocks: Veit et al., NeurIPS 2016. Since 0.1. */
PITH_API pith_status pith_channels_prune(pith_model *m, pith_channels_cfg cfg, pith_channels_result *result);

/* ---- By hand ---------------------------------------------------------------------------------------------------- */

/* The channels of a model, in groups: a channel of a group goes through all layers of the group at once, which residual adds,
   depthwise convolutions, squeeze-and-excitation, concatenation and the like tie together. Channels that cannot go (of the
   input, of the output, of what an op without a rule sees) are in none. */
typedef struct pith_channels pith_channels;

/* Finds them. ownership: the context's; valid until m changes. errors: NULL. Since 0.1. */
PITH_API pith_channels *pith_channels_find(pith_model *m);
PITH_API void pith_channels_free(pith_channels *ch); /* NULL is allowed */

/* One group. name: its first layer's. channels: how many it has, of which `gone` were dropped; layers: whose results have
   them. */
typedef struct {
    const char *name;
    int64_t channels, gone;
    int layers;
} pith_channel_group;

/* Group i, from 0; false after the last. Since 0.1. */
PITH_API bool pith_channels_group(const pith_channels *ch, int i, pith_channel_group *facts);

/* Name of layer j of group i; NULL after the last. Since 0.1. */
PITH_API const char *pith_channels_layer(const pith_channels *ch, int i, int j);

/* Chooses a channel of a group to go, counted from 0 as in the group's first layer. One has to stay.
   errors   PITH_EINVAL. Since 0.1. */
PITH_API pith_status pith_channels_drop(pith_channels *ch, int group, int64_t channel);

/* Removes the chosen channels from the model; ch can then only be freed.
   errors   PITH_ESTALE: the model has changed since; PITH_ENOMEM. m is then as it was. Since 0.1. */
PITH_API pith_status pith_channels_remove(pith_channels *ch);

#ifdef __cplusplus
}
#endif
#endif
