/* pith/distill.h: distillation: what trained models know goes into the training of another one.

   Three kinds of knowledge, each a loss of pith/ops.h on results of both networks (pith_tap), added up by a loss hook that
   any training takes (pith_fit_cfg.loss): so it combines with quantization-aware training, pruning and every recipe.

       pith_model   *teacher = pith_model_load(c, "big.pith"), *student = pith_model_family(c, "efnet-nano", cfg);
       pith_distill *k = pith_distill_new(student, &teacher, 1, (pith_distill_cfg){ .store = "auto" });
       pith_fit(student, d, (pith_fit_cfg){ .epochs = 40, .augment.variants = 8, .loss = pith_distill_loss(k) });
       pith_distill_free(k);

   A model teaches its own quantized version: clone it, pith_qat the clone, and distil from one to the other. */
#ifndef PITH_DISTILL_H
#define PITH_DISTILL_H

#include <pith/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pith_distill pith_distill;

/* Kinds of knowledge; they add up (PITH_DISTILL_RESPONSE | PITH_DISTILL_ATTENTION).
   RESPONSE    pith_kl_divergence of the logits: T^2 KL(softmax(teacher/T) || softmax(student/T))
   DECOUPLED   pith_decoupled_kl in its place; not with mixed images, whose labels are two
   FEATURE     pith_mse of the teacher's features and the student's behind a learned 1x1 convolution (FitNets' regressor), which
               is trained along and belongs to the loss, not to the model
   ATTENTION   pith_mse of pith_attention_map of both
   RELATION    pith_relation_distance and pith_relation_angle of the batch
   SIMILARITY  pith_similarity_preserving of the batch */
enum {
    PITH_DISTILL_RESPONSE = 1,
    PITH_DISTILL_DECOUPLED = 2,
    PITH_DISTILL_FEATURE = 4,
    PITH_DISTILL_ATTENTION = 8,
    PITH_DISTILL_RELATION = 16,
    PITH_DISTILL_SIMILARITY = 32
};

/* Layers or blocks by name (pith_tap), of the student and of every teacher. */
typedef struct {
    const char *student, *teacher;
} pith_distill_pair;

/* The loss is (1 - alpha) hard + alpha soft + the sum of the others, each times its weight; a mean over the teachers. Without RESPONSE
   and DECOUPLED it is hard + the others.
   kinds        0: PITH_DISTILL_RESPONSE
   temperature  0: 4
   alpha        0: 0.7; PITH_ZERO: nothing soft
   target others  of PITH_DISTILL_DECOUPLED; 0: 1 and 1
   feature attention distance angle similarity   weights; 0: 1, 1000, 25, 50, 3000; PITH_ZERO none
   pairs        [n_pairs] of FEATURE and ATTENTION, of equal height and width. None: by stage: for each size of image that both
                networks have inside, the last of the narrowest results of that size in both; all of these for ATTENTION, the
                middle one for FEATURE
   embedding    of RELATION and SIMILARITY; images are averaged over their places. NULL: what goes into the last layer
   store        NULL: the teachers run at every step. A path, or "auto" for a place beside the data set's cache: what they say
                is computed once and kept there, [variants][training images], and read by this and later trainings. A sample's
                augmentation is part of its key, so pith_augment_cfg.variants has to say how many of them there are; as many as
                epochs is what a training without a store sees. Not with mixup or cutmix. Several teachers: PATH, PATH.1, ...
                What was made by another teacher, of other data, other augmentation or on another machine's kernels is refused
                (PITH_ESTALE) where the path was given, and made again at "auto"; so is one of too few variants
   remake       make it again in any case where it does not fit
   store_most   bytes of one store; 0: 2 GB (2e9)
   progress     called while a store is made, with images done and their number; false stops it (PITH_ESTOPPED) */
typedef struct {
    unsigned kinds;
    double temperature, alpha, target, others;
    double feature, attention, distance, angle, similarity;
    const pith_distill_pair *pairs;
    int n_pairs;
    pith_distill_pair embedding;
    const char *store;
    bool remake;
    int64_t store_most;
    bool (*progress)(void *user, int64_t done, int64_t total);
    void *progress_user;
} pith_distill_cfg;

/* Joins 1 to 8 teachers to a student. Teachers are of any family, float or integer: one that is quantized runs its integers where
   only its logits are asked for, else the simulation that equals them. They are run in inference, and never changed.
   FEATURE writes the regressors beside the student's parameters (pith_distill_free takes them out again): plans, trainers and
   tensors of the student from before are stale, so quantize and prune it first.
   ownership   the context's; the strings of cfg are copied. Free it before any of the models
   errors      NULL. PITH_EINVAL: a teacher of other classes, of another order of classes, another image size or input normalisation
               than the student; the student itself as its teacher; settings out of range. PITH_ENOTFOUND: a tap that is not there, with
               the nearest names. PITH_ESHAPE: pairs of different height or width. PITH_ENAN: weights of a teacher that are
               not finite. Since 0.1. */
PITH_API pith_distill *pith_distill_new(pith_model *student, pith_model *const *teachers, int n_teachers,
                                        pith_distill_cfg cfg);
PITH_API void pith_distill_free(pith_distill *k); /* NULL is allowed */

/* For pith_fit_cfg.loss and pith_trainer_cfg.loss; lives as long as k. Every step then runs the teachers on the batch, or reads
   their store. The settings, the teachers' checksums and the pairs stand in the run's arguments.
   errors      of a step: PITH_ENAN where a teacher's output is not finite (teacher and layer are named). Since 0.1. */
PITH_API const pith_loss_hook *pith_distill_loss(pith_distill *k);

/* What pith_fit does with it before its first step, for loops by hand: opens or makes the stores for trainings on d with
   these settings (batch, augment). Without cfg.store it only makes the teachers' plans.
   errors      PITH_ESTALE, PITH_EINVAL (no variants, mixed images, larger than store_most), PITH_ENAN, PITH_EIO,
               PITH_ESTOPPED; a store that was there is then as it was. Since 0.1. */
PITH_API pith_status pith_distill_prepare(pith_distill *k, pith_data *d, const pith_fit_cfg *fit);

/* How the making of the stores went: bytes that are mapped, images that teachers had to look at for them, and seconds that it took.
   Since 0.1. */
typedef struct {
    int64_t bytes, images;
    double seconds;
} pith_distill_facts;
PITH_API pith_distill_facts pith_distill_info(const pith_distill *k);

/* pith_distill_new, pith_fit with its loss, pith_distill_free.
   errors      theirs. Since 0.1. */
PITH_API pith_status pith_distill_fit(pith_model *student, pith_model *const *teachers, int n_teachers,
                                      pith_data *d, pith_distill_cfg cfg, pith_fit_cfg fit);

/* How near a student is to its teacher over a split, both as they are evaluated (integers where quantized):
   kl        mean of KL(softmax(teacher) || softmax(student)), natural logarithms, temperature 1
   differ    images that they class differently, of n
   errors    PITH_EINVAL, PITH_EDATA, as pith_evaluate. Since 0.1. */
typedef struct {
    int64_t n, differ;
    double kl;
} pith_distill_gap;
PITH_API pith_status pith_distill_compare(pith_model *student, pith_model *teacher, pith_data *d,
                                          pith_split split, pith_distill_gap *gap);

#ifdef __cplusplus
}
#endif
#endif
