/* graph/int8/conv2d.c: 2-D convolution. y[p,q,k] = clamp(rescale(bias[k] + sum w[k,r,s,c] (x[..] - Zx)) + Zy); positions
   in the padding add nothing. Source: TFLite Micro, CONV_2D (reference_integer_ops::ConvPerChannel). */
#include "graph/int8/conv.h"

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    const pithp_qtensor *x = pithp_q_in(g, n, 0), *w = pithp_q_in(g, n, 1);
    pith_status st = pithp_q_layer(g, n, 4, 4);
    if (st)
        return st;
    int64_t groups = n->attr.groups ? n->attr.groups : 1, c = x->shape.d[3], k = w->shape.d[0];
    if (groups < 1 || c % groups || k % groups || w->shape.d[3] != c / groups) {
        char expected[64];
        snprintf(expected, sizeof expected, "[K,R,S,C/groups] of %lld groups", (long long)groups);
        return pithp_q_misfit(g, n, expected);
    }
    pithp_iconv v = { .k = k, .r = w->shape.d[1], .s = w->shape.d[2], .groups = groups };
    return pithp_q_conv(g, n, out, v, 0);
}

static void run(const pithp_qcall *call, int64_t p0, int64_t p1)
{
    const pithp_qconv *v = call->node->prep;
    if (call->pack)
        call->kern->conv_run(&v->g, call->pack, call->in[0], p0, p1, call->scratch, call->out);
    else
        pithp_ref_iconv2d(&v->g, call->in[0], call->in[1], call->in[2], p0, p1, call->single, call->out);
}

const pithp_qop pithp_qop_conv2d = { .name = "CONV_2D",
                                     .min_in = 2,
                                     .max_in = 3,
                                     .prepare = prepare,
                                     .rows = pithp_q_rows,
                                     .run = run,
                                     .macs = pithp_q_conv_macs,
                                     .pack = pithp_q_conv_pack };
