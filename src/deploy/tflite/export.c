/* deploy/tflite/export.c: which of the two graphs a .tflite is written from. */
#include "deploy/numbers.h"
#include "deploy/tflite/float_emit.h"
#include "deploy/tflite/int8_emit.h"

pith_status pith_export_tflite(pith_model *m, const char *path, pith_export_cfg cfg)
{
    pith_export_numbers as = pithp_export_numbers(m, cfg);
    if (as < PITH_EXPORT_F32 || as > PITH_EXPORT_DYNAMIC)
        return pithp_error(m->ctx, PITH_EINVAL, "numbers %d are none of PITH_EXPORT_*", (int)as);
    if (as != PITH_EXPORT_INT8 && cfg.int8_io)
        return pithp_error(m->ctx, PITH_EINVAL,
                           "input and output of a .tflite can be int8 only where its model is; model '%s' is "
                           "written with floats",
                           pith_model_name(m));
    if (as == PITH_EXPORT_DYNAMIC && !pithp_model_dynamic(m))
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "model '%s' has no layers that quantize their inputs; quantize it first (pith quantize "
            "--scheme dynamic)",
            pith_model_name(m));
    if (as != PITH_EXPORT_INT8)
        return pithp_tfl_export_float(m, as, path);
    pithp_qgraph *g = pithp_export_integers(m);
    pith_status s = g ? pithp_tfl_export_int8(g, m, path) : m->ctx->status;
    pithp_qgraph_free(g);
    return s;
}
