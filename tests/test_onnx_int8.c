/* Floor 7: ONNX files of integer graphs: what stands around each operator, read back by a small reader of messages. ONNX Runtime
   runs them in tests/interop. */
#include "deploy/onnx/int8_emit.h"
#include "int8_sample.h"

enum { MOST = 256, MOST_IN = 8 };

/* One field of a message: its number, and its bytes (length-delimited) or value. */
typedef struct {
    int field;
    uint64_t v;
    const uint8_t *p;
    size_t n;
} piece;

static uint64_t varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t v = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        v |= (uint64_t)(**at & 0x7f) << shift;
        if (!(*(*at)++ & 0x80))
            return v;
    }
    ck_abort_msg("a number does not end");
    return 0;
}

static bool next(const uint8_t **at, const uint8_t *end, piece *f)
{
    if (*at == end)
        return false;
    uint64_t tag = varint(at, end);
    *f = (piece){ .field = (int)(tag >> 3) };
    if ((tag & 7) == 0)
        f->v = varint(at, end);
    else {
        f->n = (tag & 7) == 2 ? (size_t)varint(at, end) : 4;
        suite_check((tag & 7) == 2 || (tag & 7) == 5, "wire type %d", (int)(tag & 7));
        suite_check(f->n <= (size_t)(end - *at), "field %d ends behind the file", f->field);
        f->p = *at;
        *at += f->n;
    }
    return true;
}

typedef struct {
    char type[32], in[MOST_IN][128], out[128];
    int n_in;
} node;

static node nodes[MOST];
static char known[4 * MOST][128]; /* inputs, constants, results so far */
static int n_nodes, n_known, output_type, input_type;
static char output[128];

static void text(char *to, size_t size, const piece *f)
{
    suite_check(f->n < size, "a name of %zu bytes", f->n);
    memcpy(to, f->p, f->n);
    to[f->n] = 0;
}

static void know(const piece *f)
{
    text(known[n_known], sizeof known[0], f);
    for (int i = 0; i < n_known; i++)
        suite_check(strcmp(known[i], known[n_known]) != 0, "two values are called %s", known[i]);
    n_known++;
}

static void read_node(const piece *m)
{
    node *v = &nodes[n_nodes++];
    *v = (node){ 0 };
    piece f;
    for (const uint8_t *at = m->p; next(&at, m->p + m->n, &f);) {
        if (f.field == ONNX_NODE_INPUT)
            text(v->in[v->n_in++], sizeof v->in[0], &f);
        else if (f.field == ONNX_NODE_TYPE)
            text(v->type, sizeof v->type, &f);
        else if (f.field == ONNX_NODE_OUTPUT) {
            text(v->out, sizeof v->out, &f);
            know(&f);
        }
    }
    for (int i = 0; i < v->n_in; i++) {
        bool there = false;
        for (int k = 0; k < n_known - 1; k++)
            there |= !strcmp(known[k], v->in[i]);
        suite_check(there, "%s reads %s, which is not there yet", v->out, v->in[i]);
    }
}

static void read_value(const piece *m, bool in)
{
    piece f, type, tensor, elem;
    for (const uint8_t *at = m->p; next(&at, m->p + m->n, &f);) {
        if (f.field == ONNX_VALUE_NAME && in)
            know(&f);
        else if (f.field == ONNX_VALUE_NAME)
            text(output, sizeof output, &f);
        if (f.field != ONNX_VALUE_TYPE)
            continue;
        type = f;
        const uint8_t *a = type.p;
        ck_assert(next(&a, type.p + type.n, &tensor) && tensor.field == ONNX_TYPE_TENSOR);
        a = tensor.p;
        ck_assert(next(&a, tensor.p + tensor.n, &elem) && elem.field == ONNX_TYPE_ELEM);
        *(in ? &input_type : &output_type) = (int)elem.v;
    }
}

static void read_graph(const piece *m)
{
    piece f, name;
    for (const uint8_t *at = m->p; next(&at, m->p + m->n, &f);) {
        ck_assert_int_lt(n_nodes, MOST);
        if (f.field == ONNX_GRAPH_INITIALIZER) {
            for (const uint8_t *a = f.p; next(&a, f.p + f.n, &name);)
                if (name.field == ONNX_TENSOR_NAME)
                    know(&name);
        } else if (f.field == ONNX_GRAPH_NODE)
            read_node(&f);
        else if (f.field == ONNX_GRAPH_INPUT || f.field == ONNX_GRAPH_OUTPUT)
            read_value(&f, f.field == ONNX_GRAPH_INPUT);
    }
}

