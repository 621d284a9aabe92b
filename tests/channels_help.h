/* tests/channels_help.h: what the suites of structured pruning share. */
#ifndef PITH_TESTS_CHANNELS_HELP_H
#define PITH_TESTS_CHANNELS_HELP_H

#include "compress/prune/group.h"
#include "quant_help.h"

#include <math.h>
#include <pith/pith.h>
#include <stdlib.h>

/* Weights that say something everywhere, and carry the input through to the output: batch norms too, in parameters and
   statistics. gain: what a layer makes of a variance; gates of squeeze-and-excitation halve it. */
static inline void stir(pith_model *m, double gain)
{
    for (size_t id = 0; id < m->g->n; id++) {
        pith_tensor *t = m->g->nodes[id];
        if (t->kind != PITHP_NODE_PARAM && t->kind != PITHP_NODE_STATE)
            continue;
        pithp_rand r = pithp_rand_at(11, 0, id, PITHP_USE_OTHER);
        int64_t n = pithp_count(t->shape), filters = t->shape.d[0] == 1 ? t->shape.d[3] : t->shape.d[0];
        for (int64_t i = 0; i < n; i++) {
            double u = pithp_rand_uniform(&r), v = 0.4 * u - 0.2;
            if (t->shape.ndim > 1)
                v = pithp_rand_normal(&r) * sqrt(gain / (double)(n / filters));
            else if (t->init == PITHP_INIT_ONE)
                v = 0.7 + 0.6 * u;
            ((pith_real *)t->value)[i] = (pith_real)v;
        }
    }
}

/* Outputs for n fixed inputs. */
static inline pith_real *outputs(pith_model *m, int n, int64_t *count)
{
    int64_t in = pith_size(pith_model_input(m)), out = pith_size(pith_model_output(m));
    pith_real *x = malloc((size_t)(n * in) * sizeof *x), *y = malloc((size_t)(n * out) * sizeof *y);
    pithp_rand r = pithp_rand_at(4, 0, 1, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n * in; i++)
        x[i] = (pith_real)(2 * pithp_rand_uniform(&r) - 1);
    pith_tensor *o = pith_model_output(m);
    pith_plan *p = pith_plan_new(&o, 1, (pith_plan_cfg){ .batch = n });
    ck_assert_msg(p != NULL, "%s", pith_error_text(pith_model_ctx(m)));
    memcpy(pith_plan_input(p, pith_model_input(m)), x, (size_t)(n * in) * sizeof *x);
    ck_assert_int_eq(pith_plan_forward(p, n, 0), PITH_OK);
    memcpy(y, pith_plan_value(p, o), (size_t)(n * out) * sizeof *y);
    pith_plan_free(p);
    free(x);
    *count = n * out;
    for (int64_t i = 0; i + out < n * out; i++)
        suite_check(fabs((double)y[i] - (double)y[i + out]) > 1e-3, "%s: outputs don't depend on the input",
                    pith_model_name(m));
    return y;
}

/* Greatest difference beside the greatest value. */
static inline double distance(const pith_real *a, const pith_real *b, int64_t n)
{
    double most = 0, diff = 0;
    for (int64_t i = 0; i < n; i++) {
        ck_assert(isfinite(a[i]) && isfinite(b[i]));
        most = fmax(most, fabs((double)a[i]));
        diff = fmax(diff, fabs((double)a[i] - (double)b[i]));
    }
    return diff / most;
}

/* Zeroes what makes the channels that are chosen: filters, biases, gamma and beta; not the weights that read them. */
static inline void silence(const pith_channels *ch)
{
    for (size_t id = 0; id < ch->g->n; id++) {
        const pith_tensor *t = ch->g->nodes[id];
        if (!ch->marks[id] || t->kind != PITHP_NODE_PARAM)
            continue;
        bool depthwise = t->shape.ndim == 4 && t->shape.d[0] == 1;
        int64_t n = depthwise ? t->shape.d[3] : t->shape.d[0], per = pithp_count(t->shape) / n;
        const int32_t *channel = pithp_channels_at(ch, t, depthwise ? 3 : 0);
        for (int64_t c = 0; c < n; c++)
            for (int64_t i = 0; i < per && ch->gone[channel[c]]; i++)
                ((pith_real *)t->value)[depthwise ? i * n + c : c * per + i] = 0;
    }
}

/* Chooses about a share of every group. */
static inline int64_t choose(pith_channels *ch, double share, uint64_t seed)
{
    pith_channel_group f;
    int64_t chosen = 0;
    for (int g = 0; pith_channels_group(ch, g, &f); g++) {
        pithp_rand r = pithp_rand_at(seed, 0, (uint64_t)g, PITHP_USE_OTHER);
        for (int64_t i = 1; i < f.channels; i++)
            if (pithp_rand_uniform(&r) < share) {
                ck_assert_int_eq(pith_channels_drop(ch, g, i), PITH_OK);
                chosen++;
            }
    }
    return chosen;
}

/* The proof: channels that are always 0 go, and the outputs stay; with their weights as they were, outputs differ. Returns how
   many went. */
static inline int64_t prove(pith_model *m, double share, double tolerance)
{
    int64_t n;
    pith_model *other = pith_model_clone(m);
    pith_channels *ch = pith_channels_find(m), *as_it_was = pith_channels_find(other);
    ck_assert_msg(ch != NULL && as_it_was != NULL, "%s", pith_error_text(pith_model_ctx(m)));
    int64_t chosen = choose(ch, share, 5);
    choose(as_it_was, share, 5);
    pith_real *full = outputs(m, 2, &n);
    silence(ch);
    pith_real *before = outputs(m, 2, &n);
    ck_assert_msg(pith_channels_remove(ch) == PITH_OK, "%s", pith_error_text(pith_model_ctx(m)));
    pith_real *after = outputs(m, 2, &n);
    double d = distance(before, after, n);
    suite_check(d <= tolerance, "%s: removing what is zero changes the outputs by %g", pith_model_name(m), d);
    ck_assert_int_eq(pith_channels_remove(as_it_was), PITH_OK);
    pith_real *cut = outputs(other, 2, &n);
    suite_check(distance(full, cut, n) > 1e-4, "%s: removing what is not zero changes nothing",
                pith_model_name(m));
    free(full);
    free(before);
    free(after);
    free(cut);
    pith_channels_free(ch);
    pith_channels_free(as_it_was);
    pith_model_free(other);
    return chosen;
}

#endif
