/* tests/quant_nets.h: small trained networks, and what their floats and their integers say. */
#ifndef PITH_TESTS_QUANT_NETS_H
#define PITH_TESTS_QUANT_NETS_H

#include "fit_help.h"

enum { PIXELS = FIT_SIZE * FIT_SIZE * 3, MANY = 64 };

static inline void fit(fit_setup *s, int epochs, double lr)
{
    pith_fit_cfg f = { .epochs = epochs, .batch = 16, .opt = { .lr = lr } };
    ck_assert_msg(pith_fit(s->m, s->d, f) == PITH_OK, "%s", pith_error_text(s->c));
}

/* A trained small network. */
static inline fit_setup trained(void)
{
    fit_setup s = fit_begin(2);
    fit(&s, 3, 0.02);
    return s;
}

/* Random images whose pixels are bytes. */
static inline const pith_real *images(void)
{
    static pith_real x[MANY * PIXELS];
    pithp_rand r = pithp_rand_at(4, 0, 1, PITHP_USE_OTHER);
    for (int i = 0; i < MANY * PIXELS; i++)
        x[i] = (pith_real)(((double)pithp_rand_below(&r, 256) - 128) / 128);
    return x;
}

/* Logits of MANY images by the plan of the graph: in float, or its simulation of the integers. */
static inline pith_real *by_plan(pith_model *m, bool no_fuse)
{
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = MANY, .no_fuse = no_fuse });
    ck_assert_msg(p != NULL, "%s", pith_error_text(pith_model_ctx(m)));
    int64_t k = pith_size(out);
    pith_real *y = malloc((size_t)(MANY * k) * sizeof *y);
    memcpy(pith_plan_input(p, pith_model_input(m)), images(), sizeof(pith_real) * MANY * PIXELS);
    ck_assert_int_eq(pith_plan_forward(p, MANY, 0), PITH_OK);
    memcpy(y, pith_plan_value(p, out), (size_t)(MANY * k) * sizeof *y);
    pith_plan_free(p);
    return y;
}

/* By the integers. */
static inline pith_real *by_integers(pith_model *m)
{
    pithp_integers i = { 0 };
    ck_assert_msg(pithp_integers_make(&i, m, MANY) == PITH_OK, "%s", pith_error_text(pith_model_ctx(m)));
    pith_real *y = malloc((size_t)(MANY * i.per_out) * sizeof *y);
    ck_assert_int_eq(pithp_integers_run(&i, images(), MANY, y), PITH_OK);
    pithp_integers_free(pith_model_ctx(m), &i);
    return y;
}

#endif
