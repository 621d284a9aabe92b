/* compress/quant/bn_stats.c: batch-norm re-estimation. Rounded weights shift what batch norms see; their running statistics
   are taken anew, under rounded weights, as means over batches of images (Sun et al., "Hybrid 8-bit floating point training
   and inference", NeurIPS 2019, appendix; Nagel et al., "Overcoming oscillations in QAT", ICML 2022). Folding scales each
   channel of a convolution by a constant, so per channel the folded weights round to the same codes. */
#include "compress/quant/improve.h"
#include "ops/norm.h"
#include "ops/table.h"
#include <math.h>
#include <string.h>

enum { BATCH = 64 };

typedef struct {
    const pith_tensor *t;
    double *sum; /* of mean [C], then of variance [C] */
    int64_t c;
    double momentum;
} norm;

typedef struct {
    pith_ctx *c;
    pith_model *m;
    norm *n;
    int count;
} norms;

static bool find(norms *g)
{
    uint8_t *marks = PITHP_NEW_N(g->c, uint8_t, g->m->g->n);
    g->n = PITHP_NEW_N(g->c, norm, g->m->g->n);
    bool ok = marks != NULL && g->n != NULL;
    if (ok)
        pithp_model_mark(g->m, marks);
    for (size_t i = 0; ok && i < g->m->g->n; i++) {
        const pith_tensor *t = g->m->g->nodes[i];
        const pithp_bn_attr *a = t->attr;
        if (!marks[i] || t->op != &pithp_op_batch_norm || a->frozen || !(a->momentum > 0))
            continue;
        norm *k = &g->n[g->count++];
        *k = (norm){ .t = t, .c = pithp_count(t->in[1]->shape), .momentum = a->momentum };
        ok = (k->sum = PITHP_NEW_N(g->c, double, 2 * k->c)) != NULL;
    }
    pithp_free(g->c, marks);
    return ok;
}

/* running = (1-momentum) 0 + momentum * batch, when it was 0 before. */
static void clear(const norms *g)
{
    for (int i = 0; i < g->count; i++)
        for (int k = 3; k <= 4; k++)
            memset(g->n[i].t->in[k]->value, 0, (size_t)g->n[i].c * sizeof(pith_real));
}

static void add(const norms *g)
{
    for (int i = 0; i < g->count; i++)
        for (int64_t k = 0; k < 2 * g->n[i].c; k++) {
            const norm *b = &g->n[i];
            const pith_real *v = b->t->in[k < b->c ? 3 : 4]->value;
            b->sum[k] += (double)v[k % b->c] / b->momentum;
        }
}

static void settle(const norms *g, int64_t batches)
{
    for (int i = 0; i < g->count; i++)
        for (int64_t k = 0; k < 2 * g->n[i].c; k++) {
            const norm *b = &g->n[i];
            pith_real *v = b->t->in[k < b->c ? 3 : 4]->value;
            v[k % b->c] = (pith_real)(b->sum[k] / (double)batches);
        }
}

/* Rounds the weights of all layers as the quantizer will. */
static pith_status round_weights(pith_model *m, const pith_quant_cfg *cfg)
{
    int n = 0;
    pithp_layer *l = pithp_layers_of(m, &n);
    pith_status s = l == NULL ? PITH_ENOMEM : PITH_OK;
    for (int i = 0; i < n && s == PITH_OK; i++) {
        bool conv = l[i].w->shape.ndim == 4, channels = conv ? !cfg->conv_per_tensor : cfg->dense_per_channel;
        int axis = channels ? l[i].axis : -1,
            usual = i == 0 || i == n - 1 ? cfg->bits_ends : cfg->bits_weights;
        pith_linear_cfg q = { .bits = pithp_quant_layer_bits(cfg, pith_name(l[i].t), usual),
                              .symmetric = true,
                              .narrow = true };
        q.range = q.bits < 8 ? PITH_FIT_MSE : PITH_FIT_MINMAX;
        pith_linear *fit = PITHP_NEW_N(m->ctx, pith_linear, channels ? l[i].channels : 1);
        int8_t *codes = PITHP_NEW_N(m->ctx, int8_t, l[i].n);
        float *w = (float *)l[i].w->value;
        s = fit == NULL || codes == NULL ? PITH_ENOMEM
                                         : pith_linear_fit(m->ctx, w, l[i].w->shape, axis, q, fit);
        if (s == PITH_OK)
            s = pith_linear_quantize(m->ctx, w, l[i].w->shape, axis, fit, codes);
        if (s == PITH_OK)
            s = pith_linear_dequantize(m->ctx, codes, l[i].w->shape, axis, fit, w);
        pithp_free(m->ctx, fit);
        pithp_free(m->ctx, codes);
    }
    pithp_free(m->ctx, l);
    return s;
}

static pith_status run(norms *g, const pithp_images *im)
{
    /* whole batches only: a small last one has other statistics */
    int64_t batch = PITHP_MIN(BATCH, im->n), batches = im->n / batch;
    pith_plan *p = pith_plan_new(&g->m->output, 1, (pith_plan_cfg){ .batch = batch, .train = true });
    pith_status s = p == NULL ? g->c->status : PITH_OK;
    for (int64_t i = 0; i < batches && s == PITH_OK; i++) {
        clear(g);
        s = pithp_images_run(p, g->m, im, i * batch, batch);
        add(g);
    }
    if (s == PITH_OK)
        settle(g, batches);
    pith_plan_free(p);
    return s;
}

pith_status pithp_bn_reestimate(pith_model *m, const pithp_images *im, const pith_quant_cfg *cfg)
{
    norms g = { .c = m->ctx, .m = m };
    pith_real *weights = PITHP_NEW_N(g.c, pith_real, m->n_params); /* parameters stand before the state */
    pith_status s = weights == NULL || !find(&g) ? PITH_ENOMEM : PITH_OK;
    if (s == PITH_OK && g.count > 0) {
        memcpy(weights, m->weights, (size_t)m->n_params * sizeof *weights);
        s = round_weights(m, cfg);
        if (s == PITH_OK)
            s = run(&g, im);
        memcpy(m->weights, weights, (size_t)m->n_params * sizeof *weights);
    }
    for (int i = 0; i < g.count; i++)
        pithp_free(g.c, g.n[i].sum);
    pithp_free(g.c, g.n);
    pithp_free(g.c, weights);
    return s;
}
