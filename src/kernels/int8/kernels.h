/* kernels/int8/kernels.h: the integer kernels. Those of ref/ are scalar and define the result; their twins in isa_*.c,
   compiled once for each instruction set, give the same bytes. All work on one sample; `row` ranges let a caller cut an op
   into tiles. Shapes: H W C of the input, P Q K rows, columns and channels of the result, R S rows and columns of the
   filter. */
#ifndef PITHP_INT8_KERNELS_H
#define PITHP_INT8_KERNELS_H

#include "kernels/int8/fixed.h"

/* A convolution, depthwise convolution or pooling over one sample. */
typedef struct {
    int64_t h, w, c, p, q, k;          /* input [h,w,c], result [p,q,k] */
    int64_t r, s;                      /* filter rows and columns */
    int64_t stride[2], dilation[2];    /* rows, columns */
    int64_t pad[2];                    /* rows above, columns to the left */
    int64_t groups;                    /* of a convolution; depthwise: c, with k/c filters each */
    int32_t zero_in, zero_out, lo, hi; /* zero points; bounds of the result */
    const pithp_fixed *scale;          /* [k] */
} pithp_iconv;

/* The contract's rescaling, or the one with a single rounding. */
static inline int32_t pithp_iscale(int32_t x, pithp_fixed f, bool single)
{
    return single ? pithp_rescale_single(x, f) : pithp_rescale(x, f);
}

/* `single`: the rescaling with one rounding. Rows p0..p1 of the result.
   x int8 [H,W,C]; w int8 [K,R,S,C/groups]; bias int32 [K] or NULL; y int8 [P,Q,K]. */
void pithp_ref_iconv2d(const pithp_iconv *g, const int8_t *x, const int8_t *w, const int32_t *bias,
                       int64_t p0, int64_t p1, bool single, int8_t *y);

/* ---- One instruction set's twins: isa_*.c, through isa_table.c ------------------------------------------------------*/
typedef struct pithp_ikern {
    const char *name; /* "base", "avx2", "avx512", "avx512vnni" */
} pithp_ikern;

/* The set called `name`; NULL: the best one that this build has and the processor and the context allow. PITH_EINVAL names
   what is possible. */
pith_status pithp_ikern_choose(pith_ctx *c, const char *name, const pithp_ikern **kern);

#endif
