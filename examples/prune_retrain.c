/* prune_retrain: four of five weights go while a trained network trains on, and its accuracy stays about what it was.
   usage: prune_retrain MODEL DIR [TARGET [EPOCHS]]   (a model that pith train made, the photographs it was trained on) */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

static void show(void *user, const pith_progress *p)
{
    (void)user;
    if (p->event == 'e')
        printf("epoch %d/%d: loss %.4f, validation accuracy %.2f%%\n", p->epoch, p->epochs, p->loss,
               100 * p->val_accuracy);
    if (p->event == 'n')
        printf("%s\n", p->text);
    fflush(stdout);
}

static void prune(pith_model *m, const char *dir, double target, int epochs)
{
    pith_prune_cfg what = { .target = target };
    pith_prune_schedule when = { .kind = PITH_PRUNE_POLYNOMIAL }; /* from the beginning to half of the run */
    pith_eval_result before = { 0 }, after = { 0 };
    pith_prune_facts f;
    int side = (int)pith_shape_of(pith_model_input(m)).d[1];
    pith_data *d = pith_data_images(pith_model_ctx(m), dir, (pith_images_cfg){ .size = side });
    if (d == NULL || pith_evaluate(m, d, PITH_VAL, 0, &before) != PITH_OK)
        return;
    if (pith_prune_fit(m, d, what, when,
                       (pith_fit_cfg){ .epochs = epochs, .opt = { .lr = 0.03 }, .progress = show }) !=
        PITH_OK)
        return;
    if (pith_evaluate(m, d, PITH_VAL, 0, &after) != PITH_OK || pith_prune_info(m, what, &f) != PITH_OK ||
        pith_model_save(m, "pruned.pith", false) != PITH_OK)
        return;
    printf("accuracy %.2f%% before, %.2f%% now; %lld of %lld parameters are zero; saved as pruned.pith\n",
           100 * before.accuracy, 100 * after.accuracy, (long long)f.zeros, (long long)f.parameters);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL DIR [TARGET [EPOCHS]]\n", argv[0]);
        return 2;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_model *m = c ? pith_model_load(c, argv[1]) : NULL;
    if (m != NULL)
        prune(m, argv[2], argc > 3 ? atof(argv[3]) : 0.8, argc > 4 ? atoi(argv[4]) : 6);
    int failed = c == NULL || pith_ctx_status(c) != PITH_OK;
    if (failed)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    pith_ctx_free(c);
    return failed;
}
