/* compress/quant/fold.c: batch norms behind convolutions become part of them, exactly: w' = w gamma/sigma,
   b' = beta + (b - running_mean) gamma/sigma. What the network computes in inference stays, but for rounding: the
   factor is rounded first, as fold_weight does while a network trains (deploy/fold.c rounds once). */
#include "compress/quant/quant.h"
#include "ops/table.h"

#include <math.h>
#include <string.h>

const pith_tensor **pithp_quant_users(const pith_model *m)
{
    const pithp_graph *g = m->g;
    const pith_tensor **users = PITHP_NEW_N(m->ctx, const pith_tensor *, g->n);
    int *count = PITHP_NEW_N(m->ctx, int, g->n);
    uint8_t *marks = PITHP_NEW_N(m->ctx, uint8_t, g->n);
    bool ok = users != NULL && count != NULL && marks != NULL;
    if (ok)
        pithp_model_mark(m, marks);
    for (size_t id = 0; ok && id < g->n; id++)
        for (int i = 0; marks[id] && i < g->nodes[id]->n_in; i++) {
            const pith_tensor *in = g->nodes[id]->in[i];
            if (in != NULL)
                users[in->id] = ++count[in->id] == 1 && in != m->output ? g->nodes[id] : NULL;
        }
    pithp_free(m->ctx, count);
    pithp_free(m->ctx, marks);
    if (ok)
        return users;
    pithp_free(m->ctx, users);
    return NULL;
}

const pith_tensor *pithp_quant_joined(const pith_tensor *t, const pith_tensor *const *users)
{
    const pith_tensor *u = users[t->id];
    const pithp_integer *n = t->op != NULL ? t->op->integer : NULL;
    if (u == NULL || u->op == NULL || u->in[0] != t || n == NULL)
        return NULL;
    if (u->op == &pithp_op_batch_norm)
        return n->folds ? u : NULL;
    if (u->op->integer == NULL || u->op->integer->kind != PITHP_INT_CLAMP)
        return NULL;
    bool normed = t->op == &pithp_op_batch_norm && pithp_quant_joined(t->in[0], users) == t;
    return n->clamps || normed ? u : NULL;
}

bool pithp_norm_known(const pith_tensor *bn)
{
    const pith_tensor *conv = bn->in[0], *b = conv->n_in > 2 ? conv->in[2] : NULL;
    bool known = b == NULL || b->value != NULL;
    for (int i = 1; i <= 4; i++)
        known = known && bn->in[i]->value != NULL;
    if (!known)
        pithp_error(bn->g->ctx, PITH_EINVAL,
                    "layer '%s': numbers of its batch norm or its bias are computed by an op, so batch norm "
                    "cannot be folded into its weights",
                    pith_name(conv));
    return known;
}

/* ---- The pass ---- */
typedef struct {
    const pith_tensor **users;
} pass;

static pith_tensor *folded_weight(pithp_rewrite *r, const pith_tensor *conv, const pith_real *scale)
{
    const pith_tensor *w = conv->in[1];
    int64_t n = pithp_count(w->shape), axis = conv->op->integer->axis, c = w->shape.d[axis];
    pith_tensor *to = r->map[w->id];
    if (w->kind != PITHP_NODE_PARAM || r->uses[w->id] > 1) {
        pithp_error(r->from->ctx, PITH_EINVAL,
                    "layer '%s': its weights are %s, so batch norm cannot be folded into them",
                    pith_name(conv),
                    w->kind == PITHP_NODE_PARAM ? "another layer's too" : "computed by an op");
        return NULL;
    }
    pith_real *v = PITHP_NEW_N(r->from->ctx, pith_real, n);
    if (v == NULL)
        return NULL;
    for (int64_t i = 0; i < n; i++)
        v[i] = ((const pith_real *)w->value)[i] * scale[axis == 0 ? i / (n / c) : i % c];
    bool ok = pithp_rewrite_fill(r, to, v);
    pithp_free(r->from->ctx, v);
    return ok ? to : NULL;
}

/* The convolution that stands for batch norm t and the one before it. */
static pith_tensor *fold_one(pithp_rewrite *r, const pith_tensor *t)
{
    const pith_tensor *conv = t->in[0], *b = conv->n_in > 2 ? conv->in[2] : NULL;
    pith_ctx *c = r->from->ctx;
    int64_t k = pithp_count(t->in[1]->shape);
    if (!pithp_norm_known(t))
        return NULL;
    pith_real *scale = PITHP_NEW_N(c, pith_real, 2 * k), *shift = scale + k;
    char *name = pithp_sprintf(c, "%s.bias", pith_name(conv));
    pith_tensor *w = NULL, *bias = NULL;
    if (scale != NULL && name != NULL) {
        const pith_real *gamma = t->in[1]->value, *var = t->in[4]->value;
        double eps = ((const pithp_bn_attr *)t->attr)->eps;
        pithp_folded_bias(eps, gamma, t->in[2]->value, t->in[3]->value, var, k, shift);
        for (int64_t i = 0; i < k; i++) {
            scale[i] = (pith_real)((double)gamma[i] / sqrt((double)var[i] + eps));
            shift[i] += b != NULL ? ((const pith_real *)b->value)[i] * scale[i] : 0;
        }
        w = folded_weight(r, conv, scale);
    }
    if (w != NULL)
        bias = pithp_rewrite_param(r, name, PITH_SHAPE(k), shift, false);
    pithp_free(c, scale);
    pithp_free(c, name);
    if (bias == NULL)
        return NULL;
    pith_tensor *in[] = { r->map[conv->id], w, bias }; /* the convolution waits at its input */
    return pith_op_apply(conv->op, conv->attr, conv->name, 3, in);
}

static pith_tensor *fold_node(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const pass *p = user;
    const pith_tensor *next = pithp_quant_joined(t, p->users);
    if (next != NULL && next->op == &pithp_op_batch_norm)
        return r->map[t->in[0]->id];
    bool norm =
        t->op == &pithp_op_batch_norm && t->in[0]->op != NULL && pithp_quant_joined(t->in[0], p->users) == t;
    return norm ? fold_one(r, t) : pithp_rewrite_copy(r, t);
}

pith_model *pithp_fold_model(const pith_model *m)
{
    pass p = { pithp_quant_users(m) };
    pith_model *n = p.users == NULL ? NULL : pithp_model_map(m, fold_node, &p);
    pithp_free(m->ctx, p.users);
    pith_model *lean = n == NULL ? NULL : pith_model_clone(n); /* without the batch norms' parameters */
    pith_model_free(n);
    return lean;
}
