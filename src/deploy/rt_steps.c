/* deploy/rt_steps.c: pith_rt in libpith-rt: the file op by op. A step reads an op, prepares it in a graph of its own (operands
   given, one result), runs it with the reference kernels and forgets it. The file's tensors are what the steps have in
   common: every step was checked against them when the file was opened. What stays is each tensor's place in the arena,
   and room for the records of the largest step. */
#include "deploy/rt_engine.h"
#include "deploy/tflite/read_int8_ops.h"
#include "graph/qplan.h"
#include <string.h>

enum { ALIGN = 16, MOST_OPERANDS = 64 };

struct pithp_rt_run {
    pithp_obj obj;
    pithp_tfl_file f; /* its context is `step` */
    char *path;
    pith_ctx *c;
    pith_ctx step; /* a step's records come from `room`; while the file is checked, from c */
    uint8_t *room, *arena;
    size_t used, most, arena_bytes;
    int64_t macs;
    size_t *offset;   /* [tensors] in the arena */
    uint8_t *inplace; /* [ops] as in pithp_qop */
    size_t *
        bytes; /* [tensors] of what has a place in the arena, else 0; while the file is checked, as the next */
    uint8_t *known; /* [tensors] */
    int in[MOST_OPERANDS];
};

/* ---- Memory of a step ---- */
static void *step_alloc(void *run, size_t n)
{
    pithp_rt_run *r = run;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    void *p = !r->room ? pithp_alloc(r->c, n, 1) : n <= r->most - r->used ? r->room + r->used : NULL;
    r->used += p ? n : 0;
    return p;
}

static void step_release(void *run, void *p)
{
    pithp_rt_run *r = run;
    if (!r->room)
        pithp_free(r->c, p);
}

/* A graph for one step, in r->used = 0 bytes of room. */
static pithp_qgraph *begin(pithp_rt_run *r, pithp_tfl_qread *read)
{
    r->used = 0;
    *read = (pithp_tfl_qread){ .f = &r->f, .known = r->known, .g = pithp_qgraph_new(&r->step, NULL) };
    for (int i = 0; i < PITHP_TFL_STEP_TENSORS; i++)
        read->step[i] = -1;
    if (read->g) {
        read->g->borrow = true;
        read->g->care = r->room ? PITHP_QCARE_RUN : PITHP_QCARE_CHECK;
    }
    return read->g;
}

static pith_status op(pithp_tfl_qread *read, size_t i)
{
    return pithp_tfl_walk_op(read->f, i, pithp_tfl_qread_rows, pithp_tfl_qread_rows_n, "integer models",
                             read);
}

/* Sizes of what the step reads and computes. */
static void note(pithp_rt_run *r, const pithp_tfl_qread *read)
{
    for (int i = 0; i < read->g->n_tensors; i++) {
        const pithp_qtensor *t = pithp_q_tensor(read->g, i);
        if (read->step[i] >= 0 && !t->data)
            r->bytes[read->step[i]] = (size_t)pithp_count(t->shape) * pithp_dtype_size(t->dtype);
    }
}

static void end(pithp_rt_run *r, pithp_qgraph *g)
{
    r->most = PITHP_MAX(r->most, r->used);
    pithp_qgraph_free(g);
}

/* The step's error is the context's. */
static pith_status status(pithp_rt_run *r)
{
    if (r->step.status)
        pithp_error(r->c, r->step.status, "%s", r->step.error);
    return r->c->status;
}

/* ---- Opening ---- */
static pith_status check(pithp_rt_run *r)
{
    pithp_tfl_qread read;
    pithp_qgraph *g = begin(r, &read);
    pith_status s = g ? pithp_tfl_qinputs(&read) : r->step.status;
    if (!s)
        note(r, &read);
    end(r, g);
    for (size_t i = 0; i < r->f.ops.n && !s; i++) {
        g = begin(r, &read);
        s = g ? op(&read, i) : r->step.status;
        if (!s) {
            r->inplace[i] = (uint8_t)g->nodes[0]->op->inplace;
            r->macs += pithp_q_macs(g);
            note(r, &read);
        }
        end(r, g);
    }
    for (size_t i = 0; i < r->f.outputs.n && !s; i++)
        s = pithp_tfl_qoutput(&read, i, &r->in[0]);
    return status(r);
}

/* The file as the planner of memory sees it. It was checked: what is read here cannot fail. */
static size_t list_bytes(const void *run, int t) { return ((const pithp_rt_run *)run)->bytes[t]; }

static pithp_qlist_op list_op(const void *run, int i)
{
    pithp_rt_run *r = (pithp_rt_run *)(uintptr_t)run;
    pithp_tfl_node n;
    pithp_qlist_op o = { .in = r->in, .inplace = r->inplace[i] };
    if (pithp_tfl_node_get(&r->f, (size_t)i, &n))
        return o;
    o.out = n.out;
    for (int k = 0; k < n.n_in && pithp_tfl_input(&n, k) >= 0;
         k++) /* only a last one, a bias, may be absent */
        r->in[o.n_in++] = pithp_tfl_input(&n, k);
    return o;
}

