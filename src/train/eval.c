/* Evaluation and prediction, over an inference plan that is kept with the model. */
#include "train/train.h"

#include <string.h>

/* ---- The plan ---------------------------------------------------------------------------------------------
   The evaluator hangs on the model's graph and is destroyed before the graph's plans are. In the context's
   ring it always stands before its plan (newest first), so it goes first there, too. */
static void evaluator_destroy(pith_ctx *c, pithp_obj *o)
{
    pithp_evaluator *e = (pithp_evaluator *)o;
    e->m->g->cache = NULL;
    pith_plan_free(e->plan);
    pithp_integers_free(c, &e->ints);
    pithp_free(c, e->logits);
    pithp_free(c, e->confusion);
    pithp_free(c, e);
}

static pithp_evaluator *evaluator_new(pith_model *m)
{
    pithp_evaluator *e = PITHP_NEW(m->ctx, pithp_evaluator);
    if (e == NULL)
        return NULL;
    e->m = m;
    pithp_own(m->ctx, &e->obj, evaluator_destroy);
    m->g->cache = &e->obj;
    return e;
}

pithp_evaluator *pithp_evaluator_get(pith_model *m, int64_t batch)
{
    pith_ctx *c = m->ctx;
    pithp_evaluator *e = m->g->cache != NULL ? (pithp_evaluator *)m->g->cache : evaluator_new(m);
    if (e == NULL)
        return NULL;
    if (e->plan != NULL && e->plan->version == m->g->version && e->batch >= batch)
        return e;
    pith_plan_free(e->plan);
    e->plan = pith_plan_new(&m->output, 1, (pith_plan_cfg){ .batch = batch });
    e->batch = batch;
    pithp_disown(c, &e->obj);
    pithp_own(c, &e->obj, evaluator_destroy);
    return e->plan == NULL ? NULL : e;
}

/* ---- Evaluation ---------------------------------------------------------------------------------------- */
pith_status pithp_model_fits_data(const pith_model *m, const pith_data *d, const char *who)
{
    int classes;
    pith_status s = pithp_model_classes(m, who, &classes);
    if (s != PITH_OK)
        return s;
    if (classes != pith_data_classes(d))
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "%s: model '%s' has %d classes, but the data set has %d; make the model for these data, or "
            "choose the data it was made for",
            who, m->name, classes, pith_data_classes(d));
    pith_shape in = m->input->shape; /* [1,H,W,C] */
    int size = pith_data_size(d);
    char text[96];
    if (in.ndim != 4 || in.d[1] != size || in.d[2] != size || in.d[3] != 3)
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "%s: model '%s' takes images %s, but the data set's are [1,%d,%d,3]; open the data with "
            "the model's image size",
            who, m->name, pithp_shape_text(in, text), size, size);
    return PITH_OK;
}

/* The same classes in the same order, as far as the model knows them. Other names may still mean the same. */
static void compare_names(const pith_model *m, const pith_data *d)
{
    const char *text = pith_model_meta(m, "classes");
    json_t *names = text == NULL ? NULL : json_loads(text, 0, NULL);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *knows = json_string_value(json_array_get(names, i)),
                   *has = pith_data_class_name(d, (int)i);
        if (knows == NULL || has == NULL || strcmp(knows, has) == 0)
            continue;
        pithp_log(
            m->ctx, PITH_LOG_WARN,
            "class %zu is '%.60s' for model '%s', but '%.60s' in these data: the accuracy may mean nothing",
            i, knows, m->name, has);
        break;
    }
    json_decref(names);
}

static pith_status need_confusion(pithp_evaluator *e, int classes)
{
    if (e->classes == classes)
        return PITH_OK;
    pith_ctx *c = e->m->ctx;
    pithp_free(c, e->confusion);
    e->classes = 0;
    e->confusion = PITHP_NEW_N(c, int64_t, (size_t)classes * (size_t)classes);
    if (e->confusion == NULL)
        return PITH_ENOMEM;
    e->classes = classes;
    return PITH_OK;
}

/* Says how logits come about: from the integers of a quantized model, as they are now, else from the plan. */
static pith_status choose_engine(pithp_evaluator *e)
{
    pith_ctx *c = e->m->ctx;
    pithp_integers_free(c, &e->ints);
    pithp_free(c, e->logits);
    e->logits = NULL;
    if (!pithp_integers_wanted(e->m))
        return PITH_OK;
    pith_status s = pithp_integers_make(&e->ints, e->m, e->batch);
    pithp_disown(c, &e->obj); /* before its plans in the ring, again */
    pithp_own(c, &e->obj, evaluator_destroy);
    if (s != PITH_OK)
        return s;
    e->logits = PITHP_NEW_N(c, pith_real, e->batch * e->ints.per_out);
    return e->logits == NULL ? PITH_ENOMEM : PITH_OK;
}

