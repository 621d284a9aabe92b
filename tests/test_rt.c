/* Floor 7: the integer runtime: .tflite files that we wrote give the same bytes when they are read back. */
#include "deploy/tflite/int8_emit.h"
#include "deploy/rt_engine.h"
#include "deploy/tflite/read_int8.h"
#include "fit_help.h"
#include "int8_cases.h"
#include "int8_sample.h"
#include "tflite_help.h"
#include <pith/quant.h>
#include <pith/rt.h>

/* ---- What we wrote ---------------------------------------------------------------------------------------------------*/
static size_t bytes_of(const pithp_qtensor *t)
{
    return (size_t)pithp_count(t->shape) * pithp_dtype_size(t->dtype);
}

/* As libpith-rt has it, op by op; twice each, for what a run leaves behind. */
static void by_steps(const int8_case *k, const char *name)
{
    pithp_tfl_file f;
    pith_rt_tensor x[2], y;
    suite_check(pithp_tfl_open(ctx, &f, name, file.p, file.n) == PITH_OK, "%s", pith_error_text(ctx));
    pithp_rt_run *r = pithp_rt_steps.open(&f);
    suite_check(r != NULL, "%s: %s", name, pith_error_text(ctx));
    suite_check(pithp_rt_steps.tensor(r, true, 0, &y) && !pithp_rt_steps.tensor(r, true, 1, &y), "%s", name);
    for (int i = 0; i < k->g->n_inputs; i++)
        suite_check(pithp_rt_steps.tensor(r, false, i, &x[i]), "%s: input %d", name, i);
    ck_assert_int_eq(pithp_rt_steps.macs(r), pithp_q_macs(k->g));
    uint8_t *got = malloc(y.bytes);
    uint64_t made = pith_ctx_allocations(ctx);
    for (int64_t s = 0; s < 2 * k->n; s++) {
        const void *in[2];
        for (int i = 0; i < k->g->n_inputs; i++)
            in[i] = (const uint8_t *)k->in[i] + (size_t)(s / 2) * x[i].bytes;
        suite_check(pithp_rt_steps.run(r, in, (void *[]){ got }) == PITH_OK, "%s", pith_error_text(ctx));
        suite_check(!memcmp(got, (const uint8_t *)k->out + (size_t)(s / 2) * y.bytes, y.bytes),
                    "%s, op by op, sample %lld: other bytes", name, (long long)(s / 2));
    }
    suite_check(pith_ctx_allocations(ctx) == made, "%s: a run allocates", name);
    free(got);
}

/* The file in memory, opened by the runtime, gives k's results for k's inputs. */
static void same_bytes(const int8_case *k, const char *name)
{
    pith_rt *rt = pith_rt_open_memory(file.p, file.n, (pith_rt_cfg){ 0 });
    suite_check(pith_rt_status(rt) == PITH_OK, "%s: %s", name, pith_rt_error(rt));
    pith_rt_tensor x[2], y;
    for (int i = 0; i < k->g->n_inputs; i++) {
        const pithp_qtensor *t = pithp_q_tensor(k->g, k->g->inputs[i]);
        suite_check(pith_rt_input(rt, i, &x[i]) && x[i].bytes == bytes_of(t), "%s: input %d", name, i);
    }
    suite_check(pith_rt_output(rt, 0, &y) && !pith_rt_output(rt, 1, &y) && !pith_rt_output(rt, -1, &y), "%s",
                name);
    pith_rt_output(rt, 0, &y);
    uint8_t *got = malloc(y.bytes);
    for (int64_t s = 0; s < k->n; s++) {
        const void *in[2];
        for (int i = 0; i < k->g->n_inputs; i++)
            in[i] = (const uint8_t *)k->in[i] + (size_t)s * x[i].bytes;
        suite_check(pith_rt_run(rt, in, (void *[]){ got }) == PITH_OK, "%s: %s", name, pith_rt_error(rt));
        suite_check(!memcmp(got, (const uint8_t *)k->out + (size_t)s * y.bytes, y.bytes),
                    "%s, sample %lld: other bytes", name, (long long)s);
    }
    free(got);
    pith_rt_free(rt);
    by_steps(k, name);
}

START_TEST(every_op_comes_back)
{
    const char *path = in_dir("case.tflite");
    int seen = 0;
    for (int kind = 0; kind < int8_kinds; kind++) {
        const char *name = int8_kind_name(kind);
        if (strstr(name, "_any") || !strcmp(name, "table"))
            continue; /* what TFLite has no words for */
        for (uint32_t seed = 0; seed < 12; seed++, seen++) {
            int8_case k = int8_case_make(ctx, kind, 7000 + seed, true);
            suite_check(pithp_tfl_export_int8(k.g, NULL, path) == PITH_OK, "%s", pith_error_text(ctx));
            open_file(path);
            same_bytes(&k, name);
            int8_case_free(&k);
        }
    }
    ck_assert_int_gt(seen, 200);
}
END_TEST

