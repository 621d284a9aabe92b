/* Floor 3: model files that are damaged or lie: refused with a reason, nothing leaked, nothing lost. */
#include "file_help.h"
#include <math.h>
#include <pith/nn.h>

/* ---- Weights that come from elsewhere ------------------------------------------------------------------ */
static const char *const tiny_graph =
    "{\"format\":1,\"name\":\"tiny\",\"input\":0,\"output\":3,\"nodes\":["
    "{\"id\":0,\"kind\":\"input\",\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[1,3]},"
    "{\"id\":1,\"kind\":\"param\",\"name\":\"w\",\"tensor\":\"w\",\"shape\":[2,3],\"decay\":true,\"frozen\":"
    "false},"
    "{\"id\":2,\"kind\":\"op\",\"op\":\"dense\",\"name\":\"d\",\"inputs\":[0,1,null],\"attrs\":{},\"shape\":["
    "1,2]},"
    "{\"id\":3,\"kind\":\"op\",\"op\":\"scale\",\"name\":null,\"inputs\":[2],\"attrs\":{\"factor\":2,"
    "\"offset\":0.5},"
    "\"shape\":[1,2]}]}";

/* A file of this graph and of w as given; loaded. */
static pith_model *load_tiny(const char *graph, pithp_st_dtype dtype, pith_shape shape, const void *w,
                             const char *more)
{
    pithp_st_writer s;
    const char *path = in_dir("tiny.pith");
    pithp_st_writer_init(ctx, &s);
    if (graph)
        pithp_st_add_meta(&s, "pith.graph", graph);
    if (w)
        pithp_st_add(&s, "w", dtype, shape, w);
    if (more)
        pithp_st_add(&s, more, PITHP_ST_U8, PITH_SHAPE(1), "x");
    ck_assert_int_eq(pithp_st_commit(&s, path, false), PITH_OK);
    pithp_st_writer_free(&s);
    return pith_model_load(ctx, path);
}

START_TEST(other_types)
{
    const uint16_t half[6] = { 0x3c00, 0x4000, 0x4200, 0xbc00, 0xc000, 0x0000 };
    const uint16_t brain[6] = { 0x3f80, 0x4000, 0x4040, 0xbf80, 0xc000, 0x0000 };
    const double twice[6] = { 1, 2, 3, -1, -2, 0 };
    const pith_real expected[6] = { 1, 2, 3, -1, -2, 0 };
    const void *data[] = { half, brain, twice };
    const pithp_st_dtype types[] = { PITHP_ST_F16, PITHP_ST_BF16, PITHP_ST_F64 };
    for (int i = 0; i < 3; i++) {
        pith_model *m = load_tiny(tiny_graph, types[i], PITH_SHAPE(2, 3), data[i], PITHP_ST_TRAIN "momentum");
        ck_assert_msg(m != NULL, "%s", pith_error_text(ctx));
        ck_assert_mem_eq(pith_model_param(m, 0)->value, expected, sizeof expected);
    }
    ck_assert_ptr_null(load_tiny(tiny_graph, PITHP_ST_I32, PITH_SHAPE(2, 3), twice, NULL));
    expect_error(PITH_EFORMAT, "tensor 'w' has dtype I32; expected F32");
}
END_TEST

START_TEST(fitting)
{
    pith_real w[7] = { 1, 2, 3, 4, 5, 6, 7 };
    ck_assert_ptr_null(load_tiny(tiny_graph, PITHP_ST_REAL, PITH_SHAPE(3, 2), w, NULL));
    expect_error(PITH_EFORMAT, "tensor 'w' has shape [3,2]; the model's graph expects [2,3]");
    ck_assert_ptr_null(load_tiny(tiny_graph, PITHP_ST_REAL, PITH_SHAPE(2, 3), NULL, "v"));
    expect_error(PITH_EFORMAT, "missing: w; not expected: v");
    ck_assert_ptr_null(load_tiny(NULL, PITHP_ST_REAL, PITH_SHAPE(2, 3), w, NULL));
    expect_error(PITH_EFORMAT, "holds tensors, but no model of pith's");
    w[4] = (pith_real)NAN;
    ck_assert_ptr_nonnull(load_tiny(tiny_graph, PITHP_ST_REAL, PITH_SHAPE(2, 3), w, NULL));
    ck_assert_msg(strstr(logged, "1 weights are not finite, the first of them in tensor 'w'") != NULL, "%s",
                  logged);
    ck_assert_ptr_null(pith_model_load(ctx, in_dir("not-there.pith")));
    expect_error(PITH_ENOTFOUND, "not-there.pith: cannot be opened");
}
END_TEST

