/* train/train.h: the insides of floor 5. */
#ifndef PITHP_TRAIN_H
#define PITHP_TRAIN_H

#include "graph/model.h"
#include "graph/qgraph.h"
#include <jansson.h>
#include <pith/train.h>

/* ---- opt.c ------------------------------------------------------------------------------------------------
   A segment is a run of at most PITHP_OPT_CHUNK elements of one tensor; a tile is as many segments as make
   up about that many elements, and is what one thread takes. Both depend on the shapes alone. */
enum { PITHP_OPT_CHUNK = 16384, PITHP_MAX_PATTERNS = 64 };

typedef struct {
    const pith_tensor *t; /* PARAM, or STATE: then g, m and v are NULL and only the average moves */
    pith_real *w, *g, *m, *v, *ema;
    int64_t n;
    double rate; /* times the learning rate */
} pithp_opt_seg;

typedef struct {
    int from, to; /* segments */
} pithp_opt_tile;

struct pith_opt {
    pithp_obj obj;
    pith_ctx *ctx;
    pith_model *model;        /* NULL: the bare engine's parameters */
    const pith_real *weights; /* the model's block when the optimiser was made */
    pith_opt_cfg cfg;         /* defaults filled in; lr_scale has gone into the segments */
    const pithp_kern *kern;
    pithp_opt_seg *seg;
    pithp_opt_tile *tile;
    int n_seg, n_tile;
    /* Flat blocks; a model's are laid out as its weights: m v [n_params], ema [n_weights]. NULL: unused. */
    pith_real *m, *v, *ema;
    int64_t n_params, n_weights;
    double *partial; /* [n_tile] sums of squares */
    int64_t steps;   /* made so far */
    double lr, norm;
    double scale, ema_now, c1, c2; /* of the step being made */
    bool swapped;                  /* the weights are the average at the moment */
};

pith_opt_cfg pithp_opt_defaults(pith_opt_cfg cfg);
pith_status pithp_opt_check(pith_ctx *c,
                            const pith_opt_cfg *filled); /* of a cfg with its defaults filled in */
/* A step with all gradients multiplied by scale first (1 / batches accumulated). */
pith_status pithp_opt_step_scaled(pith_opt *o, double scale);
double pithp_ema_decay(double decay, int64_t steps_before); /* with warm-up */

/* ---- opt_mask.c ------------------------------------------------------------------------------------------ */
/* Of the segment's elements; NULL: none is held at zero. Masks may come and go after the optimiser was made. */
const uint8_t *pithp_opt_mask(const pithp_opt_seg *s);
/* Zeroes what the masks hold of weights, moments and average: by choice, not by multiplying, so that not even a NaN stays. */
void pithp_opt_hold_segment(const pith_opt *o, const pithp_opt_seg *s);
void pithp_opt_hold(pith_opt *o);
pith_real
pithp_opt_first_square(const pith_opt *o); /* what mean squares begin with; RMSProp: 1, as TensorFlow
                                                        does, so that the first steps are no larger than the gradient */
void pithp_opt_restart(pith_opt *o);       /* as if made anew: moments as at first, the average the weights */

/* ---- trainer.c ----------------------------------------------------------------------------------------- */
struct pith_trainer {
    pithp_obj obj;
    pith_model *m;
    pith_opt *opt;
    pith_plan *plan;
    pith_tensor *target, *loss; /* target: class indices, or probabilities when soft */
    bool soft;
    int batch, classes;
    size_t per;                 /* reals of a sample */
    const pith_loss_hook *hook; /* NULL: the hard loss is the loss */
    uint64_t runs;              /* batches seen: keys their random numbers */
    int64_t correct;
};

/* Forward and backward, without the optimiser's step. NaN after an error. */
double pithp_trainer_gradient(pith_trainer *t, const pith_batch *b);
/* The output is [1,K]; *classes = K. */
pith_status pithp_model_classes(const pith_model *m, const char *who, int *classes);

/* ---- metrics.c ----------------------------------------------------------------------------------------- */
int pithp_argmax(const pith_real *v, int n); /* the first of the largest; 0 if nothing compares */
void pithp_softmax_row(const pith_real *v, int n, pith_real *p);
/* Adds n rows of logits [n,K] to the result's counts; r->loss holds the sum of the losses until `finish`. */
void pithp_metrics_add(pith_eval_result *r, int64_t *confusion, const pith_real *logits,
                       const int32_t *labels, int64_t n);
void pithp_metrics_finish(pith_eval_result *r);

/* ---- eval_int.c: the integer form of a quantized model ---------------------------------------------------- */
#define PITHP_META_FLOAT \
    "quantized_not" /* meta: patterns of layers that stay in float; then there is no integer form */
typedef struct {
    struct pithp_qgraph *g;
    struct pithp_qplan *plan;
    const pithp_qtensor *x, *y;
    int64_t per_in, per_out;
    int8_t *in, *out; /* [batch] samples */
} pithp_integers;

