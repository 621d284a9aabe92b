/* ops/decoupled_kl.c: distillation taken apart: L = T^2/M sum over n of (a TCKD + b NCKD), p = softmax(x[n]/T), q = softmax(t[n]/T),
   y = label[n]: TCKD = KL of the pairs (q_y, 1 - q_y) and (p_y, 1 - p_y), NCKD = KL of q and p among the classes other than y.
   x, t [N,K], label int32 [N] -> scalar. a = 1 and b = 1 - q_y would be KL(q || p). With two classes NCKD is 0.
   d(x/T): TCKD: p_y - q_y at y, -(p_y - q_y) p'_i elsewhere; NCKD: p'_i - q'_i, with p' and q' the distributions without y.
   Zhao, Cui, Song, Qiu, Liang: "Decoupled knowledge distillation", CVPR 2022.

   M counts the samples that take part: a label outside 0 <= y < K leaves its sample out. */
#include "ops/rows.h"
#include <math.h>

typedef struct {
    double temperature, target, others;
} dkd_attr;

/* Of one sample: logarithms of the sums of exp(x/T), with and without its class, of student and teacher. */
typedef struct {
    double all, rest, t_all, t_rest;
} sums;

/* aux: M, then each sample's sums. scratch: each sample's loss. */
static bool shape(pith_infer *q)
{
    const dkd_attr *a = q->attr;
    char text[96];
    if (!pithp_want_ndim(q, 0, 2, "logits [N,K]"))
        return false;
    if (q->in_dtype[0] != PITH_F32 || q->in_dtype[1] != PITH_F32 || !pithp_shape_eq(q->in[0], q->in[1]) ||
        q->in[0].d[1] < 2)
        return pith_op_fail(
            q, "logits and target must be float32 of the same shape, %s, and of two classes at least",
            pithp_shape_text(q->in[0], text));
    if (q->in_dtype[2] != PITH_I32 || q->in[2].ndim != 1 || q->in[2].d[0] != q->in[0].d[0])
        return pith_op_fail(q, "the labels must be int32 [%lld]", (long long)q->in[0].d[0]);
    if (!(a->temperature > 0 && isfinite(a->temperature)))
        return pith_op_fail(q, "the temperature is %g; a finite number above 0 is expected", a->temperature);
    if (!(a->target >= 0 && a->others >= 0 && isfinite(a->target) && isfinite(a->others)))
        return pith_op_fail(q, "weights %g and %g; finite numbers of at least 0 are expected", a->target,
                            a->others);
    q->aux = sizeof(double) + (size_t)q->in[0].d[0] * sizeof(sums);
    q->scratch = (size_t)q->in[0].d[0] * sizeof(double);
    return pithp_result(q, PITH_SCALAR);
}

static int64_t label_of(const pith_call *k, int64_t n, int64_t n_k)
{
    int32_t y = ((const int32_t *)k->in[2].data)[n];
    return y < 0 || y >= n_k ? -1 : y;
}

static sums *sums_of(const pith_call *k, int64_t n) { return (sums *)((double *)k->aux + 1) + n; }

/* q log(q/p) of logarithms */
static double part(double log_q, double log_p)
{
    double q = exp(log_q);
    return q > 0 ? q * (log_q - log_p) : 0;
}

static void forward_row(const pith_call *k, int64_t n, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * n_k,
                    *t = (const pith_real *)k->in[1].data + n * n_k;
    const dkd_attr *a = k->attr;
    double *loss = (double *)k->scratch + n, temp = a->temperature, others = 0;
    int64_t y = label_of(k, n, n_k);
    sums *s = sums_of(k, n);
    *loss = 0;
    if (y < 0)
        return;
    s->all = pithp_log_sum_exp_at(x, n_k, temp, -1);
    s->rest = pithp_log_sum_exp_at(x, n_k, temp, y);
    s->t_all = pithp_log_sum_exp_at(t, n_k, temp, -1);
    s->t_rest = pithp_log_sum_exp_at(t, n_k, temp, y);
    for (int64_t i = 0; i < n_k; i++)
        if (i != y)
            others += part((double)t[i] / temp - s->t_rest, (double)x[i] / temp - s->rest);
    *loss = a->target * (part((double)t[y] / temp - s->t_all, (double)x[y] / temp - s->all) +
                         part(s->t_rest - s->t_all, s->rest - s->all)) +
            a->others * others;
}

static void forward(const pith_call *k)
{
    int64_t n_n = k->in[0].shape.d[0], n_k = k->in[0].shape.d[1];
    double *loss = k->scratch, *count = k->aux, sum = 0, temp = ((const dkd_attr *)k->attr)->temperature;
    pithp_rows_run(k, forward_row);
    *count = 0;
    for (int64_t n = 0; n < n_n; n++) {
        sum += loss[n];
        *count += label_of(k, n, n_k) >= 0;
    }
    *(pith_real *)k->out.data = *count > 0 ? (pith_real)(temp * temp * sum / *count) : 0;
}

static void backward_row(const pith_call *k, int64_t n, int64_t n_k)
{
    const pith_real *x = (const pith_real *)k->in[0].data + n * n_k,
                    *t = (const pith_real *)k->in[1].data + n * n_k;
    const dkd_attr *a = k->attr;
    const sums *s = sums_of(k, n);
    pith_real *dx = k->in[0].grad + n * n_k;
    int64_t y = label_of(k, n, n_k);
    double temp = a->temperature, count = *(const double *)k->aux, off = 0;
    double scale = y < 0 ? 0 : (double)*k->out.grad * temp / count;
    if (y >= 0)
        off = exp((double)x[y] / temp - s->all) - exp((double)t[y] / temp - s->t_all);
    for (int64_t i = 0; i < n_k; i++) {
        double g = 0;
        if (i == y) {
            g = a->target * off;
        } else if (y >= 0) {
            double p = exp((double)x[i] / temp - s->rest), q = exp((double)t[i] / temp - s->t_rest);
            g = a->others * (p - q) - a->target * off * p;
        }
        dx[i] = (pith_real)(k->in[0].grad_add ? (double)dx[i] + scale * g : scale * g);
    }
}

static void backward(const pith_call *k)
{
    if (k->in[0].grad)
        pithp_rows_run(k, backward_row);
}

static const pith_attr_field fields[] = {
    { "temperature", PITH_ATTR_REAL, offsetof(dkd_attr, temperature) },
    { "target", PITH_ATTR_REAL, offsetof(dkd_attr, target) },
    { "others", PITH_ATTR_REAL, offsetof(dkd_attr, others) },
    PITH_ATTR_END,
};

const pith_op pithp_op_decoupled_kl = {
    .name = "decoupled_kl",
    .min_in = 3,
    .max_in = 3,
    .attr_size = sizeof(dkd_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0) | PITH_READS_IN(1) | PITH_READS_IN(2),
    .no_grad = 1u << 1 | 1u << 2,
};

pith_tensor *pith_decoupled_kl(pith_tensor *logits, pith_tensor *target, pith_tensor *labels,
                               pith_decoupled_kl_cfg cfg)
{
    dkd_attr a = { cfg.temperature == 0 ? 1 : cfg.temperature, PITH_OR(cfg.target, 1),
                   PITH_OR(cfg.others, 1) };
    return pith_op_apply(&pithp_op_decoupled_kl, &a, NULL, 3, (pith_tensor *[]){ logits, target, labels });
}
