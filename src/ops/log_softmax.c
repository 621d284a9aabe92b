/* ops/log_softmax.c: y_i = x_i - log sum_j exp(x_j) over the last dimension; dx_i = dy_i - exp(y_i) sum_j dy_j. */
#include "ops/rows.h"
#include "ops/integer.h"
#include <math.h>

static void forward_row(const pith_call *k, int64_t row, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + row * n_k;
    pith_real *y = (pith_real *)k->out.data + row * n_k;
    double lse = pithp_log_sum_exp(x, n_k);
    for (int64_t i = 0; i < n_k; i++)
        y[i] = (pith_real)((double)x[i] - lse);
}

static void backward_row(const pith_call *k, int64_t row, int64_t n_k)
{
    const pith_real *y = (const pith_real *)k->out.data + row * n_k, *dy = k->out.grad + row * n_k;
    pith_real *dx = k->in[0].grad + row * n_k;
    double sum = 0;
    for (int64_t i = 0; i < n_k; i++)
        sum += (double)dy[i];
    for (int64_t i = 0; i < n_k; i++) {
        pith_real v = (pith_real)((double)dy[i] - exp((double)y[i]) * sum);
        dx[i] = k->in[0].grad_add ? dx[i] + v : v;
    }
}

static void forward(const pith_call *k) { pithp_rows_run(k, forward_row); }

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        pithp_rows_run(k, backward_row);
}

static const pithp_integer integer = { .instead = "softmax" };

const pith_op pithp_op_log_softmax = {
    .name = "log_softmax",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .shape = pithp_rows_shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_OUT,
    .integer = &integer,
};

pith_tensor *pith_log_softmax(pith_tensor *x) { return pithp_apply1(&pithp_op_log_softmax, NULL, x); }
