/* ops/matmul.c: y = a b.  a [M,K], b [K,N] -> y [M,N]. da = dy b^T, db = a^T dy. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/integer.h"

static bool shape(pith_infer *q)
{
    const pith_shape *in = q->in;
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 2, "a [M,K]") || !pithp_want_ndim(q, 1, 2, "b [K,N]"))
        return false;
    int64_t m = in[0].d[0], k = in[0].d[1], n = in[1].d[1];
    if (in[1].d[0] != k)
        return pith_op_fail(q, "a has %lld columns but b has %lld rows", (long long)k, (long long)in[1].d[0]);
    size_t da = pithp_gemm_scratch(m, k, n), db = pithp_gemm_scratch(k, n, m);
    q->scratch = pithp_gemm_scratch(m, n, k);
    q->scratch_back = PITHP_MAX(da, db);
    return pithp_result(q, PITH_SHAPE(m, n));
}

static void forward(const pith_call *c)
{
    int64_t m = c->in[0].shape.d[0], k = c->in[0].shape.d[1], n = c->in[1].shape.d[1];
    pithp_run_gemm(pithp_call_env(c), false, false, m, n, k, c->in[0].data, c->in[1].data, 0, c->out.data,
                   c->scratch);
}

static void backward(const pith_call *c)
{
    int64_t m = c->in[0].shape.d[0], k = c->in[0].shape.d[1], n = c->in[1].shape.d[1];
    const pithp_env *e = pithp_call_env(c);
    const pith_val *a = &c->in[0], *b = &c->in[1];
    if (a->grad)
        pithp_run_gemm(e, false, true, m, k, n, c->out.grad, b->data, a->grad_add, a->grad, c->scratch);
    if (b->grad)
        pithp_run_gemm(e, true, false, k, n, m, a->data, c->out.grad, b->grad_add, b->grad, c->scratch);
}

static int64_t macs(const pith_infer *q) { return q->in[0].d[0] * q->in[0].d[1] * q->in[1].d[1]; }

static const pithp_integer integer = { .instead = "dense" };

static void ties(pithp_ties *k)
{
    pithp_tie(k, 0, 1, 1, 0);
    pithp_tie(k, 0, 0, PITHP_OUT, 0);
    pithp_tie(k, 1, 1, PITHP_OUT, 1);
}

static const pithp_channels channels = { .ties = ties };

const pith_op pithp_op_matmul = {
    .name = "matmul",
    .min_in = 2,
    .max_in = 2,
    .channels = &channels,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .reads = PITH_READS_IN(0) | PITH_READS_IN(1),
    .integer = &integer,
};

pith_tensor *pith_matmul(pith_tensor *a, pith_tensor *b)
{
    return pithp_apply2(&pithp_op_matmul, NULL, a, b);
}
