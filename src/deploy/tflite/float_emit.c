/* deploy/tflite/float_emit.c: tensors and ops of the float graph, one after the other. */
#include "deploy/tflite/float_emit.h"
#include "deploy/tflite/metadata.h"
#include <string.h>

_Static_assert(sizeof(pith_real) == sizeof(float), "exporters are built with float32 models only");

void pithp_tfl_refuse(pithp_tfl_emit *e, const pithp_fstep *s, const char *why)
{
    pithp_tfl_fail(&e->w, pithp_error(e->w.c, PITH_EINVAL, "op %s (%s) cannot be written to a .tflite: %s",
                                      s->node->op->name, e->g->values[s->out].name, why));
}

void pithp_tfl_put(pithp_tfl_emit *e, int builtin, int version, const int *in, int n, int out, int options,
                   const pithp_tfl_option *option, int n_options)
{
    for (int i = 0; i < n; i++)
        if (in[i] < 0 || out < 0)
            return; /* a tensor failed, and the writer knows */
    pithp_tfl_add_op(&e->w, &(pithp_tfl_op){ .builtin = builtin,
                                             .version = version,
                                             .in = in,
                                             .n_in = n,
                                             .out = out,
                                             .options = options,
                                             .option = option,
                                             .n_options = n_options });
}

static int tfl_type(pith_dtype t)
{
    static const int types[] = {
        [PITH_F32] = TFL_FLOAT32, [PITH_I32] = TFL_INT32, [PITH_U8] = TFL_UINT8, [PITH_I8] = TFL_INT8
    };
    return types[t];
}

/* A constant as float16, and the DEQUANTIZE that makes float32 of it, as TensorFlow's converter does it. */
static int half_constant(pithp_tfl_emit *e, const pithp_fvalue *v)
{
    size_t n = (size_t)pithp_count(v->shape);
    uint16_t *halves = PITHP_NEW_N(e->w.c, uint16_t, n);
    char *name = pithp_sprintf(e->w.c, "%s/float16", v->name);
    if (!halves || !name)
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    for (size_t i = 0; halves && i < n; i++)
        halves[i] = pithp_half_from(((const float *)v->data)[i]);
    int t = -1;
    if (halves && name) {
        int from = pithp_tfl_add_tensor(
            &e->w,
            &(pithp_tfl_tensor){ .name = name, .type = TFL_FLOAT16, .shape = v->shape, .data = halves });
        t = pithp_tfl_add_tensor(
            &e->w, &(pithp_tfl_tensor){ .name = v->name, .type = TFL_FLOAT32, .shape = v->shape });
        pithp_tfl_put(e, TFL_DEQUANTIZE, 3, &from, 1, t, TFL_OPT_DEQUANTIZE, NULL, 0);
    }
    pithp_free(e->w.c, halves);
    pithp_free(e->w.c, name);
    return t;
}

int pithp_tfl_value(pithp_tfl_emit *e, int value)
{
    const pithp_fvalue *v = &e->g->values[value];
    int *t = &e->tensor[value];
    if (*t < 0 && e->half && v->data && v->dtype == PITH_F32)
        *t = half_constant(e, v);
    else if (*t < 0)
        *t = pithp_tfl_add_tensor(
            &e->w, &(pithp_tfl_tensor){
                       .name = v->name, .type = tfl_type(v->dtype), .shape = v->shape, .data = v->data });
    return *t;
}

int pithp_tfl_in(pithp_tfl_emit *e, const pithp_fstep *s, int i) { return pithp_tfl_value(e, s->in[i]); }
int pithp_tfl_out(pithp_tfl_emit *e, const pithp_fstep *s) { return pithp_tfl_value(e, s->out); }

pith_shape pithp_tfl_shape(const pithp_tfl_emit *e, const pithp_fstep *s, int i)
{
    return e->g->values[s->in[i]].shape;
}

static int extra(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, int type, pith_shape shape,
                 const void *data)
{
    char *name = pithp_sprintf(e->w.c, "%s/%s", e->g->values[s->out].name, what);
    if (!name)
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    int t = name ? pithp_tfl_add_tensor(
                       &e->w, &(pithp_tfl_tensor){ .name = name, .type = type, .shape = shape, .data = data })
                 : -1;
    pithp_free(e->w.c, name);
    return t;
}

int pithp_tfl_between(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, pith_shape shape)
{
    return extra(e, s, what, TFL_FLOAT32, shape, NULL);
}

int pithp_tfl_ints(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, pith_shape shape,
                   const int32_t *v)
{
    return extra(e, s, what, TFL_INT32, shape, v);
}

int pithp_tfl_real(pithp_tfl_emit *e, const pithp_fstep *s, const char *what, float v)
{
    return extra(e, s, what, TFL_FLOAT32, PITH_SCALAR, &v);
}

int pithp_tfl_act(pith_act act)
{
    return act == PITH_RELU ? TFL_ACT_RELU : act == PITH_RELU6 ? TFL_ACT_RELU6 : TFL_ACT_NONE;
}

static void emit_step(pithp_tfl_emit *e, const pithp_fstep *s)
{
    for (size_t i = 0; i < pithp_tfl_rows_n; i++)
        if (pithp_tfl_rows[i].op == s->node->op) {
            pithp_tfl_rows[i].emit(e, s);
            return;
        }
    pithp_tfl_refuse(e, s, "the format has nothing like it");
}

static pith_status emit_all(pithp_tfl_emit *e, const char *path)
{
    pithp_tfl *w = &e->w;
    int input = pithp_tfl_value(e, e->g->input), output;
    for (size_t i = 0; i < e->g->n_steps && !w->status; i++)
        emit_step(e, &e->g->steps[i]);
    output = pithp_tfl_value(e, e->g->output);
    pithp_tfl_describe(w, e->g->m);
    char *text = pithp_sprintf(w->c, "%s, written by pith " PITH_VERSION, pith_model_name(e->g->m));
    if (!text)
        pithp_tfl_fail(w, PITH_ENOMEM);
    pith_status s = pithp_tfl_save(w, &input, 1, output, text, path);
    pithp_free(w->c, text);
    return s;
}

pith_status pithp_tfl_export_float(pith_model *m, pith_export_numbers as, const char *path)
{
    pithp_fgraph g;
    pithp_tfl_emit e = { .g = &g, .half = as == PITH_EXPORT_F16, .hybrid = as == PITH_EXPORT_DYNAMIC };
    pith_status s = pithp_fgraph_make(&g, m);
    if (s)
        return s;
    pithp_tfl_init(m->ctx, &e.w);
    e.tensor = PITHP_NEW_N(m->ctx, int, g.n_values);
    if (e.tensor)
        memset(e.tensor, -1, g.n_values * sizeof *e.tensor);
    s = e.tensor ? emit_all(&e, path) : PITH_ENOMEM;
    pithp_free(m->ctx, e.tensor);
    pithp_tfl_free(&e.w);
    pithp_fgraph_free(&g);
    return s;
}
