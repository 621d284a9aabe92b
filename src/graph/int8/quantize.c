/* graph/int8/quantize.c: into int8 (from float32: nearest, halves away from zero; from int8: rescaled) and back to
   float32. Source: TFLite Micro, QUANTIZE and DEQUANTIZE. */
#include "graph/int8/unary.h"

static pith_status affine(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out, bool real, float scale,
                          int32_t zero)
{
    out->shape = pithp_q_in(g, n, 0)->shape;
    pithp_qunary *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    *v = (pithp_qunary){ .row = pithp_q_row(out), .real = real, .scale = scale, .zero = zero };
    return PITH_OK;
}

static pith_status prepare_quantize(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    if (x->dtype != PITH_F32)
        return pithp_q_requantize(g, n, out);
    return affine(g, n, out, true, out->scale[0], out->zero);
}

static pith_status prepare_dequantize(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 0);
    if (st)
        return st;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    if (x->n_scale != 1)
        return pithp_q_error(g, n, PITH_EINVAL, "operand %s has %d scales; expected one", x->name,
                             x->n_scale);
    out->dtype = PITH_F32;
    out->n_scale = 0;
    out->zero = 0;
    return affine(g, n, out, false, x->scale[0], x->zero);
}

static void run_quantize(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const pithp_qunary *v = k->node->prep;
    const float *x = k->in[0];
    int8_t *y = k->out;
    if (v->real)
        for (int64_t i = r0 * v->row; i < r1 * v->row; i++)
            y[i] = pithp_quantize_i8(x[i], v->scale, v->zero);
    else
        pithp_q_unary_run(k, r0, r1);
}

static void run_dequantize(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const pithp_qunary *v = k->node->prep;
    const int8_t *x = k->in[0];
    float *y = k->out;
    for (int64_t i = r0 * v->row; i < r1 * v->row; i++)
        y[i] = v->scale * (float)(x[i] - v->zero);
}

const pithp_qop pithp_qop_quantize = { .name = "QUANTIZE",
                                       .min_in = 1,
                                       .max_in = 1,
                                       .prepare = prepare_quantize,
                                       .rows = pithp_q_rows,
                                       .run = run_quantize };
const pithp_qop pithp_qop_dequantize = { .name = "DEQUANTIZE",
                                         .min_in = 1,
                                         .max_in = 1,
                                         .free_scale = true,
                                         .prepare = prepare_dequantize,
                                         .rows = pithp_q_rows,
                                         .run = run_dequantize };
