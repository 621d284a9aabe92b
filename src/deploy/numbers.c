/* deploy/numbers.c: a model's own numbers. */
#include "deploy/numbers.h"
#include "ops/integer.h"

pith_export_numbers pithp_export_numbers(const pith_model *m, pith_export_cfg cfg)
{
    if (cfg.numbers != PITH_EXPORT_AUTO)
        return cfg.numbers;
    return pithp_model_quantized(m) ? PITH_EXPORT_INT8 : PITH_EXPORT_F32;
}

pithp_qgraph *pithp_export_integers(const pith_model *m)
{
    if (pithp_model_quantized(m))
        return pithp_lower_model(m);
    pithp_error(m->ctx, PITH_EINVAL,
                "model '%s' is not quantized; quantize it first (pith quantize, or pith qat)",
                pith_model_name(m));
    return NULL;
}
