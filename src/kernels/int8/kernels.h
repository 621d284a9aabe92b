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

typedef struct {
    int64_t count, c; /* positions, channels */
    int32_t zero_in, zero_out, lo, hi;
    pithp_fixed scale; /* with 1/count in it */
} pithp_imean;

/* y = clamp(rescale(a' +- b') + zero_out), a' = rescale((a - zero_a) * 2^20); mul: clamp(rescale((a-za)*(b-zb)) + zero_out). */
typedef struct {
    int32_t zero_a, zero_b, zero_out, lo, hi;
    pithp_fixed scale_a, scale_b, scale;
    bool negate_b;
} pithp_iarith;

typedef struct {
    int64_t c;
    int32_t diff_min; /* exp of less is 0 */
    int32_t exp[256]; /* exp(-d * scale * beta) in Q0 */
} pithp_isoftmax;

/* ---- The reference. `single`: rescale with one rounding -----------------------------------------------------------
   Rows p0..p1 of the result. x int8 [H,W,C]; w int8 [K,R,S,C/groups], depthwise [R,S,K]; bias int32 [K] or NULL;
   y int8 [P,Q,K]. */
void pithp_ref_iconv2d(const pithp_iconv *g, const int8_t *x, const int8_t *w, const int32_t *bias,
                       int64_t p0, int64_t p1, bool single, int8_t *y);
void pithp_ref_idepthwise(const pithp_iconv *g, const int8_t *x, const int8_t *w, const int32_t *bias,
                          int64_t p0, int64_t p1, bool single, int8_t *y);
void pithp_ref_iavgpool(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y);
void pithp_ref_imaxpool(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y);
/* Channels c0..c1 of the mean over all positions; x [count,C], y [C]. */
void pithp_ref_imean(const pithp_imean *g, const int8_t *x, int64_t c0, int64_t c1, bool single, int8_t *y);
pithp_fixed pithp_imean_factor(pithp_fixed f, int64_t count);
/* n elements; b advances by step_b: 1, or 0 for one number. */
void pithp_ref_iadd(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                    bool single, int8_t *y);
void pithp_ref_imul(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                    bool single, int8_t *y);
void pithp_ref_itable(const int8_t table[256], const int8_t *x, int64_t n, int8_t *y);
void pithp_ref_isoftmax(const pithp_isoftmax *g, const int8_t *x, int64_t rows, int8_t *y); /* [rows,C] */
void pithp_isoftmax_table(pithp_isoftmax *g, float scale, double beta); /* fills exp, diff_min */

/* Tables of functions of one int8, by running the contract's integer arithmetic on all 256. */
void pithp_table_rescale(pithp_fixed f, int32_t zero_in, int32_t zero_out, int32_t lo, int32_t hi,
                         bool single, int8_t table[256]);
void pithp_table_logistic(float scale, int32_t zero, bool single,
                          int8_t table[256]);                                     /* result: 1/256, -128 */
void pithp_table_tanh(float scale, int32_t zero, bool single, int8_t table[256]); /* result: 1/128, 0 */
/* out: S_in/128/S_out; relu: S_in/128 / (3/32768) */
void pithp_table_hard_swish(pithp_fixed out, pithp_fixed relu, int32_t zero_in, int32_t zero_out,
                            int8_t table[256]);

/* ---- One instruction set's twins: isa_*.c, through isa_table.c ------------------------------------------------------*/
typedef struct pithp_ikern {
    const char *name; /* "avx2", "avx512", "avx512vnni" */
    /* Sizes of the packed weights and of a thread's scratch memory; packs where `to` is not NULL. bytes 0: no twin for
       this layer (groups, sums that may come near 32 bits), the reference runs. `worst`: its largest absolute sum. */
    void (*conv_pack)(const pithp_iconv *g, int64_t worst, const int8_t *w, const int32_t *bias, void *to,
                      size_t *bytes, size_t *scratch);
    void (*conv_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                     void *scratch, int8_t *y);
    void (*depthwise_pack)(const pithp_iconv *g, int64_t worst, const int8_t *w, const int32_t *bias,
                           void *to, size_t *bytes, size_t *scratch);
    void (*depthwise_run)(const pithp_iconv *g, const void *pack, const int8_t *x, int64_t p0, int64_t p1,
                          void *scratch, int8_t *y);
    void (*avgpool)(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y);
    void (*maxpool)(const pithp_iconv *g, const int8_t *x, int64_t p0, int64_t p1, int8_t *y);
    void (*mean)(const pithp_imean *g, const int8_t *x, int8_t *y); /* 255*count below 2^30 */
    void (*add)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                int8_t *y);
    void (*mul)(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step_b, int64_t n,
                int8_t *y);
    void (*table)(const int8_t table[256], const int8_t *x, int64_t n, int8_t *y);
} pithp_ikern;

/* The set called `name`; NULL: the best one that this build has and the processor and the context allow. *kern is NULL for
   "base": the reference. PITH_EINVAL names what is possible. */
pith_status pithp_ikern_choose(pith_ctx *c, const char *name, const pithp_ikern **kern);

#endif
