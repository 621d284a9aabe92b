/* deploy/c/emit.c: what an integer graph needs as C source: constants, kernels, memory. */
#include "deploy/c/emit.h"
#include <string.h>

enum { ALIGN = 4 };

void pithp_c_refuse(pithp_c_emit *e, int node, const char *why)
{
    const pithp_qnode *n = e->g->nodes[node];
    if (!e->status)
        e->status = pithp_error(e->c, PITH_EINVAL, "op %s (%s) cannot be written as C: %s", n->op->name,
                                n->name, why);
}

void *pithp_c_add(pithp_c_emit *e, char kind, int node, size_t count, size_t size)
{
    if (e->status)
        return NULL;
    void *p = pithp_alloc(e->c, count, size);
    if (!p || !pithp_grow(e->c, &e->consts, &e->cap_consts, e->n_consts, sizeof *e->consts)) {
        pithp_free(e->c, p);
        e->status = PITH_ENOMEM;
        return NULL;
    }
    e->consts[e->n_consts++] =
        (pithp_c_const){ .kind = kind, .node = node, .count = count, .size = size, .data = p };
    e->flash += count * size;
    return p;
}

const char *pithp_c_operand(const pithp_c_emit *e, int node, int i, char text[48])
{
    const pithp_qtensor *t = pithp_q_in(e->g, e->g->nodes[node], i);
    if (t->data)
        snprintf(text, 48, "W.%c_%d", 'c', node * PITHP_QMAX_IN + i);
    else
        snprintf(text, 48, "A + %zu", e->offset[t->id]);
    return text;
}

const char *pithp_c_result(const pithp_c_emit *e, int node, char text[48])
{
    snprintf(text, 48, "A + %zu", e->offset[e->g->nodes[node]->out]);
    return text;
}

int pithp_c_shift(pithp_fixed f) { return f.shift < 0 ? -f.shift - 1 : -1 - f.shift; }

static const pithp_c_row *find(const pithp_c_emit *e, const pithp_c_row *rows, size_t n, int node)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].op == e->g->nodes[node]->op && (!rows[i].can || rows[i].can(e, node)))
            return &rows[i];
    return NULL;
}

static const pithp_c_row *row_of(const pithp_c_emit *e, int node)
{
    const pithp_c_row *row = e->cmsis ? find(e, pithp_c_cmsis_rows, pithp_c_cmsis_rows_n, node) : NULL;
    return row ? row : find(e, pithp_c_rows, pithp_c_rows_n, node);
}

/* Operands of other ops than weighted layers may be constants. */
static void plan(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    const pithp_c_row *row = row_of(e, node);
    if (!row) {
        pithp_c_refuse(e, node, "there is no kernel without floating point for it");
        return;
    }
    for (int i = 0; i < n->n_in && !e->status; i++) {
        const pithp_qtensor *t = pithp_q_in(e->g, n, i);
        if (t->dtype == PITH_F32)
            pithp_c_refuse(e, node, "it works on float32, and the source has no floating point");
    }
    row->plan(e, node);
}

static void call(pithp_c_emit *e, int node)
{
    const pithp_qnode *n = e->g->nodes[node];
    pithp_text_put(&e->body, "    { /* ");
    pithp_text_name(&e->body, n->name);
    pithp_text_printf(&e->body, ": %s */\n", n->op->name);
    row_of(e, node)->call(e, node);
    pithp_text_put(&e->body, "    }\n");
}

static pith_status check(const pithp_qgraph *g)
{
    if (g->failed || g->n_inputs != 1 || g->n_outputs != 1)
        return pithp_error(g->ctx, PITH_EINVAL,
                           "the integer graph has %d inputs and %d outputs; C source is written of 1 and 1",
                           g->n_inputs, g->n_outputs);
    const pithp_qtensor *x = pithp_q_tensor(g, g->inputs[0]), *y = pithp_q_tensor(g, g->outputs[0]);
    if (x->dtype != PITH_I8 || y->dtype != PITH_I8 || y->data)
        return pithp_error(g->ctx, PITH_EINVAL,
                           "input %s is %s and output %s %s; C source is written of int8 in and out", x->name,
                           pithp_dtype_name(x->dtype), y->name, pithp_dtype_name(y->dtype));
    return PITH_OK;
}

pith_status pithp_c_begin(const pithp_qgraph *g, bool packed, bool cmsis, pithp_c_emit *e)
{
    *e = (pithp_c_emit){
        .g = g, .c = g->ctx, .packed = packed, .cmsis = cmsis, .uses = PITHP_C_BIT(COMMON) | PITHP_C_BIT(COPY)
    };
    pithp_text_init(g->ctx, &e->body);
    if ((e->status = check(g)))
        return e->status;
    size_t nodes = (size_t)g->n_nodes + 1;
    e->scratch = PITHP_NEW_N(e->c, size_t, nodes);
    e->scratch_at = PITHP_NEW_N(e->c, size_t, nodes);
    e->offset = PITHP_NEW_N(e->c, size_t, g->n_tensors + 1);
    if (!e->scratch || !e->scratch_at || !e->offset)
        return e->status = PITH_ENOMEM;
    for (int i = 0; i < g->n_nodes && !e->status; i++)
        plan(e, i);
    if (!e->status && packed)
        pithp_c_pack(e);
    if (!e->status)
        e->status = pithp_qlayout(g, ALIGN, 0, e->scratch, e->offset, e->scratch_at, &e->ram);
    e->flash = (e->flash + ALIGN - 1) / ALIGN * ALIGN;
    for (int i = 0; i < g->n_nodes && !e->status; i++)
        call(e, i);
    if (!e->status)
        e->status = e->body.status;
    return e->status;
}

void pithp_c_end(pithp_c_emit *e)
{
    for (size_t i = 0; i < e->n_consts; i++)
        pithp_free(e->c, e->consts[i].data);
    pithp_free(e->c, e->consts);
    pithp_free(e->c, e->scratch), pithp_free(e->c, e->scratch_at), pithp_free(e->c, e->offset);
    pithp_text_free(&e->body);
}
