/* Floor 0: context, errors, shapes, threads. */
#include "base/base.h"
#include "suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static pith_ctx *make(void)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 1 });
    ck_assert_ptr_nonnull(c);
    ck_assert_msg(!pith_ctx_status(c), "%s", pith_error_text(c));
    return c;
}

/* ---- Context and errors ---------------------------------------------------------------------------------*/

START_TEST(context_fresh)
{
    pith_ctx *c = make();
    ck_assert_str_eq(pith_error_text(c), "");
    ck_assert_str_eq(pith_error_where(c), "");
    ck_assert_int_eq(pith_ctx_threads(c), pithp_cpu_count());
    pith_build b = pith_build_info(c);
    ck_assert_str_eq(b.version, PITH_VERSION);
    ck_assert_str_eq(b.cpu, b.cpu_best);
    ck_assert_int_eq(b.threads, pith_ctx_threads(c));
    const char *all[] = { b.compiler, b.cpu, b.blas, b.blas_core, b.blas_config, b.jpeg };
    for (size_t i = 0; i < PITHP_LEN(all); i++)
        ck_assert_int_gt((int)strlen(all[i]), 0);
    pith_ctx_free(c);
    pith_ctx_free(NULL);
}
END_TEST

START_TEST(context_null)
{
    ck_assert_int_eq(pith_ctx_status(NULL), PITH_ENOMEM);
    ck_assert_str_ne(pith_error_text(NULL), "");
    ck_assert_str_eq(pith_error_where(NULL), "");
    pith_ctx_clear(NULL);
    ck_assert_uint_eq(pith_ctx_memory(NULL, NULL), 0);
    ck_assert_int_eq(pith_ctx_threads(NULL), 1);
    ck_assert_ptr_nonnull(pith_build_info(NULL).blas);
    ck_assert_int_eq(pithp_error(NULL, PITH_EIO, "lost"), PITH_EIO);
}
END_TEST

START_TEST(error_first_sticks)
{
    pith_ctx *c = make();
    ck_assert_int_eq(pithp_error(c, PITH_ESHAPE, "layer %d", 7), PITH_ESHAPE);
    ck_assert_int_eq(pithp_error(c, PITH_EIO, "later"), PITH_EIO);
    ck_assert_int_eq(pith_ctx_status(c), PITH_ESHAPE);
    ck_assert_str_eq(pith_error_text(c), "layer 7");
    ck_assert_int_eq(strncmp(pith_error_where(c), "tests/test_base.c:", 18), 0);
    pith_ctx_clear(c);
    ck_assert_int_eq(pith_ctx_status(c), PITH_OK);
    ck_assert_str_eq(pith_error_text(c), "");
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    pithp_error(c, PITH_EDATA, "%s", big);
    ck_assert_uint_eq(strlen(pith_error_text(c)), sizeof c->error - 1);
    pith_ctx_free(c);
}
END_TEST

START_TEST(error_where)
{
    const char *files[][2] = { { "/home/src/pith/src/ops/conv2d.c", "src/ops/conv2d.c:9" },
                               { "../../pith/src/base/mem.c", "src/base/mem.c:9" },
                               { "src/base/mem.c", "src/base/mem.c:9" },
                               { "/x/mysrc/a.c", "/x/mysrc/a.c:9" } };
    pith_ctx *c = make();
    for (size_t i = 0; i < PITHP_LEN(files); i++) {
        pith_ctx_clear(c);
        pithp_error_at(c, PITH_EBUG, files[i][0], 9, "x");
        ck_assert_str_eq(pith_error_where(c), files[i][1]);
    }
    pith_ctx_free(c);
}
END_TEST

START_TEST(status_names)
{
    ck_assert_str_eq(pith_status_name(PITH_OK), "PITH_OK");
    ck_assert_str_eq(pith_status_name(PITH_EBUG), "PITH_EBUG");
    for (int s = PITH_OK; s <= PITH_EBUG; s++)
        ck_assert_int_eq(strncmp(pith_status_name((pith_status)s), "PITH_", 5), 0);
    ck_assert_ptr_nonnull(pith_status_name((pith_status)999));
}
END_TEST

typedef struct {
    pithp_obj obj;
    int number;
    int *log; /* log[0] counts the destroyed, log[1..] are their numbers */
} thing;

static void thing_destroy(pith_ctx *c, pithp_obj *o)
{
    thing *t = (thing *)o;
    t->log[++t->log[0]] = t->number;
    pithp_free(c, t);
}

START_TEST(owned_newest_first)
{
    pith_ctx *c = make();
    int log[8] = { 0 };
    thing *t[5];
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_nonnull(t[i] = PITHP_NEW(c, thing));
        t[i]->number = i, t[i]->log = log;
        pithp_own(c, &t[i]->obj, thing_destroy);
    }
    pithp_destroy(c, &t[2]->obj);
    pithp_destroy(c, NULL);
    pithp_disown(c, &t[4]->obj);
    pithp_disown(c, &t[4]->obj);
    pithp_free(c, t[4]);
    pith_ctx_free(c);
    ck_assert_int_eq(log[0], 4);
    ck_assert_int_eq(log[1], 2);
    ck_assert_int_eq(log[2], 3);
    ck_assert_int_eq(log[3], 1);
    ck_assert_int_eq(log[4], 0);
}
END_TEST

