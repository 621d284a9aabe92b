/* compress/quant/schemes.c: float16 weights, int8 weights with activations quantized as they come, and k-means codebooks. All
   are passes over a folded model: what is evaluated is what ships. */
#include "compress/quant/improve.h"
#include "train/train.h"
#include "file/model_file.h"
#include "ops/codebook.h"
#include "ops/table.h"
#include <math.h>
#include <string.h>

static pith_status float16(pith_model *m)
{
    int count = 0;
    for (int i = 0; i < m->n_param_nodes; i++) {
        const pith_tensor *t = m->params[i];
        pith_real *v = t->value;
        for (int64_t k = 0; k < pithp_count(t->shape); k++) {
            float h = pithp_half_to(pithp_half_from((float)v[k]));
            if (!isfinite(h))
                return pithp_error(
                    m->ctx, PITH_EINVAL,
                    "float16: element %lld of '%s' is %g; float16 ends at 65504: use --scheme int8, or "
                    "train with weight decay",
                    (long long)k, pith_name(t), (double)v[k]);
            v[k] = (pith_real)h;
        }
        count++;
    }
    if (count == 0)
        return pithp_error(m->ctx, PITH_EINVAL, "float16: model '%s' has no parameters", m->name);
    return pith_model_set_meta(m, PITHP_META_QUANTIZATION, "float16");
}

/* ---- Codebooks ---- */
typedef struct {
    const pith_quant_cfg *cfg;
    pithp_layer *layers;
    int n;
} pass;

static const pithp_layer *layer_of_weights(const pass *p, const pith_tensor *w)
{
    const pithp_layer *found = NULL;
    for (int i = 0; i < p->n; i++)
        if (p->layers[i].w == w) {
            if (found != NULL)
                return NULL; /* two layers share them */
            found = &p->layers[i];
        }
    return found;
}

static pith_tensor *index_leaf(pithp_rewrite *r, const char *name, pith_shape shape, const uint8_t *index)
{
    pith_tensor *t = pithp_node_new(r->to->g, PITHP_NODE_DATA, PITH_I32, shape, name);
    int32_t *v = t == NULL ? NULL : PITHP_NEW_N(r->to->ctx, int32_t, pithp_count(shape));
    if (v == NULL)
        return &r->to->g->poison;
    t->value = v;
    t->owns_value = true;
    for (int64_t i = 0; i < pithp_count(shape); i++)
        v[i] = index[i];
    return t;
}

/* The op that stands for the weights w of layer l. */
static pith_tensor *shared(pithp_rewrite *r, const pithp_layer *l, const pith_codebook *cb,
                           const uint8_t *index)
{
    pith_ctx *c = r->to->ctx;
    char *at = pithp_sprintf(c, "%s.index", pith_name(l->w)),
         *to = pithp_sprintf(c, "%s.centroids", pith_name(l->w));
    pith_tensor *w = &r->to->g->poison;
    if (at != NULL && to != NULL) {
        pith_tensor *in[] = { pithp_rewrite_param(r, to, PITH_SHAPE(cb->k), cb->centroid, false),
                              index_leaf(r, at, l->w->shape, index) };
        pithp_codebook_attr a = { cb->bits, cb->zero };
        w = pith_op_apply(&pithp_op_codebook, &a, pith_name(l->w), 2, in);
    }
    pithp_free(c, at);
    pithp_free(c, to);
    return w;
}

static pith_tensor *cluster(pithp_rewrite *r, const pass *p, const pithp_layer *l)
{
    pith_ctx *c = r->to->ctx;
    bool end = l == p->layers || l == p->layers + p->n - 1;
    int bits =
        pithp_quant_layer_bits(p->cfg, pith_name(l->t), end ? p->cfg->bits_ends : p->cfg->bits_weights);
    uint8_t *index = PITHP_NEW_N(c, uint8_t, l->n);
    const float *w = (const float *)l->w->value;
    bool zeros = false;
    for (int64_t i = 0; i < l->n; i++)
        zeros |= w[i] == 0;
    pith_codebook cb;
    pith_codebook_cfg k = { .bits = bits, .keep_zero = zeros, .seed = p->cfg->seed };
    pith_status s = index == NULL ? PITH_ENOMEM : pith_codebook_fit(c, w, NULL, l->n, k, &cb);
    if (s == PITH_OK)
        s = pith_codebook_assign(c, &cb, w, l->n, index);
    pith_tensor *t = s == PITH_OK ? shared(r, l, &cb, index) : NULL;
    pithp_free(c, index);
    return t;
}

static pith_tensor *codebook_node(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const pass *p = user;
    const pithp_layer *l = t->kind == PITHP_NODE_PARAM ? layer_of_weights(p, t) : NULL;
    bool skip = l == NULL || (p->cfg->skip != NULL && pithp_quant_matches(p->cfg->skip, pith_name(l->t)));
    return skip ? pithp_rewrite_copy(r, t) : cluster(r, p, l);
}

