/* compress/quant/line.c: the values of a clustering, sorted, with running sums. */
#include "compress/quant/kmeans.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    float x, w;
} pair;

/* By value; equal values by weight, so that sums do not depend on how the library sorts. */
static int order(const void *a, const void *b)
{
    const pair *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return (p->w > q->w) - (p->w < q->w);
}

void pithp_line_free(pith_ctx *c, pithp_line *l)
{
    pithp_free(c, l->v);
    pithp_free(c, l->w);
    pithp_free(c, l->x);
    pithp_free(c, l->q);
    *l = (pithp_line){ 0 };
}

/* Merges equal neighbours of the sorted pairs into v, with each one's weight in w[i + 1] for now. */
static void merge(pithp_line *l, const pair *p, int64_t n)
{
    double all = 0, sum = 0;
    l->m = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!i || p[i].x != p[i - 1].x)
            l->v[l->m++] = p[i].x;
        l->w[l->m] += p[i].w;
        all += p[i].w, sum += (double)p[i].w * p[i].x;
    }
    l->shift = all > 0 ? sum / all : 0;
}

static void sum_up(pithp_line *l)
{
    for (int64_t i = 0; i < l->m; i++) {
        double d = l->v[i] - l->shift, w = l->w[i + 1];
        l->w[i + 1] = l->w[i] + w;
        l->x[i + 1] = l->x[i] + w * d;
        l->q[i + 1] = l->q[i] + w * d * d;
    }
}

pith_status pithp_line_new(pith_ctx *c, pithp_line *l, const float *x, const float *importance, int64_t n)
{
    pair *p = PITHP_NEW_N(c, pair, n);
    if (!p)
        return PITH_ENOMEM;
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        p[i] = (pair){ x[i] + 0.F, importance ? importance[i] : 1.F }; /* + 0: one kind of zero */
    qsort(p, (size_t)n, sizeof *p, order);
    for (int64_t i = 0; i < n; i++)
        m += !i || p[i].x != p[i - 1].x;
    l->v = PITHP_NEW_N(c, double, m);
    l->w = PITHP_NEW_N(c, double, m + 1);
    l->x = PITHP_NEW_N(c, double, m + 1);
    l->q = PITHP_NEW_N(c, double, m + 1);
    bool ok = l->v && l->w && l->x && l->q;
    if (ok) {
        merge(l, p, n);
        sum_up(l);
    } else {
        pithp_line_free(c, l);
    }
    pithp_free(c, p);
    return ok ? PITH_OK : PITH_ENOMEM;
}

/* The first index in [from, m] whose value exceeds x. */
static int64_t first_above(const pithp_line *l, int64_t from, double x)
{
    int64_t lo = from, hi = l->m;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (l->v[mid] > x)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

bool pithp_line_has_zero(const pithp_line *l)
{
    int64_t i = first_above(l, 0, 0);
    return i > 0 && l->v[i - 1] == 0;
}

int64_t pithp_line_border(const pithp_line *l, const pithp_centres *s, int j)
{
    return first_above(l, 0, (s->c[j] + s->c[j + 1]) / 2);
}

double pithp_line_sse(const pithp_line *l, const pithp_centres *s)
{
    double sum = 0;
    for (int64_t i = 0, j = 0; i < l->m; i++) {
        while (j + 1 < s->k && l->v[i] > (s->c[j] + s->c[j + 1]) / 2)
            j++;
        double d = l->v[i] - s->c[j];
        sum += (l->w[i + 1] - l->w[i]) * d * d;
    }
    return sum;
}
