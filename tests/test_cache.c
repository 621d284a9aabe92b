/* The data floor: the packed file. */
#include "data/data.h"
#include "data/pack.h"
#include "data_help.h"
#include "suite.h"
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
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
    cfg.size = cfg.size ? cfg.size : 12;
    pith_data *d = pith_data_images(c, at("%s", name), cfg);
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    return d;
}

/* A small packed file with everything in it: images, bad files, names. */
static bytes packed(const char *name)
{
    make_set(name, 2, 4);
    put(at("%s/a/empty.jpg", name), "", 0);
    put(at("%s/b/text.jpg", name), "no picture at all", 17);
    char cache[2100];
    snprintf(cache, sizeof cache, "%s.pack", at("%s", name));
    pith_data *d = open_set(name, (pith_images_cfg){ .cache = cache, .max_bad = 1 });
    ck_assert(pith_data_get_report(d).built);
    pith_data_free(d);
    return slurp(cache);
}

START_TEST(reopened_or_rebuilt)
{
    make_set("re", 2, 8);
    pith_data *d = open_set("re", (pith_images_cfg){ 0 });
    pith_data_report r = pith_data_get_report(d);
    ck_assert(r.built);
    ck_assert_ptr_nonnull(strstr(r.cache, "cache/pith/"));
    ck_assert_int_gt(r.cache_bytes, 1000);
    uint64_t print = pith_data_fingerprint(d);
    d = open_set("re", (pith_images_cfg){ 0 });
    ck_assert(!pith_data_get_report(d).built);
    ck_assert(pith_data_fingerprint(d) == print);
    ck_assert(pith_data_get_report(open_set("re", (pith_images_cfg){ .rebuild = true })).built);
    ck_assert(pith_data_get_report(open_set("re", (pith_images_cfg){ .size = 30 }))
                  .built); /* another stored size */
    ck_assert(!pith_data_get_report(open_set("re", (pith_images_cfg){ 0 })).built);
    ck_assert(!pith_data_get_report(open_set("re", (pith_images_cfg){ .val = 0.3 }))
                   .built); /* the split is not stored */

    static const struct timespec past[2] = { { 1000, 0 }, { 1000, 5 } };
    ck_assert_int_eq(utimensat(AT_FDCWD, at("re/a/3.jpg"), past, 0), 0);
    d = open_set("re", (pith_images_cfg){ 0 });
    ck_assert(pith_data_get_report(d).built);
    ck_assert(pith_data_fingerprint(d) == print); /* only the time had changed */
    put_picture(at("re/a/new.jpg"), JPG, 30, 30, 999);
    d = open_set("re", (pith_images_cfg){ 0 });
    ck_assert(pith_data_get_report(d).built);
    ck_assert(pith_data_fingerprint(d) != print);
    ck_assert_int_eq(unlink(at("re/a/new.jpg")), 0);
    d = open_set("re", (pith_images_cfg){ 0 });
    ck_assert(pith_data_get_report(d).built && pith_data_fingerprint(d) == print);
    ck_assert_int_eq(rename(at("re/b/1.jpg"), at("re/a/from-b.jpg")), 0);
    d = open_set("re", (pith_images_cfg){ 0 });
    ck_assert(pith_data_get_report(d).built && pith_data_fingerprint(d) != print);
    ck_assert_int_eq(log_of.warnings, 0);
}
END_TEST

START_TEST(same_bytes_for_any_threads)
{
    make_set("threads", 3, 130); /* more than one chunk */
    bytes first = { 0 };
    for (int threads = 1; threads <= 4; threads++) {
        open_set("threads",
                 (pith_images_cfg){ .cache = at("threads.pack"), .threads = threads, .rebuild = true });
        bytes b = slurp(at("threads.pack"));
        if (threads > 1) {
            ck_assert(b.n == first.n && !memcmp(b.p, first.p, b.n));
            bytes_free(&b);
        } else {
            first = b;
        }
    }
    bytes_free(&first);
}
END_TEST

