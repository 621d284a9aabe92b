/* conv_bn_act: act(batch_norm(conv(x, w))) [+ res], one step of a plan; never in a saved graph.

   in: x, w, gamma, beta, running_mean, running_var, res (may be absent). Training: the convolution writes y and takes
   its statistics while the tile is in cache; one more pass normalises, activates and adds. Backward: one pass reduces
   dz to the two sums of batch norm's gradient; the convolution's backward then computes dL/dy tile by tile and never
   stores it. Inference: everything in the convolution's epilogue.

   conv_bn_raw is the same step where the one that consumes its result normalises as it loads (graph/raw.c): the result
   is y itself, the second pass of training falls away, and so does the reduction, which the consumer's backward does
   while it has dz in cache. Both can be such a consumer.
   Their twin is the unfused composition (pith_plan_cfg.no_fuse). */
#include "ops/common.h"
#include "ops/conv.h"
#include "ops/fused.h"
#include "ops/norm.h"

enum { X, W, GAMMA, BETA, RUN_MEAN, RUN_VAR, RES, N_IN };

typedef pithp_conv_bn_act_attr attr_t;

static pithp_conv geometry(const pith_call *k)
{
    const attr_t *a = k->attr;
    return pithp_conv_geometry_of(&a->conv, k->in[X].shape, k->in[W].shape);
}

static bool batch_stats(const pith_call *k) { return k->train && !((const attr_t *)k->attr)->bn.frozen; }

static bool leaves_raw(const pith_op *op) { return op == &pithp_op_conv_bn_raw; }

/* aux: the [K] vectors, one more for the variance, then y (in training, if it is not the result), 64-byte aligned. */
static size_t vector_bytes(int64_t k)
{
    return ((PITHP_BN_VECTORS + 1) * (size_t)k * sizeof(pith_real) + 63) / 64 * 64;
}

static pith_real *saved_y(const pith_call *k, int64_t channels)
{
    if (leaves_raw(k->op))
        return k->out.data;
    return (pith_real *)(void *)((char *)k->aux + vector_bytes(channels));
}

static bool fused_shape(pith_infer *q)
{
    const attr_t *a = q->attr;
    pithp_conv g;
    pith_infer conv = *q; /* the convolution's own operands are the first two */
    conv.n_in = 2;
    if (!pithp_conv_geometry(&conv, &a->conv, &g) || !pithp_bn_check(q, GAMMA, g.k, &a->bn))
        return false;
    q->out = PITH_SHAPE(g.n, g.p, g.q, g.k);
    q->out_dtype = PITH_F32;
    if (q->in[RES].ndim >= 0 && !pithp_shape_eq(q->in[RES], q->out))
        return pith_op_fail(q, "the residual must have the result's shape");
    int64_t rows = g.n * g.p * g.q;
    size_t bn = pithp_bn_scratch(rows, g.k), back = pithp_conv_bwd_scratch(&g, q->threads);
    q->aux =
        vector_bytes(g.k) + (q->train && !leaves_raw(q->op) ? (size_t)(rows * g.k) * sizeof(pith_real) : 0);
    q->scratch = pithp_conv_fwd_scratch(&g, q->threads);
    const uint32_t fixed = 1u << W | 1u << GAMMA | 1u << BETA | 1u << RUN_MEAN | 1u << RUN_VAR;
    if ((q->constant & fixed) == fixed)
        q->keep = vector_bytes(g.k) + (size_t)pithp_conv_packed(&g) * sizeof(pith_real);
    q->scratch_back = PITHP_MAX(bn, back);
    return true;
}

static pithp_x_src load_of(const pith_val *x)
{
    const pithp_norm *n = x->norm;
    return n == NULL ? (pithp_x_src){ 0 } : (pithp_x_src){ n->scale, n->shift, n->act };
}

/* keep: the vectors, then the packed weights (none of a depthwise convolution). */
static const pith_real *pack_once(const pith_call *k, const pithp_env *e, const pithp_conv *g)
{
    pith_real *packed = (pith_real *)(void *)((char *)k->keep + vector_bytes(g->k));
    if (pithp_conv_packed(g) == 0)
        return NULL;
    if (!k->kept)
        pithp_conv_pack(e, g, k->in[W].data, packed);
    return packed;
}

static void fused_forward(const pith_call *k)
{
    const attr_t *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    pithp_conv g = geometry(k);
    int64_t rows = g.n * g.p * g.q;
    pithp_bn_vec v = pithp_bn_vectors(k->keep ? k->keep : k->aux, g.k);
    pith_real *var = v.d + g.k, *running_mean = k->in[RUN_MEAN].data, *running_var = k->in[RUN_VAR].data;
    pithp_conv_fwd f = {
        .g = g, .x = k->in[X].data, .w = k->in[W].data, .scratch = k->scratch, .load = load_of(&k->in[X])
    };

    if (k->keep != NULL)
        f.packed = pack_once(k, e, &g);
    if (!batch_stats(k) && !k->kept) {
        for (int64_t i = 0; i < g.k; i++)
            v.mean[i] = running_mean[i];
        pithp_bn_coef(&v, running_var, k->in[GAMMA].data, k->in[BETA].data, a->bn.eps, g.k);
    }
    if (k->train) {
        f.y = saved_y(k, g.k);
        f.mean = batch_stats(k) ? v.mean : NULL;
        f.var = batch_stats(k) ? var : NULL;
    } else {
        f.y = k->out.data;
        f.scale = v.scale;
        f.shift = v.shift;
        f.act = a->act;
    }
    pithp_conv_forward(e, &f);
    if (batch_stats(k)) {
        pithp_bn_running(&a->bn, v.mean, var, rows, g.k, running_mean, running_var);
        pithp_bn_coef(&v, var, k->in[GAMMA].data, k->in[BETA].data, a->bn.eps, g.k);
    }
    if (leaves_raw(k->op))
        return;
    if (k->train)
        pithp_affine_act(e, f.y, v.scale, v.shift, k->in[RES].data, false, a->act, rows, g.k, k->out.data);
    else if (k->in[RES].data != NULL)
        pithp_run_axpy(e, 1, k->in[RES].data, rows * g.k, k->out.data);
}

