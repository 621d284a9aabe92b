/* pith/prune.h: weights that are held at zero.

   A pruned model is a model: its masks are saved and loaded with it, training keeps what is held at exactly zero (weights,
   moments, moving average), and quantizing, folding and exporting keep it so. */
#ifndef PITH_PRUNE_H
#define PITH_PRUNE_H

#include <pith/data.h>
#include <pith/model.h>
#include <pith/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What goes together.
   WEIGHT   each weight for itself
   NM       of each m weights that lie together (m input channels at one place of the kernel) the best n stay: "2:4"
   VECTOR   a row of a kernel: S weights of one output and one input channel
   KERNEL   a kernel: the R x S weights of one output and one input channel. In 1x1 convolutions and dense layers rows and
            kernels are single weights
   CHANNEL  all weights of an output channel, with its bias and with gamma and beta of the batch norm behind it, so that the
            channel is act(0). Dense layers are left out. pith/channels.h makes such channels go */
typedef enum {
    PITH_PRUNE_WEIGHT = 0,
    PITH_PRUNE_NM,
    PITH_PRUNE_VECTOR,
    PITH_PRUNE_KERNEL,
    PITH_PRUNE_CHANNEL
} pith_prune_unit;

/* What a unit is worth; the worthless go first. All are per weight of the unit that is not held yet, so that units of several
   sizes may be ranked together.
   L1      mean |w| (Han et al., NIPS 2015; Li et al., ICLR 2017)
   L2      root of the mean w^2
   BN      |gamma| of the batch norm behind the layer (Liu et al., ICCV 2017); finer units: mean |w| |gamma|/sqrt(var + eps),
           the magnitude that the weights will have once the norm is folded. For layers that have one
   TAYLOR  root of the mean over batches of (sum g w)^2: what the loss changes without the unit, to first order (Molchanov et al.,
           CVPR 2019)
   RANDOM  chance, as a control: a function of seed, layer and unit */
typedef enum {
    PITH_PRUNE_L1 = 0,
    PITH_PRUNE_L2,
    PITH_PRUNE_BN,
    PITH_PRUNE_TAYLOR,
    PITH_PRUNE_RANDOM
} pith_prune_criterion;

/* What is pruned.
   target       share of the weights of the layers taken part in that are held at zero afterwards, 0 to 1. NM: 0, or 1 - n/m
   n, m         of NM; 0: 2 and 4
   per_layer    each layer loses the same share; else all units are ranked together, and some layers lose more than others
   layers       other targets by layer name: "head=0.5,blocks.*=0.9"; the first shell pattern that matches counts; such
                layers are ranked by themselves
   skip         "stem.*,head": layers of these names are left out
   depthwise    depthwise convolutions take part too; they are left out otherwise: few weights, and they matter
   allow_empty  a layer may lose all its weights; else that is refused
   samples      training images of TAYLOR; 0: 512; seed: which, and of RANDOM */
typedef struct {
    double target;
    pith_prune_unit unit;
    int n, m;
    pith_prune_criterion criterion;
    bool per_layer, depthwise, allow_empty;
    const char *layers, *skip;
    int samples;
    uint64_t seed;
} pith_prune_cfg;

/* Prunes at once. What is held already stays held: pruning again goes on from there.
   d        for TAYLOR alone; else it may be NULL
   errors   m is then as it was. PITH_EINVAL: a target outside 0..1, or below what is held already; a layer that would lose all its
            weights; m weights that do not divide; a pattern that matches no layer; BN where there is none; a quantized model
            (prune first); PITH_ENAN: weights that are not finite. All name the layer. Since 0.1. */
PITH_API pith_status pith_prune(pith_model *m, pith_data *d, pith_prune_cfg cfg);

/* When masks grow while a model trains.
   ONESHOT     all at once, before the first step
   CONSTANT    all at once, at `begin`
   POLYNOMIAL  target + (from - target) (1 - (t - begin)/(end - begin))^power, looked at every `frequency` steps (Zhu and Gupta,
               arXiv:1710.01878)
   ITERATIVE   rounds of pruning and training; each takes the same share of the weights that are left, so that the last reaches
               the target; the optimiser and the learning rate's schedule begin anew with each (Han et al., NIPS 2015)
   REWIND      the same, but after each pruning the weights go back to those of `rewind`: the network as it was initialised, or
               after its first epochs (Frankle and Carbin, ICLR 2019; Frankle et al., ICML 2020) */
