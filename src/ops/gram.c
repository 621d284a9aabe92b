/* ops/gram.c: products of all pairs of samples. Sums are taken in double: differences of these products are what matters. */
#include "ops/gram.h"

bool pithp_gram_shape(pith_infer *q, int aux_matrices, int scratch_matrices)
{
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 2, "one vector a sample, [N,D]") ||
        !pithp_want_ndim(q, 1, 2, "the teacher's, [N,E]"))
        return false;
    int64_t n = q->in[0].d[0];
    if (q->in[1].d[0] != n)
        return pith_op_fail(q, "%lld samples of the student and %lld of the teacher; as many are expected",
                            (long long)n, (long long)q->in[1].d[0]);
    if (n > PITHP_GRAM_MOST)
        return pith_op_fail(q, "a batch of %lld samples; it compares all pairs, of at most %d", (long long)n,
                            (int)PITHP_GRAM_MOST);
    size_t matrix = (size_t)(n * n) * sizeof(double);
    q->aux = (size_t)aux_matrices * matrix + 2 * sizeof(double);
    q->scratch = q->scratch_back = (size_t)scratch_matrices * matrix + (size_t)n * sizeof(double);
    return pithp_result(q, PITH_SCALAR);
}

typedef struct {
    const pith_call *k;
    void (*fn)(const pith_call *k, int64_t i, int64_t n);
} rows_job;

static void one_row(void *arg, int64_t i, int thread)
{
    (void)thread;
    const rows_job *g = arg;
    g->fn(g->k, i, g->k->in[0].shape.d[0]);
}

void pithp_gram_rows(const pith_call *k, void (*fn)(const pith_call *k, int64_t i, int64_t n))
{
    rows_job g = { k, fn };
    pith_op_parallel(k, k->in[0].shape.d[0], one_row, &g);
}

typedef struct {
    const pith_real *x;
    double *g;
    int64_t n, d;
} gram_job;

/* Four sums side by side, so that none waits for the one before. */
static double dot(const pith_real *a, const pith_real *b, int64_t d)
{
    double s[4] = { 0 };
    int64_t i = 0;
    for (; i + 4 <= d; i += 4)
        for (int j = 0; j < 4; j++)
            s[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < d; i++)
        s[0] += (double)a[i] * (double)b[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

static void gram_row(void *arg, int64_t i, int thread)
{
    (void)thread;
    const gram_job *g = arg;
    for (int64_t j = 0; j <= i; j++)
        g->g[i * g->n + j] = dot(g->x + i * g->d, g->x + j * g->d, g->d);
}

void pithp_gram(const pith_call *k, int i, double *g)
{
    gram_job job = { k->in[i].data, g, k->in[i].shape.d[0], k->in[i].shape.d[1] };
    pith_op_parallel(k, job.n, gram_row, &job);
    for (int64_t row = 0; row < job.n; row++)
        for (int64_t j = 0; j < row; j++)
            g[j * job.n + row] = g[row * job.n + j];
}

typedef struct {
    const pith_call *k;
    const double *dg;
} back_job;

static void back_row(void *arg, int64_t i, int thread)
{
    (void)thread;
    const back_job *b = arg;
    const pith_val *v = &b->k->in[0];
    int64_t n = v->shape.d[0], d = v->shape.d[1];
    const pith_real *x = v->data;
    pith_real *dx = v->grad + i * d;
    double sum[64];
    for (int64_t from = 0; from < d; from += (int64_t)PITHP_LEN(sum)) {
        int64_t some = PITHP_MIN((int64_t)PITHP_LEN(sum), d - from);
        for (int64_t c = 0; c < some; c++)
            sum[c] = 0;
        for (int64_t j = 0; j < n; j++) {
            double f = b->dg[i * n + j] + b->dg[j * n + i];
            for (int64_t c = 0; c < some; c++)
                sum[c] += f * (double)x[j * d + from + c];
        }
        for (int64_t c = 0; c < some; c++)
            dx[from + c] = (pith_real)(v->grad_add ? (double)dx[from + c] + sum[c] : sum[c]);
    }
}

void pithp_gram_backward(const pith_call *k, const double *dg)
{
    back_job b = { k, dg };
    pith_op_parallel(k, k->in[0].shape.d[0], back_row, &b);
}
