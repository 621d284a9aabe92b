/* compress/distill/distill.c: the public calls; the hook's begin and feed. */
#include "compress/distill/distill.h"
#include "graph/rewrite.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* ---- Settings -------------------------------------------------------------------------------------------------- */
static pith_status check(pith_ctx *c, const pith_distill_cfg *g, int n_teachers)
{
    const unsigned all = 2 * PITH_DISTILL_SIMILARITY - 1,
                   either = PITH_DISTILL_RESPONSE | PITH_DISTILL_DECOUPLED;
    const struct {
        const char *name;
        double value, least, most;
    } range[] = { { "temperature", g->temperature, 1e-3, 1e6 },
                  { "alpha", PITH_OR(g->alpha, 0.7), 0, 1 },
                  { "target", PITH_OR(g->target, 1), 0, 1e6 },
                  { "others", PITH_OR(g->others, 1), 0, 1e6 },
                  { "feature", PITH_OR(g->feature, 1), 0, 1e9 },
                  { "attention", PITH_OR(g->attention, 1), 0, 1e9 },
                  { "distance", PITH_OR(g->distance, 1), 0, 1e9 },
                  { "angle", PITH_OR(g->angle, 1), 0, 1e9 },
                  { "similarity", PITH_OR(g->similarity, 1), 0, 1e9 },
                  { "store_most", (double)g->store_most, 0, 1e15 } };
    if (n_teachers < 1 || n_teachers > PITHP_MAX_TEACHERS)
        return pithp_error(c, PITH_EINVAL, "distillation: %d teachers; 1 to %d are expected", n_teachers,
                           (int)PITHP_MAX_TEACHERS);
    if ((g->kinds & ~all) != 0 || (g->kinds & either) == either)
        return pithp_error(
            c, PITH_EINVAL,
            "distillation: kinds %u; PITH_DISTILL_* are expected, RESPONSE and DECOUPLED not together",
            g->kinds);
    for (size_t i = 0; i < PITHP_LEN(range); i++)
        if (!(range[i].value >= range[i].least && range[i].value <= range[i].most))
            return pithp_error(c, PITH_EINVAL, "distillation: %s is %g; %g to %g is expected", range[i].name,
                               range[i].value, range[i].least, range[i].most);
    if (g->n_pairs < 0 || g->n_pairs > PITHP_MAX_PAIRS || (g->n_pairs > 0 && g->pairs == NULL))
        return pithp_error(c, PITH_EINVAL, "distillation: %d pairs of layers; 0 to %d are expected",
                           g->n_pairs, (int)PITHP_MAX_PAIRS);
    for (int i = 0; i < g->n_pairs; i++)
        if (g->pairs[i].student == NULL || g->pairs[i].teacher == NULL)
            return pithp_error(c, PITH_EINVAL, "distillation: pair %d lacks a name", i + 1);
    if (g->store != NULL && g->store[0] == 0)
        return pithp_error(c, PITH_EINVAL,
                           "distillation: the store's path is empty; a path, or \"auto\", is expected");
    return PITH_OK;
}

/* A copy of a text that lives as long as k; NULL of NULL. */
static bool keep_text(pith_distill *k, const char **text)
{
    if (*text == NULL)
        return true;
    *text = k->texts[k->n_texts] = pithp_strdup(k->c, *text);
    return k->texts[k->n_texts++] != NULL;
}

static bool keep_cfg(pith_distill *k)
{
    pith_distill_cfg *g = &k->cfg;
    k->texts = PITHP_NEW_N(k->c, char *, 3 + 2 * g->n_pairs);
    k->pairs = PITHP_NEW_N(k->c, pith_distill_pair, g->n_pairs + 1);
    if (k->texts == NULL || k->pairs == NULL)
        return false;
    for (int i = 0; i < g->n_pairs; i++) {
        k->pairs[i] = g->pairs[i];
        if (!keep_text(k, &k->pairs[i].student) || !keep_text(k, &k->pairs[i].teacher))
            return false;
    }
    g->pairs = k->pairs;
    return keep_text(k, &g->embedding.student) && keep_text(k, &g->embedding.teacher) &&
           keep_text(k, &g->store);
}

