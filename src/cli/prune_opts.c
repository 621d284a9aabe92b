/* cli/prune_opts.c: words of the command line to what is pruned, and when. */
#include "cli/prune_opts.h"

#include <stdlib.h>
#include <string.h>

static const char *const criteria[] = { "l1", "l2", "bn", "taylor", "random", NULL };
static const char *const kinds[] = { "oneshot", "constant", "poly", "iterative", "rewind", NULL };

/* The word's place in a list that NULL ends; word NULL: `otherwise`. -1: it is not there, and it is said. */
static int choose(const char *option, const char *word, const char *const *list, int otherwise)
{
    char all[160] = "";
    if (word == NULL)
        return otherwise;
    for (int i = 0; list[i] != NULL; i++) {
        if (strcmp(list[i], word) == 0)
            return i;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", list[i]);
    }
    say("--%s %s: not known; there are %s", option, word, all);
    return -1;
}

static bool granularity(const char *word, pith_prune_cfg *f)
{
    static const char *const names[] = { "weight", "", "vector", "kernel", "channel", NULL };
    char *end = NULL;
    const char *colon = word != NULL ? strchr(word, ':') : NULL;
    if (colon != NULL) {
        long n = strtol(word, &end, 10), m = end == colon ? strtol(colon + 1, &end, 10) : 0;
        f->unit = PITH_PRUNE_NM;
        f->n = (int)n, f->m = (int)m;
        if (*end == 0 && n >= 1 && m > n && m <= 64)
            return true;
        say("--granularity %s: N:M with 1 <= N < M <= 64 is expected, as 2:4", word);
        return false;
    }
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(word != NULL ? word : "weight", names[i]) == 0 && names[i][0] != 0) {
            f->unit = (pith_prune_unit)i;
            return true;
        }
    say("--granularity %s: not known; weight, N:M (as 2:4), vector, kernel or channel", word);
    return false;
}

bool prune_rewinds(const prune_opts *p) { return p->schedule != NULL && strcmp(p->schedule, "rewind") == 0; }

static bool structured(const prune_opts *p, const prune_start *s)
{
    if (p->remove && (s->cfg.unit != PITH_PRUNE_CHANNEL || p->scan || p->layers != NULL)) {
        say("prune: --remove goes with --granularity channel, and without --scan and --layers");
        return false;
    }
    if (p->multiple && !p->remove) {
        say("prune: --multiple is for channels that go: add --granularity channel --remove");
        return false;
    }
    if (p->remove && p->schedule != NULL && strcmp(p->schedule, "oneshot") != 0) {
        say("prune: --remove takes the channels away at once; --schedule %s is for weights that are held at "
            "zero",
            p->schedule);
        return false;
    }
    return true;
}

bool prune_cfg(const prune_opts *p, uint64_t seed, prune_start *s)
{
    s->cfg = (pith_prune_cfg){ .target = p->target,
                               .per_layer = p->per_layer,
                               .depthwise = p->depthwise,
                               .allow_empty = p->allow_empty,
                               .layers = p->layers,
                               .skip = p->skip,
                               .samples = p->samples,
                               .seed = seed };
    const int criterion = choose("criterion", p->criterion, criteria, 0),
              kind = choose("schedule", p->schedule, kinds, PITH_PRUNE_POLYNOMIAL);
    if (criterion < 0 || kind < 0 || !granularity(p->granularity, &s->cfg))
        return false;
    if (p->target == 0 && p->scan) /* what its proposals are to add up to */
        s->cfg.target = 0.5;
    else if (p->target == 0 && p->layers == NULL && s->cfg.unit != PITH_PRUNE_NM) {
        say("prune: --target T is needed: the share of weights that shall be zero, as 0.8");
        return false;
    }
    s->cfg.criterion = (pith_prune_criterion)criterion;
    s->schedule = (pith_prune_schedule){ .kind = (pith_prune_kind)kind,
                                         .begin = p->begin,
                                         .end = p->end,
                                         .power = p->power,
                                         .frequency = p->frequency,
                                         .rounds = p->rounds };
    s->rounds = kind == PITH_PRUNE_ITERATIVE || kind == PITH_PRUNE_REWIND ? p->rounds ? p->rounds : 3 : 1;
    s->cut = (pith_channels_cfg){ .target = p->target,
                                  .criterion = (pith_prune_criterion)criterion,
                                  .per_layer = p->per_layer,
                                  .multiple = p->multiple ? p->multiple : 16,
                                  .skip = p->skip,
                                  .seed = seed };
    if (p->rewind_to != NULL && kind != PITH_PRUNE_REWIND) {
        say("--rewind-to %s: only --schedule rewind goes back to weights", p->rewind_to);
        return false;
    }
    return structured(p, s);
}

/* The network as it was initialised: the family's, drawn again from the seed of the training. */
static pith_model *initialised(pith_model *m, json_t *keep)
{
    json_t *t = json_object_get(keep, "train");
    const char *name = pith_model_name(m);
    const pith_shape out = pith_shape_of(pith_model_output(m));
    if (t == NULL || !is_family(name) || json_is_string(json_object_get(t, "init"))) {
        say("prune: what this model was initialised with cannot be drawn again (%s); give the weights to go "
            "back to "
            "with --rewind-to FILE ('pith train --keep-early N' keeps them)",
            t == NULL         ? "it does not lie in the folder of a 'pith train'"
            : is_family(name) ? "its training began with weights from a file"
                              : "it is no network by name");
        return NULL;
    }
    const model_opts o = { .image_size = model_image_size(m),
                           .classes = (int)out.d[out.ndim - 1],
                           .channels = 3,
                           .width = json_number_value(json_object_get(t, "width")),
                           .depth = json_number_value(json_object_get(t, "depth")),
                           .torch = json_is_true(json_object_get(t, "torch-style")) };
    return open_model(pith_model_ctx(m), name, o);
}

bool prune_prepare(prune_opts *p, json_t *keep, pith_model *m, const char *resume, prune_start *s)
{
    pith_prune_facts f;
    char path[1024];
    if (p->remove)
        return true;
    if (resume == NULL && p->from == 0) {
        if (pith_prune_info(m, s->cfg, &f) != PITH_OK)
            return false;
        p->from = f.weights > 0 ? (double)f.held / (double)f.weights : 0;
    }
    s->schedule.from = p->from;
    if (s->schedule.kind != PITH_PRUNE_REWIND)
        return true;
    snprintf(path, sizeof path, "%s/" REWIND_FILE, resume != NULL ? resume : "");
    const char *file = resume != NULL ? path : p->rewind_to;
    s->schedule.rewind =
        file != NULL ? open_model(pith_model_ctx(m), file, (model_opts){ 0 }) : initialised(m, keep);
    return s->schedule.rewind != NULL;
}
