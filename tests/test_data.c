/* The data floor: folders, splits, the report and its errors. */
#include "data_help.h"
#include "suite.h"
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static watch log_of;
static pith_ctx *c;

static void setup(void)
{
    log_of = (watch){ .allocations_left = -1 };
    c = ctx_new(&log_of, 2);
    setenv("XDG_CACHE_HOME", at("cache"), 1);
}

static void teardown(void)
{
    pith_ctx_free(c);
    ck_assert_int_eq(log_of.live, 0);
}

static pith_data *open_set(const char *name, pith_images_cfg cfg)
{
    cfg.size = cfg.size ? cfg.size : 24;
    pith_data *d = pith_data_images(c, at("%s", name), cfg);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    return d;
}

static void refused(const char *name, pith_images_cfg cfg, pith_status status, const char *text)
{
    cfg.size = cfg.size ? cfg.size : 24;
    pith_data *d = pith_data_images(c, at("%s", name), cfg);
    ck_assert_msg(d == NULL, "%s was opened", name);
    ck_assert_msg(pith_ctx_status(c) == status, "%s: %s", pith_status_name(pith_ctx_status(c)),
                  pith_error_text(c));
    ck_assert_msg(strstr(pith_error_text(c), text) != NULL, "expected \"%s\" in \"%s\"", text,
                  pith_error_text(c));
    pith_ctx_clear(c);
}

/* The split of a path, -1 if it is not there. */
static int split_of(const pith_data *d, const char *path)
{
    for (int64_t i = 0;; i++) {
        pith_sample s = pith_data_at(d, i);
        if (!s.path)
            return -1;
        if (!strcmp(s.path, path))
            return (int)s.split;
    }
}

static int64_t total(const pith_data *d)
{
    return pith_data_count(d, PITH_TRAIN) + pith_data_count(d, PITH_VAL);
}

START_TEST(class_folders)
{
    make_set("plain", 3, 12);
    put(at("plain/.hidden"), "x", 1);
    put(at("plain/readme.txt"), "x", 1);
    put(at("plain/a/Thumbs.db"), "x", 1);
    put(at("plain/b/.DS_Store"), "x", 1);
    put_picture(at("plain/b/deep/er/1.png"), PNG, 30, 30, 77);
    pith_data *d = open_set("plain", (pith_images_cfg){ .val = 0.25 });
    ck_assert_int_eq(pith_data_classes(d), 3);
    ck_assert_str_eq(pith_data_class_name(d, 0), "a");
    ck_assert_str_eq(pith_data_class_name(d, 2), "c");
    ck_assert_ptr_null(pith_data_class_name(d, 3));
    ck_assert_ptr_null(pith_data_class_name(d, -1));
    ck_assert_int_eq(total(d), 37);
    ck_assert_int_gt(pith_data_count(d, PITH_VAL), 0);
    ck_assert_int_ge(split_of(d, "b/deep/er/1.png"), 0);
    pith_data_report r = pith_data_get_report(d);
    ck_assert_int_eq(r.files, 37);
    ck_assert_int_eq(r.n_bad, 0);
    ck_assert_int_eq(r.ignored, 4);
    ck_assert_int_eq(r.format[0], 36);
    ck_assert_int_eq(r.format[1], 1);
    ck_assert(!r.own_split);
    int64_t sum = 0;
    for (int i = 0; i < 6; i++)
        sum += r.count[i];
    ck_assert_int_eq(sum, 37);
    /* every sample of a split is an image of that split, in order */
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0, last = -1; i < pith_data_count(d, (pith_split)s); i++) {
            int64_t index = pith_data_sample(d, (pith_split)s, i);
            ck_assert_int_gt(index, last);
            last = index;
            ck_assert_int_eq(pith_data_at(d, index).split, s);
        }
    ck_assert_int_eq(pith_data_sample(d, PITH_VAL, pith_data_count(d, PITH_VAL)), -1);
    ck_assert_int_eq(pith_data_verify(d), PITH_OK);
}
END_TEST

START_TEST(class_order_is_of_bytes)
{
    static const char *const names[] = { "Zebra", "\xC3\xA4", "ant", "10", "9", "a b", "\xFF\xFE" };
    for (size_t i = 0; i < 7; i++)
        for (unsigned k = 0; k < 4; k++)
            put_picture(at("bytes/%s/%u.jpg", names[i], k), JPG, 20, 20, (unsigned)i * 10 + k);
    pith_data *d = open_set("bytes", (pith_images_cfg){ 0 });
    static const char *const sorted[] = { "10", "9", "Zebra", "a b", "ant", "\xC3\xA4", "\xFF\xFE" };
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(pith_data_class_name(d, i), sorted[i]);
}
END_TEST

