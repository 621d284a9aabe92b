/* data/resize.h: what resize.c and its loops in resize_rows.c share. */
#ifndef PITHP_RESIZE_H
#define PITHP_RESIZE_H

#include "base/base.h"
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
void pithp_blend_rows(pithp_isa isa, const uint8_t *src, size_t stride, size_t n, int rows,
                      const pithp_taps *t, int y, int16_t *line);
/* The weighted sums of pixels of PITHP_LINES lines that lie `stride` values apart; the first `lines` of them
   are written to dst [lines,dw,3]. */
void pithp_blend_columns(pithp_isa isa, const int16_t *line, size_t stride, int lines, const pithp_taps *t,
                         int dw, uint8_t *dst);

/* The rows of one blend; `inside` of them exist, one more may stand in the weights as 0. */
typedef struct {
    const uint8_t *src;
    size_t stride;
    const int16_t *weight;
    int taps, inside;
} pithp_blend;

void pithp_blend_avx2(const pithp_blend *b, size_t n, int16_t *line); /* n at least 32 */
void pithp_columns_avx2(const int16_t *line, size_t stride, int lines, const pithp_taps *t, int dw,
                        uint8_t *dst);

#endif
