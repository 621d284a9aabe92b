/* train/eval_int.c: a quantized model's integers, as evaluation and prediction run them. */
#include "train/train.h"

#include "graph/qplan.h"
#include "ops/integer.h"

void pithp_integers_free(pith_ctx *c, pithp_integers *i)
{
    pithp_qplan_free(i->plan);
    pithp_qgraph_free(i->g);
    pithp_free(c, i->in);
    pithp_free(c, i->out);
    *i = (pithp_integers){ 0 };
}

bool pithp_integers_wanted(const pith_model *m)
{
    const char *skip = pith_model_meta(m, PITHP_META_FLOAT);
    if (!pithp_model_quantized(m))
        return false;
    if (skip != NULL)
        pithp_log(m->ctx, PITH_LOG_WARN,
                  "model '%s' keeps layers in float (%s): it is run in float, not in integers", m->name,
                  skip);
    return skip == NULL;
}

pith_status pithp_integers_make(pithp_integers *i, const pith_model *m, int64_t batch)
{
    pith_ctx *c = m->ctx;
    pithp_integers_free(c, i);
    i->g = pithp_lower_model(m);
    i->plan = i->g == NULL ? NULL : pithp_qplan_new(i->g, (pithp_qplan_cfg){ .batch = batch });
    if (i->plan == NULL)
        return c->status;
    i->x = pithp_q_tensor(i->g, i->g->inputs[0]);
    i->y = pithp_q_tensor(i->g, i->g->outputs[0]);
    i->per_in = pithp_count(i->x->shape);
    i->per_out = pithp_count(i->y->shape);
    i->in = pithp_alloc(c, (size_t)(batch * i->per_in), 1);
    i->out = pithp_alloc(c, (size_t)(batch * i->per_out), 1);
    return i->in == NULL || i->out == NULL ? PITH_ENOMEM : PITH_OK;
}

pith_status pithp_integers_run(const pithp_integers *i, const pith_real *x, int64_t n, pith_real *y)
{
    for (int64_t k = 0; k < n * i->per_in; k++)
        i->in[k] = pithp_quantize_i8((float)x[k], i->x->scale[0], i->x->zero);
    pith_status s = pithp_qplan_run(i->plan, n, (const void *[]){ i->in }, (void *[]){ i->out });
    for (int64_t k = 0; k < n * i->per_out && s == PITH_OK; k++)
        y[k] = (pith_real)(i->y->scale[0] * (float)(i->out[k] - i->y->zero));
    return s;
}
