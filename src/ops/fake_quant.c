/* ops/fake_quant.c: y = S * (clamp(round(x/S) + Z, qmin, qmax) - Z), halves away from zero, in float32: the values that the
   integers q = y/S + Z will have when they are deployed.

   x any shape, S and Z [1] or [C]. dx = dy where round(x/S) + Z was not clamped, else 0 (straight-through estimator, Bengio,
   Leonard, Courville 2013). For a scale that is a parameter: dS = g * sum of dy * (round(x/S) - x/S, or the clamped bound),
   g = 1/sqrt(n qmax) with n the elements of a sample that share the scale (LSQ: Esser et al., ICLR 2020). Ranges: moving
   averages as in Jacob et al., CVPR 2018, section 3. A scale of 0 means that no data were seen: x passes. */
#include "ops/fake_quant.h"
#include "ops/channels.h"
#include "ops/common.h"

#include <math.h>
#include <string.h>

static const pith_attr_field fields[] = { { "bits", PITH_ATTR_INT, offsetof(pithp_fq_attr, bits) },
                                          { "mode", PITH_ATTR_INT, offsetof(pithp_fq_attr, mode) },
                                          { "symmetric", PITH_ATTR_BOOL, offsetof(pithp_fq_attr, symmetric) },
                                          { "narrow", PITH_ATTR_BOOL, offsetof(pithp_fq_attr, narrow) },
                                          { "axis", PITH_ATTR_INT, offsetof(pithp_fq_attr, axis) },
                                          { "samples", PITH_ATTR_BOOL, offsetof(pithp_fq_attr, samples) },
                                          { "momentum", PITH_ATTR_REAL, offsetof(pithp_fq_attr, momentum) },
                                          { "start", PITH_ATTR_INT64, offsetof(pithp_fq_attr, start) },
                                          { "freeze", PITH_ATTR_INT64, offsetof(pithp_fq_attr, freeze) },
                                          PITH_ATTR_END };

/* ---- Numbers ---- */
int pithp_fq_zero(const pithp_fq_attr *a, pith_real zero)
{
    double z = round((double)zero);
    return (int)PITHP_MIN(PITHP_MAX(z, pithp_fq_qmin(a)), pithp_fq_qmax(a));
}

void pithp_fq_choose(const pithp_fq_attr *a, double lo, double hi, pith_real *scale, pith_real *zero)
{
    double qmin = pithp_fq_qmin(a), qmax = pithp_fq_qmax(a);
    lo = PITHP_MIN(lo, 0);
    hi = PITHP_MAX(hi, 0);
    double s = a->symmetric ? PITHP_MAX(-lo, hi) / qmax : (hi - lo) / (qmax - qmin);
    float stored = (float)s;
    *scale = stored > 0 ? (pith_real)stored : 1;
    *zero = a->symmetric ? 0 : (pith_real)PITHP_MIN(PITHP_MAX(round(qmin - lo / (double)*scale), qmin), qmax);
}

void pithp_fq_choose_weights(const pithp_fq_attr *a, const pith_real *lo, const pith_real *hi, int64_t c,
                             pith_real *scale)
{
    double most = 0;
    for (int64_t i = 0; i < c; i++)
        most = PITHP_MAX(most, PITHP_MAX(-(double)lo[i], (double)hi[i]));
    for (int64_t i = 0; i < c; i++) {
        double range = PITHP_MAX(PITHP_MAX(-(double)lo[i], (double)hi[i]), most * 0x1p-14);
        pith_real zero;
        pithp_fq_choose(a, -range, range, &scale[i], &zero);
    }
}

int pithp_fq_quantize(const pithp_fq_attr *a, pith_real x, pith_real scale, int zero)
{
    double q = round((double)(pith_real)(x / scale)) + zero;
    return (int)PITHP_MIN(PITHP_MAX(q, pithp_fq_qmin(a)), pithp_fq_qmax(a));
}

/* ---- Shape ---- */
static bool attr_ok(pith_infer *q, const pithp_fq_attr *a)
{
    if (a->bits < 2 || a->bits > 8)
        return pith_op_fail(q, "%d bits; 2 to 8 are expected", a->bits);
    if (a->axis < -1 || a->axis >= q->in[0].ndim)
        return pith_op_fail(q, "axis %d; -1 (one scale for all) to %d is expected", a->axis,
                            q->in[0].ndim - 1);
    if (a->mode < PITHP_FQ_FIXED || a->mode > PITHP_FQ_FOLLOW)
        return pith_op_fail(q, "there is no mode %d of finding the scale", a->mode);
    if (a->mode == PITHP_FQ_OBSERVE && (a->axis >= 0 || !pithp_here(q, PITHP_FQ_SEEN)))
        return pith_op_fail(q, "a moving range is kept for one scale, in a state of %d numbers", PITHP_SEEN);
    if (a->mode == PITHP_FQ_FOLLOW && !a->symmetric)
        return pith_op_fail(q, "weights are quantized symmetrically");
    if (!(a->momentum >= 0 && a->momentum <= 1) || a->start < 0 || a->freeze < 0)
        return pith_op_fail(q,
                            "momentum %g must lie in 0..1, start %lld and freeze %lld must not be negative",
                            a->momentum, (long long)a->start, (long long)a->freeze);
    return true;
}

