/* train_folder: a network of one's own, trained on a folder of photographs.
   usage: train_folder DIR [EPOCHS]   (DIR/cat/..., DIR/dog/..., or train/ and val/ with a folder a class) */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

/* The network, as a function: called once, with x standing for any number of images [N,64,64,3]. */
static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    const int *classes = user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 16, .kernel = 3, .stride = 2 },
                            PITH_RELU6);
    x = pith_nn_mbconv(m, "b1", x, (pith_mbconv_cfg){ .out = 24, .expand = 4, .kernel = 3, .stride = 2 });
    x = pith_nn_mbconv(m, "b2", x, (pith_mbconv_cfg){ .out = 40, .expand = 4, .kernel = 5, .stride = 2 });
    x = pith_nn_mbconv(m, "b3", x, (pith_mbconv_cfg){ .out = 80, .expand = 4, .kernel = 3, .stride = 2 });
    x = pith_global_avgpool(x);
    return pith_nn_linear(m, "head", x, *classes); /* logits [N,K] */
}

static void show(void *user, const pith_progress *p)
{
    if (p->event == 'e')
        printf("epoch %d/%d: loss %.4f, validation accuracy %.2f%%, %.0f img/s\n", p->epoch, p->epochs,
               p->loss, 100 * p->val_accuracy, p->img_per_s);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [EPOCHS]\n", argv[0]);
        return 2;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_data *d = c ? pith_data_images(c, argv[1], (pith_images_cfg){ .size = 64 }) : NULL;
    int classes = d ? pith_data_classes(d) : 2;
    pith_model *m = d ? pith_model_new(c, net, &classes, PITH_SHAPE(64, 64, 3)) : NULL;
    pith_eval_result r = { 0 };
    if (m != NULL) {
        pith_fit(m, d, (pith_fit_cfg){ .epochs = argc > 2 ? atoi(argv[2]) : 5, .progress = show });
        pith_evaluate(m, d, PITH_VAL, 0, &r);
        pith_model_save(m, "trained.pith", false);
    }
    int failed = c == NULL || pith_ctx_status(c) != PITH_OK; /* the first error stays: one check is enough */
    if (failed)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    else
        printf("accuracy %.2f%% on %lld images; saved as trained.pith\n", 100 * r.accuracy, (long long)r.n);
    pith_ctx_free(c);
    return failed;
}
