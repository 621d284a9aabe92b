/* ops/pool.c: geometry of pooling. */
#include "ops/pool.h"

#define PAD_FIELD(name, i)                                                    \
    {                                                                         \
        name, PITH_ATTR_INT, offsetof(pith_pool_cfg, pad) + (i) * sizeof(int) \
    }

const pith_attr_field pithp_pool_fields[] = {
    { "kernel", PITH_ATTR_INT, offsetof(pith_pool_cfg, kernel) },
    { "kernel_w", PITH_ATTR_INT, offsetof(pith_pool_cfg, kernel_w) },
    { "stride", PITH_ATTR_INT, offsetof(pith_pool_cfg, stride) },
    { "stride_w", PITH_ATTR_INT, offsetof(pith_pool_cfg, stride_w) },
    { "pad_mode", PITH_ATTR_INT, offsetof(pith_pool_cfg, pad_mode) },
    PAD_FIELD("pad_top", 0),
    PAD_FIELD("pad_bottom", 1),
    PAD_FIELD("pad_left", 2),
    PAD_FIELD("pad_right", 3),
    PITH_ATTR_END,
};

#define MOST 4096

/* One dimension: number of outputs (below 1: the window does not fit) and leading cells outside the input. */
static int64_t outputs(pith_pad_mode mode, int64_t size, int64_t kernel, int64_t stride, int before,
                       int after, int64_t *lead)
{
    *lead = 0;
    if (mode == PITH_SAME) {
        int64_t n = (size + stride - 1) / stride;
        *lead = PITHP_MAX((n - 1) * stride + kernel - size, 0) / 2;
        return n;
    }
    if (mode == PITH_EXPLICIT) {
        *lead = before;
        size += before + after;
    }
    return size < kernel ? 0 : (size - kernel) / stride + 1;
}

static pithp_pool geometry(const pith_pool_cfg *a, const pith_shape *x)
{
    pithp_pool g = { .n = x->d[0], .h = x->d[1], .w = x->d[2], .c = x->d[3] };
    g.r = a->kernel;
    g.s = a->kernel_w ? a->kernel_w : a->kernel;
    g.stride_h = a->stride ? a->stride : g.r;
    g.stride_w = a->stride_w ? a->stride_w : a->stride ? a->stride : g.s;
    g.p = outputs(a->pad_mode, g.h, g.r, g.stride_h, a->pad[0], a->pad[1], &g.top);
    g.q = outputs(a->pad_mode, g.w, g.s, g.stride_w, a->pad[2], a->pad[3], &g.left);
    return g;
}

pithp_qattr pithp_pool_integer(const pith_tensor *t)
{
    pithp_pool g = geometry(t->attr, &t->in[0]->shape);
    int64_t down = (g.p - 1) * g.stride_h + g.r - g.h - g.top,
            right = (g.q - 1) * g.stride_w + g.s - g.w - g.left;
    return (pithp_qattr){ .kernel = { g.r, g.s },
                          .stride = { g.stride_h, g.stride_w },
                          .pad = { g.top, PITHP_MAX(down, 0), g.left, PITHP_MAX(right, 0) } };
}

pithp_pool pithp_pool_of(const pith_call *k) { return geometry(k->attr, &k->in[0].shape); }

static bool attr_ok(pith_infer *q, const pith_pool_cfg *a)
{
    int s = a->kernel_w ? a->kernel_w : a->kernel;
    if (a->kernel < 1 || s < 1 || a->kernel > MOST || s > MOST)
        return pith_op_fail(q, "the kernel is %dx%d; expected 1 to %d", a->kernel, s, MOST);
    if (a->stride < 0 || a->stride_w < 0 || a->stride > MOST || a->stride_w > MOST)
        return pith_op_fail(q, "the stride is %dx%d; expected 1 to %d, or 0 for the kernel's size", a->stride,
                            a->stride_w, MOST);
    if (a->pad_mode != PITH_SAME && a->pad_mode != PITH_VALID && a->pad_mode != PITH_EXPLICIT)
        return pith_op_fail(q, "padding mode %d is none of PITH_SAME, PITH_VALID, PITH_EXPLICIT",
                            (int)a->pad_mode);
    for (int i = 0; i < 4 && a->pad_mode == PITH_EXPLICIT; i++)
        if (a->pad[i] < 0 || a->pad[i] >= (i < 2 ? a->kernel : s))
            return pith_op_fail(q,
                                "padding %d, %d, %d, %d; expected 0 or more and less than the kernel %dx%d",
                                a->pad[0], a->pad[1], a->pad[2], a->pad[3], a->kernel, s);
    return true;
}

bool pithp_pool_shape(pith_infer *q)
{
    const pith_pool_cfg *a = q->attr;
    if (!pithp_want_f32(q) || !pithp_want_ndim(q, 0, 4, "x [N,H,W,C]") || !attr_ok(q, a))
        return false;
    pithp_pool g = geometry(a, &q->in[0]);
    if (g.p < 1 || g.q < 1)
        return pith_op_fail(q, "the kernel %lldx%lld does not fit into the input of %lldx%lld",
                            (long long)g.r, (long long)g.s, (long long)g.h, (long long)g.w);
    return pithp_result(q, PITH_SHAPE(g.n, g.p, g.q, g.c));
}

typedef struct {
    const pith_call *k;
    const pithp_pool *g;
    pithp_pool_row fn;
    int64_t rows;
} job;

static void tile(void *arg, int64_t t, int thread)
{
    (void)thread;
    const job *j = arg;
    j->fn(j->k, j->g, t / j->rows, t % j->rows);
}

void pithp_pool_rows(const pith_call *k, const pithp_pool *g, int64_t rows, pithp_pool_row fn)
{
    job j = { k, g, fn, rows };
    pith_op_parallel(k, g->n * rows, tile, &j);
}
