/* compress/pack/half.c: what stands beside the weights of the layers, in half its bytes. */
#include "compress/quant/quant.h"
#include "ops/table.h"

#include <math.h>
#include <pith/pack.h>

static int64_t store(pith_real *v, double x)
{
    const pith_real now = (pith_real)x;
    const bool other = now != *v;
    *v = now;
    return other;
}

/* A batch norm that training is done with is a factor and a term a channel: mean 0 and variance 1 then need no bytes. Left as
   it is where others read its vectors, too. */
static int64_t settle(const pith_tensor *t, const pith_tensor *const *users)
{
    for (int i = 1; i <= 4; i++)
        if (users[t->in[i]->id] != t || t->in[i]->value == NULL)
            return 0;
    pith_real *gamma = t->in[1]->value, *beta = t->in[2]->value, *mean = t->in[3]->value,
              *var = t->in[4]->value;
    const double eps = ((const pithp_bn_attr *)t->attr)->eps;
    int64_t changed = 0;
    for (int64_t i = 0; i < pithp_count(t->in[1]->shape); i++) {
        const double factor = (double)gamma[i] / sqrt((double)var[i] + eps);
        changed += store(&beta[i], (double)beta[i] - (double)mean[i] * factor);
        if (var[i] != 1)
            changed += store(&gamma[i], factor * sqrt(1 + eps));
        changed += store(&mean[i], 0);
        changed += store(&var[i], 1);
    }
    return changed;
}

/* What float16 cannot hold (from 65520 on) stays. */
static int64_t round_all(pith_real *v, int64_t n)
{
    int64_t changed = 0;
    for (int64_t i = 0; i < n; i++) {
        const float half = pithp_half_to(pithp_half_from((float)v[i]));
        if (isfinite(half))
            changed += store(&v[i], (double)half);
    }
    return changed;
}

int64_t pith_model_round_half(pith_model *m)
{
    int64_t changed = 0;
    const pith_tensor **users = pithp_quant_users(m);
    if (users == NULL)
        return 0;
    for (size_t i = 0; i < m->g->n; i++)
        if (m->g->nodes[i]->op == &pithp_op_batch_norm)
            changed += settle(m->g->nodes[i], users);
    pithp_free(m->ctx, users);
    for (int i = 0; i < m->n_param_nodes; i++) {
        const pith_tensor *t = m->params[i];
        if (t->shape.ndim <= 1 && !t->positive) /* a learned scale is one */
            changed += round_all(t->value, pithp_count(t->shape));
    }
    return changed;
}
