/* kernels/float/elementwise.c: flat blocks of elements, one a thread at a time. */
#include "kernels/float/tile.h"

#define BLOCK 16384

typedef struct {
    const pithp_env *e;
    int f;
    const pith_real *a, *b, *dy;
    pith_real *out;
    double *part;
    int64_t n, block;
    int sa, sb;
    pith_real p0, p1;
    bool add;
} elem_args;

static void run(const elem_args *a, void (*fn)(void *, int64_t, int))
{
    pithp_parallel(a->e->threads, pithp_ceil_div(a->n, a->block), fn, (void *)a);
}

static void unary_tile(void *arg, int64_t t, int thread)
{
    const elem_args *a = arg;
    int64_t i = t * a->block, m = pithp_i64min(a->block, a->n - i);
    (void)thread;
    a->e->k->unary((pithp_unary)a->f, a->a + i, m, a->p0, a->p1, a->out + i);
}

void pithp_run_unary(const pithp_env *e, pithp_unary f, const pith_real *x, int64_t n, pith_real p0,
                     pith_real p1, pith_real *y)
{
    elem_args a = { .e = e, .f = (int)f, .a = x, .out = y, .n = n, .block = BLOCK, .p0 = p0, .p1 = p1 };
    run(&a, unary_tile);
}

static void unary_grad_tile(void *arg, int64_t t, int thread)
{
    const elem_args *a = arg;
    int64_t i = t * a->block, m = pithp_i64min(a->block, a->n - i);
    (void)thread;
    a->e->k->unary_grad((pithp_unary)a->f, a->a + i, a->b + i, a->dy + i, m, a->p0, a->p1, a->out + i,
                        a->add);
}

void pithp_run_unary_grad(const pithp_env *e, pithp_unary f, const pith_real *x, const pith_real *y,
                          const pith_real *dy, int64_t n, pith_real p0, pith_real p1, pith_real *dx, bool add)
{
    elem_args a = { .e = e,
                    .f = (int)f,
                    .a = x,
                    .b = y,
                    .dy = dy,
                    .out = dx,
                    .n = n,
                    .block = BLOCK,
                    .p0 = p0,
                    .p1 = p1,
                    .add = add };
    run(&a, unary_grad_tile);
}

static void binary_tile(void *arg, int64_t t, int thread)
{
    const elem_args *a = arg;
    int64_t i = t * a->block, m = pithp_i64min(a->block, a->n - i);
    (void)thread;
    a->e->k->binary((pithp_binary)a->f, a->a + (a->sa ? i : 0), a->sa, a->b + (a->sb ? i : 0), a->sb, m,
                    a->out + i);
}

void pithp_run_binary(const pithp_env *e, pithp_binary f, const pith_real *x, int sa, const pith_real *b,
                      int sb, int64_t n, pith_real *y)
{
    elem_args a = {
        .e = e, .f = (int)f, .a = x, .b = b, .sa = sa, .sb = sb, .out = y, .n = n, .block = BLOCK
    };
    run(&a, binary_tile);
}

static void axpy_tile(void *arg, int64_t t, int thread)
{
    const elem_args *a = arg;
    int64_t i = t * a->block, m = pithp_i64min(a->block, a->n - i);
    (void)thread;
    a->e->k->axpy(a->p0, a->a + i, m, a->out + i);
}

void pithp_run_axpy(const pithp_env *e, pith_real alpha, const pith_real *x, int64_t n, pith_real *y)
{
    elem_args a = { .e = e, .a = x, .out = y, .n = n, .block = BLOCK, .p0 = alpha };
    run(&a, axpy_tile);
}

#define SUMS 256

static void sum_tile(void *arg, int64_t t, int thread)
{
    const elem_args *a = arg;
    int64_t i = t * a->block, end = pithp_i64min(i + a->block, a->n);
    double s = 0;
    (void)thread;
    for (; i < end; i += 4096)
        s += (double)a->e->k->sum(a->a + i, pithp_i64min(4096, end - i));
    a->part[t] = s;
}

double pithp_run_sum(const pithp_env *e, const pith_real *x, int64_t n)
{
    double part[SUMS] = { 0 }, s = 0;
    elem_args a = { .e = e,
                    .a = x,
                    .part = part,
                    .n = n,
                    .block = pithp_i64max(BLOCK, pithp_ceil_div(pithp_ceil_div(n, SUMS), 4096) * 4096) };
    run(&a, sum_tile);
    for (int64_t t = 0; t < pithp_ceil_div(n, a.block); t++)
        s += part[t];
    return s;
}
