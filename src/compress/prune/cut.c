/* Cutting to a target: what a candidate costs is measured on the candidate, built as it would be. */
#include "compress/prune/cut.h"
#include "compress/quant/quant.h"

#include <math.h>

pith_status pithp_cost_of(const pith_model *m, bool ram, pithp_cost *cost)
{
    pith_model_facts f = pith_model_info(m);
    *cost = (pithp_cost){ .macs = f.macs, .parameters = f.parameters };
    if (!ram)
        return PITH_OK;
    pith_tensor *out = m->output;
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 1 });
    if (p == NULL)
        return m->ctx->status;
    cost->ram = (int64_t)pith_plan_bytes(p);
    pith_plan_free(p);
    return PITH_OK;
}

int64_t pithp_cost_pick(const pithp_cost *cost, pith_cut_of of)
{
    const int64_t value[] = { cost->macs, cost->parameters, cost->ram };
    return value[of];
}

const char *pithp_cost_name(pith_cut_of of)
{
    static const char *const name[] = { "multiply-adds", "parameters", "bytes of RAM" };
    return name[of];
}

static pith_status range_error(const pith_model *m, const char *what, double value, const char *expected)
{
    return pithp_error(m->ctx, PITH_EINVAL, "pruning model '%s': %s %g; %s is expected", m->name, what, value,
                       expected);
}

pith_status pithp_cut_check(const pith_model *m, pith_channels_cfg *cfg)
{
    if (m->ctx->status)
        return m->ctx->status;
    if (!(cfg->target > 0 && cfg->target < 1))
        return range_error(m, "target", cfg->target, "a share to be removed, above 0 and below 1,");
    if (cfg->unit < PITH_CUT_CHANNELS || cfg->unit > PITH_CUT_BLOCKS)
        return range_error(m, "unit", cfg->unit, "a pith_cut_unit");
    if (cfg->of < PITH_CUT_MACS || cfg->of > PITH_CUT_RAM)
        return range_error(m, "of", cfg->of, "a pith_cut_of");
    if (cfg->criterion < PITH_PRUNE_L1 || cfg->criterion > PITH_PRUNE_RANDOM)
        return range_error(m, "criterion", cfg->criterion, "a pith_prune_criterion");
    if (cfg->multiple < 0 || cfg->multiple > 1 << 20)
        return range_error(m, "multiple", cfg->multiple, "0 to 1048576");
    cfg->multiple = cfg->multiple ? cfg->multiple : 1;
    cfg->keep = PITH_OR(cfg->keep, 0.1);
    if (!(cfg->keep >= 0 && cfg->keep <= 1))
        return range_error(m, "keep", cfg->keep, "0 to 1");
    return pithp_skip_check(m, cfg->skip, "pruning");
}

pith_status pithp_cut_target(const pithp_cut *cut, int64_t *most)
{
    pithp_cost cost;
    pith_status s = pithp_cost_of(cut->m, cut->cfg->of == PITH_CUT_RAM, &cost);
    int64_t now = s ? 0 : pithp_cost_pick(&cost, cut->cfg->of);
    if (s == PITH_OK && now == 0)
        return pithp_error(cut->m->ctx, PITH_EINVAL, "pruning model '%s': it has no %s", cut->m->name,
                           pithp_cost_name(cut->cfg->of));
    *most = (int64_t)floor((double)now * (1 - cut->cfg->target));
    return s;
}

pith_status pithp_cut_cost(const pithp_cut *cut, int64_t n, int64_t *cost)
{
    pithp_cost all = { 0 };
    pith_model *m = cut->build(cut->user, n);
    if (m == NULL)
        return cut->m->ctx->status ? cut->m->ctx->status : PITH_ENOMEM;
    pith_status s = pithp_cost_of(m, cut->cfg->of == PITH_CUT_RAM, &all);
    *cost = pithp_cost_pick(&all, cut->cfg->of);
    pith_model_free(m);
    return s;
}

pith_status pithp_cut_search(const pithp_cut *cut, int64_t most, int64_t *n, int64_t *reached)
{
    int64_t low = 0, high = cut->n, cost = 0; /* low of them are not enough, high are */
    pith_status s = pithp_cut_cost(cut, high, &cost);
    *reached = cost;
    if (s == PITH_OK && cost > most)
        high = cut->n + 1;
    while (s == PITH_OK && high <= cut->n && high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        s = pithp_cut_cost(cut, middle, &cost);
        if (cost <= most) {
            high = middle;
            *reached = cost;
        } else {
            low = middle;
        }
    }
    *n = high;
    return s;
}

pith_status pithp_cut_finish(pith_model *m, pith_model *n, pith_channels_result *result)
{
    pithp_cost before, after;
    if (n == NULL)
        return m->ctx->status ? m->ctx->status : PITH_ENOMEM;
    pith_status s = result == NULL ? PITH_OK : pithp_cost_of(m, true, &before);
    if (s == PITH_OK && result != NULL)
        s = pithp_cost_of(n, true, &after);
    if (s != PITH_OK) {
        pith_model_free(n);
        return s;
    }
    pithp_model_adopt(m, n);
    if (result != NULL) {
        const pithp_cost cost[2] = { before, after };
        for (int i = 0; i < 2; i++) {
            result->macs[i] = cost[i].macs;
            result->parameters[i] = cost[i].parameters;
            result->ram[i] = cost[i].ram;
        }
    }
    return PITH_OK;
}
