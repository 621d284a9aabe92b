/* Floor 3: models in files: what was saved is what is loaded. */
#include "file_help.h"
#include <math.h>
#include <pith/nn.h>

/* ---- Networks ------------------------------------------------------------------------------------------ */
/* A bit of everything that a file has to carry: state, attributes of every kind, absent operands, unnamed
   nodes. */
static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    x = pith_nn_conv_bn_act(m, "stem", x, (pith_conv2d_cfg){ .out = 4, .kernel = 3, .stride = 2 },
                            PITH_RELU6);
    pith_tensor *y = pith_clip(pith_scale(x, 0.1, -1e-310), -(double)INFINITY, 1.0 / 3);
    y = pith_pad(y, (int[]){ 0, 1, 0, 0 }, (int[]){ 0, 0, 1, 0 }, -0.0);
    y = pith_maxpool(y, (pith_pool_cfg){ .kernel = 2, .stride = 1, .pad_mode = PITH_VALID });
    x = pith_concat((pith_tensor *[]){ x, y }, 2, -1);
    x = pith_transpose(x, (int[]){ 0, 2, 1, 3 });
    x = pith_dropout(pith_reshape(x, PITH_SHAPE(0, -1)), 0.25);
    x = pith_mul(x, pith_nn_param(m, "gain", PITH_SHAPE(1), 0.5, true));
    return pith_nn_linear(m, "head", x, 3);
}

static pith_model *sample(void)
{
    pith_model *m = pith_model_new(ctx, net, NULL, PITH_SHAPE(6, 6, 2));
    ck_assert_msg(m != NULL, "%s", pith_error_text(ctx));
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    for (int64_t i = 0; i < n; i++)
        w[i] += (pith_real)0.01 * (pith_real)(i % 7);
    pith_model_set_meta(m, "classes", "[\"Katze\", \"H\xc3\xbcndin\"]");
    pith_model_set_meta(m, "input", "");
    return m;
}

static void same_weights(const pith_model *a, const pith_model *b)
{
    for (int i = 0; pith_model_param(a, i) || pith_model_param(b, i); i++) {
        const pith_tensor *s = pith_model_param(a, i), *t = pith_model_param(b, i);
        ck_assert(s && t && pithp_shape_eq(s->shape, t->shape));
        ck_assert_str_eq(pith_name(s), pith_name(t));
        ck_assert_mem_eq(s->value, t->value, (size_t)pithp_count(s->shape) * sizeof(pith_real));
        ck_assert(s->decay == t->decay && s->frozen == t->frozen);
    }
}

/* The output for a fixed input, [n] of one sample. */
static void output_of(pith_model *m, pith_real *y, size_t n)
{
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 1 });
    ck_assert_msg(p != NULL, "%s", pith_error_text(ctx));
    pith_real *x = pith_plan_input(p, pith_model_input(m));
    for (int64_t i = 0; i < pith_size(pith_model_input(m)); i++)
        x[i] = (pith_real)sin((double)i);
    ck_assert_int_eq(pith_plan_forward(p, 1, 0), PITH_OK);
    memcpy(y, pith_plan_value(p, out), n * sizeof *y);
    pith_plan_free(p);
}

/* Saves a, loads it as b, saves that: the second file is the first one, byte for byte. */
static pith_model *through_file(const pith_model *a)
{
    const char *path = in_dir("a.pith"), *again = in_dir("b.pith");
    ck_assert_msg(pith_model_save(a, path, false) == PITH_OK, "%s", pith_error_text(ctx));
    pith_model *b = pith_model_load(ctx, path);
    ck_assert_msg(b != NULL, "%s", pith_error_text(ctx));
    ck_assert_int_eq(pith_model_save(b, again, false), PITH_OK);
    size_t n, k;
    uint8_t *p = slurp(path, &n), *q = slurp(again, &k);
    ck_assert_uint_eq(n, k);
    ck_assert_mem_eq(p, q, n);
    free(p);
    free(q);
    return b;
}

