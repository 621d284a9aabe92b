/* Row kernels, elementwise drivers, batch norm and products: each against its naive twin on every instruction set this
   processor has, and the same bits on any number of threads. Convolutions: test_convs.c; optimisers: test_kernels_opt.c. */
#include "kernels_help.h"

START_TEST(tables)
{
    EACH_ISA(i)
    {
        const pithp_kern *k = pithp_kern_get((pithp_isa)i);
        ck_assert_str_eq(k->isa, pithp_isa_name((pithp_isa)i));
        ck_assert_int_eq(k->lanes * (int)sizeof(pith_real), 16 << i);
    }
}
END_TEST

/* Values that matter to exp, log and the kinks, then random ones; everywhere the result must be within tol of libm's. */
static double special[] = { 0,     -0.0, 1,    -1,   6,     0.625,      -0.625,     1e-30, 1e-40, 88.5,
                            -87.2, -100, 88.8, 1e30, -1e30, 0.70710678, 1.41421356, 3,     -3,    INFINITY };

static void check_unary(int f, int isa, int64_t n, pithp_rand *r)
{
    pithp_env e = env(isa, 1);
    buf x = buf_random(n, r), dy = buf_random(n, r), y = buf_new(n, 1), dx = buf_random(n, r);
    bool positive = f == PITHP_U_SQRT || f == PITHP_U_LOG;
    for (int64_t i = 0; i < n; i++) {
        x.p[i] = i < (int64_t)PITHP_LEN(special) ? (pith_real)special[i]
                                                 : x.p[i] * (pith_real)exp(pithp_rand_normal(r) * 2);
        if (positive)
            x.p[i] = (pith_real)fabs((double)x.p[i]);
    }
    buf was = buf_copy(&dx, false);
    double p0 = f == PITHP_U_CLIP ? -0.75 : 1.5, p1 = 0.5;
    e.k->unary((pithp_unary)f, x.p, n, (pith_real)p0, (pith_real)p1, y.p);
    e.k->unary_grad((pithp_unary)f, x.p, y.p, dy.p, n, (pith_real)p0, (pith_real)p1, dx.p, n % 2);
    for (int64_t i = 0; i < n; i++) {
        double v = (double)x.p[i], want = pithp_ref_unary((pithp_unary)f, v, p0, p1), got = (double)y.p[i];
        if ((f == PITHP_U_SILU || f == PITHP_U_HARD_SWISH) && !isfinite(v))
            continue;
        double size = f == PITHP_U_SCALE ? fabs(v * p0) + p1 : fabs(want);
        pith_real as_real = (pith_real)want;
        bool ok = fabs(got - want) <= 1e-6 * size + 1.2e-38 || (isinf(as_real) && got == (double)as_real);
        ck_assert_msg(ok, "unary %d %s x=%.9g: %.9g, libm %.9g", f, e.k->isa, v, got, want);
        double g = pithp_ref_unary_grad((pithp_unary)f, v, p0, p1) * (double)dy.p[i];
        double old = n % 2 ? (double)was.p[i] : 0;
        if (!isfinite(g) || fabs(g) > 1e30 || fabs(v) > 80 || fabs(v) < 1e-29)
            continue;
        ck_assert_msg(fabs((double)dx.p[i] - (g + old)) <=
                          3e-6 * (fabs(g) + fabs(old) + fabs((double)dy.p[i])),
                      "unary gradient %d %s x=%.9g: %.9g, %.9g", f, e.k->isa, v, (double)dx.p[i], g + old);
    }
    /* a value's result hangs on nothing but the value */
    for (int64_t i = 0; i < n; i++) {
        pith_real one;
        e.k->unary((pithp_unary)f, x.p + i, 1, (pith_real)p0, (pith_real)p1, &one);
        ck_assert_mem_eq(&one, y.p + i, sizeof one);
    }
    buf_free(&x), buf_free(&dy), buf_free(&y), buf_free(&dx), buf_free(&was);
}

START_TEST(unary)
{
    pithp_rand r = test_rand(1);
    EACH_ISA(i)
    for (int f = 0; f < PITHP_U_COUNT; f++)
        for (size_t n = 0; n < PITHP_LEN(widths); n++)
            check_unary(f, i, widths[n] + 20, &r);
}
END_TEST

