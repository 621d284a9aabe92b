/* Options: one table a verb, parsed, explained, saved and read back. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void usage(const verb *v, FILE *to)
{
    fprintf(to, "usage: pith %s %s[options]\n%s\n", v->name, v->operands, v->summary);
}

/* Text in a column that begins at `indent`, words whole, to the right edge; the cursor stands in that column. */
enum { HELP_INDENT = 28, HELP_WIDTH = 100 };
static void column(const char *text)
{
    int at = HELP_INDENT;
    for (const char *end; *text; text = end + strspn(end, " ")) {
        end = text + strcspn(text, " ");
        int n = (int)(end - text);
        if (at > HELP_INDENT && at + 1 + n > HELP_WIDTH) {
            printf("\n%*s", HELP_INDENT, "");
            at = HELP_INDENT;
        }
        at += printf("%s%.*s", at > HELP_INDENT ? " " : "", n, text);
    }
    putchar('\n');
}

/* tests, man pages and the shells' completion read this form: two spaces, --NAME[ VALUE][, -L], the text; or the text in
   lines that begin with 28 spaces. Words of VALUE between bars that are not in capitals are what may stand there. */
static void help(const verb *v, const opt *table)
{
    usage(v, stdout);
    printf("\noptions:\n");
    for (const opt *o = table; o->kind != OPT_END; o++) {
        int n = printf("  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        if (o->letter)
            n += printf(", -%c", o->letter);
        if (n + 1 < HELP_INDENT) /* two spaces at least */
            printf("%*s", HELP_INDENT - n, "");
        else
            printf("\n%*s", HELP_INDENT, "");
        column(o->help);
    }
    printf("%-*s%s\n", HELP_INDENT, "  --help, -h", "this text");
}

/* Levenshtein's distance, to name the option that was meant. */
static int distance(const char *a, const char *b)
{
    int row[65], n = (int)strlen(b);
    if (n > 64)
        return 99;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]), best = change;
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

static int unknown(const verb *v, const opt *table, const char *name)
{
    const opt *near = NULL;
    int best = 4;
    for (const opt *o = table; o->kind != OPT_END; o++) {
        int d = distance(name, o->name);
        if (d < best) {
            best = d;
            near = o;
        }
    }
    say("%s: there is no option --%s%s%s%s; 'pith %s --help' lists them", v->name, name, near ? " (--" : "",
        near ? near->name : "", near ? "?)" : "", v->name);
    return EXIT_USAGE;
}

static bool parse_number(const opt *o, const char *text, double *x)
{
    char *end;
    errno = 0;
    *x = strtod(text, &end);
    if (end == text || *end != 0 || errno == ERANGE || !isfinite(*x))
        return false;
    return *x >= o->min && *x <= o->max && (o->kind != OPT_INT || *x == floor(*x));
}

static bool add_text(const opt *o, const char *text)
{
    opt_list *l = o->to;
    if (l->n == LIST_MOST) {
        say("--%s may be given %d times at most", o->name, LIST_MOST);
        return false;
    }
    l->text[l->n++] = text;
    return true;
}

static bool store(const opt *o, const char *text)
{
    double x;
    char *end;
    switch (o->kind) {
    case OPT_FLAG: *(bool *)o->to = true; return true;
    case OPT_TEXT: *(const char **)o->to = text; return true;
    case OPT_LIST: return add_text(o, text);
    case OPT_SEED:
        errno = 0;
        *(uint64_t *)o->to = strtoull(text, &end, 10);
        if (end != text && *end == 0 && errno == 0 && text[0] != '-')
            return true;
        say("--%s %s: a whole number from 0 to 18446744073709551615 is expected", o->name, text);
        return false;
    case OPT_INT:
    case OPT_REAL:
        if (parse_number(o, text, &x)) {
            if (o->kind == OPT_INT)
                *(int *)o->to = (int)x;
            else
                *(double *)o->to = x == 0 ? PITH_ZERO : x;
            return true;
        }
        say("--%s %s: a %s from %g to %g is expected", o->name, text,
            o->kind == OPT_INT ? "whole number" : "number", o->min, o->max);
        return false;
    case OPT_END: break;
    }
    return false;
}

static opt *find(opt *table, const char *arg, size_t n)
{
    for (opt *o = table; o->kind != OPT_END; o++) {
        if (arg[0] == '-' && arg[1] == '-' && strlen(o->name) == n - 2 &&
            strncmp(o->name, arg + 2, n - 2) == 0)
            return o;
        if (arg[0] == '-' && n == 2 && o->letter && arg[1] == o->letter)
            return o;
    }
    return NULL;
}

