/* Every set of integer kernels against the scalar reference: no byte may differ, over a million outputs of each op with
   random shapes, zero points and factors at the edges (tests/int8_cases.c); nor on several threads. */
#include "int8_cases.h"
#include "suite.h"
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
enum { OUTPUTS = 60000 };
#else
enum { OUTPUTS = 1000000 };
#endif

static const char *const sets[] = { "avx2", "avx512", "avx512vnni" };

/* The case again with other kernels and threads. */
static void compare(pith_ctx *c, const int8_case *k, const char *set, int threads, const char *what,
                    uint32_t seed)
{
    size_t bytes = k->out_count * pithp_dtype_size(pithp_q_tensor(k->g, k->g->outputs[0])->dtype);
    int8_t *got = calloc(bytes, 1);
    pithp_qplan *p =
        pithp_qplan_new(k->g, (pithp_qplan_cfg){ .batch = k->n, .threads = threads, .kernels = set });
    suite_check(p != NULL, "%s", pith_error_text(c));
    pithp_qplan_run(p, k->n, (const void *const *)k->in, (void *[]){ got });
    for (size_t i = 0; i < bytes; i++)
        suite_check(got[i] == ((int8_t *)k->out)[i], "%s, case %u, %s, %d threads: [%zu] is %d, not %d", what,
                    seed, set, threads, i, got[i], ((int8_t *)k->out)[i]);
    pithp_qplan_free(p);
    free(got);
}

static bool has(pith_ctx *c, const char *set)
{
    const pithp_ikern *kern;
    bool ok = !pithp_ikern_choose(c, set, &kern);
    pith_ctx_clear(c);
    return ok;
}

START_TEST(same_bytes)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    size_t done = 0;
    for (uint32_t seed = 0; done < OUTPUTS; seed++) {
        int8_case k = int8_case_make(c, _i, seed, true);
        ck_assert_ptr_nonnull(k.g);
        for (size_t s = 0; s < PITHP_LEN(sets); s++)
            if (has(c, sets[s]))
                compare(c, &k, sets[s], seed % 8 == 0 ? 3 : 1, int8_kind_name(_i), seed);
        done += k.out_count;
        int8_case_free(&k);
    }
    pith_ctx_free(c);
}
END_TEST

START_TEST(names)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    const pithp_ikern *kern;
    ck_assert_int_eq(pithp_ikern_choose(c, "base", &kern), PITH_OK);
    ck_assert_ptr_null(kern);
    ck_assert_int_eq(pithp_ikern_choose(c, "mmx", &kern), PITH_EINVAL);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "mmx"));
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "base"));
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("int8_simd");
    TCase *t = suite_case(s, "int8_simd");
    tcase_add_loop_test(t, same_bytes, 0, int8_kinds);
    tcase_add_test(t, names);
    return suite_run("int8_simd", s);
}
