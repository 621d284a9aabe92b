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

typedef enum { PITH_OPT_SGD = 0, PITH_OPT_ADAMW, PITH_OPT_RMSPROP } pith_opt_kind;

/* Parameters whose names match the shell pattern ("classifier.*") learn at factor times the learning rate; 0 stops
   them. Where several patterns match, the last one counts. */
typedef struct {
    const char *pattern;
    double factor;
} pith_lr_scale;

/* An optimiser's settings. Weight decay leaves batch norm and biases alone (parameters of one dimension).
   lr            0: 0.05 (SGD), 1e-3 (AdamW), 0.004 (RMSProp)
   momentum      0: 0.9 (SGD, RMSProp); nesterov: SGD only
   beta1 beta2   0: 0.9, 0.999 (AdamW)
   rho           0: 0.9, decay of RMSProp's mean square
   eps           0: 1e-8 (AdamW), 1e-3 (RMSProp: inside the root)
   weight_decay  0: 4e-5 (SGD: added to the gradient), 1e-2 (AdamW: decoupled), 1e-5 (RMSProp: added to the gradient);
                 PITH_ZERO for none
   clip_norm     0: off; else the gradient's global L2 norm is limited to this
   ema_decay     0: off; else keeps a moving average of the weights, with warm-up min(decay, (1+t)/(10+t))
   lr_scale      [n_lr_scale] learning rates of groups of parameters; read while the optimiser is made
   RMSProp is TensorFlow's, as EfficientNet was trained with it: v = rho v + (1-rho) g^2, from v = 1; m = momentum m +
   lr g/sqrt(v + eps); w -= m. PyTorch's differs: v starts at 0, eps stands outside the root, lr outside m.
   source        Sutskever et al. 2013 (SGD); Loshchilov and Hutter 2019 (AdamW); Hinton 2012 and Tan and Le 2019 (RMSProp);
                 Polyak and Juditsky 1992 (average) */
typedef struct {
    pith_opt_kind kind;
    double lr, momentum, beta1, beta2, eps, weight_decay, clip_norm, ema_decay;
    bool nesterov;
    double rho;
    const pith_lr_scale *lr_scale;
    int n_lr_scale;
} pith_opt_cfg;

/* Over all trainable parameters of the bare engine (recorded so far), or of a model.
   ownership: the context's. NULL after an error (absurd settings; a pattern of lr_scale that no parameter's name
   matches). Since 0.1. */
PITH_API pith_opt *pith_opt_new(pith_ctx *c, pith_opt_cfg cfg);
PITH_API pith_opt *pith_opt_new_model(pith_model *m, pith_opt_cfg cfg);
PITH_API void pith_opt_free(pith_opt *o);

/* One step: clip, decay, update, moving average, and gradients set to zero, in one pass. Allocates nothing.
   errors   PITH_ENAN when the gradient's norm is not finite (clipping on): weights are untouched. Since 0.1. */
PITH_API pith_status pith_opt_step(pith_opt *o);
PITH_API void pith_opt_set_lr(pith_opt *o, double lr);
PITH_API double pith_opt_lr(const pith_opt *o);
/* Momentum (SGD, RMSProp) or beta1 (AdamW) of the steps that follow: for schedules that move it. Since 0.1. */
PITH_API void pith_opt_set_momentum(pith_opt *o, double momentum);
PITH_API double pith_opt_grad_norm(const pith_opt *o); /* of the last step with clipping */

/* Exchanges the weights with their moving average (and back, when called again). No-op without one. Since 0.1. */
PITH_API void pith_opt_swap_ema(pith_opt *o);

typedef enum {
    PITH_COSINE = 0,
    PITH_STEP,
    PITH_CONSTANT,
    PITH_ONECYCLE,
    PITH_EXPONENTIAL
} pith_schedule_kind;

/* The learning rate at a step: linear warm-up from 0 over warmup_epochs (0: 2, at most a fifth of the run), then
   PITH_COSINE       cosine to final_lr (0: lr/1000)
   PITH_STEP         times gamma (0: 0.1) every step_epochs (0: a third of the run), counted from the run's beginning
   PITH_CONSTANT     as it is
   PITH_EXPONENTIAL  the same as PITH_STEP with EfficientNet's gamma and step_epochs (0: 0.97 and 2.4)
   PITH_ONECYCLE     no warm-up of the others' kind: a cosine from lr/25 up to lr over warmup_epochs (0: three tenths of the
                     run), a cosine from there down to final_lr (0: lr/250000); in pith_fit momentum (or beta1) goes
                     the other way, down to min_momentum (0: 0.1 less) and back. PyTorch's OneCycleLR with its defaults
   cycles            so many times over: the schedule of an n-th of the epochs, n times; 0: 1
   source            Loshchilov and Hutter, "SGDR", 2017; Tan and Le 2019; Smith and Topin, "Super-convergence", 2018 */
