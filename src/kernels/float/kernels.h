/* kernels/float/kernels.h: floor 1. Loops on raw pointers, float32 (double in the check library).
   Letters: N samples, H W rows and columns of the input, P Q rows and columns of the output, C input channels,
   K output channels, R S kernel rows and columns.

   Two layers. A *driver* (pithp_conv_forward, ...) cuts the work into tiles of a size that depends on shapes alone and
   gives each to one thread, so results do not depend on the number of threads; partial sums lie in PITHP_SLOTS slots
   that are added in order. A *row kernel* (struct pithp_kern) is the inner loop, compiled once per instruction set.

   Nothing here fails, allocates or checks: the plan has done that. Scratch comes from the caller, its size from the
   matching _scratch function, which never shrinks when N grows. */
#ifndef PITHP_KERNELS_H
#define PITHP_KERNELS_H

#include "base/base.h"

#define PITHP_SLOTS 16

typedef enum {
    PITHP_ACT_NONE = 0,
    PITHP_ACT_RELU,
    PITHP_ACT_RELU6,
    PITHP_ACT_SILU,
    PITHP_ACT_SIGMOID,
    PITHP_ACT_HARD_SWISH,
    PITHP_ACT_HARD_SIGMOID,
    PITHP_ACT_COUNT
} pithp_act;

/* Elementwise functions of one operand. Backward: dx = dy * f'(x), or from y where that is cheaper (kernels say). */
typedef enum {
    PITHP_U_RELU,
    PITHP_U_RELU6,
    PITHP_U_SILU,
    PITHP_U_SIGMOID,
    PITHP_U_TANH,
    PITHP_U_HARD_SWISH,
    PITHP_U_HARD_SIGMOID,
    PITHP_U_LEAKY_RELU, /* x > 0 ? x : p0 * x */
    PITHP_U_SQUARE,
    PITHP_U_SQRT,
    PITHP_U_EXP,
    PITHP_U_LOG,
    PITHP_U_ABS,
    PITHP_U_CLIP,  /* p0 <= y <= p1; gradient 1 inside and on the borders */
    PITHP_U_SCALE, /* y = p0 * x + p1 */
    PITHP_U_COUNT
} pithp_unary;

typedef enum { PITHP_B_ADD, PITHP_B_SUB, PITHP_B_MUL, PITHP_B_DIV, PITHP_B_COUNT } pithp_binary;

/* Geometry of a convolution; x [N,H,W,C], w [K,R,S,C/groups], y [N,P,Q,K]. depthwise: groups == C == K and
   w [1,R,S,C]; without it even as many groups as channels have weights [K,R,S,1].
   pt, pl: zero rows above and zero columns left of the input; what lies below and right follows from P and Q. */
typedef struct {
    int64_t n, h, w, c, p, q, k, r, s;
    int64_t stride_h, stride_w, dil_h, dil_w, pt, pl, groups;
    bool depthwise;
} pithp_conv;

