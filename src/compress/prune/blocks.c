/* Whole residual blocks: where the result of an op is one operand plus what a branch makes of it, the branch may go, and what
   remains is the operand. */
#include "compress/prune/cut.h"
#include "compress/quant/quant.h"
#include "ops/channels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const pith_tensor *add;
    int skip; /* operand that stays */
    double score;
} block;

typedef struct {
    pith_model *m;
    const pith_channels_cfg *cfg;
    uint8_t *marks, *above, *below; /* [nodes] saved; ancestors of the branch; of the operand that stays */
    block *blocks;                  /* in the order in which they go */
    size_t n, cap;
    int64_t gone;
} blocking;

/* ---- Finding ---- */
/* Marks t and what it is made of. */
static void ancestors(const blocking *b, const pith_tensor *t, uint8_t *marks)
{
    memset(marks, 0, b->m->g->n);
    marks[t->id] = 1;
    for (size_t id = t->id + 1; id-- > 0;)
        for (int i = 0; marks[id] && i < b->m->g->nodes[id]->n_in; i++)
            if (b->m->g->nodes[id]->in[i] != NULL)
                marks[b->m->g->nodes[id]->in[i]->id] = 1;
}

/* Whether operand i of t is what the other operand is made of. */
static bool residual(const blocking *b, const pith_tensor *t, int i)
{
    const pith_tensor *skip = t->in[i], *branch = t->in[1 - i];
    if (skip == branch || !pithp_shape_eq(skip->shape, t->shape) || !pithp_shape_eq(branch->shape, t->shape))
        return false;
    ancestors(b, branch, b->above);
    return b->above[skip->id];
}

typedef struct {
    double sum, n;
    const pith_tensor *scale; /* of the last batch norm */
    bool left_out;
} branch_facts;

static void look(const blocking *b, const pith_tensor *t, branch_facts *f)
{
    if (t->kind == PITHP_NODE_OP && t->op->channels != NULL && t->op->channels->scale > 0)
        f->scale = t->in[t->op->channels->scale];
    if (t->op != NULL && t->name != NULL && b->cfg->skip != NULL &&
        pithp_quant_matches(b->cfg->skip, t->name))
        f->left_out = true;
    if (t->kind != PITHP_NODE_PARAM)
        return;
    for (int64_t i = 0; i < pithp_count(t->shape); i++) {
        double w = (double)((const pith_real *)t->value)[i];
        f->sum += b->cfg->criterion == PITH_PRUNE_L2 ? w * w : fabs(w);
    }
    f->n += (double)pithp_count(t->shape);
}

static double importance(const blocking *b, const block *k, const branch_facts *f)
{
    if (b->cfg->criterion == PITH_PRUNE_RANDOM) {
        pithp_rand r = pithp_rand_at(b->cfg->seed, 0, k->add->id, PITHP_USE_OTHER);
        return pithp_rand_uniform(&r);
    }
    branch_facts last = { 0 };
    if (b->cfg->criterion != PITH_PRUNE_BN)
        last = *f;
    else if (f->scale != NULL)
        look(b, f->scale, &last);
    return last.n > 0 ? last.sum / last.n : 0;
}

static pith_status add_block(blocking *b, const pith_tensor *t, int skip)
{
    branch_facts f = { 0 };
    block k = { .add = t, .skip = skip };
    ancestors(b, t->in[skip], b->below);
    for (size_t id = 0; id < t->id; id++)
        if (b->above[id] && !b->below[id])
            look(b, b->m->g->nodes[id], &f);
    look(b, t, &f);
    if (f.left_out)
        return PITH_OK;
    k.score = importance(b, &k, &f);
    if (!isfinite(k.score))
        return pithp_error(b->m->ctx, PITH_ENAN, "pruning: block '%s' has weights that are no finite numbers",
                           pith_name(t));
    if (!pithp_grow(b->m->ctx, &b->blocks, &b->cap, b->n, sizeof *b->blocks))
        return PITH_ENOMEM;
    b->blocks[b->n++] = k;
    return PITH_OK;
}

static int by_score(const void *x, const void *y)
{
    const block *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return a->add->id < b->add->id ? -1 : 1;
}

