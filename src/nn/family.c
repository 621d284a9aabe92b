/* Networks by name. */
#include "nn/family.h"

#include "graph/model.h"
#include <math.h>
#include <string.h>

static const pithp_family families[] = {
    { { "efnet-nano", "EfficientNet's form for microcontrollers: ReLU6, no squeeze-and-excitation", 96, 3 },
      pithp_net_efnet,
      &pithp_efnet_nano },
    { { "lenet", "LeNet-5 as Caffe has it: two convolutions, two dense layers", 28, 1 },
      pithp_net_lenet,
      NULL },
};

const pith_family_info *pith_family_list(int i)
{
    return i < 0 || (size_t)i >= PITHP_LEN(families) ? NULL : &families[i].info;
}

int64_t pithp_round_channels(double channels)
{
    double r = PITHP_MAX(8, floor((channels + 4) / 8) * 8);
    return (int64_t)(r < 0.9 * channels ? r + 8 : r);
}

static const pithp_family *find(pith_ctx *c, const char *name)
{
    char known[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < PITHP_LEN(families); i++) {
        if (strcmp(families[i].info.name, name) == 0)
            return &families[i];
        int n = snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", families[i].info.name);
        if (n > 0 && (size_t)n < sizeof known - at)
            at += (size_t)n;
    }
    pithp_error(c, PITH_ENOTFOUND, "no network is called '%.60s'; there are: %s", name, known);
    return NULL;
}

static bool cfg_ok(pith_ctx *c, const char *name, const pith_family_cfg *g)
{
    if (g->image_size < 4 || g->image_size > 4096)
        pithp_error(c, PITH_EINVAL, "%s: image size %d; 4 to 4096 is expected", name, g->image_size);
    else if (g->classes < 2 || g->classes > 100000)
        pithp_error(c, PITH_EINVAL, "%s: %d classes; 2 to 100000 are expected", name, g->classes);
    else if (g->channels < 1 || g->channels > 64)
        pithp_error(c, PITH_EINVAL, "%s: %d input channels; 1 to 64 are expected", name, g->channels);
    else if (!(g->width >= 0.05 && g->width <= 16) || !(g->depth >= 0.05 && g->depth <= 16))
        pithp_error(c, PITH_EINVAL, "%s: width %g and depth %g must lie in 0.05..16", name, g->width,
                    g->depth);
    else if (!(g->dropout >= 0 && g->dropout < 1))
        pithp_error(c, PITH_EINVAL, "%s: dropout %g must lie in 0..1 (1 excluded)", name, g->dropout);
    else
        return true;
    return false;
}

pith_model *pith_model_family(pith_ctx *c, const char *name, pith_family_cfg cfg)
{
    const pithp_family *f = find(c, name);
    if (f == NULL)
        return NULL;
    if (cfg.image_size == 0)
        cfg.image_size = f->info.image_size;
    if (cfg.channels == 0)
        cfg.channels = f->info.channels;
    if (cfg.classes == 0)
        cfg.classes = 2;
    if (cfg.width == 0)
        cfg.width = 1;
    if (cfg.depth == 0)
        cfg.depth = 1;
    cfg.dropout = PITH_OR(cfg.dropout, 0);
    if (!cfg_ok(c, name, &cfg))
        return NULL;
    pithp_family_args args = { cfg, f->table };
    pith_shape input = PITH_SHAPE(cfg.image_size, cfg.image_size, cfg.channels);
    pith_model *m = pithp_model_begin(c, name, input, "input");
    if (m == NULL)
        return NULL;
    if (pithp_model_finish(m, f->net(m, m->input, &args), true) == PITH_OK)
        return m;
    pith_model_free(m);
    return NULL;
}