/* The table of row kernels of one instruction set. All pointers may be unaligned; n, c >= 0 of any value. */
typedef struct pithp_kern {
    const char *isa;
    int lanes; /* pith_reals in a vector */

    /* Depthwise, one output row: y[q, 0..c) for q in 0..Q of row `orow`, from x: the sample's input [H,W,C].
       Rows and columns outside the input count as zero. */
    void (*dw_row)(const pithp_conv *g, const pith_real *x, const pith_real *w, int64_t orow, pith_real *y);
    /* Depthwise gradient of one input row: dx[W,C] of row `irow`; dy(p) = dy + (p - p0) * Q*C is output row p's
       gradient, for the rows p0 <= p < p1 that the caller holds (all that reach irow). add: dx += instead of =. */
    void (*dw_row_dx)(const pithp_conv *g, const pith_real *dy, int64_t p0, int64_t p1, const pith_real *w,
                      int64_t irow, pith_real *dx, bool add);
    /* Depthwise gradient of the weights from one output row: dw[R,S,C] += dy[Q,C] (x) x. */
    void (*dw_row_dw)(const pithp_conv *g, const pith_real *x, const pith_real *dy, int64_t orow,
                      pith_real *dw);

    /* Per-channel sums over rows of [rows,C]: sum[c] += x, in one pass. */
    void (*col_sum)(const pith_real *x, int64_t rows, int64_t c, pith_real *sum);
    /* The same in double, row after row, of rows that lie `step` apart: sum[c] += x. */
    void (*row_sums)(const pith_real *x, int64_t rows, int64_t step, int64_t c, double *sum);
    /* sq[c] += (x - centre[c])^2. */
    void (*col_sq)(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *sq);
    /* Both in one pass: s1[c] += x - centre[c], s2[c] += (x - centre[c])^2. */
    void (*col_moments)(const pith_real *x, const pith_real *centre, int64_t rows, int64_t c, pith_real *s1,
                        pith_real *s2);

    /* C[m,n] (+)= A B for a narrow B: A(i,l) is a[i*ars + l*acs], where ars or acs is 1 (so A may be given
       transposed); B(l,j) is b[l*ldb + j], or b was filled by gemm_pack, then ldb is 0. */
    void (*gemm)(int64_t m, int64_t n, int64_t k, const pith_real *a, int64_t ars, int64_t acs,
                 const pith_real *b, int64_t ldb, bool add, pith_real *c, int64_t ldc);
    /* B [k,n] (tb: given as [n,k]) for gemm; out holds k * (n rounded up to whole vectors). */
    void (*gemm_pack)(bool tb, int64_t n, int64_t k, const pith_real *b, int64_t ldb, pith_real *out);

    /* y = act(scale[c] * x + shift[c]) (+ res, when not NULL, before act when res_first else after), x may equal y. */
    void (*affine_act)(const pith_real *x, const pith_real *scale, const pith_real *shift,
                       const pith_real *res, bool res_first, pithp_act act, int64_t rows, int64_t c,
                       pith_real *y);
    /* With v = dz * act'(scale[c]*y + shift[c]) : s1[c] += v, s2[c] += v * (y - mean[c]); u = v where u is not NULL (it may
       be dz). */
    void (*bn_reduce)(const pith_real *dz, const pith_real *y, const pith_real *scale, const pith_real *shift,
                      const pith_real *mean, pithp_act act, int64_t rows, int64_t c, pith_real *s1,
                      pith_real *s2, pith_real *u);
    /* dy = a[c] * v + b[c] * y + d[c], v as above. add: dy +=. dy may equal dz. */
    void (*bn_dy)(const pith_real *dz, const pith_real *y, const pith_real *scale, const pith_real *shift,
                  const pith_real *a, const pith_real *b, const pith_real *d, pithp_act act, int64_t rows,
                  int64_t c, pith_real *dy, bool add);

    void (*unary)(pithp_unary f, const pith_real *x, int64_t n, pith_real p0, pith_real p1, pith_real *y);
    /* dx (+)= dy * f'(x); y = f(x) is given too. */
    void (*unary_grad)(pithp_unary f, const pith_real *x, const pith_real *y, const pith_real *dy, int64_t n,
                       pith_real p0, pith_real p1, pith_real *dx, bool add);
    /* y = a (op) b on n elements; sa, sb: 1 for a vector, 0 for one value used throughout. */
    void (*binary)(pithp_binary f, const pith_real *a, int sa, const pith_real *b, int sb, int64_t n,
                   pith_real *y);
    void (*axpy)(pith_real alpha, const pith_real *x, int64_t n, pith_real *y); /* y += alpha * x */
    /* y = x past the caches: for results so large that they would leave them before anyone reads them. Saves fetching the
       lines that are overwritten: two to four times as fast as plain stores to memory. */
    void (*stream)(const pith_real *x, int64_t n, pith_real *y);
    pith_real (*sum)(const pith_real *x, int64_t n);
    pith_real (*dot)(const pith_real *a, const pith_real *b, int64_t n);

    /* Fake quantization of n elements that share a scale: y = t * round(clamp(x/s, lo, hi)), halves away from zero; lo and
       hi are whole numbers below 2^16 in size; t is s, or 1 for the whole numbers. grad: dx (+)= dy where the rounded
       value was not clamped, else 0. scale_grad: sum of dy * (round(v) - v inside, the bound outside), v = x/s. */
    void (*fq)(const pith_real *x, int64_t n, pith_real s, pith_real lo, pith_real hi, pith_real t,
               pith_real *y);
    /* The same with t = s of act(scale[c]*x + shift[c]) on [rows,C] (scale NULL: 1; act a clamp or none), whose least and
       greatest value lower *least and raise *most. */
    void (*affine_fq)(const pith_real *x, const pith_real *scale, const pith_real *shift, pithp_act act,
                      int64_t rows, int64_t c, pith_real s, pith_real lo, pith_real hi, pith_real *y,
                      pith_real *least, pith_real *most);
    void (*fq_grad)(const pith_real *x, const pith_real *dy, int64_t n, pith_real s, pith_real lo,
                    pith_real hi, pith_real *dx, bool add);
    double (*fq_scale_grad)(const pith_real *x, const pith_real *dy, int64_t n, pith_real s, pith_real lo,
                            pith_real hi);
    /* The same of act(scale[c]*x + shift[c]) on [rows,C], as in affine_fq. */
    double (*affine_fq_scale_grad)(const pith_real *x, const pith_real *dy, const pith_real *scale,
                                   const pith_real *shift, pithp_act act, int64_t rows, int64_t c,
                                   pith_real s, pith_real lo, pith_real hi);
    /* Lowers *lo and raises *hi to hold all n; NaN is passed over. */
    void (*minmax)(const pith_real *x, int64_t n, pith_real *lo, pith_real *hi);

    /* SGD with momentum: m = mu*m + g + wd*w; w -= lr * (nesterov ? g + wd*w + mu*m : m); g = 0; if ema: e += (1-d)*(w-e).
       g is first multiplied by gscale (clipping). */
    void (*sgd)(pith_real *w, pith_real *g, pith_real *m, pith_real *ema, int64_t n, pith_real lr,
                pith_real mu, pith_real wd, bool nesterov, pith_real gscale, pith_real ema_decay);
    /* AdamW; c1 = 1-beta1^t, c2 = 1-beta2^t: v, m updated; w -= lr*(m/c1/(sqrt(v/c2)+eps) + wd*w); g = 0; ema. */
    void (*adamw)(pith_real *w, pith_real *g, pith_real *m, pith_real *v, pith_real *ema, int64_t n,
                  pith_real lr, pith_real b1, pith_real b2, pith_real eps, pith_real wd, pith_real c1,
                  pith_real c2, pith_real gscale, pith_real ema_decay);
    /* RMSProp as TensorFlow has it: h = g + wd*w; v = rho*v + (1-rho)*h*h; m = mu*m + lr*h/sqrt(v + eps); w -= m; g = 0;
       ema. */
    void (*rmsprop)(pith_real *w, pith_real *g, pith_real *m, pith_real *v, pith_real *ema, int64_t n,
                    pith_real lr, pith_real mu, pith_real rho, pith_real eps, pith_real wd, pith_real gscale,
                    pith_real ema_decay);
    /* x = 0 where keep is 0, whatever x was. */
    void (*mask)(const uint8_t *keep, pith_real *x, int64_t n);
} pithp_kern;

