/* Second pass of planning: which values get a gradient, which step writes it first, and which gradients share memory. */
#include "graph/graph.h"

static bool wants_grad(const pithp_step *s, int i) { return s->in[i] >= 0 && !(s->op->no_grad & (1u << i)); }

/* A value can need a gradient if a trainable leaf lies below it ... */
static void spread_up(pith_plan *p)
{
    for (int v = 0; v < p->n_values; v++) {
        const pith_tensor *t = p->values[v].t;
        p->values[v].need_grad = (t->kind == PITHP_NODE_PARAM && !t->frozen) || t->require_grad;
    }
    for (int s = 0; s < p->n_steps; s++) {
        pithp_step *st = &p->steps[s];
        for (int i = 0; i < st->n_in && st->op->backward != NULL; i++)
            if (wants_grad(st, i) && p->values[st->in[i]].need_grad)
                st->back = true;
        p->values[st->out].need_grad = st->back;
    }
}

/* ... and does need it if the loss lies above it. */
static void cut_down(pith_plan *p, bool *reached)
{
    reached[p->loss] = true;
    for (int s = p->n_steps; s-- > 0;) {
        pithp_step *st = &p->steps[s];
        st->back = st->back && reached[st->out];
        for (int i = 0; i < st->n_in && st->back; i++)
            if (wants_grad(st, i) && p->values[st->in[i]].need_grad)
                reached[st->in[i]] = true;
        p->n_back += st->back;
    }
    for (int v = 0; v < p->n_values; v++)
        p->values[v].need_grad = p->values[v].need_grad && reached[v];
}

static bool twice(const pithp_step *s, int i)
{
    for (int j = 0; j < s->n_in; j++)
        if (j != i && s->in[j] == s->in[i])
            return true;
    return false;
}

/* dL/din(i) may live in dL/dout's memory if the op says they are equal, this is the first gradient that in(i) gets, and
   nobody wants to read dL/dout later: what follows only adds to in(i)'s gradient, after this step. */
static bool may_share(const pith_plan *p, const pithp_step *s, int i)
{
    const pithp_value *in = &p->values[s->in[i]], *out = &p->values[s->out];
    return s->op->grad_alias == i + 1 && in->mem != PITHP_MEM_LEAF && !in->target && !out->target &&
           !twice(s, i) && pithp_count(in->shape) == pithp_count(out->shape);
}

static void choose_writers(pith_plan *p, bool *written)
{
    for (int s = p->n_steps; s-- > 0;) {
        pithp_step *st = &p->steps[s];
        for (int i = 0; i < st->n_in && st->back; i++) {
            if (!wants_grad(st, i) || !p->values[st->in[i]].need_grad)
                continue;
            pithp_value *in = &p->values[st->in[i]];
            bool leaf = in->mem == PITHP_MEM_LEAF; /* their gradients add up over runs */
            st->grad_add[i] = leaf || written[st->in[i]];
            if (!st->grad_add[i] && may_share(p, st, i)) {
                st->grad_shared[i] = true;
                in->grad_alias = st->out;
            }
            written[st->in[i]] = true;
        }
    }
}

pith_status pithp_plan_autograd(pith_plan *p)
{
    if (p->loss < 0)
        return PITH_OK;
    pith_ctx *c = p->g->ctx;
    bool *flags = PITHP_NEW_N(c, bool, 2 * (size_t)p->n_values);
    if (flags == NULL)
        return PITH_ENOMEM;
    spread_up(p);
    cut_down(p, flags);
    choose_writers(p, flags + p->n_values);
    pithp_free(c, flags);
    return PITH_OK;
}
