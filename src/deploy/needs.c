/* deploy/needs.c: what a model needs as int8 on a microcontroller. A float model is quantized on a copy with ranges out of the
   air, since sizes do not depend on them. */
#include "compress/quant/improve.h"
#include "deploy/c/export.h"
#include "deploy/runner.h"
#include "ops/integer.h"

struct pith_needs_plan {
    pithp_obj obj;
    pith_ctx *c;
    pith_model *sketch; /* NULL: none was needed */
    const pithp_qgraph *g;
    pithp_qgraph *own; /* g where it is ours */
    int *last;         /* [tensors] op that reads it last; n_nodes: an output */
    size_t *offset;    /* [tensors] in the arena: two at one place are one, replaced */
};

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_needs_plan *p = (pith_needs_plan *)o;
    pithp_free(c, p->last);
    pithp_free(c, p->offset);
    pithp_qgraph_free(p->own);
    pith_model_free(p->sketch);
    pithp_free(c, p);
}

void pith_needs_free(pith_needs_plan *p)
{
    if (p)
        pithp_destroy(p->c, &p->obj);
}

static pith_needs_plan *new_plan(pith_ctx *c)
{
    pith_needs_plan *p = c->status ? NULL : PITHP_NEW(c, pith_needs_plan);
    if (p) {
        p->c = c;
        p->obj.destroy =
            destroy; /* owned when all it holds has been made: it is destroyed before them then */
    }
    return p;
}

/* Ranges as wide as they need not be: every factor is then below 1, and every op's checks are met. */
static void make_up_ranges(const pith_model *m)
{
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        if (!pithp_is_fake_quant(t) || !pithp_fq_of_activation(t))
            continue;
        pith_real *scale = t->in[PITHP_FQ_SCALE]->value;
        if (scale && scale[0] == 0)
            scale[0] = 1;
    }
}

static pith_status sketch(pith_needs_plan *p, const pith_model *m)
{
    pith_quant_cfg cfg = { 0 };
    pith_status s = pithp_quant_begin(m, &cfg);
    p->sketch = s ? NULL : pithp_fold_model(m);
    if (!p->sketch || (s = pithp_quant_insert(p->sketch, &cfg, false)))
        return p->c->status;
    make_up_ranges(p->sketch);
    if (!pithp_quant_weights(p->sketch))
        p->g = p->own = pithp_lower_model(p->sketch);
    return p->c->status;
}

static pith_status survey(pith_needs_plan *p, pith_needs *total)
{
    const pithp_qgraph *g = p->g;
    pithp_c_needs need = { 0 };
    p->last = PITHP_NEW_N(p->c, int, g->n_tensors + 1);
    p->offset = PITHP_NEW_N(p->c, size_t, g->n_tensors + 1);
    size_t arena;
    pith_status s = p->last && p->offset ? pithp_c_plan(g, &need) : PITH_ENOMEM;
    if (!s)
        s = pithp_qlayout(g, 4, 0, NULL, p->offset, NULL, &arena);
    if (s)
        return s;
    for (int t = 0; t < g->n_tensors; t++)
        p->last[t] = g->tensors[t]->node;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            p->last[g->nodes[i]->in[k]] = i;
    for (int i = 0; i < g->n_outputs; i++)
        p->last[g->outputs[i]] = g->n_nodes;
    *total = (pith_needs){
        .flash = (int64_t)need.flash, .ram = (int64_t)need.ram, .macs = need.macs, .ops = g->n_nodes
    };
    pithp_own(p->c, &p->obj, destroy);
    return PITH_OK;
}

pith_needs_plan *pith_needs_of_model(const pith_model *m, pith_needs *total)
{
    pith_needs_plan *p = m ? new_plan(m->ctx) : NULL;
    *total = (pith_needs){ 0 };
    if (!p)
        return NULL;
    pith_status s = PITH_OK;
    if (pithp_model_quantized(m))
        p->g = p->own = pithp_lower_model(m);
    else
        s = sketch(p, m);
    if (p->g && !s && !survey(p, total))
        return p;
    pith_needs_free(p);
    return NULL;
}

pith_needs_plan *pith_needs_of_runner(const pith_runner *r, pith_needs *total)
{
    if (!r->g)
        return pith_needs_of_model(r->m, total);
    pith_needs_plan *p = new_plan(r->c);
    *total = (pith_needs){ 0 };
    if (!p)
        return NULL;
    p->g = r->g;
    if (!survey(p, total))
        return p;
    pith_needs_free(p);
    return NULL;
}

static int64_t bytes_of(const pithp_qtensor *t)
{
    return pithp_count(t->shape) * (int64_t)pithp_dtype_size(t->dtype);
}

static bool alive(const pith_needs_plan *p, int t, int i)
{
    const pithp_qtensor *x = p->g->tensors[t];
    return !x->data && x->node <= i && p->last[t] >= i;
}

/* Another tensor that is alive lies where t does: the op works in place. */
static bool replaced(const pith_needs_plan *p, int t, int i)
{
    for (int u = t + 1; u < p->g->n_tensors; u++)
        if (alive(p, u, i) && p->offset[u] == p->offset[t])
            return true;
    return false;
}

bool pith_needs_op(const pith_needs_plan *p, int i, pith_need *n)
{
    const pithp_qgraph *g = p->g;
    if (i < 0 || i >= g->n_nodes)
        return false;
    const pithp_qnode *node = g->nodes[i];
    *n = (pith_need){ .name = node->name, .op = node->op->name, .out = pithp_q_out(g, node)->shape };
    n->macs = node->op->macs ? node->op->macs(g, node) : 0;
    for (int k = 0; k < node->n_in; k++)
        if (pithp_q_in(g, node, k)->data)
            n->flash += bytes_of(pithp_q_in(g, node, k));
    for (int t = 0; t < g->n_tensors; t++)
        if (alive(p, t, i) && !replaced(p, t, i))
            n->ram += bytes_of(g->tensors[t]);
    return true;
}

/* Op that writes over t; past the last where none does. */
static int overwritten(const pith_needs_plan *p, int t)
{
    for (int u = t + 1; u < p->g->n_tensors; u++) {
        const pithp_qtensor *x = p->g->tensors[u];
        if (!x->data && x->node <= p->last[t] && p->offset[u] == p->offset[t])
            return x->node;
    }
    return p->g->n_nodes + 1;
}

bool pith_needs_tensor(const pith_needs_plan *p, int i, pith_need_tensor *n)
{
    for (int t = 0; i >= 0 && t < p->g->n_tensors; t++) {
        const pithp_qtensor *x = p->g->tensors[t];
        if (x->data || i-- > 0)
            continue;
        *n = (pith_need_tensor){ .name = x->name,
                                 .shape = x->shape,
                                 .bytes = bytes_of(x),
                                 .offset = (int64_t)p->offset[t],
                                 .from_op = x->node,
                                 .to_op = PITHP_MIN(p->last[t], overwritten(p, t) - 1) };
        return true;
    }
    return false;
}