const pithp_kern *pithp_kern_get(pithp_isa isa); /* never NULL: falls back to the base set */

/* What a driver runs with. */
typedef struct {
    int threads;
    const pithp_kern *k;
    const pithp_blas *blas;
    size_t
        stream_from; /* results of so many bytes go past the caches; 0: PITHP_STREAM_FROM. Never changes a bit */
} pithp_env;
#define PITHP_STREAM_FROM ((size_t)6 << 20)

/* ---- Elementwise in parallel -------------------------------------------------------------------------------- */
void pithp_run_unary(const pithp_env *e, pithp_unary f, const pith_real *x, int64_t n, pith_real p0,
                     pith_real p1, pith_real *y);
void pithp_run_unary_grad(const pithp_env *e, pithp_unary f, const pith_real *x, const pith_real *y,
                          const pith_real *dy, int64_t n, pith_real p0, pith_real p1, pith_real *dx,
                          bool add);
void pithp_run_binary(const pithp_env *e, pithp_binary f, const pith_real *a, int sa, const pith_real *b,
                      int sb, int64_t n, pith_real *y);
void pithp_run_axpy(const pithp_env *e, pith_real alpha, const pith_real *x, int64_t n, pith_real *y);
double pithp_run_sum(const pithp_env *e, const pith_real *x,
                     int64_t n); /* fixed blocks, added in double, in order */

