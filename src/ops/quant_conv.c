/* quant_conv: fake_quant(act(folded_batch_norm(conv(x, w)))) or parts of it, one step of a plan; never in a saved graph.

   Training: the convolution writes y and takes its statistics while the tile is in cache; one more pass normalises,
   activates, quantizes and looks at the range. Backward: clipping joins the activation's derivative: both ask whether
   scale*y + shift lies between two bounds, which is relu6's question about a shifted y, so that batch norm's and the
   convolution's backward passes are those of a float layer. A learned scale's gradient is summed in batch norm's first pass.

   In inference nothing moves any more, and the step computes what the integer engine computes: the convolution runs on whole numbers, exact while sums stay below 2^24, and its sums are rescaled by
   the contract's own function. Layers whose sums may be larger are computed in float (and may differ by one).
   Its twin is the unfused composition (pith_plan_cfg.no_fuse). */
#include "ops/quant_conv.h"
#include "kernels/int8/fixed.h"
#include "ops/common.h"
#include "ops/integer.h"

#include <math.h>
#include <string.h>

typedef pithp_quant_conv_attr attr_t;

static pithp_conv geometry(const attr_t *a, pith_shape x, pith_shape w)
{
    return a->dense ? pithp_conv_of_dense(x, w) : pithp_conv_geometry_of(&a->conv, x, w);
}

static pithp_conv geometry_of(const pith_call *k)
{
    return geometry(k->attr, k->in[0].shape, k->in[1].shape);
}

/* ---- Memory: aux holds the vectors, the bounds of the derivative, then y (training) ---- */
enum {
    EXTRA = 3
}; /* vectors: scale and shift of the derivative's question; whether it is asked, or the bias. Then of the result, as the
      forward pass found them: its scale, 0 while it is not quantized, and the bounds of its integers less the zero point */

static size_t vector_bytes(int64_t k)
{
    return (((PITHP_FOLDED_VECTORS + EXTRA) * (size_t)k + 3) * sizeof(pith_real) + 63) / 64 * 64;
}

static pith_real *extra(const pith_call *k, int64_t c, int i)
{
    return (pith_real *)k->aux + (PITHP_FOLDED_VECTORS + i) * c;
}

static pith_real *saved_y(const pith_call *k, int64_t c)
{
    return (pith_real *)(void *)((char *)k->aux + vector_bytes(c));
}

static size_t round64(size_t n) { return (n + 63) / 64 * 64; }

/* The exact form's scratch: x and w as whole numbers, factors, biases. */
static size_t exact_bytes(const pithp_conv *g)
{
    int64_t w = g->k * g->r * g->s * (g->depthwise ? 1 : g->c / g->groups);
    return round64((size_t)(g->n * g->h * g->w * g->c) * sizeof(pith_real)) +
           round64((size_t)w * sizeof(pith_real)) +
           round64((size_t)g->k * (sizeof(pithp_fixed) + sizeof(int32_t)));
}

static bool shape(pith_infer *q)
{
    const attr_t *a = q->attr;
    pithp_conv g;
    pith_infer conv = *q;
    conv.n_in = 3;
    if (!a->dense && !pithp_conv_geometry(&conv, &a->conv, &g))
        return false;
    g = geometry(a, q->in[0], q->in[1]);
    if (a->norm && !pithp_folded_check(q, PITHP_QC_GAMMA, g.k, &a->bn))
        return false;
    q->out = a->dense ? PITH_SHAPE(g.n, g.k) : PITH_SHAPE(g.n, g.p, g.q, g.k);
    q->out_dtype = PITH_F32;
    int64_t rows = g.n * g.p * g.q;
    q->aux = vector_bytes(g.k) + (q->train ? (size_t)(rows * g.k) * sizeof(pith_real) : 0);
    q->scratch =
        round64(PITHP_MAX(pithp_conv_fwd_scratch(&g, q->threads), pithp_affine_fq_scratch(rows, g.k))) +
        (a->out != NULL ? exact_bytes(&g) : 0);
    q->scratch_back = PITHP_MAX(pithp_bn_scratch(rows, g.k), pithp_conv_bwd_scratch(&g, q->threads));
    return true;
}

