/* tests/test_op_rules.c: what the ops promise beyond values and gradients: names, ties, NaN, dropout's mask, running
   statistics, residuals, numbers of samples. */
#include "op_sample.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(names)
{
    for (size_t i = 0; i < pithp_op_table_n; i++) {
        const pith_op *op = pithp_op_table[i];
        ck_assert_int_eq(strspn(op->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(op->name));
        ck_assert_str_eq(op->name, op_samples[i]->name);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(op->name, pithp_op_table[j]->name);
        ck_assert(op->attr_size == 0 || op->fields ||
                  op_samples[i]->fused); /* else a model file could not hold it */
    }
}
END_TEST

START_TEST(dropout_mask)
{
    enum { N = 40001 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 5 });
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(N), NULL);
    for (int i = 0; i < N; i++)
        ((pith_real *)pith_values(x))[i] = 1;
    pith_tensor *a = pith_keep(pith_dropout(x, 0.3)), *b = pith_keep(pith_dropout(x, 0.3));
    pith_tensor *loss = pith_sum(pith_add(a, b));
    pith_plan *p = pith_plan_new(&loss, 1, (pith_plan_cfg){ .train = true });
    pith_real *first = malloc(N * sizeof *first);
    ck_assert_int_eq(pith_plan_forward(p, 0, 1), PITH_OK);
    const pith_real *va = pith_plan_value(p, a), *vb = pith_plan_value(p, b);
    int dropped = 0, same = 0;
    for (int i = 0; i < N; i++) {
        suite_check(va[i] == 0 || fabs((double)va[i] - 1 / 0.7) < 1e-6, "element %d is %g", i, (double)va[i]);
        dropped += va[i] == 0;
        same += (va[i] == 0) == (vb[i] == 0);
        first[i] = va[i];
    }
    ck_assert_int_lt(abs(dropped - 3 * N / 10), 500); /* 5.5 deviations */
    ck_assert_int_lt(abs(same - 58 * N / 100), 500);  /* independent nodes agree with 0.7^2 + 0.3^2 */
    pith_plan_forward(p, 0, 2);
    ck_assert(memcmp(first, va, N * sizeof *first) != 0);
    pith_plan_forward(p, 0, 1);
    ck_assert(memcmp(first, va, N * sizeof *first) == 0);
    free(first);
    pith_ctx_free(c);
}
END_TEST

/* Whole samples, each on its own, at the rate asked for; another step draws others. */
START_TEST(drop_connect_mask)
{
    enum { N = 4000, EACH = 3 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 5 });
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(N, EACH), NULL);
    for (int i = 0; i < N * EACH; i++)
        ((pith_real *)pith_values(x))[i] = 1;
    pith_tensor *y = pith_keep(pith_drop_connect(x, 0.2)), *loss = pith_sum(y);
    pith_plan *p = pith_plan_new(&loss, 1, (pith_plan_cfg){ .train = true });
    bool was[N];
    int dropped = 0, changed = 0;
    for (int step = 1; step <= 2; step++) {
        ck_assert_int_eq(pith_plan_forward(p, 0, (uint64_t)step), PITH_OK);
        const pith_real *v = pith_plan_value(p, y);
        for (int n = 0; n < N; n++) {
            bool drop = v[n * EACH] == 0;
            for (int i = 0; i < EACH; i++)
                suite_check(fabs((double)v[n * EACH + i] - (drop ? 0 : 1.25)) < 1e-6, "sample %d is %g", n,
                            (double)v[n * EACH + i]);
            dropped += drop;
            changed += step == 2 && drop != was[n];
            was[n] = drop;
        }
    }
    ck_assert_int_lt(abs(dropped - 2 * N / 5), 200);    /* 5.6 deviations */
    ck_assert_int_lt(abs(changed - 32 * N / 100), 200); /* 2 * 0.2 * 0.8 */
    pith_ctx_free(c);
}
END_TEST

