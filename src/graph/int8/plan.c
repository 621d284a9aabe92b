/* graph/int8/plan.c: an integer graph laid out in memory, and run. */
#include "graph/qplan.h"
#include "graph/graph.h"
#include <string.h>

enum { ALIGN = 64, MOST_BATCH = 1 << 20, PARTS = 4 };

struct pithp_qplan {
    pithp_obj obj;
    pith_ctx *ctx;
    const pithp_qgraph *g;
    pithp_qplan_cfg cfg;
    int threads;
    const pithp_ikern *kern;
    int *root;      /* [tensors] tensor whose memory it shares: itself, or the operand it replaces in place */
    size_t *offset; /* [tensors] in a thread's arena */
    void **pack;    /* [nodes] */
    uint8_t *packed; /* all packs */
    uint8_t *arena;  /* threads * (arena_bytes + scratch_bytes) */
    size_t packed_bytes, arena_bytes, scratch_bytes;
};

static size_t up(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static size_t tensor_bytes(const pithp_qtensor *t)
{
    return (size_t)pithp_count(t->shape) * pithp_dtype_size(t->dtype);
}

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pithp_qplan *p = (pithp_qplan *)o;
    pithp_free(c, p->root);
    pithp_free(c, p->offset);
    pithp_free(c, p->pack);
    pithp_free(c, p->packed);
    pithp_free(c, p->arena);
    pithp_free(c, p);
}

/* ---- Layout -------------------------------------------------------------------------------------------------------*/

/* The operand whose memory node i's result may take over: dead afterwards, of the same size, alone in its memory. */
static int take_over(const pithp_qplan *p, const pithp_block *b, int i)
{
    const pithp_qgraph *g = p->g;
    const pithp_qnode *n = g->nodes[i];
    for (int k = 0; k < n->n_in; k++) {
        const pithp_qtensor *x = g->tensors[n->in[k]];
        bool twice = false;
        for (int j = 0; j < n->n_in; j++)
            twice |= j != k && !g->tensors[n->in[j]]->data && p->root[n->in[j]] == p->root[x->id];
        if ((n->op->inplace >> k & 1) && !x->data && !twice && b[p->root[x->id]].to == i &&
            tensor_bytes(x) == tensor_bytes(pithp_q_out(g, n)))
            return p->root[x->id];
    }
    return n->out;
}

/* Lifetimes: from the op that writes a tensor to the last one that reads it; outputs to the end. */
static pith_status layout(pithp_qplan *p)
{
    const pithp_qgraph *g = p->g;
    pith_ctx *c = p->ctx;
    int n = g->n_tensors, live = 0;
    pithp_block *last = PITHP_NEW_N(c, pithp_block, n), *b = PITHP_NEW_N(c, pithp_block, n);
    int *of = PITHP_NEW_N(c, int, n);
    if (last && b && of) {
        for (int t = 0; t < n; t++)
            p->root[t] = t, last[t].to = g->tensors[t]->node;
        for (int i = 0; i < g->n_nodes; i++)
            for (int k = 0; k < g->nodes[i]->n_in; k++)
                last[g->nodes[i]->in[k]].to = i;
        for (int i = 0; i < g->n_outputs; i++)
            last[g->outputs[i]].to = g->n_nodes;
        for (int i = 0; i < g->n_nodes; i++) {
            int out = g->nodes[i]->out, root = take_over(p, last, i);
            p->root[out] = root;
            if (root != out)
                last[root].to = PITHP_MAX(last[root].to, last[out].to);
        }
        for (int t = 0; t < n; t++)
            if (!g->tensors[t]->data && p->root[t] == t) {
                b[live] = (pithp_block){ .bytes = up(tensor_bytes(g->tensors[t]) + ALIGN),
                                         .from = g->tensors[t]->node,
                                         .to = last[t].to };
                of[live++] = t;
            }
        pithp_blocks_place(c, b, live, &p->arena_bytes);
        for (int i = 0; i < live; i++)
            p->offset[of[i]] = b[i].offset;
        for (int t = 0; t < n; t++)
            p->offset[t] = p->offset[p->root[t]];
    }
    pithp_free(c, last), pithp_free(c, b), pithp_free(c, of);
    return c->status;
}

