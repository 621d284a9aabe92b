/* deploy/tflite/read_float.c: tensors of a float file as nodes of a model. */
#include "deploy/tflite/read_float.h"
#include <math.h>
#include <string.h>

static pith_tensor *poison(const pithp_tfl_fread *r) { return &r->m->g->poison; }

/* Operand i; of a constant behind DEQUANTIZE, the constant. */
static pith_status source(pithp_tfl_fread *r, const pithp_tfl_node *n, int i, pithp_tfl_view *v)
{
    int t = pithp_tfl_input(n, i);
    return pithp_tfl_view_get(r->f, t >= 0 && r->from[t] >= 0 ? r->from[t] : t, v);
}

static bool readable(const pithp_tfl_view *v)
{
    return v->data &&
           (v->type == TFL_FLOAT32 || v->type == TFL_FLOAT16 || (v->type == TFL_INT8 && v->n_scale > 0));
}

/* A name that no leaf has yet. */
static char *free_name(pithp_tfl_fread *r, const char *base, const char *what)
{
    char *name = what ? pithp_sprintf(r->f->c, "%s.%s", base, what) : pithp_strdup(r->f->c, base);
    for (int i = 2; name && pithp_graph_find(r->m->g, name); i++) {
        pithp_free(r->f->c, name);
        name = what ? pithp_sprintf(r->f->c, "%s_%d.%s", base, i, what)
                    : pithp_sprintf(r->f->c, "%s_%d", base, i);
    }
    return name;
}

static pith_tensor *leaf(pithp_tfl_fread *r, const pithp_tfl_view *v, const char *base, const char *what,
                         pith_shape shape, bool turn)
{
    pith_ctx *c = r->f->c;
    char *name = free_name(r, *base ? base : "constant", what);
    bool decay = what && !strcmp(what, "weight");
    pith_tensor *t = name ? pithp_node_param(r->m->g, name, shape, PITHP_INIT_ZERO, 0, decay) : poison(r);
    pithp_free(c, name);
    if (t->poison || !pithp_grow(c, &r->fill, &r->cap_fill, r->n_fill, sizeof *r->fill))
        return poison(r);
    r->fill[r->n_fill++] = (pithp_tfl_fill){ t, *v, turn };
    return t;
}

static pith_tensor *refused(pithp_tfl_fread *r, const pithp_tfl_node *n, int i, const pithp_tfl_view *v)
{
    pithp_tfl_node_error(
        r->f, n, PITH_EINVAL,
        "operand %d ('%.80s', %s) is neither computed before nor a constant of float32, float16 "
        "or int8 with scales",
        i, v->name, pithp_tfl_type_name(v->type));
    return poison(r);
}

pith_tensor *pithp_tfl_foperand(pithp_tfl_fread *r, const pithp_tfl_node *n, int i)
{
    pithp_tfl_view v;
    int t = pithp_tfl_input(n, i);
    r->m->g->scope = n->name && *n->name ? n->name : NULL; /* the layer's nodes are called after its result */
    if (source(r, n, i, &v))
        return poison(r);
    if (r->t[t])
        return r->t[t];
    if (!readable(&v))
        return refused(r, n, i, &v);
    return r->t[t] = leaf(r, &v, v.name, NULL, v.shape, false);
}

pith_tensor *pithp_tfl_fparam(pithp_tfl_fread *r, const pithp_tfl_node *n, int i, const char *what,
                              pith_shape shape, bool turn)
{
    pithp_tfl_view v;
    if (pithp_tfl_input(n, i) < 0)
        return NULL;
    if (source(r, n, i, &v))
        return poison(r);
    return readable(&v) ? leaf(r, &v, n->name, what, shape, turn) : refused(r, n, i, &v);
}

pith_status pithp_tfl_fsame(pithp_tfl_fread *r, const pithp_tfl_node *n, const pithp_tfl_view *out)
{
    pithp_tfl_view v;
    pith_status s = source(r, n, 0, &v);
    if (s)
        return s;
    if (!readable(&v) || !pithp_shape_eq(v.shape, out->shape) || r->t[out->id] || r->from[out->id] >= 0)
        return pithp_tfl_node_error(
            r->f, n, PITH_EINVAL,
            "its operand is computed, or of another shape or type; in a float model it "
            "makes float32 of a constant");
    r->from[out->id] = v.id;
    return PITH_OK;
}

pith_status pithp_tfl_fnumber(pithp_tfl_fread *r, const pithp_tfl_node *n, int i, double *x)
{
    pithp_tfl_view v;
    pith_status s = source(r, n, i, &v);
    if (s)
        return s;
    if (!v.data || v.type != TFL_FLOAT32 || v.count != 1)
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "operand %d ('%.80s') is no constant number", i,
                                    v.name);
    *x = (double)pithp_fbr_lef(v.data);
    return isfinite(*x) ? PITH_OK : pithp_tfl_node_error(r->f, n, PITH_ENAN, "operand %d is %g", i, *x);
}

static pith_tensor *activated(pith_tensor *y, int act)
{
    switch (act) {
    case TFL_ACT_RELU: return pith_relu(y);
    case TFL_ACT_RELU6: return pith_relu6(y);
    case TFL_ACT_RELU_N1_TO_1: return pith_clip(y, -1, 1);
    default: return y;
    }
}

