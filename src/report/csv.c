/* report/csv.c: columns of numbers as a file that every spreadsheet opens (RFC 4180, a header line). */
#include "base/base.h"

#include <math.h>
#include <pith/report.h>
#include <stdlib.h>
#include <string.h>

static void put_name(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++)
        fputs(*s == '"' ? "\"\"" : (char[2]){ *s, 0 }, f);
    fputc('"', f);
}

static void put_rows(FILE *f, const pith_column *column, int n_columns, int64_t n)
{
    for (int k = 0; k < n_columns; k++) {
        put_name(f, column[k].name);
        fputs(k + 1 < n_columns ? "," : "\r\n", f);
    }
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < n_columns; k++) {
            double v =
                ((const double *)(const void *)((const char *)column[k].values + i * column[k].stride))[0];
            if (isfinite(v))
                fprintf(f, "%.9g", v); /* else an empty cell */
            fputs(k + 1 < n_columns ? "," : "\r\n", f);
        }
}

pith_status pith_csv_save(pith_ctx *c, const char *path, const pith_column *column, int n_columns, int64_t n)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    bool good = f != NULL;
    if (good) {
        put_rows(f, column, n_columns, n);
        good = !ferror(f);
        good = fclose(f) == 0 && good;
    }
    pith_status e = good ? pithp_file_write(c, path, text, bytes) : pithp_nomem(c, "a table");
    free(text);
    return e;
}
