/* dense_baseline: what a dense network gets from the pixels of a folder of pictures, with no notion of place or shape: the
   measure of how much a set asks of a network. usage: pith-dense-baseline DIR [SIZE] [EPOCHS] */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

static pith_tensor *dense(pith_model *m, pith_tensor *x, void *user)
{
    const int *classes = user;
    x = pith_relu(pith_nn_linear(m, "fc1", pith_flatten(x), 256));
    x = pith_relu(pith_nn_linear(m, "fc2", pith_dropout(x, 0.2), 64));
    return pith_nn_linear(m, "fc3", x, *classes);
}

static double best;

static void show(void *user, const pith_progress *p)
{
    if (p->event != 'e')
        return;
    if (p->val_accuracy > best)
        best = p->val_accuracy;
    printf("epoch %d/%d: loss %.4f, training %.1f%%, validation %.1f%%\n", p->epoch, p->epochs, p->loss,
           100 * p->accuracy, 100 * p->val_accuracy);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [SIZE] [EPOCHS]\n", argv[0]);
        return 2;
    }
    int size = argc > 2 ? atoi(argv[2]) : 32, epochs = argc > 3 ? atoi(argv[3]) : 20;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_data *d = c ? pith_data_images(c, argv[1], (pith_images_cfg){ .size = size }) : NULL;
    int classes = d ? pith_data_classes(d) : 2;
    pith_model *m = d ? pith_model_new(c, dense, &classes, PITH_SHAPE(size, size, 3)) : NULL;
    pith_eval_result r = { 0 };
    /* Mild augmentation: whole crops would only hurt a network that knows no translation. */
    pith_fit_cfg f = { .epochs = epochs,
                       .progress = show,
                       .opt = { .kind = PITH_OPT_ADAMW, .lr = 5e-4, .weight_decay = 0.05 },
                       .augment = { .scale_min = 0.9, .ratio_min = 1, .ratio_max = 1 } };
    if (m != NULL && pith_fit(m, d, f) == PITH_OK)
        pith_evaluate(m, d, PITH_VAL, 0, &r);
    int failed = c == NULL || pith_ctx_status(c) != PITH_OK;
    if (failed)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    else
        printf("dense network on %dx%d pixels: %.2f%% at the end, %.2f%% at its best epoch\n", size, size,
               100 * r.accuracy, 100 * best);
    pith_ctx_free(c);
    return failed;
}
