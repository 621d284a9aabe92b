/* Floor 7: hostile .tflite files are refused with a sentence. Each class of fault that TensorFlow Lite's loader was once taken
   in by is a line of `faults`. */
#include "deploy/rt_engine.h"
#include "deploy/tflite/int8_emit.h"
#include "int8_sample.h"
#include "tflite_help.h"
#include <pith/rt.h>

/* ---- What is hostile -------------------------------------------------------------------------------------------------*/
static void put(size_t at, int64_t value, size_t size)
{
    ck_assert_uint_le(at + size, file.n);
    uint8_t *p = (uint8_t *)(uintptr_t)file.p;
    for (size_t i = 0; i < size; i++)
        p[at + i] = (uint8_t)((uint64_t)value >> 8 * i);
}

/* Overwrites a table's field, which must be there. */
static void set(size_t table, int field, int64_t value, size_t size)
{
    size_t at = fb_field(file, table, field);
    ck_assert_msg(at != 0, "field %d is absent", field);
    put(at, value, size);
}

static void element(size_t table, int field, size_t i, int64_t value, size_t size)
{
    put(fb_ref(file, table, field) + 4 + i * size, value, size);
}

static size_t model(void) { return fb_root(file); }
static size_t op_code(size_t i) { return fb_item(file, fb_ref(file, model(), TFL_MODEL_CODES), i); }
static size_t options(size_t i) { return fb_ref(file, op_at(i), TFL_OPERATOR_OPTIONS); }
static size_t buffer_of(size_t t)
{
    return fb_item(file, buffers, (size_t)fb_int(file, t, TFL_TENSOR_BUFFER, 4, 0));
}
static size_t result_of(size_t i)
{
    size_t v = fb_ref(file, op_at(i), TFL_OPERATOR_OUTPUTS);
    return (size_t)fb_at(file, v + 4, 4);
}

