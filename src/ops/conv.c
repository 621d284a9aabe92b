/* Geometry of convolutions: padding as TensorFlow defines it, output sizes, and every check of operands. */
#include "ops/conv.h"

#include <limits.h>

/* Half of what a kernel spans beyond one element, in one dimension. */
static int half_span(int64_t kernel, int dilation)
{
    return (int)(PITHP_MIN(kernel - 1, 4096) * PITHP_MIN(dilation, 4096) / 2);
}

/* Symmetric padding in numbers; SAME where it is that, so that exporters meet what they know best. */
static void pad_symmetrically(pithp_conv_attr *a, pith_shape w)
{
    int64_t span_h = (w.d[1] - 1) * a->dil_h, span_w = (w.d[2] - 1) * a->dil_w;
    bool same_h = span_h == 0 || (a->stride_h == 1 && span_h % 2 == 0);
    bool same_w = span_w == 0 || (a->stride_w == 1 && span_w % 2 == 0);
    a->pad_mode = same_h && same_w ? PITH_SAME : PITH_EXPLICIT;
    if (a->pad_mode == PITH_SAME)
        return;
    a->top = a->bottom = half_span(w.d[1], a->dil_h);
    a->left = a->right = half_span(w.d[2], a->dil_w);
}

pithp_conv_attr pithp_conv_attr_of(pith_conv2d_cfg cfg, const pith_tensor *w, bool depthwise)
{
    pithp_conv_attr a = { .stride_h = cfg.stride ? cfg.stride : 1,
                          .dil_h = cfg.dilation ? cfg.dilation : 1,
                          .groups = cfg.groups ? cfg.groups : 1,
                          .pad_mode = cfg.pad_mode,
                          .top = cfg.pad[0],
                          .bottom = cfg.pad[1],
                          .left = cfg.pad[2],
                          .right = cfg.pad[3],
                          .depthwise = depthwise };
    a.stride_w = cfg.stride_w ? cfg.stride_w : a.stride_h;
    a.dil_w = cfg.dilation_w ? cfg.dilation_w : a.dil_h;
    if (cfg.pad_mode == PITH_SYMMETRIC && w != NULL && w->shape.ndim == 4) /* else shape() has its say */
        pad_symmetrically(&a, w->shape);
    return a;
}

/* One dimension: output size and leading zeros; -1 where the kernel does not fit. */
static int64_t extent(int64_t in, int64_t kernel, int64_t stride, int64_t dil, int mode, int before,
                      int after, int64_t *lead)
{
    int64_t span = (kernel - 1) * dil + 1;
    if (mode == PITH_SAME) {
        int64_t out = (in + stride - 1) / stride;
        int64_t pad = PITHP_MAX((out - 1) * stride + span - in, 0);
        *lead = pad / 2;
        return out;
    }
    int64_t total = in + (mode == PITH_EXPLICIT ? (int64_t)before + after : 0);
    *lead = mode == PITH_EXPLICIT ? before : 0;
    return total < span ? -1 : (total - span) / stride + 1;
}

pithp_conv pithp_conv_geometry_of(const pithp_conv_attr *a, pith_shape x, pith_shape w)
{
    pithp_conv g = { .n = x.d[0],
                     .h = x.d[1],
                     .w = x.d[2],
                     .c = x.d[3],
                     .r = w.d[1],
                     .s = w.d[2],
                     .stride_h = a->stride_h,
                     .stride_w = a->stride_w,
                     .dil_h = a->dil_h,
                     .dil_w = a->dil_w,
                     .depthwise = a->depthwise };
    g.k = a->depthwise ? w.d[3] : w.d[0];
    g.groups = a->depthwise ? g.c : a->groups;
    g.p = extent(g.h, g.r, g.stride_h, g.dil_h, a->pad_mode, a->top, a->bottom, &g.pt);
    g.q = extent(g.w, g.s, g.stride_w, g.dil_w, a->pad_mode, a->left, a->right, &g.pl);
    return g;
}

pithp_conv pithp_conv_of_dense(pith_shape x, pith_shape w)
{
    return (pithp_conv){ .n = x.d[0],
                         .h = 1,
                         .w = 1,
                         .c = x.d[1],
                         .p = 1,
                         .q = 1,
                         .k = w.d[0],
                         .r = 1,
                         .s = 1,
                         .stride_h = 1,
                         .stride_w = 1,
                         .dil_h = 1,
                         .dil_w = 1,
                         .groups = 1 };
}

static bool attr_ok(pith_infer *q, const pithp_conv_attr *a)
{
    const int positive[] = { a->stride_h, a->stride_w, a->dil_h, a->dil_w };
    for (size_t i = 0; i < PITHP_LEN(positive); i++)
        if (positive[i] < 1 || positive[i] > 4096)
            return pith_op_fail(q, "stride %dx%d and dilation %dx%d must lie in 1..4096", a->stride_h,
                                a->stride_w, a->dil_h, a->dil_w);
    const int pads[] = { a->top, a->bottom, a->left, a->right };
    for (size_t i = 0; i < PITHP_LEN(pads); i++)
        if (pads[i] < 0 || pads[i] > 4096)
            return pith_op_fail(q, "padding %d,%d,%d,%d must lie in 0..4096", a->top, a->bottom, a->left,
                                a->right);
    if (a->pad_mode < PITH_SAME || a->pad_mode > PITH_EXPLICIT)
        return pith_op_fail(q, "padding mode %d is not SAME, VALID or EXPLICIT", a->pad_mode);
    if (a->groups < 1)
        return pith_op_fail(q, "groups %lld must be at least 1", (long long)a->groups);
    return true;
}

static bool channels_ok(pith_infer *q, const pithp_conv_attr *a)
{
    int64_t c = q->in[0].d[3], k = q->in[1].d[0], per = q->in[1].d[3];
    if (a->depthwise) {
        if (k != 1 || per != c)
            return pith_op_fail(q, "the input has %lld channels, so weights [1,R,S,%lld] are expected",
                                (long long)c, (long long)c);
        return true;
    }
    if (c % a->groups != 0 || k % a->groups != 0)
        return pith_op_fail(q, "%lld input and %lld output channels do not divide into %lld groups",
                            (long long)c, (long long)k, (long long)a->groups);
    if (per != c / a->groups)
        return pith_op_fail(
            q, "the input has %lld channels in %lld groups, so weights [K,R,S,%lld] are expected",
            (long long)c, (long long)a->groups, (long long)(c / a->groups));
    return true;
}

bool pithp_conv_geometry(pith_infer *q, const pithp_conv_attr *a, pithp_conv *g)
{
    if (q->in[0].ndim != 4 || q->in_dtype[0] != PITH_F32)
        return pith_op_fail(q, "an input float32 [N,H,W,C] is expected");
    if (q->in[1].ndim != 4 || q->in_dtype[1] != PITH_F32)
        return pith_op_fail(q, "weights float32 %s are expected",
                            a->depthwise ? "[1,R,S,C]" : "[K,R,S,C/groups]");
    if (!attr_ok(q, a) || !channels_ok(q, a))
        return false;
    *g = pithp_conv_geometry_of(a, q->in[0], q->in[1]);
    if (g->p < 1 || g->q < 1)
        return pith_op_fail(q, "the kernel %lldx%lld does not fit into the padded input", (long long)g->r,
                            (long long)g->s);
    if (q->n_in > 2 && q->in[2].ndim >= 0 &&
        (q->in[2].ndim != 1 || q->in[2].d[0] != g->k || q->in_dtype[2] != PITH_F32))
        return pith_op_fail(q, "a bias float32 [%lld] is expected", (long long)g->k);
    return true;
}
