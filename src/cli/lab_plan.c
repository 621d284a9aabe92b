/* Which steps, and for how many epochs: the budget is kept by choosing these before anything is trained. */
#include "cli/lab.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const lab_row *lab_find(const lab *l, const char *id, int *at)
{
    for (int i = 0; id != NULL && i < l->n; i++)
        if (strcmp(l->rows[i].id, id) == 0) {
            if (at != NULL)
                *at = i;
            return &l->rows[i];
        }
    return NULL;
}

/* ---- Which ---- */
/* Sets chosen of the rows that a list of patterns names; false: one names none, and it is said. */
static bool mark(lab *l, const char *option, const char *list, bool chosen)
{
    char pattern[128];
    for (const char *at = list; at != NULL && *at != 0;) {
        size_t n = strcspn(at, ",");
        int found = 0;
        snprintf(pattern, sizeof pattern, "%.*s", (int)(n < sizeof pattern ? n : sizeof pattern - 1), at);
        for (int i = 0; i < l->n; i++)
            if (fnmatch(pattern, l->rows[i].id, 0) == 0 || strcmp(pattern, l->rows[i].family) == 0) {
                l->step[i].chosen = chosen;
                found++;
            }
        if (found == 0) {
            say("--%s %s: no step is called so; 'pith lab --list' names them", option, pattern);
            return false;
        }
        at += n + (at[n] == ',');
    }
    return true;
}

bool lab_choose(lab *l)
{
    for (int i = 0; i < l->n; i++)
        l->step[i].chosen = l->only == NULL;
    if (!mark(l, "only", l->only, true))
        return false;
    for (int i = l->n - 1; i >= 0; i--) { /* children stand behind their parents */
        int from = -1;
        if (l->step[i].chosen && lab_find(l, l->rows[i].from, &from) != NULL)
            l->step[from].chosen = true;
    }
    if (!mark(l, "skip", l->skip, false))
        return false;
    for (int i = 0; i < l->n; i++) { /* without its parent a step cannot be */
        int from = -1;
        if (lab_find(l, l->rows[i].from, &from) != NULL && !l->step[from].chosen)
            l->step[i].chosen = false;
        if (l->step[i].chosen)
            return l->step[0].chosen ||
                   (say("lab: without the step '%s' there is nothing to compare", l->rows[0].id), false);
    }
    say("lab: --skip leaves no step");
    return false;
}

/* ---- How fast ---- */
/* The float network before it is trained. */
static pith_model *network(lab *l)
{
    return l->init != NULL ? pith_model_load(l->c, l->init) : open_student(l->c, l->model, l->net, l->d);
}

/* The names that FIRST and HEAD stand for. */
static bool name_ends(lab *l)
{
    pith_model *m = network(l);
    pith_layer_facts f;
    char weight[140];
    for (int i = 0; m != NULL && pith_model_layer(m, i, &f); i++) {
        snprintf(weight, sizeof weight, "%.127s.weight", f.name);
        if (pith_model_find(m, weight) == NULL)
            continue;
        if (l->first[0] == 0)
            snprintf(l->first, sizeof l->first, "%s", f.name);
        snprintf(l->head, sizeof l->head, "%s", f.name);
    }
    pith_model_free(m);
    return m != NULL;
}

/* Seconds of an epoch of the float network with its evaluation: some steps of a throw-away one are timed. */
static double measure_epoch(lab *l)
{
    enum { MOST = 40 };
    const int64_t n = pith_data_count(l->d, PITH_TRAIN), val = pith_data_count(l->d, PITH_VAL);
    const int batch = n < 64 ? (int)n : 64;
    pith_model *m =
        l->init != NULL ? pith_model_load(l->c, l->init) : open_student(l->c, l->model, l->net, l->d);
    pith_trainer *t = m != NULL ? pith_trainer_new(m, (pith_trainer_cfg){ .batch = batch }) : NULL;
    pith_loader *loader =
        t != NULL
            ? pith_loader_new(
                  l->d,
                  (pith_loader_cfg){ .split = PITH_TRAIN, .batch = batch, .shuffle = true, .augment = true })
            : NULL;
    double began = 0, took = NAN;
    pith_batch b;
    for (int i = -3; loader != NULL && i < MOST; i++) { /* three to warm up */
        if (i == 0)
            began = lab_clock();
        bool more = pith_loader_next(loader, &b);
        if (!more) /* an epoch has ended */
            more = pith_loader_next(loader, &b);
        if (!more)
            break;
        if (isnan(pith_trainer_step(t, &b, 1e-6)))
            break;
        if (i > 0)
            took = (lab_clock() - began) / i;
        if (i > 3 && lab_clock() - began > 4)
            break;
    }
    pith_loader_free(loader);
    pith_trainer_free(t);
    pith_model_free(m);
    return took / batch * ((double)n + (double)val / 3);
}

