/* Floor 3: the safetensors container, read and written. */
#include "file_help.h"
#include <math.h>

static pith_status open_bytes(pithp_st_file *f, const uint8_t *p, size_t n)
{
    return pithp_st_open_memory(ctx, f, "mem", p, n);
}

/* ---- What is written is read --------------------------------------------------------------------------- */
static const uint8_t bytes8[64] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
static const char *const odd_text = "two\nlines, \"quotes\" \\ and \xc3\xa9\xf0\x9f\x90\xb1";

START_TEST(round_trip)
{
    pithp_st_writer w;
    const char *path = in_dir("all.safetensors");
    pithp_st_writer_init(ctx, &w);
    for (int t = 0; t < PITHP_ST_DTYPES;
         t++) /* odd counts, so that offsets lose their alignment if they can */
        pithp_st_add(&w, pithp_st_dtype_name((pithp_st_dtype)t), (pithp_st_dtype)t, PITH_SHAPE(3, 1),
                     bytes8 + t);
    pithp_st_add(&w, "scalar", PITHP_ST_F32, PITH_SCALAR, bytes8);
    pithp_st_add(&w, "empty", PITHP_ST_I16, PITH_SHAPE(4, 0), NULL);
    pithp_st_add(&w, odd_text, PITHP_ST_U8, PITH_SHAPE(2), bytes8);
    pithp_st_add_meta(&w, "key", odd_text);
    pithp_st_add_meta(&w, odd_text, "");
    ck_assert_int_eq(pithp_st_commit(&w, path, false), PITH_OK);
    pithp_st_writer_free(&w);

    pithp_st_file f;
    ck_assert_int_eq(pithp_st_open(ctx, &f, path), PITH_OK);
    ck_assert_uint_eq(f.n, PITHP_ST_DTYPES + 3);
    ck_assert_uint_eq(f.n_meta, 2);
    for (int t = 0; t < PITHP_ST_DTYPES; t++) {
        const pithp_st_tensor *e = pithp_st_find(&f, pithp_st_dtype_name((pithp_st_dtype)t));
        size_t size = pithp_st_dtype_size((pithp_st_dtype)t);
        ck_assert(e && e->dtype == (pithp_st_dtype)t && e->bytes == 3 * size && e->count == 3);
        ck_assert_uint_eq((uintptr_t)e->data % size, 0);
        ck_assert_mem_eq(e->data, bytes8 + t, e->bytes);
    }
    uint8_t two[2];
    ck_assert_int_eq(pithp_st_get(&f, odd_text, PITHP_ST_U8, PITH_SHAPE(2), two), PITH_OK);
    ck_assert_int_eq(two[1], 2);
    ck_assert_int_eq(pithp_st_get(&f, "empty", PITHP_ST_I16, PITH_SHAPE(4, 0), NULL), PITH_OK);
    ck_assert_str_eq(pithp_st_meta(&f, "key"), odd_text);
    ck_assert_str_eq(pithp_st_meta(&f, odd_text), "");
    ck_assert_ptr_null(pithp_st_meta(&f, "other"));
    ck_assert_ptr_null(pithp_st_find(&f, "other"));
    pithp_st_close(&f);
    pithp_st_close(&f);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
}
END_TEST

START_TEST(nothing_in_it)
{
    pithp_st_writer w;
    pithp_st_file f;
    pithp_st_writer_init(ctx, &w);
    ck_assert_int_eq(pithp_st_commit(&w, in_dir("none.safetensors"), false), PITH_OK);
    pithp_st_writer_free(&w);
    ck_assert_int_eq(pithp_st_open(ctx, &f, in_dir("none.safetensors")), PITH_OK);
    ck_assert_uint_eq(f.n + f.n_meta, 0);
    ck_assert_ptr_null(pithp_st_find(&f, "x"));
    ck_assert_ptr_null(pithp_st_meta(&f, "x"));
    pithp_st_close(&f);
}
END_TEST

/* Unaligned, and in every float type. Values by IEEE 754: 1 + 2^-10, the least subnormal, -2, infinity,
   NaN. */