/* Ops of the sample: 0 conv, 1 pad, 2 depthwise, 3 mean, 4 dense. */
static void root_beyond(void) { put(0, 0x7fffff00, 4); }
static void root_zero(void) { put(0, 0, 4); }
static void root_odd(void) { put(0, fb_root(file) + 1, 4); }
static void wrong_letters(void) { put(4, 'X', 1); }
static void other_version(void) { set(model(), TFL_MODEL_VERSION, 2, 4); }
static void vtable_outside(void) { put(model(), 0x70000000, 4); }
static void vtable_behind(void) { put(model(), -0x70000000, 4); }
static void vtable_short(void) { put(fb_vtable(file, model()), 3, 2); }
static void vtable_long(void) { put(fb_vtable(file, model()), 0xfffe, 2); }
static void table_long(void) { put(fb_vtable(file, model()) + 2, 0xfffc, 2); }
static void field_outside(void) { put(fb_vtable(file, model()) + 4, 0x7ffc, 2); }
static void list_endless(void) { put(fb_ref(file, graph, TFL_SUBGRAPH_TENSORS), 0xffffffff, 4); }
static void list_overflow(void) { put(fb_ref(file, graph, TFL_SUBGRAPH_TENSORS), 0x40000001, 4); }
static void vector_misaligned(void)
{
    size_t at = fb_field(file, graph, TFL_SUBGRAPH_INPUTS);
    put(at, (int64_t)(fb_ref(file, graph, TFL_SUBGRAPH_INPUTS) + 1 - at), 4);
}
static void scales_misaligned(void)
{
    size_t at = fb_field(file, quant(tensor(0)), TFL_QUANT_SCALE);
    put(at, (int64_t)fb_at(file, at, 4) + 2, 4);
}
static void data_misaligned(void)
{
    size_t at = fb_field(file, buffer_of(input_of(0, 2)), TFL_BUFFER_DATA);
    put(at, (int64_t)fb_at(file, at, 4) + 2, 4);
}
static void no_inputs(void) { put(fb_ref(file, graph, TFL_SUBGRAPH_INPUTS), 0, 4); }
static void no_ops(void) { put(fb_ref(file, graph, TFL_SUBGRAPH_OPERATORS), 0, 4); }
static void two_graphs(void) { put(fb_ref(file, model(), TFL_MODEL_SUBGRAPHS), 2, 4); }
static void input_none(void) { element(graph, TFL_SUBGRAPH_INPUTS, 0, -1, 4); }
static void input_far(void) { element(graph, TFL_SUBGRAPH_INPUTS, 0, 1000, 4); }
static void output_none(void) { element(graph, TFL_SUBGRAPH_OUTPUTS, 0, -1, 4); }
static void output_constant(void)
{
    element(graph, TFL_SUBGRAPH_OUTPUTS, 0,
            (int64_t)fb_at(file, fb_ref(file, op_at(0), TFL_OPERATOR_INPUTS) + 8, 4), 4);
}
static void optional_input(void) { element(op_at(0), TFL_OPERATOR_INPUTS, 0, -1, 4); }
static void optional_weights(void) { element(op_at(0), TFL_OPERATOR_INPUTS, 1, -1, 4); }
static void optional_axes(void) { element(op_at(3), TFL_OPERATOR_INPUTS, 1, -1, 4); }
static void operand_below(void) { element(op_at(0), TFL_OPERATOR_INPUTS, 2, -2, 4); }
static void operand_far(void) { element(op_at(2), TFL_OPERATOR_INPUTS, 0, 0x7fffffff, 4); }
static void result_none(void) { element(op_at(0), TFL_OPERATOR_OUTPUTS, 0, -1, 4); }
static void result_is_input(void) { element(op_at(0), TFL_OPERATOR_OUTPUTS, 0, 0, 4); }
static void result_constant(void)
{
    element(op_at(0), TFL_OPERATOR_OUTPUTS, 0,
            (int64_t)fb_at(file, fb_ref(file, op_at(0), TFL_OPERATOR_INPUTS) + 8, 4), 4);
}
static void circle(void) { element(op_at(0), TFL_OPERATOR_INPUTS, 0, (int64_t)result_of(2), 4); }
static void reads_itself(void) { element(op_at(0), TFL_OPERATOR_INPUTS, 0, (int64_t)result_of(0), 4); }
static void few_operands(void) { put(fb_ref(file, op_at(0), TFL_OPERATOR_INPUTS), 1, 4); }
static void code_far(void) { set(op_at(1), TFL_OPERATOR_CODE, 77, 4); }
static void code_negative(void)
{
    set(op_code(0), TFL_CODE_BUILTIN, -5, 4);
    set(op_code(0), TFL_CODE_DEPRECATED, -5, 1);
}
static void code_huge(void) { set(op_code(0), TFL_CODE_BUILTIN, 0x7fffffff, 4); }
static void recursion(void) { set(op_code(0), TFL_CODE_BUILTIN, 119, 4); }
static void custom(void) { set(op_code(0), TFL_CODE_BUILTIN, 32, 4); }
static void wrong_options(void) { set(op_at(0), TFL_OPERATOR_OPTIONS_TYPE, TFL_OPT_SOFTMAX, 1); }
static void stride_zero(void) { set(options(0), 1, 0, 4); }
static void stride_negative(void) { set(options(2), 2, -1, 4); }
static void stride_huge(void) { set(options(2), 2, 0x7fffffff, 4); }
static void multiplier_zero(void) { set(options(2), 3, 0, 4); }
static void multiplier_wrong(void) { set(options(2), 3, 3, 4); }
static void padding_unknown(void) { set(options(2), 0, 7, 1); }
static void act_unknown(void) { set(options(0), 3, 4, 1); }
static void shape_zero(void) { element(tensor(0), TFL_TENSOR_SHAPE, 1, 0, 4); }
static void shape_negative(void) { element(tensor(0), TFL_TENSOR_SHAPE, 2, -8, 4); }
static void shape_overflow(void)
{
    for (size_t i = 1; i < 4; i++)
        element(tensor(0), TFL_TENSOR_SHAPE, i, 0x7fffffff, 4);
}
static void shape_wraps(void) /* 2^16 * 2^16 * 2^16 is 2^48: nothing of it is left in 32 bits */
{
    for (size_t i = 1; i < 4; i++)
        element(tensor(0), TFL_TENSOR_SHAPE, i, 1 << 16, 4);
}
static void shape_wrong(void) { element(tensor(result_of(0)), TFL_TENSOR_SHAPE, 1, 8, 4); }
static void shape_ranks(void) { put(fb_ref(file, input_of(0, 1), TFL_TENSOR_SHAPE), 7, 4); }
static void batch(void) { element(tensor(0), TFL_TENSOR_SHAPE, 0, 2, 4); }
static void weights_shape(void) { element(input_of(0, 1), TFL_TENSOR_SHAPE, 3, 4, 4); }
static void weights_larger(void) { element(input_of(0, 1), TFL_TENSOR_SHAPE, 1, 300, 4); }
static void buffer_far(void) { set(input_of(0, 1), TFL_TENSOR_BUFFER, 9999, 4); }
static void buffer_null(void) { set(input_of(0, 1), TFL_TENSOR_BUFFER, 0, 4); }
static void buffer_empty(void) { put(fb_ref(file, buffer_of(input_of(0, 1)), TFL_BUFFER_DATA), 0, 4); }
static void buffer_short(void) { put(fb_ref(file, buffer_of(input_of(0, 1)), TFL_BUFFER_DATA), 5, 4); }
static void bias_null(void) { set(input_of(0, 2), TFL_TENSOR_BUFFER, 0, 4); }
static void type_unknown(void) { set(input_of(0, 1), TFL_TENSOR_TYPE, 99, 1); }
static void type_other(void) { set(input_of(0, 1), TFL_TENSOR_TYPE, TFL_UINT8, 1); }
static void type_string(void) { set(input_of(0, 1), TFL_TENSOR_TYPE, 5, 1); }
static void scales_few(void) { put(fb_ref(file, quant(input_of(0, 1)), TFL_QUANT_SCALE), 2, 4); }
static void scales_none(void) { put(fb_ref(file, quant(tensor(0)), TFL_QUANT_SCALE), 0, 4); }
static void zeros_few(void) { put(fb_ref(file, quant(input_of(0, 1)), TFL_QUANT_ZERO_POINT), 1, 4); }
static void zeros_differ(void) { element(quant(input_of(0, 1)), TFL_QUANT_ZERO_POINT, 2, 1, 8); }
static void zeros_huge(void) { element(quant(tensor(0)), TFL_QUANT_ZERO_POINT, 0, INT64_MIN, 8); }
static void zero_off(void) { element(quant(tensor(0)), TFL_QUANT_ZERO_POINT, 0, 200, 8); }
static void axis_far(void) { set(quant(input_of(2, 1)), TFL_QUANT_DIMENSION, 4, 4); }
static void axis_negative(void) { set(quant(input_of(2, 1)), TFL_QUANT_DIMENSION, -1, 4); }
static void axis_wrong(void) { set(quant(input_of(2, 1)), TFL_QUANT_DIMENSION, 2, 4); }
static void scale_nan(void) { element(quant(tensor(0)), TFL_QUANT_SCALE, 0, 0x7fc00000, 4); }
static void scale_zero(void) { element(quant(tensor(0)), TFL_QUANT_SCALE, 0, 0, 4); }
static void scale_negative(void) { element(quant(input_of(0, 1)), TFL_QUANT_SCALE, 1, 0xbf800000, 4); }
static void scale_tiny(void) { element(quant(tensor(result_of(0))), TFL_QUANT_SCALE, 0, 0x00800000, 4); }
static void mean_axis(void) { put(fb_ref(file, buffer_of(input_of(3, 1)), TFL_BUFFER_DATA) + 4, -5, 4); }
static void mean_axis_far(void) { put(fb_ref(file, buffer_of(input_of(3, 1)), TFL_BUFFER_DATA) + 4, 4, 4); }
static void mean_channels(void) { put(fb_ref(file, buffer_of(input_of(3, 1)), TFL_BUFFER_DATA) + 4, 3, 4); }
static void pad_negative(void)
{
    put(fb_ref(file, buffer_of(input_of(1, 1)), TFL_BUFFER_DATA) + 4 + 8, -1, 4);
}
static void pad_huge(void)
{
    put(fb_ref(file, buffer_of(input_of(1, 1)), TFL_BUFFER_DATA) + 4 + 8, 0x7fffffff, 4);
}
static void pad_samples(void) { put(fb_ref(file, buffer_of(input_of(1, 1)), TFL_BUFFER_DATA) + 4, 1, 4); }
static void text_endless(void)
{
    size_t at = fb_ref(file, tensor(0), TFL_TENSOR_NAME);
    put(at + 4 + fb_len(file, at), 'x', 1);
}

