/* tests/distill_help.h: a teacher beside fit_help.h's student. */
#ifndef PITH_TESTS_DISTILL_HELP_H
#define PITH_TESTS_DISTILL_HELP_H

#include "fit_help.h"
#include <pith/distill.h>
#include <pith/prune.h>
#include <pith/quant.h>
#include <stdio.h>

static inline pith_tensor *teacher_net(pith_model *m, pith_tensor *x, void *user)
{
    const int *classes = user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 12, .kernel = 3 }, PITH_RELU6);
    x = pith_nn_mbconv(m, "b1", x, (pith_mbconv_cfg){ .out = 20, .expand = 2, .kernel = 3, .stride = 2 });
    x = pith_nn_mbconv(m, "b2", x, (pith_mbconv_cfg){ .out = 24, .expand = 2, .kernel = 3, .stride = 2 });
    return pith_nn_linear(m, "head", pith_global_avgpool(x), classes ? *classes : 2);
}

static inline pith_model *make_teacher(pith_ctx *c)
{
    pith_model *t = pith_model_new(c, teacher_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_msg(t != NULL, "%s", pith_error_text(c));
    return t;
}

static const pith_fit_cfg distill_small = { .epochs = 3, .batch = 16, .seed = 11, .opt = { .lr = 0.05 } };

/* All weights of the saved graph, malloc'd: by name, so that two graphs compare. */
static inline pith_real *weights_of(const pith_model *m, size_t *bytes)
{
    int64_t n;
    const pith_real *w = pith_model_weights(m, &n);
    *bytes = (size_t)n * sizeof *w;
    pith_real *copy = malloc(*bytes);
    memcpy(copy, w, *bytes);
    return copy;
}

#define same_weights(a, n_a, b, n_b)       \
    do {                                   \
        ck_assert_uint_eq(n_a, n_b);       \
        ck_assert(!memcmp((a), (b), n_a)); \
    } while (0)

#define ok(c, call) ck_assert_msg((call) == PITH_OK, "%s", (c) != NULL ? pith_error_text(c) : "failed")

#define refused(c, result, code, part)                                                     \
    do {                                                                                   \
        ck_assert(!(result));                                                              \
        ck_assert_msg(pith_ctx_status(c) == (code), "%s", pith_error_text(c));             \
        ck_assert_msg(strstr(pith_error_text(c), part) != NULL, "%s", pith_error_text(c)); \
        pith_ctx_clear(c);                                                                 \
    } while (0)

#endif