START_TEST(floats)
{
    const char *header = "{\"p\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                         "\"h\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[1,13]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[13,19]},"
                         "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[19,27]},"
                         "\"f\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[27,31]}}";
    const uint16_t h[] = { 0x3c01, 0x0001, 0xc000, 0x7c00, 0x7e00, 0x7bff }, b[] = { 0x3f80, 0xc2f7, 0x0001 };
    const double d = 0.1;
    const float s = -3.25f;
    size_t n;
    uint8_t *p = make_file(header, strlen(header), 31, &n), *data = p + n - 31;
    pith_real r[6];
    pithp_st_file f;
    memcpy(data + 1, h, 12), memcpy(data + 13, b, 6), memcpy(data + 19, &d, 8), memcpy(data + 27, &s, 4);
    ck_assert_int_eq(open_bytes(&f, p, n), PITH_OK);
    ck_assert_int_eq(pithp_st_get_real(&f, "h", PITH_SHAPE(6), r), PITH_OK);
    ck_assert(r[0] == 1 + 0x1p-10f && r[1] == 0x1p-24f && r[2] == -2 && isinf(r[3]) && isnan(r[4]) &&
              r[5] == 65504);
    ck_assert_int_eq(pithp_st_get_real(&f, "b", PITH_SHAPE(3), r), PITH_OK);
    ck_assert(r[0] == 1 && r[1] == -123.5f && r[2] == 0x1p-133f);
    ck_assert_int_eq(pithp_st_get_real(&f, "d", PITH_SHAPE(1), r), PITH_OK);
    ck_assert(r[0] == (pith_real)0.1);
    ck_assert_int_eq(pithp_st_get_real(&f, "f", PITH_SHAPE(1), r), PITH_OK);
    ck_assert(r[0] == -3.25f);
    ck_assert_int_eq(pithp_st_get_real(&f, "p", PITH_SHAPE(1), r), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "mem: tensor 'p' has dtype U8; expected F32");
    ck_assert_int_eq(pithp_st_get(&f, "f", PITHP_ST_I32, PITH_SHAPE(1), r), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "tensor 'f' has dtype F32; expected I32");
    ck_assert_int_eq(pithp_st_get_real(&f, "f", PITH_SHAPE(1, 1), r), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "tensor 'f' has shape [1]; expected [1,1]");
    ck_assert_int_eq(pithp_st_get_real(&f, "g", PITH_SHAPE(1), r), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "has no tensor 'g'");
    pithp_st_close(&f);
    free(p);
}
END_TEST

/* ---- What is refused ----------------------------------------------------------------------------------- */
#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A                        "\"a\":" T("F32", "[2]", "[0,8]")