static const struct {
    void (*make)(void);
    const char *says;
} faults[] = {
    { root_beyond, "beyond the end" },
    { root_zero, "reference to nothing" },
    { root_odd, "not aligned" },
    { wrong_letters, "four letters" },
    { other_version, "schema version 2" },
    { vtable_outside, "outside the file" },
    { vtable_behind, "damaged, or no .tflite" },
    { vtable_short, "table of fields that is damaged" },
    { vtable_long, "damaged, or no .tflite" },
    { table_long, "damaged, or no .tflite" },
    { field_outside, "field outside its table" },
    { list_endless, "beyond the end" },
    { list_overflow, "beyond the end" },
    { vector_misaligned, "not aligned" },
    { scales_misaligned, "not aligned" },
    { data_misaligned, "not aligned" },
    { no_inputs, "0 inputs" },
    { no_ops, "0 ops" },
    { two_graphs, "2 subgraphs" },
    { input_none, "no tensor -1" },
    { input_far, "no tensor 1000" },
    { output_none, "tensor -1, which no op computes" },
    { output_constant, "which no op computes" },
    { optional_input, "has no operand 0 (tensor -1)" },
    { optional_weights, "has no operand 1 (tensor -1)" },
    { optional_axes, "has no operand 1 (tensor -1)" },
    { operand_below, "operand 2 is tensor -2" },
    { operand_far, "operand 0 is tensor 2147483647" },
    { result_none, "no tensor -1" },
    { result_is_input, "an input, or computed twice" },
    { result_constant, "computes a constant" },
    { circle, "go in a circle" },
    { reads_itself, "go in a circle" },
    { few_operands, "has 1 operands" },
    { code_far, "operator code 77 of" },
    { code_negative, "operator number -5" },
    { code_huge, "unknown op" },
    { recursion, "(WHILE, 'conv')" },
    { custom, "(CUSTOM, 'conv')" },
    { wrong_options, "options of kind 9" },
    { stride_zero, "column stride of 0" },
    { stride_negative, "row stride of -1" },
    { stride_huge, "row stride of 2147483647" },
    { multiplier_zero, "depth multiplier 0" },
    { multiplier_wrong, "depth multiplier 3" },
    { padding_unknown, "padding of kind 7" },
    { act_unknown, "fused activation 4" },
    { shape_zero, "size 0 in dimension 1" },
    { shape_negative, "size -8 in dimension 2" },
    { shape_overflow, "more than 2^31-1 elements" },
    { shape_wraps, "more than 2^31-1 elements" },
    { shape_wrong, "said to be [1,8,8,4]; it gives [1,9,8,4]" },
    { shape_ranks, "7 dimensions" },
    { batch, "first is 1 (samples)" },
    { weights_shape, "bytes of data; its shape and type take" },
    { weights_larger, "bytes of data; its shape and type take" },
    { buffer_far, "buffer 9999" },
    { buffer_null, "weights are computed" },
    { buffer_empty, "weights are computed" },
    { buffer_short, "has 5 bytes of data" },
    { bias_null, "computed by no op before it" },
    { type_unknown, "of an unknown kind" },
    { type_other, "constant, uint8" },
    { type_string, "type string" },
    { scales_few, "2 scales along dimension 0" },
    { scales_none, "zero points without scales" },
    { zeros_few, "4 scales and 1 zero points" },
    { zeros_differ, "zero point 1 at index 2" },
    { zeros_huge, "zero point -9223372036854775808" },
    { zero_off, "zero point 200" },
    { axis_far, "4 scales along dimension 4" },
    { axis_negative, "4 scales along dimension -1" },
    { axis_wrong, "4 scales along dimension 2" },
    { scale_nan, "scale nan" },
    { scale_zero, "scale 0 at index 0" },
    { scale_negative, "scale -1 at index 1" },
    { scale_tiny, "overflow 32 bits" },
    { mean_axis, "axis -5; expected -4 to 3" },
    { mean_axis_far, "axis 4; expected -4 to 3" },
    { mean_channels, "mean over rows and columns" },
    { pad_negative, "padding of -1" },
    { pad_huge, "padding of 2147483647" },
    { pad_samples, "padding of 1 at index 0" },
    { text_endless, "text without an end" },
};