static int output(const pithp_rt_run *r, size_t i)
{
    return i < r->f.outputs.n ? pithp_fbr_i32(r->f.outputs, i) : -1;
}
static int list_output(const void *run, int i) { return output(run, (size_t)i); }

static pith_status lay_out(pithp_rt_run *r)
{
    const pithp_qlist q = { (int)r->f.tensors.n, (int)r->f.ops.n, r, list_bytes, list_op, list_output };
    pith_status s = pithp_qplace(r->c, &q, ALIGN, 0, NULL, r->offset, NULL, &r->arena_bytes);
    if (s)
        return s;
    r->arena = pithp_alloc(r->c, r->arena_bytes, 1);
    r->room = pithp_alloc(r->c, r->most, 1);
    return r->c->status;
}

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pithp_rt_run *r = (pithp_rt_run *)o;
    pithp_free(c, r->path), pithp_free(c, r->room), pithp_free(c, r->arena);
    pithp_free(c, r->offset), pithp_free(c, r->inplace), pithp_free(c, r->known), pithp_free(c, r->bytes);
    pithp_free(c, r);
}

static pithp_rt_run *start(const pithp_tfl_file *f)
{
    pith_ctx *c = f->c;
    pithp_rt_run *r = PITHP_NEW(c, pithp_rt_run);
    if (!r)
        return NULL;
    pithp_own(c, &r->obj, destroy);
    r->c = c;
    r->f = *f;
    r->f.c = &r->step;
    r->step.cfg = (pith_ctx_cfg){ .alloc = step_alloc, .release = step_release, .alloc_user = r };
    pithp_ring_open(&r->step);
    r->f.path = r->path = pithp_strdup(c, f->path);
    r->offset = PITHP_NEW_N(c, size_t, f->tensors.n);
    r->bytes = PITHP_NEW_N(c, size_t, f->tensors.n);
    r->known = PITHP_NEW_N(c, uint8_t, f->tensors.n);
    r->inplace = PITHP_NEW_N(c, uint8_t, f->ops.n);
    if (c->status || check(r) || lay_out(r))
        return NULL;
    pithp_free(c, r->known), pithp_free(c, r->inplace), pithp_free(c, r->bytes);
    r->known = r->inplace = NULL, r->bytes = NULL;
    return r;
}

/* ---- Asking ---- */
static bool tensor(const pithp_rt_run *run, bool out, int i, pith_rt_tensor *t)
{
    pithp_rt_run *r = (pithp_rt_run *)(uintptr_t)run;
    pithp_fbr_vec list = out ? r->f.outputs : r->f.inputs;
    pithp_tfl_view v;
    if (i < 0 || (size_t)i >= list.n || pithp_tfl_view_get(&r->f, pithp_fbr_i32(list, (size_t)i), &v))
        return false;
    bool quantized = v.type == TFL_INT8;
    *t = (pith_rt_tensor){ .name = *v.name ? v.name : "(no name)",
                           .type = quantized ? PITH_I8 : PITH_F32,
                           .shape = v.shape,
                           .bytes = (size_t)v.count * pithp_tfl_type_bytes(v.type),
                           .scale = quantized ? v.scale[0] : 1,
                           .zero_point = quantized ? v.zero : 0 };
    return true;
}

static size_t arena(const pithp_rt_run *r) { return r->arena_bytes; }
static int64_t macs(const pithp_rt_run *r) { return r->macs; }

/* ---- Running ---- */
/* A result that is not the file's, of a dense layer that is reshaped behind, lies where the last one will. */
static void call(const pithp_rt_run *r, const pithp_tfl_qread *read, int result)
{
    const pithp_qgraph *g = read->g;
    for (int i = 0; i < g->n_nodes; i++) {
        const pithp_qnode *n = g->nodes[i];
        pithp_qcall k = { .node = n, .out = r->arena + r->offset[result] };
        for (int j = 0; j < n->n_in; j++) {
            const pithp_qtensor *t = pithp_q_in(g, n, j);
            int of = read->step[t->id] >= 0 ? read->step[t->id] : result;
            k.in[j] = t->data ? t->data : r->arena + r->offset[of];
        }
        n->op->run(&k, 0, n->op->rows(g, n));
    }
}

static pith_status run(pithp_rt_run *r, const void *const *inputs, void *const *outputs)
{
    pith_rt_tensor t;
    pith_status s = r->c->status;
    for (int i = 0; !s && tensor(r, false, i, &t); i++)
        memcpy(r->arena + r->offset[pithp_fbr_i32(r->f.inputs, (size_t)i)], inputs[i], t.bytes);
    for (size_t i = 0; i < r->f.ops.n && !s; i++) {
        pithp_tfl_qread read;
        pithp_qgraph *g = begin(r, &read);
        s = g ? op(&read, i) : r->step.status;
        if (!s)
            call(r, &read, read.step[pithp_q_out(g, g->nodes[g->n_nodes - 1])->id]);
        end(r, g);
    }
    for (int i = 0; !s && tensor(r, true, i, &t); i++)
        memcpy(outputs[i], r->arena + r->offset[output(r, (size_t)i)], t.bytes);
    return status(r);
}

const pithp_rt_engine pithp_rt_steps = { start, tensor, run, arena, macs };
