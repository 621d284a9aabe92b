/* Networks by name. */
#include "nn/family.h"

#include "graph/model.h"
#include <math.h>
#include <string.h>

/* Batch norm as Keras's and the TPU's reference implementations have it; theirs call 1 - momentum the momentum. */
#define PUBLISHED_BN .bn = { .momentum = 0.01, .eps = 1e-3 }

static const pithp_family families[] = {
    { { "efnet-b0", "EfficientNet-B0: SiLU, squeeze-and-excitation", 224, 3 },
      .net = pithp_net_efnet,
      .table = &pithp_efnet_b0,
      .dropout = 0.2,
      PUBLISHED_BN },
    { { "efnet-lite0", "EfficientNet-lite0: ReLU6, no squeeze-and-excitation", 224, 3 },
      .net = pithp_net_efnet,
      .table = &pithp_efnet_lite0,
      .dropout = 0.2,
      PUBLISHED_BN },
    { { "efnet-micro", "EfficientNet-B0's form at half the width and half the depth", 96, 3 },
      .net = pithp_net_efnet,
      .table = &pithp_efnet_micro },
    { { "efnet-nano", "EfficientNet's form for microcontrollers: ReLU6, no squeeze-and-excitation", 96, 3 },
      .net = pithp_net_efnet,
      .table = &pithp_efnet_nano },
    { { "lenet", "LeNet-5 as Caffe has it: two convolutions, two dense layers", 28, 1 },
      .net = pithp_net_lenet },
    { { "mobilenet-v1", "MobileNet: depthwise separable convolutions", 224, 3 },
      .net = pithp_net_mobilenet_v1,
      .dropout = 0.001,
      PUBLISHED_BN },
    { { "mobilenet-v2", "MobileNetV2: inverted residuals with linear bottlenecks", 224, 3 },
      .net = pithp_net_efnet,
      .table = &pithp_mobilenet_v2,
      .dropout = 0.2,
      PUBLISHED_BN },
    { { "resnet8", "ResNet-8 of MLPerf Tiny's image classification", 32, 3 },
      .net = pithp_net_resnet8,
      PUBLISHED_BN },
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

pith_conv2d_cfg pithp_family_conv(const pithp_family_args *a, int64_t out, int kernel, int stride)
{
    return (pith_conv2d_cfg){ .out = out,
                              .kernel = kernel,
                              .stride = stride,
                              .pad_mode = a->pad,
                              .bn_momentum = a->bn.momentum,
                              .bn_eps = a->bn.eps };
}

pith_tensor *pithp_family_head(pith_model *m, const char *name, pith_tensor *x, const pithp_family_args *a)
{
    if (a->cfg.dropout > 0)
        x = pith_dropout(x, a->cfg.dropout);
    return pith_nn_linear(m, name, x, a->cfg.classes);
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
    else if (!(g->drop_connect >= 0 && g->drop_connect < 1))
        pithp_error(c, PITH_EINVAL, "%s: drop connect %g must lie in 0..1 (1 excluded)", name,
                    g->drop_connect);
    else if (g->style != PITH_STYLE_TF && g->style != PITH_STYLE_TORCH)
        pithp_error(c, PITH_EINVAL, "%s: style %d is neither PITH_STYLE_TF nor PITH_STYLE_TORCH", name,
                    (int)g->style);
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
    cfg.dropout = PITH_OR(cfg.dropout, f->dropout);
    cfg.drop_connect = PITH_OR(cfg.drop_connect, 0);
    if (!cfg_ok(c, name, &cfg))
        return NULL;
    pithp_family_args args = { cfg, f->table, PITH_SAME, f->bn };
    if (cfg.style == PITH_STYLE_TORCH) {
        args.pad = PITH_SYMMETRIC;
        args.bn = (pith_batch_norm_cfg){ .momentum = 0.1, .eps = 1e-5 };
    }
    pith_shape input = PITH_SHAPE(cfg.image_size, cfg.image_size, cfg.channels);
    pith_model *m = pithp_model_begin(c, name, input, "input");
    if (m == NULL)
        return NULL;
    if (pithp_model_finish(m, f->net(m, m->input, &args), true) == PITH_OK)
        return m;
    pith_model_free(m);
    return NULL;
}
