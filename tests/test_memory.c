/* Floor 0: the context's memory. */
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

/* A heap that counts, misaligns and fails on demand. */
typedef struct {
    int live, calls, fail_at; /* fail_at: the number of the call that returns NULL, from 1; 0 = none */
} heap;

static void *heap_alloc(void *user, size_t bytes)
{
    heap *h = user;
    if (++h->calls == h->fail_at)
        return NULL;
    char *p = malloc(bytes + 8);
    ck_assert_ptr_nonnull(p);
    memset(p, 0xA5, bytes + 8); /* nobody may count on zeros from here */
    h->live++;
    return p + 8;
}

static void heap_release(void *user, void *p)
{
    ((heap *)user)->live--;
    free((char *)p - 8);
}

static pith_ctx_cfg heap_cfg(heap *h)
{
    return (pith_ctx_cfg){ .alloc = heap_alloc, .release = heap_release, .alloc_user = h };
}

/* An assertion per byte would take a minute. */
static void check_zeros(const char *p, size_t n)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += p[i] != 0;
    ck_assert_uint_eq(bad, 0);
}

static void check_block(const void *p, size_t n)
{
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    check_zeros(p, n);
}

static void exercise_memory(pith_ctx *c)
{
    size_t before = pith_ctx_memory(c, NULL), peak;
    uint64_t made = pith_ctx_allocations(c);
    size_t sizes[] = { 0, 1, 63, 64, 65, 4096, (1 << 20) - 1, 1 << 20, (4 << 20) + 3 };
    void *p[PITHP_LEN(sizes)];
    for (size_t i = 0; i < PITHP_LEN(sizes); i++) {
        p[i] = pithp_alloc(c, sizes[i], 1);
        check_block(p[i], sizes[i]);
        memset(p[i], 0xFF, sizes[i]);
    }
    ck_assert_uint_eq(pith_ctx_allocations(c), made + PITHP_LEN(sizes));
    ck_assert_uint_gt(pith_ctx_memory(c, &peak), before + (6 << 20));
    for (size_t i = 0; i < PITHP_LEN(sizes); i++)
        pithp_free(c, p[i]);
    pithp_free(c, NULL);
    ck_assert_uint_eq(pith_ctx_memory(c, &peak), before);
    ck_assert_uint_gt(peak, before + (6 << 20));

    char *q = pithp_realloc(c, NULL, 10, 1); /* grows through the border between heap and mapping, and back */
    memcpy(q, "123456789", 10);
    size_t steps[] = { 100, 2 << 20, 9 << 20, 11 };
    for (size_t i = 0, had = 10; i < PITHP_LEN(steps); had = steps[i++]) {
        q = pithp_realloc(c, q, steps[i], 1);
        ck_assert_str_eq(q, "123456789");
        if (steps[i] > had)
            check_zeros(q + had, steps[i] - had);
    }
    pithp_free(c, q);
    char *s = pithp_strdup(c, "pith"), *f = pithp_sprintf(c, "%s-%d", s, 42);
    ck_assert_str_eq(f, "pith-42");
    pithp_free(c, s);
    pithp_free(c, f);
    ck_assert_uint_eq(pith_ctx_memory(c, NULL), before);
}

START_TEST(memory_plain)
{
    pith_ctx *c = make();
    exercise_memory(c);
    pith_ctx_free(c);
}
END_TEST

START_TEST(memory_hooks)
{
    heap h = { 0 };
    pith_ctx *c = pith_ctx_new(heap_cfg(&h));
    exercise_memory(c);
    ck_assert_int_eq(h.live, 1);
    pith_ctx_free(c);
    ck_assert_int_eq(h.live, 0);
}
END_TEST

