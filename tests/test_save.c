/* Floor 0: atomic saves. */
#include "base/base.h"
#include "suite.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The system's calls, made to fail on demand -----------------------------------------------------------
   The program's own definitions come before libc's. Each call of the three is a step; `watched` must hold
   one whole file, the old or the new one, before and after each. */
static struct {
    int steps, fail_at, no_links;
    bool die; /* instead of failing: as if the power went */
    char *watched;
} disk;

static char *slurp(const char *path);

static void watch(void)
{
    if (!disk.watched)
        return;
    char *text = slurp(disk.watched);
    ck_assert_msg(text && (!strcmp(text, "old") || !strcmp(text, "new")), "%s holds \"%s\"", disk.watched,
                  text ? text : "nothing: it is not there");
    free(text);
}

static bool step_fails(void)
{
    watch();
    if (++disk.steps != disk.fail_at)
        return false;
    if (disk.die)
        _exit(0);
    errno = EIO;
    return true;
}

static int watched_result(int r)
{
    watch();
    return r;
}

int fsync(int fd) { return step_fails() ? -1 : (int)syscall(SYS_fsync, fd); }

int rename(const char *from, const char *to)
{
    return step_fails() ? -1 : watched_result(renameat(AT_FDCWD, from, AT_FDCWD, to));
}

int link(const char *from, const char *to)
{
    if (disk.no_links) {
        errno = EPERM;
        return -1;
    }
    return step_fails() ? -1 : watched_result(linkat(AT_FDCWD, from, AT_FDCWD, to, 0));
}

/* ---- Helpers --------------------------------------------------------------------------------------------*/

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
    memset(&disk, 0, sizeof disk);
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

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 4096);
    if (!f || !text) {
        free(text);
        return NULL;
    }
    text[fread(text, 1, 4095, f)] = 0;
    fclose(f);
    return text;
}