static void read_back(pithp_qgraph *g, bool int8_io)
{
    const char *path = in_dir("int8.onnx");
    size_t n;
    piece f;
    n_nodes = n_known = 0;
    suite_check(pithp_onnx_export_int8(g, NULL, int8_io, path) == PITH_OK, "%s", pith_error_text(ctx));
    uint8_t *p = slurp(path, &n);
    for (const uint8_t *at = p; next(&at, p + n, &f);)
        if (f.field == ONNX_MODEL_GRAPH)
            read_graph(&f);
    free(p);
}

static const node *maker(const char *value)
{
    for (int i = 0; i < n_nodes; i++)
        if (!strcmp(nodes[i].out, value))
            return &nodes[i];
    return NULL;
}

static int readers(const char *value, const node **last)
{
    int count = 0;
    for (int i = 0; i < n_nodes; i++)
        for (int k = 0; k < nodes[i].n_in; k++)
            if (!strcmp(nodes[i].in[k], value)) {
                *last = &nodes[i];
                count++;
            }
    return count;
}

static bool is(const node *v, const char *type) { return v != NULL && !strcmp(v->type, type); }

/* Each operator between conversions of its own: what ONNX Runtime looks for. */
static void expect_groups(const char *const *types, int n)
{
    int found = 0;
    for (int i = 0; i < n_nodes; i++) {
        const node *v = &nodes[i], *after = NULL;
        if (is(v, "QuantizeLinear") || is(v, "DequantizeLinear")) {
            ck_assert_int_eq(v->n_in, 3);
            suite_check(!is(v, "DequantizeLinear") || !strcmp(v->out, output) || readers(v->out, &after) == 1,
                        "%s has several readers", v->out);
            continue;
        }
        suite_check(found < n && !strcmp(v->type, types[found]), "operator %d is %s", found, v->type);
        found++;
        int tensors = !strcmp(v->type, "Reshape") || !strcmp(v->type, "Clip") ? 1 : v->n_in;
        for (int k = 0; k < tensors; k++)
            suite_check(is(maker(v->in[k]), "DequantizeLinear"), "%s reads %s as it is", v->out, v->in[k]);
        suite_check(readers(v->out, &after) == 1 && is(after, "QuantizeLinear"), "%s is not quantized",
                    v->out);
    }
    ck_assert_int_eq(found, n);
}

START_TEST(groups)
{
    /* ReLU6 ends at 22 of 127 */
    static const char *const types[] = { "Conv", "Clip", "Conv", "GlobalAveragePool", "Reshape", "Gemm" };
    read_back(sample(true), false);
    expect_groups(types, 6);
    ck_assert(input_type == ONNX_FLOAT && output_type == ONNX_FLOAT);
    ck_assert(is(maker(output), "DequantizeLinear"));
    for (int i = 0; i < n_nodes; i++)
        ck_assert_int_eq(nodes[i].n_in, is(&nodes[i], "GlobalAveragePool") ? 1
                                        : is(&nodes[i], "Reshape")         ? 2
                                                                           : 3);
    read_back(sample(false), true);
    expect_groups(types, 6);
    ck_assert(input_type == ONNX_INT8 && output_type == ONNX_INT8);
    ck_assert(is(maker(output), "QuantizeLinear"));
    for (int i = 0, two = 0; i < n_nodes; i++)
        if (is(&nodes[i], "Conv"))
            ck_assert_int_eq(nodes[i].n_in, two++ ? 3 : 2); /* the first has no bias */
}
END_TEST

