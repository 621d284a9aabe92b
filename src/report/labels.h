/* report/labels.h: names beside points, that do not run into each other. */
#ifndef PITHP_REPORT_LABELS_H
#define PITHP_REPORT_LABELS_H

#include "base/base.h"

/* In: where the point stands, how wide and high its name is, whether it has to be shown, and whether above is best (a line leaves the
   point to the right).
   Out: its name's left and top edge; shown false: there was no room. */
typedef struct {
    double x, y, width, height;
    bool must, above, shown;
    double left, top;
} pithp_label;

/* Places labels [n] within the box, earlier ones first; radius: of the points' signs. None covers another or a point; one that
   must be shown and finds no such place takes the least bad. */
void pithp_labels_place(pithp_label *label, int n, double radius, double left, double top, double right,
                        double bottom);

/* Moves values [n], ascending, apart to at least `gap`, within [low, high] where there is room, as little as it can. */
void pithp_labels_spread(double *y, int n, double gap, double low, double high);

#endif
