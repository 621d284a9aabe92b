/* ops/pow.c: y = x^p with C's rules (a negative x with a p that is no whole number gives NaN); dx = dy p x^(p-1), and 0
   for p = 0. By libm, in double: it is exact to the last place and seldom on a path that has to be fast. */
#include "ops/channels.h"
#include "ops/common.h"
#include <math.h>

typedef struct {
    double exponent;
} pow_attr;

#define TILE 4096 /* elements */

static bool shape(pith_infer *q)
{
    double p = ((const pow_attr *)q->attr)->exponent;
    if (!isfinite(p))
        return pith_op_fail(q, "exponent = %g must be finite", p);
    return pithp_shape_same(q);
}

typedef struct {
    const pith_real *x, *dy;
    pith_real *out;
    int64_t n;
    double p;
    bool add;
} job;

static void forward_tile(void *arg, int64_t t, int thread)
{
    (void)thread;
    const job *g = arg;
    int64_t to = PITHP_MIN((t + 1) * TILE, g->n);
    for (int64_t i = t * TILE; i < to; i++)
        g->out[i] = (pith_real)pow((double)g->x[i], g->p);
}

static void backward_tile(void *arg, int64_t t, int thread)
{
    (void)thread;
    const job *g = arg;
    int64_t to = PITHP_MIN((t + 1) * TILE, g->n);
    for (int64_t i = t * TILE; i < to; i++) {
        double d = g->p == 0 ? 0 : (double)g->dy[i] * g->p * pow((double)g->x[i], g->p - 1);
        g->out[i] = (pith_real)(g->add ? (double)g->out[i] + d : d);
    }
}

static void run(const pith_call *k, const pith_real *dy, pith_real *out, bool add,
                void (*fn)(void *arg, int64_t tile, int thread))
{
    job g = { k->in[0].data, dy, out, pithp_count(k->out.shape), ((const pow_attr *)k->attr)->exponent, add };
    pith_op_parallel(k, (g.n + TILE - 1) / TILE, fn, &g);
}

static void forward(const pith_call *k) { run(k, NULL, k->out.data, false, forward_tile); }

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        run(k, k->out.grad, k->in[0].grad, k->in[0].grad_add, backward_tile);
}

static const pith_attr_field fields[] = {
    { "exponent", PITH_ATTR_REAL, offsetof(pow_attr, exponent) },
    PITH_ATTR_END,
};

const pith_op pithp_op_pow = {
    .name = "pow",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_channels_same,
    .attr_size = sizeof(pow_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0),
};

pith_tensor *pith_pow(pith_tensor *x, double exponent)
{
    return pithp_apply1(&pithp_op_pow, &(pow_attr){ exponent }, x);
}