static pithp_fq geometry(const pithp_fq_attr *a, pith_shape x)
{
    pithp_fq f = { .outer = 1,
                   .c = 1,
                   .inner = 1,
                   .qmin = (pith_real)pithp_fq_qmin(a),
                   .qmax = (pith_real)pithp_fq_qmax(a) };
    for (int i = 0; i < x.ndim; i++) {
        if (i < a->axis)
            f.outer *= x.d[i];
        else if (i == a->axis)
            f.c = x.d[i];
        else
            f.inner *= x.d[i];
    }
    return f;
}

/* aux: the scales and zero points of this run, then whether it quantized at all. */
static size_t aux_bytes(int64_t c) { return (2 * (size_t)c + 1) * sizeof(pith_real); }

static bool shape(pith_infer *q)
{
    const pithp_fq_attr *a = q->attr;
    if (!pithp_want_f32(q) || !attr_ok(q, a))
        return false;
    pithp_fq f = geometry(a, q->in[0]);
    for (int i = PITHP_FQ_SCALE; i <= PITHP_FQ_ZERO; i++)
        if (q->in[i].ndim != 1 || q->in[i].d[0] != f.c)
            return pith_op_fail(q, "scale and zero point must be [%lld]", (long long)f.c);
    if (pithp_here(q, PITHP_FQ_SEEN) &&
        (q->in[PITHP_FQ_SEEN].ndim != 1 || q->in[PITHP_FQ_SEEN].d[0] != PITHP_SEEN))
        return pith_op_fail(q, "the state of what was seen must be [%d]", PITHP_SEEN);
    q->aux = aux_bytes(f.c);
    q->scratch = pithp_fq_scratch(&f) + 2 * (size_t)f.c * sizeof(pith_real);
    q->scratch_back = pithp_fq_scratch(&f) + (size_t)f.c * sizeof(double);
    return pithp_result(q, q->in[0]);
}

/* ---- Forward ---- */
bool pithp_fq_active(const pithp_fq_attr *a, const pith_real *scale, int64_t c, const pith_real *seen,
                     bool train)
{
    for (int64_t i = 0; i < c; i++)
        if (!(scale[i] > 0))
            return false;
    return !train || seen == NULL || (double)seen[PITHP_SEEN_RUNS] >= (double)a->start;
}

bool pithp_fq_looks(const pithp_fq_attr *a, const pith_real *seen, bool train)
{
    return train && a->mode == PITHP_FQ_OBSERVE && seen != NULL &&
           !(a->freeze > 0 && (double)seen[PITHP_SEEN_RUNS] >= (double)a->freeze);
}

void pithp_fq_look(const pithp_fq_attr *a, const pith_real range[2], pith_real *seen, pith_real *scale,
                   pith_real *zero)
{
    double m = PITHP_MAX(a->momentum, 1 / ((double)seen[PITHP_SEEN_RUNS] + 1));
    for (int i = 0; i < 2; i++)
        seen[i] += (pith_real)(m * ((double)range[i] - (double)seen[i]));
    pithp_fq_choose(a, (double)seen[PITHP_SEEN_LO], (double)seen[PITHP_SEEN_HI], scale, zero);
}

void pithp_fq_count(pith_real *seen)
{
    if (seen != NULL && seen[PITHP_SEEN_RUNS] < (pith_real)0x1p24)
        seen[PITHP_SEEN_RUNS] += 1;
}

static void follow(const pith_call *k, const pithp_fq_attr *a, const pithp_fq *f)
{
    pith_real *lo = (pith_real *)(void *)((char *)k->scratch + pithp_fq_scratch(f)), *hi = lo + f->c;
    pithp_fq_range(pithp_call_env(k), f, k->in[0].data, lo, hi, k->scratch);
    pithp_fq_choose_weights(a, lo, hi, f->c, k->in[PITHP_FQ_SCALE].data);
}

static void forward(const pith_call *k)
{
    const pithp_fq_attr *a = k->attr;
    const pithp_env *e = pithp_call_env(k);
    pithp_fq f = geometry(a, k->in[0].shape);
    pith_real *scale = k->in[PITHP_FQ_SCALE].data, *zero = k->in[PITHP_FQ_ZERO].data;
    pith_real *seen = k->n_in > PITHP_FQ_SEEN ? k->in[PITHP_FQ_SEEN].data : NULL, *s = k->aux, *z = s + f.c;
    pith_real range[2], *look = pithp_fq_looks(a, seen, k->train) ? range : NULL;
    if (k->train && a->mode == PITHP_FQ_FOLLOW)
        follow(k, a, &f);
    bool on = pithp_fq_active(a, scale, f.c, seen, k->train);
    for (int64_t i = 0; i < f.c; i++) {
        s[i] = scale[i];
        z[i] = (pith_real)pithp_fq_zero(a, zero[i]);
    }
    s[2 * f.c] = on;
    f.scale = s;
    f.zero = z;
    if (on) {
        pithp_fq_forward(e, &f, k->in[0].data, k->out.data, look, k->scratch);
    } else {
        pithp_run_unary(e, PITHP_U_SCALE, k->in[0].data, pithp_count(k->in[0].shape), 1, 0, k->out.data);
        if (look != NULL)
            pithp_fq_range(e, &f, k->in[0].data, &range[0], &range[1], k->scratch);
    }
    if (look != NULL)
        pithp_fq_look(a, range, seen, scale, zero);
    if (k->train)
        pithp_fq_count(seen);
}

