/* The fused step of a quantized layer against its parts, in training. */
#include "compress/quant/quant.h"
#include "op_sample.h"
#include "ops/folded.h"
#include "ops/table.h"
#include "quant_nets.h"

/* ---- The fused step against its parts, ranges active ---- */
static void one_step(pith_model *m, bool no_fuse, pith_real *grads)
{
    pith_ctx *c = pith_model_ctx(m);
    pith_tensor *label = pith_model_add_input(m, "label", PITH_I32, PITH_SCALAR);
    pith_tensor *loss = pith_cross_entropy(pith_model_output(m), label, (pith_cross_entropy_cfg){ 0 });
    pith_plan *p =
        pith_plan_new(&loss, 1, (pith_plan_cfg){ .batch = MANY, .train = true, .no_fuse = no_fuse });
    ck_assert_msg(p != NULL, "%s", pith_error_text(c));
    for (int i = 0; i < MANY; i++)
        ((int32_t *)pith_plan_input(p, label))[i] = i % 2;
    memcpy(pith_plan_input(p, pith_model_input(m)), images(), sizeof(pith_real) * MANY * PIXELS);
    memset(m->grads, 0, (size_t)m->n_params * sizeof *m->grads);
    ck_assert_int_eq(pith_plan_forward(p, MANY, 0), PITH_OK);
    ck_assert_int_eq(pith_plan_backward(p), PITH_OK);
    memcpy(grads, m->grads, (size_t)m->n_params * sizeof *grads);
    pith_plan_free(p);
}

/* Scales of activations that are learned: how many have a gradient, which is that of the parts. */
static int scales_learn(const pith_model *m, const pith_real *a, const pith_real *b)
{
    int n = 0;
    for (size_t i = 0; i < m->g->n; i++) {
        const pith_tensor *t = m->g->nodes[i];
        if (!pithp_fq_of_activation(t) || t->in[PITHP_FQ_SCALE]->kind != PITHP_NODE_PARAM)
            continue;
        const ptrdiff_t at = t->in[PITHP_FQ_SCALE]->grad - m->grads;
        const double x = (double)a[at], y = (double)b[at];
        ck_assert_msg(fabs(x - y) <= 1e-3 * fabs(y) + 1e-8, "%s: gradient %g, by parts %g", pith_name(t), x,
                      y);
        n += fabs(x) > 1e-6;
    }
    return n;
}

/* Two results that are joined have one range, which the join looks at: their zero point moves after they have used it. */
static pith_tensor *joined(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 8, .kernel = 3 }, PITH_RELU);
    pith_tensor *a = pith_nn_conv_bn_act(m, "left", x, (pith_conv2d_cfg){ .out = 6, .kernel = 3 },
                                         PITH_LINEAR),
                *b = pith_nn_conv_bn_act(m, "right", x, (pith_conv2d_cfg){ .out = 10 }, PITH_LINEAR);
    x = pith_concat((pith_tensor *[]){ a, b }, 2, -1);
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 2);
}

