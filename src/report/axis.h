/* report/axis.h: from values to positions on paper, and where the ticks stand. */
#ifndef PITHP_AXIS_H
#define PITHP_AXIS_H

#include "base/base.h"

enum { PITHP_AXIS_TICKS = 64 };

typedef struct {
    bool log;
    double low, high; /* of the axis; of a logarithmic one: log10 of them */
    double at, span;  /* pixels: of low, and from low to high (negative: upwards) */
    int n_ticks;
    struct {
        double value, position;
        bool minor; /* without a number */
        char text[24];
    } tick[PITHP_AXIS_TICKS];
} pithp_axis;

/* False: the value has no place on this axis (not finite; not positive on a logarithmic one). */
bool pithp_axis_place(const pithp_axis *a, double value, double *position);
/* Widens [low, high] to hold the value, if it has a place. Begin with low = inf, high = -inf. */
void pithp_axis_take(pithp_axis *a, double value);
/* Range, position and ticks, about `wanted` of them; the range grows to round numbers where `rounded`. */
void pithp_axis_set(pithp_axis *a, double at, double span, int wanted, bool rounded);

#endif
