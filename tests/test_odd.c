/* The data floor on several hundred odd files, and on what else lies in folders: each comes out as a picture of the expected
   size and colours or is left out with the expected reason, within 2 seconds and 256 MB. */
#include "data/data.h"
#include "data_help.h"
#include "odd_files.h"
#include "suite.h"
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
enum { SLOWER = 10, WATCH_MEMORY = 0 }; /* its own memory is not ours */
#else
enum { SLOWER = 1, WATCH_MEMORY = 1 };
#endif

/* What a child process found: one file each, so that memory and time are that file's alone. */
typedef struct {
    int w, h;
    uint8_t corner[4][3];
    char reason[PITHP_REASON];
} found;

/* For other decoders to compare: with ODD_DUMP=DIR every picture lies there as its file and as the pixels that
   came out (tests/interop/check_pictures.py). */
static const char *dump_dir;

static FILE *dump(const char *path, const char *suffix)
{
    char to[4096];
    const char *name = strrchr(path, '/');
    snprintf(to, sizeof to, "%s%s%s", dump_dir, name ? name : "/", suffix);
    FILE *f = fopen(to, "wb");
    if (!f)
        _exit(2);
    return f;
}

static void dump_pixels(const char *path, const pithp_picture *p)
{
    FILE *f = dump(path, ".ppm");
    fprintf(f, "P6\n%d %d\n255\n", p->width, p->height);
    fwrite(p->pixels, 3, (size_t)p->width * (size_t)p->height, f);
    fclose(f);
}

static void dump_file(const char *path, const bytes *b)
{
    FILE *f = dump(path, "");
    fwrite(b->p, 1, b->n, f);
    fclose(f);
}

static void look(const char *path, found *f)
{
    pith_ctx *c = ctx_new(NULL, 1);
    pithp_work w = { .c = c };
    pithp_picture p = { 0 };
    const char *reason = pithp_decode_file(&w, path, 96, 100000000, &p);
    if (reason) {
        snprintf(f->reason, sizeof f->reason, "%s", reason);
    } else {
        f->w = p.width;
        f->h = p.height;
        for (int i = 0; i < 4; i++) {
            int x = i % 2 ? p.width - 9 : 8, y = i / 2 ? p.height - 9 : 8;
            memcpy(f->corner[i], p.pixels + (y * p.width + x) * 3, 3);
        }
        if (dump_dir)
            dump_pixels(path, &p);
    }
    pithp_work_free(&w);
    pith_ctx_free(c);
}

static long kilobytes(const struct rusage *u) { return u->ru_maxrss; }

static double seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

/* The file's fate in a process of its own; path NULL: what such a process takes for itself. */
static void in_a_child(const char *path, found *f, struct rusage *use)
{
    int fd[2], status;
    ck_assert_int_eq(pipe(fd), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    *f = (found){ 0 };
    if (!pid) {
        if (path)
            look(path, f);
        _exit(write(fd[1], f, sizeof *f) != (ssize_t)sizeof *f);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], f, sizeof *f);
    close(fd[0]);
    ck_assert_int_eq(wait4(pid, &status, 0, use), pid);
    suite_check(n == (ssize_t)sizeof *f && WIFEXITED(status) && !WEXITSTATUS(status),
                "%s: the process died (%x)", path, (unsigned)status);
}

static bool near_colour(const uint8_t *p, char letter)
{
    static const char letters[] = "kwrgbdlp";
    static const uint8_t rgb[8][3] = {
        { 0, 0, 0 },   { 255, 255, 255 }, { 255, 0, 0 },     { 0, 255, 0 },
        { 0, 0, 255 }, { 85, 85, 85 },    { 170, 170, 170 }, { 255, 127, 127 }
    };
    const char *at = strchr(letters, letter);
    for (int k = 0; k < 3; k++)
        if (!at || abs(p[k] - rgb[at - letters][k]) > 12)
            return false;
    return true;
}

static odd_files *all;
static bool said;

static void setup(void) { all = odd_all(); }

static void teardown(void) { odd_free(all); }

static void say_all(const odd_file *f, const found *g, double t, long kb)
{
    if (said)
        printf("%-36s %4.0f ms %6ld KB  %dx%d %s\n", f->name, 1e3 * t, kb, g->w, g->h, g->reason);
}

