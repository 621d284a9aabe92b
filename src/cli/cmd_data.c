/* pith data check: what is in a folder of photographs, and what cannot be used. Nothing is changed or deleted. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED = 30 }; /* files that are named on a terminal; --json names all */

static const char *const bins[PITH_DATA_BINS] = { "below 16", "16-31",   "32-63",    "64-127",
                                                  "128-255",  "256-511", "512-1023", "1024 and up" };
static const char *const formats[PITH_DATA_FORMATS] = { "JPEG", "PNG", "BMP", "GIF" };

static json_t *counts_json(const int64_t *n, const char *const *names, int count)
{
    json_t *j = json_object();
    for (int i = 0; i < count; i++)
        if (n[i] > 0)
            json_object_set_new(j, names[i], json_integer((json_int_t)n[i]));
    return j;
}

static json_t *classes_json(const pith_data *d, const pith_data_report *r)
{
    json_t *classes = json_object();
    for (int k = 0; k < r->classes; k++) {
        json_t *name = json_bytes(pith_data_class_name(d, k)); /* a folder's name need not be UTF-8 */
        json_object_set_new(classes, json_string_value(name),
                            json_pack("{s:I, s:I}", "train", (json_int_t)r->count[k], "val",
                                      (json_int_t)r->count[r->classes + k]));
        json_decref(name);
    }
    return classes;
}

static json_t *report_json(const pith_data *d, const pith_data_report *r)
{
    json_t *bad = json_array();
    for (int64_t i = 0; i < r->n_bad; i++)
        json_array_append_new(bad, json_pack("{s:o, s:o}", "path", json_bytes(r->bad[i].path), "reason",
                                             json_bytes(r->bad[i].reason)));
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:I, s:b, s:f, s:o, s:o, s:o, s:o}",
                     "dir", json_bytes(r->dir), "files", (json_int_t)r->files, "usable",
                     (json_int_t)r->usable, "bad_files", (json_int_t)r->n_bad, "duplicates",
                     (json_int_t)r->duplicates, "across", (json_int_t)r->across, "conflicting",
                     (json_int_t)r->conflicting, "ignored", (json_int_t)r->ignored, "own_split", r->own_split,
                     "cache", json_bytes(r->cache), "cache_bytes", (json_int_t)r->cache_bytes, "cache_built",
                     r->built, "seconds", r->seconds, "classes", classes_json(d, r), "formats",
                     counts_json(r->format, formats, PITH_DATA_FORMATS), "short_side",
                     counts_json(r->histogram, bins, PITH_DATA_BINS), "bad", bad);
}

static void print_counts(const char *what, const int64_t *n, const char *const *names, int count)
{
    const char *between = "  ";
    printf("%s:", what);
    for (int i = 0; i < count; i++)
        if (n[i] > 0) {
            printf("%s%s: %lld", between, names[i], (long long)n[i]);
            between = ", ";
        }
    putchar('\n');
}

/* Names are anybody's bytes: what would move the cursor or colour the terminal is shown as \xNN. */
static void print_name(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            printf("\\x%02X", (unsigned char)*s);
        else
            putchar(*s);
}

static int by_reason(const void *a, const void *b)
{
    const pith_bad_file *x = a, *y = b;
    int c = strcmp(x->reason, y->reason);
    return c ? c : strcmp(x->path, y->path);
}

/* A heading for each reason, its files below, as many as a reader bears with. */
static void print_bad(const pith_data_report *r)
{
    size_t n = (size_t)r->n_bad;
    pith_bad_file *sorted = malloc(n * sizeof *sorted + 1);
    if (sorted == NULL || n == 0) {
        free(sorted);
        return;
    }
    memcpy(sorted, r->bad, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_reason);
    printf("\n%zu cannot be used and are left out (none is changed or deleted):\n", n);
    size_t shown = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && strcmp(sorted[end].reason, sorted[i].reason) == 0;)
            end++;
        printf("  %zu: ", end - i);
        print_name(sorted[i].reason);
        putchar('\n');
        for (size_t k = i; k < end && shown < LISTED; k++, shown++) {
            printf("      ");
            print_name(sorted[k].path);
            putchar('\n');
        }
    }
    if (shown < n)
        printf("  (%zu of them named; --json names all)\n", shown);
    free(sorted);
}

static void print_report(const pith_data *d, const pith_data_report *r)
{
    print_name(r->dir);
    printf(": %lld files, %lld of them usable\n\n", (long long)r->files, (long long)r->usable);
    printf("%-24s %8s %10s\n", "class", "training", "validation");
    for (int k = 0; k < r->classes; k++) {
        const char *name = pith_data_class_name(d, k);
        print_name(name);
        printf("%*s %8lld %10lld\n", strlen(name) < 24 ? 24 - (int)strlen(name) : 0, "",
               (long long)r->count[k], (long long)r->count[r->classes + k]);
    }
    printf("the split is %s\n\n", r->own_split ? "the folder's own" : "made by pith from the files' names");
    print_counts("formats, by content", r->format, formats, PITH_DATA_FORMATS);
    print_counts("short side in pixels", r->histogram, bins, PITH_DATA_BINS);
    if (r->duplicates > 0)
        printf(
            "exact duplicates:  %lld; %lld have their equal on the other side of the split, %lld in another "
            "class\n",
            (long long)r->duplicates, (long long)r->across, (long long)r->conflicting);
    if (r->ignored > 0)
        printf("passed over:  %lld (hidden files, Thumbs.db and the like, pipes and devices, links back)\n",
               (long long)r->ignored);
    printf("cache:  %s, %.1f MB, %s in %.2f s\n", r->cache, (double)r->cache_bytes / 1e6,
           r->built ? "built" : "up to date, opened", r->seconds);
    print_bad(r);
}

static bool show_decoding(void *user, int64_t done, int64_t total)
{
    progress_count(user, "decoding the photographs, once", done, total);
    return true;
}

static int run(int argc, char **argv)
{
    common k = { 0 };
    int size = 96;
    opt table[] = { INT("image-size", 0, size, "P", 8, 1024,
                        "side of the square the network sees (default 96)"),
                    COMMON_OPTS(k), OPTS_END };
    const char *operands[2];
    int n, status = opts_parse(&verb_data, table, argc, argv, operands, &n);
    if (status >= 0)
        return status;
    if (strcmp(operands[0], "check") != 0) {
        say("data: 'check' is expected, not '%s'", operands[0]);
        return EXIT_USAGE;
    }
    pith_ctx *c = open_ctx(&k);
    if (c == NULL)
        return EXIT_FAILED;
    progress_view view;
    progress_open(&view, k.quiet);
    pith_data *d = pith_data_images(
        c, operands[1],
        (pith_images_cfg){ .size = size, .max_bad = 1, .progress = show_decoding, .progress_user = &view });
    progress_close(&view);
    if (d == NULL || pith_data_verify(d) != PITH_OK)
        return failed(c);
    pith_data_report r = pith_data_get_report(d);
    if (k.json)
        print_json(report_json(d, &r));
    else
        print_report(d, &r);
    pith_ctx_free(c);
    return EXIT_DONE;
}

const verb verb_data = { "data", "check DIR: reports what a folder of photographs holds", "check DIR ", 2, 2,
                         run };
