/* graph/int8/prepare.c: what the ops' prepare() functions share: errors that name the layer, factors, worst sums. */
#include "graph/qgraph.h"
#include <math.h>
#include <stdlib.h>

pith_status pithp_q_error(const pithp_qgraph *g, const pithp_qnode *n, pith_status code, const char *fmt, ...)
{
    char text[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pithp_error(g->ctx, code, "layer %s (%s): %s", n->name, n->op->name, text);
}

void *pithp_q_prep(pithp_qgraph *g, pithp_qnode *n, size_t bytes)
{
    n->prep = pithp_alloc(g->ctx, bytes, 1);
    return n->prep;
}

int64_t pithp_q_rows(const pithp_qgraph *g, const pithp_qnode *n)
{
    const pith_shape *s = &pithp_q_out(g, n)->shape;
    return s->ndim >= 3 ? s->d[1] : 1;
}

int64_t pithp_q_row(const pithp_qtensor *out)
{
    return pithp_count(out->shape) / (out->shape.ndim >= 3 ? out->shape.d[1] : 1);
}

pith_status pithp_q_want(const pithp_qgraph *g, const pithp_qnode *n, int i, int ndim)
{
    const pithp_qtensor *t = pithp_q_in(g, n, i);
    char text[96];
    if (t->dtype != PITH_I8)
        return pithp_q_error(g, n, PITH_EINVAL, "operand %s is %s; expected int8", t->name,
                             pithp_dtype_name(t->dtype));
    if (ndim && t->shape.ndim != ndim)
        return pithp_q_error(g, n, PITH_ESHAPE, "operand %s is %s; expected %d dimensions", t->name,
                             pithp_shape_text(t->shape, text), ndim);
    if (!t->data && t->shape.d[0] != 1)
        return pithp_q_error(g, n, PITH_ESHAPE, "operand %s is %s; expected one sample", t->name,
                             pithp_shape_text(t->shape, text));
    return PITH_OK;
}

pith_status pithp_q_fixed(const pithp_qgraph *g, const pithp_qnode *n, int64_t k, double real, int64_t bound,
                          pithp_fixed *f)
{
    if (!isfinite(real) || !(real > 0))
        return pithp_q_error(
            g, n, PITH_ENAN,
            "channel %lld is rescaled by %g; expected a finite positive factor (scales too far apart?)",
            (long long)k, real);
    *f = pithp_fixed_from(real);
    if (f->shift > 30 || (f->shift > 0 && bound > ((int64_t)INT32_MAX >> f->shift)))
        return pithp_q_error(
            g, n, PITH_EINVAL,
            "channel %lld: sums up to %lld rescaled by %g overflow 32 bits; its output scale is too "
            "small for its input and weight scales",
            (long long)k, (long long)bound, real);
    return PITH_OK;
}

/* The positive and the negative weights of a channel, added up: apart, since every input may stand at either end. */
static void add_up(const int8_t *w, int64_t count, int64_t stride, int64_t *positive, int64_t *negative)
{
    enum { BLOCK = 1 << 20 }; /* sums of so many fit 32 bits */
    *positive = *negative = 0;
    for (int64_t from = 0; from < count; from += BLOCK) {
        int32_t sum = 0, size = 0;
        int64_t to = PITHP_MIN(count, from + BLOCK);
        for (int64_t i = from; i < to; i++) {
            int32_t v = w[i * stride];
            sum += v;
            size += v < 0 ? -v : v;
        }
        *positive += (size + sum) / 2;
        *negative += (sum - size) / 2;
    }
}

/* Largest absolute sum that channel k can reach: bias, and every input at the end of its range that is farther off. */
static int64_t worst_sum(const int8_t *w, int64_t count, int64_t stride, int32_t zero, int64_t bias)
{
    int64_t positive, negative, low = -128 - zero, high = 127 - zero;
    add_up(w, count, stride, &positive, &negative);
    int64_t up = positive * high + negative * low, down = positive * low + negative * high;
    /* part of the window may lie in the padding, which adds nothing: 0 lies between, so the ends hold */
    return PITHP_MAX(llabs(up + bias), PITHP_MAX(llabs(down + bias), llabs(bias)));
}

static pith_status check_weights(const pithp_qgraph *g, const pithp_qnode *n, int axis)
{
    const pithp_qtensor *w = pithp_q_in(g, n, 1), *b = pithp_q_in(g, n, 2);
    int64_t k = w->shape.d[axis];
    if (!w->data || w->dtype != PITH_I8 || w->zero != 0)
        return pithp_q_error(g, n, PITH_EINVAL, "weights %s: expected an int8 constant with zero point 0",
                             w->name);
    if (w->n_scale != 1 && w->axis != axis)
        return pithp_q_error(g, n, PITH_EINVAL,
                             "weights %s have scales along axis %d; expected the output channels, "
                             "axis %d",
                             w->name, w->axis, axis);
    if (!b)
        return PITH_OK;
    if (!b->data || b->dtype != PITH_I32 || b->zero != 0 || b->shape.ndim != 1 || b->shape.d[0] != k)
        return pithp_q_error(g, n, PITH_ESHAPE,
                             "bias %s: expected an int32 constant of %lld elements with zero point 0",
                             b->name, (long long)k);
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    if (b->n_scale != w->n_scale)
        return pithp_q_error(g, n, PITH_EINVAL, "bias %s has %d scales, the weights %d; expected as many",
                             b->name, b->n_scale, w->n_scale);
    for (int i = 0; i < b->n_scale; i++) {
        double want = (double)x->scale[0] * (double)w->scale[i];
        if (fabs((double)b->scale[i] - want) > 1e-5 * want)
            return pithp_q_error(
                g, n, PITH_EINVAL,
                "bias %s has the scale %g at channel %d; expected the input's times the weights', %g",
                b->name, (double)b->scale[i], i, want);
    }
    return PITH_OK;
}

static double factor(const pithp_qtensor *x, const pithp_qtensor *w, const pithp_qtensor *out,
                     bool form_float, int64_t k)
{
    float in = x->scale[0], one = w->scale[w->n_scale == 1 ? 0 : k];
    double real = form_float && w->n_scale == 1 ? (double)(in * one) : (double)in * (double)one;
    return real / (double)out->scale[0];
}

pith_status pithp_q_weights(const pithp_qgraph *g, const pithp_qnode *n, const pithp_qtensor *out, int axis,
                            bool form_float, pithp_fixed *scale, int64_t *worst)
{
    const bool run = g->care == PITHP_QCARE_RUN;
    pith_status st = run ? PITH_OK : check_weights(g, n, axis);
    if (st)
        return st;
    const pithp_qtensor *x = pithp_q_in(g, n, 0), *w = pithp_q_in(g, n, 1), *b = pithp_q_in(g, n, 2);
    int64_t k = w->shape.d[axis], per = pithp_count(w->shape) / k;
    bool first = axis == 0; /* else the channels are the last dimension */
    *worst = 0;
    for (int64_t i = 0; i < k; i++) {
        const int8_t *wk = (const int8_t *)w->data + (first ? i * per : i);
        int64_t sum =
            run ? 0 : worst_sum(wk, per, first ? 1 : k, x->zero, b ? ((const int32_t *)b->data)[i] : 0);
        if (sum > INT32_MAX)
            return pithp_q_error(
                g, n, PITH_EINVAL,
                "channel %lld can sum up to %lld, which overflows 32 bits: its bias or its weights are "
                "too large for their scale",
                (long long)i, (long long)sum);
        *worst = PITHP_MAX(*worst, sum);
        st = pithp_q_fixed(g, n, i, factor(x, w, out, form_float, i), sum, &scale[i]);
        if (st)
            return st;
    }
    return PITH_OK;
}