START_TEST(every_file)
{
    struct rusage use, none;
    found g;
    in_a_child(NULL, &g, &none);
    size_t good = 0;
    int wrong = 0;
    char text[4096] = "", *end = text;
    for (size_t i = 0; i < all->n; i++) {
        const odd_file *f = &all->file[i];
        const char *path = at("odd/%s.jpg", f->name);
        put(path, f->file.p ? f->file.p : (const uint8_t *)"", f->file.n);
        if (dump_dir && !f->reason && !f->only_us)
            dump_file(path, &f->file);
        in_a_child(path, &g, &use);
        double t = seconds(&use);
        long kb = kilobytes(&use) - kilobytes(&none);
        say_all(f, &g, t, kb);
        bool same =
            f->reason ? strstr(g.reason, f->reason) != NULL : !g.reason[0] && g.w == f->w && g.h == f->h;
        for (int k = 0; k < 4 && same && !f->reason; k++)
            same = near_colour(g.corner[k], f->seen[k]);
        bool cheap = t <= 2.0 * SLOWER && (!WATCH_MEMORY || kb <= 256 * 1024);
        good += !f->reason;
        wrong += !same || !cheap;
        if ((!same || !cheap) && end - text < 3500)
            end += snprintf(
                end, 500, "%s: %dx%d %s, expected %dx%d %s; corners %d %d %d, %d %d %d; %.2f s, %ld KB\n",
                f->name, g.w, g.h, g.reason, f->w, f->h, f->reason ? f->reason : f->seen, g.corner[0][0],
                g.corner[0][1], g.corner[0][2], g.corner[1][0], g.corner[1][1], g.corner[1][2], t, kb);
    }
    ck_assert_msg(!wrong, "%d of %zu files came out otherwise:\n%s", wrong, all->n, text);
    printf("%zu odd files: %zu pictures, %zu left out with their reasons\n", all->n, good, all->n - good);
    ck_assert_uint_ge(all->n, 200);
}
END_TEST

/* The largest that is let in: near 100 million pixels in one scan; in several scans what 256 MB of coefficients hold; as PNG
   what they hold of pixels. */
START_TEST(largest_files)
{
    static const struct {
        const char *name;
        int w, h;
        picture_kind kind;
        jpeg_form form;
    } t[] = { { "baseline", 9990, 9990, JPG, { 0 } },
              { "progressive", 10000, 9000, JPG, { .progressive = true } },
              { "arithmetic", 6000, 5000, JPG, { .arithmetic = true } },
              { "bmp", 5000, 4000, BMP, { 0 } } };
    struct rusage use, none;
    found g;
    in_a_child(NULL, &g, &none);
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        int channels = t[i].kind == JPG ? 1 : 3;
        uint8_t *p = malloc((size_t)t[i].w * (size_t)t[i].h * (size_t)channels);
        for (int y = 0; y < t[i].h; y++)
            memset(p + (size_t)y * (size_t)t[i].w * (size_t)channels, 40 + y * 170 / t[i].h,
                   (size_t)t[i].w * (size_t)channels);
        const char *path = at("large/%s.jpg", t[i].name);
        put_bytes(path, t[i].kind == JPG ? encode_jpeg(p, t[i].w, t[i].h, channels, t[i].form)
                                         : encode(t[i].kind, p, t[i].w, t[i].h, channels));
        free(p);
        in_a_child(path, &g, &use);
        unlink(path);
        long mb = (kilobytes(&use) - kilobytes(&none)) / 1024;
        printf("%s, %d x %d: %.2f s, %ld MB\n", t[i].name, t[i].w, t[i].h, seconds(&use), mb);
        ck_assert_msg(!g.reason[0] && PITHP_MIN(g.w, g.h) == 96, "%s: %s", t[i].name, g.reason);
        ck_assert_msg(seconds(&use) <= 2.0 * SLOWER && (!WATCH_MEMORY || mb <= 256), "%s: %.2f s, %ld MB",
                      t[i].name, seconds(&use), mb);
    }
}
END_TEST

