/* ops/similarity_preserving.c: L = 1/N^2 sum over i,j of (R_ij - T_ij)^2, R the products of all pairs of samples, G = X X^T, each
   row divided by its length, T the teacher's. x [N,D], teacher [N,E] -> scalar. dG_ij = (e_ij - R_ij sum over k of R_ik e_ik)/|G_i|
   with e = 2/N^2 (R - T) dL. A row of zeros stays one. Tung, Mori: "Similarity-preserving knowledge distillation", ICCV 2019. */
#include "ops/gram.h"
#include <math.h>

/* aux: R, T, the lengths of G's rows. scratch: dG. */
static bool shape(pith_infer *q) { return pithp_gram_shape(q, 3, 1); }

static double length(const double *row, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += row[j] * row[j];
    return sqrt(sum);
}

/* Rows of g divided by their lengths, which go to len. */
static void normalise(double *g, int64_t n, double *len)
{
    for (int64_t i = 0; i < n; i++) {
        len[i] = length(g + i * n, n);
        for (int64_t j = 0; j < n && len[i] > 0; j++)
            g[i * n + j] /= len[i];
    }
}

static void forward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0];
    double *r = k->aux, *t = r + n * n, *len = t + n * n, sum = 0;
    pithp_gram(k, 0, r);
    pithp_gram(k, 1, t);
    normalise(t, n, len);
    normalise(r, n, len);
    for (int64_t i = 0; i < n * n; i++)
        sum += (r[i] - t[i]) * (r[i] - t[i]);
    *(pith_real *)k->out.data = (pith_real)(sum / (double)(n * n));
}

static void backward_row(const pith_call *k, int64_t i, int64_t n)
{
    const double *r = (double *)k->aux + i * n, *t = r + n * n;
    const double len = ((double *)k->aux)[2 * n * n + i];
    double *dg = (double *)k->scratch + i * n, scale = 2 * (double)*k->out.grad / (double)(n * n), along = 0;
    for (int64_t j = 0; j < n; j++)
        along += r[j] * scale * (r[j] - t[j]);
    for (int64_t j = 0; j < n; j++)
        dg[j] = len > 0 ? (scale * (r[j] - t[j]) - r[j] * along) / len : 0;
}

static void backward(const pith_call *k)
{
    if (!k->in[0].grad)
        return;
    pithp_gram_rows(k, backward_row);
    pithp_gram_backward(k, k->scratch);
}

const pith_op pithp_op_similarity_preserving = {
    .name = "similarity_preserving",
    .min_in = 2,
    .max_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0),
    .no_grad = 1u << 1,
};

pith_tensor *pith_similarity_preserving(pith_tensor *x, pith_tensor *teacher)
{
    return pithp_apply2(&pithp_op_similarity_preserving, NULL, x, teacher);
}