typedef enum {
    PITH_PRUNE_ONESHOT = 0,
    PITH_PRUNE_CONSTANT,
    PITH_PRUNE_POLYNOMIAL,
    PITH_PRUNE_ITERATIVE,
    PITH_PRUNE_REWIND
} pith_prune_kind;

/* begin, end  in epochs; 0: 0 and half of the run; frequency: steps; 0: 50; power: 0: 3
   rounds      of ITERATIVE and REWIND; 0: 3. The training's epochs are those of all rounds together, and a multiple of them
   from        sparsity that it begins at: what is held already, where a pruned model is pruned further
   rewind      the caller's; only its weights and running statistics count, by name */
typedef struct {
    pith_prune_kind kind;
    double begin, end, power, from;
    int frequency, rounds;
    pith_model *rewind;
} pith_prune_schedule;

/* The sparsity that a schedule asks for at a step: a formula, without a model. Since 0.1. */
PITH_API double pith_prune_sparsity(pith_prune_schedule s, double target, int64_t step,
                                    int64_t steps_per_epoch, int epochs);

/* Prunes and trains. cfg.target is what it ends with; layers with targets of their own keep step with it. A run that was
   stopped or killed goes on bit for bit (fit.resume): the checkpoint holds the masks, and all else follows from the step.
   errors   those of pith_prune, before anything is written: m is then as it was; a layer that would be emptied later, because
            weights have moved, keeps its best unit. Those of pith_fit. PITH_EINVAL: a schedule that cannot be. Since 0.1. */
PITH_API pith_status pith_prune_fit(pith_model *m, pith_data *d, pith_prune_cfg cfg, pith_prune_schedule when,
                                    pith_fit_cfg fit);

/* ---- Sensitivity -----------------------------------------------------------------------------------------------
   Prunes each layer alone, on a copy and without training, to several levels, and looks at the loss on cfg.samples images of the
   training split. Proposed is what each layer bears when the loss may grow by the same amount in all of them, that amount
   chosen so that together they reach cfg.target: targets for cfg.layers. */
enum { PITH_SCAN_LEVELS = 7 };
typedef struct {
    char name[128];
    int64_t weights;
    double loss[PITH_SCAN_LEVELS], proposed;
} pith_prune_scan_layer;

/* loss: of the model as it is; growth: what each layer is allowed */
typedef struct {
    int n;
    double level[PITH_SCAN_LEVELS], loss, growth;
} pith_prune_scan_result;

/* progress is called after each layer; *stop is polled between layers. */
typedef struct {
    void (*progress)(void *user, int done, int total);
    void *progress_user;
    const volatile int *stop;
} pith_prune_scan_cfg;

/* layers [room]: the caller's; the first result->n are filled.
   errors   those of pith_prune but for emptied layers; PITH_ESTOPPED; a target beyond the last level. m is never touched.
            Source: Li et al., ICLR 2017; Han et al., NIPS 2015. Since 0.1. */
PITH_API pith_status pith_prune_scan(pith_model *m, pith_data *d, pith_prune_cfg cfg, pith_prune_scan_cfg how,
                                     pith_prune_scan_layer *layers, int room, pith_prune_scan_result *result);

/* Forgets the masks; weights stay as they are, and may move again. Since 0.1. */
PITH_API void pith_prune_clear(pith_model *m);

/* Of the layers that pith_prune looks at with this cfg (unit, depthwise, skip), or of all parameters.
   weights, held   of those layers; parameters, zeros: of the whole model, zeros being all that are exactly zero */
typedef struct {
    int64_t weights, held, parameters, zeros;
} pith_prune_facts;
PITH_API pith_status pith_prune_info(const pith_model *m, pith_prune_cfg cfg, pith_prune_facts *facts);

#ifdef __cplusplus
}
#endif
#endif
