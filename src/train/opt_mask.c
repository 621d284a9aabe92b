/* What weights must keep through a step. Masks: a held weight stays exactly zero, and with it its moments and its average.
   Positive parameters (learned scales): a step that leads below zero is reflected there, as if |p| had been learned
   (but for the moments, which go on as they were). */
#include "train/train.h"

#include <math.h>

const uint8_t *pithp_opt_mask(const pithp_opt_seg *s)
{
    return s->t->mask != NULL ? s->t->mask + (s->w - (const pith_real *)s->t->value) : NULL;
}

/* Nearly zero is no scale either: a bias counted in steps of it would leave the accumulator. */
static void reflect(pith_real *x, int64_t n)
{
    pith_real most = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (pith_real)fabs((double)x[i]);
        most = PITHP_MAX(most, x[i]);
    }
    const pith_real least = most * (pith_real)0x1p-14;
    for (int64_t i = 0; i < n; i++)
        if (x[i] < least) /* not a NaN */
            x[i] = least;
}

void pithp_opt_hold_segment(const pith_opt *o, const pithp_opt_seg *s)
{
    if (s->t->positive && !s->t->frozen) {
        reflect(s->w, s->n);
        if (s->ema != NULL)
            reflect(s->ema, s->n);
    }
    const uint8_t *keep = pithp_opt_mask(s);
    pith_real *const x[] = { s->w, s->m, s->v, s->ema };
    for (size_t i = 0; keep != NULL && i < PITHP_LEN(x); i++)
        if (x[i] != NULL)
            o->kern->mask(keep, x[i], s->n);
}

void pithp_opt_hold(pith_opt *o)
{
    for (int i = 0; i < o->n_seg; i++)
        pithp_opt_hold_segment(o, &o->seg[i]);
}

pith_real pithp_opt_first_square(const pith_opt *o) { return o->cfg.kind == PITH_OPT_RMSPROP ? 1 : 0; }

void pithp_opt_restart(pith_opt *o)
{
    for (int i = 0; i < o->n_seg; i++) {
        const pithp_opt_seg *s = &o->seg[i];
        for (int64_t k = 0; k < s->n; k++) {
            if (s->m != NULL)
                s->m[k] = 0;
            if (s->v != NULL)
                s->v[k] = pithp_opt_first_square(o);
            if (s->ema != NULL)
                s->ema[k] = s->w[k];
        }
    }
    o->steps = 0;
    pithp_opt_hold(o);
}
