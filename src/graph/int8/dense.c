/* graph/int8/dense.c: y[o] = clamp(rescale(bias[o] + sum w[o,i] (x[i] - Zx)) + Zy): a 1x1 convolution of one position.
   With one weight scale, S_in*S_w is formed in float32. Source: TFLite Micro, FULLY_CONNECTED. */
#include "graph/int8/conv.h"

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    const pithp_qtensor *x = pithp_q_in(g, n, 0), *w = pithp_q_in(g, n, 1);
    pith_status st = pithp_q_layer(g, n, 0, 2);
    if (st)
        return st;
    if (w->shape.d[1] != pithp_count(x->shape))
        return pithp_q_misfit(g, n, "[O, all of its elements]");
    pithp_iconv v = {
        .h = 1, .w = 1, .c = w->shape.d[1], .p = 1, .q = 1, .k = w->shape.d[0], .r = 1, .s = 1, .groups = 1
    };
    v.stride[0] = v.stride[1] = v.dilation[0] = v.dilation[1] = 1;
    st = pithp_q_factors(g, n, out, v, 0, true);
    out->shape = PITH_SHAPE(1, v.k);
    return st;
}

static void run(const pithp_qcall *call, int64_t p0, int64_t p1)
{
    const pithp_qconv *v = call->node->prep;
    if (call->pack)
        call->kern->conv_run(&v->g, call->pack, call->in[0], p0, p1, call->scratch, call->out);
    else
        pithp_ref_iconv2d(&v->g, call->in[0], call->in[1], call->in[2], p0, p1, call->single, call->out);
}

const pithp_qop pithp_qop_dense = { .name = "FULLY_CONNECTED",
                                    .min_in = 2,
                                    .max_in = 3,
                                    .prepare = prepare,
                                    .rows = pithp_q_rows,
                                    .run = run,
                                    .macs = pithp_q_conv_macs,
                                    .pack = pithp_q_conv_pack };
