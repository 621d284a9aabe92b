/* deploy/tflite/read_int8.c: tensors of an int8 file as those of an integer graph, and the whole. */
#include "deploy/tflite/read_int8_ops.h"

typedef pithp_tfl_qread reader;

/* ---- Tensors -------------------------------------------------------------------------------------------------------*/
int pithp_tfl_qid(const reader *r, int t)
{
    if (r->id)
        return r->id[t];
    for (int i = 0; i < PITHP_TFL_STEP_TENSORS; i++)
        if (r->step[i] == t)
            return i;
    return PITHP_QNONE;
}

/* From now on the file's tensor t is the graph's `id`. */
static pith_status set_id(reader *r, int t, int id)
{
    if (id == PITHP_QNONE)
        return r->g->ctx->status;
    *(r->id ? &r->id[t] : &r->step[id]) = r->id ? id : t;
    return PITH_OK;
}

/* Is the file's tensor t an input, or computed by now? */
static bool there(const reader *r, int t)
{
    if (r->id)
        return r->id[t] != PITHP_QNONE;
    return !r->known || r->known[t] != PITHP_TFL_UNKNOWN;
}

static const char *name_of(const pithp_tfl_view *v) { return *v->name ? v->name : "(no name)"; }

static pith_status dtype_of(const reader *r, const pithp_tfl_view *v, pith_dtype *t)
{
    if (v->type == TFL_INT8 && v->n_scale < 1)
        return pithp_error(r->f->c, PITH_EFORMAT, "%s: tensor %d ('%.80s') is int8 without a scale",
                           r->f->path, v->id, v->name);
    if (v->type != TFL_INT8 && v->type != TFL_INT32 && v->type != TFL_FLOAT32)
        return pithp_error(r->f->c, PITH_EINVAL,
                           "%s: tensor %d ('%.80s') is %s; integer models here have int8, int32 and float32",
                           r->f->path, v->id, v->name, pithp_tfl_type_name(v->type));
    *t = v->type == TFL_INT8 ? PITH_I8 : v->type == TFL_INT32 ? PITH_I32 : PITH_F32;
    return PITH_OK;
}

static pith_status constant(reader *r, const pithp_tfl_view *v)
{
    pith_dtype t;
    pith_status s = dtype_of(r, v, &t);
    if (s)
        return s;
    if (t == PITH_I32 && v->n_scale < 1)
        return pithp_error(r->f->c, PITH_EINVAL, "%s: tensor %d ('%.80s') is an int32 operand without scales",
                           r->f->path, v->id, v->name);
    return set_id(r, v->id,
                  pithp_q_const(r->g, name_of(v), t, v->shape, v->scale, t == PITH_F32 ? 0 : v->n_scale,
                                v->axis, v->zero, v->data));
}

static pithp_qparam param_of(const pithp_tfl_view *v, pith_dtype t)
{
    return (pithp_qparam){ t == PITH_I8 ? v->scale[0] : 0, t == PITH_I8 ? v->zero : 0 };
}

/* What an earlier step computed: its result was checked against the file's tensor then. */
static pith_status given(reader *r, const pithp_tfl_view *v)
{
    pith_dtype t;
    pith_status s = dtype_of(r, v, &t);
    return s ? s : set_id(r, v->id, pithp_q_given(r->g, name_of(v), t, v->shape, param_of(v, t)));
}

/* The graph's tensor of operand i: computed before, or a constant. */
pith_status pithp_tfl_qoperand(reader *r, const pithp_tfl_node *n, int i, int *id)
{
    int t = pithp_tfl_input(n, i);
    pithp_tfl_view v;
    pith_status s = pithp_tfl_view_get(r->f, t, &v);
    if (!s && pithp_tfl_qid(r, t) == PITHP_QNONE) {
        if (v.data)
            s = constant(r, &v);
        else if (!r->id && there(r, t))
            s = given(r, &v);
    }
    if (s)
        return s;
    *id = pithp_tfl_qid(r, t);
    if (*id == PITHP_QNONE)
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT,
                                    "operand %d ('%.80s') is computed by no op before it: the ops are out of "
                                    "order, or go in a circle",
                                    i, v.name);
    return PITH_OK;
}

/* Sizes of 1 apart, is it the same? Then a reshape makes one of the other. */
static bool same_count(const pith_shape *a, const pith_shape *b)
{
    return pithp_count(*a) == pithp_count(*b);
}

/* The op's result is the file's tensor: same type, shape and quantization. */
static pith_status result(reader *r, const pithp_tfl_node *n, const pithp_tfl_view *out, int id)
{
    char a[96], b[96];
    if (id == PITHP_QNONE)
        return r->g->ctx->status;
    if ((r->id || r->known) && there(r, out->id))
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its result is an input, or computed twice");
    const pithp_qtensor *t = pithp_q_tensor(r->g, id);
    if (t->dtype == PITH_I8 && (t->scale[0] != out->scale[0] || t->zero != out->zero))
        return pithp_tfl_node_error(
            r->f, n, PITH_EINVAL,
            "its result has the scale %g and zero point %d; it keeps its operand's, %g "
            "and %d, here",
            (double)out->scale[0], out->zero, (double)t->scale[0], t->zero);
    if (n->code == TFL_FULLY_CONNECTED && !pithp_shape_eq(t->shape, out->shape) &&
        same_count(&t->shape, &out->shape)) {
        id = pithp_q_op(r->g, &pithp_qop_reshape, name_of(out), &id, 1, &(pithp_qattr){ .shape = out->shape },
                        (pithp_qparam){ 0 });
        if (id == PITHP_QNONE)
            return r->g->ctx->status;
        t = pithp_q_tensor(r->g, id);
    }
    if (!pithp_shape_eq(t->shape, out->shape))
        return pithp_tfl_node_error(r->f, n, PITH_EFORMAT, "its result is said to be %s; it gives %s",
                                    pithp_shape_text(out->shape, a), pithp_shape_text(t->shape, b));
    if (r->known)
        r->known[out->id] = PITHP_TFL_COMPUTED;
    return set_id(r, out->id, id);
}

