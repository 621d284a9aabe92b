/* ops/avgpool.c: y[n,p,q,c] = mean of the x[n,h,w,c] in the window that lie inside the input (as TFLite averages).
   dx[n,h,w,c] = sum over the windows that hold it of dy[n,p,q,c] / cells inside. */
#include "ops/channels.h"
#include "ops/pool.h"
#include "ops/integer.h"
#include <string.h>

#define CHANNELS 256 /* taken at a time */

static void sum_window(const pithp_pool *g, const pith_real *x, const int64_t box[4], int64_t c, pith_real *y)
{
    double sum[CHANNELS] = { 0 }, factor = 1 / (double)((box[1] - box[0]) * (box[3] - box[2]));
    int64_t n = PITHP_MIN(CHANNELS, g->c - c);
    for (int64_t h = box[0]; h < box[1]; h++)
        for (int64_t w = box[2]; w < box[3]; w++) {
            const pith_real *v = x + (h * g->w + w) * g->c + c;
            for (int64_t j = 0; j < n; j++)
                sum[j] += v[j];
        }
    for (int64_t j = 0; j < n; j++)
        y[c + j] = (pith_real)(sum[j] * factor);
}

static void forward_row(const pith_call *k, const pithp_pool *g, int64_t n, int64_t p)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * g->h * g->w * g->c; /* [H,W,C] */
    pith_real *y = (pith_real *)k->out.data + (n * g->p + p) * g->q * g->c;         /* [Q,C] */
    int64_t box[4];                                                                 /* rows, columns inside */
    pithp_pool_window(p, g->stride_h, g->top, g->r, g->h, &box[0], &box[1]);
    for (int64_t q = 0; q < g->q; q++) {
        pithp_pool_window(q, g->stride_w, g->left, g->s, g->w, &box[2], &box[3]);
        for (int64_t c = 0; c < g->c; c += CHANNELS)
            sum_window(g, x, box, c, y + q * g->c);
    }
}

/* Collects the gradient of one row of the input. */
static void backward_row(const pith_call *k, const pithp_pool *g, int64_t n, int64_t h)
{
    pith_real *dx = k->in[0].grad + (n * g->h + h) * g->w * g->c; /* [W,C] */
    int64_t p0, p1, h0, h1, w0, w1;
    if (!k->in[0].grad_add)
        memset(dx, 0, (size_t)(g->w * g->c) * sizeof *dx);
    pithp_pool_reach(h, g->stride_h, g->top, g->r, g->p, &p0, &p1);
    for (int64_t p = p0; p < p1; p++) {
        pithp_pool_window(p, g->stride_h, g->top, g->r, g->h, &h0, &h1);
        for (int64_t q = 0; q < g->q; q++) {
            const pith_real *dy = k->out.grad + ((n * g->p + p) * g->q + q) * g->c;
            pithp_pool_window(q, g->stride_w, g->left, g->s, g->w, &w0, &w1);
            pith_real factor = (pith_real)(1 / (double)((h1 - h0) * (w1 - w0)));
            for (int64_t w = w0; w < w1; w++)
                for (int64_t c = 0; c < g->c; c++)
                    dx[w * g->c + c] += factor * dy[c];
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
    return pithp_lower_plain(l, s, &pithp_qop_avgpool, pithp_pool_integer(s->t));
}

static const pithp_integer integer = { .kind = PITHP_INT_SAME, .rounds = true, .lower = lower };

const pith_op pithp_op_avgpool = {
    .name = "avgpool",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_last,
    .attr_size = sizeof(pith_pool_cfg),
    .fields = pithp_pool_fields,
    .shape = pithp_pool_shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_avgpool(pith_tensor *x, pith_pool_cfg cfg)
{
    return pithp_apply1(&pithp_op_avgpool, &cfg, x);
}
