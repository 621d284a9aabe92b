/* Blocks: layers made of layers. A part's name is the block's with a dot and its own behind. */
#include "nn/layer.h"

static pith_tensor *poison(pith_model *m) { return &m->g->poison; }

/* Ops without parameters that are built while this stands are called so, and so is an error of theirs. */
static void scope(pith_model *m, const char *name) { m->g->scope = name; }

static pith_tensor *activate(pith_model *m, const char *name, pith_tensor *y, pith_act act)
{
    scope(m, name);
    y = pith_activation(y, act);
    scope(m, NULL);
    return y;
}

static pith_tensor *norm_act(pith_model *m, const char *name, pith_tensor *y, pith_conv2d_cfg cfg,
                             pith_act act)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_name(m, buf, name, "bn"))
        return poison(m);
    y = pith_nn_batch_norm(m, buf, y,
                           (pith_batch_norm_cfg){ .momentum = cfg.bn_momentum, .eps = cfg.bn_eps });
    return activate(m, name, y, act);
}

pith_tensor *pith_nn_conv_bn_act(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg,
                                 pith_act act)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_name(m, buf, name, "conv"))
        return poison(m);
    return norm_act(m, name, pith_nn_conv2d(m, buf, x, cfg), cfg, act);
}

pith_tensor *pith_nn_depthwise_bn_act(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg,
                                      pith_act act)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_name(m, buf, name, "conv"))
        return poison(m);
    return norm_act(m, name, pith_nn_depthwise_conv2d(m, buf, x, cfg), cfg, act);
}

pith_tensor *pith_nn_se(pith_model *m, const char *name, pith_tensor *x, pith_se_cfg cfg)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_image(m, name, x))
        return poison(m);
    pith_act act = cfg.act == PITH_LINEAR ? PITH_RELU : cfg.act,
             gate = cfg.gate == PITH_LINEAR ? PITH_SIGMOID : cfg.gate;
    if (!pithp_layer_name(m, buf, name, "squeeze"))
        return poison(m);
    scope(m, buf);
    pith_tensor *s = pith_mean_axes(x, 1u << 1 | 1u << 2, true);
    scope(m, NULL);
    if (!pithp_layer_name(m, buf, name, "reduce"))
        return poison(m);
    s = pith_nn_conv2d(m, buf, s, (pith_conv2d_cfg){ .out = cfg.reduced, .bias = true });
    if (!pithp_layer_name(m, buf, name, "act"))
        return poison(m);
    s = activate(m, buf, s, act);
    if (!pithp_layer_name(m, buf, name, "expand"))
        return poison(m);
    s = pith_nn_conv2d(m, buf, s, (pith_conv2d_cfg){ .out = x->shape.d[3], .bias = true });
    if (!pithp_layer_name(m, buf, name, "gate"))
        return poison(m);
    s = activate(m, buf, s, gate);
    scope(m, name);
    s = pith_mul(x, s);
    scope(m, NULL);
    return s;
}

pith_tensor *pith_nn_mbconv(pith_model *m, const char *name, pith_tensor *x, pith_mbconv_cfg cfg)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_image(m, name, x))
        return poison(m);
    int64_t in = x->shape.d[3];
    int expand = cfg.expand ? cfg.expand : 4;
    pith_act act = cfg.act == PITH_LINEAR ? PITH_RELU6 : cfg.act;
    pith_conv2d_cfg dense = { .bn_momentum = cfg.bn_momentum, .bn_eps = cfg.bn_eps }, dw = dense;
    dw.kernel = cfg.kernel ? cfg.kernel : 3;
    dw.stride = cfg.stride ? cfg.stride : 1;
    dw.pad_mode = cfg.pad_mode;
    pith_tensor *y = x;
    if (expand != 1) {
        if (!pithp_layer_name(m, buf, name, "expand"))
            return poison(m);
        dense.out = in * expand;
        y = pith_nn_conv_bn_act(m, buf, y, dense, act);
    }
    if (!pithp_layer_name(m, buf, name, "dw"))
        return poison(m);
    y = pith_nn_depthwise_bn_act(m, buf, y, dw, act);
    if (cfg.se > 0) {
        if (!pithp_layer_name(m, buf, name, "se"))
            return poison(m);
        y = pith_nn_se(m, buf, y, (pith_se_cfg){ .reduced = cfg.se, .act = act });
    }
    if (!pithp_layer_name(m, buf, name, "project"))
        return poison(m);
    dense.out = cfg.out;
    y = pith_nn_conv_bn_act(m, buf, y, dense, PITH_LINEAR);
    if (dw.stride == 1 && in == cfg.out) {
        if (cfg.drop_connect > 0) {
            if (!pithp_layer_name(m, buf, name, "drop"))
                return poison(m);
            scope(m, buf);
            y = pith_drop_connect(y, cfg.drop_connect);
        }
        scope(m, name);
        y = pith_add(y, x);
        scope(m, NULL);
    }
    return y;
}

pith_tensor *pith_nn_separable(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg,
                               pith_act act)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_name(m, buf, name, "dw"))
        return poison(m);
    x = pith_nn_depthwise_bn_act(m, buf, x, cfg, act);
    if (!pithp_layer_name(m, buf, name, "pw"))
        return poison(m);
    pith_conv2d_cfg pw = {
        .out = cfg.out, .bias = cfg.bias, .bn_momentum = cfg.bn_momentum, .bn_eps = cfg.bn_eps
    };
    return pith_nn_conv_bn_act(m, buf, x, pw, act);
}

pith_tensor *pith_nn_residual(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg,
                              pith_act act)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_image(m, name, x) || !pithp_layer_name(m, buf, name, "conv1"))
        return poison(m);
    pith_tensor *y = pith_nn_conv_bn_act(m, buf, x, cfg, act), *skip = x;
    pith_conv2d_cfg second = cfg, shortcut = { .out = cfg.out,
                                               .stride = cfg.stride,
                                               .stride_w = cfg.stride_w,
                                               .bias = cfg.bias,
                                               .pad_mode = cfg.pad_mode };
    second.stride = second.stride_w = 1;
    if (!pithp_layer_name(m, buf, name, "conv2"))
        return poison(m);
    y = pith_nn_conv_bn_act(m, buf, y, second, PITH_LINEAR);
    if (cfg.stride > 1 || cfg.stride_w > 1 || x->shape.d[3] != cfg.out) {
        if (!pithp_layer_name(m, buf, name, "shortcut"))
            return poison(m);
        skip = pith_nn_conv2d(m, buf, x, shortcut);
    }
    if (!pithp_layer_name(m, buf, name, "add"))
        return poison(m);
    scope(m, buf);
    y = pith_add(y, skip);
    scope(m, NULL);
    return activate(m, name, y, act);
}
