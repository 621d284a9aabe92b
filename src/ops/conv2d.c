/* conv2d: y[n,p,q,k] = sum_{r,s,c} x[n, p*sh + r*dh - pt, q*sw + s*dw - pl, c] * w[k,r,s,c] + b[k]

   x [N,H,W,C], w [K,R,S,C/groups] (OHWI, as TFLite stores them), b [K] or absent; y [N,P,Q,K].
   With u = dL/dy: dw = sum u x, db = sum u, dx = the transposed convolution of u with w.
   Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285;
   padding: tensorflow/python/ops/nn_ops.py, "SAME". */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/conv.h"
#include "ops/integer.h"

static const pith_attr_field fields[] = { { "stride_h", PITH_ATTR_INT, offsetof(pithp_conv_attr, stride_h) },
                                          { "stride_w", PITH_ATTR_INT, offsetof(pithp_conv_attr, stride_w) },
                                          { "dilation_h", PITH_ATTR_INT, offsetof(pithp_conv_attr, dil_h) },
                                          { "dilation_w", PITH_ATTR_INT, offsetof(pithp_conv_attr, dil_w) },
                                          { "groups", PITH_ATTR_INT64, offsetof(pithp_conv_attr, groups) },
                                          { "pad_mode", PITH_ATTR_INT, offsetof(pithp_conv_attr, pad_mode) },
                                          { "pad_top", PITH_ATTR_INT, offsetof(pithp_conv_attr, top) },
                                          { "pad_bottom", PITH_ATTR_INT, offsetof(pithp_conv_attr, bottom) },
                                          { "pad_left", PITH_ATTR_INT, offsetof(pithp_conv_attr, left) },
                                          { "pad_right", PITH_ATTR_INT, offsetof(pithp_conv_attr, right) },
                                          { "depthwise", PITH_ATTR_BOOL,
                                            offsetof(pithp_conv_attr, depthwise) },
                                          PITH_ATTR_END };

static bool conv_shape(pith_infer *q)
{
    pithp_conv g;
    if (!pithp_conv_geometry(q, q->attr, &g))
        return false;
    q->out = PITH_SHAPE(g.n, g.p, g.q, g.k);
    q->out_dtype = PITH_F32;
    q->scratch = pithp_conv_fwd_scratch(&g, q->threads);
    q->scratch_back = pithp_conv_bwd_scratch(&g, q->threads);
    q->keep = q->constant & 1u << 1 ? (size_t)pithp_conv_packed(&g) * sizeof(pith_real) : 0;
    return true;
}

static int64_t conv_macs(const pith_infer *q)
{
    pithp_conv g = pithp_conv_geometry_of(q->attr, q->in[0], q->in[1]);
    return g.n * g.p * g.q * g.k * g.r * g.s * (g.c / g.groups);
}

static void conv_forward(const pith_call *k)
{
    pithp_conv_fwd a = { .g = pithp_conv_geometry_of(k->attr, k->in[0].shape, k->in[1].shape),
                         .x = k->in[0].data,
                         .w = k->in[1].data,
                         .bias = k->n_in > 2 ? k->in[2].data : NULL,
                         .y = k->out.data,
                         .scratch = k->scratch,
                         .packed = k->keep };
    if (k->keep != NULL && !k->kept)
        pithp_conv_pack(pithp_call_env(k), &a.g, a.w, k->keep);
    pithp_conv_forward(pithp_call_env(k), &a);
}

static void conv_backward(const pith_call *k)
{
    pithp_conv_bwd a = { .g = pithp_conv_geometry_of(k->attr, k->in[0].shape, k->in[1].shape),
                         .x = k->in[0].data,
                         .w = k->in[1].data,
                         .src = { .dy = k->out.grad },
                         .dx = k->in[0].grad,
                         .dx_add = k->in[0].grad_add,
                         .dw = k->in[1].grad,
                         .dbias = k->n_in > 2 ? k->in[2].grad : NULL,
                         .scratch = k->scratch };
    for (int i = 1; i < k->n_in; i++)
        pithp_clear_grad(&k->in[i]);
    pithp_conv_backward(pithp_call_env(k), &a);
}

static int conv_lower(pithp_lower *l, const pithp_site *s)
{
    const pithp_conv_attr *a = s->t->attr;
    pithp_conv g = pithp_conv_geometry_of(a, s->t->in[0]->shape, s->t->in[1]->shape);
    int64_t down = (g.p - 1) * g.stride_h + (g.r - 1) * g.dil_h + 1 - g.h - g.pt;
    int64_t right = (g.q - 1) * g.stride_w + (g.s - 1) * g.dil_w + 1 - g.w - g.pl;
    pithp_qattr q = { .stride = { g.stride_h, g.stride_w },
                      .dilation = { g.dil_h, g.dil_w },
                      .pad = { g.pt, PITHP_MAX(down, 0), g.pl, PITHP_MAX(right, 0) },
                      .groups = a->depthwise ? 0 : g.groups };
    return pithp_lower_weighted(l, s, a->depthwise ? &pithp_qop_depthwise : &pithp_qop_conv2d, q);
}