START_TEST(own_splits)
{
    static const char *const val[] = { "val", "Validation", "valid", "test" };
    for (int v = 0; v < 4; v++) {
        char name[32];
        snprintf(name, sizeof name, "own%d", v);
        for (unsigned k = 0; k < 2; k++)
            for (unsigned i = 0; i < 5; i++) {
                put_picture(at("%s/train/%u/%u.jpg", name, k, i), JPG, 20, 20, k * 100 + i);
                if (i < 2)
                    put_picture(at("%s/%s/%u/%u.jpg", name, val[v], k, i), JPG, 20, 20, k * 100 + 50 + i);
            }
        pith_data *d = open_set(name, (pith_images_cfg){ 0 });
        ck_assert_int_eq(pith_data_count(d, PITH_TRAIN), 10);
        ck_assert_int_eq(pith_data_count(d, PITH_VAL), 4);
        ck_assert(pith_data_get_report(d).own_split);
        ck_assert_int_eq(log_of.warnings, 0);
    }
    /* test/ without labels does not count; train/ is then split here */
    for (unsigned i = 0; i < 30; i++)
        put_picture(at("kaggle/train/%s.%u.jpg", i % 2 ? "cat" : "dog", i), JPG, 20, 20, i);
    put_picture(at("kaggle/test1/x.jpg"), JPG, 20, 20, 99);
    pith_data *d = open_set("kaggle", (pith_images_cfg){ .val = 0.3 });
    ck_assert(!pith_data_get_report(d).own_split);
    ck_assert_int_eq(total(d), 30);
    ck_assert_str_eq(pith_data_class_name(d, 1), "dog");
    /* "train" may be a class */
    for (unsigned i = 0; i < 10; i++)
        put_picture(at("traffic/%s/%u.jpg", i % 2 ? "train" : "plane", i), JPG, 20, 20, i);
    d = open_set("traffic", (pith_images_cfg){ 0 });
    ck_assert_str_eq(pith_data_class_name(d, 1), "train");
}
END_TEST

START_TEST(flat_names)
{
    for (unsigned i = 0; i < 20; i++)
        put_picture(at("flat/%s%u.jpg", i % 2 ? "cat." : "big_dog_", i), JPG, 20, 20, i);
    pith_data *d = open_set("flat", (pith_images_cfg){ 0 });
    ck_assert_str_eq(pith_data_class_name(d, 0), "big_dog");
    ck_assert_str_eq(pith_data_class_name(d, 1), "cat");
    put_picture(at("flat/nobody.jpg"), JPG, 20, 20, 50);
    d = open_set("flat", (pith_images_cfg){ .max_bad = 0.5 });
    pith_data_report r = pith_data_get_report(d);
    ck_assert_int_eq(r.n_bad, 1);
    ck_assert_str_eq(r.bad[0].path, "nobody.jpg");
    ck_assert_ptr_nonnull(strstr(r.bad[0].reason, "tells no class"));
}
END_TEST

START_TEST(unpacked_archive)
{
    for (unsigned i = 0; i < 10; i++)
        put_picture(at("zip/PetImages/%s/%u.jpg", i % 2 ? "Cat" : "Dog", i), JPG, 20, 20, i);
    put(at("zip/readme[1].txt"), "terms", 5);
    pith_data *d = open_set("zip", (pith_images_cfg){ 0 });
    ck_assert_str_eq(pith_data_class_name(d, 0), "Cat");
    ck_assert_int_eq(total(d), 10);
}
END_TEST

START_TEST(links)
{
    make_set("links", 2, 4);
    ck_assert_int_eq(symlink("..", at("links/a/up")), 0);
    ck_assert_int_eq(symlink(".", at("links/b/self")), 0);
    ck_assert_int_eq(symlink("nowhere", at("links/b/dangling.jpg")), 0);
    ck_assert_int_eq(symlink("../a/0.jpg", at("links/b/linked.jpg")), 0);
    ck_assert_int_eq(mkfifo(at("links/a/pipe.jpg"), 0600), 0);
    pith_data *d = open_set("links", (pith_images_cfg){ .max_bad = 1 });
    pith_data_report r = pith_data_get_report(d);
    /* a/up leads to the root, whose folders hold b once more: each folder is walked once */
    ck_assert_int_eq(r.usable, 9);
    ck_assert_int_eq(r.n_bad, 1);
    ck_assert_ptr_nonnull(strstr(r.bad[0].path, "dangling.jpg"));
    ck_assert_int_eq(r.duplicates, 1);
    ck_assert_int_eq(r.conflicting, 1);
}
END_TEST