/* Headers over eight bytes of data; NULL: they are right. */
static const struct {
    const char *header, *says;
} headers[] = {
    { "{" A "}", NULL },
    { "{" A "}   ", NULL },
    { "{" A ",\"__metadata__\":{}}", NULL },
    { "{" A ",\"z\":" T("F32", "[0,9]", "[8,8]") ",\"y\":" T("I8", "[0]", "[0,0]") "}", NULL },
    { "{\"b\":" T("F32", "[]", "[4,8]") ",\"a\":" T("F32", "[1,1,1,1,1,1]", "[0,4]") "}", NULL },
    { " {" A "}", "then '{'" },
    { "[{" A "}]", "then '{'" },
    { "{" A "} x", "JSON" },
    { "{" A, "JSON" },
    { "{" A "," A "}", "duplicate object key" },
    { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "duplicate object key" },
    { "{" A ",\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", "duplicate object key" },
    { "{" A ",\"__metadata__\":{\"k\":1}}", "value of 'k' is not a string" },
    { "{" A ",\"__metadata__\":[]}", "not an object of strings" },
    { "{\"\":" T("F32", "[2]", "[0,8]") "}", "name is empty" },
    { "{\"a\":3}", "tensor 'a': is not described by an object" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "expected exactly" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", "expected exactly" },
    { "{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", "expected exactly" },
    { "{\"a\":" T("F8_E4M3", "[8]", "[0,8]") "}", "dtype 'F8_E4M3' is not known" },
    { "{\"a\":" T("f32", "[2]", "[0,8]") "}", "dtype 'f32' is not known" },
    { "{\"a\":" T("F32", "2", "[0,8]") "}", "\"shape\" is not a list" },
    { "{\"a\":" T("F32", "[2.0]", "[0,8]") "}", "size 0 of its shape" },
    { "{\"a\":" T("F32", "[1,-2]", "[0,8]") "}", "size 1 of its shape" },
    { "{\"a\":" T("F32", "[\"2\"]", "[0,8]") "}", "size 0 of its shape" },
    { "{\"a\":" T("F32", "[1,1,1,1,1,1,2]", "[0,8]") "}", "7 dimensions" },
    { "{\"a\":" T("F32", "[4294967296,4294967296,4294967296]", "[0,8]") "}", "more than any memory" },
    { "{\"a\":" T("F32", "[4294967296,4294967296,0]", "[0,8]") "}", "more than any memory" },
    { "{\"a\":" T("F32", "[4611686018427387904]", "[0,0]") "}", "more than any memory" },
    { "{\"a\":" T("F32", "[4611686018427387906]", "[0,8]") "}", "more than any memory" },
    { "{\"a\":" T("F32", "[18446744073709551618]", "[0,8]") "}", "too big integer" },
    { "{\"a\":" T("F32", "[2]", "[0,9]") "}", "8 bytes of data that the file has" },
    { "{\"a\":" T("F32", "[2]", "[8,0]") "}", "do not lie, in order" },
    { "{\"a\":" T("F32", "[2]", "[-8,0]") "}", "do not lie, in order" },
    { "{\"a\":" T("F32", "[2]", "[0]") "}", "not a pair" },
    { "{\"a\":" T("F32", "[2]", "[0,8,8]") "}", "not a pair" },
    { "{\"a\":" T("F32", "[2]", "[0.0,8.0]") "}", "not a pair" },
    { "{\"a\":" T("F32", "[2]", "{}") "}", "not a pair" },
    { "{\"a\":" T("F32", "[1]", "[0,8]") "}", "hold 8 bytes; [1] of F32 takes 4" },
    { "{\"a\":" T("F32", "[1]", "[0,4]") "}", "4 bytes of data belong to no tensor" },
    { "{\"a\":" T("F32", "[1]", "[4,8]") "}", "tensor 'a': a hole of 4 bytes" },
    { "{\"a\":" T("U8", "[3]", "[0,3]") ",\"b\":" T("U8", "[4]", "[4,8]") "}",
      "tensor 'b': a hole of 1 bytes" },
    { "{" A ",\"b\":" T("F32", "[2]", "[0,8]") "}", "overlap those of 'a'" },
    { "{\"a\":" T("U8", "[5]", "[0,5]") ",\"b\":" T("U8", "[4]", "[4,8]") "}",
      "tensor 'b': its data overlap" },
    { "{" A ",\"b\":" T("F32", "[0]", "[4,4]") "}", "tensor 'b': its data overlap" },
    { "{\"\\u0000\":" T("F32", "[2]", "[0,8]") "}", "JSON" },
    { "{\"\xff\":" T("F32", "[2]", "[0,8]") "}", "JSON" },
    { "{\"a\xc0\x80\":" T("F32", "[2]", "[0,8]") "}", "JSON" },
    { "{\"\\u001b[31m\":" T("F33", "[2]", "[0,8]") "}", "tensor '?[31m'" },
    { "{}", "8 bytes of data belong to no tensor" },
};

START_TEST(refused)
{
    size_t n, length = strlen(headers[_i].header);
    uint8_t *p = make_file(headers[_i].header, length, 8, &n);
    pithp_st_file f;
    pith_status s = open_bytes(&f, p, n);
    ck_assert_int_eq(s, headers[_i].says ? PITH_EFORMAT : PITH_OK);
    if (headers[_i].says)
        expect_error(PITH_EFORMAT, headers[_i].says);
    pithp_st_close(&f);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    free(p);
}
END_TEST

/* The status does not hang on an error that stuck before. */
START_TEST(refused_after_an_error)
{
    pithp_st_file f;
    pithp_error(ctx, PITH_ESTALE, "older");
    ck_assert_int_eq(open_bytes(&f, bytes8, 64), PITH_EFORMAT);
    ck_assert_int_eq(pithp_st_open(ctx, &f, in_dir("nowhere")), PITH_ENOTFOUND);
    expect_error(PITH_ESTALE, "older");
    ck_assert_int_eq(pithp_st_open(ctx, &f, suite_dir()), PITH_EINVAL);
    expect_error(PITH_EINVAL, "is a folder");
}
END_TEST

START_TEST(lengths)
{
    const uint64_t absurd[] = {
        0, 1, 3, 100000000, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63
    };
    uint8_t p[10] = { 2, 0, 0, 0, 0, 0, 0, 0, '{', '}' };
    pithp_st_file f;
    ck_assert_int_eq(open_bytes(&f, p, 10), PITH_OK);
    pithp_st_close(&f);
    for (size_t i = 0; i < PITHP_LEN(absurd); i++) {
        memcpy(p, &absurd[i], 8);
        ck_assert_int_eq(open_bytes(&f, p, 10), PITH_EFORMAT);
    }
    for (size_t n = 0; n < 10; n++)
        ck_assert_int_eq(open_bytes(&f, p, n), PITH_EFORMAT);
}
END_TEST

/* Brackets without end, and more values than a header can need: refused before a tree is grown. */
START_TEST(bombs)
{
    static const char *const openers[] = { "{\"a\":", "[", "{\"a\":[", "0,", "\"\"," };
    size_t n, room = 13000000;
    char *header = malloc(room);
    for (size_t i = 0; i < PITHP_LEN(openers); i++) {
        size_t k = strlen(openers[i]), used = 0;
        used += (size_t)snprintf(header, room, "{\"a\":%s", i < 3 ? "" : "[");
        for (; used + k + 1 < room; used += k)
            memcpy(header + used, openers[i], k);
        uint8_t *p = make_file(header, used, 0, &n);
        pithp_st_file f;
        ck_assert_int_eq(open_bytes(&f, p, n), PITH_EFORMAT);
        expect_error(PITH_EFORMAT, i < 3 ? "levels of brackets" : "more than 4194304 values");
        free(p);
    }
    free(header);
}
END_TEST

/* ---- Damage -------------------------------------------------------------------------------------------- */
static uint8_t *sample(size_t *n)
{
    pithp_st_writer w;
    const char *path = in_dir("sample.safetensors");
    pithp_st_writer_init(ctx, &w);
    pithp_st_add(&w, "weight", PITHP_ST_F32, PITH_SHAPE(2, 3), bytes8);
    pithp_st_add(&w, "bias", PITHP_ST_F16, PITH_SHAPE(3), bytes8);
    pithp_st_add(&w, "steps", PITHP_ST_I64, PITH_SCALAR, bytes8);
    pithp_st_add_meta(&w, "who", "tests");
    ck_assert_int_eq(pithp_st_commit(&w, path, false), PITH_OK);
    pithp_st_writer_free(&w);
    return slurp(path, n);
}

START_TEST(cut_anywhere)
{
    size_t n;
    uint8_t *p = sample(&n);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *q = malloc(cut ? cut : 1); /* of this size exactly: a sanitizer watches its end */
        memcpy(q, p, cut);
        pithp_st_file f;
        ck_assert_int_eq(open_bytes(&f, q, cut), PITH_EFORMAT);
        ck_assert_str_ne(pith_error_text(ctx), "");
        pith_ctx_clear(ctx);
        free(q);
    }
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    free(p);
}
END_TEST

