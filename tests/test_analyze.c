/* What quantization costs place by place: of a float model, and of models that are quantized already. */
#include "improve_help.h"
#include "ops/table.h"

/* 8 bits everywhere but one layer of 2: that layer's weights are what costs, by every measure; m is left alone. */
START_TEST(finds_the_culprit)
{
    fit_setup s = trained();
    pith_real *before = malloc((size_t)s.m->n_weights * sizeof *before);
    memcpy(before, s.m->weights, (size_t)s.m->n_weights * sizeof *before);
    size_t nodes = s.m->g->n;
    pith_tensor *dw = NULL;
    for (size_t i = 0; i < s.m->g->n && !dw; i++)
        if (s.m->g->nodes[i]->op == &pithp_op_depthwise_conv2d)
            dw = s.m->g->nodes[i];
    ck_assert_ptr_nonnull(dw);
    char *bits = NULL;
    ck_assert_int_gt(asprintf(&bits, "%s=2", pith_name(dw)), 0);
    pith_analysis *a =
        pith_analyze(s.m, s.d, (pith_quant_cfg){ .layers = bits, .improve_samples = 48, .samples = 48 });
    ck_assert_msg(a != NULL, "%s", pith_error_text(s.c));
    int64_t n;
    double output = pith_analysis_output(a, &n);
    ck_assert_int_eq(n, 48);
    const pith_place *top = pith_analysis_ranked(a, 0), *p;
    ck_assert_msg(top->weights && top->bits == 2 && strcmp(top->layer, pith_name(dw)) == 0,
                  "first is %s (%d bits)", top->layer, top->bits);
    ck_assert_double_gt(top->all_but, output + 6);
    int places = 0, weights = 0;
    for (; (p = pith_analysis_place(a, places)) != NULL; places++) {
        int64_t sum = 0;
        for (int k = 0; k < PITH_ANALYSIS_BINS; k++)
            sum += p->histogram[k];
        weights += p->weights;
        ck_assert_msg(p == top || p->alone > top->alone, "%s alone: %g dB", p->layer, p->alone);
        ck_assert_msg(sum > 0 && p->hi >= p->lo && p->clipped >= 0 && p->clipped < 0.2,
                      "%s: %lld values from %g to %g, %g clipped", p->layer, (long long)sum, p->lo, p->hi,
                      p->clipped);
        ck_assert_msg(p->all_but > output - 1, "%s in float: %g dB, all quantized %g", p->layer, p->all_but,
                      output);
    }
    ck_assert_int_eq(weights, 11);
    ck_assert_int_gt(places, 2 * weights);
    ck_assert(fabs(pith_analysis_place(a, places - 1)->accumulated - output) <
              1e-6); /* the last result is the output */
    ck_assert_uint_eq(s.m->g->n, nodes);
    ck_assert_mem_eq(before, s.m->weights, (size_t)s.m->n_weights * sizeof *before);
    pith_analysis_free(a);
    pith_analysis_free(NULL);
    ck_assert_msg(pith_quantize(s.m, s.d, (pith_quant_cfg){ 0 }) == PITH_OK, "%s", pith_error_text(s.c));
    ck_assert_ptr_null(pith_analyze(s.m, s.d, (pith_quant_cfg){ 0 }));
    ck_assert_msg(strstr(pith_error_text(s.c), "quantized already"), "%s", pith_error_text(s.c));
    free(before), free(bits);
    pith_ctx_free(s.c);
}
END_TEST

static const pith_place *place(const pith_analysis *a, const char *layer, bool weights)
{
    for (int i = 0; pith_analysis_place(a, i) != NULL; i++)
        if (pith_analysis_place(a, i)->weights == weights &&
            strcmp(pith_analysis_place(a, i)->layer, layer) == 0)
            return pith_analysis_place(a, i);
    ck_abort_msg("%s: no such place", layer);
    return NULL;
}

/* The classifier's weights are symmetric, one scale for all (NULL: that of their range): what rounding leaves, by pith/quantizer.h. */
static void head_by_hand(fit_setup *s, const pith_place *p, const pith_real *w, int64_t n,
                         const pith_tensor *scale)
{
    pith_linear q;
    int8_t codes[64];
    float back[64];
    double signal = 0, noise = 0;
    int64_t zeros = 0, sum = 0, rounded = 0;
    ck_assert_int_le(n, 64);
    ck_assert_int_eq(pith_linear_fit(s->c, w, PITH_SHAPE(n), -1,
                                     (pith_linear_cfg){ .bits = p->bits, .symmetric = true, .narrow = true },
                                     &q),
                     PITH_OK);
    if (scale != NULL) /* of the last step, not of the weights as that has left them */
        q.scale = (float)((const pith_real *)scale->value)[0];
    ck_assert_int_eq(pith_linear_quantize(s->c, w, PITH_SHAPE(n), -1, &q, codes), PITH_OK);
    ck_assert_int_eq(pith_linear_dequantize(s->c, codes, PITH_SHAPE(n), -1, &q, back), PITH_OK);
    for (int64_t i = 0; i < n; i++) {
        signal += (double)w[i] * (double)w[i];
        noise += ((double)w[i] - (double)back[i]) * ((double)w[i] - (double)back[i]);
        zeros += codes[i] == 0;
    }
    ck_assert_msg(fabs(p->own - 10 * log10(signal / noise)) < 1e-6, "%g dB, %g expected", p->own,
                  10 * log10(signal / noise));
    for (int k = 0; k < PITH_ANALYSIS_BINS; k++)
        sum += p->histogram[k], rounded += p->rounded[k];
    ck_assert(p->values == n && sum == n && rounded == n && p->zeros == zeros);
}

