/* ops/lower.c: a float graph with fake_quant nodes becomes the integer graph. Every fake_quant is where an integer tensor
   comes to be: what stands before it (op, folded batch norm, activation) is one integer op. */
#include "ops/integer.h"
#include "ops/folded.h"
#include "ops/table.h"

#include <math.h>
#include <string.h>

static const pithp_integer *form(const pith_tensor *t) { return t->op != NULL ? t->op->integer : NULL; }

/* One whose scale an op computes is an op like any other: nobody can read its numbers off the graph. */
bool pithp_is_fake_quant(const pith_tensor *t)
{
    return t->op == &pithp_op_fake_quant && t->in[PITHP_FQ_SCALE]->kind != PITHP_NODE_OP;
}

bool pithp_fq_of_activation(const pith_tensor *t)
{
    const pithp_fq_attr *a = t->attr;
    return pithp_is_fake_quant(t) && a->axis < 0 && a->samples;
}

const pith_tensor *pithp_grid_of(const pith_tensor *t)
{
    for (const pithp_integer *n = form(t); t->op != NULL && !pithp_is_fake_quant(t) && n != NULL;
         n = form(t)) {
        if (n->kind != PITHP_INT_PASS && (n->kind != PITHP_INT_SAME || n->rounds))
            return NULL;
        t = t->in[0];
    }
    return t->op != NULL && pithp_fq_of_activation(t) ? t : NULL;
}

bool pithp_model_quantized(const pith_model *m)
{
    for (size_t i = 0; i < m->g->n; i++)
        if (pithp_is_fake_quant(m->g->nodes[i]))
            return true;
    return false;
}

static const char *layer(const pith_tensor *t)
{
    return t->name != NULL ? t->name : t->op ? t->op->name : "input";
}

/* ---- Numbers off the nodes ---- */
static bool site_param(const pithp_lower *l, const pith_tensor *f, pithp_qparam *q)
{
    const pith_real *scale = f->in[PITHP_FQ_SCALE]->value, *zero = f->in[PITHP_FQ_ZERO]->value;
    const pithp_fq_attr *a = f->attr;
    *q = (pithp_qparam){ (float)scale[0], pithp_fq_zero(a, zero[0]) };
    if (a->axis >= 0) {
        pithp_error(l->c, PITH_EINVAL, "layer '%s': activations have one scale, not one a channel", layer(f));
        return false;
    }
    if (scale[0] > 0 && isfinite(scale[0]))
        return true;
    pithp_error(l->c, PITH_EINVAL,
                scale[0] == 0
                    ? "layer '%s' never saw data: its range is not known (scale %g); calibrate with "
                      "pith_quantize, or train on"
                    : "layer '%s': scale %g is no finite number above 0",
                layer(f), (double)scale[0]);
    return false;
}

int pithp_lower_in(const pithp_lower *l, const pith_tensor *t, int i)
{
    int q = t->in[i] != NULL ? l->q[t->in[i]->id] : PITHP_QNONE;
    if (q == PITHP_QNONE && l->c->status == PITH_OK)
        pithp_error(l->c, PITH_EINVAL,
                    "layer '%s' (op %s): operand %d ('%s') was left in float, so it has no integer form; "
                    "quantize it, or leave this layer out too and run the model in float",
                    layer(t), t->op->name, i, t->in[i] ? layer(t->in[i]) : "absent");
    return q;
}

bool pithp_bias_quantize(double bias, float scale, int32_t *q)
{
    double v = round(bias / (double)scale);
    if (!(v >= INT32_MIN && v <= INT32_MAX))
        return false;
    *q = (int32_t)v;
    return true;
}

/* ---- Layers with weights ---- */
pith_real *pithp_fq_weight_values(pith_ctx *c, const pith_tensor *f)
{
    pith_tensor *w = (pith_tensor *)(uintptr_t)f;
    int64_t n = pithp_count(w->shape);
    pith_real *copy = PITHP_NEW_N(c, pith_real, n);
    pith_plan *p = copy == NULL ? NULL : pith_plan_new(&w, 1, (pith_plan_cfg){ 0 });
    if (p == NULL || pith_plan_forward(p, 0, 0) != PITH_OK) {
        pithp_free(c, copy);
        copy = NULL;
    } else {
        memcpy(copy, pith_plan_value(p, w), (size_t)n * sizeof *copy);
    }
    pith_plan_free(p);
    return copy;
}

