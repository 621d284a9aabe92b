/* A small network learns from a large one: from its answers, and from where it looks.

       distill PetImages teacher.pith [EPOCHS]

   Trains a half-width efnet-nano twice, alone and with the teacher, and tells how each does. The second training is the first with one
   more field. Then what one would write for a loss of one's own: attention transfer by hand, on a batch. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

static pith_model *student(pith_ctx *c, pith_data *d)
{
    return pith_model_family(
        c, "efnet-nano",
        (pith_family_cfg){ .image_size = pith_data_size(d), .classes = pith_data_classes(d), .width = 0.5 });
}

static void tell(const char *how, pith_model *m, pith_model *teacher, pith_data *d)
{
    pith_eval_result r;
    pith_distill_gap gap;
    if (pith_evaluate(m, d, PITH_VAL, 0, &r) == PITH_OK &&
        pith_distill_compare(m, teacher, d, PITH_VAL, &gap) == PITH_OK)
        printf("%-12s %.2f%%, mean KL from the teacher %.4f, %lld of %lld classed differently\n", how,
               100 * r.accuracy, gap.kl, (long long)gap.differ, (long long)gap.n);
}

/* Losses are ops like any others: here on taps of two results of one network, the inner and the outer. */
static pith_tensor *look_alike(void *user, pith_model *m, pith_tensor *hard, pith_tensor *target)
{
    const double *weight = user;
    (void)target;
    pith_tensor *early =
        pith_attention_map(pith_avgpool(pith_tap(m, "blocks.2"), (pith_pool_cfg){ .kernel = 2 }));
    pith_tensor *late = pith_attention_map(pith_tap(m, "blocks.3"));
    return pith_add(hard, pith_scale(pith_mse(early, pith_stop_gradient(late)), *weight, 0));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: distill DIR TEACHER.pith [EPOCHS]\n");
        return 2;
    }
    pith_fit_cfg fit = { .epochs = argc > 3 ? atoi(argv[3]) : 20, .augment.variants = 4 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_model *teacher = pith_model_load(c, argv[2]);
    int size = teacher != NULL ? (int)pith_shape_of(pith_model_input(teacher)).d[1] : 0;
    pith_data *d = pith_data_images(c, argv[1], (pith_images_cfg){ .size = size });
    if (teacher != NULL && d != NULL) {
        pith_model *alone = student(c, d), *taught = student(c, d), *own = student(c, d);
        pith_fit(alone, d, fit);
        tell("alone", alone, teacher, d);

        pith_distill_cfg kinds = { .kinds = PITH_DISTILL_RESPONSE | PITH_DISTILL_ATTENTION, .store = "auto" };
        pith_distill *k = pith_distill_new(taught, &teacher, 1, kinds);
        fit.loss = pith_distill_loss(k);
        pith_fit(taught, d, fit);
        pith_distill_free(k);
        tell("taught", taught, teacher, d);

        double weight = 100;
        const pith_loss_hook hook = { .user = &weight, .key = "look alike", .build = look_alike };
        fit.loss = &hook;
        pith_fit(own, d, fit);
        tell("by itself", own, teacher, d);
    }
    int status = pith_ctx_status(c);
    if (status != PITH_OK)
        fprintf(stderr, "%s\n", pith_error_text(c));
    pith_ctx_free(c);
    return status != PITH_OK;
}
