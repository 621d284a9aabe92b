/* layers.json: what stands in each layer of a step's model, what quantization leaves of it, and where it lies in memory. */
#include "cli/lab.h"

#include <math.h>
#include <string.h>

/* Photographs that places are measured on: it costs as much as thousands of them through the network. */
enum { BINS = PITH_ANALYSIS_BINS, LOOKED_AT = 32 };

static json_t *histogram_json(double low, double high, const int64_t count[BINS])
{
    if (!(high > low)) /* they are all the same */
        return NULL;
    json_t *list = json_array();
    for (int i = 0; i < BINS; i++)
        json_array_append_new(list, json_integer(count[i]));
    return json_pack("{s:f, s:f, s:o}", "from", low, "to", high, "counts", list);
}

static void put(json_t *j, const char *key, json_t *value)
{
    if (value != NULL)
        json_object_set_new(j, key, value);
}

/* ---- Of any model ---- */
static json_t *histogram(const pith_real *w, int64_t n)
{
    int64_t count[BINS] = { 0 };
    double low = (double)w[0], high = low;
    for (int64_t i = 1; i < n; i++) {
        low = fmin(low, (double)w[i]);
        high = fmax(high, (double)w[i]);
    }
    for (int64_t i = 0; i < n && high > low; i++) {
        int bin = (int)(((double)w[i] - low) / (high - low) * BINS);
        count[bin < BINS ? bin : BINS - 1]++;
    }
    return histogram_json(low, high, count);
}

/* Weights that are shared stand in the model as what computes them. */
static const pith_real *weights(const pith_model *m, const char *layer, int64_t *n)
{
    char name[160];
    snprintf(name, sizeof name, "%.140s.weight", layer);
    pith_tensor *w = pith_model_find(m, name);
    *n = w != NULL ? pith_size(w) : 0;
    return w == NULL || pith_run(w) != PITH_OK ? NULL : pith_values(w);
}

static json_t *layer(const pith_model *m, const pith_layer_facts *f, int bits)
{
    int64_t n;
    json_t *j = json_pack("{s:o, s:s, s:I, s:I, s:I}", "name", json_bytes(f->name), "kind", f->op,
                          "parameters", (json_int_t)f->parameters, "nonzero",
                          (json_int_t)(f->parameters - f->zeros), "macs", (json_int_t)f->macs);
    const pith_real *w = f->macs > 0 ? weights(m, f->name, &n) : NULL;
    if (w == NULL)
        return j;
    json_object_set_new(j, "weight_bits", json_integer(bits));
    put(j, "weight_histogram", histogram(w, n));
    return j;
}

static json_t *plain(const pith_model *m, int bits)
{
    json_t *layers = json_array();
    pith_layer_facts f;
    for (int i = 0; pith_model_layer(m, i, &f); i++)
        if (f.parameters > 0 || f.macs > 0)
            json_array_append_new(layers, layer(m, &f, bits));
    return layers;
}

/* ---- Of a quantized one ---- */
/* No number where nothing changes: JSON has no infinity. */
static void put_db(json_t *j, const char *what, const char *how, double db)
{
    char key[64];
    snprintf(key, sizeof key, "sqnr_%s%s_db", what, how);
    if (isfinite(db))
        json_object_set_new(j, key, json_real(db));
}

static void put_place(json_t *j, const pith_place *p, bool integers)
{
    const char *what = p->weights ? "weight" : "activation";
    char key[64];
    put_db(j, what, "", p->own);
    put_db(j, what, "_output", integers ? p->alone : (double)NAN);
    put_db(j, what, "_accumulated", integers ? p->accumulated : (double)NAN);
    snprintf(key, sizeof key, "%s_histogram", what);
    put(j, key, histogram_json(p->lo, p->hi, p->rounded));
    snprintf(key, sizeof key, "%s_histogram_float", what);
    put(j, key, histogram_json(p->lo, p->hi, p->histogram));
}

