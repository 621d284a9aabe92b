/* cli/run.h: what the verbs that train have in common: a run folder, its options in args.json, Ctrl-C. */
#ifndef PITH_RUN_H
#define PITH_RUN_H

#include "cli/cli.h"

typedef struct {
    const char *verb; /* "train": the word in messages, and the options' key in args.json */
    const char *out, *resume;
    bool force, tensorboard;
    char room[512];   /* of a folder's name that was chosen here */
    char model[1024]; /* last.pith of the run that goes on */
} run_folder;

#define RUN_OPTS(f)                                                                           \
    TEXT("out", 'o', (f).out, "RUN", "run folder (default runs/NAME-1, -2, ...)"),            \
        TEXT("resume", 'r', (f).resume, "RUN", "go on with an interrupted run, bit for bit"), \
        FLAG("force", 0, (f).force, "overwrite a run folder that holds a training"),          \
        FLAG("tensorboard", 0, (f).tensorboard, "write TensorBoard's event file into the run folder")

/* A new run: the folder is --out, else the first runs/BASE-N that is not there. One that holds a training is refused without
   --force. Made, with the options of `table` in its args.json. False: it is said why not. */
bool run_begin(run_folder *f, const char *base, const opt *table);

/* --resume: options of the interrupted run that this command line does not give anew; *keep holds their texts. */
bool run_read(run_folder *f, opt *table, json_t **keep);

/* The recipe of the run that a model file lies in, whichever verb made it: options that the command line did not give, but for
   those named in own [.., NULL]. No args.json beside it: nothing happens. *lr: the run's learning rate, 0 where it had the default.
   False: it is said why not. */
bool run_inherit(const char *model, opt *table, const char *const *own, json_t **keep, double *lr);

/* The recipe of a quantization-aware training: the model's run's, but, where the command line does not say otherwise, a tenth of its
   learning rate; then 8 epochs and half an epoch of warm-up, and below 8 bits AdamW at 0.0005. Defaults are filled in, so that they
   stand in args.json. */
bool run_inherit_qat(const char *model, recipe *r, opt *table, json_t **keep);
void run_qat_defaults(recipe *r, bool few_bits);
int64_t run_steps(const recipe *r, const pith_data *d); /* of the whole run; epochs and batch are filled in */

/* pith_fit with progress on the terminal, saving and ending at Ctrl-C. A stop is said; other errors are not. */
pith_status run_fit(const run_folder *f, pith_model *m, pith_data *d, pith_fit_cfg cfg, bool quiet);

/* The same with another training in its place; fit NULL: pith_fit. */
typedef struct {
    pith_status (*fit)(void *user, pith_model *m, pith_data *d, pith_fit_cfg cfg);
    void *user;
} run_job;
pith_status run_fit_job(const run_folder *f, pith_model *m, pith_data *d, pith_fit_cfg cfg, bool quiet,
                        run_job job);

/* What is left to return when a training did not end well; frees the context. A stop was said already. */
int run_ended(pith_ctx *c, pith_status s);

/* ---- Verbs that train a trained model on ---- */
typedef struct {
    common k;
    recipe r;
    run_folder run;
    const char *model, *data; /* of a run that goes on, its last.pith */
    double max_bad;
} run_on;

#define RUN_ON_FIRST(t, whose) \
    TEXT("data", 'd', (t).data, "DIR", "folder of photographs (default: " whose ")"), RUN_OPTS((t).run)
#define RUN_ON_LAST(t, schedule)                                                           \
    RECIPE_OPTS((t).r), SCHEDULE_OPTS_AS((t).r, schedule),                                 \
        REAL("max-bad", 0, (t).max_bad, "SHARE", 0, 1, "share of unusable files allowed"), \
        COMMON_OPTS((t).k)

/* Reads a command line whose operand is MODEL, or that has --resume: options come from the model's run by `inherit`, or from the
   interrupted one. Returns -1 to go on, else the exit status, and it is said why. *keep: as in run_read. */
int run_on_read(const verb *v, run_on *t, opt *table, int argc, char **argv,
                bool (*inherit)(void *user, opt *table, json_t **keep), void *user, json_t **keep);
/* Context, model and data; NULL: it is said. */
pith_model *run_on_open(const run_on *t, pith_data **d);

/* The flag that Ctrl-C raises from now on; a second one ends the program at once. */
const volatile int *run_stop_flag(void);

#endif