START_TEST(nan_passes) /* a NaN must come through, or a bad step would look like a good one */
{
    pith_real in = (pith_real)NAN, one = 1, out;
    EACH_ISA(i)
    {
        const pithp_kern *k = pithp_kern_get((pithp_isa)i);
        for (int f = 0; f < PITHP_U_COUNT; f++) {
            k->unary((pithp_unary)f, &in, 1, -1, 1, &out);
            ck_assert_msg(isnan(out), "unary %d, %s", f, k->isa);
        }
        for (int f = 0; f < PITHP_ACT_COUNT; f++) {
            k->affine_act(&in, &one, &one, NULL, false, (pithp_act)f, 1, 1, &out);
            ck_assert_msg(isnan(out), "activation %d, %s", f, k->isa);
        }
    }
    in = -1;
    EACH_ISA(i)
    {
        pithp_kern_get((pithp_isa)i)->unary(PITHP_U_LOG, &in, 1, 0, 0, &out);
        ck_assert(isnan(out));
    }
}
END_TEST

START_TEST(stream) /* a copy, from and to any alignment */
{
    pithp_rand r = test_rand(21);
    EACH_ISA(i)
    for (int64_t n = 0; n < 200; n++) {
        buf x = buf_random(n, &r), y = buf_new(n, n % 17);
        pithp_kern_get((pithp_isa)i)->stream(x.p, n, y.p);
        for (int64_t j = 0; j < n; j++)
            ck_assert_mem_eq(x.p + j, y.p + j, sizeof *x.p);
        buf_free(&x), buf_free(&y);
    }
}
END_TEST

static double binary_of(int f, double a, double b)
{
    return f == PITHP_B_ADD ? a + b : f == PITHP_B_SUB ? a - b : f == PITHP_B_MUL ? a * b : a / b;
}

START_TEST(binary)
{
    pithp_rand r = test_rand(2);
    EACH_ISA(i)
    for (size_t w = 0; w < PITHP_LEN(widths) * 4; w++) {
        int64_t n = widths[w / 4];
        int sa = w & 1, sb = w >> 1 & 1;
        pithp_env e = env(i, 1);
        buf a = buf_random(n, &r), b = buf_random(n, &r), y = buf_new(n, 0), y2 = buf_copy(&b, false);
        for (int f = 0; f < PITHP_B_COUNT; f++) {
            e.k->binary((pithp_binary)f, a.p, sa, b.p, sb, n, y.p);
            for (int64_t j = 0; j < n; j++) {
                double want = binary_of(f, (double)a.p[sa ? j : 0], (double)b.p[sb ? j : 0]);
                ck_assert(fabs((double)y.p[j] - want) <= 1e-6 * fabs(want) + 1e-6 * (f < 2));
            }
        }
        e.k->axpy(PITHP_R(0.5), a.p, n, y2.p);
        double s = 0, d = 0, as = 0, ad = 0;
        for (int64_t j = 0; j < n; j++) {
            double x = (double)a.p[j], z = (double)b.p[j];
            ck_assert(fabs((double)y2.p[j] - (z + 0.5 * x)) <= 1e-6 * (fabs(z) + fabs(x)));
            s += x, as += fabs(x), d += x * z, ad += fabs(x * z);
        }
        ck_assert(fabs((double)e.k->sum(a.p, n) - s) <= TOL * as);
        ck_assert(fabs((double)e.k->dot(a.p, b.p, n) - d) <= TOL * ad);
        buf_free(&a), buf_free(&b), buf_free(&y), buf_free(&y2);
    }
}
END_TEST