/* Written, read, written again: the same file but for its description, and the same through a file's name. */
START_TEST(twice_the_same)
{
    const char *path = in_dir("a.tflite"), *again = in_dir("b.tflite"), *last = in_dir("c.tflite");
    pithp_tfl_file f;
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, path), PITH_OK);
    for (int i = 0; i < 2; i++) {
        open_file(i ? again : path);
        ck_assert_int_eq(pithp_tfl_open(ctx, &f, i ? "the same" : "the same", file.p, file.n), PITH_OK);
        ck_assert(pithp_tfl_is_int8(&f));
        pithp_qgraph *g = pithp_tfl_read_int8(&f, false);
        suite_check(g != NULL, "%s", pith_error_text(ctx));
        ck_assert_int_eq(g->n_nodes, 5);
        ck_assert_str_eq(g->nodes[1]->name, "dw/padded");
        ck_assert_int_eq(pithp_tfl_export_int8(g, NULL, i ? last : again), PITH_OK);
    }
    size_t n, m;
    uint8_t *p = slurp(again, &n), *q = slurp(last, &m);
    ck_assert(n == m && !memcmp(p, q, n));
    free(p), free(q);
    pith_rt *rt = pith_rt_open(path, (pith_rt_cfg){ 0 });
    pith_rt_tensor x;
    ck_assert(pith_rt_input(rt, 0, &x) && x.type == PITH_I8 && x.shape.d[1] == 9 && x.scale == pixel);
    ck_assert_str_eq(x.name, "x");
    pith_rt_facts facts = pith_rt_info(rt);
    ck_assert(facts.arena > 216 && facts.heap > 500 && facts.model > 1000 && facts.macs > 7000);
    pith_rt_free(rt);
    rt = pith_rt_open(in_dir("none.tflite"), (pith_rt_cfg){ 0 });
    ck_assert_int_eq(pith_rt_status(rt), PITH_ENOTFOUND);
    ck_assert(strstr(pith_rt_error(rt), "none.tflite") && !pith_rt_input(rt, 0, &x));
    ck_assert_int_eq(pith_rt_run(rt, NULL, NULL), PITH_ENOTFOUND);
    pith_rt_free(rt);
}
END_TEST

/* ---- Memory ----------------------------------------------------------------------------------------------------------*/
static struct {
    size_t held, most;
} counted;

static void *count_alloc(void *user, size_t n)
{
    (void)user;
    size_t *p = malloc(n + 16);
    if (!p)
        return NULL;
    *p = n;
    counted.held += n;
    counted.most = PITHP_MAX(counted.most, counted.held);
    return p + 2;
}

static void count_release(void *user, void *p)
{
    (void)user;
    size_t *at = (size_t *)p - 2;
    counted.held -= p ? *at : 0;
    free(p ? at : NULL);
}

/* A quantized network of the family as a .tflite. What is measured here does not depend on the image's size. */
static void write_family(const char *family, const char *path)
{
    pith_data *d = fit_data(ctx);
    pith_model *m = pith_model_family(ctx, family, (pith_family_cfg){ .classes = 2, .image_size = FIT_SIZE });
    pith_tensor *t;
    for (int i = 0; m && (t = pith_model_param(m, i)) != NULL;
         i++) /* untrained, signals fade from layer to layer */
        for (int64_t k = 0; strstr(t->name, "bn") && strstr(t->name, ".weight") && k < pith_size(t); k++)
            ((pith_real *)pith_values(t))[k] = 2;
    suite_check(m && !pith_quantize(m, d, (pith_quant_cfg){ .samples = 32 }) &&
                    !pith_export_tflite(m, path, (pith_export_cfg){ 0 }),
                "%s: %s", family, pith_error_text(ctx));
    open_file(path);
}

/* What libpith-rt takes from the heap beside the arena, at any moment: below 50,000 bytes, also for networks of hundreds of
   ops. */
