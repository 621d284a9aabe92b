/* kernels/float/isa_table.c: the table of one instruction set's row kernels. */
#include "kernels/float/isa.h"
#include "kernels/float/vec.h"

#define STR2(x) #x
#define STR(x)  STR2(x)

extern const pithp_kern KERN(kern);
const pithp_kern KERN(kern) = {
    .isa = STR(PITHP_ISA),
    .lanes = LANES,
    .dw_row = KERN(dw_row),
    .dw_row_dx = KERN(dw_row_dx),
    .dw_row_dw = KERN(dw_row_dw),
    .col_sum = KERN(col_sum),
    .col_sq = KERN(col_sq),
    .col_moments = KERN(col_moments),
    .gemm = KERN(gemm),
    .gemm_pack = KERN(gemm_pack),
    .affine_act = KERN(affine_act),
    .row_sums = KERN(row_sums),
    .bn_reduce = KERN(bn_reduce),
    .bn_dy = KERN(bn_dy),
    .unary = KERN(unary),
    .unary_grad = KERN(unary_grad),
    .binary = KERN(binary),
    .axpy = KERN(axpy),
    .stream = KERN(stream),
    .sum = KERN(sum),
    .dot = KERN(dot),
    .fq = KERN(fq),
    .affine_fq = KERN(affine_fq),
    .fq_grad = KERN(fq_grad),
    .fq_scale_grad = KERN(fq_scale_grad),
    .affine_fq_scale_grad = KERN(affine_fq_scale_grad),
    .minmax = KERN(minmax),
    .sgd = KERN(sgd),
    .mask = KERN(mask),
    .adamw = KERN(adamw),
    .rmsprop = KERN(rmsprop),
};
