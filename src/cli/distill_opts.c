/* Words of the command line to a pith_distill_cfg. */
#include "cli/distill_opts.h"

#include <stdlib.h>
#include <string.h>

static bool read_kinds(const char *list, unsigned *kinds)
{
    static const char *const names[] = { "response",  "decoupled", "feature",
                                         "attention", "relation",  "similarity" };
    *kinds = 0;
    for (const char *at = list; at != NULL && *at != 0;) {
        size_t n = strcspn(at, ",");
        unsigned i = 0;
        while (i < sizeof names / sizeof *names && (strlen(names[i]) != n || strncmp(names[i], at, n) != 0))
            i++;
        if (i == sizeof names / sizeof *names) {
            say("--kind %.*s: not known; response, decoupled, feature, attention, relation or similarity, "
                "with commas "
                "between",
                (int)n, at);
            return false;
        }
        *kinds |= 1U << i; /* PITH_DISTILL_RESPONSE, ... in this order */
        at += n + (at[n] == ',');
    }
    return true;
}

/* STUDENT=TEACHER, or one name for both; room holds the two. */
static bool read_pair(const char *option, const char *text, char room[256], pith_distill_pair *p)
{
    const char *equals = strchr(text, '=');
    size_t n = equals != NULL ? (size_t)(equals - text) : strlen(text);
    if (n == 0 || strlen(text) >= 256 || (equals != NULL && equals[1] == 0)) {
        say("--%s '%.80s': names of layers are expected, as blocks.2, or blocks.2=blocks.4", option, text);
        return false;
    }
    snprintf(room, 256, "%s", text);
    room[n] = 0;
    *p = (pith_distill_pair){ room, equals != NULL ? room + n + 1 : room };
    return true;
}

static bool read_weight(const char *text, pith_distill_cfg *f)
{
    const struct {
        const char *name;
        double *to;
    } term[] = { { "feature", &f->feature }, { "attention", &f->attention },   { "distance", &f->distance },
                 { "angle", &f->angle },     { "similarity", &f->similarity }, { "target", &f->target },
                 { "others", &f->others } };
    const char *equals = strchr(text, '=');
    size_t n = equals != NULL ? (size_t)(equals - text) : 0;
    char *end = NULL;
    double w = equals != NULL ? strtod(equals + 1, &end) : -1;
    for (size_t i = 0; i < sizeof term / sizeof *term && n > 0; i++)
        if (strlen(term[i].name) == n && strncmp(term[i].name, text, n) == 0 && end != equals + 1 &&
            *end == 0 && w >= 0 && w <= 1e9) {
            *term[i].to = w == 0 ? PITH_ZERO : w;
            return true;
        }
    say("--weight %s: feature, attention, distance, angle, similarity, target or others, and a number from 0 "
        "on, are "
        "expected, as attention=500",
        text);
    return false;
}

bool distill_opts_cfg(distill_opts *q, pith_distill_cfg *f)
{
    *f = (pith_distill_cfg){ .temperature = q->temperature,
                             .alpha = q->alpha,
                             .pairs = q->pairs,
                             .n_pairs = q->tap.n,
                             .store = q->store,
                             .remake = q->remake,
                             .store_most = (int64_t)(1e9 * q->store_gb) };
    const unsigned either = PITH_DISTILL_RESPONSE | PITH_DISTILL_DECOUPLED;
    if (!read_kinds(q->kind, &f->kinds))
        return false;
    for (int i = 0; i < q->tap.n; i++)
        if (!read_pair("tap", q->tap.text[i], q->names[i], &q->pairs[i]))
            return false;
    for (int i = 0; i < q->weight.n; i++)
        if (!read_weight(q->weight.text[i], f))
            return false;
    if (q->embedding != NULL && !read_pair("embedding", q->embedding, q->names[LIST_MOST], &f->embedding))
        return false;
    if ((f->kinds & either) != either && (q->remake == false || q->store != NULL))
        return true;
    say("%s", (f->kinds & either) == either ? "--kind: response or decoupled, not both"
                                            : "--remake: which store? --store auto, or a file, says so");
    return false;
}
