/* tests/test_nets.c: the networks by name are the published ones: the sizes of every stage, parameters, running
   statistics, tensors, multiply-adds; width and depth; layers and padding that they are made of. */
#include "graph/model.h"
#include "nn/family.h"
#include "suite.h"
#include <pith/pith.h>
#include <math.h>
#include <string.h>

typedef struct {
    const char *node;
    int64_t side, channels;
} stage;

typedef struct {
    const char *name;
    pith_family_cfg cfg;
    int64_t parameters, state, macs;
    int tensors; /* parameters of the model */
    stage stages[12];
} published;

/* Sources. Parameters and multiply-adds (convolutions and dense layers): efnet: arXiv:1905.11946, whose B1, B2 and B4
   come from B0 by width and depth, and efficientnet-lite's README; mobilenet: Keras's model.count_params() less what is
   not trained, and arXiv:1704.04861 table 4, arXiv:1801.04381 table 4; resnet8: MLPerf Tiny's 78,666. timm counts the
   same. */
static const published nets[] = {
    { "efnet-b0",
      { .classes = 1000 },
      5288548,
      42016,
      385814752,
      213,
      { { "stem", 112, 32 },
        { "blocks.0.0.project.bn", 112, 16 },
        { "blocks.1.1", 56, 24 },
        { "blocks.2.1", 28, 40 },
        { "blocks.3.2", 14, 80 },
        { "blocks.4.2", 14, 112 },
        { "blocks.5.3", 7, 192 },
        { "blocks.6.0.project.bn", 7, 320 },
        { "head", 7, 1280 } } },
    { "efnet-b0",
      { .classes = 1000, .depth = 1.1 },
      7794184,
      62048,
      569651680,
      301,
      { { "blocks.6.1", 7, 320 } } },
    { "efnet-b0",
      { .classes = 1000, .width = 1.1, .depth = 1.2 },
      9109994,
      67568,
      658963440,
      301,
      { { "stem", 112, 32 }, { "blocks.6.1", 7, 352 }, { "head", 7, 1408 } } },
    { "efnet-b0",
      { .classes = 1000, .width = 1.4, .depth = 1.8 },
      19341616,
      125200,
      0,
      418,
      { { "stem", 112, 48 }, { "blocks.5.7", 7, 272 }, { "head", 7, 1792 } } },
    { "efnet-lite0",
      { .classes = 1000 },
      4652008,
      42016,
      385187552,
      149,
      { { "stem", 112, 32 },
        { "blocks.0.0.project.bn", 112, 16 },
        { "blocks.1.1", 56, 24 },
        { "blocks.2.1", 28, 40 },
        { "blocks.3.2", 14, 80 },
        { "blocks.4.2", 14, 112 },
        { "blocks.5.3", 7, 192 },
        { "blocks.6.0.project.bn", 7, 320 },
        { "head", 7, 1280 } } },
    { "efnet-lite0", /* efficientnet-lite2: the stem, the head and the ends' depth stay */
      { .classes = 1000, .width = 1.1, .depth = 1.2 },
      6092072,
      0,
      0,
      0,
      { { "stem", 112, 32 },
        { "blocks.5.4", 7, 208 },
        { "blocks.6.0.project.bn", 7, 352 },
        { "head", 7, 1280 } } },
    { "mobilenet-v1",
      { .classes = 1000 },
      4231976,
      21888,
      568740352,
      83,
      { { "stem", 112, 32 },
        { "blocks.0.0.pw", 112, 64 },
        { "blocks.1.1.pw", 56, 128 },
        { "blocks.2.1.pw", 28, 256 },
        { "blocks.3.5.pw", 14, 512 },
        { "blocks.4.1.pw", 7, 1024 } } },
    { "mobilenet-v1",
      { .classes = 1000, .width = 0.25 },
      470072,
      5472,
      0,
      83,
      { { "blocks.4.1.pw", 7, 256 } } },
    { "mobilenet-v2",
      { .classes = 1000 },
      3504872,
      34112,
      300774272,
      158,
      { { "stem", 112, 32 },
        { "blocks.0.0.project.bn", 112, 16 },
        { "blocks.1.1", 56, 24 },
        { "blocks.2.2", 28, 32 },
        { "blocks.3.3", 14, 64 },
        { "blocks.4.2", 14, 96 },
        { "blocks.5.2", 7, 160 },
        { "blocks.6.0.project.bn", 7, 320 },
        { "head", 7, 1280 } } },
    { "mobilenet-v2",
      { .classes = 1000, .width = 0.5 },
      1968680,
      18544,
      97131840,
      158,
      { { "stem", 112, 16 }, { "blocks.6.0.project.bn", 7, 160 }, { "head", 7, 1280 } } },
    { "resnet8",
      { .classes = 10 },
      78666 - 480,
      480,
      12501632,
      34,
      { { "stem", 32, 16 }, { "blocks.0.0", 32, 16 }, { "blocks.1.0", 16, 32 }, { "blocks.2.0", 8, 64 } } },
    { "lenet", { .classes = 10 }, 431080, 0, 2293000, 8, { { NULL, 0, 0 } } },
    { "efnet-nano",
      { .classes = 2 },
      383490,
      0,
      0,
      0,
      { { "stem", 48, 16 }, { "blocks.4.1", 3, 112 }, { "head", 3, 256 } } },
};

