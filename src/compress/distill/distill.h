/* compress/distill/distill.h: the insides of a distillation. */
#ifndef PITHP_DISTILL_H
#define PITHP_DISTILL_H

#include "train/train.h"
#include <pith/distill.h>

enum { PITHP_MAX_TEACHERS = 8, PITHP_MAX_PAIRS = 32 };

/* Something that a teacher says about each sample. */
typedef struct {
    pith_tensor *from; /* in the teacher's graph */
    pith_tensor *to;   /* the student's input that takes it, once the loss is built */
    int64_t n;         /* reals of a sample */
    char name[48];     /* of the input: "distill.0.feature.1" */
} pithp_said;

/* ---- store.c: one teacher's outputs on disk ---------------------------------------------------------------
     head     128 bytes
     values   float32 [variants][rows][per], rows the training images in the order of pith_data_sample
     hashes   uint64 [variants], of each variant's values
   In the byte order of the machine that wrote it: it lies beside the packed cache, and is one itself. */
typedef struct {
    char magic[8];
    uint32_t version, order;
    uint64_t data, teacher, wanted, augment, seed, machine; /* what it was made of: checksums */
    uint64_t rows, per, hashes;                             /* hashes: of the hashes behind the values */
    uint32_t variants, spare;
    uint64_t spares[3];
    uint64_t head_hash; /* of the 120 bytes before it */
} pithp_store_head;
_Static_assert(sizeof(pithp_store_head) == 128, "the header is 128 bytes");

typedef struct {
    pithp_map map;
    pithp_store_head head;
    const float *values;
    uint8_t *checked; /* [variants] whose hash was compared */
    char *path;
} pithp_store;

void pithp_store_close(pith_ctx *c, pithp_store *s);
/* Opens the file if it is what `want` says (head_hash and hashes aside; more variants will do). *why: NULL, or what is wrong with it, or
   "" where there is none. */
pith_status pithp_store_open(pith_ctx *c, pithp_store *s, const char *path, const pithp_store_head *want,
                             const char **why);
/* Writes one: row(user, values) gives the next, variants * rows of them. */
pith_status pithp_store_make(pith_ctx *c, const char *path, const pithp_store_head *want,
                             pith_status (*row)(void *user, const float **values), void *user);
/* The values of a row of one variant; NULL, with an error, if they are damaged. */
const float *pithp_store_row(pith_ctx *c, pithp_store *s, int variant, int64_t row);

/* ---- teacher.c ------------------------------------------------------------------------------------------- */
typedef struct {
    pith_model *m;
    char label[80]; /* "teacher 1 ('efnet-b0')" */
    uint64_t checksum;
    pithp_said said[2 + 2 * PITHP_MAX_PAIRS];
    int n_said;
    int64_t per; /* reals of a sample, all that it says */
    pith_plan *plan;
    int64_t batch;
    pithp_integers ints; /* used where only logits are wanted */
    bool integers;
    pith_real *logits; /* [batch,K] of the integers */
    pithp_store store;
} pithp_teacher;

/* All that can be known beforehand: classes, sizes, normalisation, finite weights. */
pith_status pithp_teacher_check(pithp_teacher *t, const pith_model *student, int number);
/* The order of classes as the data set has it. */
pith_status pithp_teacher_check_names(const pithp_teacher *t, const pith_data *d);
/* Plans for at most so many samples. */
pith_status pithp_teacher_plan(pithp_teacher *t, int64_t batch);
/* Runs n samples; then value i is said[i] of them, [n, said[i].n]. */
pith_status pithp_teacher_run(pithp_teacher *t, const pith_real *x, int64_t n);
const pith_real *pithp_teacher_value(const pithp_teacher *t, int i);
void pithp_teacher_free_plan(pithp_teacher *t);

/* ---- pairs.c: which results are compared ---------------------------------------------------------------- */
typedef struct {
    pith_tensor *student, *teacher;
} pithp_pair;

/* By name, else by stage. middle: one of the stages alone. Heights and widths are equal. *n <= PITHP_MAX_PAIRS. */
pith_status pithp_pairs(pith_model *student, pithp_teacher *t, const pith_distill_cfg *cfg, bool middle,
                        pithp_pair pairs[PITHP_MAX_PAIRS], int *n);
/* One vector a sample: the tap of that name, or what goes into the last layer; NULL after an error. */
pith_tensor *pithp_embedding(pith_model *m, const char *name);

/* ---- objective.c, distill.c ------------------------------------------------------------------------------- */
struct pith_distill {
    pithp_obj obj;
    pith_ctx *c;
    pith_model *student;
    pithp_graph *g;       /* the student's when this was made */
    pith_distill_cfg cfg; /* defaults filled in; strings are `texts` */
    char **texts;
    int n_texts;
    pith_distill_pair *pairs;
    pithp_teacher teacher[PITHP_MAX_TEACHERS];
    int n_teachers;
    bool regressors;
    char *key;
    pith_loss_hook hook;
    /* With stores: */
    bool stored;
    int variants;
    int32_t *row_of; /* [all images] place in the training split, -1: not in it */
    pith_distill_facts facts;
};

static inline bool pithp_distill_wants(const pith_distill *k, unsigned kinds)
{
    return (k->cfg.kinds & kinds) != 0;
}

/* What each teacher is to say; the student's regressors with it. */
pith_status pithp_distill_wire(pith_distill *k);
/* The hook's build. */
pith_tensor *pithp_distill_build(void *user, pith_model *m, pith_tensor *hard, pith_tensor *target);
/* keep.c: opens or makes the stores. */
pith_status pithp_distill_stores(pith_distill *k, pith_data *d, const pith_fit_cfg *fit);

#endif
