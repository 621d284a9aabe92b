/* report/support.c: what the numbers support beside pith/stats.h: Holm's correction, calibration, the Pareto front. */
#include "report/run.h"

#include <math.h>
#include <string.h>

bool pithp_done(const pithp_result *r) { return strcmp(r->status, "done") == 0; }

/* Holm, "A simple sequentially rejective multiple test procedure", 1979. n is small. */
void pithp_holm(const double *p, int n, double *adjusted)
{
    int tests = 0, rank = 0;
    double reached = 0;
    for (int i = 0; i < n; i++) {
        adjusted[i] = NAN;
        tests += !isnan(p[i]);
    }
    for (; rank < tests; rank++) {
        int least = -1;
        for (int i = 0; i < n; i++)
            if (!isnan(p[i]) && isnan(adjusted[i]) && (least < 0 || p[i] < p[least]))
                least = i;
        reached = PITHP_MAX(reached, PITHP_MIN(1, (tests - rank) * p[least]));
        adjusted[least] = reached;
    }
}

double pithp_reliability(const pithp_answers *a, pithp_bin *bin, int n)
{
    double error = 0;
    for (int k = 0; k < n; k++)
        bin[k] = (pithp_bin){ .from = (double)k / n, .to = (double)(k + 1) / n };
    for (int64_t i = 0; i < a->n; i++) {
        double p = a->p[i * a->classes + a->predicted[i]];
        int k = PITHP_MAX(0, PITHP_MIN(n - 1, (int)ceil(p * n) - 1));
        bin[k].n++;
        bin[k].confidence += p;
        bin[k].accuracy += a->predicted[i] == a->label[i];
    }
    for (int k = 0; k < n; k++) {
        error += fabs(bin[k].confidence - bin[k].accuracy);
        bin[k].confidence /= bin[k].n; /* of an empty bin: NAN */
        bin[k].accuracy /= bin[k].n;
    }
    return a->n > 0 ? error / (double)a->n : (double)NAN;
}

void pithp_front(const double *x, const double *y, int n, bool *front)
{
    for (int i = 0; i < n; i++) {
        front[i] = isfinite(x[i]) && isfinite(y[i]);
        for (int k = 0; k < n && front[i]; k++)
            if (isfinite(x[k]) && isfinite(y[k]) && x[k] <= x[i] && y[k] >= y[i] &&
                (x[k] < x[i] || y[k] > y[i]))
                front[i] = false;
    }
}
