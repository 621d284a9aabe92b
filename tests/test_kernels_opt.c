/* The kernels of optimisers and of learned scales against their formulas in double, on every instruction set. */
#include "kernels_help.h"

static void check_close(const buf *a, const double *want, const char *what)
{
    for (int64_t i = 0; i < a->n; i++)
        ck_assert_msg(fabs((double)a->p[i] - want[i]) <= 2e-6 * (1 + fabs(want[i])), "%s [%lld]: %.9g, %.9g",
                      what, (long long)i, (double)a->p[i], want[i]);
}

static void check_optimisers(const pithp_kern *k, int64_t n, bool nesterov, bool with_ema, pithp_rand *r)
{
    buf w = buf_random(n, r), g = buf_random(n, r), m = buf_random(n, r), v = buf_random(n, r),
        e = buf_random(n, r);
    for (int64_t i = 0; i < n; i++)
        v.p[i] *= v.p[i];
    buf w2 = buf_copy(&w, false), g2 = buf_copy(&g, false), m2 = buf_copy(&m, false),
        e2 = buf_copy(&e, false);
    double *want = calloc((size_t)(5 * n), sizeof *want), *wa = want + n, *ma = wa + n, *va = ma + n,
           *ea = va + n;
    const double lr = 0.1, mu = 0.9, wd = 0.01, gs = 0.5, ed = 0.75, b1 = 0.875, b2 = 0.99, eps = 1e-6,
                 c1 = 0.3, c2 = 0.1;
    k->sgd(w.p, g.p, m.p, with_ema ? e.p : NULL, n, (pith_real)lr, (pith_real)mu, (pith_real)wd, nesterov,
           (pith_real)gs, (pith_real)ed);
    for (int64_t i = 0; i < n; i++) {
        double gr = (double)g2.p[i] * gs + wd * (double)w2.p[i];
        ma[i] = mu * (double)m2.p[i] + gr;
        wa[i] = (double)w2.p[i] - lr * (nesterov ? gr + mu * ma[i] : ma[i]);
        ea[i] = (double)e2.p[i] + (with_ema ? (1 - ed) * (wa[i] - (double)e2.p[i]) : 0);
    }
    check_close(&w, wa, "sgd w"), check_close(&m, ma, "sgd m"), check_close(&e, ea, "sgd ema"),
        check_close(&g, want, "g");
    memcpy(g.p, g2.p, (size_t)n * sizeof *g.p);
    for (int64_t i = 0; i < n; i++) { /* from where sgd arrived */
        double gr = (double)g2.p[i] * gs, old = (double)w.p[i];
        ma[i] = b1 * (double)m.p[i] + (1 - b1) * gr;
        va[i] = b2 * (double)v.p[i] + (1 - b2) * gr * gr;
        wa[i] = old - lr * (ma[i] / c1 / (sqrt(va[i] / c2) + eps) + wd * old);
        ea[i] = (double)e.p[i] + (with_ema ? (1 - ed) * (wa[i] - (double)e.p[i]) : 0);
    }
    k->adamw(w.p, g.p, m.p, v.p, with_ema ? e.p : NULL, n, (pith_real)lr, (pith_real)b1, (pith_real)b2,
             (pith_real)eps, (pith_real)wd, (pith_real)c1, (pith_real)c2, (pith_real)gs, (pith_real)ed);
    check_close(&w, wa, "adamw w"), check_close(&m, ma, "adamw m"), check_close(&v, va, "adamw v");
    check_close(&e, ea, "adamw ema"), check_close(&g, want, "g");
    memcpy(g.p, g2.p, (size_t)n * sizeof *g.p);
    for (int64_t i = 0; i < n; i++) { /* from where adamw arrived; b1 stands for the momentum */
        double old = (double)w.p[i], gr = (double)g2.p[i] * gs + wd * old;
        va[i] = b2 * (double)v.p[i] + (1 - b2) * gr * gr;
        ma[i] = b1 * (double)m.p[i] + lr * gr / sqrt(va[i] + 1e-3);
        wa[i] = old - ma[i];
        ea[i] = (double)e.p[i] + (with_ema ? (1 - ed) * (wa[i] - (double)e.p[i]) : 0);
    }
    k->rmsprop(w.p, g.p, m.p, v.p, with_ema ? e.p : NULL, n, (pith_real)lr, (pith_real)b1, (pith_real)b2,
               (pith_real)1e-3, (pith_real)wd, (pith_real)gs, (pith_real)ed);
    check_close(&w, wa, "rmsprop w"), check_close(&m, ma, "rmsprop m"), check_close(&v, va, "rmsprop v");
    check_close(&e, ea, "rmsprop ema"), check_close(&g, want, "g");
    free(want);
    buf_free(&w), buf_free(&g), buf_free(&m), buf_free(&v), buf_free(&e);
    buf_free(&w2), buf_free(&g2), buf_free(&m2), buf_free(&e2);
}

