/* ops/dense.c: y = x w^T + b.  x [N,I], w [O,I], b [O] or absent -> y [N,O].
   dx = dy w, dw = dy^T x, db = sum over n of dy. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/integer.h"
#include "ops/reduce.h"

static bool shape(pith_infer *q)
{
    const pith_shape *in = q->in;
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 2, "x [N,in] (pith_flatten makes it of more)") ||
        !pithp_want_ndim(q, 1, 2, "w [out,in]"))
        return false;
    int64_t n = in[0].d[0], i = in[0].d[1], o = in[1].d[0];
    if (in[1].d[1] != i)
        return pith_op_fail(q, "x has %lld features but w [out,in] expects %lld", (long long)i,
                            (long long)in[1].d[1]);
    if (pithp_here(q, 2) && (in[2].ndim != 1 || in[2].d[0] != o))
        return pith_op_fail(q, "the bias must be [%lld]", (long long)o);
    pithp_nest rows = pithp_reduce_nest(PITH_SHAPE(n, o), 1);
    size_t dx = pithp_gemm_scratch(n, i, o), dw = pithp_gemm_scratch(o, i, n),
           db = pithp_reduce_scratch(&rows, 0);
    q->scratch = pithp_gemm_scratch(n, o, i);
    q->scratch_back = PITHP_MAX(PITHP_MAX(dx, dw), db);
    return pithp_result(q, PITH_SHAPE(n, o));
}

static void forward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0], i = k->in[0].shape.d[1], o = k->out.shape.d[1];
    bool bias = k->n_in > 2 && k->in[2].data;
    if (bias) { /* y starts as the bias in every row */
        pithp_move m = { .nest = { .nd = 2, .d = { n, o }, .s = { { 0, 1 }, { o, 1 } } },
                         .src = k->in[2].data,
                         .dst = k->out.data,
                         .factor = 1 };
        pithp_move_run(k, &m);
    }
    pithp_run_gemm(pithp_call_env(k), false, true, n, o, i, k->in[0].data, k->in[1].data, bias ? 1 : 0,
                   k->out.data, k->scratch);
}

static void backward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0], i = k->in[0].shape.d[1], o = k->out.shape.d[1];
    const pithp_env *e = pithp_call_env(k);
    const pith_real *dy = k->out.grad;
    const pith_val *x = &k->in[0], *w = &k->in[1];
    if (x->grad)
        pithp_run_gemm(e, false, false, n, i, o, dy, w->data, x->grad_add, x->grad, k->scratch);
    if (w->grad)
        pithp_run_gemm(e, true, false, o, i, n, dy, x->data, w->grad_add, w->grad, k->scratch);
    if (k->n_in > 2 && k->in[2].grad) {
        pithp_reduce r = { .nest = pithp_reduce_nest(k->out.shape, 1),
                           .arg = dy,
                           .factor = 1,
                           .out = k->in[2].grad,
                           .add = k->in[2].grad_add,
                           .scratch = k->scratch };
        pithp_reduce_run(k, &r);
    }
}

static int64_t macs(const pith_infer *q) { return q->in[0].d[0] * q->in[1].d[0] * q->in[1].d[1]; }

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_weighted(l, s, &pithp_qop_dense, (pithp_qattr){ 0 });
}

static const pithp_integer integer = {
    .kind = PITHP_INT_OWN, .weight = 1, .axis = 0, .clamps = true, .lower = lower
};

static void ties(pithp_ties *k)
{
    pithp_tie(k, 0, 1, 1, 1);
    pithp_tie(k, 1, 0, PITHP_OUT, 1);
    pithp_tie_vectors(k, 2, 2);
}

static const pithp_channels channels = { .ties = ties };

const pith_op pithp_op_dense = {
    .name = "dense",
    .min_in = 2,
    .max_in = 3,
    .by_sample = 1,
    .channels = &channels,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .reads = PITH_READS_IN(0) | PITH_READS_IN(1),
    .integer = &integer,
};

pith_tensor *pith_dense(pith_tensor *x, pith_tensor *w, pith_tensor *b)
{
    return pith_op_apply(&pithp_op_dense, NULL, NULL, 3, (pith_tensor *[]){ x, w, b });
}
