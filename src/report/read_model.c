/* report/read_model.c: where a step has no layers.json, its model says what its layers hold. */
#include "report/run.h"

#include <math.h>
#include <pith/file.h>
#include <pith/model.h>
#include <unistd.h>

static pith_status take_layers(pithp_pool *p, const pith_model *m, pithp_result *r)
{
    pith_layer_facts f;
    int n = 0;
    while (n < PITHP_LAYERS && pith_model_layer(m, n, &f))
        n++;
    if ((r->layer = PITHP_POOL_N(p, pithp_layer, n)) == NULL)
        return PITH_ENOMEM;
    for (int i = 0; i < n && pith_model_layer(m, i, &f); i++) {
        if (f.parameters < 1)
            continue;
        r->layer[r->n_layers] = (pithp_layer){ .name = pithp_pool_text(p, "%s", f.name),
                                               .kind = pithp_pool_text(p, "%s", f.op),
                                               .parameters = (double)f.parameters,
                                               .nonzero = (double)(f.parameters - f.zeros),
                                               .macs = (double)f.macs,
                                               .weight_bits = NAN,
                                               .weight_noise = { NAN, NAN, NAN },
                                               .activation_noise = { NAN, NAN, NAN } };
        if (r->layer[r->n_layers].name == NULL || r->layer[r->n_layers].kind == NULL)
            return PITH_ENOMEM;
        r->n_layers++;
    }
    return PITH_OK;
}

/* A model that cannot be read is no reason to refuse the report, which is about results: it is told in the log. */
pith_status pithp_read_model(pithp_pool *p, pithp_result *r)
{
    const char *path = pithp_pool_text(p, "%s/last.pith", r->dir);
    if (path == NULL)
        return PITH_ENOMEM;
    if (r->n_layers > 0 || access(path, R_OK) != 0)
        return PITH_OK;
    pith_model *m = pith_model_load(p->c, path);
    if (m != NULL) {
        pith_status s = take_layers(p, m, r);
        pith_model_free(m);
        return s;
    }
    if (pith_ctx_status(p->c) == PITH_ENOMEM)
        return PITH_ENOMEM;
    pithp_log(p->c, PITH_LOG_WARN, "the report does without the layers of %s: %s", r->id,
              pith_error_text(p->c));
    pith_ctx_clear(p->c);
    return PITH_OK;
}