START_TEST(drivers) /* flat drivers: several blocks, any number of threads */
{
    pithp_rand r = test_rand(3);
    const int64_t n = 16384 * 5 + 77;
    buf x = buf_random(n, &r), b = buf_random(n, &r), y = buf_new(n, 1), z = buf_new(n, 2);
    double s1 = 0;
    EACH_ISA(i)
    for (int t = 1; t <= 8; t = t < 3 ? t + 1 : t + 5) {
        pithp_env e = env(i, t);
        pith_real *out = t == 1 ? y.p : z.p;
        pithp_run_unary(&e, PITHP_U_TANH, x.p, n, 0, 0, out);
        pithp_run_binary(&e, PITHP_B_MUL, out, 1, b.p, 1, n, out);
        pithp_run_binary(&e, PITHP_B_ADD, out, 1, b.p + 5, 0, n, out);
        pithp_run_axpy(&e, PITHP_R(0.25), x.p, n, out);
        pithp_run_unary_grad(&e, PITHP_U_SIGMOID, x.p, b.p, x.p, n, 0, 0, out, true);
        double s = pithp_run_sum(&e, out, n), want = 0, size = 0;
        if (t == 1)
            s1 = s;
        ck_assert(s == s1);
        ck_assert_mem_eq(out, y.p, (size_t)n * sizeof *out);
        for (int64_t j = 0; j < n && t == 1; j++) {
            double xj = (double)x.p[j], bj = (double)b.p[j];
            double v = tanh(xj) * bj + (double)b.p[5] + 0.25 * xj + xj * bj * (1 - bj);
            ck_assert(fabs((double)out[j] - v) <= 1e-5 * (1 + fabs(v)));
            want += v, size += fabs(v);
        }
        if (t == 1)
            ck_assert(fabs(s - want) <= TOL * size);
    }
    buf_free(&x), buf_free(&b), buf_free(&y), buf_free(&z);
}
END_TEST

/* One shape of everything that works on [rows,C]. */
typedef struct {
    buf y, dz, res, scale, shift, mean, a, b, d, out, s1, s2;
    int64_t rows, c;
} bn_case;

static bn_case bn_new(int64_t rows, int64_t c, pithp_rand *r)
{
    int64_t n = rows * c;
    return (bn_case){ buf_grid(n, 0.0625, 0, r),
                      buf_random(n, r),
                      buf_grid(n, 0.25, 0, r),
                      buf_grid(c, 0.125, 0, r),
                      buf_grid(c, 0.5, 0.001953125, r),
                      buf_random(c, r),
                      buf_random(c, r),
                      buf_random(c, r),
                      buf_random(c, r),
                      buf_random(n, r),
                      buf_new(c, 0),
                      buf_new(c, 1),
                      rows,
                      c };
}

static void bn_free(bn_case *k)
{
    for (buf *b = &k->y; b <= &k->s2; b++)
        buf_free(b);
}

static void check_affine(const bn_case *k, const pithp_env *e, int act, int mode)
{
    int64_t n = k->rows * k->c;
    buf y = buf_new(n, 0);
    const pith_real *res = mode & 1 ? k->res.p : NULL;
    bool first = mode & 2;
    pithp_affine_act(e, k->y.p, k->scale.p, k->shift.p, res, first, (pithp_act)act, k->rows, k->c, y.p);
    for (int64_t i = 0; i < n; i++) {
        double v = (double)k->y.p[i] * (double)k->scale.p[i % k->c] + (double)k->shift.p[i % k->c],
               q = res ? (double)res[i] : 0;
        double want = first ? pithp_ref_act((pithp_act)act, v + q) : pithp_ref_act((pithp_act)act, v) + q;
        ck_assert_msg(fabs((double)y.p[i] - want) <= 2e-6 * (1 + fabs(v) + fabs(q)),
                      "affine_act %d %s: %g, %g", act, e->k->isa, (double)y.p[i], want);
    }
    buf_free(&y);
}

