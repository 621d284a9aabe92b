/* tests/prune_help.h: a model of one small layer, for the suites of pruning. */
#ifndef PITH_TESTS_PRUNE_HELP_H
#define PITH_TESTS_PRUNE_HELP_H

#include "compress/prune/prune.h"
#include "fit_help.h"

/* One layer of 2 x 2 x 2 x 2 weights (K R S C) in front of a head that is left out. */
static inline pith_tensor *one_layer(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_nn_conv2d(m, "a", x, (pith_conv2d_cfg){ .out = 2, .kernel = 2, .bias = true });
    x = pith_nn_batch_norm(m, "bn", x, (pith_batch_norm_cfg){ 0 });
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 2);
}

typedef struct {
    pith_ctx *c;
    pith_model *m;
    pith_tensor *w; /* of layer "a" */
} one;

/*                          k0 r0: s0 c0,c1  s1     r1: s0     s1     k1 r0: s0      s1       r1: s0       s1 */
static const pith_real numbers[16] = { 1, 8, 2, 7, 3, -6, -4, 5, 9, 10, 16, 15, 11, -12, 14, 13 };

static inline one one_begin(const pith_real *values)
{
    one o = { .c = pith_ctx_new((pith_ctx_cfg){ .seed = 1, .threads = 1 }) };
    o.m = pith_model_new(o.c, one_layer, NULL, PITH_SHAPE(4, 4, 2));
    ck_assert_msg(o.m != NULL, "%s", pith_error_text(o.c));
    o.w = pith_model_find(o.m, "a.weight");
    ck_assert_ptr_nonnull(o.w);
    memcpy(o.w->value, values, 16 * sizeof *values);
    return o;
}

#endif
