/* Floor 7: the forms that weights take in exported C source: packed, as lists of those that are not zero, as CMSIS-NN wants them.
   The bytes out are the engine's, and flash and RAM are as told. */
#include "c_compile.h"
#include "int8_cases.h"
#include "ops/integer.h"

/* Weights as networks that were pruned or clustered have them: as they are, nine of ten at zero, of four values, of one. */
static void thin_out(const pithp_qgraph *g, int how)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const pithp_qnode *n = g->nodes[i];
        bool weighted =
            n->op == &pithp_qop_conv2d || n->op == &pithp_qop_depthwise || n->op == &pithp_qop_dense;
        int8_t *w = weighted ? (int8_t *)(uintptr_t)pithp_q_in(g, n, 1)->data : NULL;
        for (int64_t k = 0; w != NULL && k < pithp_count(pithp_q_in(g, n, 1)->shape); k++)
            w[k] = (int8_t)(how == 0 ? w[k] : how == 1 ? (k % 10 ? 0 : w[k]) : how == 2 ? w[k] / 64 * 64 : 0);
    }
}

static size_t defined(const char *file, const char *macro)
{
    size_t n;
    char *text = (char *)slurp(file, &n), *at = strstr(text, macro);
    ck_assert_ptr_nonnull(at);
    size_t v = strtoul(at + strlen(macro), NULL, 10);
    free(text);
    return v;
}

static bool says(const char *file, const char *words)
{
    size_t n;
    char *text = (char *)slurp(file, &n);
    const bool found = memmem(text, n, words, strlen(words)) != NULL;
    free(text);
    return found;
}

/* 1x1 layers that are mostly zeros run from lists of the other weights: the same bytes out, less flash. */
START_TEST(sparse_weights)
{
    if (!have_compiler())
        return;
    int listed = 0;
    for (uint32_t seed = 0; seed < 20; seed++) {
        pithp_qgraph *g = c_net_make(ctx, seed);
        suite_check(g != NULL, "net %u: %s", seed, pith_error_text(ctx));
        pithp_c_needs full, thin;
        ck_assert_int_eq(pithp_c_plan(g, &full), PITH_OK);
        thin_out(g, seed % 4 == 3 ? 3 : 1);
        same_bytes(g, seed, works(undefined) ? undefined : "-O1", (pith_export_cfg){ 0 });
        ck_assert_int_eq(pithp_c_plan(g, &thin), PITH_OK);
        ck_assert_uint_eq(defined(in_dir("m.h"), "M_FLASH_BYTES "), thin.flash);
        if (says(in_dir("m.c"), " sparse(&l")) {
            ck_assert_uint_lt(thin.flash, full.flash);
            listed++;
        } else {
            ck_assert_uint_eq(thin.flash, full.flash);
        }
        pithp_qgraph_free(g);
    }
    ck_assert_int_ge(listed, 4);
}
END_TEST

/* Gaps wider than a byte says, an even and an odd number of weights, none at all; four positions and what is left of them. */
START_TEST(sparse_gaps)
{
    enum { WIDE = 1024, K = 5 };
    if (!have_compiler())
        return;
    static int8_t w[K * WIDE];
    memset(w, 0, sizeof w);
    w[0] = 5, w[WIDE - 1] = -128 + 1;                         /* a gap of 1023 */
    w[WIDE + 255] = 3, w[WIDE + 511] = -7, w[WIDE + 767] = 9; /* of 255 and of 256 */
    w[2 * WIDE + 300] = 100;
    for (int i = 0; i < WIDE; i++) /* the last but one is full, the last empty */
        w[3 * WIDE + i] = (int8_t)(i % 251 - 125);
    for (int side = 2; side < 5; side++) {
        pithp_qgraph *g = pithp_qgraph_new(ctx, "gaps");
        float sw = 0.01f;
        const int x =
            pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, side, side, WIDE), (pithp_qparam){ 0.05f, 3 });
        const int in[] = { x, pithp_q_const(g, "w", PITH_I8, PITH_SHAPE(K, 1, 1, WIDE), &sw, 1, 0, 0, w) };
        pithp_qattr a = { .groups = 1 };
        pithp_q_output(g, pithp_q_op(g, &pithp_qop_conv2d, "c", in, 2, &a, (pithp_qparam){ 0.7f, -4 }));
        same_bytes(g, 1, works(undefined) ? undefined : "-O1", (pith_export_cfg){ 0 });
        ck_assert(says(in_dir("m.c"), " sparse(&l"));
        pithp_qgraph_free(g);
    }
}
END_TEST

