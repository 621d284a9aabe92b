/* Third pass of planning: when each piece of memory is in use, and where it lies in the one arena. */
#include "graph/graph.h"

#define ALIGN 64

int pithp_plan_block(pith_plan *p, size_t bytes, int from, int to)
{
    size_t cap = (size_t)p->cap_blocks;
    if (!pithp_grow(p->g->ctx, &p->blocks, &cap, (size_t)p->n_blocks, sizeof *p->blocks))
        return -1;
    p->cap_blocks = (int)cap;
    p->blocks[p->n_blocks] =
        (pithp_block){ .bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN, .from = from, .to = to };
    return p->n_blocks++;
}

static void extend(pith_plan *p, int block, int time)
{
    if (block >= 0 && p->blocks[block].to < time)
        p->blocks[block].to = time;
}

static int root(const pith_plan *p, int v)
{
    while (p->values[v].mem == PITHP_MEM_ALIAS)
        v = p->values[v].alias;
    return v;
}

static size_t value_bytes(const pithp_value *v)
{
    return (size_t)pithp_count(v->shape) * pithp_dtype_size(v->dtype);
}

/* Blocks of values: from the step that computes them to the last that reads them, forwards or backwards. */
static bool value_blocks(pith_plan *p)
{
    int end = pithp_time_end(p);
    for (int i = 0; i < p->n_values; i++) {
        pithp_value *v = &p->values[i];
        if (v->mem != PITHP_MEM_ARENA)
            continue;
        bool always =
            v->t->kind == PITHP_NODE_INPUT || v->constant; /* the latter stands there from run to run */
        v->block = pithp_plan_block(p, value_bytes(v), always ? -1 : v->step, always ? end : v->step);
        if (v->block < 0)
            return false;
    }
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i].target)
            extend(p, p->values[root(p, i)].block, end);
    for (int s = 0; s < p->n_steps; s++) {
        const pithp_step *st = &p->steps[s];
        for (int i = 0; i < st->n_in; i++) {
            if (st->in[i] < 0)
                continue;
            bool back = st->back && (st->op->reads & PITH_READS_IN(i));
            extend(p, p->values[root(p, st->in[i])].block, back ? pithp_time_back(p, s) : s);
        }
        if (st->back && (st->op->reads & PITH_READS_OUT))
            extend(p, p->values[root(p, st->out)].block, pithp_time_back(p, s));
    }
    return true;
}

/* Blocks of gradients: from the first step that writes one to the backward of the step that computed the value.
   Walking down in time, a shared gradient's block already exists when its second owner comes. */
static bool grad_blocks(pith_plan *p)
{
    if (p->loss < 0)
        return true;
    int end = pithp_time_end(p);
    pithp_value *loss = &p->values[p->loss];
    loss->grad_block = pithp_plan_block(p, sizeof(pith_real), p->n_steps, end);
    if (loss->grad_block < 0)
        return false;
    for (int s = p->n_steps; s-- > 0;) {
        const pithp_step *st = &p->steps[s];
        int now = pithp_time_back(p, s);
        if (!st->back)
            continue;
        extend(p, p->values[st->out].grad_block, now);
        for (int i = 0; i < st->n_in; i++) {
            if (st->in[i] < 0 || (st->op->no_grad & (1u << i)))
                continue;
            pithp_value *in = &p->values[st->in[i]];
            if (!in->need_grad || in->mem == PITHP_MEM_LEAF)
                continue;
            if (st->grad_shared[i])
                in->grad_block = p->values[st->out].grad_block;
            else if (in->grad_block < 0)
                in->grad_block =
                    pithp_plan_block(p, (size_t)pithp_count(in->shape) * sizeof(pith_real), now, now);
            if (in->grad_block < 0)
                return false;
            extend(p, in->grad_block, in->target ? end : now);
        }
    }
    return true;
}

static bool work_blocks(pith_plan *p)
{
    for (int s = 0; s < p->n_steps; s++) {
        pithp_step *st = &p->steps[s];
        int back = pithp_time_back(p, s), until = st->back ? back : s;
        const pithp_value *out = &p->values[root(p, st->out)];
        if (p->values[st->out].raw &&
            out->block >= 0) /* whoever loads the value normalises by the step's aux */
            until = PITHP_MAX(until, p->blocks[out->block].to);
        if (st->aux > 0 && (st->aux_block = pithp_plan_block(p, st->aux, s, until)) < 0)
            return false;
        if (st->scratch > 0 && (st->scratch_block = pithp_plan_block(p, st->scratch, s, s)) < 0)
            return false;
        if (st->keep > 0 && (st->keep_block = pithp_plan_block(p, st->keep, -1, pithp_time_end(p))) < 0)
            return false;
        if (st->back && st->scratch_back > 0 &&
            (st->back_scratch_block = pithp_plan_block(p, st->scratch_back, back, back)) < 0)
            return false;
    }
    return true;
}

pith_status pithp_plan_layout(pith_plan *p)
{
    pith_ctx *c = p->g->ctx;
    if (!value_blocks(p) || !grad_blocks(p) || !work_blocks(p) ||
        pithp_blocks_place(c, p->blocks, p->n_blocks, &p->arena_bytes))
        return c->status;
    p->arena = pithp_alloc(c, p->arena_bytes ? p->arena_bytes : 1, 1);
    return p->arena == NULL ? c->status : PITH_OK;
}
