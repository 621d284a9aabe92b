/* Floor 7: exported C source, compiled as strictly as a compiler does, against the integer engine; Cortex-M under QEMU in
   tests/interop. */
#include "c_nets.h"
#include "deploy/c/export.h"
#include "export_help.h"
#include "int8_cases.h"
#include "ops/integer.h"
#include <pith/quant.h>
#include <signal.h>
#include <sys/resource.h>

enum { SAMPLES = 8 };

static const char *compiler(void)
{
    const char *cc = getenv("CC");
    return cc && *cc ? cc : "cc";
}

static bool shell(const char *fmt, ...) PITH_PRINTF(1, 2);
static bool shell(const char *fmt, ...)
{
    char line[16384];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return n < (int)sizeof line && system(line) == 0;
}

/* Can programs be built with these flags? Without the 32-bit library, for one, -m32 cannot. */
static bool works(const char *flags)
{
    const char *dir = suite_dir();
    return shell(
        "cd '%s' && echo 'int main(void) { return 0; }' >try.c && %s %s try.c -o try >try.log 2>&1 && ./try",
        dir, compiler(), flags);
}

/* Where no compiler is, there is nothing to compare. */
static bool have_compiler(void)
{
    bool have = works("");
    if (!have)
        fprintf(stderr, "export_c: skipped: '%s' compiles nothing; set CC\n", compiler());
    return have;
}

static void put(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

/* The program around NAME.c: every sample of standard input through the network. */
static void put_driver(const char *path, const char *name)
{
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "#include \"%s.h\"\n#include <stdio.h>\n"
                     "int main(void) {\n"
                     "    static int8_t in[M_INPUT_SIZE], out[M_OUTPUT_SIZE];\n"
                     "    if (m_run(0, out) != -1 || m_run(in, 0) != -1) return 3;\n"
                     "    while (fread(in, 1, sizeof in, stdin) == sizeof in) {\n"
                     "        if (m_run(in, out)) return 4;\n"
                     "        if (fwrite(out, 1, sizeof out, stdout) != sizeof out) return 5;\n"
                     "    }\n    return fclose(stdout) != 0;\n}\n",
                     name);
    put(path, text, (size_t)n);
}

static const char strict[] = "-std=c99 -pedantic -Wall -Wextra -Werror";

static uint8_t *compiled(const char *flags, const char *x, size_t *n)
{
    const char *dir = suite_dir();
    suite_check(shell("cd '%s' && %s %s m.c driver.c %s -o m >m.log 2>&1 || { head -c 3000 m.log; exit 1; }",
                      dir, compiler(), getenv("CMSIS_NN_FLAGS") ? "-std=c99" : strict, flags),
                "the source does not compile with %s", flags);
    suite_check(shell("cd '%s' && ./m <%s >y", dir, x), "the program fails, built with %s", flags);
    return slurp(in_dir("y"), n);
}

/* The graph as source, built with these flags, gives the engine's bytes. */
static void same_bytes(pithp_qgraph *g, uint32_t seed, const char *flags, pith_export_cfg cfg)
{
    size_t in = (size_t)pithp_count(pithp_q_tensor(g, g->inputs[0])->shape) * SAMPLES, n,
           out = (size_t)pithp_count(pithp_q_tensor(g, g->outputs[0])->shape) * SAMPLES;
    int8_t *x = malloc(in), *y = malloc(out);
    c_net_input(seed, x, in);
    pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = SAMPLES, .reference = true });
    suite_check(p && !pithp_qplan_run(p, SAMPLES, (const void *[]){ x }, (void *[]){ y }), "%s",
                pith_error_text(ctx));
    suite_check(pithp_c_export(g, NULL, cfg, in_dir("m.c")) == PITH_OK, "%s", pith_error_text(ctx));
    put_driver(in_dir("driver.c"), "m");
    put(in_dir("x"), x, in);
    uint8_t *got = compiled(flags, "x", &n);
    ck_assert_uint_eq(n, out);
    for (size_t i = 0; i < n; i++)
        suite_check((int8_t)got[i] == y[i], "net %u with %s: byte %zu of %zu is %d, not %d", seed, flags, i,
                    n, (int8_t)got[i], y[i]);
    free(got), free(x), free(y);
}

static const char undefined[] = "-O1 -fsanitize=undefined -fno-sanitize-recover=all";

/* Every op on its own, at the edges of its factors, zero points and windows. */
START_TEST(each_op)
{
    if (!have_compiler())
        return;
    const char *flags = works(undefined) ? undefined : "-O1";
    int done = 0;
    for (int kind = 0; kind < int8_kinds; kind++) {
        int8_case k = int8_case_make(ctx, kind, 77, false);
        suite_check(k.g != NULL, "%s", int8_kind_name(kind));
        const pithp_qtensor *x = pithp_q_tensor(k.g, k.g->inputs[0]),
                            *y = pithp_q_tensor(k.g, k.g->outputs[0]);
        if (k.g->n_inputs != 1 || x->dtype != PITH_I8 || y->dtype != PITH_I8) {
            ck_assert_int_eq(pithp_c_export(k.g, NULL, (pith_export_cfg){ 0 }, in_dir("no.c")), PITH_EINVAL);
            pith_ctx_clear(ctx);
            ck_assert_int_ne(access(in_dir("no.c"), F_OK), 0);
        } else {
            same_bytes(k.g, (uint32_t)kind, flags, (pith_export_cfg){ .packed = done % 2 });
            done++;
        }
        int8_case_free(&k);
    }
    ck_assert_int_ge(done, 16);
}
END_TEST

