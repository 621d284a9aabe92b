/* deploy/numbers.c: a model's own numbers. */
#include "deploy/numbers.h"
#include "ops/integer.h"
#include "ops/table.h"

bool pithp_model_dynamic(const pith_model *m)
{
    for (size_t i = 0; i < m->g->n; i++)
        if (m->g->nodes[i]->op == &pithp_op_dynamic_quant)
            return true;
    return false;
}

pith_export_numbers pithp_export_numbers(const pith_model *m, pith_export_cfg cfg)
{
    if (cfg.numbers != PITH_EXPORT_AUTO)
        return cfg.numbers;
    if (pithp_model_dynamic(m))
        return PITH_EXPORT_DYNAMIC;
    return pithp_model_quantized(m) ? PITH_EXPORT_INT8 : PITH_EXPORT_F32;
}

pithp_qgraph *pithp_export_integers(const pith_model *m)
{
    if (pithp_model_quantized(m) && !pithp_model_dynamic(m))
        return pithp_lower_model(m);
    pithp_error(m->ctx, PITH_EINVAL,
                "model '%s' is not quantized to integers%s; quantize %s first (pith quantize, or pith qat)",
                pith_model_name(m), pithp_model_dynamic(m) ? ", only its weights are" : "",
                pithp_model_dynamic(m) ? "the model it was made from" : "it");
    return NULL;
}
