/* deploy/c/layers.c: convolutions and dense layers as C source: weights in the kernels' order, zero points in the biases. */
#include "deploy/c/emit.h"
#include "graph/int8/conv.h"
#include <string.h>

/* Products of bytes that surely fit 32 bits when summed: 2^31 / (128 * 128), and with the zero point taken out. */
enum { MOST_PRODUCTS = 131071, MOST_TAPS = 65535 };

static int64_t up4(int64_t n) { return (n + 3) / 4 * 4; }

/* A matrix product over all positions, with nothing to gather. */
bool pithp_c_pointwise(const pithp_iconv *v)
{
    return v->r == 1 && v->s == 1 && v->groups == 1 && v->stride[0] == 1 && v->stride[1] == 1 &&
           v->c % 4 == 0 && v->p == v->h && v->q == v->w && !v->pad[0] && !v->pad[1];
}

/* A factor of 0 has no shift of its own: one that the easy end of a sum knows. */
static void factors(pithp_c_emit *e, int node, const pithp_qconv *v)
{
    int32_t *mult = pithp_c_add(e, 'm', node, (size_t)v->g.k, 4);
    int8_t *shift = pithp_c_add(e, 's', node, (size_t)v->g.k, 1);
    for (int64_t k = 0; mult && shift && k < v->g.k; k++) {
        mult[k] = v->scale[k].mult;
        shift[k] = (int8_t)(mult[k] ? pithp_c_shift(v->scale[k]) : 0);
        e->hard |= shift[k] < 0;
    }
    e->hard |= v->worst >= 1 << 30 || v->g.lo > -128 || v->g.hi < 127;
}

/* bias - zero * sum of the weights, modulo 2^32: the kernels' last addition wraps back. */
static int32_t fold(const int8_t *w, int64_t n, int32_t zero, int32_t bias)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint32_t)w[i];
    return (int32_t)((uint32_t)bias - (uint32_t)zero * sum);
}

void pithp_c_plan_conv(pithp_c_emit *e, int node)
{
    const pithp_qnode *nd = e->g->nodes[node];
    const pithp_qconv *prep = nd->prep;
    const pithp_iconv *v = &prep->g;
    const pithp_qtensor *b = pithp_q_in(e->g, nd, 2);
    const int8_t *w = pithp_q_in(e->g, nd, 1)->data;
    int64_t n = v->r * v->s * (v->c / v->groups), n4 = up4(n), kg = v->k / v->groups;
    if (n4 > MOST_PRODUCTS)
        pithp_c_refuse(e, node, "one result sums more than 131,071 products");
    int32_t *bias = pithp_c_add(e, 'b', node, (size_t)v->k, 4);
    factors(e, node, prep);
    for (int64_t k = 0; bias && k < v->k; k++)
        bias[k] = fold(w + k * n, n, v->zero_in, b ? ((const int32_t *)b->data)[k] : 0);
    if (pithp_c_is_sparse(e, node)) {
        pithp_c_plan_sparse(e, node);
        return;
    }
    int8_t *to = pithp_c_add(e, 'w', node, (size_t)(v->k * n4), 1);
    if (!to)
        return;
    for (int64_t k = 0; k < v->k; k++) {
        const int8_t *from = w + k * n;
        int64_t in_group = k % kg, pair = in_group & 1, alone = !pair && in_group + 1 == kg;
        int8_t *at = to + (k - pair) * n4 + (alone ? 0 : 4 * pair);
        for (int64_t i = 0; i < n; i++)
            at[alone ? i : i / 4 * 8 + i % 4] = from[i];
    }
    e->uses |= PITHP_C_BIT(SIMD) | PITHP_C_BIT(LAYER) | PITHP_C_BIT(MATMUL);
    if (v->p * v->q > 1 || !pithp_c_pointwise(v))
        e->uses |=
            PITHP_C_BIT(POSITIONS) | (pithp_c_pointwise(v) ? PITHP_C_BIT(POINTWISE) : PITHP_C_BIT(CONV));
    if (!pithp_c_pointwise(v))
        e->scratch[node] = 2 * (size_t)n4;
}

static void put_layer(pithp_c_emit *e, int node, const pithp_iconv *v, int64_t n, int64_t k)
{
    pithp_text_printf(&e->body,
                      "        pith_layer l;\n"
                      "        l.w = %c.%c_%d, l.bias = W.b_%d, l.mult = W.m_%d, l.shift = W.s_%d;\n"
                      "        l.n = %lld, l.k = %lld, l.zero = %d, l.lo = %d, l.hi = %d;\n",
                      e->packed ? 'P' : 'W', pithp_c_is_sparse(e, node) ? 'z' : 'w', node, node, node, node,
                      (long long)n, (long long)k, v->zero_out, v->lo, v->hi);
}

void pithp_c_put_window(pithp_text *t, const pithp_iconv *v)
{
    pithp_text_printf(
        t,
        "        v.p = %lld, v.q = %lld, v.r = %lld, v.s = %lld, v.stride_h = %lld, v.stride_w = %lld;\n"
        "        v.dilation_h = %lld, v.dilation_w = %lld, v.pad_h = %lld, v.pad_w = %lld;\n",
        (long long)v->p, (long long)v->q, (long long)v->r, (long long)v->s, (long long)v->stride[0],
        (long long)v->stride[1], (long long)v->dilation[0], (long long)v->dilation[1], (long long)v->pad[0],
        (long long)v->pad[1]);
}

