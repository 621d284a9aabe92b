/* tests/test_ops_grad.c: every op's gradient against central differences, in double: eps 1e-6, |a - n| <= 1e-7 + 1e-5 |n|.
   Linked with the engine compiled in double. */
#include "op_sample.h"
#include "suite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP   3  /* of dropout's mask */
#define LOOKED 24 /* elements of an operand */
#define EPS    1e-6

_Static_assert(sizeof(pith_real) == sizeof(double), "this test is for the library compiled in double");

static double loss_at(op_case *k, pith_plan *p)
{
    suite_check(pith_plan_forward(p, 0, STEP) == PITH_OK, "%s", op_text(k));
    return *(const double *)pith_plan_value(p, k->loss);
}

static void check_operand(op_case *k, pith_plan *p, int i, const double *grad)
{
    double *x = pith_values(k->in[i]);
    int64_t n = pith_size(k->in[i]);
    for (int64_t look = 0; look < PITHP_MIN(n, LOOKED); look++) {
        int64_t j = n <= LOOKED ? look : op_int(k, 0, n - 1);
        double x0 = x[j];
        x[j] = x0 + EPS;
        double up = loss_at(k, p);
        x[j] = x0 - EPS;
        double down = loss_at(k, p), want = (up - down) / (2 * EPS);
        x[j] = x0;
        suite_check(fabs(grad[j] - want) <= 1e-7 + 1e-5 * fabs(want),
                    "%s: dL/din%d[%lld] is %.10g, differences say %.10g", op_text(k), i, (long long)j,
                    grad[j], want);
    }
}

static void check_surrogate(op_case *k, int i, const double *grad)
{
    int64_t n = pith_size(k->in[i]);
    double *want = calloc((size_t)n, sizeof *want);
    k->sample->surrogate(k, i, want);
    for (int64_t j = 0; j < n; j++)
        suite_check(fabs(grad[j] - want[j]) <= 1e-12 * (1 + fabs(want[j])),
                    "%s: dL/din%d[%lld] is %.10g, not %.10g", op_text(k), i, (long long)j, grad[j], want[j]);
    free(want);
}

/* A gradient for each operand that wants one, copied. */
static void backward(op_case *k, pith_plan *p, double *grad[PITH_OP_MAX_IN])
{
    for (int twice = 0; twice < 2; twice++) { /* a second pass must find nothing left over from the first */
        pith_zero_grad(k->c);
        ck_assert_int_eq(pith_plan_forward(p, 0, STEP), PITH_OK);
        ck_assert_msg(pith_plan_backward(p) == PITH_OK, "%s", op_text(k));
    }
    for (int i = 0; i < PITH_OP_MAX_IN; i++) {
        grad[i] = NULL;
        if (!k->diff[i])
            continue;
        size_t bytes = (size_t)pith_size(k->in[i]) * sizeof(double);
        ck_assert_msg(pith_grad(k->in[i]) != NULL, "%s: operand %d has no gradient", op_text(k), i);
        grad[i] = malloc(bytes);
        memcpy(grad[i], pith_grad(k->in[i]), bytes);
    }
}

static void check_case(const op_sample *s, int index, bool no_fuse, bool keep)
{
    op_case k;
    double *grad[PITH_OP_MAX_IN];
    ck_assert_msg(op_open(&k, s, index, (op_open_cfg){ 0 }), "%s", op_text(&k));
    if (keep)
        pith_keep(k.out);
    pith_plan *p = pith_plan_new(&k.loss, 1, (pith_plan_cfg){ .train = true, .no_fuse = no_fuse });
    ck_assert_msg(p != NULL, "%s", op_text(&k));
    if (p->n_back > 0) /* only stop_gradient may leave nothing to do */
        backward(&k, p, grad);
    ck_assert(p->n_back > 0 || s->surrogate);
    for (int i = 0; i < PITH_OP_MAX_IN && p->n_back > 0; i++) {
        if (grad[i] && s->surrogate)
            check_surrogate(&k, i, grad[i]);
        else if (grad[i])
            check_operand(&k, p, i, grad[i]);
        free(grad[i]);
    }
    op_close(&k);
}

START_TEST(gradients)
{
    const op_sample *s = op_samples[_i];
    for (int index = 0; index < op_case_count(s); index++)
        check_case(s, index, false, index / OP_VIA_COUNT % 2);
}
END_TEST

START_TEST(gradients_unfused)
{
    const op_sample *s = op_samples[_i];
    for (int index = 0; s->fused && index < op_case_count(s); index++)
        check_case(s, index, true, false);
}
END_TEST

int main(void)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 }); /* holds the BLAS library open */
    Suite *s = suite_create("ops_grad");
    TCase *t = suite_case(s, "gradients");
    tcase_add_loop_test(t, gradients, 0, op_samples_n);
    tcase_add_loop_test(t, gradients_unfused, 0, op_samples_n);
    int status = suite_run("ops_grad", s);
    pith_ctx_free(c);
    return status;
}
