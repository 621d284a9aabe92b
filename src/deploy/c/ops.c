/* deploy/c/ops.c: one row an integer op. */
#include "deploy/c/emit.h"
#include "graph/int8/conv.h"
#include "graph/int8/unary.h"
#include <string.h>

/* A constant operand goes along as it is; how many numbers it has. */
void pithp_c_constant_operands(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    for (int i = 0; i < n->n_in; i++) {
        const pithp_qtensor *t = pithp_q_in(e->g, n, i);
        if (!t->data)
            continue;
        size_t bytes = (size_t)pithp_count(t->shape);
        int8_t *to = pithp_c_add(e, 'c', node * PITHP_QMAX_IN + i, bytes, 1);
        if (to)
            memcpy(to, t->data, bytes);
    }
}

/* ---- Elementwise with two operands ---- */
static void plan_sum(pithp_c_emit *e, int node)
{
    pithp_c_constant_operands(e, node);
    e->uses |= PITHP_C_BIT(SIMD) | PITHP_C_BIT(ARITH) | PITHP_C_BIT(ADD);
}

static void plan_mul(pithp_c_emit *e, int node)
{
    pithp_c_constant_operands(e, node);
    e->uses |= PITHP_C_BIT(SIMD) | PITHP_C_BIT(ARITH) | PITHP_C_BIT(MUL);
}

void pithp_c_put_arith(pithp_c_emit *e, int node, const pithp_iarith *v, int (*shift)(pithp_fixed f))
{
    const pithp_qnode *n = e->g->nodes[node];
    const pithp_qtensor *a = pithp_q_in(e->g, n, 0), *b = pithp_q_in(e->g, n, 1);
    int64_t count = pithp_count(a->shape), period = pithp_count(b->shape);
    pithp_text_printf(&e->body,
                      "        pith_arith v;\n"
                      "        v.zero_a = %d, v.zero_b = %d, v.zero = %d, v.lo = %d, v.hi = %d;\n"
                      "        v.mult_a = %d, v.s_a = %d, v.mult_b = %d, v.s_b = %d, v.mult = %d, v.s = %d;\n"
                      "        v.count = %lld, v.period = %lld, v.step = %d;\n",
                      v->zero_a, v->zero_b, v->zero_out, v->lo, v->hi, v->scale_a.mult, shift(v->scale_a),
                      v->scale_b.mult, shift(v->scale_b), v->scale.mult, shift(v->scale), (long long)count,
                      (long long)period, period > 1);
}

static void call_sum(pithp_c_emit *e, int node)
{
    const pithp_iarith *v = e->g->nodes[node]->prep;
    char a[48], b[48], y[48];
    pithp_c_put_arith(e, node, v, pithp_c_shift);
    pithp_text_printf(&e->body, "        add(&v, %s, %s, %d, %s);\n", pithp_c_operand(e, node, 0, a),
                      pithp_c_operand(e, node, 1, b), v->negate_b ? -1 : 1, pithp_c_result(e, node, y));
}

static void call_mul(pithp_c_emit *e, int node)
{
    char a[48], b[48], y[48];
    pithp_c_put_arith(e, node, e->g->nodes[node]->prep, pithp_c_shift);
    pithp_text_printf(&e->body, "        mul(&v, %s, %s, %s);\n", pithp_c_operand(e, node, 0, a),
                      pithp_c_operand(e, node, 1, b), pithp_c_result(e, node, y));
}

/* ---- Poolings and the mean ---- */
static void plan_avg(pithp_c_emit *e, int node)
{
    (void)node;
    e->uses |= PITHP_C_BIT(POOL) | PITHP_C_BIT(AVGPOOL);
}

static void plan_max(pithp_c_emit *e, int node)
{
    (void)node;
    e->uses |= PITHP_C_BIT(POOL) | PITHP_C_BIT(MAXPOOL);
}