static void expect_file(const char *path, const char *wanted)
{
    char *text = slurp(path);
    ck_assert_msg(text != NULL, "%s is not there", path);
    ck_assert_str_eq(text, wanted);
    free(text);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static int entries(void)
{
    int n = -2; /* . and .. */
    DIR *d = opendir(dir);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static pith_status save(const char *path, const char *text, bool keep)
{
    pithp_save s;
    pith_status status = pithp_save_begin(ctx, &s, path);
    if (!status)
        status = pithp_save_write(ctx, &s, text, strlen(text));
    if (!status)
        status = pithp_save_commit(ctx, &s, keep);
    pithp_save_abort(ctx, &s);
    pithp_save_abort(ctx, &s);
    return status;
}

static void expect_refusal(const char *path, pith_status status, const char *word)
{
    pith_ctx_clear(ctx);
    ck_assert_int_eq(save(path, "new", false), status);
    ck_assert_int_eq(pith_ctx_status(ctx), status);
    const char *t = pith_error_text(ctx);
    ck_assert_msg(strstr(t, path) && strstr(t, word), "%s", t);
}

/* ---- Saves ----------------------------------------------------------------------------------------------*/

START_TEST(save_plain)
{
    ck_assert_int_eq(save(in("a"), "first", true), PITH_OK);
    expect_file(in("a"), "first");
    ck_assert_int_eq(entries(), 1);
    ck_assert_int_eq(save(in("a"), "second", true), PITH_OK);
    expect_file(in("a"), "second");
    expect_file(in("a.prev"), "first");
    ck_assert_int_eq(save(in("a"), "third", true), PITH_OK);
    expect_file(in("a.prev"), "second");
    ck_assert_int_eq(save(in("a"), "fourth", false), PITH_OK);
    expect_file(in("a.prev"), "second");
    expect_file(in("a"), "fourth");
    ck_assert_int_eq(entries(), 2);
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(save("bare", "x", true), PITH_OK);
    ck_assert_int_eq(save("./bare", "y", true), PITH_OK);
    expect_file("bare.prev", "x");
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(save_long_name)
{
    char name[256] = { 0 };
    memset(name, 'n', 250);
    ck_assert_int_eq(save(in(name), "x", false), PITH_OK);
    expect_file(in(name), "x");
    pithp_save s;
    ck_assert_int_eq(pithp_save_begin(ctx, &s, in("big")), PITH_OK);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(pithp_save_write(ctx, &s, name, 250), PITH_OK);
    ck_assert_int_eq(pithp_save_commit(ctx, &s, false), PITH_OK);
    pithp_map m;
    ck_assert_int_eq(pithp_map_open(ctx, &m, in("big")), PITH_OK);
    ck_assert_uint_eq(m.n, 750000);
    pithp_map_close(&m);
}
END_TEST

START_TEST(save_mode_and_link)
{
    struct stat st;
    put(in("a"), "old");
    ck_assert_int_eq(chmod(in("a"), 0640), 0);
    ck_assert_int_eq(symlink("a", in("l")), 0);
    ck_assert_int_eq(save(in("l"), "new", false), PITH_OK);
    expect_file(in("a"), "new");
    ck_assert_int_eq(lstat(in("l"), &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat(in("a"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

START_TEST(save_refusals)
{
    put(in("file"), "old");
    ck_assert_int_eq(mkdir(in("folder"), 0777), 0);
    expect_refusal(in("none/a"), PITH_ENOTFOUND, "folder");
    expect_refusal(in("file/a"), PITH_ENOTFOUND, "folder");
    expect_refusal(in("folder"), PITH_EINVAL, "is a folder");
    expect_refusal(in("folder/"), PITH_EINVAL, "expected a file name");
    expect_refusal("", PITH_EINVAL, "expected a file name");
    ck_assert_int_eq(symlink("loop", in("loop")), 0);
    ck_assert_int_eq(mkdir(in("b.prev"), 0777), 0);
    put(in("b"), "old");
    pith_ctx_clear(ctx);
    ck_assert_int_eq(save(in("b"), "new", true), PITH_EIO);
    ck_assert(strstr(pith_error_text(ctx), "b.prev") != NULL);
    expect_file(in("b"), "old");
    ck_assert_int_eq(entries(), 5);
    /* an older error stays, and yet each call tells its own */
    ck_assert_int_eq(save(in("none/a"), "new", true), PITH_ENOTFOUND);
    ck_assert_int_eq(pith_ctx_status(ctx), PITH_EIO);
}
END_TEST

/* A device is written, never replaced. */
START_TEST(save_device)
{
    struct stat st;
    ck_assert_int_eq(save("/dev/null", "x", true), PITH_OK);
    ck_assert_int_eq(stat("/dev/null", &st), 0);
    ck_assert(S_ISCHR(st.st_mode));
    if (!stat("/dev/full", &st) && S_ISCHR(st.st_mode))
        expect_refusal("/dev/full", PITH_EIO, "make room");
}
END_TEST

/* A disk that fills up: the limit on file sizes fails writes the same way. */
START_TEST(save_disk_full)
{
    static const char data[100000];
    put(in("a"), "old");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit was, limit;
    getrlimit(RLIMIT_FSIZE, &was);
    limit = was, limit.rlim_cur = 50000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    pithp_save s;
    ck_assert_int_eq(pithp_save_begin(ctx, &s, in("a")), PITH_OK);
    pith_status status = pithp_save_write(ctx, &s, data, sizeof data);
    pith_status at_commit = pithp_save_commit(ctx, &s, true); /* refused too, and cleans up */
    pith_status after = pithp_save_write(ctx, &s, data, 1);
    setrlimit(RLIMIT_FSIZE, &was);
    ck_assert_int_eq(status, PITH_EIO);
    ck_assert_int_eq(at_commit, PITH_EIO);
    ck_assert_int_eq(after, PITH_EIO);
    ck_assert_msg(strstr(pith_error_text(ctx), "ulimit") != NULL, "%s", pith_error_text(ctx));
    expect_file(in("a"), "old");
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(save_abandoned)
{
    put(in("a"), "old");
    pithp_save s;
    ck_assert_int_eq(pithp_save_begin(ctx, &s, in("a")), PITH_OK);
    ck_assert_int_eq(pithp_save_write(ctx, &s, "new", 3), PITH_OK);
    ck_assert_int_eq(entries(), 2);
    pithp_save_abort(ctx, &s);
    expect_file(in("a"), "old");
    ck_assert_int_eq(entries(), 1);
    ck_assert_int_eq(pithp_save_commit(ctx, &s, true), PITH_EIO);
    expect_file(in("a"), "old");
}
END_TEST

static void set_scene(int no_links, int fail_at)
{
    free(disk.watched);
    memset(&disk, 0, sizeof disk);
    put(in("a"), "old");
    unlink(in("a.prev"));
    disk.watched = strdup(in("a"));
    disk.no_links = no_links, disk.fail_at = fail_at;
    pith_ctx_clear(ctx);
}

/* Each fsync, link and rename fails in turn: the file is whole at every instant, and nothing is left lying
   about. */
START_TEST(save_every_step_fails)
{
    for (int no_links = 0; no_links < 2; no_links++)
        for (int n = 1;; n++) {
            set_scene(no_links, n);
            pith_status status = save(disk.watched, "new", true);
            watch();
            bool failed = disk.steps >= n, survived = n == 2 && !no_links; /* a copy stands in for a link */
            ck_assert_int_eq(status, failed && !survived ? PITH_EIO : PITH_OK);
            ck_assert_int_eq(pith_ctx_status(ctx), status);
            ck_assert_int_eq(entries(), 1 + !access(in("a.prev"), F_OK));
            if (!status) {
                expect_file(in("a"), "new");
                expect_file(in("a.prev"), "old");
            }
            if (!failed) {
                ck_assert_int_eq(
                    n, 6); /* fsync, link or fsync of the copy, rename, rename, fsync of the folder */
                break;
            }
        }
}
END_TEST

/* A process that dies before any of the steps leaves the old or the new file. */
START_TEST(save_killed)
{
    for (int no_links = 0; no_links < 2; no_links++)
        for (int n = 1; n <= 6; n++) {
            set_scene(no_links, n);
            pid_t child = fork();
            if (!child) {
                disk.die = true;
                _exit(save(disk.watched, "new", true) ? 1 : 0);
            }
            int status;
            waitpid(child, &status, 0);
            ck_assert_int_eq(status, 0);
            watch();
            if (n > 4)
                expect_file(in("a"), "new");
        }
}
END_TEST

/* The state a kill leaves between the two renames: both names are one file. */
START_TEST(save_after_kill)
{
    put(in("a"), "old");
    ck_assert_int_eq(linkat(AT_FDCWD, in("a"), AT_FDCWD, in("a.prev"), 0), 0);
    ck_assert_int_eq(save(in("a"), "new", true), PITH_OK);
    expect_file(in("a"), "new");
    expect_file(in("a.prev"), "old");
    ck_assert_int_eq(entries(), 2);
}
END_TEST

typedef struct {
    int calls, fail_at, live;
} heap;

static void *heap_alloc(void *user, size_t bytes)
{
    heap *h = user;
    void *p = ++h->calls == h->fail_at ? NULL : malloc(bytes);
    h->live += p != NULL;
    return p;
}

static void heap_release(void *user, void *p)
{
    ((heap *)user)->live--;
    free(p);
}

START_TEST(save_out_of_memory)
{
    int n = 2; /* the first is the context */
    for (bool done = false; !done; n++) {
        heap h = { .fail_at = n };
        pith_ctx *was = ctx;
        ctx = pith_ctx_new((pith_ctx_cfg){ .alloc = heap_alloc, .release = heap_release, .alloc_user = &h });
        put(in("a"), "old");
        pith_status s = save(in("a"), "new", true);
        done = h.calls < n;
        ck_assert_int_eq(s, done ? PITH_OK : PITH_ENOMEM);
        ck_assert_int_eq(pith_ctx_status(ctx), s);
        ck_assert_int_eq(entries(), 1 + !access(in("a.prev"), F_OK));
        pith_ctx_free(ctx);
        ck_assert_int_eq(h.live, 0);
        ctx = was;
    }
    ck_assert_int_ge(n, 6);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("save");
    TCase *t = suite_case(s, "save");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, save_plain);
    tcase_add_test(t, save_long_name);
    tcase_add_test(t, save_mode_and_link);
    tcase_add_test(t, save_refusals);
    tcase_add_test(t, save_device);
    tcase_add_test(t, save_disk_full);
    tcase_add_test(t, save_abandoned);
    tcase_add_test(t, save_every_step_fails);
    tcase_add_test(t, save_killed);
    tcase_add_test(t, save_after_kill);
    tcase_add_test(t, save_out_of_memory);
    return suite_run("save", s);
}
