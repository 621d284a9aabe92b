/* deploy/onnx/int8_emit.c: the walk over the integer graph: names, inputs and outputs. */
#include "deploy/onnx/int8_emit.h"
#include <string.h>

void pithp_onnx_qrefuse(pithp_onnx_qemit *e, const pithp_qnode *n, const char *why)
{
    pithp_pb_fail(&e->pb,
                  pithp_error(e->pb.c, PITH_EINVAL, "op %s (%s) cannot be written to an ONNX file: %s",
                              n->op->name, n->name ? n->name : "", why));
}

/* ---- Names ---- */
static bool is_output(const pithp_qgraph *g, int t)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == t)
            return true;
    return false;
}

static bool is_input(const pithp_qgraph *g, int t)
{
    for (int i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] == t)
            return true;
    return false;
}

/* The graph's own name of a tensor, where it can be the file's: no other's, and without the colon of our suffixes. */
static const char *own_name(const pithp_qgraph *g, int t)
{
    const char *name = g->tensors[t]->name;
    if (!name || !*name || strchr(name, ':'))
        return NULL;
    for (int i = 0; i < t; i++)
        if (g->tensors[i]->name && !strcmp(g->tensors[i]->name, name))
            return NULL;
    return name;
}

/* The name of an input or output, under which floats go in and out. */
static char *outer_name(const pithp_onnx_qemit *e, int t)
{
    const char *own = own_name(e->g, t);
    return own ? pithp_strdup(e->pb.c, own) : pithp_sprintf(e->pb.c, "tensor:%d", t);
}

static bool name_all(pithp_onnx_qemit *e)
{
    for (int t = 0; t < e->g->n_tensors; t++) {
        bool other = e->g->tensors[t]->dtype == PITH_I8 && (is_input(e->g, t) || is_output(e->g, t));
        char *name = outer_name(e, t);
        e->name[t] = name && other ? pithp_sprintf(e->pb.c, "%s:uint8", name) : name;
        if (e->name[t] != name)
            pithp_free(e->pb.c, name);
        if (!e->name[t])
            return false;
    }
    return true;
}

/* ---- The walk ---- */
/* Between an input or output that is int8 and `real`: the same scale, another zero point. */
static void convert_int8(pithp_onnx_qemit *e, int at, bool in, const char *outside, const char *real)
{
    const pithp_qtensor *t = e->g->tensors[at];
    pithp_onnx_name scale, zero;
    pithp_onnx_join(&e->pb, outside, ":int8:scale", scale);
    pithp_onnx_join(&e->pb, outside, ":int8:zero", zero);
    pithp_onnx_real(&e->pb, scale, t->scale[0]);
    pithp_onnx_tensor(&e->pb, zero, ONNX_INT8, PITH_SCALAR, &(int8_t){ (int8_t)t->zero });
    pithp_onnx_simple(&e->pb, in ? "DequantizeLinear" : "QuantizeLinear",
                      (const char *[]){ in ? outside : real, scale, zero }, 3, in ? real : outside);
}

/* An input or output, and what stands between it and its integers. */
static void outer(pithp_onnx_qemit *e, int at, bool in)
{
    const pithp_qtensor *t = e->g->tensors[at];
    pith_shape x = t->shape;
    bool integers = t->dtype == PITH_I8, int8 = integers && e->int8_io;
    pithp_onnx_name real;
    char *name = outer_name(e, at);
    if (in)
        e->nchw[at] = x.ndim == 4;
    if (e->nchw[at])
        x = PITH_SHAPE(x.d[0], x.d[3], x.d[1], x.d[2]);
    if (!name) {
        pithp_pb_fail(&e->pb, PITH_ENOMEM);
        return;
    }
    pithp_onnx_value(&e->pb, in ? ONNX_GRAPH_INPUT : ONNX_GRAPH_OUTPUT, name, int8 ? ONNX_INT8 : ONNX_FLOAT,
                     x);
    pithp_onnx_join(&e->pb, name, int8 ? ":real" : "", real);
    if (int8 && in)
        convert_int8(e, at, in, name, real);
    if (integers && in)
        pithp_onnx_q_quantize(e, at, real, e->name[at]);
    else if (integers)
        pithp_onnx_q_dequantize(e, at, e->name[at], real);
    if (int8 && !in)
        convert_int8(e, at, in, name, real);
    pithp_free(e->pb.c, name);
}

static void emit_node(pithp_onnx_qemit *e, const pithp_qnode *n)
{
    if (pithp_q_bounded(e->g, n)) {
        pithp_onnx_qrefuse(e, n, PITHP_Q_BOUNDED);
        return;
    }
    for (size_t i = 0; i < pithp_onnx_qrows_n; i++)
        if (pithp_onnx_qrows[i].op == n->op) {
            pithp_onnx_qrows[i].emit(e, n);
            return;
        }
    pithp_onnx_qrefuse(e, n, "there is no operator for it");
}

static pith_status emit_all(pithp_onnx_qemit *e, const pith_model *m, const char *path)
{
    pithp_onnx_begin(&e->pb, e->g->name);
    for (int i = 0; i < e->g->n_inputs; i++)
        outer(e, e->g->inputs[i], true);
    for (int i = 0; i < e->g->n_nodes && !e->pb.status; i++)
        emit_node(e, e->g->nodes[i]);
    for (int i = 0; i < e->g->n_outputs && !e->pb.status; i++)
        outer(e, e->g->outputs[i], false);
    return pithp_onnx_save(&e->pb, m, path);
}

pith_status pithp_onnx_export_int8(const pithp_qgraph *g, const pith_model *m, bool int8_io, const char *path)
{
    pithp_onnx_qemit e = { .g = g, .int8_io = int8_io };
    pith_ctx *c = g->ctx;
    if (g->failed || g->n_inputs < 1 || g->n_outputs < 1)
        return pithp_error(c, PITH_EINVAL,
                           "the integer graph has %d inputs and %d outputs; an ONNX file needs one of each",
                           g->n_inputs, g->n_outputs);
    pithp_pb_init(c, &e.pb);
    e.nchw = PITHP_NEW_N(c, bool, g->n_tensors + 1);
    e.done = PITHP_NEW_N(c, uint8_t, g->n_tensors + 1);
    e.name = PITHP_NEW_N(c, char *, g->n_tensors + 1);
    bool ready = e.nchw && e.done && e.name && name_all(&e);
    pith_status s = ready ? emit_all(&e, m, path) : PITH_ENOMEM;
    for (int t = 0; e.name && t < g->n_tensors; t++)
        pithp_free(c, e.name[t]);
    pithp_free(c, e.name);
    pithp_free(c, e.nchw);
    pithp_free(c, e.done);
    pithp_pb_free(&e.pb);
    return s;
}