START_TEST(round_trip)
{
    pith_model *a = sample();
    pith_real ya[3], yb[3];
    pith_model_freeze(a, "stem.*", true);
    pith_model_add_input(a, "label", PITH_I32, PITH_SCALAR); /* is not saved */
    pith_model *b = through_file(a);
    same_weights(a, b);
    output_of(a, ya, 3);
    output_of(b, yb, 3);
    ck_assert_mem_eq(ya, yb, sizeof ya);
    ck_assert_str_eq(pith_model_meta(b, "classes"), pith_model_meta(a, "classes"));
    ck_assert_str_eq(pith_model_meta(b, "input"), "");
    ck_assert_ptr_null(pith_model_meta_key(b, 2));
    ck_assert_ptr_null(pith_model_find(b, "label"));
    ck_assert_str_eq(pith_model_name(b), "custom");
    pith_tensor *mean = pith_model_find(b, "stem.bn.running_mean");
    ck_assert(mean && mean->kind == PITHP_NODE_STATE);
    ck_assert_mem_eq(mean->value, pith_model_find(a, "stem.bn.running_mean")->value, 4 * sizeof(pith_real));
    ck_assert_ptr_null(strstr(logged, "not finite"));
}
END_TEST

START_TEST(families)
{
    for (int i = 0; pith_family_list(i); i++) {
        pith_model *a = pith_model_family(ctx, pith_family_list(i)->name, (pith_family_cfg){ .classes = 5 });
        ck_assert_msg(a != NULL, "%s", pith_error_text(ctx));
        pith_model *b = through_file(a);
        same_weights(a, b);
        ck_assert_str_eq(pith_model_name(b), pith_family_list(i)->name);
        ck_assert_int_eq(pith_model_info(a).parameters, pith_model_info(b).parameters);
        ck_assert_int_eq(pith_model_info(a).macs, pith_model_info(b).macs);
        pith_model_free(a);
        pith_model_free(b);
    }
}
END_TEST

START_TEST(clones)
{
    pith_model *a = sample(), *b = pith_model_clone(a);
    same_weights(b, through_file(b));
    same_weights(a, b);
}
END_TEST

/* Parameters without a name, with a name twice, or with one that files need themselves. */
static pith_tensor *badly_named(pith_model *m, pith_tensor *x, void *user)
{
    static const char *const names[] = { NULL,     "twice",  "twice",        "",
                                         "node.1", "pith.x", "__metadata__", "good" };
    (void)user;
    for (size_t i = 0; i < PITHP_LEN(names); i++)
        x = pith_mul(x, pithp_node_param(m->g, names[i], PITH_SHAPE(3), PITHP_INIT_UNIFORM, 1, i % 2));
    pith_tensor *data = pithp_node_new(m->g, PITHP_NODE_DATA, PITH_F32, PITH_SHAPE(1), NULL);
    data->value = pithp_alloc(ctx, 1, sizeof(pith_real));
    data->owns_value = true;
    *(pith_real *)data->value = 42;
    return pith_mul(x, data);
}

START_TEST(names)
{
    pith_model *a = pith_model_new(ctx, badly_named, NULL, PITH_SHAPE(3));
    pith_model *b = through_file(a);
    same_weights(a, b);
    pith_real ya[3], yb[3];
    output_of(a, ya, 3);
    output_of(b, yb, 3);
    ck_assert_mem_eq(ya, yb, sizeof ya);
    pithp_st_file f;
    ck_assert_int_eq(pithp_st_open(ctx, &f, in_dir("a.pith")), PITH_OK);
    ck_assert_uint_eq(f.n, 9);
    ck_assert_ptr_nonnull(pithp_st_find(&f, "good"));
    ck_assert_ptr_nonnull(pithp_st_find(&f, "node.1"));
    ck_assert_ptr_null(pithp_st_find(&f, "twice"));
    pithp_st_close(&f);
}
END_TEST

/* ---- Ops of a program's own ---------------------------------------------------------------------------- */
typedef struct {
    double real;
    int64_t big;
    pith_shape shape;
    int small;
    bool flag;
} own_attr;

static bool own_shape(pith_infer *q)
{
    q->out = q->in[0];
    q->out_dtype = PITH_F32;
    return true;
}

static void own_forward(const pith_call *k)
{
    const own_attr *a = k->attr;
    for (int64_t i = 0; i < pithp_count(k->out.shape); i++)
        ((pith_real *)k->out.data)[i] = ((const pith_real *)k->in[0].data)[i] * (pith_real)a->real;
}

static const pith_attr_field own_fields[] = { { "real", PITH_ATTR_REAL, offsetof(own_attr, real) },
                                              { "big", PITH_ATTR_INT64, offsetof(own_attr, big) },
                                              { "shape", PITH_ATTR_SHAPE, offsetof(own_attr, shape) },
                                              { "small", PITH_ATTR_INT, offsetof(own_attr, small) },
                                              { "flag", PITH_ATTR_BOOL, offsetof(own_attr, flag) },
                                              PITH_ATTR_END };
