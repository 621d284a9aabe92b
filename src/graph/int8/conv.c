/* graph/int8/conv.c: windows, sizes and factors of convolutions and poolings. */
#include "graph/int8/conv.h"

enum {
    MOST_WINDOW = 1 << 15
}; /* rows, columns, strides, paddings: far beyond any use, and no product overflows */

static bool in_range(const int64_t *v, int n, int64_t lo)
{
    for (int i = 0; i < n; i++)
        if (v[i] < lo || v[i] > MOST_WINDOW)
            return false;
    return true;
}

pith_status pithp_q_layer(const pithp_qgraph *g, const pithp_qnode *n, int ndim, int w_ndim)
{
    pith_status s = pithp_q_want(g, n, 0, ndim);
    return s ? s : pithp_q_want(g, n, 1, w_ndim);
}

pith_status pithp_q_misfit(const pithp_qgraph *g, const pithp_qnode *n, const char *expected)
{
    char x[96], w[96];
    return pithp_q_error(g, n, PITH_ESHAPE, "weights %s do not fit the input %s; expected %s",
                         pithp_shape_text(pithp_q_in(g, n, 1)->shape, w),
                         pithp_shape_text(pithp_q_in(g, n, 0)->shape, x), expected);
}

pith_status pithp_q_window(const pithp_qgraph *g, const pithp_qnode *n, pithp_qtensor *out, pithp_iconv *v)
{
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    const pithp_qattr *a = &n->attr;
    v->h = x->shape.d[1];
    v->w = x->shape.d[2];
    v->c = x->shape.d[3];
    for (int i = 0; i < 2; i++) {
        v->stride[i] = a->stride[i] ? a->stride[i] : 1;
        v->dilation[i] = a->dilation[i] ? a->dilation[i] : 1;
        v->pad[i] = a->pad[2 * i];
    }
    int64_t window[2] = { v->r, v->s };
    if (!in_range(window, 2, 1) || !in_range(v->stride, 2, 1) || !in_range(v->dilation, 2, 1) ||
        !in_range(a->pad, 4, 0))
        return pithp_q_error(g, n, PITH_EINVAL,
                             "window, strides and dilations must be 1 to %d, paddings 0 to %d", MOST_WINDOW,
                             MOST_WINDOW);
    int64_t need[2] = { (v->r - 1) * v->dilation[0] + 1, (v->s - 1) * v->dilation[1] + 1 };
    int64_t have[2] = { v->h + a->pad[0] + a->pad[1], v->w + a->pad[2] + a->pad[3] };
    if (have[0] < need[0] || have[1] < need[1])
        return pithp_q_error(g, n, PITH_ESHAPE,
                             "a window of %lldx%lld does not fit the padded input of %lldx%lld",
                             (long long)need[0], (long long)need[1], (long long)have[0], (long long)have[1]);
    v->p = (have[0] - need[0]) / v->stride[0] + 1;
    v->q = (have[1] - need[1]) / v->stride[1] + 1;
    v->zero_in = x->zero;
    v->zero_out = out->zero;
    v->lo = n->lo;
    v->hi = n->hi;
    out->shape = PITH_SHAPE(1, v->p, v->q, v->k);
    return PITH_OK;
}

pith_status pithp_q_factors(pithp_qgraph *g, pithp_qnode *n, const pithp_qtensor *out, pithp_iconv v,
                            int axis, bool form_float)
{
    pithp_qconv *prep = pithp_q_prep(g, n, sizeof *prep + (size_t)v.k * sizeof *prep->scale);
    if (!prep)
        return PITH_ENOMEM;
    v.zero_in = pithp_q_in(g, n, 0)->zero;
    v.zero_out = out->zero;
    v.lo = n->lo;
    v.hi = n->hi;
    prep->g = v;
    prep->g.scale = prep->scale;
    return pithp_q_weights(g, n, out, axis, form_float, prep->scale, &prep->worst);
}

pith_status pithp_q_conv(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out, pithp_iconv v, int axis)
{
    pith_status st = pithp_q_window(g, n, out, &v);
    return st ? st : pithp_q_factors(g, n, out, v, axis, false);
}

int64_t pithp_q_conv_macs(const pithp_qgraph *g, const pithp_qnode *n)
{
    const pithp_iconv *v = &((const pithp_qconv *)n->prep)->g;
    (void)g;
    return v->p * v->q * v->k * v->r * v->s * (v->c / v->groups);
}

void pithp_q_conv_pack(const pithp_qgraph *g, const pithp_qnode *n, const pithp_ikern *kern, void *to,
                       size_t *bytes, size_t *scratch)
{
    const pithp_qconv *v = n->prep;
    const pithp_qtensor *b = pithp_q_in(g, n, 2);
    kern->conv_pack(&v->g, v->worst, pithp_q_in(g, n, 1)->data, b ? b->data : NULL, to, bytes, scratch);
}