static pith_status codebook(pith_model *m, const pith_quant_cfg *cfg)
{
    pass p = { .cfg = cfg };
    p.layers = pithp_layers_of(m, &p.n);
    pith_status s = p.layers == NULL ? PITH_ENOMEM : PITH_OK;
    if (s == PITH_OK && p.n == 0)
        s = pithp_error(m->ctx, PITH_EINVAL, "codebook: model '%s' has no layer with weights of its own",
                        m->name);
    if (s == PITH_OK)
        s = pithp_model_rewrite(m, codebook_node, &p);
    pithp_free(m->ctx, p.layers);
    return s == PITH_OK ? pith_model_set_meta(m, PITHP_META_QUANTIZATION, "codebook") : s;
}

/* ---- Dynamic ---- */
static const pithp_layer *layer_of_node(const pass *p, const pith_tensor *t)
{
    for (int i = 0; i < p->n; i++)
        if (p->layers[i].t == t)
            return &p->layers[i];
    return NULL;
}

/* fake_quant behind the weights of layer l, which become S*q. */
static pith_tensor *int8_weights(pithp_rewrite *r, const pass *p, const pithp_layer *l)
{
    pith_ctx *c = r->to->ctx;
    bool conv = l->w->shape.ndim == 4, channels = conv ? !p->cfg->conv_per_tensor : p->cfg->dense_per_channel;
    int axis = channels ? l->axis : -1;
    int64_t groups = channels ? l->channels : 1;
    pith_linear *q = PITHP_NEW_N(c, pith_linear, groups);
    int8_t *codes = PITHP_NEW_N(c, int8_t, l->n);
    float *w = PITHP_NEW_N(c, float, PITHP_MAX(l->n, groups)), *old = l->w->value;
    char *name = pithp_sprintf(c, "%s.scale", pith_name(l->w)),
         *zero = pithp_sprintf(c, "%s.zero_point", pith_name(l->w));
    pith_linear_cfg f = { .symmetric = true, .narrow = true };
    pith_tensor *y = NULL, *to = r->map[l->w->id];
    bool ok = q && codes && w && name && zero && !pith_linear_fit(c, old, l->w->shape, axis, f, q) &&
              !pith_linear_quantize(c, old, l->w->shape, axis, q, codes) &&
              !pith_linear_dequantize(c, codes, l->w->shape, axis, q, w) && pithp_rewrite_fill(r, to, w);
    if (ok) {
        for (int64_t i = 0; i < groups; i++)
            w[i] = q[i].scale;
        pithp_fq_attr a = {
            .bits = 8, .mode = PITHP_FQ_FIXED, .symmetric = true, .narrow = true, .axis = axis
        };
        y = pith_op_apply(&pithp_op_fake_quant, &a, pith_name(l->w), PITHP_FQ_IN,
                          (pith_tensor *[]){ to, pithp_rewrite_state(r, name, PITH_SHAPE(groups), w),
                                             pithp_rewrite_state(r, zero, PITH_SHAPE(groups), NULL), NULL });
    }
    pithp_free(c, q);
    pithp_free(c, codes);
    pithp_free(c, w);
    pithp_free(c, name);
    pithp_free(c, zero);
    return y;
}

static pith_tensor *dynamic_node(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const pass *p = user;
    const pithp_layer *l = layer_of_node(p, t);
    if (l == NULL || (p->cfg->skip != NULL && pithp_quant_matches(p->cfg->skip, pith_name(t))))
        return pithp_rewrite_copy(r, t);
    pith_tensor *in[PITH_OP_MAX_IN] = { NULL };
    for (int i = 0; i < t->n_in; i++)
        in[i] = pithp_rewrite_in(r, t, i);
    in[0] = pith_dynamic_quant(in[0]);
    in[t->op->integer->weight] = int8_weights(r, p, l);
    return in[t->op->integer->weight] == NULL ? NULL : pith_op_apply(t->op, t->attr, t->name, t->n_in, in);
}

static pith_status dynamic(pith_model *m, const pith_quant_cfg *cfg)
{
    pass p = { .cfg = cfg };
    p.layers = pithp_layers_of(m, &p.n);
    pith_status s = p.layers == NULL ? PITH_ENOMEM : pithp_model_rewrite(m, dynamic_node, &p);
    pithp_free(m->ctx, p.layers);
    if (s == PITH_OK)
        s = pith_model_set_meta(m, PITHP_META_FLOAT, "dynamic");
    return s == PITH_OK ? pith_model_set_meta(m, PITHP_META_QUANTIZATION, "dynamic") : s;
}

pith_status pithp_scheme_apply(pith_model *m, const pith_quant_cfg *cfg)
{
    if (cfg->improve & (PITH_IMPROVE_BIAS | PITH_IMPROVE_ADAROUND))
        return pithp_error(
            m->ctx, PITH_EINVAL,
            "quantization: bias correction and AdaRound are for the int8 scheme; leave them out, or use it");
    return cfg->scheme == PITH_SCHEME_FLOAT16   ? float16(m)
           : cfg->scheme == PITH_SCHEME_DYNAMIC ? dynamic(m, cfg)
                                                : codebook(m, cfg);
}