static pith_ctx *ctx;
static void setup(void) { ctx = pith_ctx_new((pith_ctx_cfg){ .seed = 3 }); }
static void teardown(void) { pith_ctx_free(ctx); }

static pith_model *family(const char *name, pith_family_cfg cfg)
{
    pith_model *m = pith_model_family(ctx, name, cfg);
    ck_assert_msg(m != NULL, "%s: %s", name, pith_error_text(ctx));
    return m;
}

static pith_shape shape_of(const pith_model *m, const char *node)
{
    pith_tensor *t = pith_model_find(m, node);
    ck_assert_msg(t != NULL, "there is no node '%s'", node);
    return pith_shape_of(t);
}

START_TEST(as_published)
{
    const published *p = &nets[_i];
    pith_model *m = family(p->name, p->cfg);
    pith_model_facts f = pith_model_info(m);
    ck_assert_int_eq(f.parameters, p->parameters);
    if (p->state)
        ck_assert_int_eq(f.state, p->state);
    if (p->macs)
        ck_assert_int_eq(f.macs, p->macs);
    int n = 0;
    while (pith_model_param(m, n) != NULL)
        n++;
    if (p->tensors)
        ck_assert_int_eq(n, p->tensors);
    for (const stage *s = p->stages; s < p->stages + PITHP_LEN(p->stages) && s->node; s++) {
        pith_shape x = shape_of(m, s->node);
        ck_assert_msg(x.ndim == 4 && x.d[1] == s->side && x.d[2] == s->side && x.d[3] == s->channels,
                      "%s: %lldx%lldx%lld", s->node, (long long)x.d[1], (long long)x.d[2], (long long)x.d[3]);
    }
}
END_TEST

/* Squeeze-and-excitation's bottleneck is a quarter of the block's input, not of what it squeezes. */
START_TEST(b0_squeezes)
{
    static const int64_t reduced[] = { 8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48 };
    static const int repeat[] = { 1, 2, 2, 3, 3, 4, 1 };
    pith_model *m = family("efnet-b0", (pith_family_cfg){ 0 });
    int n = 0;
    for (int s = 0; s < 7; s++)
        for (int i = 0; i < repeat[s]; i++, n++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%d.%d.se.reduce.weight", s, i);
            /* the first block of a stage sees the channels of the stage before */
            ck_assert_int_eq(shape_of(m, name).d[0], n == 0 ? 8 : reduced[n]);
        }
    ck_assert_int_eq(n, 16);
}
END_TEST

typedef struct {
    double momentum, eps;
    bool frozen;
} bn_attr;

