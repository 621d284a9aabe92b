/* pith/train.h: optimisers, schedules, the training loop, evaluation, checkpoints. */
#ifndef PITH_TRAIN_H
#define PITH_TRAIN_H

#include <pith/data.h>
#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pith_opt pith_opt;
typedef struct pith_trainer pith_trainer;

typedef enum { PITH_OPT_SGD = 0, PITH_OPT_ADAMW } pith_opt_kind;

/* An optimiser's settings. Weight decay leaves batch norm and biases alone (parameters of one dimension).
   lr            0: 0.05 (SGD), 1e-3 (AdamW)
   momentum      0: 0.9; nesterov: SGD only
   beta1 beta2 eps  0: 0.9, 0.999, 1e-8
   weight_decay  0: 4e-5 (SGD: added to the gradient), 1e-2 (AdamW: decoupled); PITH_ZERO for none
   clip_norm     0: off; else the gradient's global L2 norm is limited to this
   ema_decay     0: off; else keeps a moving average of the weights, with warm-up min(decay, (1+t)/(10+t)) */
typedef struct {
    pith_opt_kind kind;
    double lr, momentum, beta1, beta2, eps, weight_decay, clip_norm, ema_decay;
    bool nesterov;
} pith_opt_cfg;

/* Over all trainable parameters of the bare engine (recorded so far), or of a model.
   ownership: the context's. NULL after an error. Since 0.1. */
PITH_API pith_opt *pith_opt_new(pith_ctx *c, pith_opt_cfg cfg);
PITH_API pith_opt *pith_opt_new_model(pith_model *m, pith_opt_cfg cfg);
PITH_API void pith_opt_free(pith_opt *o);

/* One step: clip, decay, update, moving average, and gradients set to zero, in one pass. Allocates nothing.
   errors   PITH_ENAN when the gradient's norm is not finite (clipping on): weights are untouched. Since 0.1. */
PITH_API pith_status pith_opt_step(pith_opt *o);
PITH_API void pith_opt_set_lr(pith_opt *o, double lr);
PITH_API double pith_opt_lr(const pith_opt *o);
PITH_API double pith_opt_grad_norm(const pith_opt *o); /* of the last step with clipping */

/* Exchanges the weights with their moving average (and back, when called again). No-op without one. Since 0.1. */
PITH_API void pith_opt_swap_ema(pith_opt *o);

typedef enum { PITH_COSINE = 0, PITH_STEP, PITH_CONSTANT } pith_schedule_kind;

/* Learning rate at a step: linear warm-up from 0 over warmup_epochs, then cosine to final_lr (0: lr/1000), or times
   gamma (0: 0.1) every step_epochs. */
typedef struct {
    pith_schedule_kind kind;
    double warmup_epochs; /* 0: 2 (at most a fifth of the run) */
    double final_lr, gamma, step_epochs;
} pith_schedule_cfg;
PITH_API double pith_schedule_lr(pith_schedule_cfg cfg, double lr, int64_t step, int64_t steps_per_epoch,
                                 int epochs);

/* What the training loop tells: after each step (event 's'), each epoch ('e'), each save ('c') and each note ('n'); and
   once, before the first step, the memory that the run takes ('m').
   Epochs count from 1; loss and accuracy are means over the epoch so far. */
typedef struct {
    char event;
    int epoch, epochs;
    int64_t step, steps; /* within the epoch */
    double loss, accuracy, lr, img_per_s, seconds, eta_seconds;
    double val_loss, val_accuracy; /* after an epoch; NaN if not evaluated */
    const char *text;              /* of a note or of 'm', or the path that was saved */
} pith_progress;

/* pith_fit's settings; all zero is the recipe that reaches the README's numbers.
   epochs 0: 40; batch 0: 64; smoothing 0: 0.1; SGD with opt.lr 0: 0.1 x batch x accumulate / 64, opt.weight_decay 0:
   1e-4, opt.momentum 0: 0.9 with Nesterov; opt.ema_decay 0: 0.999.
   out      run folder: args.json (written by the caller), log.jsonl, last.pith, best.pith; NULL: nothing is written.
            What an older run left in it is overwritten unless resume is set
   resume   go on from out/last.pith exactly as if never stopped
   stop     polled between steps: when *stop is not 0 the state is saved and PITH_ESTOPPED returned
   progress called from the calling thread */
typedef struct {
    int epochs, batch;
    uint64_t seed;
    double smoothing;
    pith_opt_cfg opt;
    pith_schedule_cfg schedule;
    pith_augment_cfg augment;
    int accumulate;            /* batches a step; 0: 1 */
    int eval_every;            /* epochs; 0: 1; negative: only at the end */
    double save_every_minutes; /* within an epoch; 0: 5 */
    const char *out;
    bool resume;
    const volatile int *stop;
    void (*progress)(void *user, const pith_progress *p);
    void *progress_user;
} pith_fit_cfg;

/* Trains m on d. The model ends with the moving average of its weights where one was kept (the default), else with the last
   weights; never with the best epoch's. best.pith holds the best epoch's, for curiosity.
   errors   PITH_ENAN: the loss was not finite: names the first layer that went bad; the last good checkpoint stays.
            PITH_ESTOPPED: stopped on request, saved. Others as usual. Since 0.1. */
PITH_API pith_status pith_fit(pith_model *m, pith_data *d, pith_fit_cfg cfg);

/* Evaluation: every image of the split exactly once. confusion [classes*classes], row = label, column = prediction;
   it lives in the context until the next evaluation of the model. */
typedef struct {
    int64_t n, correct;
    double accuracy, loss;
    int classes;
    const int64_t *confusion;
} pith_eval_result;
PITH_API pith_status pith_evaluate(pith_model *m, pith_data *d, pith_split split, int batch,
                                   pith_eval_result *r);

/* Class probabilities of n images x [n,H,W,C] (already as the network wants them): probs [n,classes]. Since 0.1. */
PITH_API pith_status pith_predict(pith_model *m, const pith_real *x, int64_t n, pith_real *probs);

/* ---- The loop by hand: examples/train_loop.c -----------------------------------------------------------------
   A trainer is a training plan of the model with a label input, cross-entropy and an optimiser.
   batch 0: 64; smoothing 0: 0.1, PITH_ZERO none. It is the context's, until freed. */
typedef struct {
    int batch;
    double smoothing;
    pith_opt_cfg opt;
} pith_trainer_cfg;
PITH_API pith_trainer *pith_trainer_new(pith_model *m, pith_trainer_cfg cfg);
/* One forward, backward and optimiser step at learning rate lr; returns the loss (NaN after an error). Since 0.1. */
PITH_API double pith_trainer_step(pith_trainer *t, const pith_batch *b, double lr);
PITH_API int64_t pith_trainer_correct(const pith_trainer *t); /* samples of the last batch classed right */
PITH_API pith_opt *pith_trainer_opt(pith_trainer *t);
PITH_API pith_plan *pith_trainer_plan(pith_trainer *t);
PITH_API void pith_trainer_free(pith_trainer *t); /* before its model; with its plan and its optimiser */

#ifdef __cplusplus
}
#endif
#endif
