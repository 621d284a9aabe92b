/* Deep compression, after Han, Mao, Dally (ICLR 2016): prune, retrain, share values, train these, pack.

       deep_compression run/last.pith PetImages out.pack [SPARSITY [BITS [EPOCHS [LR]]]]

   SPARSITY of the weights (0.8), BITS of the shared values (4), EPOCHS of pruning while training (4); one more trains the shared
   values. Everything counts: biases, shared values, the graph and its names. Accuracy at the end is that of the packed file. */
#include <pith/pith.h>
#include <stdio.h>
#include <stdlib.h>

static double accuracy(pith_model *m, pith_data *d)
{
    pith_eval_result r = { 0 };
    return pith_evaluate(m, d, PITH_VAL, 0, &r) == PITH_OK ? 100 * r.accuracy : 0;
}

static void row(const char *name, int64_t bytes, int64_t floats)
{
    printf("%-28s %9.1f KB  %6.2f times smaller\n", name, (double)bytes / 1024,
           (double)floats / (double)bytes);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL DIR OUT [SPARSITY [BITS [EPOCHS [LR]]]]\n", argv[0]);
        return 2;
    }
    double sparsity = argc > 4 ? atof(argv[4]) : 0.8, lr = argc > 7 ? atof(argv[7]) : 0.02;
    int bits = argc > 5 ? atoi(argv[5]) : 4, epochs = argc > 6 ? atoi(argv[6]) : 4;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_model *m = pith_model_load(c, argv[1]);
    pith_shape x = m != NULL ? pith_shape_of(pith_model_input(m)) : (pith_shape){ 0 };
    pith_data *d =
        x.ndim == 4 ? pith_data_images(c, argv[2], (pith_images_cfg){ .size = (int)x.d[1] }) : NULL;
    pith_pack_sizes before, z = { 0 };
    if (d != NULL && pith_model_pack(m, argv[3], &before) == PITH_OK) {
        printf("%-28s %.2f%%\n", "as it came", accuracy(m, d));
        pith_prune_fit(
            m, d, (pith_prune_cfg){ .target = sparsity },
            (pith_prune_schedule){ .kind = PITH_PRUNE_POLYNOMIAL },
            (pith_fit_cfg){ .epochs = epochs, .opt = { .lr = lr }, .schedule = { .warmup_epochs = 0.2 } });
        printf("%-28s %.2f%%\n", "pruned and retrained", accuracy(m, d));
        pith_quantize(
            m, d,
            (pith_quant_cfg){ .scheme = PITH_SCHEME_CODEBOOK, .bits_weights = bits, .bits_ends = bits });
        printf("%-28s %.2f%%\n", "values shared", accuracy(m, d));
        pith_fit(
            m, d,
            (pith_fit_cfg){ .epochs = 1, .opt = { .lr = lr / 20 }, .schedule = { .warmup_epochs = 0.1 } });
        printf("%-28s %.2f%%\n", "shared values trained", accuracy(m, d));
        pith_model_round_half(m);
        pith_model_pack(m, argv[3], &z);
        m = pith_model_load(c, argv[3]);
    }
    if (pith_ctx_status(c) == PITH_OK && m != NULL) {
        printf("%-28s %.2f%%\n\n", "out of the packed file", accuracy(m, d));
        row("float32", before.floats, before.floats);
        row("int8", z.int8, before.floats);
        if (before.gzip_floats > 0)
            row("float32, gzip", before.gzip_floats, before.floats);
        if (z.gzip_int8 > 0)
            row("pruned int8, gzip", z.gzip_int8, before.floats);
        row("packed, all of it", z.packed, before.floats);
        row("entropy bound", z.entropy, before.floats);
        printf("%.1f%% of %lld weights are zero\n", 100 * (double)z.zeros / (double)z.weights,
               (long long)z.weights);
    }
    if (pith_ctx_status(c))
        fprintf(stderr, "%s\n", pith_error_text(c));
    int failed = pith_ctx_status(c) != PITH_OK;
    pith_ctx_free(c);
    return failed;
}
