/* Floor 5: TensorBoard's event files: CRC-32C by its published values, records taken apart by hand, runs that go on. */
#include "fit_help.h"
#include "train/events.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 3720, B.4, and the check value of the catalogue of CRCs. */
START_TEST(crc32c_known)
{
    uint8_t p[48] = { 0 };
    ck_assert_uint_eq(pithp_crc32c("123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(pithp_crc32c(p, 0), 0);
    ck_assert_uint_eq(pithp_crc32c(p, 32), 0x8a9136aau);
    memset(p, 0xff, 32);
    ck_assert_uint_eq(pithp_crc32c(p, 32), 0x62a8ab43u);
    for (int i = 0; i < 32; i++)
        p[i] = (uint8_t)i;
    ck_assert_uint_eq(pithp_crc32c(p, 32), 0x46dd794eu);
    for (int i = 0; i < 32; i++)
        p[i] = (uint8_t)(31 - i);
    ck_assert_uint_eq(pithp_crc32c(p, 32), 0x113fdb5cu);
}
END_TEST

static pith_ctx *ctx;
static char tempdir[200];

static void begin(const char *name)
{
    ctx = pith_ctx_new((pith_ctx_cfg){ .threads = 1 });
    snprintf(tempdir, sizeof tempdir, "%.150s/%s", suite_dir(), name);
    ck_assert_int_eq(mkdir(tempdir, 0777), 0);
}

static void end(void) { pith_ctx_free(ctx); }

/* ---- The file in `dir`, whole ---- */
static uint8_t bytes[1 << 16];
static char found[300];

static size_t read_events(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    size_t got = 0;
    ck_assert_ptr_nonnull(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, "events.out.tfevents.", 20) == 0) {
            snprintf(found, sizeof found, "%s/%.200s", dir, e->d_name);
            n++;
        }
    closedir(d);
    if (n == 0)
        return 0;
    ck_assert_int_eq(n, 1);
    FILE *f = fopen(found, "rb");
    ck_assert_ptr_nonnull(f);
    got = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    ck_assert_uint_lt(got, sizeof bytes);
    return got;
}

static uint64_t le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

/* The message of the record at *at, its checksums compared: unmasked as TensorFlow's reader does it. */
static const uint8_t *record(size_t *at, size_t all, size_t *n)
{
    const uint8_t *p = bytes + *at;
    ck_assert_uint_ge(all - *at, 16);
    *n = (size_t)le(p, 8);
    ck_assert_uint_ge(all - *at, 16 + *n);
    for (int i = 0; i < 2; i++) {
        const uint8_t *of = i ? p + 12 : p;
        uint32_t rotated = (uint32_t)le(i ? of + *n : p + 8, 4) - 0xa282ead8u;
        ck_assert_uint_eq(rotated >> 17 | rotated << 15, pithp_crc32c(of, i ? *n : 8));
    }
    *at += 16 + *n;
    return p + 12;
}

static size_t varint(const uint8_t *p, uint64_t *v)
{
    size_t n = 0;
    *v = 0;
    do
        *v |= (uint64_t)(p[n] & 0x7f) << 7 * n;
    while (p[n++] & 0x80);
    return n;
}

typedef struct {
    int64_t step;
    char tag[32];
    float value;
} point;

/* All points of the file, in order; the first record tells the version. */
static int points(const char *dir, point *p)
{
    size_t all = read_events(dir), at = 0, n;
    int k = 0;
    ck_assert_uint_gt(all, 0);
    const uint8_t *m = record(&at, all, &n);
    ck_assert_uint_eq(n, 9 + 2 + 13);
    ck_assert_int_eq(m[0], 1 << 3 | 1);
    ck_assert(memcmp(m + 9,
                     "\x1a\x0d"
                     "brain.Event:2",
                     15) == 0);
    while (at < all) {
        uint64_t step, size, length;
        m = record(&at, all, &n);
        ck_assert_int_eq(m[9], 2 << 3);
        size_t i = 10 + varint(m + 10, &step);
        ck_assert_int_eq(m[i], 5 << 3 | 2);
        i++, i += varint(m + i, &size);
        ck_assert_uint_eq(i + size, n);
        while (i < n) {
            ck_assert_int_eq(m[i], 1 << 3 | 2);
            i++, i += varint(m + i, &size);
            ck_assert_int_eq(m[i], 1 << 3 | 2);
            size_t j = i + 1;
            j += varint(m + j, &length);
            p[k] = (point){ .step = (int64_t)step };
            ck_assert_uint_lt(length, sizeof p[k].tag);
            memcpy(p[k].tag, m + j, length);
            j += length;
            ck_assert_int_eq(m[j], 2 << 3 | 5);
            uint32_t u = (uint32_t)le(m + j + 1, 4);
            memcpy(&p[k++].value, &u, 4);
            ck_assert_uint_eq(j + 5, i + size);
            i += size;
        }
    }
    return k;
}

/* ---- The writer alone ---- */
START_TEST(a_record_by_hand)
{
    begin("a_record_by_hand");
    static const uint8_t want[] = { 0x10, 0x05, 0x2a, 0x0a, 0x0a, 0x08, 0x0a,
                                    0x01, 'a',  0x15, 0x00, 0x00, 0xc0, 0x3f }; /* step 5, a = 1.5 */
    pithp_events e = { 0 };
    ck_assert_int_eq(pithp_events_open(ctx, &e, tempdir, false, 0, true), PITH_OK);
    const pithp_scalar s[] = { { "a", 1.5 }, { "left out", (double)NAN } };
    ck_assert(pithp_events_put(&e, 5, s, 2));
    pithp_events_close(ctx, &e);
    size_t all = read_events(tempdir), at = 0, n;
    record(&at, all, &n);
    const uint8_t *m = record(&at, all, &n);
    ck_assert_uint_eq(at, all);
    ck_assert_uint_eq(n, 9 + sizeof want);
    ck_assert(memcmp(m + 9, want, sizeof want) == 0);
    end();
}
END_TEST

/* Steps 1 to 6, an epoch after 3 and 6; what stays of them. */
static int kept(int64_t steps, bool ended, long cut)
{
    static point p[64];
    pithp_events e = { 0 };
    ck_assert_int_eq(pithp_events_open(ctx, &e, tempdir, false, 0, true), PITH_OK);
    for (int i = 1; i <= 6; i++) {
        ck_assert(pithp_events_put(&e, i, &(pithp_scalar){ "step/loss", i }, 1));
        if (i % 3 == 0)
            ck_assert(pithp_events_put(&e, i, &(pithp_scalar){ PITHP_EVENTS_EPOCH "loss", 10 * i }, 1));
    }
    pithp_events_close(ctx, &e);
    if (cut > 0)
        ck_assert_int_eq(truncate(found, (long)read_events(tempdir) - cut), 0);
    ck_assert_int_eq(pithp_events_open(ctx, &e, tempdir, true, steps, ended), PITH_OK);
    ck_assert(pithp_events_put(&e, 99, &(pithp_scalar){ "step/loss", 99 }, 1));
    pithp_events_close(ctx, &e);
    int n = points(tempdir, p);
    ck_assert_int_eq(p[n - 1].step, 99);
    return n - 1;
}

START_TEST(goes_on_where_the_checkpoint_is)
{
    begin("goes_on_where_the_checkpoint_is");
    pithp_events e = { 0 };
    ck_assert_int_eq(pithp_events_open(ctx, &e, tempdir, true, 7, true), PITH_OK); /* there was none */
    pithp_events_close(ctx, &e);
    ck_assert_uint_gt(read_events(tempdir), 0);
    ck_assert_int_eq(kept(6, true, 0), 8);
    ck_assert_int_eq(kept(6, false, 0), 7); /* the epoch's record will come again */
    ck_assert_int_eq(kept(5, true, 0), 6);
    ck_assert_int_eq(kept(3, false, 0), 3);
    ck_assert_int_eq(kept(0, true, 0), 0);
    ck_assert_int_eq(kept(100, true, 1), 7); /* killed in the midst of a record */
    end();
}
END_TEST

START_TEST(damage_ends_what_stays)
{
    begin("damage_ends_what_stays");
    static point p[64];
    pithp_events e = { 0 };
    ck_assert_int_eq(pithp_events_open(ctx, &e, tempdir, false, 0, true), PITH_OK);
    for (int i = 1; i <= 3; i++)
        ck_assert(pithp_events_put(&e, i, &(pithp_scalar){ "step/loss", i }, 1));
    pithp_events_close(ctx, &e);
    size_t all = read_events(tempdir), at = 0, n, second = 0;
    record(&at, all, &n);
    record(&at, all, &n);
    second = at;
    for (size_t i = second; i < all;
         i += 5) { /* one byte after another, of the second step's record and behind */
        bytes[i] ^= 0x10;
        FILE *f = fopen(found, "wb");
        ck_assert_uint_eq(fwrite(bytes, 1, all, f), all);
        fclose(f);
        ck_assert_int_eq(pithp_events_open(ctx, &e, tempdir, true, 100, true), PITH_OK);
        pithp_events_close(ctx, &e);
        uint8_t whole[4096];
        memcpy(whole, bytes, all);
        whole[i] ^= 0x10;
        int left = points(tempdir, p);
        ck_assert_int_ge(left, 1);
        ck_assert_int_lt(left, 3);
        memcpy(bytes, whole, all);
    }
    end();
}
END_TEST

/* ---- Trainings ---- */
static volatile int stop;
static int64_t stop_at, steps_seen;

static void count_steps(void *user, const pith_progress *p)
{
    (void)user;
    if (p->event == 's' && ++steps_seen == stop_at)
        stop = 1;
}

static pith_status train(const char *dir, bool resume, int64_t until, int every)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 3, .threads = 1 });
    pith_data *d = fit_data(c);
    pith_model *m = pith_model_new(c, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    stop = 0, stop_at = until, steps_seen = 0;
    pith_status s = pith_fit(m, d,
                             (pith_fit_cfg){ .epochs = 3,
                                             .batch = 16,
                                             .out = dir,
                                             .resume = resume,
                                             .tensorboard = every,
                                             .stop = &stop,
                                             .progress = count_steps });
    pith_ctx_free(c);
    return s;
}

