/* Optimisers and masks: a held weight stays exactly zero, and with it its moments and its average. */
#include "train/train.h"

const uint8_t *pithp_opt_mask(const pithp_opt_seg *s)
{
    return s->t->mask != NULL ? s->t->mask + (s->w - (const pith_real *)s->t->value) : NULL;
}

void pithp_opt_hold_segment(const pith_opt *o, const pithp_opt_seg *s)
{
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
