/* compress/quant/analyze.c: what each quantized place costs: of a float model that is quantized for it, and of one that was
   quantized before. */
#include "compress/quant/analyze.h"
#include "ops/fake_quant.h"
#include "train/train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 64 }; /* images of pith_analyze_made */

/* ---- Gathering ---- */
static pith_real *copy(pith_ctx *c, const pith_real *v, int64_t n)
{
    pith_real *to = PITHP_NEW_N(c, pith_real, n);
    if (to != NULL)
        memcpy(to, v, (size_t)n * sizeof *v);
    return to;
}

/* The leaf t of the quantized model, and what it is in float; NULL where either has none. */
static bool exchanges(pith_ctx *c, pith_tensor *t, const pith_tensor *exact, pithp_exchange *x)
{
    if (t == NULL || exact == NULL)
        return true;
    *x = (pithp_exchange){ .t = t, .n = pithp_count(t->shape) };
    x->exact = copy(c, exact->value, x->n);
    x->rounded = copy(c, t->value, x->n);
    return x->exact != NULL && x->rounded != NULL;
}

/* The layer whose weights f rounds; NULL: f rounds a result. */
static const pith_tensor *layer_of(const pith_model *m, const pith_tensor *f)
{
    if (((const pithp_fq_attr *)f->attr)->samples)
        return NULL;
    for (size_t i = f->id + 1; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        const pithp_integer *form = t->op != NULL ? t->op->integer : NULL;
        if (form != NULL && form->weight > 0 && t->in[form->weight] == f)
            return t;
    }
    return NULL;
}

/* l, ref: the layer whose weights these are, here and in float; NULL: a result, or weights that the model has in float. */
static bool add_spot(pith_analysis *a, const pith_tensor *f, const pithp_layer *l, const pithp_layer *ref)
{
    pithp_spot *s = &a->s[a->n];
    pith_place *p = &a->places[a->n++];
    const pithp_fq_attr *q = f->attr;
    const pith_tensor *t = layer_of(a->m, f);
    *s = (pithp_spot){ .f = f, .at = t ? t : f, .scales = pithp_count(f->in[PITHP_FQ_SCALE]->shape) };
    s->scale = copy(a->c, f->in[PITHP_FQ_SCALE]->value, s->scales);
    *p = (pith_place){ .layer = pith_name(t ? t : f),
                       .weights = t != NULL,
                       .bits = q->bits,
                       .alone = (double)NAN,
                       .all_but = (double)NAN };
    return s->scale != NULL && (l == NULL || (exchanges(a->c, l->w, ref->w, &s->w) &&
                                              exchanges(a->c, l->bias, ref->bias, &s->bias)));
}

/* folded: the float model that this one was made of; NULL: it holds its weights in float. */
static bool gather(pith_analysis *a, const pith_model *folded)
{
    int count = 0, refs = 0;
    pithp_layer *l = folded ? pithp_layers_of(a->m, &count) : NULL,
                *ref = folded ? pithp_layers_of(folded, &refs) : NULL;
    a->s = PITHP_NEW_N(a->c, pithp_spot, a->m->g->n);
    a->places = PITHP_NEW_N(a->c, pith_place, a->m->g->n);
    bool ok = (folded == NULL || (l != NULL && ref != NULL)) && a->s != NULL && a->places != NULL;
    bool pairs = ok && count == refs;
    for (int k = 0; pairs && k < count; k++)
        pairs = l[k].n == ref[k].n;
    if (ok && !pairs)
        pithp_error(a->c, PITH_EINVAL,
                    "analysis: the layers of model '%s' are not those of the float model that it is said to "
                    "be made of; give that one, or none for a model that was trained while quantized",
                    a->m->name);
    for (size_t i = 0; ok && pairs && i < a->m->g->n; i++) {
        const pith_tensor *f = a->m->g->nodes[i];
        int of = 0;
        if (!pithp_is_fake_quant(f))
            continue;
        while (of < count && l[of].quant != f)
            of++;
        ok = add_spot(a, f, of < count ? &l[of] : NULL, of < count ? &ref[of] : NULL);
    }
    pithp_free(a->c, l);
    pithp_free(a->c, ref);
    return ok && pairs;
}

static int by_gain(const void *x, const void *y)
{
    const pith_place *a = *(const pith_place *const *)x, *b = *(const pith_place *const *)y;
    if (a->all_but != b->all_but)
        return a->all_but > b->all_but ? -1 : 1;
    return a < b ? -1 : a > b; /* in the network's order */
}

/* ---- The object ---- */
static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_analysis *a = (pith_analysis *)o;
    for (int i = 0; i < a->n; i++) {
        pithp_spot *s = &a->s[i];
        pithp_free(c, s->scale);
        pithp_free(c, s->w.exact), pithp_free(c, s->w.rounded);
        pithp_free(c, s->bias.exact), pithp_free(c, s->bias.rounded);
    }
    pithp_free(c, a->s);
    pithp_free(c, a->places);
    pithp_free(c, (void *)(uintptr_t)a->ranked);
    pithp_free(c, a->logits);
    pithp_images_free(c, &a->im);
    pithp_free(c, a);
}

static pith_analysis *new_analysis(pith_ctx *c)
{
    pith_analysis *a = PITHP_NEW(c, pith_analysis);
    if (a == NULL)
        return NULL;
    a->c = c;
    pithp_own(c, &a->obj, destroy);
    return a;
}