/* The same op by op, as libpith-rt has it: refused as well, with these words in the sentence (NULL: any), or the same bytes. */
static void by_steps(const void *p, size_t n, pith_status plan, const char *says, const void *const *in,
                     const uint8_t *want, size_t bytes)
{
    static uint8_t room[1 << 16];
    void *out[8];
    pithp_tfl_file f;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    pithp_rt_run *r = pithp_tfl_open(c, &f, "the model", p, n) ? NULL : pithp_rt_steps.open(&f);
    suite_check((r != NULL) == (plan == PITH_OK) && (r != NULL) == (pith_ctx_status(c) == PITH_OK),
                "op by op: %s", pith_error_text(c));
    suite_check(r || !says || strstr(pith_error_text(c), says), "op by op, \"%s\" does not say \"%s\"",
                pith_error_text(c), says);
    for (int i = 0; i < 8; i++)
        out[i] = room;
    if (r && in) {
        suite_check(pithp_rt_steps.run(r, in, out) == PITH_OK, "op by op: %s", pith_error_text(c));
        suite_check(!memcmp(room, want, bytes), "op by op: other bytes");
    }
    pith_ctx_free(c);
}

static void use(pith_rt *rt, const void *p, size_t n, uint8_t *room, size_t bytes)
{
    pith_rt_tensor x, y;
    const void *in[8];
    void *out[8];
    for (int i = 0; pith_rt_input(rt, i, &x); i++) {
        in[i] = room;
        if (x.bytes > bytes)
            return;
    }
    for (int i = 0; pith_rt_output(rt, i, &y); i++) {
        out[i] = room + bytes;
        if (y.bytes > bytes)
            return;
    }
    if (pith_rt_info(rt).macs >= 1 << 22 || pith_rt_info(rt).arena >= 1 << 20)
        return;
    ck_assert_int_eq(pith_rt_run(rt, in, out), PITH_OK);
    if (!pith_rt_output(rt, 1, &x)) /* one output has the room to itself */
        by_steps(p, n, PITH_OK, NULL, in, room + bytes, y.bytes);
}