static const pith_op own = { .name = "own_op",
                             .min_in = 1,
                             .max_in = 1,
                             .attr_size = sizeof(own_attr),
                             .fields = own_fields,
                             .shape = own_shape,
                             .forward = own_forward };
static pith_op other; /* a variant with something wrong */

static const own_attr extremes[] = {
    { 0.1, INT64_MIN, { 0, { 0 } }, INT32_MIN, false },
    { -0x1p-1074, INT64_MAX, { 6, { 1, -1, 0, INT64_MAX, INT64_MIN, 5 } }, INT32_MAX, true },
    { PITH_ZERO, 0, { 1, { 7 } }, 0, true },
    { 0x1.fffffffffffffp+1023, 1, { 1, { 7 } }, 0, true },
    { (double)INFINITY, -1, { 2, { 3, 4 } }, -1, false },
    { -(double)INFINITY, -1, { 2, { 3, 4 } }, -1, false },
    { (double)NAN, -1, { 2, { 3, 4 } }, -1, false },
    { -0.0, -1, { 2, { 3, 4 } }, -1, false },
};

typedef struct {
    const pith_op *op;
    own_attr attr;
} own_net;

static pith_tensor *with_own(pith_model *m, pith_tensor *x, void *user)
{
    (void)m;
    const own_net *o = user;
    return pith_op_apply(o->op, &o->attr, "mine", 1, &x);
}

START_TEST(own_attributes)
{
    own_net o = { &own, extremes[_i] };
    pith_op_register(ctx, &own);
    pith_model *a = pith_model_new(ctx, with_own, &o, PITH_SHAPE(3)), *b = through_file(a);
    const own_attr *s = &extremes[_i], *t = pith_model_output(b)->attr;
    ck_assert(isnan(s->real) ? isnan(t->real) : !memcmp(&s->real, &t->real, sizeof s->real));
    ck_assert(s->big == t->big && s->small == t->small && s->flag == t->flag);
    ck_assert(pithp_shape_eq(s->shape, t->shape));
}
END_TEST

START_TEST(own_refused)
{
    own_net o = { &own, extremes[0] };
    const char *path = in_dir("own.pith");
    pith_model *m = pith_model_new(ctx, with_own, &o, PITH_SHAPE(3));
    ck_assert_int_eq(pith_model_save(m, path, false), PITH_OK);
    ck_assert_ptr_null(pith_model_load(ctx, path));
    expect_error(PITH_EFORMAT, "graph node 1 ('mine'): op 'own_op' is not known: register it");
    pith_op_register(ctx, &own);
    ck_assert_ptr_nonnull(pith_model_load(ctx, path));

    static const pith_attr_field beyond[] = { { "real", PITH_ATTR_REAL, sizeof(own_attr) }, PITH_ATTR_END };
    for (int i = 0; i < 2; i++) {
        other = own;
        other.fields = i ? beyond : NULL;
        o.op = &other;
        m = pith_model_new(ctx, with_own, &o, PITH_SHAPE(3));
        ck_assert_int_eq(pith_model_save(m, path, false), PITH_EINVAL);
        expect_error(PITH_EINVAL,
                     "node 1 ('mine') has attributes, and the table of fields does not describe them");
    }
    o = (own_net){ &own, { .shape.ndim = 7 } };
    m = pith_model_new(ctx, with_own, &o, PITH_SHAPE(3));
    ck_assert_int_eq(pith_model_save(m, path, false), PITH_EINVAL);
    expect_error(PITH_EINVAL, "node 1 ('mine') has an unusable attribute shape");
    ck_assert_ptr_nonnull(pith_model_load(ctx, path)); /* the older file still stands */
}
END_TEST

static pith_tensor *two_inputs(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_add(x, pith_model_add_input(m, "extra", PITH_F32, PITH_SHAPE(3)));
}

static pith_tensor *named_output(pith_model *m, pith_tensor *x, void *user)
{
    (void)m;
    return pith_named(pith_relu(x), user);
}

