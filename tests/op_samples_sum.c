/* tests/op_samples_sum.c: samples of reductions and pooling. */
#include "op_sample.h"
#include <math.h>

/* ---- sum, mean, max: n[0] the mask, n[1] what is computed ---- */
enum { SUM, MEAN, MAX };

static pith_tensor *axes_build(op_case *k, int what)
{
    pith_shape s = op_shape(k, k->index % 6 ? 1 : 0, 5);
    uint32_t axes = (uint32_t)op_int(k, 0, (INT64_C(1) << s.ndim) - 1);
    bool keep = op_int(k, 0, 1);
    pith_tensor *x = op_input(k, 0, s, -2, 2, true);
    if (what == MAX)
        op_distinct(k, 0);
    if (k->index % 8 == 0)
        axes = 0, keep = false;
    k->n[0] = axes ? axes : (1u << s.ndim) - 1;
    if (axes == 0 && !keep)
        return what == SUM ? pith_sum(x) : what == MEAN ? pith_mean(x) : pith_max(x);
    return what == SUM    ? pith_sum_axes(x, axes, keep)
           : what == MEAN ? pith_mean_axes(x, axes, keep)
                          : pith_max_axes(x, axes, keep);
}

static bool axes_twin(const op_case *k, int what, double *y, double *terms)
{
    pith_shape s = op_in_shape(k, 0);
    int64_t n = pith_size(k->in[0]), results = pith_size(k->out);
    for (int64_t o = 0; o < results; o++) {
        y[o] = what == MAX ? (double)-INFINITY : 0;
        terms[o] = 0;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i, o = 0, step = 1;
        for (int j = s.ndim - 1; j >= 0; j--) {
            if (!(k->n[0] >> j & 1)) {
                o += at % s.d[j] * step;
                step *= s.d[j];
            }
            at /= s.d[j];
        }
        double v = (double)op_val(k, 0)[i], share = what == MEAN ? (double)results / (double)n : 1;
        y[o] = what == MAX ? fmax(y[o], v) : y[o] + v * share;
        terms[o] = what == MAX ? fabs(y[o]) : terms[o] + fabs(v) * share;
    }
    return true;
}

static pith_tensor *axes_bad(op_case *k, pith_tensor *(*op)(pith_tensor *, uint32_t, bool), int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return i == 0   ? op(x, 4, false)
           : i == 1 ? op(x, 1u << 31, true)
                    : op(op_indices(k, 1, PITH_SHAPE(4), 0, 3), 0, false);
}

#define AXES(op, what)                                                                               \
    static pith_tensor *op##_build(op_case *k) { return axes_build(k, what); }                       \
    static bool op##_twin(const op_case *k, bool train, double *y, double *terms)                    \
    {                                                                                                \
        (void)train;                                                                                 \
        return axes_twin(k, what, y, terms);                                                         \
    }                                                                                                \
    static pith_tensor *op##_bad(op_case *k, int i) { return axes_bad(k, pith_##op##_axes, i); }     \
    const op_sample op_sample_##op = {                                                               \
        .name = #op, .build = op##_build, .twin = op##_twin, .bads = 3, .cases = 40, .bad = op##_bad \
    };
AXES(sum, SUM)
AXES(mean, MEAN)
AXES(max, MAX)

/* ---- Pooling ---- */
static pith_tensor *image(op_case *k)
{
    int64_t n = op_dim(k, 1, 2, 5), h = op_dim(k, 1, 8, 20), w = op_dim(k, 1, 8, 17), c = op_dim(k, 1, 5, 40);
    if (k->index == 5)
        c = 300; /* more channels than are taken at a time */
    return op_input(k, 0, PITH_SHAPE(n, h, w, c), -2, 2, true);
}

static pith_tensor *global_build(op_case *k) { return pith_global_avgpool(image(k)); }
static bool global_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    pith_shape s = op_in_shape(k, 0);
    int64_t c = s.d[3], cells = s.d[1] * s.d[2];
    for (int64_t o = 0; o < s.d[0] * c; o++) {
        y[o] = terms[o] = 0;
        for (int64_t i = 0; i < cells; i++) {
            double v = (double)op_val(k, 0)[(o / c * cells + i) * c + o % c] / (double)cells;
            y[o] += v;
            terms[o] += fabs(v);
        }
    }
    return true;
}
static pith_tensor *global_bad(op_case *k, int i)
{
    return pith_global_avgpool(i ? op_indices(k, 0, PITH_SHAPE(1, 2, 2, 3), 0, 3)
                                 : op_input(k, 0, PITH_SHAPE(2, 3, 4), -1, 1, true));
}
const op_sample op_sample_global_avgpool = {
    .name = "global_avgpool", .build = global_build, .twin = global_twin, .bads = 2, .bad = global_bad
};

