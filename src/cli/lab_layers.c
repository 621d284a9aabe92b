/* layers.json: what stands in each layer of a step's model. */
#include "cli/lab.h"

#include <math.h>

enum { BINS = 64 };

/* Weights by value, least to greatest; NULL where they are all the same. */
static json_t *histogram(const pith_real *w, int64_t n)
{
    int64_t count[BINS] = { 0 };
    double low = (double)w[0], high = low;
    for (int64_t i = 1; i < n; i++) {
        low = fmin(low, (double)w[i]);
        high = fmax(high, (double)w[i]);
    }
    if (!(high > low))
        return NULL;
    for (int64_t i = 0; i < n; i++) {
        int bin = (int)(((double)w[i] - low) / (high - low) * BINS);
        count[bin < BINS ? bin : BINS - 1]++;
    }
    json_t *list = json_array();
    for (int i = 0; i < BINS; i++)
        json_array_append_new(list, json_integer(count[i]));
    return json_pack("{s:f, s:f, s:o}", "from", low, "to", high, "counts", list);
}

static json_t *layer(const pith_model *m, const pith_layer_facts *f, int bits)
{
    char name[160];
    snprintf(name, sizeof name, "%.140s.weight", f->name);
    pith_tensor *w = pith_model_find(m, name);
    json_t *j = json_pack("{s:o, s:s, s:I, s:I, s:I}", "name", json_bytes(f->name), "kind", f->op,
                          "parameters", (json_int_t)f->parameters, "nonzero",
                          (json_int_t)(f->parameters - f->zeros), "macs", (json_int_t)f->macs);
    const pith_real *values = w != NULL ? pith_values(w) : NULL;
    if (values == NULL)
        return j;
    json_object_set_new(j, "weight_bits", json_integer(bits));
    json_t *h = histogram(values, pith_size(w));
    if (h != NULL)
        json_object_set_new(j, "weight_histogram", h);
    return j;
}

bool lab_layers(lab *l, const lab_row *r, pith_model *m, int bits)
{
    char path[1024];
    pith_layer_facts f;
    json_t *layers = json_array();
    for (int i = 0; pith_model_layer(m, i, &f); i++)
        if (f.parameters > 0 || f.macs > 0)
            json_array_append_new(layers, layer(m, &f, bits));
    json_t *j = json_pack("{s:o}", "layers", layers);
    bool ok = lab_save_json(l, lab_path(l, r, "layers.json", path), j);
    json_decref(j);
    return ok;
}