/* Every bit of the header flipped: refused, or a file whose every tensor can be read. */
START_TEST(flipped_anywhere)
{
    size_t n, header;
    int opened = 0;
    unsigned sum = 0;
    uint8_t *p = sample(&n);
    header = header_of(p);
    for (size_t bit = 0; bit < 8 * (8 + header); bit++) {
        pithp_st_file f;
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!open_bytes(&f, p, n)) {
            opened++;
            for (size_t i = 0; i < f.n; i++)
                for (size_t k = 0; k < f.tensors[i].bytes; k++)
                    sum += f.tensors[i].data[k];
        }
        pithp_st_close(&f);
        pith_ctx_clear(ctx);
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert_int_gt(opened, 0); /* a flip in a name does no harm */
    ck_assert_uint_ne(sum, 0);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
    free(p);
}
END_TEST

/* ---- The writer's own rules ---------------------------------------------------------------------------- */
static void writer_refuses(pithp_st_writer *w, pith_status status, const char *says)
{
    const char *path = in_dir("refused.safetensors");
    struct stat st;
    ck_assert_int_eq(pithp_st_commit(w, path, false), status);
    expect_error(status, says);
    pithp_st_writer_free(w);
    pithp_st_writer_init(ctx, w);
    ck_assert_int_ne(stat(path, &st), 0);
}

