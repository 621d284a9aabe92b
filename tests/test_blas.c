/* Floor 0: the kernel sets and BLAS. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"
#include "suite.h"
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

static pith_ctx *make(void)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    ck_assert_ptr_nonnull(c);
    ck_assert_msg(!pith_ctx_status(c), "%s", pith_error_text(c));
    return c;
}

/* C[m,n] against sums in double, |difference| <= 1e-5 times the sum of the absolute terms. */
static void check_gemm(const pith_ctx *c, bool ta, bool tb, int m, int n, int k, pith_real alpha,
                       pith_real beta)
{
    enum { LD = 80 };
    static pith_real a[LD * LD], b[LD * LD], got[LD * LD], was[LD * LD];
    pithp_rand r = pithp_rand_at(5, 0, (uint64_t)(m * 10000 + n * 100 + k), PITHP_USE_OTHER);
    for (int i = 0; i < LD * LD; i++) {
        a[i] = (pith_real)pithp_rand_normal(&r);
        b[i] = (pith_real)pithp_rand_normal(&r);
        got[i] = was[i] = (pith_real)pithp_rand_normal(&r);
    }
    c->blas.gemm(ta, tb, m, n, k, alpha, a, LD, b, LD, beta, got, LD, &c->blas);
    int wrong = 0;
    for (int i = 0; i < LD; i++)
        for (int j = 0; j < LD; j++) {
            double old = (double)was[i * LD + j], sum = old, size = 0;
            if (i < m && j < n) {
                sum = (double)beta * old, size = fabs(sum);
                for (int p = 0; p < k; p++) {
                    double x = (double)alpha * (double)(ta ? a[p * LD + i] : a[i * LD + p]) *
                               (double)(tb ? b[j * LD + p] : b[p * LD + j]);
                    sum += x, size += fabs(x);
                }
            }
            wrong +=
                !(fabs((double)got[i * LD + j] - sum) <= 1e-5 * size); /* outside C: nothing has changed */
        }
    ck_assert_int_eq(wrong, 0);
}

static void check_gemms(const pith_ctx *c)
{
    int sizes[][3] = { { 1, 1, 1 }, { 7, 5, 3 }, { 64, 64, 64 }, { 79, 16, 33 }, { 3, 80, 1 }, { 5, 1, 80 } };
    for (size_t i = 0; i < PITHP_LEN(sizes); i++)
        for (int t = 0; t < 4; t++) {
            check_gemm(c, t & 1, t & 2, sizes[i][0], sizes[i][1], sizes[i][2], 1, 0);
            check_gemm(c, t & 1, t & 2, sizes[i][0], sizes[i][1], sizes[i][2], PITHP_R(-0.5), PITHP_R(0.75));
        }
}

START_TEST(blas_result)
{
    pith_ctx *c = make();
    check_gemms(c);
    pith_ctx_free(c);
}
END_TEST

/* Each set that can be forced is used, by the kernels and by BLAS; the others are refused with the names
   of these. */
START_TEST(blas_follows_cpu)
{
    const char *cores[] = { "Prescott", "Haswell", "SkylakeX" };
    for (int isa = 0; isa < PITHP_ISA_COUNT; isa++) {
        const char *name = pithp_isa_name((pithp_isa)isa);
        bool possible = isa <= (int)pithp_isa_cpu() && pithp_isa_built((pithp_isa)isa);
        for (int by_environment = 0; by_environment < 2; by_environment++) {
            if (by_environment)
                setenv("PITH_CPU", name, 1);
            pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .cpu = by_environment ? NULL : name });
            unsetenv("PITH_CPU");
            ck_assert_int_eq(pith_ctx_status(c), possible ? PITH_OK : PITH_EINVAL);
            pith_build b = pith_build_info(c);
            if (possible) {
                ck_assert_str_eq(b.cpu, name);
                if (c->blas.handle && strstr(b.blas_config, "DYNAMIC_ARCH") && HAVE_X86)
                    ck_assert_str_eq(b.blas_core, cores[isa]);
                check_gemms(c);
            } else {
                ck_assert(strstr(pith_error_text(c), name) && strstr(pith_error_text(c), "base"));
            }
            pith_ctx_free(c);
        }
    }
    ck_assert_int_eq(pithp_isa_parse("base"), PITHP_ISA_BASE);
    ck_assert_int_eq(pithp_isa_parse(""), -1);
    ck_assert_int_eq(pithp_isa_parse(NULL), -1);
}
END_TEST

