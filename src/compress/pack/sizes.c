/* The network's numbers as plain float32 and as int8, for comparison with what packing makes of them. */
#include "config.h" /* HAVE_ZLIB */
#include "compress/pack/sizes.h"
#include "ops/integer.h"

#include <math.h>
#include <string.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

int64_t pithp_gzip_size(pith_ctx *c, const void *p, size_t n)
{
#ifdef HAVE_ZLIB
    enum { GZIP_HEAD = 18, ZLIB_HEAD = 6 };
    uLongf size = compressBound(n);
    void *to = pithp_alloc(c, size + 1, 1);
    bool ok = to != NULL && compress2(to, &size, p, n, Z_BEST_COMPRESSION) == Z_OK;
    pithp_free(c, to);
    return ok ? (int64_t)size - ZLIB_HEAD + GZIP_HEAD : -1;
#else
    (void)c, (void)p, (void)n;
    return -1;
#endif
}

typedef struct {
    const pith_model *m;
    uint8_t *marks, *inside; /* [nodes] saved; part of what makes some layer's weights */
    float *floats;
    uint8_t *bytes;
    size_t n_floats, n_bytes, cap_floats, cap_bytes;
    int64_t weights, zeros;
} plain;

static bool put_float(plain *p, float v)
{
    if (!pithp_grow(p->m->ctx, &p->floats, &p->cap_floats, p->n_floats, sizeof v))
        return false;
    p->floats[p->n_floats++] = v;
    return true;
}

static bool put_bytes(plain *p, const void *v, size_t n)
{
    if (!pithp_grow(p->m->ctx, &p->bytes, &p->cap_bytes, p->n_bytes + n, 1))
        return false;
    memcpy(p->bytes + p->n_bytes, v, n);
    p->n_bytes += n;
    return true;
}

/* Weights along their channels: floats, and int8 with one scale a channel. */
static bool put_weights(plain *p, const pith_real *w, pith_shape s, int axis)
{
    int64_t channels = s.d[axis], n = pithp_count(s), inner = 1;
    for (int i = axis + 1; i < s.ndim; i++)
        inner *= s.d[i];
    bool ok = true;
    for (int64_t ch = 0; ok && ch < channels; ch++) {
        float most = 0;
        for (int64_t i = 0; i < n; i++)
            if (i / inner % channels == ch)
                most = fmaxf(most, fabsf((float)w[i]));
        float scale = most > 0 ? most / 127 : 1;
        ok = put_bytes(p, &scale, sizeof scale);
        for (int64_t i = 0; ok && i < n; i++) {
            if (i / inner % channels != ch)
                continue;
            int8_t q = (int8_t)roundf((float)w[i] / scale);
            p->zeros += w[i] == 0;
            ok = put_float(p, (float)w[i]) && put_bytes(p, &q, 1);
        }
    }
    p->weights += n;
    return ok;
}

/* The values of a layer's weights, whatever they are computed from (codebooks, folding, rounding); a leaf's as they are. */
static pith_status add_layer(plain *p, const pith_tensor *t)
{
    int weight = t->op->integer->weight;
    pith_tensor *w = t->in[weight];
    memset(p->inside + p->m->g->n, 0, p->m->g->n);
    uint8_t *above = p->inside + p->m->g->n;
    above[w->id] = 1;
    for (size_t id = w->id + 1; id-- > 0;)
        for (int i = 0; above[id] && i < p->m->g->nodes[id]->n_in; i++)
            if (p->m->g->nodes[id]->in[i] != NULL)
                above[p->m->g->nodes[id]->in[i]->id] = 1;
    bool again = p->inside[w->id]; /* weights that two layers share */
    for (size_t id = 0; id < p->m->g->n; id++)
        p->inside[id] |= above[id];
    if (again)
        return PITH_OK;
    if (w->kind != PITHP_NODE_OP)
        return put_weights(p, w->value, w->shape, t->op->integer->axis) ? PITH_OK : PITH_ENOMEM;
    pith_plan *plan = pith_plan_new(&w, 1, (pith_plan_cfg){ 0 });
    pith_status s = plan == NULL ? p->m->ctx->status : pith_plan_forward(plan, 0, 0);
    if (s == PITH_OK && !put_weights(p, pith_plan_value(plan, w), w->shape, t->op->integer->axis))
        s = PITH_ENOMEM;
    pith_plan_free(plan);
    return s;
}

static pith_status collect(plain *p)
{
    pith_status s = PITH_OK;
    const pithp_graph *g = p->m->g;
    for (size_t id = 0; s == PITH_OK && id < g->n; id++) {
        const pith_tensor *t = g->nodes[id];
        if (p->marks[id] && t->op != NULL && t->op->integer != NULL && t->op->integer->weight > 0 &&
            t->in[t->op->integer->weight] != NULL)
            s = add_layer(p, t);
    }
    for (int i = 0; s == PITH_OK && i < p->m->n_param_nodes; i++) {
        const pith_tensor *t = p->m->params[i];
        for (int64_t k = 0; !p->inside[t->id] && p->marks[t->id] && k < pithp_count(t->shape); k++) {
            float v = (float)((const pith_real *)t->value)[k];
            if (!put_float(p, v) || !put_bytes(p, &v, sizeof v))
                return PITH_ENOMEM;
        }
    }
    return s;
}

pith_status pithp_plain_sizes(const pith_model *m, pith_pack_sizes *s)
{
    plain p = { .m = m };
    p.marks = PITHP_NEW_N(m->ctx, uint8_t, m->g->n);
    p.inside = PITHP_NEW_N(m->ctx, uint8_t, 2 * m->g->n);
    pith_status status = p.marks != NULL && p.inside != NULL ? PITH_OK : PITH_ENOMEM;
    if (status == PITH_OK) {
        pithp_model_mark(m, p.marks);
        status = collect(&p);
    }
    if (status == PITH_OK) {
        s->floats = (int64_t)(p.n_floats * sizeof *p.floats);
        s->int8 = (int64_t)p.n_bytes;
        s->gzip_floats = pithp_gzip_size(m->ctx, p.floats, p.n_floats * sizeof *p.floats);
        s->gzip_int8 = pithp_gzip_size(m->ctx, p.bytes, p.n_bytes);
        s->weights = p.weights;
        s->zeros = p.zeros;
    }
    pithp_free(m->ctx, p.marks);
    pithp_free(m->ctx, p.inside);
    pithp_free(m->ctx, p.floats);
    pithp_free(m->ctx, p.bytes);
    return status;
}
