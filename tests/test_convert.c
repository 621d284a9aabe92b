/* What is left of a network quantized while training when it is converted: the same integers, and nothing else. */
#include "file/model_file.h"
#include "graph/model.h"
#include "graph/rewrite.h"
#include "fail_alloc.h"
#include "quant_help.h"
#include "quant_nets.h"

#include <pith/pith.h>

static int count_ops(const pith_model *m, const char *op)
{
    int n = 0;
    for (size_t i = 0; i < m->g->n; i++)
        n += m->g->nodes[i]->op != NULL && strcmp(m->g->nodes[i]->op->name, op) == 0;
    return n;
}

static void convert(fit_setup *s, pith_model *m)
{
    ck_assert_msg(pith_qat_convert(m) == PITH_OK, "%s", pith_error_text(s->c));
}

static void same_integers(pith_model *a, pith_model *b)
{
    pith_real *x = by_integers(a), *y = by_integers(b);
    ck_assert_mem_eq(x, y, sizeof *x * MANY * (size_t)pith_size(pith_model_output(a)));
    free(x);
    free(y);
}

static int64_t packed(fit_setup *s, pith_model *m)
{
    pith_pack_sizes z;
    ck_assert_msg(pith_model_pack(m, fit_path("c.pack"), &z) == PITH_OK, "%s", pith_error_text(s->c));
    return z.packed;
}

static const pith_quant_cfg kinds[] = {
    { .observe_steps = 4 },
    { .observe_steps = 4, .freeze_bn = 8, .conv_per_tensor = true, .dense_per_channel = true },
    { .observe_steps = 4, .lsq = 1 },
    { .observe_steps = 4, .bits_weights = 4 },
    { .observe_steps = 4, .bits_weights = 2, .bits_activations = 4, .bits_ends = -1 },
    { .observe_steps = 4, .bits_weights = 4, .skip = "head" },
};

/* Weights of b bits must not take more than b bits each, beside what the network needs for its biases, scales and names. */
START_TEST(same_but_smaller)
{
    fit_setup s = trained();
    const int bits = kinds[_i].bits_weights ? kinds[_i].bits_weights : 8;
    ck_assert_msg(pith_qat(s.m, kinds[_i]) == PITH_OK, "%s", pith_error_text(s.c));
    fit(&s, 2, 0.005);
    pith_model *m = pith_model_clone(s.m);
    convert(&s, m);
    ck_assert_int_eq(count_ops(m, "folded_batch_norm") + count_ops(m, "fold_weight"), 0);
    ck_assert_int_eq(count_ops(m, "fake_quant"), count_ops(s.m, "fake_quant"));
    if (kinds[_i].skip == NULL)
        same_integers(s.m, m);
    int64_t was = packed(&s, s.m), is = packed(&s, m), n = pith_model_info(m).parameters;
    ck_assert_msg(is < was - n * (32 - bits) / 8 / 2, "%d bits: packed %lld bytes, converted %lld", bits,
                  (long long)was, (long long)is);

    /* what was saved is what is read */
    ck_assert_int_eq(pith_model_save(m, fit_path("c.pith"), false), PITH_OK);
    pith_model *loaded = pith_model_load(s.c, fit_path("c.pith"));
    ck_assert_msg(loaded != NULL, "%s", pith_error_text(s.c));
    if (kinds[_i].skip == NULL)
        same_integers(s.m, loaded);
    convert(&s, loaded); /* nothing is left to do */
    if (kinds[_i].skip == NULL)
        same_integers(s.m, loaded);
    s.m = loaded;
    fit(&s, 1, 0.001); /* and it trains on */
    pith_ctx_free(s.c);
}
END_TEST

/* Masks hold on, and zeros are zeros. */
START_TEST(keeps_masks)
{
    fit_setup s = trained();
    pith_prune_cfg p = { .target = 0.6, .layers = "head=0.6" };
    ck_assert_msg(pith_prune(s.m, s.d, p) == PITH_OK, "%s", pith_error_text(s.c));
    ck_assert_int_eq(pith_qat(s.m, (pith_quant_cfg){ .observe_steps = 4 }), PITH_OK);
    fit(&s, 1, 0.005);
    pith_model *m = pith_model_clone(s.m);
    convert(&s, m);
    same_integers(s.m, m);
    int64_t zeros = 0, was = 0;
    pith_layer_facts f;
    for (int i = 0; pith_model_layer(s.m, i, &f); i++)
        was += f.zeros;
    for (int i = 0; pith_model_layer(m, i, &f); i++)
        zeros += f.zeros;
    ck_assert_int_gt(was, 100);
    ck_assert_int_ge(zeros, was);
    int64_t held = 0, held_before = 0;
    for (int i = 0; i < m->n_param_nodes; i++)
        held += m->params[i]->mask != NULL ? pithp_mask_zeros(m->params[i]) : 0;
    for (int i = 0; i < s.m->n_param_nodes; i++)
        held_before += s.m->params[i]->mask != NULL ? pithp_mask_zeros(s.m->params[i]) : 0;
    ck_assert_int_eq(held, held_before);
    pith_ctx_free(s.c);
}
END_TEST

