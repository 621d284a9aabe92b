/* deploy/fgraph.c: from the recorded graph to the one that is deployed. */
#include "deploy/fgraph.h"
#include "deploy/fold.h"
#include "ops/integer.h"
#include "ops/table.h"
#include <string.h>

/* What is known of each node while the graph is walked. */
typedef struct {
    pithp_fgraph *g;
    uint8_t *marked, *live; /* belongs to the model; depends on its input */
    int *uses;              /* by marked nodes; the output counts as one */
    int *value;             /* the node's value, -1 */
    int *step;              /* of that value, -1: the step that computes it */
} walk;

static void *owned(pithp_fgraph *g, size_t n, size_t size)
{
    if (!pithp_grow(g->c, &g->own, &g->cap_own, g->n_own, sizeof *g->own))
        return NULL;
    void *p = pithp_alloc(g->c, n, size);
    if (p)
        g->own[g->n_own++] = p;
    return p;
}

pith_real *pithp_fgraph_reals(pithp_fgraph *g, int64_t n) { return owned(g, (size_t)n, sizeof(pith_real)); }

/* ---- Values ---- */
static bool taken(const pithp_fgraph *g, uint64_t hash, const char *name)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i].hash == hash && g->values[i].name && !strcmp(g->values[i].name, name))
            return true;
    return false;
}

/* Gives value v the name of node t, made unique by the node's number. */
static pith_status name_value(pithp_fgraph *g, int v, const pith_tensor *t)
{
    const char *base = t->name && *t->name ? t->name : t->kind == PITHP_NODE_OP ? t->op->name : "constant";
    pithp_free(g->c, g->values[v].name);
    g->values[v].name = NULL;
    char *name = taken(g, pithp_hash64(base, strlen(base)), base) ? pithp_sprintf(g->c, "%s_%u", base, t->id)
                                                                  : pithp_strdup(g->c, base);
    while (name && taken(g, pithp_hash64(name, strlen(name)), name)) {
        char *longer = pithp_sprintf(g->c, "%s_", name);
        pithp_free(g->c, name);
        name = longer;
    }
    if (!name)
        return PITH_ENOMEM;
    g->values[v].hash = pithp_hash64(name, strlen(name));
    g->values[v].name = name;
    return PITH_OK;
}

/* -1: no memory. */
static int new_value(pithp_fgraph *g, const pith_tensor *t, const void *data)
{
    if (!pithp_grow(g->c, &g->values, &g->cap_values, g->n_values, sizeof *g->values))
        return -1;
    int v = (int)g->n_values++;
    g->values[v] = (pithp_fvalue){ .shape = t->shape, .dtype = t->dtype, .data = data };
    return name_value(g, v, t) ? -1 : v;
}

/* The value of operand t; constants get theirs when first asked for. -1: absent, or no memory. */
static int value_of(walk *w, const pith_tensor *t)
{
    if (t && w->value[t->id] < 0 && !w->live[t->id] && t->kind != PITHP_NODE_OP)
        w->value[t->id] = new_value(w->g, t, t->value);
    return t ? w->value[t->id] : -1;
}

/* ---- Which nodes ---- */
static pith_status zeros_stay(const walk *w, const pith_tensor *t)
{
    const int64_t i = pithp_mask_broken(t);
    return i < 0 ? PITH_OK
                 : pithp_error(
                       w->g->c, PITH_EINVAL,
                       "the model cannot be exported: element %lld of '%s' is pruned, but not zero; it was "
                       "written to after pruning: prune again, or clear the masks",
                       (long long)i, t->name ? t->name : "");
}

