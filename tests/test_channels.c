/* Structured pruning by hand-made networks: which channels go together through each op, what is chosen, and refusals. */
#include "channels_help.h"
#include "fail_alloc.h"

static pith_ctx *context(void) { return pith_ctx_new((pith_ctx_cfg){ .seed = 2, .threads = 1 }); }

static pith_model *network(pith_ctx *c, pith_net_fn net)
{
    pith_model *m = pith_model_new(c, net, NULL, PITH_SHAPE(6, 6, 3));
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    return m;
}

/* "conv1:4 conv2:6 ": groups by name and size. */
static const char *groups_of(pith_model *m)
{
    static char text[512];
    pith_channels *ch = pith_channels_find(m);
    pith_channel_group f;
    size_t at = 0;
    ck_assert_msg(ch != NULL, "%s", pith_error_text(pith_model_ctx(m)));
    text[0] = 0;
    for (int g = 0; pith_channels_group(ch, g, &f); g++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s:%lld ", f.name, (long long)f.channels);
    pith_channels_free(ch);
    return text;
}

static pith_tensor *conv(pith_model *m, const char *name, pith_tensor *x, int out)
{
    return pith_nn_conv2d(m, name, x, (pith_conv2d_cfg){ .out = out, .kernel = 3, .bias = true });
}

static pith_tensor *head(pith_model *m, pith_tensor *x)
{
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 3);
}

/* ---- What goes together ---- */
static pith_tensor *net_plain(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return head(m, pith_relu(conv(m, "b", pith_relu(conv(m, "a", x, 4)), 6)));
}

static pith_tensor *net_concat(pith_model *m, pith_tensor *x, void *user)
{
    pith_tensor *a = conv(m, "a", x, 4), *b = conv(m, "b", x, 6),
                *j = pith_concat((pith_tensor *[]){ a, b }, 2, -1);
    (void)user;
    j = pith_relu(pith_nn_batch_norm(m, "norm", j, (pith_batch_norm_cfg){ 0 }));
    return head(m, pith_relu(conv(m, "c", j, 5)));
}

/* A shortcut that is padded with channels of zeros, as ResNet's option A has it. */
static pith_tensor *net_pad(pith_model *m, pith_tensor *x, void *user)
{
    pith_tensor *a = pith_relu(conv(m, "a", x, 4));
    (void)user;
    x = pith_pad(a, (int[]){ 0, 0, 0, 1 }, (int[]){ 0, 0, 0, 3 }, 0);
    return head(m, pith_relu(pith_add(conv(m, "b", a, 8), x)));
}

static pith_tensor *net_grouped(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_relu(conv(m, "a", x, 8));
    x = pith_nn_conv2d(m, "two", x, (pith_conv2d_cfg){ .out = 12, .kernel = 3, .groups = 2 });
    x = pith_nn_conv2d(m, "each", pith_relu(x), (pith_conv2d_cfg){ .out = 24, .kernel = 3, .groups = 12 });
    return head(m, pith_relu(x));
}

/* Gates computed from [N,C] and put back as [N,1,1,C]; a flatten that keeps several rows of each channel. */
static pith_tensor *net_reshape(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_relu(conv(m, "a", x, 4));
    pith_tensor *g = pith_sigmoid(pith_nn_linear(m, "gate", pith_global_avgpool(x), 4));
    x = pith_mul(x, pith_reshape(g, PITH_SHAPE(0, 1, 1, 4)));
    x = pith_maxpool(x, (pith_pool_cfg){ .kernel = 3, .stride = 3 });
    return pith_nn_linear(m, "head", pith_flatten(x), 3);
}

static pith_tensor *net_axes(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_tanh(conv(m, "a", x, 4));
    x = pith_transpose(pith_max_axes(x, 1u << 1, false), (int[]){ 0, 2, 1 }); /* [N,C,W] */
    x = pith_sum_axes(x, 1u << 2, false);
    return pith_matmul(x, pith_nn_param(m, "w", PITH_SHAPE(4, 3), 0.5, true));
}

/* Channels first, flattened: the order of the columns would need another rule, so they stay. */
static pith_tensor *net_stays(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_transpose(conv(m, "a", x, 4), (int[]){ 0, 3, 1, 2 });
    return pith_nn_linear(m, "head", pith_flatten(x), 3);
}

/* Softmax over channels sees all of them. */
static pith_tensor *net_softmax(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return head(m, conv(m, "b", pith_softmax(conv(m, "a", x, 4)), 5));
}

