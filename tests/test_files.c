/* Floor 0: mapped files, folders, CRC-32. */
#include "base/base.h"
#include "suite.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pith_ctx *ctx;
static char dir[4096];

/* A folder of its own for each test. */
static const char *in(const char *name)
{
    static char paths[8][4352];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "%s/XXXXXX", suite_dir());
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ctx = pith_ctx_new((pith_ctx_cfg){ 0 });
    ck_assert_int_eq(pith_ctx_status(ctx), PITH_OK);
}

static void teardown(void)
{
    pith_ctx_clear(ctx);
    ck_assert_uint_eq(pith_ctx_memory(ctx, NULL), sizeof(pith_ctx) + 64);
    pith_ctx_free(ctx);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void expect_no_map(const char *path, pith_status status)
{
    pithp_map m;
    pith_ctx_clear(ctx);
    ck_assert_int_eq(pithp_map_open(ctx, &m, path), status);
    ck_assert_ptr_null(m.p);
    ck_assert(strstr(pith_error_text(ctx), path) != NULL);
    pithp_map_close(&m);
}

START_TEST(maps)
{
    pithp_map m = { 0 };
    pithp_map_close(&m);
    ck_assert_int_ge(fcntl(0, F_GETFD), 0); /* that has not closed standard input */
    put(in("a"), "content");
    put(in("empty"), "");
    ck_assert_int_eq(pithp_map_open(ctx, &m, in("a")), PITH_OK);
    ck_assert_uint_eq(m.n, 7);
    ck_assert_mem_eq(m.p, "content", 7);
    pithp_map_close(&m);
    pithp_map_close(&m);
    ck_assert_int_eq(pithp_map_open(ctx, &m, in("empty")), PITH_OK);
    ck_assert_uint_eq(m.n, 0);
    ck_assert_ptr_nonnull(m.p);
    pithp_map_close(&m);
    ck_assert_int_eq(mkfifo(in("pipe"), 0666), 0);
    expect_no_map(in("none"), PITH_ENOTFOUND);
    expect_no_map(in("a/b"), PITH_ENOTFOUND);
    expect_no_map(in("pipe"), PITH_EINVAL);
    expect_no_map(dir, PITH_EINVAL);
    expect_no_map("/dev/zero", PITH_EINVAL);
}
END_TEST

START_TEST(folders)
{
    struct stat st;
    ck_assert_int_eq(pithp_mkdirs(ctx, in("x/y//z/")), PITH_OK);
    ck_assert_int_eq(pithp_mkdirs(ctx, in("x/y")), PITH_OK);
    ck_assert_int_eq(stat(in("x/y/z"), &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    ck_assert_int_eq(pithp_mkdirs(ctx, "/"), PITH_OK);
    ck_assert_int_eq(pithp_mkdirs(ctx, ""), PITH_EINVAL);
    pith_ctx_clear(ctx);
    put(in("file"), "x");
    ck_assert_int_eq(pithp_mkdirs(ctx, in("file/y")), PITH_EIO);
    ck_assert(strstr(pith_error_text(ctx), "not a folder") != NULL);
    pith_ctx_clear(ctx);
    ck_assert_int_eq(pithp_mkdirs(ctx, "/proc/none/x"), PITH_EIO);
    ck_assert(strstr(pith_error_text(ctx), "/proc/none") != NULL);
}
END_TEST

/* ---- CRC-32 ---------------------------------------------------------------------------------------------*/

static uint32_t crc_by_bits(const uint8_t *p, size_t n)
{
    uint32_t c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int i = 0; i < 8; i++)
            c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

START_TEST(crc)
{
    static const uint8_t zeros[32];
    ck_assert_uint_eq(pithp_crc32(0, "", 0), 0);
    ck_assert_uint_eq(pithp_crc32(0, "123456789", 9), 0xCBF43926);
    ck_assert_uint_eq(pithp_crc32(0, zeros, 32), 0x190A55AD);
    ck_assert_uint_eq(pithp_crc32(0, "The quick brown fox jumps over the lazy dog", 43), 0x414FA339);
    uint8_t buf[200];
    pithp_rand r = pithp_rand_at(0, 0, 0, PITHP_USE_OTHER);
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t)pithp_rand_u32(&r);
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; n < 180; n += 1 + n / 40) {
            uint32_t whole = crc_by_bits(buf + from, n);
            ck_assert_uint_eq(pithp_crc32(0, buf + from, n), whole);
            ck_assert_uint_eq(pithp_crc32(pithp_crc32(0, buf + from, n / 3), buf + from + n / 3, n - n / 3),
                              whole);
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("files");
    TCase *t = suite_case(s, "files");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, maps);
    tcase_add_test(t, folders);
    tcase_add_test(t, crc);
    return suite_run("files", s);
}