static void style_is(pith_model *m, double momentum, double eps, int pad_mode)
{
    const pith_tensor *bn = pith_model_find(m, "stem.bn");
    const bn_attr *a = bn->attr;
    ck_assert(a->momentum == momentum && a->eps == eps);
    const pith_tensor *conv = pith_model_find(m, "stem.conv");
    ck_assert_str_eq(conv->op->name, "conv2d");
    for (const pith_attr_field *f = conv->op->fields; f->name; f++)
        if (strcmp(f->name, "pad_mode") == 0)
            ck_assert_int_eq(*(const int *)((const char *)conv->attr + f->offset), pad_mode);
}

START_TEST(styles)
{
    style_is(family("efnet-b0", (pith_family_cfg){ 0 }), 0.01, 1e-3, PITH_SAME);
    style_is(family("efnet-nano", (pith_family_cfg){ 0 }), 0.1, 1e-3, PITH_SAME);
    style_is(family("efnet-b0", (pith_family_cfg){ .style = PITH_STYLE_TORCH }), 0.1, 1e-5, PITH_EXPLICIT);
    style_is(family("mobilenet-v1", (pith_family_cfg){ .style = PITH_STYLE_TORCH }), 0.1, 1e-5,
             PITH_EXPLICIT);
    /* resnet8's stem has stride 1: symmetric is SAME */
    style_is(family("resnet8", (pith_family_cfg){ .style = PITH_STYLE_TORCH }), 0.1, 1e-5, PITH_SAME);
    ck_assert_ptr_null(pith_model_family(ctx, "resnet8", (pith_family_cfg){ .style = (pith_style)7 }));
    ck_assert_ptr_nonnull(strstr(pith_error_text(ctx), "style 7"));
}
END_TEST

/* Every family at odd sizes, small widths and other depths: it builds, runs, and its numbers are finite. */
START_TEST(variants)
{
    static const pith_family_cfg cfgs[] = { { .image_size = 33, .width = 0.25, .depth = 0.5, .classes = 3 },
                                            { .image_size = 40, .width = 0.35, .depth = 1.5, .classes = 3 },
                                            { .image_size = 40,
                                              .width = 0.25,
                                              .classes = 3,
                                              .channels = 2,
                                              .style = PITH_STYLE_TORCH,
                                              .dropout = PITH_ZERO } };
    for (int i = 0; pith_family_list(i) != NULL; i++)
        for (size_t j = 0; j < PITHP_LEN(cfgs); j++) {
            pith_model *m = family(pith_family_list(i)->name, cfgs[j]);
            pith_tensor *out = pith_model_output(m);
            pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 2, .train = true });
            ck_assert_msg(p != NULL, "%s", pith_error_text(ctx));
            pith_real *x = pith_plan_input(p, pith_model_input(m));
            for (int64_t k = 0; k < 2 * pith_size(pith_model_input(m)); k++)
                x[k] = (pith_real)sin(0.1 * (double)k);
            ck_assert_int_eq(pith_plan_forward(p, 2, 0), PITH_OK);
            const pith_real *y = pith_plan_value(p, out);
            for (int k = 0; k < 6; k++)
                ck_assert_msg(isfinite(y[k]), "%s: %g", pith_family_list(i)->name, (double)y[k]);
            pith_model_free(m);
        }
}
END_TEST

START_TEST(width_rounds)
{
    static const int want[][3] = { { 32, 50, 16 }, { 32, 110, 32 }, { 24, 50, 16 },  { 16, 10, 8 },
                                   { 40, 35, 16 }, { 112, 50, 56 }, { 16, 160, 24 }, { 320, 110, 352 } };
    for (size_t i = 0; i < PITHP_LEN(want); i++)
        ck_assert_int_eq(pithp_round_channels(want[i][0] * want[i][1] / 100.0), want[i][2]);
}
END_TEST

/* ---- Layers ---- */
static pith_tensor *se_net(pith_model *m, pith_tensor *x, void *user)
{
    return pith_nn_se(m, "se", x, *(pith_se_cfg *)user);
}