/* A model that was quantized before gives the numbers of one that is quantized for the analysis. */
START_TEST(of_what_was_made)
{
    fit_setup s = trained();
    const pith_quant_cfg cfg = { .bits_weights = 4, .improve_samples = 48, .samples = 48, .seed = 2 };
    pith_model *q = pith_model_clone(s.m);
    ck_assert_msg(pith_quantize(q, s.d, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    pith_real *before = malloc((size_t)q->n_weights * sizeof *before);
    memcpy(before, q->weights, (size_t)q->n_weights * sizeof *before);
    pith_analysis *a = pith_analyze(s.m, s.d, cfg), *b = pith_analyze_made(q, s.m, s.d, cfg, 48);
    ck_assert_msg(a != NULL && b != NULL, "%s", pith_error_text(s.c));
    ck_assert_mem_eq(before, q->weights, (size_t)q->n_weights * sizeof *before);
    int64_t n;
    int i = 0;
    for (const pith_place *x, *y; (x = pith_analysis_place(a, i)) != NULL; i++) {
        y = pith_analysis_place(b, i);
        ck_assert(y != NULL && strcmp(x->layer, y->layer) == 0 && x->weights == y->weights &&
                  x->bits == y->bits);
        ck_assert_msg(x->alone == y->alone && x->accumulated == y->accumulated && x->own == y->own &&
                          x->lo == y->lo && x->hi == y->hi && x->clipped == y->clipped &&
                          x->zeros == y->zeros && isnan(y->all_but),
                      "%s: %g %g %g, %g %g %g", x->layer, x->alone, x->accumulated, x->own, y->alone,
                      y->accumulated, y->own);
        ck_assert_mem_eq(x->histogram, y->histogram, sizeof x->histogram);
        ck_assert_mem_eq(x->rounded, y->rounded, sizeof x->rounded);
        if (i > 0) /* the input's codes are pixels */
            ck_assert_msg(y->own > 6 && y->own < 70, "%s: %g dB", y->layer, y->own);
    }
    ck_assert_ptr_null(pith_analysis_place(b, i));
    ck_assert(pith_analysis_output(a, &n) == pith_analysis_output(b, &n) && n == 48);
    head_by_hand(&s, place(b, "head", true), pith_model_find(s.m, "head.weight")->value, 32, NULL);
    pith_analysis_free(a);
    pith_analysis_free(b);
    free(before);
    pith_ctx_free(s.c);
}
END_TEST

/* One that trained while quantized has its own weights to be held against. */
START_TEST(while_training)
{
    fit_setup s = trained();
    const pith_quant_cfg cfg = { .observe_steps = 2, .seed = 2 };
    ck_assert_int_eq(pith_qat(s.m, cfg), PITH_OK);
    ck_assert_msg(pith_fit(s.m, s.d, (pith_fit_cfg){ .epochs = 1, .batch = 16, .opt = { .lr = 0.002 } }) ==
                      PITH_OK,
                  "%s", pith_error_text(s.c));
    pith_analysis *a = pith_analyze_made(s.m, NULL, s.d, cfg, 0);
    ck_assert_msg(a != NULL, "%s", pith_error_text(s.c));
    int64_t n;
    const double output = pith_analysis_output(a, &n);
    int weights = 0, i = 0;
    for (const pith_place *p; (p = pith_analysis_place(a, i)) != NULL; i++) {
        weights += p->weights;
        ck_assert_msg(i == 0 || (p->own > 20 && p->alone > output - 6 && p->accumulated > 15),
                      "%s: %g own, %g alone, %g accumulated", p->layer, p->own, p->alone, p->accumulated);
    }
    ck_assert_int_eq(n, 64);
    ck_assert_int_eq(weights, 11);
    ck_assert(fabs(pith_analysis_place(a, i - 1)->accumulated - output) < 1e-6);
    head_by_hand(&s, place(a, "head", true), pith_model_find(s.m, "head.weight")->value, 32,
                 pith_model_find(s.m, "head.weight.scale"));
    pith_analysis_free(a);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(refused)
{
    fit_setup s = trained();
    pith_model *q = pith_model_clone(s.m),
               *other = pith_model_family(s.c, "lenet",
                                          (pith_family_cfg){ .image_size = FIT_SIZE, .channels = 3 });
    ck_assert_msg(other != NULL && pith_quantize(q, s.d, (pith_quant_cfg){ 0 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    const struct {
        const pith_model *made, *from;
        int images;
        const char *says;
    } t[] = { { s.m, s.m, 0, "is not quantized" },
              { q, q, 0, "quantized already" },
              { q, other, 0, "said to be made of" },
              { q, s.m, -1, "-1 images" } };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        ck_assert_ptr_null(pith_analyze_made(t[i].made, t[i].from, s.d, (pith_quant_cfg){ 0 }, t[i].images));
        ck_assert_msg(strstr(pith_error_text(s.c), t[i].says), "%s", pith_error_text(s.c));
        pith_ctx_clear(s.c);
    }
    ck_assert_ptr_null(pith_analyze_made(NULL, s.m, s.d, (pith_quant_cfg){ 0 }, 0));
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("analyze");
    suite_test(s, "finds_the_culprit", finds_the_culprit);
    suite_test(s, "of_what_was_made", of_what_was_made);
    suite_test(s, "while_training", while_training);
    suite_test(s, "refused", refused);
    return suite_run("analyze", s);
}
