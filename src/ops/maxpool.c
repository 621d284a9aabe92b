/* ops/maxpool.c: y[n,p,q,c] = greatest x[n,h,w,c] in the window, NaN if there is one; dy goes to the first greatest.
   A training plan remembers where that is: aux int32 [N,P,Q,C], h*W + w. */
#include "ops/channels.h"
#include "ops/pool.h"
#include "ops/integer.h"
#include <string.h>

static bool shape(pith_infer *q)
{
    if (!pithp_pool_shape(q))
        return false;
    if (q->in[0].d[1] * q->in[0].d[2] > INT32_MAX)
        return pith_op_fail(q, "images of more than 2^31 pixels are not possible");
    q->aux = q->train ? (size_t)pithp_count(q->out) * sizeof(int32_t) : 0;
    return true;
}

static void start(const pithp_pool *g, const pith_real *x, int64_t at, pith_real *y, int32_t *place)
{
    memcpy(y, x + at * g->c, (size_t)g->c * sizeof *y);
    for (int64_t c = 0; c < g->c && place; c++)
        place[c] = (int32_t)at;
}

static void challenge(const pithp_pool *g, const pith_real *x, int64_t at, pith_real *y, int32_t *place)
{
    const pith_real *v = x + at * g->c;
    for (int64_t c = 0; c < g->c; c++) {
        if (v[c] <= y[c] || y[c] != y[c])
            continue;
        y[c] = v[c];
        if (place)
            place[c] = (int32_t)at;
    }
}

static void forward_row(const pith_call *k, const pithp_pool *g, int64_t n, int64_t p)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * g->h * g->w * g->c; /* [H,W,C] */
    int64_t first = (n * g->p + p) * g->q * g->c, h0, h1, w0, w1;
    pithp_pool_window(p, g->stride_h, g->top, g->r, g->h, &h0, &h1);
    for (int64_t q = 0; q < g->q; q++) {
        pith_real *y = (pith_real *)k->out.data + first + q * g->c;
        int32_t *place = k->train ? (int32_t *)k->aux + first + q * g->c : NULL;
        pithp_pool_window(q, g->stride_w, g->left, g->s, g->w, &w0, &w1);
        start(g, x, h0 * g->w + w0, y, place);
        for (int64_t h = h0; h < h1; h++)
            for (int64_t w = w0 + (h == h0); w < w1; w++)
                challenge(g, x, h * g->w + w, y, place);
    }
}

/* Collects the gradient of one row of the input. */
static void backward_row(const pith_call *k, const pithp_pool *g, int64_t n, int64_t h)
{
    pith_real *dx = k->in[0].grad + (n * g->h + h) * g->w * g->c; /* [W,C] */
    int64_t p0, p1;
    if (!k->in[0].grad_add)
        memset(dx, 0, (size_t)(g->w * g->c) * sizeof *dx);
    pithp_pool_reach(h, g->stride_h, g->top, g->r, g->p, &p0, &p1);
    for (int64_t o = p0 * g->q; o < p1 * g->q; o++) {
        int64_t at = (n * g->p * g->q + o) * g->c;
        const pith_real *dy = k->out.grad + at;
        const int32_t *place = (const int32_t *)k->aux + at;
        for (int64_t c = 0; c < g->c; c++) {
            int64_t w = place[c] - h * g->w;
            if (w >= 0 && w < g->w)
                dx[w * g->c + c] += dy[c];
        }
    }
}

static void forward(const pith_call *k)
{
    pithp_pool g = pithp_pool_of(k);
    pithp_pool_rows(k, &g, g.p, forward_row);
}

static void backward(const pith_call *k)
{
    pithp_pool g = pithp_pool_of(k);
    if (k->in[0].grad)
        pithp_pool_rows(k, &g, g.h, backward_row);
}

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_maxpool, pithp_pool_integer(s->t));
}

static const pithp_integer integer = { .kind = PITHP_INT_SAME, .lower = lower };

const pith_op pithp_op_maxpool = {
    .name = "maxpool",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_last,
    .attr_size = sizeof(pith_pool_cfg),
    .fields = pithp_pool_fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_maxpool(pith_tensor *x, pith_pool_cfg cfg)
{
    return pithp_apply1(&pithp_op_maxpool, &cfg, x);
}