static void check_backward(const bn_case *k, const pithp_env *e, int act, bool add)
{
    int64_t n = k->rows * k->c;
    buf out = buf_copy(&k->out, false), s1 = buf_new(k->c, 0), s2 = buf_new(k->c, 0),
        dza = buf_copy(&k->dz, true);
    buf scratch = buf_new((int64_t)(pithp_bn_scratch(k->rows, k->c) / sizeof(pith_real)), 0);
    pithp_bn_dy(e, k->dz.p, k->y.p, k->scale.p, k->shift.p, k->a.p, k->b.p, k->d.p, (pithp_act)act, k->rows,
                k->c, out.p, add);
    for (int64_t i = 0; i < n; i++) {
        int64_t j = i % k->c;
        double y = (double)k->y.p[i], u = (double)k->dz.p[i];
        u *= pithp_ref_act_grad((pithp_act)act, y * (double)k->scale.p[j] + (double)k->shift.p[j]);
        double p = (double)k->a.p[j] * u, q = (double)k->b.p[j] * y, d = (double)k->d.p[j];
        double old = add ? (double)k->out.p[i] : 0, size = fabs(p) + fabs(q) + fabs(d) + fabs(old);
        size += fabs((double)k->a.p[j] * (double)k->dz.p[i]);
        ck_assert(fabs((double)out.p[i] - (p + q + d + old)) <= 3e-6 * size);
    }
    pithp_bn_reduce(e, k->dz.p, k->y.p, k->scale.p, k->shift.p, k->mean.p, (pithp_act)act, k->rows, k->c,
                    k->s1.p, k->s2.p, NULL, scratch.p);
    pithp_ref_bn_reduce(k->dz.p, k->y.p, k->scale.p, k->shift.p, k->mean.p, (pithp_act)act, k->rows, k->c,
                        s1.p, s2.p);
    for (int64_t j = 0; j < k->c; j++) {
        double a1 = 0, a2 = 0;
        for (int64_t i = 0; i < k->rows; i++) {
            double z = (double)dza.p[i * k->c + j];
            a1 += z;
            a2 += z * fabs((double)k->y.p[i * k->c + j] - (double)k->mean.p[j]);
        }
        ck_assert(fabs((double)k->s1.p[j] - (double)s1.p[j]) <= TOL * a1);
        ck_assert(fabs((double)k->s2.p[j] - (double)s2.p[j]) <= TOL * a2);
    }
    buf_free(&out), buf_free(&s1), buf_free(&s2), buf_free(&scratch), buf_free(&dza);
}

START_TEST(batch_norm)
{
    pithp_rand r = test_rand(4);
    for (size_t w = 0; w < PITHP_LEN(widths); w++) {
        bn_case k = bn_new(pick(&r, 1, w % 3 ? 20 : 20000 / widths[w] % 2000 + 60), widths[w], &r);
        EACH_ISA(i)
        {
            pithp_env e = env(i, 1);
            for (int act = 0; act < PITHP_ACT_COUNT; act++) {
                for (int mode = 0; mode < 4; mode++)
                    check_affine(&k, &e, act, mode);
                check_backward(&k, &e, act, false);
                check_backward(&k, &e, act, true);
            }
        }
        bn_free(&k);
    }
}
END_TEST

/* Sums in double, of rows that lie apart, beside the definition: the same order, so the same bits. */
START_TEST(row_sums)
{
    pithp_rand r = test_rand(9);
    EACH_ISA(isa)
    for (size_t w = 0; w < PITHP_LEN(widths); w++) {
        const int64_t c = widths[w], rows = (int64_t)w % 7, step = c + (int64_t)w % 3;
        buf x = buf_random((rows + 1) * step + c, &r);
        double *sum = malloc((size_t)(c + 1) * sizeof *sum), *want = malloc((size_t)(c + 1) * sizeof *want);
        for (int64_t j = 0; j <= c; j++)
            sum[j] = want[j] = pithp_rand_normal(&r);
        pithp_kern_get((pithp_isa)isa)->row_sums(x.p, rows, step, c, sum);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < c; j++)
                want[j] += (double)x.p[i * step + j];
        ck_assert(memcmp(sum, want, (size_t)(c + 1) * sizeof *sum) == 0);
        free(sum), free(want);
        buf_free(&x);
    }
}
END_TEST