static void residual_grad(const pith_call *k, const pithp_env *e, int64_t n)
{
    if (k->in[RES].grad == NULL)
        return; /* shared with dL/dout, or not wanted */
    if (k->in[RES].grad_add)
        pithp_run_axpy(e, 1, k->out.grad, n, k->in[RES].grad);
    else
        pithp_run_unary(e, PITHP_U_SCALE, k->out.grad, n, 1, 0, k->in[RES].grad);
}

static void fused_backward(const pith_call *k)
{
    const attr_t *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    pithp_conv g = geometry(k);
    int64_t rows = g.n * g.p * g.q;
    pithp_bn_vec v = pithp_bn_vectors(k->aux, g.k);
    const pith_real *y = saved_y(k, g.k), *dz = k->out.grad;

    const bool raw = leaves_raw(k->op); /* the consumer has reduced, and its dz is past the activation */
    if (!raw)
        pithp_bn_reduce(e, dz, y, v.scale, v.shift, v.mean, a->act, rows, g.k, v.s1, v.s2, NULL, k->scratch);
    for (int i = W; i <= BETA; i++)
        pithp_clear_grad(&k->in[i]);
    pithp_bn_back_coef(&v, batch_stats(k), rows, g.k, k->in[GAMMA].grad, k->in[BETA].grad);
    pithp_conv_bwd b = { .g = g,
                         .x = k->in[X].data,
                         .w = k->in[W].data,
                         .src = { .dz = dz,
                                  .y = y,
                                  .scale = v.scale,
                                  .shift = v.shift,
                                  .a = v.a,
                                  .b = v.b,
                                  .d = v.d,
                                  .act = raw ? PITHP_ACT_NONE : a->act },
                         .dx = k->in[X].grad,
                         .dx_add = k->in[X].grad_add,
                         .dw = k->in[W].grad,
                         .scratch = k->scratch,
                         .load = load_of(&k->in[X]) };
    if (k->in[X].norm != NULL && b.dx != NULL) {
        b.load_mean = k->in[X].norm->mean;
        b.load_s1 = k->in[X].norm->s1;
        b.load_s2 = k->in[X].norm->s2;
    }
    if (b.dx != NULL || b.dw != NULL)
        pithp_conv_backward(e, &b);
    residual_grad(k, e, rows * g.k);
}

static int64_t fused_macs(const pith_infer *q)
{
    const attr_t *a = q->attr;
    pithp_conv g = pithp_conv_geometry_of(&a->conv, q->in[X], q->in[W]);
    return g.n * g.p * g.q * g.k * g.r * g.s * (g.c / g.groups);
}

#define FUSED_OP(name_, reads_)                                                                             \
    {                                                                                                       \
        .name = name_, .min_in = 6, .max_in = N_IN, .attr_size = sizeof(attr_t), .shape = fused_shape,      \
        .forward = fused_forward, .backward = fused_backward, .macs = fused_macs,                           \
        .reads = PITH_READS_IN(X) | PITH_READS_IN(W) | (reads_), .no_grad = 1u << RUN_MEAN | 1u << RUN_VAR, \
        .state = 1u << RUN_MEAN | 1u << RUN_VAR, .by_sample = 1u << X | 1u << RES, .grad_alias = RES + 1    \
    }

const pith_op pithp_op_conv_bn_act = FUSED_OP("conv_bn_act", 0);
const pith_op pithp_op_conv_bn_raw = FUSED_OP("conv_bn_raw", PITH_READS_OUT);

/* ---- Leaving the result raw, and loading one ---- */
static bool has_no_residual(const void *attr, const pith_shape *in) { return in[RES].ndim < 0; }

static bool can_load(const void *attr, const pith_shape *in)
{
    pithp_conv g = pithp_conv_geometry_of(&((const attr_t *)attr)->conv, in[X], in[W]);
    return pithp_conv_loads(&g);
}

static pithp_norm norm_of(const pith_call *k)
{
    const attr_t *a = k->attr;
    pithp_bn_vec v = pithp_bn_vectors(k->aux, geometry(k).k);
    return (pithp_norm){ v.scale, v.shift, v.mean, v.s1, v.s2, a->act };
}

const pithp_raw_rule pithp_raw_rules[] = { { &pithp_op_conv_bn_act, &pithp_op_conv_bn_raw, X, has_no_residual,
                                             can_load, norm_of } };
const size_t pithp_raw_rules_n = PITHP_LEN(pithp_raw_rules);