START_TEST(save_refuses)
{
    char name[1200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    pith_model *m = pith_model_new(ctx, two_inputs, NULL, PITH_SHAPE(3));
    ck_assert_int_eq(pith_model_save(m, in_dir("x"), false), PITH_EINVAL);
    expect_error(PITH_EINVAL, "node 1 ('extra') is another input than the model's");
    m = pith_model_new(ctx, named_output, name, PITH_SHAPE(3));
    ck_assert_int_eq(pith_model_save(m, in_dir("x"), false), PITH_EINVAL);
    expect_error(PITH_EINVAL, "more than 1000 bytes");
    m = pith_model_new(ctx, named_output, "\xff", PITH_SHAPE(3));
    ck_assert_int_eq(pith_model_save(m, in_dir("x"), false), PITH_EINVAL);
    expect_error(PITH_EINVAL, "not valid UTF-8");
    ck_assert_int_eq(pith_model_save(sample(), in_dir("no/folder/x"), false), PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "no/folder/x: cannot be written");
}
END_TEST

/* Checkpoints put weights back into a model that stands. */
START_TEST(weights_only)
{
    pith_model *a = sample(), *b = pith_model_new(ctx, net, NULL, PITH_SHAPE(6, 6, 2));
    pith_model *c = pith_model_family(ctx, "lenet", (pith_family_cfg){ 0 });
    pithp_st_file f;
    int64_t n;
    pith_real *w = pith_model_weights(c, &n), before = w[0];
    ck_assert_int_eq(pith_model_save(a, in_dir("w.pith"), false), PITH_OK);
    ck_assert_int_eq(pithp_st_open(ctx, &f, in_dir("w.pith")), PITH_OK);
    ck_assert_int_eq(pithp_model_get_weights(b, &f), PITH_OK);
    same_weights(a, b);
    ck_assert_int_eq(pithp_model_get_weights(c, &f), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "missing: conv1.weight");
    ck_assert(w[0] == before);
    pithp_st_close(&f);
}
END_TEST

/* A model that came out of a damaged file: planned, and run where memory allows. Results do not matter,
   crashes do. */
static void try_running(pith_model *m)
{
    pith_tensor *out = pith_model_output(m);
    pith_plan *p = pith_plan_new(&out, 1, (pith_plan_cfg){ .batch = 2 });
    if (p)
        pith_plan_forward(p, 0, 0);
    pith_plan_free(p);
}

/* Every number of the header, in offsets, shapes and attributes, becomes each of these once: nothing but a
   model or a reason comes of it. */
START_TEST(absurd_numbers)
{
    static const char *const absurd[] = { "0",
                                          "-1",
                                          "1",
                                          "3",
                                          "2147483647",
                                          "-2147483648",
                                          "2147483648",
                                          "65536",
                                          "1099511627776",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "1e300" };
    size_t n, size, header, loaded = 0, tried = 0;
    pith_model *a = sample();
    ck_assert_int_eq(pith_model_save(a, in_dir("numbers.pith"), false), PITH_OK);
    pith_model_free(a);
    uint8_t *p = slurp(in_dir("numbers.pith"), &n);
    header = header_of(p);
    char *text = malloc(header + 40);
    for (const char *at = (char *)p + 8, *end = at + header; at < end;) {
        size_t length = strspn(at, "0123456789");
        bool number = length && strchr("[,:-", at[-1]);
        for (size_t i = 0; number && i < PITHP_LEN(absurd); i++) {
            int used = sprintf(text, "%.*s%s", (int)(at - (char *)p - 8), (char *)p + 8, absurd[i]);
            memcpy(text + used, at + length, (size_t)(end - at) - length);
            uint8_t *q = make_file(text, (size_t)used + (size_t)(end - at) - length, n - 8 - header, &size);
            pithp_st_file f;
            pith_model *m = pithp_st_open_memory(ctx, &f, "mem", q, size) ? NULL : pithp_model_get(&f);
            tried++;
            loaded += m != NULL;
            if (!m != (pith_ctx_status(ctx) == PITH_EFORMAT))
                ck_abort_msg("%.60s: %s", absurd[i], pith_error_text(ctx));
            pith_ctx_clear(ctx);
            if (m)
                try_running(m);
            pith_ctx_clear(ctx);
            pith_model_free(m);
            pithp_st_close(&f);
            free(q);
        }
        at += length ? length : 1;
    }
    ck_assert_uint_gt(tried, 1000);
    ck_assert_uint_gt(loaded, 10);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    free(text);
    free(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file");
    TCase *t = suite_case(s, "models");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, families);
    tcase_add_test(t, clones);
    tcase_add_test(t, names);
    tcase_add_loop_test(t, own_attributes, 0, (int)PITHP_LEN(extremes));
    tcase_add_test(t, own_refused);
    tcase_add_test(t, save_refuses);
    tcase_add_test(t, weights_only);
    tcase_add_test(t, absurd_numbers);
    return suite_run("file", s);
}