START_TEST(whole_nets)
{
    if (!have_compiler())
        return;
    const char *flags[] = { "-O2", "-m32 -O1", undefined, "-funsigned-char -Os" };
    for (size_t i = 0; i < PITHP_LEN(flags); i++)
        if (!works(flags[i])) {
            fprintf(stderr, "export_c: skipped: %s builds no programs here\n", flags[i]);
            flags[i] = "-O0";
        }
    const char *more = getenv("EXPORT_C_NETS");
    uint32_t nets = more ? (uint32_t)strtoul(more, NULL, 10) : 16;
    for (uint32_t seed = 0; seed < nets; seed++) {
        pithp_qgraph *g = c_net_make(ctx, seed);
        suite_check(g != NULL, "net %u: %s", seed, pith_error_text(ctx));
        same_bytes(g, seed, flags[seed % PITHP_LEN(flags)], (pith_export_cfg){ 0 });
        pithp_qgraph_free(g);
    }
}
END_TEST

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

/* The figures are the arrays' sizes, and the self-test knows its answer; a wrong weight is noticed. */
START_TEST(figures_and_selftest)
{
    if (!have_compiler())
        return;
    pithp_c_needs needs;
    pithp_qgraph *g = c_net_make(ctx, 3);
    ck_assert_int_eq(pithp_c_plan(g, &needs), PITH_OK);
    ck_assert_int_eq(pithp_c_export(g, NULL, (pith_export_cfg){ .mlperf = true }, in_dir("m.c")), PITH_OK);
    ck_assert_int_eq(needs.macs, pithp_q_macs(g));
    char check[256];
    int n = snprintf(check, sizeof check,
                     "#include \"m.c\"\ntypedef char f[sizeof W == %zu && M_FLASH_BYTES == %zu ? 1 : -1];\n"
                     "typedef char r[sizeof arena == %zu && M_RAM_BYTES == %zu ? 1 : -1];\n",
                     needs.flash, needs.flash, needs.ram, needs.ram);
    put(in_dir("check.c"), check, (size_t)n);
    ck_assert(
        shell("cd '%s' && %s %s -DM_SELFTEST check.c -o check && ./check", suite_dir(), compiler(), strict));
    ck_assert(
        shell("cd '%s' && sed 's|^/[*] w_[0-9]* [*]/ {$|&0,|' m.c >m2.c && cmp -s m.c m2.c; test $? = 1",
              suite_dir()));
    ck_assert(
        shell("cd '%s' && sed 's|= m_run|= 0*m_run|; s|golden\\[i\\]|(int8_t)(golden[i] ^ 1)|' m.c >m3.c && "
              "%s %s -DM_SELFTEST m3.c -o m3 && ! ./m3",
              suite_dir(), compiler(), strict));
    ck_assert_int_eq(access(in_dir("m_th.cpp"), F_OK), 0);
}
END_TEST