/* Weights are raised to uint8; the bias of the layer with a ReLU6 is one higher, that of the one without is as it is. */
START_TEST(for_one_rounding)
{
    enum { K = 4 };
    const int32_t under_relu[K] = { 6, -6, 1, 101 }, linear[K] = { 5, -7, 0, 100 };
    uint8_t raised[9 * K], as_is[9 * K];
    for (size_t i = 0; i < sizeof raised; i++) {
        as_is[i] = (uint8_t)(int8_t)((i % 9 * K + i / 9) * 91 % 255 - 127); /* [K,1,3,3] */
        raised[i] = (uint8_t)(as_is[i] + 128);
    }
    size_t n;
    suite_check(pithp_onnx_export_int8(sample(true), NULL, true, in_dir("one.onnx")) == PITH_OK, "%s",
                pith_error_text(ctx));
    uint8_t *p = slurp(in_dir("one.onnx"), &n);
    ck_assert(memmem(p, n, under_relu, sizeof under_relu) && memmem(p, n, linear, sizeof linear));
    ck_assert(memmem(p, n, raised, sizeof raised) && !memmem(p, n, as_is, sizeof as_is));
    free(p);
}
END_TEST

/* A bound that is nearer than int8's ends stands between integers, behind the operator's group. */
START_TEST(bounds)
{
    static const char *const types[] = { "Add", "Clip" };
    pithp_qgraph *g = pithp_qgraph_new(ctx, "bounds");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 3, 2, 4), (pithp_qparam){ pixel, 0 });
    int8_t one = 3;
    float scale = pixel;
    int b = pithp_q_const(g, "b", PITH_I8, PITH_SHAPE(1), &scale, 1, 0, 0, &one);
    pithp_q_output(g, pithp_q_op(g, &pithp_qop_add, "sum", (int[]){ x, b }, 2,
                                 &(pithp_qattr){ .act = PITHP_QRELU }, (pithp_qparam){ 2 * pixel, 5 }));
    read_back(g, true);
    expect_groups(types, 2);
}
END_TEST

/* Names that are another's, or look like ours. */
START_TEST(names)
{
    pithp_qgraph *g = pithp_qgraph_new(ctx, "names");
    int x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ pixel, 0 });
    int y = pithp_q_op(g, &pithp_qop_relu, "same", &x, 1, NULL, (pithp_qparam){ pixel, 0 });
    int z = pithp_q_op(g, &pithp_qop_relu, "same", &y, 1, NULL, (pithp_qparam){ pixel, 0 });
    int w = pithp_q_op(g, &pithp_qop_relu, "same:operand0", &z, 1, NULL, (pithp_qparam){ pixel, 0 });
    pithp_q_output(g, pithp_q_op(g, &pithp_qop_relu, "x:uint8", &w, 1, NULL, (pithp_qparam){ pixel, 0 }));
    read_back(g, false); /* looks for names that are there twice */
    ck_assert_str_eq(output, "tensor:4");
    char *longer = malloc(600);
    memset(longer, 'a', 599);
    longer[599] = 0;
    g = pithp_qgraph_new(ctx, "long");
    x = pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ pixel, 0 });
    pithp_q_output(g, pithp_q_op(g, &pithp_qop_relu, longer, &x, 1, NULL, (pithp_qparam){ pixel, 0 }));
    free(longer);
    const char *path = in_dir("long.onnx");
    ck_assert_int_eq(pithp_onnx_export_int8(g, NULL, false, path), PITH_EINVAL);
    expect_error(PITH_EINVAL, "too long for an ONNX file");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(refusals)
{
    const char *path = in_dir("refused.onnx");
    ck_assert_int_eq(pithp_onnx_export_int8(sample_table(), NULL, false, path), PITH_EINVAL);
    expect_error(PITH_EINVAL, "(layer3)");
    pithp_qgraph *g = pithp_qgraph_new(ctx, "no output");
    pithp_q_input(g, "x", PITH_I8, PITH_SHAPE(1, 4), (pithp_qparam){ pixel, 0 });
    ck_assert_int_eq(pithp_onnx_export_int8(g, NULL, false, path), PITH_EINVAL);
    expect_error(PITH_EINVAL, "outputs");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

static pith_status export_again(void *g, const char *path)
{
    return pithp_onnx_export_int8(g, NULL, true, path);
}

START_TEST(no_memory) { whole_at_every_allocation(export_again, sample(true), 20); }
END_TEST

int main(void)
{
    Suite *s = suite_create("onnx int8");
    TCase *t = suite_case(s, "int8");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, for_one_rounding);
    tcase_add_test(t, groups);
    tcase_add_test(t, bounds);
    tcase_add_test(t, names);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    return suite_run("onnx_int8", s);
}
