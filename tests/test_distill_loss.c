/* tests/test_distill_loss.c: the losses of distillation against values worked out by hand, in double. Their gradients are
   test_ops_grad's, their twins test_ops'. */
#include "graph/graph.h"
#include "suite.h"
#include <math.h>
#include <pith/ops.h>

_Static_assert(sizeof(pith_real) == sizeof(double), "this test is for the library compiled in double");

static pith_ctx *c;

static void open_ctx(void) { c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 }); }
static void close_ctx(void) { pith_ctx_free(c); }

static pith_tensor *leaf(int64_t n, int64_t d, const double *v)
{
    return pith_leaf(c, PITH_F32, PITH_SHAPE(n, d), v);
}

static double value(pith_tensor *t)
{
    ck_assert_msg(pith_run(t) == PITH_OK, "%s", pith_error_text(c));
    return pith_item(t);
}

#define near(got, want) ck_assert_double_eq_tol(got, want, 1e-14)

/* p = (1/4, 3/4), q = (1/2, 1/2): KL(q || p) = ln(4/3)/2; at temperature 2 the same distributions cost four times as much. */
START_TEST(softened)
{
    double x[] = { 0, log(3) }, far[] = { 0, 2 * log(3) }, t[] = { 5, 5 };
    pith_kl_divergence_cfg two = { .temperature = 2 };
    near(value(pith_kl_divergence(leaf(1, 2, x), leaf(1, 2, t), (pith_kl_divergence_cfg){ 0 })),
         log(4.0 / 3) / 2);
    near(value(pith_kl_divergence(leaf(1, 2, far), leaf(1, 2, t), two)), 2 * log(4.0 / 3));
}
END_TEST

/* p = (1/2, 1/4, 1/4), q = (1/4, 1/2, 1/4), class 0: TCKD of (1/4, 3/4) and (1/2, 1/2); NCKD of (2/3, 1/3) and (1/2, 1/2). */
START_TEST(decoupled)
{
    double x[] = { log(2), 0, 0 }, t[] = { 1, 1 + log(2), 1 };
    int32_t y[] = { 0 };
    double tckd = log(0.5) / 4 + 3 * log(1.5) / 4, nckd = 2 * log(4.0 / 3) / 3 + log(2.0 / 3) / 3;
    pith_tensor *a = leaf(1, 3, x), *b = leaf(1, 3, t), *label = pith_leaf(c, PITH_I32, PITH_SHAPE(1), y);
    near(value(pith_decoupled_kl(a, b, label, (pith_decoupled_kl_cfg){ .others = 8 })), tckd + 8 * nckd);
    near(value(pith_decoupled_kl(a, b, label, (pith_decoupled_kl_cfg){ .target = 2, .others = PITH_ZERO })),
         2 * tckd);
    /* Put together as it was: KL = TCKD + (1 - q_y) NCKD. */
    near(value(pith_decoupled_kl(a, b, label, (pith_decoupled_kl_cfg){ .others = 0.75 })),
         value(pith_kl_divergence(a, b, (pith_kl_divergence_cfg){ 0 })));
}
END_TEST

START_TEST(decoupled_two_classes)
{
    double x[] = { 0.3, -1.2, 2, 0.5 }, t[] = { 1.5, -0.5, -1, 1 };
    int32_t y[] = { 0, 1 }, none[] = { -1, 2 };
    pith_tensor *a = leaf(2, 2, x), *b = leaf(2, 2, t);
    pith_decoupled_kl_cfg cfg = { .temperature = 4, .others = 8 };
    near(value(pith_decoupled_kl(a, b, pith_leaf(c, PITH_I32, PITH_SHAPE(2), y), cfg)),
         value(pith_kl_divergence(a, b, (pith_kl_divergence_cfg){ 4 })));
    near(value(pith_decoupled_kl(a, b, pith_leaf(c, PITH_I32, PITH_SHAPE(2), none), cfg)), 0);
}
END_TEST

