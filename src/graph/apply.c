/* pith_op_apply: the one door through which nodes enter a graph; and the table of ops a context knows. */
#include "graph/graph.h"

#include <stdarg.h>
#include <string.h>

/* ---- Registered ops ---- */
typedef struct {
    pithp_obj obj;
    const pith_op *op;
} registered;

static void registered_destroy(pith_ctx *c, pithp_obj *o) { pithp_free(c, o); }

const pith_op *pith_op_find(const pith_ctx *c, const char *name)
{
    for (size_t i = 0; i < pithp_op_table_n; i++)
        if (strcmp(pithp_op_table[i]->name, name) == 0)
            return pithp_op_table[i];
    for (const pithp_obj *o = c->owned.next; o != &c->owned; o = o->next) {
        const registered *r = (const registered *)o;
        if (o->destroy == registered_destroy && strcmp(r->op->name, name) == 0)
            return r->op;
    }
    return NULL;
}

pith_status pith_op_register(pith_ctx *c, const pith_op *op)
{
    size_t n = op->name ? strlen(op->name) : 0;
    if (n == 0 || n > 60 || strspn(op->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n)
        return pithp_error(c, PITH_EINVAL, "op name '%s': 1 to 60 of a-z, 0-9 and _ are expected",
                           n ? op->name : "");
    const pith_op *known = pith_op_find(c, op->name);
    if (known == op)
        return PITH_OK;
    if (known != NULL)
        return pithp_error(c, PITH_EINVAL, "op '%s' is known already: give yours another name", op->name);
    registered *r = PITHP_NEW(c, registered);
    if (r == NULL)
        return PITH_ENOMEM;
    r->op = op;
    pithp_own(c, &r->obj, registered_destroy);
    return PITH_OK;
}

/* ---- Errors of shape functions ---- */
static void operand_text(const pith_infer *q, char *buf, size_t room)
{
    char one[96];
    size_t at = 0;
    buf[0] = 0;
    for (int i = 0; i < q->n_in; i++) {
        const char *text = q->in[i].ndim < 0 ? "none" : pithp_shape_text(q->in[i], one);
        int n = snprintf(buf + at, room - at, "%s%s %s", i ? ", " : "",
                         q->in[i].ndim < 0 ? "" : pithp_dtype_name(q->in_dtype[i]), text);
        if (n < 0 || (size_t)n >= room - at)
            return;
        at += (size_t)n;
    }
}

bool pith_op_fail(pith_infer *q, const char *fmt, ...)
{
    char message[400], operands[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    operand_text(q, operands, sizeof operands);
    pithp_error(q->ctx, PITH_ESHAPE, "op %s%s%s%s: %s; operands: %s", q->op->name, q->name ? " (" : "",
                q->name ? q->name : "", q->name ? ")" : "", message, operands);
    return false;
}

/* ---- Building a node ---- */
static bool operands_ok(const pith_op *op, int n_in, pith_tensor *const *in, pithp_graph *g)
{
    pith_ctx *c = g->ctx;
    if (n_in < op->min_in || n_in > op->max_in || n_in > PITH_OP_MAX_IN) {
        pithp_error(c, PITH_EINVAL, "op %s takes %d to %d operands, not %d", op->name, op->min_in, op->max_in,
                    n_in);
        return false;
    }
    for (int i = 0; i < n_in; i++) {
        if (in[i] == NULL && i >= op->min_in)
            continue;
        if (in[i] == NULL) {
            pithp_error(c, PITH_EINVAL,
                        "op %s: operand %d is NULL; only the operands from %d on are optional", op->name, i,
                        op->min_in);
            return false;
        }
        if (in[i]->g != g) {
            pithp_error(c, PITH_EINVAL,
                        "op %s: operand %d ('%s') belongs to another graph (a model, or the bare engine) "
                        "than operand 0",
                        op->name, i, in[i]->name ? in[i]->name : "");
            return false;
        }
        if ((op->state & op->no_grad) >> i & 1 && in[i]->kind == PITHP_NODE_OP) {
            pithp_error(
                c, PITH_EINVAL,
                "op %s: operand %d ('%s') is state, which training writes to, but here it is computed "
                "by op %s; give a leaf or a parameter",
                op->name, i, in[i]->name ? in[i]->name : "", in[i]->op->name);
            return false;
        }
    }
    return true;
}

static bool infer_node(pith_tensor *t, pith_infer *q, pith_shape *shapes, pith_dtype *types)
{
    for (int i = 0; i < t->n_in; i++) {
        shapes[i] = t->in[i] ? t->in[i]->shape : (pith_shape){ -1, { 0 } };
        types[i] = t->in[i] ? t->in[i]->dtype : PITH_F32;
    }
    *q = (pith_infer){ .ctx = t->g->ctx,
                       .op = t->op,
                       .attr = t->attr,
                       .name = t->name,
                       .n_in = t->n_in,
                       .in = shapes,
                       .in_dtype = types,
                       .threads = t->g->ctx->threads };
    int64_t count;
    if (!t->op->shape(q)) {
        if (pith_ctx_status(q->ctx) == PITH_OK)
            pith_op_fail(q, "the operands do not fit");
        return false;
    }
    if (q->out.ndim < 0 || q->out.ndim > PITH_MAX_DIMS || !pithp_count_ok(q->out, &count))
        return pith_op_fail(q, "the result would be empty or too large");
    t->shape = q->out;
    t->dtype = q->out_dtype;
    return true;
}

pith_tensor *pith_op_apply(const pith_op *op, const void *attr, const char *name, int n_in,
                           pith_tensor *const *in)
{
    pithp_graph *g = NULL;
    for (int i = 0; i < n_in && i < PITH_OP_MAX_IN; i++) {
        if (in[i] == NULL)
            continue;
        if (in[i]->poison)
            return in[i];
        if (g == NULL)
            g = in[i]->g;
    }
    if (g == NULL)
        return NULL; /* nothing to hang an error on */
    if (!operands_ok(op, n_in, in, g))
        return &g->poison;

    pith_ctx *c = g->ctx;
    pith_tensor *t = pithp_node_new(g, PITHP_NODE_OP, PITH_F32, PITH_SCALAR, name ? name : g->scope);
    if (t == NULL)
        return &g->poison;
    t->op = op;
    t->n_in = n_in;
    for (int i = 0; i < n_in; i++)
        t->in[i] = in[i];
    if (op->attr_size > 0) {
        t->attr = pithp_alloc(c, 1, op->attr_size);
        if (t->attr != NULL)
            memcpy(t->attr, attr, op->attr_size);
    }
    pith_infer q;
    pith_shape shapes[PITH_OP_MAX_IN];
    pith_dtype types[PITH_OP_MAX_IN];
    if ((op->attr_size > 0 && t->attr == NULL) || !infer_node(t, &q, shapes, types)) {
        g->n--; /* the failed node was the last: take it back */
        pithp_free(c, t->attr);
        pithp_free(c, t->name);
        pithp_free(c, t);
        return &g->poison;
    }
    for (int i = 0; i < n_in; i++)
        if (op->positive >> i & 1 && in[i] != NULL && in[i]->kind == PITHP_NODE_PARAM)
            in[i]->positive = true;
    return t;
}

void pith_op_parallel(const pith_call *k, int64_t tiles, void (*fn)(void *arg, int64_t tile, int thread),
                      void *arg)
{
    pithp_parallel(pithp_call_env(k)->threads, tiles, fn, arg);
}