static int count_names(const char *path)
{
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    int n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

START_TEST(places)
{
    make_set("place", 2, 4);
    int before = count_names(at("place"));
    put(at("no-folder"), "x", 1);
    setenv("XDG_CACHE_HOME", at("no-folder"), 1); /* cannot be made: the next one is taken */
    setenv("HOME", at("home"), 1);
    pith_data_report r = pith_data_get_report(open_set("place", (pith_images_cfg){ 0 }));
    ck_assert_ptr_nonnull(strstr(r.cache, "/home/.cache/pith/"));
    setenv("HOME", at("no-folder"), 1);
    setenv("TMPDIR", at("tmp"), 1);
    r = pith_data_get_report(open_set("place", (pith_images_cfg){ 0 }));
    ck_assert_ptr_nonnull(strstr(r.cache, "/tmp/pith-"));
    setenv("TMPDIR", at("no-folder"), 1);
    ck_assert_ptr_null(pith_data_images(c, at("place"), (pith_images_cfg){ .size = 12 }));
    ck_assert_int_eq(pith_ctx_status(c), PITH_EIO);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "no place"));
    pith_ctx_clear(c);
    ck_assert_ptr_null(
        pith_data_images(c, at("place"), (pith_images_cfg){ .size = 12, .cache = at("gone/x.pack") }));
    ck_assert_int_ne(pith_ctx_status(c), PITH_OK);
    pith_ctx_clear(c);
    ck_assert_int_eq(count_names(at("place")), before); /* nothing is left among the photographs */
}
END_TEST

typedef struct {
    int64_t calls, stop_at, last, total;
} counter;

static bool count_progress(void *user, int64_t done, int64_t total)
{
    counter *n = user;
    ck_assert_int_gt(done, n->last);
    n->last = done;
    n->total = total;
    return ++n->calls != n->stop_at;
}

START_TEST(progress_and_stop)
{
    make_set("progress", 2, 200);
    counter n = { .stop_at = 1 };
    pith_images_cfg cfg = {
        .size = 12, .progress = count_progress, .progress_user = &n, .cache = at("progress.pack")
    };
    ck_assert_ptr_null(pith_data_images(c, at("progress"), cfg));
    ck_assert_int_eq(pith_ctx_status(c), PITH_ESTOPPED);
    ck_assert_int_ne(access(at("progress.pack"), F_OK), 0);
    pith_ctx_clear(c);
    n = (counter){ 0 };
    cfg.cache = at("progress.pack");
    ck_assert_ptr_nonnull(pith_data_images(c, at("progress"), cfg));
    ck_assert_int_eq(n.last, 400);
    ck_assert_int_eq(n.total, 400);
}
END_TEST

/* Reads all that a parsed file offers; a sanitizer watches. */
static uint64_t read_all(const uint8_t *p, const pithp_pack *k)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < k->n; i++) {
        const pithp_image *m = &k->image[i];
        sum += pithp_hash_pixels(p + m->offset, m->width, m->height) + strlen(k->names + m->path);
        ck_assert(m->label >= 0 && (size_t)m->label < k->n_classes);
    }
    for (size_t i = 0; i < k->n_bad; i++)
        sum += strlen(k->bad[i].path) + strlen(k->bad[i].reason);
    for (size_t i = 0; i < k->n_classes; i++)
        sum += strlen(k->class_name[i]);
    return sum;
}

static bool parses(const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    pithp_pack k;
    memcpy(exact, p, n);
    const char *wrong = pithp_pack_parse(c, exact, n, &k);
    if (!wrong)
        read_all(exact, &k);
    pithp_pack_free(c, &k);
    free(exact);
    return !wrong;
}

START_TEST(cut_anywhere)
{
    bytes b = packed("cut");
    ck_assert(parses(b.p, b.n));
    for (size_t n = 0; n < b.n; n += n < 200 || n + 2000 > b.n ? 1 : 61)
        ck_assert_msg(!parses(b.p, n), "%zu of %zu bytes were taken", n, b.n);
    bytes_add(&b, "x", 1);
    ck_assert(!parses(b.p, b.n));
    bytes_free(&b);
}
END_TEST

/* Every byte of header and index, by the checksums; then with the checksums made right, by the checks behind
   them. */
