/* pith data check: what is in a folder of photographs, and what cannot be used. Nothing is changed or deleted. */
#include "cli/cli.h"

#include <string.h>

static json_t *report_json(const pith_data *d, const pith_data_report *r)
{
    json_t *bad = json_array(), *classes = json_object();
    for (int64_t i = 0; i < r->n_bad; i++)
        json_array_append_new(
            bad, json_pack("{s:o, s:s}", "path", json_bytes(r->bad[i].path), "reason", r->bad[i].reason));
    for (int k = 0; k < r->classes; k++)
        json_object_set_new(classes, pith_data_class_name(d, k),
                            json_pack("{s:I, s:I}", "train", (json_int_t)r->count[k], "val",
                                      (json_int_t)r->count[r->classes + k]));
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:I, s:f, s:o, s:o}", "dir",
                     json_bytes(r->dir), "files", (json_int_t)r->files, "usable", (json_int_t)r->usable,
                     "bad_files", (json_int_t)r->n_bad, "duplicates", (json_int_t)r->duplicates, "across",
                     (json_int_t)r->across, "conflicting", (json_int_t)r->conflicting, "ignored",
                     (json_int_t)r->ignored, "own_split", r->own_split, "cache", json_bytes(r->cache),
                     "cache_bytes", (json_int_t)r->cache_bytes, "seconds", r->seconds, "classes", classes,
                     "bad", bad);
}

static void print_histogram(const pith_data_report *r)
{
    static const char *const bins[PITH_DATA_BINS] = { "below 16", "16-31",   "32-63",    "64-127",
                                                      "128-255",  "256-511", "512-1023", "1024 and up" };
    static const char *const formats[PITH_DATA_FORMATS] = { "JPEG", "PNG", "BMP", "GIF" };
    printf("\nshort side of the originals:");
    for (int i = 0; i < PITH_DATA_BINS; i++)
        if (r->histogram[i] > 0)
            printf("  %s: %lld", bins[i], (long long)r->histogram[i]);
    printf("\nformats, by content:");
    for (int i = 0; i < PITH_DATA_FORMATS; i++)
        if (r->format[i] > 0)
            printf("  %s: %lld", formats[i], (long long)r->format[i]);
    putchar('\n');
}

static void print_report(const pith_data *d, const pith_data_report *r)
{
    printf("%s: %lld files, %lld usable, %lld not; %lld passed over\n\n", r->dir, (long long)r->files,
           (long long)r->usable, (long long)r->n_bad, (long long)r->ignored);
    printf("%-24s %8s %10s\n", "class", "training", "validation");
    for (int k = 0; k < r->classes; k++)
        printf("%-24.24s %8lld %10lld\n", pith_data_class_name(d, k), (long long)r->count[k],
               (long long)r->count[r->classes + k]);
    printf("\nthe split is %s\n", r->own_split ? "the folder's own" : "made by pith from the files' names");
    if (r->duplicates > 0)
        printf("%lld exact duplicates; %lld have their equal on the other side of the split, %lld in another "
               "class\n",
               (long long)r->duplicates, (long long)r->across, (long long)r->conflicting);
    print_histogram(r);
    printf("cache: %s, %.1f MB, %s in %.2f s\n", r->cache, (double)r->cache_bytes / 1e6,
           r->built ? "built" : "up to date, opened", r->seconds);
    for (int64_t i = 0; i < r->n_bad; i++)
        printf("%s%s: %s\n", i == 0 ? "\ncannot be used:\n" : "", r->bad[i].path, r->bad[i].reason);
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
    pith_data *d =
        pith_data_images(c, operands[1], (pith_images_cfg){ .size = size, .max_bad = 1, .progress = NULL });
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
