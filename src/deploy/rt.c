/* deploy/rt.c: the integer runtime by itself: a file and what runs it. It makes a context of its own, without BLAS and
   threads. */
#include "deploy/rt_engine.h"
#include "deploy/tflite/bytes.h"
#include <string.h>

#ifdef PITHP_SMALL /* libpith-rt */
static const pithp_rt_engine *const engine = &pithp_rt_steps;
#else
static const pithp_rt_engine *const engine = &pithp_rt_plan;
#endif

struct pith_rt {
    pith_ctx ctx;
    pithp_tfl_bytes bytes;
    pithp_rt_run *run; /* NULL: it failed */
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
    pithp_ring_open(&rt->ctx);
    if (!cfg.alloc != !cfg.release)
        pithp_error(&rt->ctx, PITH_EINVAL, "pith_rt_cfg has %s without %s; expected both or none",
                    cfg.alloc ? "alloc" : "release", cfg.alloc ? "release" : "alloc");
    return rt;
}

static void load(pith_rt *rt, const char *name)
{
    pithp_tfl_file f;
    if (!rt->ctx.status && !pithp_tfl_open(&rt->ctx, &f, name, rt->bytes.p, rt->bytes.n))
        rt->run = engine->open(&f);
}

pith_rt *pith_rt_open(const char *path, pith_rt_cfg cfg)
{
    pith_rt *rt = new_rt(cfg);
    if (rt && !rt->ctx.status && !pithp_tfl_bytes_open(&rt->ctx, &rt->bytes, path))
        load(rt, path);
    return rt;
}

pith_rt *pith_rt_open_memory(const void *p, size_t n, pith_rt_cfg cfg)
{
    pith_rt *rt = new_rt(cfg);
    if (rt && !rt->ctx.status && !pithp_tfl_bytes_of(&rt->ctx, &rt->bytes, "the model", p, n))
        load(rt, "the model");
    return rt;
}

void pith_rt_free(pith_rt *rt)
{
    if (!rt)
        return;
    pithp_ring_close(&rt->ctx);
    pithp_tfl_bytes_close(&rt->ctx, &rt->bytes);
    pith_ctx last = rt->ctx; /* pithp_free counts in it while the block goes */
    pithp_free(&last, rt);
}

pith_status pith_rt_status(const pith_rt *rt) { return rt ? rt->ctx.status : PITH_ENOMEM; }
const char *pith_rt_error(const pith_rt *rt) { return rt ? rt->ctx.error : "out of memory for the model"; }

bool pith_rt_input(const pith_rt *rt, int i, pith_rt_tensor *t)
{
    return rt && rt->run && engine->tensor(rt->run, false, i, t);
}

bool pith_rt_output(const pith_rt *rt, int i, pith_rt_tensor *t)
{
    return rt && rt->run && engine->tensor(rt->run, true, i, t);
}

pith_status pith_rt_run(pith_rt *rt, const void *const *inputs, void *const *outputs)
{
    if (!rt || !rt->run)
        return pith_rt_status(rt) ? pith_rt_status(rt) : PITH_EINVAL;
    return engine->run(rt->run, inputs, outputs);
}

pith_rt_facts pith_rt_info(const pith_rt *rt)
{
    if (!rt || !rt->run)
        return (pith_rt_facts){ 0 };
    size_t arena = engine->arena(rt->run);
    return (pith_rt_facts){ .arena = arena,
                            .heap = rt->ctx.bytes - arena,
                            .model = rt->bytes.stored,
                            .macs = engine->macs(rt->run) };
}