typedef struct {
    pith_schedule_kind kind;
    double warmup_epochs;
    double final_lr, gamma, step_epochs, min_momentum;
    int cycles;
} pith_schedule_cfg;
PITH_API double pith_schedule_lr(pith_schedule_cfg cfg, double lr, int64_t step, int64_t steps_per_epoch,
                                 int epochs);
/* The momentum at a step: `momentum` itself for all kinds but PITH_ONECYCLE. Since 0.1. */
PITH_API double pith_schedule_momentum(pith_schedule_cfg cfg, double momentum, int64_t step,
                                       int64_t steps_per_epoch, int epochs);

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

/* Progressive image size: from this epoch on (counted from 0) the network trains on images of this side. */
typedef struct {
    int from_epoch, size;
} pith_size_step;

/* What happens between steps, as pruning does it.
   begin  before the first step of a sitting, when a resumed run stands where it was: the place to check and to allocate. An
          error ends pith_fit before anything is written
   step   before each step, counted over the whole run: what it does must follow from the step and the weights, so that a
          resumed run does the same. note: a sentence for the log, "" at first. Must not allocate
   key    stands in the run's arguments: a run with another does not resume */
enum { PITH_NOTE = 160 };
typedef struct {
    pith_status (*begin)(void *user, pith_trainer *t, int64_t steps_per_epoch, int epochs);
    pith_status (*step)(void *user, pith_trainer *t, int64_t step, char note[PITH_NOTE]);
    const char *key;
    void *user;
} pith_step_hook;

/* What a training adds to its loss: distillation (pith/distill.h), penalties on weights, a second output's loss. A hook is made of
   functions that get `user` first; key and the struct itself outlive the training.
   key       what a run that goes on must find again: it stands in the run's arguments. UTF-8; NULL: nothing
   one_size  the loss knows images of the model's own size only: growing images are refused
   begin     NULL, or called by pith_fit before its first step, filled the settings with their defaults: reads files, makes plans
   build     the scalar loss to be trained, from the hard one (cross-entropy with label smoothing) and what it looks at: target,
             int32 [1], or float32 [1,K] where images are mixed. May tap the model (pith_tap) and give it inputs of its own
             (pith_model_add_input)
   feed      NULL, or called before every batch: fills those inputs (pith_plan_input), b->n samples of each
   errors    of begin and feed: recorded in the context and returned; of build: NULL or poison, recorded */
typedef struct pith_fit_cfg pith_fit_cfg;
typedef struct {
    void *user;
    const char *key;
    bool one_size;
    pith_status (*begin)(void *user, pith_model *m, pith_data *d, const pith_fit_cfg *filled);
    pith_tensor *(*build)(void *user, pith_model *m, pith_tensor *hard, pith_tensor *target);
    pith_status (*feed)(void *user, pith_plan *p, const pith_batch *b);
} pith_loss_hook;

/* pith_fit's settings; all zero is the recipe that reaches the README's numbers.
   epochs 0: 40; batch 0: 64; smoothing 0: 0.1; SGD with opt.lr 0: 0.1 x batch x accumulate / 64, opt.weight_decay 0:
   1e-4, opt.momentum 0: 0.9 with Nesterov; opt.ema_decay 0: 0.999.
   out      run folder: args.json (written by the caller), log.jsonl, last.pith, best.pith; NULL: nothing is written.
            What an older run left in it is overwritten unless resume is set
   resume   go on from out/last.pith exactly as if never stopped
   sizes    [n_sizes] the training images' side by epoch, the first from epoch 0, epochs increasing; none: the data set's side
            throughout. Evaluation always sees the data set's. For networks that end in a global pooling
   freeze   [n_freeze] shell patterns of names, applied in order: parameters that match are not trained and batch norms use
            their running statistics; a pattern after '!' frees what it matches again ("*", "!classifier.*"). The model's
            own flags come back afterwards
   freeze_epochs  after so many epochs all of it trains; 0: never
   keep_after  after so many epochs the weights are kept as out/early.pith, for pruning that rewinds to them; 0: never
   class_weights  [n_class_weights] what a sample of each class counts in the loss, 0 or more; NULL: 1 each. The loss is their
            weighted mean. balance: n / (K n_k) instead, of n training images of K classes, n_k of class k
   hook     NULL: none
   loss     NULL, or what is trained in place of the hard loss; the losses that are told are then of it
   tensorboard  0: no; else TensorBoard's event file, out/events.out.tfevents.*: a point each so many steps (step/loss,
            step/accuracy, step/lr: of that step alone), and each epoch (epoch/loss, accuracy, val_loss, val_accuracy, lr,
            images_per_second). A run that resumes goes on in its file, cut back to where it goes on
   stop     polled between steps: when *stop is not 0 the state is saved and PITH_ESTOPPED returned
   progress called from the calling thread */
