/* compress/quant/quantize.c: pith_quantize and pith_qat. Both work on a copy, which becomes the model when all went well. */
#include "compress/quant/improve.h"
#include "file/model_file.h"
#include "graph/qplan.h"
#include "ops/fake_quant.h"
#include "train/train.h"

#include <math.h>

bool pith_model_is_quantized(const pith_model *m) { return m != NULL && pithp_model_quantized(m); }

static pith_status all_finite(const pith_model *m)
{
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        if (t->value == NULL || t->dtype != PITH_F32)
            continue;
        const pith_real *v = t->value;
        for (int64_t k = 0; k < pithp_count(t->shape); k++)
            if (!isfinite(v[k]))
                return pithp_error(
                    m->ctx, PITH_ENAN,
                    "quantization: '%s' holds %g; train it again, or load a file that is in order",
                    pith_name(t), (double)v[k]);
    }
    return PITH_OK;
}

pith_status pithp_quant_begin(const pith_model *m, pith_quant_cfg *cfg)
{
    pith_ctx *c = m->ctx;
    if (c->status)
        return c->status;
    if (pithp_model_quantized(m) || pith_model_meta(m, PITHP_META_QUANTIZATION) != NULL)
        return pithp_error(
            c, PITH_EINVAL,
            "quantization: model '%s' is quantized already; begin with the float model it was made of",
            m->name);
    pith_status s = pithp_quant_cfg_check(m, cfg);
    return s ? s : all_finite(m);
}

/* What is said in the file, and how evaluation knows that layers stay in float. */
static pith_status remember(pith_model *m, const pith_quant_cfg *cfg, const char *how)
{
    char text[64];
    snprintf(text, sizeof text, "%s W%dA%d", how, cfg->bits_weights, cfg->bits_activations);
    pith_status s = pith_model_set_meta(m, "quantized", text);
    return s == PITH_OK && cfg->skip != NULL && cfg->skip[0]
               ? pith_model_set_meta(m, PITHP_META_FLOAT, cfg->skip)
               : s;
}

/* A model without skipped layers must have its integers. */
static pith_status lowers(const pith_model *m)
{
    if (pith_model_meta(m, PITHP_META_FLOAT) != NULL)
        return PITH_OK;
    pithp_qgraph *g = pithp_lower_model(m);
    pithp_qgraph_free(g);
    return g == NULL ? m->ctx->status : PITH_OK;
}

static pith_status quantize_copy(pith_model *n, pith_data *d, const pith_quant_cfg *cfg,
                                 const pithp_images *im)
{
    bool after = cfg->improve & (PITH_IMPROVE_BIAS | PITH_IMPROVE_ADAROUND);
    pith_model *folded = after ? pith_model_clone(n) : NULL;
    if (after && folded == NULL)
        return n->ctx->status;
    pith_status s = pithp_quant_insert(n, cfg, false);
    if (s == PITH_OK)
        s = pithp_quant_calibrate(n, d, cfg);
    if (s == PITH_OK)
        s = pithp_quant_weights(n);
    if (s == PITH_OK && after)
        s = pithp_improve_after(n, folded, im, cfg);
    pith_model_free(folded);
    if (s == PITH_OK)
        s = remember(n, cfg, "after training");
    return s == PITH_OK ? lowers(n) : s;
}

pith_status pith_quantize(pith_model *m, pith_data *d, pith_quant_cfg cfg)
{
    if (m == NULL)
        return PITH_EINVAL;
    pith_ctx *c = m->ctx;
    bool data = cfg.scheme == PITH_SCHEME_INT8 || cfg.improve;
    if (d == NULL && data)
        return c->status ? c->status
                         : pithp_error(c, PITH_EINVAL, "quantization: no data set to take ranges from");
    pith_status s = pithp_quant_begin(m, &cfg);
    if (s == PITH_OK && data)
        s = pithp_model_fits_data(m, d, "quantization");
    if (s == PITH_OK && data && pith_data_count(d, PITH_TRAIN) < 1)
        s = pithp_error(c, PITH_EDATA, "quantization: the training split has no images to take ranges from");
    if (s != PITH_OK)
        return s;
    pithp_images im = { 0 };
    if (cfg.improve)
        s = pithp_images_take(m, d, cfg.improve_samples, cfg.seed, &im);
    pith_model *n = s == PITH_OK ? pithp_improve_before(m, &im, &cfg) : NULL;
    if (n == NULL)
        s = c->status;
    else
        s = cfg.scheme == PITH_SCHEME_INT8 ? quantize_copy(n, d, &cfg, &im) : pithp_scheme_apply(n, &cfg);
    if (s == PITH_OK)
        pithp_model_adopt(m, n);
    else
        pith_model_free(n);
    pithp_images_free(c, &im);
    return s;
}