START_TEST(writer_rules)
{
    pithp_st_writer w;
    pithp_st_writer_init(ctx, &w);
    pithp_st_add(&w, "", PITHP_ST_U8, PITH_SHAPE(1), bytes8);
    writer_refuses(&w, PITH_EINVAL, "no name for a tensor");
    pithp_st_add(&w, "__metadata__", PITHP_ST_U8, PITH_SHAPE(1), bytes8);
    writer_refuses(&w, PITH_EINVAL, "no name for a tensor");
    pithp_st_add(&w, "a", PITHP_ST_U8, PITH_SHAPE(-1), bytes8);
    pithp_st_add(&w, "b", PITHP_ST_U8, PITH_SHAPE(1), bytes8); /* nothing happens after the first error */
    writer_refuses(&w, PITH_EINVAL, "tensor 'a': its shape");
    pithp_st_add(&w, "a", PITHP_ST_F64, PITH_SHAPE(INT64_MAX, 2), bytes8);
    writer_refuses(&w, PITH_EINVAL, "its shape is absurd");
    pithp_st_add(&w, "a", PITHP_ST_U8, PITH_SHAPE(1), bytes8);
    pithp_st_add(&w, "a", PITHP_ST_U8, PITH_SHAPE(1), bytes8);
    writer_refuses(&w, PITH_EINVAL, "'a' is the name of two things");
    pithp_st_add_meta(&w, "k", "1");
    pithp_st_add_meta(&w, "k", "2");
    writer_refuses(&w, PITH_EINVAL, "'k' is the name of two things");
    pithp_st_add(&w, "a\xff", PITHP_ST_U8, PITH_SHAPE(1), bytes8);
    writer_refuses(&w, PITH_EINVAL, "not valid UTF-8");
    pithp_st_add_meta(&w, "k", "\xc3");
    writer_refuses(&w, PITH_EINVAL, "not valid UTF-8");
    ck_assert_int_eq(pithp_st_commit(&w, in_dir("no/such/folder/x"), false), PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "make its folder first");
    pithp_st_writer_free(&w);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
}
END_TEST

/* A header beyond 100 MB is refused before anything is written. */
START_TEST(writer_too_much)
{
    pithp_st_writer w;
    size_t n = 100000001;
    char *text = malloc(n + 1);
    memset(text, 'x', n);
    text[n] = 0;
    pithp_st_writer_init(ctx, &w);
    pithp_st_add_meta(&w, "k", text);
    writer_refuses(&w, PITH_EINVAL, "the format allows 100000000");
    pithp_st_writer_free(&w);
    free(text);
}
END_TEST

/* ---- Memory that runs out ------------------------------------------------------------------------------ */
static pith_status write_some(const char *path)
{
    pithp_st_writer w;
    pithp_st_writer_init(ctx, &w);
    for (int i = 0; i < 20; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", i);
        pithp_st_add(&w, name, PITHP_ST_F32, PITH_SHAPE(2), bytes8);
        pithp_st_add_meta(&w, name, name);
    }
    pith_status s = pithp_st_commit(&w, path, true);
    pithp_st_writer_free(&w);
    return s;
}

START_TEST(out_of_memory)
{
    const char *path = in_dir("memory.safetensors");
    pithp_st_file f;
    for (int reading = 0; reading < 2; reading++)
        for (long k = 0;; k++) {
            hook.left = k;
            pith_status s = reading ? pithp_st_open(ctx, &f, path) : write_some(path);
            bool ran_out = hook.left < 0;
            hook.left = -1;
            if (reading)
                pithp_st_close(&f);
            ck_assert_int_eq(s, ran_out ? PITH_ENOMEM : PITH_OK);
            ck_assert_int_eq(pith_ctx_status(ctx), s);
            ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), at_rest);
            pith_ctx_clear(ctx);
            if (!s) {
                ck_assert_int_gt(k, 3);
                break;
            }
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("safetensors");
    TCase *t = suite_case(s, "safetensors");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, nothing_in_it);
    tcase_add_test(t, floats);
    tcase_add_loop_test(t, refused, 0, (int)PITHP_LEN(headers));
    tcase_add_test(t, refused_after_an_error);
    tcase_add_test(t, lengths);
    tcase_add_test(t, bombs);
    tcase_add_test(t, cut_anywhere);
    tcase_add_test(t, flipped_anywhere);
    tcase_add_test(t, writer_rules);
    tcase_add_test(t, writer_too_much);
    tcase_add_test(t, out_of_memory);
    return suite_run("safetensors", s);
}
