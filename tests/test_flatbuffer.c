/* Floor 7: the writer of FlatBuffers. */
#include "deploy/flatbuffer.h"
#include "flatbuffer_help.h"

static pithp_fb fb;

static void begin(void)
{
    setup();
    pithp_fb_init(ctx, &fb);
}

static void end(void)
{
    pithp_fb_free(&fb);
    pithp_fb_free(&fb);
    teardown();
}

static blob finish(pithp_fb_ref root)
{
    blob b = { 0 };
    suite_check(pithp_fb_finish(&fb, root, "TEST", &b.p, &b.n) == PITH_OK, "%s", pith_error_text(ctx));
    return b;
}

/* Written out by hand from the description of the format. */
START_TEST(known_bytes)
{
    static const uint8_t expected[] = {
        16,   0,    0,    0,         /* the root table lies at 16 */
        'T',  'E',  'S',  'T',       /* */
        0,    0,                     /* so that the vtable ends where the table begins */
        6,    0,    8,    0,   4, 0, /* vtable at 10: 6 bytes, a table of 8, field 0 at 4 */
        6,    0,    0,    0,         /* table at 16: its vtable is 6 bytes before */
        0x78, 0x56, 0x34, 0x12       /* field 0 */
    };
    pithp_fb_table(&fb);
    pithp_fb_u32(&fb, 0, 0x12345678, 0);
    blob b = finish(pithp_fb_table_end(&fb));
    ck_assert_uint_eq(b.n, sizeof expected);
    ck_assert_mem_eq(b.p, expected, sizeof expected);
}
END_TEST

START_TEST(fields_and_defaults)
{
    pithp_fb_ref text = pithp_fb_string(&fb, "twelve bytes"), nothing = pithp_fb_string(&fb, "");
    pithp_fb_table(&fb);
    pithp_fb_u8(&fb, 0, 200, 0);
    pithp_fb_i32(&fb, 1, -5, 0);
    pithp_fb_f32(&fb, 2, -0.0f, 0); /* not the default: its bits differ */
    pithp_fb_u8(&fb, 3, 7, 7);      /* the default: left out */
    pithp_fb_to(&fb, 4, text);
    pithp_fb_to(&fb, 5, 0); /* nothing: left out */
    pithp_fb_to(&fb, 31, nothing);
    blob b = finish(pithp_fb_table_end(&fb));
    size_t t = fb_root(b);
    ck_assert_int_eq(fb_int(b, t, 0, 1, 0), (int8_t)200);
    ck_assert_int_eq(fb_int(b, t, 1, 4, 0), -5);
    ck_assert_uint_eq((uint32_t)fb_int(b, t, 2, 4, 0), 0x80000000u);
    ck_assert_uint_eq(fb_field(b, t, 3), 0);
    ck_assert_uint_eq(fb_field(b, t, 5), 0);
    ck_assert_uint_eq(fb_field(b, t, 30), 0);
    ck_assert_str_eq(fb_text(b, fb_ref(b, t, 4)), "twelve bytes");
    ck_assert_str_eq(fb_text(b, fb_ref(b, t, 31)), "");
}
END_TEST

/* A vector of every element size at every alignment, behind every length of what follows it. */
START_TEST(alignment)
{
    const size_t sizes[] = { 1, 2, 4, 8 };
    uint64_t data[5] = { 1, 2, UINT64_MAX, 4, 5 };
    for (size_t align = 1; align <= 64; align *= 2)
        for (size_t s = 0; s < 4; s++)
            for (size_t before = 0; before < 9; before++) {
                pithp_fb_free(&fb);
                pithp_fb_ref v = pithp_fb_vector(&fb, data, 3, sizes[s], align),
                             other = pithp_fb_vector(&fb, "abcdefgh", before, 1, 0);
                pithp_fb_table(&fb);
                pithp_fb_to(&fb, 0, v);
                pithp_fb_u8(&fb, 1, 3, 0);
                pithp_fb_to(&fb, 2, other);
                blob b = finish(pithp_fb_table_end(&fb));
                size_t at = fb_ref(b, fb_root(b), 0), wide = PITHP_MAX(align, sizes[s]);
                suite_check((at + 4) % wide == 0 && b.n % wide == 0, "size %zu align %zu: at %zu of %zu",
                            sizes[s], align, at, b.n);
                suite_check(fb_len(b, at) == 3 && !memcmp(b.p + at + 4, data, 3 * sizes[s]), "data");
                suite_check(fb_len(b, fb_ref(b, fb_root(b), 2)) == before, "the other vector");
            }
}
END_TEST

