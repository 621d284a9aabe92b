/* First pass of planning: which nodes the targets need, which of them fuse, and the list of steps that results. */
#include "graph/graph.h"

#include <string.h>

typedef struct {
    pith_plan *p;
    uint8_t *needed, *pinned, *absorbed; /* [node id] */
    int *uses;                           /* [node id] consumers among the needed nodes */
    pithp_fused *fused;                  /* [node id] op NULL: not fused */
    size_t n;
} collect;

static void mark(collect *k, pith_tensor *const *targets, int n_targets)
{
    pithp_graph *g = k->p->g;
    for (int i = 0; i < n_targets; i++) {
        k->needed[targets[i]->id] = 1;
        k->pinned[targets[i]->id] = 1;
    }
    for (size_t id = k->n; id-- > 0;) { /* operands have smaller ids: one sweep downwards reaches all */
        const pith_tensor *t = g->nodes[id];
        if (!k->needed[id])
            continue;
        if (t->keep)
            k->pinned[id] = 1;
        for (int i = 0; i < t->n_in; i++) {
            if (t->in[i] == NULL)
                continue;
            k->needed[t->in[i]->id] = 1;
            k->uses[t->in[i]->id]++;
        }
    }
}

static bool single_use(void *arg, const pith_tensor *x)
{
    const collect *k = arg;
    return x->kind == PITHP_NODE_OP && k->uses[x->id] == 1 && !k->pinned[x->id] && !k->absorbed[x->id];
}

static void fuse(collect *k)
{
    pithp_graph *g = k->p->g;
    for (size_t id = k->n; id-- > 0;) {
        const pith_tensor *t = g->nodes[id];
        if (!k->needed[id] || k->absorbed[id] || t->kind != PITHP_NODE_OP)
            continue;
        for (size_t r = 0; r < pithp_fuse_rules_n; r++) {
            pithp_fused f = { .train = k->p->cfg.train };
            if (!pithp_fuse_rules[r](t, single_use, k, &f))
                continue;
            for (int i = 0; i < f.n_absorbed; i++)
                k->absorbed[f.absorbed[i]->id] = 1;
            k->fused[id] = f;
            break;
        }
    }
}

static bool add_value(pith_plan *p, pith_tensor *t, bool pinned)
{
    pithp_value *v = &p->values[p->n_values];
    *v = (pithp_value){ .t = t,
                        .shape = t->shape,
                        .dtype = t->dtype,
                        .alias = -1,
                        .block = -1,
                        .grad_block = -1,
                        .grad_alias = -1,
                        .step = -1,
                        .target = pinned };
    v->mem = t->kind == PITHP_NODE_OP || t->kind == PITHP_NODE_INPUT ? PITHP_MEM_ARENA : PITHP_MEM_LEAF;
    v->batched = t->kind == PITHP_NODE_INPUT;
    v->constant = p->cfg.constant && !p->cfg.train && v->mem == PITHP_MEM_LEAF;
    p->value_of[t->id] = p->n_values++;
    if (v->mem == PITHP_MEM_LEAF && t->value == NULL) {
        pithp_error(p->g->ctx, PITH_EBUG, "plan: leaf '%s' has no storage", pith_name(t));
        return false;
    }
    return true;
}

/* Appends the step that computes t, alone or fused. */
static bool add_step(pith_plan *p, const pith_tensor *t, const pithp_fused *f)
{
    pithp_step *s = &p->steps[p->n_steps];
    bool fused = f->op != NULL;
    *s = (pithp_step){ .op = fused ? f->op : t->op,
                       .t = t,
                       .n_in = fused ? f->n_in : t->n_in,
                       .aux_block = -1,
                       .scratch_block = -1,
                       .back_scratch_block = -1,
                       .keep_block = -1 };
    if (s->op->attr_size > 0) { /* copied: a fused node's attributes exist nowhere else */
        s->attr = pithp_alloc(p->g->ctx, 1, s->op->attr_size);
        if (s->attr == NULL)
            return false;
        memcpy(s->attr, fused ? f->attr.bytes : t->attr, s->op->attr_size);
    }
    s->out = p->value_of[t->id];
    p->values[s->out].step = p->n_steps;
    p->values[s->out].constant = p->cfg.constant && !p->cfg.train && s->n_in > 0;
    for (int i = 0; i < s->n_in; i++) {
        const pith_tensor *in = fused ? f->in[i] : t->in[i];
        s->in[i] = in == NULL ? -1 : p->value_of[in->id];
        if (in == NULL)
            continue;
        p->values[s->in[i]].uses++;
        if (p->values[s->in[i]].batched)
            p->values[s->out].batched = true;
        if (!p->values[s->in[i]].constant)
            p->values[s->out].constant = false;
    }
    if (s->op->alias > 0) {
        p->values[s->out].mem = PITHP_MEM_ALIAS;
        p->values[s->out].alias = s->in[s->op->alias - 1];
    }
    p->n_steps++;
    return true;
}

static bool build(collect *k)
{
    pith_plan *p = k->p;
    pith_ctx *c = p->g->ctx;
    size_t n_values = 0, n_steps = 0;
    for (size_t id = 0; id < k->n; id++) {
        if (!k->needed[id] || k->absorbed[id])
            continue;
        n_values++;
        n_steps += p->g->nodes[id]->kind == PITHP_NODE_OP;
    }
    p->values = PITHP_NEW_N(c, pithp_value, n_values);
    p->steps = PITHP_NEW_N(c, pithp_step, n_steps + 1);
    p->value_of = PITHP_NEW_N(c, int, k->n);
    if (p->values == NULL || p->steps == NULL || p->value_of == NULL)
        return false;
    p->n_value_of = (int)k->n;
    for (size_t id = 0; id < k->n; id++)
        p->value_of[id] = -1;
    for (size_t id = 0; id < k->n; id++) {
        pith_tensor *t = p->g->nodes[id];
        if (!k->needed[id] || k->absorbed[id])
            continue;
        if (!add_value(p, t, k->pinned[id]))
            return false;
        if (t->kind == PITHP_NODE_OP && !add_step(p, t, &k->fused[id]))
            return false;
    }
    return true;
}

pith_status pithp_plan_collect(pith_plan *p, pith_tensor *const *targets, int n)
{
    pith_ctx *c = p->g->ctx;
    collect k = { .p = p, .n = p->g->n };
    k.needed = pithp_alloc(c, k.n, 3);
    k.uses = PITHP_NEW_N(c, int, k.n);
    k.fused = PITHP_NEW_N(c, pithp_fused, k.n);
    bool ok = k.needed != NULL && k.uses != NULL && k.fused != NULL;
    if (ok) {
        k.pinned = k.needed + k.n;
        k.absorbed = k.pinned + k.n;
        mark(&k, targets, n);
        if (!p->cfg.no_fuse)
            fuse(&k);
        ok = build(&k);
    }
    pithp_free(c, k.needed);
    pithp_free(c, k.uses);
    pithp_free(c, k.fused);
    return ok ? PITH_OK : c->status;
}
