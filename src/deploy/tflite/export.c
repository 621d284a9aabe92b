/* deploy/tflite/export.c: which of the two graphs a .tflite is written from. */
#include "deploy/tflite/float_emit.h"
#include "deploy/tflite/int8_emit.h"
#include "ops/integer.h"
#include <pith/export.h>

static pith_status export_integers(const pith_model *m, const char *path)
{
    if (!pithp_model_quantized(m))
        return pithp_error(m->ctx, PITH_EINVAL,
                           "model '%s' is not quantized; quantize it first (pith quantize, or pith qat)",
                           pith_model_name(m));
    pithp_qgraph *g = pithp_lower_model(m);
    if (!g)
        return m->ctx->status;
    pith_status s = pithp_tfl_export_int8(g, m, path);
    pithp_qgraph_free(g);
    return s;
}

pith_status pith_export_tflite(pith_model *m, const char *path, pith_export_cfg cfg)
{
    pith_export_numbers as = cfg.numbers;
    if (as == PITH_EXPORT_AUTO)
        as = pithp_model_quantized(m) ? PITH_EXPORT_INT8 : PITH_EXPORT_F32;
    if (as == PITH_EXPORT_INT8)
        return export_integers(m, path);
    if (as != PITH_EXPORT_F32 && as != PITH_EXPORT_F16)
        return pithp_error(m->ctx, PITH_EINVAL, "numbers %d are none of PITH_EXPORT_*", (int)as);
    return pithp_tfl_export_float(m, as == PITH_EXPORT_F16, path);
}
