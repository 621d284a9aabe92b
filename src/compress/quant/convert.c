/* compress/quant/convert.c: a network quantized while training becomes what one quantized afterwards is: batch norms in weights
   and biases, weights that are codes times scales. Its integers stay as they are, to the last bit: weights are the values that
   their fake_quant nodes give, biases those that the lowering takes. */
#include "compress/quant/quant.h"
#include "ops/fake_quant.h"
#include "ops/table.h"

#include <string.h>

typedef struct {
    const pith_tensor **users;
    const pith_tensor *
        *quant; /* [nodes] of a weight that can be replaced: the fake_quant node that alone reads it */
} pass;

/* The weight that fake_quant node f quantizes, as it is or times a batch norm's scale; NULL: it is computed some other way. */
static const pith_tensor *weight_of(const pith_tensor *f)
{
    const pith_tensor *w = f->in[PITHP_FQ_X];
    if (w->op == &pithp_op_fold_weight)
        w = w->in[0];
    return w->kind == PITHP_NODE_PARAM && pithp_shape_eq(w->shape, f->shape) ? w : NULL;
}

static bool of_weights(const pith_tensor *t)
{
    return pithp_is_fake_quant(t) && !((const pithp_fq_attr *)t->attr)->samples;
}

/* Whether weight w goes nowhere but into f. */
static bool alone(const pass *p, const pith_tensor *w, const pith_tensor *f)
{
    const pith_tensor *u = p->users[w->id];
    if (u != NULL && u->op == &pithp_op_fold_weight)
        u = p->users[u->id];
    return u == f;
}

static void find_weights(const pass *p, const pith_model *m, const uint8_t *marks)
{
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *f = m->g->nodes[i];
        const pith_tensor *w = marks[i] && of_weights(f) ? weight_of(f) : NULL;
        if (w != NULL && alone(p, w, f))
            p->quant[w->id] = f;
    }
}

/* Whether t is a convolution of such weights whose only reader is its batch norm. */
static const pith_tensor *norm_of(const pass *p, const pith_tensor *t)
{
    const pith_tensor *u = t->op != NULL ? p->users[t->id] : NULL;
    if (u == NULL || u->op != &pithp_op_folded_batch_norm || u->in[0] != t || t->n_in != 2 ||
        t->in[1] == NULL || !of_weights(t->in[1]))
        return NULL;
    const pith_tensor *w = weight_of(t->in[1]);
    return w != NULL && p->quant[w->id] == t->in[1] ? u : NULL;
}

static pith_tensor *codes(pithp_rewrite *r, const pith_tensor *w, const pith_tensor *f)
{
    pith_real *v = pithp_fq_weight_values(r->from->ctx, f);
    pith_tensor *t = v == NULL ? NULL : pithp_rewrite_leaf(r, w, w->shape, v, w->mask);
    pithp_free(r->from->ctx, v);
    return t;
}

/* The convolution that stands for batch norm t and the one before it. */
static pith_tensor *biased(pithp_rewrite *r, const pith_tensor *t)
{
    const pith_tensor *conv = t->in[0];
    pith_ctx *c = r->from->ctx;
    const int64_t k = pithp_count(t->in[1]->shape);
    if (!pithp_norm_known(t))
        return NULL;
    pith_real *bias = PITHP_NEW_N(c, pith_real, k);
    char *name = pithp_sprintf(c, "%s.bias", pith_name(conv));
    pith_tensor *y = NULL;
    if (bias != NULL && name != NULL) {
        pithp_folded_bias(((const pithp_folded_attr *)t->attr)->eps, t->in[1]->value, t->in[2]->value,
                          t->in[3]->value, t->in[4]->value, k, bias);
        pith_tensor *in[] = { r->map[conv->id], r->map[conv->in[1]->id],
                              pithp_rewrite_param(r, name, PITH_SHAPE(k), bias, false) };
        y = pith_op_apply(conv->op, conv->attr, conv->name, 3, in); /* it waited at its input */
    }
    pithp_free(c, bias);
    pithp_free(c, name);
    return y;
}

static pith_tensor *convert_node(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const pass *p = user;
    if (p->quant[t->id] != NULL)
        return codes(r, t, p->quant[t->id]);
    if (t->op == &pithp_op_fold_weight && p->quant[t->in[0]->id] != NULL)
        return r->map[t->in[0]->id];
    if (norm_of(p, t) != NULL)
        return r->map[t->in[0]->id];
    const bool norm = t->op == &pithp_op_folded_batch_norm && norm_of(p, t->in[0]) == t;
    return norm ? biased(r, t) : pithp_rewrite_copy(r, t);
}

static pith_model *converted(const pith_model *m)
{
    pith_ctx *c = m->ctx;
    pass p = { pithp_quant_users(m), PITHP_NEW_N(c, const pith_tensor *, m->g->n) };
    uint8_t *marks = PITHP_NEW_N(c, uint8_t, m->g->n);
    pith_model *n = NULL;
    if (p.users != NULL && p.quant != NULL && marks != NULL) {
        pithp_model_mark(m, marks);
        find_weights(&p, m, marks);
        n = pithp_model_map(m, convert_node, &p);
    }
    pithp_free(c, p.users);
    pithp_free(c, p.quant);
    pithp_free(c, marks);
    pith_model *lean = n == NULL ? NULL : pith_model_clone(n); /* without what the batch norms had */
    pith_model_free(n);
    return lean;
}

pith_status pith_qat_convert(pith_model *m)
{
    if (m == NULL)
        return PITH_EINVAL;
    if (m->ctx->status)
        return m->ctx->status;
    if (!pithp_model_quantized(m))
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "conversion: model '%s' is not quantized; pith_qat and training, or pith_quantize, come "
            "first",
            m->name);
    pith_model *n = converted(m);
    if (n == NULL)
        return m->ctx->status;
    pithp_model_adopt(m, n);
    return PITH_OK;
}
