/* graph/int8/unary.c: functions of one int8, as tables that the integer arithmetic of each function fills when the op is
   built. Source: TFLite Micro, RELU, RELU6, LOGISTIC, TANH, HARD_SWISH, QUANTIZE (int8 to int8). */
#include "graph/int8/unary.h"
#include <string.h>

/* Which tables are filled: with two roundings, with one, both; none where nothing will run. */
static int tables(const pithp_qgraph *g)
{
    return g->care == PITHP_QCARE_ALL ? 2 : g->care == PITHP_QCARE_RUN ? 1 : 0;
}

static pith_status begin(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 0);
    if (st)
        return st;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    if (x->data || x->n_scale != 1)
        return pithp_q_error(g, n, PITH_EINVAL, "its operand must be computed, with one scale");
    out->shape = x->shape;
    pithp_qunary *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    v->row = pithp_q_row(out);
    return PITH_OK;
}

/* The scale and zero point that a function's result always has. */
static pith_status want_out(const pithp_qgraph *g, const pithp_qnode *n, const pithp_qtensor *out,
                            float scale, int32_t zero)
{
    if (out->scale[0] == scale && out->zero == zero)
        return PITH_OK;
    return pithp_q_error(g, n, PITH_EINVAL,
                         "its result has the scale %g and the zero point %d; expected %g and %d",
                         (double)out->scale[0], out->zero, (double)scale, zero);
}

static pith_status rescaled(pithp_qgraph *g, pithp_qnode *n, const pithp_qtensor *out, double real)
{
    pithp_qunary *v = n->prep;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    pithp_fixed f;
    pith_status st = pithp_q_fixed(g, n, 0, real, 255, &f);
    if (st)
        return st;
    for (int single = 0; single < tables(g); single++)
        pithp_table_rescale(f, x->zero, out->zero, n->lo, n->hi, single, v->table[single]);
    return PITH_OK;
}

pith_status pithp_q_requantize(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = begin(g, n, out);
    return st ? st : rescaled(g, n, out, (double)pithp_q_in(g, n, 0)->scale[0] / (double)out->scale[0]);
}

static pith_status prepare_relu(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = begin(g, n, out);
    if (st)
        return st;
    n->lo = PITHP_MAX(n->lo, out->zero);
    float ratio = pithp_q_in(g, n, 0)->scale[0] / out->scale[0]; /* in float32, as TFLite Micro forms it */
    return rescaled(g, n, out, (double)ratio);
}

static pith_status prepare_relu6(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = begin(g, n, out);
    if (st)
        return st;
    n->lo = PITHP_MAX(n->lo, out->zero);
    n->hi = PITHP_MIN(n->hi, pithp_quantize_i8(6, out->scale[0], out->zero));
    return rescaled(g, n, out, 1);
}

/* Logistic and tanh: the input's scale is shifted into 4 integer bits. */
static pith_status prepare_curve(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out, float scale,
                                 int32_t zero, void (*fill)(float, int32_t, bool, int8_t *))
{
    pith_status st = begin(g, n, out);
    if (!st)
        st = want_out(g, n, out, scale, zero);
    if (st)
        return st;
    pithp_qunary *v = n->prep;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    if (x->scale[0] < 0x1p-27f || x->scale[0] > 0x1p20f)
        return pithp_q_error(g, n, PITH_EINVAL, "its input scale %g is outside 2^-27 to 2^20",
                             (double)x->scale[0]);
    for (int single = 0; single < tables(g); single++)
        fill(x->scale[0], x->zero, single, v->table[single]);
    return PITH_OK;
}

static pith_status prepare_logistic(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    return prepare_curve(g, n, out, 1.0f / 256, -128, pithp_table_logistic);
}

static pith_status prepare_tanh(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    return prepare_curve(g, n, out, 1.0f / 128, 0, pithp_table_tanh);
}

static pith_status prepare_hard_swish(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = begin(g, n, out);
    if (st)
        return st;
    pithp_qunary *v = n->prep;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    float fine = (1.0f / 128.0f) * x->scale[0],
          three = 3.0f / 32768.0f; /* in float32, as TFLite forms them */
    float to_out = fine / out->scale[0], to_relu = fine / three;
    pithp_fixed fo, fr;
    if ((st = pithp_q_fixed(g, n, 0, (double)to_out, 0, &fo)) ||
        (st = pithp_q_fixed(g, n, 0, (double)to_relu, 0, &fr)))
        return st;
    if (fo.shift > 0 || fo.shift < -15 || fr.shift < -15)
        return pithp_q_error(g, n, PITH_EINVAL, "scales %g and %g are too far apart for 16-bit arithmetic",
                             (double)x->scale[0], (double)out->scale[0]);
    if (tables(g))
        pithp_table_hard_swish(fo, fr, x->zero, out->zero, v->table[0]);
    memcpy(v->table[1], v->table[0], sizeof v->table[1]);
    return PITH_OK;
}

static pith_status prepare_table(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = begin(g, n, out);
    if (st)
        return st;
    pithp_qunary *v = n->prep;
    if (!n->attr.table)
        return pithp_q_error(g, n, PITH_EINVAL, "has no table");
    memcpy(v->table[0], n->attr.table, sizeof v->table[0]);
    memcpy(v->table[1], n->attr.table, sizeof v->table[1]);
    n->attr.table = v->table[0];
    return PITH_OK;
}

void pithp_q_unary_run(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const pithp_qunary *v = k->node->prep;
    int64_t i = r0 * v->row;
    (k->kern ? k->kern->table : pithp_ref_itable)(v->table[k->single], (const int8_t *)k->in[0] + i,
                                                  (r1 - r0) * v->row, (int8_t *)k->out + i);
}

#define UNARY(id, text, fn, same)                            \
    const pithp_qop pithp_qop_##id = { .name = text,         \
                                       .min_in = 1,          \
                                       .max_in = 1,          \
                                       .inplace = 1,         \
                                       .same_scale = same,   \
                                       .prepare = fn,        \
                                       .rows = pithp_q_rows, \
                                       .run = pithp_q_unary_run }
UNARY(relu, "RELU", prepare_relu, false);
UNARY(relu6, "RELU6", prepare_relu6, true);
UNARY(logistic, "LOGISTIC", prepare_logistic, false);
UNARY(tanh, "TANH", prepare_tanh, false);
UNARY(hard_swish, "HARD_SWISH", prepare_hard_swish, false);
UNARY(table, "TABLE", prepare_table, false);
