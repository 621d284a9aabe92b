/* ops/dropout.c: in training y = x m / (1 - p), each m being 0 with probability p and 1 otherwise; y = x else.
   dx = dy m / (1 - p), the mask being drawn again. Srivastava et al.: "Dropout", JMLR 15, 2014.

   Four neighbours share one Philox block, whose counter is (block, step, node): the mask is a function of the context's
   seed, the step, the node and the element alone. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/integer.h"

typedef struct {
    double p;
} dropout_attr;

#define TILE 8192 /* elements; a multiple of 4 */

static bool shape(pith_infer *q)
{
    double p = ((const dropout_attr *)q->attr)->p;
    if (!(p >= 0 && p < 1))
        return pith_op_fail(q, "the probability of dropping is %g; expected 0 <= p < 1", p);
    return pithp_shape_same(q);
}

typedef struct {
    const pith_call *k;
    const pith_real *src;
    pith_real *dst;
    int64_t n;
    uint32_t below; /* a number below this drops */
    pith_real keep; /* 1 / (1 - p) */
    bool add;
} job;

static void block(const job *g, int64_t i, int64_t n)
{
    const pith_call *k = g->k;
    uint64_t b = (uint64_t)i / 4;
    const uint32_t key[2] = { (uint32_t)k->seed,
                              (uint32_t)(k->seed >> 32) ^ (uint32_t)PITHP_USE_DROPOUT << 16 };
    const uint32_t ctr[4] = { (uint32_t)b, (uint32_t)k->step,
                              (uint32_t)(k->step >> 32) << 8 ^ (uint32_t)(b >> 32), k->node };
    uint32_t r[4];
    pithp_philox(key, ctr, r);
    for (int64_t j = 0; j < n; j++) {
        pith_real v = r[j] < g->below ? 0 : g->src[i + j] * g->keep;
        g->dst[i + j] = g->add ? g->dst[i + j] + v : v;
    }
}

static void tile(void *arg, int64_t t, int thread)
{
    (void)thread;
    const job *g = arg;
    int64_t to = PITHP_MIN((t + 1) * TILE, g->n);
    for (int64_t i = t * TILE; i < to; i += 4)
        block(g, i, PITHP_MIN(4, to - i));
}

static void run(const pith_call *k, const pith_real *src, pith_real *dst, bool add)
{
    double p = ((const dropout_attr *)k->attr)->p;
    job g = { k, src, dst, pithp_count(k->out.shape), (uint32_t)(p * 0x1p32), (pith_real)(1 / (1 - p)), add };
    if (k->train && p > 0)
        pith_op_parallel(k, (g.n + TILE - 1) / TILE, tile, &g);
    else if (add)
        pithp_run_axpy(pithp_call_env(k), 1, src, g.n, dst);
    else
        pithp_run_unary(pithp_call_env(k), PITHP_U_SCALE, src, g.n, 1, 0, dst);
}

static void forward(const pith_call *k) { run(k, k->in[0].data, k->out.data, false); }

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        run(k, k->out.grad, k->in[0].grad, k->in[0].grad_add);
}

static const pith_attr_field fields[] = {
    { "p", PITH_ATTR_REAL, offsetof(dropout_attr, p) },
    PITH_ATTR_END,
};

static const pithp_integer integer = { .kind = PITHP_INT_PASS };

const pith_op pithp_op_dropout = {
    .name = "dropout",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .attr_size = sizeof(dropout_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_dropout(pith_tensor *x, double p)
{
    return pithp_apply1(&pithp_op_dropout, &(dropout_attr){ p }, x);
}
