/* kernels/float/isa.h: the row kernels' names. Each isa_*.c is compiled once per instruction set with PITHP_ISA
   set to base, avx2 or avx512; KERN mangles the names. */
#ifndef PITHP_ISA_H
#define PITHP_ISA_H

#include "kernels/float/kernels.h"

#ifndef PITHP_ISA
#define PITHP_ISA base
#endif

#define PITHP_CAT3(a, b) a##b
#define PITHP_CAT2(a, b) PITHP_CAT3(a, b)
#define KERN(name)       PITHP_CAT2(pithp_##name##_, PITHP_ISA)

void KERN(dw_row)(const pithp_conv *g, const pith_real *x, const pith_real *w, int64_t orow, pith_real *y);
void KERN(dw_row_dx)(const pithp_conv *g, const pith_real *dy, int64_t p0, int64_t p1, const pith_real *w,
                     int64_t irow, pith_real *dx, bool add);
void KERN(dw_row_dw)(const pithp_conv *g, const pith_real *x, const pith_real *dy, int64_t orow,
                     pith_real *dw);

void KERN(col_sum)(const pith_real *x, int64_t rows, int64_t c, pith_real *sum);
void KERN(col_sq)(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *sq);
void KERN(affine_act)(const pith_real *x, const pith_real *scale, const pith_real *shift,
                      const pith_real *res, bool res_first, pithp_act act, int64_t rows, int64_t c,
                      pith_real *y);
void KERN(row_sums)(const pith_real *x, int64_t rows, int64_t step, int64_t c, double *sum);
void KERN(bn_reduce)(const pith_real *dz, const pith_real *y, const pith_real *scale, const pith_real *shift,
                     const pith_real *mean, pithp_act act, int64_t rows, int64_t c, pith_real *s1,
                     pith_real *s2, pith_real *u);
void KERN(bn_dy)(const pith_real *dz, const pith_real *y, const pith_real *scale, const pith_real *shift,
                 const pith_real *a, const pith_real *b, const pith_real *d, pithp_act act, int64_t rows,
                 int64_t c, pith_real *dy, bool add);

void KERN(unary)(pithp_unary f, const pith_real *x, int64_t n, pith_real p0, pith_real p1, pith_real *y);
void KERN(unary_grad)(pithp_unary f, const pith_real *x, const pith_real *y, const pith_real *dy, int64_t n,
                      pith_real p0, pith_real p1, pith_real *dx, bool add);
void KERN(binary)(pithp_binary f, const pith_real *a, int sa, const pith_real *b, int sb, int64_t n,
                  pith_real *y);
void KERN(stream)(const pith_real *x, int64_t n, pith_real *y);
void KERN(axpy)(pith_real alpha, const pith_real *x, int64_t n, pith_real *y);
pith_real KERN(sum)(const pith_real *x, int64_t n);
pith_real KERN(dot)(const pith_real *a, const pith_real *b, int64_t n);

void KERN(gemm)(int64_t m, int64_t n, int64_t k, const pith_real *a, int64_t ars, int64_t acs,
                const pith_real *b, int64_t ldb, bool add, pith_real *c, int64_t ldc);
void KERN(gemm_pack)(bool tb, int64_t n, int64_t k, const pith_real *b, int64_t ldb, pith_real *out);
void KERN(col_moments)(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *s1,
                       pith_real *s2);

void KERN(fq)(const pith_real *x, int64_t n, pith_real s, pith_real lo, pith_real hi, pith_real t,
              pith_real *y);
void KERN(affine_fq)(const pith_real *x, const pith_real *scale, const pith_real *shift, pithp_act act,
                     int64_t rows, int64_t c, pith_real s, pith_real lo, pith_real hi, pith_real *y,
                     pith_real *least, pith_real *most);
void KERN(fq_grad)(const pith_real *x, const pith_real *dy, int64_t n, pith_real s, pith_real lo,
                   pith_real hi, pith_real *dx, bool add);
double KERN(fq_scale_grad)(const pith_real *x, const pith_real *dy, int64_t n, pith_real s, pith_real lo,
                           pith_real hi);
double KERN(affine_fq_scale_grad)(const pith_real *x, const pith_real *dy, const pith_real *scale,
                                  const pith_real *shift, pithp_act act, int64_t rows, int64_t c, pith_real s,
                                  pith_real lo, pith_real hi);
void KERN(minmax)(const pith_real *x, int64_t n, pith_real *lo, pith_real *hi);

void KERN(sgd)(pith_real *w, pith_real *g, pith_real *m, pith_real *ema, int64_t n, pith_real lr,
               pith_real mu, pith_real wd, bool nesterov, pith_real gscale, pith_real ema_decay);
void KERN(adamw)(pith_real *w, pith_real *g, pith_real *m, pith_real *v, pith_real *ema, int64_t n,
                 pith_real lr, pith_real b1, pith_real b2, pith_real eps, pith_real wd, pith_real c1,
                 pith_real c2, pith_real gscale, pith_real ema_decay);
void KERN(rmsprop)(pith_real *w, pith_real *g, pith_real *m, pith_real *v, pith_real *ema, int64_t n,
                   pith_real lr, pith_real mu, pith_real rho, pith_real eps, pith_real wd, pith_real gscale,
                   pith_real ema_decay);
void KERN(mask)(const uint8_t *keep, pith_real *x, int64_t n);

#endif
