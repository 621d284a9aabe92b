/* ops/relation_angle.c: L = 1/N^3 sum over i,j,k of h(c_ijk - t_ijk), c_ijk the cosine of the angle that samples i and k make as
   seen from j, t the teacher's, h Huber's loss with its bend at 1. x [N,D], teacher [N,E] -> scalar. Where i or k equals j the
   cosine is 0. Park, Kim, Lu, Cho: "Relational knowledge distillation", CVPR 2019.

   c_ijk = (G_ik - G_ij - G_kj + G_jj) r_ij r_kj with r_ij = 1/|x_i - x_j|: N^3 steps, whatever D. */
#include "ops/gram.h"
#include <math.h>

/* aux: G and r of the student, G and r of the teacher. scratch: dG, then what each row found of the two sums below; a sum a
   row. */
static bool shape(pith_infer *q) { return pithp_gram_shape(q, 4, 3); }

static void relate(const pith_call *k, int operand, int64_t n, double *g)
{
    double *r = g + n * n;
    pithp_gram(k, operand, g);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double d2 = i == j ? 0 : pithp_gram_distance2(g, n, i, j);
            r[i * n + j] = d2 > 0 ? 1 / sqrt(d2) : 0;
        }
}

/* <x_i - x_j, x_k - x_j> */
static double product(const double *g, int64_t n, int64_t i, int64_t j, int64_t k)
{
    return g[i * n + k] - g[i * n + j] - g[j * n + k] + g[j * n + j];
}

static void forward_row(const pith_call *call, int64_t i, int64_t n)
{
    const double *g = call->aux, *r = g + n * n, *tg = r + n * n, *tr = tg + n * n;
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < n; k++)
            sum += pithp_huber(product(g, n, i, j, k) * r[i * n + j] * r[j * n + k] -
                               product(tg, n, i, j, k) * tr[i * n + j] * tr[j * n + k]);
    ((double *)call->scratch)[i] = sum;
}

static void forward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0];
    double *sums = k->scratch, sum = 0;
    relate(k, 0, n, k->aux);
    relate(k, 1, n, (double *)k->aux + 2 * n * n);
    pithp_gram_rows(k, forward_row);
    for (int64_t i = 0; i < n; i++)
        sum += sums[i];
    *(pith_real *)k->out.data = (pith_real)(sum / ((double)n * (double)n * (double)n));
}

/* With s_ijk = dL/dc_ijk, which is the same for i and k exchanged: row i of dG_ik = sum over j of s r_ij r_kj, and for each j
   u_ij = sum over k of s r_ij r_kj, v_ij = sum over k of s <..> r_kj. */
static void backward_row(const pith_call *call, int64_t i, int64_t n)
{
    const double *g = call->aux, *r = g + n * n, *tg = r + n * n, *tr = tg + n * n;
    double *dg = (double *)call->scratch + i * n, *u = dg + n * n, *v = u + n * n;
    double scale = (double)*call->out.grad / ((double)n * (double)n * (double)n);
    for (int64_t k = 0; k < n; k++)
        dg[k] = 0;
    for (int64_t j = 0; j < n; j++) {
        u[j] = v[j] = 0;
        for (int64_t k = 0; k < n; k++) {
            double p = product(g, n, i, j, k), rr = r[i * n + j] * r[j * n + k];
            double e = p * rr - product(tg, n, i, j, k) * tr[i * n + j] * tr[j * n + k];
            double s = scale * pithp_huber_slope(e);
            dg[k] += s * rr;
            u[j] += s * rr;
            v[j] += s * p * r[j * n + k];
        }
    }
}

static void backward(const pith_call *k)
{
    int64_t n = k->in[0].shape.d[0];
    const double *r = (double *)k->aux + n * n;
    double *dg = k->scratch, *u = dg + n * n, *v = u + n * n;
    if (!k->in[0].grad)
        return;
    pithp_gram_rows(k, backward_row);
    /* G_ij and G_kj take -u each, which are the same; G_jj takes u; dr_ij = 2 v_ij, and d(1/sqrt(d2)) = -r^3/2 d(d2). */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double rij = r[i * n + j], d2 = -v[i * n + j] * rij * rij * rij;
            dg[i * n + j] -= 2 * u[i * n + j] + 2 * d2;
            dg[i * n + i] += d2;
            dg[j * n + j] += d2 + u[i * n + j];
        }
    pithp_gram_backward(k, dg);
}

const pith_op pithp_op_relation_angle = {
    .name = "relation_angle",
    .min_in = 2,
    .max_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reads = PITH_READS_IN(0),
    .no_grad = 1u << 1,
};

pith_tensor *pith_relation_angle(pith_tensor *x, pith_tensor *teacher)
{
    return pithp_apply2(&pithp_op_relation_angle, NULL, x, teacher);
}
