/* compress/prune/cut.h: how many units have to go for a target, whatever a unit is. */
#ifndef PITHP_CUT_H
#define PITHP_CUT_H

#include "graph/rewrite.h"
#include <pith/channels.h>

typedef struct {
    int64_t macs, parameters, ram;
} pithp_cost;

/* ram: also plans the model, for that number. */
pith_status pithp_cost_of(const pith_model *m, bool ram, pithp_cost *cost);
int64_t pithp_cost_pick(const pithp_cost *cost, pith_cut_of of);
const char *pithp_cost_name(pith_cut_of of);

/* Units in the order in which they should go. build: m without the first n of them, as another model; NULL after an error. */
typedef struct {
    const pith_model *m;
    const pith_channels_cfg *cfg;
    int64_t n;
    pith_model *(*build)(void *user, int64_t n);
    void *user;
} pithp_cut;

/* cfg with its defaults; PITH_EINVAL for what cannot be. */
pith_status pithp_cut_check(const pith_model *m, pith_channels_cfg *cfg);

/* The cost that may be left. PITH_EINVAL if the model has nothing of what the target counts. */
pith_status pithp_cut_target(const pithp_cut *cut, int64_t *most);

/* The cost of m without the first n units. */
pith_status pithp_cut_cost(const pithp_cut *cut, int64_t n, int64_t *cost);

/* The least n for which the target is met, by bisection (more units never cost more); cut->n + 1 if there is none: *reached is
   then what is left without all of them. */
pith_status pithp_cut_search(const pithp_cut *cut, int64_t most, int64_t *n, int64_t *reached);

/* Blocks of the model, cut by cfg. */
pith_status pithp_blocks_prune(pith_model *m, const pith_channels_cfg *cfg, pith_channels_result *result);

/* m becomes n, after costs of both have been taken into *result. n is freed in any case. */
pith_status pithp_cut_finish(pith_model *m, pith_model *n, pith_channels_result *result);

#endif
