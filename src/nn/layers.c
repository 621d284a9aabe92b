/* Layers: an op with parameters of its own. While a layer builds, the graph's scope gives its nodes their name, so that an
   error in the op names the layer. */
#include "nn/layer.h"

#include <math.h>
#include <string.h>

static pith_tensor *poison(pith_model *m) { return &m->g->poison; }

bool pithp_layer_name(pith_model *m, char buf[PITHP_NAME_ROOM], const char *name, const char *part)
{
    int n = snprintf(buf, PITHP_NAME_ROOM, "%s%s%s", name, part[0] ? "." : "", part);
    if (n < 0 || n >= PITHP_NAME_ROOM) {
        pithp_error(m->ctx, PITH_EINVAL, "layer '%.40s...': the name is longer than %d characters", name,
                    PITHP_NAME_ROOM - 1);
        return false;
    }
    if (pithp_graph_find(m->g, buf) == NULL)
        return true;
    pithp_error(m->ctx, PITH_EINVAL,
                "layer '%s': the name is taken: every layer of a model needs one of its own", buf);
    return false;
}

static pith_tensor *weight(pith_model *m, const char *name, const char *part, pith_shape shape,
                           pithp_init init, double scale, bool decay)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_name(m, buf, name, part))
        return poison(m);
    return pithp_node_param(m->g, buf, shape, init, scale, decay);
}

static pith_tensor *state(pith_model *m, const char *name, const char *part, int64_t n, pithp_init init)
{
    char buf[PITHP_NAME_ROOM];
    if (!pithp_layer_name(m, buf, name, part))
        return poison(m);
    return pithp_node_state(m->g, buf, PITH_SHAPE(n), init);
}

bool pithp_layer_image(pith_model *m, const char *name, const pith_tensor *x)
{
    char text[96];
    if (x == NULL || x->poison)
        return false;
    if (x->shape.ndim == 4)
        return true;
    pithp_error(m->ctx, PITH_ESHAPE, "layer '%s': an input [N,H,W,C] is expected, not %s", name,
                pithp_shape_text(x->shape, text));
    return false;
}

/* Size of a kernel and strides as the ops want them. */
static bool kernel_ok(pith_model *m, const char *name, pith_conv2d_cfg *cfg)
{
    if (cfg->kernel == 0)
        cfg->kernel = 1;
    if (cfg->kernel_w == 0)
        cfg->kernel_w = cfg->kernel;
    if (cfg->groups == 0)
        cfg->groups = 1;
    if (cfg->kernel >= 1 && cfg->kernel_w >= 1 && cfg->kernel <= 1024 && cfg->kernel_w <= 1024 &&
        cfg->groups >= 1)
        return true;
    pithp_error(m->ctx, PITH_EINVAL,
                "layer '%s': kernel %dx%d with %lld groups; sizes 1..1024 and at least one group "
                "are expected",
                name, cfg->kernel, cfg->kernel_w, (long long)cfg->groups);
    return false;
}

pith_tensor *pith_nn_conv2d(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg)
{
    if (!pithp_layer_image(m, name, x) || !kernel_ok(m, name, &cfg))
        return poison(m);
    if (cfg.out < 1 || x->shape.d[3] % cfg.groups != 0) {
        pithp_error(m->ctx, PITH_EINVAL,
                    "layer '%s': %lld output channels, %lld input channels in %lld groups", name,
                    (long long)cfg.out, (long long)x->shape.d[3], (long long)cfg.groups);
        return poison(m);
    }
    double fan_out = (double)cfg.kernel * cfg.kernel_w * (double)cfg.out / (double)cfg.groups;
    pith_shape shape = PITH_SHAPE(cfg.out, cfg.kernel, cfg.kernel_w, x->shape.d[3] / cfg.groups);
    pith_tensor *w = weight(m, name, "weight", shape, PITHP_INIT_NORMAL, sqrt(2 / fan_out), true);
    pith_tensor *b =
        cfg.bias ? weight(m, name, "bias", PITH_SHAPE(cfg.out), PITHP_INIT_ZERO, 0, false) : NULL;
    m->g->scope = name;
    pith_tensor *y = pith_conv2d(x, w, b, cfg);
    m->g->scope = NULL;
    return y;
}

pith_tensor *pith_nn_depthwise_conv2d(pith_model *m, const char *name, pith_tensor *x, pith_conv2d_cfg cfg)
{
    if (!pithp_layer_image(m, name, x) || !kernel_ok(m, name, &cfg))
        return poison(m);
    int64_t c = x->shape.d[3];
    double fan_out = (double)cfg.kernel * cfg.kernel_w;
    pith_tensor *w = weight(m, name, "weight", PITH_SHAPE(1, cfg.kernel, cfg.kernel_w, c), PITHP_INIT_NORMAL,
                            sqrt(2 / fan_out), true);
    pith_tensor *b = cfg.bias ? weight(m, name, "bias", PITH_SHAPE(c), PITHP_INIT_ZERO, 0, false) : NULL;
    m->g->scope = name;
    pith_tensor *y = pith_depthwise_conv2d(x, w, b, cfg);
    m->g->scope = NULL;
    return y;
}

pith_tensor *pith_nn_batch_norm(pith_model *m, const char *name, pith_tensor *x, pith_batch_norm_cfg cfg)
{
    if (x == NULL || x->poison)
        return poison(m);
    int64_t c = x->shape.ndim > 0 ? x->shape.d[x->shape.ndim - 1] : 1;
    pith_tensor *gamma = weight(m, name, "weight", PITH_SHAPE(c), PITHP_INIT_ONE, 0, false);
    pith_tensor *beta = weight(m, name, "bias", PITH_SHAPE(c), PITHP_INIT_ZERO, 0, false);
    pith_tensor *mean = state(m, name, "running_mean", c, PITHP_INIT_ZERO);
    pith_tensor *var = state(m, name, "running_var", c, PITHP_INIT_ONE);
    m->g->scope = name;
    pith_tensor *y = pith_batch_norm(x, gamma, beta, mean, var, cfg);
    m->g->scope = NULL;
    return y;
}

pith_tensor *pith_nn_linear(pith_model *m, const char *name, pith_tensor *x, int64_t out)
{
    char text[96];
    if (x == NULL || x->poison)
        return poison(m);
    if (x->shape.ndim != 2 || out < 1) {
        pithp_error(m->ctx, PITH_ESHAPE,
                    "layer '%s': an input [N,in] and at least one output are expected, not %s and %lld", name,
                    pithp_shape_text(x->shape, text), (long long)out);
        return poison(m);
    }
    int64_t in = x->shape.d[1];
    pith_tensor *w =
        weight(m, name, "weight", PITH_SHAPE(out, in), PITHP_INIT_UNIFORM, 1 / sqrt((double)in), true);
    pith_tensor *b = weight(m, name, "bias", PITH_SHAPE(out), PITHP_INIT_ZERO, 0, false);
    m->g->scope = name;
    pith_tensor *y = pith_dense(x, w, b);
    m->g->scope = NULL;
    return y;
}

pith_tensor *pith_nn_param(pith_model *m, const char *name, pith_shape shape, double init, bool weight_decay)
{
    return weight(m, name, "", shape, init > 0 ? PITHP_INIT_UNIFORM : PITHP_INIT_ZERO, init, weight_decay);
}
