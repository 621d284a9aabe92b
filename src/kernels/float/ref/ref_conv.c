/* kernels/float/ref/ref_conv.c: convolution by its definition, one sum in double for each result. */
#include "kernels/float/kernels.h"
#include <math.h>

static int64_t x_at(const pithp_conv *g, int64_t n, int64_t i, int64_t j, int64_t c)
{
    return ((n * g->h + i) * g->w + j) * g->c + c;
}

static int64_t w_at(const pithp_conv *g, int64_t k, int64_t r, int64_t s, int64_t c)
{
    if (g->depthwise)
        return (r * g->s + s) * g->c + k; /* [1,R,S,C] */
    return ((k * g->r + r) * g->s + s) * (g->c / g->groups) + c;
}

static int64_t y_at(const pithp_conv *g, int64_t n, int64_t p, int64_t q, int64_t k)
{
    return ((n * g->p + p) * g->q + q) * g->k + k;
}

/* x as the products see it. */
static double x_seen(const pithp_x_src *src, const pith_real *x, int64_t at, int64_t c)
{
    double v = (double)x[at];
    return src->scale ? pithp_ref_act(src->act, v * (double)src->scale[c] + (double)src->shift[c]) : v;
}

/* The tap (r,s) of output pixel (p,q) lies in the input at (i,j)? */
static int tap(const pithp_conv *g, int64_t p, int64_t q, int64_t r, int64_t s, int64_t *i, int64_t *j)
{
    *i = p * g->stride_h - g->pt + r * g->dil_h;
    *j = q * g->stride_w - g->pl + s * g->dil_w;
    return *i >= 0 && *i < g->h && *j >= 0 && *j < g->w;
}

static double output(const pithp_conv_fwd *a, int64_t n, int64_t p, int64_t q, int64_t k)
{
    const pithp_conv *g = &a->g;
    int64_t cg = g->c / g->groups, c0 = k / (g->k / g->groups) * cg, i, j;
    double sum = a->bias ? (double)a->bias[k] : 0;
    for (int64_t r = 0; r < g->r; r++)
        for (int64_t s = 0; s < g->s; s++)
            for (int64_t c = 0; c < cg && tap(g, p, q, r, s, &i, &j); c++)
                sum += x_seen(&a->load, a->x, x_at(g, n, i, j, c0 + c), c0 + c) *
                       (double)a->w[w_at(g, k, r, s, c)];
    return sum;
}

#define EACH_PIXEL(g, n, p, q)               \
    for (int64_t n = 0; n < (g)->n; n++)     \
        for (int64_t p = 0; p < (g)->p; p++) \
            for (int64_t q = 0; q < (g)->q; q++)

void pithp_ref_conv_forward(const pithp_conv_fwd *a)
{
    const pithp_conv *g = &a->g;
    int64_t rows = g->n * g->p * g->q;
    EACH_PIXEL(g, n, p, q)
    for (int64_t k = 0; k < g->k; k++)
        a->y[y_at(g, n, p, q, k)] = (pith_real)output(a, n, p, q, k);
    if (a->mean)
        pithp_ref_bn_stats(a->y, rows, g->k, a->mean, a->var);
    for (int64_t i = 0; i < rows * g->k; i++) {
        double v = (double)a->y[i];
        if (a->scale)
            v = v * (double)a->scale[i % g->k] + (double)a->shift[i % g->k];
        a->y[i] = (pith_real)pithp_ref_act(a->act, v);
    }
}

static double dy_at(const pithp_dy_src *s, int64_t i, int64_t k)
{
    if (s->dy)
        return (double)s->dy[i];
    double y = (double)s->y[i], u = 0;
    u = (double)s->dz[i] * pithp_ref_act_grad(s->act, (double)s->scale[k] * y + (double)s->shift[k]);
    return (double)s->a[k] * u + (double)s->b[k] * y + (double)s->d[k];
}

static void grad_x(const pithp_conv_bwd *a)
{
    const pithp_conv *g = &a->g;
    int64_t cg = g->c / g->groups, kg = g->k / g->groups;
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t h = 0; h < g->h * g->w * g->c; h++) {
            int64_t c = h % g->c, j0 = h / g->c % g->w, i0 = h / g->c / g->w, i, j;
            double sum = a->dx_add ? (double)a->dx[x_at(g, n, i0, j0, c)] : 0;
            for (int64_t p = 0; p < g->p; p++)
                for (int64_t q = 0; q < g->q; q++)
                    for (int64_t t = 0; t < g->r * g->s; t++) {
                        if (!tap(g, p, q, t / g->s, t % g->s, &i, &j) || i != i0 || j != j0)
                            continue;
                        for (int64_t k = c / cg * kg; k < (c / cg + 1) * kg; k++)
                            sum += dy_at(&a->src, y_at(g, n, p, q, k), k) *
                                   (double)a->w[w_at(g, k, t / g->s, t % g->s, c % cg)];
                    }
            a->dx[x_at(g, n, i0, j0, c)] = (pith_real)sum;
        }
}

static void grad_w(const pithp_conv_bwd *a)
{
    const pithp_conv *g = &a->g;
    int64_t cg = g->c / g->groups, kg = g->k / g->groups, i, j;
    for (int64_t k = 0; k < g->k; k++)
        for (int64_t t = 0; t < g->r * g->s; t++)
            for (int64_t c = 0; c < cg; c++) {
                int64_t at = w_at(g, k, t / g->s, t % g->s, c);
                double sum = (double)a->dw[at];
                EACH_PIXEL(g, n, p, q)
                if (tap(g, p, q, t / g->s, t % g->s, &i, &j))
                    sum += dy_at(&a->src, y_at(g, n, p, q, k), k) *
                           x_seen(&a->load, a->x, x_at(g, n, i, j, k / kg * cg + c), k / kg * cg + c);
                a->dw[at] = (pith_real)sum;
            }
}

void pithp_ref_conv_backward(const pithp_conv_bwd *a)
{
    const pithp_conv *g = &a->g;
    if (a->dx)
        grad_x(a);
    if (a->dw)
        grad_w(a);
    if (a->load_s1)
        pithp_ref_bn_reduce(a->dx, a->x, a->load.scale, a->load.shift, a->load_mean, a->load.act,
                            g->n * g->h * g->w, g->c, a->load_s1, a->load_s2);
    for (int64_t i = 0; a->load_s1 && i < g->n * g->h * g->w * g->c; i++)
        a->dx[i] *= (pith_real)pithp_ref_act_grad(
            a->load.act, (double)a->load.scale[i % g->c] * (double)a->x[i] + (double)a->load.shift[i % g->c]);
    for (int64_t k = 0; k < g->k && a->dbias; k++) {
        double sum = (double)a->dbias[k];
        EACH_PIXEL(g, n, p, q) sum += dy_at(&a->src, y_at(g, n, p, q, k), k);
        a->dbias[k] = (pith_real)sum;
    }
}
