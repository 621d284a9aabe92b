/* deploy/onnx/model.c: the model around the nodes, and the file. */
#include "deploy/onnx/node.h"

void pithp_onnx_begin(pithp_pb *pb, const char *name)
{
    pithp_pb_int(pb, ONNX_MODEL_IR, PITHP_ONNX_IR);
    pithp_pb_text(pb, ONNX_MODEL_PRODUCER, "pith");
    pithp_pb_text(pb, ONNX_MODEL_PRODUCER_VERSION, PITH_VERSION);
    pithp_pb_begin(pb, ONNX_MODEL_OPSET);
    pithp_pb_int(pb, ONNX_OPSET_VERSION, PITHP_ONNX_OPSET);
    pithp_pb_end(pb);
    pithp_pb_begin(pb, ONNX_MODEL_GRAPH);
    pithp_pb_text(pb, ONNX_GRAPH_NAME, name);
}

void pithp_onnx_value(pithp_pb *pb, int field, const char *name, int type, pith_shape shape)
{
    pithp_pb_begin(pb, field);
    pithp_pb_text(pb, ONNX_VALUE_NAME, name);
    pithp_pb_begin(pb, ONNX_VALUE_TYPE);
    pithp_pb_begin(pb, ONNX_TYPE_TENSOR);
    pithp_pb_int(pb, ONNX_TYPE_ELEM, type);
    pithp_pb_begin(pb, ONNX_TYPE_SHAPE);
    for (int i = 0; i < shape.ndim; i++) {
        pithp_pb_begin(pb, ONNX_SHAPE_DIM);
        if (i == 0 && shape.d[0] == 1)
            pithp_pb_text(pb, ONNX_DIM_PARAM, "N");
        else
            pithp_pb_int(pb, ONNX_DIM_VALUE, shape.d[i]);
        pithp_pb_end(pb);
    }
    for (int i = 0; i < 4; i++)
        pithp_pb_end(pb);
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

pith_status pithp_onnx_save(pithp_pb *pb, const pith_model *m, const char *path)
{
    pithp_save f;
    pithp_pb_end(pb); /* the graph */
    if (m) {
        property(pb, "classes", pith_model_meta(m, "classes"));
        property(pb, "input", pith_model_meta(m, "input"));
    }
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
