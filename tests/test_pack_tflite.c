/* Floor 7: packed .tflite files: every byte comes back, and every runtime runs them as the plain ones. */
#include "base/kind.h"
#include "file_help.h"
#include "fit_help.h"

#include <dlfcn.h>
#include <pith/pith.h>
#include <pith/rt.h>

/* ---- Runtimes ---- */
/* pith_rt of libpith, or of libpith-rt where there is a shared one. */
typedef struct {
    pith_rt *(*open)(const char *, pith_rt_cfg);
    pith_rt *(*open_memory)(const void *, size_t, pith_rt_cfg);
    void (*free)(pith_rt *);
    pith_status (*status)(const pith_rt *);
    const char *(*error)(const pith_rt *);
    bool (*input)(const pith_rt *, int, pith_rt_tensor *);
    pith_status (*run)(pith_rt *, const void *const *, void *const *);
    pith_rt_facts (*info)(const pith_rt *);
} runtime;

static const runtime big = { pith_rt_open,  pith_rt_open_memory, pith_rt_free, pith_rt_status,
                             pith_rt_error, pith_rt_input,       pith_rt_run,  pith_rt_info };

static bool small(runtime *r)
{
    void *lib = dlopen(".libs/libpith-rt.so", RTLD_NOW | RTLD_LOCAL);
    static const char *const names[] = { "open",  "open_memory", "free", "status",
                                         "error", "input",       "run",  "info" };
    for (size_t i = 0; lib != NULL && i < PITHP_LEN(names); i++) {
        char name[32];
        snprintf(name, sizeof name, "pith_rt_%s", names[i]);
        void *found = dlsym(lib, name);
        suite_check(found != NULL, "%s", name);
        memcpy((char *)r + i * sizeof found, &found,
               sizeof found); /* every member is a pointer to a function */
    }
    return lib != NULL;
}

/* Answers of a model to made-up pictures. */
static void answers(const runtime *r, pith_rt *rt, int8_t *out, int n)
{
    pith_rt_tensor x;
    suite_check(r->status(rt) == PITH_OK, "%s", r->error(rt));
    ck_assert(r->input(rt, 0, &x));
    int8_t *in = malloc(x.bytes);
    for (int k = 0; k < n; k++) {
        for (size_t i = 0; i < x.bytes; i++)
            in[i] = (int8_t)((i * i * 31 + i * (size_t)k * 7) % 255 - 127);
        ck_assert_int_eq(r->run(rt, (const void *[]){ in }, (void *[]){ out + 2 * k }), PITH_OK);
    }
    free(in);
}

/* The plain file and the packed one, from paths and from memory, say the same and take what they say. */
static void same_answers(const runtime *r, const char *plain, const char *packed)
{
    enum { N = 8 };
    int8_t want[2 * N], got[2 * N];
    size_t n, bytes;
    uint8_t *p = slurp(packed, &n);
    free(slurp(plain, &bytes));
    pith_rt *a = r->open(plain, (pith_rt_cfg){ 0 }), *b = r->open(packed, (pith_rt_cfg){ 0 }),
            *d = r->open_memory(p, n, (pith_rt_cfg){ 0 });
    free(p); /* unpacked, it is not needed */
    answers(r, a, want, N);
    answers(r, b, got, N);
    ck_assert_mem_eq(got, want, sizeof want);
    answers(r, d, got, N);
    ck_assert_mem_eq(got, want, sizeof want);
    ck_assert(memcmp(want, want + 2, 2) || memcmp(want, want + 4, 2)); /* not one answer to all */
    const pith_rt_facts plainly = r->info(a), other = r->info(b);
    ck_assert(plainly.model == bytes && other.model == n && other.arena == plainly.arena);
    suite_check(other.heap >= plainly.heap + bytes && other.heap < plainly.heap + bytes + 200,
                "heap %zu, of the plain file %zu and its %zu bytes", other.heap, plainly.heap, bytes);
    r->free(a), r->free(b), r->free(d);
}

/* ---- Round trips ---- */
static void same_files(const char *a, const char *b)
{
    size_t na, nb;
    uint8_t *pa = slurp(a, &na), *pb = slurp(b, &nb);
    ck_assert(na == nb && memcmp(pa, pb, na) == 0);
    free(pa), free(pb);
}

