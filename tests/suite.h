/* tests/suite.h: how every test program runs. A program is one area:

       #include "suite.h"

       START_TEST(adds) { ck_assert_int_eq(1 + 1, 2); } END_TEST

       int main(void)
       {
           Suite *s = suite_create("sums");
           suite_test(s, "adds", adds);
           return suite_run("sums", s);
       }

   suite_run prints what failed and Check's own closing line, "100%: Checks: 1, Failures: 0, Errors: 0".
   Check's environment works as always: CK_FORK=no (for a debugger), CK_RUN_CASE=adds, CK_VERBOSITY=verbose,
   CK_DEFAULT_TIMEOUT (600 s here where the environment says nothing). */
#ifndef PITH_TESTS_SUITE_H
#define PITH_TESTS_SUITE_H

#if defined(__has_include) && !__has_include(<check.h>)
#error "make check needs the unit test framework Check: apt-get install check, then configure again"
#endif
#include <check.h>
#include <stdio.h>

/* Runs and frees the suite. Returns main's status: 0, or 1 when something failed or nothing ran. */
int suite_run(const char *name, Suite *s);

/* Adds a test case to the suite, for several tests, loops or fixtures; suite_test adds one with one test in it. */
TCase *suite_case(Suite *s, const char *name);
void suite_test_at(Suite *s, const char *name, const TTest *test);
#define suite_test(s, name, test) suite_test_at((s), (name), (test))

/* ck_assert_msg for loops over many values: Check's own tells the parent process of every call. */
#define suite_check(ok, ...)           \
    do {                               \
        if (!(ok))                     \
            ck_abort_msg(__VA_ARGS__); \
    } while (0)

/* Ends the program as skipped, with the reason. Call it from main, before suite_run. */
_Noreturn void suite_skip(const char *reason);

/* A file of the source tree, from its path there: suite_file("tests/golden/a.bin"). The result is malloc'd. */
char *suite_file(const char *path);

/* A folder for this test program, empty at first, shared by its tests; removed when all of them passed. */
const char *suite_dir(void);

#endif
