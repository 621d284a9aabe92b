/* Plans: made once, with every check; bound to a number of samples; run without failing. */
#include "graph/graph.h"

#include <math.h>
#include <string.h>

void pithp_plan_release(pith_plan *p)
{
    if (p == NULL)
        return;
    pith_ctx *c = p->g->ctx;
    for (int i = 0; i < p->n_values; i++) {
        pith_tensor *t = p->values[i].t;
        if (t->last_plan == p)
            t->last_plan = NULL;
        if (t->run_plan == p)
            t->run_plan = NULL;
        if (t->back_plan == p)
            t->back_plan = NULL;
    }
    pithp_lanes_free(p);
    for (int s = 0; s < p->n_steps; s++) {
        pithp_free(c, p->steps[s].attr);
        pithp_free(c, p->steps[s].fwd_in);
    }
    pithp_free(c, p->values);
    pithp_free(c, p->steps);
    pithp_free(c, p->value_of);
    pithp_free(c, p->blocks);
    pithp_free(c, p->arena);
    pithp_free(c, p->best_ms);
    pithp_free(c, p);
}

static void plan_destroy(pith_ctx *c, pithp_obj *o)
{
    (void)c;
    pithp_plan_release((pith_plan *)o);
}

void pith_plan_free(pith_plan *p)
{
    if (p != NULL)
        pithp_destroy(p->g->ctx, &p->obj);
}

void pithp_graph_free_plans(pith_ctx *c, const pithp_graph *g)
{
    pithp_destroy(c, g->cache); /* it clears the field */
    for (pithp_obj *o = c->owned.next, *next; o != &c->owned; o = next) {
        next = o->next;
        if (o->destroy == plan_destroy && ((pith_plan *)o)->g == g)
            pithp_destroy(c, o);
    }
}

/* ---- Shapes for n samples ---- */
static pith_status infer_step(pith_plan *p, pithp_step *s, bool sizes)
{
    pith_shape shapes[PITH_OP_MAX_IN];
    pith_dtype types[PITH_OP_MAX_IN];
    for (int i = 0; i < s->n_in; i++) {
        shapes[i] = s->in[i] < 0 ? (pith_shape){ -1, { 0 } } : p->values[s->in[i]].shape;
        types[i] = s->in[i] < 0 ? PITH_F32 : p->values[s->in[i]].dtype;
    }
    uint32_t constant = 0;
    for (int i = 0; i < s->n_in; i++)
        if (s->in[i] >= 0 && p->values[s->in[i]].constant)
            constant |= 1u << i;
    pith_ctx *c = p->g->ctx;
    pith_infer q = { .ctx = c,
                     .op = s->op,
                     .attr = s->attr,
                     .name = s->t->name,
                     .n_in = s->n_in,
                     .in = shapes,
                     .in_dtype = types,
                     .train = p->cfg.train,
                     .constant = constant,
                     .threads = p->env.threads };
    int64_t count;
    if (!s->op->shape(&q))
        return c->status ? c->status : pithp_error(c, PITH_ESHAPE, "op %s: shapes", s->op->name);
    if (!pithp_count_ok(q.out, &count)) {
        pith_op_fail(&q, "the result for this batch would be too large");
        return c->status;
    }
    p->values[s->out].shape = q.out;
    p->values[s->out].dtype = q.out_dtype;
    if (sizes) {
        s->aux = q.aux;
        s->scratch = q.scratch;
        s->scratch_back = q.scratch_back;
        s->keep = q.keep;
    }
    return PITH_OK;
}

pith_status pithp_plan_infer(pith_plan *p, int64_t n)
{
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i].t->kind == PITHP_NODE_INPUT) {
            pith_shape *s = &p->values[i].shape;
            s->d[0] = n;
            if (s->ndim == 4 && p->cfg.image_size > 0)
                s->d[1] = s->d[2] = p->cfg.image_size;
        }
    for (int s = 0; s < p->n_steps; s++) {
        pith_status e = infer_step(p, &p->steps[s], p->arena == NULL);
        if (e)
            return e;
    }
    return PITH_OK;
}

/* ---- Pointers ---- */
void *pithp_plan_data(const pith_plan *p, int v)
{
    while (p->values[v].mem == PITHP_MEM_ALIAS)
        v = p->values[v].alias;
    const pithp_value *x = &p->values[v];
    return x->mem == PITHP_MEM_LEAF ? x->t->value : (void *)(p->arena + p->blocks[x->block].offset);
}