int opts_parse(const verb *v, opt *table, int argc, char **argv, const char **operands, int *n_operands)
{
    bool only_operands = false;
    *n_operands = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (only_operands || arg[0] != '-' || arg[1] == 0) {
            if (*n_operands == v->max_operands) {
                say("%s: '%s' is one operand too many", v->name, arg);
                usage(v, stderr);
                return EXIT_USAGE;
            }
            operands[(*n_operands)++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_operands = true;
            continue;
        }
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            help(v, table);
            return EXIT_DONE;
        }
        const char *equals = strchr(arg, '=');
        opt *o = find(table, arg, equals ? (size_t)(equals - arg) : strlen(arg));
        if (o == NULL)
            return unknown(v, table, arg + strspn(arg, "-"));
        const char *value = equals ? equals + 1 : NULL;
        if (o->kind == OPT_FLAG && value != NULL) {
            say("--%s takes no value", o->name);
            return EXIT_USAGE;
        }
        if (o->kind != OPT_FLAG && value == NULL) {
            if (i + 1 == argc) {
                say("--%s needs a value (%s)", o->name, o->value);
                return EXIT_USAGE;
            }
            value = argv[++i];
        }
        if (!store(o, value))
            return EXIT_USAGE;
        o->given = true;
    }
    if (*n_operands >= v->min_operands)
        return -1;
    usage(v, stderr);
    return EXIT_USAGE;
}

static json_t *list_json(const opt_list *l)
{
    json_t *j = json_array();
    for (int i = 0; i < l->n; i++)
        json_array_append_new(j, json_string(l->text[i]));
    return j;
}

json_t *opts_json(const opt *table)
{
    json_t *j = json_object();
    for (const opt *o = table; o->kind != OPT_END; o++) {
        json_t *x = NULL;
        switch (o->kind) {
        case OPT_FLAG: x = json_boolean(*(bool *)o->to); break;
        case OPT_INT: x = json_integer(*(int *)o->to); break;
        case OPT_REAL: x = json_real(*(double *)o->to); break;
        case OPT_TEXT: x = *(const char **)o->to ? json_string(*(const char **)o->to) : json_null(); break;
        case OPT_LIST: x = list_json(o->to); break;
        case OPT_SEED: { /* as text: JSON integers are signed */
            char text[24];
            snprintf(text, sizeof text, "%llu", (unsigned long long)*(uint64_t *)o->to);
            x = json_string(text);
            break;
        }
        case OPT_END: break;
        }
        json_object_set_new(j, o->name, x);
    }
    return j;
}

static bool store_list(const opt *o, const json_t *x)
{
    for (size_t i = 0; i < json_array_size(x); i++) {
        const char *text = json_string_value(json_array_get(x, i));
        if (text == NULL || !add_text(o, text))
            return false;
    }
    return true;
}

static bool store_json(const opt *o, const json_t *x)
{
    if (o->kind == OPT_LIST)
        return json_is_array(x) && store_list(o, x);
    if (o->kind == OPT_FLAG && json_is_boolean(x))
        *(bool *)o->to = json_is_true(x);
    else if (o->kind == OPT_INT && json_is_integer(x))
        *(int *)o->to = (int)json_integer_value(x);
    else if (o->kind == OPT_REAL && json_is_number(x))
        *(double *)o->to = json_number_value(x);
    else if (o->kind == OPT_TEXT && json_is_null(x))
        *(const char **)o->to = NULL;
    else if (o->kind == OPT_TEXT && json_is_string(x))
        *(const char **)o->to = json_string_value(x);
    else if (o->kind == OPT_SEED && json_is_string(x))
        return store(o, json_string_value(x));
    else
        return false;
    return true;
}

/* What is a text now may have been a whole number in an older run. */
static const json_t *as_text(json_t *values, const opt *o, const json_t *x)
{
    char text[24];
    if (o->kind != OPT_TEXT || !json_is_integer(x))
        return x;
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(x));
    json_object_set_new(values, o->name, json_string(text));
    return json_object_get(values, o->name);
}

bool opts_from_json(opt *table, json_t *values, const char *path)
{
    for (opt *o = table; o->kind != OPT_END; o++) {
        const json_t *x = json_object_get(values, o->name);
        if (x == NULL || o->given)
            continue;
        x = as_text(values, o, x);
        if (!store_json(o, x)) {
            say("%s: \"%s\" is not a %s", path, o->name,
                o->kind == OPT_TEXT ? "text" : "number of the right kind");
            return false;
        }
    }
    return true;
}