static void call_pool(pithp_c_emit *e, int node, const char *kernel)
{
    const pithp_iconv *v = e->g->nodes[node]->prep;
    char x[48], y[48];
    pithp_text_printf(
        &e->body,
        "        pith_pool v;\n"
        "        v.h = %lld, v.w = %lld, v.c = %lld, v.p = %lld, v.q = %lld, v.r = %lld, v.s = %lld;\n"
        "        v.stride_h = %lld, v.stride_w = %lld, v.pad_h = %lld, v.pad_w = %lld;\n"
        "        v.lo = %d, v.hi = %d;\n"
        "        %s(&v, %s, %s);\n",
        (long long)v->h, (long long)v->w, (long long)v->c, (long long)v->p, (long long)v->q, (long long)v->r,
        (long long)v->s, (long long)v->stride[0], (long long)v->stride[1], (long long)v->pad[0],
        (long long)v->pad[1], v->lo, v->hi, kernel, pithp_c_operand(e, node, 0, x),
        pithp_c_result(e, node, y));
}

static void call_avg(pithp_c_emit *e, int node) { call_pool(e, node, "avgpool"); }
static void call_max(pithp_c_emit *e, int node) { call_pool(e, node, "maxpool"); }

static void plan_mean(pithp_c_emit *e, int node)
{
    (void)node;
    e->uses |= PITHP_C_BIT(MEAN);
}

static void call_mean(pithp_c_emit *e, int node)
{
    const pithp_imean *v = e->g->nodes[node]->prep;
    char x[48], y[48];
    pithp_text_printf(&e->body, "        mean(%s, %s, %lld, %lld, %lld, %d, %d, %d, %d, %d);\n",
                      pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y), (long long)v->count,
                      (long long)v->c, -(long long)v->zero_in * v->count, v->scale.mult,
                      pithp_c_shift(v->scale), v->zero_out, v->lo, v->hi);
}

/* ---- Functions of one byte ---- */
static const pithp_c_const *same_table(const pithp_c_emit *e, const int8_t *table)
{
    for (size_t i = 0; i < e->n_consts; i++)
        if (e->consts[i].kind == 't' && !memcmp(e->consts[i].data, table, 256))
            return &e->consts[i];
    return NULL;
}

static void plan_table(pithp_c_emit *e, int node)
{
    const pithp_qunary *v = e->g->nodes[node]->prep;
    e->uses |= PITHP_C_BIT(TABLE);
    if (same_table(e, v->table[0]))
        return;
    int8_t *to = pithp_c_add(e, 't', node, 256, 1);
    if (to)
        memcpy(to, v->table[0], 256);
}

static void call_table(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    const pithp_qunary *v = n->prep;
    char x[48], y[48];
    pithp_text_printf(&e->body, "        lookup(W.t_%d, %s, %s, %lld);\n", same_table(e, v->table[0])->node,
                      pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y),
                      (long long)pithp_count(pithp_q_out(e->g, n)->shape));
}

static void plan_softmax(pithp_c_emit *e, int node)
{
    const pithp_isoftmax *v = e->g->nodes[node]->prep;
    int32_t *to = pithp_c_add(e, 'e', node, 256, 4);
    e->uses |= PITHP_C_BIT(SOFTMAX);
    if (to)
        memcpy(to, v->exp, sizeof v->exp);
}

static void call_softmax(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    const pithp_isoftmax *v = n->prep;
    char x[48], y[48];
    pithp_text_printf(&e->body, "        softmax(W.e_%d, %d, %s, %s, %lld, %lld);\n", node, v->diff_min,
                      pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y),
                      (long long)(pithp_count(pithp_q_out(e->g, n)->shape) / v->c), (long long)v->c);
}

/* ---- What only moves bytes ---- */
static void plan_pad(pithp_c_emit *e, int node)
{
    pithp_c_constant_operands(e, node);
    e->uses |= PITHP_C_BIT(PAD);
}