static pith_real *value_grad(const pith_plan *p, int v)
{
    const pithp_value *x = &p->values[v];
    if (!x->need_grad && v != p->loss)
        return NULL;
    if (x->mem == PITHP_MEM_LEAF)
        return x->t->grad;
    return x->grad_block < 0 ? NULL : (pith_real *)(void *)(p->arena + p->blocks[x->grad_block].offset);
}

static void *block_data(const pith_plan *p, int block)
{
    return block < 0 ? NULL : p->arena + p->blocks[block].offset;
}

static void bind_step(pith_plan *p, int index)
{
    pithp_step *s = &p->steps[index];
    for (int i = 0; i < s->n_in; i++) {
        s->fwd_in[i] = s->bwd_in[i] = (pith_val){ .dtype = PITH_F32 };
        if (s->in[i] < 0)
            continue;
        const pithp_value *v = &p->values[s->in[i]];
        s->fwd_in[i] =
            (pith_val){ .shape = v->shape, .dtype = v->dtype, .data = pithp_plan_data(p, s->in[i]) };
        if (v->raw)
            s->fwd_in[i].norm = &v->norm;
        s->bwd_in[i] = s->fwd_in[i];
        if (!(s->op->reads & PITH_READS_IN(i)))
            s->bwd_in[i].data = NULL;
        bool wanted = s->back && v->need_grad && !(s->op->no_grad & (1u << i)) && !s->grad_shared[i];
        s->bwd_in[i].grad = wanted ? value_grad(p, s->in[i]) : NULL;
        s->bwd_in[i].grad_add = s->grad_add[i];
    }
    pithp_value *out = &p->values[s->out];
    s->fwd =
        (pith_call){ .op = s->op,
                     .attr = s->attr,
                     .name = s->t->name,
                     .n_in = s->n_in,
                     .in = s->fwd_in,
                     .out = { .shape = out->shape, .dtype = out->dtype, .data = pithp_plan_data(p, s->out) },
                     .aux = block_data(p, s->aux_block),
                     .scratch = block_data(p, s->scratch_block),
                     .keep = block_data(p, s->keep_block),
                     .env = &p->env,
                     .train = p->cfg.train,
                     .seed = p->g->ctx->cfg.seed,
                     .node = s->t->id };
    if (out->raw) {
        out->norm = pithp_raw_rule_of(s->op)->norm(&s->fwd);
        s->fwd.out.norm = &out->norm;
    }
    s->bwd = s->fwd;
    s->bwd.in = s->bwd_in;
    s->bwd.scratch = block_data(p, s->back_scratch_block);
    s->bwd.out.grad = s->back ? value_grad(p, s->out) : NULL;
    if (!(s->op->reads & PITH_READS_OUT))
        s->bwd.out.data = NULL;
}

pith_status pithp_plan_bind(pith_plan *p, int64_t n)
{
    for (int s = 0; s < p->n_steps; s++) {
        pithp_step *st = &p->steps[s];
        if (st->fwd_in == NULL) {
            st->fwd_in = PITHP_NEW_N(p->g->ctx, pith_val, 2 * (size_t)PITHP_MAX(st->n_in, 1));
            if (st->fwd_in == NULL)
                return PITH_ENOMEM;
            st->bwd_in = st->fwd_in + st->n_in;
        }
        bind_step(p, s);
    }
    p->bound = n;
    return PITH_OK;
}

/* ---- Making ---- */
static pith_status targets_ok(pith_ctx *c, pith_tensor *const *targets, int n)
{
    for (int i = 0; i < n; i++) {
        if (targets[i] == NULL || targets[i]->poison)
            return pithp_error(c, PITH_EINVAL, "plan: target %d is %s", i, targets[i] ? "poison" : "NULL");
        if (targets[i]->g != targets[0]->g)
            return pithp_error(c, PITH_EINVAL, "plan: target %d belongs to another graph than target 0", i);
    }
    return PITH_OK;
}

static void choose_loss(pith_plan *p, const pith_tensor *first)
{
    const pithp_value *v = &p->values[p->value_of[first->id]];
    bool scalar = v->dtype == PITH_F32 && pithp_count(v->shape) == 1 && v->t->kind == PITHP_NODE_OP;
    p->loss = p->cfg.train && scalar ? p->value_of[first->id] : -1;
}