static int64_t macs(const pith_infer *q)
{
    pithp_conv g = geometry(q->attr, q->in[0], q->in[1]);
    return g.n * g.p * g.q * g.k * g.r * g.s * (g.depthwise ? 1 : g.c / g.groups);
}

/* ---- Numbers of the fake_quant nodes ---- */
typedef struct {
    const pithp_fq_attr *a;
    pith_real *scale, *zero, *seen;
    bool on, looks;
} quant;

static quant quant_of(const pith_tensor *f, bool train)
{
    quant q = { .a = f->attr, .scale = f->in[PITHP_FQ_SCALE]->value, .zero = f->in[PITHP_FQ_ZERO]->value };
    q.seen = f->n_in > PITHP_FQ_SEEN && f->in[PITHP_FQ_SEEN] != NULL ? f->in[PITHP_FQ_SEEN]->value : NULL;
    q.on = pithp_fq_active(q.a, q.scale, pithp_count(f->in[PITHP_FQ_SCALE]->shape), q.seen, train);
    q.looks = pithp_fq_looks(q.a, q.seen, train);
    return q;
}

/* ---- Exact ---- */
typedef struct {
    const pith_call *k;
    int64_t c, rows;
    const pithp_fixed *fixed;
    const int32_t *bias;
    int lo, hi, zero;
    pith_real scale;
} rescale;

static void rescale_row(void *arg, int64_t row, int thread)
{
    const rescale *r = arg;
    pith_real *y = (pith_real *)r->k->out.data + row * r->c;
    (void)thread;
    for (int64_t i = 0; i < r->c; i++) {
        int32_t q = pithp_rescale((int32_t)y[i] + r->bias[i], r->fixed[i]) + r->zero;
        y[i] = r->scale * (pith_real)(pithp_clamp(q, r->lo, r->hi) - r->zero);
    }
}

/* The float bias of a layer whose statistics stand still. */
static void still_bias(const pith_call *k, int64_t c, pith_real *bias)
{
    const attr_t *a = k->attr;
    const pith_real *b = k->in[PITHP_QC_BIAS].data;
    memset(bias, 0, (size_t)c * sizeof *bias);
    if (a->norm)
        pithp_folded_bias(a->bn.eps, k->in[PITHP_QC_GAMMA].data, k->in[PITHP_QC_BETA].data,
                          k->in[PITHP_QC_MEAN].data, k->in[PITHP_QC_VAR].data, c, bias);
    for (int64_t i = 0; b != NULL && i < c; i++)
        bias[i] += b[i];
}

/* Bounds of the result's integers: the type's, and the activation's. */
static void bounds(const quant *q, pithp_act act, int zero, rescale *r)
{
    r->lo = pithp_fq_qmin(q->a);
    r->hi = pithp_fq_qmax(q->a);
    if (act != PITHP_ACT_NONE)
        r->lo = PITHP_MAX(r->lo, zero);
    if (act == PITHP_ACT_RELU6)
        r->hi = PITHP_MIN(r->hi, pithp_quantize_i8(6, (float)q->scale[0], zero));
}

/* Whole weights, their largest sum with any input and the bias; false if it may pass 2^24. */
static bool sums_fit(const pithp_conv *g, const pith_real *w, const int32_t *bias, int zero_in)
{
    int64_t per = g->r * g->s * (g->depthwise ? 1 : g->c / g->groups),
            far = PITHP_MAX(127 - zero_in, 128 + zero_in);
    for (int64_t k = 0; k < g->k; k++) {
        double sum = 0;
        for (int64_t i = 0; i < per; i++)
            sum += fabs((double)w[g->depthwise ? i * g->k + k : k * per + i]);
        if (sum * (double)far > 0x1p24 || fabs((double)bias[k]) > 0x1p30)
            return false;
    }
    return true;
}

