/* The report: hostile, cut and missing files are refused by name, or left out with a word, and leave nothing behind. */
#include "report_dirs.h"

#include <dirent.h>

/* One file of an else good folder is bad: the message names it, and no page is left. */
static void refused(const char *file, const char *text, const char *expected)
{
    static int number;
    char name[32], error[1024];
    snprintf(name, sizeof name, "bad-%d", number++);
    const char *dir = new_dir(name);
    ck_assert(report_write(dir, "lab.json", "{\"steps\":[\"float\",\"b\"],\"classes\":[\"cat\",\"dog\"]}"));
    ck_assert(report_write(dir, "steps/float/result.json",
                           "{\"family\":\"float\",\"status\":\"done\",\"accuracy\":0.9}"));
    ck_assert(report_write(dir, "steps/float/val.csv",
                           "path,label,predicted,p0,p1\na.png,0,1,0.2,0.8\nb.png,dog,dog,0.2,0.8\n"));
    ck_assert_msg(report(dir, error) == PITH_OK, "%s", error);
    unlink(path_in(dir, "report.html"));
    ck_assert(report_write(dir, file, text));
    pith_status s = report(dir, error);
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    ck_assert_msg(s == PITH_EFORMAT, "%s: %d %s", file, s, error);
    ck_assert_msg(strstr(error, base) != NULL && strstr(error, expected) != NULL, "%s: %s", expected, error);
    ck_assert_int_ne(access(path_in(dir, "report.html"), F_OK), 0);
}

START_TEST(hostile)
{
    refused("lab.json", "{\"steps\":[\"float\"", "byte");
    refused("lab.json", "[]", "object");
    refused("lab.json", "{\"steps\":[\"../../etc\"]}", "names of folders");
    refused("lab.json", "{\"steps\":[\"a/b\"]}", "names of folders");
    refused("lab.json", "{\"steps\":7}", "list");
    refused("lab.json", "{\"steps\":[],\"seed\":\"x\"}", "number");
    refused("lab.json", "{\"steps\":[],\"classes\":[1]}", "texts");
    refused("steps/b/result.json", "{\"accuracy\":92.5}", "from 0 to 1");
    refused("steps/b/result.json", "{\"accuracy\":1e999}", "byte");
    refused("steps/b/result.json", "{\"title\":{}}", "text");
    refused("steps/b/result.json", "{\"bytes\":3}", "object");
    refused("steps/b/result.json", "\xff\xfe", "byte");
    refused("steps/b/result.json", "", "byte");
    refused("steps/b/log.jsonl", "{\"event\":\"epoch\",\"epoch\":1}\nnonsense\n", "line 2");
    refused("steps/b/log.jsonl", "{\"event\":\"epoch\",\"epoch\":\"one\"}\n", "number");
    refused("steps/b/val.csv", "path,label\n", "column");
    refused("steps/b/val.csv", "file,label,predicted,p0,p1\n", "head");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1,p2\n", "classes");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,1,0.2,0.8\nb.png,1,1,0.2,0.", "end");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,1,0.2\n", "line 2");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,1,0.2,0.8,3\n", "line 2");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,2,0.2,0.8\n", "class");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,-1,0.2,0.8\n", "class");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,1,nan,0.8\n", "probabilities");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\n/etc/passwd,0,1,0.2,0.8\n", "path");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\nx/../../y,0,1,0.2,0.8\n", "path");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\n\"a.png,0,1,0.2,0.8\n", "line 2");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\nz.png,0,1,0.2,0.8\nb.png,1,1,0.2,0.8\n", "order");
    refused("steps/b/val.csv", "path,label,predicted,p0,p1\na.png,0,1,0.2,0.8\n", "order");
    refused("steps/b/layers.json", "{\"layers\":[3]}", "objects");
    refused("steps/b/layers.json", "{\"layers\":[{\"name\":1}]}", "text");
    refused("steps/b/calibration.json", "{\"bins\":{}}", "list");
}
END_TEST

/* A log whose last line is being written is no error: a training may be running. */
START_TEST(cut_log)
{
    const char *dir = new_dir("cut");
    ck_assert(report_fixture_run(dir));
    char *log = slurp(path_in(dir, "log.jsonl"));
    log[strlen(log) - 60] = 0;
    ck_assert(report_write(dir, "log.jsonl", log));
    free(log);
    char *page = page_of(dir);
    well_formed(page);
    free(page);
}
END_TEST

START_TEST(no_run)
{
    char error[1024];
    const char *dir = new_dir("empty");
    ck_assert_int_eq(report(dir, error), PITH_ENOTFOUND);
    ck_assert(report_write(dir, "other.txt", "x"));
    ck_assert_int_eq(report(dir, error), PITH_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(error, "lab.json"));
    ck_assert_int_ne(access(path_in(dir, "report.html"), F_OK), 0);
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    ck_assert_int_eq(pith_report_html(c, NULL, 0, (pith_report_cfg){ 0 }), PITH_EINVAL);
    pith_ctx_free(c);
}
END_TEST

/* A folder in the page's place, or one that cannot be written: an error, and the old page stays. */
START_TEST(unwritable)
{
    const char *dir = new_dir("run");
    ck_assert(report_fixture_run(dir));
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    ck_assert_int_ne(pith_report_html(c, &dir, 1, (pith_report_cfg){ .out = "/nowhere/at/all.html" }),
                     PITH_OK);
    ck_assert_ptr_nonnull(strstr(pith_error_text(c), "/nowhere"));
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report, bad input");
    suite_test(s, "hostile", hostile);
    suite_test(s, "cut log", cut_log);
    suite_test(s, "no run", no_run);
    suite_test(s, "unwritable", unwritable);
    return suite_run("report_bad", s);
}
