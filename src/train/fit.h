/* train/fit.h: a training run, shared by fit.c (its beginning and end) and fit_run.c (its epochs). */
#ifndef PITHP_FIT_H
#define PITHP_FIT_H

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
    char *last, *best; /* paths; NULL: nothing is written */
    pithp_runlog log;
    pithp_fit_state st;
    int64_t steps; /* in an epoch */
    double lr, eval_seconds;
    /* Of this sitting: */
    double started, base_seconds, epoch_started, saved, step_seconds;
    int64_t images, steps_here; /* images of this epoch */
    bool unsaved;               /* the last save failed */
} pithp_fit;

pith_status pithp_fit_epochs(pithp_fit *f);
/* Writes last.pith. PITH_ENAN when a weight is not finite: the old file stays. */
pith_status pithp_fit_save(pithp_fit *f);
void pithp_fit_note(pithp_fit *f, const char *text);
double pithp_fit_lr(const pithp_fit *f, int64_t step);         /* of a step of the whole run */
double pithp_now(void);                                        /* seconds, monotonic */
json_t *pithp_fit_line(const pithp_fit *f, const char *event); /* a log line: event, epoch, step, seconds */

#endif
