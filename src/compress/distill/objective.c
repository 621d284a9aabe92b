/* compress/distill/objective.c: what the teachers are to say, and the loss that is made of it. */
#include "compress/distill/distill.h"
#include "graph/rewrite.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- What a teacher says ----------------------------------------------------------------------------------- */
static pith_status PITH_PRINTF(3, 4) say(pithp_teacher *t, pith_tensor *from, const char *fmt, ...)
{
    va_list ap;
    if (from == NULL || from->poison)
        return t->m->ctx->status;
    pithp_said *s = &t->said[t->n_said++];
    va_start(ap, fmt);
    vsnprintf(s->name, sizeof s->name, fmt, ap);
    va_end(ap);
    s->from = from;
    s->n = pithp_count(from->shape);
    t->per += s->n;
    return PITH_OK;
}

static const pithp_said *said(const pithp_teacher *t, const char *name)
{
    for (int i = 0; i < t->n_said; i++)
        if (strcmp(t->said[i].name, name) == 0)
            return &t->said[i];
    return NULL;
}

/* Of FEATURE the features themselves, of ATTENTION only the maps. */
static pith_status wire_pairs(pith_distill *k, int number, bool attention)
{
    pithp_teacher *t = &k->teacher[number];
    pithp_pair pairs[PITHP_MAX_PAIRS];
    int n;
    pith_status s = pithp_pairs(k->student, t, &k->cfg, !attention, pairs, &n);
    for (int i = 0; i < n && s == PITH_OK; i++)
        s = say(t, attention ? pith_attention_map(pairs[i].teacher) : pairs[i].teacher, "distill.%d.%s.%d",
                number, attention ? "attention" : "feature", i);
    return s;
}

static pith_status wire_teacher(pith_distill *k, int number)
{
    pithp_teacher *t = &k->teacher[number];
    pith_status s = PITH_OK;
    if (pithp_distill_wants(k, PITH_DISTILL_RESPONSE | PITH_DISTILL_DECOUPLED))
        s = say(t, t->m->output, "distill.%d.logits", number);
    if (s == PITH_OK && pithp_distill_wants(k, PITH_DISTILL_FEATURE))
        s = wire_pairs(k, number, false);
    if (s == PITH_OK && pithp_distill_wants(k, PITH_DISTILL_ATTENTION))
        s = wire_pairs(k, number, true);
    if (s == PITH_OK && pithp_distill_wants(k, PITH_DISTILL_RELATION | PITH_DISTILL_SIMILARITY))
        s = say(t, pithp_embedding(t->m, k->cfg.embedding.teacher), "distill.%d.embedding", number);
    return s;
}

/* ---- Regressors: parameters of the loss, in the student's block so that its optimiser trains them ------------ */
static void regressor_name(char name[64], int teacher, int pair)
{
    snprintf(name, 64, "distill.%d.regressor.%d", teacher, pair);
}

static bool add_regressor(pithp_rewrite *r, const pithp_pair *p, int teacher, int pair)
{
    char name[64];
    pith_ctx *c = r->to->ctx;
    const int64_t in = p->student->shape.d[3], out = p->teacher->shape.d[3];
    pith_real *w = PITHP_NEW_N(c, pith_real, in * out);
    if (w == NULL)
        return false;
    regressor_name(name, teacher, pair);
    pithp_rand rng = pithp_rand_at(c->cfg.seed, 0, pithp_hash64(name, strlen(name)), PITHP_USE_INIT);
    for (int64_t i = 0; i < in * out; i++)
        w[i] = (pith_real)(pithp_rand_normal(&rng) / sqrt((double)in));
    const pith_tensor *t = pithp_rewrite_param(r, name, PITH_SHAPE(out, 1, 1, in), w, true);
    pithp_free(c, w);
    return !t->poison;
}

/* A copy of the student, with the regressors behind its last node. */
static pith_tensor *with_regressors(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    pith_distill *k = user;
    pith_tensor *copy = pithp_rewrite_copy(r, t);
    for (int i = 0; t == r->from->output && i < k->n_teachers; i++) {
        pithp_pair pairs[PITHP_MAX_PAIRS];
        int n;
        if (pithp_pairs(k->student, &k->teacher[i], &k->cfg, true, pairs, &n) != PITH_OK)
            return NULL;
        for (int p = 0; p < n; p++)
            if (!add_regressor(r, &pairs[p], i, p))
                return NULL;
    }
    return copy;
}

pith_status pithp_distill_wire(pith_distill *k)
{
    pith_status s = PITH_OK;
    for (int i = 0; i < k->n_teachers && s == PITH_OK; i++)
        s = wire_teacher(k, i);
    if (s == PITH_OK && pithp_distill_wants(k, PITH_DISTILL_RELATION | PITH_DISTILL_SIMILARITY) &&
        pithp_embedding(k->student, k->cfg.embedding.student) == NULL)
        s = k->c->status;
    if (s != PITH_OK || !pithp_distill_wants(k, PITH_DISTILL_FEATURE))
        return s;
    s = pithp_model_rewrite(k->student, with_regressors, k);
    k->regressors = s == PITH_OK;
    return s;
}