/* What a run that goes on must find again. Names of layers may be in any encoding: their hash will do. */
static char *make_key(const pith_distill *k)
{
    const pith_distill_cfg *g = &k->cfg;
    uint64_t layers = 6;
    char *teachers = pithp_strdup(k->c, "");
    for (int i = 0; i < k->n_texts; i++)
        if (k->texts[i] != g->store)
            layers = pithp_hash64(k->texts[i], strlen(k->texts[i])) + 31 * layers;
    for (int i = 0; i < k->n_teachers && teachers != NULL; i++) {
        char *more = pithp_sprintf(k->c, "%s %016llx", teachers, (unsigned long long)k->teacher[i].checksum);
        pithp_free(k->c, teachers);
        teachers = more;
    }
    char *key =
        teachers == NULL
            ? NULL
            : pithp_sprintf(
                  k->c,
                  "distillation of kinds %u, T %.9g, alpha %.9g, target %.9g, others %.9g, feature %.9g, "
                  "attention %.9g, distance %.9g, angle %.9g, similarity %.9g, layers %016llx, teachers%s",
                  g->kinds, g->temperature, PITH_OR(g->alpha, 0.7), g->target, g->others, g->feature,
                  g->attention, g->distance, g->angle, g->similarity, (unsigned long long)layers, teachers);
    pithp_free(k->c, teachers);
    return key;
}

/* ---- The hook --------------------------------------------------------------------------------------------------- */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void destroy(pith_ctx *c, pithp_obj *o);

/* Newer than the plans that it owns, so that a context that ends destroys it before them. */
static void own_again(pith_distill *k)
{
    pithp_disown(k->c, &k->obj);
    pithp_own(k->c, &k->obj, destroy);
}

static pith_status begin(void *user, pith_model *m, pith_data *d, const pith_fit_cfg *fit)
{
    pith_distill *k = user;
    pith_status s = PITH_OK;
    double began = now();
    (void)m;
    k->stored = false;
    k->facts = (pith_distill_facts){ 0 };
    for (int i = 0; i < k->n_teachers && s == PITH_OK; i++)
        s = pithp_teacher_check_names(&k->teacher[i], d);
    if (s == PITH_OK && k->cfg.store != NULL)
        s = pithp_distill_stores(k, d, fit);
    for (int i = 0; i < k->n_teachers; i++) { /* with a store they have said all they had to say */
        if (k->cfg.store != NULL)
            pithp_teacher_free_plan(&k->teacher[i]);
        else if (s == PITH_OK)
            s = pithp_teacher_plan(&k->teacher[i], fit->batch > 0 ? fit->batch : 64);
    }
    own_again(k);
    k->facts.seconds = now() - began;
    return s;
}

pith_status pith_distill_prepare(pith_distill *k, pith_data *d, const pith_fit_cfg *fit)
{
    if (k == NULL || k->c->status)
        return k == NULL ? PITH_EINVAL : k->c->status;
    if (d == NULL || fit == NULL)
        return pithp_error(k->c, PITH_EINVAL, "distillation: prepare without %s",
                           d == NULL ? "data" : "settings");
    return begin(k, k->student, d, fit);
}

static pith_status feed_live(pithp_teacher *t, pith_plan *p, const pith_batch *b)
{
    pith_status s = pithp_teacher_run(t, b->x, b->n);
    for (int i = 0; i < t->n_said && s == PITH_OK; i++) {
        void *to = t->said[i].to == NULL ? NULL : pith_plan_input(p, t->said[i].to);
        if (to != NULL)
            memcpy(to, pithp_teacher_value(t, i), (size_t)(b->n * t->said[i].n) * sizeof(pith_real));
    }
    return s;
}

static pith_status feed_stored(pith_distill *k, pithp_teacher *t, pith_plan *p, const pith_batch *b)
{
    pith_real *to[PITHP_LEN(t->said)] = { NULL };
    for (int i = 0; i < t->n_said; i++)
        to[i] = t->said[i].to == NULL ? NULL : pith_plan_input(p, t->said[i].to);
    for (int j = 0; j < b->n; j++) {
        int32_t row = k->row_of[b->samples[j]];
        const float *v =
            row < 0 ? NULL : pithp_store_row(k->c, &t->store, (int)(b->epoch % (uint32_t)k->variants), row);
        if (v == NULL)
            return k->c->status
                       ? k->c->status
                       : pithp_error(
                             k->c, PITH_EINVAL,
                             "distillation: image %lld is none of the training split's, which is what "
                             "the store knows",
                             (long long)b->samples[j]);
        for (int i = 0; i < t->n_said; v += t->said[i++].n)
            for (int64_t e = 0; to[i] != NULL && e < t->said[i].n; e++)
                to[i][j * t->said[i].n + e] = (pith_real)v[e];
    }
    return PITH_OK;
}

