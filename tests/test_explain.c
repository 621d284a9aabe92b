/* Grad-CAM: by hand on a small network, against finite differences on a deeper one, and what must not change it. */
#include "data/data.h"
#include "improve_help.h"
#include <pith/explain.h>
#include <unistd.h>

/* ---- Networks ---- */
static pith_tensor *conv(pith_model *m, const char *name, pith_tensor *x, int out, int kernel, int stride)
{
    char w[40], b[40];
    snprintf(w, sizeof w, "%s.w", name), snprintf(b, sizeof b, "%s.b", name);
    int64_t in = pith_shape_of(x).d[3];
    pith_tensor *weight =
        pithp_node_param(m->g, w, PITH_SHAPE(out, kernel, kernel, in), PITHP_INIT_NORMAL, 0.4, true);
    pith_tensor *bias = pithp_node_param(m->g, b, PITH_SHAPE(out), PITHP_INIT_NORMAL, 0.3, false);
    return pith_named(pith_conv2d(x, weight, bias, (pith_conv2d_cfg){ .kernel = kernel, .stride = stride }),
                      name);
}

/* Maps of one convolution, averaged, then a linear layer. */
static pith_tensor *plain(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_named(pith_relu(conv(m, "a", x, 3, 1, 1)), "a.act");
    x = pith_nn_linear(m, "head", pith_global_avgpool(x), 4);
    return user != NULL ? pith_softmax(x) : x;
}

static pith_tensor *tail(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_silu(conv(m, "b", x, 7, 3, 2));
    x = pith_global_avgpool(x);
    if (user != NULL) /* is nothing here */
        x = pith_dropout(x, 0.5);
    return pith_nn_linear(m, "head", x, 3);
}

static pith_tensor *deep(pith_model *m, pith_tensor *x, void *user)
{
    return tail(
        m,
        pith_nn_conv_bn_act(m, "a", x, (pith_conv2d_cfg){ .out = 5, .kernel = 3, .stride = 2 }, PITH_RELU6),
        user);
}

static pith_model *model(pith_ctx *c, pith_net_fn net, void *user, int size, int channels)
{
    pith_model *m = pith_model_new(c, net, user, PITH_SHAPE(size, size, channels));
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    return m;
}

static pith_real *noise(int64_t n, uint64_t seed)
{
    pith_real *x = malloc((size_t)n * sizeof *x);
    pithp_rand r = pithp_rand_at(seed, 0, 0, PITHP_USE_OTHER);
    for (int64_t i = 0; i < n; i++)
        x[i] = (pith_real)pithp_rand_normal(&r);
    return x;
}

static const pith_real *leaf(const pith_model *m, const char *name)
{
    const pith_tensor *t = pith_model_find(m, name);
    ck_assert_msg(t != NULL && t->value != NULL, "%s", name);
    return t->value;
}

static void near(const pith_real *got, const double *want, int n, double within)
{
    for (int i = 0; i < n; i++)
        suite_check(fabs((double)got[i] - want[i]) <= within, "place %d: %g, %g expected", i, (double)got[i],
                    want[i]);
}

static void to_one(double *v, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, v[i]);
    for (int i = 0; i < n; i++)
        v[i] = most > 0 ? fmax(v[i], 0) / most : 0;
}

