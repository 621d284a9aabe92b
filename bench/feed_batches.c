/* feed_batches: a training's input for another engine, so that both train on the same pictures in the same order.
   The recipe is that of bench/accuracy_torch.sh.
   usage: feed_batches DATA NAME WIDTH IMAGE-SIZE SEED EPOCHS MODEL.pith
   MODEL.pith gets the network with the weights that `pith train --seed SEED` begins with. Standard output gets one line of
   JSON, then every batch of the training, then those of the validation: n as int32, labels int32 [n], and the pixels less
   128 as int8 [n,S,S,3], which are the loader's numbers times 128, exactly. Public headers only. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64 };
static const double CROP_MIN = 0.5; /* as bench/accuracy_torch.sh has it */

typedef struct {
    int8_t *pixel; /* [BATCH,S,S,3] */
    int64_t image; /* S*S*3 */
} packer;

static int put(const packer *p, const pith_batch *b)
{
    int32_t n = b->n;
    for (int64_t i = 0; i < n * p->image; i++)
        p->pixel[i] = (int8_t)(b->x[i] * 128);
    return fwrite(&n, sizeof n, 1, stdout) != 1 ||
           fwrite(b->labels, sizeof *b->labels, (size_t)n, stdout) != (size_t)n ||
           fwrite(p->pixel, (size_t)p->image, (size_t)n, stdout) != (size_t)n;
}

static int feed(const packer *p, pith_loader *train, pith_loader *val, int epochs)
{
    pith_batch b;
    for (int epoch = 0; epoch < epochs; epoch++)
        while (pith_loader_next(train, &b))
            if (put(p, &b))
                return 1;
    while (pith_loader_next(val, &b))
        if (put(p, &b))
            return 1;
    return fflush(stdout) != 0;
}

static int run(pith_ctx *c, char **argv, uint64_t seed)
{
    int size = atoi(argv[4]), epochs = atoi(argv[6]);
    pith_data *d = pith_data_images(c, argv[1], (pith_images_cfg){ .size = size });
    if (d == NULL)
        return 1;
    pith_model *m = pith_model_family(
        c, argv[2],
        (pith_family_cfg){
            .image_size = size, .classes = pith_data_classes(d), .channels = 3, .width = atof(argv[3]) });
    /* the loader of pith_fit */
    pith_loader *train = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_TRAIN,
                                                               .batch = BATCH,
                                                               .seed = seed,
                                                               .shuffle = true,
                                                               .drop_last = true,
                                                               .augment = true,
                                                               .aug = { .scale_min = CROP_MIN } });
    pith_loader *val = pith_loader_new(d, (pith_loader_cfg){ .split = PITH_VAL, .batch = BATCH });
    if (m == NULL || train == NULL || val == NULL || pith_model_save(m, argv[7], false) != PITH_OK)
        return 1;
    packer p = { .image = (int64_t)size * size * 3 };
    p.pixel = malloc((size_t)(p.image * BATCH));
    if (p.pixel == NULL)
        return 1;
    printf("{\"batch\": %d, \"size\": %d, \"epochs\": %d, \"steps\": %lld, \"val\": %lld}\n", BATCH, size,
           epochs, (long long)pith_loader_batches(train), (long long)pith_loader_batches(val));
    int bad = feed(&p, train, val, epochs);
    free(p.pixel);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: %s DATA NAME WIDTH IMAGE-SIZE SEED EPOCHS MODEL.pith >BATCHES\n", argv[0]);
        return 2;
    }
    uint64_t seed = strtoull(argv[5], NULL, 10);
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = seed, .threads = 1 });
    int bad = c == NULL || run(c, argv, seed);
    if (bad)
        fprintf(stderr, "feed_batches: %s\n", c && pith_ctx_status(c) ? pith_error_text(c) : "cannot write");
    pith_ctx_free(c);
    return bad;
}