START_TEST(optimisers)
{
    pithp_rand r = test_rand(7);
    EACH_ISA(i)
    for (size_t w = 0; w < PITHP_LEN(widths); w++)
        check_optimisers(pithp_kern_get((pithp_isa)i), widths[w], w & 1, w & 2, &r);
}
END_TEST

/* act(scale*x + shift) under a learned step: what its gradient sums. */
static void check_learned(const pithp_kern *k, pithp_act act, int64_t rows, int64_t c, bool affine,
                          pithp_rand *r)
{
    const double s = 0.25, lo = act == PITHP_ACT_NONE ? -7 : 0, hi = act == PITHP_ACT_NONE ? 8 : 15;
    buf x = buf_random(rows * c, r), dy = buf_random(rows * c, r), scale = buf_random(c, r),
        shift = buf_random(c, r);
    double want = 0, size = 0;
    for (int64_t i = 0; i < rows * c; i++) {
        if (i % 5 == 0)
            x.p[i] *= 8; /* past the bounds */
        const double z =
            (double)x.p[i] * (affine ? (double)scale.p[i % c] : 1) + (affine ? (double)shift.p[i % c] : 0);
        const double v = (double)(pith_real)pithp_ref_act(act, z) / s, q = round(v);
        const double term = (double)dy.p[i] * (q < lo ? lo : q > hi ? hi : q - v);
        want += term;
        size += fabs(term);
        if (fabs(fabs(v) - floor(fabs(v)) - 0.5) < 1e-4) /* a tie, which float may take the other way */
            size += 1e5 * fabs((double)dy.p[i]);
    }
    const double got = k->affine_fq_scale_grad(x.p, dy.p, affine ? scale.p : NULL, affine ? shift.p : NULL,
                                               act, rows, c, (pith_real)s, (pith_real)lo, (pith_real)hi);
    ck_assert_msg(fabs(got - want) <= 1e-5 * size, "%s %d, %lld x %lld: %.9g, %.9g", k->isa, (int)act,
                  (long long)rows, (long long)c, got, want);
    buf_free(&x), buf_free(&dy), buf_free(&scale), buf_free(&shift);
}

START_TEST(learned_scales)
{
    static const pithp_act acts[] = { PITHP_ACT_NONE, PITHP_ACT_RELU, PITHP_ACT_RELU6 };
    pithp_rand r = test_rand(8);
    EACH_ISA(i)
    for (size_t w = 0; w < PITHP_LEN(widths); w++)
        for (int a = 0; a < 6; a++)
            check_learned(pithp_kern_get((pithp_isa)i), acts[a % 3], 1 + (int64_t)w % 5 * 40,
                          PITHP_MAX(widths[w], 1), a < 3, &r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernels_opt");
    TCase *t = suite_case(s, "kernels_opt");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, optimisers);
    tcase_add_test(t, learned_scales);
    return suite_run("kernels_opt", s);
}
