/* ops/binary.c: elementwise ops of two operands, with NumPy's broadcasting: sizes align at the last dimension and a
   size of one is stretched. In the nests, set 0 is a and set 1 is b. */
#include "ops/binary.h"
#include "ops/reduce.h"

/* The size of x in dimension i of a result of ndim dimensions. */
static int64_t size_in(pith_shape x, int ndim, int i)
{
    int j = i - (ndim - x.ndim);
    return j < 0 ? 1 : x.d[j];
}

static pithp_nest nest_of(pith_shape out, pith_shape a, pith_shape b)
{
    pithp_nest n = { .nd = out.ndim };
    const pith_shape x[2] = { a, b };
    for (int set = 0; set < 2; set++) {
        int64_t step = 1;
        for (int i = out.ndim - 1; i >= 0; i--) {
            int64_t size = size_in(x[set], out.ndim, i);
            n.d[i] = out.d[i];
            n.s[set][i] = size == 1 ? 0 : step;
            step *= size;
        }
    }
    pithp_strides(out, n.s[2]);
    pithp_nest_merge(&n);
    return n;
}

bool pithp_binary_shape(pith_infer *q)
{
    pith_shape a = q->in[0], b = q->in[1], out = { .ndim = PITHP_MAX(a.ndim, b.ndim) };
    if (!pithp_want_f32(q))
        return false;
    for (int i = 0; i < out.ndim; i++) {
        int64_t u = size_in(a, out.ndim, i), v = size_in(b, out.ndim, i);
        if (u != v && u != 1 && v != 1)
            return pith_op_fail(
                q,
                "sizes %lld and %lld do not match in dimension %d of the result; expected equal "
                "sizes or 1, aligned at the last dimension",
                (long long)u, (long long)v, i);
        out.d[i] = u == 1 ? v : u;
    }
    if (!pithp_result(q, out))
        return false;
    pithp_nest n = nest_of(out, a, b);
    q->scratch_back = PITHP_MAX(pithp_reduce_scratch(&n, 0), pithp_reduce_scratch(&n, 1));
    return true;
}

typedef struct {
    pithp_nest nest;
    pithp_binary f;
    const pithp_env *env;
    const pith_real *a, *b;
    pith_real *y;
} job;

static void forward_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const job *g = arg;
    const pithp_nest *n = &g->nest;
    int last = n->nd - 1;
    int64_t from = tile * PITHP_NEST_TILE, to = PITHP_MIN(from + PITHP_NEST_TILE, pithp_nest_count(n));
    for (pithp_walk r = pithp_walk_at(n, from, to); r.n; pithp_walk_next(&r))
        g->env->k->binary(g->f, g->a + pithp_nest_offset(n, 0, r.idx), (int)n->s[0][last],
                          g->b + pithp_nest_offset(n, 1, r.idx), (int)n->s[1][last], r.n, g->y + r.at);
}

void pithp_binary_forward(const pith_call *k, pithp_binary f)
{
    job g = { nest_of(k->out.shape, k->in[0].shape, k->in[1].shape),
              f,
              pithp_call_env(k),
              k->in[0].data,
              k->in[1].data,
              k->out.data };
    pith_op_parallel(k, (pithp_nest_count(&g.nest) + PITHP_NEST_TILE - 1) / PITHP_NEST_TILE, forward_tile,
                     &g);
}

/* Terms of the gradient of operand `side`. What is not there is NULL. */
typedef struct {
    const pithp_env *env;
    pithp_binary f;
    int side;
    const pith_real *a, *b, *y, *dy; /* operands, result, its gradient */
} terms;

