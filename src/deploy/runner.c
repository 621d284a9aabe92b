/* deploy/runner.c: any of our formats, run on one sample. */
#include "deploy/runner.h"
#include "deploy/tflite/int8_emit.h"
#include "deploy/tflite/read_float.h"
#include "deploy/tflite/read_int8.h"
#include "ops/integer.h"
#include "ops/table.h"
#include "train/train.h"
#include <math.h>
#include <pith/file.h>
#include <string.h>

static void destroy(pith_ctx *c, pithp_obj *o)
{
    pith_runner *r = (pith_runner *)o;
    pithp_qplan_free(r->qplan);
    pith_plan_free(r->plan);
    if (r->owns_graph)
        pithp_qgraph_free(r->g);
    if (r->owns_model)
        pith_model_free(r->m);
    pithp_tfl_labels_free(c, &r->labels);
    pithp_tfl_bytes_close(c, &r->bytes);
    pithp_free(c, r->name);
    pithp_free(c, r->in);
    pithp_free(c, r->out);
    pithp_free(c, r->values);
    pithp_free(c, r);
}

void pith_runner_free(pith_runner *r)
{
    if (r)
        pithp_destroy(r->c, &r->obj);
}

static pith_runner *new_runner(pith_ctx *c, const char *name, const char *format)
{
    pith_runner *r = c->status ? NULL : PITHP_NEW(c, pith_runner);
    if (!r)
        return NULL;
    r->c = c;
    r->format = format;
    r->obj.destroy = destroy; /* owned when all it holds has been made: it is destroyed before them then */
    r->name = pithp_strdup(c, name);
    return r;
}

/* ---- Opening -------------------------------------------------------------------------------------------------------*/
static pith_status plan_integers(pith_runner *r)
{
    const pithp_qgraph *g = r->g;
    if (g->n_inputs != 1 || g->n_outputs != 1)
        return pithp_error(r->c, PITH_EINVAL, "%s has %d inputs and %d outputs; a runner takes one of each",
                           r->name, g->n_inputs, g->n_outputs);
    r->x = pithp_q_tensor(g, g->inputs[0]);
    r->y = pithp_q_tensor(g, g->outputs[0]);
    r->n_in = pithp_count(r->x->shape);
    r->n_out = pithp_count(r->y->shape);
    r->qplan = pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = 1 });
    r->in = pithp_alloc(r->c, (size_t)r->n_in, sizeof(float));
    r->out = pithp_alloc(r->c, (size_t)r->n_out, sizeof(float));
    r->values = PITHP_NEW_N(r->c, pith_real, r->n_out);
    return r->c->status;
}

static pith_status plan_floats(pith_runner *r)
{
    r->n_in = pithp_count(r->m->input->shape);
    r->n_out = pithp_count(r->m->output->shape);
    r->plan = pith_plan_new(&r->m->output, 1, (pith_plan_cfg){ .batch = 1 });
    return r->c->status;
}

static pith_status begin(pith_runner *r)
{
    if (r->m && !r->labels.n && pithp_tfl_labels_of(r->m, &r->labels))
        return r->c->status;
    if (!r->g && r->m && pithp_integers_wanted(r->m)) {
        r->owns_graph = true;
        r->g = pithp_lower_model(r->m);
        if (!r->g)
            return r->c->status;
    }
    pith_status s = r->g ? plan_integers(r) : plan_floats(r);
    if (!s)
        pithp_own(r->c, &r->obj, destroy);
    return s;
}

static pith_status open_tflite(pith_runner *r, const char *path)
{
    pithp_tfl_file f;
    pith_status s = pithp_tfl_open(r->c, &f, path, r->bytes.p, r->bytes.n);
    if (!s)
        s = pithp_tfl_labels_read(r->c, r->bytes.p, r->bytes.n, path, &r->labels);
    if (s)
        return s;
    if (pithp_tfl_is_int8(&f))
        r->owns_graph = (r->g = pithp_tfl_read_int8(&f, true)) != NULL;
    else
        r->owns_model = (r->m = pithp_tfl_read_float(&f)) != NULL;
    if (r->m)
        pithp_tfl_labels_keep(&r->labels, r->m);
    return r->c->status;
}

static bool is_tflite(const pithp_tfl_bytes *b)
{
    return b->n >= 8 && !memcmp(b->p + 4, PITHP_TFL_IDENTIFIER, 4);
}

/* The file's last part, without its ending. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

pith_runner *pith_runner_open(pith_ctx *c, const char *path)
{
    pith_runner *r = new_runner(c, base_name(path), ".pith");
    pith_status s = r ? pithp_tfl_bytes_open(c, &r->bytes, path) : c->status;
    if (!s && is_tflite(&r->bytes)) {
        r->format = ".tflite";
        s = open_tflite(r, path);
    } else if (!s) {
        pithp_tfl_bytes_close(c, &r->bytes);
        r->owns_model = (r->m = pith_model_load(c, path)) != NULL;
        s = c->status;
    }
    if (!s && !(s = begin(r)))
        return r;
    pith_runner_free(r);
    return NULL;
}

pith_runner *pith_runner_of(pith_model *m)
{
    pith_runner *r = m ? new_runner(m->ctx, m->name, ".pith") : NULL;
    if (r)
        r->m = m;
    if (r && !begin(r))
        return r;
    pith_runner_free(r);
    return NULL;
}

pith_model *pith_import_tflite(pith_ctx *c, const char *path)
{
    pithp_tfl_bytes b;
    pithp_tfl_file f;
    pithp_tfl_labels labels = { 0 };
    pith_model *m = NULL;
    if (c->status || pithp_tfl_bytes_open(c, &b, path))
        return NULL;
    if (!pithp_tfl_open(c, &f, path, b.p, b.n) && !pithp_tfl_labels_read(c, b.p, b.n, path, &labels)) {
        if (pithp_tfl_is_int8(&f))
            pithp_error(
                c, PITH_EINVAL,
                "%s is a model of int8: it runs (pith run, pith_runner_open), but is no model to train on",
                path);
        else
            m = pithp_tfl_read_float(&f);
    }
    if (m && pithp_tfl_labels_keep(&labels, m)) {
        pith_model_free(m);
        m = NULL;
    }
    pithp_tfl_labels_free(c, &labels);
    pithp_tfl_bytes_close(c, &b);
    return m;
}

/* ---- Asking --------------------------------------------------------------------------------------------------------*/
pith_model *pith_runner_model(const pith_runner *r) { return r->m; }

