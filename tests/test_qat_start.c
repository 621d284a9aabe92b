/* Where quantization-aware training begins: at the ranges that images give, at the weight scales of least error; and learned
   scales, which stay above zero whatever a step does. */
#include "compress/quant/quant.h"
#include "graph/qplan.h"
#include "ops/fake_quant.h"
#include "quant_nets.h"

#include <pith/quant.h>

/* Weights of fewer bits would round before ranges are taken, which is right for training, but not what quantizing does. */
static const pith_quant_cfg eight = { .bits_activations = 4,
                                      .samples = 64,
                                      .calib = { .method = PITH_CALIB_MSE } };
static const pith_quant_cfg four = {
    .bits_weights = 4, .bits_activations = 4, .samples = 64, .calib = { .method = PITH_CALIB_MSE }
};

static pith_model *started(fit_setup *s, const pith_quant_cfg *f)
{
    pith_model *m = pith_model_clone(s->m);
    ck_assert_msg(pith_qat_from(m, s->d, *f) == PITH_OK, "%s", pith_error_text(s->c));
    return m;
}

/* ---- Ranges ---- */
/* Scales of activations that images gave, in the order of the graph. */
static int observed(const pith_model *m, double scales[64])
{
    int n = 0;
    for (size_t i = 0; i < m->g->n && n < 64; i++) {
        const pith_tensor *t = m->g->nodes[i];
        if (pithp_is_fake_quant(t) && ((const pithp_fq_attr *)t->attr)->mode == PITHP_FQ_OBSERVE)
            scales[n++] = (double)*(const pith_real *)t->in[PITHP_FQ_SCALE]->value;
    }
    return n;
}

/* Every range that pith_quantize finds is there before the first step. */
START_TEST(ranges_are_there)
{
    fit_setup s = trained();
    pith_model *ptq = pith_model_clone(s.m);
    ck_assert_int_eq(pith_quantize(ptq, s.d, eight), PITH_OK);
    double after[64], first[64];
    const int n = observed(ptq, after);
    ck_assert_int_eq(observed(started(&s, &eight), first), n);
    ck_assert_int_gt(n, 8);
    for (int i = 0; i < n; i++)
        ck_assert_msg(fabs(after[i] - first[i]) <= 1e-3 * after[i],
                      "range %d: scale %g after training, %g to begin with", i, after[i], first[i]);
    pith_ctx_free(s.c);
}
END_TEST

/* The first training run quantizes already; without images it passes values through. */
START_TEST(first_run_quantizes)
{
    fit_setup s = trained();
    pith_quant_cfg f = four;
    f.observe_steps = 5;
    pith_model *with = started(&s, &f), *without = pith_model_clone(s.m);
    ck_assert_int_eq(pith_qat(without, f), PITH_OK);
    for (int k = 0; k < 2; k++) {
        const pith_model *m = k ? without : with;
        for (size_t i = 0; i < m->g->n; i++) {
            const pith_tensor *t = m->g->nodes[i];
            if (!pithp_is_fake_quant(t) || t->n_in <= PITHP_FQ_SEEN || t->in[PITHP_FQ_SEEN] == NULL)
                continue;
            bool on =
                pithp_fq_active(t->attr, t->in[PITHP_FQ_SCALE]->value, 1, t->in[PITHP_FQ_SEEN]->value, true);
            ck_assert_msg(on == (k == 0), "%s: %s", pith_name(t), k ? "quantizes unseen" : "passes");
        }
    }
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Weights ---- */
/* x: weights as they are quantized (with batch norms folded in), s: their scales, axis 0 or the last. */
static double error_at(const pithp_fq_attr *a, const pith_real *x, pith_shape d, const pith_real *s,
                       double by)
{
    const int64_t n = pithp_count(d), c = a->axis < 0 ? 1 : d.d[a->axis];
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t g = c == 1 ? 0 : a->axis == 0 ? i / (n / c) : i % c;
        const pith_real scale = (pith_real)(by * (double)s[g]);
        const double e = (double)x[i] - (double)scale * pithp_fq_quantize(a, x[i], scale, 0);
        sum += e * e;
    }
    return sum;
}

START_TEST(weights_begin_at_least_error)
{
    fit_setup s = trained();
    pith_model *m = started(&s, &four), *folded = pithp_fold_model(s.m);
    int layers = 0;
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        const pithp_fq_attr *a = t->attr;
        if (!pithp_is_fake_quant(t) || !a->symmetric || a->bits == 8)
            continue;
        char name[200];
        snprintf(name, sizeof name, "%.190s", pith_name(t));
        const pith_tensor *w = pith_model_find(folded, name), *scale = t->in[PITHP_FQ_SCALE];
        ck_assert_msg(w != NULL && scale->kind == PITHP_NODE_PARAM, "%s", name);
        const double here = error_at(a, w->value, w->shape, scale->value, 1);
        for (double by = 0.7; by < 1.4; by += 0.1)
            ck_assert_msg(here <= 1.001 * error_at(a, w->value, w->shape, scale->value, by),
                          "%s: %g times its scales leave less than %g", name, by, here);
        layers++;
    }
    ck_assert_int_gt(layers, 5);
    pith_ctx_free(s.c);
}
END_TEST

