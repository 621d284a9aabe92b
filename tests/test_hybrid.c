/* Floor 3: a layer with int8 weights behind dynamic_quant computes LiteRT's hybrid kernels, bit for bit: beside a definition written
   out here, in whole numbers, from their sources (src/ops/hybrid.c names them). */
#include "export_help.h"
#include <math.h>
#include <pith/quant.h>

typedef struct {
    const char *name;
    int h, w, c, k, r, stride, groups;
    bool depthwise, dense, channels; /* channels: dense, one scale each */
} layer;

static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    const layer *l = user;
    pith_conv2d_cfg cfg = {
        .out = l->k, .kernel = l->r, .stride = l->stride, .groups = l->groups, .bias = true
    };
    if (l->dense)
        return pith_nn_linear(m, "l", pith_flatten(x), l->k);
    return pith_flatten(l->depthwise ? pith_nn_depthwise_conv2d(m, "l", x, cfg)
                                     : pith_nn_conv2d(m, "l", x, cfg));
}

static uint32_t state = 1;
static float uniform(void) { return (float)((state = state * 1664525u + 1013904223u) >> 8) / 0x1p24f; }

/* Weights of either sign; wide: the largest there can be, so that sums pass 2^24. */
static pith_model *model_for(layer *l, bool wide)
{
    pith_model *m = pith_model_new(ctx, net, l, PITH_SHAPE(l->h, l->w, l->c));
    suite_check(m != NULL, "%s", pith_error_text(ctx));
    for (int i = 0; i < 2; i++) {
        pith_tensor *t = pith_model_find(m, i ? "l.bias" : "l.weight");
        pith_real *v = pith_values(t);
        for (int64_t j = 0; j < pith_size(t); j++)
            v[j] = wide && !i ? (uniform() < 0.1f ? -0.5f : 0.5f) : uniform() - 0.5f;
    }
    pith_quant_cfg cfg = { .scheme = PITH_SCHEME_DYNAMIC, .dense_per_channel = l->channels };
    suite_check(pith_quantize(m, NULL, cfg) == PITH_OK, "%s", pith_error_text(ctx));
    return m;
}

/* q - Z of a sample; its scale. */
static float quantized(const float *x, int64_t n, int64_t *q)
{
    float lo = 0, hi = 0;
    for (int64_t i = 0; i < n; i++)
        lo = fminf(lo, x[i]), hi = fmaxf(hi, x[i]);
    double scale = (double)(hi - lo) / 255, from_lo = -128 - (double)lo / scale,
           from_hi = 127 - (double)hi / scale;
    double zero = 128 + fabs((double)lo / scale) < 127 + fabs((double)hi / scale) ? from_lo : from_hi;
    int64_t z = zero <= -128 ? -128 : zero >= 127 ? 127 : llround(zero);
    float s = (float)scale, inverse = (float)(1.0 / (double)s);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = z + llroundf(x[i] * inverse);
        q[i] = (v < -128 ? -128 : v > 127 ? 127 : v) - z;
    }
    return s;
}

static int64_t sum_at(const layer *l, const int64_t *x, const int64_t *w, int64_t p, int64_t o, int64_t k)
{
    int64_t out_h = (l->h + l->stride - 1) / l->stride, out_w = (l->w + l->stride - 1) / l->stride, sum = 0;
    int64_t over_h = (out_h - 1) * l->stride + l->r - l->h, over_w = (out_w - 1) * l->stride + l->r - l->w;
    int64_t top = over_h > 0 ? over_h / 2 : 0, left = over_w > 0 ? over_w / 2 : 0;
    int64_t per = l->depthwise ? 1 : l->c / l->groups,
            first = l->depthwise ? k : k / (l->k / l->groups) * per;
    for (int64_t r = 0; r < l->r; r++)
        for (int64_t s = 0; s < l->r; s++)
            for (int64_t i = 0; i < per; i++) {
                int64_t y = p * l->stride + r - top, z = o * l->stride + s - left;
                if (y >= 0 && y < l->h && z >= 0 && z < l->w)
                    sum +=
                        x[(y * l->w + z) * l->c + first + i] *
                        w[l->depthwise ? (r * l->r + s) * l->c + k : ((k * l->r + r) * l->r + s) * per + i];
            }
    return sum;
}

