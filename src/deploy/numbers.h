/* deploy/numbers.h: which numbers a model is written with, and its integers, as all formats ask it. */
#ifndef PITHP_DEPLOY_NUMBERS_H
#define PITHP_DEPLOY_NUMBERS_H

#include "graph/model.h"
#include "graph/qgraph.h"
#include <pith/export.h>

/* Whether layers of m quantize their inputs as they come (pith quantize --scheme dynamic). */
bool pithp_model_dynamic(const pith_model *m);
/* cfg.numbers; in place of PITH_EXPORT_AUTO, what the model has. */
pith_export_numbers pithp_export_numbers(const pith_model *m, pith_export_cfg cfg);
/* The integer graph of a quantized model, the caller's to free. NULL: an error is recorded (PITH_EINVAL where m has none). */
pithp_qgraph *pithp_export_integers(const pith_model *m);

#endif