static const pith_tensor *some_conv(const pith_model *m)
{
    for (size_t i = 0; i < m->g->n; i++)
        if (m->g->nodes[i]->op != NULL && strcmp(m->g->nodes[i]->op->name, "conv2d") == 0 && i > 8)
            return m->g->nodes[i];
    return NULL;
}

/* A channel of zeros says nothing about the layer: its scale is no larger than the others', so that its bias keeps its bits. */
START_TEST(zero_channel)
{
    fit_setup s = trained();
    const pith_tensor *conv = some_conv(s.m), *w = conv->in[1];
    const int64_t per = pithp_count(w->shape) / w->shape.d[0];
    memset(w->value, 0, (size_t)per * sizeof(pith_real));
    char name[200];
    snprintf(name, sizeof name, "%.180s.weight", pith_name(conv));
    pith_model *m = started(&s, &four);
    const pith_tensor *f = NULL;
    for (size_t i = 0; i < m->g->n && f == NULL; i++)
        if (pithp_is_fake_quant(m->g->nodes[i]) && strcmp(pith_name(m->g->nodes[i]), name) == 0)
            f = m->g->nodes[i];
    ck_assert_msg(f != NULL, "%s", name);
    const pith_real *scale = f->in[PITHP_FQ_SCALE]->value;
    pith_real most = 0;
    for (int64_t k = 1; k < pithp_count(f->in[PITHP_FQ_SCALE]->shape); k++)
        most = PITHP_MAX(most, scale[k]);
    ck_assert_msg(scale[0] > 0 && scale[0] <= most, "%g beside %g", (double)scale[0], (double)most);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Learned scales ---- */
/* Steps that lead below zero, or nearly to it; the average of the weights began at the first values and goes nine tenths of
   the way. A parameter that is nobody's scale goes where its step leads. */
START_TEST(scale_stays_positive)
{
    enum { N = 4 };
    static const pith_real start[N] = { (pith_real)0.25, 1, 2, 2 }, gradient[N] = { 1, 0.5, -1, 2 },
                           want[N] = { (pith_real)0.75, 0.5, 3, (pith_real)(3 * 0x1p-14) };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_tensor *x = pith_param(c, PITH_SHAPE(N, 2)), *s = pith_param(c, PITH_SHAPE(N)),
                *z = pith_leaf(c, PITH_F32, PITH_SHAPE(N), NULL), *free_one = pith_param(c, PITH_SHAPE(1));
    pith_tensor *y = pith_fake_quant(x, s, z, (pith_fake_quant_cfg){ .bits = 4, .per_channel = true });
    ck_assert_msg(!pith_ctx_status(c) && y != NULL, "%s", pith_error_text(c));
    ck_assert_int_eq(pith_set(s, start), PITH_OK);
    pith_opt *o = pith_opt_new(c, (pith_opt_cfg){ .lr = 1, .weight_decay = PITH_ZERO, .ema_decay = 0.999 });
    memcpy(pith_grad(s), gradient, sizeof gradient);
    *pith_grad(free_one) = 1;
    ck_assert_int_eq(pith_opt_step(o), PITH_OK);
    const pith_real *w = pith_values(s);
    for (int i = 0; i < N; i++)
        ck_assert_msg(w[i] == want[i], "scale %d: %g, not %g", i, (double)w[i], (double)want[i]);
    ck_assert(*(const pith_real *)pith_values(free_one) == -1);
    pith_opt_swap_ema(o);
    const double least = 2.9 * 0x1p-14, average[N] = { 0.65, 0.55, 2.9, fmax(0.2, least) };
    for (int i = 0; i < N; i++)
        ck_assert_msg(fabs((double)w[i] - average[i]) < 1e-6, "average %d: %g, not %g", i, (double)w[i],
                      average[i]);
    pith_ctx_free(c);
}
END_TEST

/* What is frozen stays, be it no proper scale. */
START_TEST(frozen_scale_stays)
{
    static const pith_real start[] = { 1, (pith_real)1e-8, -1 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    pith_tensor *x = pith_param(c, PITH_SHAPE(3, 2)), *s = pith_param(c, PITH_SHAPE(3)),
                *z = pith_leaf(c, PITH_F32, PITH_SHAPE(3), NULL);
    pith_tensor *y = pith_fake_quant(x, s, z, (pith_fake_quant_cfg){ .bits = 4, .per_channel = true });
    ck_assert_msg(!pith_ctx_status(c) && y != NULL, "%s", pith_error_text(c));
    ck_assert_int_eq(pith_set(s, start), PITH_OK);
    pith_freeze(s, true);
    pith_opt *o = pith_opt_new(c, (pith_opt_cfg){ .lr = 1, .weight_decay = PITH_ZERO });
    ck_assert_int_eq(pith_opt_step(o), PITH_OK);
    ck_assert(memcmp(pith_values(s), start, sizeof start) == 0);
    pith_freeze(s, false);
    ck_assert_int_eq(pith_opt_step(o), PITH_OK);
    ck_assert(((const pith_real *)pith_values(s))[2] == 1);
    pith_ctx_free(c);
}
END_TEST

/* ---- Steps ---- */
/* Ranges move in the first `freeze` steps of the training and not in the next, whether images or steps gave the first ones. */
START_TEST(ranges_freeze_when_asked)
{
    enum { FREEZE = 6 };
    const pith_quant_cfg f = { .samples = 64, .observe_steps = 4, .freeze_ranges = FREEZE };
    fit_setup s = trained();
    for (int k = 0; k < 2; k++) {
        pith_model *m = pith_model_clone(s.m);
        ck_assert_int_eq(pith_qat_from(m, k ? s.d : NULL, f), PITH_OK);
        pith_trainer *t = pith_trainer_new(m, (pith_trainer_cfg){ .batch = 16 });
        pith_loader *l = pith_loader_new(s.d, (pith_loader_cfg){ .split = PITH_TRAIN, .batch = 16 });
        pith_batch b;
        ck_assert(t != NULL && l != NULL && pith_loader_next(l, &b));
        double before[64], now[64];
        int n = observed(m, before);
        for (int step = 0; step < FREEZE + 3; step++) {
            ck_assert(pith_trainer_step(t, &b, 0.01) < 100);
            observed(m, now);
            int moved = 0;
            for (int i = 0; i < n; i++)
                moved += now[i] != before[i];
            ck_assert_msg((moved > n / 2) == (step < FREEZE) && (step < FREEZE || moved == 0),
                          "%s images: %d of %d ranges moved in step %d", k ? "with" : "without", moved, n,
                          step);
            memcpy(before, now, sizeof now);
        }
        pith_loader_free(l);
        pith_trainer_free(t);
        pith_model_free(m);
    }
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Refusals ---- */
/* Weights that are finite, but not with their batch norms. */
START_TEST(names_the_layer)
{
    fit_setup s = trained();
    pith_quant_cfg all = four;
    all.lsq = 1;
    const pith_tensor *bn = NULL;
    for (size_t i = 0; i < s.m->g->n && bn == NULL; i++)
        if (s.m->g->nodes[i]->op != NULL && strcmp(s.m->g->nodes[i]->op->name, "batch_norm") == 0)
            bn = s.m->g->nodes[i];
    *(pith_real *)bn->in[4]->value = -1;
    ck_assert_int_eq(pith_qat_from(s.m, NULL, all), PITH_ENAN);
    ck_assert_msg(strstr(pith_error_text(s.c), pith_name(bn->in[0])) != NULL, "%s", pith_error_text(s.c));
    ck_assert(!pith_model_is_quantized(s.m));
    pith_ctx_free(s.c);
}
END_TEST

/* What is refused leaves the model as it was. */
START_TEST(refuses)
{
    fit_setup s = trained();
    static const char *const names[] = { "a", "b", "c" };
    uint8_t *pixels = calloc(6, FIT_SIDE * FIT_SIDE * 3);
    const int32_t labels[6] = { 0, 1, 2, 0, 1, 2 };
    pith_data *three = pith_data_pixels(s.c, pixels, labels, 6, FIT_SIDE, FIT_SIDE, names, 3, FIT_SIZE);
    free(pixels);
    ck_assert_msg(three != NULL, "%s", pith_error_text(s.c));
    ck_assert_int_eq(pith_qat_from(s.m, three, four), PITH_EINVAL);
    ck_assert_msg(strstr(pith_error_text(s.c), "classes") != NULL, "%s", pith_error_text(s.c));
    ck_assert(!pith_model_is_quantized(s.m));
    ck_assert_int_eq(pith_qat_from(NULL, s.d, four), PITH_EINVAL);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("qat_start");
    suite_test(s, "ranges_are_there", ranges_are_there);
    suite_test(s, "first_run_quantizes", first_run_quantizes);
    suite_test(s, "weights_begin_at_least_error", weights_begin_at_least_error);
    suite_test(s, "scale_stays_positive", scale_stays_positive);
    suite_test(s, "zero_channel", zero_channel);
    suite_test(s, "frozen_scale_stays", frozen_scale_stays);
    suite_test(s, "ranges_freeze_when_asked", ranges_freeze_when_asked);
    suite_test(s, "names_the_layer", names_the_layer);
    suite_test(s, "refuses", refuses);
    return suite_run("qat_start", s);
}
