/* report/run.h: what a run folder holds, read and checked. Numbers that are absent are NAN, texts "". */
#ifndef PITHP_REPORT_RUN_H
#define PITHP_REPORT_RUN_H

#include "report/store.h"

enum { PITHP_RUNS = 16, PITHP_STEPS = 200, PITHP_LAYERS = 2000, PITHP_CLASSES = 1000, PITHP_BINS = 4096 };

/* log.jsonl: a line per epoch; at which epochs the training went on after a stop. */
typedef struct {
    double epoch, loss, accuracy, val_loss, val_accuracy, lr, img_per_s, seconds;
} pithp_epoch;
typedef struct {
    pithp_epoch *epoch;
    double *resume;
    int n, n_resumes;
} pithp_curve;

/* val.csv: what a step says of each validation image. */
typedef struct {
    const char **path;
    int32_t *label, *predicted;
    double *p; /* [n,classes] */
    int64_t n;
    int classes;
} pithp_answers;

typedef struct {
    double from, to;
    double *count; /* [n]; NULL: none */
    int n;
} pithp_counts;

/* layers.json. Noise of weights or of the result: own, by rounding them alone; output: what that does to the network's output;
   accumulated: here, when everything before is rounded too. Counts: as they are, and in float. */
typedef struct {
    double own, output, accumulated;
} pithp_noise;
typedef struct {
    const char *name, *kind;
    double parameters, nonzero, macs, weight_bits;
    pithp_noise weight_noise, activation_noise; /* dB */
    pithp_counts weight, activation, weight_float, activation_float;
} pithp_layer;

/* A tensor in the arena: bytes at offset, alive from one step of the plan to another, both included. */
typedef struct {
    const char *name;
    double bytes, offset, from, to;
} pithp_slot;

/* A bin of the reliability diagram. */
typedef struct {
    double from, to, n, confidence, accuracy;
} pithp_bin;

/* One row of the results: result.json and what lies beside it. */
typedef struct {
    int run;           /* whose */
    const char *label; /* the id, with the run's name before it where there are several runs */
    const char *dir, *id, *title, *family, *status, *reason, *command, *from, *exported, *checked, *promise,
        *energy_source;
    double accuracy, correct, n, low, high, differ, only_float, only_this, p, file, gzip, packed, parameters,
        nonzero, macs, arena, latency, throughput, energy, seconds, epochs, bits_weights, bits_activations;
    pithp_curve curve;
    pithp_answers val;
    pithp_layer *layer;
    pithp_slot *slot;
    pithp_bin *bin;
    int n_layers, n_slots, n_bins;
    double ece, plan; /* bytes of the memory plan */
} pithp_result;

/* lab.json, or what is known of a plain run. */
typedef struct {
    const char *dir, *name, *version, *command, *cpu, *started, *data, *model, *answer, *smallest, *fastest;
    double seed, threads, seconds, width, depth, image_size, budget, n_train, n_val, points;
    const char **class_name;
    int classes;
    int reference; /* the float step among all results; -1: none */
    bool lab;
} pithp_run;

typedef struct {
    pithp_run run[PITHP_RUNS];
    pithp_result *result; /* [PITHP_STEPS] of all runs */
    int n_runs, n;
} pithp_lab;

/* Reads runs [n] into memory of the pool.
   errors   PITH_ENOTFOUND: no run folder; PITH_EFORMAT naming file and place; PITH_EIO; PITH_ENOMEM */
pith_status pithp_lab_read(pithp_pool *p, const char *const *runs, int n, pithp_lab *lab);

/* read_log.c, read_val.c, read_layers.c: files of a step's folder; absent ones leave everything empty. */
pith_status pithp_read_curve(pithp_pool *p, const char *dir, pithp_curve *curve);
pith_status pithp_read_answers(pithp_pool *p, const char *dir, const pithp_run *run, pithp_answers *a);
pith_status pithp_read_layers(pithp_pool *p, pithp_result *r);

pith_status pithp_read_model(pithp_pool *p, pithp_result *r); /* layers of last.pith, where there were none */

/* support.c */
void pithp_holm(const double *p, int n, double *adjusted); /* NAN stays NAN, and does not count */
/* Bins of equal width [n] over (0,1] by the greatest probability; returns the expected calibration error. */
double pithp_reliability(const pithp_answers *a, pithp_bin *bin, int n);
/* front[i]: no other point has less x and as much y, or as little x and more y. Points that are not finite are not on it. */
void pithp_front(const double *x, const double *y, int n, bool *front);

bool pithp_done(const pithp_result *r); /* it has results */

#endif
