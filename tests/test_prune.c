/* Pruning at once: each granularity and criterion by cases worked out by hand, and what is refused. */
#include "prune_help.h"
#include "quant_help.h"

/* Elements that are held, as a row of 0 and 1; the values there are zero, the others untouched. */
static void held_are(const one *o, const pith_real *values, const char *want)
{
    char is[17] = "";
    for (int i = 0; i < 16; i++) {
        bool held = o->w->mask != NULL && !o->w->mask[i];
        is[i] = held ? '1' : '0';
        suite_check(((pith_real *)o->w->value)[i] == (held ? 0 : values[i]), "element %d is %g", i,
                    (double)((pith_real *)o->w->value)[i]);
    }
    ck_assert_str_eq(is, want);
}

static const struct {
    pith_prune_cfg cfg;
    const char *held;
} by_hand[] = {
    { { .target = 0.25 }, "1010101000000000" },
    { { .target = 0.3125, .criterion = PITH_PRUNE_L2 }, "1010101100000000" },
    { { .target = 0.5, .per_layer = true }, "1111111100000000" },
    /* rows (over s): k0 r0 c0 is (1+2)/2, k0 r1 c0 (3+4)/2, k0 r1 c1 (6+5)/2, k0 r0 c1 (8+7)/2 */
    { { .target = 0.25, .unit = PITH_PRUNE_VECTOR }, "1010101000000000" },
    { { .target = 0.375, .unit = PITH_PRUNE_VECTOR }, "1010111100000000" },
    /* kernels: k0 c0 10/4, k0 c1 26/4, k1 c0 50/4, k1 c1 50/4 */
    { { .target = 0.25, .unit = PITH_PRUNE_KERNEL }, "1010101000000000" },
    { { .target = 0.75, .unit = PITH_PRUNE_KERNEL }, "1111111110101010" },
    { { .target = 0.4, .unit = PITH_PRUNE_KERNEL },
      "1111111100000000" }, /* 6.4 weights: 8 are nearer than 4 */
    { { .target = 0.5, .unit = PITH_PRUNE_CHANNEL }, "1111111100000000" },
    /* of two input channels at a place the smaller goes */
    { { .unit = PITH_PRUNE_NM, .n = 1, .m = 2 }, "1010101010011001" },
    { { .target = 0.5, .unit = PITH_PRUNE_NM, .n = 1, .m = 2, .criterion = PITH_PRUNE_L2 },
      "1010101010011001" },
};

START_TEST(units_by_hand)
{
    pith_prune_cfg cfg = by_hand[_i].cfg;
    one o = one_begin(numbers);
    cfg.skip = "head";
    ck_assert_msg(pith_prune(o.m, NULL, cfg) == PITH_OK, "%s", pith_error_text(o.c));
    held_are(&o, numbers, by_hand[_i].held);
    pith_ctx_free(o.c);
}
END_TEST

/* Where L1 and L2 disagree: kernel k0 c0 is (0,0,0,6): mean 1.5, root mean square 3; the others are 2 throughout. */
START_TEST(norms_differ)
{
    static const pith_real v[16] = { 0, 2, 0, 2, 0, 2, 6, 2, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5 };
    for (int i = 0; i < 2; i++) {
        one o = one_begin(v);
        pith_prune_cfg cfg = {
            .target = 0.25, .unit = PITH_PRUNE_KERNEL, .skip = "head", .criterion = PITH_PRUNE_L1
        };
        cfg.criterion = i ? PITH_PRUNE_L2 : PITH_PRUNE_L1;
        ck_assert_int_eq(pith_prune(o.m, NULL, cfg), PITH_OK);
        held_are(&o, v, i ? "0101010100000000" : "1010101000000000");
        pith_ctx_free(o.c);
    }
}
END_TEST

/* gamma 4 and 1: channel 1 goes though its weights are larger; folded, k0 is 4/sqrt(1+eps), k1 1/sqrt(16+eps). */
START_TEST(batch_norm_scale)
{
    for (int i = 0; i < 2; i++) {
        one o = one_begin(numbers);
        pith_real *gamma = pith_model_find(o.m, "bn.weight")->value,
                  *var = pith_model_find(o.m, "bn.running_var")->value;
        gamma[0] = -4, gamma[1] = 1;
        var[0] = 1, var[1] = 16;
        pith_prune_cfg cfg = { .target = i ? 0.25 : 0.5, .skip = "head", .criterion = PITH_PRUNE_BN };
        cfg.unit = i ? PITH_PRUNE_WEIGHT : PITH_PRUNE_CHANNEL;
        ck_assert_msg(pith_prune(o.m, NULL, cfg) == PITH_OK, "%s", pith_error_text(o.c));
        /* 9/4, 10/4, 11/4, 12/4 in k1 are less than 4*1 in k0 */
        held_are(&o, numbers, i ? "0000000011001100" : "0000000011111111");
        if (i == 0) { /* the channel is 0 whatever comes in */
            ck_assert(gamma[1] == 0 && gamma[0] == -4);
            const pith_tensor *bias = pith_model_find(o.m, "a.bias"), *beta = pith_model_find(o.m, "bn.bias");
            ck_assert(bias->mask && !bias->mask[1] && bias->mask[0] && beta->mask && !beta->mask[1]);
        }
        pith_ctx_free(o.c);
    }
}
END_TEST

