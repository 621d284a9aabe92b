/* tests/test_distill_errors.c: what a distillation refuses, in which words, with the student left as it was. */
#include "distill_help.h"

static fit_setup s;
static pith_model *t;
static pith_real *before;
static size_t n_before;

static void begin(void)
{
    s = fit_begin(1);
    t = make_teacher(s.c);
    before = weights_of(s.m, &n_before);
}

static void end(void)
{
    size_t n;
    pith_real *after = weights_of(s.m, &n);
    same_weights(before, n_before, after, n);
    free(before);
    free(after);
    pith_ctx_free(s.c);
}

#define no(cfg, code, part) refused(s.c, pith_distill_new(s.m, &t, 1, cfg) != NULL, code, part)

START_TEST(other_classes)
{
    int classes = 3;
    t = pith_model_new(s.c, teacher_net, &classes, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    no((pith_distill_cfg){ 0 }, PITH_EINVAL, "teacher 1 ('custom') has 3 classes, the student 2");
}
END_TEST

START_TEST(other_names)
{
    pith_model_set_meta(t, "classes", "[\"cross\",\"disc\"]");
    pith_fit_cfg f = distill_small;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, (pith_distill_cfg){ 0 }, f) == PITH_OK, PITH_EINVAL,
            "class 0 is 'cross' for teacher 1 ('custom'), but 'disc' in these data");
    pith_model_set_meta(s.m, "classes", "[\"disc\",\"cross\"]");
    no((pith_distill_cfg){ 0 }, PITH_EINVAL, "the list of classes");
}
END_TEST

START_TEST(other_size)
{
    t = pith_model_new(s.c, teacher_net, NULL, PITH_SHAPE(24, 24, 3));
    no((pith_distill_cfg){ 0 }, PITH_EINVAL, "takes images [1,24,24,3], the student [1,16,16,3]");
}
END_TEST

START_TEST(other_normalisation)
{
    pith_model_set_meta(s.m, "input", "(pixel - 128) / 128");
    pith_model_set_meta(t, "input", "pixel / 255");
    no((pith_distill_cfg){ 0 }, PITH_EINVAL,
       "the input's normalisation is pixel / 255, but the student's is (pixel - 128)");
}
END_TEST

START_TEST(itself)
{
    refused(s.c, pith_distill_new(s.m, &s.m, 1, (pith_distill_cfg){ 0 }) != NULL, PITH_EINVAL,
            "pith_model_clone");
}
END_TEST

START_TEST(number_of_teachers)
{
    refused(s.c, pith_distill_new(s.m, &t, 0, (pith_distill_cfg){ 0 }) != NULL, PITH_EINVAL,
            "0 teachers; 1 to 8");
    refused(s.c, pith_distill_new(s.m, &t, 9, (pith_distill_cfg){ 0 }) != NULL, PITH_EINVAL,
            "9 teachers; 1 to 8");
    pith_model *none = NULL;
    refused(s.c, pith_distill_new(s.m, &none, 1, (pith_distill_cfg){ 0 }) != NULL, PITH_EINVAL,
            "teacher 1 is missing");
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3 });
    pith_model *far = make_teacher(c);
    refused(s.c, pith_distill_new(s.m, &far, 1, (pith_distill_cfg){ 0 }) != NULL, PITH_EINVAL,
            "another context's");
    pith_ctx_free(c);
}
END_TEST

/* ---- Taps ---- */
static void pair(const char *student, const char *teacher, pith_status code, const char *part)
{
    const pith_distill_pair p = { student, teacher };
    const unsigned kinds[] = { PITH_DISTILL_FEATURE, PITH_DISTILL_ATTENTION };
    for (int i = 0; i < 2; i++)
        no(((pith_distill_cfg){ .kinds = kinds[i], .pairs = &p, .n_pairs = 1 }), code, part);
}

START_TEST(taps)
{
    pair("b9", "b1", PITH_ENOTFOUND, "no layer or block 'b9'; the nearest names are 'b");
    pair("b1", "bl", PITH_ENOTFOUND, "no layer or block 'bl'; the nearest names are 'b1', 'b2'");
    pair("b1", "stem", PITH_ESHAPE,
         "'b1' of the student is [1,8,8,12], 'stem' of teacher 1 ('custom') is [1,16,16,12]");
    pair("head", "head", PITH_ESHAPE, "a 1x1 regressor joins any channels, but no sizes");
    pair("b1", NULL, PITH_EINVAL, "pair 1 lacks a name");
    no(((pith_distill_cfg){ .kinds = PITH_DISTILL_RELATION, .embedding = { "b7", NULL } }), PITH_ENOTFOUND,
       "'b7'");
    no(((pith_distill_cfg){ .kinds = PITH_DISTILL_RELATION, .embedding = { NULL, "b7" } }), PITH_ENOTFOUND,
       "'b7'");
}
END_TEST

