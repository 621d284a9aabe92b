/* ops/kl_divergence.c: L = T^2/N sum over n of sum_k q log(q/p), q = softmax(t[n]/T), p = softmax(x[n]/T).
   x, t [N,K] -> scalar. dx = dL T/N (p - q); none to t. Hinton, Vinyals, Dean: "Distilling the knowledge in a neural
   network", arXiv:1503.02531. */
#include "ops/rows.h"
#include <math.h>

typedef struct {
    double temperature;
} kl_attr;

/* aux: the log-sum-exps of x/T, then those of t/T. scratch: each sample's loss. */
static bool shape(pith_infer *q)
{
    double t = ((const kl_attr *)q->attr)->temperature;
    char text[96];
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 2, "logits [N,K]"))
        return false;
    if (!pithp_shape_eq(q->in[0], q->in[1]))
        return pith_op_fail(q, "logits and target must have the same shape, %s",
                            pithp_shape_text(q->in[0], text));
    if (!(t > 0 && isfinite(t)))
        return pith_op_fail(q, "the temperature is %g; a finite number above 0 is expected", t);
    q->aux = 2 * (size_t)q->in[0].d[0] * sizeof(double);
    q->scratch = (size_t)q->in[0].d[0] * sizeof(double);
    return pithp_result(q, PITH_SCALAR);
}

static double temperature(const pith_call *k) { return ((const kl_attr *)k->attr)->temperature; }

static void forward_row(const pith_call *k, int64_t n, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * n_k,
                    *t = (const pith_real *)k->in[1].data + n * n_k;
    double *lse = k->aux, *loss = k->scratch, temp = temperature(k), sum = 0;
    int64_t n_n = k->in[0].shape.d[0];
    lse[n] = pithp_log_sum_exp_at(x, n_k, temp, -1);
    lse[n_n + n] = pithp_log_sum_exp_at(t, n_k, temp, -1);
    for (int64_t i = 0; i < n_k; i++) {
        double log_q = (double)t[i] / temp - lse[n_n + n], q = exp(log_q);
        if (q > 0) /* 0 log 0 = 0 */
            sum += q * (log_q - ((double)x[i] / temp - lse[n]));
    }
    loss[n] = sum;
}

static void forward(const pith_call *k)
{
    int64_t n_n = k->in[0].shape.d[0];
    double *loss = k->scratch, sum = 0, temp = temperature(k);
    pithp_rows_run(k, forward_row);
    for (int64_t n = 0; n < n_n; n++)
        sum += loss[n];
    *(pith_real *)k->out.data = (pith_real)(temp * temp * sum / (double)n_n);
}

static void backward_row(const pith_call *k, int64_t n, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * n_k,
                    *t = (const pith_real *)k->in[1].data + n * n_k;
    int64_t n_n = k->in[0].shape.d[0];
    double temp = temperature(k), scale = (double)*k->out.grad * temp / (double)n_n;
    const double *lse = k->aux;
    pith_real *dx = k->in[0].grad + n * n_k;
    for (int64_t i = 0; i < n_k; i++) {
        double p = exp((double)x[i] / temp - lse[n]), q = exp((double)t[i] / temp - lse[n_n + n]);
        double g = scale * (p - q);
        dx[i] = (pith_real)(k->in[0].grad_add ? (double)dx[i] + g : g);
    }
}

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        pithp_rows_run(k, backward_row);
}

static const pith_attr_field fields[] = {
    { "temperature", PITH_ATTR_REAL, offsetof(kl_attr, temperature) },
    PITH_ATTR_END,
};

const pith_op pithp_op_kl_divergence = {
    .name = "kl_divergence",
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(kl_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0) | PITH_READS_IN(1),
    .no_grad = 1u << 1,
};

pith_tensor *pith_kl_divergence(pith_tensor *logits, pith_tensor *target, pith_kl_divergence_cfg cfg)
{
    return pithp_apply2(&pithp_op_kl_divergence, &(kl_attr){ cfg.temperature == 0 ? 1 : cfg.temperature },
                        logits, target);
}