/* Chance: the wanted number, the same for the same seed, another for another, and growing when asked for more. */
START_TEST(random_control)
{
    uint8_t masks[3][16];
    for (int i = 0; i < 3; i++) {
        one o = one_begin(numbers);
        pith_prune_cfg cfg = {
            .target = 0.5, .skip = "head", .criterion = PITH_PRUNE_RANDOM, .seed = i == 2
        };
        ck_assert_int_eq(pith_prune(o.m, NULL, cfg), PITH_OK);
        ck_assert_int_eq(pithp_mask_zeros(o.w), 8);
        memcpy(masks[i], o.w->mask, 16);
        cfg.target = 0.75;
        ck_assert_int_eq(pith_prune(o.m, NULL, cfg), PITH_OK);
        ck_assert_int_eq(pithp_mask_zeros(o.w), 12);
        for (int k = 0; k < 16; k++)
            ck_assert(masks[i][k] || !o.w->mask[k]);
        pith_ctx_free(o.c);
    }
    ck_assert_mem_eq(masks[0], masks[1], 16);
    ck_assert_mem_ne(masks[0], masks[2], 16);
}
END_TEST

/* Without units of its own a score is the change of the loss when a weight is moved a little, found here by moving it. */
static pith_tensor *linear_net(pith_model *m, pith_tensor *x, void *user)
{
    x = pith_relu(
        pith_nn_conv2d(m, "a", x, (pith_conv2d_cfg){ .out = 2, .kernel = 3, .stride = 4, .bias = true }));
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 2);
}

static double loss_of(pith_model *m, pith_data *d)
{
    pith_eval_result r;
    ck_assert_int_eq(pith_evaluate(m, d, PITH_TRAIN, 32, &r), PITH_OK);
    return r.loss;
}

START_TEST(taylor_is_the_loss)
{
    enum { IMAGES = 32, UNITS = 2 * 3 }; /* kernels of layer a */
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 5, .threads = 2 });
    uint8_t *pixels = malloc((size_t)IMAGES * FIT_SIDE * FIT_SIDE * 3);
    int32_t labels[IMAGES];
    static const char *const names[] = { "disc", "cross" };
    for (int i = 0; i < IMAGES; i++) {
        labels[i] = i % 2;
        fit_draw(pixels + (size_t)i * FIT_SIDE * FIT_SIDE * 3, labels[i], (uint64_t)i);
    }
    pith_data *d = pith_data_pixels(c, pixels, labels, IMAGES, FIT_SIDE, FIT_SIDE, names, IMAGES, FIT_SIZE);
    free(pixels);
    pith_model *m = pith_model_new(c, linear_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_msg(d != NULL && m != NULL, "%s", pith_error_text(c));
    pith_prune_cfg cfg = {
        .unit = PITH_PRUNE_KERNEL, .criterion = PITH_PRUNE_TAYLOR, .skip = "head", .samples = IMAGES
    };
    int n;
    ck_assert_int_eq(pithp_prune_cfg_check(m, &cfg), PITH_OK);
    pithp_pruned *l = pithp_pruned_layers(m, &cfg, &n);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(l->units, UNITS);
    pithp_taylor *t = pithp_taylor_new(m, d, &cfg);
    ck_assert_msg(t != NULL, "%s", pith_error_text(c));
    double sum[UNITS] = { 0 }, again[UNITS] = { 0 };
    ck_assert_int_eq(pithp_taylor_room(t, l, n), PITH_OK);
    ck_assert_int_eq(pithp_taylor_sum(t, l, n, sum), PITH_OK);
    ck_assert_int_eq(pithp_taylor_sum(t, l, n, again), PITH_OK);
    ck_assert_mem_eq(sum, again, sizeof sum); /* a function of the weights alone */
    pith_real *w = l->w->value, keep[54];
    memcpy(keep, w, sizeof keep);
    for (int u = 0; u < UNITS; u++) { /* d loss / d size of kernel (k, c) */
        double at[2];
        for (int side = 0; side < 2; side++) {
            for (int rs = 0; rs < 9; rs++)
                w[u / 3 * 27 + rs * 3 + u % 3] = keep[u / 3 * 27 + rs * 3 + u % 3] * (side ? 1.03f : 0.97f);
            at[side] = loss_of(m, d);
            memcpy(w, keep, sizeof keep);
        }
        double slope = fabs(at[1] - at[0]) / 0.06;
        suite_check(fabs(sum[u] - slope) < 0.02 * slope + 2e-5, "unit %d: %g by gradients, %g by trying", u,
                    sum[u], slope);
    }
    pithp_taylor_free(t);
    pithp_free(c, l);
    cfg.target = 0.5;
    ck_assert_msg(pith_prune(m, d, cfg) == PITH_OK, "%s", pith_error_text(c));
    ck_assert_int_eq(pithp_mask_zeros(pith_model_find(m, "a.weight")), 27);
    pith_ctx_free(c);
}
END_TEST

