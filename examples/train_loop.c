/* train_loop: the training loop by hand: next batch, step, accuracy. pith_fit does this and more.
   usage: train_loop DIR [EPOCHS] */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE  64
#define BATCH 32

static int train(pith_ctx *c, const char *dir, int epochs)
{
    pith_data *d = pith_data_images(c, dir, (pith_images_cfg){ .size = SIZE });
    if (d == NULL)
        return 1;
    pith_model *m = pith_model_family(
        c, "efnet-nano", (pith_family_cfg){ .image_size = SIZE, .classes = pith_data_classes(d) });
    pith_loader *batches = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_TRAIN,
                                                                 .batch = BATCH,
                                                                 .seed = 1,
                                                                 .shuffle = true,
                                                                 .drop_last = true,
                                                                 .augment = true });
    if (m == NULL || batches == NULL)
        return 1;
    pith_trainer *t = pith_trainer_new(
        m,
        (pith_trainer_cfg){ .batch = BATCH, .smoothing = 0.1, .opt = { .momentum = 0.9, .nesterov = true } });
    if (t == NULL)
        return 1;

    int64_t steps = pith_loader_batches(batches), step = 0;
    for (int epoch = 0; epoch < epochs; epoch++) {
        pith_batch b;
        double loss = 0;
        int64_t right = 0, seen = 0;
        while (pith_loader_next(batches, &b)) {
            double lr =
                pith_schedule_lr((pith_schedule_cfg){ .kind = PITH_COSINE }, 0.05, step++, steps, epochs);
            loss += pith_trainer_step(t, &b, lr) * b.n; /* forward, backward, optimiser */
            right += pith_trainer_correct(t);
            seen += b.n;
        }
        if (pith_ctx_status(c) != PITH_OK || seen == 0)
            return 1;
        printf("epoch %d: loss %.4f, training accuracy %.1f%%\n", epoch + 1, loss / (double)seen,
               100.0 * (double)right / (double)seen);
        fflush(stdout);
    }
    pith_eval_result r;
    if (pith_evaluate(m, d, PITH_VAL, BATCH, &r) != PITH_OK)
        return 1;
    printf("validation accuracy %.2f%% on %lld images\n", 100 * r.accuracy, (long long)r.n);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [EPOCHS]\n", argv[0]);
        return 2;
    }
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    int failed =
        c == NULL || pith_ctx_status(c) != PITH_OK || train(c, argv[1], argc > 2 ? atoi(argv[2]) : 3);
    if (failed)
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
    pith_ctx_free(c);
    return failed;
}