START_TEST(blas_environment_restored)
{
    const char *names[] = { "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS" };
    for (int set = 0; set < 2; set++) {
        for (size_t i = 0; i < PITHP_LEN(names); i++)
            set ? setenv(names[i], i ? "13" : "Nehalem", 1) : unsetenv(names[i]);
        pith_ctx *c = make();
        if (c->blas.handle && strstr(c->blas.config, "DYNAMIC_ARCH") && pithp_isa_cpu() > PITHP_ISA_BASE)
            ck_assert_str_ne(c->blas.core, "Nehalem");
        pith_ctx_free(c);
        for (size_t i = 0; i < PITHP_LEN(names); i++)
            if (set)
                ck_assert_str_eq(getenv(names[i]), i ? "13" : "Nehalem");
            else
                ck_assert_ptr_null(getenv(names[i]));
    }
}
END_TEST

START_TEST(blas_missing)
{
#ifndef PITHP_BLAS_LINKED
    setenv("PITH_BLAS", "/no/such/libopenblas.so", 1);
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    ck_assert_int_eq(pith_ctx_status(c), PITH_ENOTFOUND);
    ck_assert(strstr(pith_error_text(c), "/no/such/libopenblas.so") && strstr(pith_error_text(c), "install"));
    check_gemms(c); /* slow but right */
    pith_ctx_free(c);
#endif
}
END_TEST

typedef struct {
    pith_ctx *c;
    const pith_real *a, *b;
    pith_real *out;
} product;

enum { TILES = 12, ROWS = 200, DEPTH = 96, COLS = 24 };

static void product_tile(void *arg, int64_t tile, int thread)
{
    product *p = arg;
    (void)thread;
    p->c->blas.gemm(false, true, ROWS, COLS, DEPTH, 1, p->a + tile * ROWS * DEPTH, DEPTH, p->b, DEPTH, 0,
                    p->out + tile * ROWS * COLS, COLS, &p->c->blas);
}

static void fill_product(product *p)
{
    size_t na = TILES * ROWS * DEPTH, nb = COLS * DEPTH;
    pith_real *x = pithp_alloc(p->c, na + nb, sizeof *x);
    ck_assert_ptr_nonnull(x);
    pithp_rand r = pithp_rand_at(1, 2, 3, PITHP_USE_OTHER);
    for (size_t i = 0; i < na + nb; i++)
        x[i] = (pith_real)pithp_rand_normal(&r);
    p->a = x, p->b = x + na;
    ck_assert_ptr_nonnull(p->out = pithp_alloc(p->c, TILES * ROWS * COLS, sizeof(pith_real)));
}

START_TEST(blas_same_for_all_threads)
{
    product p = { .c = make() };
    fill_product(&p);
    size_t bytes = TILES * ROWS * COLS * sizeof(pith_real);
    pith_real *one = pithp_alloc(p.c, bytes, 1);
    pithp_parallel(1, TILES, product_tile, &p);
    memcpy(one, p.out, bytes);
    for (int threads = 2; threads <= 8; threads *= 2)
        for (int again = 0; again < 5; again++) {
            memset(p.out, 0xFF, bytes);
            pithp_parallel(threads, TILES, product_tile, &p);
            ck_assert_mem_eq(p.out, one, bytes);
        }
    pithp_free(p.c, one);
    pithp_free(p.c, p.out);
    pithp_free(p.c, (void *)(uintptr_t)p.a);
    pith_ctx_free(p.c);
}
END_TEST

/* Contexts come and go in several threads at once, and the library with them. */
static void *come_and_go(void *arg)
{
    for (int i = 0; i < 10; i++) {
        pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 2 });
        pith_real a[4] = { 1, 2, 3, 4 }, b[4] = { 5, 6, 7, 8 }, out[4] = { 0 };
        if (c && !pith_ctx_status(c))
            c->blas.gemm(false, false, 2, 2, 2, 1, a, 2, b, 2, 0, out, 2, &c->blas);
        *(bool *)arg &= out[0] == 19 && out[1] == 22 && out[2] == 43 && out[3] == 50;
        pith_ctx_free(c);
    }
    return NULL;
}

START_TEST(contexts_in_threads)
{
    pthread_t t[4];
    bool right[4] = { true, true, true, true };
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, come_and_go, &right[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        ck_assert(right[i]);
    }
}
END_TEST

int main(void)
{
    const char *ours[] = { "PITH_CPU", "PITH_BLAS", "PITH_BLAS_CORE" };
    for (size_t i = 0; i < PITHP_LEN(ours); i++)
        unsetenv(ours[i]);
    Suite *s = suite_create("blas");
    suite_test(s, "blas_result", blas_result);
    suite_test(s, "blas_follows_cpu", blas_follows_cpu);
    suite_test(s, "blas_environment_restored", blas_environment_restored);
    suite_test(s, "blas_missing", blas_missing);
    suite_test(s, "blas_same_for_all_threads", blas_same_for_all_threads);
    suite_test(s, "contexts_in_threads", contexts_in_threads);
    return suite_run("blas", s);
}