/* x[n,h,w,c] sigmoid(b2 + sum_r w2[c,r] relu(b1[r] + sum_c w1[r,c] mean(x)[n,c])) */
START_TEST(squeeze_and_excitation)
{
    enum { H = 3, C = 5, R = 2 };
    pith_model *m = pith_model_new(ctx, se_net, &(pith_se_cfg){ .reduced = R }, PITH_SHAPE(H, H, C));
    ck_assert_msg(m != NULL, "%s", pith_error_text(ctx));
    pith_tensor *out = pith_model_output(m);
    pith_real *w1 = pith_values(pith_model_find(m, "se.reduce.weight")),
              *b1 = pith_values(pith_model_find(m, "se.reduce.bias")),
              *w2 = pith_values(pith_model_find(m, "se.expand.weight")),
              *b2 = pith_values(pith_model_find(m, "se.expand.bias"));
    for (int i = 0; i < R; i++)
        b1[i] = (pith_real)0.3;
    for (int i = 0; i < C; i++)
        b2[i] = (pith_real)(0.1 * i);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 2 });
    pith_real *x = pith_plan_input(p, pith_model_input(m));
    for (int i = 0; i < 2 * H * H * C; i++)
        x[i] = (pith_real)cos(i);
    ck_assert_int_eq(pith_plan_forward(p, 2, 0), PITH_OK);
    const pith_real *y = pith_plan_value(p, out);
    for (int n = 0; n < 2; n++)
        for (int c = 0; c < C; c++) {
            double gate = (double)b2[c];
            for (int r = 0; r < R; r++) {
                double u = (double)b1[r];
                for (int i = 0; i < H * H * C; i++)
                    u += (double)w1[r * C + i % C] * (double)x[n * H * H * C + i] / (H * H);
                gate += (double)w2[c * R + r] * fmax(u, 0);
            }
            for (int i = 0; i < H * H; i++) {
                int at = (n * H * H + i) * C + c;
                ck_assert_double_eq_tol((double)y[at], (double)x[at] / (1 + exp(-gate)), 1e-5);
            }
        }
    ck_assert_ptr_null(pith_model_new(ctx, se_net, &(pith_se_cfg){ 0 }, PITH_SHAPE(H, H, C)));
    ck_assert_ptr_nonnull(strstr(pith_error_text(ctx), "se.reduce"));
}
END_TEST

static pith_tensor *residual_net(pith_model *m, pith_tensor *x, void *user)
{
    return pith_nn_residual(m, "r", x, *(pith_conv2d_cfg *)user, PITH_RELU);
}

START_TEST(residual)
{
    pith_conv2d_cfg cfg = { .out = 4, .kernel = 3 };
    pith_model *m = pith_model_new(ctx, residual_net, &cfg, PITH_SHAPE(6, 6, 4));
    ck_assert_ptr_null(pith_model_find(m, "r.shortcut.weight"));
    ck_assert_ptr_null(pith_model_find(m, "r.conv1.conv.bias"));
    cfg.stride = 2;
    cfg.bias = true;
    m = pith_model_new(ctx, residual_net, &cfg, PITH_SHAPE(6, 6, 4));
    pith_shape s = shape_of(m, "r.shortcut.weight");
    ck_assert(pithp_shape_eq(s, PITH_SHAPE(4, 1, 1, 4)));
    ck_assert_ptr_nonnull(pith_model_find(m, "r.shortcut.bias"));
    ck_assert_ptr_nonnull(pith_model_find(m, "r.conv2.conv.bias"));
    ck_assert(pithp_shape_eq(pith_shape_of(pith_model_output(m)), PITH_SHAPE(1, 3, 3, 4)));
}
END_TEST

/* A plan whose weights are constant packs them once: the same bits, whatever n it ran with before. A later change of the
   weights is not asked for; here it shows that they are not read again. */
