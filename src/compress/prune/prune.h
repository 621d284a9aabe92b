/* compress/prune/prune.h: which layers are pruned, what their units are worth, and which of them go. */
#ifndef PITHP_PRUNE_H
#define PITHP_PRUNE_H

#include "graph/model.h"
#include <pith/prune.h>

/* A layer's weights as K x R x S x C in the order of memory (depthwise: 1 x R x S x C, dense: K x 1 x 1 x C), and its units: the
   unit of element (k, r, s, c) is the sum of the indices times `step`. */
typedef struct {
    const pith_tensor *t, *bn; /* the layer; the batch norm behind it, or NULL */
    pith_tensor *w;
    pith_tensor *beside[3]; /* held with a channel: bias, gamma, beta; NULL: none */
    int64_t d[4], step[4];
    int64_t n, channels, units; /* weights, output channels, units */
    int64_t first;              /* number of its first unit among those of all layers */
    double target;
    bool depthwise, alone; /* alone: ranked by itself */
} pithp_pruned;

/* The layers that take part, with all checks of cfg but those of its data. NULL after an error. Freed with pithp_free. */
pithp_pruned *pithp_pruned_layers(const pith_model *m, const pith_prune_cfg *cfg, int *n);
/* Defaults filled in; PITH_EINVAL for what cannot be. */
pith_status pithp_prune_cfg_check(const pith_model *m, pith_prune_cfg *cfg);
/* Sets step and units of a layer. */
void pithp_pruned_units(pithp_pruned *l, pith_prune_unit unit);

/* Calls of(arg, element, unit) in the order of memory. */
#define PITHP_UNITS_EACH(l, i, u)                                                                   \
    for (int64_t i = 0, k_ = 0; k_ < (l)->d[0]; k_++)                                               \
        for (int64_t r_ = 0; r_ < (l)->d[1]; r_++)                                                  \
            for (int64_t s_ = 0; s_ < (l)->d[2]; s_++)                                              \
                for (int64_t c_ = 0, u = k_ * (l)->step[0] + r_ * (l)->step[1] + s_ * (l)->step[2]; \
                     c_ < (l)->d[3]; c_++, i++, u += (l)->step[3])

/* ---- images.c: images of the training split and their classes, drawn by seed --------------------------------- */
typedef struct {
    pith_real *x; /* [n, image] */
    int32_t *labels;
    int64_t n, per;
} pithp_labelled;
pith_status pithp_labelled_take(const pith_model *m, pith_data *d, int64_t n, uint64_t seed,
                                pithp_labelled *im);
void pithp_labelled_free(pith_ctx *c, pithp_labelled *im);

/* ---- taylor.c: gradients on calibration images ------------------------------------------------------------ */
typedef struct pithp_taylor pithp_taylor;
/* A copy of m with its training plan, and images of d's training split. NULL after an error. */
pithp_taylor *pithp_taylor_new(pith_model *m, pith_data *d, const pith_prune_cfg *cfg);
/* Before the first sum over these layers. */
pith_status pithp_taylor_room(pithp_taylor *t, const pithp_pruned *l, int n);
/* sum [units]: root of the mean over batches of (sum of g w over the unit)^2, of m's weights as they are. A function of these
   and of the images alone. */
pith_status pithp_taylor_sum(pithp_taylor *t, const pithp_pruned *l, int n, double *sum);
void pithp_taylor_free(pithp_taylor *t);

/* ---- criteria.c -------------------------------------------------------------------------------------------- */
/* score [units of all layers]: what each is worth, a mean over its weights that are not held; alive [units]: how many these are.
   sum [units]: room; t: for TAYLOR. */
typedef struct {
    float *score;
    int32_t *alive;
    double *sum;
} pithp_worth;
pith_status pithp_prune_scores(const pithp_pruned *l, int n, const pith_prune_cfg *cfg, pithp_taylor *t,
                               pithp_worth *w);

/* convs [n]: layers of m with weights of their own; scores[i] [output channels of convs[i]]: what each is worth by
   cfg->criterion, the mean over its weights. d: for TAYLOR. */
pith_status pithp_channel_scores(pith_model *m, pith_data *d, const pith_prune_cfg *cfg,
                                 const pith_tensor *const *convs, int n, double *const *scores);

/* ---- rank.c ------------------------------------------------------------------------------------------------ */
/* Sorts n numbers of units, in order[0], by score, the least first; equal ones as they stand. order[1] [n]: room. score >= 0.
   The result lies in *sorted, one of the two. */
void pithp_rank(const float *score, int64_t n, uint32_t *const order[2], uint32_t **sorted);

/* ---- pruner.c: masks towards a target, as often as a schedule wants ----------------------------------------- */
typedef struct pithp_pruner pithp_pruner;
/* Checks cfg and, where check is set, that its target can be had from the weights as they are. Changes nothing. NULL after an
   error. */
pithp_pruner *pithp_pruner_new(pith_model *m, pith_data *d, const pith_prune_cfg *cfg, bool check);
/* Holds as many weights as `share` of each target says (0 .. 1), the worthless first, and zeroes them; none is let go.
   Allocates nothing once the model has room for masks (pithp_model_mask_room). Layers keep a unit at least, unless allow_empty. */
pith_status pithp_pruner_step(pithp_pruner *p, double share);
/* Steps that follow prune layer i alone, by scores as they are now, from no masks at all: for the scan. */
pith_status pithp_pruner_only(pithp_pruner *p, int i, double target);
int pithp_pruner_layers(const pithp_pruner *p, const pithp_pruned **l);
double pithp_pruner_target(const pithp_pruner *p);   /* of all layers together */
double pithp_pruner_sparsity(const pithp_pruner *p); /* held now, of the layers that take part */
void pithp_pruner_free(pithp_pruner *p);

#endif