/* Weights in the kernels' order: sizes first, then one block. */
static pith_status pack(pithp_qplan *p)
{
    const pithp_qgraph *g = p->g;
    size_t *bytes = PITHP_NEW_N(p->ctx, size_t, g->n_nodes);
    if (!bytes)
        return PITH_ENOMEM;
    for (int i = 0; p->kern && i < g->n_nodes; i++) {
        const pithp_qnode *n = g->nodes[i];
        size_t scratch = 0;
        if (n->op->pack)
            n->op->pack(g, n, p->kern, NULL, &bytes[i], &scratch);
        p->packed_bytes += up(bytes[i]);
        p->scratch_bytes = PITHP_MAX(p->scratch_bytes, up(scratch));
    }
    if (p->packed_bytes && (p->packed = pithp_alloc(p->ctx, p->packed_bytes, 1)))
        for (size_t i = 0, at = 0; i < (size_t)g->n_nodes; at += up(bytes[i++])) {
            const pithp_qnode *n = g->nodes[i];
            size_t again = 0, scratch = 0;
            if (!bytes[i])
                continue;
            p->pack[i] = p->packed + at;
            n->op->pack(g, n, p->kern, p->pack[i], &again, &scratch);
        }
    pithp_free(p->ctx, bytes);
    return p->ctx->status;
}

static pith_status check_cfg(const pithp_qgraph *g, pithp_qplan_cfg *cfg)
{
    if (g->ctx->status)
        return g->ctx->status;
    if (g->failed || g->n_outputs < 1)
        return pithp_error(g->ctx, PITH_EINVAL, "integer graph %s %s", g->name,
                           g->failed ? "was not built to its end" : "has no output");
    if (cfg->batch < 0 || cfg->batch > MOST_BATCH || cfg->threads < 0 || cfg->threads > 1024)
        return pithp_error(g->ctx, PITH_EINVAL,
                           "an integer plan of %lld samples on %d threads; expected 1 to %d on 1 to 1024",
                           (long long)cfg->batch, cfg->threads, MOST_BATCH);
    if (!cfg->batch)
        cfg->batch = 1;
    return PITH_OK;
}

pithp_qplan *pithp_qplan_new(const pithp_qgraph *g, pithp_qplan_cfg cfg)
{
    pith_ctx *c = g->ctx;
    if (check_cfg(g, &cfg))
        return NULL;
    pithp_qplan *p = PITHP_NEW(c, pithp_qplan);
    if (!p)
        return NULL;
    *p = (pithp_qplan){ .ctx = c, .g = g, .cfg = cfg, .threads = cfg.threads ? cfg.threads : c->threads };
    pithp_own(c, &p->obj, destroy);
    if (cfg.watch)
        p->threads = 1;
    p->root = PITHP_NEW_N(c, int, g->n_tensors);
    p->offset = PITHP_NEW_N(c, size_t, g->n_tensors);
    p->pack = PITHP_NEW_N(c, void *, g->n_nodes);
    pith_status st = c->status;
    if (!st && !cfg.reference && !cfg.single)
        st = pithp_ikern_choose(c, cfg.kernels, &p->kern);
    if (!st)
        st = layout(p);
    if (!st)
        st = pack(p);
    if (!st)
        p->arena = pithp_alloc(c, (size_t)p->threads, p->arena_bytes + p->scratch_bytes);
    if (st || !p->arena) {
        pithp_qplan_free(p);
        return NULL;
    }
    return p;
}

void pithp_qplan_free(pithp_qplan *p)
{
    if (p)
        pithp_destroy(p->ctx, &p->obj);
}

size_t pithp_qplan_arena(const pithp_qplan *p) { return p->arena_bytes; }
size_t pithp_qplan_bytes(const pithp_qplan *p)
{
    return p->packed_bytes + (size_t)p->threads * (p->arena_bytes + p->scratch_bytes);
}
const char *pithp_qplan_kernels(const pithp_qplan *p) { return p->kern ? p->kern->name : "reference"; }

/* ---- Running ------------------------------------------------------------------------------------------------------*/