/* Places of (1,2) and (3,4): mean squares 5/2 and 25/2, which is (1,5) but for length. A blind sample looks nowhere. */
START_TEST(attention)
{
    double x[] = { 1, 2, 3, 4, 0, 0, 0, 0 };
    pith_tensor *in = pith_leaf(c, PITH_F32, PITH_SHAPE(2, 1, 2, 2), x);
    pith_require_grad(in);
    pith_tensor *y = pith_keep(pith_attention_map(in)), *loss = pith_sum(y);
    ck_assert_int_eq(pith_backward(loss), PITH_OK);
    const double *v = pith_values(y), want[] = { 1 / sqrt(26), 5 / sqrt(26), 0, 0 };
    for (int i = 0; i < 4; i++)
        near(v[i], want[i]);
    for (int i = 4; i < 8; i++)
        ck_assert_double_eq(pith_grad(in)[i], 0);
}
END_TEST

/* The triangle 3, 4, 5 as against an equilateral one: distances over their mean 3/4, 1, 5/4 against 1; cosines 0, 3/5, 4/5 against
   1/2. Each pair comes twice among 9, each angle twice among 27. */
START_TEST(relations)
{
    double x[] = { 0, 0, 3, 0, 0, 4 }, t[] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
    pith_tensor *a = leaf(3, 2, x), *b = leaf(3, 3, t);
    near(value(pith_relation_distance(a, b)), 2 * (2 * 0.0625 / 2) / 9);
    near(value(pith_relation_angle(a, b)), (0.25 + 0.01 + 0.09) / 27);
    near(value(pith_relation_distance(a, a)), 0);
    near(value(pith_relation_angle(a, a)), 0);
}
END_TEST

/* Two distances of a mean of 1.5 and so on: huge ratios meet Huber's straight part. Points 0, 0, 9 of a line: 0, 9, 9 over 9. */
START_TEST(relation_far)
{
    double x[] = { 0, 0, 9 }, t[] = { 0, 1, 100 };
    pith_tensor *a = leaf(3, 1, x), *b = leaf(3, 1, t);
    double mean = (1 + 100 + 99) / 3.0, e1 = 1 / mean, e2 = 100 / mean - 1, e3 = 99 / mean - 1;
    near(value(pith_relation_distance(a, b)), 2 * (e1 * e1 + e2 * e2 + e3 * e3) / 2 / 9);
    double one[] = { 1, 1, 1 };
    near(value(pith_relation_distance(leaf(3, 1, one), b)), /* the student sees no difference at all */
         2 * (e1 * e1 / 2 + (1 + e2) - 0.5 + (1 + e3) - 0.5) / 9);
}
END_TEST

/* Equal samples have no direction: no gradient, and no NaN. */
START_TEST(relation_equal)
{
    double x[] = { 1, 2, 1, 2, 1, 2 }, t[] = { 0, 1, 100 };
    pith_tensor *a = leaf(3, 2, x), *b = leaf(3, 1, t);
    pith_require_grad(a);
    pith_tensor *loss = pith_add(pith_relation_distance(a, b), pith_relation_angle(a, b));
    ck_assert_int_eq(pith_backward(loss), PITH_OK);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(pith_grad(a)[i], 0);
}
END_TEST

/* Rows of I against rows of (1,1)/sqrt(2). */
START_TEST(similarity)
{
    double x[] = { 1, 0, 0, 1 }, t[] = { 1, 1 }, zero[] = { 0, 0 };
    double r = 1 / sqrt(2), want = (2 * (1 - r) * (1 - r) + 2 * r * r) / 4;
    near(value(pith_similarity_preserving(leaf(2, 2, x), leaf(2, 1, t))), want);
    near(value(pith_similarity_preserving(leaf(2, 2, x), leaf(2, 1, zero))), 0.5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("distill_loss");
    TCase *t = suite_case(s, "by hand");
    tcase_add_checked_fixture(t, open_ctx, close_ctx);
    tcase_add_test(t, softened);
    tcase_add_test(t, decoupled);
    tcase_add_test(t, decoupled_two_classes);
    tcase_add_test(t, attention);
    tcase_add_test(t, relations);
    tcase_add_test(t, relation_far);
    tcase_add_test(t, relation_equal);
    tcase_add_test(t, similarity);
    return suite_run("distill_loss", s);
}
