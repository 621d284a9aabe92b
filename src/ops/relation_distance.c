/* ops/relation_distance.c: L = 1/N^2 sum over i,j of h(d_ij/m - t_ij/u), d_ij = |x_i - x_j|, m the mean of the d_ij > 0, t and
   u the teacher's, h Huber's loss with its bend at 1. x [N,D], teacher [N,E] -> scalar. Equal samples have no direction and give
   no gradient. Park, Kim, Lu, Cho: "Relational knowledge distillation", CVPR 2019. */
#include "ops/gram.h"
#include <math.h>

/* aux: distances of the student over their mean, the same of the teacher; the student's mean and number of distances.
   scratch: G or dG, and a sum a row. */
static bool shape(pith_infer *q) { return pithp_gram_shape(q, 2, 1); }

/* Distances from g, divided by their mean; *mean 0: all samples are equal. */
static void relate(const double *g, int64_t n, double *d, double *mean, double *count)
{
    double sum = 0;
    *count = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double v = i == j ? 0 : sqrt(pithp_gram_distance2(g, n, i, j));
            d[i * n + j] = v;
            sum += v;
            *count += v > 0;
        }
    *mean = *count > 0 ? sum / *count : 0;
    for (int64_t i = 0; i<n * n && * mean> 0; i++)
        d[i] /= *mean;
}

static void forward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0];
    double *student = k->aux, *teacher = student + n * n, *facts = teacher + n * n, *g = k->scratch, sum = 0;
    double mean, count;
    pithp_gram(k, 0, g);
    relate(g, n, student, &facts[0], &facts[1]);
    pithp_gram(k, 1, g);
    relate(g, n, teacher, &mean, &count);
    for (int64_t i = 0; i < n * n; i++)
        sum += pithp_huber(student[i] - teacher[i]);
    *(pith_real *)k->out.data = (pith_real)(sum / (double)(n * n));
}

static void backward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0];
    const double *student = k->aux, *teacher = student + n * n, *facts = teacher + n * n;
    double *dg = k->scratch, mean = facts[0], count = facts[1], pull = 0;
    double scale = (double)*k->out.grad / (double)(n * n);
    if (!k->in[0].grad)
        return;
    for (int64_t i = 0; i < n * n; i++) {
        dg[i] = scale * pithp_huber_slope(student[i] - teacher[i]); /* dL/d(d/m), for now */
        pull += dg[i] * student[i];
    }
    /* d(d)/d(d^2) = 1/(2d), and of |x_i - x_j|^2 = G_ii + G_jj - 2 G_ij the middle part; the ends are summed up below. */
    for (int64_t i = 0; i < n * n; i++)
        dg[i] = student[i] > 0 ? -(dg[i] - pull / count) / (mean * mean * student[i]) : 0;
    for (int64_t i = 0; i < n; i++) {
        double ends = 0;
        for (int64_t j = 0; j < n; j++)
            ends -= 0.5 * (dg[i * n + j] + dg[j * n + i]);
        dg[i * n + i] = ends;
    }
    pithp_gram_backward(k, dg);
}

const pith_op pithp_op_relation_distance = {
    .name = "relation_distance",
    .min_in = 2,
    .max_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0),
    .no_grad = 1u << 1,
};

pith_tensor *pith_relation_distance(pith_tensor *x, pith_tensor *teacher)
{
    return pithp_apply2(&pithp_op_relation_distance, NULL, x, teacher);
}
