/* deploy/rt.c: the integer runtime by itself: a file, a graph that borrows from it, a plan. It makes a context of its own,
   without BLAS and threads. */
#include "deploy/tflite/read_int8.h"
#include "graph/qplan.h"
#include <pith/rt.h>
#include <string.h>

#ifdef PITHP_SMALL /* libpith-rt, which has the reference kernels only */
static const pithp_tfl_keep how = PITHP_TFL_LEAN;
#else
static const pithp_tfl_keep how = PITHP_TFL_BORROW;
#endif

struct pith_rt {
    pith_ctx ctx;
    pithp_map map;
    size_t bytes; /* of the model */
    pithp_qgraph *g;
    pithp_qplan *plan; /* NULL: it failed */
};

static pith_rt *new_rt(pith_rt_cfg cfg)
{
    pith_ctx first = { .cfg = { .alloc = cfg.alloc, .release = cfg.release, .alloc_user = cfg.alloc_user } };
    if (!cfg.alloc != !cfg.release)
        first.cfg.alloc = NULL, first.cfg.release = NULL;
    pith_rt *rt = pithp_alloc(&first, 1, sizeof *rt);
    if (!rt)
        return NULL;
    rt->ctx = first;
    rt->ctx.threads = 1;
    rt->ctx.isa = pithp_isa_best();
    rt->map.fd = -1;
    pithp_ring_open(&rt->ctx);
    if (!cfg.alloc != !cfg.release)
        pithp_error(&rt->ctx, PITH_EINVAL, "pith_rt_cfg has %s without %s; expected both or none",
                    cfg.alloc ? "alloc" : "release", cfg.alloc ? "release" : "alloc");
    return rt;
}

static void load(pith_rt *rt, const char *name, const void *p, size_t n)
{
    pithp_tfl_file f;
    rt->bytes = n;
    if (rt->ctx.status || pithp_tfl_open(&rt->ctx, &f, name, p, n))
        return;
    if ((rt->g = pithp_tfl_read_int8(&f, how)))
        rt->plan = pithp_qplan_new(rt->g, (pithp_qplan_cfg){ .batch = 1 });
}

pith_rt *pith_rt_open(const char *path, pith_rt_cfg cfg)
{
    pith_rt *rt = new_rt(cfg);
    if (rt && !rt->ctx.status && !pithp_map_open(&rt->ctx, &rt->map, path))
        load(rt, path, rt->map.p, rt->map.n);
    return rt;
}

pith_rt *pith_rt_open_memory(const void *p, size_t n, pith_rt_cfg cfg)
{
    pith_rt *rt = new_rt(cfg);
    if (rt)
        load(rt, "the model", p, n);
    return rt;
}

void pith_rt_free(pith_rt *rt)
{
    if (!rt)
        return;
    pithp_ring_close(&rt->ctx);
    pithp_map_close(&rt->map);
    pith_ctx last = rt->ctx; /* pithp_free counts in it while the block goes */
    pithp_free(&last, rt);
}

pith_status pith_rt_status(const pith_rt *rt) { return rt ? rt->ctx.status : PITH_ENOMEM; }
const char *pith_rt_error(const pith_rt *rt) { return rt ? rt->ctx.error : "out of memory for the model"; }

static bool tell(const pith_rt *rt, const int *list, int n, int i, pith_rt_tensor *t)
{
    if (i < 0 || i >= n)
        return false;
    const pithp_qtensor *q = pithp_q_tensor(rt->g, list[i]);
    bool quantized = q->dtype == PITH_I8;
    *t = (pith_rt_tensor){ .name = q->name,
                           .type = q->dtype,
                           .shape = q->shape,
                           .bytes = (size_t)pithp_count(q->shape) * pithp_dtype_size(q->dtype),
                           .scale = quantized ? q->scale[0] : 1,
                           .zero_point = quantized ? q->zero : 0 };
    return true;
}

bool pith_rt_input(const pith_rt *rt, int i, pith_rt_tensor *t)
{
    return rt && rt->plan && tell(rt, rt->g->inputs, rt->g->n_inputs, i, t);
}

bool pith_rt_output(const pith_rt *rt, int i, pith_rt_tensor *t)
{
    return rt && rt->plan && tell(rt, rt->g->outputs, rt->g->n_outputs, i, t);
}

pith_status pith_rt_run(pith_rt *rt, const void *const *inputs, void *const *outputs)
{
    if (!rt || !rt->plan)
        return pith_rt_status(rt) ? pith_rt_status(rt) : PITH_EINVAL;
    return pithp_qplan_run(rt->plan, 1, inputs, outputs);
}

pith_rt_facts pith_rt_info(const pith_rt *rt)
{
    if (!rt || !rt->plan)
        return (pith_rt_facts){ 0 };
    size_t arena = pithp_qplan_arena(rt->plan);
    return (pith_rt_facts){
        .arena = arena, .heap = rt->ctx.bytes - arena, .model = rt->bytes, .macs = pithp_q_macs(rt->g)
    };
}
