/* ops/drop_connect.c: in training y[n] = x[n] m[n] / (1 - p), each sample's m being 0 with probability p and 1 otherwise;
   y = x else. dx = dy m / (1 - p), the mask being drawn again.
   Huang et al.: "Deep networks with stochastic depth", ECCV 2016; the reference implementation of EfficientNet.

   The mask is a function of the context's seed, the step, the node and the sample's place in the batch. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/integer.h"

typedef struct {
    double p;
} drop_attr;

static bool shape(pith_infer *q)
{
    double p = ((const drop_attr *)q->attr)->p;
    if (!(p >= 0 && p < 1))
        return pith_op_fail(q, "the probability of dropping is %g; expected 0 <= p < 1", p);
    if (q->in[0].ndim < 1)
        return pith_op_fail(q, "a scalar has no samples; expected [N,...]");
    return pithp_shape_same(q);
}

typedef struct {
    const pith_call *k;
    const pith_real *src;
    pith_real *dst;
    int64_t each; /* elements of a sample */
    double p;
    bool add;
} job;

static bool dropped(const pith_call *k, int64_t n, double p)
{
    const uint32_t key[2] = { (uint32_t)k->seed,
                              (uint32_t)(k->seed >> 32) ^ (uint32_t)PITHP_USE_DROP_CONNECT << 16 };
    const uint32_t ctr[4] = { (uint32_t)n, (uint32_t)k->step,
                              (uint32_t)(k->step >> 32) << 8 ^ (uint32_t)((uint64_t)n >> 32), k->node };
    uint32_t r[4];
    pithp_philox(key, ctr, r);
    return r[0] < (uint32_t)(p * 0x1p32);
}

static void sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const job *g = arg;
    const pithp_kern *kern = pithp_call_env(g->k)->k;
    const pith_real *src = g->src + n * g->each;
    pith_real *dst = g->dst + n * g->each, factor = (pith_real)(1 / (1 - g->p));
    if (!dropped(g->k, n, g->p)) {
        if (g->add)
            kern->axpy(factor, src, g->each, dst);
        else
            kern->unary(PITHP_U_SCALE, src, g->each, factor, 0, dst);
    } else if (!g->add) {
        for (int64_t i = 0; i < g->each; i++)
            dst[i] = 0;
    }
}

static void run(const pith_call *k, const pith_real *src, pith_real *dst, bool add)
{
    int64_t n = k->out.shape.d[0], count = pithp_count(k->out.shape);
    job g = { k, src, dst, count / n, ((const drop_attr *)k->attr)->p, add };
    if (k->train && g.p > 0)
        pith_op_parallel(k, n, sample, &g);
    else if (add)
        pithp_run_axpy(pithp_call_env(k), 1, src, count, dst);
    else
        pithp_run_unary(pithp_call_env(k), PITHP_U_SCALE, src, count, 1, 0, dst);
}

static void forward(const pith_call *k) { run(k, k->in[0].data, k->out.data, false); }

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        run(k, k->out.grad, k->in[0].grad, k->in[0].grad_add);
}

static const pith_attr_field fields[] = {
    { "p", PITH_ATTR_REAL, offsetof(drop_attr, p) },
    PITH_ATTR_END,
};

static const pithp_integer integer = { .kind = PITHP_INT_PASS };

const pith_op pithp_op_drop_connect = {
    .integer = &integer,
    .name = "drop_connect",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .attr_size = sizeof(drop_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};

pith_tensor *pith_drop_connect(pith_tensor *x, double p)
{
    return pithp_apply1(&pithp_op_drop_connect, &(drop_attr){ p }, x);
}
