/* graph/int8/arith.c: sums, differences and products of two tensors. Sums bring both operands to twice the larger scale
   with 20 bits of room, then to the result's; differences form these factors in float32, sums in double. Source: TFLite
   Micro, ADD, SUB, MUL. */
#include "graph/qgraph.h"

typedef struct {
    pithp_iarith g;
    int64_t row;    /* elements of a row of the result */
    int64_t period; /* of b: 0 as long as a, 1 one number, else the last dimension */
} arith;

static pith_status prepare(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 0);
    if (!st)
        st = pithp_q_want(g, n, 1, 0);
    if (st)
        return st;
    const pithp_qtensor *a = pithp_q_in(g, n, 0), *b = pithp_q_in(g, n, 1);
    arith *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    char ta[96], tb[96];
    int64_t last = a->shape.d[a->shape.ndim - 1], count = pithp_count(b->shape);
    if (a->data || a->n_scale != 1 || b->n_scale != 1)
        return pithp_q_error(g, n, PITH_EINVAL,
                             "operands need one scale each, and the first must not be a constant");
    if (pithp_shape_eq(a->shape, b->shape))
        v->period = 0;
    else if (count == 1 || (count == last && b->shape.d[b->shape.ndim - 1] == last))
        v->period = count;
    else
        return pithp_q_error(g, n, PITH_ESHAPE,
                             "operands %s and %s; expected equal shapes, or a second operand of one "
                             "element or of the last dimension",
                             pithp_shape_text(a->shape, ta), pithp_shape_text(b->shape, tb));
    v->g = (pithp_iarith){
        .zero_a = a->zero, .zero_b = b->zero, .zero_out = out->zero, .lo = n->lo, .hi = n->hi
    };
    out->shape = a->shape;
    v->row = pithp_q_row(out);
    return PITH_OK;
}

static pith_status sums(pithp_qgraph *g, pithp_qnode *n, const pithp_qtensor *out, double fa, double fb,
                        double f)
{
    arith *v = n->prep;
    if (!(f < 1 - 0x1p-33)) /* rescaled sums are shifted to the right only */
        return pithp_q_error(g, n, PITH_EINVAL, "its output scale %g is too small for its operands' scales",
                             (double)out->scale[0]);
    pith_status st = pithp_q_fixed(g, n, 0, fa, 0, &v->g.scale_a);
    if (!st)
        st = pithp_q_fixed(g, n, 0, fb, 0, &v->g.scale_b);
    return st ? st : pithp_q_fixed(g, n, 0, f, 0, &v->g.scale);
}

static pith_status prepare_add(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = prepare(g, n, out);
    if (st)
        return st;
    double a = (double)pithp_q_in(g, n, 0)->scale[0], b = (double)pithp_q_in(g, n, 1)->scale[0];
    double twice = 2 * PITHP_MAX(a, b);
    return sums(g, n, out, a / twice, b / twice, twice / ((1 << 20) * (double)out->scale[0]));
}

static pith_status prepare_sub(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = prepare(g, n, out);
    if (st)
        return st;
    ((arith *)n->prep)->g.negate_b = true;
    float a = pithp_q_in(g, n, 0)->scale[0], b = pithp_q_in(g, n, 1)->scale[0], twice = 2 * PITHP_MAX(a, b);
    float fa = a / twice, fb = b / twice, room = (float)(1 << 20) * out->scale[0], f = twice / room;
    return sums(g, n, out, (double)fa, (double)fb, (double)f);
}

static pith_status prepare_mul(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = prepare(g, n, out);
    if (st)
        return st;
    arith *v = n->prep;
    double real =
        (double)pithp_q_in(g, n, 0)->scale[0] * (double)pithp_q_in(g, n, 1)->scale[0] / (double)out->scale[0];
    return pithp_q_fixed(g, n, 0, real, 255 * 255, &v->g.scale);
}

/* n elements, b advancing by step. */
typedef void kernel(const pithp_qcall *k, const int8_t *a, const int8_t *b, int64_t step, int64_t n,
                    int8_t *y);

static void add(const pithp_qcall *k, const int8_t *a, const int8_t *b, int64_t step, int64_t n, int8_t *y)
{
    const arith *v = k->node->prep;
    if (k->kern)
        k->kern->add(&v->g, a, b, step, n, y);
    else
        pithp_ref_iadd(&v->g, a, b, step, n, k->single, y);
}

static void mul(const pithp_qcall *k, const int8_t *a, const int8_t *b, int64_t step, int64_t n, int8_t *y)
{
    const arith *v = k->node->prep;
    if (k->kern)
        k->kern->mul(&v->g, a, b, step, n, y);
    else
        pithp_ref_imul(&v->g, a, b, step, n, k->single, y);
}

static void rows(const pithp_qcall *k, kernel *f, int64_t r0, int64_t r1)
{
    const arith *v = k->node->prep;
    int64_t i = r0 * v->row, end = r1 * v->row;
    const int8_t *a = k->in[0], *b = k->in[1];
    int8_t *y = k->out;
    if (v->period == 0)
        f(k, a + i, b + i, 1, end - i, y + i);
    else if (v->period == 1)
        f(k, a + i, b, 0, end - i, y + i);
    else
        for (; i < end; i += v->period)
            f(k, a + i, b, 1, v->period, y + i);
}

static void run_add(const pithp_qcall *k, int64_t r0, int64_t r1) { rows(k, add, r0, r1); }
static void run_mul(const pithp_qcall *k, int64_t r0, int64_t r1) { rows(k, mul, r0, r1); }

const pithp_qop pithp_qop_add = { .name = "ADD",
                                  .min_in = 2,
                                  .max_in = 2,
                                  .inplace = 3,
                                  .prepare = prepare_add,
                                  .rows = pithp_q_rows,
                                  .run = run_add };
const pithp_qop pithp_qop_sub = { .name = "SUB",
                                  .min_in = 2,
                                  .max_in = 2,
                                  .inplace = 3,
                                  .prepare = prepare_sub,
                                  .rows = pithp_q_rows,
                                  .run = run_add };
const pithp_qop pithp_qop_mul = { .name = "MUL",
                                  .min_in = 2,
                                  .max_in = 2,
                                  .inplace = 3,
                                  .prepare = prepare_mul,
                                  .rows = pithp_q_rows,
                                  .run = run_mul };