START_TEST(memory_overflow)
{
    pith_ctx *c = make();
    size_t counts[][2] = {
        { SIZE_MAX, 2 }, { SIZE_MAX / 2, 3 }, { SIZE_MAX, 1 }, { PTRDIFF_MAX, 1 }, { 1, SIZE_MAX - 3 }
    };
    for (size_t i = 0; i < PITHP_LEN(counts); i++) {
        pith_ctx_clear(c);
        ck_assert_ptr_null(pithp_alloc(c, counts[i][0], counts[i][1]));
        ck_assert_int_eq(pith_ctx_status(c), PITH_ENOMEM);
    }
    char *p = pithp_strdup(c, "stays");
    ck_assert_ptr_null(pithp_realloc(c, p, SIZE_MAX, 8));
    ck_assert_str_eq(p, "stays");
    size_t cap = 6;
    ck_assert(!pithp_grow(c, &p, &cap, SIZE_MAX - 1, 1));
    ck_assert_uint_eq(cap, 6);
    ck_assert_str_eq(p, "stays");
    pithp_free(c, p);
    pith_ctx_free(c);
}
END_TEST

START_TEST(memory_grow)
{
    pith_ctx *c = make();
    int64_t *a = NULL;
    size_t cap = 0;
    uint64_t made = pith_ctx_allocations(c);
    const size_t many = 5000;
    for (size_t i = 0; i < many; i++) {
        ck_assert(pithp_grow(c, &a, &cap, i, sizeof *a));
        ck_assert_uint_gt(cap, i);
        a[i] = (int64_t)i;
    }
    for (size_t i = 0; i < many; i++)
        ck_assert_int_eq(a[i], (int64_t)i);
    ck_assert_uint_lt(pith_ctx_allocations(c) - made, 40);
    pithp_free(c, a);
    pith_ctx_free(c);
}
END_TEST

/* Makes a context and uses whatever of floor 0 allocates. */
static bool one_life(heap *h)
{
    pith_ctx *c = pith_ctx_new(heap_cfg(h));
    if (!c)
        return false;
    char *s = pithp_strdup(c, "a"), *f = s ? pithp_sprintf(c, "%s%s", s, s) : NULL;
    int *a = NULL;
    size_t cap = 0;
    bool done = f && pithp_grow(c, &a, &cap, 3, sizeof *a) && pithp_grow(c, &a, &cap, 300, sizeof *a) &&
                !pithp_mkdirs(c, "/tmp");
    ck_assert_int_eq(pith_ctx_status(c), done ? PITH_OK : PITH_ENOMEM);
    pithp_free(c, a);
    pithp_free(c, f);
    pithp_free(c, s);
    pith_ctx_free(c);
    return done;
}

START_TEST(memory_every_failure)
{
    int n = 1;
    for (bool done = false; !done; n++) {
        heap h = { .fail_at = n };
        done = one_life(&h);
        ck_assert_int_eq(h.live, 0);
    }
    ck_assert_int_gt(n, 6);
}
END_TEST

static void count_warning(void *user, pith_log_level level, const char *text)
{
    *(int *)user += level == PITH_LOG_WARN && strstr(text, "forgot");
}

START_TEST(memory_leak_is_told)
{
    int warnings = 0;
    heap h = { 0 };
    pith_ctx_cfg cfg = heap_cfg(&h);
    cfg.log = count_warning, cfg.log_user = &warnings;
    pith_ctx *c = pith_ctx_new(cfg);
    void *lost = pithp_alloc(c, 5, 5);
    pith_ctx_free(c);
    ck_assert_int_eq(warnings, 1);
    ck_assert_int_eq(h.live, 1);
    pith_ctx again = { .cfg = cfg };
    pithp_free(&again, lost);
    ck_assert_int_eq(h.live, 0);
}
END_TEST

int main(void)
{
    const char *ours[] = { "PITH_CPU", "PITH_BLAS", "PITH_BLAS_CORE" };
    for (size_t i = 0; i < PITHP_LEN(ours); i++)
        unsetenv(ours[i]);
    Suite *s = suite_create("memory");
    suite_test(s, "memory_plain", memory_plain);
    suite_test(s, "memory_hooks", memory_hooks);
    suite_test(s, "memory_overflow", memory_overflow);
    suite_test(s, "memory_grow", memory_grow);
    suite_test(s, "memory_every_failure", memory_every_failure);
    suite_test(s, "memory_leak_is_told", memory_leak_is_told);
    return suite_run("memory", s);
}
