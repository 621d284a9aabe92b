/* What is counted of predictions. All of it in double: a set's loss does not depend on how it was cut into
   batches but for the last digits. */
#include "ops/rows.h"
#include "train/train.h"

#include <math.h>

int pithp_argmax(const pith_real *v, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (v[i] > v[best])
            best = i;
    return best;
}

void pithp_softmax_row(const pith_real *v, int n, pith_real *p)
{
    double all = pithp_log_sum_exp(v, n);
    for (int i = 0; i < n; i++)
        p[i] = (pith_real)exp((double)v[i] - all);
}

void pithp_metrics_add(pith_eval_result *r, int64_t *confusion, const pith_real *logits,
                       const int32_t *labels, int64_t n)
{
    const int k = r->classes;
    for (int64_t i = 0; i < n; i++, logits += k) {
        int said = pithp_argmax(logits, k), is = labels[i];
        if (is < 0 || is >= k)
            continue; /* left out, as the loss leaves it out */
        confusion[(int64_t)is * k + said]++;
        r->correct += said == is;
        r->loss += pithp_log_sum_exp(logits, k) - (double)logits[is];
        r->n++;
    }
}

void pithp_metrics_finish(pith_eval_result *r)
{
    r->accuracy = r->n > 0 ? (double)r->correct / (double)r->n : (double)NAN;
    r->loss = r->n > 0 ? r->loss / (double)r->n : (double)NAN;
}