static pith_pack_sizes round_trip(pith_ctx *c, const char *plain, const char *packed)
{
    pith_pack_sizes z, again;
    const char *back = in_dir("back.tflite"), *twice = in_dir("twice.pack");
    suite_check(pith_pack_tflite(c, plain, packed, &z) == PITH_OK, "%s", pith_error_text(c));
    suite_check(pith_unpack(c, packed, back) == PITH_OK, "%s", pith_error_text(c));
    same_files(plain, back);
    suite_check(pith_pack_tflite(c, packed, twice, &again) == PITH_OK, "%s", pith_error_text(c));
    same_files(packed, twice);
    ck_assert_mem_eq(&z, &again, sizeof z);
    size_t n;
    free(slurp(packed, &n));
    ck_assert(z.packed == (int64_t)n && z.packed < z.file && z.entropy <= z.packed && z.zeros <= z.weights);
    ck_assert(pith_is_tflite(plain) && pith_is_tflite(packed));
    ck_assert_str_eq(pithp_kind_of(packed), "a packed TensorFlow Lite model");
    return z;
}

static void runs_as_a_picture(pith_ctx *c, const char *plain, const char *packed)
{
    static pith_real x[FIT_SIZE * FIT_SIZE * 3];
    pith_runner_result y[2];
    pith_runner *r[2] = { pith_runner_open(c, plain), pith_runner_open(c, packed) };
    for (size_t i = 0; i < PITHP_LEN(x); i++)
        x[i] = (pith_real)((double)(i * 37 % 101) / 50 - 1);
    for (int i = 0; i < 2; i++) {
        suite_check(r[i] != NULL, "%s", pith_error_text(c));
        ck_assert_str_eq(pith_runner_info(r[i]).format, ".tflite");
        ck_assert_int_eq(pith_runner_run(r[i], x, &y[i]), PITH_OK);
    }
    ck_assert(y[0].n == 2 && y[0].values[0] == y[1].values[0] && y[0].values[1] == y[1].values[1]);
    const char *last[2] = { pith_runner_class(r[0], 1), pith_runner_class(r[1], 1) };
    ck_assert(last[0] == last[1] || strcmp(last[0], last[1]) == 0); /* NULL: it has no names */
}

START_TEST(networks)
{
    fit_setup s = fit_begin(1);
    const char *plain = in_dir("net.tflite"), *packed = in_dir("net.pack");
    pith_pack_sizes z[2];
    runtime tiny;
    ck_assert_int_eq(pith_fit(s.m, s.d, (pith_fit_cfg){ .epochs = 1, .batch = 32 }), PITH_OK);
    for (int pruned = 0; pruned < 2; pruned++) {
        if (pruned)
            ck_assert_int_eq(pith_prune(s.m, NULL, (pith_prune_cfg){ .target = 0.8, .per_layer = true }),
                             PITH_OK);
        pith_model *m = pith_model_clone(s.m);
        ck_assert_int_eq(pith_quantize(m, s.d, (pith_quant_cfg){ .samples = 32 }), PITH_OK);
        suite_check(pith_export_tflite(m, plain, (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                    pith_error_text(s.c));
        z[pruned] = round_trip(s.c, plain, packed);
        same_answers(&big, plain, packed);
        if (small(&tiny))
            same_answers(&tiny, plain, packed);
        runs_as_a_picture(s.c, plain, packed);
    }
    ck_assert(z[1].file == z[0].file && z[1].packed < z[0].packed && z[1].weights == z[0].weights);
    ck_assert(2 * z[1].zeros > z[1].weights && 10 * z[0].zeros < z[0].weights);
    pith_ctx_free(s.c);
}
END_TEST

/* Floats and halves pack, too, and are read as a model; an int8 file is none. */
START_TEST(floats)
{
    fit_setup s = fit_begin(1);
    const char *plain = in_dir("f.tflite"), *packed = in_dir("f.pack");
    for (int half = 0; half < 2; half++) {
        if (half)
            ck_assert_int_eq(pith_quantize(s.m, s.d, (pith_quant_cfg){ .scheme = PITH_SCHEME_FLOAT16 }),
                             PITH_OK);
        suite_check(pith_export_tflite(s.m, plain, (pith_export_cfg){ 0 }) == PITH_OK, "%s",
                    pith_error_text(s.c));
        round_trip(s.c, plain, packed);
        runs_as_a_picture(s.c, plain, packed);
        suite_check(pith_import_tflite(s.c, packed) != NULL, "%s", pith_error_text(s.c));
    }
    pith_ctx_free(s.c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pack_tflite");
    TCase *t = suite_case(s, "networks");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, networks);
    tcase_add_test(t, floats);
    return suite_run("pack_tflite", s);
}
