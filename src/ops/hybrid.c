/* hybrid: layer(dynamic_quant(x), fake_quant(w)) + bias as one step of an inference plan, in LiteRT's arithmetic: the sample becomes
   q - Z, sums of products with the int8 weights are exact, and are rescaled in float32 afterwards, in the order of its kernels:

     conv2d             sum * S_w[k] * S_x + bias
     depthwise_conv2d   sum * (S_w[k] * S_x) + bias
     dense              bias + sum * (S_x * S_w)

   The convolution runs on whole numbers in float where no sum can pass 2^24, else in double. Training plans never hold it; its
   twin is the unfused composition (pith_plan_cfg.no_fuse). Source: tensorflow/lite/kernels/internal/reference/conv.h
   (HybridConvPerChannel), integer_ops/depthwise_conv.h (DepthwiseConvHybridPerChannel), portable_tensor_utils.cc
   (PortableMatrixBatchVectorMultiplyAccumulate, and dynamic_quant.c's). */
#include "ops/hybrid.h"
#include "ops/common.h"
#include "ops/fused.h"
#include "ops/integer.h"
#include "ops/table.h"

#include <math.h>
#include <string.h>

enum { X, W, BIAS, SCALE, IN }; /* operands; SCALE: the weights', one or one for each channel */

typedef struct {
    pithp_conv_attr conv;
    bool dense;
} attr_t;

/* Of the weights: whether no sum passes 2^24; behind it the numbers, then each channel's scale, and perhaps the numbers packed. */
typedef struct {
    bool small;
    char align[63];
} whole_t;

static size_t up(size_t n) { return (n + 63) / 64 * 64; }

static size_t whole_bytes(int64_t weights, int64_t channels)
{
    return sizeof(whole_t) + up((size_t)(weights + channels) * sizeof(pith_real));
}

static pithp_conv geometry(const attr_t *a, pith_shape x, pith_shape w)
{
    return a->dense ? pithp_conv_of_dense(x, w) : pithp_conv_geometry_of(&a->conv, x, w);
}

static bool shape(pith_infer *q)
{
    const attr_t *a = q->attr;
    pithp_conv g = geometry(a, q->in[X], q->in[W]);
    q->out = a->dense ? PITH_SHAPE(g.n, g.k) : PITH_SHAPE(g.n, g.p, g.q, g.k);
    q->out_dtype = PITH_F32;
    const size_t whole = whole_bytes(pithp_count(q->in[W]), g.k);
    const bool once = (q->constant >> W & 1) && (q->constant >> SCALE & 1);
    q->scratch = up(pithp_conv_fwd_scratch(&g, q->threads)) +
                 up((size_t)pithp_count(q->in[X]) * sizeof(pith_real)) + (once ? 0 : whole) +
                 up((size_t)g.n * sizeof(pithp_dynamic));
    q->keep = once ? whole + (size_t)pithp_conv_packed(&g) * sizeof(pith_real) : 0;
    return true;
}

static int64_t macs(const pith_infer *q)
{
    pithp_conv g = geometry(q->attr, q->in[X], q->in[W]);
    return g.n * g.p * g.q * g.k * g.r * g.s * (g.depthwise ? 1 : g.c / g.groups);
}

typedef struct {
    const pith_call *k;
    const pithp_env *e;
    pithp_conv g;
    pith_real *x, *w, *scale, *packed; /* whole numbers; [K] */
    whole_t *whole;
    pithp_dynamic *d; /* [N] */
} job;

static void codes(void *arg, int64_t sample, int thread)
{
    const job *j = arg;
    int64_t n = j->g.h * j->g.w * j->g.c;
    const pith_real *x = (const pith_real *)j->k->in[X].data + sample * n;
    pithp_dynamic *d = &j->d[sample];
    (void)thread;
    *d = pithp_dynamic_of(j->e, x, n);
    if (d->scale > 0) {
        pithp_dynamic_codes(j->e, *d, x, n, j->x + sample * n);
    } else {
        *d = (pithp_dynamic){ 1, 0 };
        memcpy(j->x + sample * n, x, (size_t)n * sizeof *x);
    }
}

static int64_t channel_of(const pithp_conv *g, int64_t i)
{
    return g->depthwise ? i % g->k : i / (g->r * g->s * (g->c / g->groups));
}

/* The weights' int8 numbers and scales. */
static void whole_weights(const job *j)
{
    const pith_val *s = &j->k->in[SCALE];
    const pith_real *w = j->k->in[W].data, *given = s->data;
    int64_t n = pithp_count(j->k->in[W].shape), per = n / j->g.k;
    double worst = 0;
    for (int64_t k = 0; k < j->g.k; k++) {
        float v = (float)given[pithp_count(s->shape) > 1 ? k : 0];
        j->scale[k] = (pith_real)(v > 0 ? v : 1);
    }
    for (int64_t i = 0; i < n; i++)
        j->w[i] = (pith_real)roundf((float)w[i] / (float)j->scale[channel_of(&j->g, i)]);
    for (int64_t k = 0; k < j->g.k; k++) {
        double sum = 0;
        for (int64_t i = 0; i < per; i++)
            sum += fabs((double)j->w[j->g.depthwise ? i * j->g.k + k : k * per + i]);
        worst = fmax(worst, sum);
    }
    j->whole->small = worst * 255 <= 0x1p24;
    if (j->packed != NULL && j->whole->small)
        pithp_conv_pack(j->e, &j->g, j->w, j->packed);
}

