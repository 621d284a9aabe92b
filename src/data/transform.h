/* data/transform.h: what transform.c hands to its inner loop. */
#ifndef PITHP_TRANSFORM_H
#define PITHP_TRANSFORM_H

#include "data/data.h"

/* y = clamp(column[0]*r + column[1]*g + column[2]*b + offset); the fourth lane is not used. */
typedef struct {
    float column[3][4], offset[4];
} pithp_colour;

/* One row of output: pixel x is the sum over k < taps of w times the line's pixel at first[x] / 3 + k. */
typedef struct {
    int size, taps, max_taps;
    const int32_t *first;  /* [size rounded up to 4], times 3 */
    const float *w;        /* [size / P, rounded up][max_taps][P pixels][4 lanes], P pixels in a vector */
    const float *line;     /* a blended row of the crop in 1/256, with room for reading past its end */
    const pithp_colour *m; /* NULL: none */
} pithp_row;

typedef void (*pithp_row_fn)(const pithp_row *r, pith_real *out);
pithp_row_fn pithp_row_get(pithp_isa isa, int *pixels); /* *pixels: P, at most 4 */

#endif