static pith_tensor *flat(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_nn_linear(m, "head", pith_global_avgpool(x), 2);
}

START_TEST(no_common_stage)
{
    t = pith_model_new(s.c, flat, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    no((pith_distill_cfg){ .kinds = PITH_DISTILL_ATTENTION }, PITH_ESHAPE,
       "no images of the same size inside");
}
END_TEST

/* ---- Numbers ---- */
START_TEST(settings)
{
    no((pith_distill_cfg){ .kinds = 64 }, PITH_EINVAL, "kinds 64");
    no((pith_distill_cfg){ .kinds = 3 }, PITH_EINVAL, "not together");
    no((pith_distill_cfg){ .temperature = -1 }, PITH_EINVAL, "temperature is -1");
    no((pith_distill_cfg){ .temperature = (double)NAN }, PITH_EINVAL, "temperature is ");
    no((pith_distill_cfg){ .alpha = 1.5 }, PITH_EINVAL, "alpha is 1.5; 0 to 1");
    no((pith_distill_cfg){ .attention = -1 }, PITH_EINVAL, "attention is -1");
    no((pith_distill_cfg){ .n_pairs = 1 }, PITH_EINVAL, "1 pairs of layers");
    no((pith_distill_cfg){ .store = "" }, PITH_EINVAL, "path is empty");
}
END_TEST

START_TEST(nan_teacher)
{
    pith_real *w = pith_values(pith_model_find(t, "b1.project.conv.weight")), was = w[5];
    w[5] = (pith_real)NAN;
    no((pith_distill_cfg){ 0 }, PITH_ENAN,
       "teacher 1 ('custom'): weights of 'b1.project.conv.weight' are not finite");
    w[5] = was;
    w = pith_values(pith_model_find(t, "b2.project.bn.bias")); /* finite, but what is made of it is not */
    pith_real *head = pith_values(pith_model_find(t, "head.weight"));
    for (int i = 0; i < 24; i++) {
        w[i] = PITHP_R(1e30);
        head[i] = PITHP_R(3e38);
    }
    pith_fit_cfg f = distill_small;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, (pith_distill_cfg){ 0 }, f) == PITH_OK, PITH_ENAN,
            "step 1: distillation: teacher 1 ('custom') says what is not finite; the first layer that went "
            "bad is 'head'");
}
END_TEST

START_TEST(growing_images)
{
    static const pith_size_step grow[] = { { 0, 8 }, { 1, FIT_SIZE } };
    pith_fit_cfg f = distill_small;
    f.sizes = grow;
    f.n_sizes = 2;
    refused(s.c, pith_distill_fit(s.m, &t, 1, s.d, (pith_distill_cfg){ 0 }, f) == PITH_OK, PITH_EINVAL,
            "the model's own size");
}
END_TEST

/* The student was quantized after its distillation was made. */
START_TEST(rewritten)
{
    pith_distill *k = pith_distill_new(s.m, &t, 1, (pith_distill_cfg){ 0 });
    pith_model *copy = pith_model_clone(s.m);
    pith_fit_cfg f = distill_small;
    f.loss = pith_distill_loss(k);
    refused(s.c, pith_fit(copy, s.d, f) == PITH_OK, PITH_ESTALE, "is not its student");
    pith_distill_free(k);
    k = pith_distill_new(copy, &t, 1, (pith_distill_cfg){ 0 });
    ok(s.c, pith_qat(copy, (pith_quant_cfg){ 0 }));
    f.loss = pith_distill_loss(k);
    refused(s.c, pith_fit(copy, s.d, f) == PITH_OK, PITH_ESTALE, "rewritten by a pass since");
    pith_distill_free(k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("distill_errors");
    TCase *c = suite_case(suite, "refusals");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, other_classes);
    tcase_add_test(c, other_names);
    tcase_add_test(c, other_size);
    tcase_add_test(c, other_normalisation);
    tcase_add_test(c, itself);
    tcase_add_test(c, number_of_teachers);
    tcase_add_test(c, taps);
    tcase_add_test(c, no_common_stage);
    tcase_add_test(c, settings);
    tcase_add_test(c, nan_teacher);
    tcase_add_test(c, growing_images);
    tcase_add_test(c, rewritten);
    return suite_run("distill_errors", suite);
}