/* ---- Hostile graphs ------------------------------------------------------------------------------------ */
/* What stands in tiny_graph, what is put there instead, what is said; NULL: it loads. */
static const struct {
    const char *find, *put, *says;
} edits[] = {
    { "tiny", "tiny", NULL },
    { "\"factor\":2,", "\"factor\":2.5e0,", NULL },
    { "\"name\":\"x\"", "\"name\":null", NULL },
    { "{\"format\"", "[{\"format\"", "JSON" },
    { "{\"format\":1", "{\"format\":2", "format 2; this version of pith reads 1" },
    { "{\"format\":1", "{\"format\":\"1\"", "\"format\" is not" },
    { "\"format\":1,", "\"format\":1,\"format\":1,", "duplicate object key" },
    { "\"name\":\"tiny\"", "\"name\":3", "expected exactly" },
    { "\"input\":0", "\"input\":1", "\"input\" is not 0" },
    { "\"output\":3", "\"output\":4", "\"output\" not the number" },
    { "\"output\":3", "\"output\":-1", "\"output\" not the number" },
    { "\"output\":3", "\"output\":0", "\"output\" not the number" },
    { "\"output\":3", "\"output\":1", "graph node 1 ('w'): model 'tiny': the output must be" },
    { "\"nodes\":", "\"nodes\":[],\"n\":", "expected exactly" },
    { "\"nodes\":", "\"more\":0,\"nodes\":", "expected exactly" },
    { "{\"id\":0,", "0,{\"id\":0,", "graph node 0: is not an object" },
    { "\"id\":0", "\"id\":1", "graph node 0 ('x'): \"id\" is not its place" },
    { "\"id\":2", "\"id\":18446744073709551616", "too big integer" },
    { "\"kind\":\"input\"", "\"kind\":\"inputs\"", "kind 'inputs' is not known" },
    { "\"kind\":\"input\"", "\"kind\":7", "kind '(no string)' is not known" },
    { "\"dtype\":\"f32\"", "\"dtype\":\"i32\"", "graph node 0 ('x'): the input is not f32" },
    { "\"dtype\":\"f32\"", "\"dtype\":\"f64\"", "\"dtype\" is not f32, i32" },
    { "\"shape\":[1,3]", "\"shape\":[2,3]", "the input is not f32 of shape [1,...]" },
    { "\"shape\":[1,3]", "\"shape\":[1]", "the input is not f32 of shape [1,...]" },
    { "\"shape\":[1,3]", "\"shape\":[1,4]", "graph node 2 ('d'): op dense (d): " },
    { "\"shape\":[1,3]", "\"shape\":[1,0]", "\"shape\" is not a list" },
    { "\"shape\":[1,3]", "\"shape\":[1,1.5]", "\"shape\" is not a list" },
    { "\"shape\":[1,3]", "\"shape\":[1,1,1,1,1,1,3]", "\"shape\" is not a list" },
    { "\"shape\":[1,3]", "\"shape\":[1,1099511627777]", "\"shape\" is not a list" },
    { "\"shape\":[2,3]", "\"shape\":[549755813888,1]",
      "tensor 'w' has shape [2,3]; the model's graph expects [549" },
    { "\"tensor\":\"w\",", "", "field \"tensor\" is missing" },
    { "\"tensor\":\"w\"", "\"tensor\":\"\"", "\"tensor\" is not the name" },
    { "\"tensor\":\"w\"", "\"tensor\":[]", "\"tensor\" is not the name" },
    { "\"tensor\":\"w\"", "\"tensor\":\"pith.train.m\"", "\"tensor\" is not the name" },
    { "\"decay\":true", "\"decay\":1", "graph node 1 ('w'): \"decay\" and \"frozen\"" },
    { "\"decay\":true", "\"decay\":true,\"extra\":1", "field \"extra\" is not known" },
    { "\"kind\":\"param\"", "\"kind\":\"state\"", "field \"decay\" is not known" },
    { "\"op\":\"dense\"", "\"op\":\"Dense\"", "op 'Dense' is not known: register it" },
    { "\"op\":\"dense\"", "\"op\":null", "\"op\" is not a string" },
    { "\"op\":\"dense\"", "\"op\":\"conv_bn_act\"", "op 'conv_bn_act' cannot be loaded" },
    { "\"op\":\"dense\"", "\"op\":\"add\"", "takes 2 to 2 operands" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,1,null,null]", "takes 2 to 3 operands" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,null,1]", "operand 1 is NULL" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[null,null]", "has no operand" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[]", "has no operand" },
    { "\"inputs\":[0,1,null]", "\"inputs\":{}", "\"inputs\" is not a list" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,2,null]",
      "operand 1 is not null or the number of a node before" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,-1,null]", "operand 1 is not null" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,3,null]", "operand 1 is not null" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,1.0,null]", "operand 1 is not null" },
    { "\"inputs\":[0,1,null]", "\"inputs\":[0,1,0,0,0,0,0,0,0,0,0]", "at most 10 nodes" },
    { "\"attrs\":{}", "\"attrs\":[]", "\"attrs\" not an object" },
    { "\"attrs\":{}", "\"attrs\":{\"k\":1}", "attribute 'k' is not one of op 'dense'" },
    { "\"factor\":2,", "", "graph node 3: attribute 'factor' is missing" },
    { "\"factor\":2", "\"factor\":\"2\"", "attribute 'factor' is unusable; expected a number, \"inf\"" },
    { "\"factor\":2", "\"factor\":1e999", "JSON" },
    { "\"factor\":2", "\"factor\":2,\"x\":1", "attribute 'x' is not one of op 'scale'" },
    { "\"shape\":[1,2]", "\"shape\":[1,3]", "op 'dense' makes [1,2] of its operands; the file says [1,3]" },
    { "{\"id\":3", "{\"id\":3,\"kind\":\"input\",\"name\":\"y\",\"dtype\":\"f32\",\"shape\":[1,3]},{\"id\":4",
      "graph node 3 ('y'): only node 0 can be the input" },
    { "{\"id\":3", "{\"id\":3,\"kind\":\"state\",\"name\":\"y\",\"tensor\":\"w\",\"shape\":[2,3]},{\"id\":4",
      "two nodes of the graph claim the tensor 'w'" },
    { "{\"id\":0,\"kind\":\"input\",\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[1,3]},",
      "{\"id\":0,\"kind\":\"state\",\"name\":\"y\",\"tensor\":\"w\",\"shape\":[2,3]},",
      "node 0 is not the input" },
};

