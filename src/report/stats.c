/* Intervals and tests on counts. */
#include <math.h>
#include <pith/stats.h>

void pith_wilson(int64_t right, int64_t n, double *low, double *high)
{
    *low = 0;
    *high = 1;
    if (n < 1)
        return;
    const double z = 1.959963984540054, all = (double)n, p = (double)right / all, q = z * z / all;
    const double middle = (p + q / 2) / (1 + q), half = z / (1 + q) * sqrt(p * (1 - p) / all + q / (4 * all));
    *low = right <= 0 ? 0 : middle - half; /* exact at the ends, where rounding would leave a little */
    *high = right >= n ? 1 : middle + half;
}

double pith_mcnemar(int64_t b, int64_t c)
{
    const int64_t few = b < c ? b : c;
    const double n = (double)(b + c);
    double sum = 0, log_term = -n * log(2); /* of C(n,i) / 2^n: in logarithms, for 2^-n underflows */
    if (b == c)
        return 1;
    for (int64_t i = 0; i <= few; i++) {
        sum += exp(log_term);
        log_term += log((n - (double)i) / (double)(i + 1));
    }
    return fmin(1, 2 * sum);
}
