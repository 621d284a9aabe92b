/* compress/prune/prune.c: the public calls. */
#include "compress/prune/prune.h"

pith_status pith_prune(pith_model *m, pith_data *d, pith_prune_cfg cfg)
{
    if (m == NULL)
        return PITH_EINVAL;
    pithp_pruner *p = pithp_pruner_new(m, d, &cfg, true);
    if (p == NULL)
        return m->ctx->status;
    pith_status s = pithp_pruner_step(p, 1);
    pithp_pruner_free(p);
    return s;
}

void pith_prune_clear(pith_model *m)
{
    if (m != NULL)
        pithp_model_mask_clear(m);
}

static void count_model(const pith_model *m, pith_prune_facts *f)
{
    pith_layer_facts layer;
    f->parameters = pith_model_info(m).parameters;
    for (int i = 0; pith_model_layer(m, i, &layer); i++)
        f->zeros += layer.zeros;
}

pith_status pith_prune_info(const pith_model *m, pith_prune_cfg cfg, pith_prune_facts *facts)
{
    *facts = (pith_prune_facts){ 0 };
    count_model(m, facts);
    int n;
    pith_status s = pithp_prune_cfg_check(m, &cfg);
    pithp_pruned *l = s == PITH_OK ? pithp_pruned_layers(m, &cfg, &n) : NULL;
    if (l == NULL)
        return s != PITH_OK ? s : m->ctx->status;
    for (int i = 0; i < n; i++) {
        facts->weights += l[i].n;
        facts->held += pithp_mask_zeros(l[i].w);
    }
    pithp_free(m->ctx, l);
    return PITH_OK;
}
