/* cli/lab.h: `pith lab`: every method of compression on one network, each a step with a folder of its own.

   The table of steps (lab_table.c) is data: a step is a verb of the command and its words, so that what a step does is also the
   command that does it alone. lab_plan.c chooses epochs, lab_step.c makes a step or finds it made, lab_measure.c measures. */
#ifndef PITH_CLI_LAB_H
#define PITH_CLI_LAB_H

#include "cli/cli.h"
#include "cli/distill_opts.h"
#include "cli/prune_opts.h"
#include "cli/quant_opts.h"

/* What a step ships as; PACK: what a .tflite cannot express, or would not make smaller. */
typedef enum { LAB_TFLITE = 0, LAB_TFLITE_HALF, LAB_PACK, LAB_PACK_HALF } lab_export;

/* One step.
   id, title, family   as they stand in the results
   from      the step whose model it begins with (of distill: whose model teaches); NULL: none
   verb, words   `pith VERB WORDS` makes it
   then      words of the `pith train` that follows at once; NULL: none
   epochs    at full length, where the float network has 40; 0: it does not train
   cost      of its epochs, times the float network's
   extra     what it costs beside: as many images through a training step
   promise   what was asked of it, in words */
typedef struct {
    const char *id, *title, *family, *from, *verb, *words, *then;
    double epochs, cost, extra;
    lab_export out;
    const char *promise;
} lab_row;

extern const lab_row lab_rows[];
extern const int lab_n_rows;

/* One step of this run. chosen: it shall be there in the end; result: its result.json; cached: it was there before. */
typedef struct {
    bool chosen, cached;
    int epochs;
    double estimate; /* seconds */
    char inputs[24];
    json_t *result;
} lab_step;

enum { LAB_MOST = 64, LAB_REASON = 600 };

typedef struct lab {
    common k;
    const char *data, *model, *init, *out, *only, *skip, *budget;
    const char *command; /* as it was typed */
    model_opts net;
    int epochs; /* of the float training; 0: by the budget */
    double max_bad, minutes, points;
    const lab_row *rows;
    int n;
    pith_ctx *c;
    pith_data *d;
    lab_step step[LAB_MOST];
    double scale, epoch_seconds, started;
    bool speed_known;
    bool measure; /* what is made already is measured again */
    const volatile int *stop;
    /* after every step of a training, for tests; NULL: nobody */
    void (*watch)(void *user, const lab_row *row, const pith_progress *p);
    void *watch_user;
    progress_view view;
    int now;                    /* the step at work */
    char first[128], head[128]; /* names of the network's first and last layer with weights */
    int32_t *float_says;        /* [validation images] classes by the float network; NULL until it is done */
    char reason[LAB_REASON];    /* why the step at work failed, where the context does not know */
    json_t *warnings;           /* of the step at work */
} lab;

/* ---- lab_files.c ---- */
const char *lab_path(const lab *l, const lab_row *r, const char *file,
                     char buf[1024]); /* r NULL: in RUN itself */
bool lab_save_text(lab *l, const char *path, const char *text,
                   size_t n); /* complete or not there; else l->reason */
bool lab_save_json(lab *l, const char *path, const json_t *j);
int64_t lab_file_bytes(const char *path);               /* -1: there is none */
uint64_t lab_hash(uint64_t h, const void *p, size_t n); /* FNV-1a; begins with h = 0 */
uint64_t lab_hash_text(uint64_t h, const char *text);
uint64_t lab_weights(pith_model *m);
void lab_hex(uint64_t h, char buf[24]);
double lab_clock(void);
bool lab_fail(lab *l, const char *fmt, ...) PITH_PRINTF(2, 3); /* false; the reason is kept */

/* ---- lab_make.c ---- */
typedef struct {
    lab *l;
    const lab_row *row;
    int epochs;
    pith_model *m, *teacher;
    pith_fit_cfg fit;
    pith_quant_cfg q;
    recipe r;
    quant_opts quant;
    qat_opts qat;
    prune_opts prune;
    prune_start start;
    distill_opts distill;
    pith_distill_cfg knowledge;
    double width;
    bool student_qat;
    char room[2][512], words[512];
    json_t *args; /* what `words` set, by option; the caller's, to be released */
} lab_job;

/* The step's model into j->m: made, and trained where it is; a training that was interrupted goes on where `resume` says so.
   Ends with steps/ID/last.pith. */
pith_status lab_make(lab_job *j, bool resume);
/* A row's words with names in place of FIRST and HEAD. */
const char *lab_words_text(const lab *l, const lab_row *r, char buf[512]);
/* Reads the words of a row, as its verb would: bits and the like are known then. */
bool lab_words(lab_job *j);
bool lab_args(lab_job *j); /* after that: steps/ID/args.json */
/* bits_weights, bits_activations of what a row makes, those of the steps it comes from included; 32: float */
void lab_bits(const lab *l, const lab_row *r, int *weights, int *activations);

/* ---- lab_plan.c ---- */
bool lab_choose(
    lab *l); /* --only, --skip: step[].chosen, parents included; false: a pattern matches nothing, said */
bool lab_plan(lab *l); /* epochs and estimates */
json_t *lab_plan_json(const lab *l);
int lab_adaround(const lab *l,
                 const lab_row *r); /* steps a layer: the budget's share of 500; 0: it does not round so */
double lab_left(const lab *l, double of_this); /* seconds: of this step and of all that follow */
const lab_row *lab_find(const lab *l, const char *id, int *at);

/* ---- lab_step.c ---- */
bool lab_do(lab *l, int i); /* false: stopped */
bool lab_cached(lab *l, int i);
void lab_inputs(lab *l, int i);
const char *lab_status(const lab *l, int i); /* of result.json; "" where there is none */

/* ---- lab_measure.c, lab_export.c ---- */
bool lab_measure(lab *l, const lab_row *r, pith_model *m, json_t *result, int32_t *says);
bool lab_export_step(lab *l, const lab_row *r, pith_model *m, json_t *result, const int32_t *says);
bool lab_layers(lab *l, const lab_row *r, pith_model *m, int bits); /* layers.json */
bool lab_read_says(lab *l, const lab_row *r, int32_t *says);        /* from its val.csv */

/* ---- lab_run.c, lab_show.c ---- */
int lab_go(lab *l); /* all of it; the exit status. l->d is open */
void lab_show_step(lab *l, int i);
void lab_show_progress(lab *l, const pith_progress *p);
void lab_show_table(const lab *l, FILE *to);
json_t *lab_answer(const lab *l);

#endif