START_TEST(equal_vtables_are_one)
{
    pithp_fb_ref t[40];
    for (int i = 0; i < 40; i++) {
        pithp_fb_table(&fb);
        pithp_fb_i32(&fb, 1, i + 1, 0);
        if (i == 39) /* another shape */
            pithp_fb_u8(&fb, 2, 9, 0);
        t[i] = pithp_fb_table_end(&fb);
    }
    pithp_fb_ref all = pithp_fb_refs(&fb, t, 40), none = pithp_fb_refs(&fb, NULL, 0);
    pithp_fb_table(&fb);
    pithp_fb_to(&fb, 0, all);
    pithp_fb_to(&fb, 1, none);
    blob b = finish(pithp_fb_table_end(&fb));
    size_t v = fb_ref(b, fb_root(b), 0), first = fb_vtable(b, fb_item(b, v, 0));
    ck_assert_uint_eq(fb_len(b, v), 40);
    for (size_t i = 0; i < 40; i++) {
        ck_assert_int_eq(fb_int(b, fb_item(b, v, i), 1, 4, 0), (int)i + 1);
        ck_assert((fb_vtable(b, fb_item(b, v, i)) == first) == (i < 39));
    }
    ck_assert_uint_eq(fb_len(b, fb_ref(b, fb_root(b), 1)), 0);
    ck_assert_uint_eq(fb.n_vtables, 3);
}
END_TEST

START_TEST(grows)
{
    size_t n = 3 << 20;
    uint8_t *big = malloc(n);
    for (size_t i = 0; i < n; i++)
        big[i] = (uint8_t)(i * 7 + i / 256);
    pithp_fb_ref v = pithp_fb_vector(&fb, big, n, 1, 16), s = pithp_fb_string(&fb, "behind");
    pithp_fb_table(&fb);
    pithp_fb_to(&fb, 0, v);
    pithp_fb_to(&fb, 1, s);
    blob b = finish(pithp_fb_table_end(&fb));
    size_t at = fb_ref(b, fb_root(b), 0);
    ck_assert_int_eq(memcmp(b.p + at + 4, big, n), 0);
    ck_assert_str_eq(fb_text(b, fb_ref(b, fb_root(b), 1)), "behind");
    free(big);
}
END_TEST

/* ---- Misuse ---- */
static void nested(void) { pithp_fb_table(&fb), pithp_fb_table(&fb); }
static void vector_within(void) { pithp_fb_table(&fb), pithp_fb_vector(&fb, "a", 1, 1, 0); }
static void string_within(void) { pithp_fb_table(&fb), pithp_fb_string(&fb, "a"); }
static void end_without(void) { pithp_fb_table_end(&fb); }
static void field_without(void) { pithp_fb_u8(&fb, 0, 1, 0); }
static void twice(void) { pithp_fb_table(&fb), pithp_fb_u8(&fb, 0, 1, 0), pithp_fb_i32(&fb, 0, 1, 0); }
static void field_32(void) { pithp_fb_table(&fb), pithp_fb_u8(&fb, PITHP_FB_FIELDS, 1, 0); }
static void field_negative(void) { pithp_fb_table(&fb), pithp_fb_u8(&fb, -1, 1, 0); }
static void beyond(void) { pithp_fb_table(&fb), pithp_fb_to(&fb, 0, 4000); }
static void three_bytes(void) { pithp_fb_vector(&fb, "abc", 1, 3, 0); }
static void odd_align(void) { pithp_fb_vector(&fb, "abc", 1, 1, 12); }
static void wide_align(void) { pithp_fb_vector(&fb, "abc", 1, 1, 128); }
static void refs_to_nothing(void) { pithp_fb_refs(&fb, (pithp_fb_ref[]){ 0 }, 1); }
static void unfinished(void) { pithp_fb_table(&fb); }
static void nothing_at_all(void) {}

