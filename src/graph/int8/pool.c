/* graph/int8/pool.c: average and maximum over windows. An average divides by the positions inside the input, halves away
   from zero. Source: TFLite Micro, AVERAGE_POOL_2D and MAX_POOL_2D. */
#include "graph/int8/conv.h"

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 4);
    if (st)
        return st;
    const pithp_qattr *a = &n->attr;
    pithp_iconv *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    v->k = pithp_q_in(g, n, 0)->shape.d[3];
    v->r = a->kernel[0], v->s = a->kernel[1];
    if ((st = pithp_q_window(g, n, out, v)))
        return st;
    if (PITHP_MAX(a->pad[0], a->pad[1]) >= v->r || PITHP_MAX(a->pad[2], a->pad[3]) >= v->s)
        return pithp_q_error(g, n, PITH_EINVAL,
                             "is padded by more than its window; a window must meet the input");
    if (v->r * v->s > INT32_MAX / 256 || v->dilation[0] != 1 || v->dilation[1] != 1)
        return pithp_q_error(g, n, PITH_EINVAL, "its window is too large for 32-bit sums, or dilated");
    return PITH_OK;
}

static void run_avg(const pithp_qcall *k, int64_t p0, int64_t p1)
{
    (k->kern ? k->kern->avgpool : pithp_ref_iavgpool)(k->node->prep, k->in[0], p0, p1, k->out);
}

static void run_max(const pithp_qcall *k, int64_t p0, int64_t p1)
{
    (k->kern ? k->kern->maxpool : pithp_ref_imaxpool)(k->node->prep, k->in[0], p0, p1, k->out);
}

const pithp_qop pithp_qop_avgpool = { .name = "AVERAGE_POOL_2D",
                                      .min_in = 1,
                                      .max_in = 1,
                                      .same_scale = true,
                                      .prepare = prepare,
                                      .rows = pithp_q_rows,
                                      .run = run_avg };
const pithp_qop pithp_qop_maxpool = { .name = "MAX_POOL_2D",
                                      .min_in = 1,
                                      .max_in = 1,
                                      .same_scale = true,
                                      .prepare = prepare,
                                      .rows = pithp_q_rows,
                                      .run = run_max };