/* ---- The loss ---------------------------------------------------------------------------------------------- */
/* The student's input that takes what a teacher says. */
static pith_tensor *input(pith_distill *k, int number, const char *what, int pair)
{
    char name[48];
    if (pair < 0)
        snprintf(name, sizeof name, "distill.%d.%s", number, what);
    else
        snprintf(name, sizeof name, "distill.%d.%s.%d", number, what, pair);
    pithp_said *s = (pithp_said *)(uintptr_t)said(&k->teacher[number], name);
    pith_shape one = { s->from->shape.ndim - 1, { 0 } };
    memcpy(one.d, s->from->shape.d + 1, (size_t)one.ndim * sizeof one.d[0]);
    return s->to = pith_model_add_input(k->student, name, PITH_F32, one);
}

static pith_tensor *soft(pith_distill *k, int number, pith_tensor *target)
{
    pith_tensor *logits = k->student->output, *says = input(k, number, "logits", -1);
    if (pithp_distill_wants(k, PITH_DISTILL_RESPONSE))
        return pith_kl_divergence(logits, says, (pith_kl_divergence_cfg){ k->cfg.temperature });
    return pith_decoupled_kl(logits, says, target,
                             (pith_decoupled_kl_cfg){ k->cfg.temperature, k->cfg.target, k->cfg.others });
}

static void add(pith_tensor **sum, pith_tensor *term, double weight)
{
    if (weight != 0)
        *sum = pith_add(*sum, pith_scale(term, weight, 0));
}

static void add_features(pith_distill *k, int number, pith_tensor **sum)
{
    pithp_pair pairs[PITHP_MAX_PAIRS];
    char name[64];
    int n;
    if (pithp_pairs(k->student, &k->teacher[number], &k->cfg, true, pairs, &n) != PITH_OK)
        return;
    for (int i = 0; i < n; i++) {
        regressor_name(name, number, i);
        pith_tensor *w = pith_model_find(k->student, name);
        pith_tensor *y = pith_conv2d(pairs[i].student, w, NULL,
                                     (pith_conv2d_cfg){ .out = pairs[i].teacher->shape.d[3], .kernel = 1 });
        add(sum, pith_mse(y, input(k, number, "feature", i)), PITH_OR(k->cfg.feature, 1) / k->n_teachers);
    }
}

static void add_attention(pith_distill *k, int number, pith_tensor **sum)
{
    pithp_pair pairs[PITHP_MAX_PAIRS];
    int n;
    if (pithp_pairs(k->student, &k->teacher[number], &k->cfg, false, pairs, &n) != PITH_OK)
        return;
    for (int i = 0; i < n; i++)
        add(sum, pith_mse(pith_attention_map(pairs[i].student), input(k, number, "attention", i)),
            PITH_OR(k->cfg.attention, 1000) / k->n_teachers);
}

static void add_relations(pith_distill *k, int number, pith_tensor **sum)
{
    pith_tensor *x = pithp_embedding(k->student, k->cfg.embedding.student);
    if (x == NULL)
        return;
    pith_tensor *says = input(k, number, "embedding", -1);
    const double share = 1.0 / k->n_teachers;
    if (pithp_distill_wants(k, PITH_DISTILL_RELATION)) {
        add(sum, pith_relation_distance(x, says), share * PITH_OR(k->cfg.distance, 25));
        add(sum, pith_relation_angle(x, says), share * PITH_OR(k->cfg.angle, 50));
    }
    if (pithp_distill_wants(k, PITH_DISTILL_SIMILARITY))
        add(sum, pith_similarity_preserving(x, says), share * PITH_OR(k->cfg.similarity, 3000));
}

/* A failure sticks in the context, and everything built on it is poison. */
pith_tensor *pithp_distill_build(void *user, pith_model *m, pith_tensor *hard, pith_tensor *target)
{
    pith_distill *k = user;
    pith_tensor *sum = hard;
    if (m != k->student || m->g != k->g) {
        pithp_error(k->c, PITH_ESTALE,
                    "distillation: model '%s' is %s; make the distillation when the student is as it shall "
                    "be trained",
                    m->name, m != k->student ? "not its student" : "rewritten by a pass since");
        return NULL;
    }
    const bool responds = pithp_distill_wants(k, PITH_DISTILL_RESPONSE | PITH_DISTILL_DECOUPLED);
    const double alpha = PITH_OR(k->cfg.alpha, 0.7);
    if (pithp_distill_wants(k, PITH_DISTILL_DECOUPLED) && target->dtype != PITH_I32) {
        pithp_error(k->c, PITH_EINVAL,
                    "distillation: decoupled KD needs one label an image, but mixup or cutmix mixes them; "
                    "choose the kind "
                    "response");
        return NULL;
    }
    if (responds && alpha > 0)
        sum = pith_scale(sum, 1 - alpha, 0);
    for (int i = 0; i < k->n_teachers && k->c->status == PITH_OK; i++) {
        if (responds)
            add(&sum, soft(k, i, target), alpha / k->n_teachers);
        if (pithp_distill_wants(k, PITH_DISTILL_FEATURE))
            add_features(k, i, &sum);
        if (pithp_distill_wants(k, PITH_DISTILL_ATTENTION))
            add_attention(k, i, &sum);
        if (pithp_distill_wants(k, PITH_DISTILL_RELATION | PITH_DISTILL_SIMILARITY))
            add_relations(k, i, &sum);
    }
    return k->c->status == PITH_OK ? sum : NULL;
}
