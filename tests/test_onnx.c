/* Floor 7: the writer of protobuf, and ONNX files; ONNX Runtime runs them in tests/interop. */
#include "base/protobuf.h"
#include "export_help.h"

static pithp_pb pb;

static void begin(void)
{
    setup();
    pithp_pb_init(ctx, &pb);
}

static void end(void)
{
    pithp_pb_free(&pb);
    pithp_pb_free(&pb);
    teardown();
}

static void again(void)
{
    pithp_pb_free(&pb);
    pithp_pb_init(ctx, &pb);
}

static void expect_bytes(const void *p, size_t n)
{
    suite_check(pb.status == PITH_OK && pb.depth == 0, "%s", pith_error_text(ctx));
    ck_assert_uint_eq(pb.n, n);
    ck_assert_mem_eq(pb.buf, p, n);
    again();
}

/* The examples of the format's own description. */
START_TEST(known_bytes)
{
    pithp_pb_int(&pb, 1, 150);
    expect_bytes("\x08\x96\x01", 3);
    pithp_pb_int(&pb, 1, -2);
    expect_bytes("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    pithp_pb_int(&pb, 20, 0); /* a field number beyond 15 takes two bytes */
    expect_bytes("\xa0\x01\x00", 3);
    pithp_pb_text(&pb, 2, "testing");
    expect_bytes("\x12\x07testing", 9);
    pithp_pb_text(&pb, 2, NULL);
    pithp_pb_f32(&pb, 2, 1.0f);
    expect_bytes("\x15\x00\x00\x80\x3f", 5);
    pithp_pb_begin(&pb, 3);
    pithp_pb_int(&pb, 1, 150);
    pithp_pb_end(&pb);
    expect_bytes("\x1a\x03\x08\x96\x01", 5);
    pithp_pb_begin(&pb, 1);
    pithp_pb_begin(&pb, 2);
    pithp_pb_end(&pb);
    pithp_pb_int(&pb, 3, 1);
    pithp_pb_end(&pb);
    expect_bytes("\x0a\x04\x12\x00\x18\x01", 6);
}
END_TEST

/* Lengths of one, two and three bytes, moved in before what they count. */
START_TEST(long_messages)
{
    const size_t lengths[] = { 0, 127, 128, 16383, 16384, 70000 };
    for (size_t i = 0; i < PITHP_LEN(lengths); i++) {
        size_t n = lengths[i];
        uint8_t *p = calloc(1, n + 1);
        for (size_t k = 0; k < n; k++)
            p[k] = (uint8_t)(k * 31);
        pithp_pb_begin(&pb, 1);
        pithp_pb_bytes(&pb, 9, p, n);
        pithp_pb_end(&pb);
        ck_assert_int_eq(pb.status, PITH_OK);
        size_t at = 1, inner = 0, outer = 0;
        for (int shift = 0;; shift += 7) {
            outer |= (size_t)(pb.buf[at] & 0x7f) << shift;
            if (!(pb.buf[at++] & 0x80))
                break;
        }
        ck_assert_uint_eq(outer, pb.n - at);
        ck_assert_uint_eq(pb.buf[at++], 9 << 3 | 2);
        for (int shift = 0;; shift += 7) {
            inner |= (size_t)(pb.buf[at] & 0x7f) << shift;
            if (!(pb.buf[at++] & 0x80))
                break;
        }
        ck_assert(inner == n && at + n == pb.n && !memcmp(pb.buf + at, p, n));
        free(p);
        again();
    }
}
END_TEST

START_TEST(misuse)
{
    pithp_pb_end(&pb);
    ck_assert_int_eq(pb.status, PITH_EBUG);
    expect_error(PITH_EBUG, "not begun");
    again();
    for (int i = 0; i <= PITHP_PB_DEPTH; i++)
        pithp_pb_begin(&pb, 1);
    expect_error(PITH_EBUG, "too deeply");
    again();
    pithp_pb_int(&pb, 0, 1);
    expect_error(PITH_EBUG, "out of range");
    again();
    ck_assert(pithp_pb_room(&pb, 1, SIZE_MAX) == NULL && pb.status == PITH_EINVAL);
    expect_error(PITH_EINVAL, "at most 2 GB");
    pithp_pb_int(&pb, 1, 1); /* nothing happens after a failure */
    ck_assert_int_eq(pb.status, PITH_EINVAL);
    again();
    ck_assert(pithp_pb_room(&pb, 1, (size_t)1 << 31) == NULL);
    expect_error(PITH_EINVAL, "at most 2 GB");
}
END_TEST

/* ---- Files ---- */
START_TEST(same_bytes)
{
    pith_model *m = model_of(conv_bn, NULL);
    const char *path = in_dir("a.onnx");
    size_t n;
    pith_model_set_meta(m, "classes", "[\"a\",\"b\",\"c\"]");
    suite_check(pith_export_onnx(m, path, (pith_export_cfg){ 0 }) == PITH_OK, "%s", pith_error_text(ctx));
    uint8_t *once = slurp(path, &n);
    ck_assert(memmem(once, n, "[\"a\",\"b\",\"c\"]", 13) != NULL);
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ 0 }), PITH_OK);
    ck_assert(whole_or_absent(path, once, n));
    free(once);
}
END_TEST

static pith_tensor *mixing(pith_model *m, pith_tensor *x, void *user)
{
    (void)m, (void)user;
    return pith_reshape(x, PITH_SHAPE(3, -1));
}

START_TEST(refusals)
{
    const char *path = in_dir("refused.onnx");
    pith_model *m = model_of(unknown_op, NULL);
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "op wavelet (layer7)");
    m = model_of(mixing, NULL);
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ 0 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "mixes samples");
    m = model_of(conv_bn, NULL);
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_F16 }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "float32 or int8 numbers only");
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ .int8_io = true }), PITH_EINVAL);
    expect_error(PITH_EINVAL, "would be written in float32");
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_DYNAMIC }),
                     PITH_EINVAL);
    expect_error(PITH_EINVAL, "int8 weights and float activations");
    ck_assert_int_eq(pith_export_onnx(m, path, (pith_export_cfg){ .numbers = PITH_EXPORT_INT8 }),
                     PITH_EINVAL);
    expect_error(PITH_EINVAL, "is not quantized");
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(pith_export_onnx(m, in_dir("no/such/x.onnx"), (pith_export_cfg){ 0 }), PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "no/such");
}
END_TEST

static pith_status export_again(void *m, const char *path)
{
    return pith_export_onnx(m, path, (pith_export_cfg){ 0 });
}

START_TEST(no_memory) { whole_at_every_allocation(export_again, model_of(conv_bn, NULL), 20); }
END_TEST

int main(void)
{
    Suite *s = suite_create("onnx");
    TCase *t = suite_case(s, "writer");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, known_bytes);
    tcase_add_test(t, long_messages);
    tcase_add_test(t, misuse);
    tcase_add_test(t, same_bytes);
    tcase_add_test(t, refusals);
    tcase_add_test(t, no_memory);
    return suite_run("onnx", s);
}