/* Packed weights: the same bytes out, less flash the fewer numbers they are, RAM for them as told. */
START_TEST(packed_weights)
{
    if (!have_compiler())
        return;
    static const char told[] = "#include \"m.c\"\ntypedef char f[sizeof W == M_FLASH_BYTES ? 1 : -1];\n"
                               "typedef char r[sizeof arena + sizeof P == M_RAM_BYTES ? 1 : -1];\n";
    size_t flash[4] = { 0 };
    for (uint32_t seed = 0; seed < 12; seed++) {
        pithp_c_needs needs;
        pithp_qgraph *g = c_net_make(ctx, seed / 4);
        suite_check(g != NULL, "net %u: %s", seed, pith_error_text(ctx));
        thin_out(g, (int)seed % 4);
        same_bytes(g, seed,
                   seed % 3           ? "-O2"
                   : works(undefined) ? undefined
                                      : "-O1",
                   (pith_export_cfg){ .packed = true });
        ck_assert_int_eq(pithp_c_plan(g, &needs), PITH_OK);
        size_t now = defined(in_dir("m.h"), "M_FLASH_BYTES "), ram = defined(in_dir("m.h"), "M_RAM_BYTES ");
        ck_assert_uint_eq(defined(in_dir("m.h"), "M_ARENA_BYTES "), needs.ram);
        put(in_dir("check.c"), told, sizeof told - 1);
        suite_check(shell("cd '%s' && %s %s -DM_SELFTEST check.c -o check && ./check", suite_dir(),
                          compiler(), strict),
                    "net %u: not as told, or the self-test fails", seed);
        ck_assert_uint_gt(ram, needs.ram);
        flash[seed % 4] += now;
        pithp_qgraph_free(g);
    }
    printf("    flash of packed weights: as they are %zu, nine of ten at zero %zu, four values %zu, one %zu "
           "bytes\n",
           flash[0], flash[1], flash[2], flash[3]);
    ck_assert(flash[3] < flash[1] && flash[1] < flash[0] && flash[2] < flash[0]);
}
END_TEST

/* The text between two marks. */
static char *between(const char *file, const char *from, const char *to)
{
    size_t n;
    char *text = (char *)slurp(file, &n), *a = strstr(text, from), *b = a ? strstr(a, to) : NULL;
    ck_assert(a && b);
    char *part = strndup(a, (size_t)(b - a));
    free(text);
    return part;
}

/* With calls of CMSIS-NN, of which a stand-in is here (CMSIS_NN_FLAGS: -I and a library, the real one): the same bytes, sizes as
   told; without the macro the source is what it is without the option. */
START_TEST(calls_of_cmsis_nn)
{
    if (!have_compiler())
        return;
    static const char begin[] = "\n/* ---- Constants", end[] = "\n/* ---- The self-test",
                      told[] = "#include \"m.c\"\ntypedef char f[sizeof W == M_FLASH_BYTES ? 1 : -1];\n"
                               "typedef char a[sizeof arena == M_ARENA_BYTES ? 1 : -1];\n";
    const char *given = getenv("CMSIS_NN_FLAGS"), *checked = given || !works(undefined) ? "-O1" : undefined;
    char *file = suite_file("tests/cmsis/arm_nnfunctions.h"), *header = realpath(file, NULL), flags[8192];
    ck_assert_ptr_nonnull(header);
    *strrchr(header, '/') = 0;
    snprintf(flags, sizeof flags, "%s -DM_CMSIS_NN %s%s%s", checked, given ? given : "-I'",
             given ? "" : header, given ? "" : "'");
    int done = 0;
    for (uint32_t seed = 0; seed < 10; seed++, done++) {
        pithp_qgraph *g = c_net_make(ctx, 40 + seed);
        suite_check(g != NULL, "net %u: %s", seed, pith_error_text(ctx));
        same_bytes(g, seed, flags, (pith_export_cfg){ .cmsis_nn = true, .packed = seed % 4 == 3 });
        if (seed % 4 != 3) {
            put(in_dir("check.c"), told, sizeof told - 1);
            suite_check(shell("cd '%s' && %s %s -DM_SELFTEST %s check.c -o check && ./check", suite_dir(),
                              compiler(), given ? "-std=c99" : strict, flags),
                        "net %u: not as told, or the self-test fails", seed);
            char *with = between(in_dir("m.c"), "\n#else\n", end);
            same_bytes(g, seed, "-O1", (pith_export_cfg){ 0 });
            char *without = between(in_dir("m.c"), begin, end);
            suite_check(strstr(with, without) != NULL, "net %u: changed where the macro is not defined",
                        seed);
            free(with), free(without);
        }
        pithp_qgraph_free(g);
    }
    for (int kind = 0; kind < int8_kinds; kind++) {
        int8_case k = int8_case_make(ctx, kind, 78, false);
        const pithp_qtensor *x = pithp_q_tensor(k.g, k.g->inputs[0]),
                            *y = pithp_q_tensor(k.g, k.g->outputs[0]);
        if (k.g->n_inputs == 1 && x->dtype == PITH_I8 && y->dtype == PITH_I8) {
            same_bytes(k.g, (uint32_t)kind, flags, (pith_export_cfg){ .cmsis_nn = true });
            done++;
        }
        int8_case_free(&k);
    }
    ck_assert_int_ge(done, 26);
    free(file), free(header);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("export c weights");
    TCase *t = suite_case(s, "weights");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, packed_weights);
    tcase_add_test(t, sparse_weights);
    tcase_add_test(t, sparse_gaps);
    t = suite_case(s, "cmsis-nn");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, calls_of_cmsis_nn);
    return suite_run("export_c_weights", s);
}
