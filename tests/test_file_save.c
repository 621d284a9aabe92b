/* Floor 3: saves that fail or are killed. The older file, or the new one, stands whole at every moment. */
#include "file_help.h"
#include <dirent.h>
#include <pith/nn.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pith_tensor *net(pith_model *m, pith_tensor *x, void *user)
{
    (void)user;
    return pith_nn_linear(m, "fc", x, 256);
}

/* A quarter of a megabyte of weights, all of them equal. */
static pith_model *sample(pith_real value)
{
    pith_model *m = pith_model_new(ctx, net, NULL, PITH_SHAPE(256));
    ck_assert_msg(m != NULL, "%s", pith_error_text(ctx));
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    for (int64_t i = 0; i < n; i++)
        w[i] = value;
    return m;
}

/* The one value of all weights of a file; fails the test if it does not load or holds a mixture. */
static pith_real value_of(const char *path)
{
    pith_model *m = pith_model_load(ctx, path);
    ck_assert_msg(m != NULL, "%s", pith_error_text(ctx));
    const pith_real first = *(pith_real *)pith_model_param(m, 0)->value;
    int mixed = 0;
    for (int i = 0; i < 2; i++) {
        const pith_tensor *t = pith_model_param(m, i);
        for (int64_t k = 0; k < pith_size(t); k++)
            mixed += ((pith_real *)t->value)[k] != first;
    }
    ck_assert_int_eq(mixed, 0);
    pith_model_free(m);
    return first;
}

/* Files in the folder that were left beside; removed. */
static int sweep(const char *folder)
{
    int n = 0;
    char path[4800];
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, ".tmp-")) {
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            n += !unlink(path);
        }
    closedir(d);
    return n;
}

START_TEST(previous_is_kept)
{
    const char *path = in_dir("kept.pith"), *prev = in_dir("kept.pith.prev");
    struct stat st;
    ck_assert_int_eq(pith_model_save(sample(1), path, true), PITH_OK);
    ck_assert_int_ne(stat(prev, &st), 0);
    ck_assert_int_eq(pith_model_save(sample(2), path, true), PITH_OK);
    ck_assert(value_of(path) == 2 && value_of(prev) == 1);
    ck_assert_int_eq(pith_model_save(sample(3), path, false), PITH_OK);
    ck_assert(value_of(path) == 3 && value_of(prev) == 1);
    ck_assert_int_eq(sweep(suite_dir()), 0);
}
END_TEST

/* Runs in a child what must not touch this process; true if it returned true. */
static bool in_child(bool (*fn)(const char *), const char *arg)
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        _exit(fn(arg) ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool refused(const char *path, const char *says)
{
    pith_status s = pith_model_save(sample(9), path, true);
    bool ok = s == PITH_EIO && strstr(pith_error_text(ctx), says);
    if (!ok)
        fprintf(stderr, "%s: %s\n", pith_status_name(s), pith_error_text(ctx));
    return ok;
}

static bool with_small_files(const char *path)
{
    struct rlimit r = { 20000, 20000 };
    signal(SIGXFSZ, SIG_IGN);
    return !setrlimit(RLIMIT_FSIZE, &r) && refused(path, "File too large; raise the limit");
}

START_TEST(no_room)
{
    const char *path = in_dir("room.pith");
    ck_assert_int_eq(pith_model_save(sample(1), path, true), PITH_OK);
    ck_assert(in_child(with_small_files, path));
    ck_assert(value_of(path) == 1);
    ck_assert_int_eq(sweep(suite_dir()), 0);
    if (!access("/dev/full", W_OK)) {
        ck_assert(refused("/dev/full", "No space left on device; make room"));
        pith_ctx_clear(ctx);
    }
}
END_TEST

static bool as_nobody(const char *path)
{
    if (geteuid() == 0 && setuid(65534)) /* root may write anywhere */
        return false;
    return refused(path, "Permission denied; choose a folder that may be written to");
}

START_TEST(read_only_folder)
{
    const char *folder = in_dir("locked"), *path = in_dir("locked/model.pith");
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    ck_assert_int_eq(pith_model_save(sample(1), path, true), PITH_OK);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    chmod(suite_dir(), 0755); /* for nobody to come through */
    bool ok = in_child(as_nobody, path);
    chmod(folder, 0755);
    ck_assert(ok);
    ck_assert(value_of(path) == 1);
    ck_assert_int_eq(sweep(folder), 0);
}
END_TEST

/* The child saves without end; weights of the n-th save are all n. */
static _Noreturn void save_for_ever(const char *path, pith_model *m)
{
    int64_t n;
    pith_real *w = pith_model_weights(m, &n);
    for (int round = 1;; round++) {
        for (int64_t i = 0; i < n; i++)
            w[i] = (pith_real)round;
        if (pith_model_save(m, path, round % 2))
            _exit(1);
    }
}

START_TEST(killed)
{
    const char *folder = in_dir("killed"), *path = in_dir("killed/model.pith");
    pith_model *m = sample(0);
    int midway = 0, replaced = 0;
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    ck_assert_int_eq(pith_model_save(m, path, true), PITH_OK);
    pithp_rand r = pithp_rand_at((uint64_t)time(NULL), 0, 0, PITHP_USE_OTHER);
    fflush(NULL);
    for (int i = 0; i < 100; i++) {
        int status;
        ck_assert_int_eq(pith_model_save(m, path, true), PITH_OK); /* the older file: zeros */
        pid_t pid = fork();
        if (!pid)
            save_for_ever(path, m);
        usleep((useconds_t)pithp_rand_below(&r, 20000));
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFSIGNALED(status), "the saving process gave up");
        midway += sweep(folder) > 0;
        replaced += value_of(path) > 0;
    }
    printf("100 kills: %d in the middle of a save; %d left the older file, %d a newer one\n", midway,
           100 - replaced, replaced);
    ck_assert_int_gt(midway + replaced, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file_save");
    TCase *t = suite_case(s, "saves");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, previous_is_kept);
    tcase_add_test(t, no_room);
    tcase_add_test(t, read_only_folder);
    tcase_add_test(t, killed);
    return suite_run("file_save", s);
}
