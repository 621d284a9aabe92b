/* report/sheet.h: a picture in SVG: where it lies on the paper, its axes, its text. */
#ifndef PITHP_REPORT_SHEET_H
#define PITHP_REPORT_SHEET_H

#include "report/axis.h"

typedef struct {
    FILE *f;
    const char *x_label, *y_label; /* NULL: none */
    pithp_axis x, y;
    double left, top, right, bottom; /* of the drawing area */
} pithp_sheet;

/* Text for XML and HTML, in quoted attributes too. Bytes that are no UTF-8, and control characters, become '?'. */
void pithp_xml_text(FILE *f, const char *s);
/* anchor: "start", "middle" or "end". */
void pithp_text_at(FILE *f, double x, double y, const char *class, const char *anchor, const char *s);
/* About as wide as a sans serif writes it. */
double pithp_text_width(const char *s, double size);

/* Sets both axes, whose ranges are known, on paper of width x height, leaving head above and tail on the right. */
void pithp_sheet_lay(pithp_sheet *s, double width, double height, double head, double tail);
/* Grid, axes, ticks, numbers and labels. */
void pithp_sheet_axes(const pithp_sheet *s);

#endif
