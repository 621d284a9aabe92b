/* deploy/onnx/export.c: which of the two graphs an ONNX file is written from. */
#include "deploy/numbers.h"
#include "deploy/onnx/emit.h"
#include "deploy/onnx/int8_emit.h"

pith_status pith_export_onnx(pith_model *m, const char *path, pith_export_cfg cfg)
{
    pith_export_numbers as = pithp_export_numbers(m, cfg);
    if (as == PITH_EXPORT_F32 && cfg.int8_io)
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "inputs and outputs of an ONNX file can be int8 only where its model is; model '%s' "
            "would be written in float32",
            pith_model_name(m));
    if (as == PITH_EXPORT_F32)
        return pithp_onnx_export_float(m, path);
    if (as != PITH_EXPORT_INT8)
        return pithp_error(m->ctx, PITH_EINVAL,
                           "an ONNX file is written with float32 or int8 numbers only, not with %s",
                           as == PITH_EXPORT_F16       ? "float16 weights"
                           : as == PITH_EXPORT_DYNAMIC ? "int8 weights and float activations"
                                                       : "these");
    pithp_qgraph *g = pithp_export_integers(m);
    pith_status s = g ? pithp_onnx_export_int8(g, m, cfg.int8_io, path) : m->ctx->status;
    pithp_qgraph_free(g);
    return s;
}
