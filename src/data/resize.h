/* data/resize.h: what resize.c and its loops in resize_rows.c share. */
#ifndef PITHP_RESIZE_H
#define PITHP_RESIZE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PITHP_TAP_BITS = 14,  /* weights add up to 2^14 */
    PITHP_KEEP_BITS = 6,  /* fractional bits kept between the two passes: at most 2^15 with the overshoot */
    PITHP_LINES = 4,      /* lines whose columns are blended at a time */
    PITHP_LINE_SPARE = 16 /* values behind a blended line that may be read, and count nothing */
};

/* Which samples of an axis make each of the new ones. The number of weights is even: a last one of 0 may
   stand for a sample behind the end. */
typedef struct {
    int32_t *first, *n;
    int16_t *weight; /* [new][max] */
    int max;
} pithp_taps;

/* The weighted sum of rows for new row y: line [n] in units of 2^-PITHP_KEEP_BITS. src has `rows` rows. */
void pithp_blend_rows(const uint8_t *src, size_t stride, size_t n, int rows, const pithp_taps *t, int y,
                      int16_t *line);
/* The weighted sums of pixels of PITHP_LINES lines that lie `stride` values apart; the first `lines` of them
   are written to dst [lines,dw,3]. */
void pithp_blend_columns(const int16_t *line, size_t stride, int lines, const pithp_taps *t, int dw,
                         uint8_t *dst);

#endif
