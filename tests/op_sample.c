/* tests/op_sample.c: random operands for the ops' samples. */
#include "op_sample.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const op_sample *const op_samples[] = {
#define PITHP_OP(name, sample) &op_sample_##sample,
#include "ops/ops.def"
#undef PITHP_OP
};
const int op_samples_n = (int)PITHP_LEN(op_samples);

int op_case_count(const op_sample *s) { return s->cases ? s->cases : OP_CASES; }

int64_t op_int(op_case *k, int64_t lo, int64_t hi)
{
    return lo + (int64_t)pithp_rand_below(&k->rng, (uint64_t)(hi - lo + 1));
}

int64_t op_dim(op_case *k, int64_t lo, int64_t hi, int64_t big)
{
    return k->big ? op_int(k, (hi + big) / 2, big) : op_int(k, lo, hi);
}

double op_real(op_case *k, double lo, double hi) { return lo + (hi - lo) * pithp_rand_uniform(&k->rng); }

pith_shape op_shape(op_case *k, int least, int most)
{
    static const int64_t big[] = { 1, 60000, 300, 50, 20, 9, 7 };
    pith_shape s = { .ndim = (int)op_int(k, least, most) };
    for (int i = 0; i < s.ndim; i++)
        s.d[i] = op_dim(k, 1, 5, big[s.ndim]);
    return s;
}

static bool usable(const pith_tensor *t) { return t && !t->poison; }

static pith_tensor *feed(op_case *k, int i, pith_tensor *leaf)
{
    bool wrap = k->diff[i] && k->via >= OP_VIA_RESULT;
    k->in[i] = leaf;
    k->fed[i] = wrap ? pith_scale(leaf, 1, 0) : leaf;
    return k->fed[i];
}

pith_tensor *op_input(op_case *k, int i, pith_shape s, double lo, double hi, bool diff)
{
    bool param = diff && k->via == OP_VIA_PARAM;
    pith_tensor *leaf = param ? pith_param(k->c, s) : pith_leaf(k->c, PITH_F32, s, NULL);
    k->diff[i] = diff;
    if (usable(leaf)) {
        pith_real *v = pith_values(leaf);
        for (int64_t j = 0; j < pith_size(leaf); j++)
            v[j] = (pith_real)op_real(k, lo, hi);
        if (diff && !param)
            pith_require_grad(leaf);
    }
    return feed(k, i, leaf);
}

pith_tensor *op_indices(op_case *k, int i, pith_shape s, int64_t lo, int64_t hi)
{
    pith_tensor *leaf = pith_leaf(k->c, PITH_I32, s, NULL);
    k->diff[i] = false;
    if (usable(leaf)) {
        int32_t *v = pith_values(leaf);
        for (int64_t j = 0; j < pith_size(leaf); j++)
            v[j] = (int32_t)op_int(k, lo, hi);
    }
    return feed(k, i, leaf);
}

void op_avoid(op_case *k, int i, double kink)
{
    if (!usable(k->in[i]))
        return;
    pith_real *v = pith_values(k->in[i]);
    for (int64_t j = 0; j < pith_size(k->in[i]); j++)
        if (fabs((double)v[j] - kink) < 0.01)
            v[j] += (double)v[j] < kink ? PITHP_R(-0.01) : PITHP_R(0.01);
}

void op_distinct(op_case *k, int i)
{
    if (!usable(k->in[i]))
        return;
    pith_real *v = pith_values(k->in[i]);
    int64_t n = pith_size(k->in[i]);
    for (int64_t j = 0; j < n; j++) {
        int64_t other = op_int(k, 0, j);
        v[j] = v[other];
        v[other] = (pith_real)(4 * (double)j / (double)n - 2);
    }
}

const pith_real *op_val(const op_case *k, int i) { return pith_values(k->in[i]); }
pith_shape op_in_shape(const op_case *k, int i) { return pith_shape_of(k->in[i]); }

static pith_tensor *weighted(op_case *k, int i, pith_tensor *t)
{
    if (!usable(t))
        return t;
    pith_tensor *w = k->w[i] = pith_leaf(k->c, PITH_F32, pith_shape_of(t), NULL);
    pith_real *v = usable(w) ? pith_values(w) : NULL;
    for (int64_t j = 0; v && j < pith_size(w); j++)
        v[j] = (pith_real)(op_real(k, 0.25, 1) * (op_int(k, 0, 1) ? 1 : -1));
    return pith_sum(pith_mul(t, w));
}

bool op_open(op_case *k, const op_sample *s, int index, op_open_cfg cfg)
{
    *k = (op_case){ .sample = s, .index = index, .big = cfg.big, .via = (op_via)(index % OP_VIA_COUNT) };
    k->rng = pithp_rand_at(20, (uint32_t)index, pithp_hash64(s->name, strlen(s->name)), PITHP_USE_OTHER);
    k->c = pith_ctx_new((pith_ctx_cfg){ .seed = 7,
                                        .threads = cfg.threads ? cfg.threads : 1,
                                        .alloc = cfg.alloc,
                                        .release = cfg.release,
                                        .alloc_user = cfg.alloc_user });
    if (!k->c)
        return false;
    k->out = s->build(k);
    k->loss = weighted(k, 0, k->out);
    for (int i = 0; i < PITH_OP_MAX_IN && k->via == OP_VIA_SHARED; i++)
        if (k->diff[i])
            k->loss = pith_add(k->loss, weighted(k, 1 + i, k->fed[i]));
    return pith_ctx_status(k->c) == PITH_OK;
}

void op_close(op_case *k)
{
    pith_ctx_free(k->c);
    k->c = NULL;
}

const char *op_text(const op_case *k)
{
    static const char *const via[] = { "param", "leaf", "result", "shared" };
    static char text[1200];
    char shape[96];
    size_t n = (size_t)snprintf(text, sizeof text, "%s case %d%s via %s:", k->sample->name, k->index,
                                k->big ? " (big)" : "", via[k->via]);
    for (int i = 0; i < PITH_OP_MAX_IN && n < sizeof text; i++)
        if (usable(k->in[i]))
            n += (size_t)snprintf(text + n, sizeof text - n, " %d:%s", i,
                                  pithp_shape_text(pith_shape_of(k->in[i]), shape));
    if (k->c && pith_ctx_status(k->c) && n < sizeof text)
        snprintf(text + n, sizeof text - n, " error: %s", pith_error_text(k->c));
    return text;
}

bool op_in_plan(const pith_plan *p, const pith_op *op)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].op == op)
            return true;
    return false;
}