static void *plain_alloc(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void plain_release(void *user, void *p)
{
    (void)user;
    free(p);
}

static void expect_bad(pith_ctx_cfg cfg, const char *word)
{
    pith_ctx *c = pith_ctx_new(cfg);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
    ck_assert_msg(strstr(pith_error_text(c), word) != NULL, "%s", pith_error_text(c));
    ck_assert_int_ge(pith_ctx_threads(c), 1);
    pith_ctx_clear(c);
    pithp_free(c, pithp_alloc(c, 3, 3)); /* still usable */
    ck_assert_int_eq(pith_ctx_status(c), PITH_OK);
    pith_ctx_free(c);
}

START_TEST(context_bad_options)
{
    expect_bad((pith_ctx_cfg){ .threads = -1 }, "threads");
    expect_bad((pith_ctx_cfg){ .threads = 100000 }, "threads");
    expect_bad((pith_ctx_cfg){ .cpu = "sse9" }, "sse9");
    expect_bad((pith_ctx_cfg){ .alloc = plain_alloc }, "release");
    expect_bad((pith_ctx_cfg){ .release = plain_release }, "alloc");
    setenv("PITH_CPU", "potato", 1);
    expect_bad((pith_ctx_cfg){ 0 }, "PITH_CPU");
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .cpu = "base" }); /* the program's word counts more */
    ck_assert_int_eq(pith_ctx_status(c), PITH_OK);
    pith_ctx_free(c);
}
END_TEST

/* ---- Shapes ---------------------------------------------------------------------------------------------*/

START_TEST(shapes)
{
    char buf[96];
    int64_t n = -1;
    ck_assert_str_eq(pithp_shape_text(PITH_SHAPE(64, 96, 96, 3), buf), "[64,96,96,3]");
    ck_assert_str_eq(pithp_shape_text(PITH_SCALAR, buf), "[]");
    int64_t m = INT64_MIN;
    pithp_shape_text(PITH_SHAPE(m, m, m, m, m, m), buf);
    ck_assert_uint_lt(strlen(buf), 96);
    ck_assert_int_eq(pithp_count(PITH_SHAPE(2, 3, 4)), 24);
    ck_assert_int_eq(pithp_count(PITH_SCALAR), 1);
    ck_assert(pithp_count_ok(PITH_SCALAR, &n) && n == 1);
    ck_assert(pithp_count_ok(PITH_SHAPE(1 << 20, 1 << 20), &n) && n == (int64_t)1 << 40);
    ck_assert(!pithp_count_ok(PITH_SHAPE(1 << 20, 1 << 20, 2), &n));
    ck_assert(!pithp_count_ok(PITH_SHAPE(3, 0), NULL));
    ck_assert(!pithp_count_ok(PITH_SHAPE(-3), NULL));
    ck_assert(!pithp_count_ok(PITH_SHAPE(INT64_MAX, INT64_MAX), NULL));
    ck_assert(!pithp_count_ok((pith_shape){ .ndim = 7 }, NULL));
    ck_assert(!pithp_count_ok((pith_shape){ .ndim = -1 }, NULL));
    ck_assert(pithp_shape_eq(PITH_SHAPE(2, 3), PITH_SHAPE(2, 3)));
    ck_assert(!pithp_shape_eq(PITH_SHAPE(2, 3), PITH_SHAPE(3, 2)));
    ck_assert(!pithp_shape_eq(PITH_SHAPE(2, 3), PITH_SHAPE(2, 3, 1)));
    ck_assert_uint_eq(pithp_dtype_size(PITH_F32), sizeof(pith_real));
    ck_assert_uint_eq(pithp_dtype_size(PITH_I8), 1);
    ck_assert_str_eq(pithp_dtype_name(PITH_I32), "i32");
}
END_TEST

/* ---- Threads --------------------------------------------------------------------------------------------*/

typedef struct {
    int seen[1000], thread_of[1000];
} coverage;

static void cover(void *arg, int64_t tile, int thread)
{
    coverage *v = arg;
    v->seen[tile]++;
    v->thread_of[tile] = thread;
}

START_TEST(parallel_covers)
{
    int threads[] = { 1, 2, 3, 8 }, tiles[] = { 0, 1, 2, 7, 1000 };
    for (size_t i = 0; i < PITHP_LEN(threads); i++)
        for (size_t j = 0; j < PITHP_LEN(tiles); j++) {
            coverage v = { 0 };
            pithp_parallel(threads[i], tiles[j], cover, &v);
            int wrong = 0;
            for (int t = 0; t < 1000; t++)
                wrong += v.seen[t] != (t < tiles[j]) || v.thread_of[t] < 0 || v.thread_of[t] >= threads[i];
            ck_assert_int_eq(wrong, 0);
        }
}
END_TEST

int main(void)
{
    const char *ours[] = { "PITH_CPU", "PITH_BLAS", "PITH_BLAS_CORE" };
    for (size_t i = 0; i < PITHP_LEN(ours); i++)
        unsetenv(ours[i]);
    Suite *s = suite_create("base");
    suite_test(s, "context_fresh", context_fresh);
    suite_test(s, "context_null", context_null);
    suite_test(s, "error_first_sticks", error_first_sticks);
    suite_test(s, "error_where", error_where);
    suite_test(s, "status_names", status_names);
    suite_test(s, "owned_newest_first", owned_newest_first);
    suite_test(s, "context_bad_options", context_bad_options);
    suite_test(s, "shapes", shapes);
    suite_test(s, "parallel_covers", parallel_covers);
    return suite_run("base", s);
}