static int by_path(const void *a, const void *b)
{
    const pith_bad_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The same files as a data set: every one that cannot be used is in the report, with its reason. */
START_TEST(as_a_set)
{
    size_t bad = 0;
    for (size_t i = 0; i < all->n; i++) {
        const odd_file *f = &all->file[i];
        put(at("set/%s/%s.jpg", i % 2 ? "Dog" : "Cat", f->name), f->file.p ? f->file.p : (const uint8_t *)"",
            f->file.n);
        bad += f->reason != NULL;
    }
    watch log_of = { .allocations_left = -1 };
    pith_ctx *c = ctx_new(&log_of, 2);
    pith_data *d = pith_data_images(c, at("set"), (pith_images_cfg){ .cache = at("set.pack"), .max_bad = 1 });
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    pith_data_report r = pith_data_get_report(d);
    ck_assert_int_eq(r.files, (int64_t)all->n);
    ck_assert_int_eq(r.n_bad, (int64_t)bad);
    pith_bad_file *sorted = malloc(bad * sizeof *sorted);
    memcpy(sorted, r.bad, bad * sizeof *sorted);
    qsort(sorted, bad, sizeof *sorted, by_path);
    for (size_t i = 0; i < all->n; i++) {
        const odd_file *f = &all->file[i];
        char path[128];
        snprintf(path, sizeof path, "%s/%s.jpg", i % 2 ? "Dog" : "Cat", f->name);
        pith_bad_file key = { path, NULL }, *hit = bsearch(&key, sorted, bad, sizeof key, by_path);
        suite_check((hit != NULL) == (f->reason != NULL) && (!hit || strstr(hit->reason, f->reason)),
                    "%s: %s", path, hit ? hit->reason : "used");
    }
    free(sorted);
    ck_assert_int_eq(pith_data_verify(d), PITH_OK);
    pith_ctx_free(c);
    ck_assert_int_eq(log_of.live, 0);
}
END_TEST

/* ---- What else lies in a folder ------------------------------------------------------------------------------------ */

static void photo(const char *path, unsigned seed) { put_picture(path, JPG, 40, 32, seed); }

/* Names are bytes: Latin-1, Shift-JIS, broken UTF-8, control characters, spaces, the longest there can be. */
static int strange_names(void)
{
    static const char *const name[] = { "caf\xE9.jpg",    "\x94\x4C.jpg",     "\xF0\x9F\x90\xB1.jpg",
                                        "\xC3\x28.jpg",   "\xED\xA0\x80.jpg", "new\nline.jpg",
                                        "tab\t.jpg",      "\x1B[31mred.jpg",  " lead.jpg",
                                        "trail.jpg ",     "quote\"s'.jpg",    "back\\slash.jpg",
                                        "100%s%n.jpg",    "-rf.jpg",          "no-extension",
                                        "UPPER.JPG",      "two.dots.jpg",     "con.jpg",
                                        "semi;colon.jpg", "star*.jpg",        "\x7F.jpg",
                                        "\xFF\xFE.jpg" };
    int n = 0;
    for (size_t i = 0; i < PITHP_LEN(name); i++, n++)
        photo(at("mess/Cat/%s", name[i]), 100 + (unsigned)i);
    char longest[256];
    memset(longest, 'x', 255);
    memcpy(longest + 251, ".jpg", 5);
    photo(at("mess/Dog/%s", longest), 200);
    longest[251] = 0;
    photo(at("mess/Dog/%s/%s.jpg", "deep/er/and/deeper", "far"), 201);
    return n + 2;
}

/* Nothing of this may be opened, followed in a circle, or waited for. */
static int strange_things(int *ignored)
{
    int bad = 0;
    *ignored = 0;
    ck_assert_int_eq(symlink(at("mess/Cat"), at("mess/Cat/self")), 0);
    ++*ignored;
    ck_assert_int_eq(symlink("..", at("mess/Cat/up")), 0);
    ++*ignored;
    ck_assert_int_eq(symlink(at("mess/Dog"), at("mess/Cat/other-class")), 0);
    ++*ignored;
    ck_assert_int_eq(symlink("loop-b.jpg", at("mess/Cat/loop-a.jpg")), 0);
    bad++; /* two files in a circle */
    ck_assert_int_eq(symlink("loop-a.jpg", at("mess/Cat/loop-b.jpg")), 0);
    bad++;
    ck_assert_int_eq(symlink("/nowhere/at/all.jpg", at("mess/Dog/dangling.jpg")), 0);
    bad++;
    ck_assert_int_eq(symlink("/dev/zero", at("mess/Dog/zero.jpg")), 0);
    ++*ignored;
    ck_assert_int_eq(symlink("/dev/full", at("mess/Dog/full.jpg")), 0);
    ++*ignored;
    ck_assert_int_eq(mkfifo(at("mess/Dog/pipe.jpg"), 0666), 0);
    ++*ignored;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%.90s", at("mess/Dog/socket.jpg"));
    if (fd >= 0 && !bind(fd, (void *)&name, sizeof name))
        ++*ignored;
    if (fd >= 0)
        close(fd);
    ck_assert_int_eq(mkdir(at("mess/Dog/folder.jpg"), 0777),
                     0); /* a folder, whatever its name; an empty one */
    static const char *const litter[] = { "Cat/Thumbs.db", "Dog/thumbs.DB", "Cat/desktop.ini",
                                          "Cat/.DS_Store", "Dog/._1.jpg" };
    for (size_t i = 0; i < PITHP_LEN(litter); i++, ++*ignored)
        put(at("mess/%s", litter[i]), "litter", 6);
    put(at("mess/__MACOSX/Cat/1.jpg"), "litter", 6), ++*ignored;
    if (geteuid()) { /* root may read everything */
        photo(at("mess/Dog/closed.jpg"), 300);
        ck_assert_int_eq(chmod(at("mess/Dog/closed.jpg"), 0), 0);
        bad++;
    }
    return bad;
}

/* `pith data check` on a folder: what it prints is in `text`. False where the command was not built. */
static bool command_says(const char *options, const char *dir, char *text, size_t size)
{
    char command[4096];
    const char *top = getenv("top_builddir");
    snprintf(command, sizeof command, "%s/pith", top ? top : ".");
    if (access(command, X_OK))
        return false;
    snprintf(command, sizeof command, "XDG_CACHE_HOME='%s' '%s/pith' data check '%s' -q %s 2>/dev/null",
             at("xdg"), top ? top : ".", dir, options);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, size - 1, f)] = 0;
    ck_assert_int_eq(pclose(f), 0);
    return true;
}

