/* report/read_val.c: val.csv, "path,label,predicted,p0,p1,...". */
#include "report/run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    pithp_pool *pool;
    const pithp_run *run;
    const char *path;
    char *at;
    int64_t line;
} reader;

static bool wrong(const reader *r, const char *expected)
{
    pithp_error(r->pool->c, PITH_EFORMAT, "%s: line %lld: %s", r->path, (long long)r->line, expected);
    return false;
}

/* The next field, in place; *last: the line ends behind it. Quoted ones may hold commas and doubled quotes. */
static char *field(reader *r, bool *last)
{
    char *s = r->at, *to = s;
    if (*s == '"') {
        char *from = ++s;
        for (to = s; *from && (*from != '"' || from[1] == '"'); from++) {
            from += *from == '"';
            *to++ = *from;
        }
        if (*from != '"')
            return NULL;
        r->at = from + 1;
    } else {
        r->at = to = s + strcspn(s, ",\r\n");
    }
    if (*r->at == '\r' && r->at[1] == '\n')
        r->at++;
    if (*r->at != ',' && *r->at != '\n')
        return NULL;
    *last = *r->at++ == '\n';
    *to = 0;
    return s;
}

static bool number(const char *s, double *v)
{
    char *end;
    *v = strtod(s, &end);
    return end != s && *end == 0 && isfinite(*v);
}

/* A class by number or by name. */
static bool class_of(const reader *r, const char *s, int classes, int32_t *label)
{
    double v;
    for (int k = 0; k < r->run->classes; k++)
        if (strcmp(r->run->class_name[k], s) == 0 && k < classes) {
            *label = k;
            return true;
        }
    if (!number(s, &v) || v != floor(v) || v < 0 || v >= classes)
        return wrong(r, "a class, by its number or name, is expected as label and as predicted");
    *label = (int32_t)v;
    return true;
}

/* The path is joined to the folder of photographs: it may not lead out of it. */
static bool inside(const char *s)
{
    if (*s == 0 || *s == '/' || strlen(s) > 4000)
        return false;
    for (const char *p = s; p != NULL; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == 0))
            return false;
    return true;
}

static bool read_head(reader *r, int *classes)
{
    static const char *const names[] = { "path", "label", "predicted" };
    bool last = false;
    int n = 0;
    r->line = 1;
    for (; !last; n++) {
        char *s = field(r, &last), want[16];
        snprintf(want, sizeof want, "p%d", n - 3);
        if (s == NULL || strcmp(s, n < 3 ? names[n] : want) != 0 || n >= 3 + PITHP_CLASSES)
            return wrong(r, "the head \"path,label,predicted,p0,p1,...\" is expected");
    }
    *classes = n - 3;
    if (*classes < 1 || (r->run->classes > 0 && *classes != r->run->classes))
        return wrong(r, "a column p0, p1, ... for each of the run's classes is expected");
    return true;
}

static bool read_line(reader *r, pithp_answers *a)
{
    int64_t i = a->n;
    bool last = false;
    r->line = i + 2;
    for (int k = 0; k < 3 + a->classes; k++) {
        double v = 0;
        char *s = last ? NULL : field(r, &last);
        if (s == NULL)
            return wrong(r, "fewer columns than in the head, or a quote that does not end");
        if (k == 0 && !inside(s))
            return wrong(r, "a path within the folder of photographs is expected");
        if (k == 0)
            a->path[i] = s;
        else if (k < 3 && !class_of(r, s, a->classes, k == 1 ? &a->label[i] : &a->predicted[i]))
            return false;
        else if (k >= 3 && (!number(s, &v) || v < 0 || v > 1.001))
            return wrong(r, "probabilities from 0 to 1 are expected");
        else if (k >= 3)
            a->p[i * a->classes + k - 3] = v;
    }
    a->n++;
    return last || wrong(r, "more columns than in the head");
}

pith_status pithp_read_answers(pithp_pool *p, const char *dir, const pithp_run *run, pithp_answers *a)
{
    reader r = { .pool = p, .run = run };
    char *text;
    size_t n, lines = 0;
    *a = (pithp_answers){ 0 };
    pith_status s = pithp_read_text(p, dir, "val.csv", &r.path, &text, &n);
    if (s != PITH_OK || text == NULL)
        return s;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    r.at = text;
    r.line = 1;
    if (n == 0 || text[n - 1] != '\n' || strlen(text) != n) {
        wrong(&r, "the file has to end with a line's end and to hold no zero byte: it is cut, or no CSV");
        return p->c->status;
    }
    if (!read_head(&r, &a->classes))
        return p->c->status;
    a->path = PITHP_POOL_N(p, const char *, lines);
    a->label = PITHP_POOL_N(p, int32_t, lines);
    a->predicted = PITHP_POOL_N(p, int32_t, lines);
    a->p = pithp_pool_take(p, lines, (size_t)a->classes * sizeof *a->p);
    if (a->path == NULL || a->label == NULL || a->predicted == NULL || a->p == NULL)
        return PITH_ENOMEM;
    while (r.at < text + n)
        if (!read_line(&r, a))
            return p->c->status;
    return PITH_OK;
}