static void call_pad(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    pith_shape s = pithp_q_in(e->g, n, 0)->shape;
    long long d[3] = { 1, 1, 1 }, before[3] = { 0 }, after[3] = { 0 };
    char x[48], y[48];
    for (int i = 1; i < s.ndim; i++) {
        int to = i + 3 - s.ndim;
        d[to] = s.d[i];
        before[to] = n->attr.pad[2 * (i - 1)];
        after[to] = n->attr.pad[2 * (i - 1) + 1];
    }
    pithp_text_printf(
        &e->body,
        "        int32_t d[3], b[3], a[3];\n"
        "        d[0] = %lld, d[1] = %lld, d[2] = %lld, b[0] = %lld, b[1] = %lld, b[2] = %lld;\n"
        "        a[0] = %lld, a[1] = %lld, a[2] = %lld;\n"
        "        pad(%s, %s, d, b, a, %d);\n",
        d[0], d[1], d[2], before[0], before[1], before[2], after[0], after[1], after[2],
        pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y), pithp_q_out(e->g, n)->zero);
}

static void plan_concat(pithp_c_emit *e, int node)
{
    pithp_c_constant_operands(e, node);
    e->uses |= PITHP_C_BIT(CONCAT);
}

static void call_concat(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    pith_shape s = pithp_q_in(e->g, n, 0)->shape;
    int axis = n->attr.axis ? n->attr.axis : s.ndim - 1;
    int64_t outer = 1, at = 0;
    for (int i = 0; i < axis; i++)
        outer *= s.d[i];
    int64_t pitch = pithp_count(pithp_q_out(e->g, n)->shape) / outer;
    for (int i = 0; i < n->n_in; i++) {
        char x[48], y[48];
        int64_t size = pithp_count(pithp_q_in(e->g, n, i)->shape) / outer;
        pithp_text_printf(&e->body, "        pieces(%s, %s + %lld, %lld, %lld, %lld);\n",
                          pithp_c_operand(e, node, i, x), pithp_c_result(e, node, y), (long long)at,
                          (long long)outer, (long long)size, (long long)pitch);
        at += size;
    }
}

static void plan_reshape(pithp_c_emit *e, int node) { pithp_c_constant_operands(e, node); }

static void call_reshape(pithp_c_emit *e, int node)
{
    char x[48], y[48];
    pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y);
    if (strcmp(x, y) != 0)
        pithp_text_printf(&e->body, "        copy(%s, %s, %lld);\n", x, y,
                          (long long)pithp_count(pithp_q_out(e->g, e->g->nodes[node])->shape));
    else
        pithp_text_put(&e->body, "        /* the same bytes */\n");
}

const pithp_c_row pithp_c_rows[] = { { &pithp_qop_conv2d, pithp_c_plan_conv, pithp_c_call_conv, NULL },
                                     { &pithp_qop_depthwise, pithp_c_plan_depthwise, pithp_c_call_depthwise,
                                       NULL },
                                     { &pithp_qop_dense, pithp_c_plan_conv, pithp_c_call_conv, NULL },
                                     { &pithp_qop_add, plan_sum, call_sum, NULL },
                                     { &pithp_qop_sub, plan_sum, call_sum, NULL },
                                     { &pithp_qop_mul, plan_mul, call_mul, NULL },
                                     { &pithp_qop_mean, plan_mean, call_mean, NULL },
                                     { &pithp_qop_avgpool, plan_avg, call_avg, NULL },
                                     { &pithp_qop_maxpool, plan_max, call_max, NULL },
                                     { &pithp_qop_pad, plan_pad, call_pad, NULL },
                                     { &pithp_qop_concat, plan_concat, call_concat, NULL },
                                     { &pithp_qop_reshape, plan_reshape, call_reshape, NULL },
                                     { &pithp_qop_relu, plan_table, call_table, NULL },
                                     { &pithp_qop_relu6, plan_table, call_table, NULL },
                                     { &pithp_qop_logistic, plan_table, call_table, NULL },
                                     { &pithp_qop_tanh, plan_table, call_table, NULL },
                                     { &pithp_qop_hard_swish, plan_table, call_table, NULL },
                                     { &pithp_qop_table, plan_table, call_table, NULL },
                                     { &pithp_qop_quantize, plan_table, call_table, NULL },
                                     { &pithp_qop_softmax, plan_softmax, call_softmax, NULL } };
const size_t pithp_c_rows_n = PITHP_LEN(pithp_c_rows);
