/* train/cam.c: Grad-CAM by the ordinary engine. On a copy of the model whose parameters are all frozen, one parameter of zeros is
   added to the maps that are asked for: its gradient is theirs. */
#include "graph/rewrite.h"
#include "graph/tap.h"
#include "ops/integer.h"
#include "ops/table.h"
#include "train/train.h"
#include <pith/explain.h>
#include <string.h>

typedef struct {
    const pith_tensor *tap; /* of the model */
    pith_model *m;          /* the copy */
    pith_tensor *maps, *offset, *score, *chosen, *loss;
    pith_plan *p;
    pith_real *small; /* [h,w] of one picture */
} cam;

/* ---- The copy ---- */
/* Rounding as it is, with no range that moves. */
static pith_tensor *still(pithp_rewrite *r, const pith_tensor *t)
{
    pithp_fq_attr a = *(const pithp_fq_attr *)t->attr;
    pith_tensor *in[PITHP_FQ_SEEN];
    for (int i = 0; i < PITHP_FQ_SEEN; i++)
        in[i] = pithp_rewrite_in(r, t, i);
    a.mode = PITHP_FQ_FIXED;
    a.start = a.freeze = 0;
    return pith_op_apply(t->op, &a, t->name, PITHP_FQ_SEEN, in);
}

static pith_tensor *record(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    cam *k = user;
    const pithp_integer *form = t->op != NULL ? t->op->integer : NULL;
    const bool nothing = (form != NULL && form->kind == PITHP_INT_PASS) || t->op == &pithp_op_dynamic_quant;
    pith_tensor *y = nothing                                   ? pithp_rewrite_in(r, t, 0)
                     : t->op != NULL && pithp_is_fake_quant(t) ? still(r, t)
                                                               : pithp_rewrite_copy(r, t);
    if (t != k->tap || y == NULL || y->poison)
        return y;
    k->offset = pithp_rewrite_param(r, "cam.offset", t->shape, NULL, false);
    return k->maps = pith_add(y, k->offset);
}

/* The last result that has places; NULL: none. */
static const pith_tensor *last_map(const pith_model *m)
{
    uint8_t *reach = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    const pith_tensor *found = NULL;
    if (reach == NULL)
        return NULL;
    pithp_model_reach(m, reach);
    for (size_t id = 0; id < m->g->n; id++) {
        const pith_tensor *t = m->g->nodes[id];
        if (reach[id] && t->kind == PITHP_NODE_OP && t->shape.ndim == 4 && t->shape.d[1] * t->shape.d[2] > 1)
            found = t;
    }
    pithp_free(m->ctx, reach);
    if (found == NULL && m->ctx->status == PITH_OK)
        pithp_error(m->ctx, PITH_EINVAL,
                    "grad-cam: no result of model '%s' is a map; a convolutional network is expected",
                    m->name);
    return found;
}

static const pith_tensor *tap_of(const pith_model *m, const char *layer)
{
    char text[96];
    if (layer == NULL)
        return last_map(m);
    const pith_tensor *t = pith_tap((pith_model *)(uintptr_t)m, layer);
    if (t == NULL || t->shape.ndim == 4)
        return t;
    pithp_error(
        m->ctx, PITH_EINVAL,
        "grad-cam: the result of layer '%s' is %s, not a map [1,h,w,C]; name a layer before the pooling",
        layer, pithp_shape_text(t->shape, text));
    return NULL;
}

static pith_status freeze(const cam *k)
{
    uint8_t *flags = PITHP_NEW_N(k->m->ctx, uint8_t, k->m->g->n);
    if (flags == NULL)
        return PITH_ENOMEM;
    memset(flags, 1, k->m->g->n);
    flags[k->offset->id] = 0;
    pithp_model_set_frozen(k->m, flags, k->m->g->n);
    pithp_free(k->m->ctx, flags);
    return PITH_OK;
}

static pith_status open_cam(cam *k, const pith_model *m, const char *layer, int classes)
{
    pith_ctx *c = m->ctx;
    *k = (cam){ .tap = tap_of(m, layer) };
    k->m = k->tap == NULL ? NULL : pithp_model_map(m, record, k);
    if (k->m == NULL || freeze(k) != PITH_OK)
        return c->status ? c->status : PITH_ENOMEM;
    const pith_tensor *out = k->m->output;
    k->score = out->op == &pithp_op_softmax ? out->in[0] : k->m->output;
    k->chosen = pith_model_add_input(k->m, "cam.class", PITH_F32, PITH_SHAPE(classes));
    k->loss = pith_sum(pith_mul(k->score, k->chosen));
    pith_tensor *targets[] = { k->loss, k->maps, k->score };
    k->p = pith_plan_new(targets, 3, (pith_plan_cfg){ .batch = 1, .train = true });
    k->small = PITHP_NEW_N(c, pith_real, k->tap->shape.d[1] * k->tap->shape.d[2]);
    return k->p == NULL || k->small == NULL ? c->status : PITH_OK;
}

static void close_cam(cam *k, pith_ctx *c)
{
    pith_plan_free(k->p);
    pith_model_free(k->m);
    pithp_free(c, k->small);
}