START_TEST(refusals)
{
    pithp_qgraph *g = pithp_qgraph_new(ctx, "float");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ 1, 0 });
    int y = pithp_q_op(g, &pithp_qop_dequantize, "layer3", &x, 1, NULL, (pithp_qparam){ 0 });
    y = pithp_q_op(g, &pithp_qop_quantize, "layer4", &y, 1, NULL, (pithp_qparam){ 1, 0 });
    ck_assert_int_eq(pithp_q_output(g, y), PITH_OK);
    ck_assert_int_eq(pithp_c_export(g, NULL, (pith_export_cfg){ 0 }, in_dir("no.c")), PITH_EINVAL);
    expect_error(PITH_EINVAL, "op DEQUANTIZE (layer3)");
    g = c_net_make(ctx, 1);
    static const char *const paths[] = { "no.h", "no", ".c", "no.c/", "" };
    for (size_t i = 0; i < PITHP_LEN(paths); i++) {
        ck_assert_int_eq(pithp_c_export(g, NULL, (pith_export_cfg){ 0 }, *paths[i] ? in_dir(paths[i]) : ""),
                         PITH_EINVAL);
        expect_error(PITH_EINVAL, "ends in .c");
    }
    ck_assert_int_eq(pithp_c_export(g, NULL, (pith_export_cfg){ 0 }, in_dir("nowhere/no.c")), PITH_ENOTFOUND);
    pith_ctx_clear(ctx);
    pith_model *m = model_of(conv_bn, NULL);
    ck_assert_int_eq(pith_export_c(m, in_dir("no.c"), (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "is not quantized");
    ck_assert_int_eq(pith_export_c(m, in_dir("no.c"), (pith_export_cfg){ .numbers = PITH_EXPORT_F32 }),
                     PITH_EINVAL);
    expect_error(PITH_EINVAL, "int8 numbers only");
    ck_assert_int_eq(pith_export_tflm(model_of(unknown_op, NULL), in_dir("no.cc"), (pith_export_cfg){ 0 }),
                     PITH_EINVAL);
    expect_error(PITH_EINVAL, "layer7");
    ck_assert(shell("cd '%s' && test -z \"$(ls | grep '^no')\"", suite_dir()));
}
END_TEST

/* The .tflite as an array holds the .tflite's bytes. */
START_TEST(tflm_array)
{
    if (!have_compiler())
        return;
    size_t n, m_bytes;
    pith_model *m = model_of(conv_bn, NULL);
    ck_assert_int_eq(pith_export_tflite(m, in_dir("a.tflite"), (pith_export_cfg){ 0 }), PITH_OK);
    suite_check(pith_export_tflm(m, in_dir("9a b.c"), (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                pith_error_text(ctx));
    static const char print[] =
        "#include \"9a b.c\"\n#include <stdio.h>\nint main(void) {\n"
        "    return (unsigned long)m9a_b_tflite % 16 ||\n"
        "        fwrite(m9a_b_tflite, 1, m9a_b_tflite_len, stdout) != m9a_b_tflite_len; }\n";
    put(in_dir("print.c"), print, sizeof print - 1);
    ck_assert(
        shell("cd '%s' && %s %s print.c -o print && ./print >b.tflite", suite_dir(), compiler(), strict));
    uint8_t *a = slurp(in_dir("a.tflite"), &n), *b = slurp(in_dir("b.tflite"), &m_bytes);
    ck_assert(n == m_bytes && !memcmp(a, b, n));
    free(a), free(b);
    ck_assert(shell("cd '%s' && test -z \"$(ls | grep '[.]c[.]')\"", suite_dir()));
}
END_TEST

START_TEST(no_memory)
{
    const char *path = in_dir("nomem.c"), *header = in_dir("nomem.h"), *harness = in_dir("nomem_th.cpp");
    size_t n, nh, nt;
    pithp_qgraph *g = c_net_make(ctx, 5);
    suite_check(g && pithp_c_export(g, NULL, (pith_export_cfg){ .mlperf = true, .cmsis_nn = true }, path) ==
                         PITH_OK,
                "%s", pith_error_text(ctx));
    uint8_t *p = slurp(path, &n), *h = slurp(header, &nh), *t = slurp(harness, &nt);
    unlink(path), unlink(header), unlink(harness);
    size_t bytes = pith_ctx_memory(ctx, NULL);
    int failures = 0;
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        hook.left = failures;
        s = pithp_c_export(g, NULL, (pith_export_cfg){ .mlperf = true, .cmsis_nn = true }, path);
        hook.left = -1;
        suite_check(s == PITH_OK || (s == PITH_ENOMEM && pith_ctx_status(ctx) == PITH_ENOMEM),
                    "allocation %d", failures);
        suite_check(pith_ctx_memory(ctx, NULL) == bytes, "allocation %d leaks", failures);
        bool there = whole_or_absent(path, p, n);
        whole_or_absent(header, h, nh), whole_or_absent(harness, t, nt);
        suite_check(there || s != PITH_OK, "allocation %d writes nothing", failures);
        pith_ctx_clear(ctx);
    }
    ck_assert_int_gt(failures, 60);
    free(p), free(h), free(t);
}
END_TEST

/* A disk that is full at any byte: neither file stands there. The limit ends with this test's process. */
START_TEST(full_disk)
{
    pithp_qgraph *g = c_net_make(ctx, 5);
    signal(SIGXFSZ, SIG_IGN);
    static const rlim_t room[] = { 0, 1000, 3000, 20000 };
    for (size_t i = 0; i < PITHP_LEN(room); i++) {
        struct rlimit r = { room[i], RLIM_INFINITY };
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
        ck_assert_int_eq(pithp_c_export(g, NULL, (pith_export_cfg){ .mlperf = true }, in_dir("full.c")),
                         PITH_EIO);
        expect_error(PITH_EIO, "full");
        ck_assert_int_ne(access(in_dir("full.c"), F_OK), 0);
        ck_assert_int_ne(access(in_dir("full.h"), F_OK), 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("export c");
    TCase *t = suite_case(s, "c");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, each_op);
    tcase_add_test(t, whole_nets);
    tcase_add_test(t, packed_weights);
    tcase_add_test(t, sparse_weights);
    tcase_add_test(t, sparse_gaps);
    tcase_add_test(t, figures_and_selftest);
    tcase_add_test(t, tflm_array);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    tcase_add_test(t, full_disk);
    t = suite_case(s, "cmsis-nn");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, calls_of_cmsis_nn);
    return suite_run("export_c", s);
}