START_TEST(hostile)
{
    const pith_real w[6] = { 1, 2, 3, 4, 5, 6 };
    const char *at = strstr(tiny_graph, edits[_i].find);
    char graph[3000];
    ck_assert_ptr_nonnull(at);
    snprintf(graph, sizeof graph, "%.*s%s%s", (int)(at - tiny_graph), tiny_graph, edits[_i].put,
             at + strlen(edits[_i].find));
    pith_model *m = load_tiny(graph, PITHP_ST_REAL, PITH_SHAPE(2, 3), w, NULL);
    ck_assert_int_eq(m == NULL, edits[_i].says != NULL);
    if (edits[_i].says)
        expect_error(PITH_EFORMAT, edits[_i].says);
    pith_model_free(m);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
}
END_TEST

/* A shape that the file has no data for costs no memory. */
START_TEST(promises_cost_nothing)
{
    const char *graph = "{\"format\":1,\"name\":\"t\",\"input\":0,\"output\":2,\"nodes\":["
                        "{\"id\":0,\"kind\":\"input\",\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[1,3]},"
                        "{\"id\":1,\"kind\":\"param\",\"name\":\"w\",\"tensor\":\"w\",\"shape\":["
                        "549755813888],\"decay\":true,"
                        "\"frozen\":false},"
                        "{\"id\":2,\"kind\":\"op\",\"op\":\"relu\",\"name\":null,\"inputs\":[0],\"attrs\":{},"
                        "\"shape\":[1,3]}]}";
    size_t peak;
    ck_assert_ptr_null(load_tiny(graph, PITHP_ST_REAL, PITH_SHAPE(2, 3), NULL, NULL));
    expect_error(PITH_EFORMAT, "missing: w");
    ck_assert_ptr_null(load_tiny(graph, PITHP_ST_REAL, PITH_SHAPE(1), "\0\0\0\0\0\0\0", NULL));
    expect_error(PITH_EFORMAT, "expects [549755813888]");
    pith_ctx_memory(ctx, &peak);
    ck_assert_uint_lt(peak, at_rest + 100000);
}
END_TEST

START_TEST(too_many_nodes)
{
    const char *node = "{\"id\":0,\"kind\":\"input\",\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[1,3]}";
    const size_t n = PITHP_MAX_NODES + 1, room = n * (strlen(node) + 1) + 100;
    char *graph = malloc(room), *at = graph;
    at += sprintf(at, "{\"format\":1,\"name\":\"t\",\"input\":0,\"output\":2,\"nodes\":[");
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "%s%s", i ? "," : "", node);
    sprintf(at, "]}");
    ck_assert_ptr_null(load_tiny(graph, PITHP_ST_REAL, PITH_SHAPE(1), "\0\0\0\0\0\0\0", NULL));
    expect_error(PITH_EFORMAT, "2 to 65536 nodes");
    free(graph);
}
END_TEST