/* Stopped within an epoch and at its end, and gone on: the same points as without. */
START_TEST(a_resumed_run_has_the_same_points)
{
    begin("a_resumed_run_has_the_same_points");
    enum { STEPS = FIT_TRAIN / 16 };
    static point once[200], twice[200];
    char a[300], b[300];
    snprintf(a, sizeof a, "%s/a", tempdir);
    ck_assert_int_eq(train(a, false, 0, 2), PITH_OK);
    int n = points(a, once);
    ck_assert_int_eq(n, 3 * (STEPS / 2) * 3 + 3 * 6);
    for (int at = 1; at <= STEPS + 1; at += STEPS - 1) {
        snprintf(b, sizeof b, "%s/b%d", tempdir, at);
        ck_assert_int_eq(train(b, false, at, 2), PITH_ESTOPPED);
        ck_assert_int_eq(train(b, true, 0, 2), PITH_OK);
        ck_assert_int_eq(points(b, twice), n);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(once[i].step, twice[i].step);
            ck_assert_str_eq(once[i].tag, twice[i].tag);
            if (strcmp(once[i].tag, "epoch/images_per_second") != 0) /* a clock's */
                suite_check(once[i].value == twice[i].value, "%s at %d", once[i].tag, (int)once[i].step);
        }
    }
    end();
}
END_TEST

