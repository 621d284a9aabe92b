/* Every convolution of efnet-nano: forward with statistics, backward (dx and dw, batch norm's and ReLU6's backward fused
   in), the passes of batch norm between them. Medians of milliseconds, GFLOP/s, and GB/s of what has to move at least
   once. Arguments: threads, batch, image size, repeats, kernel set. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "kernels/float/kernels.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    char name[32];
    pithp_conv g;
    pithp_act act;
} layer;

typedef struct {
    pithp_env e;
    pith_real *x, *w, *y, *z, *dz, *dx, *dw, *scale, *shift, *a, *b, *d, *mean, *var, *s1, *s2;
    void *scratch;
} memory;

/* One thread is timed by its own clock, which stands still while a neighbour has the processor. */
static double now(int threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void forward(const layer *l, const memory *m)
{
    pithp_conv_forward(&m->e, &(pithp_conv_fwd){ .g = l->g,
                                                 .x = m->x,
                                                 .w = m->w,
                                                 .y = m->y,
                                                 .mean = m->mean,
                                                 .var = m->var,
                                                 .scratch = m->scratch });
}

static void normalise(const layer *l, const memory *m)
{
    const pithp_conv *g = &l->g;
    pithp_affine_act(&m->e, m->y, m->scale, m->shift, NULL, false, l->act, g->n * g->p * g->q, g->k, m->z);
}

static void reduce(const layer *l, const memory *m)
{
    const pithp_conv *g = &l->g;
    pithp_bn_reduce(&m->e, m->dz, m->y, m->scale, m->shift, m->mean, l->act, g->n * g->p * g->q, g->k, m->s1,
                    m->s2, m->scratch);
}

static void backward(const layer *l, const memory *m)
{
    const pithp_dy_src src = { .dz = m->dz,
                               .y = m->y,
                               .scale = m->scale,
                               .shift = m->shift,
                               .a = m->a,
                               .b = m->b,
                               .d = m->d,
                               .act = l->act };
    pithp_conv_backward(&m->e, &(pithp_conv_bwd){ .g = l->g,
                                                  .x = m->x,
                                                  .w = m->w,
                                                  .src = src,
                                                  .dx = l->g.c == 3 ? NULL : m->dx,
                                                  .dw = m->dw,
                                                  .scratch = m->scratch });
}

/* The same with two passes less: x is normalised as it is loaded, and the layer before's sums are taken from hot dx. */
static void forward_loading(const layer *l, const memory *m)
{
    pithp_conv_forward(&m->e, &(pithp_conv_fwd){ .g = l->g,
                                                 .x = m->x,
                                                 .w = m->w,
                                                 .y = m->y,
                                                 .mean = m->mean,
                                                 .var = m->var,
                                                 .scratch = m->scratch,
                                                 .load = { m->scale, m->shift, PITHP_ACT_RELU6 } });
}

static void backward_loading(const layer *l, const memory *m)
{
    const pithp_dy_src src = { .dz = m->dz,
                               .y = m->y,
                               .scale = m->scale,
                               .shift = m->shift,
                               .a = m->a,
                               .b = m->b,
                               .d = m->d,
                               .act = l->act };
    pithp_conv_backward(&m->e, &(pithp_conv_bwd){ .g = l->g,
                                                  .x = m->x,
                                                  .w = m->w,
                                                  .src = src,
                                                  .dx = m->dx,
                                                  .dw = m->dw,
                                                  .scratch = m->scratch,
                                                  .load = { m->scale, m->shift, PITHP_ACT_RELU6 },
                                                  .load_mean = m->mean,
                                                  .load_s1 = m->s1,
                                                  .load_s2 = m->s2 });
}

static double median_ms(void (*fn)(const layer *, const memory *), const layer *l, const memory *m,
                        int repeats)
{
    double t[101];
    for (int i = -1; i < repeats; i++) {
        double start = now(m->e.threads);
        fn(l, m);
        if (i >= 0)
            t[i] = now(m->e.threads) - start;
    }
    qsort(t, (size_t)repeats, sizeof *t, by_value);
    return t[repeats / 2];
}

static pithp_conv conv_of(int64_t n, int64_t h, int64_t c, int64_t k, int64_t r, int64_t stride, bool dw)
{
    int64_t p = (h + stride - 1) / stride, pad = (p - 1) * stride + r - h;
    return (pithp_conv){ .n = n,
                         .h = h,
                         .w = h,
                         .c = c,
                         .p = p,
                         .q = p,
                         .k = k,
                         .r = r,
                         .s = r,
                         .stride_h = stride,
                         .stride_w = stride,
                         .dil_h = 1,
                         .dil_w = 1,
                         .pt = pad > 0 ? pad / 2 : 0,
                         .pl = pad > 0 ? pad / 2 : 0,
                         .groups = dw ? c : 1,
                         .depthwise = dw };
}

static int network(layer *l, int64_t n, int64_t size)
{
    static const int64_t blocks[][5] = {
        { 1, 3, 1, 16, 1 }, { 4, 3, 2, 24, 2 }, { 4, 5, 2, 40, 2 }, { 4, 3, 2, 80, 3 }, { 4, 5, 2, 112, 2 }
    };
    int at = 0;
    int64_t h = (size + 1) / 2, c = 16;
    l[at++] = (layer){ "stem", conv_of(n, size, 3, 16, 3, 2, false), PITHP_ACT_RELU6 };
    for (size_t b = 0; b < PITHP_LEN(blocks); b++)
        for (int64_t i = 0; i < blocks[b][4]; i++) {
            int64_t stride = i ? 1 : blocks[b][2], e = c * blocks[b][0], out = blocks[b][3];
            if (e != c) {
                l[at] = (layer){ "", conv_of(n, h, c, e, 1, 1, false), PITHP_ACT_RELU6 };
                snprintf(l[at++].name, sizeof l->name, "b%zu.%d expand", b + 1, (int)i);
            }
            l[at] = (layer){ "", conv_of(n, h, e, e, blocks[b][1], stride, true), PITHP_ACT_RELU6 };
            snprintf(l[at++].name, sizeof l->name, "b%zu.%d dw", b + 1, (int)i);
            h = (h + stride - 1) / stride;
            l[at] = (layer){ "", conv_of(n, h, e, out, 1, 1, false), PITHP_ACT_NONE };
            snprintf(l[at++].name, sizeof l->name, "b%zu.%d project", b + 1, (int)i);
            c = out;
        }
    l[at++] = (layer){ "head", conv_of(n, h, c, 256, 1, 1, false), PITHP_ACT_RELU6 };
    return at;
}

static pith_real *reals(pith_ctx *c, int64_t n)
{
    pith_real *p = pithp_alloc(c, (size_t)n, sizeof *p);
    for (int64_t i = 0; p && i < n; i++)
        p[i] = (pith_real)(i * 7919 % 1024) / PITHP_R(256.0) - PITHP_R(2.0);
    return p;
}

static bool prepare(pith_ctx *c, memory *m, const layer *l, int layers, int threads)
{
    int64_t x = 0, y = 0, w = 0;
    size_t s = 0;
    for (int i = 0; i < layers; i++) {
        const pithp_conv *g = &l[i].g;
        x = PITHP_MAX(x, g->n * g->h * g->w * g->c);
        y = PITHP_MAX(y, g->n * g->p * g->q * g->k);
        w = PITHP_MAX(w, g->k * g->r * g->s * (g->c / g->groups));
        s = PITHP_MAX(s, pithp_conv_fwd_scratch(g, threads));
        s = PITHP_MAX(s, pithp_conv_bwd_scratch(g, threads));
        s = PITHP_MAX(s, pithp_bn_scratch(g->n * g->p * g->q, g->k));
    }
    m->x = reals(c, x), m->dx = reals(c, x), m->y = reals(c, y), m->z = reals(c, y), m->dz = reals(c, y);
    m->w = reals(c, w), m->dw = reals(c, w);
    for (pith_real **v = &m->scale; v <= &m->s2; v++)
        *v = reals(c, 4096);
    m->scratch = pithp_alloc(c, s, 1);
    return !pith_ctx_status(c);
}

static void report(const layer *l, const memory *m, int repeats, double sum[6])
{
    const pithp_conv *g = &l->g;
    double out = (double)(g->n * g->p * g->q * g->k), in = (double)(g->n * g->h * g->w * g->c);
    double ops = 2 * out * (double)(g->r * g->s * (g->c / g->groups)), bytes = sizeof(pith_real);
    double back = (g->c == 3 ? 1 : 2) * ops;
    double f = median_ms(forward, l, m, repeats), b = median_ms(backward, l, m, repeats);
    double n = median_ms(normalise, l, m, repeats), r = median_ms(reduce, l, m, repeats);
    printf(
        "%-14s %3dx%-3d %3d->%-3d %dx%d/%d %7.2f %7.1f %6.1f  %7.2f %7.1f %6.1f  %6.2f %5.1f  %6.2f %5.1f\n",
        l->name, (int)g->h, (int)g->w, (int)g->c, (int)g->k, (int)g->r, (int)g->s, (int)g->stride_h, f,
        ops / f * 1e-6, (in + out) * bytes / f * 1e-6, b, back / b * 1e-6,
        (2 * in + 2 * out) * bytes / b * 1e-6, n, 2 * out * bytes / n * 1e-6, r, 2 * out * bytes / r * 1e-6);
    bool loads = pithp_conv_loads(g);
    sum[0] += f, sum[1] += b, sum[2] += n, sum[3] += r;
    sum[4] += loads ? median_ms(forward_loading, l, m, repeats) : f;
    sum[5] += loads ? median_ms(backward_loading, l, m, repeats) : b;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 2, batch = argc > 2 ? atoi(argv[2]) : 64;
    int size = argc > 3 ? atoi(argv[3]) : 96, repeats = argc > 4 ? atoi(argv[4]) : 9;
    layer l[64];
    double sum[6] = { 0 };
    if (threads < 1 || batch < 1 || size < 8 || repeats < 1 || repeats > 101)
        return 2;
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = threads, .cpu = argc > 5 ? argv[5] : NULL });
    if (!c || pith_ctx_status(c)) {
        fprintf(stderr, "%s\n", c ? pith_error_text(c) : "out of memory");
        return 1;
    }
    memory m = { .e = { .threads = threads, .k = pithp_kern_get(c->isa), .blas = &c->blas } };
    int layers = network(l, batch, size);
    if (!prepare(c, &m, l, layers, threads)) {
        fprintf(stderr, "%s\n", pith_error_text(c));
        return 1;
    }
    printf("efnet-nano %dx%d batch %d, %d threads, %s, medians of %d\n", size, size, batch, threads,
           m.e.k->isa, repeats);
    printf("%-37s %7s %7s %6s  %7s %7s %6s  %6s %5s  %6s %5s\n", "layer", "fwd ms", "GFLOP/s", "GB/s",
           "bwd ms", "GFLOP/s", "GB/s", "norm", "GB/s", "reduce", "GB/s");
    for (int i = 0; i < layers; i++)
        report(&l[i], &m, repeats, sum);
    double all = sum[0] + sum[1] + sum[2] + sum[3];
    printf("%-37s %7.2f %16s %7.2f %16s %6.2f %13.2f\n", "sum", sum[0], "", sum[1], "", sum[2], sum[3]);
    printf("all: %.1f ms, %.0f img/s if nothing else took time\n", all, batch / all * 1e3);
    printf("normalised on loading: forward %.1f, backward %.1f, all %.1f ms, %.0f img/s\n", sum[4], sum[5],
           sum[4] + sum[5], batch / (sum[4] + sum[5]) * 1e3);
    pith_ctx_free(c);
    return 0;
}