static bool factors(const attr_t *a, const quant *x, const quant *w, const quant *out, int64_t c,
                    const pith_real *bias, pithp_fixed *fixed, int32_t *whole)
{
    bool one = w->a->axis < 0;
    float sx = (float)x->scale[0], so = (float)out->scale[0];
    for (int64_t i = 0; i < c; i++) {
        float sw = (float)w->scale[one ? 0 : i], sb = sx * sw;
        double real = a->dense && one ? (double)(sx * sw) : (double)sx * (double)sw;
        real /= (double)so;
        if (!(real > 0 && isfinite(real)) || !pithp_bias_quantize((double)bias[i], sb, &whole[i]))
            return false;
        fixed[i] = pithp_fixed_from(real);
    }
    return true;
}

/* False: this layer cannot be computed exactly in float. */
static bool exact_forward(const pith_call *k, const pithp_conv *g, void *room)
{
    const attr_t *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    quant x = quant_of(a->x, k->train), w = quant_of(a->w, k->train), out = quant_of(a->out, k->train);
    int64_t nx = g->n * g->h * g->w * g->c, nw = pithp_count(k->in[PITHP_QC_W].shape);
    pith_real *xq = room, *wq = (pith_real *)(void *)((char *)xq + round64((size_t)nx * sizeof *xq));
    pithp_fixed *fixed = (pithp_fixed *)(void *)((char *)wq + round64((size_t)nw * sizeof *wq));
    int32_t *bias = (int32_t *)(fixed + g->k);
    pith_real *fb = extra(k, g->k, 2), wide = 0x1p15;
    if (!x.on || !w.on || !out.on)
        return false;
    still_bias(k, g->k, fb);
    if (!factors(a, &x, &w, &out, g->k, fb, fixed, bias))
        return false;
    pith_real no[1] = { 0 };
    pithp_fq fx = { 1, 1, nx, x.scale, no, -wide, wide }, fw = { 1, 1, nw, w.scale, no, -wide, wide };
    if (w.a->axis >= 0) {
        bool first = w.a->axis == 0;
        fw = (pithp_fq){ first ? 1 : nw / g->k, g->k, first ? nw / g->k : 1, w.scale, w.zero, -wide, wide };
    }
    pithp_fq_whole(e, &fw, k->in[PITHP_QC_W].data, wq);
    int zx = pithp_fq_zero(x.a, x.zero[0]), zo = pithp_fq_zero(out.a, out.zero[0]);
    if (!sums_fit(g, wq, bias, zx))
        return false;
    pithp_fq_whole(e, &fx, k->in[PITHP_QC_X].data, xq);
    pithp_conv_fwd f = { .g = *g, .x = xq, .w = wq, .y = k->out.data, .scratch = k->scratch };
    pithp_conv_forward(e, &f);
    rescale r = { .k = k, .c = g->k, .fixed = fixed, .bias = bias, .zero = zo, .scale = out.scale[0] };
    bounds(&out, a->act, zo, &r);
    pith_op_parallel(k, g->n * g->p * g->q, rescale_row, &r);
    return true;
}

/* ---- Forward ---- */
/* The derivative is 1 where lo < scale*y + shift < hi: relu6's question about a shifted y, with its scale and shift here. */
static void question(const pith_call *k, int64_t c, const pith_real *scale, const pith_real *shift,
                     const quant *out)
{
    const attr_t *a = k->attr;
    double lo = a->act == PITHP_ACT_NONE ? -1e15 : 0, hi = a->act == PITHP_ACT_RELU6 ? 6 : 1e15;
    if (out != NULL && out->on) {
        int z = pithp_fq_zero(out->a, out->zero[0]);
        lo = PITHP_MAX(lo, (pithp_fq_qmin(out->a) - z - 0.5) * (double)out->scale[0]);
        hi = PITHP_MIN(hi, (pithp_fq_qmax(out->a) - z + 0.5) * (double)out->scale[0]);
    }
    double f = 6 / (hi - lo);
    extra(k, c, 2)[0] = a->act != PITHP_ACT_NONE || (out != NULL && out->on);
    for (int64_t i = 0; i < c; i++) {
        extra(k, c, 0)[i] = (pith_real)((scale != NULL ? (double)scale[i] : 1) * f);
        extra(k, c, 1)[i] = (pith_real)(((shift != NULL ? (double)shift[i] : 0) - lo) * f);
    }
}

