/* graph/int8/qgraph.c: building the integer graph, with all checks that do not depend on the op. */
#include "graph/qgraph.h"
#include <math.h>
#include <string.h>

enum { MOST_NODES = 1 << 20 };

/* Frees what the graph copied. */
static void release(const pithp_qgraph *g, const void *p)
{
    if (!g->borrow)
        pithp_free(g->ctx, (void *)(uintptr_t)p);
}

/* n bytes that will be released: a copy, or the caller's own. NULL: no memory. */
static const void *hold(const pithp_qgraph *g, const void *p, size_t n)
{
    if (g->borrow)
        return p;
    void *copy = pithp_alloc(g->ctx, n, 1);
    return copy ? memcpy(copy, p, n) : NULL;
}

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pithp_qgraph *g = (pithp_qgraph *)o;
    for (int i = 0; i < g->n_tensors; i++) {
        pithp_qtensor *t = g->tensors[i];
        release(g, t->name);
        if (t->scale != &t->one)
            release(g, t->scale);
        release(g, t->data);
        pithp_free(c, t);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        release(g, g->nodes[i]->name);
        pithp_free(c, g->nodes[i]->prep);
        pithp_free(c, g->nodes[i]);
    }
    pithp_free(c, g->tensors);
    pithp_free(c, g->nodes);
    pithp_free(c, g->inputs);
    pithp_free(c, g->outputs);
    pithp_free(c, g->name);
    pithp_free(c, g);
}

pithp_qgraph *pithp_qgraph_new(pith_ctx *c, const char *name)
{
    pithp_qgraph *g = PITHP_NEW(c, pithp_qgraph);
    if (!g)
        return NULL;
    g->ctx = c;
    pithp_own(c, &g->obj, destroy);
    g->name = pithp_strdup(c, name ? name : "model");
    g->failed = !g->name;
    return g;
}

void pithp_qgraph_free(pithp_qgraph *g)
{
    if (g)
        pithp_destroy(g->ctx, &g->obj);
}

/* ---- Tensors ----------------------------------------------------------------------------------------------------*/

static int refuse(pithp_qgraph *g, const char *name, const char *fmt, ...) PITH_PRINTF(3, 4);
static int refuse(pithp_qgraph *g, const char *name, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pithp_error(g->ctx, PITH_EINVAL, "integer graph, tensor %s: %s", name ? name : "(no name)", text);
    g->failed = true;
    return PITHP_QNONE;
}

static bool scale_ok(float s) { return isfinite(s) && s > 0; }

/* Checks what a tensor is said to be. */
static bool check_tensor(pithp_qgraph *g, const pithp_qtensor *t)
{
    int64_t count;
    char text[96];
    if (!t->name[0])
        return refuse(g, t->name, "has no name") == 0;
    if (t->dtype != PITH_I8 && t->dtype != PITH_I32 && t->dtype != PITH_F32)
        return refuse(g, t->name, "is %s; expected int8, int32 or float32", pithp_dtype_name(t->dtype)) == 0;
    if (t->shape.ndim < 1 || !pithp_count_ok(t->shape, &count) || count > INT32_MAX)
        return refuse(g, t->name,
                      "cannot have the shape %s; expected 1 to %d dimensions of at least 1 and at most "
                      "2^31-1 elements",
                      pithp_shape_text(t->shape, text), PITH_MAX_DIMS) == 0;
    if (t->dtype == PITH_I8 && (t->zero < -128 || t->zero > 127))
        return refuse(g, t->name, "has the zero point %d; int8 has -128 to 127", t->zero) == 0;
    if (t->dtype == PITH_F32)
        return true;
    if (t->n_scale != 1 && (t->axis < 0 || t->axis >= t->shape.ndim || t->n_scale != t->shape.d[t->axis]))
        return refuse(g, t->name, "has %d scales along axis %d of %s; expected one, or one for each index",
                      t->n_scale, t->axis, pithp_shape_text(t->shape, text)) == 0;
    for (int i = 0; i < t->n_scale; i++)
        if (!scale_ok(t->scale[i]))
            return refuse(g, t->name,
                          "has the scale %g (index %d); expected a finite positive number: the layer saw no "
                          "data, or its values are not finite",
                          (double)t->scale[i], i) == 0;
    return true;
}

