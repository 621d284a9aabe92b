/* tests/report_dirs.h: run folders of the suites of the report, the page that is made of them, and whether it is well formed. */
#ifndef PITH_TESTS_REPORT_DIRS_H
#define PITH_TESTS_REPORT_DIRS_H

#include "report_help.h"
#include "suite.h"

#include <pith/ctx.h>
#include <pith/file.h>
#include <pith/report.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline char *path_in(const char *dir, const char *file)
{
    static char path[4][1024];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, file);
    return path[at];
}

static inline char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return NULL;
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    char *text = calloc(n + 1, 1);
    rewind(f);
    ck_assert_uint_eq(fread(text, 1, n, f), n);
    fclose(f);
    return text;
}

static inline const char *new_dir(const char *name)
{
    static char dir[8][600];
    static int at;
    at = (at + 1) % 8;
    snprintf(dir[at], sizeof dir[at], "%s/%s", suite_dir(), name);
    return dir[at];
}

static inline pith_status report(const char *dir, char error[1024])
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    pith_status s = pith_report_html(c, &dir, 1, (pith_report_cfg){ 0 });
    ck_assert_int_eq(s, pith_ctx_status(c));
    if (error != NULL)
        snprintf(error, 1024, "%s", pith_error_text(c));
    pith_ctx_free(c);
    return s;
}

static inline char *page_of(const char *dir)
{
    char error[1024];
    ck_assert_msg(report(dir, error) == PITH_OK, "%s", error);
    char *text = slurp(path_in(dir, "report.html"));
    ck_assert_ptr_nonnull(text);
    return text;
}

static inline bool is_void(const char *tag, size_t n)
{
    static const char *const none[] = { "meta", "link", "br", "img", "input", "hr" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strlen(none[i]) == n && strncmp(tag, none[i], n) == 0)
            return true;
    return false;
}

/* Every tag is closed by its own, quotes are balanced, no stray '<' or '&'. */
static inline void well_formed(const char *s)
{
    static char open[64][24];
    int depth = 0;
    for (const char *p = s; *p; p++) {
        if (*p == '&')
            suite_check(strcspn(p, ";") < 10 && p[1] != ' ', "stray &: %.40s", p);
        suite_check((unsigned char)*p >= 32 || *p == '\n', "a control character before %.40s", p);
        suite_check(*p != '>', "stray >: %.60s", p - 20);
        if (*p != '<')
            continue;
        const char *end = p + 1;
        for (bool quoted = false; *end && (quoted || *end != '>'); end++) {
            quoted ^= *end == '"';
            suite_check(quoted || *end != '<', "< within a tag: %.60s", p);
        }
        suite_check(*end == '>', "a tag without end: %.60s", p);
        size_t n = strcspn(p + 1, " >\n/");
        if (p[1] == '!') {
        } else if (p[1] == '/') {
            n = strcspn(p + 2, ">");
            suite_check(depth > 0 && strlen(open[depth - 1]) == n && strncmp(open[depth - 1], p + 2, n) == 0,
                        "<%s> closed by %.30s", depth > 0 ? open[depth - 1] : "", p);
            depth--;
        } else if (end[-1] != '/' && !is_void(p + 1, n)) {
            suite_check(depth < 64, "too deep: %.40s", p);
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)n, p + 1);
            if ((n == 5 && !strncmp(p + 1, "style", 5)) || (n == 6 && !strncmp(p + 1, "script", 6)))
                end = strstr(end, n == 5 ? "</style>" : "</script>") - 1; /* not markup */
        }
        p = end;
    }
    suite_check(depth == 0, "<%s> is never closed", open[depth > 0 ? depth - 1 : 0]);
}

#endif
