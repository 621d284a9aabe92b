/* deploy/rt_engine.h: what runs a file that pith_rt has opened. libpith plans the whole graph for its fast kernels (rt_plan.c);
   libpith-rt goes through the file op by op and keeps next to nothing of it (rt_steps.c). The bytes are the same. */
#ifndef PITHP_RT_ENGINE_H
#define PITHP_RT_ENGINE_H

#include "deploy/tflite/read.h"
#include <pith/rt.h>

typedef struct pithp_rt_run pithp_rt_run;

typedef struct {
    /* Checks the file and makes all that a run needs. Owned by the file's context; NULL with the error recorded. */
    pithp_rt_run *(*open)(const pithp_tfl_file *f);
    bool (*tensor)(const pithp_rt_run *r, bool output, int i, pith_rt_tensor *t);
    pith_status (*run)(pithp_rt_run *r, const void *const *inputs, void *const *outputs);
    size_t (*arena)(const pithp_rt_run *r); /* bytes */
    int64_t (*macs)(const pithp_rt_run *r);
} pithp_rt_engine;

extern const pithp_rt_engine pithp_rt_plan, pithp_rt_steps;

#endif