START_TEST(misuse)
{
    void (*const wrong[])(void) = { nested,    vector_within, string_within,   end_without, field_without,
                                    twice,     field_32,      field_negative,  beyond,      three_bytes,
                                    odd_align, wide_align,    refs_to_nothing, unfinished,  nothing_at_all };
    for (size_t i = 0; i < PITHP_LEN(wrong); i++) {
        blob b = { 0 };
        pithp_fb_free(&fb);
        pithp_fb_init(ctx, &fb);
        wrong[i]();
        suite_check(pithp_fb_finish(&fb, 0, "TEST", &b.p, &b.n) == PITH_EBUG && !b.p, "misuse %zu", i);
        expect_error(PITH_EBUG, "FlatBuffers writer");
    }
    pithp_fb_free(&fb);
    pithp_fb_init(ctx, &fb);
    pithp_fb_table(&fb);
    pithp_fb_ref t = pithp_fb_table_end(&fb);
    blob b;
    ck_assert_int_eq(pithp_fb_finish(&fb, t, "FIVE!", &b.p, &b.n), PITH_EBUG);
    pith_ctx_clear(ctx);
}
END_TEST

/* Lengths that no FlatBuffer holds are refused before a byte is read. */
START_TEST(too_long)
{
    static const struct {
        size_t n, size;
    } lengths[] = { { SIZE_MAX, 1 },   { SIZE_MAX / 2, 8 }, { (size_t)1 << 31, 1 },
                    { 0x7fffffff, 2 }, { 0x7fffffff, 1 },   { (size_t)1 << 61, 8 } };
    for (size_t i = 0; i < PITHP_LEN(lengths); i++) {
        pithp_fb_free(&fb);
        pithp_fb_init(ctx, &fb);
        ck_assert_uint_eq(pithp_fb_vector(&fb, "x", lengths[i].n, lengths[i].size, 0), 0);
        expect_error(PITH_EINVAL, "at most 2 GB");
        ck_assert_uint_eq(pithp_fb_string(&fb, "nothing happens after a failure"), 0);
        ck_assert_int_eq(fb.status, PITH_EINVAL);
        pithp_fb_free(&fb);
        pithp_fb_init(ctx, &fb);
        ck_assert_uint_eq(pithp_fb_refs(&fb, (pithp_fb_ref[]){ 4 }, lengths[i].n & ~(size_t)7), 0);
        expect_error(PITH_EINVAL, "at most 2 GB");
    }
    pithp_fb_free(&fb);
    pithp_fb_init(ctx, &fb);
}
END_TEST

static pith_status some(void)
{
    uint8_t zeroes[5000] = { 0 };
    blob b;
    pithp_fb_init(ctx, &fb);
    pithp_fb_ref t[20];
    for (int i = 0; i < 20; i++) {
        pithp_fb_ref v = pithp_fb_vector(&fb, zeroes, 100 * (size_t)i, 1, 16);
        pithp_fb_table(&fb);
        pithp_fb_to(&fb, i, v);
        t[i] = pithp_fb_table_end(&fb);
    }
    pithp_fb_ref all = pithp_fb_refs(&fb, t, 20);
    pithp_fb_table(&fb);
    pithp_fb_to(&fb, 0, all);
    pith_status s = pithp_fb_finish(&fb, pithp_fb_table_end(&fb), "TEST", &b.p, &b.n);
    pithp_fb_free(&fb);
    return s;
}

START_TEST(no_memory)
{
    int failures = 0;
    for (pith_status s = PITH_ENOMEM; s != PITH_OK; failures++) {
        hook.left = failures;
        s = some();
        hook.left = -1;
        suite_check(s == PITH_OK || (s == PITH_ENOMEM && pith_ctx_status(ctx) == PITH_ENOMEM),
                    "allocation %d", failures);
        suite_check(pith_ctx_memory(ctx, NULL) == at_rest, "allocation %d leaks", failures);
        pith_ctx_clear(ctx);
    }
    ck_assert_int_gt(failures, 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flatbuffer");
    TCase *t = suite_case(s, "writer");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, known_bytes);
    tcase_add_test(t, fields_and_defaults);
    tcase_add_test(t, alignment);
    tcase_add_test(t, equal_vtables_are_one);
    tcase_add_test(t, grows);
    tcase_add_test(t, misuse);
    tcase_add_test(t, too_long);
    tcase_add_test(t, no_memory);
    return suite_run("flatbuffer", s);
}
