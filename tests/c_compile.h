/* tests/c_compile.h: exported C source built with the host's compiler ($CC, else cc), and its bytes beside the engine's. */
#ifndef PITH_TESTS_C_COMPILE_H
#define PITH_TESTS_C_COMPILE_H

#include "c_nets.h"
#include "deploy/c/export.h"
#include "export_help.h"

enum { SAMPLES = 8 };

static inline const char *compiler(void)
{
    const char *cc = getenv("CC");
    return cc && *cc ? cc : "cc";
}

static inline bool shell(const char *fmt, ...) PITH_PRINTF(1, 2);
static inline bool shell(const char *fmt, ...)
{
    char line[16384];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return n < (int)sizeof line && system(line) == 0;
}

/* Can programs be built with these flags? Without the 32-bit library, for one, -m32 cannot. */
static inline bool works(const char *flags)
{
    const char *dir = suite_dir();
    return shell(
        "cd '%s' && echo 'int main(void) { return 0; }' >try.c && %s %s try.c -o try >try.log 2>&1 && ./try",
        dir, compiler(), flags);
}

/* Where no compiler is, there is nothing to compare. */
static inline bool have_compiler(void)
{
    bool have = works("");
    if (!have)
        fprintf(stderr, "export_c: skipped: '%s' compiles nothing; set CC\n", compiler());
    return have;
}

static inline void put(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

/* The program around NAME.c: every sample of standard input through the network. */
static inline void put_driver(const char *path, const char *name)
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

static inline uint8_t *compiled(const char *flags, const char *x, size_t *n)
{
    const char *dir = suite_dir();
    suite_check(shell("cd '%s' && %s %s m.c driver.c %s -o m >m.log 2>&1 || { head -c 3000 m.log; exit 1; }",
                      dir, compiler(), getenv("CMSIS_NN_FLAGS") ? "-std=c99" : strict, flags),
                "the source does not compile with %s", flags);
    suite_check(shell("cd '%s' && ./m <%s >y", dir, x), "the program fails, built with %s", flags);
    return slurp(in_dir("y"), n);
}

/* The graph as source, built with these flags, gives the engine's bytes. */
static inline void same_bytes(pithp_qgraph *g, uint32_t seed, const char *flags, pith_export_cfg cfg)
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

#endif