static pith_status feed(void *user, pith_plan *p, const pith_batch *b)
{
    pith_distill *k = user;
    pith_status s = PITH_OK;
    bool planned = true;
    for (int i = 0; i < k->n_teachers; i++)
        planned = planned && k->teacher[i].batch >= b->n;
    for (int i = 0; i < k->n_teachers && s == PITH_OK; i++)
        s = k->stored ? feed_stored(k, &k->teacher[i], p, b) : feed_live(&k->teacher[i], p, b);
    if (!planned && !k->stored)
        own_again(k);
    return s;
}

const pith_loss_hook *pith_distill_loss(pith_distill *k) { return k == NULL ? NULL : &k->hook; }
pith_distill_facts pith_distill_info(const pith_distill *k) { return k->facts; }

/* ---- Making and ending ------------------------------------------------------------------------------------------- */
static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_distill *k = (pith_distill *)o;
    for (int i = 0; i < k->n_teachers; i++) {
        pithp_integers_free(c, &k->teacher[i].ints);
        pithp_free(c, k->teacher[i].logits);
        pithp_store_close(c, &k->teacher[i].store);
    }
    for (int i = 0; i < k->n_texts; i++)
        pithp_free(c, k->texts[i]);
    pithp_free(c, k->texts);
    pithp_free(c, k->pairs);
    pithp_free(c, k->row_of);
    pithp_free(c, k->key);
    pithp_free(c, k);
}

/* The student without the regressors, whatever error stands in the context. */
static void take_out(const pith_distill *k)
{
    pith_ctx *c = k->c;
    char error[sizeof c->error], where[sizeof c->where];
    pith_status s = c->status;
    if (!k->regressors || k->student->g != k->g)
        return;
    memcpy(error, c->error, sizeof error);
    memcpy(where, c->where, sizeof where);
    pith_ctx_clear(c);
    if (pithp_model_rewrite(k->student, NULL, NULL) != PITH_OK)
        pith_ctx_clear(c); /* no memory: they stay, and do no harm */
    c->status = s;
    memcpy(c->error, error, sizeof error);
    memcpy(c->where, where, sizeof where);
}

void pith_distill_free(pith_distill *k)
{
    if (k == NULL)
        return;
    for (int i = 0; i < k->n_teachers; i++)
        pithp_teacher_free_plan(&k->teacher[i]);
    take_out(k);
    pithp_destroy(k->c, &k->obj);
}

static pith_status make(pith_distill *k, pith_model *const *teachers, int n)
{
    pith_status s = keep_cfg(k) ? PITH_OK : PITH_ENOMEM;
    for (int i = 0; i < n && s == PITH_OK; i++) {
        k->teacher[i].m = teachers[i];
        s = pithp_teacher_check(&k->teacher[i], k->student, i + 1);
        if (s == PITH_OK)
            k->n_teachers = i + 1;
    }
    if (s == PITH_OK)
        s = pithp_distill_wire(k);
    k->g = k->student->g;
    if (s == PITH_OK && (k->key = make_key(k)) == NULL)
        s = PITH_ENOMEM;
    k->hook = (pith_loss_hook){
        .user = k, .key = k->key, .one_size = true, .begin = begin, .build = pithp_distill_build, .feed = feed
    };
    return s;
}

pith_distill *pith_distill_new(pith_model *student, pith_model *const *teachers, int n_teachers,
                               pith_distill_cfg cfg)
{
    if (student == NULL || student->ctx->status)
        return NULL;
    pith_ctx *c = student->ctx;
    cfg.kinds = cfg.kinds ? cfg.kinds : PITH_DISTILL_RESPONSE;
    cfg.temperature = cfg.temperature == 0 ? 4 : cfg.temperature;
    if (check(c, &cfg, n_teachers) != PITH_OK)
        return NULL;
    pith_distill *k = PITHP_NEW(c, pith_distill);
    if (k == NULL)
        return NULL;
    k->c = c;
    k->student = student;
    k->cfg = cfg;
    pithp_own(c, &k->obj, destroy);
    if (make(k, teachers, n_teachers) == PITH_OK)
        return k;
    pith_distill_free(k);
    return NULL;
}

pith_status pith_distill_fit(pith_model *student, pith_model *const *teachers, int n_teachers, pith_data *d,
                             pith_distill_cfg cfg, pith_fit_cfg fit)
{
    if (student == NULL)
        return PITH_EINVAL;
    pith_distill *k = pith_distill_new(student, teachers, n_teachers, cfg);
    if (k == NULL)
        return student->ctx->status ? student->ctx->status : PITH_ENOMEM;
    fit.loss = pith_distill_loss(k);
    pith_status s = pith_fit(student, d, fit);
    pith_distill_free(k);
    return s;
}