/* running = (1 - momentum) running + momentum batch, the variance unbiased; frozen and inference leave it alone. */
START_TEST(running_statistics)
{
    const double data[] = { 1, 2, 4, 9 };
    for (int how = 0; how < 3; how++) { /* training, frozen, inference */
        pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
        pith_tensor *v[5] = { pith_leaf(c, PITH_F32, PITH_SHAPE(4, 1), NULL) };
        for (int i = 1; i < 5; i++)
            v[i] = pith_leaf(c, PITH_F32, PITH_SHAPE(1), &(pith_real){ 1 });
        for (int i = 0; i < 4; i++)
            ((pith_real *)pith_values(v[0]))[i] = (pith_real)data[i];
        pith_tensor *y = pith_batch_norm(v[0], v[1], v[2], v[3], v[4],
                                         (pith_batch_norm_cfg){ .momentum = 0.25, .frozen = how == 1 });
        pith_plan *p = pith_plan_new(&y, 1, (pith_plan_cfg){ .train = how < 2 });
        ck_assert_int_eq(pith_plan_forward(p, 0, 0), PITH_OK);
        double mean = *(pith_real *)pith_values(v[3]), var = *(pith_real *)pith_values(v[4]);
        ck_assert_double_eq_tol(mean, how ? 1 : 0.75 + 0.25 * 4, 1e-6);
        ck_assert_double_eq_tol(var, how ? 1 : 0.75 + 0.25 * 38 / 3, 1e-6);
        pith_ctx_free(c);
    }
}
END_TEST

/* The first of equal greatest elements gets the gradient; so does relu's kink get none. */
START_TEST(ties)
{
    const pith_real data[] = { 1, 3, 3, 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(1, 2, 2, 1), data);
    pith_require_grad(x);
    pith_tensor *losses[] = { pith_max(x),
                              pith_sum(pith_maxpool(x, (pith_pool_cfg){ .kernel = 2 })),
                              pith_sum(pith_relu(pith_scale(x, 1, -3))),
                              pith_sum(pith_abs(pith_scale(x, 1, -3))),
                              pith_sum(pith_clip(x, 1, 3)),
                              pith_sum(pith_relu6(pith_scale(x, 2, 0))) };
    const pith_real want[][4] = { { 0, 1, 0, 0 },   { 0, 1, 0, 0 }, { 0, 0, 0, 0 },
                                  { -1, 0, 0, -1 }, { 1, 1, 1, 0 }, { 2, 0, 0, 0 } };
    for (size_t i = 0; i < PITHP_LEN(losses); i++) {
        pith_zero_grad(c);
        ck_assert_int_eq(pith_backward(losses[i]), PITH_OK);
        for (int j = 0; j < 4; j++)
            ck_assert_msg(pith_grad(x)[j] == want[i][j], "loss %zu, element %d: %g", i, j,
                          (double)pith_grad(x)[j]);
    }
    pith_ctx_free(c);
}
END_TEST

/* The residual may be the convolution's own input. */
START_TEST(residual_of_itself)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_tensor *x = pith_param(c, PITH_SHAPE(2, 3, 3, 4)), *w = pith_param(c, PITH_SHAPE(4, 1, 1, 4)), *v[4];
    for (int i = 0; i < 72; i++)
        ((pith_real *)pith_values(x))[i] = (pith_real)sin(i);
    for (int i = 0; i < 16; i++)
        ((pith_real *)pith_values(w))[i] = (pith_real)cos(i);
    for (int i = 0; i < 4; i++)
        v[i] = pith_leaf(c, PITH_F32, PITH_SHAPE(4), (pith_real[]){ 1, 1, 1, 1 });
    for (int via = 0; via < 2; via++) {
        pith_tensor *in = via ? pith_scale(x, 1, 0) : x;
        pith_tensor *z = pith_batch_norm(pith_conv2d(in, w, NULL, (pith_conv2d_cfg){ 0 }), v[0], v[1], v[2],
                                         v[3], (pith_batch_norm_cfg){ .frozen = true });
        pith_tensor *loss = pith_sum(pith_square(pith_add(pith_relu6(z), in)));
        pith_real grads[2][72];
        for (int no_fuse = 0; no_fuse < 2; no_fuse++) {
            pith_plan *p = pith_plan_new(&loss, 1, (pith_plan_cfg){ .train = true, .no_fuse = no_fuse });
            ck_assert(op_in_plan(p, &pithp_op_conv_bn_act) == !no_fuse);
            pith_zero_grad(c);
            ck_assert_int_eq(pith_plan_forward(p, 0, 0), PITH_OK);
            ck_assert_int_eq(pith_plan_backward(p), PITH_OK);
            memcpy(grads[no_fuse], pith_grad(x), sizeof grads[0]);
        }
        for (int i = 0; i < 72; i++)
            ck_assert_double_eq_tol((double)grads[0][i], (double)grads[1][i], 1e-4);
    }
    pith_ctx_free(c);
}
END_TEST

