/* ops/cross_entropy.c: L = 1/M sum over n of -sum_k q[n,k] log softmax(x[n])_k, with q = w[k] ((1-s) target + s/K).
   x [N,K]; target int32 [N] or float32 [N,K]; w [K] or absent: 1 -> scalar. dx = dL/M (softmax(x) sum_k q - q).
   Label smoothing: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016.

   M counts the samples that take part, each as w[label] where the target is a class index. A class index outside 0 <= index < K (negative by intention, or wrong data)
   leaves its sample out; with none left L = 0 and so is the gradient. */
#include "ops/rows.h"
#include <math.h>

typedef struct {
    double smoothing;
} ce_attr;

/* aux: M, then each sample's log-sum-exp. scratch: each sample's loss. */
static bool shape(pith_infer *q)
{
    double s = ((const ce_attr *)q->attr)->smoothing;
    const pith_shape *x = &q->in[0], *t = &q->in[1];
    if (q->in_dtype[0] != PITH_F32 || x->ndim != 2)
        return pith_op_fail(q, "the logits must be float32 [N,K]");
    bool indices = q->in_dtype[1] == PITH_I32 && t->ndim == 1 && t->d[0] == x->d[0];
    bool soft = q->in_dtype[1] == PITH_F32 && pithp_shape_eq(*t, *x);
    if (!indices && !soft)
        return pith_op_fail(
            q, "the target must be class indices, int32 [%lld], or probabilities, float32 [%lld,%lld]",
            (long long)x->d[0], (long long)x->d[0], (long long)x->d[1]);
    if (!(s >= 0 && s < 1))
        return pith_op_fail(q, "smoothing is %g; expected 0 <= smoothing < 1", s);
    if (pithp_here(q, 2) && (q->in_dtype[2] != PITH_F32 || q->in[2].ndim != 1 || q->in[2].d[0] != x->d[1]))
        return pith_op_fail(q, "the class weights must be float32 [%lld]", (long long)x->d[1]);
    q->aux = (size_t)(1 + x->d[0]) * sizeof(double);
    q->scratch = (size_t)x->d[0] * sizeof(double);
    return pithp_result(q, PITH_SCALAR);
}

static const int32_t *indices_of(const pith_call *k)
{
    return k->in[1].dtype == PITH_I32 ? k->in[1].data : NULL;
}

static bool left_out(const pith_call *k, int64_t n, int64_t n_k)
{
    const int32_t *index = indices_of(k);
    return index && (index[n] < 0 || index[n] >= n_k);
}

/* Negative or NaN weights count as 0: a step cannot fail. */
static double weight_of(const pith_call *k, int64_t i)
{
    const pith_real *w = k->n_in > 2 ? k->in[2].data : NULL;
    return w == NULL ? 1 : w[i] > 0 ? (double)w[i] : 0;
}

/* q[n,i] */
static double target_of(const pith_call *k, int64_t n, int64_t i, int64_t n_k)
{
    double s = ((const ce_attr *)k->attr)->smoothing;
    const int32_t *index = indices_of(k);
    double t = index ? i == index[n] : (double)((const pith_real *)k->in[1].data)[n * n_k + i];
    return weight_of(k, i) * ((1 - s) * t + s / (double)n_k);
}

static void forward_row(const pith_call *k, int64_t n, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * n_k;
    double *lse = (double *)k->aux + 1, *loss = k->scratch, sum = 0;
    lse[n] = loss[n] = 0;
    if (left_out(k, n, n_k))
        return;
    lse[n] = pithp_log_sum_exp(x, n_k);
    for (int64_t i = 0; i < n_k; i++) {
        double q = target_of(k, n, i, n_k);
        if (q != 0) /* 0 log 0 = 0 */
            sum -= q * ((double)x[i] - lse[n]);
    }
    loss[n] = sum;
}

static void forward(const pith_call *k)
{
    int64_t n_n = k->in[0].shape.d[0], n_k = k->in[0].shape.d[1];
    double *count = k->aux, *loss = k->scratch, sum = 0;
    const int32_t *index = indices_of(k);
    pithp_rows_run(k, forward_row);
    *count = 0;
    for (int64_t n = 0; n < n_n; n++) {
        sum += loss[n];
        if (!left_out(k, n, n_k))
            *count += index ? weight_of(k, index[n]) : 1;
    }
    *(pith_real *)k->out.data = *count > 0 ? (pith_real)(sum / *count) : 0;
}

static void backward_row(const pith_call *k, int64_t n, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * n_k;
    const double *count = k->aux, *lse = count + 1;
    pith_real *dx = k->in[0].grad + n * n_k;
    bool out = left_out(k, n, n_k) || *count <= 0, add = k->in[0].grad_add;
    double scale = out ? 0 : (double)*k->out.grad / *count, mass = 0;
    for (int64_t i = 0; i < n_k && !out; i++)
        mass += target_of(k, n, i, n_k);
    for (int64_t i = 0; i < n_k; i++) {
        double g = out ? 0 : scale * (exp((double)x[i] - lse[n]) * mass - target_of(k, n, i, n_k));
        dx[i] = (pith_real)(add ? (double)dx[i] + g : g);
    }
}

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        pithp_rows_run(k, backward_row);
}

static const pith_attr_field fields[] = {
    { "smoothing", PITH_ATTR_REAL, offsetof(ce_attr, smoothing) },
    PITH_ATTR_END,
};

const pith_op pithp_op_cross_entropy = {
    .name = "cross_entropy",
    .min_in = 2,
    .max_in = 3,
    .attr_size = sizeof(ce_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0) | PITH_READS_IN(1) | PITH_READS_IN(2),
    .no_grad = 1u << 1 | 1u << 2,
};

pith_tensor *pith_cross_entropy(pith_tensor *logits, pith_tensor *target, pith_cross_entropy_cfg cfg)
{
    ce_attr a = { PITH_OR(cfg.smoothing, 0.0) };
    return pith_op_apply(&pithp_op_cross_entropy, &a, NULL, 3,
                         (pith_tensor *[]){ logits, target, cfg.class_weights });
}