/* The sizes that the file says, the first free for the number of samples. */
static pith_tensor *reshaped(pith_tensor *y, const pithp_tfl_view *out)
{
    pith_shape s = out->shape;
    s.d[0] = 0;
    return pith_reshape(y, s);
}

pith_status pithp_tfl_fresult(pithp_tfl_fread *r, const pithp_tfl_node *n, const pithp_tfl_view *out,
                              pith_tensor *y, int act)
{
    pith_ctx *c = r->f->c;
    char a[96], b[96];
    y = activated(y, act);
    if (c->status)
        return c->status;
    if (r->t[out->id] || r->from[out->id] >= 0)
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its result is an input, or computed twice");
    if (out->type != TFL_FLOAT32)
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "its result is %s; expected float32",
                                    pithp_tfl_type_name(out->type));
    if (!pithp_shape_eq(y->shape, out->shape) && pithp_count(y->shape) == out->count && out->shape.d[0] == 1)
        y = reshaped(y, out);
    if (c->status)
        return c->status;
    if (!pithp_shape_eq(y->shape, out->shape))
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its result is said to be %s; it gives %s",
                                    pithp_shape_text(out->shape, a), pithp_shape_text(y->shape, b));
    r->t[out->id] = y;
    return PITH_OK;
}

/* ---- Values --------------------------------------------------------------------------------------------------------*/
static double value_at(const pithp_tfl_view *v, int64_t i)
{
    const uint8_t *p = v->data;
    if (v->type == TFL_FLOAT16)
        return (double)pithp_half_to((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
    if (v->type == TFL_FLOAT32)
        return (double)pithp_fbr_lef(p + 4 * i);
    int64_t inner = 1;
    for (int k = v->axis + 1; k < v->shape.ndim && v->n_scale > 1; k++)
        inner *= v->shape.d[k];
    float scale = v->scale[v->n_scale > 1 ? i / inner % v->n_scale : 0];
    return (double)(scale * (float)(((const int8_t *)v->data)[i] - v->zero));
}

static pith_status fill(const pithp_tfl_fread *r, const pithp_tfl_fill *l)
{
    pith_real *to = l->t->value;
    int64_t k = l->t->shape.d[0], per = l->v.count / (l->turn ? k : 1);
    for (int64_t i = 0; i < l->v.count; i++) {
        double x = value_at(&l->v, i);
        if (!isfinite(x))
            return pithp_error(r->f->c, PITH_ENAN, "%s: tensor %d ('%.80s') holds %g", r->f->path, l->v.id,
                               l->v.name, x);
        to[l->turn ? i % k * per + i / k : i] = (pith_real)x;
    }
    return PITH_OK;
}

/* ---- The whole -----------------------------------------------------------------------------------------------------*/
static pith_status begin(pithp_tfl_fread *r)
{
    pithp_tfl_view x;
    pithp_tfl_file *f = r->f;
    if (f->inputs.n != 1 || f->outputs.n != 1)
        return pithp_error(f->c, PITH_EINVAL, "%s: %zu inputs and %zu outputs; a model has one of each here",
                           f->path, f->inputs.n, f->outputs.n);
    pith_status s = pithp_tfl_view_get(f, pithp_fbr_i32(f->inputs, 0), &x);
    if (s)
        return s;
    if (x.data || x.type != TFL_FLOAT32 || x.shape.ndim < 2 || x.shape.d[0] != 1)
        return pithp_error(f->c, PITH_EINVAL, "%s: the input '%.80s' is no float32 of one sample, [1,...]",
                           f->path, x.name);
    pith_shape sample = { .ndim = x.shape.ndim - 1 };
    memcpy(sample.d, x.shape.d + 1, (size_t)sample.ndim * sizeof *sample.d);
    r->m = pithp_model_begin(f->c, "imported", sample, "input");
    r->t = PITHP_NEW_N(f->c, pith_tensor *, f->tensors.n);
    r->from = PITHP_NEW_N(f->c, int, f->tensors.n);
    if (!r->m || !r->t || !r->from)
        return f->c->status;
    for (size_t i = 0; i < f->tensors.n; i++)
        r->from[i] = -1;
    r->t[x.id] = r->m->input;
    return PITH_OK;
}

static pith_status finish(pithp_tfl_fread *r)
{
    int64_t out = pithp_fbr_i32(r->f->outputs, 0);
    if (out < 0 || out >= (int64_t)r->f->tensors.n || !r->t[out] || r->t[out]->kind != PITHP_NODE_OP)
        return pithp_error(r->f->c, PITH_EFORMAT, "%s: the output is tensor %lld, which no op computes",
                           r->f->path, (long long)out);
    pith_status s = pithp_model_finish(r->m, r->t[out], false);
    for (size_t i = 0; i < r->n_fill && !s; i++)
        s = fill(r, &r->fill[i]);
    return s;
}

pith_model *pithp_tfl_read_float(pithp_tfl_file *f)
{
    pithp_tfl_fread r = { .f = f };
    if (f->c->status)
        return NULL;
    pith_status s = begin(&r);
    if (!s)
        s = pithp_tfl_walk(f, pithp_tfl_frows, pithp_tfl_frows_n, "float models", &r);
    if (!s)
        s = finish(&r);
    if (r.m)
        r.m->g->scope = NULL;
    pithp_free(f->c, r.t);
    pithp_free(f->c, r.from);
    pithp_free(f->c, r.fill);
    if (!s)
        return r.m;
    pith_model_free(r.m);
    return NULL;
}