/* Bounds of the result's integers less its zero point. */
static void whole_bounds(const quant *q, pith_real *lo, pith_real *hi)
{
    const int z = pithp_fq_zero(q->a, q->zero[0]);
    *lo = (pith_real)(pithp_fq_qmin(q->a) - z);
    *hi = (pith_real)(pithp_fq_qmax(q->a) - z);
}

/* Scale and shift of the result from y, into v; batch: y's statistics are in v. */
static void coefficients(const pith_call *k, const pithp_folded_vec *v, bool batch, int64_t rows, int64_t c)
{
    const attr_t *a = k->attr;
    pithp_folded_stats s = { k->in[PITHP_QC_GAMMA].data, k->in[PITHP_QC_BETA].data, k->in[PITHP_QC_MEAN].data,
                             k->in[PITHP_QC_VAR].data };
    if (batch)
        pithp_folded_batch_coef(&v->bn, v->dg, &a->bn, v->var, rows, &s, c);
    else
        pithp_folded_frozen_coef(&v->bn, v->dg, &a->bn, &s, c);
}

static void float_forward(const pith_call *k, const pithp_conv *g, const pithp_folded_vec *v, bool batch,
                          quant *out)
{
    const attr_t *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    int64_t rows = g->n * g->p * g->q;
    const pith_real *scale = NULL, *shift = NULL;
    pithp_conv_fwd f = { .g = *g,
                         .x = k->in[PITHP_QC_X].data,
                         .w = k->in[PITHP_QC_W].data,
                         .bias = k->in[PITHP_QC_BIAS].data,
                         .y = k->train ? saved_y(k, g->k) : k->out.data,
                         .mean = batch ? v->bn.mean : NULL,
                         .var = batch ? v->var : NULL,
                         .scratch = k->scratch };
    pithp_conv_forward(e, &f);
    if (a->norm) {
        coefficients(k, v, batch, rows, g->k);
        scale = v->bn.scale;
        shift = v->bn.shift;
    }
    question(k, g->k, scale, shift, out);
    pith_real range[2], s = out != NULL && out->on ? out->scale[0] : 0, lo = 0, hi = 0;
    if (out != NULL && out->on)
        whole_bounds(out, &lo, &hi);
    memcpy(extra(k, g->k, EXTRA), (pith_real[]){ s, lo, hi }, 3 * sizeof s);
    pithp_affine_fq(e, f.y, scale, shift, a->act, rows, g->k, s, lo, hi, k->out.data, range, k->scratch);
    if (out != NULL && out->looks)
        pithp_fq_look(out->a, range, out->seen, out->scale, out->zero);
}

static void forward(const pith_call *k)
{
    const attr_t *a = k->attr;
    pithp_conv g = geometry_of(k);
    pithp_folded_vec v = pithp_folded_vectors(k->aux, g.k);
    pith_real *runs = a->norm ? k->in[PITHP_QC_RUNS].data : NULL;
    bool batch = a->norm && pithp_folded_batch(k, &a->bn, runs);
    quant out = { 0 };
    if (a->out != NULL)
        out = quant_of(a->out, k->train);
    v.batch[0] = batch;
    size_t base = round64(PITHP_MAX(pithp_conv_fwd_scratch(&g, pithp_call_env(k)->threads),
                                    pithp_affine_fq_scratch(g.n * g.p * g.q, g.k)));
    bool exact = !k->train && a->out != NULL && a->x != NULL && a->w != NULL &&
                 exact_forward(k, &g, (char *)k->scratch + base);
    if (!exact)
        float_forward(k, &g, &v, batch, a->out != NULL ? &out : NULL);
    if (a->norm)
        pithp_folded_count(k, runs);
    if (k->train && a->out != NULL)
        pithp_fq_count(out.seen);
}

