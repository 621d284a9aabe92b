/* Inference, sample by sample: a plan of many samples whose ops each look at one sample alone runs as plans of one sample, a
   lane for each thread. What passes from step to step then stays in a processor's own cache, and no thread waits for another
   between steps; a batch through one step after the other goes through memory each time. */
#include "graph/graph.h"

#include <string.h>

/* ---- Whether it can be done ---- */
/* Each value that depends on an input counts samples in its first dimension and nowhere else: with n samples, n and the same
   rest. */
static bool counts_samples(const pith_plan *p, const pith_shape *with_one, int64_t n)
{
    for (int v = 0; v < p->n_values; v++) {
        pith_shape s = p->values[v].shape;
        if (!p->values[v].batched)
            continue;
        if (s.ndim < 2 || s.d[0] != n || with_one[v].d[0] != 1)
            return false;
        s.d[0] = 1;
        if (!pithp_shape_eq(s, with_one[v]))
            return false;
    }
    return true;
}

static bool steps_by_sample(const pith_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        const pithp_step *s = &p->steps[i];
        if (p->values[s->out].constant)
            continue;
        if (!p->values[s->out].batched || s->op->by_sample == 0)
            return false; /* (one that no sample enters would be done again for each) */
        int many = 0, dims = 0;
        for (int k = 0; k < s->n_in; k++) {
            if (s->in[k] < 0 || !p->values[s->in[k]].batched)
                continue;
            if (!(s->op->by_sample >> k & 1) || (many > 0 && p->values[s->in[k]].shape.ndim != dims))
                return false;
            dims = p->values[s->in[k]].shape.ndim;
            many++;
        }
    }
    return true;
}

static pith_status by_sample(pith_plan *p, bool *yes)
{
    pith_ctx *c = p->g->ctx;
    pith_shape *with_one = NULL;
    *yes = !p->cfg.train && p->batch > 1 && steps_by_sample(p);
    if (!*yes)
        return PITH_OK;
    with_one = PITHP_NEW_N(c, pith_shape, (size_t)p->n_values);
    pith_status s = with_one == NULL ? PITH_ENOMEM : pithp_plan_infer(p, 1);
    for (int v = 0; v < p->n_values && s == PITH_OK; v++)
        with_one[v] = p->values[v].shape;
    if (s == PITH_OK)
        s = pithp_plan_infer(p, p->batch);
    *yes = s == PITH_OK && counts_samples(p, with_one, p->batch);
    pithp_free(c, with_one);
    return s;
}

/* ---- Whether it is worth it ---- */
static size_t bytes_of(const pithp_value *v)
{
    return (size_t)pithp_count(v->shape) * pithp_dtype_size(v->dtype);
}

static size_t kept_bytes(const pith_plan *p)
{
    size_t n = 0;
    for (int i = 0; i < p->n_steps; i++)
        n += p->steps[i].keep;
    return n;
}

/* Every sample reads all weights again, and results that are asked for are copied: both must be little beside what one sample
   computes. */
static bool worthwhile(const pith_plan *one)
{
    size_t weights = 0, wanted = 0, work = one->arena_bytes - PITHP_MIN(kept_bytes(one), one->arena_bytes);
    for (int v = 0; v < one->n_values; v++) {
        const pithp_value *x = &one->values[v];
        weights += x->mem == PITHP_MEM_LEAF ? bytes_of(x) : 0;
        wanted += x->target ? bytes_of(x) : 0;
    }
    return weights <= 4 * work && wanted <= work / 8;
}

/* ---- Making ---- */
/* Inputs and results of all samples; what lies between is the lanes'. */
static pith_status layout(pith_plan *p)
{
    pith_ctx *c = p->g->ctx;
    for (int v = 0; v < p->n_values; v++) {
        pithp_value *x = &p->values[v];
        if (x->mem == PITHP_MEM_LEAF)
            continue;
        x->mem = x->target || x->t->kind == PITHP_NODE_INPUT ? PITHP_MEM_ARENA : PITHP_MEM_NONE;
        if (x->mem == PITHP_MEM_ARENA && (x->block = pithp_plan_block(p, bytes_of(x), 0, 1)) < 0)
            return c->status;
    }
    if (pithp_blocks_place(c, p->blocks, p->n_blocks, &p->arena_bytes))
        return c->status;
    p->arena = pithp_alloc(c, p->arena_bytes ? p->arena_bytes : 1, 1);
    return p->arena == NULL ? c->status : PITH_OK;
}