/* ---- One picture ---- */
/* Weighted maps, at most 1. */
static void combine(const cam *k)
{
    const pith_shape s = k->tap->shape;
    const int64_t places = s.d[1] * s.d[2], channels = s.d[3];
    const pith_real *a = pith_plan_value(k->p, k->maps), *grad = k->offset->grad;
    double most = 0;
    for (int64_t i = 0; i < places; i++)
        k->small[i] = 0;
    for (int64_t ch = 0; ch < channels; ch++) {
        double weight = 0;
        for (int64_t i = 0; i < places; i++)
            weight += (double)grad[i * channels + ch];
        weight /= (double)places;
        for (int64_t i = 0; i < places; i++)
            k->small[i] += (pith_real)(weight * (double)a[i * channels + ch]);
    }
    for (int64_t i = 0; i < places; i++)
        most = PITHP_MAX(most, (double)k->small[i]);
    for (int64_t i = 0; i < places; i++)
        k->small[i] = most > 0 ? (pith_real)(PITHP_MAX((double)k->small[i], 0) / most) : 0;
}

/* The place in n small pixels that pixel i of `of` lies on: *at and the next, and how far towards that. */
static double between(int64_t i, int64_t of, int64_t n, int64_t *at)
{
    double v = ((double)i + 0.5) * (double)n / (double)of - 0.5;
    v = PITHP_MIN(PITHP_MAX(v, 0), (double)(n - 1));
    *at = PITHP_MIN((int64_t)v, PITHP_MAX(n - 2, 0));
    return v - (double)*at;
}

static void enlarge(const cam *k, int64_t height, int64_t width, pith_real *map)
{
    const int64_t h = k->tap->shape.d[1], w = k->tap->shape.d[2];
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            int64_t r, s;
            const double v = between(y, height, h, &r), u = between(x, width, w, &s);
            const pith_real *up = k->small + r * w + s, *down = up + (h > 1 ? w : 0);
            const int64_t next = w > 1;
            map[y * width + x] = (pith_real)((1 - v) * ((1 - u) * (double)up[0] + u * (double)up[next]) +
                                             v * ((1 - u) * (double)down[0] + u * (double)down[next]));
        }
}

static pith_status one(const cam *k, const pith_real *x, int class, int classes, pith_real *map)
{
    const pith_shape in = k->m->input->shape;
    pith_real *chosen = pith_plan_input(k->p, k->chosen);
    memcpy(pith_plan_input(k->p, k->m->input), x, (size_t)pithp_count(in) * sizeof *x);
    memset(chosen, 0, (size_t)classes * sizeof *chosen);
    pith_status s = PITH_OK;
    if (class < 0) {
        s = pith_plan_forward(k->p, 1, 0);
        class = s == PITH_OK ? pithp_argmax(pith_plan_value(k->p, k->score), classes) : 0;
    }
    chosen[class] = 1;
    memset(k->m->grads, 0, (size_t)k->m->n_params * sizeof *k->m->grads); /* they add up otherwise */
    if (s == PITH_OK)
        s = pith_plan_forward(k->p, 1, 0);
    if (s == PITH_OK)
        s = pith_plan_backward(k->p);
    if (s != PITH_OK)
        return s;
    combine(k);
    enlarge(k, in.d[1], in.d[2], map);
    return PITH_OK;
}

static pith_status check(const pith_model *m, int64_t n, const int32_t *which, int *classes)
{
    pith_status s = pithp_model_classes(m, "grad-cam", classes);
    if (s == PITH_OK && m->input->shape.ndim != 4)
        return pithp_error(m->ctx, PITH_EINVAL, "grad-cam: model '%s' takes no pictures [1,H,W,C]", m->name);
    if (s == PITH_OK && n < 1)
        return pithp_error(m->ctx, PITH_EINVAL, "grad-cam: %lld pictures; at least 1 is expected",
                           (long long)n);
    for (int64_t i = 0; s == PITH_OK && which != NULL && i < n; i++)
        if (which[i] < 0 || which[i] >= *classes)
            return pithp_error(m->ctx, PITH_EINVAL,
                               "grad-cam: class %d of picture %lld; 0 to %d are expected", which[i],
                               (long long)i, *classes - 1);
    return s;
}

pith_status pith_grad_cam(const pith_model *m, const pith_real *x, int64_t n, const int32_t *classes,
                          const char *layer, pith_real *map)
{
    if (m == NULL || x == NULL || map == NULL)
        return PITH_EINVAL;
    pith_ctx *c = m->ctx;
    int count;
    cam k;
    if (c->status)
        return c->status;
    pith_status s = check(m, n, classes, &count);
    if (s != PITH_OK)
        return s;
    const int64_t per = pithp_count(m->input->shape), places = m->input->shape.d[1] * m->input->shape.d[2];
    s = open_cam(&k, m, layer, count);
    for (int64_t i = 0; i < n && s == PITH_OK; i++)
        s = one(&k, x + i * per, classes != NULL ? classes[i] : -1, count, map + i * places);
    close_cam(&k, c);
    return s;
}
