/* compress/distill/teacher.c: a teacher: what can be refused beforehand, its checksum, and running it. */
#include "compress/distill/distill.h"
#include "data/data.h"
#include "file/model_file.h"

#include <math.h>
#include <string.h>

/* ---- Does it fit? ----------------------------------------------------------------------------------------- */
static pith_status finite_weights(const pithp_teacher *t)
{
    for (size_t i = 0; i < t->m->g->n; i++) {
        const pith_tensor *w = t->m->g->nodes[i];
        const pith_real *v = w->value;
        bool weights = w->kind == PITHP_NODE_PARAM || w->kind == PITHP_NODE_STATE;
        for (int64_t k = 0, n = weights ? pithp_count(w->shape) : 0; k < n; k++)
            if (!isfinite(v[k]))
                return pithp_error(
                    t->m->ctx, PITH_ENAN,
                    "distillation: %s: weights of '%s' are not finite: it has nothing to teach; take "
                    "another checkpoint of it",
                    t->label, pith_name(w));
    }
    return PITH_OK;
}

static pith_status same_meta(const pithp_teacher *t, const pith_model *student, const char *key,
                             const char *what)
{
    const char *a = pith_model_meta(student, key), *b = pith_model_meta(t->m, key);
    if (a == NULL || b == NULL || strcmp(a, b) == 0)
        return PITH_OK;
    return pithp_error(
        t->m->ctx, PITH_EINVAL,
        "distillation: %s: %s is %.200s, but the student's is %.200s; they have to be the same", t->label,
        what, b, a);
}

/* A checksum of graph and weights: the model file's own contents. */
static pith_status checksum(pithp_teacher *t)
{
    pithp_st_writer w;
    pithp_st_writer_init(t->m->ctx, &w);
    pith_status s = pithp_model_put(t->m, &w);
    uint64_t h = 1;
    for (size_t i = 0; i < w.n && s == PITH_OK; i++) {
        h = pithp_hash_bytes(h, w.entries[i].name, strlen(w.entries[i].name));
        h = pithp_hash_bytes(h, w.entries[i].data, w.entries[i].bytes);
    }
    for (size_t i = 0; i < w.n_meta && s == PITH_OK; i++)
        if (strcmp(w.meta[i].key, PITHP_GRAPH_KEY) == 0)
            h = pithp_hash_bytes(h, w.meta[i].value, strlen(w.meta[i].value));
    pithp_st_writer_free(&w);
    t->checksum = h;
    return s;
}

pith_status pithp_teacher_check(pithp_teacher *t, const pith_model *student, int number)
{
    pith_ctx *c = student->ctx;
    int classes, its;
    char a[96], b[96];
    if (t->m == NULL || t->m->ctx != c)
        return c->status ? c->status
                         : pithp_error(c, PITH_EINVAL,
                                       "distillation: teacher %d is %s; load it into the student's context",
                                       number, t->m == NULL ? "missing" : "another context's");
    snprintf(t->label, sizeof t->label, "teacher %d ('%.40s')", number, t->m->name);
    if (t->m == student)
        return pithp_error(c, PITH_EINVAL,
                           "distillation: %s is the student itself; let a copy teach it (pith_model_clone)",
                           t->label);
    if (pithp_model_classes(student, "distillation: student", &classes) ||
        pithp_model_classes(t->m, "distillation: teacher", &its))
        return c->status;
    if (its != classes)
        return pithp_error(
            c, PITH_EINVAL,
            "distillation: %s has %d classes, the student %d; a teacher of the same classes is expected",
            t->label, its, classes);
    if (!pithp_shape_eq(t->m->input->shape, student->input->shape))
        return pithp_error(
            c, PITH_EINVAL,
            "distillation: %s takes images %s, the student %s; both look at the same image: make the student "
            "for the teacher's size",
            t->label, pithp_shape_text(t->m->input->shape, a), pithp_shape_text(student->input->shape, b));
    pith_status s = same_meta(t, student, "classes", "the list of classes");
    if (s == PITH_OK)
        s = same_meta(t, student, "input", "the input's normalisation");
    if (s == PITH_OK)
        s = finite_weights(t);
    return s ? s : checksum(t);
}