START_TEST(faults_are_refused)
{
    const char *path = in_dir("hostile.tflite");
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, path), PITH_OK);
    open_file(path);
    faults[_i].make();
    pith_rt *rt = pith_rt_open_memory(file.p, file.n, (pith_rt_cfg){ 0 });
    pith_status s = pith_rt_status(rt);
    suite_check(s == PITH_EFORMAT || s == PITH_EINVAL || s == PITH_ESHAPE, "status %s: %s",
                pith_status_name(s), pith_rt_error(rt));
    suite_check(strstr(pith_rt_error(rt), faults[_i].says), "\"%s\" does not say \"%s\"", pith_rt_error(rt),
                faults[_i].says);
    ck_assert_int_eq(pith_rt_run(rt, NULL, NULL), s);
    by_steps(file.p, file.n, s, faults[_i].says, NULL, NULL, 0);
    pith_rt_free(rt);
}
END_TEST

/* Whatever is changed, the file is refused with a sentence, or it runs inside its memory. */
START_TEST(changed_anyhow)
{
    enum { ROOM = 1 << 16 };
    static uint8_t room[2 * ROOM];
    const char *path = in_dir("changed.tflite");
    static const uint32_t values[] = { 0,      1,      0x7f,       0x80,       0xff,      0x7fff,
                                       0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff };
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, path), PITH_OK);
    open_file(path);
    uint8_t *whole = malloc(file.n);
    memcpy(whole, file.p, file.n);
    pithp_rand r = pithp_rand_at(5, 0, 0, PITHP_USE_OTHER);
    int refused = 0, ran = 0;
    for (int i = 0; i < 6000; i++) {
        memcpy((void *)(uintptr_t)file.p, whole, file.n);
        for (uint64_t k = 1 + pithp_rand_below(&r, 3); k > 0; k--) {
            size_t size = (size_t)1 << pithp_rand_below(&r, 3);
            put(pithp_rand_below(&r, file.n / size) * size, values[pithp_rand_below(&r, PITHP_LEN(values))],
                size);
        }
        size_t n = pithp_rand_below(&r, 8) ? file.n : (size_t)pithp_rand_below(&r, file.n);
        uint8_t *exact = aligned_alloc(16, n + 16 - n % 16),
                *end = exact; /* so that a reader beyond the end is seen */
        if (n % 16 == 0)
            end = exact;
        memcpy(end, file.p, n);
        pith_rt *rt = pith_rt_open_memory(end, n, (pith_rt_cfg){ 0 });
        suite_check((pith_rt_status(rt) == PITH_OK) == (pith_rt_error(rt)[0] == 0), "change %d: %s", i,
                    pith_rt_error(rt));
        if (pith_rt_status(rt))
            refused++, by_steps(end, n, pith_rt_status(rt), NULL, NULL, NULL, 0);
        else
            ran++, use(rt, end, n, room, ROOM);
        pith_rt_free(rt);
        free(exact);
    }
    free(whole);
    ck_assert_msg(refused > 1000 && ran > 100, "%d refused, %d ran", refused, ran);
}
END_TEST

