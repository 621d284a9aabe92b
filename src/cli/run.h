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
   learning rate; then 8 epochs and half an epoch of warm-up. Defaults are filled in, so that they stand in args.json. */
bool run_inherit_qat(const char *model, recipe *r, opt *table, json_t **keep);
void run_qat_defaults(recipe *r);
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

/* The flag that Ctrl-C raises from now on; a second one ends the program at once. */
const volatile int *run_stop_flag(void);

#endif
