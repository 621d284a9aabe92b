/* cli/prune_opts.h: what `pith prune` prunes, and when. */
#ifndef PITH_CLI_PRUNE_OPTS_H
#define PITH_CLI_PRUNE_OPTS_H

#include "cli/cli.h"
#include <pith/channels.h>
#include <pith/prune.h>

typedef struct {
    double target, begin, end, power, from;
    const char *granularity, *criterion, *layers, *skip, *schedule, *rewind_to;
    int rounds, frequency, samples, multiple;
    bool per_layer, depthwise, allow_empty, scan, remove;
} prune_opts;

#define PRUNE_OPTS(p)                                                                                      \
    REAL("target", 0, (p).target, "T", 0, 1,                                                               \
         "share of weights at zero in the end; --remove: of multiply-adds gone"),                          \
        TEXT("granularity", 'g', (p).granularity, "weight|2:4|vector|kernel|channel",                      \
             "what goes together (default weight); 2:4 or another N:M; vector: rows of kernels"),          \
        TEXT("criterion", 'c', (p).criterion, "l1|l2|bn|taylor|random", "what ranks them (default l1)"),   \
        FLAG("per-layer", 0, (p).per_layer,                                                                \
             "each layer loses the same share; else all are ranked together"),                             \
        TEXT("layers", 0, (p).layers, "PATTERN=T,...", "targets of their own, as --scan proposes"),        \
        TEXT("skip", 0, (p).skip, "PATTERN,...", "layers that are left out"),                              \
        FLAG("depthwise", 0, (p).depthwise, "depthwise convolutions take part"),                           \
        FLAG("allow-empty", 0, (p).allow_empty, "a layer may lose all its weights"),                       \
        TEXT("schedule", 0, (p).schedule, "poly|oneshot|constant|iterative|rewind",                        \
             "when they go (default poly); iterative: in rounds; rewind: lottery ticket"),                 \
        INT("rounds", 0, (p).rounds, "N", 1, 1000,                                                         \
            "of iterative and rewind (default 3); --epochs are those of each round"),                      \
        REAL("begin", 0, (p).begin, "EPOCHS", 0, 1e6, "of poly and constant (default 0)"),                 \
        REAL("end", 0, (p).end, "EPOCHS", 0, 1e6, "of poly (default half of the run)"),                    \
        INT("frequency", 0, (p).frequency, "STEPS", 1, 1 << 24, "between updates of poly (default 50)"),   \
        REAL("power", 0, (p).power, "P", 0.001, 100, "of poly (default 3)"),                               \
        REAL("from", 0, (p).from, "S", 0, 0.999999, "sparsity to begin at (default: what the model has)"), \
        TEXT("rewind-to", 0, (p).rewind_to, "FILE",                                                        \
             "weights to go back to (default: as initialised; 'pith train --keep-early N' keeps others)"), \
        INT("samples", 0, (p).samples, "N", 1, 1 << 24,                                                    \
            "training images of taylor and --scan (default 512)"),                                         \
        FLAG("scan", 0, (p).scan,                                                                          \
             "do not prune: what each layer bears, and proposed --layers (--target: 0.5)"),                \
        FLAG("remove", 0, (p).remove, "with channel: the channels go, the network gets smaller"),          \
        INT("multiple", 0, (p).multiple, "N", 1, 1024,                                                     \
            "with --remove: a layer keeps a multiple of N channels (default 16: kernels take so many at "  \
            "once)")

/* Options of a pruned run that are none of its recipe. */
#define PRUNE_OWN                                                                                        \
    "target", "granularity", "criterion", "per-layer", "depthwise", "allow-empty", "schedule", "rounds", \
        "begin", "end", "frequency", "power", "from", "rewind-to", "scan", "remove", "multiple", "init", \
        "head", "freeze", "unfreeze-after"

/* All that a run begins with. */
typedef struct {
    pith_prune_cfg cfg;
    pith_prune_schedule schedule;
    pith_channels_cfg cut;
    int rounds;
    double accuracy; /* -1: not measured */
} prune_start;

bool prune_rewinds(const prune_opts *p);
/* Words to settings; false: it is said what is wrong. */
bool prune_cfg(const prune_opts *p, uint64_t seed, prune_start *s);
/* What needs the model: where it begins (into p->from, for args.json), what it rewinds to (of a resumed run: what it kept). False:
   said, or in the context. */
#define REWIND_FILE "rewind.pith"
bool prune_prepare(prune_opts *p, json_t *keep, pith_model *m, const char *resume, prune_start *s);
/* False: the context says why it cannot be. --remove: the channels are gone then, and it is said how much they were. */
bool prune_check(const prune_opts *p, pith_model *m, pith_data *d, const prune_start *s, bool quiet);
/* pith_prune_fit as a run_job. */
pith_status prune_job(void *start, pith_model *m, pith_data *d, pith_fit_cfg f);
int prune_scan(const common *k, pith_model *m, pith_data *d, pith_prune_cfg cfg); /* the exit status */

#endif
