/* cli/quant_opts.h: the options that say how a model is quantized, for the verbs that do it. */
#ifndef PITH_CLI_QUANT_OPTS_H
#define PITH_CLI_QUANT_OPTS_H

#include "cli/cli.h"
#include <pith/quant.h>

typedef struct {
    const char *calib, *improve, *layers, *skip;
    int bits_weights, bits_activations, bits_ends, samples, adaround_steps, improve_samples;
    bool conv_per_tensor, dense_per_channel, keep_norms;
    double percentile;
} quant_opts;

/* What is quantized, and how finely. */
#define BITS_OPTS(q)                                                                                    \
    INT("bits-weights", 0, (q).bits_weights, "B", 2, 8, "bits of weights (default 8)"),                 \
        INT("bits-activations", 0, (q).bits_activations, "B", 4, 8, "bits of activations (default 8)"), \
        INT("bits-ends", 0, (q).bits_ends, "B", 2, 8,                                                   \
            "bits of the first and last layer's weights (default 8)"),                                  \
        TEXT("layers", 0, (q).layers, "PATTERN=B,...", "bits of the weights of certain layers"),        \
        TEXT("skip", 0, (q).skip, "PATTERN,...", "layers that stay in float"),                          \
        FLAG("conv-per-tensor", 0, (q).conv_per_tensor,                                                 \
             "one scale for a convolution's weights, not one a channel"),                               \
        FLAG("dense-per-channel", 0, (q).dense_per_channel, "one scale for each output of a dense layer")

#define QUANT_OPTS(q)                                                                                       \
    BITS_OPTS(q),                                                                                           \
        TEXT("calib", 0, (q).calib, "minmax|average|percentile|mse|entropy",                                \
             "where ranges of activations come from (default minmax)"),                                     \
        REAL("percentile", 0, (q).percentile, "P", 50, 100, "of --calib percentile (default 99.99)"),       \
        INT("samples", 0, (q).samples, "N", 1, 1 << 24,                                                     \
            "training images that ranges come from (default 512)"),                                         \
        TEXT("improve", 0, (q).improve, "cle|bn|bias|adaround,...",                                         \
             "cle: cross-layer equalisation; bn: batch-norm statistics; bias: its correction; adaround: "   \
             "roundings learnt; with commas"),                                                              \
        FLAG("keep-norms", 0, (q).keep_norms,                                                               \
             "codebook: batch norms stay, a scale for each channel (for 2 and 3 bits)"),                    \
        INT("adaround-steps", 0, (q).adaround_steps, "N", 1, 1 << 24, "steps of each layer (default 500)"), \
        INT("improve-samples", 0, (q).improve_samples, "N", 1, 1 << 20,                                     \
            "training images that improvers look at (default 256)")

/* False: it said what is wrong. */
bool quant_opts_cfg(const quant_opts *q, const char *scheme, uint64_t seed, pith_quant_cfg *f);

/* Whether anything is asked for in fewer than 8 bits. */
bool quant_few_bits(const quant_opts *q);

/* ---- While training: qat, distill --qat ---- */
typedef struct {
    const char *lsq;
    int observe;
    double freeze;
} qat_opts;

#define QAT_OPTS(q)                                                                            \
    TEXT("lsq", 0, (q).lsq, "auto|on|off", "learned step sizes (default auto: below 8 bits)"), \
        INT("observe", 0, (q).observe, "STEPS", 1, 1 << 24,                                    \
            "as how many steps the first ranges count in their averages (default 20)"),        \
        REAL("freeze-after", 0, (q).freeze, "SHARE", 0.01, 1,                                  \
             "of the run; then ranges and batch norms stay as they are (default 0.5)")

/* steps: of the whole run. False: it said what is wrong. */
bool qat_opts_cfg(const quant_opts *q, const qat_opts *a, int64_t steps, pith_quant_cfg *f);

#endif