START_TEST(little_heap)
{
    static const char *const families[] = { "efnet-micro", "efnet-b0" };
    const size_t most = 50000;
    const char *family = families[_i];
    write_family(family, in_dir("family.tflite"));
    pith_ctx *c =
        pith_ctx_new((pith_ctx_cfg){ .threads = 1, .alloc = count_alloc, .release = count_release });
    pithp_tfl_file f;
    counted.most = counted.held;
    size_t before = counted.held;
    ck_assert_int_eq(pithp_tfl_open(c, &f, family, file.p, file.n), PITH_OK);
    pithp_rt_run *r = pithp_rt_steps.open(&f);
    suite_check(r != NULL, "%s", pith_error_text(c));
    size_t arena = pithp_rt_steps.arena(r), opened = counted.held - before - arena;
    suite_check(counted.most - before - arena < most, "%s: %zu bytes of heap while it is opened", family,
                counted.most - before - arena);
    pith_rt_tensor x;
    int8_t out[2], want[2];
    ck_assert(pithp_rt_steps.tensor(r, false, 0, &x));
    int8_t *in = malloc(x.bytes);
    for (size_t i = 0; i < x.bytes; i++)
        in[i] = (int8_t)(i * i * 31 % 255 - 127);
    counted.most = counted.held;
    ck_assert_int_eq(pithp_rt_steps.run(r, (const void *[]){ in }, (void *[]){ out }), PITH_OK);
    suite_check(counted.most == before + arena + opened, "%s: a run allocates", family);
    pith_rt *rt = pith_rt_open_memory(file.p, file.n, (pith_rt_cfg){ 0 });
    ck_assert_int_eq(pith_rt_run(rt, (const void *[]){ in }, (void *[]){ want }), PITH_OK);
    ck_assert_mem_eq(out, want, sizeof out);
    pith_rt_free(rt);
    free(in);
    pith_ctx_free(c);
}
END_TEST

static struct {
    int left, held;
} rt_hook;

static void *rt_alloc(void *user, size_t n)
{
    (void)user;
    if (rt_hook.left == 0)
        return NULL;
    rt_hook.left -= rt_hook.left > 0;
    rt_hook.held++;
    return malloc(n);
}

static void rt_release(void *user, void *p)
{
    (void)user;
    rt_hook.held -= p != NULL;
    free(p);
}

START_TEST(no_memory)
{
    const pith_rt_cfg cfg = { .alloc = rt_alloc, .release = rt_release };
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, in_dir("mem.tflite")), PITH_OK);
    open_file(in_dir("mem.tflite"));
    int failures = 0;
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        rt_hook.left = failures;
        pith_rt *rt = pith_rt_open_memory(file.p, file.n, cfg);
        s = pith_rt_status(rt);
        suite_check(s == PITH_OK || s == PITH_ENOMEM, "allocation %d: %s", failures, pith_rt_error(rt));
        pith_rt_free(rt);
        suite_check(rt_hook.held == 0, "allocation %d leaks %d blocks", failures, rt_hook.held);
    }
    ck_assert_int_gt(failures, 20);
    pith_rt *rt = pith_rt_open_memory(file.p, file.n, (pith_rt_cfg){ .alloc = rt_alloc });
    ck_assert_int_eq(pith_rt_status(rt), PITH_EINVAL);
    pith_rt_free(rt);
    ck_assert_int_eq(pith_rt_status(NULL), PITH_ENOMEM);
}
END_TEST

/* The same op by op. */
START_TEST(no_memory_by_steps)
{
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, in_dir("steps.tflite")), PITH_OK);
    open_file(in_dir("steps.tflite"));
    int failures = 0;
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        pith_ctx *c =
            pith_ctx_new((pith_ctx_cfg){ .threads = 1, .alloc = hook_alloc, .release = hook_release });
        pithp_tfl_file f;
        long live = hook.live;
        ck_assert_int_eq(pithp_tfl_open(c, &f, "steps", file.p, file.n), PITH_OK);
        hook.left = failures;
        pithp_rt_run *r = pithp_rt_steps.open(&f);
        hook.left = -1;
        s = pith_ctx_status(c);
        suite_check(s == (r ? PITH_OK : PITH_ENOMEM), "allocation %d: %s", failures, pith_error_text(c));
        pith_ctx_free(c);
        suite_check(hook.live == live - 1, "allocation %d leaks %ld blocks", failures, hook.live - live + 1);
    }
    ck_assert_int_gt(failures, 60);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rt");
    TCase *t = suite_case(s, "rt");
    tcase_add_checked_fixture(t, setup, close_file);
    tcase_add_test(t, every_op_comes_back);
    tcase_add_test(t, twice_the_same);
    tcase_add_test(t, no_memory);
    tcase_add_test(t, no_memory_by_steps);
    tcase_add_loop_test(t, little_heap, 0, 2);
    return suite_run("rt", s);
}