void pithp_c_call_conv(pithp_c_emit *e, int node)
{
    const pithp_qnode *nd = e->g->nodes[node];
    const pithp_iconv *v = &((const pithp_qconv *)nd->prep)->g;
    char x[48], y[48];
    int64_t n4 = up4(v->r * v->s * (v->c / v->groups)), kg = v->k / v->groups, count = v->p * v->q;
    pithp_c_operand(e, node, 0, x), pithp_c_result(e, node, y);
    put_layer(e, node, v, n4, kg);
    if (pithp_c_is_sparse(e, node)) {
        pithp_text_printf(&e->body, "        sparse(&l, %lld, %s, %s, A + %zu);\n", (long long)count, x, y,
                          e->scratch_at[node]);
    } else if (pithp_c_pointwise(v) && count == 1) {
        pithp_text_printf(&e->body, "        one_position(&l, %s, %s);\n", x, y);
    } else if (pithp_c_pointwise(v)) {
        pithp_text_printf(&e->body, "        pointwise(&l, %lld, %s, %s);\n", (long long)count, x, y);
    } else {
        pithp_text_printf(&e->body, "        pith_window v;\n        v.h = %lld, v.w = %lld, v.c = %lld;\n",
                          (long long)v->h, (long long)v->w, (long long)v->c);
        pithp_c_put_window(&e->body, v);
        pithp_text_printf(
            &e->body,
            "        v.groups = %lld, v.zero_in = %d;\n        conv(l, &v, %lld, %s, %s, A + %zu);\n",
            (long long)v->groups, v->zero_in, (long long)kg * n4, x, y, e->scratch_at[node]);
    }
}

/* [r,s,k] as target/depthwise_same.inc wants it: four channels together, the last ones each alone. */
static void order_depthwise(const pithp_iconv *v, const int8_t *from, int8_t *to)
{
    int64_t taps = v->r * v->s, fours = v->k / 4 * 4;
    for (int64_t i = 0; i < taps; i++)
        for (int64_t k = 0; k < v->k; k++) {
            int64_t at = v->k != v->c ? i * v->k + k
                         : k < fours  ? k / 4 * 4 * taps + 4 * i + k % 4
                                      : k * taps + i;
            to[at] = from[i * v->k + k];
        }
}

void pithp_c_plan_depthwise(pithp_c_emit *e, int node)
{
    const pithp_qnode *nd = e->g->nodes[node];
    const pithp_qconv *prep = nd->prep;
    const pithp_iconv *v = &prep->g;
    const pithp_qtensor *b = pithp_q_in(e->g, nd, 2);
    if (v->r * v->s > MOST_TAPS)
        pithp_c_refuse(e, node, "its window has more than 65,535 positions");
    int32_t *bias = pithp_c_add(e, 'b', node, (size_t)v->k, 4);
    factors(e, node, prep);
    size_t count = (size_t)(v->r * v->s * v->k);
    int8_t *w = pithp_c_add(e, 'w', node, count, 1);
    if (bias && b)
        memcpy(bias, b->data, (size_t)v->k * sizeof *bias);
    if (w)
        order_depthwise(v, pithp_q_in(e->g, nd, 1)->data, w);
    e->uses |= PITHP_C_BIT(SIMD) | PITHP_C_BIT(DEPTHWISE) | PITHP_C_BIT(DEPTHWISE_RUN) |
               (v->k == v->c ? PITHP_C_BIT(DEPTHWISE_SAME) : PITHP_C_BIT(DEPTHWISE_MANY));
}

void pithp_c_put_filter(pithp_c_emit *e, int node, const char *type, char shift)
{
    const pithp_iconv *v = &((const pithp_qconv *)e->g->nodes[node]->prep)->g;
    pithp_text_printf(&e->body,
                      "        %s v;\n"
                      "        v.w = %c.w_%d, v.bias = W.b_%d, v.mult = W.m_%d, v.shift = W.%c_%d;\n"
                      "        v.h = %lld, v.width = %lld, v.c = %lld, v.k = %lld;\n",
                      type, e->packed ? 'P' : 'W', node, node, node, shift, node, (long long)v->h,
                      (long long)v->w, (long long)v->c, (long long)v->k);
    pithp_c_put_window(&e->body, v);
}

void pithp_c_call_depthwise(pithp_c_emit *e, int node)
{
    const pithp_qnode *nd = e->g->nodes[node];
    const pithp_iconv *v = &((const pithp_qconv *)nd->prep)->g;
    char x[48], y[48];
    pithp_c_put_filter(e, node, "pith_depthwise", 's');
    pithp_text_printf(&e->body,
                      "        v.zero_in = %d, v.zero = %d, v.lo = %d, v.hi = %d;\n"
                      "        depthwise(&v, %s, %s, %s);\n",
                      v->zero_in, v->zero_out, v->lo, v->hi,
                      v->k == v->c ? "depthwise_same" : "depthwise_many", pithp_c_operand(e, node, 0, x),
                      pithp_c_result(e, node, y));
}