/* A layer with weights; or what only has a result, as the sum of two. */
static json_t *layer_of_place(const pith_model *m, const pith_place *p)
{
    pith_layer_facts f;
    json_t *j = json_pack("{s:o, s:s}", "name", json_bytes(p->layer), "kind", "result");
    for (int i = 0; pith_model_layer(m, i, &f); i++)
        if (f.macs > 0 && strcmp(f.name, p->layer) == 0) {
            json_object_set_new(j, "kind", json_string(f.op));
            json_object_set_new(j, "macs", json_integer(f.macs));
        }
    if (!p->weights)
        return j;
    json_object_set_new(j, "parameters", json_integer(p->values));
    json_object_set_new(j, "nonzero", json_integer(p->values - p->zeros));
    json_object_set_new(j, "weight_bits", json_integer(p->bits));
    return j;
}

/* Places come in the network's order: behind the weights of a layer, its result. */
static json_t *from_places(const pith_model *m, const pith_analysis *a, bool integers)
{
    json_t *layers = json_array(), *j = NULL;
    const pith_place *p, *before = NULL;
    for (int i = 0; (p = pith_analysis_place(a, i)) != NULL; i++, before = p) {
        if (p->weights || before == NULL || !before->weights) {
            j = layer_of_place(m, p);
            json_array_append_new(layers, j);
        }
        put_place(j, p, integers);
        if (!p->weights)
            json_object_set_new(j, "activation_bits", json_integer(p->bits));
    }
    return layers;
}

/* The model that the step's verb quantized, and how; NULL: it was trained while quantized. */
static pith_model *origin(lab *l, const lab_row *r)
{
    char path[1024];
    if (strcmp(r->verb, "quantize") != 0)
        return NULL;
    return pith_model_load(l->c, lab_path(l, lab_find(l, r->from, NULL), "last.pith", path));
}

/* NULL: it has no places, or they could not be measured, which is said. */
static json_t *analysed(lab *l, const lab_row *r, pith_model *m)
{
    lab copy = *l; /* words were read before: why they are refused is known */
    lab_job j = { .l = &copy, .row = r, .epochs = 1 };
    const bool read = pith_model_is_quantized(m) && lab_words(&j);
    json_decref(j.args);
    if (!read)
        return NULL;
    pith_model *from = origin(l, r);
    pith_analysis *a = pith_ctx_status(l->c) ? NULL : pith_analyze_made(m, from, l->d, j.q, LOOKED_AT);
    json_t *layers = a != NULL ? from_places(m, a, j.q.scheme == PITH_SCHEME_INT8) : NULL;
    if (a == NULL)
        json_array_append_new(l->warnings, json_bytes(pith_error_text(l->c)));
    pith_analysis_free(a);
    pith_model_free(from);
    pith_ctx_clear(l->c);
    return layers;
}

/* ---- Memory ---- */
static void put_memory(lab *l, json_t *to, const pith_model *m)
{
    pith_needs total;
    pith_need_tensor t;
    pith_needs_plan *p = pith_model_is_quantized(m) ? pith_needs_of_model(m, &total) : NULL;
    json_t *list = json_array();
    for (int i = 0; p != NULL && pith_needs_tensor(p, i, &t); i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:i, s:i}", "name", json_bytes(t.name),
                                              "bytes", (json_int_t)t.bytes, "offset", (json_int_t)t.offset,
                                              "from_step", t.from_op, "to_step", t.to_op));
    if (p != NULL) {
        json_object_set(to, "memory", list);
        json_object_set_new(to, "arena", json_integer(total.ram));
    }
    json_decref(list);
    pith_needs_free(p);
    pith_ctx_clear(l->c); /* layers that stay in float have no plan */
}

bool lab_layers(lab *l, const lab_row *r, pith_model *m, int bits)
{
    char path[1024];
    json_t *layers = analysed(l, r, m);
    if (layers == NULL)
        layers = plain(m, bits);
    pith_ctx_clear(l->c); /* layers without weights of that name */
    json_t *j = json_pack("{s:o}", "layers", layers);
    put_memory(l, j, m);
    bool ok = lab_save_json(l, lab_path(l, r, "layers.json", path), j);
    json_decref(j);
    return ok;
}
