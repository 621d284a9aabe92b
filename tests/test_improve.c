/* Improvers of quantized models, each for itself. */
#include "improve_help.h"
#include "ops/table.h"
#include <pith/ops.h>

/* ---- Equalisation ----------------------------------------------------------------------------------------------------- */

static pith_tensor *conv(pith_model *m, const char *name, pith_tensor *x, int out, int kernel, bool dw)
{
    char w[40], b[40];
    snprintf(w, sizeof w, "%s.w", name), snprintf(b, sizeof b, "%s.b", name);
    int64_t in = pith_shape_of(x).d[3];
    pith_shape s = dw ? PITH_SHAPE(1, kernel, kernel, in) : PITH_SHAPE(out, kernel, kernel, in);
    pith_tensor *weight = pithp_node_param(m->g, w, s, PITHP_INIT_NORMAL, 0.3, true);
    pith_tensor *bias = pithp_node_param(m->g, b, PITH_SHAPE(dw ? in : out), PITHP_INIT_NORMAL, 0.3, false);
    return pith_named(dw ? pith_depthwise_conv2d(x, weight, bias, (pith_conv2d_cfg){ .kernel = kernel })
                         : pith_conv2d(x, weight, bias, (pith_conv2d_cfg){ .kernel = kernel }),
                      name);
}

/* conv, depthwise, conv, a residual that must be left alone, and a head. */
static pith_tensor *chain(pith_model *m, pith_tensor *x, void *user)
{
    pith_act act = *(const pith_act *)user;
    x = pith_activation(conv(m, "a", x, 12, 3, false), act);
    pith_tensor *y = pith_activation(conv(m, "b", x, 24, 1, false), act);
    y = pith_activation(conv(m, "c", y, 24, 3, true), act);
    x = pith_add(x, conv(m, "d", y, 12, 1, false));
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 5);
}

static pith_model *chain_model(pith_ctx *c, pith_act act)
{
    pith_model *m = pith_model_new(c, chain, &act, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    /* channels of very different sizes, as depthwise layers have them */
    pithp_rand r = pithp_rand_at(2, 0, 0, PITHP_USE_OTHER);
    int n;
    pithp_layer *l = pithp_layers_of(m, &n);
    ck_assert_int_eq(n, 5);
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < l[i].channels; k++) {
            pith_real f = (pith_real)exp(1.5 * pithp_rand_normal(&r));
            for (int64_t j = 0; j < l[i].n; j++)
                if (pithp_layer_channel(&l[i], j) == k)
                    ((pith_real *)l[i].w->value)[j] *= f;
        }
    pithp_free(c, l);
    return m;
}

static double most(const pith_tensor *t, int64_t first, int64_t step, int64_t count)
{
    double v = 0;
    for (int64_t i = 0; i < count; i++)
        v = fmax(v, fabs((double)((const pith_real *)t->value)[first + i * step]));
    return v;
}

START_TEST(equalisation_leaves_the_function)
{
    fit_setup s = fit_begin(1);
    pithp_images im = images(&s);
    static const pith_act acts[] = { PITH_RELU, PITH_RELU6, PITH_LINEAR };
    for (int i = 0; i < 3; i++) {
        pith_model *m = chain_model(s.c, acts[i]);
        pith_real *was = values(m, m->output, &im);
        int pairs = 0;
        ck_assert_int_eq(pithp_equalize(m, &im, &pairs), PITH_OK);
        ck_assert_int_eq(pairs, 2); /* b-c and c-d; a is read twice, d is added */
        pith_real *now = values(m, m->output, &im);
        double scale = 0;
        for (int64_t k = 0; k < im.n * 5; k++)
            scale = fmax(scale, fabs((double)was[k]));
        for (int64_t k = 0; k < im.n * 5; k++)
            ck_assert_msg(fabs((double)was[k] - (double)now[k]) < 1e-5 * scale, "activation %d: %g became %g",
                          i, (double)was[k], (double)now[k]);
        if (acts[i] != PITH_RELU6)
            for (int64_t k = 0; k < 24; k++) { /* the ranges on both sides of c are one */
                double b = most(pith_model_find(m, "b.w"), k * 12, 1, 12),
                       dw = most(pith_model_find(m, "c.w"), k, 24, 9),
                       d = most(pith_model_find(m, "d.w"), k, 24, 12);
                ck_assert_msg(fabs(b / dw - 1) < 0.05 && fabs(dw / d - 1) < 0.05, "channel %d: %g %g %g",
                              (int)k, b, dw, d);
            }
        free(was), free(now);
        pith_model_free(m);
    }
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Batch-norm statistics ----------------------------------------------------------------------------------------------- */

START_TEST(bn_statistics_are_those_of_the_images)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    pith_model *m = pith_model_clone(s.m);
    pith_quant_cfg cfg = { 0 };
    ck_assert_int_eq(pithp_quant_cfg_check(m, &cfg), PITH_OK);
    pith_real *before = malloc((size_t)m->n_params * sizeof *before);
    memcpy(before, m->weights, (size_t)m->n_params * sizeof *before);
    pith_tensor *bn = NULL;
    for (size_t i = 0; i < m->g->n && !bn; i++)
        if (m->g->nodes[i]->op == &pithp_op_batch_norm)
            bn = m->g->nodes[i];
    ck_assert_ptr_nonnull(bn);
    int64_t c = pithp_count(bn->in[1]->shape), n = im.n * pithp_count(bn->in[0]->shape) / c;
    for (int64_t k = 0; k < c; k++) /* nonsense */
        ((pith_real *)bn->in[3]->value)[k] = 7, ((pith_real *)bn->in[4]->value)[k] = 99;
    ck_assert_int_eq(pithp_bn_reestimate(m, &im, &cfg), PITH_OK);
    ck_assert_mem_eq(before, m->weights, (size_t)m->n_params * sizeof *before); /* weights stay unrounded */
    pith_real *x = values(m, bn->in[0], &im);
    for (int64_t k = 0; k < c; k++) {
        double mean = 0, var = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)x[i * c + k] / (double)n;
        for (int64_t i = 0; i < n; i++)
            var += ((double)x[i * c + k] - mean) * ((double)x[i * c + k] - mean) / (double)n;
        double sd = sqrt(var), got = (double)((const pith_real *)bn->in[3]->value)[k],
               sq = (double)((const pith_real *)bn->in[4]->value)[k];
        ck_assert_msg(fabs(got - mean) < 0.02 * sd + 1e-4, "channel %d: mean %g, not %g", (int)k, got, mean);
        ck_assert_msg(fabs(sq / var - 1) < 0.03, "channel %d: variance %g, not %g", (int)k, sq, var);
    }
    free(x), free(before);
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Bias correction, AdaRound -------------------------------------------------------------------------------------------- */

