/* pith/tensor.h: the tensor engine. Make leaves, compose ops (pith/ops.h) into any scalar, run, walk backwards.

   It is define-then-run: composing records nodes; pith_run and pith_backward compute. A value that is to be read later
   and is neither a leaf nor the result asked for is marked with pith_keep before the first run.
   A builder that fails returns the context's poison tensor; ops on poison return poison; check pith_ctx_status once. */
#ifndef PITH_TENSOR_H
#define PITH_TENSOR_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A leaf that holds data.
   data       prod(shape) elements, copied; NULL for zeros
   gradient   none, until pith_require_grad
   ownership  the context's
   errors     PITH_EINVAL for a size < 1; poison. Since 0.1. */
PITH_API pith_tensor *pith_leaf(pith_ctx *c, pith_dtype dtype, pith_shape shape, const void *data);

/* A trainable leaf, float32, all zeros; optimisers made from the context step all of them. Since 0.1. */
PITH_API pith_tensor *pith_param(pith_ctx *c, pith_shape shape);

/* A scalar leaf. Since 0.1. */
PITH_API pith_tensor *pith_scalar(pith_ctx *c, double value);

/* Wants dL/dt of a float leaf that is not a parameter (saliency, tests). Since 0.1. */
PITH_API void pith_require_grad(pith_tensor *t);

/* Marks t's value (and gradient, in backward) to be readable after a run. Since 0.1. */
PITH_API pith_tensor *pith_keep(pith_tensor *t);

/* Excludes a parameter from training, or includes it again. Plans made before become stale. Since 0.1. */
PITH_API void pith_freeze(pith_tensor *t, bool frozen);

/* Gives t a name: messages, taps and files use it. Returns t. Since 0.1. */
PITH_API pith_tensor *pith_named(pith_tensor *t, const char *name);
PITH_API const char *pith_name(const pith_tensor *t);

PITH_API pith_shape pith_shape_of(const pith_tensor *t);
PITH_API pith_dtype pith_dtype_of(const pith_tensor *t);
PITH_API int64_t pith_size(const pith_tensor *t); /* number of elements */
PITH_API pith_ctx *pith_ctx_of(const pith_tensor *t);

/* Computes t and everything that it needs, in inference mode; the plan is kept and used again.
   errors   whatever planning finds; PITH_OK otherwise. Since 0.1. */
PITH_API pith_status pith_run(pith_tensor *t);

/* Computes the scalar `loss` in training mode and adds dloss/dp to the gradient of every parameter p it depends on.
   Gradients add up over calls until an optimiser steps or pith_zero_grad. Since 0.1. */
PITH_API pith_status pith_backward(pith_tensor *loss);

/* Sets the gradients of the bare engine's parameters and leaves to zero. Since 0.1. */
PITH_API void pith_zero_grad(pith_ctx *c);

/* The value of a one-element float tensor after a run; NaN (and an error) if there is none. Since 0.1. */
PITH_API double pith_item(const pith_tensor *t);

/* The values of a leaf, a result or a kept tensor, row-major; NULL with an error if it has none yet. Writing to a
   leaf's values is allowed. Valid until the next plan is made.  Since 0.1. */
PITH_API void *pith_values(const pith_tensor *t);

/* The gradient of a parameter, or of a kept or required tensor after pith_backward; NULL if none. Since 0.1. */
PITH_API pith_real *pith_grad(const pith_tensor *t);

/* Copies data (pith_size(t) elements of its type) into a leaf. Since 0.1. */
PITH_API pith_status pith_set(pith_tensor *t, const void *data);

/* ---- Plans, for programs that want to hold them ---------------------------------------------------------------
   A plan lays out the targets (and what they need) for at most `batch` samples, checks everything, allocates once. */
typedef struct {
    int64_t batch; /* most samples; 0: as the graph was recorded */
    bool train;    /* training mode; with a scalar float target also the backward pass */
    bool no_fuse;  /* keep every node as it was recorded (tests) */
    bool
        constant; /* inference: parameters and state are taken as they are at the first run, and may be kept in a
                      faster form (convolutions' weights packed once); later changes of them may not be seen */
    int image_size; /* side of the images [N,H,W,C] that go in; 0: as recorded. For networks that any size suits */
} pith_plan_cfg;

/* errors   NULL after any error (recorded). ownership: the context's. Since 0.1. */
PITH_API pith_plan *pith_plan_new(pith_tensor *const *targets, int n_targets, pith_plan_cfg cfg);
PITH_API void pith_plan_free(pith_plan *p);

/* Where sample data of an input of a model (pith_model_input) goes, [batch, ...]; NULL if t is not one. Since 0.1. */
PITH_API void *pith_plan_input(pith_plan *p, const pith_tensor *t);

/* The value of a target or kept tensor, or a kept tensor's gradient, after a run; NULL if not there. Since 0.1. */
PITH_API const void *pith_plan_value(const pith_plan *p, const pith_tensor *t);
PITH_API const pith_real *pith_plan_grad(const pith_plan *p, const pith_tensor *t);

/* Runs forward on n samples (1 <= n <= batch; 0: batch). step keys this run's random numbers.
   errors   PITH_ESTALE, PITH_EINVAL. Allocates nothing. Since 0.1. */
PITH_API pith_status pith_plan_forward(pith_plan *p, int64_t n, uint64_t step);

/* Runs the backward pass of the forward that just ran: adds to the parameters' gradients. Since 0.1. */
PITH_API pith_status pith_plan_backward(pith_plan *p);

/* Bytes of the plan's one arena. Since 0.1. */
PITH_API size_t pith_plan_bytes(const pith_plan *p);

/* Where the time of a plan's runs goes. A step is what the plan runs at once: an op, or several fused. */
typedef struct {
    const char *name, *op; /* of the node it stands for ("" if it has none); of what computes it */
    pith_shape out;
    double forward_ms, backward_ms; /* the fastest run since profiling began; 0: none yet */
    int64_t macs, macs_backward;    /* multiply-adds */
    int64_t bytes_forward,
        bytes_backward; /* that have to move at least, if nothing stays in cache between steps */
} pith_step_facts;

/* Takes (on) the time of every step in later runs, or no longer does. errors: PITH_ENOMEM. Since 0.1. */
PITH_API pith_status pith_plan_profile(pith_plan *p, bool on);

/* Facts of step i in order of running; false: there are no more. Strings are the graph's. Since 0.1. */
PITH_API bool pith_plan_step(const pith_plan *p, int i, pith_step_facts *f);

/* Runs forward again, looking at every value: the name of the first node whose result (or parameter) is not finite,
   NULL if all are. For reports after a NaN loss. ownership: the graph's. Since 0.1. */
PITH_API const char *pith_plan_find_nonfinite(pith_plan *p);

#ifdef __cplusplus
}
#endif
#endif
