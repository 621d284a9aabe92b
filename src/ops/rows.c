/* ops/rows.c: ops over the last dimension. */
#include "ops/rows.h"
#include <math.h>

#define TILE_WORK 4096 /* elements */

bool pithp_rows_shape(pith_infer *q)
{
    if (q->in[0].ndim < 1)
        return pith_op_fail(q, "a scalar has no last dimension; expected [...,K]");
    return pithp_shape_same(q);
}

typedef struct {
    const pith_call *k;
    void (*fn)(const pith_call *k, int64_t row, int64_t n_k);
    int64_t rows, n_k, per_tile;
} job;

static void tile(void *arg, int64_t t, int thread)
{
    (void)thread;
    const job *g = arg;
    int64_t to = PITHP_MIN((t + 1) * g->per_tile, g->rows);
    for (int64_t row = t * g->per_tile; row < to; row++)
        g->fn(g->k, row, g->n_k);
}

void pithp_rows_run(const pith_call *k, void (*fn)(const pith_call *k, int64_t row, int64_t n_k))
{
    const pith_shape *x = &k->in[0].shape;
    job g = { .k = k, .fn = fn, .n_k = x->d[x->ndim - 1] };
    g.rows = pithp_count(*x) / g.n_k;
    g.per_tile = PITHP_MAX(1, TILE_WORK / g.n_k);
    pith_op_parallel(k, (g.rows + g.per_tile - 1) / g.per_tile, tile, &g);
}

double pithp_log_sum_exp(const pith_real *x, int64_t n)
{
    double m = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        m = x[i] > m ? (double)x[i] : m;
    if (isinf(m)) /* all -inf, or a +inf: x - m would be NaN */
        return m;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - m);
    return m + log(sum);
}

double pithp_log_sum_exp_at(const pith_real *x, int64_t n, double t, int64_t but)
{
    double m = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        m = i != but && (double)x[i] > m ? (double)x[i] : m;
    for (int64_t i = 0; i < n; i++)
        if (i != but)
            sum += exp(((double)x[i] - m) / t);
    return m / t + log(sum);
}
