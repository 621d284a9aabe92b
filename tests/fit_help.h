/* tests/fit_help.h: a small data set and a small network for the programs that test whole trainings. */
#ifndef PITH_TESTS_FIT_HELP_H
#define PITH_TESTS_FIT_HELP_H

#include "suite.h"
#include "train/train.h"

#include <math.h>
#include <pith/file.h>
#include <pith/nn.h>
#include <stdlib.h>
#include <string.h>

enum { FIT_SIDE = 20, FIT_SIZE = 16, FIT_TRAIN = 96, FIT_VAL = 45 };

/* Bright discs and crosses of about the same area, anywhere: the shape decides. */
static inline void fit_draw(uint8_t *p, int label, uint64_t k)
{
    pithp_rand r = pithp_rand_at(5, 0, k, PITHP_USE_OTHER);
    double cx = 6 + 8 * pithp_rand_uniform(&r), cy = 6 + 8 * pithp_rand_uniform(&r);
    int colour[3];
    for (int i = 0; i < 3; i++)
        colour[i] = (int)pithp_rand_below(&r, 80);
    for (int y = 0; y < FIT_SIDE; y++)
        for (int x = 0; x < FIT_SIDE; x++) {
            double dx = fabs(x - cx), dy = fabs(y - cy);
            bool in = label ? (dx < 1.5 || dy < 1.5) && dx + dy < 8 : dx * dx + dy * dy < 20;
            for (int i = 0; i < 3; i++)
                *p++ = (uint8_t)((in ? 150 : 0) + colour[i] + (int)pithp_rand_below(&r, 20));
        }
}

static inline pith_data *fit_data(pith_ctx *c)
{
    enum { ALL = FIT_TRAIN + FIT_VAL, BYTES = FIT_SIDE * FIT_SIDE * 3 };
    static const char *const names[] = { "disc", "cross" };
    uint8_t *pixels = malloc((size_t)ALL * BYTES);
    int32_t labels[ALL];
    for (int i = 0; i < ALL; i++) {
        labels[i] = (i * 7 / 3) % 2;
        fit_draw(pixels + (size_t)i * BYTES, labels[i], (uint64_t)i);
    }
    pith_data *d = pith_data_pixels(c, pixels, labels, ALL, FIT_SIDE, FIT_SIDE, names, FIT_TRAIN, FIT_SIZE);
    free(pixels);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    return d;
}

static inline pith_tensor *fit_net(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3 }, PITH_RELU6);
    x = pith_nn_mbconv(m, "b1", x, (pith_mbconv_cfg){ .out = 12, .expand = 2, .kernel = 3, .stride = 2 });
    x = pith_nn_mbconv(m, "b2", x, (pith_mbconv_cfg){ .out = 12, .expand = 2, .kernel = 3, .stride = 1 });
    x = pith_nn_mbconv(m, "b3", x, (pith_mbconv_cfg){ .out = 16, .expand = 2, .kernel = 3, .stride = 2 });
    x = pith_dropout(pith_global_avgpool(x), 0.1);
    return pith_nn_linear(m, "head", x, 2);
}

typedef struct {
    pith_ctx *c;
    pith_data *d;
    pith_model *m;
} fit_setup;

static inline fit_setup fit_begin(int threads)
{
    fit_setup s = { .c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = threads }) };
    ck_assert_msg(pith_ctx_status(s.c) == PITH_OK, "%s", pith_error_text(s.c));
    s.d = fit_data(s.c);
    s.m = pith_model_new(s.c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_msg(s.m != NULL, "%s", pith_error_text(s.c));
    return s;
}

static inline char *fit_path(const char *name)
{
    static char path[8][600];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", suite_dir(), name);
    return p;
}

#endif