/* C[m,n] = op(A) op(B) + beta C (row-major, beta 0 or 1), cut into row tiles; when m is small and k large (weight
   gradients) into k-slots added in order, for which scratch is used. */
size_t pithp_gemm_scratch(int64_t m, int64_t n, int64_t k);
void pithp_run_gemm(const pithp_env *e, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const pith_real *a,
                    const pith_real *b, pith_real beta, pith_real *c, void *scratch);

/* ---- Batch normalisation ------------------------------------------------------------------------------------
   Rows are N*P*Q, channels C. Statistics: per tile a mean and a centred sum of squares, merged in order in double
   (Chan, Golub, LeVeque 1979): exact even where the mean is large. var is the biased (1/rows) variance. */
size_t pithp_bn_scratch(int64_t rows, int64_t c);
void pithp_bn_stats(const pithp_env *e, const pith_real *x, int64_t rows, int64_t c, pith_real *mean,
                    pith_real *var, void *scratch);
void pithp_affine_act(const pithp_env *e, const pith_real *x, const pith_real *scale, const pith_real *shift,
                      const pith_real *res, bool res_first, pithp_act act, int64_t rows, int64_t c,
                      pith_real *y);
/* A learned scale s behind it: fake quantization of act(scale[c]*y + shift[c]); sum: its gradient, as fq_scale_grad has it. */
typedef struct {
    const pith_real *scale, *shift; /* [C], or NULL */
    pithp_act act;
    pith_real s, lo, hi;
    double sum;
} pithp_learned;
/* s1[c] = sum u, s2[c] = sum u * (y - mean); learned, if not NULL, gets its sum while y is in the cache. */
void pithp_bn_reduce(const pithp_env *e, const pith_real *dz, const pith_real *y, const pith_real *scale,
                     const pith_real *shift, const pith_real *mean, pithp_act act, int64_t rows, int64_t c,
                     pith_real *s1, pith_real *s2, pithp_learned *learned, void *scratch);
void pithp_bn_dy(const pithp_env *e, const pith_real *dz, const pith_real *y, const pith_real *scale,
                 const pith_real *shift, const pith_real *a, const pith_real *b, const pith_real *d,
                 pithp_act act, int64_t rows, int64_t c, pith_real *dy, bool add);

/* ---- Convolution, any groups; depthwise has kernels of its own ---------------------------- */
/* What is done to x as it is loaded: x' = act(scale[c]*x + shift[c]), never stored; scale NULL: nothing. So the layer
   before need not normalise, and its raw outputs are all that is kept. Only where pithp_conv_loads says so. */
typedef struct {
    const pith_real *scale, *shift; /* [C] */
    pithp_act act;
} pithp_x_src;

bool pithp_conv_loads(const pithp_conv *g); /* depthwise, and 1x1 with stride 1 */

typedef struct {
    pithp_conv g;
    const pith_real *x, *w, *bias; /* bias [K] or NULL */
    pith_real *y;
    pith_real *mean,
        *var; /* [K] batch statistics of y (after bias), taken while y's tile is in cache; or NULL */
    const pith_real *scale,
        *shift; /* [K]: y = act(scale*y + shift) in the epilogue; or NULL (then act applies alone) */
    pithp_act act;
    void *scratch;
    pithp_x_src load;
    const pith_real *packed; /* w as pithp_conv_pack laid it out; NULL: done at every call */
} pithp_conv_fwd;

/* Weights packed once for many calls: reals of memory (0: this convolution takes them as they lie), and the packing. */
int64_t pithp_conv_packed(const pithp_conv *g);
void pithp_conv_pack(const pithp_env *e, const pithp_conv *g, const pith_real *w, pith_real *packed);