typedef struct {
    pithp_qplan *p;
    const void *const *inputs;
    void *const *outputs;
    pithp_qcall call; /* of the op whose rows are shared out */
    int64_t rows, part;
} job;

static uint8_t *slot(const pithp_qplan *p, int thread)
{
    return p->arena + (size_t)thread * (p->arena_bytes + p->scratch_bytes);
}

static pithp_qcall bind(const pithp_qplan *p, int i, uint8_t *arena)
{
    const pithp_qgraph *g = p->g;
    const pithp_qnode *n = g->nodes[i];
    pithp_qcall k = { .node = n, .kern = p->kern, .pack = p->pack[i], .single = p->cfg.single };
    for (int j = 0; j < n->n_in; j++) {
        const pithp_qtensor *t = g->tensors[n->in[j]];
        k.in[j] = t->data ? t->data : arena + p->offset[t->id];
    }
    k.out = arena + p->offset[n->out];
    k.scratch = arena + p->arena_bytes;
    return k;
}

/* To or from the caller's memory. */
static void move_in(const job *b, int64_t sample, uint8_t *arena)
{
    const pithp_qgraph *g = b->p->g;
    for (int i = 0; i < g->n_inputs; i++) {
        size_t bytes = tensor_bytes(g->tensors[g->inputs[i]]);
        memcpy(arena + b->p->offset[g->inputs[i]], (const uint8_t *)b->inputs[i] + (size_t)sample * bytes,
               bytes);
    }
}

static void move_out(const job *b, int64_t sample, const uint8_t *arena)
{
    const pithp_qgraph *g = b->p->g;
    for (int i = 0; i < g->n_outputs; i++) {
        size_t bytes = tensor_bytes(g->tensors[g->outputs[i]]);
        memcpy((uint8_t *)b->outputs[i] + (size_t)sample * bytes, arena + b->p->offset[g->outputs[i]], bytes);
    }
}

/* One sample, one thread. */
static void whole(void *arg, int64_t sample, int thread)
{
    const job *b = arg;
    const pithp_qplan *p = b->p;
    uint8_t *arena = slot(p, thread);
    move_in(b, sample, arena);
    for (int i = 0; i < p->g->n_nodes; i++) {
        pithp_qcall k = bind(p, i, arena);
        k.node->op->run(&k, 0, k.node->op->rows(p->g, k.node));
        if (p->cfg.watch)
            p->cfg.watch(p->cfg.watch_arg, sample, pithp_q_out(p->g, k.node), k.out);
    }
    move_out(b, sample, arena);
}

static void part(void *arg, int64_t tile, int thread)
{
    const job *b = arg;
    pithp_qcall k = b->call;
    k.scratch = slot(b->p, thread) + b->p->arena_bytes;
    k.node->op->run(&k, tile * b->part, PITHP_MIN(b->rows, (tile + 1) * b->part));
}

/* One sample, the rows of each op over all threads. */
static void shared(job *b, int64_t sample)
{
    pithp_qplan *p = b->p;
    uint8_t *arena = slot(p, 0);
    move_in(b, sample, arena);
    for (int i = 0; i < p->g->n_nodes; i++) {
        b->call = bind(p, i, arena);
        const pithp_qnode *n = b->call.node;
        b->rows = n->op->rows(p->g, n);
        b->part = (b->rows + (int64_t)p->threads * PARTS - 1) / ((int64_t)p->threads * PARTS);
        pithp_parallel(p->threads, (b->rows + b->part - 1) / b->part, part, b);
    }
    move_out(b, sample, arena);
}

pith_status pithp_qplan_run(pithp_qplan *p, int64_t n, const void *const *inputs, void *const *outputs)
{
    if (n < 0 || n > p->cfg.batch)
        return pithp_error(p->ctx, PITH_EINVAL, "%lld samples for an integer plan of at most %lld",
                           (long long)n, (long long)p->cfg.batch);
    job b = { .p = p, .inputs = inputs, .outputs = outputs };
    if (n >= p->threads)
        pithp_parallel(p->threads, n, whole, &b);
    else
        for (int64_t i = 0; i < n; i++)
            shared(&b, i);
    return PITH_OK;
}
