/* deploy/onnx/emit.c: the steps of the float graph, one after the other. */
#include "deploy/onnx/emit.h"

_Static_assert(sizeof(pith_real) == sizeof(float), "exporters are built with float32 models only");

void pithp_onnx_refuse(pithp_onnx_emit *e, const pithp_fstep *s, const char *why)
{
    pithp_pb_fail(&e->pb,
                  pithp_error(e->pb.c, PITH_EINVAL, "op %s (%s) cannot be written to an ONNX file: %s",
                              s->node->op->name, e->g->values[s->out].name, why));
}

static void emit_step(pithp_onnx_emit *e, const pithp_fstep *s)
{
    for (size_t i = 0; i < pithp_onnx_rows_n; i++)
        if (pithp_onnx_rows[i].op == s->node->op) {
            pithp_onnx_rows[i].emit(e, s);
            return;
        }
    pithp_onnx_refuse(e, s, "there is no operator for it");
}

/* An input or output, its dimensions in the order that it has in the file. */
static void value(pithp_onnx_emit *e, int field, int at)
{
    const pithp_fvalue *v = &e->g->values[at];
    pith_shape x = v->shape;
    pithp_onnx_value(&e->pb, field, v->name, ONNX_FLOAT,
                     e->nchw[at] ? PITH_SHAPE(x.d[0], x.d[3], x.d[1], x.d[2]) : x);
}

static pith_status emit_all(pithp_onnx_emit *e, const char *path)
{
    pithp_onnx_begin(&e->pb, pith_model_name(e->g->m));
    e->nchw[e->g->input] = e->g->values[e->g->input].shape.ndim == 4;
    value(e, ONNX_GRAPH_INPUT, e->g->input);
    for (size_t i = 0; i < e->g->n_steps && !e->pb.status; i++)
        emit_step(e, &e->g->steps[i]);
    value(e, ONNX_GRAPH_OUTPUT, e->g->output);
    return pithp_onnx_save(&e->pb, e->g->m, path);
}

pith_status pithp_onnx_export_float(pith_model *m, const char *path)
{
    pithp_fgraph g;
    pithp_onnx_emit e = { .g = &g };
    pith_status s = pithp_fgraph_make(&g, m);
    if (s)
        return s;
    pithp_pb_init(m->ctx, &e.pb);
    e.nchw = PITHP_NEW_N(m->ctx, bool, g.n_values);
    e.done = PITHP_NEW_N(m->ctx, uint8_t, g.n_values);
    s = e.nchw && e.done ? emit_all(&e, path) : PITH_ENOMEM;
    pithp_free(m->ctx, e.nchw);
    pithp_free(m->ctx, e.done);
    pithp_pb_free(&e.pb);
    pithp_fgraph_free(&g);
    return s;
}
