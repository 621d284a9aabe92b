/* report/read_layers.c: layers.json and calibration.json. */
#include "report/run.h"

#include <math.h>

static pithp_counts counts(const pithp_object *layer, const char *key)
{
    pithp_counts h = { 0 };
    pithp_object o = pithp_get_object(layer, key);
    json_t *list = pithp_get_array(&o, "counts", PITHP_BINS);
    h.from = pithp_get_number(&o, "from", -1e30, 1e30);
    h.to = pithp_get_number(&o, "to", -1e30, 1e30);
    if (list == NULL || !(h.from < h.to)) /* one value has no histogram */
        return h;
    h.n = (int)json_array_size(list);
    h.count = PITHP_POOL_N(o.pool, double, h.n);
    for (int i = 0; i < h.n && h.count != NULL; i++) {
        double v = json_number_value(json_array_get(list, (size_t)i)); /* 0 where it is none */
        h.count[i] = v > 0 && v < 1e15 ? v : 0;
    }
    h.n = h.count != NULL ? h.n : 0;
    return h;
}

static double decibel(const pithp_object *o, const char *what, const char *how)
{
    char key[64];
    snprintf(key, sizeof key, "sqnr_%s%s_db", what, how);
    return pithp_get_number(o, key, -1000, 1000);
}

static pithp_noise noise(const pithp_object *o, const char *what)
{
    return (pithp_noise){ .own = decibel(o, what, ""),
                          .output = decibel(o, what, "_output"),
                          .accumulated = decibel(o, what, "_accumulated") };
}

static pithp_layer layer(const pithp_object *o)
{
    return (pithp_layer){ .name = pithp_get_text(o, "name"),
                          .kind = pithp_get_text(o, "kind"),
                          .parameters = pithp_get_count(o, "parameters"),
                          .nonzero = pithp_get_count(o, "nonzero"),
                          .macs = pithp_get_count(o, "macs"),
                          .weight_bits = pithp_get_number(o, "weight_bits", 0, 64),
                          .weight_noise = noise(o, "weight"),
                          .activation_noise = noise(o, "activation"),
                          .weight = counts(o, "weight_histogram"),
                          .activation = counts(o, "activation_histogram"),
                          .weight_float = counts(o, "weight_histogram_float"),
                          .activation_float = counts(o, "activation_histogram_float") };
}

static pith_status read_layers(pithp_pool *p, pithp_result *r)
{
    pithp_object o;
    pith_status s = pithp_read_object(p, r->dir, "layers.json", &o);
    if (s != PITH_OK || o.j == NULL)
        return s;
    json_t *layers = pithp_get_array(&o, "layers", PITHP_LAYERS),
           *memory = pithp_get_array(&o, "memory", 2 * PITHP_LAYERS);
    r->layer = PITHP_POOL_N(p, pithp_layer, json_array_size(layers));
    r->slot = PITHP_POOL_N(p, pithp_slot, json_array_size(memory));
    if (r->layer == NULL || r->slot == NULL)
        return PITH_ENOMEM;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        pithp_object e = pithp_get_element(&o, "layers", layers, i);
        r->layer[r->n_layers++] = layer(&e);
    }
    for (size_t i = 0; i < json_array_size(memory); i++) {
        pithp_object e = pithp_get_element(&o, "memory", memory, i);
        pithp_slot m = { .name = pithp_get_text(&e, "name"),
                         .bytes = pithp_get_count(&e, "bytes"),
                         .offset = pithp_get_count(&e, "offset"),
                         .from = pithp_get_number(&e, "from_step", -1, 1e6),
                         .to = pithp_get_number(&e, "to_step", -1, 1e6) };
        if (isfinite(m.bytes + m.offset + m.from + m.to) && m.to >= m.from && m.bytes > 0)
            r->slot[r->n_slots++] = m;
    }
    r->plan = pithp_get_count(&o, "arena");
    if (isnan(r->arena))
        r->arena = r->plan;
    return p->c->status;
}

enum { OWN_BINS = 15 }; /* Guo et al., "On calibration of modern neural networks", 2017 */

pith_status pithp_read_layers(pithp_pool *p, pithp_result *r)
{
    pithp_object o;
    pith_status s = read_layers(p, r);
    r->ece = NAN;
    if (s == PITH_OK)
        s = pithp_read_object(p, r->dir, "calibration.json", &o);
    if (s != PITH_OK)
        return s;
    json_t *bins = pithp_get_array(&o, "bins", PITHP_BINS);
    size_t n = bins != NULL ? json_array_size(bins) : r->val.n > 0 ? OWN_BINS : 0;
    r->n_bins = (int)n;
    if ((r->bin = PITHP_POOL_N(p, pithp_bin, n)) == NULL)
        return PITH_ENOMEM;
    for (size_t i = 0; i < n && bins != NULL; i++) {
        pithp_object e = pithp_get_element(&o, "bins", bins, i);
        r->bin[i] = (pithp_bin){ .from = pithp_get_number(&e, "from", 0, 1),
                                 .to = pithp_get_number(&e, "to", 0, 1),
                                 .n = pithp_get_count(&e, "n"),
                                 .confidence = pithp_get_number(&e, "confidence", 0, 1.001),
                                 .accuracy = pithp_get_number(&e, "accuracy", 0, 1) };
    }
    if (bins != NULL)
        r->ece = pithp_get_number(&o, "ece", 0, 1);
    else if (n > 0)
        r->ece = pithp_reliability(&r->val, r->bin, (int)n);
    return p->c->status;
}