START_TEST(split_is_stable)
{
    make_set("stable", 2, 60);
    pith_data *d = open_set("stable", (pith_images_cfg){ .val = 0.2 });
    uint64_t print = pith_data_fingerprint(d);
    int before[2][60];
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 60; i++) {
            char path[16];
            snprintf(path, sizeof path, "%c/%d.jpg", 'a' + k, i);
            before[k][i] = split_of(d, path);
        }
    int64_t n_val = pith_data_count(d, PITH_VAL);
    ck_assert(n_val > 8 && n_val < 45);
    ck_assert(pith_data_fingerprint(open_set("stable", (pith_images_cfg){ .val = 0.2 })) == print);
    ck_assert(pith_data_fingerprint(open_set("stable", (pith_images_cfg){ .val = 0.2, .seed = 5 })) != print);
    ck_assert(pith_data_fingerprint(open_set("stable", (pith_images_cfg){ .val = 0.2, .size = 23 })) !=
              print);
    for (unsigned i = 60; i < 90; i++)
        put_picture(at("stable/a/%u.jpg", i), JPG, 30, 30, 5000 + i);
    d = open_set("stable", (pith_images_cfg){ .val = 0.2 });
    ck_assert(pith_data_fingerprint(d) != print);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 60; i++) {
            char path[16];
            snprintf(path, sizeof path, "%c/%d.jpg", 'a' + k, i);
            ck_assert_int_eq(split_of(d, path), before[k][i]);
        }
    d = open_set("stable", (pith_images_cfg){ .val = PITH_ZERO });
    ck_assert_int_eq(pith_data_count(d, PITH_VAL), 0);
    ck_assert_int_eq(pith_data_count(d, PITH_TRAIN), 150);
    /* the smallest share still gives every class one image */
    d = open_set("stable", (pith_images_cfg){ .val = 1e-9 });
    ck_assert_int_eq(pith_data_count(d, PITH_VAL), 2);
    d = open_set("stable", (pith_images_cfg){ .val = 0.999999999 });
    ck_assert_int_eq(pith_data_count(d, PITH_TRAIN), 2);
}
END_TEST

START_TEST(duplicates_stay_together)
{
    for (unsigned i = 0; i < 40; i++)
        for (int copy = 0; copy < 5; copy++)
            put_picture(at("twins/%c/%u-%d.png", 'a' + (int)(i % 2), i, copy), copy % 2 ? PNG : BMP, 20, 20,
                        i);
    pith_data *d = open_set("twins", (pith_images_cfg){ .val = 0.3 });
    pith_data_report r = pith_data_get_report(d);
    ck_assert_int_eq(r.duplicates, 160);
    ck_assert_int_eq(r.across, 0);
    for (unsigned i = 0; i < 40; i++)
        for (int copy = 1; copy < 5; copy++) {
            char one[32], other[32];
            snprintf(one, sizeof one, "%c/%u-0.png", 'a' + (int)(i % 2), i);
            snprintf(other, sizeof other, "%c/%u-%d.png", 'a' + (int)(i % 2), i, copy);
            ck_assert_int_eq(split_of(d, one), split_of(d, other));
        }
    for (unsigned i = 0; i < 10; i++) {
        put_picture(at("leak/train/%u/%u.jpg", i % 2, i), JPG, 20, 20, i);
        put_picture(at("leak/val/%u/%u.jpg", i % 2, i), JPG, 20, 20, i < 4 ? i : 100 + i);
    }
    d = open_set("leak", (pith_images_cfg){ 0 });
    ck_assert_int_eq(pith_data_get_report(d).across, 4);
    ck_assert_int_eq(log_of.warnings, 1);
    ck_assert_ptr_nonnull(strstr(log_of.last_warning, "at once"));
}
END_TEST