static fit_setup trained_joined(void)
{
    fit_setup s = fit_begin(2);
    s.m = pith_model_new(s.c, joined, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_msg(s.m != NULL, "%s", pith_error_text(s.c));
    fit(&s, 2, 0.02);
    return s;
}

/* 8 bits with ranges that move; 4 with scales that are learned, also while ranges are still looked for. */
START_TEST(fused_as_unfused)
{
    static const pith_quant_cfg how[] = { { .observe_steps = 2 },
                                          { .observe_steps = 2, .bits_weights = 4, .bits_activations = 4 },
                                          { .observe_steps = 40, .bits_weights = 4, .bits_activations = 4 } };
    fit_setup s = _i < 2 ? trained() : trained_joined();
    ck_assert_int_eq(pith_qat(s.m, how[_i]), PITH_OK);
    fit(&s, 1, 0.005);
    for (size_t i = 0; _i == 2 && i < s.m->g->n; i++) /* far from where the next look puts them */
        if (pithp_fq_of_activation(s.m->g->nodes[i]))
            *(pith_real *)s.m->g->nodes[i]->in[PITHP_FQ_ZERO]->value += 2;
    pith_model *twin = pith_model_clone(s.m);
    pith_real *a = malloc((size_t)s.m->n_params * sizeof *a), *b = malloc((size_t)s.m->n_params * sizeof *b);
    one_step(s.m, false, a);
    one_step(twin, true, b);
    double dot = 0, aa = 0,
           bb = 0; /* one rounding that falls the other way changes a little here and there */
    for (int64_t i = 0; i < s.m->n_params; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    ck_assert_msg(aa > 0 && dot / sqrt(aa * bb) > 0.999 && fabs(aa / bb - 1) < 0.01,
                  "gradients: cosine %.6f, sizes %g and %g", dot / sqrt(aa * bb), sqrt(aa), sqrt(bb));
    const int learn = scales_learn(s.m, a, b);
    ck_assert_msg(_i == 0 ? learn == 0 : learn > (_i == 1 ? 5 : 0), "%d activations learn their scales",
                  learn);
    int64_t state = s.m->n_weights - s.m->n_params;
    for (int64_t i = 0; i < state; i++) {
        double x = (double)s.m->weights[s.m->n_params + i], y = (double)twin->weights[s.m->n_params + i];
        ck_assert_msg(fabs(x - y) <= 1e-3 * (1 + fabs(x)), "state %d: %g, unfused %g", (int)i, x, y);
    }
    free(a);
    free(b);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- One layer, its scale learned ---- */
enum { LAYER_N = 3, LAYER_SIDE = 5, LAYER_IN = 4, LAYER_OUT = 11 };

typedef struct {
    pith_tensor *x, *scale, *zero, *loss, *params[6];
    int n_params;
} layer;

static pith_tensor *param(layer *l, pith_ctx *c, pith_shape s, double mean, double spread, pithp_rand *r)
{
    pith_tensor *t = l->params[l->n_params++] = pith_param(c, s);
    for (int64_t i = 0; i < pith_size(t); i++)
        ((pith_real *)pith_values(t))[i] = (pith_real)(mean + spread * pithp_rand_normal(r));
    return t;
}

static pith_tensor *folded(layer *l, pith_ctx *c, pith_tensor *y, bool frozen, pithp_rand *r)
{
    const pith_shape each = PITH_SHAPE(LAYER_OUT);
    pithp_folded_attr a = { .momentum = 0, .eps = 1e-3, .frozen = frozen };
    pith_tensor *in[5] = { y, param(l, c, each, 1, 0.1, r), param(l, c, each, 0, 0.3, r),
                           pith_leaf(c, PITH_F32, each, NULL), pith_leaf(c, PITH_F32, each, NULL) };
    for (int i = 0; i < LAYER_OUT; i++)
        ((pith_real *)pith_values(in[4]))[i] = (pith_real)(0.5 + pithp_rand_uniform(r));
    return pith_op_apply(&pithp_op_folded_batch_norm, &a, NULL, 5, in);
}

/* Case `at`: each activation, with a folded batch norm that goes by the batch or stands still, or with a bias. */
static layer build_layer(pith_ctx *c, int at)
{
    static const pith_act acts[] = { PITH_LINEAR, PITH_RELU, PITH_RELU6 };
    const pith_act act = acts[at % 3];
    const int kind = at / 3 % 3;
    pithp_rand r = pithp_rand_at(11, 0, (uint64_t)at, PITHP_USE_OTHER);
    layer l = { 0 };
    l.x = param(&l, c, PITH_SHAPE(LAYER_N, LAYER_SIDE, LAYER_SIDE, LAYER_IN), 0, 1, &r);
    pith_tensor *w = param(&l, c, PITH_SHAPE(LAYER_OUT, 3, 3, LAYER_IN), 0, 0.4, &r);
    pith_tensor *bias = kind == 2 ? param(&l, c, PITH_SHAPE(LAYER_OUT), 0, 0.5, &r) : NULL;
    pith_tensor *y = pith_conv2d(l.x, w, bias, (pith_conv2d_cfg){ 0 });
    if (kind < 2)
        y = folded(&l, c, y, kind == 1, &r);
    y = pith_activation(y, act);
    l.scale = param(&l, c, PITH_SHAPE(1), 0.1, 0, &r);
    l.zero = pith_leaf(c, PITH_F32, PITH_SHAPE(1), NULL);
    *(pith_real *)pith_values(l.zero) = act == PITH_LINEAR ? -1 : -8;
    y = pith_fake_quant(y, l.scale, l.zero, (pith_fake_quant_cfg){ .bits = 4, .samples = true });
    pith_tensor *to = pith_leaf(c, PITH_F32, y->shape, NULL);
    for (int64_t i = 0; i < pith_size(to); i++)
        ((pith_real *)pith_values(to))[i] = (pith_real)pithp_rand_normal(&r);
    l.loss = pith_sum(pith_mul(y, to));
    return l;
}

static double *layer_grads(const layer *l, pith_ctx *c, bool no_fuse, int64_t *n)
{
    pith_plan *p = pith_plan_new(&l->loss, 1, (pith_plan_cfg){ .train = true, .no_fuse = no_fuse });
    ck_assert_msg(p != NULL, "%s", pith_error_text(c));
    ck_assert(op_in_plan(p, &pithp_op_quant_conv) == !no_fuse);
    ck_assert(op_in_plan(p, &pithp_op_fake_quant) == no_fuse);
    *n = 0;
    for (int i = 0; i < l->n_params; i++) {
        memset(pith_grad(l->params[i]), 0, (size_t)pith_size(l->params[i]) * sizeof(pith_real));
        *n += pith_size(l->params[i]);
    }
    ck_assert_int_eq(pith_plan_forward(p, 0, 0), PITH_OK);
    ck_assert_int_eq(pith_plan_backward(p), PITH_OK);
    ck_assert_int_gt(*n, 0);
    double *grads = calloc((size_t)*n + 1, sizeof *grads);
    int64_t at = 0;
    for (int i = 0; i < l->n_params; i++)
        for (int64_t j = 0; j < pith_size(l->params[i]); j++)
            grads[at++] = (double)pith_grad(l->params[i])[j];
    pith_plan_free(p);
    return grads;
}

/* The scale's gradient stands last. */
START_TEST(learned_scale)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1, .threads = 1 + _i % 2 });
    layer l = build_layer(c, _i);
    ck_assert_msg(!pith_ctx_status(c), "%s", pith_error_text(c));
    int64_t n;
    double *fused = layer_grads(&l, c, false, &n), *parts = layer_grads(&l, c, true, &n);
    double most = 0;
    for (int64_t i = 0; i < n - 1; i++)
        most = fmax(most, fabs(parts[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs(fused[i] - parts[i]) <= 2e-5 * (i == n - 1 ? fabs(parts[i]) : most),
                      "gradient %d of %d: %.9g, by parts %.9g", (int)i, (int)n, fused[i], parts[i]);
    ck_assert(fabs(parts[n - 1]) > 1e-3);
    /* nothing is quantized while a scale is 0, and it learns nothing */
    *(pith_real *)pith_values(l.scale) = 0;
    free(fused);
    fused = layer_grads(&l, c, false, &n);
    ck_assert(fused[n - 1] == 0);
    free(fused);
    free(parts);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quant_fused");
    tcase_add_loop_test(suite_case(s, "fused_as_unfused"), fused_as_unfused, 0, 3);
    tcase_add_loop_test(suite_case(s, "learned_scale"), learned_scale, 0, 9);
    return suite_run("quant_fused", s);
}