typedef struct {
    const pithp_site *s;
    const pith_tensor *f; /* fake_quant of the weights */
    const pithp_fq_attr *a;
    int64_t channels, per_channel;
    int axis;
    float in_scale;
    float *scale, *bias_scale; /* [channels], the first alone with one scale */
    int n_scale;
} weights;

static bool weights_begin(pithp_lower *l, const pithp_site *s, weights *w)
{
    const pithp_integer *n = form(s->t);
    const pith_tensor *f = s->t->in[n->weight];
    if (f == NULL || !pithp_is_fake_quant(f)) {
        pithp_error(l->c, PITH_EINVAL, "layer '%s': its weights were left in float", layer(s->t));
        return false;
    }
    *w = (weights){ .s = s, .f = f, .a = f->attr, .axis = n->axis };
    w->channels = f->shape.d[n->axis];
    w->per_channel = pithp_count(f->shape) / w->channels;
    w->n_scale = w->a->axis >= 0 ? (int)w->channels : 1;
    if (w->a->axis >= 0 && w->a->axis != n->axis) {
        pithp_error(l->c, PITH_EINVAL, "layer '%s': scales along dimension %d of the weights; %d is expected",
                    layer(s->t), w->a->axis, n->axis);
        return false;
    }
    w->scale = pithp_alloc(l->c, 2 * (size_t)w->channels, sizeof(float));
    if (w->scale == NULL)
        return false;
    w->bias_scale = w->scale + w->channels;
    return true;
}

static bool weights_scales(pithp_lower *l, weights *w)
{
    const pith_real *scale = w->f->in[PITHP_FQ_SCALE]->value;
    for (int i = 0; i < w->n_scale; i++) {
        w->scale[i] = (float)scale[i];
        w->bias_scale[i] = w->in_scale * w->scale[i];
        if (!(w->bias_scale[i] > 0 && isfinite(w->bias_scale[i]))) {
            pithp_error(l->c, PITH_EINVAL,
                        "layer '%s': the scale of its weights' channel %d is %g: no finite number "
                        "above 0 (weights NaN, infinite, or never looked at)",
                        layer(w->s->t), i, (double)scale[i]);
            return false;
        }
    }
    return true;
}

/* The mask of the weights behind fake_quant node f, element for element; NULL: none is held at zero. */
static const uint8_t *held(const pith_tensor *f)
{
    const pith_tensor *t = f->in[PITHP_FQ_X];
    while (t->op == &pithp_op_fold_weight)
        t = t->in[0];
    return t->kind == PITHP_NODE_PARAM && pithp_shape_eq(t->shape, f->shape) ? t->mask : NULL;
}

/* What pruning holds at zero is a zero among the integers, or there are none. */
static bool zeros_stay(const pithp_lower *l, const weights *w, const int8_t *q)
{
    const uint8_t *keep = held(w->f);
    for (int64_t i = 0, n = pithp_count(w->f->shape); keep != NULL && i < n; i++)
        if (!keep[i] && q[i] != 0) {
            pithp_error(
                l->c, PITH_EINVAL,
                "layer '%s': weight %lld is pruned, but would be %d among the integers; it was written to "
                "after pruning: prune again, or clear the masks",
                layer(w->s->t), (long long)i, q[i]);
            return false;
        }
    return true;
}

static int weights_const(pithp_lower *l, const weights *w)
{
    int64_t n = pithp_count(w->f->shape);
    pith_real *v = pithp_fq_weight_values(l->c, w->f);
    int8_t *q = pithp_alloc(l->c, (size_t)n, 1);
    int id = PITHP_QNONE;
    char *name = pithp_sprintf(l->c, "%s/weight", layer(w->s->t));
    bool ok = v != NULL && q != NULL && name != NULL;
    for (int64_t i = 0; ok && i < n; i++) {
        int64_t ch = w->n_scale == 1 ? 0 : w->axis == 0 ? i / w->per_channel : i % w->channels;
        if (!isfinite(v[i])) {
            pithp_error(l->c, PITH_ENAN, "layer '%s': weight %lld is %g", layer(w->s->t), (long long)i,
                        (double)v[i]);
            ok = false;
        } else {
            q[i] = (int8_t)pithp_fq_quantize(w->a, v[i], (pith_real)w->scale[ch], 0);
        }
    }
    if (ok && zeros_stay(l, w, q))
        id = pithp_q_const(l->g, name, PITH_I8, w->f->shape, w->scale, w->n_scale, w->axis, 0, q);
    pithp_free(l->c, v);
    pithp_free(l->c, q);
    pithp_free(l->c, name);
    return id;
}