/* Each allocation fails once: an error, the model as it was, nothing held. */
START_TEST(memory_runs_out)
{
    fit_setup s = trained();
    ck_assert_int_eq(pith_qat(s.m, (pith_quant_cfg){ .observe_steps = 4 }), PITH_OK);
    fit(&s, 1, 0.005);
    ck_assert_int_eq(pith_model_save(s.m, fit_path("q.pith"), false), PITH_OK);
    pith_real *want = by_integers(s.m);
    bool done = false;
    for (long at = 1; !done; at++) {
        fail_hook h = { 0 };
        pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ FAIL_ALLOC(&h) });
        ck_assert(c != NULL);
        pith_model *m = pith_model_load(c, fit_path("q.pith"));
        ck_assert(m != NULL);
        h.fail_at = h.made + at;
        done = pith_qat_convert(m) == PITH_OK;
        ck_assert(done || pith_ctx_status(c) == PITH_ENOMEM);
        done = done && h.made < h.fail_at;
        h.fail_at = 0;
        pith_ctx_clear(c);
        if (at % 16 == 1 || done) {
            pith_real *is = by_integers(m);
            ck_assert_mem_eq(is, want, sizeof *is * MANY * 2);
            free(is);
        }
        pith_ctx_free(c);
        ck_assert_int_eq(h.live, 0);
    }
    free(want);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(refuses_floats)
{
    fit_setup s = fit_begin(2);
    expect_in(s.c, pith_qat_convert(s.m), PITH_EINVAL, "is not quantized");
    ck_assert_int_eq(pith_qat_convert(NULL), PITH_EINVAL);
    pith_ctx_free(s.c);
}
END_TEST

/* ---- Graphs such as a file may hold: numbers that passes want to read are computed by an op ---- */
typedef struct {
    const char *op;
    int operand;
} doubled;

/* The operand p of such an op becomes p + p. */
static pith_tensor *record_doubled(pithp_rewrite *r, const pith_tensor *t, void *user)
{
    const doubled *w = user;
    if (t->op == NULL || strcmp(t->op->name, w->op) != 0)
        return pithp_rewrite_copy(r, t);
    pith_tensor *in[PITH_OP_MAX_IN];
    for (int i = 0; i < t->n_in; i++)
        in[i] = pithp_rewrite_in(r, t, i);
    in[w->operand] = pith_add(in[w->operand], in[w->operand]);
    return pith_op_apply(t->op, t->attr, t->name, t->n_in, in);
}

static pith_model *with_doubled(const pith_model *m, const char *op, int operand)
{
    doubled w = { op, operand };
    return pithp_model_map(m, record_doubled, &w);
}

START_TEST(computed_numbers)
{
    fit_setup s = trained();
    const pith_quant_cfg halves = { .scheme = PITH_SCHEME_FLOAT16 };
    for (int operand = 1; operand <= 2; operand++) {
        pith_model *m = with_doubled(s.m, "batch_norm", operand);
        ck_assert_msg(m != NULL, "%s", pith_error_text(s.c));
        expect_in(s.c, pith_quantize(m, s.d, (pith_quant_cfg){ 0 }), PITH_EINVAL, "computed by an op");
        expect_in(s.c, pith_quantize(m, NULL, halves), PITH_EINVAL, "computed by an op");
        expect_in(s.c, pith_qat(m, (pith_quant_cfg){ 0 }), PITH_EINVAL, "op");
        ck_assert_int_ge(pith_model_round_half(m), 0);
        pith_model_free(m);
    }
    for (int operand = 3; operand <= 4; operand++) {
        ck_assert(with_doubled(s.m, "batch_norm", operand) == NULL);
        expect_in(s.c, pith_ctx_status(s.c), PITH_EINVAL, "is state");
    }
    ck_assert_int_eq(pith_qat_from(s.m, s.d, (pith_quant_cfg){ .samples = 32 }), PITH_OK);
    fit(&s, 1, 0.005);
    pith_integer_facts f;
    pith_model *norm = with_doubled(s.m, "folded_batch_norm", 1), *bias = with_doubled(s.m, "dense", 2);
    ck_assert_msg(norm != NULL && bias != NULL, "%s", pith_error_text(s.c));
    expect_in(s.c, pith_integer_info(norm, &f), PITH_EINVAL, "computed by an op");
    expect_in(s.c, pith_qat_convert(norm), PITH_EINVAL, "computed by an op");
    expect_in(s.c, pith_integer_info(bias, &f), PITH_EINVAL, "layer 'head'");
    ck_assert(with_doubled(s.m, "fake_quant", 2) == NULL);
    expect_in(s.c, pith_ctx_status(s.c), PITH_EINVAL, "is state");
    pith_model *scale = with_doubled(s.m, "fake_quant", 1); /* no quantized model, but it runs */
    ck_assert_msg(scale != NULL && !pith_model_is_quantized(scale), "%s", pith_error_text(s.c));
    ck_assert_int_ne(pith_integer_info(scale, &f), PITH_OK);
    pith_ctx_clear(s.c);
    pith_eval_result r;
    ck_assert_int_eq(pith_evaluate(scale, s.d, PITH_VAL, 16, &r), PITH_OK);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("convert");
    tcase_add_loop_test(suite_case(s, "same_but_smaller"), same_but_smaller, 0, PITHP_LEN(kinds));
    suite_test(s, "keeps_masks", keeps_masks);
    suite_test(s, "refuses_floats", refuses_floats);
    suite_test(s, "computed_numbers", computed_numbers);
    suite_test(s, "memory_runs_out", memory_runs_out);
    return suite_run("convert", s);
}
