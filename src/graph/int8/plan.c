/* graph/int8/plan.c: an integer graph laid out in memory, and run. */
#include "graph/qplan.h"
#include <string.h>

enum { ALIGN = 64, MOST_BATCH = 1 << 20, PARTS = 4 };

struct pithp_qplan {
    pithp_obj obj;
    pith_ctx *ctx;
    const pithp_qgraph *g;
    pithp_qplan_cfg cfg;
    int threads;
    const pithp_ikern *kern;
    size_t *offset;  /* [tensors] in a thread's arena */
    void **pack;     /* [nodes] */
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
    pithp_free(c, p->offset);
    pithp_free(c, p->pack);
    pithp_free(c, p->packed);
    pithp_free(c, p->arena);
    pithp_free(c, p);
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

/* ---- Where the tensors lie ---- */
static size_t list_bytes(const void *g, int t)
{
    const pithp_qtensor *x = pithp_q_tensor(g, t);
    return x->data ? 0 : tensor_bytes(x);
}

static pithp_qlist_op list_op(const void *g, int i)
{
    const pithp_qnode *n = ((const pithp_qgraph *)g)->nodes[i];
    return (pithp_qlist_op){ .n_in = n->n_in, .in = n->in, .out = n->out, .inplace = n->op->inplace };
}

static int list_output(const void *g, int i)
{
    return i < ((const pithp_qgraph *)g)->n_outputs ? ((const pithp_qgraph *)g)->outputs[i] : -1;
}

pith_status pithp_qlayout(const pithp_qgraph *g, size_t align, size_t slack, const size_t *scratch,
                          size_t *offset, size_t *scratch_at, size_t *total)
{
    const pithp_qlist q = { g->n_tensors, g->n_nodes, g, list_bytes, list_op, list_output };
    return pithp_qplace(g->ctx, &q, align, slack, scratch, offset, scratch_at, total);
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
    p->offset = PITHP_NEW_N(c, size_t, g->n_tensors);
    p->pack = PITHP_NEW_N(c, void *, g->n_nodes);
    pith_status st = c->status;
    if (!st && !cfg.reference && !cfg.single)
        st = pithp_ikern_choose(c, cfg.kernels, &p->kern);
    if (!st)
        st = pithp_qlayout(g, ALIGN, ALIGN, NULL, p->offset, NULL, &p->arena_bytes);
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