static void check_command(const char *dir, int64_t usable, int64_t bad)
{
    static char text[1 << 18];
    char number[64];
    if (!command_says("", dir, text, sizeof text))
        return;
    ck_assert_ptr_nonnull(strstr(text, "Cat/666.jpg"));
    ck_assert_ptr_nonnull(strstr(text, "2: empty file"));
    for (const char *p = text; *p; p++) /* a name cannot steer the terminal */
        suite_check((unsigned char)*p >= 32 || *p == '\n', "byte %02x in what the command printed", *p);
    ck_assert(command_says("--json", dir, text, sizeof text));
    snprintf(number, sizeof number, "\"usable\":%lld", (long long)usable);
    ck_assert_msg(strstr(text, number) != NULL, "no %s in %.300s", number, text);
    snprintf(number, sizeof number, "\"bad_files\":%lld", (long long)bad);
    ck_assert_msg(strstr(text, number) != NULL, "no %s in %.300s", number, text);
}

START_TEST(messy_folder)
{
    int ignored, good = strange_names();
    for (int i = 0; i < 8; i++, good += 2) {
        photo(at("mess/Cat/%d.jpg", i), (unsigned)i);
        photo(at("mess/Dog/%d.jpg", i), 50 + (unsigned)i);
    }
    put(at("mess/Cat/666.jpg"), "", 0);
    put(at("mess/Dog/11702.jpg"), "", 0);
    int bad = 2 + strange_things(&ignored);
    watch log_of = { .allocations_left = -1 };
    pith_ctx *c = ctx_new(&log_of, 2);
    pith_data *d = pith_data_images(c, at("mess"),
                                    (pith_images_cfg){ .cache = at("mess.pack"), .max_bad = 1, .size = 24 });
    ck_assert_msg(d != NULL, "%s", pith_error_text(c));
    pith_data_report r = pith_data_get_report(d);
    ck_assert_int_eq(r.usable, good);
    ck_assert_int_eq(r.n_bad, bad);
    ck_assert_int_eq(r.ignored, ignored);
    ck_assert_int_eq(r.classes, 2);
    int empty = 0;
    for (int64_t i = 0; i < r.n_bad; i++)
        empty += !strcmp(r.bad[i].reason, "empty file");
    ck_assert_int_eq(empty, 2);
    check_command(at("mess"), good, bad);
    pith_ctx_free(c);
    ck_assert_int_eq(log_of.live, 0);
}
END_TEST

int main(void)
{
    said = getenv("ODD_SAY") != NULL;
    dump_dir = getenv("ODD_DUMP");
#ifndef HAVE_LIBJPEG
    suite_skip("the odd files' expected outcomes are those of libjpeg, which this build is without");
#endif
    Suite *s = suite_create("odd");
    TCase *t = suite_case(s, "odd");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, every_file);
    tcase_add_test(t, largest_files);
    tcase_add_test(t, as_a_set);
    tcase_add_test(t, messy_folder);
    return suite_run("odd", s);
}
