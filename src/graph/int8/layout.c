/* graph/int8/layout.c: where the tensors of an integer graph lie in one arena. */
#include "graph/blocks.h"
#include "graph/qplan.h"

typedef struct {
    const pithp_qgraph *g;
    size_t align, slack;
    int *root; /* [tensors] tensor whose memory it shares: itself, or the operand it replaces in place */
    pithp_block *last; /* [tensors] `to`: last op that reads it */
    pithp_block *b;    /* [tensors + nodes] what is placed */
    int *of;           /* [tensors + nodes] tensor, or tensors + node of a scratch block */
    int live;
} layout;

static size_t up(const layout *l, size_t n) { return (n + l->align - 1) / l->align * l->align; }

static size_t tensor_bytes(const pithp_qtensor *t)
{
    return (size_t)pithp_count(t->shape) * pithp_dtype_size(t->dtype);
}

/* The operand whose memory node i's result may take over: dead afterwards, of the same size, alone in its memory. */
static int take_over(const layout *l, int i)
{
    const pithp_qgraph *g = l->g;
    const pithp_qnode *n = g->nodes[i];
    for (int k = 0; k < n->n_in; k++) {
        const pithp_qtensor *x = g->tensors[n->in[k]];
        bool twice = false;
        for (int j = 0; j < n->n_in; j++)
            twice |= j != k && !g->tensors[n->in[j]]->data && l->root[n->in[j]] == l->root[x->id];
        if ((n->op->inplace >> k & 1) && !x->data && !twice && l->last[l->root[x->id]].to == i &&
            tensor_bytes(x) == tensor_bytes(pithp_q_out(g, n)))
            return l->root[x->id];
    }
    return n->out;
}

/* From the op that writes a tensor to the last one that reads it; outputs to the end. */
static void lifetimes(layout *l)
{
    const pithp_qgraph *g = l->g;
    for (int t = 0; t < g->n_tensors; t++)
        l->root[t] = t, l->last[t].to = g->tensors[t]->node;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            l->last[g->nodes[i]->in[k]].to = i;
    for (int i = 0; i < g->n_outputs; i++)
        l->last[g->outputs[i]].to = g->n_nodes;
    for (int i = 0; i < g->n_nodes; i++) {
        int out = g->nodes[i]->out, root = take_over(l, i);
        l->root[out] = root;
        if (root != out)
            l->last[root].to = PITHP_MAX(l->last[root].to, l->last[out].to);
    }
}

static void collect(layout *l, const size_t *scratch)
{
    const pithp_qgraph *g = l->g;
    for (int t = 0; t < g->n_tensors; t++)
        if (!g->tensors[t]->data && l->root[t] == t) {
            l->b[l->live] = (pithp_block){ .bytes = up(l, tensor_bytes(g->tensors[t]) + l->slack),
                                           .from = g->tensors[t]->node,
                                           .to = l->last[t].to };
            l->of[l->live++] = t;
        }
    for (int i = 0; scratch && i < g->n_nodes; i++)
        if (scratch[i]) {
            l->b[l->live] = (pithp_block){ .bytes = up(l, scratch[i]), .from = i, .to = i };
            l->of[l->live++] = g->n_tensors + i;
        }
}

pith_status pithp_qlayout(const pithp_qgraph *g, size_t align, size_t slack, const size_t *scratch,
                          size_t *offset, size_t *scratch_at, size_t *total)
{
    pith_ctx *c = g->ctx;
    int n = g->n_tensors;
    layout l = { .g = g,
                 .align = align,
                 .slack = slack,
                 .root = PITHP_NEW_N(c, int, n),
                 .last = PITHP_NEW_N(c, pithp_block, n),
                 .b = PITHP_NEW_N(c, pithp_block, n + g->n_nodes),
                 .of = PITHP_NEW_N(c, int, n + g->n_nodes) };
    pith_status st = l.root && l.last && l.b && l.of ? PITH_OK : PITH_ENOMEM;
    if (!st) {
        lifetimes(&l);
        collect(&l, scratch);
        st = pithp_blocks_place(c, l.b, l.live, total);
    }
    for (int i = 0; !st && i < l.live; i++) {
        if (l.of[i] < n)
            offset[l.of[i]] = l.b[i].offset;
        else if (scratch_at)
            scratch_at[l.of[i] - n] = l.b[i].offset;
    }
    for (int t = 0; !st && t < n; t++)
        offset[t] = offset[l.root[t]];
    pithp_free(c, l.root), pithp_free(c, l.last), pithp_free(c, l.b), pithp_free(c, l.of);
    return st;
}