static const struct {
    const char *name;
    pith_net_fn net;
    const char *groups;
    double tolerance; /* of the proof; 0: none */
} cases[] = { { "plain", net_plain, "a:4 b:6 ", 1e-5 },
              { "concat", net_concat, "a:4 b:6 c:5 ", 1e-5 },
              { "pad", net_pad, "a:4 b:4 ", 1e-5 },
              { "grouped", net_grouped, "a:4 two:6 ", 1e-5 },
              { "reshape", net_reshape, "a:4 ", 1e-5 },
              { "axes", net_axes, "a:4 ", 1e-5 },
              { "stays", net_stays, "", 0 },
              { "softmax", net_softmax, "b:5 ", 1e-5 } };

START_TEST(goes_together)
{
    pith_ctx *c = context();
    pith_model *m = network(c, cases[_i].net);
    const char *found = groups_of(m);
    suite_check(strcmp(found, cases[_i].groups) == 0, "%s: \"%s\" instead of \"%s\"", cases[_i].name, found,
                cases[_i].groups);
    stir(m, 3);
    if (cases[_i].tolerance > 0)
        ck_assert_int_gt(prove(m, 0.5, cases[_i].tolerance), 0);
    pith_ctx_free(c);
}
END_TEST

START_TEST(layers_are_named)
{
    pith_ctx *c = context();
    pith_channels *ch = pith_channels_find(network(c, net_concat));
    ck_assert_str_eq(pith_channels_layer(ch, 0, 0), "a");
    ck_assert_str_eq(pith_channels_layer(ch, 0, 1), "norm");
    ck_assert_ptr_null(pith_channels_layer(ch, 0, 2));
    ck_assert_str_eq(pith_channels_layer(ch, 1, 0), "b");
    ck_assert_str_eq(pith_channels_layer(ch, 1, 1), "norm");
    ck_assert_ptr_null(pith_channels_layer(ch, 3, 0));
    pith_ctx_free(c);
}
END_TEST

/* Each number that stays is where it should be. */
START_TEST(values_stay)
{
    pith_ctx *c = context();
    pith_model *m = network(c, net_concat), *old = pith_model_clone(m);
    pith_channels *ch = pith_channels_find(m);
    ck_assert_int_eq(pith_channels_drop(ch, 0, 1), PITH_OK);
    ck_assert_int_eq(pith_channels_drop(ch, 1, 5), PITH_OK);
    ck_assert_int_eq(pith_channels_drop(ch, 2, 0), PITH_OK);
    ck_assert_int_eq(pith_channels_remove(ch), PITH_OK);
    static const int kept[] = { 0, 2, 3, 4, 5, 6, 7, 8 }; /* of a and b, joined */
    const pith_tensor *w = pith_model_find(m, "c.weight"), *v = pith_model_find(old, "c.weight"),
                      *gamma = pith_model_find(m, "norm.running_var");
    ck_assert(pithp_shape_eq(w->shape, PITH_SHAPE(4, 3, 3, 8)) &&
              pithp_shape_eq(gamma->shape, PITH_SHAPE(8)));
    for (int k = 0; k < 4; k++)
        for (int rs = 0; rs < 9; rs++)
            for (int i = 0; i < 8; i++)
                ck_assert(((pith_real *)w->value)[(k * 9 + rs) * 8 + i] ==
                          ((pith_real *)v->value)[((k + 1) * 9 + rs) * 10 + kept[i]]);
    ck_assert_int_eq(pith_channels_remove(ch), PITH_ESTALE);
    pith_ctx_clear(c);
    pith_ctx_free(c);
}
END_TEST

/* Masks lose what their weights lose. */
START_TEST(masks_stay)
{
    pith_ctx *c = context();
    pith_model *m = network(c, net_plain);
    uint8_t keep[6 * 9 * 4];
    for (int i = 0; i < 6 * 9 * 4; i++)
        keep[i] = i % 3 != 0;
    ck_assert_int_eq(pithp_model_mask_param(m, pith_model_find(m, "b.weight"), keep), PITH_OK);
    pith_channels *ch = pith_channels_find(m);
    ck_assert_int_eq(pith_channels_drop(ch, 0, 2), PITH_OK);
    ck_assert_int_eq(pith_channels_drop(ch, 1, 0), PITH_OK);
    ck_assert_int_eq(pith_channels_remove(ch), PITH_OK);
    const pith_tensor *w = pith_model_find(m, "b.weight");
    ck_assert(w->mask != NULL && pith_model_find(m, "a.weight")->mask == NULL && pith_size(w) == 5 * 9 * 3);
    for (int i = 0; i < 5 * 9 * 3; i++) {
        int column = i % 3 == 2 ? 3 : i % 3, old = (i / 3 + 9) * 4 + column;
        ck_assert_int_eq(w->mask[i], keep[old]);
        ck_assert(w->mask[i] || ((pith_real *)w->value)[i] == 0);
    }
    pith_ctx_free(c);
}
END_TEST