/* ---- How many ---- */
static int epochs_of(const lab_row *r, double scale)
{
    const long e = lround(scale * r->epochs);
    return r->epochs == 0 ? 0 : e < 1 ? 1 : (int)e;
}

int lab_adaround(const lab *l, const lab_row *r)
{
    enum { FULL = 500, LEAST = 20 };
    const int n = l->scale > 0 && l->scale < 1 ? (int)lround(l->scale * FULL) : FULL;
    return strstr(r->words, "adaround") == NULL ? 0 : n < LEAST ? LEAST : n;
}

/* What a step takes: training, and two looks at the validation images. */
static double estimate(const lab *l, const lab_row *r, double scale, int epochs)
{
    const double n = (double)pith_data_count(l->d, PITH_TRAIN), val = (double)pith_data_count(l->d, PITH_VAL),
                 image = l->epoch_seconds / (n + val / 3);
    return epochs * r->cost * l->epoch_seconds +
           image * (r->extra * (strstr(r->words, "adaround") ? fmax(scale, 0.04) : 1) + val) + 0.5;
}

static double total(const lab *l, double scale)
{
    double sum = 0;
    for (int i = 0; i < l->n; i++)
        if (l->step[i].chosen)
            sum += estimate(l, &l->rows[i], scale,
                            i == 0 && l->init != NULL ? 0 : epochs_of(&l->rows[i], scale));
    return sum;
}

/* What the scale was chosen for: a run that goes on keeps it, however fast the machine is today. */
static void plan_key(const lab *l, char key[24])
{
    char text[256];
    snprintf(text, sizeof text, "%g %s %g %g %d %016" PRIx64 " %s", l->minutes, l->model, l->net.width,
             l->net.depth, pith_data_size(l->d), pith_data_fingerprint(l->d), l->init != NULL ? l->init : "");
    lab_hex(lab_hash_text(0, text), key);
}

static bool kept_plan(lab *l, const char *key)
{
    char path[1024];
    json_t *j = json_load_file(lab_path(l, NULL, "lab.json", path), 0, NULL),
           *plan = json_object_get(j, "plan");
    const char *was = json_string_value(json_object_get(plan, "key"));
    const bool same = was != NULL && strcmp(was, key) == 0;
    if (same) {
        l->scale = json_number_value(json_object_get(plan, "scale"));
        l->epoch_seconds = json_number_value(json_object_get(plan, "epoch_seconds"));
    }
    json_decref(j);
    return same && l->scale > 0 && l->scale <= 1;
}

static void choose_scale(lab *l)
{
    const double least = total(l, 0);
    double low = 0, high = 1;
    if (least > 60 * l->minutes)
        say("warning: %g minutes are too few: an epoch for each step that trains takes about %.0f; going on "
            "with one each",
            l->minutes, ceil(least / 60));
    if (total(l, 1) <= 60 * l->minutes) {
        l->scale = 1;
        return;
    }
    for (int i = 0; i < 40; i++) {
        const double middle = (low + high) / 2;
        *(total(l, middle) <= 60 * l->minutes ? &low : &high) = middle;
    }
    /* a number that lab.json holds exactly: the search ends at a rounding of epochs, where the last digit decides */
    l->scale = fmax(floor(1e6 * low), 1) / 1e6;
}

bool lab_plan(lab *l)
{
    char key[24];
    if (!name_ends(l))
        return false;
    plan_key(l, key);
    if (l->epochs > 0) {
        l->scale = l->epochs / (l->rows[0].epochs > 0 ? l->rows[0].epochs : 1);
        l->epoch_seconds = 0;
    } else if (!kept_plan(l, key)) {
        l->epoch_seconds = measure_epoch(l);
        if (isnan(l->epoch_seconds))
            return false;
        choose_scale(l);
    }
    for (int i = 0; i < l->n; i++) {
        l->step[i].epochs = i == 0 && l->init != NULL ? 0 : epochs_of(&l->rows[i], l->scale);
        l->step[i].estimate = estimate(l, &l->rows[i], l->scale, l->step[i].epochs);
    }
    return true;
}

json_t *lab_plan_json(const lab *l)
{
    char key[24];
    plan_key(l, key);
    json_t *shares = json_object();
    for (int i = 0; i < l->n; i++)
        if (l->rows[i].epochs > 0)
            json_object_set_new(
                shares, l->rows[i].id,
                json_pack("{s:f, s:i}", "full_length", l->rows[i].epochs, "epochs", l->step[i].epochs));
    return json_pack("{s:s, s:f, s:f, s:s, s:o}", "key", l->epochs > 0 ? "" : key, "scale", l->scale,
                     "epoch_seconds", l->epoch_seconds, "how",
                     "every step that trains gets the same share (scale) of the epochs it has at full "
                     "length, at least one",
                     "trainings", shares);
}

double lab_left(const lab *l, double of_this)
{
    double sum = of_this;
    for (int i = l->now + 1; i < l->n; i++)
        if (l->step[i].chosen && !l->step[i].cached)
            sum += l->step[i].estimate;
    return sum;
}