/* One sum, rounded once as it becomes a float. */
static pith_real sum_of(const job *j, int64_t n, int64_t p, int64_t q, int64_t k)
{
    const pithp_conv *g = &j->g;
    int64_t c = g->depthwise ? 1 : g->c / g->groups, c0 = g->depthwise ? k : k / (g->k / g->groups) * c;
    double sum = 0; /* exact */
    for (int64_t r = 0; r < g->r; r++)
        for (int64_t s = 0; s < g->s; s++) {
            int64_t y = p * g->stride_h + r * g->dil_h - g->pt, x = q * g->stride_w + s * g->dil_w - g->pl;
            if (y < 0 || y >= g->h || x < 0 || x >= g->w)
                continue;
            const pith_real *a = j->x + ((n * g->h + y) * g->w + x) * g->c + c0;
            const pith_real *b =
                j->w + (g->depthwise ? (r * g->s + s) * g->k + k : ((k * g->r + r) * g->s + s) * c);
            for (int64_t i = 0; i < c; i++)
                sum += (double)a[i] * (double)b[i];
        }
    return (pith_real)(float)sum;
}

static void sum_row(void *arg, int64_t row, int thread)
{
    const job *j = arg;
    const pithp_conv *g = &j->g;
    pith_real *y = (pith_real *)j->k->out.data + row * g->k;
    (void)thread;
    for (int64_t k = 0; k < g->k; k++)
        y[k] = sum_of(j, row / (g->p * g->q), row / g->q % g->p, row % g->q, k);
}

static void rescale_row(void *arg, int64_t row, int thread)
{
    const job *j = arg;
    const attr_t *a = j->k->attr;
    const pith_real *bias = j->k->in[BIAS].data;
    pith_real *y = (pith_real *)j->k->out.data + row * j->g.k;
    const float sx = j->d[row / (j->g.p * j->g.q)].scale;
    (void)thread;
    if (a->dense || j->g.depthwise)
        for (int64_t k = 0; k < j->g.k; k++)
            y[k] = (pith_real)((float)y[k] * ((float)j->scale[k] * sx));
    else
        for (int64_t k = 0; k < j->g.k; k++)
            y[k] = (pith_real)((float)y[k] * (float)j->scale[k] * sx);
    for (int64_t k = 0; k < j->g.k && bias != NULL; k++)
        y[k] = (pith_real)((float)y[k] + (float)bias[k]);
}

static job begin(const pith_call *k)
{
    job j = { .k = k, .e = pithp_call_env(k), .g = geometry(k->attr, k->in[X].shape, k->in[W].shape) };
    const int64_t weights = pithp_count(k->in[W].shape);
    char *at = (char *)k->scratch + up(pithp_conv_fwd_scratch(&j.g, j.e->threads));
    j.x = (pith_real *)(void *)at;
    at += up((size_t)pithp_count(k->in[X].shape) * sizeof *j.x);
    j.d = (pithp_dynamic *)(void *)at;
    at += up((size_t)j.g.n * sizeof *j.d);
    j.whole = k->keep != NULL ? k->keep : (void *)at;
    j.w = (pith_real *)(void *)(j.whole + 1);
    j.scale = j.w + weights;
    if (k->keep != NULL && pithp_conv_packed(&j.g) > 0)
        j.packed = (pith_real *)(void *)((char *)k->keep + whole_bytes(weights, j.g.k));
    return j;
}

static void forward(const pith_call *k)
{
    job j = begin(k);
    int64_t rows = j.g.n * j.g.p * j.g.q;
    if (k->keep == NULL || !k->kept)
        whole_weights(&j);
    pith_op_parallel(k, j.g.n, codes, &j);
    if (j.whole->small) {
        pithp_conv_fwd f = {
            .g = j.g, .x = j.x, .w = j.w, .y = k->out.data, .scratch = k->scratch, .packed = j.packed
        };
        pithp_conv_forward(j.e, &f);
    } else {
        pith_op_parallel(k, rows, sum_row, &j);
    }
    pith_op_parallel(k, rows, rescale_row, &j);
}

static const pith_op hybrid = { .name = "hybrid",
                                .min_in = IN,
                                .max_in = IN,
                                .by_sample = 1u << X,
                                .attr_size = sizeof(attr_t),
                                .shape = shape,
                                .forward = forward,
                                .macs = macs };

_Static_assert(sizeof(attr_t) <= sizeof(((pithp_fused *)0)->attr.bytes), "attr is too small");

/* Weights whose numbers are S*q with |q| at most 127. */
static bool int8_weights(const pith_tensor *w)
{
    if (!pithp_is_fake_quant(w))
        return false;
    const pithp_fq_attr *a = w->attr;
    return a->mode == PITHP_FQ_FIXED && a->symmetric && a->bits <= 8 && !a->samples;
}

bool pithp_fuse_hybrid(const pith_tensor *t, bool (*single)(void *arg, const pith_tensor *x), void *arg,
                       pithp_fused *f)
{
    attr_t a = { .dense = t->op == &pithp_op_dense };
    if (f->train || (!a.dense && t->op != &pithp_op_conv2d && t->op != &pithp_op_depthwise_conv2d))
        return false;
    pith_tensor *x = t->in[0], *w = t->in[1];
    if (x->op != &pithp_op_dynamic_quant || !single(arg, x) || !int8_weights(w))
        return false;
    if (!a.dense)
        memcpy(&a.conv, t->attr, sizeof a.conv);
    *f = (pithp_fused){ .op = &hybrid,
                        .n_in = IN,
                        .in = { x->in[0], w, t->n_in > 2 ? t->in[2] : NULL, w->in[PITHP_FQ_SCALE] },
                        .absorbed = { x },
                        .n_absorbed = 1 };
    memcpy(f->attr.bytes, &a, sizeof a);
    return true;
}