START_TEST(constant_plan)
{
    static const char *const names[] = { "efnet-micro", "resnet8", "lenet", "mobilenet-v1" };
    pith_model *m = family(names[_i], (pith_family_cfg){ .image_size = 32, .classes = 3, .channels = 3 });
    pith_tensor *out = pith_model_output(m);
    const int order[] = { 3, 1, 1, 3, 2 };
    pith_plan *plain = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 3 });
    pith_plan *fixed = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 3, .constant = true });
    ck_assert_msg(plain && fixed, "%s", pith_error_text(ctx));
    int64_t count = 3 * pith_size(pith_model_input(m));
    pith_real *x = pith_plan_input(plain, pith_model_input(m)),
              *y = pith_plan_input(fixed, pith_model_input(m));
    for (size_t k = 0; k < PITHP_LEN(order); k++) {
        for (int64_t i = 0; i < count; i++)
            x[i] = y[i] = (pith_real)((i * 7919 + (int64_t)k) % 255 - 127) / 128;
        ck_assert_int_eq(pith_plan_forward(plain, order[k], 0), PITH_OK);
        ck_assert_int_eq(pith_plan_forward(fixed, order[k], 0), PITH_OK);
        ck_assert_mem_eq(pith_plan_value(plain, out), pith_plan_value(fixed, out),
                         (size_t)(order[k] * 3) * sizeof(pith_real));
    }
    const pith_real before = *(pith_real *)pith_plan_value(fixed, out);
    memset(pith_values(pith_model_param(m, 0)), 0,
           (size_t)pith_size(pith_model_param(m, 0)) * sizeof(pith_real));
    ck_assert_int_eq(pith_plan_forward(fixed, 2, 0), PITH_OK);
    ck_assert(*(pith_real *)pith_plan_value(fixed, out) == before);
    ck_assert_int_eq(pith_plan_forward(plain, 2, 0), PITH_OK);
    ck_assert(*(pith_real *)pith_plan_value(plain, out) != before);
}
END_TEST

/* Symmetric padding is PyTorch's: P = floor((H + 2p - d(R-1) - 1) / s) + 1 with p = d(R-1)/2. */
START_TEST(symmetric_padding)
{
    for (int h = 7; h <= 8; h++)
        for (int r = 1; r <= 5; r += 2)
            for (int stride = 1; stride <= 3; stride++)
                for (int d = 1; d <= 2; d++) {
                    int p = d * (r - 1) / 2, want = (h + 2 * p - d * (r - 1) - 1) / stride + 1;
                    pith_tensor *x = pith_leaf(ctx, PITH_F32, PITH_SHAPE(1, h, h, 1), NULL);
                    pith_tensor *w = pith_leaf(ctx, PITH_F32, PITH_SHAPE(1, r, r, 1), NULL);
                    for (int i = 0; i < h * h; i++)
                        ((pith_real *)pith_values(x))[i] = (pith_real)(i + 1);
                    ((pith_real *)pith_values(w))[0] = 1; /* the first tap: y[0,0] is x[-p,-p] */
                    pith_conv2d_cfg cfg = { .stride = stride, .dilation = d, .pad_mode = PITH_SYMMETRIC };
                    pith_tensor *y = pith_keep(pith_conv2d(x, w, NULL, cfg));
                    ck_assert_int_eq(pith_shape_of(y).d[1], want);
                    ck_assert_int_eq(pith_run(y), PITH_OK);
                    const pith_real *v = pith_values(y);
                    for (int i = 0; i < want; i++) {
                        int at = i * stride - p;
                        pith_real expect = at < 0 ? 0 : (pith_real)(at * h + at + 1);
                        ck_assert(v[i * want + i] == expect);
                    }
                }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nets");
    TCase *t = suite_case(s, "nets");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, as_published, 0, (int)PITHP_LEN(nets));
    tcase_add_test(t, b0_squeezes);
    tcase_add_test(t, styles);
    tcase_add_test(t, variants);
    tcase_add_test(t, width_rounds);
    tcase_add_test(t, squeeze_and_excitation);
    tcase_add_test(t, residual);
    tcase_add_test(t, symmetric_padding);
    tcase_add_loop_test(t, constant_plan, 0, 4);
    return suite_run("nets", s);
}