START_TEST(flipped_anywhere)
{
    bytes b = packed("flip");
    pithp_pack_head h;
    memcpy(&h, b.p, sizeof h);
    for (size_t i = 0; i < b.n; i = i + 1 == sizeof h ? h.index_offset : i + 1)
        for (int bit = 0; bit < 8; bit++) {
            b.p[i] ^= (uint8_t)(1 << bit);
            ck_assert_msg(!parses(b.p, b.n), "bit %d of byte %zu", bit, i);
            b.p[i] ^= (uint8_t)(1 << bit);
        }
    uint8_t *copy = malloc(b.n);
    static const uint8_t values[] = { 0, 1, 0x7F, 0x80, 0xFF };
    for (size_t i = 8; i < b.n; i = i + 1 == sizeof h ? h.index_offset : i + 1)
        for (size_t v = 0; v < sizeof values; v++) {
            memcpy(copy, b.p, b.n);
            copy[i] = values[v];
            pithp_pack_seal(copy, b.n);
            (void)parses(copy, b.n); /* true or false, but in one piece */
        }
    uint32_t r = 7;
    for (int t = 0; t < 20000; t++) {
        memcpy(copy, b.p, b.n);
        for (int k = 0; k < 1 + t % 6; k++) {
            r = r * 1664525u + 1013904223u;
            size_t span = t % 3 ? sizeof h : b.n - h.index_offset;
            size_t where = (t % 3 ? 0 : h.index_offset) + (r >> 3) % span;
            r = r * 1664525u + 1013904223u;
            copy[where] = (uint8_t)(r >> 24);
        }
        pithp_pack_seal(copy, b.n);
        (void)parses(copy, b.n);
    }
    free(copy);
    bytes_free(&b);
}
END_TEST

/* Found by fuzz_cache: a folder with a split of its own has no image on neither side, any other only such. */
START_TEST(sides_of_the_split)
{
    bytes b = packed("sides");
    pithp_pack_head h;
    memcpy(&h, b.p, sizeof h);
    for (int own = 0; own < 2; own++)
        for (uint8_t side = 0; side <= PITHP_SPLIT_NONE + 1; side++) {
            h.own_split = (uint32_t)own;
            memcpy(b.p, &h, sizeof h);
            for (uint32_t i = 0; i < h.n_images; i++)
                b.p[h.index_offset + i * sizeof(pithp_pack_rec) + offsetof(pithp_pack_rec, split)] =
                    i ? own ? PITH_VAL : PITHP_SPLIT_NONE : side;
            pithp_pack_seal(b.p, b.n);
            ck_assert_int_eq(parses(b.p, b.n), own ? side <= PITH_VAL : side == PITHP_SPLIT_NONE);
        }
    bytes_free(&b);
}
END_TEST

START_TEST(damaged_file_is_replaced)
{
    bytes b = packed("heal");
    static const size_t where[] = { 0, 9, 40, 127 };
    for (size_t i = 0; i < 5; i++) {
        bytes copy = { 0 };
        bytes_add(&copy, b.p, b.n);
        size_t n = i == 4 ? 50 : b.n;
        if (i < 4)
            copy.p[where[i]] ^= 0x55;
        put(at("heal.pack"), copy.p, n);
        log_of.warnings = 0;
        pith_data *d = open_set("heal", (pith_images_cfg){ .cache = at("heal.pack"), .max_bad = 1 });
        ck_assert(pith_data_get_report(d).built);
        ck_assert_int_eq(log_of.warnings, 2); /* the damage, and the two bad files */
        bytes again = slurp(at("heal.pack"));
        ck_assert(again.n == b.n && !memcmp(again.p, b.p, b.n));
        bytes_free(&again);
        bytes_free(&copy);
    }
    bytes_free(&b);
}
END_TEST

/* ---- One kind of file in another's place ---- */
START_TEST(older_caches_are_read)
{
    bytes b = packed("older");
    memcpy(b.p, PITHP_MAGIC_PACKED, 8);
    pithp_pack_seal(b.p, b.n);
    put(at("older.pack"), b.p, b.n);
    pith_data *d = open_set("older", (pith_images_cfg){ .cache = at("older.pack"), .max_bad = 1 });
    ck_assert(!pith_data_get_report(d).built);
    ck_assert_str_eq(pithp_kind_of(at("older.pack")), "a data set's cache of decoded photographs");
    put(at("older.pack"), b.p, 40); /* a damaged one is still not taken for a model */
    d = open_set("older", (pith_images_cfg){ .cache = at("older.pack"), .max_bad = 1 });
    ck_assert(pith_data_get_report(d).built);
    bytes_free(&b);
}
END_TEST

