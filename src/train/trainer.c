/* A trainer: a model's training plan with a label input, cross-entropy and an optimiser. */
#include "train/train.h"

#include <math.h>
#include <string.h>

static void trainer_destroy(pith_ctx *c, pithp_obj *o)
{
    pithp_free(c, o); /* plan and optimiser are the context's; the plan may have gone with its model */
}

void pith_trainer_free(pith_trainer *t)
{
    if (t == NULL)
        return;
    pith_plan_free(t->plan);
    pith_opt_free(t->opt);
    pithp_destroy(t->m->ctx, &t->obj);
}

pith_status pithp_model_classes(const pith_model *m, const char *who, int *classes)
{
    pith_shape s = m->output->shape;
    char text[96];
    if (s.ndim != 2 || s.d[1] < 2 || s.d[1] > 1000000)
        return pithp_error(
            m->ctx, PITH_ESHAPE,
            "%s: model '%s' has output %s; logits [N,classes] of at least two classes are expected", who,
            m->name, pithp_shape_text(s, text));
    *classes = (int)s.d[1];
    return PITH_OK;
}

pith_status pith_trainer_replan(pith_trainer *t, int image_size)
{
    pith_ctx *c = t->m->ctx;
    pith_shape s = t->m->input->shape; /* recorded with one sample */
    if (image_size != 0 && (s.ndim != 4 || image_size < 0 || image_size > 65536))
        return pithp_error(
            c, PITH_EINVAL,
            "trainer: images of %d pixels a side; 1 to 65536 is expected, and a model of images", image_size);
    if (image_size != 0)
        s.d[1] = s.d[2] = image_size;
    if (t->hook != NULL && t->hook->one_size && !pithp_shape_eq(s, t->m->input->shape))
        return pithp_error(c, PITH_EINVAL,
                           "trainer: images of %d pixels a side, but this loss (%.40s) is for the model's "
                           "own size, %d; train on "
                           "images of one size",
                           image_size, t->hook->key != NULL ? t->hook->key : "a hook",
                           (int)t->m->input->shape.d[1]);
    t->per = (size_t)pithp_count(s);
    pith_plan_free(t->plan);
    t->plan = NULL;
    pith_tensor *targets[] = { t->loss, t->m->output };
    t->plan = pith_plan_new(targets, 2,
                            (pith_plan_cfg){ .batch = t->batch, .train = true, .image_size = image_size });
    return t->plan == NULL ? c->status : PITH_OK;
}

/* What the hook makes of the hard loss. */
static bool add_hook(pith_trainer *t)
{
    pith_ctx *c = t->m->ctx;
    t->loss = t->hook->build(t->hook->user, t->m, t->loss, t->target);
    if (t->loss == NULL || t->loss->poison)
        return c->status != PITH_OK
                   ? false
                   : pithp_error(c, PITH_EINVAL, "trainer: the hook built no loss") == PITH_OK;
    if (t->loss->g == t->m->g && t->loss->dtype == PITH_F32 && pithp_count(t->loss->shape) == 1)
        return true;
    pithp_error(c, PITH_ESHAPE, "trainer: the hook's loss must be one float of the model's graph");
    return false;
}

/* *w: NULL where there are none. */
static bool class_weights(pith_trainer *t, const pith_trainer_cfg *cfg, pith_tensor **w)
{
    *w = NULL;
    if (cfg->class_weights == NULL)
        return true;
    if (pithp_class_weights_check(t->m->ctx, cfg->class_weights, cfg->n_class_weights, t->classes))
        return false;
    *w = pithp_node_data(t->m->g, PITH_F32, PITH_SHAPE(t->classes), NULL);
    for (int i = 0; i < t->classes && !(*w)->poison; i++)
        ((pith_real *)(*w)->value)[i] = (pith_real)cfg->class_weights[i];
    return !(*w)->poison;
}

static bool build(pith_trainer *t, pith_trainer_cfg cfg)
{
    pith_ctx *c = t->m->ctx;
    pith_tensor *w;
    if (!class_weights(t, &cfg, &w))
        return false;
    t->target = t->soft ? pith_model_add_input(t->m, "target", PITH_F32, PITH_SHAPE(t->classes))
                        : pith_model_add_input(t->m, "label", PITH_I32, PITH_SCALAR);
    t->loss = pith_cross_entropy(
        t->m->output, t->target,
        (pith_cross_entropy_cfg){ .smoothing = PITH_OR(cfg.smoothing, 0.1), .class_weights = w });
    if (t->loss == NULL || t->loss->poison || (t->hook != NULL && !add_hook(t)))
        return false;
    t->opt = pith_opt_new_model(t->m, cfg.opt);
    if (t->opt == NULL || pith_trainer_replan(t, cfg.image_size) != PITH_OK)
        return false;
    memset(t->m->grads, 0,
           (size_t)t->m->n_params * sizeof *t->m->grads); /* what a broken-off step left behind */
    return c->status == PITH_OK;
}

