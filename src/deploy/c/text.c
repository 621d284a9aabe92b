/* deploy/c/text.c: text that grows. */
#include "deploy/c/text.h"
#include <stdlib.h>
#include <string.h>

enum { LINE = 100 };

void pithp_text_init(pith_ctx *c, pithp_text *t) { *t = (pithp_text){ .c = c }; }

void pithp_text_free(pithp_text *t)
{
    pithp_free(t->c, t->p);
    t->p = NULL;
    t->n = t->cap = 0;
}

/* Room for n more characters and the 0. */
static char *room(pithp_text *t, size_t n)
{
    if (t->status)
        return NULL;
    if (!pithp_grow(t->c, &t->p, &t->cap, t->n + n + 1, 1)) {
        t->status = PITH_ENOMEM;
        return NULL;
    }
    return t->p + t->n;
}

static void append(pithp_text *t, const char *s, size_t n)
{
    char *to = room(t, n);
    if (!to)
        return;
    memcpy(to, s, n);
    to[n] = 0;
    t->n += n;
}

void pithp_text_put(pithp_text *t, const char *s) { append(t, s, strlen(s)); }

void pithp_text_printf(pithp_text *t, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *to = n >= 0 ? room(t, (size_t)n) : NULL;
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        t->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

/* The number and a comma behind `to`; how many characters. INT32_MIN is no literal of C. */
static size_t number(char *to, int64_t v)
{
    char digits[24];
    size_t n = 0, at = 0;
    if (v == INT32_MIN)
        return (size_t)snprintf(to, 32, "-2147483647-1,");
    for (int64_t a = v < 0 ? -v : v; a || !n; a /= 10)
        digits[n++] = (char)('0' + a % 10);
    if (v < 0)
        to[at++] = '-';
    while (n)
        to[at++] = digits[--n];
    to[at++] = ',';
    return at;
}

void pithp_text_numbers(pithp_text *t, const void *p, size_t n, size_t size, bool is_unsigned)
{
    char line[LINE + 32];
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t v = size == 4     ? ((const int32_t *)p)[i]
                    : is_unsigned ? ((const uint8_t *)p)[i]
                                  : ((const int8_t *)p)[i];
        at += number(line + at, v);
        if (at >= LINE || i + 1 == n) {
            line[at++] = '\n';
            append(t, line, at);
            at = 0;
        }
    }
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ' ';
}

void pithp_text_string(pithp_text *t, const char *s)
{
    pithp_text_put(t, "\"");
    for (; *s; s++)
        pithp_text_printf(t, is_plain(*s) ? "%c" : "\\%03o", (unsigned)(unsigned char)*s);
    pithp_text_put(t, "\"");
}

void pithp_text_name(pithp_text *t, const char *name)
{
    for (; *name; name++)
        append(t, is_plain(*name) ? name : "_", 1);
}