/* From the spots on it is the same for all. */
static pith_analysis *measured(pith_analysis *a, pith_status st, bool all_but)
{
    if (st == PITH_OK) {
        a->logits = PITHP_NEW_N(a->c, pith_real, a->im.n * pithp_count(a->m->output->shape));
        a->ranked = PITHP_NEW_N(a->c, const pith_place *, a->n);
        st = a->logits == NULL || a->ranked == NULL ? PITH_ENOMEM : pithp_look_at_places(a);
    }
    if (st == PITH_OK)
        st = pithp_switch_through(a, all_but);
    if (st != PITH_OK) {
        pith_analysis_free(a);
        return NULL;
    }
    for (int i = 0; i < a->n; i++)
        a->ranked[i] = &a->places[i];
    if (all_but)
        qsort(a->ranked, (size_t)a->n, sizeof(const pith_place *), by_gain);
    return a;
}

static pith_status make(pith_analysis *a, const pith_model *m, pith_data *d, pith_quant_cfg *cfg)
{
    pith_status st = pithp_quant_begin(m, cfg);
    if (st == PITH_OK && cfg->scheme != PITH_SCHEME_INT8)
        st = pithp_error(a->c, PITH_EINVAL, "analysis: only the int8 scheme has places to look at");
    if (st == PITH_OK)
        st = pithp_model_fits_data(m, d, "analysis");
    if (st == PITH_OK)
        st = pithp_images_take(m, d, cfg->improve_samples, cfg->seed, &a->im);
    pith_model *folded = st == PITH_OK ? pithp_improve_before(m, &a->im, cfg) : NULL;
    a->m = folded == NULL ? NULL : pith_model_clone(folded);
    if (a->m == NULL)
        st = a->c->status ? a->c->status : PITH_ENOMEM;
    if (st == PITH_OK)
        st = pithp_quant_insert(a->m, cfg, false);
    if (st == PITH_OK)
        st = pithp_quant_calibrate(a->m, d, cfg);
    if (st == PITH_OK)
        st = pithp_quant_weights(a->m);
    if (st == PITH_OK)
        st = pithp_improve_after(a->m, folded, &a->im, cfg);
    if (st == PITH_OK && !gather(a, folded))
        st = a->c->status ? a->c->status : PITH_ENOMEM;
    pith_model_free(folded);
    return st;
}

pith_analysis *pith_analyze(const pith_model *m, pith_data *d, pith_quant_cfg cfg)
{
    pith_analysis *a = m == NULL || d == NULL ? NULL : new_analysis(m->ctx);
    return a == NULL ? NULL : measured(a, make(a, m, d, &cfg), true);
}

/* The float model of which `from` is quantized: folded, and improved as cfg says. */
static pith_model *float_twin(const pith_model *from, pith_data *d, pith_quant_cfg *cfg)
{
    pithp_images im = { 0 };
    pith_status st = pithp_quant_begin(from, cfg);
    if (st == PITH_OK && cfg->improve & (PITH_IMPROVE_BN | PITH_IMPROVE_EQUALIZE))
        st = pithp_images_take(from, d, cfg->improve_samples, cfg->seed, &im);
    pith_model *m = st == PITH_OK ? pithp_improve_before(from, &im, cfg) : NULL;
    pithp_images_free(from->ctx, &im);
    return m;
}

static pith_status take_made(pith_analysis *a, const pith_model *made, const pith_model *from, pith_data *d,
                             pith_quant_cfg *cfg, int images)
{
    if (a->c->status)
        return a->c->status;
    if (!pithp_model_quantized(made))
        return pithp_error(a->c, PITH_EINVAL,
                           "analysis: model '%s' is not quantized; pith_quantize or pith_qat makes it so",
                           made->name);
    if (images < 0)
        return pithp_error(a->c, PITH_EINVAL, "analysis: %d images; 1 or more are expected, 0 for %d", images,
                           (int)FEW);
    pith_status st = pithp_model_fits_data(made, d, "analysis");
    if (st == PITH_OK)
        st = pithp_images_take(made, d, images ? images : FEW, cfg->seed, &a->im);
    if (st != PITH_OK)
        return st;
    pith_model *folded = from != NULL ? float_twin(from, d, cfg) : NULL;
    a->m = from != NULL && folded == NULL ? NULL : pith_model_clone(made);
    bool ok = a->m != NULL && gather(a, folded);
    pith_model_free(folded);
    return ok ? PITH_OK : a->c->status ? a->c->status : PITH_ENOMEM;
}

pith_analysis *pith_analyze_made(const pith_model *made, const pith_model *from, pith_data *d,
                                 pith_quant_cfg cfg, int images)
{
    pith_analysis *a = made == NULL || d == NULL ? NULL : new_analysis(made->ctx);
    return a == NULL ? NULL : measured(a, take_made(a, made, from, d, &cfg, images), false);
}

void pith_analysis_free(pith_analysis *a)
{
    if (a == NULL)
        return;
    pith_model *m = a->m;
    pithp_destroy(a->c, &a->obj);
    pith_model_free(m);
}

const pith_place *pith_analysis_place(const pith_analysis *a, int i)
{
    return i < 0 || i >= a->n ? NULL : &a->places[i];
}

const pith_place *pith_analysis_ranked(const pith_analysis *a, int i)
{
    return i < 0 || i >= a->n ? NULL : a->ranked[i];
}

double pith_analysis_output(const pith_analysis *a, int64_t *images)
{
    if (images != NULL)
        *images = a->im.n;
    return a->output;
}