/* ---- Backward ---- */
double pithp_fq_step(const pithp_fq_attr *a, int64_t n) { return 1 / sqrt((double)n * pithp_fq_qmax(a)); }

static void pass_through(const pith_call *k)
{
    int64_t n = pithp_count(k->out.shape);
    const pith_val *x = &k->in[0];
    if (x->grad != NULL && x->grad_add)
        pithp_run_axpy(pithp_call_env(k), 1, k->out.grad, n, x->grad);
    else if (x->grad != NULL)
        pithp_run_unary(pithp_call_env(k), PITHP_U_SCALE, k->out.grad, n, 1, 0, x->grad);
    pithp_clear_grad(&k->in[PITHP_FQ_SCALE]);
}

static void backward(const pith_call *k)
{
    const pithp_fq_attr *a = k->attr;
    pithp_fq f = geometry(a, k->in[0].shape);
    const pith_real *s = k->aux;
    const pith_val *x = &k->in[0], *scale = &k->in[PITHP_FQ_SCALE];
    f.scale = s;
    f.zero = s + f.c;
    if (s[2 * f.c] == 0) {
        pass_through(k);
        return;
    }
    double *sums = scale->grad == NULL ? NULL : (double *)(void *)((char *)k->scratch + pithp_fq_scratch(&f));
    pithp_fq_backward(pithp_call_env(k), &f, x->data, k->out.grad, x->grad, x->grad_add, sums, k->scratch);
    if (sums == NULL)
        return;
    int64_t n = f.outer * f.inner / (a->samples ? x->shape.d[0] : 1);
    double g = pithp_fq_step(a, n);
    pithp_clear_grad(scale);
    for (int64_t i = 0; i < f.c; i++)
        scale->grad[i] += (pith_real)(g * sums[i]);
}

static void ties(pithp_ties *k)
{
    int axis = ((const pithp_fq_attr *)k->t->attr)->axis;
    pithp_tie_all(k, PITHP_FQ_X);
    for (int i = PITHP_FQ_SCALE; i <= PITHP_FQ_ZERO && axis >= 0; i++)
        pithp_tie(k, i, 0, PITHP_OUT, axis);
}

static const pithp_channels channels = { .ties = ties };

const pith_op pithp_op_fake_quant = { .name = "fake_quant",
                                      .min_in = PITHP_FQ_SEEN,
                                      .max_in = PITHP_FQ_IN,
                                      .channels = &channels,
                                      .attr_size = sizeof(pithp_fq_attr),
                                      .fields = fields,
                                      .shape = shape,
                                      .forward = forward,
                                      .backward = backward,
                                      .reads = PITH_READS_IN(0),
                                      .no_grad = 1u << PITHP_FQ_ZERO | 1u << PITHP_FQ_SEEN,
                                      .positive = 1u << PITHP_FQ_SCALE,
                                      .state =
                                          1u << PITHP_FQ_SCALE | 1u << PITHP_FQ_ZERO | 1u << PITHP_FQ_SEEN };

pith_tensor *pith_fake_quant(pith_tensor *x, pith_tensor *scale, pith_tensor *zero_point,
                             pith_fake_quant_cfg cfg)
{
    pithp_fq_attr a = { .bits = cfg.bits ? cfg.bits : 8,
                        .symmetric = cfg.symmetric,
                        .narrow = cfg.narrow,
                        .axis = cfg.per_channel ? cfg.axis : -1,
                        .samples = cfg.samples };
    return pith_op_apply(&pithp_op_fake_quant, &a, NULL, PITHP_FQ_SEEN,
                         (pith_tensor *[]){ x, scale, zero_point });
}

/* A model file holds weights that are S*q already (after training is over) as the integers q. */
bool pithp_stored_fake_quant(const pith_tensor *user, int operand, pithp_stored *how)
{
    if (user->op != &pithp_op_fake_quant || operand != PITHP_FQ_X)
        return false;
    const pithp_fq_attr *a = user->attr;
    const pith_tensor *s = user->in[PITHP_FQ_SCALE];
    if (!a->symmetric || (s->kind != PITHP_NODE_STATE && s->kind != PITHP_NODE_PARAM))
        return false;
    *how = (pithp_stored){ .bits = a->bits, .axis = a->axis, .scale = s };
    return true;
}