static pith_status find(blocking *b)
{
    const pithp_graph *g = b->m->g;
    pith_status s = PITH_OK;
    for (size_t id = 0; s == PITH_OK && id < g->n; id++) {
        const pith_tensor *t = g->nodes[id];
        if (!b->marks[id] || t->op == NULL || t->op->channels == NULL || !t->op->channels->residual)
            continue;
        for (int i = 0; i < 2; i++)
            if (residual(b, t, i)) {
                s = add_block(b, t, i);
                break;
            }
    }
    if (s == PITH_OK && b->n == 0)
        s = pithp_error(b->m->ctx, PITH_EINVAL,
                        "pruning model '%s': it has no residual block that keeps its shape%s", b->m->name,
                        b->cfg->skip != NULL ? " and is not left out" : "");
    if (b->n > 0)
        qsort(b->blocks, b->n, sizeof *b->blocks, by_score);
    return s;
}

/* ---- Removing ---- */
static const block *gone(const blocking *b, const pith_tensor *t)
{
    for (int64_t i = 0; i < b->gone; i++)
        if (b->blocks[i].add == t)
            return &b->blocks[i];
    return NULL;
}

/* What the output still needs. */
static void mark_needed(const blocking *b, uint8_t *marks)
{
    memset(marks, 0, b->m->g->n);
    marks[b->m->output->id] = 1;
    for (size_t id = b->m->output->id + 1; id-- > 0;) {
        const pith_tensor *t = b->m->g->nodes[id];
        const block *k = gone(b, t);
        for (int i = 0; marks[id] && i < t->n_in; i++)
            if (t->in[i] != NULL && (k == NULL || k->skip == i))
                marks[t->in[i]->id] = 1;
    }
}

static pith_tensor *without(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const blocking *b = user;
    const block *k = gone(b, t);
    if (!b->above[t->id])
        return r->to->input; /* for no one: what would read it goes too */
    return k != NULL ? pithp_rewrite_in(r, t, k->skip) : pithp_rewrite_copy(r, t);
}

static pith_model *build(void *user, int64_t n)
{
    blocking *b = user;
    b->gone = n;
    mark_needed(b, b->above);
    return pithp_model_map(b->m, without, b);
}

static pith_status cut_blocks(blocking *b, pith_channels_result *result)
{
    pithp_cut cut = { b->m, b->cfg, (int64_t)b->n, build, b };
    int64_t most, n, reached;
    pith_status s = pithp_cut_target(&cut, &most);
    if (s == PITH_OK)
        s = pithp_cut_search(&cut, most, &n, &reached);
    if (s == PITH_OK && n > cut.n)
        s = pithp_error(b->m->ctx, PITH_EINVAL,
                        "pruning model '%s': a target of %g leaves at most %lld %s, but without any of the "
                        "%lld blocks that may go "
                        "there are %lld; ask for less, or remove channels",
                        b->m->name, b->cfg->target, (long long)most, pithp_cost_name(b->cfg->of),
                        (long long)cut.n, (long long)reached);
    if (s == PITH_OK)
        s = pithp_cut_finish(b->m, build(b, n), result);
    if (s == PITH_OK) {
        result->units = cut.n;
        result->gone = n;
    }
    return s;
}

pith_status pithp_blocks_prune(pith_model *m, const pith_channels_cfg *cfg, pith_channels_result *result)
{
    blocking b = { .m = m, .cfg = cfg };
    b.marks = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    b.above = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    b.below = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    pith_status s = PITH_ENOMEM;
    if (cfg->criterion == PITH_PRUNE_TAYLOR)
        s = pithp_error(
            m->ctx, PITH_EINVAL,
            "pruning model '%s': blocks have no Taylor criterion; L1, L2, batch norm and chance are there",
            m->name);
    else if (b.marks != NULL && b.above != NULL && b.below != NULL) {
        pithp_model_mark(m, b.marks);
        s = find(&b);
        if (s == PITH_OK)
            s = cut_blocks(&b, result);
    }
    pithp_free(m->ctx, b.marks);
    pithp_free(m->ctx, b.above);
    pithp_free(m->ctx, b.below);
    pithp_free(m->ctx, b.blocks);
    return s;
}
