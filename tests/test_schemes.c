/* The schemes beside int8: halves, codebooks, dynamic ranges. */
#include "improve_help.h"
#include "ops/table.h"
#include <pith/ops.h>

static pith_model *saved_and_loaded(const pith_model *m, int64_t *size)
{
    FILE *f;
    ck_assert_int_eq(pith_model_save(m, fit_path("m.pith"), false), PITH_OK);
    f = fopen(fit_path("m.pith"), "rb");
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    fclose(f);
    pith_model *back = pith_model_load(m->ctx, fit_path("m.pith"));
    ck_assert_msg(back != NULL, "%s", pith_error_text(m->ctx));
    return back;
}

static void same_results(const pith_model *a, const pith_model *b, const pithp_images *im)
{
    pith_real *x = values(a, a->output, im), *y = values(b, b->output, im);
    ck_assert_mem_eq(x, y, (size_t)(im->n * pithp_count(a->output->shape)) * sizeof *x);
    free(x), free(y);
}

START_TEST(float16)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    double was = accuracy(&s, s.m);
    pith_model *m = pith_model_clone(s.m);
    ck_assert_msg(pith_quantize(m, NULL, (pith_quant_cfg){ .scheme = PITH_SCHEME_FLOAT16 }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    for (int i = 0; i < m->n_param_nodes; i++)
        for (int64_t k = 0; k < pithp_count(m->params[i]->shape); k++) {
            float v = ((const pith_real *)m->params[i]->value)[k];
            ck_assert_msg(pithp_half_to(pithp_half_from(v)) == v, "%g is no half", (double)v);
        }
    int64_t half, full;
    pith_model *back = saved_and_loaded(m, &half);
    same_results(m, back, &im);
    ck_assert(fabs(accuracy(&s, back) - was) < 0.05);
    ck_assert_int_eq(pith_model_set_meta(m, "quantization", NULL), PITH_OK);
    pith_model_free(saved_and_loaded(m, &full));
    ck_assert_int_ge(full - half, pith_model_info(m).parameters * 2 - 200);
    /* 1e5 is no half: refused, by name, and the model is as it was */
    pith_model *big = pith_model_clone(s.m);
    ((pith_real *)pith_model_find(big, "head.weight")->value)[3] = 1e5F;
    ck_assert_int_eq(pith_quantize(big, NULL, (pith_quant_cfg){ .scheme = PITH_SCHEME_FLOAT16 }),
                     PITH_EINVAL);
    ck_assert_msg(strstr(pith_error_text(s.c), "element 3 of 'head.weight' is 100000"), "%s",
                  pith_error_text(s.c));
    pith_ctx_clear(s.c);
    ck_assert_ptr_null(pith_model_meta(big, "quantization"));
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(codebook)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    pith_real *w = pith_model_find(s.m, "head.weight")->value;
    w[0] = w[5] = 0; /* pruned */
    pith_model *m = pith_model_clone(s.m);
    pith_quant_cfg cfg = { .scheme = PITH_SCHEME_CODEBOOK, .bits_weights = 4, .bits_ends = 3 };
    ck_assert_msg(pith_quantize(m, NULL, cfg) == PITH_OK, "%s", pith_error_text(s.c));
    int ops = 0, bits = 0;
    for (size_t i = 0; i < m->g->n; i++)
        if (m->g->nodes[i]->op == &pithp_op_codebook)
            ops++, bits += (int)pithp_count(m->g->nodes[i]->in[0]->shape) <= 16;
    ck_assert_int_eq(ops, 11); /* stem, three blocks of three, head */
    ck_assert_int_eq(bits, 11);
    int64_t size;
    pith_model *back = saved_and_loaded(m, &size);
    same_results(m, back, &im);
    double before = accuracy(&s, back);
    pith_tensor *index = pith_model_find(back, "head.weight.index"),
                *shared = pith_model_find(back, "head.weight.centroids");
    ck_assert(index && shared && pith_size(shared) <= 8);
    int32_t at[2] = { ((int32_t *)index->value)[0], ((int32_t *)index->value)[5] };
    pith_real old[8];
    memcpy(old, shared->value, (size_t)pith_size(shared) * sizeof *old);
    ck_assert(at[0] == at[1] && old[at[0]] == 0);
    pith_fit_cfg f = { .epochs = 1, .batch = 16, .opt = { .kind = PITH_OPT_ADAMW, .lr = 1e-3 } };
    ck_assert_msg(pith_fit(back, s.d, f) == PITH_OK, "%s", pith_error_text(s.c));
    const pith_real *now = shared->value;
    ck_assert(now[at[0]] == 0); /* a zero stays a zero */
    ck_assert(memcmp(now, old, (size_t)pith_size(shared) * sizeof *old) != 0);
    printf("    accuracy with 4-bit codebooks %.3f, after an epoch of their training %.3f\n", before,
           accuracy(&s, back));
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

START_TEST(dynamic)
{
    fit_setup s = trained();
    pithp_images im = images(&s);
    double was = accuracy(&s, s.m);
    pith_real *y = values(s.m, s.m->output, &im);
    pith_model *m = pith_model_clone(s.m);
    ck_assert_msg(pith_quantize(m, NULL, (pith_quant_cfg){ .scheme = PITH_SCHEME_DYNAMIC }) == PITH_OK, "%s",
                  pith_error_text(s.c));
    int64_t size;
    pith_model *back = saved_and_loaded(m, &size);
    same_results(m, back, &im);
    pith_real *q = values(back, back->output, &im);
    int64_t n = im.n * 2;
    double power = 0;
    for (int64_t i = 0; i < n; i++)
        power += (double)y[i] * (double)y[i];
    double share = squared(y, q, n) / power;
    printf("    dynamic: squared error of the logits %.3g of their power\n", share);
    ck_assert(share > 0 && share < 0.01);
    ck_assert(fabs(accuracy(&s, back) - was) < 0.05);
    free(y), free(q);
    pithp_images_free(s.c, &im);
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("schemes");
    suite_test(s, "float16", float16);
    suite_test(s, "codebook", codebook);
    suite_test(s, "dynamic", dynamic);
    return suite_run("schemes", s);
}