void pithp_lanes_free(pith_plan *p)
{
    for (int i = 0; i < p->n_lanes; i++)
        pithp_plan_release(p->lanes[i]);
    pithp_free(p->g->ctx, p->lanes);
    p->lanes = NULL;
    p->n_lanes = 0;
}

/* Weights that are kept in a faster form are kept once. */
static void share_kept(pith_plan *p)
{
    for (int i = 1; i < p->n_lanes; i++)
        for (int s = 0; s < p->n_steps; s++)
            p->lanes[i]->steps[s].fwd.keep = p->lanes[0]->steps[s].fwd.keep;
}

pith_status pithp_lanes_make(pith_plan *p, pith_tensor *const *targets, int n_targets)
{
    pith_ctx *c = p->g->ctx;
    const int most = (int)PITHP_MIN(p->env.threads < 1 ? 1 : p->env.threads, p->batch);
    bool yes;
    pith_status s = by_sample(p, &yes);
    if (s != PITH_OK || !yes)
        return s;
    p->lanes = PITHP_NEW_N(c, pith_plan *, (size_t)most);
    if (p->lanes == NULL)
        return c->status;
    for (; p->n_lanes < most; p->n_lanes++) {
        pith_plan_cfg one = p->cfg;
        one.batch = 1;
        p->lanes[p->n_lanes] = pithp_plan_lane(targets, n_targets, one);
        if (p->lanes[p->n_lanes] == NULL)
            break;
        if (p->n_lanes == 0 && !worthwhile(p->lanes[0])) {
            p->n_lanes = 1;
            pithp_lanes_free(p);
            return PITH_OK;
        }
    }
    if (p->n_lanes == most && layout(p) == PITH_OK) {
        share_kept(p);
        p->bound = p->batch;
        return PITH_OK;
    }
    pithp_lanes_free(p);
    return c->status;
}

size_t pithp_lanes_bytes(const pith_plan *p)
{
    size_t n = 0;
    for (int i = 0; i < p->n_lanes; i++)
        n += p->lanes[i]->arena_bytes - (i > 0 ? kept_bytes(p->lanes[i]) : 0);
    return n;
}

/* ---- Running ---- */
typedef struct {
    pith_plan *p;
    int64_t first;
    uint64_t step;
} job;

static uint8_t *at(const pith_plan *p, int v) { return p->arena + p->blocks[p->values[v].block].offset; }

static void enter(const pith_plan *p, int64_t sample, pith_plan *lane)
{
    for (int v = 0; v < p->n_values; v++)
        if (p->values[v].step < 0 && p->values[v].mem == PITHP_MEM_ARENA) {
            const size_t n = bytes_of(&lane->values[v]);
            memcpy(at(lane, v), at(p, v) + (size_t)sample * n, n);
        }
}

static void leave(const pith_plan *p, int64_t sample, const pith_plan *lane)
{
    for (int v = 0; v < p->n_values; v++)
        if (p->values[v].step >= 0 && p->values[v].target) {
            const size_t n = bytes_of(&lane->values[v]);
            memcpy(at(p, v) + (size_t)sample * n, pithp_plan_data(lane, v), n);
        }
}

static void run_sample(void *arg, int64_t tile, int thread)
{
    const job *j = arg;
    pith_plan *lane = j->p->lanes[thread];
    enter(j->p, j->first + tile, lane);
    pithp_steps_forward(lane, j->step);
    leave(j->p, j->first + tile, lane);
}

void pithp_lanes_forward(pith_plan *p, int64_t n, uint64_t step)
{
    job j = { .p = p, .step = step };
    if (!p->ran) { /* the first sample makes what the lanes share */
        run_sample(&j, 0, 0);
        j.first = 1;
        for (int i = 1; i < p->n_lanes; i++)
            for (int s = 0; s < p->n_steps; s++)
                p->lanes[i]->steps[s].fwd.kept = p->lanes[0]->steps[s].fwd.kept;
    }
    pithp_parallel(p->n_lanes, n - j.first, run_sample, &j);
}

const char *pithp_lanes_nonfinite(pith_plan *p)
{
    const char *name = NULL;
    for (int64_t i = 0; i < p->bound && name == NULL; i++) {
        enter(p, i, p->lanes[0]);
        name = pith_plan_find_nonfinite(p->lanes[0]);
    }
    return name;
}