/* ---- Values ---- */
/* Behind the average, dy/dA is the class's weight of the map over the number of places, everywhere. */
START_TEST(by_hand)
{
    enum { SIDE = 6, N = 3 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 4, .threads = 1 });
    bool softmax = true;
    pith_model *m = model(c, plain, NULL, SIDE, 3), *s = model(c, plain, &softmax, SIDE, 3);
    pith_real *x = noise(N * SIDE * SIDE * 3, 1), map[N * SIDE * SIDE], other[N * SIDE * SIDE];
    const pith_real *w = leaf(m, "a.w"), *b = leaf(m, "a.b"), *head = leaf(m, "head.weight");
    const int32_t classes[N] = { 2, 0, 3 };
    ck_assert_msg(pith_grad_cam(m, x, N, classes, NULL, map) == PITH_OK, "%s", pith_error_text(c));
    for (int n = 0; n < N; n++) {
        double want[SIDE * SIDE] = { 0 };
        for (int i = 0; i < SIDE * SIDE; i++)
            for (int k = 0; k < 3; k++) {
                double a = (double)b[k];
                for (int ch = 0; ch < 3; ch++)
                    a += (double)w[3 * k + ch] * (double)x[(n * SIDE * SIDE + i) * 3 + ch];
                want[i] += (double)head[3 * classes[n] + k] * fmax(a, 0);
            }
        to_one(want, SIDE * SIDE);
        near(map + n * SIDE * SIDE, want, SIDE * SIDE, 1e-5);
    }
    ck_assert_msg(pith_grad_cam(m, x, N, classes, "a", other) == PITH_OK, "%s", pith_error_text(c));
    ck_assert_mem_eq(map, other, sizeof map); /* the same result by its name */
    ck_assert_msg(pith_grad_cam(s, x, N, classes, NULL, other) == PITH_OK, "%s", pith_error_text(c));
    ck_assert_mem_eq(map, other, sizeof map); /* scores are before the softmax */
    free(x);
    pith_ctx_free(c);
}
END_TEST

/* Bilinear, as the sum over all small pixels of what is near. */
static void enlarged(const double *small, int n, int side, double *to)
{
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const double v = fmin(fmax((y + 0.5) * n / side - 0.5, 0), n - 1),
                         u = fmin(fmax((x + 0.5) * n / side - 0.5, 0), n - 1);
            double sum = 0;
            for (int i = 0; i < n * n; i++)
                sum += small[i] * fmax(0, 1 - fabs(v - i / n)) * fmax(0, 1 - fabs(u - i % n));
            to[y * side + x] = sum;
        }
}

static double score(pith_model *m, pith_plan *p, const pith_real *x, int64_t n, int class)
{
    memcpy(pith_plan_input(p, m->input), x, (size_t)n * sizeof *x);
    ck_assert_int_eq(pith_plan_forward(p, 1, 0), PITH_OK);
    return (double)((const pith_real *)pith_plan_value(p, m->output))[class];
}