pith_status pithp_teacher_check_names(const pithp_teacher *t, const pith_data *d)
{
    const char *text = pith_model_meta(t->m, "classes");
    json_t *names = text == NULL ? NULL : json_loads(text, 0, NULL);
    pith_status s = PITH_OK;
    for (size_t i = 0; i < json_array_size(names) && s == PITH_OK; i++) {
        const char *knows = json_string_value(json_array_get(names, i)),
                   *has = pith_data_class_name(d, (int)i);
        if (knows != NULL && has != NULL && strcmp(knows, has) != 0)
            s = pithp_error(
                t->m->ctx, PITH_EINVAL,
                "distillation: class %zu is '%.60s' for %s, but '%.60s' in these data; a teacher of the same "
                "classes in the same order is expected",
                i, knows, t->label, has);
    }
    json_decref(names);
    return s;
}

/* ---- Running ----------------------------------------------------------------------------------------------- */
void pithp_teacher_free_plan(pithp_teacher *t)
{
    pith_ctx *c = t->m->ctx;
    pith_plan_free(t->plan);
    pithp_integers_free(c, &t->ints);
    pithp_free(c, t->logits);
    t->plan = NULL;
    t->logits = NULL;
    t->batch = 0;
}

static pith_status plan_integers(pithp_teacher *t, int64_t batch)
{
    pith_status s = pithp_integers_make(&t->ints, t->m, batch);
    if (s != PITH_OK)
        return s;
    t->logits = PITHP_NEW_N(t->m->ctx, pith_real, batch * t->ints.per_out);
    return t->logits == NULL ? PITH_ENOMEM : PITH_OK;
}

pith_status pithp_teacher_plan(pithp_teacher *t, int64_t batch)
{
    pith_tensor *targets[PITHP_LEN(t->said)];
    if (t->batch >= batch && (t->plan == NULL || t->plan->version == t->m->g->version))
        return PITH_OK;
    pithp_teacher_free_plan(t);
    t->integers = t->n_said == 1 && t->said[0].from == t->m->output && pithp_integers_wanted(t->m);
    if (t->integers) {
        pith_status s = plan_integers(t, batch);
        t->batch = s == PITH_OK ? batch : 0;
        return s;
    }
    for (int i = 0; i < t->n_said; i++)
        targets[i] = t->said[i].from;
    t->plan = pith_plan_new(targets, t->n_said, (pith_plan_cfg){ .batch = batch });
    t->batch = t->plan != NULL ? batch : 0;
    return t->plan == NULL ? t->m->ctx->status : PITH_OK;
}

const pith_real *pithp_teacher_value(const pithp_teacher *t, int i)
{
    return t->integers ? t->logits : pith_plan_value(t->plan, t->said[i].from);
}

static pith_status finite_outputs(pithp_teacher *t, int64_t n)
{
    for (int i = 0; i < t->n_said; i++) {
        const pith_real *v = pithp_teacher_value(t, i);
        for (int64_t k = 0; k < n * t->said[i].n; k++)
            if (!isfinite(v[k])) {
                const char *layer = t->plan != NULL ? pith_plan_find_nonfinite(t->plan) : NULL;
                return pithp_error(
                    t->m->ctx, PITH_ENAN,
                    "distillation: %s says what is not finite; the first layer that went bad is '%s'",
                    t->label, layer != NULL ? layer : "its output");
            }
    }
    return PITH_OK;
}

pith_status pithp_teacher_run(pithp_teacher *t, const pith_real *x, int64_t n)
{
    pith_status s = pithp_teacher_plan(t, n);
    if (s != PITH_OK)
        return s;
    if (t->integers) {
        s = pithp_integers_run(&t->ints, x, n, t->logits);
    } else {
        size_t per = (size_t)pithp_count(t->m->input->shape);
        memcpy(pith_plan_input(t->plan, t->m->input), x, (size_t)n * per * sizeof *x);
        s = pith_plan_forward(t->plan, n, 0);
    }
    return s ? s : finite_outputs(t, n);
}