static pith_plan *plan_begin(pithp_graph *g, pith_plan_cfg cfg, int threads)
{
    pith_ctx *c = g->ctx;
    pith_plan *p = PITHP_NEW(c, pith_plan);
    if (p == NULL)
        return NULL;
    p->g = g;
    p->cfg = cfg;
    p->batch = cfg.batch ? cfg.batch : 1;
    p->version = g->version;
    p->env = (pithp_env){ .threads = threads, .k = pithp_kern_get(c->isa), .blas = &c->blas };
    p->loss = -1;
    return p;
}

static pith_status plan_make(pith_plan *p, pith_tensor *const *targets, int n_targets)
{
    pith_status s = pithp_plan_collect(p, targets, n_targets);
    if (s == PITH_OK && p->cfg.train && !p->cfg.no_fuse)
        pithp_plan_raw(p);
    if (s == PITH_OK)
        s = pithp_plan_infer(p, p->batch);
    if (s == PITH_OK)
        s = pithp_lanes_make(p, targets, n_targets);
    if (s != PITH_OK || p->n_lanes > 0)
        return s;
    choose_loss(p, targets[0]);
    s = pithp_plan_autograd(p);
    if (s == PITH_OK)
        s = pithp_plan_layout(p);
    return s == PITH_OK ? pithp_plan_bind(p, p->batch) : s;
}

pith_plan *pithp_plan_lane(pith_tensor *const *targets, int n_targets, pith_plan_cfg cfg)
{
    pith_plan *p = plan_begin(targets[0]->g, cfg, 1);
    if (p == NULL || plan_make(p, targets, n_targets) == PITH_OK)
        return p;
    pithp_plan_release(p);
    return NULL;
}

pith_plan *pith_plan_new(pith_tensor *const *targets, int n_targets, pith_plan_cfg cfg)
{
    if (n_targets < 1 || targets[0] == NULL)
        return NULL;
    pith_ctx *c = targets[0]->g->ctx;
    if (targets_ok(c, targets, n_targets))
        return NULL;
    if (cfg.batch < 0 || cfg.batch > (1 << 24)) {
        pithp_error(c, PITH_EINVAL, "plan: batch %lld; 1 to 16777216 is expected", (long long)cfg.batch);
        return NULL;
    }
    if (cfg.image_size < 0 || cfg.image_size > 65536) {
        pithp_error(c, PITH_EINVAL, "plan: images of %d pixels a side; 1 to 65536 is expected",
                    cfg.image_size);
        return NULL;
    }
    pith_plan *p = plan_begin(targets[0]->g, cfg, c->threads);
    if (p == NULL)
        return NULL;
    pithp_own(c, &p->obj, plan_destroy);
    if (plan_make(p, targets, n_targets) == PITH_OK) {
        pithp_log(c, PITH_LOG_DEBUG, "plan: %d steps, batch %lld, %s, arena %.1f MB, %d lanes", p->n_steps,
                  (long long)p->batch, cfg.train ? "train" : "infer", (double)pith_plan_bytes(p) / 1e6,
                  p->n_lanes);
        return p;
    }
    pith_plan_free(p);
    return NULL;
}

/* ---- Looking in ---- */
static int value_index(const pith_plan *p, const pith_tensor *t)
{
    if (t == NULL || t->poison || t->g != p->g || (int)t->id >= p->n_value_of)
        return -1;
    return p->value_of[t->id];
}

void *pith_plan_input(pith_plan *p, const pith_tensor *t)
{
    int v = value_index(p, t);
    return v < 0 || t->kind != PITHP_NODE_INPUT ? NULL : pithp_plan_data(p, v);
}

const void *pith_plan_value(const pith_plan *p, const pith_tensor *t)
{
    int v = value_index(p, t);
    if (v < 0)
        return NULL;
    return p->values[v].target || t->kind != PITHP_NODE_OP ? pithp_plan_data(p, v) : NULL;
}

const pith_real *pith_plan_grad(const pith_plan *p, const pith_tensor *t)
{
    int v = value_index(p, t);
    return v < 0 || !(p->values[v].target || t->kind != PITHP_NODE_OP) ? NULL : value_grad(p, v);
}

size_t pith_plan_bytes(const pith_plan *p) { return p->arena_bytes + pithp_lanes_bytes(p); }
