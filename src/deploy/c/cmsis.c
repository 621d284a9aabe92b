/* deploy/c/cmsis.c: what Arm's CMSIS-NN can compute, as calls of it: convolutions of one group, depthwise ones, dense layers,
   sums and products of equal shapes. Weights stay in .tflite's order, biases as they are, shifts as int32 to the left. All else
   stays with our kernels, and the bytes are the same: CMSIS-NN rounds twice as the contract does, unless it is told not to. */
#include "deploy/c/emit.h"
#include "graph/int8/conv.h"
#include <string.h>

/* Lengths of CMSIS-NN's inner loops that it counts in 16 bits. */
enum { MOST_COLUMNS = 65532, DEPTHWISE_BLOCK = 124, LANES = 16 };

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static const pithp_iconv *window_of(const pithp_c_emit *e, int node)
{
    return &((const pithp_qconv *)e->g->nodes[node]->prep)->g;
}

static bool can_conv(const pithp_c_emit *e, int node)
{
    const pithp_iconv *v = window_of(e, node);
    return v->groups == 1 && v->r * v->s * v->c <= MOST_COLUMNS;
}

static bool can_depthwise(const pithp_c_emit *e, int node)
{
    const pithp_iconv *v = window_of(e, node);
    return v->r * v->s <= MOST_COLUMNS;
}

static bool equal_shapes(const pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    return pithp_shape_eq(pithp_q_in(e->g, n, 0)->shape, pithp_q_in(e->g, n, 1)->shape);
}

/* ---- Layers with weights ---- */
/* Room is what any of CMSIS-NN's variants (plain, DSP, MVE) asks for: the largest. */
static void plan_layer(pithp_c_emit *e, int node, size_t room)
{
    const pithp_qnode *n = e->g->nodes[node];
    const pithp_qconv *v = n->prep;
    const pithp_qtensor *w = pithp_q_in(e->g, n, 1), *b = pithp_q_in(e->g, n, 2);
    const size_t k = (size_t)v->g.k, count = (size_t)pithp_count(w->shape);
    int32_t *bias = pithp_c_add(e, 'b', node, k, 4), *mult = pithp_c_add(e, 'm', node, k, 4),
            *shift = pithp_c_add(e, 'h', node, k, 4);
    int8_t *to = pithp_c_add(e, 'w', node, count, 1);
    if (!bias || !mult || !shift || !to)
        return;
    memcpy(to, w->data, count);
    if (b)
        memcpy(bias, b->data, k * sizeof *bias);
    for (size_t i = 0; i < k; i++) {
        mult[i] = v->scale[i].mult;
        shift[i] = mult[i] ? v->scale[i].shift : 0;
    }
    e->scratch[node] = room;
    e->uses |= PITHP_C_BIT(CMSIS);
}

static void plan_conv(pithp_c_emit *e, int node)
{
    const pithp_iconv *v = window_of(e, node);
    plan_layer(e, node, 4 * (size_t)up(v->r * v->s * v->c, LANES));
    e->uses |= PITHP_C_BIT(CMSIS_CONV);
}

static void plan_depthwise(pithp_c_emit *e, int node)
{
    const pithp_iconv *v = window_of(e, node);
    const int64_t taps = v->r * v->s, dsp = 2 * v->c * taps, mve = 4 * DEPTHWISE_BLOCK * taps,
                  as_conv = v->c == 1 ? 4 * up(taps, LANES) + v->k * taps : 0;
    plan_layer(e, node, (size_t)PITHP_MAX(dsp, PITHP_MAX(mve, as_conv)));
    e->uses |= PITHP_C_BIT(CMSIS_DEPTHWISE);
}

static void plan_dense(pithp_c_emit *e, int node)
{
    plan_layer(e, node, 4 * (size_t)window_of(e, node)->k);
    e->uses |= PITHP_C_BIT(CMSIS_DENSE);
}

static void call_layer(pithp_c_emit *e, int node, const char *kernel)
{
    const pithp_iconv *v = window_of(e, node);
    char x[48], y[48];
    pithp_c_put_filter(e, node, "pith_cmsis", 'h');
    pithp_text_printf(
        &e->body,
        "        v.zero_in = %d, v.zero = %d, v.lo = %d, v.hi = %d, v.room = A + %zu, v.size = %zu;\n"
        "        if (%s(&v, %s, %s))\n            return -2;\n",
        v->zero_in, v->zero_out, v->lo, v->hi, e->scratch_at[node], e->scratch[node], kernel,
        pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y));
}

static void call_conv(pithp_c_emit *e, int node) { call_layer(e, node, "cmsis_conv"); }
static void call_depthwise(pithp_c_emit *e, int node) { call_layer(e, node, "cmsis_depthwise"); }
static void call_dense(pithp_c_emit *e, int node) { call_layer(e, node, "cmsis_dense"); }

/* ---- Elementwise ---- */
static void plan_add(pithp_c_emit *e, int node)
{
    pithp_c_constant_operands(e, node);
    e->uses |= PITHP_C_BIT(CMSIS) | PITHP_C_BIT(ARITH) | PITHP_C_BIT(CMSIS_ADD);
}

static void plan_mul(pithp_c_emit *e, int node)
{
    pithp_c_constant_operands(e, node);
    e->uses |= PITHP_C_BIT(CMSIS) | PITHP_C_BIT(ARITH) | PITHP_C_BIT(CMSIS_MUL);
}

static int left(pithp_fixed f) { return f.mult ? f.shift : 0; }

static void call_arith(pithp_c_emit *e, int node, const char *kernel)
{
    const pithp_iarith *v = e->g->nodes[node]->prep;
    char a[48], b[48], y[48];
    pithp_c_put_arith(e, node, v, left);
    pithp_text_printf(&e->body, "        if (%s(&v, %s, %s, %s))\n            return -2;\n", kernel,
                      pithp_c_operand(e, node, 0, a), pithp_c_operand(e, node, 1, b),
                      pithp_c_result(e, node, y));
}

static void call_add(pithp_c_emit *e, int node) { call_arith(e, node, "cmsis_add"); }
static void call_mul(pithp_c_emit *e, int node) { call_arith(e, node, "cmsis_mul"); }

const pithp_c_row pithp_c_cmsis_rows[] = {
    { &pithp_qop_conv2d, plan_conv, call_conv, can_conv },
    { &pithp_qop_depthwise, plan_depthwise, call_depthwise, can_depthwise },
    { &pithp_qop_dense, plan_dense, call_dense, NULL },
    { &pithp_qop_add, plan_add, call_add, equal_shapes },
    { &pithp_qop_mul, plan_mul, call_mul, equal_shapes },
};
const size_t pithp_c_cmsis_rows_n = PITHP_LEN(pithp_c_cmsis_rows);
