/* graph/int8/softmax.c: exp(beta*(x - max)) / sum over the last dimension, in fixed point. Source: TFLite Micro, SOFTMAX. */
#include "graph/qgraph.h"

enum { MOST_CLASSES = 4095 }; /* a sum of more exponentials may overflow its 12 integer bits */

typedef struct {
    pithp_isoftmax g;
    int64_t rows;
} softmax;

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 0);
    if (st)
        return st;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    double beta = n->attr.beta == 0 ? 1 : n->attr.beta, real = beta * (double)x->scale[0] * (double)(1 << 26);
    softmax *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    out->shape = x->shape;
    v->g.c = x->shape.d[x->shape.ndim - 1];
    v->rows = pithp_count(x->shape) / v->g.c;
    if (out->scale[0] != 1.0f / 256 || out->zero != -128)
        return pithp_q_error(g, n, PITH_EINVAL,
                             "its result has the scale %g and the zero point %d; expected 1/256 and -128",
                             (double)out->scale[0], out->zero);
    if (!(real > 1) || v->g.c > MOST_CLASSES)
        return pithp_q_error(g, n, PITH_EINVAL,
                             "beta times its input scale is %g over %lld numbers; expected more than 2^-26 "
                             "and at most %d",
                             real / (1 << 26), (long long)v->g.c, MOST_CLASSES);
    if (g->care != PITHP_QCARE_CHECK)
        pithp_isoftmax_table(&v->g, x->scale[0], beta);
    return PITH_OK;
}

static int64_t rows(const pithp_qgraph *g, const pithp_qnode *n)
{
    (void)g;
    return ((const softmax *)n->prep)->rows;
}

static void run(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const softmax *v = k->node->prep;
    pithp_ref_isoftmax(&v->g, (const int8_t *)k->in[0] + r0 * v->g.c, r1 - r0,
                       (int8_t *)k->out + r0 * v->g.c);
}

const pithp_qop pithp_qop_softmax = {
    .name = "SOFTMAX", .min_in = 1, .max_in = 1, .inplace = 1, .prepare = prepare, .rows = rows, .run = run
};