size_t pithp_conv_fwd_scratch(const pithp_conv *g, int threads);
void pithp_conv_forward(const pithp_env *e, const pithp_conv_fwd *a);

/* Where dL/dy comes from: dy itself, or computed tile by tile from dz and y: dy = a[k]*u + b[k]*y + d[k] with
   u = dz * act'(scale[k]*y + shift[k]) (batch norm's and the activation's backward, never stored). */
typedef struct {
    const pith_real *dy;
    const pith_real *dz, *y, *scale, *shift, *a, *b, *d; /* used when dy is NULL */
    pithp_act act;
} pithp_dy_src;

typedef struct {
    pithp_conv g;
    const pith_real *x, *w;
    pithp_dy_src src;
    pith_real *dx; /* NULL: not wanted */
    bool dx_add;
    pith_real *dw, *dbias; /* += ; NULL: not wanted */
    void *scratch;
    pithp_x_src
        load; /* as in the forward pass; dx is then the gradient of x', before its activation and scale */
    /* With load and dx: pithp_bn_reduce(dx, x, load.scale, load.shift, load_mean, load.act) taken while dx is in cache,
       which is what the layer before needs first. [C], or NULL. dx is then past the activation already, but before the scale:
       the layer before need not ask for its derivative again. */
    const pith_real *load_mean;
    pith_real *load_s1, *load_s2;
} pithp_conv_bwd;

size_t pithp_conv_bwd_scratch(const pithp_conv *g, int threads);
void pithp_conv_backward(const pithp_env *e, const pithp_conv_bwd *a);

/* ---- Fake quantization of [outer, C, inner], one scale a channel (C 1: one for all) ------------------------------- */
typedef struct {
    int64_t outer, c, inner;
    const pith_real *scale, *zero; /* [C]; scales above 0, zero points whole numbers */
    pith_real qmin, qmax;
} pithp_fq;

size_t pithp_fq_scratch(const pithp_fq *f);
/* range [2] or NULL: set to the least and greatest value of all; scratch is then used. */
void pithp_fq_forward(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *y,
                      pith_real *range, void *scratch);
/* y = round(x/scale): what is on the grid as whole numbers, less the zero point. */
void pithp_fq_whole(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *y);
/* kern.affine_fq in tiles; range [2] or NULL; s 0: no rounding. */
size_t pithp_affine_fq_scratch(int64_t rows, int64_t c);
void pithp_affine_fq(const pithp_env *e, const pith_real *x, const pith_real *scale, const pith_real *shift,
                     pithp_act act, int64_t rows, int64_t c, pith_real s, pith_real lo, pith_real hi,
                     pith_real *y, pith_real *range, void *scratch);
/* dx NULL: not wanted. dscale [C] or NULL: set to the sums of scale_grad. */
void pithp_fq_backward(const pithp_env *e, const pithp_fq *f, const pith_real *x, const pith_real *dy,
                       pith_real *dx, bool add, double *dscale, void *scratch);
/* Least and greatest value of each channel: lo, hi [C]. */
void pithp_fq_range(const pithp_env *e, const pithp_fq *f, const pith_real *x, pith_real *lo, pith_real *hi,
                    void *scratch);

/* ---- Naive twins (kernels/float/ref): the definition, one accumulator in double, no tiles -------------------- */
void pithp_ref_conv_forward(const pithp_conv_fwd *a);
void pithp_ref_conv_backward(const pithp_conv_bwd *a);
void pithp_ref_bn_stats(const pith_real *x, int64_t rows, int64_t c, pith_real *mean, pith_real *var);
void pithp_ref_bn_reduce(const pith_real *dz, const pith_real *y, const pith_real *scale,
                         const pith_real *shift, const pith_real *mean, pithp_act act, int64_t rows,
                         int64_t c, pith_real *s1, pith_real *s2);
void pithp_ref_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const pith_real *a, const pith_real *b,
                    pith_real beta, pith_real *c);
double pithp_ref_act(pithp_act act, double u);
double pithp_ref_act_grad(pithp_act act, double u);
double pithp_ref_unary(pithp_unary f, double x, double p0, double p1);
double pithp_ref_unary_grad(pithp_unary f, double x, double p0, double p1);

#endif
