/* graph/qplan.h: running an integer graph.

       pithp_qplan *p = pithp_qplan_new(g, (pithp_qplan_cfg){ .batch = 32 });
       pithp_qplan_run(p, n, (const void *[]){ pixels }, (void *[]){ logits });      n <= 32 samples

   A plan packs the weights for the processor's kernels and gives every tensor its place in an arena of one sample, one for
   each thread: a thread takes a sample through the whole network, so that its activations stay in its cache. With fewer
   samples than threads, the rows of each op are shared out instead. A run allocates nothing; the bytes do not depend
   on threads, instruction set or batch: they are the reference kernels'. */
#ifndef PITHP_QPLAN_H
#define PITHP_QPLAN_H

#include "graph/qgraph.h"

typedef struct pithp_qplan pithp_qplan;

typedef struct {
    int64_t batch;  /* most samples of one run; 0: 1 */
    int threads;    /* 0: the context's */
    bool reference; /* scalar kernels only: the definition */
    bool
        single; /* rescale with one rounding (implies reference): for comparing with engines built that way */
    const char *kernels; /* "base", "avx2", "avx512", "avx512vnni": a set to force; NULL: the best */
    /* Called after each op of each sample, with the result's bytes; the run is then single-threaded. */
    void (*watch)(void *arg, int64_t sample, const pithp_qtensor *t, const void *data);
    void *watch_arg;
} pithp_qplan_cfg;

/* Owned by the context. NULL with the error recorded; the graph must stay, and have an output. */
pithp_qplan *pithp_qplan_new(const pithp_qgraph *g, pithp_qplan_cfg cfg);
void pithp_qplan_free(pithp_qplan *p);
/* inputs[i]: n samples of the graph's input i, outputs[i] likewise; both densely packed in the tensors' types. */
pith_status pithp_qplan_run(pithp_qplan *p, int64_t n, const void *const *inputs, void *const *outputs);

size_t pithp_qplan_arena(const pithp_qplan *p);        /* bytes of one sample's activations */
size_t pithp_qplan_bytes(const pithp_qplan *p);        /* all memory of the plan */
const char *pithp_qplan_kernels(const pithp_qplan *p); /* "reference", "avx512vnni", ... */

/* A list of ops as the planner of memory sees it: whatever holds them. */
typedef struct {
    int n_in, out;
    const int *in;
    uint32_t inplace; /* bit i: the result may lie where operand i does */
} pithp_qlist_op;

typedef struct {
    int n_tensors, n_ops;
    const void *of;
    size_t (*bytes)(const void *of, int t);      /* 0: a constant, which gets no place */
    pithp_qlist_op (*op)(const void *of, int i); /* its operands stay until the next call */
    int (*output)(const void *of, int i);        /* tensor that is output i; -1: there is none */
} pithp_qlist;

/* Where everything lies in an arena of one sample. Sizes are rounded up to `align` after adding `slack`; a result takes over
   an operand's memory where its op allows. scratch[i]: bytes that op i wants for itself while it runs; NULL: none. */
pith_status pithp_qplace(pith_ctx *c, const pithp_qlist *q, size_t align, size_t slack, const size_t *scratch,
                         size_t *offset /* [tensors] */, size_t *scratch_at /* [ops]; may be NULL */,
                         size_t *total);
/* The same of a graph: the planner's answer, for this runtime and for exported code. */
pith_status pithp_qlayout(const pithp_qgraph *g, size_t align, size_t slack, const size_t *scratch,
                          size_t *offset, size_t *scratch_at, size_t *total);

#endif