/* False: there is none, or, with an error, it is no numbers. */
static bool bias_values(const pithp_lower *l, const pithp_site *s, int index, int64_t channels,
                        pith_real *bias)
{
    const pith_tensor *b = s->t->n_in > index ? s->t->in[index] : NULL;
    bool known = b == NULL || b->value != NULL;
    for (int i = 1; i <= 4 && s->bn != NULL; i++)
        known = known && s->bn->in[i]->value != NULL;
    if (!known) {
        pithp_error(
            l->c, PITH_EINVAL,
            "layer '%s': its bias, or what its batch norm has, is computed by an op; integers need numbers "
            "that the model holds",
            layer(s->t));
        return false;
    }
    if (s->bn != NULL) {
        pith_tensor *const *in = s->bn->in;
        pithp_folded_bias(((const pithp_folded_attr *)s->bn->attr)->eps, in[1]->value, in[2]->value,
                          in[3]->value, in[4]->value, channels, bias);
    }
    for (int64_t i = 0; b != NULL && i < channels; i++)
        bias[i] += ((const pith_real *)b->value)[i];
    return s->bn != NULL || b != NULL;
}

/* PITHP_QNONE with no error: there is none. */
static int bias_const(pithp_lower *l, const weights *w)
{
    pith_real *b = PITHP_NEW_N(l->c, pith_real, w->channels);
    int32_t *q = PITHP_NEW_N(l->c, int32_t, w->channels);
    char *name = pithp_sprintf(l->c, "%s/bias", layer(w->s->t));
    int id = PITHP_QNONE;
    bool ok = b != NULL && q != NULL && name != NULL &&
              bias_values(l, w->s, form(w->s->t)->weight + 1, w->channels, b);
    for (int64_t i = 0; ok && i < w->channels; i++) {
        float scale = w->bias_scale[w->n_scale == 1 ? 0 : i];
        ok = pithp_bias_quantize((double)b[i], scale, &q[i]);
        if (!ok)
            pithp_error(
                l->c, PITH_EINVAL,
                "layer '%s': the bias of channel %lld, %g, does not fit int32 with scale %g (S_in*S_w): its "
                "weights are too small beside it; prune the channel, or use one scale for all weights",
                layer(w->s->t), (long long)i, (double)b[i], (double)scale);
    }
    if (ok)
        id = pithp_q_const(l->g, name, PITH_I32, PITH_SHAPE(w->channels), w->bias_scale, w->n_scale, 0, 0, q);
    pithp_free(l->c, b);
    pithp_free(l->c, q);
    pithp_free(l->c, name);
    return id;
}

int pithp_lower_weighted(pithp_lower *l, const pithp_site *s, const pithp_qop *op, pithp_qattr attr)
{
    int in[3] = { pithp_lower_in(l, s->t, 0), PITHP_QNONE, PITHP_QNONE }, id = PITHP_QNONE;
    weights w;
    if (in[0] == PITHP_QNONE || !weights_begin(l, s, &w))
        return PITHP_QNONE;
    w.in_scale = pithp_q_tensor(l->g, in[0])->scale[0];
    attr.act = s->act;
    attr.bits = s->bits;
    if (weights_scales(l, &w) && (in[1] = weights_const(l, &w)) != PITHP_QNONE) {
        in[2] = bias_const(l, &w);
        if (l->c->status == PITH_OK)
            id = pithp_q_op(l->g, op, layer(s->t), in, in[2] == PITHP_QNONE ? 2 : 3, &attr, s->out);
    }
    pithp_free(l->c, w.scale);
    return id;
}

int pithp_lower_plain(pithp_lower *l, const pithp_site *s, const pithp_qop *op, pithp_qattr attr)
{
    int in[PITH_OP_MAX_IN];
    for (int i = 0; i < s->t->n_in; i++)
        if ((in[i] = pithp_lower_in(l, s->t, i)) == PITHP_QNONE)
            return PITHP_QNONE;
    attr.act = s->act;
    attr.bits = s->bits;
    return pithp_q_op(l->g, op, layer(s->t), in, s->t->n_in, &attr, s->out);
}