/* A model quantized to few bits, and the folded float model it was made of. */
static void low_bits(const fit_setup *s, int bits, pith_model **n, pith_model **folded)
{
    pith_quant_cfg cfg = { .bits_weights = bits, .bits_ends = -1, .samples = IMAGES };
    ck_assert_int_eq(pithp_quant_cfg_check(s->m, &cfg), PITH_OK);
    *folded = pithp_fold_model(s->m);
    *n = pith_model_clone(*folded);
    ck_assert_int_eq(pithp_quant_insert(*n, &cfg, false), PITH_OK);
    ck_assert_int_eq(pithp_quant_calibrate(*n, s->d, &cfg), PITH_OK);
    ck_assert_int_eq(pithp_quant_weights(*n), PITH_OK);
}

/* Sum over layers and channels of the squared difference of means, in units of the layer's mean square. */
static double mean_error(const pith_model *n, const pith_model *folded, const pithp_images *im, bool last)
{
    int count, refs;
    pithp_layer *l = pithp_layers_of(n, &count), *ref = pithp_layers_of(folded, &refs);
    ck_assert_int_eq(count, refs);
    double sum = 0;
    for (int i = last ? count - 1 : 0; i < count; i++) {
        pith_real *a = values(n, l[i].t, im), *b = values(folded, ref[i].t, im);
        int64_t all = im->n * pithp_count(l[i].t->shape), c = l[i].channels;
        double power = 0;
        for (int64_t k = 0; k < all; k++)
            power += (double)b[k] * (double)b[k] / (double)all;
        for (int64_t k = 0; k < c; k++) {
            double d = 0;
            for (int64_t j = k; j < all; j += c)
                d += ((double)a[j] - (double)b[j]) / (double)(all / c);
            sum += d * d / power;
        }
        free(a), free(b);
    }
    pithp_free(n->ctx, l);
    pithp_free(n->ctx, ref);
    return sum;
}

