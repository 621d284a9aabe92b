/* graph/int8/layout.c: where the tensors of a list of integer ops lie in one arena. */
#include "graph/blocks.h"
#include "graph/qplan.h"

typedef struct {
    const pithp_qlist *q;
    size_t align, slack;
    int *root;      /* [tensors] tensor whose memory it shares: itself, or the operand it replaces in place */
    int *from, *to; /* [tensors] ops: that writes it (-1: none), that reads it last */
    pithp_block *b; /* what is placed */
    int *of;        /* of each block: the tensor, or tensors + op of a scratch block */
    int live;
} layout;

static size_t up(const layout *l, size_t n) { return (n + l->align - 1) / l->align * l->align; }

static size_t tensor_bytes(const layout *l, int t) { return l->q->bytes(l->q->of, t); }

/* The operand whose memory the op's result may take over: dead afterwards, of the same size, alone in its memory. */
static int take_over(const layout *l, int i, const pithp_qlist_op *o)
{
    for (int k = 0; k < o->n_in; k++) {
        int x = o->in[k];
        bool twice = false;
        if (!(o->inplace >> k & 1) || !tensor_bytes(l, x))
            continue;
        for (int j = 0; j < o->n_in; j++)
            twice |= j != k && tensor_bytes(l, o->in[j]) && l->root[o->in[j]] == l->root[x];
        if (!twice && l->to[l->root[x]] == i && tensor_bytes(l, x) == tensor_bytes(l, o->out))
            return l->root[x];
    }
    return o->out;
}

/* From the op that writes a tensor to the last one that reads it; outputs to the end. */
static void lifetimes(layout *l)
{
    const pithp_qlist *q = l->q;
    for (int t = 0; t < q->n_tensors; t++)
        l->root[t] = t, l->from[t] = l->to[t] = -1;
    for (int i = 0; i < q->n_ops; i++) {
        pithp_qlist_op o = q->op(q->of, i);
        l->from[o.out] = i;
        l->to[o.out] = PITHP_MAX(l->to[o.out], i);
        for (int k = 0; k < o.n_in; k++)
            l->to[o.in[k]] = i;
    }
    for (int i = 0, t; (t = q->output(q->of, i)) >= 0; i++)
        l->to[t] = q->n_ops;
    for (int i = 0; i < q->n_ops; i++) {
        pithp_qlist_op o = q->op(q->of, i);
        int root = take_over(l, i, &o);
        l->root[o.out] = root;
        if (root != o.out)
            l->to[root] = PITHP_MAX(l->to[root], l->to[o.out]);
    }
}

static bool placed(const layout *l, int t) { return l->root[t] == t && tensor_bytes(l, t); }

static pith_status collect(pith_ctx *c, layout *l, const size_t *scratch)
{
    const pithp_qlist *q = l->q;
    size_t n = 1;
    for (int t = 0; t < q->n_tensors; t++)
        n += placed(l, t);
    for (int i = 0; scratch && i < q->n_ops; i++)
        n += scratch[i] > 0;
    l->b = PITHP_NEW_N(c, pithp_block, n);
    l->of = PITHP_NEW_N(c, int, n);
    if (!l->b || !l->of)
        return PITH_ENOMEM;
    for (int t = 0; t < q->n_tensors; t++)
        if (placed(l, t)) {
            l->b[l->live] = (pithp_block){ .bytes = up(l, tensor_bytes(l, t) + l->slack),
                                           .from = l->from[t],
                                           .to = l->to[t] };
            l->of[l->live++] = t;
        }
    for (int i = 0; scratch && i < q->n_ops; i++)
        if (scratch[i]) {
            l->b[l->live] = (pithp_block){ .bytes = up(l, scratch[i]), .from = i, .to = i };
            l->of[l->live++] = q->n_tensors + i;
        }
    return PITH_OK;
}

pith_status pithp_qplace(pith_ctx *c, const pithp_qlist *q, size_t align, size_t slack, const size_t *scratch,
                         size_t *offset, size_t *scratch_at, size_t *total)
{
    int n = q->n_tensors;
    layout l = { .q = q,
                 .align = align,
                 .slack = slack,
                 .root = PITHP_NEW_N(c, int, n),
                 .from = PITHP_NEW_N(c, int, n),
                 .to = PITHP_NEW_N(c, int, n) };
    pith_status st = l.root && l.from && l.to ? PITH_OK : PITH_ENOMEM;
    if (!st) {
        lifetimes(&l);
        st = collect(c, &l, scratch);
    }
    if (!st)
        st = pithp_blocks_place(c, l.b, l.live, total);
    for (int i = 0; !st && i < l.live; i++) {
        if (l.of[i] < n)
            offset[l.of[i]] = l.b[i].offset;
        else if (scratch_at)
            scratch_at[l.of[i] - n] = l.b[i].offset;
    }
    for (int t = 0; !st && t < n; t++)
        offset[t] = offset[l.root[t]];
    pithp_free(c, l.root), pithp_free(c, l.from), pithp_free(c, l.to), pithp_free(c, l.b),
        pithp_free(c, l.of);
    return st;
}