/* One sample's results, from the model's weights, scales and biases. */
static void truth(const layer *l, const pith_model *m, const float *x, float *y)
{
    const pith_tensor *w = pith_model_find(m, "l.weight"), *s = pith_model_find(m, "l.weight.scale");
    const float *v = pith_values(w), *sw = pith_values(s), *bias = pith_values(pith_model_find(m, "l.bias"));
    int64_t n = l->h * l->w * l->c, n_w = pith_size(w), one = pith_size(s) == 1;
    int64_t *q = calloc((size_t)n, sizeof *q), *qw = calloc((size_t)n_w, sizeof *qw);
    float sx = quantized(x, n, q);
    for (int64_t i = 0; i < n_w; i++)
        qw[i] = llround((double)v[i] / (double)sw[one ? 0 : l->depthwise ? i % l->c : i / (n_w / l->k)]);
    int64_t p_n = l->dense ? 1 : (l->h + l->stride - 1) / l->stride,
            o_n = l->dense ? 1 : (l->w + l->stride - 1) / l->stride;
    for (int64_t p = 0; p < p_n; p++)
        for (int64_t o = 0; o < o_n; o++)
            for (int64_t k = 0; k < l->k; k++) {
                int64_t sum = l->dense ? 0 : sum_at(l, q, qw, p, o, k);
                for (int64_t i = 0; l->dense && i < n; i++)
                    sum += q[i] * qw[k * n + i];
                volatile float scale = sw[one ? 0 : k] * sx, both = (float)(int32_t)sum * scale;
                volatile float first = (float)(int32_t)sum * sw[one ? 0 : k], in_turn = first * sx;
                *y++ = (l->dense || l->depthwise ? both : in_turn) + bias[k];
            }
    free(q), free(qw);
}

static void run_case(layer *l, bool wide)
{
    enum { N = 3 };
    pith_model *m = model_for(l, wide);
    pith_tensor *out = pith_model_output(m), *in = pith_model_input(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = N });
    suite_check(p != NULL, "%s", pith_error_text(ctx));
    int64_t n = pith_size(in), k = pith_size(out);
    float *x = pith_plan_input(p, in), *want = calloc((size_t)k, sizeof *want);
    for (int64_t i = 0; i < N * n; i++) /* one side of zero, both sides, all zero but for one */
        x[i] = i < n ? uniform() + 0.1f : i < 2 * n ? 3 * uniform() - 2 : i == 2 * n ? -0.7f : 0;
    ck_assert_int_eq(pith_plan_forward(p, N, 0), PITH_OK);
    const float *y = pith_plan_value(p, out);
    for (int s = 0; s < N; s++) {
        truth(l, m, x + s * n, want);
        for (int64_t i = 0; i < k; i++)
            suite_check(y[s * k + i] == want[i], "%s, sample %d, result %lld: %.9g, expected %.9g", l->name,
                        s, (long long)i, (double)y[s * k + i], (double)want[i]);
    }
    free(want);
    pith_plan_free(p);
}

START_TEST(bit_for_bit)
{
    static layer all[] = {
        { "conv", 9, 8, 3, 5, 3, 1, 1, false, false, false },
        { "conv/2", 9, 8, 4, 6, 3, 2, 1, false, false, false },
        { "groups", 7, 7, 6, 4, 3, 1, 2, false, false, false },
        { "1x1", 5, 6, 17, 24, 1, 1, 1, false, false, false },
        { "depthwise", 9, 9, 7, 7, 3, 1, 1, true, false, false },
        { "depthwise/2", 11, 9, 16, 16, 5, 2, 1, true, false, false },
        { "dense", 4, 4, 5, 6, 1, 1, 1, false, true, false },
        { "dense, scales", 4, 4, 5, 6, 1, 1, 1, false, true, true },
    };
    for (size_t i = 0; i < PITHP_LEN(all); i++)
        for (int n = 0; n < 5; n++)
            run_case(&all[i], false);
}
END_TEST

/* Sums that float32 does not hold. */
START_TEST(large_sums)
{
    static layer dense = { "dense, large", 16, 16, 3, 4, 1, 1, 1, false, true, false },
                 conv = { "conv, large", 6, 5, 96, 4, 3, 1, 1, false, false, false };
    run_case(&dense, true);
    run_case(&conv, true);
}
END_TEST

/* A sample of zeros is the bias; what is no number is not hidden. */
START_TEST(odd_samples)
{
    static layer l = { "odd", 4, 4, 5, 6, 1, 1, 1, false, true, false };
    pith_model *m = model_for(&l, false);
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 2 });
    float *x = pith_plan_input(p, pith_model_input(m));
    const float *bias = pith_values(pith_model_find(m, "l.bias"));
    memset(x, 0, 160 * sizeof *x);
    x[80] = INFINITY;
    ck_assert_int_eq(pith_plan_forward(p, 2, 0), PITH_OK);
    const float *y = pith_plan_value(p, out);
    for (int i = 0; i < 6; i++)
        ck_assert(y[i] == bias[i] && !isfinite(y[6 + i]));
    pith_plan_free(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hybrid");
    TCase *t = suite_case(s, "hybrid");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, bit_for_bit);
    tcase_add_test(t, large_sums);
    tcase_add_test(t, odd_samples);
    return suite_run("hybrid", s);
}