/* ---- What is chosen ---- */
/* Filter k of a layer gets `value[k]` everywhere. */
static void filters(pith_model *m, const char *name, const double *value)
{
    pith_tensor *w = pith_model_find(m, name);
    int64_t per = pith_size(w) / w->shape.d[0];
    for (int64_t i = 0; i < pith_size(w); i++)
        ((pith_real *)w->value)[i] = (pith_real)value[i / per];
}

/* The filters that are left of a layer, by their first weight: "1 3 ". */
static const char *left_of(pith_model *m, const char *name)
{
    static char text[256];
    const pith_tensor *w = pith_model_find(m, name);
    int64_t per = pith_size(w) / w->shape.d[0];
    size_t at = 0;
    for (int64_t i = 0; i < pith_size(w); i += per)
        at += (size_t)snprintf(text + at, sizeof text - at, "%g ", (double)((pith_real *)w->value)[i]);
    return text;
}

/* Relative to their layer's mean squares, the filters of a are (0.04 .. 1.3) and those of b (0.7 .. 1.4): by L2 a's small ones
   go first, wherever they stand. */
static pith_model *chosen(pith_ctx *c, pith_channels_cfg cfg)
{
    pith_model *m = network(c, net_plain);
    pith_channels_result r;
    filters(m, "a.weight", (const double[]){ 5, 1, 6, 2 });
    filters(m, "b.weight", (const double[]){ 9, 8, 7, 10, 9.5, 8.5 });
    ck_assert_msg(pith_channels_prune(m, cfg, &r) == PITH_OK, "%s", pith_error_text(c));
    pith_model_facts f = pith_model_info(m);
    ck_assert(r.macs[1] == f.macs && r.parameters[1] == f.parameters && r.units == 10);
    const int64_t *cost = cfg.of == PITH_CUT_MACS         ? r.macs
                          : cfg.of == PITH_CUT_PARAMETERS ? r.parameters
                                                          : r.ram;
    ck_assert_int_le(cost[1], (int64_t)((double)cost[0] * (1 - cfg.target)));
    return m;
}

START_TEST(chooses)
{
    pith_ctx *c = context();
    /* multiply-adds of one pixel: 27 a + 9 a b + ..; a 4 -> 2 halves them with b whole */
    pith_model *m = chosen(c, (pith_channels_cfg){ .target = 0.45 });
    ck_assert_str_eq(left_of(m, "a.weight"), "5 6 ");
    ck_assert_str_eq(left_of(m, "b.weight"), "9 8 7 10 9.5 8.5 ");
    m = chosen(c, (pith_channels_cfg){ .target = 0.45, .criterion = PITH_PRUNE_L2 });
    ck_assert_str_eq(left_of(m, "a.weight"), "5 6 ");
    m = chosen(c, (pith_channels_cfg){ .target = 0.5, .per_layer = true });
    ck_assert_str_eq(left_of(m, "a.weight"), "5 6 ");
    ck_assert_str_eq(left_of(m, "b.weight"), "9 10 9.5 8.5 ");
    m = chosen(c, (pith_channels_cfg){ .target = 0.45, .skip = "a" });
    ck_assert_str_eq(left_of(m, "a.weight"), "5 1 6 2 ");
    m = chosen(c, (pith_channels_cfg){ .target = 0.2, .multiple = 4 });
    ck_assert_str_eq(left_of(m, "a.weight"), "5 1 6 2 ");
    ck_assert_str_eq(left_of(m, "b.weight"), "9 10 9.5 8.5 ");
    m = chosen(c, (pith_channels_cfg){ .target = 0.6, .of = PITH_CUT_PARAMETERS, .keep = 0.45 });
    ck_assert_str_eq(left_of(m, "a.weight"), "5 6 ");
    pith_ctx_free(c);
}
END_TEST

