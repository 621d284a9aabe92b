/* kernels/int8/isa.h: what the files of one instruction set share. */
#ifndef PITHP_INT8_ISA_H
#define PITHP_INT8_ISA_H

#include "kernels/int8/vec.h"

/* A convolution's weights in panels of nv vectors of channels, each [segments][words][nv][L]. A segment is what lies
   together in the input: a row of the filter (S*C numbers), or with dilated columns one tap (C numbers). Its last word may
   reach beyond it: the weights are zero there. Made once, in a plan. */
typedef struct {
    ifactors f;
    const int32_t *w;
    int64_t segments, length, words; /* numbers and words of a segment */
    int64_t pitch, block;            /* bytes of a converted input row; flat: positions converted at a time */
    bool flat;                       /* 1x1 without strides: all positions are one row */
} ipanels;

enum { MOST_SEGMENTS = 1024 };

/* A depthwise filter, [lines][S][words down a column][positions] words: the rows that are interleaved at a time are enough
   for several rows of the result (lines); line i has its taps i*stride rows lower, zeros elsewhere. */
typedef struct {
    ifactors f;
    const int32_t *w;
    int64_t words, positions, lines;
} icolumns;

/* Vectors of the panel that begins where `left` channels are left. */
static inline int panel_nv(int64_t left)
{
    int nv = MOST_NV;
    while (nv > 1 && left <= nv / 2 * L)
        nv /= 2;
    if (nv == 4 && left <= 3 * L)
        nv = 2; /* three vectors: two and one */
    return nv;
}

size_t IKERN(factors_bytes)(int64_t positions);
bool IKERN(factors)(const pithp_iconv *g, int64_t worst, const int32_t *start, const int32_t *chan,
                    int64_t positions, uint8_t *to, ifactors *f);

void IKERN(conv_pack)(const pithp_iconv *g, int64_t worst, const int8_t *w, const int32_t *bias, void *to,
                      size_t *bytes, size_t *scratch);
void IKERN(conv_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                     void *scratch, int8_t *y);
void IKERN(depthwise_pack)(const pithp_iconv *g, int64_t worst, const int8_t *w, const int32_t *bias,
                           void *to, size_t *bytes, size_t *scratch);
void IKERN(depthwise_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                          void *scratch, int8_t *y);
void IKERN(avgpool)(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y);
void IKERN(maxpool)(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y);
void IKERN(mean)(const pithp_imean *g, const int8_t *x, int8_t *y);
void IKERN(add)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                int8_t *y);
void IKERN(mul)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                int8_t *y);
void IKERN(table)(const int8_t table[256], const int8_t *x, int64_t n, int8_t *y);

#endif
