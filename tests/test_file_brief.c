/* Model files that hold weights in fewer bits: nothing is lost, the file has the size that is claimed, and lies are
   refused. */
#include "file/graph_json.h"
#include "quant_help.h"
#include "data_help.h"
#include "ops/fake_quant.h"
#include "ops/table.h"
#include <math.h>
#include <pith/pith.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static pith_ctx *c;

static void setup(void) { c = ctx_new(NULL, 1); }

static void teardown(void) { pith_ctx_free(c); }

enum { IN = 24, OUT = 96 };

/* dense(x, fake_quant(w)) with w = S*q in `bits` bits, per output channel or not. */
typedef struct {
    int bits, axis;
    bool exact;
} linear_net;

static pith_tensor *quantized(pith_model *m, pith_tensor *x, void *user)
{
    const linear_net *a = user;
    pith_tensor *w = pithp_node_param(m->g, "w", PITH_SHAPE(OUT, IN), PITHP_INIT_NORMAL, 1, true);
    int64_t n = a->axis < 0 ? 1 : OUT;
    pith_tensor *s = pithp_node_state(m->g, "s", PITH_SHAPE(n), PITHP_INIT_ONE);
    pith_tensor *z = pithp_node_state(m->g, "z", PITH_SHAPE(n), PITHP_INIT_ZERO);
    w = pith_fake_quant(
        w, s, z, (pith_fake_quant_cfg){ .bits = a->bits, .symmetric = true, .per_channel = a->axis >= 0 });
    return pith_dense(x, w, NULL);
}

static void round_weights(pith_model *m, const linear_net *a)
{
    pith_real *w = pith_values(pith_model_find(m, "w")), *s = pith_values(pith_model_find(m, "s"));
    int top = 1 << (a->bits - 1);
    for (int i = 0; i < (a->axis < 0 ? 1 : OUT); i++)
        s[i] = 0.01F * (float)(1 + i) / 3;
    for (int i = 0; i < OUT * IN; i++)
        w[i] = s[a->axis < 0 ? 0 : i / IN] * (float)(i * 7 % (2 * top) - top);
    if (!a->exact)
        w[5] = nextafterf(w[5], 1);
}