/* Logits of n <= batch samples; NULL after an error. */
static const pith_real *logits_of(pithp_evaluator *e, const pith_real *x, int64_t n)
{
    size_t per = (size_t)pithp_count(e->m->input->shape);
    if (e->logits != NULL)
        return pithp_integers_run(&e->ints, x, n, e->logits) ? NULL : e->logits;
    memcpy(pith_plan_input(e->plan, e->m->input), x, (size_t)n * per * sizeof *x);
    return pith_plan_forward(e->plan, n, 0) ? NULL : pith_plan_value(e->plan, e->m->output);
}

pith_status pithp_evaluate_with(pithp_evaluator *e, pith_loader *l, const volatile int *stop,
                                pith_eval_result *r)
{
    pith_ctx *c = e->m->ctx;
    *r = (pith_eval_result){ 0 };
    pith_status s = pithp_model_classes(e->m, "evaluation", &r->classes);
    if (s == PITH_OK)
        s = need_confusion(e, r->classes);
    if (s == PITH_OK)
        s = choose_engine(e);
    if (s != PITH_OK)
        return s;
    memset(e->confusion, 0, (size_t)r->classes * (size_t)r->classes * sizeof *e->confusion);
    r->confusion = e->confusion;
    for (pith_batch b; pith_loader_next(l, &b);) {
        if (stop != NULL && *stop)
            return PITH_ESTOPPED;
        const pith_real *logits = logits_of(e, b.x, b.n);
        if (logits == NULL)
            return c->status;
        pithp_metrics_add(r, e->confusion, logits, b.labels, b.n);
    }
    pithp_metrics_finish(r);
    return c->status;
}

pith_status pith_evaluate(pith_model *m, pith_data *d, pith_split split, int batch, pith_eval_result *r)
{
    *r = (pith_eval_result){ 0 };
    if (m == NULL)
        return PITH_EINVAL;
    pith_ctx *c = m->ctx;
    if (d == NULL)
        return c->status ? c->status : pithp_error(c, PITH_EINVAL, "evaluation: no data set");
    if (c->status)
        return c->status;
    if (batch < 0)
        return pithp_error(c, PITH_EINVAL, "evaluation: batch %d; at least 1 is expected", batch);
    if (pith_data_count(d, split) < 1)
        return pithp_error(c, PITH_EDATA, "evaluation: the %s split has no images",
                           split == PITH_VAL ? "validation" : "training");
    pith_status s = pithp_model_fits_data(m, d, "evaluation");
    if (s != PITH_OK)
        return s;
    compare_names(m, d);
    int64_t n = PITHP_MIN(batch ? batch : 64, pith_data_count(d, split));
    pithp_evaluator *e = pithp_evaluator_get(m, n);
    if (e == NULL)
        return c->status;
    pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .split = split, .batch = (int)n });
    if (l == NULL)
        return c->status;
    s = pithp_evaluate_with(e, l, NULL, r);
    pith_loader_free(l);
    return s;
}

/* ---- Prediction ---------------------------------------------------------------------------------------- */
pith_status pith_predict(pith_model *m, const pith_real *x, int64_t n, pith_real *probs)
{
    enum { MOST = 64 };
    int classes;
    pith_ctx *c = m->ctx;
    if (n < 1)
        return n == 0 ? PITH_OK : pithp_error(c, PITH_EINVAL, "prediction: %lld images", (long long)n);
    pith_status s = pithp_model_classes(m, "prediction", &classes);
    if (s != PITH_OK)
        return s;
    pithp_evaluator *e = pithp_evaluator_get(m, PITHP_MIN(n, MOST));
    if (e == NULL || choose_engine(e) != PITH_OK)
        return c->status;
    int64_t per = pithp_count(m->input->shape);
    for (int64_t i = 0; i < n; i += e->batch) {
        int64_t now = PITHP_MIN(n - i, e->batch);
        const pith_real *logits = logits_of(e, x + i * per, now);
        if (logits == NULL)
            return c->status;
        for (int64_t j = 0; j < now; j++)
            pithp_softmax_row(logits + j * classes, classes, probs + (i + j) * classes);
    }
    return PITH_OK;
}