/* The part behind the maps is a model of its own; its output, when one map is raised everywhere, tells that map's weight. */
START_TEST(by_differences)
{
    enum { SIDE = 16, HALF = SIDE / 2, MAPS = 5, CLASS = 1 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 5, .threads = 2 });
    bool drops = true;
    pith_model *m = model(c, deep, &drops, SIDE, 3), *t = model(c, tail, NULL, HALF, MAPS);
    static const char *const shared[] = { "b.w", "b.b", "head.weight", "head.bias" };
    pith_real *var = pith_model_find(m, "a.bn.running_var")->value,
              *mean = pith_model_find(m, "a.bn.running_mean")->value;
    for (int k = 0; k < MAPS; k++)
        var[k] = (pith_real)(0.5 + 0.3 * k), mean[k] = (pith_real)(0.1 * k - 0.2);
    for (size_t i = 0; i < PITHP_LEN(shared); i++) {
        pith_tensor *to = pith_model_find(t, shared[i]);
        memcpy(to->value, leaf(m, shared[i]), (size_t)pithp_count(to->shape) * sizeof(pith_real));
    }
    pith_real *x = noise(SIDE * SIDE * 3, 2), map[SIDE * SIDE], other[SIDE * SIDE], a[HALF * HALF * MAPS];
    pith_tensor *maps = pith_tap(m, "a");
    pith_plan *first = pith_plan_new(&maps, 1, (pith_plan_cfg){ .batch = 1 }),
              *second = pith_plan_new(&t->output, 1, (pith_plan_cfg){ .batch = 1 });
    ck_assert_msg(first != NULL && second != NULL, "%s", pith_error_text(c));
    memcpy(pith_plan_input(first, m->input), x, SIDE * SIDE * 3 * sizeof *x);
    ck_assert_int_eq(pith_plan_forward(first, 1, 0), PITH_OK);
    memcpy(a, pith_plan_value(first, maps), sizeof a);
    double small[HALF * HALF] = { 0 }, want[SIDE * SIDE];
    for (int k = 0; k < MAPS; k++) {
        const double step = 0.02;
        double side[2];
        for (int up = 0; up < 2; up++) {
            pith_real moved[HALF * HALF * MAPS];
            memcpy(moved, a, sizeof a);
            for (int i = 0; i < HALF * HALF; i++)
                moved[i * MAPS + k] += (pith_real)(up ? step : -step);
            side[up] = score(t, second, moved, HALF * HALF * MAPS, CLASS);
        }
        for (int i = 0; i < HALF * HALF; i++)
            small[i] += (side[1] - side[0]) / (2 * step) * (double)a[i * MAPS + k];
    }
    to_one(small, HALF * HALF);
    enlarged(small, HALF, SIDE, want);
    const size_t nodes = m->g->n;
    pith_real *before = malloc((size_t)m->n_weights * sizeof *before);
    memcpy(before, m->weights, (size_t)m->n_weights * sizeof *before);
    ck_assert_msg(pith_grad_cam(m, x, 1, (const int32_t[]){ CLASS }, "a", map) == PITH_OK, "%s",
                  pith_error_text(c));
    near(map, want, SIDE * SIDE, 2e-3);
    ck_assert(m->g->n == nodes && memcmp(before, m->weights, (size_t)m->n_weights * sizeof *before) == 0);
    /* no class: the one that it says */
    pith_real p[3];
    ck_assert_int_eq(pith_predict(m, x, 1, p), PITH_OK);
    const int32_t best = pithp_argmax(p, 3);
    ck_assert_int_eq(pith_grad_cam(m, x, 1, &best, "a", map), PITH_OK);
    ck_assert_int_eq(pith_grad_cam(m, x, 1, NULL, "a", other), PITH_OK);
    ck_assert_mem_eq(map, other, sizeof map);
    free(x), free(before);
    pith_ctx_free(c);
}
END_TEST

/* Eight bits see what float sees, nearly; so do integers that are trained on. */
START_TEST(quantized)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    enum { N = 8, PLACES = FIT_SIZE * FIT_SIZE };
    pith_real map[N * PLACES], other[N * PLACES];
    int32_t classes[N];
    for (int i = 0; i < N; i++)
        classes[i] = i % 2;
    pith_model *ptq = pith_model_clone(s.m), *qat = pith_model_clone(s.m);
    ck_assert_msg(pith_quantize(ptq, s.d, (pith_quant_cfg){ .samples = 48 }) == PITH_OK &&
                      pith_qat(qat, (pith_quant_cfg){ .observe_steps = 2 }) == PITH_OK &&
                      pith_fit(qat, s.d, (pith_fit_cfg){ .epochs = 1, .batch = 16, .opt = { .lr = 1e-5 } }) ==
                          PITH_OK,
                  "%s", pith_error_text(s.c));
    ck_assert_int_eq(pith_grad_cam(s.m, im.x, N, classes, "b3", map), PITH_OK);
    pith_model *both[] = { ptq, qat };
    for (int k = 0; k < 2; k++) {
        double apart = 0;
        ck_assert_msg(pith_grad_cam(both[k], im.x, N, classes, "b3", other) == PITH_OK, "%s",
                      pith_error_text(s.c));
        for (int i = 0; i < N * PLACES; i++)
            apart += fabs((double)map[i] - (double)other[i]) / (N * PLACES);
        ck_assert_msg(apart < 0.1, "%s: %g apart", k ? "trained" : "after training", apart);
    }
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