static int64_t file_size(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

static int64_t data_bytes(const char *path, const char *tensor, pithp_st_dtype *dtype)
{
    pithp_st_file f;
    ck_assert_int_eq(pithp_st_open(c, &f, path), PITH_OK);
    const pithp_st_tensor *t = pithp_st_find(&f, tensor);
    ck_assert_ptr_nonnull(t);
    int64_t n = (int64_t)t->bytes;
    *dtype = t->dtype;
    pithp_st_close(&f);
    return n;
}

static void same_values(pith_model *a, pith_model *b, const char *name)
{
    pith_tensor *x = pith_model_find(a, name), *y = pith_model_find(b, name);
    ck_assert(x && y && pith_size(x) == pith_size(y) && pith_dtype_of(x) == pith_dtype_of(y));
    ck_assert_mem_eq(pith_values(x), pith_values(y), (size_t)pith_size(x) * 4);
}

START_TEST(integer_weights)
{
    for (int bits = 2; bits <= 8; bits++)
        for (int axis = -1; axis < 1; axis++)
            for (int exact = 0; exact < 2; exact++) {
                linear_net a = { bits, axis, exact };
                pith_model *m = pith_model_new(c, quantized, &a, PITH_SHAPE(IN));
                ck_assert_ptr_nonnull(m);
                round_weights(m, &a);
                const char *path = at("linear.pith");
                ck_assert_int_eq(pith_model_save(m, path, false), PITH_OK);
                pithp_st_dtype type;
                int64_t held = data_bytes(path, "w", &type), n = OUT * IN;
                int64_t want = !exact ? 4 * n : bits == 8 ? n : (n * bits + 7) / 8;
                suite_check(held == want, "%d bits, axis %d: %lld bytes", bits, axis, (long long)held);
                ck_assert_int_eq(type, !exact ? PITHP_ST_F32 : bits == 8 ? PITHP_ST_I8 : PITHP_ST_U8);
                pith_model *back = pith_model_load(c, path);
                suite_check(back != NULL, "%s", pith_error_text(c));
                same_values(m, back, "w");
                same_values(m, back, "s");
                ck_assert_int_eq(pith_model_save(back, at("again.pith"), false), PITH_OK);
                ck_assert_int_eq(file_size(at("again.pith")), file_size(path));
                pith_model_free(back);
                pith_model_free(m);
            }
}
END_TEST

static pith_tensor *plain(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_nn_linear(m, "fc", x, OUT);
}

START_TEST(halves)
{
    pith_model *m = pith_model_new(c, plain, NULL, PITH_SHAPE(IN));
    pith_real *w = pith_values(pith_model_find(m, "fc.weight"));
    for (int i = 0; i < OUT * IN; i++)
        w[i] = pithp_half_to(pithp_half_from(w[i]));
    pithp_st_dtype type;
    ck_assert_int_eq(pith_model_save(m, at("h.pith"), false), PITH_OK); /* not said to be float16: as it is */
    ck_assert_int_eq(data_bytes(at("h.pith"), "fc.weight", &type), 4 * OUT * IN);
    ck_assert_int_eq(pith_model_set_meta(m, "quantization", "float16"), PITH_OK);
    ck_assert_int_eq(pith_model_save(m, at("h.pith"), false), PITH_OK);
    ck_assert_int_eq(data_bytes(at("h.pith"), "fc.weight", &type), 2 * OUT * IN);
    ck_assert_int_eq(type, PITHP_ST_F16);
    pith_model *back = pith_model_load(c, at("h.pith"));
    same_values(m, back, "fc.weight");
    w[3] = 0.1F; /* trained on: no half any more, and nothing may be lost */
    ck_assert_int_eq(pith_model_save(m, at("h.pith"), false), PITH_OK);
    ck_assert_int_eq(data_bytes(at("h.pith"), "fc.weight", &type), 4 * OUT * IN);
    ck_assert_int_eq(data_bytes(at("h.pith"), "fc.bias", &type), 2 * OUT);
}
END_TEST

static pith_tensor *shared(pith_model *m, pith_tensor *x, void *user)
{
    int bits = *(const int *)user, k = 1 << bits;
    pith_tensor *centroids = pithp_node_param(m->g, "centroids", PITH_SHAPE(k), PITHP_INIT_NORMAL, 1, false);
    pith_tensor *index = pithp_node_new(m->g, PITHP_NODE_DATA, PITH_I32, PITH_SHAPE(OUT, IN), "index");
    index->value = pithp_alloc(m->ctx, OUT * IN, 4);
    index->owns_value = true;
    for (int i = 0; i < OUT * IN; i++)
        ((int32_t *)index->value)[i] = i * 11 % k;
    return pith_dense(x, pith_codebook_weights(centroids, index, (pith_codebook_weights_cfg){ .bits = bits }),
                      NULL);
}

START_TEST(codebooks)
{
    for (int bits = 1; bits <= 8; bits++) {
        pith_model *m = pith_model_new(c, shared, &bits, PITH_SHAPE(IN));
        ck_assert_ptr_nonnull(m);
        const char *path = at("c.pith");
        ck_assert_int_eq(pith_model_save(m, path, false), PITH_OK);
        pithp_st_dtype type;
        ck_assert_int_eq(data_bytes(path, "index", &type), OUT * IN * bits / 8);
        ck_assert_int_eq(data_bytes(path, "centroids", &type), 4 << bits);
        pith_model *back = pith_model_load(c, path);
        suite_check(back != NULL, "%s", pith_error_text(c));
        same_values(m, back, "index");
        same_values(m, back, "centroids");
        pith_model_free(back);
        pith_model_free(m);
    }
}
END_TEST

/* The saved bytes with one text in them replaced by another of the same length. */
static pith_model *load_changed(const char *path, const char *was, const char *is)
{
    bytes b = slurp(path);
    ck_assert_uint_eq(strlen(was), strlen(is));
    uint8_t *p = memmem(b.p, b.n, was, strlen(was));
    suite_check(p != NULL, "no %s in the file", was);
    memcpy(p, is, strlen(is));
    put_bytes(at("changed.pith"), b);
    return pith_model_load(c, at("changed.pith"));
}

START_TEST(lies)
{
    static const struct {
        const char *was, *is, *says;
    } t[] = {
        { "\\\"bits\\\":4", "\\\"bits\\\":3", "codes of 3 bits" },
        { "\\\"bits\\\":4", "\\\"bits\\\":0", "\"stored\" is not" },
        { "\\\"bits\\\":4", "\\\"bits\\\":9", "\"stored\" is not" },
        { "\\\"bits\\\":4", "\\\"bots\\\":4", "\"stored\" is not" },
        { "\\\"axis\\\":0,\\\"sc", "\\\"axis\\\":1,\\\"sc", "\"scale\" is not" },
        { "\\\"axis\\\":0,\\\"sc", "\\\"axis\\\":2,\\\"sc", "\"stored\" is not" },
        { "\\\"scale\\\":2}", "\\\"scale\\\":1}", "\"scale\" is not" }, /* itself */
        { "\\\"scale\\\":2}", "\\\"scale\\\":0}", "\"scale\" is not" },
        { "\\\"scale\\\":2}", "\\\"scale\\\":9}", "\"scale\" is not" },
        { "\\\"scale\\\":2}", "\\\"scale\\\":[]", "is not" },
        { "\\\"stored\\\"", "\\\"stared\\\"", "is not known" },
    };
    linear_net a = { 4, 0, true };
    pith_model *m = pith_model_new(c, quantized, &a, PITH_SHAPE(IN));
    round_weights(m, &a);
    char *path = strdup(at("lies.pith")); /* at() forgets after a while */
    ck_assert_int_eq(pith_model_save(m, path, false), PITH_OK);
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        pith_model *bad = load_changed(path, t[i].was, t[i].is);
        suite_check(!bad, "%s was accepted", t[i].is);
        suite_check(pith_ctx_status(c) == PITH_EFORMAT, "%s: %s", t[i].is, pith_error_text(c));
        if (i != 9)
            suite_check(strstr(pith_error_text(c), t[i].says), "%s: %s", t[i].is, pith_error_text(c));
        pith_ctx_clear(c);
    }
    int bits = 3;
    pith_model *n = pith_model_new(c, shared, &bits, PITH_SHAPE(IN));
    ck_assert_int_eq(pith_model_save(n, path, false), PITH_OK);
    ck_assert_ptr_null(
        load_changed(path, "\\\"axis\\\":-1,\\\"scale\\\":null", "\\\"axis\\\":-1,\\\"scale\\\":   1"));
    expect(pith_ctx_status(c), PITH_EFORMAT, "\"scale\" is not");
    free(path);
}
END_TEST