/* ---- The walk ---- */
static bool no_form(const pithp_lower *l, const pith_tensor *t)
{
    const pithp_integer *n = form(t);
    pithp_error(l->c, PITH_EINVAL, "layer '%s': op %s has no integer form here%s%s", layer(t), t->op->name,
                n != NULL && n->instead != NULL ? "; the nearest that has one is " : "",
                n != NULL && n->instead != NULL ? n->instead : "");
    return false;
}

/* Goes down from a fake_quant node to the op that its value comes from. */
static pithp_site site_of(const pith_tensor *f)
{
    pithp_site s = { .t = f->in[0], .bits = ((const pithp_fq_attr *)f->attr)->bits };
    if (form(s.t) != NULL && form(s.t)->kind == PITHP_INT_CLAMP) {
        s.act = form(s.t)->act;
        s.t = s.t->in[0];
    }
    if (s.t->op == &pithp_op_folded_batch_norm) {
        s.bn = s.t;
        s.t = s.t->in[0];
    }
    return s;
}

static bool lower_quantized(pithp_lower *l, const pith_tensor *f)
{
    pithp_site s = site_of(f);
    if (!site_param(l, f, &s.out))
        return false;
    if (s.t == l->m->input) {
        l->q[f->id] = pithp_q_input(l->g, "input", PITH_I8, f->shape, s.out);
    } else if (form(s.t) == NULL || form(s.t)->lower == NULL) {
        return no_form(l, s.t);
    } else {
        l->q[f->id] = form(s.t)->lower(l, &s);
    }
    return l->q[f->id] != PITHP_QNONE;
}

/* Weights' fake_quant nodes, and parts of a site, become nothing of their own. */
static bool lower_node(pithp_lower *l, const pith_tensor *t)
{
    const pithp_integer *n = form(t);
    if (t->op == NULL)
        return true;
    if (pithp_is_fake_quant(t)) {
        pithp_site s = site_of(t);
        bool activation = s.t == l->m->input || (s.t->op != NULL && s.t->op != &pithp_op_fold_weight &&
                                                 ((const pithp_fq_attr *)t->attr)->samples);
        return !activation || lower_quantized(l, t);
    }
    if (n == NULL)
        return true;
    if (n->kind == PITHP_INT_PASS) {
        l->q[t->id] = l->q[t->in[0]->id];
        return true;
    }
    if (n->kind != PITHP_INT_SAME || n->rounds)
        return true;
    pithp_site s = { .t = t };
    l->q[t->id] = n->lower(l, &s);
    return l->q[t->id] != PITHP_QNONE;
}

static bool walk(pithp_lower *l, const uint8_t *marks)
{
    const pith_tensor *out = l->m->output;
    for (size_t i = 0; i < l->m->g->n; i++)
        l->q[i] = PITHP_QNONE;
    for (size_t i = 0; i <= out->id; i++)
        if (marks[i] && !lower_node(l, l->m->g->nodes[i]))
            return false;
    if (l->q[out->id] == PITHP_QNONE) {
        pithp_error(l->c, PITH_EINVAL,
                    "model '%s' is no integer model: its output comes from '%s' (op %s) in float", l->m->name,
                    layer(out), out->op ? out->op->name : "none");
        return false;
    }
    return pithp_q_output(l->g, l->q[out->id]) == PITH_OK;
}

pithp_qgraph *pithp_lower_model(const pith_model *m)
{
    pithp_lower l = { .c = m->ctx, .m = m };
    if (l.c->status)
        return NULL;
    uint8_t *marks = PITHP_NEW_N(l.c, uint8_t, m->g->n);
    l.q = PITHP_NEW_N(l.c, int, m->g->n);
    l.g = marks == NULL || l.q == NULL ? NULL : pithp_qgraph_new(l.c, m->name);
    bool ok = l.g != NULL;
    if (ok) {
        pithp_model_mark(m, marks);
        ok = walk(&l, marks);
    }
    pithp_free(l.c, marks);
    pithp_free(l.c, l.q);
    if (ok)
        return l.g;
    if (l.g != NULL)
        pithp_qgraph_free(l.g);
    return NULL;
}
