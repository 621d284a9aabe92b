/* tests/test_ops.c: every op of ops.def, in float: its naive twin, 1 against N threads, failing memory, operands that do
   not fit, fused against unfused plans. Gradients are test_ops_grad.c's, what no sample can say is test_op_rules.c's. */
#include "op_sample.h"
#include "suite.h"
#include "fail_alloc.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP 3

static pith_plan *plan_of(op_case *k, bool train, bool no_fuse)
{
    pith_tensor *targets[] = { k->loss, k->out };
    pith_plan *p = pith_plan_new(targets, 2, (pith_plan_cfg){ .train = train, .no_fuse = no_fuse });
    ck_assert_msg(p != NULL, "%s", op_text(k));
    return p;
}

static const pith_real *forward(op_case *k, pith_plan *p)
{
    ck_assert_msg(pith_plan_forward(p, 0, STEP) == PITH_OK, "%s", op_text(k));
    return pith_plan_value(p, k->out);
}

/* ---- Against the naive twin, training and inference ---- */
static void check_values(op_case *k, bool train)
{
    int64_t n = pith_size(k->out);
    double *y = malloc((size_t)n * sizeof *y), *terms = malloc((size_t)n * sizeof *terms);
    bool known = k->sample->twin(k, train, y, terms); /* before the run, which may move running statistics */
    const pith_real *v = forward(k, plan_of(k, train, false));
    for (int64_t i = 0; i < n && known; i++)
        suite_check(fabs((double)v[i] - y[i]) <= 1e-5 * terms[i],
                    "%s: %s value %lld of %lld is %.9g, twin %.9g (%g)", op_text(k),
                    train ? "training" : "inference", (long long)i, (long long)n, (double)v[i], y[i],
                    terms[i]);
    free(y);
    free(terms);
}

static void check_twin(const op_sample *s, int index, bool big)
{
    op_case k;
    ck_assert_msg(op_open(&k, s, index, (op_open_cfg){ .big = big }), "%s", op_text(&k));
    check_values(&k, false);
    check_values(&k, true);
    op_close(&k);
}

START_TEST(twins)
{
    const op_sample *s = op_samples[_i];
    for (int index = 0; index < op_case_count(s); index++)
        check_twin(s, index, false);
    for (int index = 0; index < 6; index++)
        check_twin(s, index, true);
}
END_TEST

/* ---- The bits do not depend on the number of threads ---- */
typedef struct {
    size_t bytes;
    char *data;
} blob;

static void append(blob *b, const void *data, int64_t n)
{
    size_t bytes = (size_t)n * sizeof(pith_real);
    b->data = realloc(b->data, b->bytes + bytes);
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
}

/* Result, loss, gradients and what was state, one after the other. */
static blob everything(const op_sample *s, int index, op_open_cfg cfg, bool no_fuse)
{
    op_case k;
    blob b = { 0 };
    ck_assert_msg(op_open(&k, s, index, cfg), "%s", op_text(&k));
    pith_plan *p = plan_of(&k, true, no_fuse);
    append(&b, forward(&k, p), pith_size(k.out));
    append(&b, pith_plan_value(p, k.loss), 1);
    if (p->n_back > 0)
        ck_assert_msg(pith_plan_backward(p) == PITH_OK, "%s", op_text(&k));
    for (int i = 0; i < PITH_OP_MAX_IN; i++) {
        if (k.diff[i] && pith_grad(k.in[i]))
            append(&b, pith_grad(k.in[i]), pith_size(k.in[i]));
        else if (k.in[i] && pith_dtype_of(k.in[i]) == PITH_F32)
            append(&b, pith_values(k.in[i]), pith_size(k.in[i]));
    }
    op_close(&k);
    return b;
}

START_TEST(threads)
{
    static const int counts[] = { 2, 3, 8 };
    const op_sample *s = op_samples[_i];
    for (int index = 0; index < 9; index++) {
        bool big = index % 3 != 0;
        blob one = everything(s, index, (op_open_cfg){ .threads = 1, .big = big }, false);
        for (size_t t = 0; t < PITHP_LEN(counts); t++) {
            blob many = everything(s, index, (op_open_cfg){ .threads = counts[t], .big = big }, false);
            ck_assert_uint_eq(one.bytes, many.bytes);
            ck_assert_msg(memcmp(one.data, many.data, one.bytes) == 0,
                          "%s case %d: other bits with %d threads", s->name, index, counts[t]);
            free(many.data);
        }
        free(one.data);
    }
}
END_TEST

