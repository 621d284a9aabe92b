/* ops/max.c: y[o] = greatest x over the dimensions in `axes`, NaN if there is one among them; dy goes to the first
   greatest element in row-major order. A training plan remembers where that is. */
#include "ops/channels.h"
#include "ops/axes.h"
#include "ops/integer.h"
#include <string.h>

static bool shape(pith_infer *q)
{
    if (!pithp_axes_shape(q))
        return false;
    q->scratch = 0;
    q->aux = q->train ? (size_t)pithp_count(q->out) * sizeof(int64_t) : 0; /* place in x of each maximum */
    return true;
}

typedef struct {
    pithp_nest nest; /* set 0: result, set 1: x */
    int64_t results, per_tile;
    const pith_real *x;
    pith_real *y;
    int64_t *place; /* NULL: not wanted */
} job;

/* The next element of the same result; false after the last. */
static bool next(const pithp_nest *n, int64_t *idx)
{
    for (int i = n->nd - 1; i >= 0; i--) {
        if (n->s[0][i])
            continue;
        if (++idx[i] < n->d[i])
            return true;
        idx[i] = 0;
    }
    return false;
}

static void one(const job *g, int64_t o)
{
    const pithp_nest *n = &g->nest;
    int64_t idx[PITH_MAX_DIMS] = { 0 }, rest = o;
    for (int i = n->nd - 1; i >= 0; i--)
        if (n->s[0][i]) {
            idx[i] = rest % n->d[i];
            rest /= n->d[i];
        }
    int64_t best = pithp_nest_offset(n, 1, idx);
    while (next(n, idx)) {
        int64_t at = pithp_nest_offset(n, 1, idx);
        if (g->x[best] == g->x[best] && !(g->x[at] <= g->x[best]))
            best = at;
    }
    g->y[o] = g->x[best];
    if (g->place)
        g->place[o] = best;
}

static void tile(void *arg, int64_t t, int thread)
{
    (void)thread;
    const job *g = arg;
    int64_t to = PITHP_MIN((t + 1) * g->per_tile, g->results);
    for (int64_t o = t * g->per_tile; o < to; o++)
        one(g, o);
}

static void forward(const pith_call *k)
{
    pith_shape x = k->in[0].shape;
    job g = { .nest = pithp_reduce_nest(x, pithp_axes_mask(k->attr, x.ndim)),
              .results = pithp_count(k->out.shape),
              .x = k->in[0].data,
              .y = k->out.data,
              .place = k->train ? k->aux : NULL };
    g.per_tile = PITHP_MAX(1, PITHP_NEST_TILE / (pithp_count(x) / g.results));
    pith_op_parallel(k, (g.results + g.per_tile - 1) / g.per_tile, tile, &g);
}

static void backward(const pith_call *k)
{
    const int64_t *place = k->aux;
    const pith_real *dy = k->out.grad;
    pith_real *dx = k->in[0].grad;
    int64_t n = pithp_count(k->out.shape);
    if (!dx)
        return;
    if (!k->in[0].grad_add)
        memset(dx, 0, (size_t)pithp_count(k->in[0].shape) * sizeof *dx);
    for (int64_t o = 0; o < n; o++)
        dx[place[o]] += dy[o];
}

static const pithp_integer integer = { .instead = "maxpool" };

const pith_op pithp_op_max = {
    .name = "max",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &pithp_axes_channels,
    .attr_size = sizeof(pithp_axes_attr),
    .fields = pithp_axes_fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .integer = &integer,
};

pith_tensor *pith_max_axes(pith_tensor *x, uint32_t axes, bool keep)
{
    return pithp_apply1(&pithp_op_max, &(pithp_axes_attr){ axes, keep }, x);
}

pith_tensor *pith_max(pith_tensor *x) { return pith_max_axes(x, 0, false); }
