/* tests/improve_help.h: a small trained network, images to run it on, and what it gives, for the suites of improvers and schemes. */
#ifndef PITH_TESTS_IMPROVE_HELP_H
#define PITH_TESTS_IMPROVE_HELP_H

#include "compress/quant/improve.h"
#include "fit_help.h"

enum { IMAGES = 64, PIXELS = FIT_SIZE * FIT_SIZE * 3 };

static inline fit_setup trained(void)
{
    fit_setup s = fit_begin(2);
    pith_fit_cfg f = { .epochs = 3, .batch = 16, .opt = { .lr = 0.02 } };
    ck_assert_msg(pith_fit(s.m, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    return s;
}

static inline pithp_images images(const fit_setup *s)
{
    pithp_images im;
    ck_assert_msg(pithp_images_take(s->m, s->d, IMAGES, 1, &im) == PITH_OK, "%s", pith_error_text(s->c));
    ck_assert_int_eq(im.n, IMAGES);
    return im;
}

/* Values of node t on the images. */
static inline pith_real *values(const pith_model *m, const pith_tensor *t, const pithp_images *im)
{
    pith_plan *p =
        pith_plan_new((pith_tensor *[]){ (pith_tensor *)(uintptr_t)t }, 1, (pith_plan_cfg){ .batch = im->n });
    ck_assert_msg(p != NULL, "%s", pith_error_text(m->ctx));
    ck_assert_int_eq(pithp_images_run(p, m, im, 0, im->n), PITH_OK);
    size_t n = (size_t)(im->n * pithp_count(t->shape));
    pith_real *y = malloc(n * sizeof *y);
    memcpy(y, pith_plan_value(p, t), n * sizeof *y);
    pith_plan_free(p);
    return y;
}

static inline double squared(const pith_real *a, const pith_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static inline double accuracy(fit_setup *s, pith_model *m)
{
    pith_eval_result r;
    ck_assert_msg(pith_evaluate(m, s->d, PITH_VAL, 0, &r) == PITH_OK, "%s", pith_error_text(s->c));
    return r.accuracy;
}

#endif