static const pithp_integer conv_integer = {
    .kind = PITHP_INT_OWN, .weight = 1, .axis = 0, .clamps = true, .folds = true, .lower = conv_lower
};
static const pithp_integer depthwise_integer = {
    .kind = PITHP_INT_OWN, .weight = 1, .axis = 3, .clamps = true, .folds = true, .lower = conv_lower
};

static void ties(pithp_ties *k)
{
    const pithp_conv_attr *a = k->t->attr;
    int64_t c = k->t->in[0]->shape.d[3], m = k->t->shape.d[3], per = c / a->groups;
    if (a->depthwise || a->groups == 1) {
        pithp_tie(k, 0, 3, a->depthwise ? PITHP_OUT : 1, 3);
        pithp_tie(k, 1, a->depthwise ? 3 : 0, PITHP_OUT, 3);
        pithp_tie_vectors(k, 2, 2);
        return;
    }
    pithp_tie(k, 1, 0, PITHP_OUT, 3);
    pithp_tie_vectors(k, 2, 2);
    for (int64_t g = 0; g < a->groups; g++) {
        /* of one channel a group: groups go whole; of more: the same place of every group */
        for (int64_t i = 0; i < m / a->groups && per == 1; i++)
            k->tie(k, (pithp_slices){ 0, 3, g }, (pithp_slices){ PITHP_OUT, 3, g * (m / a->groups) + i }, 1);
        if (per > 1) {
            k->tie(k, (pithp_slices){ 0, 3, g * per }, (pithp_slices){ 1, 3, 0 }, per);
            k->tie(k, (pithp_slices){ PITHP_OUT, 3, g * (m / a->groups) }, (pithp_slices){ PITHP_OUT, 3, 0 },
                   m / a->groups);
        }
    }
}

static void shrink(const pithp_kept *k, void *attr)
{
    pithp_conv_attr *a = attr;
    int64_t c = k->t->in[0]->shape.d[3];
    if (a->groups > 1 && c == a->groups)
        a->groups = k->count(k, 0, 3, 0, c);
}

static const pithp_channels channels = { .ties = ties, .shrink = shrink };

const pith_op pithp_op_conv2d = { .name = "conv2d",
                                  .min_in = 2,
                                  .max_in = 3,
                                  .by_sample = 1,
                                  .channels = &channels,
                                  .attr_size = sizeof(pithp_conv_attr),
                                  .fields = fields,
                                  .shape = conv_shape,
                                  .forward = conv_forward,
                                  .backward = conv_backward,
                                  .macs = conv_macs,
                                  .integer = &conv_integer,
                                  .reads = PITH_READS_IN(0) | PITH_READS_IN(1) };

pith_tensor *pith_conv2d(pith_tensor *x, pith_tensor *w, pith_tensor *b, pith_conv2d_cfg cfg)
{
    pithp_conv_attr a = pithp_conv_attr_of(cfg, w, false);
    return pith_op_apply(&pithp_op_conv2d, &a, NULL, 3, (pith_tensor *[]){ x, w, b });
}

/* depthwise_conv2d: the same with one filter a channel; w [1,R,S,C]. Differs from conv2d in the layout of its weights,
   which is TFLite's, and in its kernels. */
const pith_op pithp_op_depthwise_conv2d = { .name = "depthwise_conv2d",
                                            .min_in = 2,
                                            .max_in = 3,
                                            .by_sample = 1,
                                            .channels = &channels,
                                            .attr_size = sizeof(pithp_conv_attr),
                                            .fields = fields,
                                            .shape = conv_shape,
                                            .forward = conv_forward,
                                            .backward = conv_backward,
                                            .macs = conv_macs,
                                            .integer = &depthwise_integer,
                                            .reads = PITH_READS_IN(0) | PITH_READS_IN(1) };

pith_tensor *pith_depthwise_conv2d(pith_tensor *x, pith_tensor *w, pith_tensor *b, pith_conv2d_cfg cfg)
{
    pithp_conv_attr a = pithp_conv_attr_of(cfg, w, true);
    return pith_op_apply(&pithp_op_depthwise_conv2d, &a, NULL, 3, (pith_tensor *[]){ x, w, b });
}