START_TEST(statistics)
{
    pithp_rand r = test_rand(5);
    for (size_t w = 0; w < PITHP_LEN(widths); w++) {
        int64_t c = widths[w], rows = pick(&r, 1, w % 3 ? 100 : 3000);
        buf x = buf_random(rows * c, &r), m = buf_new(c, 0), v = buf_new(c, 0), m2 = buf_new(c, 0),
            v2 = buf_new(c, 0);
        buf scratch = buf_new((int64_t)(pithp_bn_scratch(rows, c) / sizeof(pith_real)), 0);
        double offset = w % 2 ? 1000 : 0; /* a large mean must not drown the variance */
        for (int64_t i = 0; i < x.n; i++)
            x.p[i] += (pith_real)offset;
        ck_assert(pithp_bn_scratch(rows, c) <= pithp_bn_scratch(rows + 1, c));
        pithp_ref_bn_stats(x.p, rows, c, m.p, v.p);
        EACH_ISA(i)
        for (int t = 1; t <= 3; t++) {
            pithp_env e = env(i, t);
            pithp_bn_stats(&e, x.p, rows, c, m2.p, v2.p, scratch.p);
            for (int64_t j = 0; j < c; j++) {
                ck_assert(fabs((double)m.p[j] - (double)m2.p[j]) <= TOL * (offset + 1));
                ck_assert(fabs((double)v.p[j] - (double)v2.p[j]) <=
                          2 * TOL * (double)v.p[j] + 1e-7 * (offset + 1));
            }
        }
        buf_free(&x), buf_free(&m), buf_free(&v), buf_free(&m2), buf_free(&v2), buf_free(&scratch);
    }
}
END_TEST

static void check_gemm(int64_t m, int64_t n, int64_t k, int flags, pithp_rand *r)
{
    bool ta = flags & 1, tb = flags & 2;
    pith_real beta = flags & 4 ? 1 : 0;
    buf a = buf_random(m * k, r), b = buf_random(k * n, r), c = buf_random(m * n, r), aa = buf_copy(&a, true),
        ba = buf_copy(&b, true), want = buf_copy(&c, false), size = buf_copy(&c, true);
    buf scratch = buf_new((int64_t)(pithp_gemm_scratch(m, n, k) / sizeof(pith_real)), 0);
    pithp_ref_gemm(ta, tb, m, n, k, a.p, b.p, beta, want.p);
    pithp_ref_gemm(ta, tb, m, n, k, aa.p, ba.p, beta, size.p);
    EACH_ISA(i)
    {
        buf first = buf_copy(&c, false);
        for (int t = 1; t <= 8; t = t < 3 ? t + 1 : t + 5) {
            pithp_env e = env(i, t);
            buf got = buf_copy(&c, false);
            pithp_run_gemm(&e, ta, tb, m, n, k, a.p, b.p, beta, t == 1 ? first.p : got.p, scratch.p);
            if (t > 1)
                ck_assert_mem_eq(got.p, first.p, (size_t)(m * n) * sizeof *got.p);
            buf_free(&got);
        }
        same("gemm", pithp_isa_name((pithp_isa)i), m * 1000000 + n * 1000 + k, first.p, want.p, size.p, m * n,
             TOL);
        buf_free(&first);
    }
    buf_free(&a), buf_free(&b), buf_free(&c), buf_free(&aa), buf_free(&ba), buf_free(&want), buf_free(&size);
    buf_free(&scratch);
}

START_TEST(gemm)
{
    pithp_rand r = test_rand(6);
    for (int i = 0; i < 64; i++)
        check_gemm(pick(&r, 1, i % 4 ? 70 : 700), pick(&r, 1, i % 5 ? 70 : 600),
                   pick(&r, 1, i % 3 ? 70 : 1500), i % 8, &r);
    check_gemm(1, 1, 1, 0, &r);
    check_gemm(10, 84, 2000, 5, &r);
    ck_assert(pithp_gemm_scratch(600, 500, 1024) >= pithp_gemm_scratch(60, 500, 1024));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernels");
    TCase *t = suite_case(s, "kernels");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, tables);
    tcase_add_test(t, unary);
    tcase_add_test(t, nan_passes);
    tcase_add_test(t, stream);
    tcase_add_test(t, binary);
    tcase_add_test(t, drivers);
    tcase_add_test(t, batch_norm);
    tcase_add_test(t, statistics);
    tcase_add_test(t, row_sums);
    tcase_add_test(t, gemm);
    return suite_run("kernels", s);
}