/* Appends a tensor of the graph's own; on failure it is freed. */
static int add_tensor(pithp_qgraph *g, pithp_qtensor t, const char *name, const float *scale)
{
    pith_ctx *c = g->ctx;
    pithp_qtensor *own = PITHP_NEW(c, pithp_qtensor);
    t.name = hold(g, name ? name : "", name ? strlen(name) + 1 : 1);
    if (own && t.n_scale == 1) {
        t.one = *scale;
        t.scale = &own->one;
    } else {
        t.scale = t.n_scale > 0 ? hold(g, scale, (size_t)t.n_scale * sizeof *scale) : NULL;
    }
    if (own && t.name && (t.scale || t.n_scale == 0)) {
        t.id = g->n_tensors;
        *own = t;
        if (g->n_tensors < MOST_NODES && check_tensor(g, own) &&
            pithp_grow(c, &g->tensors, &g->cap_tensors, (size_t)g->n_tensors, sizeof *g->tensors)) {
            g->tensors[g->n_tensors] = own;
            return g->n_tensors++;
        }
    }
    g->failed = true;
    release(g, t.name);
    if (!own || t.scale != &own->one)
        release(g, t.scale);
    pithp_free(c, own);
    return PITHP_QNONE;
}

static bool push(pithp_qgraph *g, int **list, int *n, size_t *cap, int t)
{
    if (!pithp_grow(g->ctx, list, cap, (size_t)*n, sizeof **list)) {
        g->failed = true;
        return false;
    }
    (*list)[(*n)++] = t;
    return true;
}

int pithp_q_input(pithp_qgraph *g, const char *name, pith_dtype dtype, pith_shape shape, pithp_qparam q)
{
    if (g->failed)
        return PITHP_QNONE;
    if (shape.ndim < 2 || shape.d[0] != 1)
        return refuse(g, name,
                      "is an input; expected a shape of at least two dimensions whose first is 1 (samples)");
    int id = pithp_q_given(g, name, dtype, shape, q);
    return id != PITHP_QNONE && push(g, &g->inputs, &g->n_inputs, &g->cap_inputs, id) ? id : PITHP_QNONE;
}

int pithp_q_given(pithp_qgraph *g, const char *name, pith_dtype dtype, pith_shape shape, pithp_qparam q)
{
    pithp_qtensor t = {
        .node = -1, .dtype = dtype, .shape = shape, .n_scale = dtype != PITH_F32, .zero = q.zero
    };
    return g->failed ? PITHP_QNONE : add_tensor(g, t, name, &q.scale);
}

int pithp_q_const(pithp_qgraph *g, const char *name, pith_dtype dtype, pith_shape shape, const float *scale,
                  int n_scale, int axis, int32_t zero, const void *data)
{
    if (g->failed)
        return PITHP_QNONE;
    if (!data || n_scale < 0 || n_scale > INT16_MAX * 8 || (n_scale && !scale) ||
        (n_scale == 0) != (dtype == PITH_F32))
        return refuse(g, name, "is a constant; expected data and scales, and no scales with float32");
    pithp_qtensor t = { .node = -1,
                        .dtype = dtype,
                        .shape = shape,
                        .n_scale = n_scale,
                        .axis = n_scale > 1 ? axis : 0,
                        .zero = zero };
    int id = add_tensor(g, t, name, scale);
    if (id == PITHP_QNONE)
        return id;
    size_t bytes = (size_t)pithp_count(shape) * pithp_dtype_size(dtype);
    if (!(g->tensors[id]->data = hold(g, data, bytes))) {
        g->failed = true;
        return PITHP_QNONE;
    }
    return id;
}

pith_status pithp_q_output(pithp_qgraph *g, int t)
{
    if (g->failed)
        return g->ctx->status;
    if (t < 0 || t >= g->n_tensors || g->tensors[t]->node < 0)
        refuse(g, t >= 0 && t < g->n_tensors ? g->tensors[t]->name : NULL,
               "cannot be an output: no op computes it");
    else
        push(g, &g->outputs, &g->n_outputs, &g->cap_outputs, t);
    return g->ctx->status;
}

/* ---- Ops ----------------------------------------------------------------------------------------------------------*/

/* Bounds of the result that a fused activation gives (TFLite: CalculateActivationRangeQuantized). */
static void bounds(pithp_qnode *n, const pithp_qtensor *out)
{
    static const float from[] = { -INFINITY, 0, 0, -1 }, to[] = { INFINITY, INFINITY, 6, 1 };
    int top = 1 << ((n->attr.bits ? n->attr.bits : 8) - 1);
    n->lo = -top;
    n->hi = top - 1;
    if (out->dtype != PITH_I8)
        return;
    if (isfinite(from[n->attr.act]))
        n->lo = PITHP_MAX(n->lo, pithp_quantize_i8(from[n->attr.act], out->scale[0], out->zero));
    if (isfinite(to[n->attr.act]))
        n->hi = PITHP_MIN(n->hi, pithp_quantize_i8(to[n->attr.act], out->scale[0], out->zero));
}