/* Scores of channels, for structured pruning: as the masked ones have them. */
START_TEST(channel_scores)
{
    one o = one_begin(numbers);
    double a[2], head[2];
    pith_tensor *conv = NULL, *dense = NULL;
    for (size_t i = 0; i < o.m->g->n; i++) {
        pith_tensor *t = o.m->g->nodes[i];
        if (t->n_in > 1 && t->in[1] == o.w)
            conv = t;
        if (t->n_in > 1 && t->in[1] == pith_model_find(o.m, "head.weight"))
            dense = t;
    }
    const pith_tensor *convs[] = { dense, conv };
    double *scores[] = { head, a };
    pith_prune_cfg cfg = { 0 };
    ck_assert_msg(pithp_channel_scores(o.m, NULL, &cfg, convs, 2, scores) == PITH_OK, "%s",
                  pith_error_text(o.c));
    ck_assert(fabs(a[0] - 4.5) < 1e-6 && fabs(a[1] - 12.5) < 1e-6);
    const pith_real *h = pith_model_find(o.m, "head.weight")->value;
    ck_assert(fabs(head[1] - (fabs((double)h[2]) + fabs((double)h[3])) / 2) < 1e-6);
    cfg.criterion = PITH_PRUNE_BN;
    expect_in(o.c, pithp_channel_scores(o.m, NULL, &cfg, convs, 2, scores), PITH_EINVAL,
              "'head' has no batch norm");
    pith_ctx_free(o.c);
}
END_TEST

/* All layers together: the smaller weights of one layer go first; apart, each loses its share. */
START_TEST(global_and_per_layer)
{
    for (int i = 0; i < 3; i++) {
        one o = one_begin(numbers);
        pith_tensor *h = pith_model_find(o.m, "head.weight");
        static const pith_real small[4] = { 0.1f, 0.2f, -0.3f, 0.4f };
        memcpy(h->value, small, sizeof small);
        pith_prune_cfg cfg = { .target = 0.25, .per_layer = i == 1, .allow_empty = true };
        if (i == 2)
            cfg.layers = "he*=0.75,a=0.125";
        ck_assert_msg(pith_prune(o.m, NULL, cfg) == PITH_OK, "%s", pith_error_text(o.c));
        /* together 5 of 20; each a quarter; 3 and 2 */
        ck_assert_int_eq(pithp_mask_zeros(h), i == 0 ? 4 : i == 1 ? 1 : 3);
        ck_assert_int_eq(pithp_mask_zeros(o.w), i == 0 ? 1 : i == 1 ? 4 : 2);
        pith_prune_facts f;
        ck_assert_int_eq(pith_prune_info(o.m, (pith_prune_cfg){ 0 }, &f), PITH_OK);
        ck_assert(f.weights == 20 && f.held == 5 && f.parameters == 20 + 2 + 4 + 2);
        pith_ctx_free(o.c);
    }
}
END_TEST

/* Once more: what is held stays held, whatever the second criterion and unit think of it. */
START_TEST(goes_on)
{
    one o = one_begin(numbers);
    pith_prune_cfg cfg = { .target = 0.25, .skip = "head" };
    ck_assert_int_eq(pith_prune(o.m, NULL, cfg), PITH_OK);
    cfg.target = 0.5;
    ck_assert_int_eq(pith_prune(o.m, NULL, cfg), PITH_OK);
    held_are(&o, numbers, "1111111100000000");
    cfg.unit =
        PITH_PRUNE_NM; /* 2:4 does not divide 2 input channels; 1:2 does, and its pairs in k0 are gone already */
    cfg.n = 1, cfg.m = 2, cfg.target = 0;
    ck_assert_msg(pith_prune(o.m, NULL, cfg) == PITH_OK, "%s", pith_error_text(o.c));
    held_are(&o, numbers, "1111111110011001");
    cfg = (pith_prune_cfg){ .target = 0.5, .skip = "head" };
    expect_in(o.c, pith_prune(o.m, NULL, cfg), PITH_EINVAL, "75.00% of the weights are held at zero already");
    held_are(&o, numbers, "1111111110011001");
    pith_prune_clear(o.m);
    ck_assert_ptr_null(o.w->mask);
    pith_ctx_free(o.c);
}
END_TEST