/* ---- Every allocation fails once ---- */
/* False if an allocation failed and was reported as it should be. */
static bool survives(const op_sample *s, int index, fail_hook *h)
{
    op_case k;
    bool ok = op_open(&k, s, index, (op_open_cfg){ FAIL_ALLOC(h) });
    if (!k.c) {
        ck_assert_msg(h->fail_at <= h->made && h->live == 0, "%s: allocation %ld: no context", s->name,
                      h->fail_at);
        return false;
    }
    pith_tensor *targets[] = { k.loss, k.out };
    pith_plan *p = ok ? pith_plan_new(targets, 2, (pith_plan_cfg){ .train = true }) : NULL;
    if (p) {
        long before = h->made;
        pith_plan_forward(p, 0, STEP);
        if (p->n_back > 0)
            pith_plan_backward(p);
        ck_assert_msg(h->made == before, "%s: a run allocates", op_text(&k));
    } else {
        ck_assert_msg(pith_ctx_status(k.c) == PITH_ENOMEM, "%s: allocation %ld failed, status %s",
                      op_text(&k), h->fail_at, pith_status_name(pith_ctx_status(k.c)));
        pith_ctx_clear(k.c); /* and the context stays usable */
        pith_tensor *x = pith_scalar(k.c, 2), *y = pith_square(x);
        ck_assert_msg(pith_run(y) == PITH_OK && pith_item(y) == 4, "%s: after allocation %ld", op_text(&k),
                      h->fail_at);
    }
    op_close(&k);
    ck_assert_msg(h->live == 0, "%s case %d: %ld pieces leaked after allocation %ld failed", s->name, index,
                  h->live, h->fail_at);
    return p != NULL;
}

START_TEST(memory)
{
    const op_sample *s = op_samples[_i];
    for (int index = 0; index < OP_VIA_COUNT; index += OP_VIA_COUNT - 1) {
        fail_hook h = { .fail_at = 1 };
        while (!survives(s, index, &h))
            h = (fail_hook){ .fail_at = h.fail_at + 1 };
        ck_assert_int_gt(h.fail_at, 5);
    }
}
END_TEST

/* ---- Operands that do not fit ---- */
START_TEST(refusals)
{
    const op_sample *s = op_samples[_i];
    for (int i = 0; i < s->bads; i++) {
        op_case k = { .sample = s, .index = i };
        k.c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
        pith_tensor *y = s->bad(&k, i);
        pith_status e = pith_ctx_status(k.c);
        const char *text = pith_error_text(k.c);
        ck_assert_msg(e == PITH_ESHAPE || e == PITH_EINVAL, "%s refusal %d: status %s", s->name, i,
                      pith_status_name(e));
        ck_assert_msg(y && y->poison, "%s refusal %d: not the poison tensor", s->name, i);
        ck_assert_msg(strstr(text, s->name) != NULL, "%s refusal %d: no name in '%s'", s->name, i, text);
        ck_assert_msg(e != PITH_ESHAPE || strstr(text, "operands: "), "%s refusal %d: no shapes in '%s'",
                      s->name, i, text);
        ck_assert_msg(pith_relu(y) == y, "an op on poison is not poison");
        op_close(&k);
    }
}
END_TEST

/* ---- Fused steps ---- */
START_TEST(fused)
{
    const op_sample *s = op_samples[_i];
    for (int index = 0; s->fused && index < op_case_count(s); index++) {
        op_case k;
        ck_assert_msg(op_open(&k, s, index, (op_open_cfg){ 0 }), "%s", op_text(&k));
        for (int train = 0; train < 2; train++) {
            ck_assert_msg(op_in_plan(plan_of(&k, train, false), s->fused) == (train || !s->train_only),
                          "%s: not fused, or where it should not be", op_text(&k));
            ck_assert_msg(!op_in_plan(plan_of(&k, train, true), s->fused), "%s: fused all the same",
                          op_text(&k));
        }
        op_close(&k);
        blob a = everything(s, index, (op_open_cfg){ 0 }, false),
             b = everything(s, index, (op_open_cfg){ 0 }, true);
        const pith_real *x = (const pith_real *)(void *)a.data, *y = (const pith_real *)(void *)b.data;
        ck_assert_uint_eq(a.bytes, b.bytes);
        double most = 0; /* gradients are sums over rows: held against the greatest of them all */
        for (size_t i = 0; i < a.bytes / sizeof *x; i++)
            most = fmax(most, fabs((double)y[i]));
        for (size_t i = 0; i < a.bytes / sizeof *x; i++)
            suite_check(fabs((double)x[i] - (double)y[i]) <= 1e-5 * most,
                        "%s case %d: value %zu is %.9g, unfused %.9g", s->name, index, i, (double)x[i],
                        (double)y[i]);
        free(a.data);
        free(b.data);
    }
}
END_TEST

int main(void)
{
    /* Holds the BLAS library open, so that the thousands of contexts below need not load it each time. */
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    Suite *s = suite_create("ops");
    TCase *t = suite_case(s, "samples");
    tcase_add_loop_test(t, twins, 0, op_samples_n);
    tcase_add_loop_test(t, threads, 0, op_samples_n);
    tcase_add_loop_test(t, memory, 0, op_samples_n);
    tcase_add_loop_test(t, refusals, 0, op_samples_n);
    tcase_add_loop_test(t, fused, 0, op_samples_n);
    int status = suite_run("ops", s);
    pith_ctx_free(c);
    return status;
}
