/* kernels/float/isa_opt.c: optimiser steps over flat blocks, one pass: update, gradient cleared, moving average. */
#include "kernels/float/isa.h"
#include "kernels/float/vec.h"

typedef struct {
    pith_real *w, *g, *m, *v, *ema;
    vec lr, mu, wd, gscale, keep, b1, b2, rb1, rb2, eps, r1, r2;
} opt_args;

static ALWAYS void ema_vec(const opt_args *p, int64_t j, vec w, int n)
{
    vec e = vload_m(p->ema + j, n);
    vstore_m(p->ema + j, vfma(p->keep, w - e, e), n);
}

static ALWAYS void sgd_vec(const opt_args *p, int64_t j, bool nesterov, bool ema, int n)
{
    vec w = vload_m(p->w + j, n);
    vec g = vfma(p->wd, w, vload_m(p->g + j, n) * p->gscale);
    vec m = vfma(p->mu, vload_m(p->m + j, n), g);
    w -= p->lr * (nesterov ? vfma(p->mu, m, g) : m);
    vstore_m(p->m + j, m, n);
    vstore_m(p->w + j, w, n);
    vstore_m(p->g + j, vzero(), n);
    if (ema)
        ema_vec(p, j, w, n);
}

void KERN(sgd)(pith_real *w, pith_real *g, pith_real *m, pith_real *ema, int64_t n, pith_real lr,
               pith_real mu, pith_real wd, bool nesterov, pith_real gscale, pith_real ema_decay)
{
    const opt_args p = { .w = w,
                         .g = g,
                         .m = m,
                         .ema = ema,
                         .lr = vset1(lr),
                         .mu = vset1(mu),
                         .wd = vset1(wd),
                         .gscale = vset1(gscale),
                         .keep = vset1(PITHP_R(1.0) - ema_decay) };
    const bool e = ema != NULL;
#define BODY(k) sgd_vec(&p, j, nesterov, e, k);
    VEC_FOR(j, n, BODY);
#undef BODY
}

static ALWAYS void adamw_vec(const opt_args *p, int64_t j, bool ema, int n)
{
    vec w = vload_m(p->w + j, n), g = vload_m(p->g + j, n) * p->gscale;
    vec m = vfma(p->b1, vload_m(p->m + j, n), p->rb1 * g);
    vec v = vfma(p->b2, vload_m(p->v + j, n), p->rb2 * (g * g));
    vec step = m * p->r1 / (vsqrt(v * p->r2) + p->eps);
    w -= p->lr * vfma(p->wd, w, step);
    vstore_m(p->m + j, m, n);
    vstore_m(p->v + j, v, n);
    vstore_m(p->w + j, w, n);
    vstore_m(p->g + j, vzero(), n);
    if (ema)
        ema_vec(p, j, w, n);
}

static ALWAYS void rmsprop_vec(const opt_args *p, int64_t j, bool ema, int n)
{
    vec w = vload_m(p->w + j, n), g = vfma(p->wd, w, vload_m(p->g + j, n) * p->gscale);
    vec v = vfma(p->b2, vload_m(p->v + j, n), p->rb2 * (g * g));
    vec m = vfma(p->mu, vload_m(p->m + j, n), p->lr * g / vsqrt(v + p->eps));
    w -= m;
    vstore_m(p->m + j, m, n);
    vstore_m(p->v + j, v, n);
    vstore_m(p->w + j, w, n);
    vstore_m(p->g + j, vzero(), n);
    if (ema)
        ema_vec(p, j, w, n);
}

void KERN(rmsprop)(pith_real *w, pith_real *g, pith_real *m, pith_real *v, pith_real *ema, int64_t n,
                   pith_real lr, pith_real mu, pith_real rho, pith_real eps, pith_real wd, pith_real gscale,
                   pith_real ema_decay)
{
    const opt_args p = { .w = w,
                         .g = g,
                         .m = m,
                         .v = v,
                         .ema = ema,
                         .lr = vset1(lr),
                         .mu = vset1(mu),
                         .wd = vset1(wd),
                         .b2 = vset1(rho),
                         .rb2 = vset1(PITHP_R(1.0) - rho),
                         .eps = vset1(eps),
                         .gscale = vset1(gscale),
                         .keep = vset1(PITHP_R(1.0) - ema_decay) };
    const bool e = ema != NULL;
#define BODY(k) rmsprop_vec(&p, j, e, k);
    VEC_FOR(j, n, BODY);
#undef BODY
}

void KERN(adamw)(pith_real *w, pith_real *g, pith_real *m, pith_real *v, pith_real *ema, int64_t n,
                 pith_real lr, pith_real b1, pith_real b2, pith_real eps, pith_real wd, pith_real c1,
                 pith_real c2, pith_real gscale, pith_real ema_decay)
{
    const opt_args p = { .w = w,
                         .g = g,
                         .m = m,
                         .v = v,
                         .ema = ema,
                         .lr = vset1(lr),
                         .b1 = vset1(b1),
                         .b2 = vset1(b2),
                         .rb1 = vset1(PITHP_R(1.0) - b1),
                         .rb2 = vset1(PITHP_R(1.0) - b2),
                         .eps = vset1(eps),
                         .wd = vset1(wd),
                         .r1 = vset1(PITHP_R(1.0) / c1),
                         .r2 = vset1(PITHP_R(1.0) / c2),
                         .gscale = vset1(gscale),
                         .keep = vset1(PITHP_R(1.0) - ema_decay) };
    const bool e = ema != NULL;
#define BODY(k) adamw_vec(&p, j, e, k);
    VEC_FOR(j, n, BODY);
#undef BODY
}

void KERN(mask)(const uint8_t *keep, pith_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = keep[i] ? x[i] : PITHP_R(0.0);
}