/* Every allocation of a save and of a load fails once. */
START_TEST(out_of_memory)
{
    int failed = 0, passed = 0;
    for (long left = 0; passed == 0; left++) {
        watch w = { .allocations_left = -1 };
        pith_ctx *k = ctx_new(&w, 1);
        linear_net a = { 4, 0, true };
        pith_model *m = pith_model_new(k, quantized, &a, PITH_SHAPE(IN));
        round_weights(m, &a);
        w.allocations_left = left;
        pith_status st = pith_model_save(m, at("oom.pith"), false);
        pith_model *back = st ? NULL : pith_model_load(k, at("oom.pith"));
        st = pith_ctx_status(k);
        suite_check(st == PITH_OK || st == PITH_ENOMEM, "%s", pith_error_text(k));
        failed += st == PITH_ENOMEM, passed += back != NULL;
        pith_ctx_free(k);
        suite_check(w.live == 0, "%ld blocks lost", w.live);
    }
    ck_assert_int_gt(failed, 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file_brief");
    TCase *t = suite_case(s, "file_brief");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, integer_weights);
    tcase_add_test(t, halves);
    tcase_add_test(t, codebooks);
    tcase_add_test(t, lies);
    tcase_add_test(t, out_of_memory);
    return suite_run("file_brief", s);
}