/* NaN goes through what picks the greatest. */
START_TEST(not_a_number)
{
    const pith_real data[] = { 1, (pith_real)NAN, 3, 0 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(1, 2, 2, 1), data);
    pith_tensor *y[] = { pith_max(x), pith_maxpool(x, (pith_pool_cfg){ .kernel = 2 }), pith_sum(x),
                         pith_max(pith_relu(x)) };
    for (size_t i = 0; i < PITHP_LEN(y); i++) {
        ck_assert_int_eq(pith_run(y[i]), PITH_OK);
        ck_assert_msg(isnan(pith_item(y[i])), "value %zu hides a NaN: %g", i, pith_item(y[i]));
    }
    pith_ctx_free(c);
}
END_TEST

START_TEST(builders)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(2, 3), NULL);
    ck_assert_ptr_eq(pith_activation(x, PITH_LINEAR), x);
    ck_assert(pith_activation(x, PITH_SIGMOID)->op == &pithp_op_sigmoid);
    ck_assert(pith_activation(x, PITH_SILU)->op == &pithp_op_silu);
    ck_assert(pith_activation(x, (pith_act)17)->poison);
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
    ck_assert_ptr_null(pith_relu(NULL));
    ck_assert_ptr_null(pith_transpose(NULL, NULL));
    ck_assert_ptr_null(pith_pad(NULL, NULL, NULL, 0));
    ck_assert_ptr_null(pith_concat(&x, 0, 0));
    pith_ctx_free(c);
}
END_TEST