START_TEST(cut_anywhere)
{
    const char *path = in_dir("cut.tflite");
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, path), PITH_OK);
    open_file(path);
    size_t used = 0;
    for (size_t n = 0; n < file.n; n++) {
        pith_rt *rt = pith_rt_open_memory(file.p, n, (pith_rt_cfg){ 0 });
        if (pith_rt_status(rt) == PITH_OK) /* nothing is missed but the padding at the end */
            used = used ? used : n;
        else
            suite_check(!used && pith_rt_status(rt) == PITH_EFORMAT, "%zu bytes: %s", n, pith_rt_error(rt));
        pith_rt_free(rt);
    }
    ck_assert(used == 0 || used + 64 > file.n);
    pith_rt *rt = pith_rt_open_memory(file.p + 4, file.n - 4, (pith_rt_cfg){ 0 });
    ck_assert(pith_rt_status(rt) == PITH_EINVAL && strstr(pith_rt_error(rt), "aligned"));
    pith_rt_free(rt);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tflite read");
    TCase *t = suite_case(s, "read");
    tcase_add_checked_fixture(t, setup, close_file);
    tcase_add_loop_test(t, faults_are_refused, 0, (int)PITHP_LEN(faults));
    tcase_add_test(t, changed_anyhow);
    tcase_add_test(t, cut_anywhere);
    return suite_run("tflite_read", s);
}