/* Emits the op on its first n_in operands. */
pith_status pithp_tfl_qread_op(reader *r, const pithp_tfl_node *n, const pithp_tfl_view *out,
                               const pithp_qop *op, int n_in, const pithp_qattr *attr)
{
    int in[PITHP_QMAX_IN];
    pith_dtype want, is = op->free_scale ? PITH_F32 : PITH_I8;
    pith_status s = dtype_of(r, out, &want);
    for (int i = 0; i < n_in && !s; i++)
        s = pithp_tfl_qoperand(r, n, i, &in[i]);
    if (s)
        return s;
    if (want != is || (is == PITH_I8 && out->n_scale != 1))
        return pithp_tfl_node_error(r->f, n, PITH_EINVAL, "its result is %s with %d scales; expected %s",
                                    pithp_tfl_type_name(out->type), out->n_scale,
                                    is == PITH_I8 ? "int8 with one" : "float32");
    pithp_qparam q = { is == PITH_I8 ? out->scale[0] : 0, out->zero };
    return result(r, n, out, pithp_q_op(r->g, op, name_of(out), in, n_in, attr, q));
}

/* ---- The whole -----------------------------------------------------------------------------------------------------*/
bool pithp_tfl_is_int8(pithp_tfl_file *f)
{
    bool int8 = false;
    for (size_t i = 0; i < f->ops.n && !int8; i++) {
        pithp_fbr_table op = pithp_fbr_item(&f->b, f->ops, i);
        pithp_fbr_vec out = pithp_fbr_vector(op, TFL_OPERATOR_OUTPUTS, 4);
        int64_t t = out.n ? pithp_fbr_i32(out, 0) : -1;
        int8 = t >= 0 &&
               pithp_fbr_u8(pithp_fbr_item(&f->b, f->tensors, (size_t)t), TFL_TENSOR_TYPE, 0) == TFL_INT8;
    }
    return int8;
}

pith_status pithp_tfl_qinputs(reader *r)
{
    for (size_t i = 0; i < r->f->inputs.n; i++) {
        pithp_tfl_view v;
        pith_dtype t;
        pith_status s = pithp_tfl_view_get(r->f, pithp_fbr_i32(r->f->inputs, i), &v);
        if (!s)
            s = dtype_of(r, &v, &t);
        if (s)
            return s;
        if (v.data || there(r, v.id) || t == PITH_I32 || v.n_scale > 1)
            return pithp_error(
                r->f->c, PITH_EFORMAT,
                "%s: input %zu ('%.80s') is a constant, named twice, int32, or has a scale for "
                "each channel",
                r->f->path, i, v.name);
        s = set_id(r, v.id, pithp_q_input(r->g, name_of(&v), t, v.shape, param_of(&v, t)));
        if (s)
            return s;
        if (r->known)
            r->known[v.id] = PITHP_TFL_INPUT;
    }
    return PITH_OK;
}

static bool computed(const reader *r, int t)
{
    if (!r->id)
        return r->known[t] == PITHP_TFL_COMPUTED;
    return r->id[t] != PITHP_QNONE && pithp_q_tensor(r->g, r->id[t])->node >= 0;
}

pith_status pithp_tfl_qoutput(const reader *r, size_t i, int *t)
{
    *t = pithp_fbr_i32(r->f->outputs, i);
    if (*t >= 0 && (size_t)*t < r->f->tensors.n && computed(r, *t))
        return PITH_OK;
    return pithp_error(r->f->c, PITH_EFORMAT, "%s: output %zu is tensor %d, which no op computes", r->f->path,
                       i, *t);
}

static pith_status outputs(const reader *r)
{
    pith_status s = PITH_OK;
    for (size_t i = 0; i < r->f->outputs.n && !s; i++) {
        int t;
        s = pithp_tfl_qoutput(r, i, &t);
        if (!s)
            s = pithp_q_output(r->g, r->id[t]);
    }
    return s;
}

pithp_qgraph *pithp_tfl_read_int8(pithp_tfl_file *f, bool borrow)
{
    pith_ctx *c = f->c;
    if (c->status)
        return NULL;
    reader r = { .f = f, .g = pithp_qgraph_new(c, f->path), .id = PITHP_NEW_N(c, int, f->tensors.n) };
    pith_status s = c->status;
    if (!s) {
        r.g->borrow = borrow;
        for (size_t i = 0; i < f->tensors.n; i++)
            r.id[i] = PITHP_QNONE;
        s = pithp_tfl_qinputs(&r);
    }
    if (!s)
        s = pithp_tfl_walk(f, pithp_tfl_qread_rows, pithp_tfl_qread_rows_n, "integer models", &r);
    if (!s)
        s = outputs(&r);
    pithp_free(c, r.id);
    if (!s)
        return r.g;
    pithp_qgraph_free(r.g);
    return NULL;
}