/* Nothing speaks for the class: no heat. */
START_TEST(nothing)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 4, .threads = 1 });
    pith_model *m = model(c, plain, NULL, 6, 3);
    pith_real *head = pith_model_find(m, "head.weight")->value, *x = noise(108, 3), map[36];
    for (int k = 0; k < 3; k++)
        head[k] = -1; /* class 0: every map speaks against it */
    ck_assert_int_eq(pith_grad_cam(m, x, 1, (const int32_t[]){ 0 }, NULL, map), PITH_OK);
    for (int i = 0; i < 36; i++)
        ck_assert(map[i] == 0);
    free(x);
    pith_ctx_free(c);
}
END_TEST

static pith_tensor *flat(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 2);
}

START_TEST(refused)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 4, .threads = 1 });
    pith_model *m = model(c, plain, NULL, 6, 3), *f = model(c, flat, NULL, 6, 3);
    pith_real *x = noise(108, 3), map[36];
    const struct {
        const pith_model *m;
        int64_t n;
        int32_t class;
        const char *layer, *says;
        pith_status status;
    } t[] = { { m, 0, 0, NULL, "0 pictures", PITH_EINVAL },
              { m, 1, 4, NULL, "class 4", PITH_EINVAL },
              { m, 1, -1, NULL, "class -1", PITH_EINVAL },
              { m, 1, 0, "nosuch", "no layer or block 'nosuch'", PITH_ENOTFOUND },
              { m, 1, 0, "head", "not a map", PITH_EINVAL } };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        ck_assert_int_eq(pith_grad_cam(t[i].m, x, t[i].n, &t[i].class, t[i].layer, map), t[i].status);
        ck_assert_msg(strstr(pith_error_text(c), t[i].says), "%s", pith_error_text(c));
        pith_ctx_clear(c);
    }
    ck_assert_int_eq(pith_grad_cam(f, x, 1, NULL, NULL, map), PITH_EINVAL);
    ck_assert_msg(strstr(pith_error_text(c), "is a map"), "%s", pith_error_text(c));
    pith_ctx_clear(c);
    ck_assert_int_eq(pith_grad_cam(m, x, 1, NULL, NULL, map), PITH_OK); /* the context is usable */
    free(x);
    pith_ctx_free(c);
}
END_TEST

/* ---- Files ---- */
START_TEST(saved)
{
    enum { H = 11, W = 17 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    pith_real x[H * W * 3], map[H * W] = { 0 };
    for (int i = 0; i < H * W * 3; i++)
        x[i] = (pith_real)(((i * 37) % 256 - 128) / 128.0);
    map[3] = 1; /* red, as opaque as it gets */
    map[4] = (pith_real)NAN;
    x[15] = 100; /* a white that is too white */
    char *path = fit_path("cam.png");
    ck_assert_msg(pith_cam_save(c, path, x, map, H, W) == PITH_OK, "%s", pith_error_text(c));
    pithp_work w = { .c = c };
    pithp_picture p;
    ck_assert_ptr_null(pithp_decode_file(&w, path, 1000, 1000000, &p));
    ck_assert(p.width == W && p.height == H);
    static const int red[3] = { 220, 35, 25 };
    for (int i = 0; i < H * W * 3; i++) {
        const int under = i == 15 ? 255 : (i * 37) % 256;
        const double want = i / 3 == 3 ? under + (red[i % 3] - under) * 190.0 / 255 : under;
        suite_check(fabs(p.pixels[i] - want) <= 0.5, "value %d: %d, %g expected", i, p.pixels[i], want);
    }
    pithp_work_free(&w);
    ck_assert_int_eq(pith_cam_save(c, path, x, map, 0, W), PITH_EINVAL);
    pith_ctx_clear(c);
    ck_assert_int_ne(pith_cam_save(c, "/nowhere/cam.png", x, map, H, W), PITH_OK);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("explain");
    suite_test(s, "by_hand", by_hand);
    suite_test(s, "by_differences", by_differences);
    suite_test(s, "quantized", quantized);
    suite_test(s, "nothing", nothing);
    suite_test(s, "refused", refused);
    suite_test(s, "saved", saved);
    return suite_run("explain", s);
}
