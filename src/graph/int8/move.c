/* graph/int8/move.c: ops that only move bytes: pad (by the zero point), concat, reshape. Source: TFLite Micro, PAD,
   CONCATENATION, RESHAPE. */
#include "graph/qgraph.h"
#include <string.h>

static int64_t one(const pithp_qgraph *g, const pithp_qnode *n)
{
    (void)g, (void)n;
    return 1;
}

/* ---- Pad: seen as [before][H][W][C] with sizes of 1 in front where there are fewer dimensions -------------------------*/
typedef struct {
    int64_t d[3], before[3], after[3]; /* dimensions 1, 2, 3 */
    int8_t zero;
} padding;

static pith_status prepare_pad(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 0);
    if (st)
        return st;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    padding *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    int nd = x->shape.ndim;
    if (nd > 4 || nd < 2)
        return pithp_q_error(g, n, PITH_ESHAPE, "pads 2 to 4 dimensions, not %d", nd);
    *v = (padding){ .d = { 1, 1, 1 }, .zero = (int8_t)out->zero };
    out->shape = x->shape;
    for (int i = 1; i < nd; i++) {
        int to = i + 3 - nd;
        const int64_t *p = &n->attr.pad[2 * (i - 1)];
        if (p[0] < 0 || p[1] < 0 || p[0] > 1 << 20 || p[1] > 1 << 20)
            return pithp_q_error(g, n, PITH_EINVAL, "paddings must be 0 to 2^20");
        v->d[to] = x->shape.d[i];
        v->before[to] = p[0];
        v->after[to] = p[1];
        out->shape.d[i] += p[0] + p[1];
    }
    return PITH_OK;
}

static void run_pad(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const padding *v = k->node->prep;
    const int8_t *x = k->in[0];
    int64_t row = v->d[2] + v->before[2] + v->after[2], rows = v->d[1] + v->before[1] + v->after[1];
    if (r0 >= r1)
        return;
    memset(k->out, v->zero, (size_t)((v->d[0] + v->before[0] + v->after[0]) * rows * row));
    for (int64_t i = 0; i < v->d[0]; i++)
        for (int64_t j = 0; j < v->d[1]; j++)
            memcpy((int8_t *)k->out + ((i + v->before[0]) * rows + j + v->before[1]) * row + v->before[2],
                   x + (i * v->d[1] + j) * v->d[2], (size_t)v->d[2]);
}

/* ---- Concat ---------------------------------------------------------------------------------------------------------*/
typedef struct {
    int64_t outer, size[PITHP_QMAX_IN]; /* pieces of each operand, bytes of one */
} joining;

static pith_status prepare_concat(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    joining *v = pithp_q_prep(g, n, sizeof *v);
    if (!v)
        return PITH_ENOMEM;
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    int axis = n->attr.axis ? n->attr.axis : x->shape.ndim - 1;
    if (axis < 1 || axis >= x->shape.ndim)
        return pithp_q_error(g, n, PITH_EINVAL, "has the axis %d; expected 1 to %d", axis, x->shape.ndim - 1);
    out->shape = x->shape;
    out->shape.d[axis] = 0;
    v->outer = 1;
    for (int i = 0; i < axis; i++)
        v->outer *= x->shape.d[i];
    for (int i = 0; i < n->n_in; i++) {
        const pithp_qtensor *t = pithp_q_in(g, n, i);
        pith_status st = pithp_q_want(g, n, i, x->shape.ndim);
        if (st)
            return st;
        pith_shape like = t->shape;
        like.d[axis] = x->shape.d[axis];
        if (!pithp_shape_eq(like, x->shape) || t->n_scale != 1 || t->scale[0] != x->scale[0] ||
            t->zero != x->zero)
            return pithp_q_error(
                g, n, PITH_ESHAPE,
                "operand %s has another shape, scale or zero point than %s; rescale it before (quantize)",
                t->name, x->name);
        out->shape.d[axis] += t->shape.d[axis];
        v->size[i] = pithp_count(t->shape) / v->outer;
    }
    return PITH_OK;
}

static void run_concat(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    const joining *v = k->node->prep;
    int8_t *y = k->out;
    for (int64_t o = 0; r0 < r1 && o < v->outer; o++)
        for (int i = 0; i < k->node->n_in; i++) {
            memcpy(y, (const int8_t *)k->in[i] + o * v->size[i], (size_t)v->size[i]);
            y += v->size[i];
        }
}

/* ---- Reshape --------------------------------------------------------------------------------------------------------*/

static pith_status prepare_reshape(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor *out)
{
    pith_status st = pithp_q_want(g, n, 0, 0);
    if (st)
        return st;
    char a[96], b[96];
    const pithp_qtensor *x = pithp_q_in(g, n, 0);
    int64_t count, *size = pithp_q_prep(g, n, sizeof *size);
    if (!size)
        return PITH_ENOMEM;
    *size = pithp_count(x->shape);
    out->shape = n->attr.shape;
    if (out->shape.ndim < 1 || out->shape.d[0] != 1 || !pithp_count_ok(out->shape, &count) || count != *size)
        return pithp_q_error(g, n, PITH_ESHAPE, "cannot give %s the shape %s", pithp_shape_text(x->shape, a),
                             pithp_shape_text(out->shape, b));
    return PITH_OK;
}

static void run_reshape(const pithp_qcall *k, int64_t r0, int64_t r1)
{
    if (r0 < r1 && k->out != k->in[0])
        memcpy(k->out, k->in[0], (size_t) * (const int64_t *)k->node->prep);
}

const pithp_qop pithp_qop_pad = { .name = "PAD",
                                  .min_in = 1,
                                  .max_in = 1,
                                  .same_scale = true,
                                  .prepare = prepare_pad,
                                  .rows = one,
                                  .run = run_pad };
const pithp_qop pithp_qop_concat = { .name = "CONCATENATION",
                                     .min_in = 1,
                                     .max_in = PITHP_QMAX_IN,
                                     .same_scale = true,
                                     .prepare = prepare_concat,
                                     .rows = one,
                                     .run = run_concat };
const pithp_qop pithp_qop_reshape = { .name = "RESHAPE",
                                      .min_in = 1,
                                      .max_in = 1,
                                      .inplace = 1,
                                      .same_scale = true,
                                      .prepare = prepare_reshape,
                                      .rows = one,
                                      .run = run_reshape };
