/* Floor 7: the integer runtime: .tflite files that we wrote give the same bytes when they are read back. */
#include "deploy/tflite/int8_emit.h"
#include "deploy/tflite/read_int8.h"
#include "int8_cases.h"
#include "int8_sample.h"
#include "tflite_help.h"
#include <pith/rt.h>

/* ---- What we wrote ---------------------------------------------------------------------------------------------------*/
static size_t bytes_of(const pithp_qtensor *t)
{
    return (size_t)pithp_count(t->shape) * pithp_dtype_size(t->dtype);
}

/* As libpith-rt has it: no factors are kept. */
static void lean_too(const int8_case *k, const char *name)
{
    pithp_tfl_file f;
    suite_check(pithp_tfl_open(ctx, &f, name, file.p, file.n) == PITH_OK, "%s", pith_error_text(ctx));
    pithp_qgraph *g = pithp_tfl_read_int8(&f, PITHP_TFL_LEAN);
    pithp_qplan *p = g ? pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = k->n, .threads = 2 }) : NULL;
    suite_check(p != NULL, "%s: %s", name, pith_error_text(ctx));
    size_t bytes = (size_t)k->n * bytes_of(pithp_q_tensor(g, g->outputs[0]));
    uint8_t *got = malloc(bytes);
    ck_assert_int_eq(pithp_qplan_run(p, k->n, (const void *const *)k->in, (void *[]){ got }), PITH_OK);
    suite_check(!memcmp(got, k->out, bytes), "%s, lean: other bytes", name);
    free(got);
    pithp_qplan_free(p);
    pithp_qgraph_free(g);
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
    lean_too(k, name);
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
        pithp_qgraph *g = pithp_tfl_read_int8(&f, PITHP_TFL_COPY);
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

int main(void)
{
    Suite *s = suite_create("rt");
    TCase *t = suite_case(s, "rt");
    tcase_add_checked_fixture(t, setup, close_file);
    tcase_add_test(t, every_op_comes_back);
    tcase_add_test(t, twice_the_same);
    tcase_add_test(t, no_memory);
    return suite_run("rt", s);
}
