/* train/fit.h: a training run, shared by fit.c (its beginning and end) and fit_run.c (its epochs). */
#ifndef PITHP_FIT_H
#define PITHP_FIT_H

#include "train/events.h"
#include "train/train.h"

typedef struct {
    pith_ctx *c;
    pith_model *m;
    pith_data *d;
    pith_fit_cfg cfg; /* defaults filled in */
    pith_trainer *t;
    pithp_evaluator *e; /* NULL: no validation images */
    pith_loader *train, *val;
    json_t *args;
    double *balanced;          /* [classes]; NULL: cfg.balance is off */
    char *last, *best, *early; /* paths; NULL: nothing is written */
    pithp_runlog log;
    pithp_events events;
    pithp_fit_state st;
    int64_t steps; /* in an epoch */
    double lr, eval_seconds;
    /* The stage (fit_stage.c): */
    int size, loader_size, val_batch; /* the trainer's image size, the loader's */
    bool frozen, stale;               /* cfg.freeze applies now; the trainer's plan is older than the graph */
    uint8_t *flags;                   /* [n_flags] what was frozen before; NULL: cfg.freeze is empty */
    size_t n_flags, plan_bytes;       /* of the largest stage */
    /* Of this sitting: */
    double started, base_seconds, epoch_started, saved, step_seconds;
    int64_t images, steps_here; /* images of this epoch */
    bool unsaved;               /* the last save failed */
} pithp_fit;

pith_status pithp_fit_epochs(pithp_fit *f);
pith_loader *pithp_fit_loader(pithp_fit *f, int size); /* of training images; notes its size in f */
int pithp_fit_size(const pithp_fit *f, int epoch);     /* side of the images it trains on */
pith_status pithp_fit_stages_begin(pithp_fit *f);
void pithp_fit_stages_end(pithp_fit *f);
pith_status pithp_fit_stage(pithp_fit *f); /* makes all ready for epoch st.epoch */
/* Writes last.pith. PITH_ENAN when a weight is not finite: the old file stays. */
pith_status pithp_fit_save(pithp_fit *f);
void pithp_fit_note(pithp_fit *f, const char *text);
double pithp_fit_lr(const pithp_fit *f, int64_t step);         /* of a step of the whole run */
double pithp_now(void);                                        /* seconds, monotonic */
json_t *pithp_fit_line(const pithp_fit *f, const char *event); /* a log line: event, epoch, step, seconds */

#endif
