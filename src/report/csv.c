/* report/csv.c: columns of numbers as a file that every spreadsheet opens (RFC 4180, a header line). */
#include "report/csv.h"

#include <math.h>
#include <pith/report.h>
#include <stdlib.h>
#include <string.h>

void pithp_csv_text(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++)
        fputs(*s == '"' ? "\"\"" : (char[2]){ *s, 0 }, f);
    fputc('"', f);
}

static void put_rows(FILE *f, const pith_column *column, int n_columns, int64_t n)
{
    for (int k = 0; k < n_columns; k++) {
        pithp_csv_text(f, column[k].name);
        fputs(k + 1 < n_columns ? "," : "\r\n", f);
    }
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < n_columns; k++) {
            double v =
                ((const double *)(const void *)((const char *)column[k].values + i * column[k].stride))[0];
            if (isfinite(v)) /* else an empty cell */
                fprintf(f, "%.12g", v);
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

static void cells(FILE *f, const char *kinds, va_list ap)
{
    for (const char *k = kinds; *k; k++) {
        if (*k == 's') {
            pithp_csv_text(f, va_arg(ap, const char *));
        } else {
            double v = va_arg(ap, double);
            if (isfinite(v))
                fprintf(f, "%.12g", v);
        }
        fputs(k[1] ? "," : "", f);
    }
}

void pithp_csv_cells(FILE *f, const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    cells(f, kinds, ap);
    va_end(ap);
}

void pithp_csv_row(FILE *f, const char *kinds, ...)
{
    va_list ap;
    if (f == NULL) /* memory ran out; the context says so */
        return;
    va_start(ap, kinds);
    cells(f, kinds, ap);
    va_end(ap);
    fputs("\r\n", f);
}
