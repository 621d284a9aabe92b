/* tests/runner_help.h: small networks, float and of integers, to write and to read back. */
#ifndef PITH_TESTS_RUNNER_HELP_H
#define PITH_TESTS_RUNNER_HELP_H

#include "compress/quant/quant.h"
#include "export_help.h"

/* Batch norms with something to fold, and biases that are not zero. */
static inline void stir(pith_model *m)
{
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    pithp_rand r = pithp_rand_at(3, 0, 0, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n; i++)
        w[i] =
            w[i] * (pith_real)(1 + 0.2 * pithp_rand_uniform(&r)) + (pith_real)(0.02 * pithp_rand_uniform(&r));
}

static inline pith_model *family(const char *name, int size)
{
    pith_model *m =
        pith_model_family(ctx, name, (pith_family_cfg){ .image_size = size, .width = 0.5, .classes = 3 });
    suite_check(m != NULL, "%s: %s", name, pith_error_text(ctx));
    stir(m);
    return m;
}

/* Quantized with ranges out of the air. */
static inline pith_model *quantized_to(const char *name, int size, int bits_activations)
{
    pith_model *m = family(name, size), *n = pithp_fold_model(m);
    pith_quant_cfg cfg = { .bits_activations = bits_activations };
    ck_assert_int_eq(pithp_quant_cfg_check(n, &cfg), PITH_OK);
    ck_assert_int_eq(pithp_quant_insert(n, &cfg, false), PITH_OK);
    for (size_t i = 0; i < n->g->n; i++) {
        const pith_tensor *t = n->g->nodes[i];
        pith_real *scale = pithp_is_fake_quant(t) ? t->in[PITHP_FQ_SCALE]->value : NULL;
        if (scale && pithp_fq_of_activation(t) && scale[0] == 0)
            scale[0] = (pith_real)0.05;
    }
    suite_check(pithp_quant_weights(n) == PITH_OK, "%s", pith_error_text(ctx));
    return n;
}

static inline pith_model *quantized(const char *name, int size) { return quantized_to(name, size, 0); }

#endif