START_TEST(batch_norm_scale)
{
    pith_ctx *c = context();
    pith_model *m = network(c, net_concat);
    static const pith_real gamma[] = { 1, 0.1F, -3, 0.2F, 1, 1, 0.05F, 1, 1, -2 };
    memcpy(pith_model_find(m, "norm.weight")->value, gamma, sizeof gamma);
    pith_channels_cfg cfg = { .target = 0.29, .criterion = PITH_PRUNE_BN };
    ck_assert_msg(pith_channels_prune(m, cfg, NULL) == PITH_OK, "%s", pith_error_text(c));
    const pith_tensor *left = pith_model_find(m, "norm.weight");
    ck_assert(pithp_shape_eq(left->shape, PITH_SHAPE(7)));
    static const pith_real want[] = { 1, -3, 1, 1, 1, 1, -2 };
    ck_assert_mem_eq(left->value, want, sizeof want);
    ck_assert_int_eq(pith_model_find(m, "c.bias")->shape.d[0], 5); /* no norm behind: stays whole */
    pith_ctx_free(c);
}
END_TEST

START_TEST(random_by_seed)
{
    pith_ctx *c = context();
    char text[3][256];
    for (int i = 0; i < 3; i++) {
        pith_channels_cfg cfg = { .target = 0.4, .criterion = PITH_PRUNE_RANDOM, .seed = i == 2 ? 9 : 1 };
        snprintf(text[i], sizeof text[i], "%s", left_of(chosen(c, cfg), "b.weight"));
        strncat(text[i], left_of(chosen(c, cfg), "a.weight"), 100);
    }
    ck_assert_str_eq(text[0], text[1]);
    ck_assert_str_ne(text[0], text[2]);
    pith_ctx_free(c);
}
END_TEST

/* Memory is decided where activations are largest: only channels that count there go. */
START_TEST(memory)
{
    pith_ctx *c = context();
    pith_model *m = pith_model_family(c, "efnet-nano", (pith_family_cfg){ .image_size = 64 });
    pith_channels_result r;
    ck_assert_msg(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.3, .of = PITH_CUT_RAM }, &r) ==
                      PITH_OK,
                  "%s", pith_error_text(c));
    ck_assert_int_le(r.ram[1] * 10, r.ram[0] * 7);
    ck_assert_int_gt(r.gone, 0);
    ck_assert_int_eq(pith_model_find(m, "blocks.2.1.expand.conv.weight")->shape.d[0], 160);
    ck_assert_int_eq(pith_model_find(m, "head.conv.weight")->shape.d[0], 256);
    pith_ctx_free(c);
}
END_TEST

/* ---- Blocks ---- */
START_TEST(blocks)
{
    pith_ctx *c = context();
    pith_model *m = pith_model_family(c, "efnet-nano", (pith_family_cfg){ .image_size = 32 });
    stir(m, 3);
    for (int i = 0; i < 16; i++) /* one branch that adds nothing */
        ((pith_real *)pith_model_find(m, "blocks.0.0.project.bn.weight")->value)[i] =
            ((pith_real *)pith_model_find(m, "blocks.0.0.project.bn.bias")->value)[i] = 0;
    int64_t n;
    pith_real *before = outputs(m, 2, &n);
    pith_channels_cfg cfg = { .unit = PITH_CUT_BLOCKS, .target = 0.01, .criterion = PITH_PRUNE_BN };
    pith_channels_result r;
    ck_assert_msg(pith_channels_prune(m, cfg, &r) == PITH_OK, "%s", pith_error_text(c));
    pith_real *after = outputs(m, 2, &n);
    ck_assert_mem_eq(before, after, (size_t)n * sizeof *after);
    ck_assert(r.units == 6 && r.gone == 1 && r.macs[1] < r.macs[0]);
    ck_assert_ptr_null(pith_model_find(m, "blocks.0.0.project.bn.weight"));
    ck_assert_int_eq(pith_model_info(m).parameters, r.parameters[1]);
    free(before);
    free(after);
    /* all that may go, and no further */
    cfg.target = 0.95;
    expect(pith_channels_prune(m, cfg, NULL), PITH_EINVAL, "without any of the 5 blocks");
    cfg = (pith_channels_cfg){ .unit = PITH_CUT_BLOCKS, .target = 0.2, .skip = "blocks.3.*" };
    ck_assert_int_eq(pith_channels_prune(m, cfg, &r), PITH_OK);
    ck_assert_ptr_nonnull(pith_model_find(m, "blocks.3.1.dw.conv.weight"));
    ck_assert_int_eq(r.units, 3);
    pith_ctx_free(c);
}
END_TEST

