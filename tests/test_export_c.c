/* Floor 7: exported C source, compiled as strictly as a compiler does, against the integer engine; Cortex-M under QEMU in
   tests/interop. */
#include "c_compile.h"
#include "int8_cases.h"
#include "ops/integer.h"
#include <pith/quant.h>
#include <signal.h>
#include <sys/resource.h>

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
    tcase_add_test(t, figures_and_selftest);
    tcase_add_test(t, tflm_array);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    tcase_add_test(t, full_disk);
    return suite_run("export_c", s);
}
