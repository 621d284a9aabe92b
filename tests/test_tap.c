/* tests/test_tap.c: results inside a network by name. */
#include "graph/model.h"
#include "suite.h"
#include <pith/quant.h>
#include <string.h>

static pith_ctx *c;
static pith_model *m;

static void begin(void)
{
    c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    m = pith_model_family(c, "efnet-nano", (pith_family_cfg){ .classes = 2 });
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
}
static void end(void) { pith_ctx_free(c); }

static void is(const char *name, const char *op, pith_shape shape)
{
    const pith_tensor *t = pith_tap(m, name);
    ck_assert_msg(t != NULL, "%s", pith_error_text(c));
    ck_assert_msg(op == NULL || strcmp(t->op->name, op) == 0, "%s: %s", name, t->op->name);
    ck_assert_msg(pithp_shape_eq(t->shape, shape), "%s: the shape is another", name);
}

static void efnet_taps(const char *last)
{
    is("stem", last ? last : "relu6", PITH_SHAPE(1, 48, 48, 16));
    is("blocks.0.0", last ? last : "add", PITH_SHAPE(1, 48, 48, 16));
    is("blocks.2", last ? last : "add", PITH_SHAPE(1, 12, 12, 40));
    is("blocks.2.0", NULL, PITH_SHAPE(1, 12, 12, 40));
    is("blocks.2.0.expand", last ? last : "relu6", PITH_SHAPE(1, 24, 24, 96));
    is("blocks", last ? last : "add", PITH_SHAPE(1, 3, 3, 112));
    is("classifier", last ? last : "dense", PITH_SHAPE(1, 2));
}

START_TEST(by_name) { efnet_taps(NULL); }
END_TEST

/* Quantization puts nodes behind and beside those that were there; what leaves a block is what it was, quantized. */
START_TEST(quantized)
{
    ck_assert_msg(pith_qat(m, (pith_quant_cfg){ 0 }) == PITH_OK, "%s", pith_error_text(c));
    efnet_taps("fake_quant");
}
END_TEST

START_TEST(losses_do_not_count)
{
    const pith_tensor *was = pith_tap(m, "blocks.2");
    pith_named(pith_sum(pith_tap(m, "blocks.2")), "blocks.2.sum");
    ck_assert_ptr_eq(pith_tap(m, "blocks.2"), was);
}
END_TEST

START_TEST(nearest)
{
    ck_assert_ptr_null(pith_tap(m, "block.2"));
    ck_assert_int_eq(pith_ctx_status(c), PITH_ENOTFOUND);
    ck_assert_msg(strstr(pith_error_text(c), "'block.2'; the nearest names are 'blocks.2', ") != NULL, "%s",
                  pith_error_text(c));
    pith_ctx_clear(c);
    ck_assert_ptr_null(pith_tap(m, "clasifier"));
    ck_assert_msg(strstr(pith_error_text(c), "'classifier'") != NULL, "%s", pith_error_text(c));
    pith_ctx_clear(c);
    ck_assert_ptr_null(pith_tap(m, "stem.conv.weight")); /* a parameter is no result */
    pith_ctx_clear(c);
    ck_assert_ptr_null(pith_tap(m, ""));
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
}
END_TEST

static pith_tensor *nameless(pith_model *model, pith_tensor *x, void *user)
{
    (void)model, (void)user;
    return pith_flatten(pith_relu(x));
}

START_TEST(no_names)
{
    pith_model *n = pith_model_new(c, nameless, NULL, PITH_SHAPE(2, 2, 1));
    ck_assert_ptr_null(pith_tap(n, "x"));
    ck_assert_msg(strstr(pith_error_text(c), "have no names") != NULL, "%s", pith_error_text(c));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tap");
    TCase *t = suite_case(s, "taps");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, by_name);
    tcase_add_test(t, quantized);
    tcase_add_test(t, losses_do_not_count);
    tcase_add_test(t, nearest);
    tcase_add_test(t, no_names);
    return suite_run("tap", s);
}