START_TEST(bias_correction_removes_the_mean_error)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    pith_model *n, *folded;
    low_bits(&s, 3, &n, &folded);
    double was = mean_error(n, folded, &im, false);
    ck_assert_int_eq(pithp_bias_correct(n, folded, &im), PITH_OK);
    double now = mean_error(n, folded, &im, false);
    printf("    mean error of all layers: %.4g, corrected %.4g\n", was, now);
    ck_assert_double_gt(was, 0.01);
    ck_assert_double_lt(now, was * 1e-4);
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(adaround_beats_the_nearest)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    pith_model *n, *folded, *nearest;
    low_bits(&s, 3, &n, &folded);
    nearest = pith_model_clone(n);
    ck_assert_int_eq(pithp_adaround(n, folded, &im, 300, 1), PITH_OK);
    int count, refs, moved = 0;
    pithp_layer *l = pithp_layers_of(n, &count), *ref = pithp_layers_of(folded, &refs);
    pithp_layer *near = pithp_layers_of(nearest, &refs);
    for (int i = 0; i < count;
         i++) { /* every weight is a code, the one below or above (or at the end of the range) */
        const pith_real *w = l[i].w->value, *f = ref[i].w->value, *r = near[i].w->value,
                        *scale = l[i].quant->in[PITHP_FQ_SCALE]->value;
        const pithp_fq_attr *a = l[i].quant->attr;
        bool one = pithp_count(l[i].quant->in[PITHP_FQ_SCALE]->shape) == 1;
        for (int64_t k = 0; k < l[i].n; k++) {
            double sc = (double)scale[one ? 0 : pithp_layer_channel(&l[i], k)], q = (double)w[k] / sc,
                   x = (double)f[k] / sc;
            ck_assert_msg(fabs(q - round(q)) < 1e-4 && fabs(q) <= pithp_fq_qmax(a) + 1e-4,
                          "layer %d: %g is no code", i, q);
            bool end = fabs(x) > pithp_fq_qmax(a) - 1;
            ck_assert_msg(end || fabs(q - x) < 1.0001, "layer %d: %g rounded to %g", i, x, q);
            moved += w[k] != r[k];
        }
    }
    int64_t outs = im.n * pithp_count(folded->output->shape);
    pith_real *y = values(folded, folded->output, &im), *a = values(n, n->output, &im),
              *b = values(nearest, nearest->output, &im);
    double learned = squared(a, y, outs), plain = squared(b, y, outs);
    printf("    squared error of the logits: nearest %.4g, learned %.4g; %d weights rounded the other way\n",
           plain, learned, moved);
    ck_assert_int_gt(moved, 50);
    ck_assert_double_lt(learned, plain * 0.5);
    free(y), free(a), free(b);
    pithp_free(s.c, l), pithp_free(s.c, ref), pithp_free(s.c, near);
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- All of it through pith_quantize ----------------------------------------------------------------------------------------- */

START_TEST(each_improver_alone)
{
    fit_setup s = trained();
    for (unsigned improve = 1; improve <= 15; improve = improve == 8 ? 15 : improve * 2) {
        pith_model *m = pith_model_clone(s.m);
        pith_quant_cfg cfg = {
            .improve = improve, .samples = 32, .improve_samples = 32, .adaround_steps = 20
        };
        ck_assert_msg(pith_quantize(m, s.d, cfg) == PITH_OK, "%s", pith_error_text(s.c));
        ck_assert_msg(accuracy(&s, m) > accuracy(&s, s.m) - 0.12, "improver %u: %g, float %g", improve,
                      accuracy(&s, m), accuracy(&s, s.m));
        pith_model_free(m);
    }
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Analysis ---------------------------------------------------------------------------------------------------------------- */

START_TEST(refused)
{
    fit_setup s = trained();
    static const struct {
        pith_quant_cfg cfg;
        const char *says;
    } t[] = { { { .scheme = PITH_SCHEME_FLOAT16, .improve = PITH_IMPROVE_BIAS }, "int8 scheme" },
              { { .scheme = (pith_quant_scheme)7 }, "scheme" },
              { { .improve = 16 }, "improve" },
              { { .adaround_steps = -1 }, "adaround_steps" },
              { { .improve_samples = -1, .improve = 1 }, "improve_samples" },
              { { .scheme = PITH_SCHEME_CODEBOOK, .bits_weights = 9 }, "bits of weights" } };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        ck_assert_int_eq(pith_quantize(s.m, s.d, t[i].cfg), PITH_EINVAL);
        ck_assert_msg(strstr(pith_error_text(s.c), t[i].says), "%s", pith_error_text(s.c));
        pith_ctx_clear(s.c);
    }
    ck_assert_int_eq(
        pith_quantize(s.m, NULL, (pith_quant_cfg){ .scheme = PITH_SCHEME_CODEBOOK, .improve = 1 }),
        PITH_EINVAL);
    pith_ctx_clear(s.c);
    for (int k = 1; k < 4; k++) { /* twice */
        pith_model *m = pith_model_clone(s.m);
        ck_assert_int_eq(pith_quantize(m, NULL, (pith_quant_cfg){ .scheme = (pith_quant_scheme)k }), PITH_OK);
        ck_assert_int_eq(pith_quantize(m, s.d, (pith_quant_cfg){ 0 }), PITH_EINVAL);
        ck_assert_msg(strstr(pith_error_text(s.c), "quantized already"), "%s", pith_error_text(s.c));
        pith_ctx_clear(s.c);
    }
    ((pith_real *)pith_model_find(s.m, "head.weight")->value)[0] = NAN;
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(pith_quantize(s.m, s.d, (pith_quant_cfg){ .scheme = (pith_quant_scheme)k }),
                         PITH_ENAN);
        ck_assert_msg(strstr(pith_error_text(s.c), "head.weight"), "%s", pith_error_text(s.c));
        pith_ctx_clear(s.c);
    }
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("improve");
    suite_test(s, "equalisation_leaves_the_function", equalisation_leaves_the_function);
    suite_test(s, "bn_statistics_are_those_of_the_images", bn_statistics_are_those_of_the_images);
    suite_test(s, "bias_correction_removes_the_mean_error", bias_correction_removes_the_mean_error);
    suite_test(s, "adaround_beats_the_nearest", adaround_beats_the_nearest);
    suite_test(s, "each_improver_alone", each_improver_alone);
    suite_test(s, "refused", refused);
    return suite_run("improve", s);
}
