/* deploy/onnx/emit.c: the model around the nodes, and the entry of the exporter. */
#include "deploy/onnx/emit.h"
#include <pith/export.h>
#include <string.h>

_Static_assert(sizeof(pith_real) == sizeof(float), "exporters are built with float32 models only");

void pithp_onnx_refuse(pithp_onnx_emit *e, const pithp_fstep *s, const char *why)
{
    pithp_pb_fail(&e->pb,
                  pithp_error(e->pb.c, PITH_EINVAL, "op %s (%s) cannot be written to an ONNX file: %s",
                              s->node->op->name, e->g->values[s->out].name, why));
}

/* A float32 input or output; the first dimension is the number of samples. */
static void value_info(pithp_onnx_emit *e, int field, int value)
{
    const pithp_fvalue *v = &e->g->values[value];
    pith_shape x = v->shape;
    pithp_pb *pb = &e->pb;
    if (e->nchw[value])
        x = PITH_SHAPE(x.d[0], x.d[3], x.d[1], x.d[2]);
    pithp_pb_begin(pb, field);
    pithp_pb_text(pb, ONNX_VALUE_NAME, v->name);
    pithp_pb_begin(pb, ONNX_VALUE_TYPE);
    pithp_pb_begin(pb, ONNX_TYPE_TENSOR);
    pithp_pb_int(pb, ONNX_TYPE_ELEM, ONNX_FLOAT);
    pithp_pb_begin(pb, ONNX_TYPE_SHAPE);
    for (int i = 0; i < x.ndim; i++) {
        pithp_pb_begin(pb, ONNX_SHAPE_DIM);
        if (i == 0 && x.d[0] == 1)
            pithp_pb_text(pb, ONNX_DIM_PARAM, "N");
        else
            pithp_pb_int(pb, ONNX_DIM_VALUE, x.d[i]);
        pithp_pb_end(pb);
    }
    for (int i = 0; i < 4; i++)
        pithp_pb_end(pb);
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

static void graph(pithp_onnx_emit *e)
{
    pithp_pb_begin(&e->pb, ONNX_MODEL_GRAPH);
    pithp_pb_text(&e->pb, ONNX_GRAPH_NAME, pith_model_name(e->g->m));
    e->nchw[e->g->input] = e->g->values[e->g->input].shape.ndim == 4;
    value_info(e, ONNX_GRAPH_INPUT, e->g->input);
    for (size_t i = 0; i < e->g->n_steps && !e->pb.status; i++)
        emit_step(e, &e->g->steps[i]);
    value_info(e, ONNX_GRAPH_OUTPUT, e->g->output);
    pithp_pb_end(&e->pb);
}

static void property(pithp_pb *pb, const char *key, const char *value)
{
    if (!value)
        return;
    pithp_pb_begin(pb, ONNX_MODEL_METADATA);
    pithp_pb_text(pb, ONNX_PROP_KEY, key);
    pithp_pb_text(pb, ONNX_PROP_VALUE, value);
    pithp_pb_end(pb);
}

static void model(pithp_onnx_emit *e)
{
    pithp_pb *pb = &e->pb;
    pithp_pb_int(pb, ONNX_MODEL_IR, PITHP_ONNX_IR);
    pithp_pb_text(pb, ONNX_MODEL_PRODUCER, "pith");
    pithp_pb_text(pb, ONNX_MODEL_PRODUCER_VERSION, PITH_VERSION);
    pithp_pb_begin(pb, ONNX_MODEL_OPSET);
    pithp_pb_int(pb, ONNX_OPSET_VERSION, PITHP_ONNX_OPSET);
    pithp_pb_end(pb);
    graph(e);
    property(pb, "classes", pith_model_meta(e->g->m, "classes"));
    property(pb, "input", pith_model_meta(e->g->m, "input"));
}

static pith_status save(pithp_onnx_emit *e, const char *path)
{
    pithp_save f;
    pithp_pb *pb = &e->pb;
    if (!pb->status && pb->depth)
        pb->status = pithp_error(pb->c, PITH_EBUG, "an ONNX message was not ended");
    pith_status s = pb->status;
    if (s || (s = pithp_save_begin(pb->c, &f, path)))
        return s;
    if (!(s = pithp_save_write(pb->c, &f, pb->buf, pb->n)))
        s = pithp_save_commit(pb->c, &f, false);
    if (s)
        pithp_save_abort(pb->c, &f);
    return s;
}

pith_status pith_export_onnx(pith_model *m, const char *path, pith_export_cfg cfg)
{
    pithp_fgraph g;
    pithp_onnx_emit e = { .g = &g };
    if (cfg.numbers != PITH_EXPORT_AUTO && cfg.numbers != PITH_EXPORT_F32)
        return pithp_error(m->ctx, PITH_EINVAL, "an ONNX file is written with float32 numbers only, not %d",
                           (int)cfg.numbers);
    pith_status s = pithp_fgraph_make(&g, m);
    if (s)
        return s;
    pithp_pb_init(m->ctx, &e.pb);
    e.nchw = PITHP_NEW_N(m->ctx, bool, g.n_values);
    e.done = PITHP_NEW_N(m->ctx, uint8_t, g.n_values);
    if (e.nchw && e.done)
        model(&e);
    else
        pithp_pb_fail(&e.pb, PITH_ENOMEM);
    s = save(&e, path);
    pithp_free(m->ctx, e.nchw);
    pithp_free(m->ctx, e.done);
    pithp_pb_free(&e.pb);
    pithp_fgraph_free(&g);
    return s;
}