bool pithp_integers_wanted(const pith_model *m);
/* Lowers m as it is now, in place of what was there before. */
pith_status pithp_integers_make(pithp_integers *i, const pith_model *m, int64_t batch);
/* x [n, input] -> y [n, output], in float at both ends. */
pith_status pithp_integers_run(const pithp_integers *i, const pith_real *x, int64_t n, pith_real *y);
void pithp_integers_free(pith_ctx *c, pithp_integers *i);

/* ---- eval.c: a model's inference plan, made when first needed, again when the graph changed ------------ */
typedef struct {
    pithp_obj obj;
    pith_model *m;
    pith_plan *plan;
    int64_t batch;
    int64_t *confusion; /* [classes*classes] */
    int classes;
    pithp_integers ints; /* of a quantized model, made anew for each evaluation: weights move */
    pith_real *logits;   /* [batch, classes] of the integers */
} pithp_evaluator;

pithp_evaluator *pithp_evaluator_get(pith_model *m, int64_t batch);
pith_status pithp_model_fits_data(const pith_model *m, const pith_data *d, const char *who);
/* All batches that the loader delivers until its epoch ends. Stops early (PITH_ESTOPPED, nothing recorded)
   when *stop is not 0. Allocates nothing. */
pith_status pithp_evaluate_with(pithp_evaluator *e, pith_loader *l, const volatile int *stop,
                                pith_eval_result *r);

/* ---- fit_cfg.c: the one place of the recipe ------------------------------------------------------------ */
pith_fit_cfg pithp_fit_defaults(pith_fit_cfg cfg, int64_t n_train);
pith_status pithp_class_weights_check(pith_ctx *c, const double *w, int n, int classes);
void pithp_class_weights_balance(const pith_data *d, double *w); /* w [classes] */
pith_status pithp_fit_check(pith_ctx *c, const pith_fit_cfg *filled, int data_size);
pith_status pithp_fit_check_stages(pith_ctx *c, const pith_fit_cfg *filled, int data_size); /* fit_stage.c */
pith_status pithp_freeze(pith_model *m, const char *const *patterns,
                         int n);             /* fit_stage.c: as in pith_fit_cfg */
bool pithp_mixes(const pith_augment_cfg *a); /* mixup or cutmix: batches have two labels a sample */
/* What must be the same for a resume to be exact, as one JSON object of strings; NULL: no memory. */
json_t *pithp_fit_args(const pith_model *m, const pith_data *d, const pith_fit_cfg *filled);
/* The first difference of two such objects: its key, with both values; NULL if there is none. */
const char *pithp_fit_args_differ(json_t *saved, json_t *now, const char **was, const char **is);

/* ---- lr_find.c ----------------------------------------------------------------------------------------- */
void pithp_lr_smooth(pith_lr_point *p, int n, int steps);
/* From found->n, the losses and the smoothed ones. */
void pithp_lr_suggest(const pith_lr_point *p, int steps, pith_lr_found *found);

/* ---- checkpoint.c -------------------------------------------------------------------------------------- */
/* Where a run stands, beside weights and moments. */
typedef struct {
    int epoch;          /* being trained, from 0; == epochs: done */
    int64_t step;       /* steps of it already made */
    int64_t steps_done; /* of the whole run */
    double loss_sum;    /* over the samples of this epoch */
    int64_t correct, seen;
    double best;       /* validation accuracy, -1 before the first evaluation */
    double seconds;    /* of training, over all sittings */
    int64_t log_bytes; /* length of log.jsonl at this point */
    uint64_t runs;     /* batches seen */
} pithp_fit_state;

/* Writes everything an exact resume needs. The weights in the file are those that would be used: the
   average. */
pith_status pithp_checkpoint_save(pith_opt *o, json_t *args, const pithp_fit_state *s, const char *path);
/* Reads it back into the model and the optimiser. other[160]: "" or a sentence saying that the checkpoint
   was made on another kernel set or BLAS. */
pith_status pithp_checkpoint_load(pith_opt *o, json_t *args, pithp_fit_state *s, const char *path,
                                  char other[160]);

/* ---- runlog.c: log.jsonl ------------------------------------------------------------------------------- */
typedef struct {
    FILE *f;
    char *path;
} pithp_runlog;

pith_status pithp_runlog_open(pith_ctx *c, pithp_runlog *l, const char *dir, bool resume, int64_t keep_bytes);
/* Writes one line and takes the object. False: the system refused (errno). */
bool pithp_runlog_line(pithp_runlog *l, json_t *line);
int64_t pithp_runlog_bytes(const pithp_runlog *l);
void pithp_runlog_close(pith_ctx *c, pithp_runlog *l);
json_t *pithp_json_real(double v); /* null when not finite */

#endif