/* ---- Backward ---- */
/* Clears the gradient of a learned scale; what its sum is made of, or NULL where there is none. */
static pithp_learned *learned_of(const pith_call *k, const pithp_conv *g, const pithp_folded_vec *v,
                                 pithp_learned *l)
{
    const attr_t *a = k->attr;
    const pith_real *q = extra(k, g->k, EXTRA);
    pithp_clear_grad(&k->in[PITHP_QC_SCALE]);
    if (k->in[PITHP_QC_SCALE].grad == NULL || !(q[0] > 0))
        return NULL;
    *l = (pithp_learned){ .act = a->act, .s = q[0], .lo = q[1], .hi = q[2] };
    if (a->norm) {
        l->scale = v->bn.scale;
        l->shift = v->bn.shift;
    }
    return l;
}

/* How many values of a sample (or of all) share the result's scale. */
static int64_t shared(const attr_t *a, const pithp_conv *g)
{
    const pithp_fq_attr *f = a->out->attr;
    return g->n * g->p * g->q * g->k / (f->samples ? g->n : 1);
}

static void backward(const pith_call *k)
{
    const attr_t *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    pithp_conv g = geometry_of(k);
    int64_t rows = g.n * g.p * g.q;
    pithp_folded_vec v = pithp_folded_vectors(k->aux, g.k);
    const pith_real *y = saved_y(k, g.k), *dz = k->out.grad, *qs = extra(k, g.k, 0), *qt = extra(k, g.k, 1);
    bool clip = extra(k, g.k, 2)[0] != 0;
    pithp_act act = clip ? PITHP_ACT_RELU6 : PITHP_ACT_NONE;
    for (int i = PITHP_QC_W; i <= PITHP_QC_BETA; i++)
        pithp_clear_grad(&k->in[i]);
    pithp_learned learned, *learns = learned_of(k, &g, &v, &learned);
    pithp_bn_reduce(e, dz, y, qs, qt, v.bn.mean, act, rows, g.k, v.bn.s1, v.bn.s2, learns, k->scratch);
    if (learns != NULL)
        k->in[PITHP_QC_SCALE].grad[0] +=
            (pith_real)(learned.sum * pithp_fq_step(a->out->attr, shared(a, &g)));
    if (a->norm) {
        pithp_folded_back_coef(&v.bn, v.dg, v.batch[0] != 0, rows, g.k, k->in[PITHP_QC_GAMMA].grad,
                               k->in[PITHP_QC_BETA].grad);
    } else {
        for (int64_t i = 0; i < g.k; i++) {
            v.bn.a[i] = 1;
            v.bn.b[i] = v.bn.d[i] = 0;
            if (k->in[PITHP_QC_BIAS].grad != NULL)
                k->in[PITHP_QC_BIAS].grad[i] += v.bn.s1[i];
        }
    }
    pithp_conv_bwd b = { .g = g,
                         .x = k->in[PITHP_QC_X].data,
                         .w = k->in[PITHP_QC_W].data,
                         .src = { .dz = dz,
                                  .y = y,
                                  .scale = qs,
                                  .shift = qt,
                                  .a = v.bn.a,
                                  .b = v.bn.b,
                                  .d = v.bn.d,
                                  .act = act },
                         .dx = k->in[PITHP_QC_X].grad,
                         .dx_add = k->in[PITHP_QC_X].grad_add,
                         .dw = k->in[PITHP_QC_W].grad,
                         .scratch = k->scratch };
    if (b.dx != NULL || b.dw != NULL)
        pithp_conv_backward(e, &b);
}

const pith_op pithp_op_quant_conv = { .name = "quant_conv",
                                      .min_in = 2,
                                      .max_in = PITHP_QC_IN,
                                      .attr_size = sizeof(attr_t),
                                      .shape = shape,
                                      .forward = forward,
                                      .backward = backward,
                                      .macs = macs,
                                      .reads = PITH_READS_IN(PITHP_QC_X) | PITH_READS_IN(PITHP_QC_W),
                                      .no_grad = 7u << PITHP_QC_MEAN,
                                      .state = 7u << PITHP_QC_MEAN };