struct pith_fit_cfg {
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
    const pith_size_step *sizes;
    int n_sizes;
    const char *const *freeze;
    int n_freeze, freeze_epochs;
    int keep_after;
    const pith_step_hook *hook;
    const pith_loss_hook *loss;
    const double *class_weights;
    int n_class_weights;
    bool balance;
    int tensorboard;
};

/* Trains m on d. The model ends with the moving average of its weights where one was kept (the default), else with the last
   weights; never with the best epoch's. best.pith holds the best epoch's, for curiosity.
   errors   PITH_ENAN: the loss was not finite: names the first layer that went bad; the last good checkpoint stays.
            PITH_ESTOPPED: stopped on request, saved. Others as usual. Since 0.1. */
PITH_API pith_status pith_fit(pith_model *m, pith_data *d, pith_fit_cfg cfg);

/* ---- The learning-rate finder ----------------------------------------------------------------------------------
   Trains a copy of the model while the learning rate grows from step to step, and looks where the loss falls fastest
   (Smith, "Cyclical learning rates", 2017). The model itself is not touched.
   fit         the recipe the rate is wanted for: batch, accumulate, seed, smoothing, opt (but for its lr), augment, freeze,
               stop; its other fields are not looked at, but for progress, which is called after each step
   lr_min lr_max  0: 1e-4 and 10 (SGD), 1e-6 and 1 (else)
   steps       0: 120; 10 to 100000
   stop_factor ends the sweep when the loss, averaged over some steps, is this many times its least; 0: 3 */
typedef struct {
    pith_fit_cfg fit;
    double lr_min, lr_max, stop_factor;
    int steps;
} pith_lr_find_cfg;

/* One step of the sweep: its rate, its loss, and the loss smoothed over its neighbours. */
typedef struct {
    double lr, loss, smooth;
} pith_lr_point;

/* What was found.
   n           steps made: fewer than asked for where the loss ran away
   lr          where the smoothed loss falls fastest, over the logarithm of the rate: the rate to try first; NaN where it
               never falls
   lr_least    where it is least: more than a training will bear
   diverged    the loss ran away, or was not finite any more
   unsure      the loss fell hardly more than chance lets it from step to step: lr is a guess; more steps say more */
typedef struct {
    int n;
    double lr, lr_least;
    bool diverged, unsure;
} pith_lr_found;

/* points [steps], the caller's; the first found->n are filled.
   errors      those of pith_fit before its first step; PITH_ESTOPPED; PITH_EINVAL. Since 0.1. */
PITH_API pith_status pith_lr_find(pith_model *m, pith_data *d, pith_lr_find_cfg cfg, pith_lr_point *points,
                                  pith_lr_found *found);

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
   batch 0: 64; smoothing 0: 0.1, PITH_ZERO none. It is the context's, until freed.
   soft        takes batches of mixed images (pith_batch's other and weight; a batch without them is as good)
   image_size  side of the images, where not the model's own; 0: the model's
   loss        as in pith_fit_cfg; its begin is not called
   class_weights  as in pith_fit_cfg; copied */
typedef struct {
    int batch;
    double smoothing;
    pith_opt_cfg opt;
    bool soft;
    int image_size;
    const pith_loss_hook *loss;
    const double *class_weights;
    int n_class_weights;
} pith_trainer_cfg;
PITH_API pith_trainer *pith_trainer_new(pith_model *m, pith_trainer_cfg cfg);
/* One forward, backward and optimiser step at learning rate lr; returns the loss (NaN after an error). A mixed sample's
   target is weight x label + (1 - weight) x other. Since 0.1. */
PITH_API double pith_trainer_step(pith_trainer *t, const pith_batch *b, double lr);
/* Samples of the last batch classed right; of a mixed one the label with the greater weight counts. Since 0.1. */
PITH_API int64_t pith_trainer_correct(const pith_trainer *t);
/* Plans anew: for images of another side (0: the model's), or after parameters were frozen or freed. Moments and the random
   numbers go on. Allocates; the old plan goes first. After an error the trainer can only be freed. Since 0.1. */
PITH_API pith_status pith_trainer_replan(pith_trainer *t, int image_size);
PITH_API pith_opt *pith_trainer_opt(pith_trainer *t);
PITH_API pith_plan *pith_trainer_plan(pith_trainer *t);
PITH_API void pith_trainer_free(pith_trainer *t); /* before its model; with its plan and its optimiser */

#ifdef __cplusplus
}
#endif
#endif