/* The curves say what log.jsonl says. */
START_TEST(points_are_the_log)
{
    begin("points_are_the_log");
    static point p[200];
    char path[300];
    json_error_t e;
    ck_assert_int_eq(train(tempdir, false, 0, 100), PITH_OK);
    int n = points(tempdir, p), at = 0;
    snprintf(path, sizeof path, "%s/log.jsonl", tempdir);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    for (json_t *line; (line = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e)) != NULL; json_decref(line)) {
        if (strcmp(json_string_value(json_object_get(line, "event")), "epoch") != 0)
            continue;
        static const char *const key[] = {
            "loss", "accuracy", "val_loss", "val_accuracy", "lr", "img_per_s"
        };
        for (int i = 0; i < 6; i++, at++) {
            double want = json_number_value(json_object_get(line, key[i]));
            ck_assert_int_lt(at, n);
            ck_assert_int_eq(p[at].step, json_integer_value(json_object_get(line, "step")));
            suite_check(fabs((double)p[at].value - want) <= 1e-6 * fabs(want), "%s: %g, %g", p[at].tag,
                        (double)p[at].value, want);
        }
    }
    fclose(f);
    ck_assert_int_eq(at, n);
    end();
}
END_TEST

START_TEST(none_unless_asked_for)
{
    begin("none_unless_asked_for");
    ck_assert_int_eq(train(tempdir, false, 1, 0), PITH_ESTOPPED);
    ck_assert_uint_eq(read_events(tempdir), 0);
    pith_data *d = fit_data(ctx);
    pith_model *m = pith_model_new(ctx, fit_net, NULL, PITH_SHAPE(FIT_SIZE, FIT_SIZE, 3));
    ck_assert_int_eq(pith_fit(m, d, (pith_fit_cfg){ .epochs = 1, .tensorboard = 5 }), PITH_EINVAL);
    ck_assert_ptr_nonnull(strstr(pith_error_text(ctx), "run folder"));
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("events");
    suite_test(s, "crc32c_known", crc32c_known);
    suite_test(s, "a_record_by_hand", a_record_by_hand);
    suite_test(s, "goes_on_where_the_checkpoint_is", goes_on_where_the_checkpoint_is);
    suite_test(s, "damage_ends_what_stays", damage_ends_what_stays);
    suite_test(s, "a_resumed_run_has_the_same_points", a_resumed_run_has_the_same_points);
    suite_test(s, "points_are_the_log", points_are_the_log);
    suite_test(s, "none_unless_asked_for", none_unless_asked_for);
    return suite_run("events", s);
}
