/* compress/distill/compare.c: how near a student is to its teacher. */
#include "compress/distill/distill.h"

#include <math.h>

/* KL(p || q) of one sample, from probabilities as pith_predict gives them. */
static double divergence(const pith_real *p, const pith_real *q, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (p[i] > 0)
            sum += (double)p[i] * (log((double)p[i]) - log(fmax((double)q[i], 1e-30)));
    return sum;
}

static pith_status compare(pith_model *const m[2], pith_loader *l, pith_real *probs, int classes,
                           pith_distill_gap *gap)
{
    pith_ctx *c = m[0]->ctx;
    for (pith_batch b; pith_loader_next(l, &b);) {
        pith_real *p[2] = { probs, probs + (int64_t)b.n * classes };
        for (int i = 0; i < 2; i++)
            if (pith_predict(m[i], b.x, b.n, p[i]) != PITH_OK)
                return c->status;
        for (int64_t i = 0; i < b.n; i++) {
            const pith_real *s = p[0] + i * classes, *t = p[1] + i * classes;
            gap->kl += divergence(t, s, classes);
            gap->differ += pithp_argmax(s, classes) != pithp_argmax(t, classes);
        }
        gap->n += b.n;
    }
    gap->kl /= (double)PITHP_MAX(gap->n, 1);
    return c->status;
}

pith_status pith_distill_compare(pith_model *student, pith_model *teacher, pith_data *d, pith_split split,
                                 pith_distill_gap *gap)
{
    enum { BATCH = 64 };
    int classes[2];
    pith_model *m[2] = { student, teacher };
    *gap = (pith_distill_gap){ 0 };
    if (student == NULL || teacher == NULL || d == NULL)
        return PITH_EINVAL;
    pith_ctx *c = student->ctx;
    for (int i = 0; i < 2 && c->status == PITH_OK; i++)
        if (pithp_model_fits_data(m[i], d, "comparison") ||
            pithp_model_classes(m[i], "comparison", &classes[i]))
            return c->status;
    if (c->status)
        return c->status;
    pith_loader *l = pith_loader_new(d, (pith_loader_cfg){ .split = split, .batch = BATCH });
    pith_real *probs = PITHP_NEW_N(c, pith_real, 2 * BATCH * (int64_t)classes[0]);
    pith_status s = l == NULL || probs == NULL ? c->status : compare(m, l, probs, classes[0], gap);
    pith_loader_free(l);
    pithp_free(c, probs);
    return s;
}