bool pithp_q_bounded(const pithp_qgraph *g, const pithp_qnode *n)
{
    pithp_qnode free = *n;
    const int top = n->attr.bits ? 1 << (n->attr.bits - 1) : 0;
    free.attr.bits = 0;
    bounds(&free, pithp_q_out(g, n));
    return top > 0 && top < 128 &&
           ((n->lo == -top && free.lo < n->lo) || (n->hi == top - 1 && free.hi > n->hi));
}

static bool check_op(pithp_qgraph *g, const pithp_qnode *n, const int *in)
{
    if (n->n_in < n->op->min_in || n->n_in > n->op->max_in)
        return !pithp_q_error(g, n, PITH_EINVAL, "has %d operands; expected %d to %d", n->n_in, n->op->min_in,
                              n->op->max_in);
    if (n->attr.bits != 0 && (n->attr.bits < 2 || n->attr.bits > 8))
        return !pithp_q_error(g, n, PITH_EINVAL, "a result of %d bits; 2 to 8 are expected", n->attr.bits);
    for (int i = 0; i < n->n_in; i++)
        if (in[i] < 0 || in[i] >= g->n_tensors)
            return !pithp_q_error(g, n, PITH_EINVAL, "operand %d is no tensor of this graph", i);
    if ((unsigned)n->attr.act > PITHP_QRELU_N1)
        return !pithp_q_error(g, n, PITH_EINVAL, "there is no fused activation %d", (int)n->attr.act);
    return true;
}

/* Appends the node and its result, both complete; `in` has been copied. */
static int add_node(pithp_qgraph *g, pithp_qnode *n, pithp_qtensor out, const float *scale)
{
    if (!pithp_grow(g->ctx, &g->nodes, &g->cap_nodes, (size_t)g->n_nodes, sizeof *g->nodes))
        return PITHP_QNONE;
    out.node = g->n_nodes;
    int id = add_tensor(g, out, n->name, scale);
    if (id == PITHP_QNONE)
        return id;
    n->out = id;
    g->nodes[g->n_nodes++] = n;
    return id;
}

int pithp_q_op(pithp_qgraph *g, const pithp_qop *op, const char *name, const int *in, int n_in,
               const pithp_qattr *attr, pithp_qparam q)
{
    pith_ctx *c = g->ctx;
    if (g->failed)
        return PITHP_QNONE;
    pithp_qnode *n = PITHP_NEW(c, pithp_qnode);
    if (n) {
        n->op = op;
        n->n_in = n_in;
        n->attr = attr ? *attr : (pithp_qattr){ 0 };
        n->name = name && *name ? name : op->name;
        n->name = hold(g, n->name, strlen(n->name) + 1);
    }
    int id = PITHP_QNONE;
    if (n && n->name && check_op(g, n, in)) {
        memcpy(n->in, in, (size_t)n_in * sizeof *in);
        const pithp_qtensor *x = g->tensors[in[0]];
        if (op->same_scale && x->n_scale > 0)
            q = (pithp_qparam){ x->scale[0], x->zero };
        pithp_qtensor out = { .dtype = PITH_I8, .n_scale = 1, .scale = &q.scale, .zero = q.zero };
        out.name = n->name;
        bool good = scale_ok(q.scale) && q.zero >= -128 && q.zero <= 127;
        if (!good && !op->free_scale)
            pithp_q_error(
                g, n, PITH_EINVAL,
                "its result has scale %g and zero point %d; expected a finite positive scale and -128 to "
                "127: the layer saw no data, or its values are not finite",
                (double)q.scale, q.zero);
        else {
            if (good)
                bounds(n, &out);
            if (!op->prepare(g, n, &out))
                id = add_node(g, n, out, &q.scale);
        }
    }
    if (id == PITHP_QNONE) {
        g->failed = true;
        if (n) {
            release(g, n->name);
            pithp_free(c, n->prep);
        }
        pithp_free(c, n);
    }
    return id;
}

/* ---- Asking -------------------------------------------------------------------------------------------------------*/

int pithp_q_find(const pithp_qgraph *g, const char *name)
{
    for (int i = 0; i < g->n_tensors; i++)
        if (!strcmp(g->tensors[i]->name, name))
            return i;
    return PITHP_QNONE;
}

int64_t pithp_q_macs(const pithp_qgraph *g)
{
    int64_t sum = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op->macs)
            sum += g->nodes[i]->op->macs(g, g->nodes[i]);
    return sum;
}

size_t pithp_q_bytes(const pithp_qgraph *g)
{
    size_t sum = 0;
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->data)
            sum += (size_t)pithp_count(g->tensors[i]->shape) * pithp_dtype_size(g->tensors[i]->dtype);
    return sum;
}