static pith_status survey(walk *w)
{
    const pith_model *m = w->g->m;
    pithp_model_mark(m, w->marked);
    w->uses[m->output->id] = 1;
    for (size_t id = 0; id <= m->output->id; id++) {
        const pith_tensor *t = m->g->nodes[id];
        if (!w->marked[id])
            continue;
        if (t->kind == PITHP_NODE_INPUT && t != m->input)
            return pithp_error(w->g->c, PITH_EINVAL,
                               "the model cannot be exported: its output depends on '%s', another input",
                               t->name ? t->name : "");
        if (zeros_stay(w, t))
            return w->g->c->status;
        w->live[id] = t == m->input;
        for (int i = 0; i < t->n_in; i++)
            if (t->in[i]) {
                w->uses[t->in[i]->id]++;
                w->live[id] |= w->live[t->in[i]->id];
            }
        if (w->live[id] && pithp_is_fake_quant(t))
            return pithp_error(
                w->g->c, PITH_EINVAL,
                "model '%s' is quantized and can be written with int8 numbers only; for floats "
                "export the model that it was made from",
                pith_model_name(m));
    }
    if (!w->live[m->output->id])
        return pithp_error(w->g->c, PITH_EINVAL,
                           "the model cannot be exported: its output does not depend on its input");
    return PITH_OK;
}

/* ---- Constants that ops compute ---- */
/* Copies the results of a plan that has run into values of their own. */
static pith_status keep_constants(walk *w, pith_plan *p, pith_tensor *const *targets, int n)
{
    for (int i = 0; i < n; i++) {
        size_t count = (size_t)pithp_count(targets[i]->shape), size = pithp_dtype_size(targets[i]->dtype);
        const void *from = pith_plan_value(p, targets[i]);
        void *to = owned(w->g, count, size);
        if (!from || !to)
            return w->g->c->status ? w->g->c->status
                                   : pithp_error(w->g->c, PITH_EBUG, "a constant has no value");
        memcpy(to, from, count * size);
        int v = w->value[targets[i]->id] = new_value(w->g, targets[i], to);
        if (v < 0)
            return PITH_ENOMEM;
        w->g->values[v].from = targets[i];
    }
    return PITH_OK;
}

static pith_status compute_constants(walk *w)
{
    pithp_graph *graph = w->g->m->g;
    pith_tensor **targets = PITHP_NEW_N(w->g->c, pith_tensor *, graph->n);
    uint8_t *wanted = PITHP_NEW_N(w->g->c, uint8_t, graph->n);
    pith_status s = targets && wanted ? PITH_OK : PITH_ENOMEM;
    int n = 0;
    for (size_t id = 0; id < graph->n && !s; id++)
        for (int i = 0; w->marked[id] && w->live[id] && i < graph->nodes[id]->n_in; i++) {
            pith_tensor *t = graph->nodes[id]->in[i];
            if (t && t->kind == PITHP_NODE_OP && !w->live[t->id] && !wanted[t->id]) {
                wanted[t->id] = 1;
                targets[n++] = t;
            }
        }
    if (n && !s) {
        pith_plan *p = pith_plan_new(targets, n, (pith_plan_cfg){ 0 });
        s = p ? pith_plan_forward(p, 0, 0) : w->g->c->status;
        if (!s)
            s = keep_constants(w, p, targets, n);
        pith_plan_free(p);
    }
    pithp_free(w->g->c, targets);
    pithp_free(w->g->c, wanted);
    return s;
}

/* ---- Steps ---- */
static pith_status add_step(walk *w, const pith_tensor *t)
{
    pithp_fgraph *g = w->g;
    if (!pithp_grow(g->c, &g->steps, &g->cap_steps, g->n_steps, sizeof *g->steps))
        return PITH_ENOMEM;
    pithp_fstep s = { .node = t, .n_in = t->n_in };
    for (int i = 0; i < t->n_in; i++)
        if ((s.in[i] = value_of(w, t->in[i])) < 0 && t->in[i])
            return PITH_ENOMEM;
    if ((s.out = w->value[t->id] = new_value(g, t, NULL)) < 0)
        return PITH_ENOMEM;
    w->step[t->id] = (int)g->n_steps;
    g->steps[g->n_steps++] = s;
    return PITH_OK;
}

/* The step before t, if t is the only one that sees its result; NULL otherwise. */
static pithp_fstep *only_before(walk *w, const pith_tensor *t)
{
    const pith_tensor *x = t->in[0];
    int step = w->step[x->id];
    return step >= 0 && w->uses[x->id] == 1 ? &w->g->steps[step] : NULL;
}