/* ---- A recorded graph holds for any number of samples ---- */
static pith_tensor *param(pithp_graph *g, pith_shape s)
{
    static const char *const letters[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    pith_tensor *t = pithp_node_param(g, letters[g->n % 8], s, PITHP_INIT_NORMAL, 0.5, true);
    return t;
}

/* x [1,6,6,4] through most ops that treat samples one by one. */
static pith_tensor *per_sample(pithp_graph *g, pith_tensor *x)
{
    pith_tensor *v[4];
    for (int i = 0; i < 4; i++)
        v[i] = pith_leaf(g->ctx, PITH_F32, PITH_SHAPE(8), (pith_real[]){ 1, 2, 3, 1, 2, 3, 1, 2 });
    pith_tensor *y = pith_conv2d(x, param(g, PITH_SHAPE(8, 3, 3, 4)), NULL, (pith_conv2d_cfg){ .stride = 2 });
    y = pith_relu6(pith_batch_norm(y, v[0], v[1], v[2], v[3], (pith_batch_norm_cfg){ 0 }));
    y = pith_depthwise_conv2d(y, param(g, PITH_SHAPE(1, 3, 3, 8)), param(g, PITH_SHAPE(8)),
                              (pith_conv2d_cfg){ 0 });
    pith_tensor *pooled = pith_maxpool(x, (pith_pool_cfg){ .kernel = 2 });
    y = pith_concat(
        (pith_tensor *[]){ y, pooled, pith_avgpool(x, (pith_pool_cfg){ .kernel = 3, .stride = 2 }) }, 3, -1);
    y = pith_mul(y, pith_sigmoid(pith_mean_axes(y, 6, true))); /* [N,3,3,16] by [N,1,1,16] */
    y = pith_sub(y, pith_max_axes(y, 8, true));
    y = pith_transpose(pith_pad(y, (int[]){ 0, 1, 0, 0 }, (int[]){ 0, 0, 2, 0 }, 0.5), (int[]){ 0, 3, 1, 2 });
    y = pith_softmax(pith_reshape(y, PITH_SHAPE(0, 16, -1)));
    y = pith_add(
        pith_dense(pith_flatten(pith_dropout(y, 0.5)), param(g, PITH_SHAPE(5, 320)), param(g, PITH_SHAPE(5))),
        pith_clip(pith_silu(pith_sum_axes(pith_global_avgpool(x), 2, true)), -3, 3));
    return pith_log_softmax(y);
}

START_TEST(samples)
{
    enum { MOST = 7, IN = 6 * 6 * 4, OUT = 5 };
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3 });
    pithp_graph *g = pithp_ctx_graph(c);
    pith_tensor *x = pithp_node_input(g, "x", PITH_F32, PITH_SHAPE(1, 6, 6, 4)), *y = per_sample(g, x);
    ck_assert_msg(pith_ctx_status(c) == PITH_OK, "%s", pith_error_text(c));
    pith_plan *p = pith_plan_new(&y, 1, (pith_plan_cfg){ .batch = MOST }),
              *one = pith_plan_new(&y, 1, (pith_plan_cfg){ 0 });
    pith_real data[MOST * IN];
    for (int i = 0; i < MOST * IN; i++)
        data[i] = (pith_real)sin(i * 0.7);
    for (int n = 1; n <= MOST; n += 2) {
        ck_assert_int_eq(pith_plan_forward(p, n, 0), PITH_OK); /* binds, so that the input has its place */
        memcpy(pith_plan_input(p, x), data, (size_t)n * IN * sizeof *data);
        ck_assert_int_eq(pith_plan_forward(p, n, 0), PITH_OK);
        for (int i = 0; i < n; i++) {
            memcpy(pith_plan_input(one, x), data + i * IN, IN * sizeof *data);
            ck_assert_int_eq(pith_plan_forward(one, 1, 0), PITH_OK);
            const pith_real *a = (const pith_real *)pith_plan_value(p, y) + i * OUT,
                            *b = pith_plan_value(one, y);
            for (int j = 0; j < OUT; j++)
                suite_check(fabs((double)a[j] - (double)b[j]) <= 1e-5,
                            "sample %d of %d, class %d: %.9g, alone %.9g", i, n, j, (double)a[j],
                            (double)b[j]);
        }
    }
    pith_ctx_free(c);
}
END_TEST

/* A plan for more samples has room for fewer, whatever dimensions then fall together. */
START_TEST(scratch_never_shrinks)
{
    for (uint32_t axes = 1; axes < 16; axes++) {
        size_t before = 0;
        for (int64_t n = 1; n < 40; n++) {
            pithp_nest nest = pithp_reduce_nest(PITH_SHAPE(n, 3, 9001, 5), axes);
            size_t bytes = pithp_reduce_scratch(&nest, 0);
            ck_assert_uint_ge(bytes, before);
            before = bytes;
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("op_rules");
    suite_test(s, "names", names);
    suite_test(s, "dropout_mask", dropout_mask);
    suite_test(s, "drop_connect_mask", drop_connect_mask);
    suite_test(s, "running_statistics", running_statistics);
    suite_test(s, "ties", ties);
    suite_test(s, "residual_of_itself", residual_of_itself);
    suite_test(s, "not_a_number", not_a_number);
    suite_test(s, "builders", builders);
    suite_test(s, "samples", samples);
    suite_test(s, "scratch_never_shrinks", scratch_never_shrinks);
    return suite_run("op_rules", s);
}