/* ---- Damage -------------------------------------------------------------------------------------------- */
static pith_model *load_bytes(const uint8_t *p, size_t n)
{
    pithp_st_file f;
    if (pithp_st_open_memory(ctx, &f, "mem", p, n))
        return NULL;
    pith_model *m = pithp_model_get(&f);
    pithp_st_close(&f);
    return m;
}

static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 2, .kernel = 3, .stride = 2 },
                            PITH_RELU6);
    x = pith_dropout(pith_reshape(pith_clip(x, -(double)INFINITY, 1.0 / 3), PITH_SHAPE(0, -1)), 0.25);
    return pith_nn_linear(m, "head", x, 2);
}

static pith_model *sample(void)
{
    pith_model *m = pith_model_new(ctx, net, NULL, PITH_SHAPE(4, 4, 1));
    ck_assert_msg(m != NULL, "%s", pith_error_text(ctx));
    pith_model_set_meta(m, "classes", "[\"Katze\", \"H\xc3\xbcndin\"]");
    return m;
}

static uint8_t *sample_bytes(size_t *n)
{
    pith_model *m = sample();
    ck_assert_int_eq(pith_model_save(m, in_dir("s.pith"), false), PITH_OK);
    pith_model_free(m);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    return slurp(in_dir("s.pith"), n);
}

START_TEST(cut_anywhere)
{
    size_t n;
    uint8_t *p = sample_bytes(&n);
    const char *path = in_dir("cut.pith");
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *q = malloc(cut ? cut : 1);
        memcpy(q, p, cut);
        ck_assert_ptr_null(load_bytes(q, cut));
        ck_assert_int_eq(pith_ctx_status(ctx), PITH_EFORMAT);
        pith_ctx_clear(ctx);
        free(q);
        if (cut % 97 == 0) { /* now and then as a file */
            FILE *f = fopen(path, "wb");
            ck_assert_uint_eq(fwrite(p, 1, cut, f), cut);
            fclose(f);
            ck_assert_ptr_null(pith_model_load(ctx, path));
            expect_error(PITH_EFORMAT, "cut.pith: ");
        }
    }
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    free(p);
}
END_TEST

START_TEST(flipped_anywhere)
{
    size_t n;
    uint8_t *p = sample_bytes(&n);
    int loaded = 0;
    for (size_t bit = 0; bit < 8 * (8 + header_of(p));
         bit += 3) { /* each byte, and each of its bits in turn */
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        pith_model *m = load_bytes(p, n);
        loaded += m != NULL;
        ck_assert_int_eq(pith_ctx_status(ctx), m ? PITH_OK : PITH_EFORMAT);
        pith_ctx_clear(ctx);
        pith_model_free(m);
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert_int_gt(loaded, 0); /* flips in names, reals, meta */
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    free(p);
}
END_TEST

/* Every allocation fails once. */
START_TEST(out_of_memory)
{
    const char *path = in_dir("memory.pith");
    pith_model *m = sample();
    ck_assert_int_eq(pith_model_save(m, path, false), PITH_OK);
    size_t held = pith_ctx_memory(ctx, NULL);
    for (int loading = 0; loading < 2; loading++)
        for (long k = 0;; k++) {
            hook.left = k;
            pith_model *b = loading ? pith_model_load(ctx, path) : NULL;
            pith_status s = loading ? pith_ctx_status(ctx) : pith_model_save(m, path, false);
            bool ran_out = hook.left < 0;
            hook.left = -1;
            ck_assert_int_eq(loading && !ran_out, b != NULL);
            pith_model_free(b);
            ck_assert_int_eq(s, ran_out ? PITH_ENOMEM : PITH_OK);
            ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), held);
            pith_ctx_clear(ctx);
            if (!s) {
                ck_assert_int_gt(k, 10);
                break;
            }
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file_hostile");
    TCase *t = suite_case(s, "hostile");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, other_types);
    tcase_add_test(t, fitting);
    tcase_add_loop_test(t, hostile, 0, (int)PITHP_LEN(edits));
    tcase_add_test(t, promises_cost_nothing);
    tcase_add_test(t, too_many_nodes);
    tcase_add_test(t, cut_anywhere);
    tcase_add_test(t, flipped_anywhere);
    tcase_add_test(t, out_of_memory);
    return suite_run("file_hostile", s);
}
