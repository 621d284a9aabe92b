/* ops/mse.c: L = 1/n sum_i (a_i - b_i)^2 over all n elements; da_i = 2/n (a_i - b_i) dL, db_i = -da_i. */
#include "ops/common.h"
#include "ops/reduce.h"

static bool shape(pith_infer *q)
{
    if (!pithp_want_f32(q))
        return false;
    if (!pithp_shape_eq(q->in[0], q->in[1]))
        return pith_op_fail(q, "the operands must have the same shape");
    pithp_nest n = pithp_reduce_nest(q->in[0], ~0u);
    q->scratch = pithp_reduce_scratch(&n, 0);
    return pithp_result(q, PITH_SCALAR);
}

static const pith_real *term(const void *arg, const pithp_nest *nest, const int64_t *idx, int64_t at,
                             int64_t n, pith_real *room)
{
    (void)nest, (void)idx;
    const pith_call *k = arg;
    const pith_real *a = (const pith_real *)k->in[0].data + at, *b = (const pith_real *)k->in[1].data + at;
    for (int64_t j = 0; j < n; j++)
        room[j] = (a[j] - b[j]) * (a[j] - b[j]);
    return room;
}

static void forward(const pith_call *k)
{
    pithp_reduce r = { .nest = pithp_reduce_nest(k->in[0].shape, ~0u),
                       .term = term,
                       .arg = k,
                       .factor = 1 / (double)pithp_count(k->in[0].shape),
                       .out = k->out.data,
                       .scratch = k->scratch };
    pithp_reduce_run(k, &r);
}

static void backward_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const pith_call *k = arg;
    const pith_real *a = k->in[0].data, *b = k->in[1].data;
    int64_t n = pithp_count(k->in[0].shape), to = PITHP_MIN((tile + 1) * PITHP_NEST_TILE, n);
    const pith_real f = (pith_real)(2 * (double)*k->out.grad / (double)n);
    for (int side = 0; side < 2; side++) {
        const pith_val *x = &k->in[side];
        pith_real g = side ? -f : f;
        if (!x->grad)
            continue;
        for (int64_t i = tile * PITHP_NEST_TILE; i < to; i++) {
            pith_real v = g * (a[i] - b[i]);
            x->grad[i] = x->grad_add ? x->grad[i] + v : v;
        }
    }
}

static void backward(const pith_call *k)
{
    pith_call call = *k; /* the tiles' argument is not const */
    int64_t n = pithp_count(k->in[0].shape);
    pith_op_parallel(k, (n + PITHP_NEST_TILE - 1) / PITHP_NEST_TILE, backward_tile, &call);
}

const pith_op pithp_op_mse = {
    .name = "mse",
    .min_in = 2,
    .max_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0) | PITH_READS_IN(1),
};

pith_tensor *pith_mse(pith_tensor *a, pith_tensor *b) { return pithp_apply2(&pithp_op_mse, NULL, a, b); }
