/* The data floor on real photographs, where there are any: PITH_REAL_DATA names a folder with
   cats-dogs/{train,val}, cats-dogs-original and cats-dogs-broken in it. None of them is part of the project.
   */
#include "data/data.h"
#include "data_help.h"
#include "suite.h"
#include <string.h>

static watch log_of;
static pith_ctx *c;
static const char *real;

static void setup(void)
{
    log_of = (watch){ .allocations_left = -1 };
    c = ctx_new(&log_of, 2);
}

static void teardown(void)
{
    pith_ctx_free(c);
    ck_assert_int_eq(log_of.live, 0);
}

static const char *path_of(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", real, name);
    return path;
}

/* Found in the wild, each with what must come of it. */
START_TEST(odd_files)
{
    static const struct {
        const char *name;
        int w, h;
        pithp_format format;
        const char *reason;
    } t[] = { { "PetImages-Cat-11.jpg", 135, 128, PITHP_JPEG,
                NULL }, /* Exif first, no JFIF header, up to Dog-53 */
              { "PetImages-Cat-12.jpg", 171, 128, PITHP_JPEG, NULL },
              { "PetImages-Cat-19.jpg", 183, 128, PITHP_JPEG, NULL },
              { "PetImages-Cat-23.jpg", 166, 128, PITHP_BMP, NULL },
              { "PetImages-Cat-27.jpg", 128, 166, PITHP_JPEG, NULL }, /* orientation 0: no such side */
              { "PetImages-Cat-53.jpg", 138, 128, PITHP_JPEG, NULL },
              { "PetImages-Cat-59.jpg", 180, 128, PITHP_JPEG, NULL },
              { "PetImages-Dog-10.jpg", 128, 139, PITHP_JPEG, NULL },
              { "PetImages-Dog-13.jpg", 128, 151, PITHP_JPEG, NULL },
              { "PetImages-Dog-2.jpg", 128, 135, PITHP_JPEG, NULL },
              { "PetImages-Dog-37.jpg", 138, 128, PITHP_JPEG, NULL },
              { "PetImages-Dog-39.jpg", 128, 140, PITHP_JPEG, NULL },
              { "PetImages-Dog-45.jpg", 170, 128, PITHP_JPEG, NULL },
              { "PetImages-Dog-46.jpg", 128, 158, PITHP_JPEG, NULL }, /* progressive */
              { "PetImages-Dog-50.jpg", 128, 163, PITHP_BMP, NULL },
              { "PetImages-Dog-53.jpg", 189, 128, PITHP_JPEG, NULL },
              { "breeds-Cat1018.png", 128, 157, PITHP_PNG, NULL },
              { "breeds-Cat1035.png", 0, 0, PITHP_PNG, "WebP image (not supported)" },
              { "gray-cat.1.jpg", 128, 152, PITHP_JPEG, NULL }, /* one component */
              { "gray-dog.1.jpg", 128, 152, PITHP_JPEG, NULL },
              { "tiny-cat.2433.jpg", 59, 41, PITHP_JPEG, NULL }, /* never enlarged */
              { "tiny-dog.2068.jpg", 59, 70, PITHP_JPEG, NULL },
              { "tiny-dog.2188.jpg", 59, 55, PITHP_JPEG, NULL },
              { "tiny-dog.630.jpg", 73, 50, PITHP_JPEG, NULL },
              { "tiny-dog.927.jpg", 59, 80, PITHP_JPEG, NULL } };
    pithp_work w = { .c = c };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        char name[128];
        snprintf(name, sizeof name, "cats-dogs-broken/%s", t[i].name);
        pithp_picture p = { 0 };
        const char *reason = pithp_decode_file(&w, path_of(name), 128, 100000000, &p);
        ck_assert_msg(!reason == !t[i].reason && (!reason || !strcmp(reason, t[i].reason)), "%s: %s",
                      t[i].name, reason ? reason : "taken");
        if (!reason)
            ck_assert_msg(p.width == t[i].w && p.height == t[i].h && p.format == t[i].format, "%s: %dx%d",
                          t[i].name, p.width, p.height);
    }
    pithp_work_free(&w);
}
END_TEST

START_TEST(originals)
{
    pith_data *d =
        pith_data_images(c, path_of("cats-dogs-original"), (pith_images_cfg){ .cache = at("original.pack") });
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    pith_data_report r = pith_data_get_report(d);
    ck_assert(r.usable == 100 && r.n_bad == 0 && r.duplicates == 0 && r.classes == 2);
    ck_assert(r.count[0] + r.count[2] == 50 && r.count[2] > 0 && r.count[3] > 0);
}
END_TEST

START_TEST(whole_set)
{
    pith_images_cfg cfg = { .cache = at("set.pack"), .max_bad = PITH_ZERO };
    pith_data *d = pith_data_images(c, path_of("cats-dogs"), cfg);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    pith_data_report r = pith_data_get_report(d);
    ck_assert(r.own_split && r.count[0] == 7019 && r.count[1] == 7019 && r.count[2] == 780 &&
              r.count[3] == 780);
    ck_assert(r.n_bad == 0 && r.duplicates == 0 && r.across == 0);
    printf("%lld images decoded in %.1f s, cache of %lld MB", (long long)r.usable, r.seconds,
           (long long)r.cache_bytes >> 20);
    uint64_t print = pith_data_fingerprint(d);
    d = pith_data_images(c, path_of("cats-dogs"), cfg);
    r = pith_data_get_report(d);
    ck_assert(!r.built && pith_data_fingerprint(d) == print);
    printf(", opened again in %.3f s\n", r.seconds);
    ck_assert_int_eq(pith_data_verify(d), PITH_OK);
}
END_TEST

int main(void)
{
    real = getenv("PITH_REAL_DATA");
    if (!real || !*real)
        suite_skip(
            "set PITH_REAL_DATA to a folder that holds cats-dogs, cats-dogs-original and cats-dogs-broken");
    Suite *s = suite_create("data-real");
    TCase *t = suite_case(s, "data-real");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, odd_files);
    tcase_add_test(t, originals);
    tcase_add_test(t, whole_set);
    return suite_run("data-real", s);
}