static const pith_real *term(const void *arg, const pithp_nest *n, const int64_t *idx, int64_t at,
                             int64_t count, pith_real *room)
{
    const terms *t = arg;
    const pith_real *dy = t->dy + at;
    int last = n->nd - 1, sa = (int)n->s[0][last], sb = (int)n->s[1][last];
    const pith_real *a = t->a ? t->a + pithp_nest_offset(n, 0, idx) : NULL;
    const pith_real *b = t->b ? t->b + pithp_nest_offset(n, 1, idx) : NULL;
    void (*binary)(pithp_binary, const pith_real *, int, const pith_real *, int, int64_t, pith_real *) =
        t->env->k->binary;
    switch (t->f) {
    case PITHP_B_MUL:
        if (t->side == 0)
            binary(PITHP_B_MUL, dy, 1, b, sb, count, room);
        else
            binary(PITHP_B_MUL, dy, 1, a, sa, count, room);
        return room;
    case PITHP_B_DIV: /* of b: without the sign */
        binary(PITHP_B_DIV, dy, 1, b, sb, count, room);
        if (t->side == 1)
            binary(PITHP_B_MUL, room, 1, t->y + at, 1, count, room);
        return room;
    default: return dy;
    }
}

typedef struct {
    const terms *t;
    const pithp_nest *nest;
    pith_real sign, *dx;
    bool add;
} plain;

/* An operand that was not stretched: a term for each element. */
static void plain_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const plain *p = arg;
    pith_real room[PITHP_TERMS];
    int64_t from = tile * PITHP_NEST_TILE, to = PITHP_MIN(from + PITHP_NEST_TILE, pithp_nest_count(p->nest));
    for (pithp_walk r = pithp_walk_at(p->nest, from, to); r.n; pithp_walk_next(&r)) {
        r.n = PITHP_MIN(r.n, PITHP_TERMS);
        const pith_real *v = term(p->t, p->nest, r.idx, r.at, r.n, room);
        pith_real *dx = p->dx + r.at;
        if (p->add)
            p->t->env->k->axpy(p->sign, v, r.n, dx);
        else
            p->t->env->k->unary(PITHP_U_SCALE, v, r.n, p->sign, 0, dx);
    }
}

static void back_one(const pith_call *k, pithp_nest *n, pithp_binary f, int side)
{
    const pith_val *x = &k->in[side];
    terms t = { pithp_call_env(k), f, side, k->in[0].data, k->in[1].data, k->out.data, k->out.grad };
    pith_real sign = side == 1 && (f == PITHP_B_SUB || f == PITHP_B_DIV) ? -1 : 1;
    if (pithp_count(x->shape) == pithp_nest_count(n)) {
        plain p = { &t, n, sign, x->grad, x->grad_add };
        pith_op_parallel(k, (pithp_nest_count(n) + PITHP_NEST_TILE - 1) / PITHP_NEST_TILE, plain_tile, &p);
        return;
    }
    pithp_reduce r = { *n, side, term, &t, sign, x->grad, x->grad_add, k->scratch };
    pithp_reduce_run(k, &r);
}

void pithp_binary_backward(const pith_call *k, pithp_binary f)
{
    pithp_nest n = nest_of(k->out.shape, k->in[0].shape, k->in[1].shape);
    for (int side = 0; side < 2; side++)
        if (k->in[side].grad)
            back_one(k, &n, f, side);
}

void pithp_binary_exact(const pithp_point *p, const pithp_iarith *g,
                        void (*run)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step,
                                    int64_t n, int8_t *y))
{
    pithp_nest n = nest_of(p->k->out.shape, p->shape[0], p->shape[1]);
    int last = n.nd - 1;
    for (pithp_walk r = pithp_walk_at(&n, 0, pithp_nest_count(&n)); r.n; pithp_walk_next(&r)) {
        const int8_t *a = p->in[0] + pithp_nest_offset(&n, 0, r.idx),
                     *b = p->in[1] + pithp_nest_offset(&n, 1, r.idx);
        if (n.s[0][last] != 0)
            run(g, a, b, n.s[1][last], r.n, p->out + r.at);
        for (int64_t i = 0; i < r.n && n.s[0][last] == 0; i++)
            run(g, a, b + i * n.s[1][last], 0, 1, p->out + r.at + i);
    }
}