/* t's result is what the step before now computes. */
static pith_status absorb(walk *w, const pith_tensor *t)
{
    const pith_tensor *x = t->in[0];
    w->value[t->id] = w->value[x->id];
    w->step[t->id] = w->step[x->id];
    return name_value(w->g, w->value[t->id], t);
}

static bool is_identity(const pith_op *op)
{
    return op == &pithp_op_dropout || op == &pithp_op_drop_connect ||
           op == &pithp_op_stop_gradient; /* in inference */
}

static pith_act act_of(const pith_op *op)
{
    return op == &pithp_op_relu ? PITH_RELU : op == &pithp_op_relu6 ? PITH_RELU6 : PITH_LINEAR;
}

static bool takes_act(const pith_op *op)
{
    return op == &pithp_op_conv2d || op == &pithp_op_depthwise_conv2d || op == &pithp_op_dense ||
           op == &pithp_op_add;
}

static pith_status visit(walk *w, const pith_tensor *t)
{
    if (is_identity(t->op)) {
        w->value[t->id] = w->value[t->in[0]->id];
        w->step[t->id] = w->uses[t->in[0]->id] == 1 ? w->step[t->in[0]->id] : -1;
        return PITH_OK;
    }
    pithp_fstep *before = t->n_in > 0 && t->in[0] ? only_before(w, t) : NULL;
    if (before && before->act == PITH_LINEAR) {
        if (t->op == &pithp_op_batch_norm) {
            bool folded = false;
            pith_status s = pithp_fold_bn(w->g, before, t, &folded);
            if (s || folded)
                return s ? s : absorb(w, t);
        }
        if (act_of(t->op) != PITH_LINEAR && takes_act(before->node->op)) {
            before->act = act_of(t->op);
            return absorb(w, t);
        }
    }
    return add_step(w, t);
}

static pith_status build(walk *w)
{
    pithp_fgraph *g = w->g;
    const pith_model *m = g->m;
    pith_status s = survey(w);
    if (!s && (g->input = w->value[m->input->id] = new_value(g, m->input, NULL)) < 0)
        s = PITH_ENOMEM;
    if (!s)
        s = compute_constants(w);
    for (size_t id = 0; id <= m->output->id && !s; id++) {
        const pith_tensor *t = m->g->nodes[id];
        if (w->marked[id] && w->live[id] && t->kind == PITHP_NODE_OP)
            s = visit(w, t);
    }
    if (!s && (g->output = w->value[m->output->id]) == g->input)
        s = pithp_error(g->c, PITH_EINVAL, "the model cannot be exported: its output is its input");
    return s;
}

pith_status pithp_fgraph_make(pithp_fgraph *g, pith_model *m)
{
    *g = (pithp_fgraph){ .c = m->ctx, .m = m };
    size_t n = m->g->n;
    walk w = { .g = g,
               .marked = PITHP_NEW_N(g->c, uint8_t, n),
               .live = PITHP_NEW_N(g->c, uint8_t, n),
               .uses = PITHP_NEW_N(g->c, int, n),
               .value = PITHP_NEW_N(g->c, int, n),
               .step = PITHP_NEW_N(g->c, int, n) };
    pith_status s = PITH_ENOMEM;
    if (w.marked && w.live && w.uses && w.value && w.step) {
        for (size_t i = 0; i < n; i++)
            w.value[i] = w.step[i] = -1;
        s = build(&w);
    }
    pithp_free(g->c, w.marked);
    pithp_free(g->c, w.live);
    pithp_free(g->c, w.uses);
    pithp_free(g->c, w.value);
    pithp_free(g->c, w.step);
    if (s)
        pithp_fgraph_free(g);
    return s;
}

void pithp_fgraph_free(pithp_fgraph *g)
{
    for (size_t i = 0; i < g->n_values; i++)
        pithp_free(g->c, g->values[i].name);
    for (size_t i = 0; i < g->n_own; i++)
        pithp_free(g->c, g->own[i]);
    pithp_free(g->c, g->own);
    pithp_free(g->c, g->values);
    pithp_free(g->c, g->steps);
    *g = (pithp_fgraph){ .c = g->c, .m = g->m };
}
