/* report/csv.h: rows of texts and numbers (RFC 4180). */
#ifndef PITHP_REPORT_CSV_H
#define PITHP_REPORT_CSV_H

#include "base/base.h"

void pithp_csv_text(FILE *f, const char *s);
/* A row: kinds has a letter a cell, 's' for a text, 'n' for a double, whose cell is empty where it is not finite. */
void pithp_csv_cells(FILE *f, const char *kinds, ...); /* without the line's end */
void pithp_csv_row(FILE *f, const char *kinds, ...);

#endif
