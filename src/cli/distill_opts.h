/* cli/distill_opts.h: the options that say what is distilled and how. */
#ifndef PITH_CLI_DISTILL_OPTS_H
#define PITH_CLI_DISTILL_OPTS_H

#include "cli/cli.h"
#include <pith/distill.h>

typedef struct {
    opt_list teacher, tap, weight;
    const char *kind, *embedding, *store;
    double temperature, alpha, store_gb;
    int variants;
    bool remake;
    /* Made of the texts above: */
    pith_distill_pair pairs[LIST_MOST];
    char names[LIST_MOST + 1][256];
} distill_opts;

#define DISTILL_OPTS(q)                                                                                      \
    LIST("teacher", 't', (q).teacher, "FILE", "a trained model, float or integer; may be repeated"),         \
        TEXT("kind", 0, (q).kind, "response|decoupled|feature|attention|relation|similarity,...",            \
             "what is learnt (default response); with commas they add up"),                                  \
        REAL("temperature", 0, (q).temperature, "T", 0.001, 1e6, "of response and decoupled (default 4)"),   \
        REAL("alpha", 0, (q).alpha, "A", 0, 1, "share of these two; the rest is the labels' (default 0.7)"), \
        LIST("weight", 0, (q).weight, "NAME=W",                                                              \
             "of a term: feature (1), attention (1000), distance (25), angle (50), similarity (3000), "      \
             "target (1), "                                                                                  \
             "others (1); may be repeated"),                                                                 \
        LIST("tap", 0, (q).tap, "STUDENT[=TEACHER]",                                                         \
             "layers of feature and attention (blocks.2=blocks.4); default: where images have one size"),    \
        TEXT("embedding", 0, (q).embedding, "STUDENT[=TEACHER]",                                             \
             "layers of relation and similarity (default: what goes into the last)"),                        \
        TEXT("store", 0, (q).store, "auto|FILE",                                                             \
             "keep what the teachers say, beside the packed images or in FILE; later runs read it"),         \
        INT("variants", 0, (q).variants, "K", 1, 1000000,                                                    \
            "augmentations of each image (with --store: default as many as epochs; else another every "      \
            "epoch)"),                                                                                       \
        FLAG("remake", 0, (q).remake, "make a store that does not fit again"),                               \
        REAL("store-max", 0, (q).store_gb, "GB", 0.001, 1e6, "most that a store may take (default 2)")

/* False: it said what is wrong. f points into q; variants and augmentation are the recipe's. */
bool distill_opts_cfg(distill_opts *q, pith_distill_cfg *f);

#endif