pith_runner_facts pith_runner_info(const pith_runner *r)
{
    pith_runner_facts f = { .name = r->name, .format = r->format, .input_scale = 1, .output_scale = 1 };
    if (r->g) {
        const pithp_qnode *last = r->g->nodes[r->y->node];
        f.integers = true;
        f.float_io = r->x->dtype != PITH_I8;
        f.input = r->x->shape;
        f.output = r->y->shape;
        f.arena = (int64_t)pithp_qplan_arena(r->qplan);
        f.macs = pithp_q_macs(r->g);
        f.ops = r->g->n_nodes;
        if (last->op == &pithp_qop_dequantize && pithp_q_in(r->g, last, 0)->node >= 0)
            last = r->g->nodes[pithp_q_in(r->g, last, 0)->node];
        f.probabilities = last->op == &pithp_qop_softmax;
        if (!f.float_io)
            f.input_scale = r->x->scale[0], f.input_zero = r->x->zero;
        if (r->y->dtype == PITH_I8)
            f.output_scale = r->y->scale[0], f.output_zero = r->y->zero;
    } else {
        pith_model_facts m = pith_model_info(r->m);
        f.input = r->m->input->shape;
        f.output = r->m->output->shape;
        f.arena = (int64_t)pith_plan_bytes(r->plan);
        f.macs = m.macs;
        f.ops = m.layers;
        f.probabilities = r->m->output->op == &pithp_op_softmax;
    }
    return f;
}

const char *pith_runner_class(const pith_runner *r, int i)
{
    return i >= 0 && i < r->labels.n ? r->labels.name[i] : NULL;
}

/* ---- Running -------------------------------------------------------------------------------------------------------*/
static pith_status all_finite(const pith_runner *r, const pith_real *x)
{
    for (int64_t i = 0; i < r->n_in; i++)
        if (!isfinite(x[i]))
            return pithp_error(r->c, PITH_ENAN, "%s: input %lld is %g; expected a finite number", r->name,
                               (long long)i, (double)x[i]);
    return PITH_OK;
}

static pith_status run_floats(pith_runner *r, const pith_real *x, pith_runner_result *result)
{
    pith_real *in = pith_plan_input(r->plan, r->m->input);
    memcpy(in, x, (size_t)r->n_in * sizeof *in);
    pith_status s = pith_plan_forward(r->plan, 1, 0);
    *result = (pith_runner_result){ .input = x,
                                    .input_bytes = (size_t)r->n_in * sizeof *x,
                                    .values = pith_plan_value(r->plan, r->m->output),
                                    .n = r->n_out };
    return s;
}

static pith_status run_integers(pith_runner *r, const pith_real *x, pith_runner_result *result)
{
    int8_t *q = r->in;
    float *in = r->in;
    const float *out = r->out;
    const int8_t *out_q = r->out;
    bool int8_in = r->x->dtype == PITH_I8, int8_out = r->y->dtype == PITH_I8;
    for (int64_t i = 0; i < r->n_in; i++)
        if (int8_in)
            q[i] = pithp_quantize_i8((float)x[i], r->x->scale[0], r->x->zero);
        else
            in[i] = (float)x[i];
    pith_status s = pithp_qplan_run(r->qplan, 1, (const void *[]){ r->in }, (void *[]){ r->out });
    for (int64_t i = 0; i < r->n_out && !s; i++)
        r->values[i] =
            int8_out ? (pith_real)(r->y->scale[0] * (float)(out_q[i] - r->y->zero)) : (pith_real)out[i];
    *result = (pith_runner_result){ .input = r->in,
                                    .input_bytes = (size_t)r->n_in * (int8_in ? 1 : sizeof *in),
                                    .values = r->values,
                                    .output_q = int8_out ? r->out : NULL,
                                    .n = r->n_out };
    return s;
}

pith_status pith_runner_run(pith_runner *r, const pith_real *x, pith_runner_result *result)
{
    *result = (pith_runner_result){ 0 };
    pith_status s = all_finite(r, x);
    if (s)
        return s;
    return r->g ? run_integers(r, x, result) : run_floats(r, x, result);
}

pith_status pith_runner_export_tflite(const pith_runner *r, const char *path)
{
    if (!r->g)
        return pithp_error(r->c, PITH_EINVAL, "%s runs in float: it has no integers to write", r->name);
    return pithp_tfl_export_int8(r->g, r->m, path);
}
