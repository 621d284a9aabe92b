/* deploy/tflite/float_hybrid.c: layers whose weights are int8 and whose float input their kernel quantizes sample by sample. The op
   dynamic_quant, which computes what that kernel does, is not written: it is said by the type of the weights. Convolutions have
   one scale a channel always, as their asymmetric kernels want it. Source: tensorflow/lite/kernels/conv.cc and
   depthwise_conv.cc (EvalHybridPerChannel), fully_connected.cc (EvalHybrid). */
#include "deploy/tflite/float_emit.h"
#include "ops/integer.h"
#include "ops/table.h"

static bool behind_dynamic_quant(const pithp_fgraph *g, const pithp_fstep *s)
{
    for (const pithp_fstep *p = g->steps; p < s; p++)
        if (p->out == s->in[0])
            return p->node->op == &pithp_op_dynamic_quant;
    return false;
}

/* The fake_quant whose int8 numbers the weights of s are; NULL: none. */
static const pith_tensor *grid(const pithp_tfl_emit *e, const pithp_fstep *s)
{
    const pith_tensor *f = s->n_in > 1 && s->in[1] >= 0 ? e->g->values[s->in[1]].from : NULL;
    const pith_op *op = s->node->op;
    bool layer = op == &pithp_op_conv2d || op == &pithp_op_depthwise_conv2d || op == &pithp_op_dense;
    return layer && f && pithp_is_fake_quant(f) && ((const pithp_fq_attr *)f->attr)->symmetric ? f : NULL;
}

bool pithp_tfl_is_hybrid(const pithp_tfl_emit *e, const pithp_fstep *s)
{
    return e->hybrid && grid(e, s) && behind_dynamic_quant(e->g, s);
}

static int int8_weights(pithp_tfl_emit *e, const pithp_fstep *s, const pith_tensor *f)
{
    const pithp_fvalue *v = &e->g->values[s->in[1]];
    const pithp_fq_attr *a = f->attr;
    const pith_real *x = v->data, *scales = f->in[PITHP_FQ_SCALE]->value;
    int64_t n = pithp_count(v->shape), axis = s->node->op->integer->axis, c = v->shape.d[axis];
    int8_t *q = PITHP_NEW_N(e->w.c, int8_t, n);
    float *scale = PITHP_NEW_N(e->w.c, float, c);
    char *name = pithp_sprintf(e->w.c, "%s/int8_weight", e->g->values[s->out].name);
    int t = -1;
    for (int64_t k = 0; scale && k < c; k++)
        scale[k] = (float)scales[a->axis >= 0 ? k : 0];
    for (int64_t i = 0; q && scale && i < n; i++)
        q[i] = (int8_t)pithp_fq_quantize(a, x[i], (pith_real)scale[axis == 0 ? i / (n / c) : i % c], 0);
    if (q && scale && name) {
        bool one = v->shape.ndim == 2 && a->axis < 0;
        t = pithp_tfl_add_tensor(&e->w, &(pithp_tfl_tensor){ .name = name,
                                                             .type = TFL_INT8,
                                                             .shape = v->shape,
                                                             .data = q,
                                                             .scale = scale,
                                                             .n_scale = one ? 1 : (int)c,
                                                             .axis = one ? 0 : (int)axis });
    } else {
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    }
    pithp_free(e->w.c, q);
    pithp_free(e->w.c, scale);
    pithp_free(e->w.c, name);
    return t;
}

int pithp_tfl_weights(pithp_tfl_emit *e, const pithp_fstep *s)
{
    return pithp_tfl_is_hybrid(e, s) ? int8_weights(e, s, grid(e, s)) : pithp_tfl_in(e, s, 1);
}

void pithp_tfl_dynamic_quant(pithp_tfl_emit *e, const pithp_fstep *s)
{
    const pithp_fgraph *g = e->g;
    bool said = e->hybrid && g->output != s->out;
    for (const pithp_fstep *p = g->steps; p < g->steps + g->n_steps; p++)
        for (int i = 0; i < p->n_in; i++)
            said &= p->in[i] != s->out || (i == 0 && pithp_tfl_is_hybrid(e, p));
    if (said)
        e->tensor[s->out] = pithp_tfl_in(e, s, 0);
    else
        pithp_tfl_refuse(
            e, s, "only layers with int8 weights behind it say it (numbers dynamic, --numbers dynamic)");
}
