/* deploy/tflite/int8_emit.c: quantized tensors and the walk over the integer graph. */
#include "deploy/tflite/int8_emit.h"
#include "deploy/tflite/metadata.h"
#include <string.h>

enum { MOST_INPUTS = 8 };

void pithp_tfl_qrefuse(pithp_tfl_qemit *e, const pithp_qnode *n, const char *why)
{
    pithp_tfl_fail(&e->w, pithp_error(e->w.c, PITH_EINVAL, "op %s (%s) cannot be written to a .tflite: %s",
                                      n->op->name, n->name ? n->name : "", why));
}

static int type_of(pith_dtype t)
{
    static const int types[] = {
        [PITH_F32] = TFL_FLOAT32, [PITH_I32] = TFL_INT32, [PITH_U8] = TFL_UINT8, [PITH_I8] = TFL_INT8
    };
    return types[t];
}

/* One zero point for all channels in the graph, one for each in the file. */
static int add(pithp_tfl_qemit *e, const char *name, int type, pith_shape shape, const void *data,
               const pithp_qtensor *like)
{
    pithp_tfl_tensor t = { .name = name, .type = type, .shape = shape, .data = data };
    int32_t *zero = NULL;
    if (like && like->n_scale) {
        zero = PITHP_NEW_N(e->w.c, int32_t, like->n_scale);
        if (!zero) {
            pithp_tfl_fail(&e->w, PITH_ENOMEM);
            return -1;
        }
        for (int i = 0; i < like->n_scale; i++)
            zero[i] = like->zero;
        t.scale = like->scale;
        t.zero_point = zero;
        t.n_scale = like->n_scale;
        t.axis = like->n_scale > 1 ? like->axis : 0;
    }
    int at = pithp_tfl_add_tensor(&e->w, &t);
    pithp_free(e->w.c, zero);
    return at;
}

int pithp_tfl_qtensor(pithp_tfl_qemit *e, int tensor)
{
    const pithp_qtensor *t = pithp_q_tensor(e->g, tensor);
    char name[32];
    snprintf(name, sizeof name, "tensor_%d", tensor);
    if (e->tensor[tensor] < 0)
        e->tensor[tensor] =
            add(e, t->name && *t->name ? t->name : name, type_of(t->dtype), t->shape, t->data, t);
    return e->tensor[tensor];
}

int pithp_tfl_qextra(pithp_tfl_qemit *e, const pithp_qnode *n, const char *what, int type, pith_shape shape,
                     const void *data, const pithp_qtensor *like)
{
    char *name = pithp_sprintf(e->w.c, "%s/%s", n->name ? n->name : n->op->name, what);
    if (!name)
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    int t = name ? add(e, name, type, shape, data, like) : -1;
    pithp_free(e->w.c, name);
    return t;
}

void pithp_tfl_qput(pithp_tfl_qemit *e, const pithp_qnode *n, const pithp_tfl_qrow *row, const int *in,
                    int n_in, const pithp_tfl_option *option, int n_options)
{
    int out = pithp_tfl_qtensor(e, n->out);
    for (int i = 0; i < n_in; i++)
        if (in[i] < 0 || out < 0)
            return; /* a tensor failed, and the writer knows */
    pithp_tfl_add_op(&e->w, &(pithp_tfl_op){ .builtin = row->builtin,
                                             .version = row->version,
                                             .in = in,
                                             .n_in = n_in,
                                             .out = out,
                                             .options = row->options,
                                             .option = option,
                                             .n_options = n_options });
}

static void emit_node(pithp_tfl_qemit *e, const pithp_qnode *n)
{
    if (pithp_q_bounded(e->g, n)) {
        pithp_tfl_qrefuse(e, n, PITHP_Q_BOUNDED);
        return;
    }
    for (size_t i = 0; i < pithp_tfl_qrows_n; i++)
        if (pithp_tfl_qrows[i].op == n->op) {
            pithp_tfl_qrows[i].emit(e, n, &pithp_tfl_qrows[i]);
            return;
        }
    pithp_tfl_qrefuse(e, n, "the format has nothing like it");
}

static pith_status emit_all(pithp_tfl_qemit *e, const pith_model *m, const char *path)
{
    pithp_tfl *w = &e->w;
    int inputs[MOST_INPUTS], output;
    for (int i = 0; i < e->g->n_inputs; i++)
        inputs[i] = pithp_tfl_qtensor(e, e->g->inputs[i]);
    for (int i = 0; i < e->g->n_nodes && !w->status; i++)
        emit_node(e, e->g->nodes[i]);
    output = pithp_tfl_qtensor(e, e->g->outputs[0]);
    if (m)
        pithp_tfl_describe(w, m);
    char *text =
        pithp_sprintf(w->c, "%s, int8, written by pith " PITH_VERSION, e->g->name ? e->g->name : "model");
    if (!text)
        pithp_tfl_fail(w, PITH_ENOMEM);
    pith_status s = pithp_tfl_save(w, inputs, e->g->n_inputs, output, text, path);
    pithp_free(w->c, text);
    return s;
}

pith_status pithp_tfl_export_int8(const pithp_qgraph *g, const pith_model *m, const char *path)
{
    pithp_tfl_qemit e = { .g = g };
    if (g->failed || g->n_inputs < 1 || g->n_inputs > MOST_INPUTS || g->n_outputs != 1)
        return pithp_error(
            g->ctx, PITH_EINVAL,
            "the integer graph has %d inputs and %d outputs; a .tflite is written of 1 to 8 and 1",
            g->n_inputs, g->n_outputs);
    pithp_tfl_init(g->ctx, &e.w);
    e.tensor = PITHP_NEW_N(g->ctx, int, g->n_tensors + 1);
    if (e.tensor)
        memset(e.tensor, -1, (size_t)g->n_tensors * sizeof *e.tensor);
    pith_status s = e.tensor ? emit_all(&e, m, path) : PITH_ENOMEM;
    pithp_free(g->ctx, e.tensor);
    pithp_tfl_free(&e.w);
    return s;
}