/* ---- Refusals: the model is then as it was ---- */
static const struct {
    pith_prune_cfg cfg;
    const char *words;
} refused[] = {
    { { .target = 1.5 }, "target 1.5; a share from 0 to 1" },
    { { .target = -0.1 }, "target -0.1; a share from 0 to 1" },
    { { .target = NAN }, "a share from 0 to 1" },
    { { .target = 1, .skip = "head" }, "layer 'a' would lose all its 16 weights" },
    { { .target = 0.5, .layers = "head=1" }, "layer 'head' would lose all its 4 weights" },
    { { .unit = PITH_PRUNE_NM, .skip = "head" },
      "layer 'a': its weights [2,2,2,2] have 2 input channels, which do not divide" },
    { { .unit = PITH_PRUNE_NM, .n = 4, .m = 4 }, "n of N:M is 4; 1 to 3" },
    { { .unit = PITH_PRUNE_NM, .n = 1, .m = 200 }, "m of N:M is 200" },
    { { .unit = PITH_PRUNE_NM, .target = 0.8 }, "target 0.8 with 2:4; that pattern is 0.5 by itself" },
    { { .unit = PITH_PRUNE_NM, .n = 1, .m = 2, .layers = "a=0.5" }, "leaves no other targets" },
    { { .target = 0.5, .skip = "nothing*" }, "skip: 'nothing*' matches no layer" },
    { { .target = 0.5, .layers = "a=2" }, "PATTERN=TARGET" },
    { { .target = 0.5, .layers = "a" }, "PATTERN=TARGET" },
    { { .target = 0.5, .layers = "zzz=0.5" }, "layers: 'zzz' matches no layer" },
    { { .target = 0.5, .skip = "*" }, "no layer with weights is left" },
    { { .target = 0.5, .criterion = PITH_PRUNE_BN }, "layer 'head' has no batch norm behind it" },
    { { .target = 0.5, .criterion = PITH_PRUNE_TAYLOR }, "needs a data set" },
    { { .target = 0.5, .criterion = (pith_prune_criterion)9 }, "criterion is 9" },
    { { .target = 0.5, .unit = (pith_prune_unit)9 }, "unit is 9" },
    { { .target = 0.5, .samples = -1 }, "samples is -1" },
};

START_TEST(refusals)
{
    one o = one_begin(numbers);
    for (size_t i = 0; i < PITHP_LEN(refused); i++) {
        expect_in(o.c, pith_prune(o.m, NULL, refused[i].cfg), PITH_EINVAL, refused[i].words);
        held_are(&o, numbers, "0000000000000000");
        ck_assert_ptr_null(o.m->masks);
    }
    ((pith_real *)o.w->value)[3] = NAN;
    expect_in(o.c, pith_prune(o.m, NULL, (pith_prune_cfg){ .target = 0.5 }), PITH_ENAN,
              "layer 'a': its weights are not finite");
    ck_assert_int_eq(pith_prune(NULL, NULL, (pith_prune_cfg){ .target = 0.5 }), PITH_EINVAL);
    pith_ctx_free(o.c);
}
END_TEST

START_TEST(allowed_to_empty)
{
    one o = one_begin(numbers);
    ck_assert_int_eq(pith_prune(o.m, NULL, (pith_prune_cfg){ .target = 1, .allow_empty = true }), PITH_OK);
    ck_assert_int_eq(pithp_mask_zeros(o.w), 16);
    pith_ctx_free(o.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prune");
    tcase_add_loop_test(suite_case(s, "units"), units_by_hand, 0, (int)PITHP_LEN(by_hand));
    suite_test(s, "norms", norms_differ);
    suite_test(s, "batch_norm", batch_norm_scale);
    suite_test(s, "random", random_control);
    suite_test(s, "taylor", taylor_is_the_loss);
    suite_test(s, "channel_scores", channel_scores);
    suite_test(s, "ranking", global_and_per_layer);
    suite_test(s, "goes_on", goes_on);
    suite_test(s, "refusals", refusals);
    suite_test(s, "empty", allowed_to_empty);
    return suite_run("prune", s);
}
