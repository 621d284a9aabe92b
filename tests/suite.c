/* tests/suite.c: the runner of every test program. */
#include "suite.h"
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Check reads its time limit when a test case is made, so it is set before main. Its own default of 4 seconds is
   short of what a sanitizer needs on a busy machine. */
__attribute__((constructor)) static void before_main(void) { setenv("CK_DEFAULT_TIMEOUT", "600", 0); }

TCase *suite_case(Suite *s, const char *name)
{
    TCase *tc = tcase_create(name);
    suite_add_tcase(s, tc);
    return tc;
}

void suite_test_at(Suite *s, const char *name, const TTest *test)
{
    tcase_add_test(suite_case(s, name), test);
}

static char dir[PATH_MAX];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* Made before Check forks, so that every test of the program sees the same folder. */
static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    if (!tmp || !*tmp)
        tmp = "/tmp";
    if (snprintf(dir, sizeof dir, "%s/pith-test-XXXXXX", tmp) >= (int)sizeof dir || !mkdtemp(dir)) {
        fprintf(stderr, "cannot make a folder in %s: set TMPDIR to one that can be written\n", tmp);
        exit(99);
    }
}

const char *suite_dir(void) { return dir; }

char *suite_file(const char *path)
{
    const char *top = getenv("top_srcdir");
    char *full = NULL;
    if (asprintf(&full, "%s/%s", top && *top ? top : ".", path) < 0)
        exit(99);
    return full;
}

void suite_skip(const char *reason)
{
    printf("SKIP: %s\n", reason);
    exit(77); /* automake's status for a skipped test */
}

int suite_run(const char *name, Suite *s)
{
    make_dir();
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s\n", name);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int run = srunner_ntests_run(r), failed = srunner_ntests_failed(r);
    srunner_free(r);
    if (run == 0)
        printf("%s: no test ran\n", name);
    if (!failed)
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