START_TEST(bad_files)
{
    make_set("bad", 2, 20);
    put(at("bad/a/empty.jpg"), "", 0);
    put(at("bad/a/page.jpg"), "<html><body>404</body></html>", 29);
    put(at("bad/b/web.jpg"), "RIFF\x10\0\0\0WEBPVP8 ", 16);
    refused("bad", (pith_images_cfg){ 0 }, PITH_EDATA, "3 of 43 files cannot be used (6.98%, allowed 1%)");
    refused("bad", (pith_images_cfg){ .max_bad = PITH_ZERO }, PITH_EDATA, "a/empty.jpg: empty file");
    pith_data *d = open_set("bad", (pith_images_cfg){ .max_bad = 1 });
    pith_data_report r = pith_data_get_report(d);
    ck_assert(!r.built); /* the refusals had decoded it already */
    ck_assert_int_eq(r.n_bad, 3);
    ck_assert_int_eq(r.usable, 40);
    ck_assert_int_eq(log_of.warnings, 1);
    ck_assert_str_eq(r.bad[1].path, "a/page.jpg");
    ck_assert_str_eq(r.bad[1].reason, "HTML page, not an image");
    ck_assert_str_eq(r.bad[2].reason, "WebP image (not supported)");
}
END_TEST

START_TEST(unusable_folders)
{
    refused("nothing-here", (pith_images_cfg){ 0 }, PITH_ENOTFOUND, "no folder of images there");
    put(at("file"), "x", 1);
    refused("file", (pith_images_cfg){ 0 }, PITH_ENOTFOUND, "file");
    ck_assert_int_eq(mkdir(at("empty"), 0777), 0);
    refused("empty", (pith_images_cfg){ 0 }, PITH_EDATA, "no images");
    make_set("single", 1, 3);
    refused("single", (pith_images_cfg){ 0 }, PITH_EDATA, "only one class, \"a\"");
    make_set("hollow", 2, 3);
    ck_assert_int_eq(mkdir(at("hollow/z"), 0777), 0);
    refused("hollow", (pith_images_cfg){ 0 }, PITH_EDATA, "class \"z\" has no files");
    make_set("rotten", 2, 3);
    put(at("rotten/z/1.jpg"), "", 0);
    refused("rotten", (pith_images_cfg){ .max_bad = 1 }, PITH_EDATA, "class \"z\" has no usable image");
    make_set("missing/train", 2, 3);
    make_set("missing/val", 3, 3);
    refused("missing", (pith_images_cfg){ 0 }, PITH_EDATA,
            "class \"c\" has images for validation but none for training");
    refused("missing", (pith_images_cfg){ 0 }, PITH_EDATA,
            "only for validation there are \"c\", only for training none");
    make_set("spelt/train", 2, 3);
    make_set("spelt/val", 2, 3);
    for (int k = 0; k < 2; k++) {
        char to[600];
        snprintf(to, sizeof to, "%s", at("spelt/val/%c", 'A' + k));
        ck_assert_int_eq(rename(at("spelt/val/%c", 'a' + k), to), 0);
    }
    refused("spelt", (pith_images_cfg){ 0 }, PITH_EDATA,
            "only for validation there are \"A\", \"B\", only for training \"a\", \"b\": are these the same");
    make_set("alone", 1, 1);
    refused("alone", (pith_images_cfg){ 0 }, PITH_EDATA, "only one class, \"a\"");
    make_set("lonely", 2, 1);
    refused("lonely", (pith_images_cfg){ 0 }, PITH_EDATA, "no image for validation");
    refused("single", (pith_images_cfg){ .size = 7 }, PITH_EINVAL, "8 to 1024");
    refused("single", (pith_images_cfg){ .val = 1 }, PITH_EINVAL, "validation");
    refused("single", (pith_images_cfg){ .val = -0.1 }, PITH_EINVAL, "validation");
    refused("single", (pith_images_cfg){ .max_bad = 2 }, PITH_EINVAL, "bad files");
    refused("single", (pith_images_cfg){ .max_pixels = -5 }, PITH_EINVAL, "area");
    ck_assert_ptr_null(pith_data_images(c, NULL, (pith_images_cfg){ 0 }));
    ck_assert_int_eq(pith_ctx_status(c), PITH_EINVAL);
}
END_TEST

