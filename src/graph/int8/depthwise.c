/* graph/int8/depthwise.c: one filter (or K/C filters) for each channel. Source: TFLite Micro, DEPTHWISE_CONV_2D
   (reference_integer_ops::DepthwiseConvPerChannel). */
#include "graph/int8/conv.h"

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    const pithp_qtensor *x = pithp_q_in(g, n, 0), *w = pithp_q_in(g, n, 1);
    pith_status st = pithp_q_layer(g, n, 4, 4);
    if (st)
        return st;
    int64_t c = x->shape.d[3], k = w->shape.d[3];
    if (w->shape.d[0] != 1 || k % c)
        return pithp_q_misfit(g, n, "[1,R,S,a multiple of C]");
    pithp_iconv v = { .k = k, .r = w->shape.d[1], .s = w->shape.d[2], .groups = c };
    return pithp_q_conv(g, n, out, v, 3);
}

static void run(const pithp_qcall *call, int64_t p0, int64_t p1)
{
    const pithp_qconv *v = call->node->prep;
    if (call->pack)
        call->kern->depthwise_run(&v->g, call->pack, call->in[0], p0, p1, call->scratch, call->out);
    else
        pithp_ref_idepthwise(&v->g, call->in[0], call->in[1], call->in[2], p0, p1, call->single, call->out);
}

static void pack(const pithp_qgraph *g, const pithp_qnode *n, const pithp_ikern *kern, void *to,
                 size_t *bytes, size_t *scratch)
{
    const pithp_qconv *v = n->prep;
    const pithp_qtensor *b = pithp_q_in(g, n, 2);
    kern->depthwise_pack(&v->g, v->worst, pithp_q_in(g, n, 1)->data, b ? b->data : NULL, to, bytes, scratch);
}

const pithp_qop pithp_qop_depthwise = { .name = "DEPTHWISE_CONV_2D",
                                        .min_in = 2,
                                        .max_in = 3,
                                        .prepare = prepare,
                                        .rows = pithp_q_rows,
                                        .run = run,
                                        .macs = pithp_q_conv_macs,
                                        .pack = pack };