/* ---- Refusals ---- */
START_TEST(refusals)
{
    pith_ctx *c = context();
    pith_model *m = network(c, net_plain);
    pith_real before = pith_model_weights(m, NULL)[0];
    const double targets[] = { 0, 1, -0.5, 1.5, NAN, INFINITY };
    for (size_t i = 0; i < PITHP_LEN(targets); i++)
        expect(pith_channels_prune(m, (pith_channels_cfg){ .target = targets[i] }, NULL), PITH_EINVAL,
               "a share to be removed, above 0 and below 1");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .keep = 1.5 }, NULL), PITH_EINVAL,
           "keep 1.5");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .multiple = -1 }, NULL), PITH_EINVAL,
           "multiple -1");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .of = 7 }, NULL), PITH_EINVAL, "of 7");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .unit = 3 }, NULL), PITH_EINVAL,
           "unit 3");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .criterion = 9 }, NULL), PITH_EINVAL,
           "criterion 9");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .skip = "nose" }, NULL), PITH_EINVAL,
           "'nose' matches no layer");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .skip = "a,b" }, NULL), PITH_EINVAL,
           "no channels can go");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.99 }, NULL), PITH_EINVAL,
           "layer 'a' keeps most");
    expect(
        pith_channels_prune(m, (pith_channels_cfg){ .target = 0.99, .keep = PITH_ZERO, .multiple = 4 }, NULL),
        PITH_EINVAL, "target of 0.99");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .criterion = PITH_PRUNE_BN }, NULL),
           PITH_EINVAL, "nothing that the criterion looks at");
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5, .unit = PITH_CUT_BLOCKS }, NULL),
           PITH_EINVAL, "no residual block");
    expect(pith_channels_prune(
               m,
               (pith_channels_cfg){ .target = 0.5, .unit = PITH_CUT_BLOCKS, .criterion = PITH_PRUNE_TAYLOR },
               NULL),
           PITH_EINVAL, "no Taylor");
    pith_channels *ch = pith_channels_find(m);
    expect(pith_channels_drop(ch, 2, 0), PITH_EINVAL, "no group 2");
    expect(pith_channels_drop(ch, 0, 4), PITH_EINVAL, "no channel 4");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pith_channels_drop(ch, 0, i), PITH_OK);
    expect(pith_channels_drop(ch, 0, 3), PITH_EINVAL, "last channel cannot go");
    ck_assert(before == pith_model_weights(m, NULL)[0]);
    pith_model_weights(m, NULL)[1] = NAN;
    expect(pith_channels_prune(m, (pith_channels_cfg){ .target = 0.5 }, NULL), PITH_ENAN, "layer 'a'");
    pith_ctx_free(c);
}
END_TEST

/* ---- Failing memory ---- */
START_TEST(failing_memory)
{
    static const pith_channels_cfg cfgs[] = { { .target = 0.3 },
                                              { .target = 0.3, .of = PITH_CUT_RAM },
                                              { .target = 0.1, .unit = PITH_CUT_BLOCKS } };
    fail_hook h = { 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1, FAIL_ALLOC(&h) });
    pith_model *m =
        _i < 2 ? network(c, net_pad) : pith_model_family(c, "resnet8", (pith_family_cfg){ .image_size = 8 });
    const pithp_graph *g = m->g;
    int failures = 0;
    for (long at = 1;; at += 1 + at / 40) {
        h.made = 0;
        h.fail_at = at;
        pith_status s = pith_channels_prune(m, cfgs[_i], NULL);
        h.fail_at = 0;
        if (s == PITH_OK)
            break;
        failures++;
        suite_check(s == PITH_ENOMEM, "%s at %ld", pith_status_name(s), at);
        pith_ctx_clear(c);
        ck_assert_ptr_eq(m->g, g);
    }
    ck_assert_int_gt(failures, 60);
    ck_assert_ptr_ne(m->g, g);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channels");
    tcase_add_loop_test(suite_case(s, "goes_together"), goes_together, 0, PITHP_LEN(cases));
    suite_test(s, "layers_are_named", layers_are_named);
    suite_test(s, "values_stay", values_stay);
    suite_test(s, "masks_stay", masks_stay);
    suite_test(s, "chooses", chooses);
    suite_test(s, "batch_norm_scale", batch_norm_scale);
    suite_test(s, "random_by_seed", random_by_seed);
    suite_test(s, "memory", memory);
    suite_test(s, "blocks", blocks);
    suite_test(s, "refusals", refusals);
    tcase_add_loop_test(suite_case(s, "failing_memory"), failing_memory, 0, 3);
    return suite_run("channels", s);
}
