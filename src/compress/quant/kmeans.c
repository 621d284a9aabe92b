/* compress/quant/kmeans.c: first centres, and Lloyd's iterations, on a line. With running sums a cell's mean and error
   take no pass over its values: an iteration costs k binary searches, whatever the number of weights. */
#include "compress/quant/kmeans.h"
#include <math.h>
#include <stdlib.h>

/* Weighted squared error of the values [a,b) about c. Rounding may leave a little less than nothing. */
static double cell_error(const pithp_line *l, int64_t a, int64_t b, double c)
{
    double d = c - l->shift;
    double e = l->q[b] - l->q[a] - 2 * d * (l->x[b] - l->x[a]) + d * d * (l->w[b] - l->w[a]);
    return fmax(e, 0);
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void sort_centres(pithp_centres *s, bool keep_zero)
{
    qsort(s->c, (size_t)s->k, sizeof s->c[0], ascending);
    s->zero = -1;
    for (int j = 0; keep_zero && j < s->k; j++)
        if (s->c[j] == 0)
            s->zero = j;
}

/* The cells' borders [k + 1]. */
static void borders(const pithp_line *l, const pithp_centres *s, int64_t *b)
{
    b[0] = 0, b[s->k] = l->m;
    for (int j = 0; j + 1 < s->k; j++)
        b[j + 1] = pithp_line_border(l, s, j);
}

void pithp_centres_linear(const pithp_line *l, int k, bool keep_zero, pithp_centres *s)
{
    double lo = l->v[0], hi = l->v[l->m - 1];
    *s = (pithp_centres){ .k = k, .zero = -1 };
    if (keep_zero) /* an even grid over a range that holds 0 */
        lo = fmin(lo, 0), hi = fmax(hi, 0);
    for (int j = 0; j < k; j++)
        s->c[j] = k == 1 ? (keep_zero ? 0 : (lo + hi) / 2) : lo + (hi - lo) * j / (k - 1);
    if (keep_zero) {
        int near = 0;
        for (int j = 1; j < k; j++)
            near = fabs(s->c[j]) < fabs(s->c[near]) ? j : near;
        s->c[near] = 0;
    }
    sort_centres(s, keep_zero);
}

/* The value that is farthest from its centre (weighted), for when sums of squares have drowned in rounding. */
static double farthest(const pithp_line *l, const pithp_centres *s)
{
    double most = -1, at = l->v[0];
    for (int64_t i = 0, j = 0; i < l->m; i++) {
        while (j + 1 < s->k && l->v[i] > (s->c[j] + s->c[j + 1]) / 2)
            j++;
        double d = fabs(l->v[i] - s->c[j]);
        if (d > most)
            most = d, at = l->v[i];
    }
    return at;
}

static bool is_centre(const pithp_centres *s, double v)
{
    for (int j = 0; j < s->k; j++)
        if (s->c[j] == v)
            return true;
    return false;
}

/* A value drawn with probability proportional to its share of the squared error about the centres so far: the cell
   first, then the place in it, both by running sums. u is uniform in [0,1). */
static double draw(const pithp_line *l, const pithp_centres *s, double u)
{
    int64_t b[257];
    double total = 0, error[256] = { 0 };
    borders(l, s, b);
    for (int j = 0; j < s->k; j++)
        total += error[j] = cell_error(l, b[j], b[j + 1], s->c[j]);
    double r = u * total;
    int j = 0;
    while (j + 1 < s->k && r >= error[j])
        r -= error[j++];
    int64_t lo = b[j], hi = b[j + 1] - 1; /* the first place where the sum exceeds r */
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (cell_error(l, b[j], mid + 1, s->c[j]) > r)
            hi = mid;
        else
            lo = mid + 1;
    }
    double v = lo >= 0 && lo < l->m ? l->v[lo] : 0;
    return total > 0 && lo < b[j + 1] && lo >= b[j] && !is_centre(s, v) ? v : farthest(l, s);
}

void pithp_centres_plusplus(const pithp_line *l, int k, bool keep_zero, uint64_t seed, uint32_t start,
                            pithp_centres *s)
{
    pithp_rand r = pithp_rand_at(seed, start, 0, PITHP_USE_CLUSTER);
    *s = (pithp_centres){ .k = 1, .zero = -1 };
    if (!keep_zero) { /* the first: any weight, each as likely as it counts */
        double u = pithp_rand_uniform(&r) * l->w[l->m];
        int64_t i = 0, hi = l->m - 1;
        while (i < hi) {
            int64_t mid = i + (hi - i) / 2;
            if (l->w[mid + 1] > u)
                hi = mid;
            else
                i = mid + 1;
        }
        s->c[0] = l->v[i];
    }
    while (s->k < k) {
        double v = draw(l, s, pithp_rand_uniform(&r));
        s->c[s->k++] = v;
        sort_centres(s, keep_zero);
    }
    sort_centres(s, keep_zero);
}

/* A centre without values moves to the outermost value of the cell with the greatest error. False: no cell can be
   split. */
static bool refill(const pithp_line *l, pithp_centres *s, const int64_t *b, int empty)
{
    int worst = -1;
    double most = 0;
    for (int j = 0; j < s->k; j++) {
        double e = cell_error(l, b[j], b[j + 1], s->c[j]);
        if (b[j + 1] - b[j] > (j == s->zero ? 0 : 1) && e > most)
            worst = j, most = e;
    }
    if (worst < 0)
        return false;
    double left = l->v[b[worst]], right = l->v[b[worst + 1] - 1];
    double v = fabs(right - s->c[worst]) >= fabs(left - s->c[worst]) ? right : left;
    if (is_centre(s, v))
        return false;
    s->c[empty] = v;
    sort_centres(s, s->zero >= 0);
    return true;
}

int pithp_lloyd(const pithp_line *l, pithp_centres *s, int most, bool *converged)
{
    int64_t b[257], before[257] = { -1 };
    int done = 0;
    *converged = false;
    for (; done < most; done++) {
        borders(l, s, b);
        bool moved = false, refilled = false;
        for (int j = 0; j <= s->k; j++)
            moved |= b[j] != before[j], before[j] = b[j];
        if (!moved) {
            *converged = true;
            break;
        }
        for (int j = 0; j < s->k; j++) {
            double w = l->w[b[j + 1]] - l->w[b[j]];
            if (j != s->zero && b[j + 1] > b[j])
                s->c[j] = w > 0 ? l->shift + (l->x[b[j + 1]] - l->x[b[j]]) / w
                                : (l->v[b[j]] + l->v[b[j + 1] - 1]) / 2;
        }
        for (int j = 0; j < s->k && !refilled; j++)
            refilled = j != s->zero && b[j + 1] == b[j] && refill(l, s, b, j);
        if (refilled)
            before[0] = -1;
    }
    return done;
}