pith_trainer *pith_trainer_new(pith_model *m, pith_trainer_cfg cfg)
{
    if (m == NULL)
        return NULL;
    pith_ctx *c = m->ctx;
    int classes;
    double smoothing = PITH_OR(cfg.smoothing, 0.1);
    if (cfg.batch < 0 || !(smoothing >= 0 && smoothing < 1)) {
        pithp_error(c, PITH_EINVAL,
                    "trainer: batch %d, smoothing %g; at least 1, and from 0 to less than 1, are expected",
                    cfg.batch, smoothing);
        return NULL;
    }
    if (pithp_model_classes(m, "trainer", &classes))
        return NULL;
    pith_trainer *t = PITHP_NEW(c, pith_trainer);
    if (t == NULL)
        return NULL;
    t->m = m;
    t->batch = cfg.batch ? cfg.batch : 64;
    t->classes = classes;
    t->soft = cfg.soft;
    t->hook = cfg.loss;
    bool ok = build(t, cfg);
    pithp_own(c, &t->obj, trainer_destroy);
    if (ok)
        return t;
    pith_trainer_free(t);
    return NULL;
}

/* ---- A batch ------------------------------------------------------------------------------------------- */
static pith_status batch_ok(const pith_trainer *t, const pith_batch *b)
{
    pith_ctx *c = t->m->ctx;
    if (t->plan == NULL)
        return pithp_error(c, PITH_EINVAL, "trainer: it has no plan, for planning anew failed");
    if (t->plan->g != t->m->g)
        return pithp_error(c, PITH_ESTALE, "trainer: a pass rewrote model '%s'; make the trainer again",
                           t->m->name);
    if (b->n < 1 || b->n > t->batch)
        return pithp_error(c, PITH_EINVAL, "trainer: a batch of %d samples; it was made for 1 to %d", b->n,
                           t->batch);
    bool mixed = b->other != NULL && b->weight != NULL;
    if (mixed && !t->soft)
        return pithp_error(
            c, PITH_EINVAL,
            "trainer: a batch of mixed images (mixup, cutmix); make the trainer with .soft = true");
    for (int i = 0; i < b->n; i++) {
        int32_t label = b->labels[i] >= t->classes || !mixed ? b->labels[i] : b->other[i];
        if (label >= t->classes || (t->soft && (label < 0 || b->labels[i] < 0)))
            return pithp_error(c, PITH_EINVAL, "trainer: label %d; model '%s' has %d classes, counted from 0",
                               (int)label, t->m->name, t->classes);
        if (mixed && !(b->weight[i] >= 0 && b->weight[i] <= 1))
            return pithp_error(c, PITH_EINVAL, "trainer: sample %d has weight %g; 0 to 1 is expected", i,
                               (double)b->weight[i]);
    }
    return PITH_OK;
}

/* Probabilities [n,K]: the two labels' shares add up to one. */
static void fill_soft(const pith_trainer *t, const pith_batch *b, pith_real *q)
{
    memset(q, 0, (size_t)b->n * (size_t)t->classes * sizeof *q);
    for (int i = 0; i < b->n; i++, q += t->classes) {
        pith_real w = b->weight != NULL && b->other != NULL ? b->weight[i] : 1;
        q[b->labels[i]] += w;
        if (w < 1)
            q[b->other[i]] += 1 - w;
    }
}

static void fill(pith_trainer *t, const pith_batch *b)
{
    memcpy(pith_plan_input(t->plan, t->m->input), b->x, (size_t)b->n * t->per * sizeof *b->x);
    void *target = pith_plan_input(t->plan, t->target);
    if (t->soft)
        fill_soft(t, b, target);
    else
        memcpy(target, b->labels, (size_t)b->n * sizeof *b->labels);
}

static void count_correct(pith_trainer *t, const pith_batch *b)
{
    const pith_real *logits = pith_plan_value(t->plan, t->m->output);
    bool mixed = b->other != NULL && b->weight != NULL;
    t->correct = 0;
    for (int i = 0; i < b->n; i++) {
        int32_t is = mixed && b->weight[i] < PITHP_R(0.5) ? b->other[i] : b->labels[i];
        t->correct += pithp_argmax(logits + (int64_t)i * t->classes, t->classes) == is;
    }
}

static double not_finite(pith_trainer *t, double loss)
{
    const char *name = pith_plan_find_nonfinite(t->plan);
    pithp_error(t->m->ctx, PITH_ENAN,
                "the loss is %g: the first layer that went bad is '%s'; lower the learning rate, "
                "or limit the gradient (clip_norm)",
                loss, name ? name : "the loss itself");
    return NAN;
}

double pithp_trainer_gradient(pith_trainer *t, const pith_batch *b)
{
    if (batch_ok(t, b))
        return NAN;
    fill(t, b);
    if (t->hook != NULL && t->hook->feed != NULL && t->hook->feed(t->hook->user, t->plan, b) != PITH_OK)
        return NAN;
    if (pith_plan_forward(t->plan, b->n, t->runs))
        return NAN;
    double loss = *(const pith_real *)pith_plan_value(t->plan, t->loss);
    if (!isfinite(loss))
        return not_finite(t, loss);
    count_correct(t, b);
    t->runs++;
    return pith_plan_backward(t->plan) ? (double)NAN : loss;
}

double pith_trainer_step(pith_trainer *t, const pith_batch *b, double lr)
{
    double loss = pithp_trainer_gradient(t, b);
    if (isnan(loss))
        return loss;
    pith_opt_set_lr(t->opt, lr);
    return pith_opt_step(t->opt) ? (double)NAN : loss;
}

int64_t pith_trainer_correct(const pith_trainer *t) { return t->correct; }

pith_opt *pith_trainer_opt(pith_trainer *t) { return t->opt; }

pith_plan *pith_trainer_plan(pith_trainer *t) { return t->plan; }