/* Ranges that images gave count as observed; training goes on from there. */
static pith_status calibrated_start(pith_model *n, pith_data *d, const pith_quant_cfg *cfg)
{
    pith_status s = pithp_quant_calibrate(n, d, cfg);
    for (size_t i = 0; i < n->g->n && s == PITH_OK; i++) {
        const pith_tensor *f = n->g->nodes[i];
        if (pithp_is_fake_quant(f) && f->n_in > PITHP_FQ_SEEN && f->in[PITHP_FQ_SEEN] != NULL)
            ((pith_real *)f->in[PITHP_FQ_SEEN]->value)[PITHP_SEEN_RUNS] = (pith_real)cfg->observe_steps;
    }
    return s;
}

pith_status pith_qat_from(pith_model *m, pith_data *d, pith_quant_cfg cfg)
{
    if (m == NULL)
        return PITH_EINVAL;
    pith_status s = pithp_quant_begin(m, &cfg);
    if (s == PITH_OK && d != NULL)
        s = pithp_model_fits_data(m, d, "quantization");
    if (s == PITH_OK && d != NULL && pith_data_count(d, PITH_TRAIN) < 1)
        s = pithp_error(m->ctx, PITH_EDATA,
                        "quantization: the training split has no images to take ranges from");
    if (s != PITH_OK)
        return s;
    if (d != NULL && cfg.freeze_ranges > 0) /* nodes count from observe_steps on */
        cfg.freeze_ranges = PITHP_MIN(cfg.freeze_ranges + cfg.observe_steps, 1 << 24);
    pith_model *n = pith_model_clone(m);
    if (n == NULL)
        return m->ctx->status;
    s = pithp_quant_insert(n, &cfg, true);
    if (s == PITH_OK && d != NULL)
        s = calibrated_start(n, d, &cfg);
    if (s == PITH_OK)
        s = remember(n, &cfg, "while training");
    if (s == PITH_OK)
        pithp_model_adopt(m, n);
    else
        pith_model_free(n);
    return s;
}

pith_status pith_qat(pith_model *m, pith_quant_cfg cfg) { return pith_qat_from(m, NULL, cfg); }

/* ---- Facts ---- */
static int64_t packed_bytes(const pith_model *m)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *f = m->g->nodes[i];
        const pithp_fq_attr *a = f->attr;
        if (pithp_is_fake_quant(f) && !a->samples)
            bytes +=
                (pithp_count(f->shape) * a->bits + 7) / 8 - pithp_count(f->shape); /* less than a byte each */
    }
    return bytes;
}

pith_status pith_integer_info(const pith_model *m, pith_integer_facts *facts)
{
    *facts = (pith_integer_facts){ 0 };
    pithp_qgraph *g = pithp_lower_model(m);
    pithp_qplan *p = g == NULL ? NULL : pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = 1 });
    if (p != NULL)
        *facts = (pith_integer_facts){ .bytes = (int64_t)pithp_q_bytes(g) + packed_bytes(m),
                                       .arena = (int64_t)pithp_qplan_arena(p),
                                       .macs = pithp_q_macs(g),
                                       .ops = g->n_nodes,
                                       .kernels = pithp_qplan_kernels(p) };
    pithp_qplan_free(p);
    pithp_qgraph_free(g);
    return p == NULL ? m->ctx->status : PITH_OK;
}