START_TEST(thousand_classes)
{
    enum { K = 1000 };
    for (unsigned k = 0; k < K; k++)
        for (unsigned i = 0; i < 2; i++)
            put_picture(at("thousand/%s/class %u/1.jpg", i ? "val" : "train", k), JPG, 16, 16, 2 * k + i);
    pith_data *d = pith_data_images(c, at("thousand"), (pith_images_cfg){ .size = 16 });
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    ck_assert_int_eq(pith_data_classes(d), K);
    ck_assert(pith_data_count(d, PITH_TRAIN) == K && pith_data_count(d, PITH_VAL) == K);
    pith_data_report r = pith_data_get_report(d);
    for (int k = 0; k < 2 * K; k++)
        suite_check(r.count[k] == 1, "class %d", k % K);
    pith_data_free(d);
    for (unsigned k = 0; k < 300; k++) /* so many that lack training do not spill over the message */
        ck_assert_int_eq(remove(at("thousand/train/class %u/1.jpg", k)), 0);
    for (unsigned k = 0; k < 300; k++)
        ck_assert_int_eq(remove(at("thousand/train/class %u", k)), 0);
    refused("thousand", (pith_images_cfg){ .size = 16 }, PITH_EDATA, "\"class 1\", \"class 10\"");
}
END_TEST

START_TEST(pixels_in_memory)
{
    uint8_t *p = malloc(12 * 10 * 9 * 3);
    int32_t labels[12];
    for (unsigned i = 0; i < 12; i++) {
        uint8_t *one = draw(9, 10, 3, i);
        memcpy(p + i * 270, one, 270);
        labels[i] = (int32_t)(i % 3);
        free(one);
    }
    static const char *const names[] = { "x", "y", "z" };
    pith_data *d = pith_data_pixels(c, p, labels, 12, 10, 9, names, 8, 0);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    ck_assert_int_eq(pith_data_size(d), 9);
    ck_assert_int_eq(pith_data_count(d, PITH_TRAIN), 8);
    ck_assert_int_eq(pith_data_count(d, PITH_VAL), 4);
    pith_sample s = pith_data_at(d, 11);
    ck_assert(s.height == 10 && s.width == 9 && s.label == 2 && !memcmp(s.pixels, p + 11 * 270, 270));
    ck_assert_str_eq(s.path, "11");
    ck_assert_str_eq(pith_data_class_name(d, 2), "z");
    ck_assert_int_eq(pith_data_verify(d), PITH_OK);
    d = pith_data_pixels(c, p, labels, 12, 10, 9, NULL, 12, 16);
    ck_assert_str_eq(pith_data_class_name(d, 2), "2");
    ck_assert_ptr_null(pith_data_pixels(c, p, labels, 12, 10, 7, NULL, 12, 16));
    ck_assert_ptr_null(pith_data_pixels(c, p, labels, 1, 10, 9, NULL, 1, 16));
    ck_assert_ptr_null(pith_data_pixels(c, p, labels, 12, 10, 9, NULL, 13, 16));
    labels[3] = -1;
    ck_assert_ptr_null(pith_data_pixels(c, p, labels, 12, 10, 9, NULL, 12, 16));
    free(p);
}
END_TEST

/* Memory runs out at each allocation in turn: an error every time, nothing leaked, never a crash. */
START_TEST(out_of_memory)
{
    make_set("memory", 2, 6);
    long failed = 0;
    for (long n = 0;; n++) {
        watch w = { .allocations_left = -1 };
        pith_ctx *tight = ctx_new(&w, 1);
        w.allocations_left = n;
        pith_data *d =
            pith_data_images(tight, at("memory"), (pith_images_cfg){ .size = 24, .rebuild = true });
        pith_loader *l = d ? pith_loader_new(d, (pith_loader_cfg){ .batch = 2, .augment = true }) : NULL;
        bool done = l != NULL;
        if (!done) {
            failed++;
            ck_assert_msg(pith_ctx_status(tight) == PITH_ENOMEM, "allocation %ld: %s", n,
                          pith_error_text(tight));
        }
        pith_ctx_free(tight);
        ck_assert_int_eq(w.live, 0);
        if (done)
            break;
    }
    ck_assert_int_gt(failed, 30);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("data");
    TCase *t = suite_case(s, "data");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, class_folders);
    tcase_add_test(t, class_order_is_of_bytes);
    tcase_add_test(t, own_splits);
    tcase_add_test(t, flat_names);
    tcase_add_test(t, unpacked_archive);
    tcase_add_test(t, links);
    tcase_add_test(t, split_is_stable);
    tcase_add_test(t, duplicates_stay_together);
    tcase_add_test(t, bad_files);
    tcase_add_test(t, unusable_folders);
    tcase_add_test(t, thousand_classes);
    tcase_add_test(t, pixels_in_memory);
    tcase_add_test(t, out_of_memory);
    return suite_run("data", s);
}
