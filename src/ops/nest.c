/* ops/nest.c: loop nests over row-major tensors. */
#include "ops/nest.h"
#include <string.h>

void pithp_strides(pith_shape x, int64_t s[PITH_MAX_DIMS])
{
    int64_t step = 1;
    for (int i = x.ndim - 1; i >= 0; i--) {
        s[i] = step;
        step *= x.d[i];
    }
}

static void copy_dim(pithp_nest *n, int to, int from)
{
    n->d[to] = n->d[from];
    for (int set = 0; set < 3; set++)
        n->s[set][to] = n->s[set][from];
}

/* Dimension i is the continuation of i - 1 in all the tensors. */
static bool joins(const pithp_nest *n, int outer, int i)
{
    for (int set = 0; set < 3; set++)
        if (n->s[set][outer] != n->s[set][i] * n->d[i])
            return false;
    return true;
}

void pithp_nest_merge(pithp_nest *n)
{
    int nd = 0;
    for (int i = 0; i < n->nd; i++) {
        if (n->d[i] == 1)
            continue;
        if (nd && joins(n, nd - 1, i)) {
            int64_t outer = n->d[nd - 1];
            copy_dim(n, nd - 1, i);
            n->d[nd - 1] *= outer;
        } else {
            copy_dim(n, nd++, i);
        }
    }
    if (!nd) { /* one element */
        n->d[0] = 1;
        n->s[0][0] = n->s[1][0] = n->s[2][0] = 1;
        nd = 1;
    }
    n->nd = nd;
}

int64_t pithp_nest_count(const pithp_nest *n)
{
    int64_t count = 1;
    for (int i = 0; i < n->nd; i++)
        count *= n->d[i];
    return count;
}

static void set_length(pithp_walk *r)
{
    int last = r->nest->nd - 1;
    r->n = PITHP_MIN(r->nest->d[last] - r->idx[last], r->end - r->at);
}

pithp_walk pithp_walk_at(const pithp_nest *nest, int64_t from, int64_t to)
{
    pithp_walk r = { .nest = nest, .at = from, .end = to };
    int64_t rest = from;
    for (int i = nest->nd - 1; i >= 0; i--) {
        r.idx[i] = rest % nest->d[i];
        rest /= nest->d[i];
    }
    set_length(&r);
    return r;
}

void pithp_walk_next(pithp_walk *r)
{
    int i = r->nest->nd - 1;
    r->at += r->n;
    r->idx[i] += r->n;
    while (i > 0 && r->idx[i] == r->nest->d[i]) {
        r->idx[i] = 0;
        r->idx[--i]++;
    }
    set_length(r);
}

static void move_one(const pithp_move *m, const pith_real *src, int64_t ss, pith_real *dst, int64_t ds,
                     int64_t n)
{
    pith_real f = m->factor;
    if (ss == 1 && ds == 1) {
        if (m->add)
            m->kern->axpy(f, src, n, dst);
        else if (f == 1)
            memcpy(dst, src, (size_t)n * sizeof *dst);
        else
            m->kern->unary(PITHP_U_SCALE, src, n, f, 0, dst);
    } else if (m->add) {
        for (int64_t j = 0; j < n; j++)
            dst[j * ds] += f * src[j * ss];
    } else {
        for (int64_t j = 0; j < n; j++)
            dst[j * ds] = f * src[j * ss];
    }
}

static void move_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const pithp_move *m = arg;
    const pithp_nest *n = &m->nest;
    int64_t from = tile * PITHP_NEST_TILE, to = PITHP_MIN(from + PITHP_NEST_TILE, pithp_nest_count(n));
    for (pithp_walk r = pithp_walk_at(n, from, to); r.n; pithp_walk_next(&r))
        move_one(m, m->src + pithp_nest_offset(n, 0, r.idx), n->s[0][n->nd - 1],
                 m->dst + pithp_nest_offset(n, 1, r.idx), n->s[1][n->nd - 1], r.n);
}

void pithp_move_run(const pith_call *k, pithp_move *m)
{
    pithp_nest_merge(&m->nest);
    m->kern = ((const pithp_env *)k->env)->k;
    int64_t count = pithp_nest_count(&m->nest);
    pith_op_parallel(k, (count + PITHP_NEST_TILE - 1) / PITHP_NEST_TILE, move_tile, m);
}
