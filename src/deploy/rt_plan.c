/* deploy/rt_plan.c: pith_rt in libpith: the file as one integer graph, and a plan of it with the fast kernels. */
#include "deploy/rt_engine.h"
#include "deploy/tflite/read_int8.h"
#include "graph/qplan.h"

struct pithp_rt_run {
    pithp_obj obj;
    pithp_qgraph *g;
    pithp_qplan *plan;
};

static void destroy(pith_ctx *c, pithp_obj *o) { pithp_free(c, o); } /* graph and plan are the context's */

static pithp_rt_run *start(const pithp_tfl_file *f)
{
    pithp_tfl_file reading = *f;
    pithp_rt_run *r = PITHP_NEW(f->c, pithp_rt_run);
    if (!r)
        return NULL;
    pithp_own(f->c, &r->obj, destroy);
    f->c->isa = pithp_isa_best();
    if ((r->g = pithp_tfl_read_int8(&reading, true)))
        r->plan = pithp_qplan_new(r->g, (pithp_qplan_cfg){ .batch = 1 });
    return r->plan ? r : NULL;
}

static bool tensor(const pithp_rt_run *r, bool output, int i, pith_rt_tensor *t)
{
    const int *list = output ? r->g->outputs : r->g->inputs;
    if (i < 0 || i >= (output ? r->g->n_outputs : r->g->n_inputs))
        return false;
    const pithp_qtensor *q = pithp_q_tensor(r->g, list[i]);
    bool quantized = q->dtype == PITH_I8;
    *t = (pith_rt_tensor){ .name = q->name,
                           .type = q->dtype,
                           .shape = q->shape,
                           .bytes = (size_t)pithp_count(q->shape) * pithp_dtype_size(q->dtype),
                           .scale = quantized ? q->scale[0] : 1,
                           .zero_point = quantized ? q->zero : 0 };
    return true;
}

static pith_status run(pithp_rt_run *r, const void *const *inputs, void *const *outputs)
{
    return pithp_qplan_run(r->plan, 1, inputs, outputs);
}

static size_t arena(const pithp_rt_run *r) { return pithp_qplan_arena(r->plan); }
static int64_t macs(const pithp_rt_run *r) { return pithp_q_macs(r->g); }

const pithp_rt_engine pithp_rt_plan = { start, tensor, run, arena, macs };