START_TEST(others_files_stay)
{
    static const struct {
        const char *p, *says;
    } files[] = { { "PITHPACK\1\0\0\0\0\2\0\0\0\0\0\0...", "a packed model" },
                  { "PITHSAID................", "a store of a teacher's outputs" },
                  { "\20\0\0\0\0\0\0\0{\"__metadata__\": ", "a model file" },
                  { "\30\0\0\0TFL3................", "a TensorFlow Lite model" },
                  { "dear diary, today I.....", "another's file" } };
    enum { LENGTH = 23 };
    make_set("mixed", 2, 4);
    for (size_t i = 0; i < PITHP_LEN(files); i++) {
        put(at("mixed.file"), files[i].p, LENGTH);
        for (int rebuild = 0; rebuild < 2; rebuild++) {
            pith_images_cfg cfg = { .size = 12, .cache = at("mixed.file"), .rebuild = rebuild != 0 };
            ck_assert_ptr_null(pith_data_images(c, at("mixed"), cfg));
            suite_check(pith_ctx_status(c) == PITH_EINVAL &&
                            strstr(pith_error_text(c), files[i].says) != NULL,
                        "file %zu: %s", i, pith_error_text(c));
            pith_ctx_clear(c);
        }
        bytes now = slurp(at("mixed.file"));
        ck_assert(now.n == LENGTH && memcmp(now.p, files[i].p, LENGTH) == 0);
        bytes_free(&now);
        ck_assert_ptr_null(pith_data_images(c, at("mixed.file"), (pith_images_cfg){ .size = 12 }));
        ck_assert_int_eq(pith_ctx_status(c), PITH_ENOTFOUND);
        ck_assert_ptr_nonnull(strstr(pith_error_text(c), i < 4 ? files[i].says : "Not a directory"));
        pith_ctx_clear(c);
    }
    put(at("mixed.file"), "", 0); /* as mktemp leaves it */
    ck_assert(pith_data_get_report(open_set("mixed", (pith_images_cfg){ .cache = at("mixed.file") })).built);
}
END_TEST

START_TEST(damaged_pixels_are_noticed)
{
    bytes b = packed("pixels");
    b.p[sizeof(pithp_pack_head) + 5000] ^= 1;
    put(at("pixels.pack"), b.p, b.n);
    bytes_free(&b);
    pith_data *d =
        open_set("pixels", (pith_images_cfg){ .cache = at("pixels.pack"), .max_bad = 1, .val = PITH_ZERO });
    ck_assert(!pith_data_get_report(d).built); /* opening looks at the index alone */
    ck_assert_int_eq(pith_data_verify(d), PITH_EFORMAT);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "pixels.pack"));
    pith_ctx_clear(c);
    for (int threads = -1; threads < 3; threads += 3) {
        pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .batch = 1, .threads = threads });
        pith_batch batch;
        int n = 0;
        while (pith_loader_next(l, &batch))
            n++;
        ck_assert_int_lt(n, 8);
        ck_assert_int_eq(pith_ctx_status(c), PITH_EFORMAT);
        pith_ctx_clear(c);
        while (pith_loader_next(l, &batch))
            n++;
        ck_assert_int_eq(n, 7); /* the others are fine */
        pith_loader_free(l);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cache");
    TCase *t = suite_case(s, "cache");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reopened_or_rebuilt);
    tcase_add_test(t, same_bytes_for_any_threads);
    tcase_add_test(t, places);
    tcase_add_test(t, progress_and_stop);
    tcase_add_test(t, cut_anywhere);
    tcase_add_test(t, flipped_anywhere);
    tcase_add_test(t, sides_of_the_split);
    tcase_add_test(t, damaged_file_is_replaced);
    tcase_add_test(t, older_caches_are_read);
    tcase_add_test(t, others_files_stay);
    tcase_add_test(t, damaged_pixels_are_noticed);
    return suite_run("cache", s);
}