static pith_pool_cfg pool_cfg(op_case *k)
{
    pith_shape s = op_in_shape(k, 0);
    pith_pool_cfg p = { .pad_mode = (pith_pad_mode)(k->index % 3) };
    p.kernel = (int)op_int(k, 1, PITHP_MIN(p.pad_mode == PITH_SAME ? 5 : s.d[1], 4));
    p.kernel_w = (int)op_int(k, 1, PITHP_MIN(p.pad_mode == PITH_SAME ? 5 : s.d[2], 4));
    if (op_int(k, 0, 2) == 0 && p.kernel <= s.d[2])
        p.kernel_w = 0;
    p.stride = (int)op_int(k, 0, 3);
    p.stride_w = (int)op_int(k, 0, 3);
    for (int i = 0; i < 4 && p.pad_mode == PITH_EXPLICIT; i++)
        p.pad[i] = (int)op_int(k, 0, (i < 2 || !p.kernel_w ? p.kernel : p.kernel_w) - 1);
    return p;
}

static pith_tensor *pool_build(op_case *k, bool max)
{
    pith_tensor *x = image(k);
    if (!x || x->poison)
        return x;
    if (max)
        op_distinct(k, 0);
    k->pool = pool_cfg(k);
    return max ? pith_maxpool(x, k->pool) : pith_avgpool(x, k->pool);
}

/* First cell of output o's window, by the definition of each mode; n outputs. */
static int64_t first_cell(const pith_pool_cfg *p, int64_t o, int64_t n, int64_t size, int kernel, int stride,
                          int before)
{
    int64_t lead = p->pad_mode == PITH_EXPLICIT ? before : 0;
    if (p->pad_mode == PITH_SAME && (n - 1) * stride + kernel > size)
        lead = ((n - 1) * stride + kernel - size) / 2;
    return o * stride - lead;
}

static bool pool_twin(const op_case *k, bool max, double *y, double *terms)
{
    const pith_pool_cfg *p = &k->pool;
    pith_shape x = op_in_shape(k, 0), out = pith_shape_of(k->out);
    int r = p->kernel, s = p->kernel_w ? p->kernel_w : r;
    int sh = p->stride ? p->stride : r, sw = p->stride_w ? p->stride_w : p->stride ? p->stride : s;
    for (int64_t o = 0; o < pith_size(k->out); o++) {
        int64_t c = o % out.d[3], q = o / out.d[3] % out.d[2], row = o / out.d[3] / out.d[2] % out.d[1];
        int64_t n = o / out.d[3] / out.d[2] / out.d[1], cells = 0;
        int64_t h0 = first_cell(p, row, out.d[1], x.d[1], r, sh, p->pad[0]);
        int64_t w0 = first_cell(p, q, out.d[2], x.d[2], s, sw, p->pad[2]);
        double sum = 0, most = (double)-INFINITY, abs_sum = 0;
        for (int64_t h = h0; h < h0 + r; h++)
            for (int64_t w = w0; w < w0 + s; w++) {
                if (h < 0 || w < 0 || h >= x.d[1] || w >= x.d[2])
                    continue;
                double v = (double)op_val(k, 0)[((n * x.d[1] + h) * x.d[2] + w) * x.d[3] + c];
                cells++;
                sum += v;
                abs_sum += fabs(v);
                most = fmax(most, v);
            }
        y[o] = max ? most : sum / (double)cells;
        terms[o] = max ? fabs(most) : abs_sum / (double)cells;
    }
    return true;
}

static pith_tensor *pool_bad(op_case *k, pith_tensor *(*op)(pith_tensor *, pith_pool_cfg), int i)
{
    static const pith_pool_cfg cfg[] = {
        { .kernel = 0 },
        { .kernel = -1 },
        { .kernel = 2, .stride = -1 },
        { .kernel = 6, .pad_mode = PITH_VALID },
        { .kernel = 2, .pad_mode = PITH_EXPLICIT, .pad = { 0, 2, 0, 0 } },
        { .kernel = 2, .pad_mode = PITH_EXPLICIT, .pad = { 0, 0, -1, 0 } },
        { .kernel = 2, .pad_mode = (pith_pad_mode)7 },
    };
    if (i == 7)
        return op(op_input(k, 0, PITH_SHAPE(4, 4), -1, 1, true), (pith_pool_cfg){ .kernel = 2 });
    return op(op_input(k, 0, PITH_SHAPE(1, 5, 5, 2), -1, 1, true), cfg[i]);
}

#define POOL(op, max)                                                                                \
    static pith_tensor *op##_build(op_case *k) { return pool_build(k, max); }                        \
    static bool op##_twin(const op_case *k, bool train, double *y, double *terms)                    \
    {                                                                                                \
        (void)train;                                                                                 \
        return pool_twin(k, max, y, terms);                                                          \
    }                                                                                                \
    static pith_tensor *op##_bad(op_case *k, int i) { return pool_bad(k, pith_##op, i); }            \
    const op_sample op_sample_##op = {                                                               \
        .name = #op, .build = op##_build, .twin = op##_twin, .bads = 8, .cases = 36, .bad = op##_bad \
    };
POOL(avgpool, false)
POOL(maxpool, true)
