/* Floor 7: packed .tflite files that are damaged or made up are refused by name, with nothing kept and nothing written. */
#include "compress/pack/pack.h"
#include "deploy/tflite/int8_emit.h"
#include "int8_sample.h"

#include <pith/pith.h>
#include <pith/rt.h>

/* ---- Damage ---- */
static uint8_t *pack_sample(size_t *n)
{
    const char *plain = in_dir("s.tflite"), *packed = in_dir("s.pack");
    ck_assert_int_eq(pithp_tfl_export_int8(sample(true), NULL, plain), PITH_OK);
    suite_check(pith_pack_tflite(ctx, plain, packed, NULL) == PITH_OK, "%s", pith_error_text(ctx));
    return slurp(packed, n);
}

static void write_all(const char *path, const uint8_t *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void mend(uint8_t *p, size_t n)
{
    const uint32_t crc = pithp_crc32(0, p + PITHP_PACK_HEAD, n - PITHP_PACK_HEAD);
    memcpy(p + 24, &crc, 4);
}

/* No reader takes it, each says so, and nothing is left of it. */
static void refused(const uint8_t *p, size_t n, const char *what, size_t at)
{
    const char *bad = in_dir("bad.pack"), *out = in_dir("out.tflite");
    const size_t before = pith_ctx_memory(ctx, NULL);
    write_all(bad, p, n);
    pith_status s = pith_unpack(ctx, bad, out);
    suite_check(s == PITH_EFORMAT && strstr(pith_error_text(ctx), "bad.pack"), "%s, %zu: %s, %s", what, at,
                pith_status_name(s), pith_error_text(ctx));
    pith_ctx_clear(ctx);
    suite_check(access(out, F_OK) != 0 && pith_ctx_memory(ctx, NULL) == before, "%s, %zu: leaves something",
                what, at);
    pith_rt *rt = pith_rt_open(bad, (pith_rt_cfg){ 0 });
    suite_check(pith_rt_status(rt) == PITH_EFORMAT && strstr(pith_rt_error(rt), "bad.pack"), "%s, %zu: %s",
                what, at, pith_rt_error(rt));
    pith_rt_free(rt);
}

START_TEST(damaged)
{
    size_t n;
    uint8_t *p = pack_sample(&n);
    for (size_t cut = 0; cut < n; cut++) /* a length at a time; exactly so long, for a sanitizer */
        refused(p, cut, "cut to", cut);
    for (size_t at = 0; at < n; at += at < 64 ? 1 : 7) {
        p[at] ^= (uint8_t)(1 << at % 8);
        refused(p, n, "flipped", at);
        p[at] ^= (uint8_t)(1 << at % 8);
    }
    /* With its checksum right again, so that what it says is looked at: sizes, text, ranges, codes. */
    int same = 0;
    for (size_t at = PITHP_PACK_HEAD; at < n; at++) {
        const uint8_t was = p[at];
        pithp_unpacked u = { 0 };
        p[at] = (uint8_t)(was * 7 + 3);
        mend(p, n);
        if (p[at] != was && pithp_unpack_tflite(ctx, &u, "bad", p, n) == PITH_OK)
            same++; /* bits that fill a block's last byte: its CRC-32 is right, so it is the file */
        else if (p[at] != was)
            pith_ctx_clear(ctx), refused(p, n, "changed", at);
        pithp_free(ctx, u.own);
        p[at] = was;
    }
    ck_assert_int_lt(same, 20);
    uint8_t *longer = calloc(n + 1, 1);
    memcpy(longer, p, n);
    mend(longer, n + 1);
    refused(longer, n + 1, "with more behind", n);
    free(longer);
    free(p);
}
END_TEST

/* The fields of the head, each with what it cannot be; the checksum of the rest does not cover them. */
START_TEST(head_fields)
{
    static const struct {
        size_t at;
        uint64_t value;
        size_t bytes;
        const char *says;
    } heads[] = { { 8, 0, 4, "version 0" },
                  { 8, 2, 4, "version 2; this pith reads version 1" },
                  { 12, 0, 8, "not possible" },
                  { 12, 9, 8, "not possible" },
                  { 12, 10, 8, "makes no sense" },
                  { 12, UINT64_MAX, 8, "not possible" },
                  { 12, (uint64_t)1 << 40, 8, "not possible" },   /* PITHP_PACK_RATIO */
                  { 12, PITHP_PACK_FREE, 8, "are not the file" }, /* allowed, and wrong */
                  { 20, 0, 4, "not what was packed" },
                  { 24, 0, 4, "checksum is wrong" } };
    size_t n;
    uint8_t *p = pack_sample(&n), *q = malloc(n);
    for (size_t i = 0; i < PITHP_LEN(heads); i++) {
        memcpy(q, p, n);
        memcpy(q + heads[i].at, &heads[i].value, heads[i].bytes);
        refused(q, n, "head", i);
        write_all(in_dir("bad.pack"), q, n);
        ck_assert_int_eq(pith_unpack(ctx, in_dir("bad.pack"), in_dir("out.tflite")), PITH_EFORMAT);
        expect_error(PITH_EFORMAT, heads[i].says);
    }
    free(p), free(q);
}
END_TEST

/* ---- Ranges that were made up ---- */
typedef struct {
    uint32_t gap, bytes;
    uint8_t group;
} entry;

/* A packed file that is to unpack to the n bytes of `whole`, with this list of ranges and `rest` bytes behind it. */
static uint8_t *make_up(const uint8_t *whole, size_t n, uint32_t said, const entry *e, size_t entries,
                        size_t rest, size_t *size)
{
    pithp_tobits body = { .c = ctx }, all = { .c = ctx };
    uint8_t *text = calloc(4 + PITHP_PACK_RANGE * entries + rest + 1, 1), *at = text + 4, *copy;
    memcpy(text, &said, 4);
    for (size_t i = 0; i < entries; i++, at += PITHP_PACK_RANGE) {
        memcpy(at, &e[i].gap, 4);
        memcpy(at + 4, &e[i].bytes, 4);
        at[8] = e[i].group;
    }
    pithp_pack_text(&body, text, 4 + PITHP_PACK_RANGE * entries + rest);
    pithp_tobits_byte(&body);
    for (size_t i = 0; i < entries; i++) { /* blocks of zeros */
        double ideal = 0;
        uint8_t zeros[256] = { 0 };
        pithp_pack_block(&body, zeros, PITHP_MIN(e[i].bytes, sizeof zeros), PITHP_ST_I8, &ideal);
    }
    pithp_tobits_byte(&body);
    ck_assert_int_eq(pithp_pack_file(&body, PITHP_PACK_MAGIC_TFLITE, whole, n, &all), PITH_OK);
    *size = all.at / 8;
    copy = malloc(*size);
    memcpy(copy, all.p, *size);
    pithp_free(ctx, body.p);
    pithp_free(ctx, all.p);
    free(text);
    return copy;
}

START_TEST(made_up)
{
    enum { N = 256 };
    static const uint8_t whole[N];
    static const struct {
        entry e[2];
        size_t entries, rest;
        uint32_t said; /* 0: as many as there are */
        bool good;
    } lists[] = {
        { { { 10, 100, 0 }, { 6, 40, 0 } }, 2, N - 140, 0, true },
        { { { 10, 100, 7 }, { 6, 40, 9 } }, 2, N - 140, 0, true },
        { { { 0, N, 255 } }, 1, 0, 0, true },
        { { { 0 } }, 0, N, 0, true },
        { { { 0, N + 1, 0 } }, 1, 0, 0, false },             /* beyond the end */
        { { { 1, N, 0 } }, 1, 1, 0, false },                 /* ends beyond it */
        { { { N + 1, 40, 0 } }, 1, N, 0, false },            /* begins beyond it */
        { { { 0, 200, 0 }, { 0, 57, 0 } }, 2, 0, 0, false }, /* together more than the file */
        { { { 0, 100, 0 }, { UINT32_MAX, 100, 0 } },
          2,
          N - 200,
          0,
          false }, /* back by one: they would overlap */
        { { { 0, 100, 0 }, { (uint32_t)-50, 100, 0 } }, 2, N - 200, 0, false },
        { { { 0, UINT32_MAX, 0 }, { 0, 100, 0 } }, 2, 0, 0, false }, /* sums overflow 32 bits */
        { { { 0, 0, 0 } }, 1, N, 0, false },                         /* of nothing */
        { { { 0, PITHP_PACK_LEAST - 1, 0 } }, 1, N - PITHP_PACK_LEAST + 1, 0, false },
        { { { 0, 100, 0 } }, 1, N - 101, 0, false }, /* too little stays */
        { { { 0, 100, 0 } }, 1, N - 99, 0, false },  /* too much */
        { { { 50, 100, 0 } }, 1, 40, 0, false },     /* more before it than stays */
        { { { 0, 100, 0 } }, 1, N - 100, 2, false }, /* the second is bytes of the file */
        { { { 0, 100, 0 } }, 1, 0, 1000, false },    /* more than the text holds */
        { { { 0, 100, 0 } }, 1, N - 100, UINT32_MAX, false },
        { { { 0, 100, 0 } }, 1, N - 100, PITHP_PACK_RANGES + 1, false },
        { { { 0 } }, 0, N + 1, 0, false }, /* a text larger than the file */
        { { { 0 } }, 0, 100000, 0, false },
    };
    for (size_t i = 0; i < PITHP_LEN(lists); i++) {
        size_t n;
        pithp_unpacked u;
        uint8_t *p = make_up(whole, N, lists[i].said ? lists[i].said : (uint32_t)lists[i].entries, lists[i].e,
                             lists[i].entries, lists[i].rest, &n);
        if (!lists[i].good) {
            refused(p, n, "list", i);
        } else {
            suite_check(pithp_unpack_tflite(ctx, &u, "good", p, n) == PITH_OK, "list %zu: %s", i,
                        pith_error_text(ctx));
            ck_assert(u.n == N && memcmp(u.p, whole, N) == 0 && (uintptr_t)u.p % 16 == 0);
            pithp_free(ctx, u.own);
        }
        free(p);
    }
}
END_TEST

/* A text as short as texts can be for its size: no more comes of it than its own size allows, and ranges are counted before. */
START_TEST(bombs)
{
    const size_t much = (size_t)PITHP_PACK_FREE + ((size_t)1 << 20);
    uint8_t *zeros = calloc(much, 1);
    pithp_tobits body = { .c = ctx }, all = { .c = ctx };
    pithp_pack_text(&body, zeros, 1000);
    pithp_tobits_byte(&body);
    expect_error(PITH_OK, "");
    ck_assert_int_eq(pithp_pack_file(&body, PITHP_PACK_MAGIC_TFLITE, zeros, much, &all), PITH_EINVAL);
    expect_error(PITH_EINVAL, "would not be read again");
    refused(all.p, all.at / 8, "bomb", 0);
    pithp_free(ctx, body.p), pithp_free(ctx, all.p);
    free(zeros);
}
END_TEST

START_TEST(what_is_no_tflite)
{
    const char *path = in_dir("x.tflite"), *out = in_dir("x.pack");
    write_all(path, (const uint8_t *)"....TFL3", 8);
    ck_assert_int_eq(pith_pack_tflite(ctx, path, out, NULL), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "x.tflite");
    write_all(path, (const uint8_t *)"nothing of the kind", 19);
    ck_assert(!pith_is_tflite(path) && !pith_is_tflite(in_dir("none")));
    ck_assert_int_eq(pith_pack_tflite(ctx, path, out, NULL), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "x.tflite");
    ck_assert_int_eq(pith_pack_tflite(ctx, in_dir("none"), out, NULL), PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "none");
    ck_assert_int_ne(access(out, F_OK), 0);
    size_t n;
    free(pack_sample(&n));
    ck_assert_int_eq(pith_pack_tflite(ctx, in_dir("s.tflite"), "/nowhere/x.pack", NULL), PITH_ENOTFOUND);
    expect_error(PITH_ENOTFOUND, "/nowhere");
    ck_assert_ptr_null(pith_model_load(ctx, in_dir("s.pack")));
    expect_error(PITH_EFORMAT, "is a packed TensorFlow Lite model; expected a model file");
    ck_assert_int_eq(pith_unpack(ctx, in_dir("s.tflite"), out), PITH_EFORMAT);
    expect_error(PITH_EFORMAT, "s.tflite");
}
END_TEST

/* ---- Failing memory ---- */
static pith_status pack_it(void *arg, const char *path) { return pith_pack_tflite(ctx, arg, path, NULL); }
static pith_status unpack_it(void *arg, const char *path) { return pith_unpack(ctx, arg, path); }
static pith_status run_it(void *arg, const char *path)
{
    pith_runner *r = pith_runner_open(ctx, arg);
    const pith_status s = pith_ctx_status(ctx);
    if (r != NULL)
        write_all(path, (const uint8_t *)"runs", 4);
    pith_runner_free(r);
    return s;
}

START_TEST(failing_memory)
{
    char *plain = strdup(in_dir("s.tflite")), *packed = strdup(in_dir("s.pack"));
    size_t n;
    uint8_t *p = pack_sample(&n);
    whole_at_every_allocation(pack_it, plain, 20);
    whole_at_every_allocation(unpack_it, packed, 10);
    whole_at_every_allocation(run_it, packed, 20);
    int failures = 0;
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        const long live = hook.live;
        hook.left = failures;
        pith_rt *rt =
            pith_rt_open_memory(p, n, (pith_rt_cfg){ .alloc = hook_alloc, .release = hook_release });
        hook.left = -1;
        s = pith_rt_status(rt);
        suite_check(s == PITH_OK || s == PITH_ENOMEM, "allocation %d: %s", failures, pith_rt_error(rt));
        pith_rt_free(rt);
        suite_check(hook.live == live, "allocation %d leaks", failures);
    }
    ck_assert_int_gt(failures, 20);
    free(p), free(plain), free(packed);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pack_tflite_bad");
    TCase *t = suite_case(s, "files");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, damaged);
    tcase_add_test(t, head_fields);
    tcase_add_test(t, made_up);
    tcase_add_test(t, bombs);
    tcase_add_test(t, what_is_no_tflite);
    tcase_add_test(t, failing_memory);
    return suite_run("pack_tflite_bad", s);
}
